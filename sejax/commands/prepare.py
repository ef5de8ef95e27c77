"""Prepare a corpus: original files -> utterances -> voiced parts -> blocks -> spectrograms, or feature vectors.

    sejax prepare --corpus=emodb --source=emodb --data_dir=data
    sejax prepare --corpus=emodb --source=emodb --data_dir=data --scale=mel --voice_activity=none
    sejax prepare --corpus=emodb --source=emodb --data_dir=data --features=chunks
    sejax prepare --corpus=manifest --name=vam --source=vam/manifest.csv --data_dir=data
    sejax prepare --corpus=audformat --source=DIR --table=emotion,files --data_dir=data
    sejax prepare --corpus=emobox --source=EmoBox/data/emodb --audio=DIR --data_dir=data
    sejax prepare --corpus=layout --name=mine --source=mine --layout=mine.yaml --data_dir=data
    sejax prepare --corpus=synthetic --seed=1 --data_dir=data
    sejax prepare --corpus=emodb --source=emodb --data_dir=data --features=emobase2010 [--trim=silero]
    sejax prepare --corpus=emodb --source=emodb --data_dir=data --features=utterance_spectrograms
    sejax prepare --corpus=emodb --source=emodb --data_dir=data --features=waveforms

Run it again after an interruption and it goes on where it was; run it again when it has finished and it does nothing.
Other settings make another set beside the first.
"""

import contextlib
import functools

from absl import flags, logging

from sejax import corpora
from sejax.audio.level import LEVELS
from sejax.audio.opensmile import FEATURE_SETS
from sejax.audio.voice_activity import DETECTORS, mode_of
from sejax.data.level_statistics import levels_in_words
from sejax.data.store.sets import WORD_TIMES
from sejax.errors import InputError

_FUNCTIONALS = ", ".join(FEATURE_SETS)

