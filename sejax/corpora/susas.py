"""SUSAS, speech under actual stress: 3593 words of seven riders of roller coasters (Hansen and Bou-Ghazale 1997).

Layout of LDC99S78: `speech/actual/roller/f1/medst/break1.sph` = speaker, condition, word and its number; NIST SPHERE
at 8 kHz. Helicopter pilots (`actual/helicopt`), free fall, the files outside the vocabulary (`hist_oov_all` and the
like) and the simulated part (`speech/sim`) are not what the paper takes, and are passed over. Known from a public list
of all files; the four folders of that list that are read have the paper's 3593.
"""

import re
from collections import Counter
from pathlib import Path

from sejax.corpora.corpus import SEXES, About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_codes, check_counts, files_in, inspect_all, named, unpacked
from sejax.corpora.problems import Problems
from sejax.corpora.published import published
from sejax.errors import InputError

CONDITIONS = {  # the condition's folder: our class, the paper's
    "neutral": "neutral",
    "medst": "medium stress",
    "hist": "high stress",
    "scream": "screaming",
}
SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3", "m4")
RECORDINGS = {"neutral": 701, "medst": 1276, "hist": 1202, "scream": 414}  # together the paper's 3593
AUDIO = Audio(8000)
_CUT_NAMES = {"destin": "destination", "histog": "histogram"}  # names of files have six letters at most
WORDS = (
    *("break", "change", "degree", "destin", "east", "eight", "eighty", "enter", "fifty", "fix", "freeze", "gain"),
    *("go", "hello", "help", "histog", "hot", "mark", "nav", "no", "oh", "on", "out", "point", "six", "south"),
    *("stand", "steer", "strafe", "ten", "thirty", "three", "white", "wide", "zero"),
)

ABOUT = About(
    description="SUSAS: speech under simulated and actual stress; the actual stress of roller coasters.",
    citation=(
        "J. H. L. Hansen, S. E. Bou-Ghazale: Getting started with SUSAS: a speech under simulated and actual stress"
        " database. Proc. Eurospeech 1997, Rhodes, pp. 1743-1746."
    ),
    licence="that of the Linguistic Data Consortium for LDC99S78",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, any folder above the speakers' ones.

    Files may be the original SPHERE or wavs of the same names. Raises InputError unless all 3593 words are there, as
    many of each condition as the corpus has, readable and at 8 kHz, or `allow_partial`.
    """
    problems, folder = Problems("susas"), unpacked("susas", source)
    files = [path for path in files_in(folder, "**/*") if path.suffix.lower() in (".sph", ".wav") and path.is_file()]
    ours = [path for path in files if not _is_left_out(path, problems)]
    if not ours:
        raise InputError(
            f"corpora/susas: 0 words under actual stress found under {source}; pass the folder of LDC99S78 that holds"
            " speech/actual/roller as --source"
        )
    remedy = "names are as in roller/f1/medst/break1.sph: unpack the original again"
    by_name = by_id(named(ours, _recording, problems, remedy), problems)
    counts = Counter(item.emotion_original for item in by_name.values())
    check_counts(source, counts, RECORDINGS, problems, remedy="unpack the whole of speech/actual/roller")
    recordings = inspect_all((by_name[name] for name in sorted(by_name)), problems, AUDIO)
    classes = published("susas").classes
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _place(path: Path) -> list[str]:
    """Domain, speaker and condition of a file, in small letters."""
    return [part.lower() for part in path.absolute().parts[-4:-1]]


def _is_left_out(path: Path, problems: Problems) -> bool:
    """Whether a file belongs to a part that the paper does not take, which is noted."""
    above = [part.lower() for part in path.absolute().parts[:-1]]
    parts = {
        "of the simulated part": above[-3:-2] == ["sim"],
        "of helicopter pilots": above[-3:-2] == ["helicopt"],
        "in free fall": above[-1:] == ["freefall"],
        "outside the vocabulary (*_oov_all)": above[-1].endswith("_oov_all"),
    }
    for which in (name for name, holds in parts.items() if holds):
        problems.note(f"files {which} were passed over", 1)
        return True
    return False


def _recording(path: Path) -> Recording:
    """What a file's folders and name say; ValueError for others."""
    _, speaker, condition = _place(path)
    match = re.fullmatch(r"([a-z]+)(\d+)", path.stem.lower())
    if not match:
        raise ValueError(f"{path.stem!r} is no word with its number")
    word = match[1]
    check_codes(condition=(condition, CONDITIONS), speaker=(speaker, SPEAKERS), word=(word, WORDS))
    return Recording(
        id=f"{speaker}_{condition}_{path.stem.lower()}",
        path=str(path),
        speaker=speaker,
        sex=SEXES[speaker[0].upper()],
        emotion_original=condition,
        emotion=CONDITIONS[condition],
        transcript=_CUT_NAMES.get(word, word),
    )
