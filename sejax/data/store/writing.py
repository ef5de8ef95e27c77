"""How a prepared set of any kind is made: one writer, step by step, resumed after a kill to the same bytes.

The large array grows in a folder named <set>.unfinished, and a journal notes what of it is on the disk. When all of it
is, the small files are written and the folder gets its own name.
"""

import contextlib
import hashlib
import itertools
import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from sejax import corpora
from sejax.audio.level import Traits, levelled, ranges, traits
from sejax.audio.samples import RATE
from sejax.core.files import (
    PieceDigests,
    append_digest,
    damaged,
    digest_of,
    digest_of_file,
    naming,
    printable,
    write_json,
    write_npy,
)
from sejax.core.threads import in_order
from sejax.corpora import records
from sejax.corpora.builder import LEFT_OUT, SPLIT, build, clipping, only_one, records_of
from sejax.corpora.corpus import Corpus, Progress, Utterance, Word, class_index, seconds
from sejax.data.store.sets import UNNAMED, digest_of_samples
from sejax.errors import InputError, typed

JOURNAL = "journal.jsonl"  # of an unfinished set
SECONDS_AHEAD = 300.0  # of audio that is read and not computed from yet: 20 MB with its copies


class Journal:
    """Append-only list of JSON values, one a line with its digest, that survives a kill.

    A half-written last line is cut off.

    Attributes:
      rows: what the last line read says of the rows of the array beside it, `GrowingArray.digest`.
    """

    rows = ""

    def __init__(self, path: Path):
        self._path = path
        data = path.read_bytes() if path.exists() else b""
        whole = data.rfind(b"\n") + 1
        self._file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115
        self._file.truncate(whole)
        self._file.seek(whole)

    def __iter__(self) -> Iterator:
        """The entries, one at a time, as they are on the disk.

        Raises InputError for a damaged line.
        """
        with open(self._path, "rb") as file:
            for number, line in enumerate(file, start=1):
                entry, *digests = line.rstrip(b"\n").split(b"\t")  # JSON holds no tab
                try:
                    if digests:  # earlier versions wrote none
                        rows, digest = (text.decode() for text in digests)
                        if digest_of(entry + b"\t" + digests[0]) != digest:
                            raise ValueError("its digest is another")
                        self.rows = rows
                    yield json.loads(entry)
                except ValueError as error:
                    raise damaged(f"{self._path}, line {number},", str(error), _again(self._path.parent)) from None

    def append(self, entry, rows: str) -> None:
        """Write one entry, and the digest of the array's rows until then; it is on the disk when this returns."""
        line = json.dumps(entry).encode() + b"\t" + rows.encode()
        self._file.write(line + b"\t" + digest_of(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class GrowingArray:
    """Append rows [n, *shape] to a .npy file, f32 by default; `finish` writes the number of rows into its header.

    numpy reserves room in the header for any number of rows, so no row moves when the number changes.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], *, rows: int = 0, dtype: str = "<f4", digest: str = ""):
        """Open the file for appending after its first `rows` rows of `dtype`; anything behind them is cut off.

        Raises InputError when the file holds fewer (after a power cut, say), or others than `digest` says.
        """
        self.shape, self.rows, self.dtype = tuple(shape), rows, np.dtype(dtype)
        self._file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115
        self._write_header()
        self._pieces = PieceDigests(self._file.tell())
        end = self._file.tell() + rows * math.prod(self.shape) * self.dtype.itemsize
        if path.stat().st_size < end and rows:
            raise InputError(f"{path} holds fewer than the {rows} rows its journal counts; {_again(path.parent)}")
        self._file.truncate(end)
        while piece := self._file.read(1 << 22):
            self._pieces.update(piece)
        if digest and self.digest() != digest:
            raise damaged(path, "its journal has another digest", _again(path.parent))

    def append(self, values: np.ndarray) -> None:
        """Append [n, *shape] of any type; it is written as the array's."""
        assert values.shape[1:] == self.shape, (values.shape, self.shape)
        content = np.ascontiguousarray(values, self.dtype).data
        self._pieces.update(content)
        self._file.write(content)
        self.rows += len(values)

    def digest(self) -> str:
        """Of all rows."""
        return self._pieces.digest()

    def flush(self) -> None:
        """Return once everything appended is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Write the final header and the digest, and close the file."""
        self._file.seek(0)
        self._write_header()
        append_digest(self._file, self._pieces.known)
        self.flush()
        self._file.close()

    def _write_header(self) -> None:
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


def _again(folder: Path) -> str:
    return f"delete {folder}, and {typed('prepare')} starts again"


@dataclass(frozen=True)
class UtteranceRow:
    """What every preparation notes of an utterance; each kind of set adds what it needs.

    Who said it, with which emotion ("" = unlabelled), its duration in seconds, a digest of its samples, and its traits
    (`sejax.audio.level.Traits`).
    """

    id: str
    speaker: str
    sex: str
    session: str
    emotion: str
    seconds: float
    digest: str = field(default="", kw_only=True)  # "" in journals of earlier versions
    traits: list[float] = field(default_factory=list, kw_only=True)  # [] there
    split: str = field(default="", kw_only=True)  # the corpus's own division, see sejax.corpora.splits

    @classmethod
    def of(cls, utterance: Utterance, **more) -> Self:
        """The row of an utterance; `more`: what the class adds."""
        computed = {
            "seconds": len(utterance.waveform) / utterance.rate,
            "digest": digest_of_samples(utterance.waveform),
            "traits": [],
        }
        names = [field.name for field in fields(UtteranceRow) if field.name not in computed]
        return cls(**{name: getattr(utterance, name) for name in names} | computed | more)


@dataclass(frozen=True)
class Contents:
    """What becomes of a set's small files, beside what every kind has.

    rows: one an utterance. columns: an .npy file each; with "utterance" among them, i32[N], a set has N examples of the
    rows' utterances, otherwise every utterance is one. index: for index.json; counts: for settings.json.
    """

    rows: list[Any]
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    index: dict[str, list] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How sets of one kind are made.

    Attributes:
      features: what their folders' names begin with.
      decides: entries of settings.json that decide, with the utterances, what is in the set: "settings" first.
      write: `write(corpus, utterances, folder, report)` writes the large array into the unfinished folder, which it
        finds as a killed preparation left it, and the journal; utterances: the builder of the utterance set;
        `report(seconds done)`. Returns what the small files hold.
      begin: what can be done before there is an utterance (imports, compiling); called beside the writing of these.
      stage: what progress calls it; "": as the features.
      version: raise it when the same settings begin to give other values.
    """

    features: str
    decides: dict[str, dict]
    write: Callable[[Corpus, Any, Path, Callable[[float], None]], Contents]
    begin: Callable[[], None] = lambda: None
    stage: str = ""
    version: int = 1

    def folder_name(self, utterances: str) -> str:
        """Of the set made from the utterance set of this name: ten hex digits stand for all that decides."""
        decides = (self.version, *self.decides.values(), utterances)
        return f"{self.features}-{hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:10]}"


def prepare_set(
    preparation: Preparation,
    corpus: str,
    source: str | Path = "",
    data_dir: str | Path = "data",
    *,
    allow_partial: bool = False,
    progress: Progress | None = None,
    **options,
) -> Path:
    """Prepare a corpus; returns the folder of its set, DATA_DIR/<corpus>/<features>-<hash>.

    A set that exists is returned as it is; a preparation that was killed goes on where it was, to the same bytes; other
    settings or other files make another set.

    Args:
      corpus, source, options: as `sejax.corpora.open_corpus` takes them: `subset` or `name`, say.
      data_dir: folder that holds the prepared sets.
      allow_partial: go without unusable inputs; the set's left_out.csv lists them.
      progress: `progress(stage, done, total)`, seconds of audio; files while some corpora are opened.

    Raises InputError for bad input, and for an existing set that left inputs out where that is not allowed.
    """
    if "://" in str(data_dir):
        raise InputError(f"--data_dir={data_dir}: sets are made in a folder of this machine; copy it there afterwards")
    _make_folder(Path(data_dir))
    options = {option: value for option, value in options.items() if value is not None}
    if corpus != "synthetic":
        options["allow_partial"] = allow_partial
    opened = corpora.open_corpus(corpus, source, progress=progress, **options)
    utterances = build(
        opened, data_dir, allow_partial=allow_partial, progress=progress, beside=preparation.begin
    )
    made_from = Path(utterances.data_dir).parent
    folder = made_from.parent / preparation.folder_name(made_from.name)
    unfinished = folder.with_name(folder.name + ".unfinished")
    if folder.is_dir():
        return _finished(folder, opened, allow_partial)
    with naming(unfinished), only_one(unfinished / "lock"):
        if folder.is_dir():  # another process finished it just now
            shutil.rmtree(unfinished)
            return _finished(folder, opened, allow_partial)
        left_out = left_out_of(utterances)
        if left_out:
            shutil.copyfile(left_out, unfinished / LEFT_OUT)
        report = _reporter(preparation.stage or preparation.features, opened, progress)
        contents = preparation.write(opened, utterances, unfinished, report)
        opened = replace(opened, notes=(*opened.notes, *clipping(utterances)))
        _write_small_files(unfinished, opened, made_from.name, preparation.decides, contents)
        (unfinished / JOURNAL).unlink()
        (unfinished / "lock").unlink()
        os.replace(unfinished, folder)
    return folder


def write_array(
    utterances,
    folder: Path,
    describe: Callable[[Utterance], tuple[UtteranceRow, np.ndarray]],
    compute: Callable[[Iterator[np.ndarray], list], Iterator[np.ndarray]] = lambda samples, rows: samples,
    *,
    array: str,
    shape: tuple[int, ...],
    dtype: str = "<f4",
    row: type[UtteranceRow],
    length: Callable[[Any], int],
    seconds_each: float,
    level: str,
    report: Callable[[float], None],
) -> list:
    """Write <array>.npy and the journal from where a killed preparation left them; returns a row per utterance.

    The utterance set's shards follow each other, each noted when its rows are on the disk.

    Args:
      utterances: builder of the utterance set; folder: of the unfinished set.
      describe: gives an utterance's row, and the values that its part of the array is computed from.
      compute: `compute(values of a shard's utterances, rows)` yields arrays [n, *shape]; once it has taken the last
        values the list holds all rows, and it may put others in their place. By default the values are the array.
      array, shape, dtype: name of the file, shape and type of one of its rows.
      row: class of the utterances' rows; length: rows of the array that belong to one.
      seconds_each: seconds of audio that a row of the array stands for, for `report(seconds done)`, which
        is told of infinitely many at the end.
      level: what recordings are brought to before all else.
    """
    source = records_of(utterances)
    journal = Journal(folder / JOURNAL)
    finished, first, count, done = 0, 0, 0, 0.0  # shards, utterances, the array's rows, seconds
    for rows in _rows(journal, row):
        finished, first, count = finished + 1, first + len(rows), count + sum(map(length, rows))
        done += sum(each.seconds for each in rows)
    large = GrowingArray(folder / f"{array}.npy", shape, rows=count, dtype=dtype, digest=journal.rows)
    with contextlib.closing(journal):
        for size in utterances.info.splits[SPLIT].shard_lengths[finished:]:
            rows, told = [], done
            for values in compute(_described(source, range(first, first + size), level, describe, rows), rows):
                large.append(values)
                told += len(values) * seconds_each
                report(told)
            large.flush()
            journal.append([asdict(each) for each in rows], large.digest())
            first += size
            done += sum(each.seconds for each in rows)
    large.finish()
    report(math.inf)
    return list(itertools.chain.from_iterable(_rows(journal, row)))


def _rows(journal: Journal, row: type[UtteranceRow]) -> Iterator[list]:
    """The rows of each shard that a journal notes; nobody else holds them while a corpus is prepared."""
    return ([row(**values) for values in entry] for entry in journal)


def _described(source, shard: range, level: str, describe, rows: list) -> Iterator[np.ndarray]:
    """Read a shard's utterances one at a time: what is computed from them, after their row was appended to `rows`.

    A thread describes them, a few minutes of audio ahead of whoever computes.
    """

    def described(record: bytes) -> tuple[UtteranceRow, np.ndarray]:
        utterance = records.from_record(record)
        row, values = describe(at_level(utterance, level))
        return replace(row, traits=traits_of(utterance)), values

    def read() -> Iterator[tuple[bytes, float]]:
        for index in shard:
            record = source[index]
            yield record, len(record) / np.dtype(np.int16).itemsize / RATE  # nearly all of it are samples

    for row, values in in_order(described, read(), threads=1, ahead=SECONDS_AHEAD, most=len(shard)):
        rows.append(row)
        yield values


def traits_of(utterance: Utterance) -> list[float]:
    """An utterance's `sejax.audio.level.Traits`, to six digits."""
    return [float(f"{trait:.6g}") for trait in traits(utterance.waveform, utterance.rate)]


def at_level(utterance: Utterance, level: str) -> Utterance:
    """The utterance with its recording brought to a level, as `sejax.audio.level.levelled` does it."""
    return replace(utterance, waveform=levelled(utterance.waveform, utterance.rate, level))


def check_rate(utterance: Utterance) -> None:
    """Raise InputError for an utterance that is not at 16 kHz, as sejax writes them."""
    if utterance.rate != RATE:
        raise InputError(f"{utterance.id}: {utterance.rate} Hz; utterance sets hold {RATE} Hz, make this one again")


def words_inside(utterance: Utterance) -> list[Word]:
    """The words that lie in an utterance, with 0 <= start <= end <= duration in seconds.

    Words that begin after the last sample or end before the first are passed over, the others are cut there.
    """
    duration = len(utterance.waveform) / utterance.rate
    inside = []
    for word in utterance.words:
        if word.start < duration and word.end >= 0:
            start = max(word.start, 0.0)
            inside.append(Word(word.text, start, min(max(word.end, start), duration)))
    return inside


def offsets(counts, dtype) -> np.ndarray:
    """[U + 1]: where each of U runs of so many rows begins, and where the last ends."""
    return np.cumsum([0, *counts], dtype=dtype)


def left_out_of(utterances) -> Path | None:
    """left_out.csv of the utterance set, where it has one."""
    return next(Path(utterances.data_dir).parent.glob(f"*/{LEFT_OUT}"), None)


def _write_small_files(folder: Path, corpus: Corpus, utterances: str, decides: dict, contents: Contents) -> None:
    """Write index.json, settings.json and one .npy per column."""
    rows = contents.rows
    index, session = _who_said_what(corpus, rows)
    columns = {
        "label": np.array(index["utterance_label"], np.int32),
        "speaker": np.array(index["utterance_speaker"], np.int32),
        "session": session,
    }
    if "utterance" in contents.columns:
        columns = {name: column[contents.columns["utterance"]] for name, column in columns.items()}
    else:
        columns["seconds"] = np.array([row.seconds for row in rows], np.float64)
    for name, column in (columns | contents.columns).items():
        write_npy(folder / f"{name}.npy", column)
    write_json(folder / "index.json", index | contents.index)
    read = {name: corpus.options[name] for name in UNNAMED if name in corpus.options}
    about = {
        "corpus": corpus.name,
        "utterances": utterances,
        **decides,
        **({"read": read} if read else {}),  # the hash of the utterances stands for it
        "counts": _counts(corpus, rows) | contents.counts,
        "notes": corpus.notes,
        "digests": {path.name: digest_of_file(path) for path in sorted(folder.glob("*.csv"))},
    }
    write_json(folder / "settings.json", about, indent=2)


def _who_said_what(corpus: Corpus, rows: list) -> tuple[dict, np.ndarray]:
    """index.json's entries and session i32[U] of utterances.

    Names are numbered in their sorted order, so that the numbers do not depend on the order of the utterances.
    """
    speakers = {name: number for number, name in enumerate(sorted({row.speaker for row in rows}))}
    sessions = {name: number for number, name in enumerate(sorted({row.session for row in rows}))}
    sex = {row.speaker: row.sex for row in rows}
    index = {
        "classes": corpus.classes,
        "speakers": list(speakers),
        "sex": [sex[speaker] for speaker in speakers],
        "sessions": list(sessions),
        "utterance_ids": [row.id for row in rows],
        "utterance_label": [class_index(corpus.classes, row.emotion) for row in rows],
        "utterance_speaker": [speakers[row.speaker] for row in rows],
        "digests": [row.digest for row in rows] if all(row.digest for row in rows) else [],
        "traits": [row.traits for row in rows] if all(map(_has_traits, rows)) else [],
    }
    if any(row.split for row in rows):
        index["splits"] = [row.split for row in rows]
    return index, np.array([sessions[row.session] for row in rows], np.int32)


def _has_traits(row: UtteranceRow) -> bool:
    """Whether a row has all traits, which those in journals of earlier versions have not."""
    return len(row.traits) == len(Traits._fields)


def _counts(corpus: Corpus, rows: list) -> dict:
    """Counts that every kind of set has."""
    labels = Counter(row.emotion for row in rows)
    return {
        "utterances": len(rows),
        "speakers": len({row.speaker for row in rows}),
        "labels": {name: labels[name] for name in corpus.classes},
        "unlabelled": labels[""],
        "seconds": sum(row.seconds for row in rows),
        "recordings": ranges([Traits(*row.traits) for row in rows if _has_traits(row)]),
    }


def _reporter(stage: str, corpus: Corpus, progress: Progress | None) -> Callable[[float], None]:
    """Tells `progress` of a stage how many seconds of the corpus's audio are done, never more than there are."""
    total = float(seconds(corpus.recordings).sum())
    return (lambda done: progress(stage, min(done, total), total)) if progress else lambda done: None


def _finished(folder: Path, corpus: Corpus, allow_partial: bool) -> Path:
    if (folder / LEFT_OUT).is_file() and not allow_partial:
        raise InputError(
            f"corpora/{corpus.name}: {folder} was made without the recordings that its {LEFT_OUT} lists;"
            " mend them, or pass --allow_partial to use it as it is"
        )
    return folder


def _make_folder(data_dir: Path) -> None:
    if printable(data_dir) != str(data_dir):  # ArrayRecord and TFDS write no such names
        raise InputError(f"data_dir: {printable(data_dir)} is no UTF-8; name another --data_dir")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"data_dir: {data_dir} cannot be used as a folder ({error.strerror}); name another --data_dir"
        ) from error
