"""SAVEE: 480 recordings of four men in seven emotions (Haq and Jackson 2009).

Layout: `AudioData/DC/a01.wav` = speaker, emotion, sentence; copies exist with all files in one folder, `DC_a01.wav`.
Fifteen sentences of each emotion and thirty neutral ones; 44.1 kHz.
"""

import re
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import inspect_all, wav_files
from sejax.corpora.problems import Problems, shortened

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
_NAME = re.compile(rf"(?:({'|'.join(SPEAKERS)})_)?({'|'.join(EMOTIONS)})(\d\d)")

ABOUT = About(
    description="Surrey Audio-Visual Expressed Emotion database, audio only.",
    citation=(
        "S. Haq, P. J. B. Jackson: Speaker-dependent audio-visual emotion recognition."
        " Proc. Auditory-Visual Speech Processing (AVSP) 2009, Norwich, pp. 53-58."
    ),
    licence="free for research from the University of Surrey, on registration",
)


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


def open_corpus(source: str | Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; raises InputError unless all 480 files are usable."""
    source = Path(source)
    problems = Problems("savee")
    wanted = identifiers()
    found: dict[str, Path] = {}
    for path in wav_files("savee", source, pattern="**/*"):
        name = _identifier(path)
        if name not in wanted:
            problems.add(
                str(path), f"{name or path.stem!r} is no recording of SAVEE", "names are as in DC/a01.wav or DC_a01.wav"
            )
        elif name in found:
            problems.add(str(path), f"has the same id {name} as {found[name]}", "remove one of the two")
        else:
            found[name] = path
    missing = [name for name in wanted if name not in found]
    if missing:
        problems.add(
            f"{len(found)} of {len(wanted)} files found under {source}",
            f"missing {shortened(missing)}",
            "unpack the whole distribution",
        )
    return Corpus(
        name="savee",
        classes=tuple(sorted(emotion for _, emotion in EMOTIONS.values())),
        recordings=inspect_all((_recording(name, found[name]) for name in sorted(found)), problems),
        left_out=problems.settle(allow_partial=allow_partial),
        about=ABOUT,
    )


def _identifier(path: Path) -> str:
    """DC_a01 for DC/a01.wav and for DC_a01.wav; "" for other names."""
    match = _NAME.fullmatch(path.stem)
    return f"{match[1] or path.parent.name}_{match[2]}{match[3]}" if match else ""


def _recording(name: str, path: Path) -> Recording:
    original, emotion = EMOTIONS[_NAME.fullmatch(name)[2]]
    return Recording(id=name, path=str(path), speaker=name[:2], sex="male", emotion_original=original, emotion=emotion)
