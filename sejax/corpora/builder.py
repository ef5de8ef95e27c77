"""The TFDS builder of every corpus: utterances in ArrayRecord files with random access.

utterances = builder(corpora.open_corpus("emodb", source), data_dir="data")
utterances.download_and_prepare()
source = utterances.as_data_source(split="train")
utterance = records.from_example(source[17])
"""

import contextlib
import functools
import os
import shutil
from pathlib import Path

from sejax.core.files import write_text
from sejax.corpora import records
from sejax.corpora.corpus import Corpus, Progress
from sejax.corpora.problems import as_csv
from sejax.corpora.shards import only_one, write_shards
from sejax.errors import InputError

SPLIT = "train"  # TFDS's name for data without a published division
LEFT_OUT = "left_out.csv"


def builder(corpus: Corpus, data_dir: str | Path, *, allow_partial: bool = False, progress: Progress | None = None):
    """A `tfds.core.GeneratorBasedBuilder` whose files lie in DATA_DIR/<corpus>/utterances-<hash>/1.0.0.

    The hash stands for the utterances' content. `download_and_prepare()` decodes the corpus; when it was killed, the
    next call goes on after the last finished shard. Neither writing nor reading imports TensorFlow.
    """
    with _without_tfds_talk():
        return _builder_class(corpus.name)(
            corpus=corpus, data_dir=str(data_dir), allow_partial=allow_partial, progress=progress
        )


@contextlib.contextmanager
def _without_tfds_talk():
    """TFDS logs a warning for every configuration that is not registered with it: here, for all of them."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def build(corpus: Corpus, data_dir: str | Path, *, allow_partial: bool = False, progress: Progress | None = None):
    """Make the utterance set unless it exists; returns the prepared builder.

    Raises InputError when recordings cannot be decoded (all of them named), when an existing set was made without some
    recordings and `allow_partial` is not given now, or when another process is making the same set.
    """
    utterances = builder(corpus, data_dir, allow_partial=allow_partial, progress=progress)
    version = Path(utterances.data_dir)
    with only_one(version.parent / ".lock"):
        for stale in version.parent.glob("incomplete.*"):  # what TFDS leaves when it is killed
            shutil.rmtree(stale)
        if version.is_dir():
            _refuse_partial(version, corpus, allow_partial)
        else:
            try:
                utterances.download_and_prepare(download_dir=version.parent / "shards" / "downloads")
            except InputError:
                shutil.rmtree(version.parent, ignore_errors=True)  # mended files make another set
                raise
        shutil.rmtree(version.parent / "shards", ignore_errors=True)
    return utterances


def _refuse_partial(version: Path, corpus: Corpus, allow_partial: bool) -> None:
    if (version / LEFT_OUT).is_file() and not allow_partial:
        raise InputError(
            f"corpora/{corpus.name}: {version} was made without the recordings that its {LEFT_OUT} lists;"
            " mend them, or pass --allow_partial to use it as it is"
        )


@functools.cache
def _builder_class(corpus_name: str):
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

        def _log_download_bytes(self):
            """TFDS prints sizes that it does not know yet; launch/prepare.py prints the real ones."""

        def _log_download_done(self):
            """As above."""

    return Utterances


def _write_split(self, tfds) -> None:
    corpus = self._corpus
    unfinished = Path(self.data_dir)
    folder = unfinished.parent / "shards"
    folder.mkdir(exist_ok=True)
    serialize = records.serializer(corpus, self.info.features)
    shards = write_shards(corpus, folder, serialize, allow_partial=self._allow_partial, progress=self._progress)
    if not any(shard.examples for shard in shards):
        raise InputError(f"corpora/{corpus.name}: none of {len(corpus)} recordings can be decoded; mend the files")
    left_out = corpus.left_out + tuple(problem for shard in shards for problem in shard.left_out)
    if left_out:
        write_text(unfinished / LEFT_OUT, as_csv(left_out))
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
