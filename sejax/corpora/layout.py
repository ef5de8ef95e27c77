"""Any corpus whose file names say everything, by a layout: a small YAML file that tells how they are read.

```yaml
path: (?P<speaker>[fm]\\d)/(?P<label>[a-z]+)_(?P<utterance>\\d+)\\.wav
labels: {ang: anger, hap: happiness, unk: ""}
```

Under the name of one of the paper's corpora the labels become its classes. What stands in tables comes in through a
manifest instead.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sejax.corpora.audio_files import SUFFIXES
from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_codes, inspect_all, named, unpacked
from sejax.corpora.names import on_disk
from sejax.corpora.problems import Problems
from sejax.corpora.published import PUBLISHED, note_samples
from sejax.corpora.tables import SEXES, check_name
from sejax.errors import InputError

GROUPS = ("speaker", "label", "utterance", "session", "sex")


@dataclass(frozen=True)
class Layout:
    """What a layout says, each field as it stands in the file.

    Attributes:
      path: the whole of an utterance's path below the source, / between folders; its named groups are what the path
        says: speaker, label, utterance (the id, otherwise the path), session, sex.
      labels: {label: class}, "" for an unlabelled one; without it labels are classes, in small letters.
      classes: their order; the published one for the paper's corpora, otherwise that of `labels`, or the alphabet.
      sex: {speaker: female or male}.
      skip: paths of audio files that are passed over.
      rate: Hz, of every file. utterances: how many there are. 0: not known.
    """

    path: re.Pattern[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    sex: Mapping[str, str] = field(default_factory=dict)
    skip: re.Pattern[str] | None = None
    rate: int = 0
    utterances: int = 0


def open_corpus(
    source: Path, *, layout: str | os.PathLike[str] = "", name: str = "layout", allow_partial: bool = False
) -> Corpus:
    """Look through the files under `source` by the layout in the YAML file `layout`.

    Raises InputError for a layout that cannot be understood, and unless every audio file below `source` fits its path
    or its skip, has a known label and can be read, at the rate and in the number that it promises, or `allow_partial`.
    """
    check_name(name)
    if not os.fspath(layout):
        raise InputError("corpora/layout: no layout; pass the YAML as --layout, as docs/corpora.md shows one")
    file = on_disk(layout)
    said = read_layout(file, PUBLISHED[name].classes if name in PUBLISHED else ())
    problems, folder = Problems(name), unpacked(name, source)
    paths = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    fitting = [path for relative, path in paths.items() if said.path.fullmatch(relative)]
    others = [one for one in paths if not said.path.fullmatch(one) and one.lower().endswith((*SUFFIXES, ".avi"))]
    skipped = [one for one in others if said.skip and said.skip.fullmatch(one)]
    problems.note(f"audio files were passed over, as {file.name} says", len(skipped))
    unknown = sorted(set(others) - set(skipped))
    remedy = f"mend `path` in {file}, or name them in `skip`"
    problems.add_names(f"{len(unknown)} audio files under {folder}", f"not of {file.name}'s path:", unknown, remedy)

    def recording(path: Path) -> Recording:
        return _recording(path, path.relative_to(folder).as_posix(), said)

    by_name = by_id(named(fitting, recording, problems, f"mend {file}, or the file's name"), problems)
    if said.utterances and len(by_name) != said.utterances:
        where = f"{len(by_name)} of {said.utterances} utterances found under {folder}"
        problems.add(where, f"{file.name} promises others", "unpack the whole corpus, or mend `utterances`")
    recordings = inspect_all((by_name[one] for one in sorted(by_name)), problems, Audio(said.rate))
    classes = said.classes or tuple(sorted({item.emotion for item in recordings} - {""}))
    note_samples(name, len(recordings), problems)
    about = About(description=f"Utterances read by a layout under the name {name}.")
    return Corpus.checked(problems, recordings, about, classes=classes, allow_partial=allow_partial)


def read_layout(path: Path, classes: tuple[str, ...] = ()) -> Layout:
    """Read a layout; `classes` are those that its labels must become, () for any.

    Raises InputError, with the line where there is one, for a file that is no layout.
    """
    if not path.is_file():
        raise InputError(f"corpora/layout: there is no file {path}; pass the YAML as --layout")
    try:
        content = _content(path)
        return _layout(content, classes)
    except ValueError as error:
        raise InputError(f"corpora/layout: {path}{error}; see docs/corpora.md for what a layout holds") from None


def _content(path: Path) -> dict:
    """The file's mapping, every value in it a text (`no` and `01` are labels, not a boolean and a number)."""
    import yaml

    try:
        node = yaml.compose(path.read_bytes().decode("utf-8-sig"), Loader=yaml.BaseLoader)
    except UnicodeDecodeError as error:
        raise ValueError(f": byte 0x{error.object[error.start]:02x} is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        raise ValueError(f", line {error.problem_mark.line + 1}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(f": {' '.join(str(error).split())}") from None
    content = _plain(node) if node else {}
    if not isinstance(content, dict):
        raise ValueError(": holds no fields such as `path: ...`")
    return content


def _plain(node):
    """A YAML node as dictionaries, lists and texts; ValueError for a key that stands twice."""
    if node.id == "sequence":
        return [_plain(item) for item in node.value]
    if node.id == "scalar":
        return node.value
    pairs = {}
    for key, value in node.value:
        if str(key.value) in pairs:
            raise ValueError(f", line {key.start_mark.line + 1}: {key.value!r} occurs twice")
        pairs[str(key.value)] = _plain(value)
    return pairs


def _layout(content: dict, classes: tuple[str, ...]) -> Layout:
    known = list(Layout.__dataclass_fields__)
    unknown = [name for name in content if name not in known]
    if unknown:
        raise ValueError(f": unknown field {unknown[0]!r} (known: {', '.join(known)})")
    if not content.get("path"):
        raise ValueError(": no field `path`, the regular expression of an utterance's path")
    labels, sex = (_mapping(content, name) for name in ("labels", "sex"))
    own = content.get("classes", [])
    if not isinstance(own, list) or not all(isinstance(item, str) and item for item in own):
        raise ValueError(f": classes are {own!r}, not a list of names")
    if classes and own and sorted(own) != sorted(classes):
        raise ValueError(f": classes are {', '.join(own)}, and the paper's are {', '.join(classes)}")
    own = classes or tuple(own) or tuple(dict.fromkeys(name for name in labels.values() if name))
    for label, name in labels.items():
        if name and name not in own:
            raise ValueError(f": label {label!r} becomes {name!r}, which is not among the classes {', '.join(own)}")
    for speaker, name in sex.items():
        if SEXES.get(name.lower()) in (None, ""):
            raise ValueError(f": sex of {speaker!r} is {name!r}, not female or male")
    return Layout(
        path=_pattern(content, "path"),
        labels=labels,
        classes=own,
        sex={speaker: SEXES[name.lower()] for speaker, name in sex.items()},
        skip=_pattern(content, "skip") if content.get("skip") else None,
        rate=_count(content, "rate"),
        utterances=_count(content, "utterances"),
    )


def _mapping(content: dict, name: str) -> dict[str, str]:
    value = content.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError(f": {name} is {value!r}, not one value for each name, as in {{a: b}}")
    return value


def _pattern(content: dict, name: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(content[name])
    except (re.error, TypeError) as error:
        raise ValueError(f": {name} {content[name]!r} is no regular expression ({error})") from None
    unknown = sorted(set(pattern.groupindex) - set(GROUPS))
    if unknown:
        raise ValueError(f": {name} has the group {unknown[0]!r}; known are {', '.join(GROUPS)}")
    return pattern


def _count(content: dict, name: str) -> int:
    value = content.get(name, "0")
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,9}", value):
        raise ValueError(f": {name} is {value!r}, not a whole number")
    return int(value)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _recording(path: Path, relative: str, layout: Layout) -> Recording:
    """What a path that fits says; ValueError for a label, speaker or sex that the layout does not know."""
    said = {name: value or "" for name, value in layout.path.fullmatch(relative).groupdict().items()}
    label, speaker = said.get("label", ""), said.get("speaker", "")
    emotion = label if label in layout.classes else label.lower()
    if layout.labels and label:
        check_codes(label=(label, layout.labels))
        emotion = layout.labels[label]
    elif layout.classes and label:
        check_codes(label=(emotion, layout.classes))
    sex = said.get("sex", "").lower()
    check_codes(sex=(sex, SEXES))
    if layout.sex and speaker:
        check_codes(speaker=(speaker, layout.sex))
    return Recording(
        id=said.get("utterance") or relative.removesuffix(path.suffix),
        path=str(path),
        speaker=speaker,
        sex=layout.sex.get(speaker, SEXES[sex]),
        session=said.get("session", ""),
        emotion_original=label,
        emotion=emotion,
    )
