"""Text files of a corpus, line by line, and the comparison of what they hold with the published counts."""

from collections.abc import Mapping
from pathlib import Path

from sejax.corpora.problems import Problems

_COPY = "copy it again from the original distribution"


def read_lines(path: Path, problems: Problems, *, or_latin_1: bool = False) -> list[tuple[int, str]]:
    """Numbered lines of a UTF-8 file, from 1; [] and a problem for a file that is missing or no such text.

    `or_latin_1` reads other bytes as Latin-1, for corpora whose annotation tools wrote that.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        problems.add(str(path), "no such file", "unpack the whole distribution")
        return []
    except OSError as error:
        problems.add(str(path), f"cannot be opened ({error.strerror})", "check its permissions")
        return []
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        problems.add(
            f"{path}, line {line}", "holds a NUL byte (UTF-16, or not a text)", f"{_COPY}, or save it as UTF-8"
        )
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not or_latin_1:
            line = data[: error.start].count(b"\n") + 1
            problems.add(
                f"{path}, line {line}", f"byte 0x{data[error.start]:02x} is not UTF-8", f"{_COPY}, or save it as UTF-8"
            )
            return []
        text = data.decode("latin-1")
    return list(enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1))


def check_counts(
    where: Path, found: Mapping[str, int], published: Mapping[str, int], problems: Problems, *, remedy: str
) -> None:
    """Note in one problem every count that is not the published one; `found` may lack what was not found."""
    wrong = [
        f"{found.get(name, 0)} of {number} {name}" for name, number in published.items() if found.get(name, 0) != number
    ]
    if wrong:
        problems.add(f"found under {where}", ", ".join(wrong), remedy)
