"""IEMOCAP: 10,039 turns of ten actors in five sessions of a woman and a man (Busso et al. 2008).

Layout of each session: `sentences/wav/<dialogue>/<turn>.wav`, labels in `dialog/EmoEvaluation/<dialogue>.txt`, words in
`dialog/transcriptions/<dialogue>.txt`, their times in `sentences/ForcedAlignment/<dialogue>/<turn>.wdseg`. A turn's
speaker is the letter before its number: `Ses01F_impro01_M002` is the man of session 1 (the F after the session's number
says who wore the motion-capture markers).
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import About, Corpus
from sejax.corpora.folder import inspect_all, is_shadow, require_folder
from sejax.corpora.iemocap_files import Turn, read_transcripts, read_turns, read_words
from sejax.corpora.label_files import check_counts
from sejax.corpora.problems import Problems, shortened
from sejax.corpora.utterance import Recording
from sejax.errors import InputError

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
SEXES = {"F": "female", "M": "male"}

ABOUT = About(
    description="Interactive Emotional Dyadic Motion Capture database: the turns of the full release, audio only.",
    citation=(
        "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, S. S. Narayanan: IEMOCAP:"
        " Interactive emotional dyadic motion capture database. Language Resources and Evaluation 42(4), 2008,"
        " pp. 335-359."
    ),
    licence="for research, under the release form of the University of Southern California",
)


def open_corpus(source: str | Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the five sessions under `source` (or under its folder IEMOCAP_full_release).

    Raises InputError unless all 10,039 turns are there, readable, and labelled as published, or `allow_partial`.
    Missing word times are normal and only counted in a note.
    """
    problems = Problems("iemocap")
    sessions = _sessions(Path(source), problems)
    turns: dict[str, Turn] = {}
    recordings, notes = [], Counter()
    for number, folder in sessions.items():
        here = _turns(folder, turns, problems)
        recordings += [_recording(turn, number, folder) for turn in here]
        notes["wav files without a line in EmoEvaluation were passed over"] += _unlisted(folder, here)
    check_counts(Path(source), _counts(turns), TURNS, problems, remedy="unpack the full release again")
    recordings = inspect_all(recordings, problems)
    recordings = tuple(_with_words(recordings, sessions, notes, problems))
    return Corpus(
        name="iemocap",
        classes=tuple(sorted(set(EMOTIONS.values()) - {""})),
        recordings=recordings,
        left_out=problems.settle(allow_partial=allow_partial),
        notes=tuple(f"{count} {note}" for note, count in notes.items() if count),
        about=ABOUT,
    )


def _sessions(source: Path, problems: Problems) -> dict[int, Path]:
    """Folders of the sessions by number; InputError where there is none at all."""
    require_folder("iemocap", source)
    root = next((path for path in (source, source / "IEMOCAP_full_release") if (path / "Session1").is_dir()), source)
    found = {number: root / f"Session{number}" for number in SESSIONS if (root / f"Session{number}").is_dir()}
    if not found:
        raise InputError(
            f"corpora/iemocap: no folder Session1 to Session5 in {source}; pass the folder of the full release as"
            " --source"
        )
    missing = [f"Session{number}" for number in SESSIONS if number not in found]
    if missing:
        problems.add(str(root), f"missing {', '.join(missing)}", "unpack the full release")
    return found


def _turns(folder: Path, known: dict[str, Turn], problems: Problems) -> list[Turn]:
    """Turns of one session, in the order of their ids, from the label files at the top level of EmoEvaluation."""
    files = sorted(path for path in (folder / "dialog" / "EmoEvaluation").glob("*.txt") if not is_shadow(path))
    if not files:
        problems.add(str(folder / "dialog" / "EmoEvaluation"), "holds no label file", "unpack the full release")
    here = []
    for path in files:
        for turn in read_turns(path, EMOTIONS, problems):
            if turn.id in known:
                problems.add(str(path), f"{turn.id} is listed twice", "unpack the full release again")
                continue
            known[turn.id] = turn
            here.append(turn)
    return sorted(here, key=lambda turn: turn.id)


def _recording(turn: Turn, session: int, folder: Path) -> Recording:
    return Recording(
        id=turn.id,
        path=str(folder / "sentences" / "wav" / turn.dialogue / f"{turn.id}.wav"),
        speaker=f"Session{session}_{turn.letter}",
        sex=SEXES[turn.letter],
        session=f"Session{session}",
        emotion_original=turn.code,
        emotion=EMOTIONS[turn.code],
        rater_labels=tuple(label for rating in turn.ratings if not rating.self_report for label in rating.labels),
        ratings=turn.ratings,
        valence=turn.valence,
        activation=turn.activation,
        dominance=turn.dominance,
    )


def _unlisted(folder: Path, turns: list[Turn]) -> int:
    listed = {turn.id for turn in turns}
    files = (path for path in (folder / "sentences" / "wav").glob("*/*.wav") if not is_shadow(path))
    return sum(path.stem not in listed for path in files)


def _counts(turns: dict[str, Turn]) -> Counter:
    counts = Counter({"turns": len(turns)})
    counts.update(turn.code for turn in turns.values())
    counts.update(f"ang/hap/exc/neu/sad in session {int(turn.id[3:5])}" for turn in turns.values() if turn.code in FOUR)
    return counts


def _with_words(recordings, sessions: dict[int, Path], notes: Counter, problems: Problems):
    """Yield the recordings with transcripts and word times; what is missing is counted in `notes`."""
    transcripts: dict[str, str] = {}
    dialogues = sorted({(recording.session, _dialogue(recording)) for recording in recordings})
    for session, dialogue in dialogues:
        folder = sessions[int(session.removeprefix("Session"))]
        transcripts |= read_transcripts(folder / "dialog" / "transcriptions" / f"{dialogue}.txt", problems)
    without = [recording.id for recording in recordings if recording.id not in transcripts]
    if without:
        notes[f"turns have no transcript: {shortened(without)}"] += len(without)
    for recording in recordings:
        folder = sessions[int(recording.session.removeprefix("Session"))] / "sentences" / "ForcedAlignment"
        words = read_words(folder / _dialogue(recording) / f"{recording.id}.wdseg", problems)
        notes["turns have no word times (.wdseg): the distribution lacks some"] += words is None
        yield replace(recording, transcript=transcripts.get(recording.id, ""), words=words or ())


def _dialogue(recording: Recording) -> str:
    return recording.id.rpartition("_")[0]
