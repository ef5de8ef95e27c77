"""N parallel CycleGANs: unlabelled feature vectors become angry, happy, neutral and sad ones (Bao, Neumann, Vu 2019).

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data --features=emobase2010
    python launch/prepare.py --corpus=manifest --name=unlabelled --source=CSV --data_dir=data --features=emobase2010
    python launch/train.py --config=configs/cyclegan.py:source=unlabelled,target=emodb --data_dir=data \\
        --workdir=runs/cyclegan-emodb
    python launch/synthesise.py --workdir=runs/cyclegan-emodb --data_dir=data

The generators are pre-trained first, in workdir/stages/pretraining. Time, machine and figures of every configuration
stand in docs/cyclegan.md.
"""

from ml_collections import ConfigDict

from sejax.audio.level import LEVELS
from sejax.audio.opensmile import FEATURE_SETS
from sejax.audio.voice_activity import DETECTORS
from sejax.data.labels import check_classes
from sejax.engine.fields import Field, make_config
from sejax.engine.run import RUN

FIELDS = {
    "seed": Field(0, least=0, most=2000),
    "source": Field("unlabelled", name=True),  # the corpus whose vectors are transferred
    "target": Field(("emodb",), name=True, distinct=True),  # corpora with emotions; several are trained on together
    # such as sad:sadness/boredom+anger+neutral, see sejax.data.labels; empty: "four", the paper's
    "classes": Field((), of=str, distinct=True, rule=check_classes),
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
    "folds": Field(5, least=0, most=900),  # leave one group of sessions (or speakers) out, 5 times
    "whole": Field(True),  # beside them a model of all labelled vectors, for tests on another corpus
    "seeds": Field(1, least=1, most=900),
    "lambdas": Field((0.0, 2.0), least=0, distinct=True),  # weights of the classification loss; all are trained
    "epochs": Field(2000, least=1, most=10_000_000),
    "row_epochs": Field(0, least=1),  # epochs to a row of the history; 0: a fortieth of them
    "batch_size": Field(64, least=1, most=65_536),
    "learning_rate": Field(2e-4, above=0),
    "decay": Field(0.8, above=0, most=1),
    "decay_epochs": Field(50, least=1),
    "discriminator_speed": Field(1.0, above=0),  # their learning rate as a multiple of the generators'
    "b1": Field(0.9, least=0, below=1),
    "lambda_cycle": Field(5.0, least=0),
    "generator_updates": Field(2, least=1, most=1000),
    "real_label": Field(0.9, above=0, most=1),
    "dropout": Field(0.2, least=0, below=1),
    "classifier_dropout": Field(0.5, least=0, below=1),
    "slope": Field(0.2, least=0, most=1),
    "generator_hidden": Field((1000, 500, 1000), least=1, most=65_536),
    "discriminator_hidden": Field((1000, 1000), least=1, most=65_536),
    "classifier_hidden": Field((100, 100), least=1, most=65_536),
    # of the factors of matrix products; all that is kept and added up is float32, see sejax.models.products
    "dtype": Field("float32", choices=("float32", "bfloat16")),
    "sample": Field(256, least=2, most=10_000),
    "stage": Field("gan", choices=("gan", "pretraining")),
    "pretraining.epochs": Field(10000, least=0, most=10_000_000, argument="pretraining"),  # 0: no first stage
    "pretraining.row_epochs": Field(0, least=1),
    "pretraining.learning_rate": Field(2e-4, above=0),
    # of the first stage, see sejax.experiments.cyclegan.algorithm
    "pretraining.objective": Field("cycle", choices=("cycle", "identity"), argument="objective"),
    "runlocal": Field(False),
    **RUN,
    "run.save_seconds": Field(120.0, least=0),
    # 0: all members (folds x seeds x lambdas) in one program
    "run.members_at_once": Field(0, least=0, argument="members_at_once"),
    "run.input": Field("resident", choices=("resident", "grain"), argument="input"),
}
ROWS = 40  # of a history: enough to see how a loss goes


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's section 4.1 where it states a value; the rest is listed as assumptions in the docs.

    ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    config = make_config("cyclegan", FIELDS, argument)
    if config.run.input == "grain":
        config.run.backend = "loop"  # a scanned segment cannot wait for the host
    if config.runlocal:
        config.folds, config.lambdas, config.epochs, config.sample = 2, (2.0,), 4, 8
        config.pretraining.epochs, config.batch_size, config.run.tensorboard = 4, 8, False
        config.generator_hidden, config.discriminator_hidden, config.classifier_hidden = (8, 4, 8), (8, 8), (4, 4)
    rows = config.row_epochs
    config.row_epochs = rows or -(-config.epochs // ROWS)
    config.pretraining.row_epochs = rows or max(1, -(-config.pretraining.epochs // ROWS))
    return config
