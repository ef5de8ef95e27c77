"""nEMO: 4481 recordings of Polish speech by nine actors in six emotions (Christop 2024).

Layout of the repository: `samples/WR0_surprised_64.wav` = speaker, emotion, sentence, and `data.tsv` (UTF-8, tabs) with
the columns file_id, emotion, raw_text, normalized_text, speaker_id (padded with blanks), gender, age.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, check_codes, check_counts, check_files, inspect_all, read_lines, wav_files
from sejax.corpora.problems import Problems
from sejax.errors import InputError

EMOTIONS = {  # the corpus's word: our class
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
COLUMNS = ("file_id", "emotion", "raw_text", "speaker_id", "gender")
RECORDINGS = {
    "rows": 4481,
    **{"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprised": 669},
}
AUDIO = Audio(24000, files=4481, seconds=11061.3)
_COPY = "copy it again from the repository"

ABOUT = About(
    description="nEMO: dataset of emotional speech in Polish, all recordings.",
    citation="I. Christop: nEMO: Dataset of Emotional Speech in Polish. Proc. LREC-COLING 2024, Torino.",
    licence="CC BY-NC-SA 4.0",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, the folder that holds data.tsv and `samples`.

    Raises InputError unless all 4481 recordings are there, readable, and labelled as published, at
    24 kHz and 11,061.3 s together, or `allow_partial`.
    """
    problems, remedy, table = Problems("nemo"), "get the whole repository", source / "data.tsv"
    files = {path.name: path for path in wav_files("nemo", source, "samples")}
    rows = _read_rows(table, problems)
    counts = Counter(item.emotion_original for item in rows.values()) + Counter(rows=len(rows))
    check_counts(table, counts, RECORDINGS, problems, remedy=remedy)
    check_files(sorted(rows), files, f"files found under {source / 'samples'}", problems, remedy=remedy)
    problems.add_names(table, "no row for", sorted(set(files) - set(rows)), remedy)
    there = (replace(rows[name], path=str(files[name])) for name in sorted(set(rows) & set(files)))
    classes = tuple(EMOTIONS.values())
    recordings = inspect_all(there, problems, AUDIO)
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _read_rows(path: Path, problems: Problems) -> dict[str, Recording]:
    """Rows of data.tsv by file name, without paths; rows that cannot be understood are noted."""
    if not path.is_file():
        raise InputError(
            f"corpora/nemo: there is no {path}; pass the folder of the repository, which holds data.tsv and samples, as"
            " --source (tables in Parquet are another distribution: write a manifest for their files)"
        )
    lines = read_lines(path, problems)
    columns = lines[0][1].split("\t") if lines else []
    lacking = [name for name in COLUMNS if name not in columns]
    if lacking:
        problems.add(f"{path}, line 1", f"no column {', '.join(lacking)}", _COPY)
        return {}
    rows: dict[str, Recording] = {}
    for where, line in lines[1:]:
        if not line.strip():
            continue
        with problems.at(where, _COPY):
            name, recording = _row(line, columns)
            if name in rows:
                raise ValueError(f"{name} is listed twice")
            rows[name] = recording
    return rows


def _row(line: str, columns: list[str]) -> tuple[str, Recording]:
    """A row's file name and what it says, blanks around cells taken off; ValueError for one that makes no sense."""
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} cells where the header has {len(columns)}")
    row = dict(zip(columns, cells, strict=True))
    name, speaker, emotion, sex = (row[column] for column in ("file_id", "speaker_id", "emotion", "gender"))
    check_codes(emotion=(emotion, EMOTIONS), gender=(sex, ("female", "male")))
    if name.split("_")[:2] != [speaker, emotion]:
        raise ValueError(f"{name} is not speaker {speaker!r} and emotion {emotion!r}")
    return name, Recording(
        id=Path(name).stem,
        speaker=speaker,
        sex=sex,
        emotion_original=emotion,
        emotion=EMOTIONS[emotion],
        transcript=row["raw_text"],
    )
