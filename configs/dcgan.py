"""Valence and activation from a shared trunk, with and without unlabelled speech (Chang and Scherer 2017).

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data --features=utterance_spectrograms
    python launch/prepare.py --corpus=librispeech --source=DIR --data_dir=data --features=utterance_spectrograms
    python launch/train.py --config=configs/dcgan.py:corpus=emodb,unlabelled=librispeech --data_dir=data \\
        --workdir=runs/dcgan-emodb
    python launch/sweep.py --config=configs/dcgan.py:corpus=emodb,models=basic_cnn --data_dir=data --workdir=runs/sweep

Time, machine and figures of every configuration stand in docs/dcgan.md.
"""

from ml_collections import ConfigDict

from sejax.audio.level import LEVELS
from sejax.data.labels import check_classes
from sejax.data.store.sets import WORD_TIMES
from sejax.engine.fields import Field, make_config
from sejax.engine.run import CONVOLUTIONS, RUN

MODELS = ("basic_cnn", "multitask_cnn", "basic_dcgan", "multitask_dcgan")
FIELDS = {
    "seed": Field(0, least=0),
    # the labelled one, or several: rated, or with emotions from which ratings are derived
    "corpus": Field("iemocap", name=True, several=True),
    # corpora of which all is tested, by what the others train; empty: folds of corpus, see docs/corpora.md
    "test": Field("", name=True, several=True),
    # whose utterances are rated: such as four, or sad:sadness/boredom+anger+neutral, see sejax.data.labels; empty: all
    "classes": Field((), of=str, distinct=True, rule=check_classes),
    "unlabelled": Field((), of=str, name=True, distinct=True),  # corpora of unlabelled speech, such as ami+librispeech
    "models": Field(MODELS, choices=MODELS, distinct=True),
    # how: by speakers (or sessions), or the corpus's own parts (split, see docs/corpora.md)
    "protocol": Field("speaker", choices=("speaker", "split")),
    # with protocol=split, the corpus's own folds by name, as in fold_1+fold_2; empty: all that it has
    "split_folds": Field((), of=str, distinct=True),
    # leave two speakers out, a session's where there are sessions: one validates, one tests
    "folds": Field(5, least=2, most=1000),
    "swap": Field(False),  # every fold twice, the two speakers exchanged
    "seeds": Field(1, least=1, most=1000),
    "updates": Field("alternating", choices=("alternating", "joint")),
    "weights": Field((1.0, 1.0), least=0, length=2),  # of valence and activation in joint updates
    "epochs": Field(200, least=1, most=100_000),  # at most
    "patience": Field(5, least=1),
    "target": Field("points", choices=("points", "regression")),  # five points are classified, or a rating is a number
    # of regression: 1 - CCC over a batch, the mean squared error in points, or the sum of the two
    "regression_loss": Field("ccc", choices=("ccc", "mse", "both")),
    # what early stopping looks at, on the validation speaker's valence; ccc, and it alone, with target=regression
    "criterion": Field("uar", choices=("uar", "accuracy", "ccc")),
    # frames of a crop, 16 ms each; 0 in this and the next three, and no learning rate: each model's own of Table 1
    "width": Field(0, least=16, most=4096, multiple=16, zero=True),
    "side": Field(0, least=2, most=1000, zero=True),  # of the square filters
    "filters": Field(0, least=1, most=4096, zero=True),  # of the first convolution
    "batch_size": Field(0, least=1, most=65_536, zero=True),
    "learning_rates": Field((), of=float, above=0, distinct=True),
    "b1": Field(0.5, least=0, below=1),
    "b2": Field(0.999, least=0, below=1),
    "epsilon": Field(1e-8, above=0),
    "hidden": Field(128, least=1, most=65_536),  # of the layer between the trunk and the ratings
    "slope": Field(0.2, least=0, most=1),
    "latent": Field(100, least=1, most=65_536),
    "share": Field(0.5, least=0, most=1),  # of the discriminator's real crops that is unlabelled speech
    # 0: labelled utterances as they come; 1: all valences as often as the most frequent
    "balance": Field(1.0, least=0, most=1),
    "eval_crops": Field(4, least=1, most=1000),  # evenly spaced, their posteriors averaged; 1: the paper's
    "level": Field("none", choices=LEVELS),  # what recordings are brought to, see sejax.audio.level
    "word_times": Field("note", choices=WORD_TIMES),  # of IEMOCAP, see sejax.corpora.iemocap
    "scale": Field("log", choices=("log", "mel")),
    "dynamic_range": Field(80.0, above=0, most=1000),  # dB below an utterance's maximum
    "rating_scale": Field((1.0, 5.0), length=2, distinct=True, ordered=True),  # lowest and highest rating of the corpus
    "samples": Field(8, least=1, most=1000),
    "snapshots": Field(8, least=1, most=1000),
    "dtype": Field("float32", choices=("float32", "bfloat16")),
    "runlocal": Field(False),
    **RUN,
    "run.input": Field("auto", choices=("auto", "resident", "tfdata"), argument="input"),
}
# The paper's search, section 5.
SPACE = "width=64|128,side=2..width/8,filters=32..90:4,batch_size=64|128|256,learning_rate=1e-3|1e-4|1e-5"


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's values where it states them; the rest is listed as assumptions in the docs.

    ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    config = make_config("dcgan", FIELDS, argument)
    config.run.update(CONVOLUTIONS, save_seconds=60.0)
    if config.target == "regression":
        config.criterion = "ccc"
    if config.runlocal:
        config.models, config.folds, config.epochs, config.hidden = ("basic_cnn", "multitask_dcgan"), 2, 2, 8
        config.width, config.side, config.filters, config.batch_size, config.samples = 16, 3, 2, 8, 2
        config.eval_crops, config.snapshots, config.run.tensorboard = 2, 3, False
    return config
