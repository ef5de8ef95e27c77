"""TED-LIUM release 2: segments of TED talks with transcripts, without emotion labels (Rousseau et al. 2014).

Layout: `TEDLIUM_release2/train/sph/<talk>.sph` (NIST SPHERE, 16 kHz) and `train/stm/<talk>.stm`, whose lines are
`talk channel speaker start end <tags> words`; the same for `dev` and `test`. Segments marked
`ignore_time_segment_in_scoring` are not speech to be recognised and are dropped.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import check_counts, files_in, read_lines, unpacked, within_files
from sejax.corpora.problems import Problems
from sejax.errors import InputError

PARTS = {"train": "train", "dev": "valid", "test": "test"}  # the corpus's name: the split of our records
COUNTS = {"train": {"segments": 92973}, "dev": {"segments": 507, "talks": 8}, "test": {"talks": 11}}
RATE = 16000  # Hz
IGNORED = "ignore_time_segment_in_scoring"
_LINE = re.compile(
    r"(?P<talk>\S+)\s+\S+\s+(?P<speaker>\S+)\s+(?P<start>[\d.]+)\s+(?P<end>[\d.]+)\s+(?:<(?P<tags>[^>]*)>)?\s*(?P<words>.*)$"
)
_SUFFIX = re.compile(r"(?<=\S)\s+(?='(?:s|m|d|t|re|ve|ll)?(?:\s|$))")  # what stands before a word's split-off end
_SEXES = {"male": "male", "female": "female", "f0_m": "male", "f0_f": "female"}
_AGAIN = "unpack the part again from its archive"

ABOUT = About(
    description="TED-LIUM release 2: segments of TED talks, without emotion labels.",
    citation=(
        "A. Rousseau, P. Deléglise, Y. Estève: Enhancing the TED-LIUM corpus with selected data for language modeling"
        " and more TED talks. Proc. LREC 2014, Reykjavik, pp. 3935-3939."
    ),
    licence="CC BY-NC-ND 3.0",
)


def open_corpus(source: Path, *, part: str | Sequence[str] = "train", allow_partial: bool = False) -> Corpus:
    """Look through `part` (train, dev, test, or several of them) under `source`, or its folder TEDLIUM_release2.

    A segment is an utterance; its samples are read from the talk's file by seeking to its start. All utterances are
    unlabelled. Raises InputError unless the part is complete (92,973 segments in train) and readable, or
    `allow_partial`.
    """
    problems = Problems("tedlium")
    parts = (part,) if isinstance(part, str) else tuple(part)
    recordings: list[Recording] = []
    for name in parts:
        folder = _part(source, name)
        talks = _talks(folder, problems)
        here = [item for stm in talks for item in _segments(stm, name, problems)]
        counts = {"segments": len(here), "talks": len(talks)}
        here = [item for item in here if item.start < item.end]
        check_counts(folder, counts, COUNTS[name], problems, remedy=_AGAIN)
        recordings += here
    recordings = within_files(recordings, problems, whole="talk", remedy=_AGAIN, rate=RATE)
    options = {"part": list(parts)}
    return Corpus.checked(problems, recordings, ABOUT, options=options, allow_partial=allow_partial)


def _part(source: Path, name: str) -> Path:
    root = unpacked("tedlium", source, "TEDLIUM_release2")
    if name not in PARTS:
        raise InputError(f"corpora/tedlium: part={name}; use one of {', '.join(PARTS)}, or several of them")
    if not (root / name / "stm").is_dir():
        raise InputError(
            f"corpora/tedlium: {root} has no folder {name}/stm; pass the unpacked TEDLIUM_release2 as --source"
        )
    return root / name


def _talks(folder: Path, problems: Problems) -> list[Path]:
    """The part's transcripts, sorted; talks that lack their transcript or their recording are named."""
    stm, sph = files_in(folder / "stm", "*.stm"), files_in(folder / "sph", "*.sph")
    texts, sounds = {path.stem for path in stm}, {path.stem for path in sph}
    problems.add_names(
        folder / "sph", "missing", [f"{path.stem}.sph" for path in stm if path.stem not in sounds], _AGAIN
    )
    problems.add_names(
        folder / "stm", "missing", [f"{path.stem}.stm" for path in sph if path.stem not in texts], _AGAIN
    )
    return stm


def _segments(path: Path, part: str, problems: Problems) -> list[Recording]:
    """The segments of one talk in order, with those that end before they begin, which are noted."""
    segments: dict[str, Recording] = {}
    for where, line in read_lines(path, problems):
        if not line.strip() or line.startswith(";;"):
            continue
        with problems.at(where, _AGAIN):
            item = _segment(line, path, part)
            if item is None:
                problems.note(f"segments marked {IGNORED} were dropped", 1)
            elif item.id in segments:
                raise ValueError(f"the segment from {item.start} s to {item.end} s is listed twice")
            else:
                problems.note("segments end before they begin and were passed over", item.end <= item.start)
                segments[item.id] = item
    return list(segments.values())


def _segment(line: str, path: Path, part: str) -> Recording | None:
    """A line's segment, None if it is not scored, ValueError for no such line. Ids hold hundredths of a second."""
    match = _LINE.match(line)
    if not match:
        raise ValueError(f"{line[:80]!r} is not talk, channel, speaker, start, end, tags, words")
    start, end = _seconds(match["start"]), _seconds(match["end"])
    if match["words"].strip().lower() == IGNORED:
        return None
    tags = (match["tags"] or "").lower().split(",")
    return Recording(
        id=f"{path.stem}-{round(start * 100):07}-{round(end * 100):07}",
        path=str(path.parent.parent / "sph" / f"{path.stem}.sph"),
        start=start,
        end=end,
        speaker=match["speaker"],
        sex=next((sex for tag, sex in _SEXES.items() if tag in tags), ""),
        transcript=_words(match["words"]),
        split=PARTS[part],
    )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time in seconds") from None


def _words(text: str) -> str:
    """Words without pronunciation numbers (`for(2)`), marks (`<sil>`, `{NOISE}`) and the name that may end a dev line.

    Ends that the release splits off (`i 'm`) stand at their words again.
    """
    text = re.sub(r"\(\d+\)", "", re.sub(r"<sil>|\{\S*?\}", " ", text))
    return _SUFFIX.sub("", " ".join(re.sub(r"\(\S*\)\s*$", "", text).split()))
