"""What every corpus is read into: utterance records, and the corpus that has been looked through but not decoded."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from sejax.audio.samples import RATE
from sejax.corpora.problems import Problem, Problems
from sejax.corpora.waveform import decode
from sejax.errors import InputError

NOT_RATED = float("nan")
SEXES = {"F": "female", "M": "male"}  # the letters of most corpora
LOWEST, HIGHEST = 1.0, 5.0  # rating of the corpora with raters


def given(value: float, problems: Problems | None = None) -> float:
    """A rating on the scale; what lies outside it nobody gave, and it is nan: forms left untouched hold such values."""
    outside = value < LOWEST or value > HIGHEST
    if problems:
        problems.note(f"ratings outside {LOWEST:g} to {HIGHEST:g} were taken for not given", outside)
    return NOT_RATED if outside else value


@dataclass(frozen=True)
class Word:
    """One word of a transcript with its times in seconds from the utterance's start."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What one rater said about an utterance: labels in the corpus's spelling, dimensions on the corpus's scale.

    A dimension that the rater left out is nan. `self_report`: the rater is one of the recorded speakers.
    """

    rater: str
    labels: tuple[str, ...] = ()
    valence: float = NOT_RATED
    activation: float = NOT_RATED
    dominance: float = NOT_RATED
    self_report: bool = False


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a corpus says about one utterance before its samples are read.

    `start` and `end` (seconds) select a part of the file at `path`; `end` is `inf` for "to the end of the
    file". `seconds` is the duration that the file's header promises. `emotion_original` is the corpus's own
    spelling, `emotion` one of the corpus's classes, or "" for an unlabelled utterance. `sex` is "male", "female"
    or "". `valence`, `activation` and `dominance` are the corpus's means over its raters, nan where there are none;
    `ratings` holds each rater's own values where the corpus publishes them, and `rater_labels` the labels that
    raters other than the speakers gave, in their order. `split` is the corpus's own division, as `sejax.corpora.splits`
    writes it.
    """

    id: str
    path: str = ""
    start: float = 0.0
    end: float = float("inf")
    seconds: float = 0.0
    speaker: str = ""
    sex: str = ""
    session: str = ""
    emotion_original: str = ""
    emotion: str = ""
    rater_labels: tuple[str, ...] = ()
    ratings: tuple[Rating, ...] = ()
    valence: float = NOT_RATED
    activation: float = NOT_RATED
    dominance: float = NOT_RATED
    transcript: str = ""
    words: tuple[Word, ...] = ()
    split: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Utterance(Recording):
    """A recording with its samples: `waveform` int16[T] at `rate` Hz, one channel.

    `clipped` is the share of them that lay beyond full scale in the file; utterance sets do not keep it.
    """

    waveform: np.ndarray
    rate: int
    clipped: float = 0.0


def with_waveform(recording: Recording, waveform: np.ndarray, rate: int, **changes) -> Utterance:
    """Join a recording with its samples, int16[T] at `rate` Hz; `changes` replaces fields (word times, say)."""
    values = {field.name: getattr(recording, field.name) for field in fields(Recording)}
    return Utterance(**(values | changes), waveform=waveform, rate=rate)


# Stage, seconds of audio done, seconds in all; of the stages in `OPENING` files.
Progress = Callable[[str, float, float], None]
OPENING = ("annotations", "headers")
FORMAT = 2  # raise it when decoding or the record changes, so that old utterance sets are not taken for new ones


@dataclass(frozen=True)
class About:
    """Description, citation and licence of a corpus for people who find its files later."""

    description: str = ""
    citation: str = ""
    licence: str = ""


def decode_file(recording: Recording) -> Utterance:
    """Read a recording's file: int16 at 16 kHz, one channel; raises BadRecording."""
    waveform, clipped = decode(recording.path, start=recording.start, end=recording.end)
    return with_waveform(recording, waveform, RATE, clipped=clipped)


@dataclass(frozen=True)
class Corpus:
    """Recordings in a fixed order, the classes they may carry, and the way to their samples.

    `options` is everything beside the files that decides what the utterances are; `left_out` lists the inputs
    that the user agreed to go without; `notes` says what a reader passed over on purpose.
    """

    name: str
    recordings: tuple[Recording, ...]
    classes: tuple[str, ...] = ()
    options: dict = field(default_factory=dict)
    left_out: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    about: About = About()
    decode: Callable[[Recording], Utterance] = decode_file

    @classmethod
    def checked(
        cls, problems: Problems, recordings: Iterable[Recording], about: About, *, allow_partial: bool, **fields
    ) -> "Corpus":
        """What is left of a corpus that was looked through; InputError tells all problems unless `allow_partial`.

        It tells them also where nothing is left, and then the notes where there is no problem.
        """
        recordings = tuple(recordings)  # which may bring up problems
        left_out = problems.settle(allow_partial=allow_partial, left=len(recordings))
        if not recordings:
            why = f" ({'; '.join(problems.notes)})" if problems.notes else ""
            raise InputError(
                f"corpora/{problems.corpus}: no recording is left{why}; give other parts or another --source"
            )
        return cls(problems.corpus, recordings, about=about, left_out=left_out, notes=problems.notes, **fields)

    def __len__(self):
        return len(self.recordings)

    def __iter__(self) -> Iterator[Utterance]:
        """Decode one utterance after the other."""
        return map(self.decode, self.recordings)

    def digest(self, progress: Progress | None = None) -> str:
        """Hex digest of what the utterances are made from: every recording's fields and its file's bytes.

        Where the files lie does not enter, so a corpus that was moved keeps its digest.
        """
        total, done = float(seconds(self.recordings).sum()), 0.0
        whole = hashlib.sha256(json.dumps([FORMAT, self.name, self.classes, self.options]).encode())
        seen: dict[str, str] = {}
        for recording in self.recordings:
            values = asdict(recording)
            path = values.pop("path")
            if path and path not in seen:
                seen[path] = _file_digest(Path(path))
            whole.update(json.dumps([values, seen.get(path, "")]).encode())
            done += recording.seconds
            if progress:
                progress("files", done, total)
        return whole.hexdigest()


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def class_index(classes: tuple[str, ...], emotion: str) -> int:
    """Index of an utterance's emotion in the class list, -1 where it is unlabelled."""
    return classes.index(emotion) if emotion else -1


def seconds(recordings: tuple[Recording, ...]) -> np.ndarray:
    """Durations in seconds, float64[U], as the headers promise them."""
    return np.array([recording.seconds for recording in recordings], np.float64)
