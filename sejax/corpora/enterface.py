"""eNTERFACE'05: 1287 sentences of 43 subjects in six elicited emotions, in English (Martin et al. 2006).

Layout: `subject 1/anger/sentence 1/s1_an_1.avi`, the sound inside the video, 48 kHz; wavs that somebody extracted stand
beside the avis or in their place. The folders tell subject, emotion and sentence, since the files' names err: those of
subject 11 begin with s12, some of subject 3 with s_3. Subject 6 has one long file for each emotion, without sentences.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from sejax.corpora import avi
from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_files, files_in, inspect_all, named, unpacked
from sejax.corpora.problems import Problems
from sejax.corpora.published import note_samples, published
from sejax.errors import InputError

EMOTIONS = {  # the emotion's folder: (the code in names, our class: the paper's)
    "anger": ("an", "anger"),
    "disgust": ("di", "disgust"),
    "fear": ("fe", "fear"),
    "happiness": ("ha", "joy"),
    "sadness": ("sa", "sadness"),
    "surprise": ("su", "surprise"),
}
SUBJECTS = tuple(number for number in range(1, 45) if number != 6)
WHOLE = "6"  # the subject whose six recordings were never cut into sentences
NEVER_RECORDED = ("s23_ha_1", "s23_ha_2", "s23_ha_3")
AUDIO = Audio(48000)
_NAME = re.compile(r"s_?(\d+)_([a-z]{2})_(\d)(?:avi)?")  # s16_su_3avi.avi is one of the slips

ABOUT = About(
    description="eNTERFACE'05 audio-visual emotion database, audio only, without the uncut subject 6.",
    citation=(
        "O. Martin, I. Kotsia, B. Macq, I. Pitas: The eNTERFACE'05 audio-visual emotion database. Proc. First IEEE"
        " Workshop on Multimedia Database Management, Atlanta, 2006."
    ),
    licence="MIT, by the corpus's page",
)


def identifiers() -> tuple[str, ...]:
    """The 1287 sentences as s1_an_1: subject, emotion, sentence."""
    codes = sorted(code for code, _ in EMOTIONS.values())
    every = (f"s{subject}_{code}_{number}" for subject in SUBJECTS for code in codes for number in range(1, 6))
    return tuple(name for name in every if name not in NEVER_RECORDED)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; an extracted wav goes before the avi of its sentence.

    Raises InputError unless all 1287 sentences are there and usable, at 48 kHz, or `allow_partial`; and where sentences
    are avis alone and there is no program ffmpeg.
    """
    problems, folder = Problems("enterface"), unpacked("enterface", source)
    files = [path for path in files_in(folder, "**/*") if path.suffix.lower() in (".avi", ".wav") and path.is_file()]
    if not files:
        raise InputError(
            f"corpora/enterface: 0 avi and wav files found under {source}; pass the folder that holds `subject 1` to"
            " `subject 44` as --source"
        )
    uncut = [path for path in files if _is_uncut(path)]
    files = _without_extracted(path for path in files if not _is_uncut(path))
    problems.note("recordings of subject 6 were passed over: each holds all sentences of an emotion", len(uncut))
    _note_misnamed(files, problems)
    if any(path.suffix.lower() == ".avi" for path in files) and not avi.has_ffmpeg():
        raise InputError(
            f"corpora/enterface: the sound of the avis under {source} needs the program ffmpeg, which is not here;"
            f" install it, or put wavs beside the avis, made elsewhere with `{avi.BY_HAND}`"
        )
    remedy = "files lie in `subject N/EMOTION/sentence K`: put it there"
    by_name = by_id(named(files, _recording, problems, remedy), problems)
    check_files(identifiers(), by_name, f"sentences found under {source}", problems, remedy="unpack the whole database")
    recordings = inspect_all((by_name[name] for name in identifiers() if name in by_name), problems, AUDIO)
    note_samples("enterface", len(recordings), problems)
    classes = published("enterface").classes
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _place(path: Path) -> tuple[str, str, str] | None:
    """Subject, emotion and sentence, by the three folders that a file lies in."""
    above = [part.lower() for part in path.parts[-4:-1]]
    patterns = (r"subject[ _-]?(\d+)", rf"({'|'.join(EMOTIONS)})", r"sentence[ _-]?(\d)")
    found = [re.fullmatch(pattern, part) for pattern, part in zip(patterns, above, strict=False)]
    if len(found) < 3 or not all(found):
        return None
    subject, emotion, sentence = (match[1] for match in found)
    return str(int(subject)), emotion, sentence


def _is_uncut(path: Path) -> bool:
    return bool(re.fullmatch(rf"subject[ _-]?{WHOLE}", path.parts[-3].lower() if len(path.parts) > 2 else ""))


def _without_extracted(files: Iterator[Path]) -> list[Path]:
    """The files without the avis whose sound somebody has extracted into a wav beside them."""
    files = list(files)
    wavs = {path.with_suffix("") for path in files if path.suffix.lower() == ".wav"}
    return [path for path in files if path.suffix.lower() == ".wav" or path.with_suffix("") not in wavs]


def _note_misnamed(files: list[Path], problems: Problems) -> None:
    """Count the files whose names say another subject, emotion or sentence than their folders."""
    wrong = 0
    for path in files:
        place, match = _place(path), _NAME.fullmatch(path.stem.lower())
        if place and (not match or match.groups() != (place[0], EMOTIONS[place[1]][0], place[2])):
            wrong += 1
    problems.note("files are named otherwise than their folders, which hold", wrong)


def _recording(path: Path) -> Recording:
    """What a file's folders say; ValueError where they are others."""
    place = _place(path)
    if place is None:
        raise ValueError("lies in other folders than subject, emotion and sentence")
    subject, emotion, sentence = place
    code, name = EMOTIONS[emotion]
    recording = Recording(
        id=f"s{subject}_{code}_{sentence}",
        path=str(path),
        speaker=f"s{subject}",
        emotion_original=emotion,
        emotion=name,
    )
    if recording.id not in identifiers():
        raise ValueError(f"{recording.id} is no recording of the database")
    return recording
