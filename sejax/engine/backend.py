"""What "auto" means in a config's run section, and the persistent compilation cache."""

from pathlib import Path

import jax

from sejax.engine.run import RunSettings
from sejax.errors import InputError


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
            f"config: run.input='tfdata' reads spectrograms, and trainable={config.trainable!r} trains on features "
            "computed once: use run.input='auto', or trainable='all'"
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
