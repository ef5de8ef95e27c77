"""What prepared sets of every kind have in common once they lie on the disk; numpy alone reads them.

A set is a folder DATA_DIR/<corpus>/<features>-<hash>: settings.json (what the set depends on, and counts), index.json
(who said what) and an .npy file for each column, of which the large one stays on the disk until it is asked for.
"""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from sejax.audio.level import LEVELS
from sejax.audio.voice_activity import DETECTORS, MODES, SILERO, frames_of
from sejax.core.files import damaged, digest_of_file, read_json, read_npy
from sejax.core.stores import fetched, path_of
from sejax.errors import InputError, typed

SCALES = ("log", "mel")
# Settings that are named only where they are others, so that old sets keep their folders.
UNNAMED = {"level": "none", "trim": "none", "word_times": "frame"}
# How times were made of an alignment's frames, and the corpora whose alignments allow for both: sejax.corpora.iemocap.
WORD_TIMES = ("note", "frame")
TIMED_BY_RULE = ("iemocap",)
REMEDY = "delete the folder and prepare the set again"
NAMED = 10  # utterances of a list that are named
SHOWN = 5  # groups of equal recordings that are named


@dataclass(frozen=True, eq=False, kw_only=True)
class ExampleSet:
    """N examples of U utterances of a corpus.

    Attributes:
      label: i32[N], index into `classes`, -1 = unlabelled.
      utterance: i32[N], index into `utterance_ids`; block: i32[N], near-copies share it.
      speaker: i32[N], index into `speakers`; session: i32[N], index into `sessions`.
      utterance_label: i32[U].
      utterance_ids, classes, speakers, sessions: the names; sex: of each speaker, "male", "female" or "".
      corpus: its name; settings: what the set depends on beside the corpus; counts: what the preparation printed.
      folder: where the set lies.
      digests: of each utterance's samples, equal where they are; () in sets of versions that kept none.
      traits: of each utterance's recording, the numbers of `sejax.audio.level.Traits`; () likewise.
      splits: the corpus's own division of each utterance, as `sejax.corpora.splits` writes it; () where it has none.

    Of several sets as one (`sejax.data.store.joined`), where `corpus` is their names joined by +:
      origin: i32[U], the number of each utterance's corpus among them; None of one set alone.
      joined_from: the sets. tested: the names of the corpora of which all is tested.
    """

    label: np.ndarray
    utterance: np.ndarray
    block: np.ndarray
    speaker: np.ndarray
    session: np.ndarray
    utterance_label: np.ndarray
    utterance_ids: tuple[str, ...]
    classes: tuple[str, ...]
    speakers: tuple[str, ...]
    sex: tuple[str, ...]
    sessions: tuple[str, ...]
    corpus: str
    settings: dict
    counts: dict
    folder: str
    digests: tuple[str, ...] = ()
    traits: tuple[list[float], ...] = ()
    splits: tuple[str, ...] = ()
    origin: np.ndarray | None = None
    joined_from: tuple["ExampleSet", ...] = ()
    tested: tuple[str, ...] = ()

    # Of each kind: its name in the plural, the field of its large array, its name for prepare --features, and
    # the setting that says which detector looked for speech; fields that say where what belongs together begins and
    # ends in others, and those that sets have alike that are joined.
    KIND: ClassVar[str]
    LARGE: ClassVar[str]
    MADE_AS: ClassVar[str]
    DETECTOR: ClassVar[str] = "voice_activity"
    EDGES: ClassVar[tuple[str, ...]] = ()
    ALIKE: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a finished set. What index.json holds of the fields is taken from there, the others are .npy files.

        Raises InputError when the folder is not a finished set of this kind, or its files do not fit together.
        """
        folder = Path(folder)
        needed = (folder / "settings.json", folder / f"{cls.LARGE}.npy")
        if not all(path.is_file() for path in needed) or folder.suffix == ".unfinished":
            raise InputError(
                f"{folder} is not a finished set of {cls.KIND}; make one with {typed('prepare')}{cls._hint(folder)}"
            )
        about = read_json(folder / "settings.json", REMEDY)
        index = read_json(folder / "index.json", REMEDY)
        for name, digest in about.get("digests", {}).items():
            if digest_of_file(folder / name) != digest:
                raise damaged(folder / name, "its digest is another", REMEDY)
        try:
            found = cls(**cls._values(folder, about, index))
            damage = found._damage()
        except (KeyError, TypeError, ValueError, OverflowError) as error:  # JSON of an earlier version, without digest
            if isinstance(error, InputError):
                raise
            raise damaged(folder / "index.json", f"or settings.json: {error!r}", REMEDY) from None
        if damage:
            raise InputError(f"{folder}: {damage}; {REMEDY}")
        return found

    @classmethod
    def _values(cls, folder: Path, about: dict, index: dict) -> dict[str, Any]:
        """The fields, from settings.json, index.json and the arrays."""
        values: dict[str, Any] = {name: about[name] for name in ("corpus", "settings", "counts")}
        values |= {"folder": str(folder), **cls._implied(read_npy(folder / "label.npy", REMEDY))}
        for field in fields(cls):
            name = field.name
            if name in values:
                continue
            if name in index:
                values[name] = np.array(index[name], np.int32) if field.type is np.ndarray else tuple(index[name])
            elif field.default is MISSING:
                values[name] = read_npy(folder / f"{name}.npy", REMEDY, mapped=name == cls.LARGE)
        return values

    def describe(self) -> str:
        """What the set on the disk holds, in a few lines for the person who made it."""
        from sejax.corpora.builder import LEFT_OUT

        sexes = Counter(sex or "sex unknown" for sex in self.sex)
        labels = [f"{name} {number}" for name, number in self.counts["labels"].items()]
        labels += [f"unlabelled {self.counts['unlabelled']}"] if self.counts["unlabelled"] else []
        lines = [
            f"corpus      {self.corpus}",
            f"utterances  {self.counts['utterances']}",
            f"speakers    {self.counts['speakers']} ({', '.join(f'{n} {sex}' for sex, n in sorted(sexes.items()))})",
            f"labels      {', '.join(labels)}",
            *self._content(),
        ]
        folder = Path(self.folder)
        lines += self._equal()
        if self.splits:
            counts = Counter(split or "no part" for split in self.splits)
            said = [f"{split} {number}" for split, number in sorted(counts.items())]
            lines.append(f"split       {', '.join(said[:NAMED])}{' and others' * (len(said) > NAMED)}")
        lines += [f"note        {note}" for note in read_json(folder / "settings.json", REMEDY)["notes"]]
        if (folder / LEFT_OUT).is_file():
            with open(folder / LEFT_OUT, encoding="utf-8", newline="") as file:
                inputs = sum(1 for _ in csv.reader(file)) - 1
            lines.append(f"left out    {inputs} inputs, listed in {folder / LEFT_OUT}")
        return "\n".join([*lines, f"set         {folder}"])

    def _equal(self) -> list[str]:
        """A line that names recordings of equal samples, where there are any."""
        alike = defaultdict(list)
        for row, digest in enumerate(self.digests):
            alike[digest].append(row)
        groups = [self._named(rows) for rows in alike.values() if len(rows) > 1]
        if not groups:
            return []
        more = f" and {len(groups) - SHOWN} more" * (len(groups) > SHOWN)
        return [f"equal       {', '.join(groups[:SHOWN])}{more}: the same samples; remove all but one of each"]

    def _named(self, rows: list[int]) -> str:
        """Utterances in a row, with their labels where these differ."""
        labels = [self.classes[label] if label >= 0 else "unlabelled" for label in self.utterance_label[rows]]
        differ = len(set(labels)) > 1
        return " = ".join(
            self.utterance_ids[row] + f" ({label})" * differ for row, label in zip(rows, labels, strict=True)
        )

    @classmethod
    def _hint(cls, folder: Path) -> str:
        """What to add to `sejax prepare` to make such a set."""
        return f" --features={cls.MADE_AS}"

    @classmethod
    def _implied(cls, label: np.ndarray) -> dict[str, np.ndarray]:
        """The label and what else follows from it."""
        return {"label": label}

    def _damage(self) -> str:
        """What does not fit together, "" where all is well."""
        return ""

    def _content(self) -> list[str]:
        """The lines of `describe` that are of this kind alone."""
        return []


@dataclass(frozen=True, eq=False, kw_only=True)
class UtteranceSet(ExampleSet):
    """U utterances, each one example: `utterance` and `block` are 0 .. U - 1, `utterance_label` is `label`.

    Attributes:
      seconds: f64[U], duration of the recording.
    """

    seconds: np.ndarray

    @classmethod
    def _implied(cls, label: np.ndarray) -> dict[str, np.ndarray]:
        rows = np.arange(len(label), dtype=np.int32)
        return {"label": label, "utterance_label": label, "utterance": rows, "block": rows}


Prepared = TypeVar("Prepared", bound=ExampleSet)


def find_set(
    kind: type[Prepared],
    data_dir: str | Path,
    corpus: str,
    *,
    features: str,
    wanted: Mapping[str, Any],
    flags: str,
    missing: str,
    several: str,
) -> Prepared:
    """The one finished set of a corpus that a config means, so that nobody types hashes.

    Of a store's it is a copy on this machine, see `sejax.core.stores.fetched`.

    Args:
      kind: its class; features: what its folder's name begins with.
      data_dir: as given to `sejax prepare`.
      wanted: values that its settings must have.
      flags: of `sejax prepare`, beside the corpus and the folders, for the error.
      missing, several: how the errors for no set and for more than one begin.

    Raises InputError for no such set (the command that makes it is named), and for several.
    """
    said = {
        path.parent: read_json(path, REMEDY)
        for path in sorted((path_of(data_dir) / corpus).glob(f"{features}-*/settings.json"), key=str)
        if path.parent.suffix != ".unfinished"
    }
    fitting = [folder for folder, about in said.items() if _fits(about, wanted)]
    if not fitting:
        from sejax.corpora import source_flags  # its readers, which nobody needs who has a set

        raise InputError(
            f"{missing} with {typed('prepare')} {source_flags(corpus)} {flags} --data_dir={data_dir}"
        )
    if len(fitting) > 1:
        raise InputError(
            f"{len(fitting)} prepared sets {several}: {', '.join(map(str, fitting))}; delete or move all but one"
        )
    return kind.load(fetched(fitting[0], by=("settings.json", "index.json")))


def _fits(about: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a settings.json says what is wanted; any rule of word times will do where none made those of the set."""
    said = UNNAMED | about.get("read", {}) | about.get("settings", {})
    counts = about.get("counts", {})
    timed = counts.get("timed") or counts.get("spans", {}).get("words")
    if not timed or about.get("corpus") not in TIMED_BY_RULE:
        said["word_times"] = wanted.get("word_times")
    return all(said.get(name) == value for name, value in wanted.items())


