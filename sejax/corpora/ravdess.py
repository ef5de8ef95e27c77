"""RAVDESS: 1440 recordings of emotional speech by 24 actors (Livingstone and Russo 2018).

Layout: `Actor_01/03-01-06-01-02-01-12.wav` = modality, channel, emotion, intensity, statement, repetition, actor;
odd actors are men; 48 kHz. Mirrors hold copies in several folders: a name counts once.
"""

from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import inspect_all, wav_files
from sejax.corpora.problems import Problems

EMOTIONS = {  # code in the file name: (the corpus's word, our class)
    "01": ("neutral", "neutral"),
    "02": ("calm", "calm"),
    "03": ("happy", "happiness"),
    "04": ("sad", "sadness"),
    "05": ("angry", "anger"),
    "06": ("fearful", "fear"),
    "07": ("disgust", "disgust"),
    "08": ("surprised", "surprise"),
}
STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
RECORDINGS = 1440
_AUDIO_SPEECH = ("03", "01")  # modality audio-only, channel speech

ABOUT = About(
    description="Ryerson Audio-Visual Database of Emotional Speech and Song: the audio-only speech part.",
    citation=(
        "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS)."
        " PLoS ONE 13(5): e0196391, 2018."
    ),
    licence="CC BY-NC-SA 4.0",
)


def open_corpus(source: str | Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; raises InputError unless all 1440 files are usable."""
    problems = Problems("ravdess")
    found: dict[str, Path] = {}
    copies, others = 0, 0
    for path in wav_files("ravdess", Path(source), pattern="**/*"):
        wrong = _wrong_part(path.stem)
        if wrong:
            problems.add(str(path), wrong, "names are seven two-digit codes, as in 03-01-06-01-02-01-12.wav: rename it")
        elif tuple(path.stem.split("-")[:2]) != _AUDIO_SPEECH:
            others += 1
        elif path.stem not in found:
            found[path.stem] = path
        elif path.stat().st_size == found[path.stem].stat().st_size:
            copies += 1
        else:
            problems.add(str(path), f"differs in size from {found[path.stem]}", "remove the damaged copy of the two")
    if len(found) != RECORDINGS:
        problems.add(
            f"{len(found)} of {RECORDINGS} speech files found under {source}",
            _gaps(found),
            "unpack Audio_Speech_Actors_01-24 completely",
        )
    notes = [f"{copies} copies of files already seen were passed over"] if copies else []
    notes += [f"{others} files of other modalities or of song were passed over"] if others else []
    return Corpus(
        name="ravdess",
        classes=tuple(emotion for _, emotion in EMOTIONS.values()),
        recordings=inspect_all((_recording(name, found[name]) for name in sorted(found)), problems),
        left_out=problems.settle(allow_partial=allow_partial),
        notes=tuple(notes),
        about=ABOUT,
    )


def _wrong_part(name: str) -> str:
    codes = name.split("-")
    if len(codes) != 7 or not all(len(code) == 2 and code.isdigit() for code in codes):
        return f"{name!r} is not seven two-digit codes"
    if codes[2] not in EMOTIONS:
        return f"unknown emotion {codes[2]!r} (known: {', '.join(EMOTIONS)})"
    if codes[4] not in STATEMENTS:
        return f"unknown statement {codes[4]!r} (known: 01, 02)"
    if not 1 <= int(codes[6]) <= 24:
        return f"unknown actor {codes[6]!r} (known: 01 to 24)"
    return ""


def _gaps(found: dict[str, Path]) -> str:
    """Which actors have fewer than their sixty recordings."""
    counts = {f"{actor:02}": 0 for actor in range(1, 25)}
    for name in found:
        counts[name[-2:]] += 1
    short = [f"Actor_{actor} has {count}" for actor, count in counts.items() if count != 60]
    return f"each actor has 60; {', '.join(short)}"


def _recording(name: str, path: Path) -> Recording:
    codes = name.split("-")
    original, emotion = EMOTIONS[codes[2]]
    return Recording(
        id=name,
        path=str(path),
        speaker=codes[6],
        sex="male" if int(codes[6]) % 2 else "female",
        emotion_original=original,
        emotion=emotion,
        transcript=STATEMENTS[codes[4]],
    )