CORPUS = flags.DEFINE_string("corpus", None, f"one of {', '.join(corpora.names())}", required=True)
SOURCE = flags.DEFINE_string("source", "", "folder of the original files, or the CSV manifest")
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that holds the prepared sets")
FEATURES = flags.DEFINE_enum(
    "features",
    "spectrograms",
    ["spectrograms", "chunks", *FEATURE_SETS, "utterance_spectrograms", "waveforms"],
    f"spectrograms: blocks of 1 s (pseudo_labelling); chunks: voiced chunks of 30 ms (transfer); {_FUNCTIONALS}:"
    " openSMILE functionals of whole utterances (cyclegan); utterance_spectrograms: whole utterances with ratings and"
    " word times (dcgan); waveforms: samples, transcripts and word times (audio_text)",
)
WORKERS = flags.DEFINE_integer(
    "workers", None, f"{_FUNCTIONALS}: threads that extract (default: one for each core)", 1, 1024
)
BEAM_RUNNER = flags.DEFINE_string(
    "beam_runner", None, f"{_FUNCTIONALS}: extract in an Apache Beam pipeline under this runner (DirectRunner, say)"
)
BEAM_OPTION = flags.DEFINE_multi_string("beam_option", [], "an option of the Beam pipeline, as in --beam_option=--x=y")
LEVEL = flags.DEFINE_enum(
    "level",
    None,
    LEVELS,
    "what recordings are brought to before all else, their mean removed: the largest sample at full scale (peak), root"
    " mean square at -26 dBFS (rms), gated loudness at -26 LUFS (loudness), the same of what lies above 60 Hz with"
    " white noise 30 dB below it (masked); none leaves them as they are (default: spectrograms: rms; otherwise none)",
)
SCALE = flags.DEFINE_string("scale", "log", "log (linear frequency axis) or mel, both in dB")
VOICE_ACTIVITY = flags.DEFINE_string(
    "voice_activity",
    None,
    "mode of WebRTC's detector, 0 (keeps most) to 3, or silero, which takes no noise for speech, or none (default: 0;"
    " chunks: 3; utterance_spectrograms: 3, for utterances without word times)",
)
TRIM = flags.DEFINE_enum(
    "trim",
    "none",
    ["none", *DETECTORS],
    f"{_FUNCTIONALS}: leave out the pauses before and after speech, by this detector",
)
BLOCK_LENGTH = flags.DEFINE_float("block_length", None, "seconds (default: 1; chunks: 0.03)")
BLOCK_OVERLAP = flags.DEFINE_float("block_overlap", None, "seconds that blocks share (default: 0.01; chunks: 0)")
FMAX = flags.DEFINE_list(
    "fmax", None, "maximum frequencies in Hz, an image each (default: 7000,7500,8000; otherwise 8000)"
)
BANDS = flags.DEFINE_integer("bands", None, "frequency bands (default: 64; utterance_spectrograms: 128)")
WINDOW_LENGTH = flags.DEFINE_float(
    "window_length", None, "seconds, of the Fourier transform (0.025; chunks: 0.005; utterance_spectrograms: 0.064)"
)
WINDOW_HOP = flags.DEFINE_float(
    "window_hop", None, "seconds between windows (default: 0.0125; chunks: 0.001; utterance_spectrograms: 0.016)"
)
SUBSET = flags.DEFINE_integer("subset", None, "emodb: 494 keeps what listeners recognised and found natural")
NAME = flags.DEFINE_string(
    "name", None, "manifest, layout, audformat, emobox: the corpus's name; the paper's names bring their class lists"
)
LAYOUT = flags.DEFINE_string(
    "layout", None, "layout, and the nine corpora of the paper: a YAML that says how paths below --source are read"
)
CLASSES = flags.DEFINE_list(
    "classes", None, "manifest, audformat, emobox: the class list (default: the labels that occur)"
)
LABELS = flags.DEFINE_list(
    "labels", None, "manifest, audformat, emobox: other names for labels, as in happiness:joy,xxx: (xxx is unlabelled)"
)
AUDIO = flags.DEFINE_string(
    "audio",
    None,
    "manifest, audformat, emobox: the folder that paths are relative to (default: the table's, the database's, the one"
    " that holds EmoBox's data)",
)
TABLE = flags.DEFINE_list(
    "table", None, "audformat: the tables that are read: with labels or ratings, and what else says more of the files"
)
ALLOW_PARTIAL = flags.DEFINE_bool("allow_partial", None, "go without unusable inputs and list them in left_out.csv")
DOWNLOAD = flags.DEFINE_flag(  # --download alone, or with a name
    flags.Flag(
        flags.ArgumentParser(),
        flags.ArgumentSerializer(),
        "download",
        None,
        "emodb: fetch the files through audb into --source first; audformat: the database of this name, NAME or"
        " NAME:VERSION",
        boolean=True,
    )
)
SEED = flags.DEFINE_integer("seed", None, "synthetic: the random seed")
REPEATS = flags.DEFINE_integer("repeats", None, "synthetic: utterances of each speaker and emotion")
PART = flags.DEFINE_list(
    "part",
    None,
    "tedlium: train (the default), dev, test; librispeech: dev-clean and so on; ami: meetings or what their names begin"
    " with (default: all there are); smartkom: public (the default), home, mobil; esd: mandarin, english (default:"
    " both)",
)
TIMES = flags.DEFINE_enum(
    "word_times",
    None,
    WORD_TIMES,
    "iemocap: seconds of an alignment's frame t, (t + 2) / 100 by the release's note (note) or t / 100 (frame; default:"
    " note)",
)

_LISTS = {"classes": CLASSES, "labels": LABELS, "table": TABLE}
_OF_BLOCKS = ("block_length", "block_overlap")
_OF_SPECTROGRAMS = (*_OF_BLOCKS, "scale", "voice_activity", "fmax", "bands", "window_length", "window_hop")


def main(argv):
    """Prepare the set and print what is in it."""
    del argv
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # TFDS and JAX announce what they look for
    options = {"subset": SUBSET, "name": NAME, "seed": SEED, "repeats": REPEATS, "part": PART, "word_times": TIMES}
    options |= {"audio": AUDIO, "layout": LAYOUT}
    given = {name: flag.value for name, flag in options.items() if flag.value is not None}
    given |= {name: tuple(flag.value) for name, flag in _LISTS.items() if flag.value}
    if DOWNLOAD.value is not None:
        said = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
        given["download"] = said.get(DOWNLOAD.value.lower(), DOWNLOAD.value)
    kind, prepare = _prepare()
    with _progress() as progress:
        folder = prepare(
            CORPUS.value,
            SOURCE.value,
            DATA_DIR.value,
            allow_partial=bool(ALLOW_PARTIAL.value),
            progress=progress,
            **given,
        )
    prepared = kind.load(folder)
    print(prepared.describe())
    if alone := levels_in_words(prepared):
        print(f"levels      alone tell the labels with {alone}")


def _prepare():
    """The kind of set asked for, and the function that prepares it with the settings in the flags."""
    if FEATURES.value in FEATURE_SETS:
        return _vectors()
    kinds = {"utterance_spectrograms": _utterances, "waveforms": _waveforms}
    return kinds.get(FEATURES.value, _spectrograms)()


