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

from functools import partial

from ml_collections import ConfigDict

from sejax.audio.augmentation import NOISES
from sejax.audio.level import LEVELS
from sejax.data.labels import check_classes
from sejax.data.store.sets import WORD_TIMES
from sejax.engine.fields import Field, make_config
from sejax.engine.run import CONVOLUTIONS, RUN
from sejax.pretrained.encoders import check_named

FUSIONS = (
    *("att_s_1", "att_d_1", "att_s_n", "att_d1_n", "att_d2_n"),
    *("concatenation", "addition", "audio", "text"),
)
FIELDS = {
    "seed": Field(0, least=0),
    "corpus": Field("iemocap", name=True, several=True),  # or several, as in emodb+nemo
    # corpora of which all is tested, by what the others train; empty: folds of corpus, see docs/corpora.md
    "test": Field("", name=True, several=True),
    "level": Field("none", choices=LEVELS),  # what recordings are brought to, see sejax.audio.level
    "word_times": Field("note", choices=WORD_TIMES),  # of IEMOCAP, see sejax.corpora.iemocap
    # dB, between which every training waveform gets a gain of its own at every update; 0+0: stays as it is
    "random_gain": Field((0.0, 0.0), least=-60, most=60, length=2, ordered=True),
    # noise in every training waveform, drawn anew at every update, and the dB between which its ratio lies
    "random_noise": Field("none", choices=("none", *NOISES)),
    "noise_snr": Field((0.0, 30.0), least=-60, most=120, length=2, ordered=True),
    # "four", "all", or such as sad:sadness/boredom+anger+neutral, see sejax.data.labels
    "classes": Field(("four",), distinct=True, rule=check_classes),
    "fusions": Field(FUSIONS, choices=FUSIONS, distinct=True),
    # sessions are held out where a corpus has them; utterance: at random; split: the corpus's own parts
    "protocol": Field("speaker", choices=("speaker", "utterance", "split")),
    # with protocol=split, the corpus's own folds by name, as in fold_1+fold_2; empty: all that it has
    "split_folds": Field((), of=str, distinct=True),
    "folds": Field(5, least=2, most=1000),
    "only_folds": Field(0, least=0),  # the first so many of them; 0: all
    "validation": Field(0.1, least=0, below=1),  # of what does not test, at least a speaker (or session)
    "keep": Field("best", choices=("best", "last")),  # the epoch that validates best, or the last
    "criterion": Field("uar", choices=("uar", "accuracy")),
    "patience": Field(0, least=0),  # epochs without improvement that end a training; 0: none do
    "seeds": Field(1, least=1, most=1000),
    "epochs": Field(150, least=1, most=100_000),
    "batch_size": Field(30, least=1, most=4096),
    "learning_rates": Field((3e-3,), above=0, distinct=True),
    "decay": Field(0.988, above=0, most=1),  # of the learning rate, after every epoch
    "b1": Field(0.9, least=0, below=1),
    "b2": Field(0.999, least=0, below=1),
    "epsilon": Field(1e-8, above=0),
    "l2": Field(6e-3, least=0),
    "dropout": Field(0.55, least=0, below=1),
    "frequent": Field(8000.0, least=0),  # t of the subsampling of frequent words; 0: every word stays
    "minimum": Field(1, least=1),  # a word is known from so many occurrences in the training part on
    "vectors": Field(""),  # a file of word vectors: word2vec's text or binary format, or GloVe's
    "embedding": Field(150, least=1, most=10_000),  # numbers of a word's vector; with a file: those of its vectors
    "tuned": Field(False),  # with a file: whether its vectors are trained on
    # what the sound is heard with: the paper's convolutions, or encoder:NAME:LAYERS, see docs/encoders.md
    "sound": Field("convolutions", rule=partial(check_named, "sound", others=("convolutions",))),
    # where the encoder is: a converted file, a folder of NAME.safetensors (auto: "weights"), or random
    "encoder.weights": Field("auto", argument="encoder_weights"),
    # its learning rate as a factor of the others'; 0: it stays as it is, and hears every recording once
    "encoder.rate": Field(0.0, least=0, most=1, argument="encoder_rate"),
    "encoder.dropout": Field(0.1, least=0, below=1, argument="encoder_dropout"),  # in all of it, trained
    "encoder.layer_drop": Field(0.1, least=0, below=1, argument="layer_drop"),  # how often a layer is passed over
    "encoder.masks": Field(0.05, least=0, below=1, argument="time_masks"),  # share of its frames that are masked
    "kernels": Field((25, 5), least=1, most=10_001, length=2),
    "channels": Field((4, 8), least=1, most=4096, length=2),
    "strides": Field((4, 2), least=1, most=1000, length=2),
    "pool": Field(200, least=1, most=1_000_000),
    "pool_padding": Field(False),  # True: pools over a batch's padding too, as published
    "gru": Field(32, least=1, most=16_384),
    # the GRU's state that stands for an utterance, or "mean", that of all its states
    "gru_summary": Field("last", choices=("last", "mean")),
    "widths": Field((3, 5), least=1, most=1000),
    "maps": Field(200, least=1, most=16_384),
    "hidden": Field(96, least=1, most=65_536),
    "shared_attention": Field(True),
    "shapes": Field(8, least=1, most=1000),  # lengths that batches have, each compiled once
    "longest": Field(20.0, least=0.1, most=3600),  # seconds; longer utterances are cut into pieces
    "most_words": Field(128, least=1, most=100_000),  # of a piece
    "examples": Field(1, least=1, most=100),  # utterances of each class that the report explains, in the first fold
    "dtype": Field("float32", choices=("float32", "bfloat16")),
    "runlocal": Field(False),
    **RUN,
    "run.backend": Field("loop", choices=("loop",)),  # batches of several shapes come from the host
    "run.input": Field("grain", choices=("grain",)),
}
# For a grid search, which the paper names without its values: around the published ones.
SPACE = "learning_rate=1e-3|3e-3,l2=6e-4|6e-3,dropout=0.4|0.55"


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's Tables 1 to 3 where they state a value; the rest is listed as assumptions in the docs.

    ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    config = make_config("audio_text", FIELDS, argument)
    config.run.update(CONVOLUTIONS, save_seconds=60.0)
    if config.runlocal:
        config.fusions, config.folds, config.epochs, config.shapes = ("att_d_1", "concatenation"), 3, 2, 2
        config.pool, config.gru, config.maps, config.hidden, config.embedding = 10, 4, 8, 8, 6
        config.batch_size, config.run.tensorboard = 8, False
    return config
