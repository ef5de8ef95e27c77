"""Raw waveform and transcript, fused in seven ways, and each alone (Lima and Bak 2018).

    python launch/prepare.py --corpus=iemocap --source=DIR --data_dir=data --features=waveforms
    python launch/train.py --config=configs/audio_text.py:corpus=iemocap --data_dir=data --workdir=runs/audio-text
    python launch/train.py --config=configs/audio_text.py:corpus=iemocap,vectors=word2vec.bin,embedding=300 \\
        --data_dir=data --workdir=runs/audio-text-word2vec
    python launch/sweep.py --config=configs/audio_text.py:corpus=iemocap,fusions=att_d_1 --search=grid \\
        --data_dir=data --workdir=runs/sweep

As published (a random tenth tests, nothing validates): protocol=utterance,folds=10,only_folds=1,validation=0,keep=last
Time, machine and figures of every configuration stand in docs/audio_text.md.
"""

from ml_collections import ConfigDict

from sejax.engine.command import parse_arguments
from sejax.engine.run import run_section

ARGUMENTS = {
    "corpus": "iemocap",
    "classes": "four",
    "fusions": (
        *("att_s_1", "att_d_1", "att_s_n", "att_d1_n", "att_d2_n"),
        *("concatenation", "addition", "audio", "text"),
    ),
    "protocol": "speaker",  # sessions are held out where a corpus has them; utterance: at random
    "folds": 5,
    "only_folds": 0,  # the first so many of them; 0: all
    "validation": 0.1,  # of what does not test, at least a speaker (or session)
    "keep": "best",  # the epoch that validates best, or the last
    "criterion": "uar",
    "patience": 0,  # epochs without improvement that end a training; 0: none do
    "seeds": 1,
    "epochs": 150,
    "batch_size": 30,
    "learning_rates": (3e-3,),
    "l2": 6e-3,
    "dropout": 0.55,
    "frequent": 8000.0,  # t of the subsampling of frequent words; 0: every word stays
    "minimum": 1,  # a word is known from so many occurrences in the training part on
    "vectors": "",  # a file of word vectors: word2vec's text or binary format, or GloVe's
    "embedding": 150,  # numbers of a word's vector; with a file: those of its vectors
    "tuned": False,  # with a file: whether its vectors are trained on
    "strides": (4, 2),
    "gru_summary": "last",  # the GRU's state that stands for an utterance, or "mean", that of all its states
    "pool_padding": False,  # True: pools over a batch's padding too, as published
    "shapes": 8,  # lengths that batches have, each compiled once
    "longest": 20.0,  # seconds; longer utterances are cut into pieces
    "dtype": "float32",
    "runlocal": False,
}
CHOICES = {
    "classes": ("four", "all"),
    "protocol": ("speaker", "utterance"),
    "keep": ("best", "last"),
    "criterion": ("uar", "accuracy"),
    "gru_summary": ("last", "mean"),
    "dtype": ("float32", "bfloat16"),
}
# For a grid search, which the paper names without its values: around the published ones.
SPACE = "learning_rate=1e-3|3e-3,l2=6e-4|6e-3,dropout=0.4|0.55"


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's Tables 1 to 3 where they state a value; the rest is listed as assumptions in the docs.

    ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    given = parse_arguments(argument, ARGUMENTS, choices=CHOICES)
    config = ConfigDict({"experiment": "audio_text", "seed": 0} | given)
    config.decay = 0.988  # of the learning rate, after every epoch
    config.b1 = 0.9
    config.b2 = 0.999
    config.epsilon = 1e-8
    config.kernels = (25, 5)
    config.channels = (4, 8)
    config.pool = 200
    config.gru = 32
    config.widths = (3, 5)
    config.maps = 200
    config.hidden = 96
    config.shared_attention = True
    config.most_words = 128  # of a piece
    config.examples = 1  # utterances of each class that the report explains, in the first fold
    config.run = ConfigDict(run_section(convolutions=True, save_seconds=60.0))
    config.run.backend, config.run.input = "loop", "grain"  # batches of several shapes come from the host
    if given["runlocal"]:
        config.fusions, config.folds, config.epochs, config.shapes = ("att_d_1", "concatenation"), 3, 2, 2
        config.pool, config.gru, config.maps, config.hidden, config.embedding = 10, 4, 8, 8, 6
        config.batch_size, config.run.tensorboard = 8, False
    return config
