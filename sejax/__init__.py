"""Speech emotion recognition in JAX and Flax: published systems on one small functional core.

Subpackages load when they are first used (``sejax.models.create``, ``sejax.pretrained.load``), so that
``import sejax`` costs nothing and needs neither TensorFlow nor librosa. ``sejax.load`` reads an exported model.
"""

from importlib import import_module

__version__ = "0.1.0"
_SUBPACKAGES = ("audio", "core", "corpora", "data", "engine", "errors", "experiments", "export")
_SUBPACKAGES += ("models", "pretrained", "report")


def __getattr__(name: str):
    if name == "load":
        return import_module("sejax.export.model").load
    if name in _SUBPACKAGES:
        return import_module(f"sejax.{name}")
    raise AttributeError(f"module 'sejax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBPACKAGES, "load"])
