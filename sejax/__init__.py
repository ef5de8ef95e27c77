"""Speech emotion recognition in JAX and Flax: published systems on one small functional core.

Subpackages load when they are first used (``sejax.models.create``, ``sejax.pretrained.load``), so that
``import sejax`` costs nothing and needs neither TensorFlow nor librosa. ``sejax.load`` reads an exported model.
"""

from importlib import import_module

TYPE_CHECKING = False  # type checkers take it for typing's, whose import takes longer than all that is here
if TYPE_CHECKING:  # what `__getattr__` gives
    from sejax import audio, core, corpora, data, engine, errors, experiments, export, models, pretrained, report
    from sejax.export.model import load

__version__ = "0.1.0"
__all__ = [
    "audio",
    "core",
    "corpora",
    "data",
    "engine",
    "errors",
    "experiments",
    "export",
    "load",
    "models",
    "pretrained",
    "report",
]


def __getattr__(name: str):
    if name == "load":
        return import_module("sejax.export.model").load
    if name in __all__:
        return import_module(f"sejax.{name}")
    raise AttributeError(f"module 'sejax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
