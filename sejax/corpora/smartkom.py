"""SmartKom: turns of people who talk to a technical assistant, in German, with user states (Steininger et al. 2002).

Layout: `SK-Public/w001_pk/` holds a session: `w001_pkd.wav` (the last letter is the microphone) and the BAS Partitur
file `w001_pk_AAA.par` (AAA is the speaker; that of `SMA` is the machine). Of its tiers, `TRN` has the turns, `USH` the
stretches of a user state, `ORT` the words; times are samples. Known from a public reader of the corpus and from the
Bavarian Archive's description of the format; no original file was seen.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import files_in, read_lines, unpacked, within_files
from sejax.corpora.problems import Problems
from sejax.corpora.published import note_samples, published
from sejax.errors import InputError

PARTS = {"public": "SK-Public", "home": "SK-Home", "mobil": "SK-Mobil"}
STATES = {  # the label without umlauts, quotes and the sign that writes an umlaut: our class, the paper's
    "neutral": "neutral",
    "freude/erfolg": "joy",
    "uberlegen/nachdenken": "pondering",
    "ratlosigkeit": "helplessness",
    "arger/miserfolg": "anger",
    "uberraschung/verwunderung": "surprise",
    "restklasse": "unidentifiable",
}
RATE = 16000  # of the times, unless a file's line SAM says another
MICROPHONE = "d"
_AGAIN = "unpack the session again"
_UMLAUTS = {'"a': "ä", '"o': "ö", '"u': "ü", '"s': "ß", '"A': "Ä", '"O': "Ö", '"U': "Ü"}  # as BAS writes them

ABOUT = About(
    description="SmartKom: turns of human-machine dialogues in German, user states of picture and sound together.",
    citation=(
        "S. Steininger, F. Schiel, O. Dioubina, S. Raubold: Development of user-state conventions for the multimodal"
        " corpus in SmartKom. Proc. LREC Workshop on Multimodal Resources, Las Palmas 2002, pp. 33-37."
    ),
    licence="that of the Bavarian Archive for Speech Signals",
)


class Stretch(NamedTuple):
    """A stretch of a session in samples of its tiers' rate, with its state (USH) or its words' numbers (TRN)."""

    start: int
    end: int
    what: str


class Session(NamedTuple):
    """What a Partitur file says."""

    rate: int
    turns: tuple[Stretch, ...]
    states: tuple[Stretch, ...]
    words: dict[str, str]


def open_corpus(source: Path, *, part: str | Sequence[str] = "public", allow_partial: bool = False) -> Corpus:
    """Look through `part` (public, home, mobil, or several of them) under `source`, or a part's own folder.

    An utterance is a turn; it has the state that covers most of it, and none where no state does. Sessions without
    turns or states are passed over with a note. Raises InputError unless every session has one wav and one Partitur
    file of its user, with lines that can be read and turns inside the recording, or `allow_partial`.
    """
    problems = Problems("smartkom")
    parts = (part,) if isinstance(part, str) else tuple(part)
    recordings: list[Recording] = []
    for name in parts:
        for folder in _sessions(source, name):
            recordings += _turns(folder, problems)
    unlabelled = sum(not item.emotion for item in recordings)
    problems.note("turns lie outside every stretch of a user state and are unlabelled", unlabelled)
    recordings = within_files(recordings, problems, whole="session", remedy=_AGAIN)
    if parts == ("public",):
        note_samples("smartkom", len(recordings), problems)
    classes, options = published("smartkom").classes, {"part": list(parts)}
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, options=options, allow_partial=allow_partial)


def _sessions(source: Path, part: str) -> list[Path]:
    """The folders of a part's sessions; InputError where there are none."""
    if part not in PARTS:
        raise InputError(f"corpora/smartkom: part={part}; use one of {', '.join(PARTS)}")
    folder = unpacked("smartkom", source, PARTS[part])
    letter = part[0]  # w001_pk, w001_hk, w001_mk
    found = [path for path in files_in(folder, "*") if path.is_dir() and re.fullmatch(rf"w\d+_{letter}.", path.name)]
    if not found:
        raise InputError(
            f"corpora/smartkom: no session such as w001_{letter}k found under {folder}; pass the folder that holds"
            f" {PARTS[part]} as --source"
        )
    return found


