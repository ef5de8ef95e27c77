"""RAVDESS: 1440 recordings of emotional speech by 24 actors (Livingstone and Russo 2018).

Layout: `Actor_01/03-01-06-01-02-01-12.wav` = modality, channel, emotion, intensity, statement, repetition, actor;
odd actors are men; 48 kHz. Mirrors hold copies in several folders: a name counts once.
"""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, check_codes, inspect_all, named, wav_files
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
AUDIO = Audio(48000, files=1440, seconds=5329.0)
ACTORS = tuple(f"{actor:02}" for actor in range(1, 25))
_AUDIO_SPEECH = "03-01-"  # modality audio-only, channel speech

ABOUT = About(
    description="Ryerson Audio-Visual Database of Emotional Speech and Song: the audio-only speech part.",
    citation=(
        "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS)."
        " PLoS ONE 13(5): e0196391, 2018."
    ),
    licence="CC BY-NC-SA 4.0",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; raises InputError unless all 1440 files are usable.

    They must also be as published: 48 kHz, 5329.0 s together. `allow_partial` goes on with what is there.
    """
    problems = Problems("ravdess")
    by_name: dict[str, Recording] = {}
    copies, others = 0, 0
    remedy = "names are seven two-digit codes, as in 03-01-06-01-02-01-12.wav: rename it"
    for item in named(wav_files("ravdess", source, pattern="**/*"), _recording, problems, remedy):
        if not item.id.startswith(_AUDIO_SPEECH):
            others += 1
        elif (first := by_name.setdefault(item.id, item)) is item:
            continue
        elif Path(item.path).stat().st_size == Path(first.path).stat().st_size:
            copies += 1
        else:
            problems.add(item.path, f"differs in size from {first.path}", "remove the damaged copy of the two")
    if len(by_name) != RECORDINGS:
        where = f"{len(by_name)} of {RECORDINGS} speech files found under {source}"
        problems.add(where, _gaps(by_name), "unpack Audio_Speech_Actors_01-24 completely")
    problems.note("copies of files already seen were passed over", copies)
    problems.note("files of other modalities or of song were passed over", others)
    recordings = inspect_all((by_name[name] for name in sorted(by_name)), problems, AUDIO)
    classes = tuple(emotion for _, emotion in EMOTIONS.values())
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _gaps(names: Collection[str]) -> str:
    """Which actors have fewer than their sixty recordings."""
    counts = Counter(name[-2:] for name in names)
    short = [f"Actor_{actor} has {counts[actor]}" for actor in ACTORS if counts[actor] != 60]
    return f"each actor has 60; {', '.join(short)}"


def _recording(path: Path) -> Recording:
    """What a file's name says; ValueError for another name."""
    codes = path.stem.split("-")
    if len(codes) != 7 or not all(len(code) == 2 and code.isdigit() for code in codes):
        raise ValueError(f"{path.stem!r} is not seven two-digit codes")
    _, _, emotion, _, statement, _, actor = codes
    check_codes(emotion=(emotion, EMOTIONS), statement=(statement, STATEMENTS))
    if not 1 <= int(actor) <= 24:
        raise ValueError(f"unknown actor {actor!r} (known: 01 to 24)")
    return Recording(
        id=path.stem,
        path=str(path),
        speaker=actor,
        sex="male" if int(actor) % 2 else "female",
        emotion_original=EMOTIONS[emotion][0],
        emotion=EMOTIONS[emotion][1],
        transcript=STATEMENTS[statement],
    )
