"""Many recordings judged by a trained run: read by threads while the networks compute, in order, in bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sejax.audio.level import Traits, traits
from sejax.audio.samples import RATE, as_int16
from sejax.core.threads import in_order
from sejax.errors import InputError
from sejax.experiments.prediction import Inputs, Prediction, Predictor, Whole

SECONDS_AHEAD = 1200  # of audio that is read and not judged yet: 40 MB, and twice that while it is being cut


class Recording(NamedTuple):
    """An audio file and what is said in it, "" where nobody says."""

    file: Path
    text: str = ""


class Outcome(NamedTuple):
    """What became of a recording: a prediction, or the error that says why there is none.

    Attributes:
      recording: which one.
      prediction: None where it failed.
      error: None where it did not.
      traits: what `sejax.audio.level.traits` says of it; None where it cannot be read.
      clipped: share of its samples that lay beyond full scale.
      unlike: what makes it unlike the training corpus's recordings, in words.
      waveform: int16[T] at 16 kHz where it was asked for.
    """

    recording: Recording
    prediction: Prediction | None = None
    error: InputError | None = None
    traits: Traits | None = None
    clipped: float = 0.0
    unlike: tuple[str, ...] = ()
    waveform: np.ndarray | None = None


def predict_recordings(
    predict: Predictor,
    recordings: Iterable[Recording],
    read: Callable[[Path], tuple[np.ndarray, float]],
    *,
    rate: float,
    seconds: Callable[[Path], float],
    threads: int = 0,
    explain: bool = False,
    waveforms: bool = False,
) -> Iterator[Outcome]:
    """The outcome of each recording, in their order; one that fails is an outcome, and the others go on.

    Args:
      predict: the trained members.
      recordings: taken as they are needed.
      read: gives a file's int16[T] and the share of it that was clipped, as `sejax.corpora.waveform.decode` does.
      rate: of what it gives, Hz; others than 16000 are resampled.
      seconds: about how long a file is, which decides how many are read ahead: no more than `SECONDS_AHEAD` beside
        the first.
      threads: that read; 0: as many as there are cores.
      explain: say of pieces with transcripts what their decisions rest on.
      waveforms: keep them in the outcomes.
    """

    def begun(recording: Recording) -> tuple[Outcome, Inputs | Whole | InputError]:
        outcome = Outcome(recording)
        try:
            waveform, clipped = read(recording.file)
            waveform = as_int16(waveform, rate)
            found = traits(waveform, RATE)
            outcome = outcome._replace(traits=found, clipped=clipped, unlike=tuple(predict.compared(found)))
            if waveforms:
                outcome = outcome._replace(waveform=waveform)
            return outcome, predict.prepared(waveform, RATE, recording.text)
        except InputError as error:
            return outcome, error

    outcomes: deque[Outcome] = deque()

    def given() -> Iterator[Inputs | Whole | InputError]:
        costed = ((recording, seconds(recording.file)) for recording in recordings)
        for outcome, made in in_order(begun, costed, threads=threads or os.cpu_count() or 1, ahead=SECONDS_AHEAD):
            outcomes.append(outcome)
            yield made
            del made  # an hour of samples

    for found in predict.judged(given(), explain=explain):
        outcome = outcomes.popleft()
        failed = isinstance(found, InputError)
        yield outcome._replace(error=found) if failed else outcome._replace(prediction=found)
