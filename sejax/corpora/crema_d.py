"""CREMA-D: 7442 recordings of 91 actors, twelve sentences, six emotions (Cao et al. 2014).

Layout: `AudioWAV/1001_DFA_ANG_XX.wav` = actor, sentence, emotion, level (LO MD HI XX; one name ends in `_X`). A clone
of the repository without Git LFS holds pointers in place of the files. `VideoDemographics.csv` gives the actors' sex.
"""

import csv
import re
from collections import Counter
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import check_counts, inspect_all, read_lines, wav_files
from sejax.corpora.problems import Problems

EMOTIONS = {  # code in the file name: our class
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
LEVELS = ("LO", "MD", "HI", "XX", "X")
SILENT = "1076_MTI_SAD_XX"  # published without a sound in it
RECORDINGS = {"files": 7442, "ANG": 1271, "DIS": 1271, "FEA": 1271, "HAP": 1271, "NEU": 1087, "SAD": 1271}
DEMOGRAPHICS = "VideoDemographics.csv"

ABOUT = About(
    description="Crowd-sourced Emotional Multimodal Actors Dataset, audio only.",
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma: CREMA-D: Crowd-sourced Emotional"
        " Multimodal Actors Dataset. IEEE Transactions on Affective Computing 5(4), 2014, pp. 377-390."
    ),
    licence="Open Database License (ODbL) 1.0",
)


def open_corpus(source: str | Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source` (the folder that holds `AudioWAV`, or that folder itself).

    The silent file of the distribution is passed over with a note. Raises InputError unless the other 7441 are there
    and usable, or `allow_partial`.
    """
    source = Path(source)
    problems = Problems("crema_d")
    found: dict[str, Path] = {}
    for path in wav_files("crema_d", source, "AudioWAV"):
        wrong = _wrong_part(path.stem)
        if wrong:
            problems.add(
                str(path), wrong, "names are actor, sentence, emotion, level, as in 1001_DFA_ANG_XX.wav: rename it"
            )
        else:
            found[path.stem] = path
    named = {*found, SILENT}  # whoever took the silent file away has all there is to hear
    counts = Counter(name.split("_")[2] for name in named) + Counter(files=len(named))
    check_counts(source, counts, RECORDINGS, problems, remedy="get the whole repository, with Git LFS")
    pointers = _without_pointers(found, problems)
    sexes, notes = _sexes(source, problems)
    if found.pop(SILENT, None):
        notes.append(f"{SILENT}.wav was passed over: it is silent in the distribution")
    recordings = (_recording(name, found[name], sexes) for name in sorted(found) if name not in pointers)
    return Corpus(
        name="crema_d",
        classes=tuple(EMOTIONS.values()),
        recordings=inspect_all(recordings, problems),
        left_out=problems.settle(allow_partial=allow_partial),
        notes=tuple(notes),
        about=ABOUT,
    )


def _wrong_part(name: str) -> str:
    parts = name.split("_")
    if len(parts) != 4:
        return f"{name!r} is not four parts"
    actor, sentence, emotion, level = parts
    if not re.fullmatch(r"10\d\d", actor) or not 1001 <= int(actor) <= 1091:
        return f"unknown actor {actor!r} (known: 1001 to 1091)"
    for what, value, known in (
        ("sentence", sentence, SENTENCES),
        ("emotion", emotion, EMOTIONS),
        ("level", level, LEVELS),
    ):
        if value not in known:
            return f"unknown {what} {value!r} (known: {', '.join(known)})"
    return ""


def _without_pointers(found: dict[str, Path], problems: Problems) -> set[str]:
    """Names of the files that are Git LFS pointers, told in one problem: in a bare clone all 7442 are."""
    pointers = {name for name, path in found.items() if path.stat().st_size < 1024 and _is_pointer(path)}
    if pointers:
        first = found[min(pointers)]
        problems.add(
            f"{first}" + (f" and {len(pointers) - 1} more" if len(pointers) > 1 else ""),
            "Git LFS pointers instead of audio",
            "fetch the files with `git lfs pull`",
        )
    return pointers


def _is_pointer(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(24).startswith(b"version https://git-lfs")


def _sexes(source: Path, problems: Problems) -> tuple[dict[str, str], list[str]]:
    """Actor -> sex from VideoDemographics.csv beside AudioWAV, and a note where it is missing."""
    path = next(
        (folder / DEMOGRAPHICS for folder in (source, source.parent) if (folder / DEMOGRAPHICS).is_file()), None
    )
    if path is None:
        return {}, [f"no {DEMOGRAPHICS} beside the recordings: the actors' sex is unknown"]
    sexes: dict[str, str] = {}
    for number, line in read_lines(path, problems)[1:]:
        cells = next(csv.reader([line]), [])
        if not any(cells):
            continue
        if len(cells) < 3 or cells[2].strip().lower() not in ("male", "female"):
            problems.add(
                f"{path}, line {number}", f"{line!r} is not actor, age, sex", "copy it again from the repository"
            )
            continue
        sexes[cells[0].strip()] = cells[2].strip().lower()
    return sexes, []


def _recording(name: str, path: Path, sexes: dict[str, str]) -> Recording:
    actor, sentence, emotion, _ = name.split("_")
    return Recording(
        id=name,
        path=str(path),
        speaker=actor,
        sex=sexes.get(actor, ""),
        emotion_original=emotion,
        emotion=EMOTIONS[emotion],
        transcript=SENTENCES[sentence],
    )