def find_utterances(
    kind: type[Prepared], data_dir: str | Path, corpus: str, *, features: str = "", called: str = "", **wanted: str
) -> Prepared:
    """As `find_set`, for sets whose settings are flags of the same names; called: what sets of such features are.

    Where they are not given, these are what the kind is made as, and its name.
    """
    features, called = features or kind.MADE_AS, called or kind.KIND
    said = {name: value for name, value in wanted.items() if UNNAMED.get(name) != value or name == "word_times"}
    if corpus not in TIMED_BY_RULE:
        said.pop("word_times", None)
    given = "".join(f" with {name}={value}" for name, value in said.items())
    return find_set(
        kind,
        data_dir,
        corpus,
        features=features,
        wanted=wanted,
        flags=" ".join([f"--features={features}", *(f"--{name}={value}" for name, value in said.items())]),
        missing=f"no prepared {called} of {corpus}{given} under {data_dir}; make them",
        several=f"of {called} of {corpus}",
    )


def heard(*sets: ExampleSet) -> dict[str, dict[str, Any]]:
    """What a detector of voice activity found in some sets, for the results' description of the data.

    ``{"voice_activity": {"detector", "seconds", "kept" or "speech"}}``: of so many seconds it kept so many, or found
    speech in so many; with "whole", the number of recordings that were kept whole for want of speech, where there are
    any. {} where one of the sets asked no detector, or does not say what came of it.
    """
    detector, found = sets[0].settings.get(sets[0].DETECTOR, "none"), Counter()
    for counts in (each.counts for each in sets):
        name = next((name for name in ("kept", "speech") if f"seconds_{name}" in counts), "")
        if detector in (None, "none") or not name:
            return {}
        found["seconds"] += counts.get("seconds_heard", counts["seconds"])
        found[name] += counts[f"seconds_{name}"]
        found["whole"] += len(counts.get("without_speech", ()))
    whole = {"whole": found.pop("whole")} if found["whole"] else {}
    seconds = {name: round(float(value), 3) for name, value in found.items() if name != "whole"}
    return {"voice_activity": {"detector": str(detector)} | seconds | whole}


