"""The TFDS builder of every corpus: utterances in ArrayRecord files with random access.

They are decoded into shards, each written whole, so that a killed run goes on with the next one.

utterances = builder(corpora.open_corpus("emodb", source), data_dir="data")
utterances.download_and_prepare()
utterance = records.from_record(records_of(utterances)[17])
"""

import contextlib
import errno
import functools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sejax.core.files import (
    check_digests,
    damaged,
    digest_of_file,
    locked,
    read_json,
    write_digests,
    write_json,
    write_text,
)
from sejax.core.threads import in_order
from sejax.corpora import records
from sejax.corpora.corpus import Corpus, Progress, Recording, seconds
from sejax.corpora.problems import BadRecording, Problem, Problems, as_csv
from sejax.errors import InputError, needs

SPLIT = "train"  # TFDS's name for data without a published division
LEFT_OUT, DIGESTS = "left_out.csv", "digests.json"
CLIPPED = "clipped.json"  # {id: share} of the utterances with samples beyond full scale, where there are any


def builder(corpus: Corpus, data_dir: str | Path, *, allow_partial: bool = False, progress: Progress | None = None):
    """A `tfds.core.GeneratorBasedBuilder` whose files lie in DATA_DIR/<corpus>/utterances-<hash>/1.0.0.

    The hash stands for the utterances' content. `download_and_prepare()` decodes the corpus; when it was killed, the
    next call goes on after the last finished shard. Neither writing nor reading imports TensorFlow.
    """
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # TFDS warns of every configuration that is not registered with it: of all
    try:
        return _builder_class(corpus.name)(
            corpus=corpus, data_dir=str(data_dir), allow_partial=allow_partial, progress=progress
        )
    finally:
        logging.set_verbosity(before)


def build(
    corpus: Corpus,
    data_dir: str | Path,
    *,
    allow_partial: bool = False,
    progress: Progress | None = None,
    beside: Callable[[], None] = lambda: None,
):
    """Make the utterance set unless it exists; returns the prepared builder.

    `beside()` is called by another thread while the set is made, and has ended when this returns; it is not where the
    set exists.

    Raises InputError when recordings cannot be decoded (all of them named), when an existing set was made without some
    recordings and `allow_partial` is not given now, or when another process is making the same set.
    """
    utterances = builder(corpus, data_dir, allow_partial=allow_partial, progress=progress)
    version = Path(utterances.data_dir)
    with only_one(version.parent / ".lock"):
        for stale in version.parent.glob("incomplete.*"):  # what TFDS leaves when it is killed
            shutil.rmtree(stale)
        if version.is_dir():
            if (version / LEFT_OUT).is_file() and not allow_partial:
                raise InputError(
                    f"corpora/{corpus.name}: {version} was made without the recordings that its {LEFT_OUT} lists;"
                    " mend them, or pass --allow_partial to use it as it is"
                )
        else:
            try:
                with ThreadPoolExecutor(1) as pool:
                    at_work = pool.submit(beside)
                    utterances.download_and_prepare(download_dir=version.parent / "shards" / "downloads")
                    at_work.result()
            except InputError:
                shutil.rmtree(version.parent, ignore_errors=True)  # mended files make another set
                raise
            write_digests(version / DIGESTS)
        shutil.rmtree(version.parent / "shards", ignore_errors=True)
    return utterances


def records_of(utterances) -> Sequence[bytes]:
    """What a prepared builder holds of each utterance, for `records.from_record`; random access."""
    with needs("data"):
        from tensorflow_datasets.core.decode import DeserializeMethod

    return utterances.as_data_source(split=SPLIT, deserialize_method=DeserializeMethod.RAW_BYTES)


def clipping(utterances) -> tuple[str, ...]:
    """A note on the utterances of a prepared builder that were clipped, () where none was."""
    path = Path(utterances.data_dir) / CLIPPED
    if not path.is_file():
        return ()
    clipped = read_json(path, f"delete {path.parent.parent} and prepare the corpus again")
    worst = max(clipped, key=clipped.get)
    where = f"the most of {worst}, {clipped[worst]:.2%}; {path} has all"
    return (f"{len(clipped)} utterances have samples beyond full scale, which were clipped ({where})",)


