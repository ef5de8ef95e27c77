"""AMI: segments of speech in 171 meetings, from each participant's headset, without emotion labels (Carletta 2007).

Layout: `<meeting>/audio/<meeting>.Headset-<channel>.wav` and the manual annotations 1.6.2 in NXT's XML, files for each
speaker (agent A to E) of a meeting: `segments/<meeting>.<agent>.segments.xml`, whose segments refer to ranges of
`words/<meeting>.<agent>.words.xml`. `corpusResources/meetings.xml` says which headset an agent wore and who that was.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from sejax.corpora.corpus import About, Corpus, Recording, Word
from sejax.corpora.folder import check_counts, is_shadow, require_folder, within_files
from sejax.corpora.problems import Problems, shortened
from sejax.errors import InputError

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


COUNTS = {"meetings": 171}
# Users of the distribution report that audio of these two is not available: a headset that lacks is no error.
GAPS = ("IS1003b", "IS1007d")
_ANNOTATIONS = ("", "ami_public_manual_1.6.2", "annotations")  # where they may lie under the source
_SIGNALS = ("", "amicorpus")
_SEXES = {"F": "female", "M": "male"}

ABOUT = About(
    description="AMI Meeting Corpus: segments of speech from individual headsets, without emotion labels.",
    citation=(
        "J. Carletta: Unleashing the killer corpus: experiences in creating the multi-everything AMI Meeting Corpus."
        " Language Resources and Evaluation 41(2), 2007, pp. 181-190."
    ),
    licence="CC BY 4.0",
)


def open_corpus(source: str | Path, *, part: str | Sequence[str] = (), allow_partial: bool = False) -> Corpus:
    """Look through the meetings under `source`, or those of `part`: names, or what names begin with (`ES`, `IS1009`).

    A segment is an utterance, with the words in it and their times; its samples are read from the headset's file by
    seeking. Segments without a word (laughter, say) are passed over with a note. All utterances are unlabelled; the
    speaker's name holds in all meetings, and the session is the meeting. The annotations may lie in `source` itself, or
    in its folder `ami_public_manual_1.6.2` or `annotations`; the meetings' folders there, or in `amicorpus`.

    Raises InputError unless all 171 meetings (without `part`) and their headsets are there and readable, or
    `allow_partial`.
    """
    problems, notes = Problems("ami"), Counter()
    parts = (part,) if isinstance(part, str) else tuple(part)
    annotations = _annotations(Path(source))
    signals = next((path for name in _SIGNALS if any((path := Path(source, name)).glob("*/audio"))), Path(source))
    names = _files(annotations / "segments", parts)
    meetings = sorted({meeting for meeting, _ in names})
    if not parts:
        check_counts(annotations / "segments", {"meetings": len(meetings)}, COUNTS, problems, remedy=_AGAIN)
    known = read_meetings(annotations / "corpusResources" / "meetings.xml", problems)
    sexes = read_sexes(annotations / "corpusResources" / "participants.xml", problems)
    recordings: list[Recording] = []
    for meeting, agent in names:
        who = known.get(meeting, {}).get(agent)
        if known and who is None:
            where = str(annotations / "corpusResources" / "meetings.xml")
            problems.add(where, f"does not say who is {agent} of {meeting}", _AGAIN)
        if who is not None:
            recordings += _segments(annotations, signals, meeting, agent, who, sexes, notes, problems)
    _check_headsets(recordings, signals, notes, problems)
    recordings = within_files(recordings, notes, problems, whole="meeting", remedy=_AGAIN)
    return Corpus(
        name="ami",
        classes=(),
        recordings=tuple(recordings),
        options={"part": sorted(parts)},
        left_out=problems.settle(allow_partial=allow_partial),
        notes=tuple(f"{count} {note}" for note, count in notes.items() if count),
        about=ABOUT,
    )


def _annotations(source: Path) -> Path:
    """The folder that holds `segments`."""
    require_folder("ami", source)
    for name in _ANNOTATIONS:
        if (source / name / "segments").is_dir():
            return source / name
    raise InputError(
        f"corpora/ami: {source} has no folder segments, nor ami_public_manual_1.6.2/segments; unpack the manual"
        " annotations 1.6.2 there and pass the folder as --source"
    )


def _files(folder: Path, parts: tuple[str, ...]) -> list[tuple[str, str]]:
    """(meeting, agent) of every segments file that `parts` select, in order; InputError for a part without any."""
    files = [path for path in sorted(folder.glob("*.*.segments.xml")) if not is_shadow(path)]
    names = [tuple(path.name.split(".")[:2]) for path in files]
    for wanted in parts:
        if not any(meeting.startswith(wanted) for meeting, _ in names):
            raise InputError(
                f"corpora/ami: part={wanted}: no meeting in {folder} begins so; give names of meetings or their"
                " beginnings, as in --part=ES2002a,IS"
            )
    return [(meeting, agent) for meeting, agent in names if not parts or meeting.startswith(parts)]


def _segments(
    annotations: Path,
    signals: Path,
    meeting: str,
    agent: str,
    who: Participant,
    sexes: dict[str, str],
    notes: Counter,
    problems: Problems,
) -> list[Recording]:
    """The segments with words of one speaker in one meeting. Ids hold the times in hundredths of a second."""
    spoken = read_tokens(annotations / "words" / f"{meeting}.{agent}.words.xml", problems)
    place = {token.id: number for number, token in enumerate(spoken)}
    path = annotations / "segments" / f"{meeting}.{agent}.segments.xml"
    found: dict[str, Recording] = {}
    for segment in read_segments(path, problems) if spoken else ():
        try:
            tokens = segment.tokens(spoken, place)
        except KeyError as error:
            problems.add(str(path), f"segment {segment.id!r} refers to {error}, which no word has", _AGAIN)
            continue
        if not any(token.text and not token.punctuation for token in tokens):
            notes["segments without a word were passed over"] += 1
            continue
        words = words_of(tokens, segment)
        notes["segments have no word times"] += not words
        name = f"{meeting}-{agent}-{round(segment.start * 100):06}-{round(segment.end * 100):06}"
        if name in found:
            problems.add(str(path), f"the segment from {segment.start} s to {segment.end} s is listed twice", _AGAIN)
            continue
        found[name] = Recording(
            id=name,
            path=str(signals / meeting / "audio" / f"{meeting}.Headset-{who.channel}.wav"),
            start=segment.start,
            end=segment.end,
            speaker=who.name,
            sex=sexes.get(who.name) or _SEXES.get(who.name[:1], ""),
            session=meeting,
            transcript=transcript_of(tokens),
            words=words,
        )
    return list(found.values())


def _check_headsets(recordings: list[Recording], signals: Path, notes: Counter, problems: Problems) -> None:
    """Name the headsets that lack, in one problem; those of the meetings known for it are noted."""
    lacking = sorted({item.path: item.session for item in recordings if not Path(item.path).exists()}.items())
    expected = [Path(path).name for path, meeting in lacking if meeting in GAPS]
    if expected:
        notes[f"headsets are not in the distribution: {shortened(expected)}"] += len(expected)
    missing = [Path(path).name for path, meeting in lacking if meeting not in GAPS]
    if missing:
        problems.add(str(signals), f"missing {shortened(missing)}", "get the individual headsets of these meetings too")
