"""openSMILE functionals of a waveform, one vector of fixed size (host side; needs the opensmile package).

The package ships `is10` (the INTERSPEECH 2010 paralinguistic set), `compare2016` (of the ComParE challenges, Schuller
et al. 2016) and `egemapsv02` (the extended Geneva minimalistic acoustic set, Eyben et al. 2016). `emobase2010`,
which Bao, Neumann and Vu use, has IS10's size and order and differs in three settings; the package does not ship it, so
it is made from the installed configuration at run time. No line of openSMILE's files is part of sejax
(third_party/opensmile/README.md).
"""

import contextlib
import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sejax.audio.level import levelled
from sejax.audio.voice_activity import made_by, mode_of, trimmed
from sejax.errors import InputError

LEAST = 0.1  # s; of anything shorter a third to seven in ten functionals are 0
_CUT_LONGER = f"leave it out, or cut longer utterances, of at least {LEAST} s"


class _Set(NamedTuple):
    """Where a set's configuration lies below the package's own, how many features it has, what to change in it."""

    path: tuple[str, ...]
    size: int
    changes: tuple[tuple[str, str, str, str], ...] = ()


_IS10 = ("is09-13", "IS10_paraling_compat.conf")
# Section, setting, its value in IS10, its value in emobase2010.
_TO_EMOBASE2010 = (
    ("functL1", "Extremes.norm", "frame", "segment"),  # positions of extremes as a share of the utterance
    ("functL1nz", "Extremes.norm", "frame", "segment"),
    ("pitchShs", "voicingCutoff", "0.75", "0.70"),  # far more counts as voiced: clean low voices, see docs/features.md
    ("mfcc", "copyInputName", "0", "1"),  # longer names of the cepstral coefficients; values stay
)
_SETS = {
    "emobase2010": _Set(_IS10, 1582, _TO_EMOBASE2010),
    "is10": _Set(_IS10, 1582),
    "compare2016": _Set(("compare", "ComParE_2016.conf"), 6373),
    "egemapsv02": _Set(("egemaps", "v02", "eGeMAPSv02.conf"), 88),
}
FEATURE_SETS = tuple(_SETS)


class NoFeatures(InputError):
    """A waveform that openSMILE has no finite functionals for; `what` and `remedy` are the halves of its message."""

    def __init__(self, what: str, remedy: str):
        super().__init__(f"{what}; {remedy}")
        self.what, self.remedy = what, remedy


