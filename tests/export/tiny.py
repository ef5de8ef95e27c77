"""A model's file without a training: a linear classifier of small spectrograms, two members."""

import jax
import jax.numpy as jnp
import numpy as np

from sejax.data.blocks.load import BlockSettings
from sejax.experiments.exporting import Part, input_shapes, stablehlo
from sejax.export import archive
from sejax.export.tensors import packed

RATE = 16000
PREPARED = BlockSettings(voice_activity=None, block_length=0.1, block_overlap=0.0, fmax=(6000.0, 8000.0), bands=4)
CLASSES = ("low", "middle", "high")
SETTINGS = {
    "experiment": "tiny",
    "hears": "blocks",
    "level": "none",
    "rate": RATE,
    "prepared": PREPARED.as_dict(),
    "rated": {},
    "classes": list(CLASSES),
    "members": [[{"fold": 0}, {"fold": 1}]],
    "ranges": {"level": [-30.0, -10.0], "bandwidth": [7000.0, 8000.0]},
    "inputs": {},
}
SHAPES = input_shapes(SETTINGS)


def posteriors(weights, inputs, xp=jnp):
    """The mean over members of softmax(x w / 100), f32[I, 3]."""
    x = inputs.reshape(inputs.shape[0], -1)
    logits = xp.einsum("if,mfc->mic", x, weights["kernel"]) / 100
    shares = xp.exp(logits - logits.max(-1, keepdims=True))
    return (shares / shares.sum(-1, keepdims=True)).mean(0)


def part():
    """Its network and weights."""
    features = int(np.prod(SHAPES[""][0][1:]))
    kernel = np.random.default_rng(0).normal(size=(2, features, len(CLASSES))).astype(np.float32)
    return Part(posteriors, {"kernel": kernel}, SETTINGS["members"][0], None)


def entries(network=None, **settings):
    """What its file holds; another network, or other settings, where they are given."""
    made = part()
    return {
        archive.WEIGHTS: packed({f"0/{name}": array for name, array in made.weights.items()}),
        archive.SETTINGS: archive.as_json(SETTINGS | settings),
        archive.FIGURES: archive.as_json({"exported": {}}),
        archive.LICENCES: b"# Licences\n",
        archive.CARD: b"# A model\n",
        archive.NETWORK.format(0): stablehlo(made, SHAPES) if network is None else network,
    }


def write(path, content):
    """Its file; returns the SHA-256."""
    return archive.write(path, content, {"jax": jax.__version__})
