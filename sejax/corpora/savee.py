"""SAVEE: 480 recordings of four men in seven emotions (Haq and Jackson 2009).

Layout: `AudioData/DC/a01.wav` = speaker, emotion, sentence; copies exist with all files in one folder, `DC_a01.wav`.
Fifteen sentences of each emotion and thirty neutral ones; 44.1 kHz.
"""

import functools
import re
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_files, inspect_all, named, wav_files
from sejax.corpora.problems import Problems

# `sa` and `su` come before `s` would: the first letter alone does not say which emotion it is.
EMOTIONS = {  # code in the file name: (the corpus's word, our class)
    "sa": ("sadness", "sadness"),
    "su": ("surprise", "surprise"),
    "a": ("anger", "anger"),
    "d": ("disgust", "disgust"),
    "f": ("fear", "fear"),
    "h": ("happiness", "happiness"),
    "n": ("neutral", "neutral"),
}
SPEAKERS = ("DC", "JE", "JK", "KL")
AUDIO = Audio(44100, files=480, seconds=1842.9)
_NAME = re.compile(rf"(?:({'|'.join(SPEAKERS)})_)?({'|'.join(EMOTIONS)})(\d\d)")

ABOUT = About(
    description="Surrey Audio-Visual Expressed Emotion database, audio only.",
    citation=(
        "S. Haq, P. J. B. Jackson: Speaker-dependent audio-visual emotion recognition."
        " Proc. Auditory-Visual Speech Processing (AVSP) 2009, Norwich, pp. 53-58."
    ),
    licence="free for research from the University of Surrey, on registration",
)


@functools.cache
def identifiers() -> tuple[str, ...]:
    """The 480 recordings as DC_a01, in alphabetical order."""
    return tuple(
        sorted(
            f"{speaker}_{code}{number:02}"
            for speaker in SPEAKERS
            for code in EMOTIONS
            for number in range(1, 31 if code == "n" else 16)
        )
    )


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; raises InputError unless all 480 files are usable.

    They must also be as published: 44.1 kHz, 1842.9 s together. `allow_partial` goes on with what is there.
    """
    problems = Problems("savee")
    files = wav_files("savee", source, pattern="**/*")
    by_name = by_id(named(files, _recording, problems, "names are as in DC/a01.wav or DC_a01.wav"), problems)
    remedy = "unpack the whole distribution"
    check_files(identifiers(), by_name, f"files found under {source}", problems, remedy=remedy)
    recordings = inspect_all((by_name[name] for name in sorted(by_name)), problems, AUDIO)
    classes = tuple(sorted(emotion for _, emotion in EMOTIONS.values()))
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _recording(path: Path) -> Recording:
    """What the names DC/a01.wav and DC_a01.wav say, with the id DC_a01; ValueError for another name."""
    match = _NAME.fullmatch(path.stem)
    name = f"{match[1] or path.parent.name}_{match[2]}{match[3]}" if match else path.stem
    if not match or name not in identifiers():
        raise ValueError(f"{name!r} is no recording of SAVEE")
    original, emotion = EMOTIONS[match[2]]
    return Recording(id=name, path=str(path), speaker=name[:2], sex="male", emotion_original=original, emotion=emotion)
