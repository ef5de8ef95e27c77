"""Utterances decoded into ArrayRecord shards, each written whole, so that a killed run goes on with the next."""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.core.files import write_text
from sejax.corpora.corpus import Corpus, Progress, seconds
from sejax.corpora.problems import BadRecording, Problem, Problems
from sejax.errors import InputError

LEAST = 600.0  # seconds of audio in a group: a kill loses a second or two of work
MOST_GROUPS = 1000  # and a large corpus does not come as a hundred thousand files


def groups(seconds: np.ndarray) -> list[range]:
    """Split records of the given durations (s) into consecutive ranges; depends on the durations alone."""
    least = max(LEAST, float(seconds.sum()) / MOST_GROUPS)
    found, first, held = [], 0, 0.0
    for index, duration in enumerate(seconds):
        held += float(duration)
        if held >= least:
            found.append(range(first, index + 1))
            first, held = index + 1, 0.0
    if first < len(seconds):
        found.append(range(first, len(seconds)))
    return found


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock file while the body runs; the system releases it when the process ends, however it ends.

    Raises InputError when another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{path.parent} is being prepared by another process; wait for it, or use another data_dir"
            ) from None
        yield


@dataclass(frozen=True)
class Shard:
    """A finished ArrayRecord file: the number of examples in it and their bytes."""

    path: Path
    examples: int
    bytes: int
    left_out: tuple[Problem, ...]


def write_shards(
    corpus: Corpus,
    folder: Path,
    serialize: Callable,
    *,
    allow_partial: bool = False,
    progress: Progress | None = None,
) -> list[Shard]:
    """Decode a corpus into shards under `folder`; those that an earlier run finished stay as they are.

    `serialize(utterance) -> bytes`. Recordings that cannot be decoded are gathered over the whole corpus and raised in
    one InputError, or left out with `allow_partial`.
    """
    durations = seconds(corpus.recordings)
    shards, problems, done = [], Problems(corpus.name), 0.0
    for number, group in enumerate(groups(durations)):
        shard = _finished(folder, number)
        if shard is None:
            shard = _write(corpus, group, folder, number, serialize)
        problems.found.extend(shard.left_out)
        shards.append(shard)
        done += float(durations[group.start : group.stop].sum())
        if progress:
            progress("utterances", done, float(durations.sum()))
    problems.settle(allow_partial=allow_partial)
    return shards


def _finished(folder: Path, number: int) -> Shard | None:
    """A shard counts as finished when its note exists: the note is written after the file."""
    note = folder / f"{number:05}.json"
    if not note.is_file():
        return None
    values = json.loads(note.read_text())
    left_out = tuple(Problem(*problem) for problem in values["left_out"])
    return Shard(folder / f"{number:05}.array_record", values["examples"], values["bytes"], left_out)


def _write(corpus: Corpus, group: range, folder: Path, number: int, serialize: Callable) -> Shard:
    from array_record.python.array_record_module import ArrayRecordWriter

    path = folder / f"{number:05}.array_record"
    unfinished = path.with_suffix(".unfinished")
    writer = ArrayRecordWriter(str(unfinished), "group_size:1")  # one record per read: random access
    examples, size, left_out = 0, 0, []
    for index in group:
        try:
            data = serialize(corpus.decode(corpus.recordings[index]))
        except BadRecording as error:
            left_out.append(error.problem)
            continue
        writer.write(data)
        examples, size = examples + 1, size + len(data)
    writer.close()
    os.replace(unfinished, path)
    values = {
        "examples": examples,
        "bytes": size,
        "left_out": [(problem.where, problem.what, problem.remedy) for problem in left_out],
    }
    write_text(path.with_suffix(".json"), json.dumps(values))
    return Shard(path, examples, size, tuple(left_out))