class Extractor:
    """One waveform after the other to its functionals. Make one in each process: it cannot be sent to another.

    It calls the package's library as `opensmile.Smile` does and gives the same bits, without what that class imports
    (half a second in every process) and without reading the configuration anew for every waveform.

    Attributes:
      features: one of `FEATURE_SETS`.
      level: what waveforms are brought to first, of `sejax.audio.level.LEVELS`.
      trim: the detector, of `sejax.audio.voice_activity.DETECTORS`, whose first and last frame with speech functionals
        are taken between; "none": of everything.
      names: the F features' names in openSMILE's order.
      configuration: path of openSMILE's configuration file; it goes with this object.
    """

    def __init__(self, features: str, level: str = "none", trim: str = "none"):
        """Raises InputError for an unknown set or detector, or a package that is not as expected, or missing."""
        check_features(features)
        self.features, self.level, self.trim = features, level, trim
        self._mode = mode_of(trim, "--trim")
        made_by(self._mode)
        self._library = _library()
        self._folder = tempfile.TemporaryDirectory(prefix="sejax-opensmile-")
        path, _, changes = _SETS[features]
        self.configuration = _installed("core", "config", *path)
        if changes:
            text = changed(self.configuration.read_text(encoding="utf-8"), changes, features)
            self.configuration = Path(self._folder.name, f"{features}.conf")
            self.configuration.write_text(text, encoding="utf-8")
        self._rate, self._smile = None, None
        try:
            self._open(16000)
        except self._library.OpenSmileException as error:
            raise InputError(
                f"opensmile {version()}: it does not take {self.configuration} ({error}){_REMEDY}"
            ) from error
        count = self._smile.external_sink_get_num_elements(_SINK)
        self.names = tuple(self._smile.external_sink_get_element_name(_SINK, number) for number in range(count))
        if count != size(features):
            raise InputError(f"opensmile {version()}: {features} gives {count} features, not {size(features)}{_REMEDY}")

    def __call__(self, waveform: np.ndarray, rate: int) -> np.ndarray:
        """Functionals f32[F] of a waveform int16[T] at `rate` Hz; see `extract`."""
        return self.extract(waveform, rate)[0]

    def extract(self, waveform: np.ndarray, rate: int) -> tuple[np.ndarray, float | None]:
        """Functionals f32[F] of a waveform int16[T] at `rate` Hz, and the seconds of it that they are of.

        These are None where nothing is trimmed, and 0.0 where no speech was found: then functionals are of everything.

        Raises NoFeatures for waveforms that are silent, shorter than `LEAST`, or whose functionals are not all finite.
        """
        if waveform.dtype != np.int16 or waveform.ndim != 1:
            raise InputError(f"opensmile: {waveform.dtype}{list(waveform.shape)}; give int16 [T], as corpora.read does")
        whole, kept = len(waveform) / rate, None
        if self._mode is not None:
            waveform, kept = trimmed(waveform, rate, mode=self._mode, level=self.level)
        waveform = levelled(waveform, rate, self.level)
        lasts = f"{len(waveform) / rate:.3f} s" + (f" of {whole:.3f} s with speech by {self.trim}" if kept else "")
        if not len(waveform) or waveform.min() == waveform.max():
            raise NoFeatures(f"silent: {lasts} of one value", "leave it out")
        if len(waveform) < LEAST * rate:
            raise NoFeatures(f"too short for openSMILE ({lasts})", _CUT_LONGER)
        try:
            found = self._run(waveform, rate)
        except self._library.OpenSmileException as error:
            self._rate = None  # begin anew
            raise NoFeatures(f"openSMILE stops ({error})", "leave it out") from error
        if not found:
            raise NoFeatures(f"too short for openSMILE ({lasts})", _CUT_LONGER)
        finite = np.isfinite(found[0])
        if not finite.all():
            first = self.names[int(np.argmin(finite))]
            raise NoFeatures(f"{(~finite).sum()} features are not finite, {first} the first", "leave it out")
        return found[0], kept

    def _run(self, waveform: np.ndarray, rate: int) -> list[np.ndarray]:
        """What openSMILE hands out: one vector, or none for a waveform that is too short."""
        found: list[np.ndarray] = []
        self._open(rate)
        self._used = True
        self._smile.external_sink_set_callback(_SINK, lambda values: found.append(np.array(values, np.float32)))
        self._smile.external_audio_source_write_data(_SOURCE, waveform.tobytes())
        self._smile.external_audio_source_set_eoi(_SOURCE)
        self._smile.run()
        return found

    def _open(self, rate: int) -> None:
        """Get the library ready for a waveform: its components new, the configuration read once for each rate."""
        if self._rate == rate:
            if self._used:
                self._smile.reset()
                self._smile._callbacks.clear()  # it would keep that of every waveform
            return
        if self._smile is not None:
            self._close()
        options = {
            "source": _installed("core", "config", "shared", "standard_external_wave_input.conf.inc"),
            "sink": _installed("core", "config", "shared", "standard_external_data_output_single.conf.inc"),
            "sinkLevel": "func",
            "sampleRate": rate,
            "nBits": 16,
        }
        self._smile = self._library.OpenSMILE()
        self._smile.initialize(config_file=str(self.configuration), options=options, loglevel=0)
        self._close = weakref.finalize(self, self._smile.free)
        self._rate, self._used = rate, False


_SOURCE, _SINK = "extsource", "extsink"  # components of the package's configuration of input and output
_REMEDY = "; install opensmile==2.6.0"


def check_features(features: str) -> None:
    """Raise InputError unless `features` names a feature set."""
    if features not in FEATURE_SETS:
        raise InputError(f"features={features!r}: unknown feature set; use one of {', '.join(FEATURE_SETS)}")


