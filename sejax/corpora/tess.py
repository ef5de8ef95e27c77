"""TESS: 2800 recordings of 200 words by two women in seven emotions (Pichora-Fuller and Dupuis 2020).

Layout: `OAF_back_angry.wav` = speaker, word, emotion ("ps" is pleasant surprise); 24,414 Hz but for one file of 96 kHz.
One file of the distribution is misnamed, `OA_bite_neutral.wav`. Folders are spelt in different ways, and copies hold
all of it twice: the file's name counts, once.
"""

import re
from collections import Counter
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import check_codes, check_counts, inspect_all, named, wav_files
from sejax.corpora.problems import BadRecording, Problems
from sejax.corpora.waveform import inspect

EMOTIONS = {  # in the file name: our class
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
SPEAKERS = ("OAF", "YAF")  # the older and the younger woman
EACH = 200  # words of each speaker in each emotion
RATE, OTHERS = 24414, 1  # Hz, and how many files have another rate
_NAME = re.compile(r"([A-Z]+)_([A-Za-z]+)_([a-z]+)")
_MISNAMED = {"OA": "OAF"}

ABOUT = About(
    description="Toronto emotional speech set.",
    citation=(
        "M. K. Pichora-Fuller, K. Dupuis: Toronto emotional speech set (TESS). Borealis, 2020, doi:10.5683/SP2/E8H2MF."
    ),
    licence="CC BY-NC-ND 4.0",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; raises InputError unless all 2800 files are usable.

    All but one must be at 24,414 Hz. `allow_partial` goes on with what is there.
    """
    problems = Problems("tess")
    by_name: dict[str, Recording] = {}
    copies = 0
    remedy = "names are speaker, word, emotion, as in OAF_back_angry.wav: rename it"
    for item in named(wav_files("tess", source, pattern="**/*"), _recording, problems, remedy):
        first = by_name.setdefault(item.id, item)
        if first is not item and Path(item.path).stat().st_size == Path(first.path).stat().st_size:
            copies += 1
        elif first is not item:
            problems.add(item.path, f"differs in size from {first.path}", "remove the damaged copy of the two")
    problems.note("copies of files already seen were passed over", copies)
    found = Counter(f"{item.emotion_original} of {item.speaker}" for item in by_name.values())
    published = {f"{emotion} of {speaker}": EACH for speaker in SPEAKERS for emotion in EMOTIONS}
    check_counts(source, found, published, problems, remedy="unpack the whole distribution")
    recordings = inspect_all((by_name[name] for name in sorted(by_name)), problems)
    _check_rates(recordings, problems)
    classes = tuple(sorted(EMOTIONS.values()))
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _check_rates(recordings: tuple[Recording, ...], problems: Problems) -> None:
    """Note the files that have another rate than the published one, where there are more than in the distribution."""
    others = []
    for item in recordings:
        try:
            rate = inspect(item.path).rate
        except BadRecording:
            continue
        others += [f"{Path(item.path).name} ({rate} Hz)"] if rate != RATE else []
    if len(others) > OTHERS:
        remedy = "these are not the original files (resampled, say): get the distribution's own"
        problems.add_names(f"{len(others)} files", f"not sampled at {RATE} Hz as published:", others, remedy)


def _recording(path: Path) -> Recording:
    """What a file's name says; ValueError for another name."""
    match = _NAME.fullmatch(path.stem)
    if not match:
        raise ValueError(f"{path.stem!r} is not speaker, word, emotion")
    speaker, word, emotion = match.groups()
    speaker = _MISNAMED.get(speaker, speaker)
    check_codes(speaker=(speaker, SPEAKERS), emotion=(emotion, EMOTIONS))
    return Recording(
        id=f"{speaker}_{word}_{emotion}",
        path=str(path),
        speaker=speaker,
        sex="female",
        emotion_original=emotion,
        emotion=EMOTIONS[emotion],
        transcript=f"Say the word {word}.",
    )
