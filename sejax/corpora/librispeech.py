"""LibriSpeech: read English audiobooks (Panayotov et al. 2015), the freely available stand-in for unlabelled speech.

Layout: `<part>/<speaker>/<chapter>/<speaker>-<chapter>-0000.flac` beside `<speaker>-<chapter>.trans.txt`, one line
`<id> <TEXT>` for each recording; `SPEAKERS.TXT` beside the parts gives the readers' sex.
"""

from collections.abc import Sequence
from pathlib import Path

from sejax.corpora.corpus import SEXES, About, Corpus, Progress, Recording
from sejax.corpora.folder import Audio, check_counts, files_in, inspect_all, read_lines, unpacked
from sejax.corpora.problems import Problems
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
AUDIO = Audio(16000)
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


def open_corpus(
    source: Path,
    *,
    part: str | Sequence[str] | None = None,
    allow_partial: bool = False,
    progress: Progress | None = None,
) -> Corpus:
    """Look through parts of the corpus under `source`: the folder LibriSpeech, the one that holds it, or one part.

    `part` names one or several ("train-clean-100", "dev-clean"); without it every part that is there is read. All
    utterances are unlabelled. `progress("headers", files, files in all)`.

    Raises InputError unless each part is complete and readable, at 16 kHz, or `allow_partial`.
    """
    problems = Problems("librispeech")
    folders = _parts(source, part)
    sexes = _sexes(next(iter(folders.values())).parent, problems)
    recordings: list[Recording] = []
    for name, folder in folders.items():
        chapters = sorted(path for path in folder.glob("*/*") if path.is_dir())
        here = [item for chapter in chapters for item in _chapter(chapter, name, sexes, problems)]
        remedy = "unpack the part again from its archive"
        check_counts(folder, {"utterances": len(here)}, {"utterances": PARTS[name]}, problems, remedy=remedy)
        recordings += here
    recordings = inspect_all(recordings, problems, AUDIO, progress=progress)
    options = {"part": list(folders)}
    return Corpus.checked(problems, recordings, ABOUT, options=options, allow_partial=allow_partial)


def _parts(source: Path, wanted: str | Sequence[str] | None) -> dict[str, Path]:
    """Folders of the parts by name; InputError for a part that is unknown or not there, and where there is none."""
    root = unpacked("librispeech", source, "LibriSpeech")
    if source.name in PARTS and wanted is None:
        return {source.name: source}
    wanted = [wanted] if isinstance(wanted, str) else list(wanted or ())
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        raise InputError(f"corpora/librispeech: part={','.join(unknown)}; use {', '.join(PARTS)}")
    there = {name: root / name for name in PARTS if (root / name).is_dir()}
    missing = [name for name in wanted if name not in there]
    if missing or not there:
        lacking = ", ".join(missing) or "a part (such as train-clean-100)"
        raise InputError(
            f"corpora/librispeech: {root} has no folder {lacking}; pass the unpacked LibriSpeech folder as --source"
        )
    return {name: path for name, path in there.items() if not wanted or name in wanted}


def _chapter(folder: Path, part: str, sexes: dict[str, str], problems: Problems) -> list[Recording]:
    """A chapter's recordings in order; what its transcript or its files lack is noted."""
    speaker, chapter = folder.parent.name, folder.name
    path = folder / f"{speaker}-{chapter}.trans.txt"
    lines, remedy = read_lines(path, problems), "unpack the part again"
    if not lines:
        return []
    texts = dict(line.partition(" ")[::2] for _, line in lines if line.strip())
    files = {file.stem: file for file in files_in(folder, "*.flac")}
    problems.add_names(folder, "missing", [f"{name}.flac" for name in sorted(set(texts) - set(files))], remedy)
    problems.add_names(path, "no line for", sorted(set(files) - set(texts)), remedy)
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


def _sexes(root: Path, problems: Problems) -> dict[str, str]:
    """Reader -> sex from SPEAKERS.TXT (`14 | F | train-clean-360 | 25.03 | name`), which may be missing."""
    path = root / SPEAKERS
    if not path.is_file():
        problems.note(f"no {SPEAKERS} beside the parts: the readers' sex is unknown")
        return {}
    rows = ([cell.strip() for cell in line.split("|")] for _, line in read_lines(path, problems))
    return {cells[0]: SEXES[cells[1]] for cells in rows if len(cells) > 1 and cells[1] in SEXES}
