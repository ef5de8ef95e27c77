"""RAVDESS: 1440 recordings of emotional speech by 24 actors (Livingstone and Russo 2018).

Layout: `Actor_01/03-01-06-01-02-01-12.wav` = modality, channel, emotion, intensity, statement, repetition, actor;
odd actors are men; 48 kHz. Mirrors hold copies in several folders: a name counts once.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
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

ABOUT = About(
    description="Ryerson Audio-Visual Database of Emotional Speech and Song: the audio-only speech part.",
    citation=(
        "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS)."
        " PLoS ONE 13(5): e0196391, 2018."
    ),
    licence="CC BY-NC-SA 4.0",
)


@dataclass(frozen=True)
class Channel:
    """One of the two things that actors do: its corpus's name, the beginning of its files' names, its emotions' codes.

    recordings: how many, each: of every actor; archive: what holds them; other: what else is there.
    """

    name: str
    begins: str
    emotions: tuple[str, ...]
    actors: tuple[str, ...]
    recordings: int
    each: int
    archive: str
    other: str


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; raises InputError unless all 1440 files are usable.

    They must also be as published: 48 kHz, 5329.0 s together. `allow_partial` goes on with what is there.
    """
    channel = Channel(
        *("ravdess", "03-01-", tuple(EMOTIONS), ACTORS, RECORDINGS, 60),  # modality audio-only, channel speech
        *("Audio_Speech_Actors_01-24", "song"),
    )
    return open_channel(channel, source, AUDIO, ABOUT, allow_partial=allow_partial)


def open_channel(channel: Channel, source: Path, audio: Audio, about: About, *, allow_partial: bool) -> Corpus:
    """Look through the files of one channel under `source`, at any depth."""
    problems = Problems(channel.name)
    by_name: dict[str, Recording] = {}
    copies, others = 0, 0
    remedy = "names are seven two-digit codes, as in 03-01-06-01-02-01-12.wav: rename it"
    for item in named(wav_files(channel.name, source, pattern="**/*"), _recording, problems, remedy):
        if not item.id.startswith(channel.begins):
            others += 1
        elif (first := by_name.setdefault(item.id, item)) is item:
            continue
        elif Path(item.path).stat().st_size == Path(first.path).stat().st_size:
            copies += 1
        else:
            problems.add(item.path, f"differs in size from {first.path}", "remove the damaged copy of the two")
    if len(by_name) != channel.recordings:
        kind = "song" if channel.other == "speech" else "speech"
        where = f"{len(by_name)} of {channel.recordings} {kind} files found under {source}"
        problems.add(where, _gaps(by_name, channel), f"unpack {channel.archive} completely")
    problems.note("copies of files already seen were passed over", copies)
    problems.note(f"files of other modalities or of {channel.other} were passed over", others)
    recordings = inspect_all((by_name[name] for name in sorted(by_name)), problems, audio)
    classes = tuple(EMOTIONS[code][1] for code in channel.emotions)
    return Corpus.checked(problems, recordings, about, classes=classes, allow_partial=allow_partial)


def _gaps(names: Collection[str], channel: Channel) -> str:
    """Which actors have fewer recordings than they should."""
    counts = Counter(name[-2:] for name in names)
    short = [f"Actor_{actor} has {counts[actor]}" for actor in channel.actors if counts[actor] != channel.each]
    return f"each actor has {channel.each}; {', '.join(short)}"


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
