"""Utterances that are parts of longer files: checked against the files' durations, each header read once."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from sejax.corpora.problems import BadRecording, Problems
from sejax.corpora.utterance import Recording
from sejax.corpora.waveform import inspect

_SLACK = 1.0  # seconds that a segment may end after its file's last sample: the times come from alignment and by hand


def within_files(
    recordings: list[Recording], notes: Counter, problems: Problems, *, whole: str, remedy: str
) -> list[Recording]:
    """Recordings with their durations; a file that cannot be decoded is named once, a missing one not at all.

    `whole` is what the corpus calls a file (talk, say); segments that end a little after it are cut and counted in
    `notes`, those that lie outside are noted as problems with `remedy`.
    """
    seconds: dict[str, float] = {}
    kept: list[Recording] = []
    for item in recordings:
        if item.path not in seconds:
            seconds[item.path] = _duration(item.path, problems)
        length = seconds[item.path]
        if length == 0.0:
            continue
        if item.start >= length or item.end > length + _SLACK:
            what = f"{item.start} s to {item.end} s lie outside the {whole} ({length:.2f} s)"
            problems.add(f"{item.path}, segment {item.id}", what, remedy)
            continue
        notes[f"segments end after their {whole}'s last sample and were cut there"] += item.end > length
        kept.append(replace(item, seconds=min(item.end, length) - item.start))
    return kept


def _duration(path: str, problems: Problems) -> float:
    """Seconds of a file, 0 for one that cannot be read (noted, unless it is missing: its corpus notes that)."""
    if not Path(path).exists():
        return 0.0
    try:
        return inspect(path).seconds
    except BadRecording as error:
        problems.found.append(error.problem)
        return 0.0
