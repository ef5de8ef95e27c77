"""A config's run section, what "auto" means in it, and the persistent compilation cache."""

from pathlib import Path
from typing import Any

import jax

from sejax.engine.run import RunSettings
from sejax.errors import InputError


def run_section(*, convolutions: bool, save_seconds: float = 20.0) -> dict[str, Any]:
    """The section ``run`` of a config: how the engine drives it, and none of what is learned.

    Args:
      convolutions: whether convolutions are trained. Then members train one after the other: vmapped, their
        convolutions become grouped ones, which are slow.
      save_seconds: about how long a segment takes; a kill loses no more than that.
    """
    return {
        # "auto": scan, but loop for convolutions on a CPU (their gradients are slow inside XLA loops).
        "backend": "auto",
        "convolutions": convolutions,
        "ensemble": "map" if convolutions else "vmap",
        "members_at_once": 1 if convolutions else 0,
        "input": "auto",  # "resident" on the device, or "tfdata"; auto: tfdata with the loop backend
        "save_seconds": save_seconds,
        "keep": 1,
        "tensorboard": True,
        "compilation_cache": "~/.cache/sejax/xla",
    }


def run_settings(config) -> RunSettings:
    """The driver's settings of a config; ``backend="auto"`` is decided by platform and network.

    Convolution gradients inside XLA loops run many times slower on a CPU, so a config whose ``run.convolutions``
    says that it trains some uses the loop backend there, and scan everywhere else.
    """
    run = config.run
    backend = run.backend
    if backend == "auto":
        backend = "loop" if run.convolutions and jax.default_backend() == "cpu" else "scan"
    return RunSettings(
        backend=backend,
        ensemble=run.ensemble,
        members_at_once=run.members_at_once,
        save_seconds=run.save_seconds,
        keep=run.keep,
        tensorboard=run.tensorboard,
    )


def streamed(config) -> bool:
    """Whether spectrograms come through tf.data as they are needed, rather than from the device.

    ``run.input="auto"`` streams where the loop backend trains convolutions.

    Raises:
      InputError: ``run.input="tfdata"`` for a network whose inputs are features computed once.
    """
    if config.run.input == "tfdata" and not config.run.convolutions:
        raise InputError(
            "config: run.input='tfdata' reads spectrograms as they are needed, and without run.convolutions the inputs "
            "are features computed once: use run.input='auto', or train the convolutions too (trainable='all')"
        )
    if config.run.input != "auto":
        return config.run.input == "tfdata"
    return config.run.convolutions and run_settings(config).backend == "loop"


def use_compilation_cache(folder: str) -> None:
    """Keeps compiled programs on disk, so that a resumed run trains within seconds. "" turns it off."""
    if not folder:
        return
    jax.config.update("jax_compilation_cache_dir", str(Path(folder).expanduser()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
