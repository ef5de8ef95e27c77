"""A CSV of audio files and what is said in them, as prediction takes it."""

from pathlib import Path

from sejax.corpora.csv_rows import Form, Row, read_rows
from sejax.corpora.problems import BadRecording, Problems, listed
from sejax.corpora.waveform import inspect
from sejax.errors import InputError

# A manifest that a corpus was prepared from will do: its columns have other names for the same.
TABLE = Form(
    "table",
    columns=("wav", "text"),
    needed=("wav", "text"),
    example="wav,text",
    also={"path": "wav", "transcript": "text"},
)


def read_table(path: str | Path) -> list[tuple[Path, str]]:
    """The audio files of a CSV with the columns wav (or path) and text (or transcript), and their texts.

    Relative paths are relative to the CSV; a text may be empty. Further columns are passed over, but for start and
    end: files are taken whole.

    Raises:
      InputError: no such file, no such CSV; every bad row at once, with its line: an audio file that is missing or
        cannot be read, a start or end.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"table: there is no file {path}; name a CSV with the columns wav and text")
    problems = Problems("table")
    rows = read_rows(path, TABLE, problems)
    files = [(_checked(row, path, problems), row.cells["text"]) for row in rows]
    if problems.found:
        raise InputError(f"table: {listed(problems.found)}")
    return files


def _checked(row: Row, path: Path, problems: Problems) -> Path:
    """The audio file of a row; what is wrong with it is noted."""
    file = path.parent / row.cells["wav"]
    if any(row.cells.get(column) for column in ("start", "end")):
        problems.add(row.at(path), "has a start or end", "cut that part into a file of its own")
    if not row.cells["wav"]:
        problems.add(row.at(path), "the path is empty", "name an audio file")
        return file
    try:
        inspect(file)
    except BadRecording as error:
        problems.add(row.at(path), f"{error.problem.where}: {error.problem.what}", error.problem.remedy)
    return file
