"""A small set of waveforms with transcripts in which what is said and how it is said both tell the class."""

import functools
from pathlib import Path

import numpy as np
from finished_sets import write_finished_set

from sejax.data.waveforms.load import Waveforms, statistics

SESSIONS = 5  # of a woman and a man
OF_SPEAKER = 8  # utterances
RATE = 16000
SHORTEST, LONGEST = 800, 6000  # samples
CLASSES = ("anger", "happiness", "neutral", "sadness")
PITCH = (1600.0, 800.0, 400.0, 200.0)  # Hz, of each class
LOUDNESS = (0.8, 0.5, 0.2, 0.08)
TELLING = (("Stop", "hate"), ("great,", "love"), ("table", "maybe"), ("alone...", "lost"))
COMMON = ("I", "the", "it's", "and", "[BREATHING]", "you")


def _waveform(label: int, speaker: int, random) -> np.ndarray:
    """int16[T]: a tone whose pitch and loudness depend on the class, a little on the speaker, in noise."""
    length = random.integers(SHORTEST, LONGEST + 1)
    time = np.arange(length) / RATE
    tone = np.sin(2 * np.pi * PITCH[label] * (1 + 0.02 * (speaker % 3)) * time + random.uniform(0, 6))
    return (32767 * (LOUDNESS[label] * tone + 0.02 * random.uniform(-1, 1, length))).astype(np.int16)


def _transcript(label: int, words: int, random) -> str:
    """So many words, the class's own in turn with some that every class has."""
    found = [(TELLING[label] if place % 2 == 0 else COMMON)[random.integers(2)] for place in range(words)]
    if words > 4:
        found[3] = COMMON[2 + random.integers(4)]
    return " ".join(found)


@functools.cache
def spoken(corpus: str = "spoken", *, seed: int = 0) -> Waveforms:
    """80 utterances of ten speakers, a woman and a man in each of five sessions; every speaker has every class twice.

    Every ninth utterance has no words (0 to 8 otherwise), and every fifth that has some has no word times.
    """
    random = np.random.default_rng(seed)
    number = np.arange(2 * SESSIONS * OF_SPEAKER, dtype=np.int32)
    speaker = number // OF_SPEAKER
    label = (number + speaker) % len(CLASSES)
    waveforms = [_waveform(*of, random) for of in zip(label, speaker, strict=True)]
    transcripts = [_transcript(label[n], 0 if n % 9 == 4 else 1 + (n * 5) % 8, random) for n in number]
    seconds = np.array([len(waveform) / RATE for waveform in waveforms])
    aligned = [transcripts[n].split() if n % 5 != 2 else [] for n in number]
    moments = [np.linspace(0, seconds[n], len(aligned[n]) + 1) for n in number]
    measured = np.array([statistics(waveform) for waveform in waveforms], np.float32)
    return Waveforms(
        waveform=np.concatenate(waveforms),
        offset=np.cumsum([0, *map(len, waveforms)], dtype=np.int64),
        transcripts=tuple(transcripts),
        word_text=tuple(word for words in aligned for word in words),
        word_start=np.concatenate([edges[:-1] for edges in moments]).astype(np.float32),
        word_end=np.concatenate([edges[1:] for edges in moments]).astype(np.float32),
        word_offset=np.cumsum([0, *map(len, aligned)], dtype=np.int32),
        mean_absolute=measured[:, 0],
        deviation=measured[:, 1],
        label=label,
        speaker=speaker,
        session=speaker // 2,
        utterance=number,
        block=number,
        utterance_label=label,
        seconds=seconds,
        utterance_ids=tuple(f"{corpus}{n:03}" for n in number),
        classes=CLASSES,
        speakers=tuple(f"{session + 1}{letter}" for session in range(SESSIONS) for letter in "FM"),
        sex=("female", "male") * SESSIONS,
        sessions=tuple(str(session + 1) for session in range(SESSIONS)),
        corpus=corpus,
        settings={"rate": RATE},
        counts={},
        folder="",
    )


def write_prepared_set(data_dir: Path, made: Waveforms) -> Path:
    """The same as a finished set under ``data_dir/corpus``, as ``Waveforms.load`` reads it."""
    return write_finished_set(data_dir, made, "waveforms")
