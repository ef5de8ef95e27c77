"""Valence and activation from a shared trunk, with and without unlabelled speech (Chang and Scherer 2017).

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data --features=utterance_spectrograms
    python launch/prepare.py --corpus=librispeech --source=DIR --data_dir=data --features=utterance_spectrograms
    python launch/train.py --config=configs/dcgan.py:corpus=emodb,unlabelled=librispeech --data_dir=data \\
        --workdir=runs/dcgan-emodb
    python launch/sweep.py --config=configs/dcgan.py:corpus=emodb,models=basic_cnn --data_dir=data --workdir=runs/sweep

Time, machine and figures of every configuration stand in docs/dcgan.md.
"""

from ml_collections import ConfigDict

from sejax.engine.command import parse_arguments
from sejax.engine.run import run_section

ARGUMENTS = {
    "corpus": "iemocap",  # the labelled one: rated, or with emotions from which ratings are derived
    "unlabelled": ("",),  # corpora of unlabelled speech, such as ami+librispeech; empty: none
    "models": ("basic_cnn", "multitask_cnn", "basic_dcgan", "multitask_dcgan"),
    "folds": 5,  # leave two speakers out, a session's where there are sessions: one validates, one tests
    "swap": False,  # every fold twice, the two speakers exchanged
    "seeds": 1,
    "updates": "alternating",
    "epochs": 200,  # at most
    "width": 0,  # frames of a crop, 16 ms each; 0 in this and the next four: each model's own of Table 1
    "side": 0,  # of the square filters
    "filters": 0,  # of the first convolution
    "batch_size": 0,
    "learning_rates": (0.0,),
    "share": 0.5,  # of the discriminator's real crops that is unlabelled speech
    "balance": 1.0,  # 0: labelled utterances as they come; 1: all valences as often as the most frequent
    "eval_crops": 4,  # evenly spaced, their posteriors averaged; 1: the paper's
    "criterion": "uar",  # what early stopping looks at, on the validation speaker
    "scale": "log",
    "rating_scale": (1.0, 5.0),  # lowest and highest rating of the corpus
    "dtype": "float32",
    "input": "auto",
    "runlocal": False,
}
CHOICES = {
    "updates": ("alternating", "joint"),
    "criterion": ("uar", "accuracy"),
    "scale": ("log", "mel"),
    "dtype": ("float32", "bfloat16"),
    "input": ("auto", "resident", "tfdata"),
}
# The paper's search, section 5.
SPACE = "width=64|128,side=2..width/8,filters=32..90:4,batch_size=64|128|256,learning_rate=1e-3|1e-4|1e-5"


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's values where it states them; the rest is listed as assumptions in the docs.

    ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    given = parse_arguments(argument, ARGUMENTS, choices=CHOICES)
    config = ConfigDict({"experiment": "dcgan", "seed": 0} | given)
    del config.input
    config.unlabelled = tuple(filter(None, given["unlabelled"]))
    config.learning_rates = tuple(filter(None, given["learning_rates"]))
    config.patience = 5
    config.weights = (1.0, 1.0)  # of valence and activation in joint updates
    config.b1 = 0.5
    config.b2 = 0.999
    config.epsilon = 1e-8
    config.hidden = 128  # of the layer between the trunk and the ratings
    config.slope = 0.2
    config.latent = 100
    config.dynamic_range = 80.0  # dB below an utterance's maximum
    config.samples = 8
    config.snapshots = 8
    config.run = ConfigDict(run_section(convolutions=True, save_seconds=60.0))
    config.run.input = given["input"]
    if given["runlocal"]:
        config.models, config.folds, config.epochs, config.hidden = ("basic_cnn", "multitask_dcgan"), 2, 2, 8
        config.width, config.side, config.filters, config.batch_size, config.samples = 16, 3, 2, 8, 2
        config.eval_crops, config.snapshots, config.run.tensorboard = 2, 3, False
    return config
