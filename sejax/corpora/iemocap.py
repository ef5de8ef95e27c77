"""IEMOCAP: 10,039 turns of ten actors in five sessions of a woman and a man (Busso et al. 2008).

Layout of each session: `sentences/wav/<dialogue>/<turn>.wav`, labels in `dialog/EmoEvaluation/<dialogue>.txt`, words in
`dialog/transcriptions/<dialogue>.txt`, their times in `sentences/ForcedAlignment/<dialogue>/<turn>.wdseg`. A turn's
speaker is the letter before its number: `Ses01F_impro01_M002` is the man of session 1 (the F after the session's number
says who wore the motion-capture markers).
"""

import math
import re
from collections import Counter
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import NOT_RATED, SEXES, About, Corpus, Progress, Rating, Recording, Word, given
from sejax.corpora.folder import (
    Audio,
    check_codes,
    check_counts,
    check_seconds,
    files_in,
    inspect_all,
    read_lines,
    unpacked,
)
from sejax.corpora.problems import Problems, shortened
from sejax.errors import InputError

FRAMES = 100  # of the alignment, a second
# How much later than its number a frame t of the alignment lies, in frames: (t + 2) / 100 s by the release's own note
# on times in units of 10 ms, t / 100 s as most public code has it.
WORD_TIMES = {"note": 2, "frame": 0}
AUDIO = Audio(16000)
_ROUNDED = 1e-4  # of the means in the label files, which have four decimals
_TURN = re.compile(
    r"\[(?P<start>[\d.]+) - (?P<end>[\d.]+)\]\s+(?P<id>Ses0[1-5][FM]_\w+_(?P<letter>[FM])\d+)\s+(?P<code>\w+)"
    r"\s+\[(?P<means>[^\]]*)\]\s*$"
)
_RATER = re.compile(r"(?P<kind>[CA])-(?P<rater>\w+):(?P<said>[^(]*)")
_SPOKEN = re.compile(r"(?P<id>Ses0[1-5][FM]_\w+_[FM]\d+) \[[\d.]+-[\d.]+\]:\s*(?P<text>.*)$")
_DIMENSIONS = {"valence": "val", "activation": "act", "dominance": "dom"}
_COPY = "copy it again from the full release"


def read_turns(path: Path, problems: Problems) -> list[Recording]:
    """Read a file of EmoEvaluation: a line per turn (majority's code, means of the ratings from 1 to 5), followed by
    lines of each rater's labels (C-) and ratings (A-). `seconds` is what the line says, end - start.

    Raters whose name begins with F or M are the speakers themselves. Ratings outside the scale were not given: forms
    left untouched hold a 6 beside an empty dominance. Lines that cannot be read are noted.
    """
    turns: list[Recording] = []
    for where, line in read_lines(path, problems, or_latin_1=True):
        with problems.at(where, _COPY):
            if line.startswith("["):
                turns.append(_turn(line))
            elif (match := _RATER.match(line)) and turns:
                turns[-1] = replace(turns[-1], ratings=_rated(turns[-1].ratings, match, problems))
    return turns


def _turn(line: str) -> Recording:
    """A turn's line, the speaker by the letter alone; ValueError for no such line."""
    match = _TURN.match(line)
    means = [_number(text) for text in match["means"].split(",")] if match else []
    if len(means) != 3 or None in means:
        raise ValueError(f"{line!r} is not [start - end], turn, code, [three means]")
    letter, code = match["letter"], match["code"]
    check_codes(emotion=(code, EMOTIONS))
    start, end = _number(match["start"]), _number(match["end"])
    if start is None or end is None:
        raise ValueError(f"{line!r} has a time that is no number")
    dimensions = dict(zip(_DIMENSIONS, means, strict=True))
    return Recording(
        id=match["id"],
        seconds=end - start,
        speaker=letter,
        sex=SEXES[letter],
        emotion_original=code,
        emotion=EMOTIONS[code],
        **dimensions,
    )


def _rated(ratings: tuple[Rating, ...], match: re.Match, problems: Problems) -> tuple[Rating, ...]:
    """The ratings with one rater's line added to what that rater has said before; ValueError for no such line."""
    name, said = match["rater"], match["said"]
    known = {rating.rater: rating for rating in ratings}
    rating = known.get(name, Rating(rater=name, self_report=name[0] in "FM"))
    if match["kind"] == "C":
        known[name] = replace(rating, labels=tuple(label.strip() for label in said.split(";") if label.strip()))
    else:
        values = {field: _dimension(said, word) for field, word in _DIMENSIONS.items()}
        if None in values.values():
            raise ValueError(f"{match[0].strip()!r} is not val, act, dom and a number each")
        known[name] = replace(rating, **{field: given(value, problems) for field, value in values.items()})
    return tuple(known.values())