@functools.cache
def _builder_class(corpus_name: str):
    with needs("data"):
        import tensorflow_datasets as tfds

    class Utterances(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Utterances of one corpus."""

        VERSION = tfds.core.Version("1.0.0")
        name = corpus_name
        # TFDS would look for checksum and citation files beside this module, with a package it does not declare.
        code_path = None
        pkg_dir_path = Path(__file__).parent

        def __init__(self, *, corpus, data_dir, allow_partial, progress):
            self._corpus, self._allow_partial, self._progress = corpus, allow_partial, progress
            config = tfds.core.BuilderConfig(name=f"utterances-{corpus.digest(progress)[:10]}")
            made = Path(data_dir, self.name, config.name)  # checked before TFDS reads it
            check_digests(made / str(self.VERSION) / DIGESTS, f"delete {made} and prepare the corpus again")
            super().__init__(data_dir=data_dir, config=config, file_format="array_record")

        def _info(self):
            about = self._corpus.about
            return tfds.core.DatasetInfo(
                builder=self,
                description=about.description or self.name,
                features=records.features(self._corpus.classes),
                citation=about.citation or None,
                license=about.licence or None,
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager):
            return {SPLIT: self._generate_examples()}

        def _generate_examples(self):
            for number, utterance in enumerate(self._corpus):
                yield number, records.to_example(utterance, self._corpus)

        def _download_and_prepare(self, dl_manager, download_config):
            """Write finished shards outside TFDS's temporary folder, so that they survive a kill, and link them in."""
            _write_split(self, tfds)

        # TFDS prints sizes that it does not know yet; `sejax prepare` prints the real ones.
        _log_download_bytes = _log_download_done = lambda self: None

    return Utterances


def _write_split(self, tfds) -> None:
    corpus = self._corpus
    unfinished = Path(self.data_dir)
    folder = unfinished.parent / "shards"
    folder.mkdir(exist_ok=True)
    shards, undecoded, clipped = write_shards(
        corpus, folder, allow_partial=self._allow_partial, progress=self._progress
    )
    if left_out := corpus.left_out + undecoded:
        write_text(unfinished / LEFT_OUT, as_csv(left_out))
    if clipped:
        write_json(unfinished / CLIPPED, clipped, indent=2)
    shards = [shard for shard in shards if shard.examples]
    template = self._get_filename_template(SPLIT)
    for number, shard in enumerate(shards):
        name = template.sharded_filepath(shard_index=number, num_shards=len(shards)).name
        os.link(shard.path, unfinished / name)
    info = tfds.core.SplitInfo(
        name=SPLIT,
        shard_lengths=[shard.examples for shard in shards],
        num_bytes=sum(shard.bytes for shard in shards),
        filename_template=template,
    )
    self.info.set_splits(tfds.core.splits.SplitDict([info]))


LEAST = 600.0  # seconds of audio in a group: a kill loses a second or two of work
SECONDS_AHEAD = 60.0  # of audio that is decoded and not written yet
MOST_GROUPS = 1000  # and a large corpus does not come as a hundred thousand files


def groups(seconds: np.ndarray) -> list[range]:
    """Split records of the given durations (s) into consecutive ranges; depends on the durations alone."""
    least = max(LEAST, float(seconds.sum()) / MOST_GROUPS)
    ranges, first, held = [], 0, 0.0
    for index, duration in enumerate(seconds):
        held += float(duration)
        if held >= least or index + 1 == len(seconds):
            ranges.append(range(first, index + 1))
            first, held = index + 1, 0.0
    return ranges


def only_one(path: Path) -> contextlib.AbstractContextManager[None]:
    """`sejax.core.files.locked`, for what is prepared in the file's folder."""
    return locked(path, f"{path.parent} is being prepared by another process; wait for it, or use another data_dir")


class Shard(NamedTuple):
    """A finished ArrayRecord file: the number of examples in it and their bytes."""

    path: Path
    examples: int
    bytes: int


def write_shards(
    corpus: Corpus,
    folder: Path,
    *,
    allow_partial: bool = False,
    progress: Progress | None = None,
) -> tuple[list[Shard], tuple[Problem, ...], dict[str, float]]:
    """Decode a corpus into shards under `folder`; those that an earlier run finished stay as they are.

    Recordings that cannot be decoded are gathered over the whole corpus and raised in one InputError, or with
    `allow_partial` left out and returned beside the shards; the third of what is returned says of which recordings
    samples were clipped, and the share of them.
    """
    durations = seconds(corpus.recordings)
    shards, problems, clipped, done = [], Problems(corpus.name), {}, 0.0
    for number, group in enumerate(groups(durations)):
        path = folder / f"{number:05}.array_record"
        note = path.with_suffix(".json")  # written after the file: a shard that has it is finished
        if note.is_file():
            remedy = f"delete {note}, and the utterances of {path.name} are decoded again"
            values = read_json(note, remedy)
            if values.get("shard", "") not in ("", digest_of_file(path)):
                raise damaged(path, "its note has another digest", remedy)
        else:
            values = _write(corpus, group, path)
            write_json(note, values | {"shard": digest_of_file(path)})
        problems.found += [Problem(*problem) for problem in values["left_out"]]
        clipped |= values.get("clipped", {})
        shards.append(Shard(path, values["examples"], values["bytes"]))
        done += float(durations[group.start : group.stop].sum())
        if progress:
            progress("utterances", done, float(durations.sum()))
    decoded = sum(shard.examples for shard in shards)
    return shards, problems.settle(allow_partial=allow_partial, left=decoded), clipped


def _write(corpus: Corpus, group: range, path: Path) -> dict:
    with needs("data"):
        from array_record.python.array_record_module import ArrayRecordWriter

    examples, size, left_out, clipped = 0, 0, [], {}

    def decoded(recording: Recording) -> bytes | None:
        try:
            utterance = corpus.decode(recording)
        except BadRecording as error:
            left_out.append(error.problem)
            return None
        if utterance.clipped:
            clipped[utterance.id] = utterance.clipped
        return records.to_record(utterance, corpus)

    unfinished = path.with_suffix(".unfinished")
    writer = ArrayRecordWriter(str(unfinished), "group_size:1")  # one record per read: random access
    recordings = ((recording, recording.seconds) for recording in corpus.recordings[group.start : group.stop])
    for data in in_order(decoded, recordings, threads=1, ahead=SECONDS_AHEAD):  # the writer compresses meanwhile
        if data is None:
            continue
        with _refusals(unfinished):
            writer.write(data)
        examples, size = examples + 1, size + len(data)
        del data  # hours of samples
    with _refusals(unfinished):
        writer.close()
    os.replace(unfinished, path)
    return {"examples": examples, "bytes": size, "left_out": left_out, "clipped": clipped}


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """What the system refused ArrayRecord's writer (room on the disk, say) as the OSError that it is."""
    try:
        yield
    except RuntimeError as error:
        number = next((number for number in errno.errorcode if f"failed: {os.strerror(number)};" in str(error)), None)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from None
