"""EmoBox's lists: for each of 32 corpora JSON lines of its files and emotions, folds, and a map of its labels.

`source` is the folder of one corpus, `data/emodb` say: `fold_N/NAME_{train,valid,test}_fold_N.jsonl`, label_map.json,
and data.seg.wrd.stm, which says who speaks. Ma et al., EmoBox: Multilingual Multi-corpus Speech Emotion Recognition
Toolkit and Benchmark, Interspeech 2024. The audio is the corpora's own.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sejax.corpora.corpus import About, Corpus
from sejax.corpora.folder import read_lines
from sejax.corpora.manifest import audio_folder
from sejax.corpora.names import on_disk
from sejax.corpora.problems import Problems
from sejax.corpora.splits import joined
from sejax.corpora.tables import Entry, check_name, listed_corpus
from sejax.errors import InputError

SPEAKERS, LABELS = "data.seg.wrd.stm", "label_map.json"
FIELDS = {"key": str, "wav": str, "emo": str, "length": (int, float)}  # of a line, those that are read
TIMES = ("start_time", "end_time")  # of lists of long recordings
_AGAIN = "copy EmoBox's list again"
_NAME = re.compile(r"(?P<corpus>.+)_(?P<part>train|valid|test)_fold_?(?P<fold>\w+)\.jsonl")

ABOUT = About(
    description="A corpus as EmoBox lists and divides it.",
    citation=(
        "Z. Ma, M. Chen, H. Zhang, Z. Zheng, W. Chen, X. Li, J. Ye, X. Chen, T. Hain: EmoBox: Multilingual Multi-corpus"
        " Speech Emotion Recognition Toolkit and Benchmark. Proc. Interspeech 2024."
    ),
    licence="the corpus's own",
)


class Listed(NamedTuple):
    """One line of a list: where it stands, the fold, its part in it, and what it says."""

    where: str
    fold: str
    part: str
    said: Mapping[str, Any]


def open_corpus(
    source: Path,
    *,
    name: str = "",
    classes: tuple[str, ...] | None = None,
    labels: Sequence[str] = (),
    audio: str = "",
    allow_partial: bool = False,
) -> Corpus:
    """Look through one corpus of EmoBox; `source` is its folder.

    `audio` is the folder that the lists' paths are relative to: by default the one that holds EmoBox's `data`. A
    list's .avi may be a .wav of the same name there. `name` is the corpus's, by default emobox_ and the folder's;
    `classes` and `labels` are those of `sejax.corpora.tables.listed_corpus`, the latter of label_map.json's names.
    """
    own = re.sub(r"[^a-z0-9]+", "_", source.name.lower()).strip("_")
    name = name or f"emobox_{own}"
    check_name(name)
    problems = Problems(name)
    names = _label_map(source / LABELS)
    speakers = _speakers(source / SPEAKERS, problems)
    folder = audio_folder(audio, source.absolute().parent.parent)
    lines: dict[str, list[Listed]] = {}
    for line in _lines(source, problems):
        lines.setdefault(line.said["key"], []).append(line)
    entries = [
        entry
        for _, listed in sorted(lines.items())
        if (entry := _entry(listed, names, speakers, folder, problems)) is not None
    ]
    how = {"classes": classes, "labels": labels, "allow_partial": allow_partial}
    return listed_corpus(entries, folder, problems, ABOUT, **how)


def _label_map(path: Path) -> dict[str, str]:
    """label_map.json: what the lists' labels stand for."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"corpora/emobox: there is no file {path}; pass the folder of one corpus of EmoBox, such as data/emodb, as"
            " --source"
        ) from None
    except (ValueError, OSError) as error:
        raise InputError(f"corpora/emobox: {path} cannot be read ({error}); {_AGAIN}") from error
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InputError(f"corpora/emobox: {path} is no map of labels to names; {_AGAIN}")
    return names


