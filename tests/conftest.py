"""Fixtures shared by every test: where real speech lies, if it is there at all; programs compiled once a session."""

import gc
import importlib.util
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import settings

from sejax.core.xla import share_convolutions

# The same examples in every run, however busy the machine is, and no folder of found ones.
settings.register_profile("sejax", derandomize=True, deadline=None, database=None)
settings.load_profile("sejax")

ROOT = Path(__file__).resolve().parents[1]

# Compiling takes most of the time, and most of that what makes programs fast, which toy sizes do not repay. Every
# process of a session compiles alike, so that bits may be compared: without optimising, in a sixth to a ninth of
# the time, or with SEJAX_OPTIMISED=1 as a user's programs are compiled (`make test-all`; tests/optimised.py).
OPTIMISED = os.environ.get("SEJAX_OPTIMISED", "0") != "0"
_UNOPTIMISED = ["--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"]
if version("jaxlib").startswith("0.10."):  # jaxlib 0.12 has no such flag any more, and a process that is given it ends
    _UNOPTIMISED.append("--xla_cpu_use_fusion_emitters=false")
share_convolutions()  # as sejax's commands do
if not OPTIMISED and "PYTEST_XDIST_WORKER" not in os.environ:  # workers inherit it
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *_UNOPTIMISED]).strip()

# Workers of pytest-xdist and the processes that tests start inherit the variable and find there what another has
# compiled, however little time it took; the folder goes when the session does.
_COMPILED = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else tempfile.mkdtemp(prefix="sejax-compiled-")
if _COMPILED:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _COMPILED
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# Traced programs are millions of objects that stay: looked through less often, they cost a twentieth less of the time.
gc.set_threshold(50_000, 50, 50)

# Where most of the time goes: begun first, so that no worker is left with them when the others are done.
_LONG = ("tests/contract/", "tests/launch/")


def pytest_collection_modifyitems(config, items):
    """The longest modules first, the others as they were; slow cases with SEJAX_OPTIMISED=1 or where -m says so."""
    if not OPTIMISED and not config.option.markexpr:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("slow")])
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    items.sort(key=lambda item: next((i for i, name in enumerate(_LONG) if item.nodeid.startswith(name)), len(_LONG)))


def pytest_unconfigure():
    """Removes the compiled programs of this session."""
    if _COMPILED:
        shutil.rmtree(_COMPILED, ignore_errors=True)


@pytest.fixture(scope="module")
def quickly_compiled():
    """For modules that compile much and run it once, and compare it with nothing that is compiled otherwise.

    With SEJAX_OPTIMISED=1 too they compile without optimising.
    """
    if not OPTIMISED:
        yield
        return
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()


@pytest.fixture(scope="session")
def opensmile_installed():
    """Skips where openSMILE is not installed, without importing its package: loaded after TensorFlow it is broken."""
    if not importlib.util.find_spec("opensmile"):
        pytest.skip("the package opensmile is not installed")


def _speech_folder() -> Path:
    return Path(os.environ.get("SEJAX_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def emodb_source() -> Path:
    """The Berlin database in its original layout (wav/, erkennung.txt)."""
    folder = _speech_folder() / "emodb"
    if not (folder / "wav").is_dir():
        pytest.skip(f"the Berlin database is not at {folder}; set SEJAX_DATA to the folder that holds emodb/")
    return folder


@pytest.fixture(scope="session")
def nemo_source() -> Path:
    """Part of nEMO with its CSV manifest."""
    folder = _speech_folder() / "nemo"
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"nEMO is not at {folder}; set SEJAX_DATA to the folder that holds nemo/")
    return folder