def check_apart(first: ExampleSet, second: ExampleSet) -> None:
    """Raises InputError where two sets hold a recording of the same samples: one would be trained on, one tested."""
    both = sorted(set(first.digests) & set(second.digests))
    if both:
        names = " and ".join(
            f"{one.utterance_ids[one.digests.index(both[0])]} of {one.corpus}" for one in (first, second)
        )
        raise InputError(
            f"{names} have the same samples ({len(both)} such recordings), and one corpus is trained on apart from the "
            "other: give other corpora, or remove these from one of them"
        )


def digest_of_samples(waveform: np.ndarray) -> str:
    """What a set keeps of an utterance's samples int16[T]: 16 hex digits."""
    return hashlib.sha256(np.ascontiguousarray(waveform, "<i2").data).hexdigest()[:16]


def with_level(settings: Mapping[str, Any], level: str) -> dict[str, Any]:
    """Settings of a prepared set with the level of its recordings, which is named where there is one."""
    settings = {name: value for name, value in settings.items() if name != "level"}
    return settings if level == UNNAMED["level"] else settings | {"level": level}


def listed(ids: Sequence[str], *, more: str = "") -> str:
    """So many utterances, the first of them by name; `more`: the file that has them all."""
    if not ids:
        return "0 utterances"
    rest = f" and {len(ids) - NAMED} more" + (f" in {more}" if more else "") if len(ids) > NAMED else ""
    return f"{len(ids)} utterances: {', '.join(ids[:NAMED])}{rest}"