def _speakers(path: Path, problems: Problems) -> dict[str, str]:
    """Who speaks, by key: the third word of each line."""
    if not path.is_file():
        problems.note(f"there is no {path.name}, so speakers are unknown: folds cannot be checked for them")
        return {}
    found = {}
    for where, line in read_lines(path, problems, or_latin_1=True):
        words = line.split(maxsplit=3)
        if len(words) > 2:
            found[words[0]] = words[2]
        elif words:
            problems.add(where, f"{line!r} is not key, channel, speaker", _AGAIN)
    return found


def _lines(source: Path, problems: Problems) -> Iterator[Listed]:
    """The lines of all lists of the folds; what is no such line is a problem."""
    lists = {path: match for path in sorted(source.glob("fold_*/*.jsonl")) if (match := _NAME.fullmatch(path.name))}
    # EmoBox renamed its lists once: of two that say the same, the one named after its folder counts.
    lists = {path: match for path, match in lists.items() if _kept(path, lists)}
    if not lists:
        raise InputError(
            f"corpora/emobox: no list such as fold_1/{source.name}_train_fold_1.jsonl under {source}; pass the folder"
            " of one corpus of EmoBox as --source"
        )
    for path, match in lists.items():
        for where, line in read_lines(path, problems):
            if not line.strip():
                continue
            said = _said(line)
            if isinstance(said, str):
                problems.add(where, said, _AGAIN)
            else:
                yield Listed(where, path.parent.name, match["part"], said)


def _kept(path: Path, lists: Mapping[Path, re.Match]) -> bool:
    match = lists[path]
    new = path.with_name(f"{match['corpus']}_{match['part']}_{path.parent.name}.jsonl")
    return path == new or new not in lists


def _said(line: str) -> dict[str, Any] | str:
    """What a line says, or what is wrong with it."""
    try:
        said = json.loads(line)
    except ValueError as error:
        return f"is no JSON ({error})"
    if not isinstance(said, dict):
        return f"holds {type(said).__name__} instead of the fields of an utterance"
    for name, kind in FIELDS.items():
        if not isinstance(said.get(name), kind) or isinstance(said[name], bool) or said[name] == "":
            return f"{name} is {said.get(name)!r}, not a {'text' if kind is str else 'number'}"
    for name in TIMES:
        if name in said and (not isinstance(said[name], int | float) or isinstance(said[name], bool)):
            return f"{name} is {said[name]!r}, not a number"
    return said


def _entry(
    listed: Sequence[Listed],
    names: Mapping[str, str],
    speakers: Mapping[str, str],
    folder: Path,
    problems: Problems,
) -> Entry | None:
    """One utterance from its lines, one in each fold at most; None where they contradict each other."""
    first, key = listed[0], listed[0].said["key"]
    parts: dict[str, str] = {}
    for line in listed:
        for name in (*FIELDS, *TIMES):
            if line.said.get(name) != first.said.get(name):
                what = f"{name} of {key} is {line.said.get(name)!r} here and {first.said.get(name)!r} in {first.where}"
                problems.add(line.where, what, _AGAIN)
                return None
        if line.fold in parts:
            problems.add(line.where, f"{key} is in {line.fold} twice ({first.where})", "remove one of the lines")
            return None
        parts[line.fold] = line.part
    emotion = first.said["emo"]
    if emotion not in names:
        what = f"emo is {emotion!r}, which {LABELS} lacks"
        problems.add(first.where, what, f"add it there: it has {', '.join(names)}")
        return None
    times = {"start": "start_time", "end": "end_time"}
    cells = {
        "path": _path(first.said["wav"], folder),
        "label": names[emotion],
        "id": key,
        "speaker": speakers.get(key, ""),
        "split": joined(parts),
        **{column: repr(float(first.said[name])) for column, name in times.items() if name in first.said},
    }
    return Entry(first.where, first.where, cells, seconds=float(first.said["length"]))


def _path(wav: str, folder: Path) -> str:
    """The file of a line: a .avi may have been made a .wav."""
    heard = str(Path(wav).with_suffix(".wav"))
    return heard if not on_disk(folder / wav).exists() and on_disk(folder / heard).exists() else wav
