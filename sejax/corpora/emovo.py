"""EMOVO: 588 recordings of fourteen Italian sentences by six actors in seven emotions (Costantini et al. 2014).

Layout: `f1/dis-f1-b1.wav` = emotion, actor, sentence; 48 kHz, two channels but for one file.
"""

import re
from collections import Counter
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_codes, check_counts, inspect_all, named, wav_files
from sejax.corpora.problems import Problems

EMOTIONS = {  # code in the file name: (the corpus's word, our class)
    "dis": ("disgusto", "disgust"),
    "gio": ("gioia", "joy"),
    "neu": ("neutrale", "neutral"),
    "pau": ("paura", "fear"),
    "rab": ("rabbia", "anger"),
    "sor": ("sorpresa", "surprise"),
    "tri": ("tristezza", "sadness"),
}
ACTORS = {"f1": "female", "f2": "female", "f3": "female", "m1": "male", "m2": "male", "m3": "male"}
EACH = 14  # sentences of every actor in every emotion
AUDIO = Audio(48000, files=588, seconds=1835.1)
_NAME = re.compile(r"([a-z]+)-([a-z]\d)-([a-z]+\d)")

ABOUT = About(
    description="EMOVO, a corpus of Italian emotional speech.",
    citation=(
        "G. Costantini, I. Iaderola, A. Paoloni, M. Todisco: EMOVO Corpus: an Italian Emotional Speech Database."
        " Proc. LREC 2014, Reykjavik, pp. 3501-3504."
    ),
    licence="free for research; distributors say CC BY-NC-SA 4.0",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; raises InputError unless all 588 files are usable.

    They must also be as published: 48 kHz, 1835.1 s together. `allow_partial` goes on with what is there.
    """
    problems = Problems("emovo")
    remedy = "names are emotion, actor, sentence, as in dis-f1-b1.wav: rename it"
    by_name = by_id(named(wav_files("emovo", source, pattern="**/*"), _recording, problems, remedy), problems)
    found = Counter(f"{item.id[:3]} of {item.speaker}" for item in by_name.values())
    published = {f"{emotion} of {actor}": EACH for actor in ACTORS for emotion in EMOTIONS}
    check_counts(source, found, published, problems, remedy="unpack the whole distribution")
    recordings = inspect_all((by_name[name] for name in sorted(by_name)), problems, AUDIO)
    classes = tuple(sorted(emotion for _, emotion in EMOTIONS.values()))
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _recording(path: Path) -> Recording:
    """What a file's name says; ValueError for another name."""
    match = _NAME.fullmatch(path.stem.lower())
    if not match:
        raise ValueError(f"{path.stem!r} is not emotion, actor, sentence")
    emotion, actor, _ = match.groups()
    check_codes(emotion=(emotion, EMOTIONS), actor=(actor, ACTORS))
    return Recording(
        id=path.stem.lower(),
        path=str(path),
        speaker=actor,
        sex=ACTORS[actor],
        emotion_original=EMOTIONS[emotion][0],
        emotion=EMOTIONS[emotion][1],
    )
