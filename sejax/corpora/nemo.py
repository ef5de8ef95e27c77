"""nEMO: 4481 recordings of Polish speech by nine actors in six emotions (Christop 2024).

Layout of the repository: `samples/WR0_surprised_64.wav` = speaker, emotion, sentence, and `data.tsv` (UTF-8, tabs) with
the columns file_id, emotion, raw_text, normalized_text, speaker_id (padded with blanks), gender, age.
"""

from collections import Counter
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import check_counts, inspect_all, read_lines, wav_files
from sejax.corpora.problems import Problems, shortened
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
_COPY = "copy it again from the repository"

ABOUT = About(
    description="nEMO: dataset of emotional speech in Polish, all recordings.",
    citation=("I. Christop: nEMO: Dataset of Emotional Speech in Polish. Proc. LREC-COLING 2024, Torino."),
    licence="CC BY-NC-SA 4.0",
)


def open_corpus(source: str | Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, the folder that holds data.tsv and `samples`.

    Raises InputError unless all 4481 recordings are there, readable, and labelled as published, or `allow_partial`.
    """
    source = Path(source)
    problems = Problems("nemo")
    files = {path.name: path for path in wav_files("nemo", source, "samples")}
    rows = _read_rows(source / "data.tsv", problems)
    counts = Counter(row["emotion"] for row in rows.values()) + Counter(rows=len(rows))
    check_counts(source / "data.tsv", counts, RECORDINGS, problems, remedy="get the whole repository")
    missing = [name for name in rows if name not in files]
    if missing:
        problems.add(
            f"{len(rows) - len(missing)} of {len(rows)} files found under {source / 'samples'}",
            f"missing {shortened(sorted(missing))}",
            "get the whole repository",
        )
    unlisted = sorted(set(files) - set(rows))
    if unlisted:
        problems.add(f"{source / 'data.tsv'}", f"no row for {shortened(unlisted)}", "get the whole repository")
    recordings = (_recording(rows[name], files[name]) for name in sorted(set(rows) & set(files)))
    return Corpus(
        name="nemo",
        classes=tuple(EMOTIONS.values()),
        recordings=inspect_all(recordings, problems),
        left_out=problems.settle(allow_partial=allow_partial),
        about=ABOUT,
    )


def _read_rows(path: Path, problems: Problems) -> dict[str, dict[str, str]]:
    """Rows of data.tsv by file name, blanks around cells taken off; rows that cannot be understood are noted."""
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
    rows: dict[str, dict[str, str]] = {}
    for number, line in lines[1:]:
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        row = dict(zip(columns, cells, strict=False))
        wrong = f"{len(cells)} cells where the header has {len(columns)}" if len(cells) != len(columns) else _wrong(row)
        if not wrong and row["file_id"] in rows:
            wrong = f"{row['file_id']} is listed twice"
        if wrong:
            problems.add(f"{path}, line {number}", wrong, _COPY)
        else:
            rows[row["file_id"]] = row
    return rows


def _wrong(row: dict[str, str]) -> str:
    if row["emotion"] not in EMOTIONS:
        return f"unknown emotion {row['emotion']!r} (known: {', '.join(EMOTIONS)})"
    if row["gender"] not in ("female", "male"):
        return f"unknown gender {row['gender']!r} (known: female, male)"
    if row["file_id"].split("_")[:2] != [row["speaker_id"], row["emotion"]]:
        return f"{row['file_id']} is not speaker {row['speaker_id']!r} and emotion {row['emotion']!r}"
    return ""


def _recording(row: dict[str, str], path: Path) -> Recording:
    return Recording(
        id=path.stem,
        path=str(path),
        speaker=row["speaker_id"],
        sex=row["gender"],
        emotion_original=row["emotion"],
        emotion=EMOTIONS[row["emotion"]],
        transcript=row["raw_text"],
    )