def mended(turn: Recording) -> Recording:
    """The turn with the means of what its raters gave.

    The label files' means count also what nobody gave: a 6 as it is, an empty rating as 0. Where theirs is that of the
    ratings given it stays, as do means without ratings on the scale; the others get ours to their four decimals.
    """
    means = {}
    for field in _DIMENSIONS:
        mean = getattr(turn, field)
        values = [getattr(rating, field) for rating in turn.ratings if not rating.self_report]
        values = [value for value in values if not math.isnan(value)]
        ours = sum(values) / len(values) if values else given(mean)
        means[field] = mean if abs(ours - mean) <= _ROUNDED else round(ours, 4)
    return replace(turn, **means)


def _differs(first: Recording, second: Recording) -> bool:
    return repr([getattr(first, field) for field in _DIMENSIONS]) != repr([getattr(second, f) for f in _DIMENSIONS])


def _dimension(said: str, word: str) -> float | None:
    """The number behind a dimension's name; nan where the rater gave none, None where it is no number."""
    match = re.search(rf"\b{word}\s*([^;]*)", said)
    return _number(match[1]) if match and match[1].strip() else NOT_RATED


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read_transcripts(path: Path, problems: Problems) -> dict[str, str]:
    """Read a dialogue's transcription: turn -> text. Lines of unnumbered turns (`_FXX0`, `_MXX0`, `F:`) are skipped."""
    matches = (_SPOKEN.match(line) for _, line in read_lines(path, problems, or_latin_1=True))
    return {match["id"]: match["text"].strip() for match in matches if match}


def read_words(path: Path, problems: Problems, rule: str = "note") -> tuple[Word, ...] | None:
    """Read a forced alignment (.wdseg), times in seconds from the turn's start; None where there is no file.

    `rule` is one of `WORD_TIMES`, by which frames become seconds.
    Silences, noises (`<s>`, `<sil>`, `++LAUGHTER++`) and pronunciation numbers (`THE(2)`) are taken out.
    """
    if not path.is_file():
        return None
    words, later = [], WORD_TIMES[rule]
    for where, line in read_lines(path, problems, or_latin_1=True):
        cells = line.split()
        if not cells or cells[0] == "SFrm" or line.strip().startswith("Total score"):
            continue
        try:
            first, last, _, text = int(cells[0]), int(cells[1]), float(cells[2]), cells[3]
        except (ValueError, IndexError):
            problems.add(where, f"{line!r} is not two frames, a score and a word", _COPY)
            return ()
        if not re.fullmatch(r"<.*>|\+\+.*\+\+", text):
            start, end = (first + later) / FRAMES, (last + 1 + later) / FRAMES
            words.append(Word(re.sub(r"\(\d+\)$", "", text), start, end))
    return tuple(words)


EMOTIONS = {  # the code in the label files: our class; without agreement of the raters a turn is unlabelled
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "oth": "other",
    "sad": "sadness",
    "sur": "surprise",
    "xxx": "",
}
FOUR = ("ang", "hap", "exc", "neu", "sad")  # the codes that most studies keep: 5531 turns, 1636 of them hap or exc
SESSIONS = (1, 2, 3, 4, 5)
TURNS = {
    "turns": 10039,
    **{"ang": 1103, "dis": 2, "exc": 1041, "fea": 40, "fru": 1849, "hap": 595},
    **{"neu": 1708, "oth": 3, "sad": 1084, "sur": 107, "xxx": 2507},
    **{
        f"ang/hap/exc/neu/sad in session {session}": count
        for session, count in zip(SESSIONS, (1085, 1023, 1151, 1031, 1241), strict=True)
    },
}

ABOUT = About(
    description="Interactive Emotional Dyadic Motion Capture database: the turns of the full release, audio only.",
    citation=(
        "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, S. S. Narayanan: IEMOCAP:"
        " Interactive emotional dyadic motion capture database. Language Resources and Evaluation 42(4), 2008,"
        " pp. 335-359."
    ),
    licence="for research, under the release form of the University of Southern California",
)


