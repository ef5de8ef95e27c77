"""A halving convolution with its gradients at the DCGANs' sizes: by frequencies, by products and as XLA has it.

    python benchmarks/halving.py [--models=basic_dcgan+multitask_dcgan] [--rounds=3]

One jitted call is a layer's forward pass, the gradient of its images and that of its kernel. Ways: `ours`, as
sejax/models/halving.py chooses; `xla`, XLA's convolution and its own gradients; `products`, the same but for the
kernel's gradient, which is a matrix product over patches; `frequencies`, all three by way of frequencies. They take
turns; milliseconds are medians. Sizes are those of Table 1 but for a quarter of its batch.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from turns import medians  # noqa: E402

from sejax.models import halving  # noqa: E402

# batch, frames of a crop, filters of the first layer, side of the kernels
MODELS = {"basic_dcgan": (16, 128, 72, 9), "multitask_dcgan": (32, 64, 88, 6)}
BANDS, LAYERS = 128, 4


def both_gradients(forward, back, weigh, x, y, kernel):
    """A layer's images, the gradient of its images and that of its kernel."""
    return forward(x, kernel), back(y, kernel), weigh(x, y, side=len(kernel))


def as_ours(x, y, kernel):
    """As a network's step has them."""
    found, gradients = jax.vjp(halving.halve, x, kernel)
    return found, *gradients(y)


def as_xla(x, y, kernel):
    """XLA's convolution differentiated by JAX."""
    found, gradients = jax.vjp(halving._halve, x, kernel)
    return found, *gradients(y)


WAYS = {
    "ours": as_ours,
    "xla": as_xla,
    "products": partial(both_gradients, halving._halve, halving._double, halving._weigh_by_products),
    "frequencies": partial(
        both_gradients, halving._halve_by_frequencies, halving._double_by_frequencies, halving._weigh_by_frequencies
    ),
}


def main():
    """Prints a line for each layer, and the sums of each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="+".join(MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"JAX {jax.__version__}; milliseconds of {', '.join(WAYS)}")
    for model in given.models.split("+"):
        batch, frames, filters, side = MODELS[model]
        sums = dict.fromkeys(WAYS, 0.0)
        for layer in range(LAYERS):
            image = batch, BANDS >> layer, frames >> layer, 1 if layer == 0 else filters << (layer - 1)
            spent = layer_times(image, (side, side, image[-1], filters << layer), given.rounds)
            chosen = "frequencies" if halving._frequencies_pay(image, (side, side, image[-1], filters << layer)) else ""
            print(f"{model}, layer {layer}: " + " ".join(f"{1e3 * each:8.1f}" for each in spent.values()), chosen)
            sums = {way: total + spent[way] for way, total in sums.items()}
        print(f"{model}, all:     " + " ".join(f"{1e3 * each:8.1f}" for each in sums.values()), flush=True)


def layer_times(image, kernel, rounds):
    """Median seconds of each way for images [B, H, W, C] and kernels [k, k, C, D]."""
    random = np.random.default_rng(0)
    batch, height, width, _ = image
    shapes = image, (batch, height // 2, width // 2, kernel[-1]), kernel
    arrays = [jnp.asarray(random.standard_normal(shape), jnp.float32) for shape in shapes]
    calls = [partial(_called, jax.jit(function), arrays) for function in WAYS.values()]
    return dict(zip(WAYS, medians(calls, rounds), strict=True))


def _called(function, arrays):
    jax.block_until_ready(function(*arrays))


if __name__ == "__main__":
    main()
