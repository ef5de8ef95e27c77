"""Small sets of whole-utterance spectrograms that can be learned at once: a rated one, and one without labels.

A ridge in the lower bands rises with valence, one in the upper bands with activation. Speakers differ a little.
"""

import functools
from pathlib import Path

import numpy as np
from finished_sets import write_finished_set

from sejax.data.utterances.load import UtteranceSettings, UtteranceSpectrograms

BANDS = 128
SESSIONS = 5  # of a woman and a man
OF_SPEAKER = 6  # utterances
UNLABELLED, SPEAKERS_UNLABELLED = 24, 4
CLASSES = ("anger", "happiness", "neutral", "sadness")
OFFSETS = (0.0, 1 / 3, -1 / 3, 0.5, 0.0, -0.5)  # of the raters' mean from a whole point


def _frames(valence, activation, speaker, length, random) -> np.ndarray:
    """f16[sum(length), 128] in dB: a floor of noise, the two ridges, louder and softer stretches of each utterance."""
    of = np.repeat(np.arange(len(length)), length)
    band = np.arange(BANDS, dtype=np.float32)
    first = 6 + 12 * (valence[of] - 1) + 0.5 * (speaker[of] % 3)
    second = 70 + 12 * (activation[of] - 1) + 0.5 * (speaker[of] % 3)
    ridges = [np.exp(-np.square((band - centre[:, None]) / 4)) for centre in (first, second)]
    place = np.concatenate([np.arange(n) for n in length])
    loud = -5 * (1 + np.sin(place / 5))[:, None]
    return (60 * np.maximum(*ridges) - 60 + loud + 3 * random.normal(size=(len(of), BANDS))).astype(np.float16)


def _spans(length, aligned, random) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """start and end f32[S], offset i32[U + 1]: one to four stretches one after the other, at times the whole."""
    start, end, offset = [], [], [0]
    for n, words in zip(length, aligned, strict=True):
        edges = np.sort(random.uniform(0, n - 1, size=2 * random.integers(1, 5))) if words else np.array([0, n])
        start, end = [*start, *edges[::2]], [*end, *edges[1::2]]
        offset.append(len(start))
    return np.array(start, np.float32), np.array(end, np.float32), np.array(offset, np.int32)


def _set(corpus, sounds, speaker, session, aligned, random, **values) -> UtteranceSpectrograms:
    """A set in memory of utterances that sound like `sounds` f64[2, U], valence and activation; `values` replaces what
    it does not have: ratings, labels, names.
    """
    utterances = len(speaker)
    length = random.integers(20, 201, utterances)
    frames = _frames(*sounds, speaker, length, random)
    offset = np.concatenate([[0], np.cumsum(length)])
    span_start, span_end, span_offset = _spans(length, aligned, random)
    rows, nothing = np.arange(utterances, dtype=np.int32), np.full(utterances, np.nan, np.float32)
    columns = {
        "frames": frames,
        "offset": offset.astype(np.int64),
        "maximum": np.maximum.reduceat(frames.max(axis=1), offset[:-1]).astype(np.float32),
        "span_start": span_start,
        "span_end": span_end,
        "span_offset": span_offset,
        "aligned": np.asarray(aligned, bool),
        **{name: nothing for name in ("valence", "activation", "dominance")},
        **{name: np.full(utterances, -1, np.int32) for name in ("label", "utterance_label")},
        "speaker": speaker.astype(np.int32),
        "session": session.astype(np.int32),
        **{name: rows for name in ("utterance", "block")},
        "seconds": (length - 1) * 0.016 + 0.01,
    }
    usual = {"settings": UtteranceSettings().as_dict(), "counts": {}, "folder": "", "classes": ()}
    names = {"corpus": corpus, "utterance_ids": tuple(f"{corpus}{row:03}" for row in rows)}
    return UtteranceSpectrograms(**columns | usual | names | values)


@functools.cache
def rated(corpus: str = "rated", *, ratings: bool = True, seed: int = 0) -> UtteranceSpectrograms:
    """60 utterances of ten speakers, a woman and a man in each of five sessions; every fifth has no word times.

    Valence and activation are raters' means, thirds and halves from 1.0 to 5.0; without `ratings` they are nan and only
    the emotion tells. Anger, happiness and sadness are three quadrants; what is left is neutral.
    """
    random = np.random.default_rng(seed)
    number = np.arange(2 * SESSIONS * OF_SPEAKER)
    speaker = number // OF_SPEAKER
    turn = number + speaker  # speakers begin at different points
    offset = np.array(OFFSETS)
    valence = np.clip(1 + turn % 5 + offset[(number + speaker) % 6], 1, 5)
    activation = np.clip(1 + (2 * turn + speaker) % 5 + offset[(number + 2 * speaker + 2) % 6], 1, 5)
    quadrants = [(valence < 3) & (activation >= 3), (valence > 3) & (activation >= 3), (valence < 3) & (activation < 3)]
    label = np.select(quadrants, [0, 1, 3], 2).astype(np.int32)
    as_f32 = {"valence": valence, "activation": activation, "dominance": 6 - valence} if ratings else {}
    return _set(
        *(corpus, (valence, activation), speaker, speaker // 2, number % 5 != 4, random),
        **{name: values.astype(np.float32) for name, values in as_f32.items()},
        label=label,
        utterance_label=label,
        classes=CLASSES,
        speakers=tuple(f"{session + 1}{letter}" for session in range(SESSIONS) for letter in "FM"),
        sex=("female", "male") * SESSIONS,
        sessions=tuple(str(session + 1) for session in range(SESSIONS)),
    )


@functools.cache
def unlabelled(corpus: str = "plain", *, seed: int = 1) -> UtteranceSpectrograms:
    """24 utterances of four speakers, without labels, ratings or word times."""
    random = np.random.default_rng(seed)
    speaker = np.arange(UNLABELLED) % SPEAKERS_UNLABELLED
    sounds = random.uniform(1, 5, size=(2, UNLABELLED))
    return _set(
        *(corpus, sounds, speaker, np.zeros(UNLABELLED), np.zeros(UNLABELLED, bool), random),
        speakers=tuple(f"p{number}" for number in range(SPEAKERS_UNLABELLED)),
        sex=("",) * SPEAKERS_UNLABELLED,
        sessions=("",),
    )


def write_prepared_set(data_dir: Path, made: UtteranceSpectrograms) -> Path:
    """The same as a finished set under ``data_dir/corpus``, as ``UtteranceSpectrograms.load`` reads it."""
    return write_finished_set(data_dir, made, "utterance_spectrograms")


def write_both(data_dir: Path, *, ratings: bool = True) -> None:
    """The rated set and the unlabelled one under ``data_dir``."""
    write_prepared_set(data_dir, rated(ratings=ratings))
    write_prepared_set(data_dir, unlabelled())
