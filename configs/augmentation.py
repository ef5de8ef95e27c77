"""Classifiers trained on real vectors, synthetic ones, or both (Bao, Neumann and Vu 2019, sections 4.3 and 4.4).

    python launch/train.py --config=configs/augmentation.py:real=emodb,synthetic=runs/cyclegan-emodb/synthetic \\
        --data_dir=data --workdir=runs/augmentation-emodb
    python launch/train.py --config=configs/augmentation.py:real=emodb,test=nemo,synthetic=... --workdir=...

Without ``test`` one group of sessions or speakers is left out at a time; with it the classifiers are tested on 70 % of
another corpus, of which 30 % are the development part. Beside the paper's three training sets stand two that need
no generator (real vectors with noise, mixup) and a linear support vector machine. Figures: docs/cyclegan.md.
"""

from ml_collections import ConfigDict

from sejax.audio.level import LEVELS
from sejax.audio.opensmile import FEATURE_SETS
from sejax.audio.voice_activity import DETECTORS
from sejax.data.labels import check_classes
from sejax.engine.fields import Field, make_config
from sejax.engine.run import RUN

# An argument's list is joined by +, so it has names of its own for what the results call real+syn and so on.
NAMES = {"both": "real+syn", "noise": "real+noise", "mixup": "real+mixup"}
FIELDS = {
    "seed": Field(0, least=0),
    "real": Field(("emodb",), name=True, distinct=True),  # the corpora that the generators took as targets
    "test": Field("", name=True, several=True),  # another corpus, or several (nemo+ravdess); empty: within the real
    # such as sad:sadness/boredom+anger+neutral, see sejax.data.labels; empty: "four", the paper's
    "classes": Field((), of=str, distinct=True, rule=check_classes),
    "evaluation": Field("within", choices=("within", "cross")),  # follows from it
    "development": Field(0.3, above=0, below=1),  # of the test corpus
    "synthetic": Field(""),  # what launch/synthesise.py made
    "trainings": Field(
        ("real", "syn", *NAMES), choices=("real", "syn", *NAMES, *NAMES.values()), distinct=True
    ),
    "lambdas": Field((0.0, 2.0), least=0, distinct=True),  # generators by the weight of their classification loss
    "level": Field("none", choices=LEVELS),  # what recordings are brought to, see sejax.audio.level
    # by which detector pauses at both ends of recordings are left out, see sejax.audio.voice_activity
    "trim": Field("none", choices=("none", *DETECTORS)),
    "features": Field("emobase2010", choices=FEATURE_SETS),
    "normalisation": Field("leak_free", choices=("leak_free", "as_published")),
    # what features are normalised by before all else: nothing, or all recordings of each corpus or speaker, the tested
    # ones too, see sejax.experiments.feature_vectors
    "normalise_by": Field("training", choices=("training", "corpus", "speaker")),
    # how: by speakers (or sessions), or the corpus's own parts (split, see docs/corpora.md)
    "protocol": Field("speaker", choices=("speaker", "split")),
    # with protocol=split, the corpus's own folds by name, as in fold_1+fold_2; empty: all that it has
    "split_folds": Field((), of=str, distinct=True),
    "folds": Field(5, least=2, most=1000),
    "repeats": Field(5, least=1, most=1000),
    # of each classifier, rates raised so that updates x rate is the paper's; 0: the paper's epochs
    "updates": Field(0, least=0, most=100_000_000),
    "slope": Field(0.2, least=0, most=1),
    "noise": Field(0.5, least=0),  # standard deviations of the z-normalised features
    "mixup": Field(0.4, above=0),  # alpha of the Beta distribution
    # vectors of real+noise and real+mixup for each emotion; 0: as many as are synthetic, or 1000
    "extra": Field(0, least=0, most=10_000_000),
    "rows": Field(20, least=1, most=100_000),  # of a history
    "runlocal": Field(False),
    **RUN,
    "run.save_seconds": Field(60.0, least=0),
}


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's classifiers; sizes and schedules stand in `sejax.experiments.augmentation.algorithm`.

    ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    config = make_config("augmentation", FIELDS, argument)
    config.trainings = tuple(NAMES.get(name, name) for name in config.trainings)
    config.evaluation = "cross" if config.test else "within"
    if config.runlocal:
        config.folds, config.repeats, config.updates, config.trainings = 2, 1, 4, ("real",)
        config.rows, config.run.tensorboard = 2, False
    return config
