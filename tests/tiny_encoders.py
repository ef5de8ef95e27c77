"""Speech encoders of a few weights, of each family, under names that configs can give, and as converted files."""

import jax
import numpy as np

from sejax.models import encoders
from sejax.models.encoders import Architecture, Positions
from sejax.models.transformer import RelativeBias
from sejax.pretrained import encoders as files
from sejax.pretrained import names
from sejax.pretrained.weights import write

# A frame every 80 samples: what is compiled for a second of positions grows with their number.
SIZES = {"convolutions": ((4, 10, 5), (6, 8, 4), (6, 4, 4)), "width": 8, "layers": 2, "heads": 2, "feed_forward": 12}
TINY = {
    "wav2vec2": Architecture(**SIZES, positions=Positions(8, 2)),
    "hubert": Architecture(**SIZES, positions=Positions(8, 2), convolution_norm="layer", pre_norm=True),
    "wavlm": Architecture(**SIZES, positions=Positions(8, 2), relative=RelativeBias(8, 16), normalise=False),
    "data2vec-audio": Architecture(**SIZES, positions=Positions(8, 2, 2, norm="layer"), convolution_norm="layer"),
}


def write_file(path, family="wav2vec2", *, seed=0):
    """A tiny encoder of a family as a converted file; returns its variables."""
    module = encoders.create(TINY[family])
    variables = module.init(jax.random.key(seed), np.zeros((1, 400), np.float32), np.array([400], np.int32))
    flat = {name: np.asarray(array) for name, array in names.flatten(variables).items()}
    metadata = {
        "model": family,
        "source": "transformers",
        "preprocessing": "standardised" if TINY[family].normalise else "samples",
        "architecture": files.as_json(TINY[family]),
        "regularisation": encoders.Regularisation(hidden=0.1)._asdict(),
        "dimensions": None,
        "head_dropout": 0.0,
        "sha256": "0" * 64,
        "parameters": sum(array.size for array in flat.values()),
    }
    write(path, flat, metadata)
    return variables
