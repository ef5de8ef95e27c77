"""What a loaded model's network gets to see of a recording, by what its file says of the training's.

The same definitions as in training and in `sejax.experiments.prediction`; none of an experiment's code is needed.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from sejax.audio.level import levelled
from sejax.audio.samples import RATE
from sejax.data.blocks.load import BlockSettings

HEARS = ("blocks", "crops", "functionals", "transcribed")


class Heard(NamedTuple):
    """What becomes of one recording, N blocks.

    Attributes:
      start, end: f64[N], seconds in the original recording.
      values: gives arrays [n, L, ...] (or dicts of such), L inputs of each of the n next blocks, until there were N.
    """

    start: np.ndarray
    end: np.ndarray
    values: Iterator[Any]


Ear = Callable[..., Heard]  # (waveform int16[T] at 16 kHz, text) -> Heard


def ear(settings: Mapping[str, Any], *, pad: bool = False) -> Ear:
    """What hears for a model with these settings (of its file's settings.json).

    ``pad``: speech that is shorter than a block is filled up with zeros to one.

    Raises:
      InputError: a package is missing, or is of another version than the training's.
    """
    make = {"blocks": _blocks, "crops": _crops, "functionals": _functionals, "transcribed": _pieces}[settings["hears"]]
    return make(settings, pad=pad) if settings["hears"] == "blocks" else make(settings)


def _blocks(settings: Mapping[str, Any], *, pad: bool) -> Ear:
    """Spectrograms [n, fmax, bands, frames] in dB of the blocks of what is voiced, 32 at a time."""
    from sejax.audio.voice_activity import made_by
    from sejax.data.blocks.spectrograms import spectrogram_batches, spoken_blocks

    prepared = BlockSettings.from_dict(settings["prepared"])
    made_by(prepared.voice_activity)

    def hear(waveform, text):
        del text
        found = spoken_blocks(levelled(waveform, RATE, settings["level"]), RATE, prepared, fill=pad)
        return Heard(found.start, found.end, spectrogram_batches([found.samples], prepared))

    return hear


def _crops(settings: Mapping[str, Any]) -> Ear:
    """Evenly spaced crops [N, 1, bands, width] of the spectrogram; one where it is no longer than a crop."""
    from sejax.data.crops import evaluation_crops
    from sejax.data.utterances.frames import frames
    from sejax.data.utterances.load import UtteranceSettings

    prepared = UtteranceSettings(**settings["prepared"])
    how = {name: settings["crops"][name] for name in ("count", "width", "dynamic_range")}
    hop = prepared.spectrogram.hop_length / RATE

    def hear(waveform, text):
        del text
        levels = frames(levelled(waveform, RATE, settings["level"]), prepared)
        start, end, crops = evaluation_crops(levels, seconds=len(waveform) / RATE, hop=hop, **how)
        return Heard(start, end, iter([crops[:, None]]))

    return hear


def _functionals(settings: Mapping[str, Any]) -> Ear:
    """openSMILE's functionals [1, 1, F] of the whole, levelled and trimmed as the training's were."""
    from sejax.audio.opensmile import Extractor, check_version

    prepared = settings["prepared"]
    check_version(prepared["opensmile"])
    extract = Extractor(prepared["features"], level=settings["level"], trim=prepared.get("trim", "none"))

    def hear(waveform, text):
        del text
        values = extract(waveform, RATE)[None, None]
        return Heard(np.zeros(1), np.array([len(waveform) / RATE]), iter([values]))

    return hear


def _pieces(settings: Mapping[str, Any]) -> Ear:
    """Pieces of the waveform with their words: dicts of arrays [N, 1, ...]."""
    from sejax.data.waveforms.pieces import pieces_of

    known = settings["pieces"]
    bounds = {name: known[name] for name in ("longest", "most_words")}
    cut = functools.partial(pieces_of, types=tuple(known["types"]), **bounds)

    def hear(waveform, text):
        start, end, values, _ = cut(levelled(waveform, RATE, settings["level"]), RATE, text=text)
        return Heard(start, end, iter([values]))

    return hear
