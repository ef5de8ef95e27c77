"""VAM-Audio: 947 sentences of 47 guests of a German talk show, rated in three dimensions (Grimm et al. 2008).

Layout: `data/Sprecher01/Satz01001.wav` = speaker 01, sentence 001, with `.ewe` files of the raters' merged estimate of
valence, activation and dominance, each from -1 to 1. The readme of the distribution says so much; that every sentence
has an `.ewe` of its own name beside it, with one row, is gathered from it and was not seen.
"""

import math
import re
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import by_id, check_counts, inspect_all, named, read_lines, wav_files
from sejax.corpora.problems import Problems
from sejax.corpora.published import note_samples, published, quadrant

RECORDINGS = {"sentences": 947, "speakers": 47}
THE_PAPERS = 946  # sentences: the paper, and the benchmark that it follows, have one fewer
_COPY = "copy it again from the distribution, or write a manifest with valence and activation"

ABOUT = About(
    description="Vera am Mittag: spontaneous speech of a German talk show, the audio part, quadrants of its ratings.",
    citation=(
        "M. Grimm, K. Kroschel, S. Narayanan: The Vera am Mittag German audio-visual emotional speech database."
        " Proc. ICME 2008, Hannover, pp. 865-868."
    ),
    licence="on request; no distribution without the written permission of the University of Karlsruhe or HUMAINE",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, the folder that holds `data`, or the speakers' folders.

    The class is the quadrant of the merged ratings. Raises InputError unless all 947 sentences of 47 speakers (or the
    paper's 946) are there, rated and readable, or `allow_partial`.
    """
    problems = Problems("vam")
    files = wav_files("vam", source, "data", pattern="**/*")
    remedy = "names are as in Sprecher01/Satz01001.wav: rename it"
    by_name = by_id(named(files, _recording, problems, remedy), problems)
    rated = [item for name in sorted(by_name) if (item := _rated(by_name[name], problems))]
    counts = {"sentences": len(by_name), "speakers": len({item.speaker for item in by_name.values()})}
    theirs = RECORDINGS | ({"sentences": THE_PAPERS} if len(by_name) == THE_PAPERS else {})
    check_counts(source, counts, theirs, problems, remedy="unpack the whole distribution")
    recordings = inspect_all(rated, problems)
    note_samples("vam", len(recordings), problems)
    classes = published("vam").classes
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _recording(path: Path) -> Recording:
    """What a file's name says; ValueError for another name."""
    match = re.fullmatch(r"Satz(\d\d)(\d\d\d)", path.stem, re.IGNORECASE)
    if not match:
        raise ValueError(f"{path.stem!r} is no sentence")
    return Recording(id=path.stem, path=str(path), speaker=match[1])


def _rated(recording: Recording, problems: Problems) -> Recording | None:
    """A recording with its merged ratings and their quadrant; None, and a problem, without them."""
    path = Path(recording.path).with_suffix(".ewe")
    lines = [(where, line) for where, line in read_lines(path, problems) if line.strip()]
    if not lines:
        if path.is_file():
            problems.add(path, "holds no ratings", _COPY)
        return None
    if len(lines) > 1:
        problems.add(path, f"holds {len(lines)} rows instead of one", _COPY)
        return None
    (where, line), ratings = lines[0], None
    with problems.at(where, _COPY):
        ratings = _ratings(line)
    if ratings is None:
        return None
    valence, activation, dominance = ratings
    problems.note("sentences have a valence or activation of exactly 0, which counts as above", 0.0 in ratings[:2])
    emotion = quadrant(valence, activation)
    return replace(recording, emotion=emotion, valence=valence, activation=activation, dominance=dominance)


def _ratings(line: str) -> tuple[float, float, float]:
    """Valence, activation and dominance of a row; ValueError for anything else."""
    cells = [cell for cell in re.split(r"[\s,;]+", line.strip()) if cell]
    try:
        values = tuple(float(cell) for cell in cells)
    except ValueError:
        values = ()
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ValueError(f"{line.strip()!r} is not valence, activation and dominance")
    outside = [value for value in values if not -1 <= value <= 1]
    if outside:
        raise ValueError(f"the rating {outside[0]:g} lies outside -1 to 1")
    return values