def size(features: str) -> int:
    """How many features a set has."""
    check_features(features)
    return _SETS[features].size


def check_version(trained_with: str) -> None:
    """Raises InputError where another version is installed than the one that made what was trained on."""
    if version() != trained_with:
        raise InputError(
            f"the training saw functionals of opensmile {trained_with}, and {version()} is installed; "
            f"pip install opensmile=={trained_with}"
        )


def version() -> str:
    """Version of the installed opensmile package; InputError where there is none."""
    try:
        return importlib.metadata.version("opensmile")
    except importlib.metadata.PackageNotFoundError:
        raise InputError("openSMILE functionals need the package opensmile; pip install 'sejax[data]'") from None


def _installed(*parts: str) -> Path:
    """A file of the installed package, found without importing it; InputError where it is missing."""
    version()
    found = importlib.util.find_spec("opensmile")
    path = Path(found.submodule_search_locations[0], *parts)
    if not path.is_file():
        raise InputError(f"opensmile {version()}: it has no {path}{_REMEDY}")
    return path


@functools.cache
def _library():
    """The package's module that speaks with libSMILEapi, by itself: the package's own import brings pandas along.

    TensorFlow exports a Fourier transform under openSMILE's names (`rdft` and its parts), in double precision. Loaded
    after it in the usual way, as the package does, openSMILE calls that one: it writes beyond its arrays, and where
    this does not end the process 300 features or more are not finite and nearly all of the others are wrong.
    """
    core = _installed("core", "lib.py").parent
    if not hasattr(os, "RTLD_DEEPBIND"):  # macOS and Windows keep the names of libraries apart
        return _module(core)
    if not any(map(_is_loaded, core.glob("bin/*/libSMILEapi.so"))):
        return _module(core)
    # Whose functions a library calls is settled when it is loaded: another has loaded this one, so we need our own.
    try:
        with tempfile.TemporaryDirectory(prefix="sejax-opensmile-") as folder:  # what is loaded needs its file no more
            copy = shutil.copytree(core, Path(folder, "core"), ignore=shutil.ignore_patterns("config", "__pycache__"))
            return _module(copy)
    except OSError as error:
        raise InputError(
            f"opensmile {version()}: its library is in this process already, and a copy cannot be loaded from"
            f" {tempfile.gettempdir()} ({error}); set TMPDIR to a folder that programs may run from, or make the first"
            " Extractor before the package opensmile is imported"
        ) from error


def _is_loaded(path: Path) -> bool:
    """Whether this process has the shared library already."""
    try:
        ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_NOLOAD)
    except OSError:
        return False
    return True


def _module(core: Path):
    """lib.py of the folder, with the library beside it, which looks for its own functions first where it can be told.

    Whoever loads the same file after us gets what is loaded here.
    """
    if hasattr(os, "RTLD_DEEPBIND"):
        for path in core.glob("bin/*/libSMILEapi.so"):
            with contextlib.suppress(OSError):  # of another machine
                ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_DEEPBIND)
    spec = importlib.util.spec_from_file_location("opensmile_core_lib", core / "lib.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def changed(configuration: str, changes: tuple[tuple[str, str, str, str], ...], features: str) -> str:
    """A configuration's text with other values of some settings, (section, setting, old, new) each.

    Raises InputError unless each of these settings stands exactly once in its section, with its old value.
    """
    for section, setting, old, new in changes:
        body = re.compile(rf"^\[{section}:[^\]]*\][^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)
        line = re.compile(rf"^({re.escape(setting)}[ \t]*=[ \t]*){re.escape(old)}(?=[ \t]*$)", re.MULTILINE)
        sections = list(body.finditer(configuration))
        lines = [found for part in sections for found in line.finditer(configuration, part.start(), part.end())]
        if len(sections) != 1 or len(lines) != 1:
            raise InputError(
                f"opensmile {version()}: its configuration has {len(sections)} sections [{section}] and in them"
                f" {len(lines)} lines {setting} = {old}, expected one each: {features} cannot be made of it{_REMEDY}"
            )
        configuration = f"{configuration[: lines[0].end(1)]}{new}{configuration[lines[0].end() :]}"
    return configuration
