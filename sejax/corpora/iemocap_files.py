"""The three annotation files of IEMOCAP: labels and ratings, transcripts, word times."""

import re
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path

from sejax.corpora.label_files import read_lines
from sejax.corpora.problems import Problems
from sejax.corpora.utterance import NOT_RATED, Rating, Word

FRAMES = 100  # of the alignment, a second
_TURN = re.compile(
    r"\[(?P<start>[\d.]+) - (?P<end>[\d.]+)\]\s+(?P<id>Ses0[1-5][FM]_\w+_(?P<letter>[FM])\d+)\s+(?P<code>\w+)"
    r"\s+\[(?P<means>[^\]]*)\]\s*$"
)
_RATER = re.compile(r"(?P<kind>[CA])-(?P<rater>\w+):(?P<said>[^(]*)")
_SPOKEN = re.compile(r"(?P<id>Ses0[1-5][FM]_\w+_[FM]\d+) \[[\d.]+-[\d.]+\]:\s*(?P<text>.*)$")
_DIMENSIONS = {"valence": "val", "activation": "act", "dominance": "dom"}
_COPY = "copy it again from the full release"


@dataclass(frozen=True)
class Turn:
    """One turn as its label file has it: the raters' majority code, the means of their ratings (1 to 5), each rater."""

    id: str
    letter: str
    code: str
    valence: float
    activation: float
    dominance: float
    ratings: tuple[Rating, ...] = ()

    @property
    def dialogue(self) -> str:
        """The dialogue that the turn belongs to, which names its folder."""
        return self.id.rpartition("_")[0]


def read_turns(path: Path, codes: Container[str], problems: Problems) -> list[Turn]:
    """Read a file of EmoEvaluation: a line per turn, followed by lines of each rater's labels (C-) and ratings (A-).

    Raters whose name begins with F or M are the speakers themselves. Lines that cannot be read are noted.
    """
    turns: list[Turn] = []
    for number, line in read_lines(path, problems, or_latin_1=True):
        where = f"{path}, line {number}"
        if line.startswith("["):
            turn = _turn(line, where, codes, problems)
            turns += [turn] if turn else []
        elif (match := _RATER.match(line)) and turns:
            turns[-1] = replace(turns[-1], ratings=_rated(turns[-1].ratings, match, where, problems))
    return turns


def _turn(line: str, where: str, codes: Container[str], problems: Problems) -> Turn | None:
    match = _TURN.match(line)
    means = [_number(text) for text in match["means"].split(",")] if match else []
    if not match or len(means) != 3 or None in means:
        problems.add(where, f"{line!r} is not [start - end], turn, code, [three means]", _COPY)
        return None
    if match["code"] not in codes:
        problems.add(where, f"unknown emotion {match['code']!r} (known: {', '.join(codes)})", _COPY)
        return None
    valence, activation, dominance = means
    return Turn(match["id"], match["letter"], match["code"], valence, activation, dominance)


def _rated(ratings: tuple[Rating, ...], match: re.Match, where: str, problems: Problems) -> tuple[Rating, ...]:
    """The ratings with one rater's line added to what that rater has said before."""
    name, said = match["rater"], match["said"]
    known = {rating.rater: rating for rating in ratings}
    rating = known.get(name, Rating(rater=name, self_report=name[0] in "FM"))
    if match["kind"] == "C":
        known[name] = replace(rating, labels=tuple(label.strip() for label in said.split(";") if label.strip()))
    else:
        values = {field: _dimension(said, word) for field, word in _DIMENSIONS.items()}
        if None in values.values():
            problems.add(where, f"{match[0].strip()!r} is not val, act, dom and a number each", _COPY)
            return ratings
        known[name] = replace(rating, **values)
    return tuple(known.values())


def _dimension(said: str, word: str) -> float | None:
    """The number behind a dimension's name; nan where the rater gave none, None where it is no number."""
    found = re.search(rf"\b{word}\s*([^;]*)", said)
    return _number(found[1]) if found and found[1].strip() else NOT_RATED


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read_transcripts(path: Path, problems: Problems) -> dict[str, str]:
    """Read a dialogue's transcription: turn -> text. Lines of unnumbered turns (`_FXX0`, `_MXX0`, `F:`) are skipped."""
    matches = (_SPOKEN.match(line) for _, line in read_lines(path, problems, or_latin_1=True))
    return {match["id"]: match["text"].strip() for match in matches if match}


def read_words(path: Path, problems: Problems) -> tuple[Word, ...] | None:
    """Read a forced alignment (.wdseg), times in seconds from the turn's start; None where there is no file.

    Silences, noises (`<s>`, `<sil>`, `++LAUGHTER++`) and pronunciation numbers (`THE(2)`) are taken out.
    """
    if not path.is_file():
        return None
    words = []
    for number, line in read_lines(path, problems, or_latin_1=True):
        cells = line.split()
        if not cells or cells[0] == "SFrm" or line.strip().startswith("Total score"):
            continue
        try:
            first, last, _, text = int(cells[0]), int(cells[1]), float(cells[2]), cells[3]
        except (ValueError, IndexError):
            problems.add(f"{path}, line {number}", f"{line!r} is not two frames, a score and a word", _COPY)
            return ()
        if not re.fullmatch(r"<.*>|\+\+.*\+\+", text):
            words.append(Word(re.sub(r"\(\d+\)$", "", text), first / FRAMES, (last + 1) / FRAMES))
    return tuple(words)
