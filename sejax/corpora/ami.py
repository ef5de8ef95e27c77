"""AMI: segments of speech in 171 meetings, from each participant's headset, without emotion labels (Carletta 2007).

Layout: `<meeting>/audio/<meeting>.Headset-<channel>.wav` and the manual annotations 1.6.2 in NXT's XML, files for each
speaker (agent A to E) of a meeting: `segments/<meeting>.<agent>.segments.xml`, whose segments refer to ranges of
`words/<meeting>.<agent>.words.xml`. `corpusResources/meetings.xml` says which headset an agent wore and who that was.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from sejax.corpora.corpus import SEXES, About, Corpus, Progress, Recording, Word
from sejax.corpora.folder import check_counts, files_in, unpacked, within_files
from sejax.corpora.problems import Problems
from sejax.errors import InputError

NITE = "{http://nite.sourceforge.net/}"
_RANGE = re.compile(r"#id\((?P<first>[^)]+)\)(?:\.\.id\((?P<last>[^)]+)\))?$")
_AGAIN = "unpack the manual annotations 1.6.2 again"
_CUT = "the recording is shorter than its annotations: get the headset again"


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
    meetings: dict[str, dict[str, Participant]] = {}
    for meeting in _elements(path, "meeting", problems):
        name = meeting.get("observation", "")
        agents = meetings.setdefault(name, {})
        for speaker in meeting.iter("speaker"):
            agent, who, channel = (speaker.get(key, "") for key in ("nxt_agent", "global_name", "channel"))
            if agent and who and channel.isdigit():
                agents[agent] = Participant(who, int(channel))
            else:
                what = f"meeting {name!r}: a speaker has nxt_agent={agent!r}, global_name={who!r}, channel={channel!r}"
                problems.add(path, what, _AGAIN)
    return meetings


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
    tokens = []
    for element in _elements(path, None, problems):
        text = (element.text or "").strip() if element.tag == "w" else ""
        times = _seconds(element.get("starttime")), _seconds(element.get("endtime"))
        tokens.append(Token(element.get(f"{NITE}id", ""), text, *times, element.get("punc") == "true"))
    return tokens


def read_segments(path: Path, problems: Problems) -> list[Segment]:
    """A segments file in its order, with those that end before they begin; what cannot be read is noted."""
    segments = []
    for element in _elements(path, "segment", problems):
        with problems.at(path, _AGAIN):
            segments.append(_segment(element))
    return segments


def _segment(element: ElementTree.Element) -> Segment:
    name, first, last = (element.get(key) for key in (f"{NITE}id", "transcriber_start", "transcriber_end"))
    name, start, end = name or "", _seconds(first), _seconds(last)
    if math.isnan(end) or not start >= 0:
        raise ValueError(f"segment {name!r} lasts from {first} s to {last} s")
    ranges = []
    for child in element.iterfind(f"{NITE}child"):
        match = _RANGE.search(child.get("href", ""))
        if not match:
            raise ValueError(f"segment {name!r} refers to {child.get('href', '')!r}")
        ranges.append((match["first"], match["last"] or match["first"]))
    return Segment(name, start, end, tuple(ranges))


def words_of(tokens: list[Token], segment: Segment) -> tuple[Word, ...]:
    """The words of a segment with times from its start, inside it; those without times, and marks, are passed over."""
    length = segment.end - segment.start
    words = []
    for token in tokens:
        if not token.text or token.punctuation or math.isnan(token.start) or math.isnan(token.end):
            continue
        start = min(max(token.start - segment.start, 0.0), length)
        words.append(Word(token.text, start, min(max(token.end - segment.start, start), length)))
    return tuple(words)


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
        problems.add(path, "no such file", _AGAIN)
        return []
    except OSError as error:
        problems.add(path, f"cannot be opened ({error.strerror})", "check its permissions")
        return []
    except (ElementTree.ParseError, ValueError) as error:
        problems.add(path, f"is not XML that can be read ({error})", _AGAIN)
        return []
    return [element for element in root if tag is None or element.tag == tag]


def _seconds(text: str | None) -> float:
    """A time, nan for none or what is no time."""
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


COUNTS = {
    **{"meetings": 171, "segments files": 687, "words files": 687, "speakers in meetings.xml": 682},
    **{"segments": 93637, "segments with a word": 83482},
}
RATE = 16000  # Hz
BEYOND = 4  # segments of one headset that may lie beyond its end: so many of TS3007c do in the release
_ANNOTATIONS = ("", "ami_public_manual_1.6.2", "annotations")  # where they may lie under the source
_SIGNALS = ("", "amicorpus")

ABOUT = About(
    description="AMI Meeting Corpus: segments of speech from individual headsets, without emotion labels.",
    citation=(
        "J. Carletta: Unleashing the killer corpus: experiences in creating the multi-everything AMI Meeting Corpus."
        " Language Resources and Evaluation 41(2), 2007, pp. 181-190."
    ),
    licence="CC BY 4.0",
)


def open_corpus(
    source: Path,
    *,
    part: str | Sequence[str] = (),
    allow_partial: bool = False,
    progress: Progress | None = None,
) -> Corpus:
    """Look through the meetings under `source`, or those of `part`: names, or what names begin with (`ES`, `IS1009`).

    A segment is an utterance, with the words in it and their times; its samples are read from the headset's file by
    seeking. Segments without a word (laughter, say) are passed over with a note. All utterances are unlabelled; the
    speaker's name holds in all meetings, and the session is the meeting. The annotations may lie in `source` itself, or
    in its folder `ami_public_manual_1.6.2` or `annotations`; the meetings' folders there, or in `amicorpus`.
    `progress("annotations", files, files in all)`.

    Passed over with a note, since the release itself has them: segments that end before they begin, and up to four of a
    headset that lie beyond its end. An agent who says nothing (some files of the release are empty) needs no entry in
    meetings.xml.

    Raises InputError unless all 171 meetings (without `part`), as many files and segments as published, and the
    headsets of everybody who speaks are there and readable, or `allow_partial`.
    """
    problems = Problems("ami")
    parts = (part,) if isinstance(part, str) else tuple(part)
    annotations = _annotations(source)
    signals = next((path for name in _SIGNALS if any((path := source / name).glob("*/audio"))), source)
    names = _files(annotations / "segments", parts)
    resources = annotations / "corpusResources"
    known = read_meetings(resources / "meetings.xml", problems)
    sexes = read_sexes(resources / "participants.xml", problems)
    listed, slips = Counter(), Counter()
    recordings: list[Recording] = []
    for number, (meeting, agent) in enumerate(names, start=1):
        said = _segments(annotations, meeting, agent, problems, listed, slips)
        if progress:
            progress("annotations", 2 * number, 2 * len(names))
        who = known.get(meeting, {}).get(agent)
        if who is not None:
            headset = signals / meeting / "audio" / f"{meeting}.Headset-{who.channel}.wav"
            sex = sexes.get(who.name) or SEXES.get(who.name[:1], "")
            recordings += [replace(item, path=str(headset), speaker=who.name, sex=sex) for item in said]
        elif known and said:
            problems.add(resources / "meetings.xml", f"does not say who is {agent} of {meeting}", _AGAIN)
    if not parts:
        listed["meetings"] = len({meeting for meeting, _ in names})
        listed["segments files"] = len(names)
        listed["words files"] = len(files_in(annotations / "words", "*.*.words.xml"))
        listed["speakers in meetings.xml"] = sum(map(len, known.values()))
        check_counts(annotations, _as_published(listed, slips), COUNTS, problems, remedy=_AGAIN)
    missing = sorted({Path(item.path).name for item in recordings if not Path(item.path).exists()})
    problems.add_names(signals, "missing", missing, "get the individual headsets of these meetings too")
    recordings = within_files(recordings, problems, whole="meeting", remedy=_CUT, rate=RATE, beyond=BEYOND)
    return Corpus.checked(problems, recordings, ABOUT, options={"part": sorted(parts)}, allow_partial=allow_partial)


def _as_published(listed: Mapping[str, int], slips: Mapping[str, int]) -> dict[str, int]:
    """The counts, without the segments that end before they begin where that is what is published.

    The release has two of them, and whether the published numbers count them is not known.
    """
    return {name: count - slips[name] * (count - slips[name] == COUNTS[name]) for name, count in listed.items()}


def _annotations(source: Path) -> Path:
    """The folder that holds `segments`."""
    unpacked("ami", source)
    for name in _ANNOTATIONS:
        if (source / name / "segments").is_dir():
            return source / name
    raise InputError(
        f"corpora/ami: {source} has no folder segments, nor ami_public_manual_1.6.2/segments; unpack the manual"
        " annotations 1.6.2 there and pass the folder as --source"
    )


def _files(folder: Path, parts: tuple[str, ...]) -> list[tuple[str, str]]:
    """(meeting, agent) of every segments file that `parts` select, in order; InputError for a part without any."""
    names = [tuple(path.name.split(".")[:2]) for path in files_in(folder, "*.*.segments.xml")]
    for wanted in parts:
        if not any(meeting.startswith(wanted) for meeting, _ in names):
            raise InputError(
                f"corpora/ami: part={wanted}: no meeting in {folder} begins so; give names of meetings or their"
                " beginnings, as in --part=ES2002a,IS"
            )
    return [(meeting, agent) for meeting, agent in names if not parts or meeting.startswith(parts)]


def _segments(
    annotations: Path, meeting: str, agent: str, problems: Problems, listed: Counter, slips: Counter
) -> list[Recording]:
    """The segments with words of an agent in a meeting; who that is and the headset are left open.

    Ids hold the times in hundredths of a second. `listed` counts all segments and those with a word, `slips` what of
    these ends before it begins.
    """
    name, before = f"{meeting}.{agent}", len(problems.found)
    spoken = read_tokens(annotations / "words" / f"{name}.words.xml", problems)
    if len(problems.found) > before:  # said once: every segment would refer to nothing
        return []
    place = {token.id: number for number, token in enumerate(spoken)}
    path = annotations / "segments" / f"{name}.segments.xml"
    segments: dict[str, Recording] = {}
    for segment in read_segments(path, problems):
        start, end = segment.start, segment.end
        listed["segments"] += 1
        try:
            tokens = segment.tokens(spoken, place)
        except KeyError as error:
            problems.add(path, f"segment {segment.id!r} refers to {error}, which no word has", _AGAIN)
            continue
        worded = any(token.text and not token.punctuation for token in tokens)
        listed["segments with a word"] += worded
        if end <= start:
            slips.update({"segments": 1, "segments with a word": int(worded)})
            problems.note("segments end before they begin and were passed over", 1)
            continue
        if not worded:
            problems.note("segments without a word were passed over", 1)
            continue
        words = words_of(tokens, segment)
        problems.note("segments have no word times", not words)
        item = f"{meeting}-{agent}-{round(start * 100):06}-{round(end * 100):06}"
        if item in segments:
            problems.add(path, f"the segment from {start} s to {end} s is listed twice", _AGAIN)
            continue
        transcript = transcript_of(tokens)
        segments[item] = Recording(id=item, session=meeting, start=start, end=end, transcript=transcript, words=words)
    return list(segments.values())