def _vectors():
    """Sets of feature vectors and the function that prepares them, with the settings in the flags."""
    from sejax.data.vectors.load import Vectors
    from sejax.data.vectors.prepare import prepare_vectors

    _refuse_flags_of_spectrograms()
    if BEAM_OPTION.value and not BEAM_RUNNER.value:
        raise InputError("--beam_option needs --beam_runner, as in --beam_runner=DirectRunner")
    if WORKERS.value is not None and BEAM_RUNNER.value:
        raise InputError("--workers are threads of this process; a Beam runner has options of its own, --beam_option")
    through = None
    if BEAM_RUNNER.value:
        from sejax.data.vectors.extraction import through_beam

        how = {"level": _level(), "trim": TRIM.value, "runner": BEAM_RUNNER.value, "options": BEAM_OPTION.value}
        through = through_beam(FEATURES.value, **how)
    given = {"features": FEATURES.value, "level": _level(), "trim": TRIM.value, "workers": WORKERS.value}
    return Vectors, functools.partial(prepare_vectors, through=through, **given)


def _waveforms():
    """Sets of waveforms and the function that prepares them."""
    from sejax.data.waveforms.load import Waveforms
    from sejax.data.waveforms.prepare import prepare_waveforms

    _refuse_flags_of_spectrograms()
    _refuse_flags_of_vectors()
    return Waveforms, functools.partial(prepare_waveforms, level=_level())


def _spectrograms():
    """Sets of spectrograms of blocks and the function that prepares them, with the settings in the flags."""
    from sejax.data.blocks.load import FEATURES as KNOWN
    from sejax.data.blocks.load import Spectrograms
    from sejax.data.blocks.prepare import prepare_blocks

    _refuse_flags_of_vectors()
    return Spectrograms, functools.partial(prepare_blocks, settings=KNOWN[FEATURES.value](**_settings()))


def _utterances():
    """Sets of spectrograms of whole utterances and the function that prepares them, with the settings in the flags."""
    from sejax.data.utterances.load import UtteranceSettings, UtteranceSpectrograms
    from sejax.data.utterances.prepare import prepare_utterances

    _refuse_flags_of_vectors()
    for name in _OF_BLOCKS:
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} belongs to blocks; leave it out with --features={FEATURES.value}")
    given = _settings()
    if len(fmax := given.pop("fmax", (UtteranceSettings.fmax,))) != 1:
        raise InputError(f"--fmax={','.join(map(str, fmax))}; give one frequency with --features={FEATURES.value}")
    prepare = functools.partial(prepare_utterances, settings=UtteranceSettings(fmax=fmax[0], **given))
    return UtteranceSpectrograms, prepare


def _refuse_flags_of_spectrograms() -> None:
    for name in _OF_SPECTROGRAMS:
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} belongs to spectrograms; leave it out with --features={FEATURES.value}")


def _refuse_flags_of_vectors() -> None:
    for name in ("workers", "beam_runner", "beam_option", "trim"):
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} belongs to feature vectors; use it with --features={_FUNCTIONALS}")


def _settings() -> dict:
    """The settings of a spectrogram that the flags give."""
    named = {
        "bands": BANDS,
        "block_length": BLOCK_LENGTH,
        "block_overlap": BLOCK_OVERLAP,
        "window_length": WINDOW_LENGTH,
        "window_hop": WINDOW_HOP,
    }
    given = {name: flag.value for name, flag in named.items() if flag.value is not None}
    if VOICE_ACTIVITY.value is not None:
        given["voice_activity"] = mode_of(VOICE_ACTIVITY.value.lower())
    if FMAX.value is not None:
        try:
            given["fmax"] = tuple(float(value) for value in FMAX.value)
        except ValueError:
            found = ",".join(FMAX.value)
            raise InputError(f"--fmax={found}; use frequencies in Hz, as in 7000,7500,8000") from None
    return {"scale": SCALE.value, "level": _level()} | given


def _level() -> str:
    """What recordings are brought to, where nobody says it what the experiment on these features asks for."""
    return LEVEL.value or {"spectrograms": "rms"}.get(FEATURES.value, "none")


@contextlib.contextmanager
def _progress():
    """A bar for each stage on stderr: seconds of audio (or files) done, rate, time left."""
    from sejax.corpora.corpus import OPENING
    from sejax.engine.command import progress_bar

    bars = {}

    def report(stage: str, done: float, total: float) -> None:
        if stage not in bars:
            for bar in bars.values():
                bar.close()
            bars[stage] = progress_bar(stage, round(total), "files" if stage in OPENING else "s of audio")
        bars[stage].update(round(done) - bars[stage].n)

    try:
        yield report
    finally:
        for bar in bars.values():
            bar.close()
