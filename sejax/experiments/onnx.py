"""The network of a run's members as ONNX, by jax2onnx, compared with JAX in onnxruntime before it is written."""

import hashlib
import logging
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.files import written_whole
from sejax.errors import InputError
from sejax.experiments.exporting import Exported, Ready

TOLERANCE = 1e-4  # of a posterior
_BATCHES, _PATCH = (1, 2, 7), 8


def write_onnx(ready: Ready, output: Path) -> tuple[Exported, float]:
    """Write the network and return what was written, and its largest difference from JAX.

    Raises:
      InputError: a package is missing, what jax2onnx cannot convert, or a difference above `TOLERANCE`.
    """
    if len(ready.parts) > 1:
        raise InputError("--format=onnx: one network in a file; name one of the variants with --member")
    if "" not in ready.shapes:
        raise InputError("--format=onnx: jax2onnx cannot convert networks that read transcripts; use --format=sejax")
    try:
        import onnxruntime
        from jax2onnx import to_onnx
    except ImportError as error:
        raise InputError(f"--format=onnx: {error}; pip install 'sejax[onnx]'") from None
    (part,), (shape, dtype) = ready.parts, ready.shapes[""]
    weights = {name: jnp.asarray(array) for name, array in part.weights.items()}

    def network(inputs):
        return part.network(weights, inputs)

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # jax2onnx's, of types that it works out later
    try:
        content = to_onnx(network, [shape], model_name="network").SerializeToString()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        difference = _difference(session, jax.jit(network), shape[1:], dtype)
    except InputError:
        raise
    except Exception as error:  # whatever converter and runtime say of an operation that they do not have
        why = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"--format=onnx: jax2onnx cannot convert this network ({why}); use --format=sejax") from None
    finally:
        logging.disable(before)
    if not difference <= TOLERANCE:
        raise InputError(
            f"--format=onnx: posteriors in onnxruntime differ from JAX's by {difference:.1e}, more than {TOLERANCE:g}; "
            "nothing was written, use --format=sejax"
        )
    with written_whole(output) as file:
        file.write(content)
    return Exported(part.names, len(content), hashlib.sha256(content).hexdigest()), difference


def _difference(session, network, shape: tuple[int, ...], dtype) -> float:
    """The largest difference of a posterior over random inputs, in batches of several sizes."""
    random, (name,) = np.random.default_rng(0), (given.name for given in session.get_inputs())
    found = []
    for rows in _BATCHES:
        # Patches of about one level, as speech has in a spectrogram: noise alone is far from all that was trained on.
        coarse = random.normal(-40.0, 15.0, (rows, *(-(-side // _PATCH) for side in shape)))
        for axis in range(1, coarse.ndim):
            coarse = coarse.repeat(_PATCH, axis)
        coarse = coarse[(slice(None), *map(slice, shape))]
        inputs = (coarse + random.normal(0.0, 3.0, coarse.shape)).astype(dtype)
        found.append(np.abs(session.run(None, {name: inputs})[0] - np.asarray(network(inputs))).max())
    return float(max(found))
