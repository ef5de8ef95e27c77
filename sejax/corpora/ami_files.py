"""The annotation files of the AMI corpus in NXT's XML: who sat in a meeting, segments of speech, words with times."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from sejax.corpora.problems import Problems
from sejax.corpora.utterance import Word

NITE = "{http://nite.sourceforge.net/}"
_RANGE = re.compile(r"#id\((?P<first>[^)]+)\)(?:\.\.id\((?P<last>[^)]+)\))?$")
_AGAIN = "unpack the manual annotations 1.6.2 again"


@dataclass(frozen=True)
class Participant:
    """Who spoke as an agent (A to E) of a meeting: `name` holds in all meetings, `channel` is the headset's number."""

    name: str
    channel: int


@dataclass(frozen=True)
class Token:
    """An element of a words file: a word, a punctuation mark, or a sound without text; nan where it has no times."""

    id: str
    text: str
    start: float
    end: float
    punctuation: bool


@dataclass(frozen=True)
class Segment:
    """A stretch of one speaker's speech, seconds from the meeting's start, and the ranges of tokens in it."""

    id: str
    start: float
    end: float
    ranges: tuple[tuple[str, str], ...]

    def tokens(self, spoken: list[Token], place: dict[str, int]) -> list[Token]:
        """Its tokens, of all that the speaker said; `place` numbers them by id. Unknown ids raise KeyError."""
        return [token for first, last in self.ranges for token in spoken[place[first] : place[last] + 1]]


def read_meetings(path: Path, problems: Problems) -> dict[str, dict[str, Participant]]:
    """meetings.xml: {meeting: {agent: participant}}; participants without agent, channel or name are noted."""
    found: dict[str, dict[str, Participant]] = {}
    for meeting in _elements(path, "meeting", problems):
        name = meeting.get("observation", "")
        agents = found.setdefault(name, {})
        for speaker in meeting.iter("speaker"):
            agent, who, channel = (speaker.get(key, "") for key in ("nxt_agent", "global_name", "channel"))
            if not (agent and who and channel.isdigit()):
                what = f"meeting {name!r}: a speaker has nxt_agent={agent!r}, global_name={who!r}, channel={channel!r}"
                problems.add(str(path), what, _AGAIN)
                continue
            agents[agent] = Participant(who, int(channel))
    return found


def read_sexes(path: Path, problems: Problems) -> dict[str, str]:
    """participants.xml, which may be missing: {global name: "male" or "female"}."""
    known = {"m": "male", "male": "male", "f": "female", "female": "female"}
    sexes: dict[str, str] = {}
    for row in _elements(path, "participant", problems) if path.exists() else ():
        name = row.get("global_name") or row.get(f"{NITE}id", "")
        sexes[name] = known.get(row.get("sex", "").lower(), "")
    return sexes


def read_tokens(path: Path, problems: Problems) -> list[Token]:
    """A words file in its order: words and punctuation marks (`w`); all other elements (vocalsound, disfmarker, gap and
    so on) have no text.
    """
    found = []
    for element in _elements(path, None, problems):
        name = element.get(f"{NITE}id", "")
        text = (element.text or "").strip() if element.tag == "w" else ""
        times = _seconds(element.get("starttime")), _seconds(element.get("endtime"))
        found.append(Token(name, text, *times, element.get("punc") == "true"))
    return found


def read_segments(path: Path, problems: Problems) -> list[Segment]:
    """A segments file in its order; segments whose times or references cannot be read are noted."""
    found = []
    for element in _elements(path, "segment", problems):
        name = element.get(f"{NITE}id", "")
        start, end = _seconds(element.get("transcriber_start")), _seconds(element.get("transcriber_end"))
        if not 0 <= start < end:
            what = f"segment {name!r} lasts from {element.get('transcriber_start')} s to"
            problems.add(str(path), f"{what} {element.get('transcriber_end')} s", _AGAIN)
            continue
        children = [child.get("href", "") for child in element if child.tag == f"{NITE}child"]
        matches = [_RANGE.search(href) for href in children]
        if not all(matches):
            problems.add(str(path), f"segment {name!r} refers to {children[matches.index(None)]!r}", _AGAIN)
            continue
        ranges = tuple((match["first"], match["last"] or match["first"]) for match in matches)
        found.append(Segment(name, start, end, ranges))
    return found


def words_of(tokens: list[Token], segment: Segment) -> tuple[Word, ...]:
    """The words of a segment with times from its start, inside it; those without times, and marks, are passed over."""
    length = segment.end - segment.start
    found = []
    for token in tokens:
        if not token.text or token.punctuation or math.isnan(token.start) or math.isnan(token.end):
            continue
        start = min(max(token.start - segment.start, 0.0), length)
        found.append(Word(token.text, start, min(max(token.end - segment.start, start), length)))
    return tuple(found)


def transcript_of(tokens: list[Token]) -> str:
    """What was said, punctuation marks at the words before them."""
    text = ""
    for token in tokens:
        text += token.text if token.punctuation or not text or not token.text else f" {token.text}"
    return text


def _elements(path: Path, tag: str | None, problems: Problems) -> list[ElementTree.Element]:
    """Children of an XML file's root, of one tag or all; [] and a problem for a file that is missing or broken."""
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        problems.add(str(path), "no such file", _AGAIN)
        return []
    except OSError as error:
        problems.add(str(path), f"cannot be opened ({error.strerror})", "check its permissions")
        return []
    except (ElementTree.ParseError, ValueError) as error:
        problems.add(str(path), f"is not XML that can be read ({error})", _AGAIN)
        return []
    return [element for element in root if tag is None or element.tag == tag]


def _seconds(text: str | None) -> float:
    """A time, nan for none or what is no time."""
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
