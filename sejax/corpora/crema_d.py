"""CREMA-D: 7442 recordings of 91 actors, twelve sentences, six emotions (Cao et al. 2014).

Layout: `AudioWAV/1001_DFA_ANG_XX.wav` = actor, sentence, emotion, level (LO MD HI XX; one name ends in `_X`). A clone
of the repository without Git LFS holds pointers in place of the files. `VideoDemographics.csv` gives the actors' sex.
"""

import csv
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_codes, check_counts, inspect_all, named, read_lines, wav_files
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
AUDIO = Audio(16000, files=7441, seconds=18924.0)  # without the silent one
DEMOGRAPHICS = "VideoDemographics.csv"

ABOUT = About(
    description="Crowd-sourced Emotional Multimodal Actors Dataset, audio only.",
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma: CREMA-D: Crowd-sourced Emotional"
        " Multimodal Actors Dataset. IEEE Transactions on Affective Computing 5(4), 2014, pp. 377-390."
    ),
    licence="Open Database License (ODbL) 1.0",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source` (the folder that holds `AudioWAV`, or that folder itself).

    The silent file of the distribution is passed over with a note. Raises InputError unless the other 7441 are there
    and usable, at 16 kHz and 18,924 s together, or `allow_partial`.
    """
    problems = Problems("crema_d")
    remedy = "names are actor, sentence, emotion, level, as in 1001_DFA_ANG_XX.wav: rename it"
    by_name = by_id(named(wav_files("crema_d", source, "AudioWAV"), _recording, problems, remedy), problems)
    there = {*by_name, SILENT}  # whoever took the silent file away has all there is to hear
    counts = Counter(name.split("_")[2] for name in there) + Counter(files=len(there))
    check_counts(source, counts, RECORDINGS, problems, remedy="get the whole repository, with Git LFS")
    pointers = _pointers(by_name, problems)
    sexes = _sexes(source, problems)
    if by_name.pop(SILENT, None):
        problems.note(f"{SILENT}.wav was passed over: it is silent in the distribution")
    chosen = (by_name[name] for name in sorted(by_name) if name not in pointers)
    recordings = inspect_all((replace(item, sex=sexes.get(item.speaker, "")) for item in chosen), problems, AUDIO)
    return Corpus.checked(problems, recordings, ABOUT, classes=tuple(EMOTIONS.values()), allow_partial=allow_partial)


def _recording(path: Path) -> Recording:
    """What a file's name says; ValueError for another name."""
    parts = path.stem.split("_")
    if len(parts) != 4:
        raise ValueError(f"{path.stem!r} is not four parts")
    actor, sentence, emotion, level = parts
    if not re.fullmatch(r"10\d\d", actor) or not 1001 <= int(actor) <= 1091:
        raise ValueError(f"unknown actor {actor!r} (known: 1001 to 1091)")
    check_codes(sentence=(sentence, SENTENCES), emotion=(emotion, EMOTIONS), level=(level, LEVELS))
    return Recording(
        id=path.stem,
        path=str(path),
        speaker=actor,
        emotion_original=emotion,
        emotion=EMOTIONS[emotion],
        transcript=SENTENCES[sentence],
    )


def _pointers(by_name: dict[str, Recording], problems: Problems) -> list[str]:
    """Names of the files that are Git LFS pointers, told in one problem: in a bare clone all 7442 are."""
    paths = {name: Path(by_name[name].path) for name in sorted(by_name)}
    small = (name for name, path in paths.items() if path.stat().st_size < 1024)
    pointers = [name for name in small if paths[name].read_bytes().startswith(b"version https://git-lfs")]
    if pointers:
        more = f" and {len(pointers) - 1} more" if len(pointers) > 1 else ""
        remedy = "fetch the files with `git lfs pull`"
        problems.add(f"{paths[pointers[0]]}{more}", "Git LFS pointers instead of audio", remedy)
    return pointers


def _sexes(source: Path, problems: Problems) -> dict[str, str]:
    """Actor -> sex from VideoDemographics.csv beside AudioWAV, which may be missing."""
    path = next((path for path in (source / DEMOGRAPHICS, source.parent / DEMOGRAPHICS) if path.is_file()), None)
    if path is None:
        problems.note(f"no {DEMOGRAPHICS} beside the recordings: the actors' sex is unknown")
        return {}
    sexes: dict[str, str] = {}
    for where, line in read_lines(path, problems)[1:]:
        cells = next(csv.reader([line]), [])
        if len(cells) >= 3 and cells[2].strip().lower() in ("male", "female"):
            sexes[cells[0].strip()] = cells[2].strip().lower()
        elif any(cells):
            problems.add(where, f"{line!r} is not actor, age, sex", "copy it again from the repository")
    return sexes
