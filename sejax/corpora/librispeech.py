"""LibriSpeech: read English audiobooks (Panayotov et al. 2015), the freely available stand-in for unlabelled speech.

Layout: `<part>/<speaker>/<chapter>/<speaker>-<chapter>-0000.flac` beside `<speaker>-<chapter>.trans.txt`, one line
`<id> <TEXT>` for each recording; `SPEAKERS.TXT` beside the parts gives the readers' sex.
"""

from collections.abc import Sequence
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import check_counts, inspect_all, is_shadow, read_lines, require_folder
from sejax.corpora.problems import Problems, shortened
from sejax.errors import InputError

PARTS = {  # utterances of each complete part
    "dev-clean": 2703,
    "dev-other": 2864,
    "test-clean": 2620,
    "test-other": 2939,
    "train-clean-100": 28539,
    "train-clean-360": 104014,
    "train-other-500": 148688,
}
SPLITS = {"train": "train", "dev": "valid", "test": "test"}
SPEAKERS = "SPEAKERS.TXT"

ABOUT = About(
    description="LibriSpeech: read English speech from audiobooks of the LibriVox project, without emotion labels.",
    citation=(
        "V. Panayotov, G. Chen, D. Povey, S. Khudanpur: Librispeech: An ASR corpus based on public domain audio books."
        " Proc. ICASSP 2015, Brisbane, pp. 5206-5210."
    ),
    licence="CC BY 4.0",
)


def open_corpus(source: str | Path, *, part: str | Sequence[str] | None = None, allow_partial: bool = False) -> Corpus:
    """Look through parts of the corpus under `source`: the folder LibriSpeech, the one that holds it, or one part.

    `part` names one or several ("train-clean-100", "dev-clean"); without it every part that is there is read. All
    utterances are unlabelled. Raises InputError unless each part is complete and readable, or `allow_partial`.
    """
    problems = Problems("librispeech")
    folders = _parts(Path(source), part)
    sexes, notes = _sexes(next(iter(folders.values())).parent, problems)
    recordings: list[Recording] = []
    for name, folder in folders.items():
        here = [item for chapter in _chapters(folder) for item in _chapter(chapter, name, sexes, problems)]
        remedy = "unpack the part again from its archive"
        check_counts(folder, {"utterances": len(here)}, {"utterances": PARTS[name]}, problems, remedy=remedy)
        recordings += here
    return Corpus(
        name="librispeech",
        classes=(),
        recordings=inspect_all(recordings, problems),
        options={"part": list(folders)},
        left_out=problems.settle(allow_partial=allow_partial),
        notes=tuple(notes),
        about=ABOUT,
    )


def _parts(source: Path, wanted: str | Sequence[str] | None) -> dict[str, Path]:
    """Folders of the parts by name; InputError for a part that is unknown or not there, and where there is none."""
    require_folder("librispeech", source)
    if source.name in PARTS and wanted is None:
        return {source.name: source}
    wanted = [wanted] if isinstance(wanted, str) else list(wanted or ())
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        raise InputError(f"corpora/librispeech: part={','.join(unknown)}; use {', '.join(PARTS)}")
    root = source / "LibriSpeech" if (source / "LibriSpeech").is_dir() else source
    there = {name: root / name for name in PARTS if (root / name).is_dir()}
    missing = [name for name in wanted if name not in there]
    if missing or not there:
        lacking = ", ".join(missing) or "a part (such as train-clean-100)"
        raise InputError(
            f"corpora/librispeech: {root} has no folder {lacking}; pass the unpacked LibriSpeech folder as --source"
        )
    return {name: path for name, path in there.items() if not wanted or name in wanted}


def _chapters(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.is_dir())


def _chapter(folder: Path, part: str, sexes: dict[str, str], problems: Problems) -> list[Recording]:
    """A chapter's recordings in order; what its transcript or its files lack is noted."""
    speaker, chapter = folder.parent.name, folder.name
    path = folder / f"{speaker}-{chapter}.trans.txt"
    lines = read_lines(path, problems)
    texts = dict(line.partition(" ")[::2] for _, line in lines if line.strip())
    files = {file.stem: file for file in sorted(folder.glob("*.flac")) if not is_shadow(file)}
    if not lines:
        return []
    missing, unlisted = sorted(set(texts) - set(files)), sorted(set(files) - set(texts))
    if missing:
        problems.add(str(folder), f"missing {shortened([f'{name}.flac' for name in missing])}", "unpack the part again")
    if unlisted:
        problems.add(str(path), f"no line for {shortened(unlisted)}", "unpack the part again")
    return [
        Recording(
            id=name,
            path=str(file),
            speaker=speaker,
            sex=sexes.get(speaker, ""),
            transcript=texts[name],
            split=SPLITS[part.partition("-")[0]],
        )
        for name, file in files.items()
        if name in texts
    ]


def _sexes(root: Path, problems: Problems) -> tuple[dict[str, str], list[str]]:
    """Reader -> sex from SPEAKERS.TXT (`14 | F | train-clean-360 | 25.03 | name`), and a note where it is missing."""
    path = root / SPEAKERS
    if not path.is_file():
        return {}, [f"no {SPEAKERS} beside the parts: the readers' sex is unknown"]
    sexes = {"F": "female", "M": "male"}
    rows = ([cell.strip() for cell in line.split("|")] for _, line in read_lines(path, problems))
    return {cells[0]: sexes[cells[1]] for cells in rows if len(cells) > 1 and cells[1] in sexes}, []