def voice_rules(mode: int | str | None, frame_ms: int | None) -> tuple[tuple[str, Any, bool, str, str], ...]:
    """The rules of a detector and of its frame, for `check_settings`."""
    beside = f" with voice_activity={mode}" if mode == SILERO else ""
    return (
        ("voice_activity", mode, mode is None or mode in MODES, "", f"{', '.join(DETECTORS)} or none"),
        (*("frame_ms", frame_ms, frame_ms in frames_of(mode), ""), f"{_either(frames_of(mode))}{beside}"),
    )


def _either(values: tuple[int, ...]) -> str:
    """Numbers in words: "10, 20 or 30"."""
    return " or ".join(filter(None, (", ".join(map(str, values[:-1])), str(values[-1]))))


def level_rule(level: str) -> tuple[str, Any, bool, str, str]:
    """The rule of a level, for `check_settings`."""
    return "level", level, level in LEVELS, "", f"one of {', '.join(LEVELS)}"


def check_settings(*rules: tuple[str, Any, bool, str, str]) -> None:
    """Raise InputError for the first rule that is broken: (setting, its value, whether it is kept, unit, remedy)."""
    for name, value, kept, unit, remedy in rules:
        if not kept:
            raise InputError(f"settings: {name}={value!r}{unit}; use {remedy}")
