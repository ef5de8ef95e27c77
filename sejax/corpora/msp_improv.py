"""MSP-IMPROV: 8438 turns of improvised and read speech by twelve actors in six sessions of two (Busso et al. 2017).

Layout: `session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav` = sentence 01 and the emotion that was asked for (A), speaker,
scenario (P R S T), turn; some copies have the sessions in a folder `Audio`. Labels lie in `Evalution.txt` (sic; some
copies mend the spelling): blocks between blank lines, first the turn's majority label and mean ratings, then a line for
each rater.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import NOT_RATED, SEXES, About, Corpus, Rating, Recording, given
from sejax.corpora.folder import by_id, check_counts, check_files, inspect_all, named, read_lines, wav_files
from sejax.corpora.problems import Problems
from sejax.errors import InputError

EMOTIONS = {  # the letter in the label file: our class; without agreement of the raters a turn is unlabelled
    "A": "anger",
    "H": "happiness",
    "N": "neutral",
    "O": "other",
    "S": "sadness",
    "X": "",
    "NAN": "",
}
LABEL_FILES = ("Evalution.txt", "Evaluation.txt")
TURNS = {"turns": 8438, "A": 792, "H": 2644, "N": 3477, "S": 885, "O": 85, "X": 555}
_HEADER = re.compile(
    r"\s*(?:UTD|MSP)-IMPROV-(?P<name>S\d\d[A-Z]-[FM]0[1-6]-[PRST]-[FM]{2}\d+)\.(?:avi|wav)\s*;(?P<said>.*)$"
)
_NAME = re.compile(r"MSP-IMPROV-S\d\d[A-Z]-(?P<speaker>(?P<sex>[FM])0(?P<session>[1-6]))-[PRST]-[FM]{2}\d+")
_DIMENSIONS = {"valence": "V", "activation": "A", "dominance": "D"}
_COPY = "copy it again from the distribution"

ABOUT = About(
    description="MSP-IMPROV: acted audiovisual corpus of dyadic interactions, audio only.",
    citation=(
        "C. Busso, S. Parthasarathy, A. Burmania, M. AbdelWahab, N. Sadoughi, E. Mower Provost: MSP-IMPROV: An acted"
        " corpus of dyadic interactions to study emotion perception. IEEE Transactions on Affective Computing 8(1),"
        " 2017, pp. 67-80."
    ),
    licence="for research, under the academic licence of the University of Texas at Dallas",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, the folder that holds the label file and, at any depth, the sessions.

    Ratings are those of the label file, from 1 to 5; others were not given, and a rater's line that stands twice in a
    turn counts once. Raises InputError unless all 8438 turns are there, readable, and
    labelled as published, or `allow_partial`.
    """
    problems = Problems("msp_improv")
    remedy = "names are as in MSP-IMPROV-S01A-F01-P-FM01.wav: rename it"
    files = wav_files("msp_improv", source, pattern="**/*")
    by_name = by_id(named(files, _recording, problems, remedy), problems, same="name")
    listed = _read_labels(_label_file(source), problems)
    letters = Counter(majority.labels[0] if EMOTIONS[majority.labels[0]] else "X" for majority, *_ in listed.values())
    counts = Counter(turns=len(listed)) + letters
    check_counts(source, counts, TURNS, problems, remedy="copy the label file again from the distribution")
    where, remedy = f"wav files found under {source}", "unpack the whole distribution"
    check_files(sorted(listed), by_name, where, problems, remedy=remedy)
    unlisted = sorted(set(by_name) - set(listed))
    problems.add_names(f"{len(unlisted)} wav files", "no label for", unlisted, _COPY)
    chosen = (_labelled(by_name[name], *listed[name]) for name in sorted(set(by_name) & set(listed)))
    recordings = inspect_all(chosen, problems)
    classes = tuple(sorted(set(EMOTIONS.values()) - {""}))
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _recording(path: Path) -> Recording:
    """What a file's name says; ValueError for another name."""
    match = _NAME.fullmatch(path.stem)
    if not match:
        raise ValueError(f"{path.stem!r} is no turn")
    speaker, session = match["speaker"], f"session{match['session']}"
    return Recording(id=path.stem, path=str(path), speaker=speaker, sex=SEXES[match["sex"]], session=session)


def _labelled(recording: Recording, majority: Rating, *ratings: Rating) -> Recording:
    letter = majority.labels[0]
    return replace(
        recording,
        emotion_original=letter,
        emotion=EMOTIONS[letter],
        rater_labels=tuple(label for rating in ratings for label in rating.labels[:1]),
        ratings=ratings,
        **{name: getattr(majority, name) for name in _DIMENSIONS},
    )


def _label_file(source: Path) -> Path:
    """The label file in the folder itself or one level below; InputError where there is none."""
    for name in LABEL_FILES:
        for path in (source / name, *sorted(source.glob(f"*/{name}"))):
            if path.is_file():
                return path
    raise InputError(
        f"corpora/msp_improv: {source} holds no {' or '.join(LABEL_FILES)}; put the distribution's label file there"
    )


def _read_labels(path: Path, problems: Problems) -> dict[str, list[Rating]]:
    """Read the label file: turn -> the majority's letter and mean ratings, then each rater's; errors are noted.

    Notes count lines that stand twice in a turn, which count once.
    """
    turns: dict[str, list[Rating]] = {}
    current: list[Rating] | None = None  # ratings of this block's turn, None between blocks
    for where, line in read_lines(path, problems, or_latin_1=True):
        if not line.strip():
            current = None
            continue
        match = _HEADER.match(line)
        if match:
            current = []  # no ratings are kept of a turn that cannot be used
        with problems.at(where, _COPY):
            if match:
                name = f"MSP-IMPROV-{match['name']}"
                majority = _majority(name, _rating(line, match["said"], problems))
                if name in turns:
                    raise ValueError(f"{name} is listed twice")
                current = turns[name] = [majority]
            else:
                rating = _rating(line, line.partition(";")[2], problems)
                if current and any(repr(rating) == repr(other) for other in current[1:]):  # nan is not equal to itself
                    problems.note("lines repeat a rater's labels and ratings of the same turn and were passed over", 1)
                elif current:
                    current.append(rating)
        if current is None:
            problems.add(where, f"{line.strip()!r} is no turn and follows none", _COPY)
    return turns


def _majority(name: str, rating: Rating) -> Rating:
    letter = rating.labels[0].upper() if rating.labels else ""
    if letter not in EMOTIONS:
        raise ValueError(f"{name}: unknown emotion {letter!r} (known: {', '.join(EMOTIONS)})")
    return replace(rating, labels=(letter,))


def _rating(line: str, said: str, problems: Problems) -> Rating:
    """What a line says: `Neutral; A:2.8; V:NaN; D:3.1 ; N:4.2;` (N is naturalness, which is not kept)."""
    cells = [cell.strip() for cell in said.split(";") if cell.strip()]
    labels = [label.strip() for cell in cells if ":" not in cell for label in cell.split(",") if label.strip()]
    rated = {
        name.strip().upper(): value.strip() for name, _, value in (cell.partition(":") for cell in cells if ":" in cell)
    }
    try:
        values = {field: float(rated.get(letter) or NOT_RATED) for field, letter in _DIMENSIONS.items()}
        values = {field: given(value, problems) for field, value in values.items()}
    except ValueError:
        raise ValueError(f"{line.strip()!r} holds a rating that is no number") from None
    return Rating(rater=line.partition(";")[0].strip(), labels=tuple(dict.fromkeys(labels)), **values)