def open_corpus(
    source: Path, *, word_times: str = "note", allow_partial: bool = False, progress: Progress | None = None
) -> Corpus:
    """Look through the five sessions under `source` (or under its folder IEMOCAP_full_release).

    `word_times`: one of `WORD_TIMES`. Means are those of what the raters gave (`mended`), and a note counts the turns
    where the release's are others. `progress("headers", files, files in all)`.

    Raises InputError unless all 10,039 turns are there, readable, labelled as published, at 16 kHz and as long together
    as their lines in EmoEvaluation say, or `allow_partial`. Missing word times are normal and only counted in a note.
    """
    if word_times not in WORD_TIMES:
        raise InputError(f"corpora/iemocap: word_times={word_times}; use one of {', '.join(WORD_TIMES)}")
    problems = Problems("iemocap")
    sessions = _sessions(source, problems)
    turns: dict[str, Recording] = {}
    for folder in sessions.values():
        here = _turns(folder, turns, problems)
        turns |= here
        wavs = files_in(folder / "sentences" / "wav", "*/*.wav")
        unlisted = sum(path.stem not in here for path in wavs)
        problems.note("wav files without a line in EmoEvaluation were passed over", unlisted)
    check_counts(source, _counts(turns), TURNS, problems, remedy="unpack the full release again")
    fair = {name: mended(turn) for name, turn in turns.items()}
    spoilt = [name for name in turns if _differs(turns[name], fair[name])]
    note = "turns have the means of the ratings that were given, since the release's count others too"
    problems.note(f"{note}: {shortened(spoilt)}", len(spoilt))
    recordings = inspect_all(fair.values(), problems, AUDIO, progress=progress)
    check_seconds(recordings, sum(turns[item.id].seconds for item in recordings), problems)
    recordings = tuple(_with_words(recordings, sessions, problems, word_times))
    # Named where it decides something and is not what earlier versions did, so that their sets keep their folders.
    timed = word_times != "frame" and any(recording.words for recording in recordings)
    options = {"word_times": word_times} if timed else {}
    classes = tuple(sorted(set(EMOTIONS.values()) - {""}))
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, options=options, allow_partial=allow_partial)


def _sessions(source: Path, problems: Problems) -> dict[str, Path]:
    """Folders of the sessions by name; InputError where there is none at all."""
    unpacked("iemocap", source)
    root = next((path for path in (source, source / "IEMOCAP_full_release") if (path / "Session1").is_dir()), source)
    names = [f"Session{number}" for number in SESSIONS]
    folders = {name: root / name for name in names if (root / name).is_dir()}
    if not folders:
        raise InputError(
            f"corpora/iemocap: no folder Session1 to Session5 in {source}; pass the folder of the full release as"
            " --source"
        )
    problems.add_names(root, "missing", [name for name in names if name not in folders], "unpack the full release")
    return folders


def _turns(folder: Path, before: Container[str], problems: Problems) -> dict[str, Recording]:
    """Turns of one session by their sorted ids, from the label files at the top level of EmoEvaluation."""
    labels = folder / "dialog" / "EmoEvaluation"
    files = files_in(labels, "*.txt")
    if not files:
        problems.add(labels, "holds no label file", "unpack the full release")
    turns: dict[str, Recording] = {}
    for path in files:
        for turn in read_turns(path, problems):
            if turn.id in before or turn.id in turns:
                problems.add(path, f"{turn.id} is listed twice", "unpack the full release again")
                continue
            turns[turn.id] = replace(
                turn,
                path=str(folder / "sentences" / "wav" / _dialogue(turn) / f"{turn.id}.wav"),
                speaker=f"{folder.name}_{turn.speaker}",
                session=folder.name,
                rater_labels=tuple(
                    label for rating in turn.ratings if not rating.self_report for label in rating.labels
                ),
            )
    return dict(sorted(turns.items()))


def _counts(turns: dict[str, Recording]) -> Counter:
    counts = Counter(turns=len(turns))
    counts.update(turn.emotion_original for turn in turns.values())
    four = [turn for turn in turns.values() if turn.emotion_original in FOUR]
    counts.update(f"ang/hap/exc/neu/sad in session {int(turn.id[3:5])}" for turn in four)
    return counts


def _with_words(recordings: tuple[Recording, ...], sessions: dict[str, Path], problems: Problems, rule: str):
    """Yield the recordings with transcripts and word times inside them; what is missing is counted in notes."""
    transcripts: dict[str, str] = {}
    for session, dialogue in sorted({(recording.session, _dialogue(recording)) for recording in recordings}):
        path = sessions[session] / "dialog" / "transcriptions" / f"{dialogue}.txt"
        transcripts |= read_transcripts(path, problems)
    without = [recording.id for recording in recordings if recording.id not in transcripts]
    if without:
        problems.note(f"turns have no transcript: {shortened(without)}", len(without))
    for recording in recordings:
        folder = sessions[recording.session] / "sentences" / "ForcedAlignment" / _dialogue(recording)
        words = read_words(folder / f"{recording.id}.wdseg", problems, rule)
        problems.note("turns have no word times (.wdseg): the distribution lacks some", words is None)
        words = tuple(_ended(word, recording.seconds, rule) for word in words or ())
        yield replace(recording, transcript=transcripts.get(recording.id, ""), words=words)


def _ended(word: Word, seconds: float, rule: str) -> Word:
    """A word that ends with the turn, if it is the rule that puts its end after it."""
    late = word.start < seconds < word.end <= seconds + WORD_TIMES[rule] / FRAMES
    return replace(word, end=seconds) if late else word


def _dialogue(recording: Recording) -> str:
    return recording.id.rpartition("_")[0]