def _turns(folder: Path, problems: Problems) -> list[Recording]:
    """The turns of a session, without their durations."""
    partitur = _only(folder, rf"{folder.name}_(?!SMA)[^_]+\.par", "Partitur file of its user", problems)
    wavs = [path for path in files_in(folder, "*") if re.fullmatch(rf"{folder.name}.\.wav", path.name, re.IGNORECASE)]
    preferred = [path for path in wavs if path.stem.endswith(MICROPHONE)]
    if len(preferred or wavs) != 1:
        named = ", ".join(path.name for path in wavs) or "none"
        what = f"holds no wav of one microphone ({named}), such as {folder.name}{MICROPHONE}.wav"
        problems.add(folder, what, _AGAIN)
    if partitur is None or len(preferred or wavs) != 1:
        return []
    session = read_partitur(partitur, problems)
    if not session.turns or not session.states:
        problems.note("sessions without a turn or without a user state were passed over", 1)
        return []
    (wav,), name = preferred or wavs, partitur.stem
    speaker = name.rpartition("_")[2]
    turns = enumerate(session.turns)
    return [_recording(f"{name}_{number:03}", wav, speaker, turn, session) for number, turn in turns]


def _only(folder: Path, pattern: str, what: str, problems: Problems) -> Path | None:
    found = [path for path in files_in(folder, "*") if re.fullmatch(pattern, path.name)]
    if len(found) == 1:
        return found[0]
    problems.add(folder, f"holds {len(found)} files where there is one {what}", _AGAIN)
    return None


def _recording(name: str, wav: Path, speaker: str, turn: Stretch, session: Session) -> Recording:
    state = dominant(turn, session.states)
    words = (session.words.get(number, "") for number in turn.what.split(","))
    return Recording(
        id=name,
        path=str(wav),
        start=turn.start / session.rate,
        end=turn.end / session.rate,
        speaker=speaker,
        session=wav.parent.name,
        emotion_original=state,
        emotion=STATES.get(_plain(state), ""),
        transcript=" ".join(word for word in words if word),
    )


def dominant(turn: Stretch, states: Sequence[Stretch]) -> str:
    """The state that covers most of a turn, the first of equal ones; "" where none touches it."""
    covered: dict[str, int] = defaultdict(int)
    for state in states:
        covered[state.what] += max(0, min(turn.end, state.end) - max(turn.start, state.start))
    longest = max(covered, key=covered.get, default="")
    return longest if covered.get(longest) else ""


def read_partitur(path: Path, problems: Problems) -> Session:
    """Read the tiers SAM, TRN, USH and ORT of a Partitur file; lines of these that make no sense are noted."""
    rate, turns, states, words = RATE, [], [], {}
    for where, line in read_lines(path, problems, or_latin_1=True):
        tier, _, said = line.partition(":")
        with problems.at(where, _AGAIN):
            if tier == "SAM":
                rate = _whole(said, line) or RATE
            elif tier == "TRN":
                turns.append(_stretch(said, line))
            elif tier == "USH":
                states.append(_state(said, line))
            elif tier == "ORT":
                number, _, word = said.strip().partition(" ")
                words[str(_whole(number, line))] = "" if "<" in word or ">" in word else _spelt(word.strip())
    return Session(rate, tuple(turns), tuple(states), words)


def _stretch(said: str, line: str) -> Stretch:
    cells = said.split(maxsplit=3)
    if len(cells) < 3:
        raise ValueError(f"{line.strip()!r} is not start, length and a mark")
    start, length = _whole(cells[0], line), _whole(cells[1], line)
    if not length:
        raise ValueError(f"{line.strip()!r} has no length")
    return Stretch(start, start + length, cells[2])


def _state(said: str, line: str) -> Stretch:
    stretch = _stretch(said, line)
    if _plain(stretch.what) not in STATES:
        raise ValueError(f"unknown user state {stretch.what!r} (known: {', '.join(STATES)})")
    return stretch._replace(what=stretch.what.strip('"'))


def _whole(cell: str, line: str) -> int:
    if not re.fullmatch(r"\d+", cell.strip()):
        raise ValueError(f"{line.strip()!r} holds {cell.strip()!r} where a whole number belongs")
    return int(cell)


def _plain(state: str) -> str:
    """A label in small letters without quotes and umlauts: Ärger, "Arger and Arger are one."""
    return state.lower().translate(str.maketrans("äöü", "aou", '"'))


def _spelt(word: str) -> str:
    """A word with its umlauts: sch"on is schön."""
    for written, letter in _UMLAUTS.items():
        word = word.replace(written, letter)
    return word
