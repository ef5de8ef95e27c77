"""MELD: 13,708 utterances of dialogues in a television series, in three parts (Poria et al. 2019).

Layout: `train_sent_emo.csv`, `dev_sent_emo.csv` and `test_sent_emo.csv` say what each utterance is, and the folders
`train_splits`, `dev_splits_complete` and `output_repeated_splits_test` hold `dia0_utt0.mp4` and so on: wav files of the
same names have to be made of these. Numbers of dialogues begin anew in every part. The distribution lacks dia110_utt7
of dev, and dia125_utt3 of train cannot be played.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.csv_rows import Form, Row, read_rows
from sejax.corpora.folder import check_counts, files_in, inspect_all, unpacked
from sejax.corpora.problems import Problems
from sejax.errors import InputError

PARTS = {"train": "train", "dev": "valid", "test": "test"}  # as the tables are called: our word
FOLDERS = {
    **{"train_splits": "train", "dev_splits_complete": "dev", "output_repeated_splits_test": "test"},
    **{part: part for part in PARTS},
}
EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
_COUNTS = {
    "train": (1109, 271, 268, 1743, 4710, 683, 1205),
    "dev": (153, 22, 40, 163, 470, 111, 150),
    "test": (345, 68, 50, 402, 1256, 208, 281),
}
COUNTS = {
    f"{name} in {part}": number
    for part, numbers in _COUNTS.items()
    for name, number in zip(EMOTIONS, numbers, strict=True)
}
GAPS = ("dev_dia110_utt7", "train_dia125_utt3")  # that nobody has
_NEEDED = ("utterance", "speaker", "emotion", "dialogue_id", "utterance_id")
TABLE = Form("corpora/meld", _NEEDED, _NEEDED, "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID")
_FILE = re.compile(r"dia\d+_utt\d+")
# Windows' quotes and dashes, which went into the tables' UTF-8 as control characters.
_QUOTES = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}

ABOUT = About(
    description="Multimodal EmotionLines Dataset, audio and transcripts.",
    citation=(
        "S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria, R. Mihalcea: MELD: A Multimodal Multi-Party Dataset"
        " for Emotion Recognition in Conversations. Proc. ACL 2019, pp. 527-536."
    ),
    licence="GPL-3.0 as its repository says; the recordings are of a television series",
)


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the corpus under `source`, at any depth.

    Raises InputError unless all utterances of the three tables are there, but for the two that the distribution lacks,
    with the published emotions; `allow_partial` goes on with what is there.
    """
    problems = Problems("meld")
    folder = unpacked("meld", source)
    files = _files(folder)
    rows = [row for part in PARTS for row in _rows(folder, part, problems)]
    emotions = Counter(f"{item.emotion} in {item.id.partition('_')[0]}" for item in rows)
    check_counts(folder, emotions, COUNTS, problems, remedy="copy the three tables again from the distribution")
    there = [replace(item, path=str(files[item.id])) for item in rows if item.id in files]
    missing = [item.id for item in rows if item.id not in files]
    gaps = [name for name in missing if name in GAPS]
    if gaps:
        problems.note(f"{', '.join(gaps)} cannot be had from the distribution and were passed over")
    lacking = [name for name in missing if name not in GAPS]
    where = f"{len(there)} of {len(rows) - len(gaps)} utterances under {folder}"
    remedy = "make a wav file of every mp4 beside it, as in ffmpeg -i dia0_utt0.mp4 dia0_utt0.wav"
    problems.add_names(where, "no wav file of", lacking, remedy)
    recordings = inspect_all(there, problems)
    return Corpus.checked(problems, recordings, ABOUT, classes=EMOTIONS, allow_partial=allow_partial)


def _files(folder: Path) -> dict[str, Path]:
    """The wav files by id, as in train_dia0_utt0; others than utterances (the test part has some) are passed over."""
    found: dict[str, Path] = {}
    for path in files_in(folder, "**/*.wav"):
        parents = (FOLDERS.get(parent.removesuffix("_wav")) for parent in reversed(path.relative_to(folder).parts[:-1]))
        part = next(filter(None, parents), None)
        if part and _FILE.fullmatch(path.stem):
            found.setdefault(f"{part}_{path.stem}", path)
    return found


def _rows(folder: Path, part: str, problems: Problems) -> list[Recording]:
    """The utterances of a part's table, without their files."""
    name = f"{part}_sent_emo.csv"
    path = next(iter(files_in(folder, f"**/{name}")), None)
    if path is None:
        raise InputError(f"corpora/meld: there is no {name} under {folder}; pass the folder of the unpacked MELD.Raw")
    found: dict[str, Recording] = {}
    for row in read_rows(path, TABLE, problems):
        with problems.at(row.at(path), "copy the table again from the distribution"):
            item = _recording(row, part)
            if found.setdefault(item.id, item) is not item:
                raise ValueError(f"dialogue and utterance of {item.id} are there twice")
    return list(found.values())


def _recording(row: Row, part: str) -> Recording:
    """What a row says; ValueError for what it cannot mean."""
    emotion, dialogue, utterance = (row.cells[name] for name in ("emotion", "dialogue_id", "utterance_id"))
    if emotion not in EMOTIONS:
        raise ValueError(f"unknown emotion {emotion!r} (known: {', '.join(EMOTIONS)})")
    for column, number in (("Dialogue_ID", dialogue), ("Utterance_ID", utterance)):
        if not number.isdigit():
            raise ValueError(f"{column} is {number!r}, not a number")
    return Recording(
        id=f"{part}_dia{dialogue}_utt{utterance}",
        speaker=row.cells["speaker"].translate(_QUOTES),
        emotion_original=emotion,
        emotion=emotion,
        transcript=row.cells["utterance"].translate(_QUOTES),
        split=PARTS[part],
    )
