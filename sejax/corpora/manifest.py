"""Any corpus through a CSV, labelled or not: a manifest written for it, or a table of nkululeko or MSP-Podcast.

Header: `path,label[,id,speaker,session,sex,start,end,transcript,valence,activation,dominance,split]`, or what other
tools call these columns (`sejax.corpora.tables.ALSO`). Paths are relative to the CSV, start and end are seconds.
Without a label column, or in a row whose label is empty, utterances are unlabelled. Under the name of one of the
paper's corpora the labels must come from its class list; those of sal and vam may be left to the ratings, where there
is no label column.
"""

from collections.abc import Sequence
from pathlib import Path

from sejax.corpora.corpus import About, Corpus
from sejax.corpora.csv_rows import Form, Row, read_rows
from sejax.corpora.names import on_disk
from sejax.corpora.problems import Problems
from sejax.corpora.tables import ALSO, COLUMNS, Entry, check_name, listed_corpus
from sejax.errors import InputError

# MSP-Podcast's letters are a column of their own, since A means anger there alone; X is no agreement.
LETTERS = {
    **{"A": "anger", "S": "sadness", "H": "happiness", "U": "surprise", "F": "fear", "D": "disgust", "C": "contempt"},
    **{"N": "neutral", "O": "other", "X": "", "": ""},
}
CODED = "emoclass"
MANIFEST = Form(
    "corpora/manifest", (*COLUMNS, CODED), needed=("path",), example="path,label,id,speaker", also=ALSO, yields=True
)


def open_corpus(
    source: Path,
    *,
    name: str = "manifest",
    classes: tuple[str, ...] | None = None,
    labels: Sequence[str] = (),
    audio: str = "",
    allow_partial: bool = False,
) -> Corpus:
    """Look through a manifest. `source` is the CSV, or a folder that holds `manifest.csv`.

    `classes` and `labels` are those of `sejax.corpora.tables.listed_corpus`; `audio` is the folder that paths are
    relative to where it is not the CSV's. Every bad row is reported at once with its line number, unless
    `allow_partial`.
    """
    check_name(name)
    path = source / "manifest.csv" if source.is_dir() else source
    if not path.is_file():
        raise InputError(f"corpora/manifest: there is no file {path}; pass the CSV as --source")
    problems = Problems(name)
    found = (_entry(row, path, problems) for row in read_rows(path, MANIFEST, problems))
    entries = [entry for entry in found if entry is not None]
    about = About(description=f"Utterances listed in a CSV manifest under the name {name}.")
    how = {"classes": classes, "labels": labels, "allow_partial": allow_partial}
    return listed_corpus(entries, audio_folder(audio, path.parent), problems, about, **how)


def audio_folder(audio: str, default: Path) -> Path:
    """What paths of a table are relative to. Raises InputError for a folder that is not there."""
    if not audio:
        return default
    folder = on_disk(audio)
    if not folder.is_dir():
        raise InputError(f"corpora: there is no folder {folder}; pass the one that paths are relative to as --audio")
    return folder


def _entry(row: Row, path: Path, problems: Problems) -> Entry | None:
    """A row with MSP-Podcast's letters spelt out, whose speakers may be Unknown; None for an unknown letter."""
    cells = dict(row.cells)
    if CODED in cells and "label" not in cells:
        letter = cells.pop(CODED)
        if letter not in LETTERS:
            known = ", ".join(filter(None, LETTERS))
            problems.add(row.at(path), f"EmoClass is {letter!r}", f"use one of the letters {known}, or leave it empty")
            return None
        cells["label"] = LETTERS[letter]
        if cells.get("speaker", "").lower() == "unknown":
            cells["speaker"] = ""
    return Entry(row.at(path), f"line {row.line}", cells)
