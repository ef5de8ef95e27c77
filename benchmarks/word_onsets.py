"""Which rule of IEMOCAP's word times the recordings bear out: how the level rises where words begin, by both.

    python benchmarks/word_onsets.py --source=IEMOCAP_full_release [--limit=1000]

The release's alignments give words in frames of 10 ms. By its note a frame t lies at (t + 2) / 100 s, most public code
takes t / 100 s (`sejax.corpora.iemocap.WORD_TIMES`). Where a word begins after a pause the level rises: by how many dB
from the 20 ms before a time to the 20 ms after it, on average, is told for both rules, and at which distance from
t / 100 s the rise is the steepest. The rule whose rise is higher is nearer to where the words begin. Any part of the
release will do.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from sejax import corpora
from sejax.corpora.corpus import Corpus, Utterance
from sejax.corpora.iemocap import FRAMES, WORD_TIMES
from sejax.engine.command import progress_bar, run_command
from sejax.errors import InputError

SOURCE = flags.DEFINE_string("source", None, "folder of the release, or of a part of it", required=True)
LIMIT = flags.DEFINE_integer("limit", 0, "turns, spread over the corpus; 0: all", 0)

PAUSE, AROUND = 0.1, 0.02  # seconds without a word before an onset, and those compared on each side of it
SHIFTS = np.arange(-60, 81, 5) / 1000  # seconds from t / 100
_FLOOR = 1.0  # mean square of a silence, in steps of 16 bits


class Onsets(NamedTuple):
    """Rise in dB at words after a pause, f64[N, S] at the shifts f64[S] (seconds), and how many turns they are from."""

    rises: np.ndarray
    shifts: np.ndarray
    turns: int

    def of_rule(self, rule: str) -> np.ndarray:
        """The rises f64[N] at the times of a rule."""
        return self.rises[:, np.flatnonzero(np.isclose(self.shifts, WORD_TIMES[rule] / FRAMES))[0]]


def onsets(corpus: Corpus, *, limit: int = 0, shown: bool = False) -> Onsets:
    """Rises at all words after a pause, of a corpus whose word times are by the rule "frame".

    Raises:
      InputError: no such word, so that there is nothing to compare.
    """
    timed = [recording for recording in corpus.recordings if recording.words]
    chosen = timed[:: max(1, len(timed) // limit)][:limit] if limit else timed
    bar = progress_bar("turns", len(chosen), "turns") if shown else None
    found: list[np.ndarray] = []
    for recording in chosen:
        found += _rises(corpus.decode(recording))
        if bar is not None:
            bar.update()
    if bar is not None:
        bar.close()
    if not found:
        raise InputError(
            f"corpora/{corpus.name}: {len(timed)} of {len(corpus)} turns have word times, and no word follows a "
            "pause; pass a folder with the release's alignments (sentences/ForcedAlignment) as --source"
        )
    return Onsets(np.stack(found), SHIFTS, len(chosen))


def _rises(utterance: Utterance) -> Iterator[np.ndarray]:
    """For each word after a pause the rise in dB at all shifts, f64[S], unless these leave the turn."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(utterance.waveform, dtype=np.float64))])
    width, before = round(AROUND * utterance.rate), 0.0
    for word in utterance.words:
        places = np.round((word.start + SHIFTS) * utterance.rate).astype(int)
        if word.start - before >= PAUSE and places[0] >= width and places[-1] + width < len(energy):
            level = [(energy[b] - energy[a]) / width for a, b in ((places - width, places), (places, places + width))]
            yield 10 * np.log10((level[1] + _FLOOR) / (level[0] + _FLOOR))
        before = max(before, word.end)


def report(found: Onsets) -> str:
    """A line for each rule, and where the rise is the steepest."""
    count = len(found.rises)
    lines = [f"{count} words after a pause of {PAUSE} s or more, in {found.turns} turns with word times"]
    for rule in WORD_TIMES:
        rise = found.of_rule(rule)
        error = rise.std(ddof=1) / count**0.5 if count > 1 else float("nan")
        late = WORD_TIMES[rule] / FRAMES
        lines.append(
            f"{rule:6} t / 100 + {late:.2f} s  level rises by {rise.mean():5.2f} dB (standard error {error:.2f})"
        )
    first, second = (found.of_rule(rule) for rule in WORD_TIMES)
    steepest = 1000 * found.shifts[found.rises.mean(0).argmax()]
    names = list(WORD_TIMES)
    lines.append(f"it rises more by {names[0]} than by {names[1]} at {(first > second).mean():.1%} of these words")
    lines.append(f"steepest on average at t / 100 {steepest:+.0f} ms")
    return "\n".join(lines)


def main(argv):
    """Compare the rules over a folder."""
    del argv
    corpus = corpora.open_corpus("iemocap", Path(SOURCE.value), word_times="frame", allow_partial=True)
    print(report(onsets(corpus, limit=LIMIT.value, shown=True)))


if __name__ == "__main__":
    run_command(main)
