"""MESD: 864 single words in Mexican Spanish by women, men and children in six emotions (Duville et al. 2021).

Layout: `Anger_F_A_basta_ya.wav` = emotion, voice (F woman, M man, C child), list of words (A or B), word; 48 kHz. Names
do not say which of the three women, two men and six children speaks. The fifth version lacks one file of anger and one
of neutral, and holds a folder of female voices made less natural beside, which is passed over.
"""

import re
from collections import Counter
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_codes, check_counts, inspect_all, named, wav_files
from sejax.corpora.problems import Problems

EMOTIONS = {  # in the file name: our class
    "Anger": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happiness": "happiness",
    "Neutral": "neutral",
    "Sadness": "sadness",
}
VOICES = {"F": ("women", "female"), "M": ("men", "male"), "C": ("children", "")}  # the speakers' name and their sex
LISTS = ("A", "B")
EACH = 144  # of each emotion: 48 words by three voices
LACKING = {"Anger": 143, "Neutral": 143}  # of the fifth version
AUDIO = Audio(48000)
_NAME = re.compile(r"([^_]+)_([^_]+)_([^_]+)_(.+)")
_REDUCED = "naturalness"  # in the name of the folder of changed voices

ABOUT = About(
    description="Mexican Emotional Speech Database, the recorded voices.",
    citation=(
        "M. M. Duville, L. M. Alonso-Valerdi, D. I. Ibarra-Zarate: Mexican Emotional Speech Database Based on Semantic,"
        " Frequency, Familiarity, Concreteness, and Cultural Shaping of Affective Prosody. Data 6(12): 130, 2021."
        " Mendeley Data, doi:10.17632/cy34mh68j9."
    ),
    licence="CC BY 4.0",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth; raises InputError unless all files are usable.

    These are the 864 of the first version or the 862 of the fifth, at 48 kHz. `allow_partial` goes on with what is
    there.
    """
    problems = Problems("mesd")
    files = wav_files("mesd", source, pattern="**/*")
    voices = [path for path in files if not any(_REDUCED in part.lower() for part in path.relative_to(source).parts)]
    problems.note("files of voices made less natural were passed over", len(files) - len(voices))
    remedy = "names are emotion, voice, list, word, as in Anger_F_A_basta_ya.wav: rename it"
    by_name = by_id(named(voices, _recording, problems, remedy), problems)
    found = Counter(item.emotion_original for item in by_name.values())
    whole = dict.fromkeys(EMOTIONS, EACH)
    if found == whole | LACKING:
        problems.note("the version without a file of Anger and one of Neutral")
    else:
        check_counts(source, found, whole, problems, remedy="unpack the whole distribution")
    problems.note("names say women, men or children, not who of them: each of the three counts as one speaker")
    recordings = inspect_all((by_name[name] for name in sorted(by_name)), problems, AUDIO)
    classes = tuple(EMOTIONS.values())
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, allow_partial=allow_partial)


def _recording(path: Path) -> Recording:
    """What a file's name says; ValueError for another name."""
    match = _NAME.fullmatch(path.stem)
    if not match:
        raise ValueError(f"{path.stem!r} is not emotion, voice, list, word")
    emotion, voice, words, word = match.groups()
    check_codes(emotion=(emotion, EMOTIONS), voice=(voice, VOICES), list=(words, LISTS))
    speaker, sex = VOICES[voice]
    return Recording(
        id=path.stem,
        path=str(path),
        speaker=speaker,
        sex=sex,
        emotion_original=emotion,
        emotion=EMOTIONS[emotion],
        transcript=word.replace("_", " "),
    )
