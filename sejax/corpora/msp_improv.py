"""MSP-IMPROV: 8438 turns of improvised and read speech by twelve actors in six sessions of two (Busso et al. 2017).

Layout: `session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav` = sentence 01 and the emotion that was asked for (A), speaker,
scenario (P R S T), turn; some copies have the sessions in a folder `Audio`. Labels lie in `Evalution.txt` (sic; some
copies mend the spelling): blocks between blank lines, first the turn's majority label and mean ratings, then a line for
each rater.
"""

import re
from collections import Counter
from pathlib import Path

from sejax.corpora.corpus import NOT_RATED, About, Corpus, Rating, Recording
from sejax.corpora.folder import check_counts, inspect_all, read_lines, wav_files
from sejax.corpora.problems import Problems, shortened
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
TURNS = {"turns": 8438, "A": 792, "H": 2644, "N": 3477, "S": 885}
SEXES = {"F": "female", "M": "male"}
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


def open_corpus(source: str | Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, the folder that holds the label file and, at any depth, the sessions.

    Ratings are those of the label file, from 1 to 5. Raises InputError unless all 8438 turns are there, readable, and
    labelled as published, or `allow_partial`.
    """
    source = Path(source)
    problems = Problems("msp_improv")
    files = _by_name(wav_files("msp_improv", source, pattern="**/*"), problems)
    listed = _read_labels(_label_file(source), problems)
    check_counts(source, _counts(listed), TURNS, problems, remedy="copy the label file again from the distribution")
    missing = sorted(set(listed) - set(files))
    if missing:
        problems.add(
            f"{len(listed) - len(missing)} of {len(listed)} wav files found under {source}",
            f"missing {shortened(missing)}",
            "unpack the whole distribution",
        )
    unlisted = sorted(set(files) - set(listed))
    if unlisted:
        problems.add(f"{len(unlisted)} wav files", f"no label for {shortened(unlisted)}", _COPY)
    chosen = (_recording(name, files[name], *listed[name]) for name in sorted(set(files) & set(listed)))
    return Corpus(
        name="msp_improv",
        classes=tuple(sorted(set(EMOTIONS.values()) - {""})),
        recordings=inspect_all(chosen, problems),
        left_out=problems.settle(allow_partial=allow_partial),
        about=ABOUT,
    )


def _by_name(paths: list[Path], problems: Problems) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in paths:
        if not _NAME.fullmatch(path.stem):
            problems.add(
                str(path), f"{path.stem!r} is no turn", "names are as in MSP-IMPROV-S01A-F01-P-FM01.wav: rename it"
            )
        elif path.stem in files:
            problems.add(str(path), f"has the same name as {files[path.stem]}", "remove one of the two")
        else:
            files[path.stem] = path
    return files


def _label_file(source: Path) -> Path:
    """The label file in the folder itself or one level below; InputError where there is none."""
    found = [
        path for name in LABEL_FILES for path in (source / name, *sorted(source.glob(f"*/{name}"))) if path.is_file()
    ]
    if not found:
        raise InputError(
            f"corpora/msp_improv: {source} holds no {' or '.join(LABEL_FILES)}; put the distribution's label file there"
        )
    return found[0]


def _read_labels(path: Path, problems: Problems) -> dict[str, tuple[str, dict, tuple[Rating, ...]]]:
    """Read the label file: turn -> (letter, mean ratings, the raters' own); what cannot be read is noted."""
    turns: dict[str, tuple[str, dict, tuple[Rating, ...]]] = {}
    current = None  # the turn of this block, "" in a block that cannot be used, None between blocks
    for number, line in read_lines(path, problems, or_latin_1=True):
        where = f"{path}, line {number}"
        if not line.strip():
            current = None
            continue
        match = _HEADER.match(line)
        said = _said(match["said"] if match else line.partition(";")[2], where, line, problems)
        if match:
            name = f"MSP-IMPROV-{match['name']}"
            current = name if _add_turn(turns, name, said, where, problems) else ""
        elif current is None:
            problems.add(where, f"{line.strip()!r} is no turn and follows none", _COPY)
        elif current and said:
            letter, means, ratings = turns[current]
            rating = Rating(rater=line.partition(";")[0].strip(), labels=said[0], **said[1])
            turns[current] = letter, means, (*ratings, rating)
    return turns


def _add_turn(turns: dict, name: str, said: tuple | None, where: str, problems: Problems) -> bool:
    """Begin a turn unless something is wrong with its line; returns whether it was begun."""
    if said is None:
        return False
    letter = said[0][0].upper() if said[0] else ""
    if letter not in EMOTIONS:
        problems.add(where, f"{name}: unknown emotion {letter!r} (known: {', '.join(EMOTIONS)})", _COPY)
        return False
    if name in turns:
        problems.add(where, f"{name} is listed twice", _COPY)
        return False
    turns[name] = letter, said[1], ()
    return True


def _said(text: str, where: str, line: str, problems: Problems) -> tuple[tuple[str, ...], dict[str, float]] | None:
    """Labels and ratings of a line: `Neutral; A:2.8; V:NaN; D:3.1 ; N:4.2;` (N is naturalness, which is not kept)."""
    cells = [cell.strip() for cell in text.split(";") if cell.strip()]
    labels = [label.strip() for cell in cells if ":" not in cell for label in cell.split(",") if label.strip()]
    rated = {
        name.strip().upper(): value.strip() for name, _, value in (cell.partition(":") for cell in cells if ":" in cell)
    }
    try:
        values = {field: float(rated.get(letter) or NOT_RATED) for field, letter in _DIMENSIONS.items()}
    except ValueError:
        problems.add(where, f"{line.strip()!r} holds a rating that is no number", _COPY)
        return None
    return tuple(dict.fromkeys(labels)), values


def _counts(listed: dict) -> Counter:
    return Counter({"turns": len(listed)}) + Counter(letter for letter, _, _ in listed.values())


def _recording(name: str, path: Path, letter: str, means: dict, ratings: tuple[Rating, ...]) -> Recording:
    match = _NAME.fullmatch(name)
    return Recording(
        id=name,
        path=str(path),
        speaker=match["speaker"],
        sex=SEXES[match["sex"]],
        session=f"session{match['session']}",
        emotion_original=letter,
        emotion=EMOTIONS[letter],
        rater_labels=tuple(label for rating in ratings for label in rating.labels[:1]),
        ratings=ratings,
        **means,
    )
