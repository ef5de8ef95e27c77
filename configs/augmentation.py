"""Classifiers trained on real vectors, synthetic ones, or both (Bao, Neumann and Vu 2019, sections 4.3 and 4.4).

    python launch/train.py --config=configs/augmentation.py:real=emodb,synthetic=runs/cyclegan-emodb/synthetic \\
        --data_dir=data --workdir=runs/augmentation-emodb
    python launch/train.py --config=configs/augmentation.py:real=emodb,test=nemo,synthetic=... --workdir=...

Without ``test`` one group of sessions or speakers is left out at a time; with it the classifiers are tested on 70 % of
another corpus, of which 30 % are the development part. Beside the paper's three training sets stand two that need
no generator (real vectors with noise, mixup) and a linear support vector machine. Figures: docs/cyclegan.md.
"""

from ml_collections import ConfigDict

from sejax.engine.command import parse_arguments
from sejax.engine.run import run_section

ARGUMENTS = {
    "real": ("emodb",),  # the corpora that the generators took as targets
    "test": "",  # another corpus; empty: within the real ones
    "synthetic": "",  # what launch/synthesise.py made
    "trainings": ("real", "syn", "both", "noise", "mixup"),  # as in `NAMES`
    "lambdas": (0.0, 2.0),  # generators by the weight of their classification loss
    "features": "emobase2010",
    "normalisation": "leak_free",
    "folds": 5,
    "repeats": 5,
    "updates": 0,  # of each classifier, rates raised so that updates x rate is the paper's; 0: the paper's epochs
    "runlocal": False,
}
# An argument's list is joined by +, so it has names of its own for what the results call real+syn and so on.
NAMES = {"both": "real+syn", "noise": "real+noise", "mixup": "real+mixup"}
CHOICES = {"normalisation": ("leak_free", "as_published"), "features": ("emobase2010", "is10")}


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's classifiers; sizes and schedules stand in `sejax.experiments.augmentation.algorithm`.

    ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    given = parse_arguments(argument, ARGUMENTS, choices=CHOICES)
    config = ConfigDict({"experiment": "augmentation", "seed": 0} | given)
    config.trainings = tuple(NAMES.get(name, name) for name in given["trainings"])
    config.evaluation = "cross" if given["test"] else "within"
    config.development = 0.3  # of the test corpus
    config.slope = 0.2
    config.noise = 0.5  # standard deviations of the z-normalised features
    config.mixup = 0.4  # alpha of the Beta distribution
    config.extra = 0  # vectors of real+noise and real+mixup for each emotion; 0: as many as are synthetic, or 1000
    config.rows = 20  # of a history
    config.run = ConfigDict(run_section(convolutions=False, save_seconds=60.0))
    if given["runlocal"]:
        config.folds, config.repeats, config.updates, config.trainings = 2, 1, 4, ("real",)
        config.rows, config.run.tensorboard = 2, False
    return config
