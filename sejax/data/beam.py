"""The extraction of functionals as an Apache Beam pipeline, for corpora beyond one machine (extra `beam`).

An element of the pipeline is a range of utterances. A worker opens the utterance set and openSMILE itself, writes the
range's outcomes into a file of their own under the set's unfinished folder, and hands on the file's name; the process
that started the pipeline then puts the files together in the utterances' order. Files are written whole and say what
they hold, so a range that is tried twice does no harm, and a pipeline that is started again leaves out what is there.
Workers must see the utterance set and that folder under the same path (a network file system, where there are several
machines) and have sejax[data] installed; they share nothing else.
"""

import functools
import itertools
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from sejax.audio.opensmile import SIZE, Extractor
from sejax.corpora import records
from sejax.corpora.builder import SPLIT
from sejax.corpora.problems import Problem
from sejax.data.functionals import Outcome, outcome
from sejax.data.prepare_vectors import PARTS
from sejax.data.rows import Row
from sejax.errors import InputError

RANGE = 32  # utterances in one element: half a minute of work at most, a few hundred kilobytes


def through(features: str, *, runner: str = "DirectRunner", options: Sequence[str] = ()):
    """The `through` of `sejax.data.prepare_vectors.prepare_vectors` that extracts in a Beam pipeline.

    Args:
      features: "emobase2010" or "is10", as given to `prepare_vectors`.
      runner: the name of a Beam runner.
      options: further options of the pipeline, as on Beam's command line: "--direct_num_workers=2", say.

    Raises InputError when apache-beam is not installed or does not take the options.
    """
    _import_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    chosen = PipelineOptions([f"--runner={runner}", *options])
    try:
        chosen.get_all_options()
    except SystemExit as error:  # it has shown the options on stderr
        raise InputError(f"beam: options {', '.join(options)} are refused, see above") from error
    return functools.partial(_outcomes, features=features, options=chosen)


def _import_beam():
    try:
        import apache_beam
    except ImportError:
        raise InputError(
            "extraction in a Beam pipeline needs the package apache-beam; pip install sejax[beam]"
        ) from None
    return apache_beam


def _outcomes(utterances, first: int, folder: Path, *, features: str, options) -> Iterator[Outcome]:
    """Run the pipeline over what is not there yet, then read its files in order."""
    total = utterances.info.splits[SPLIT].num_examples
    parts = folder.resolve() / PARTS
    parts.mkdir(exist_ok=True)
    begin = first // RANGE * RANGE  # the same ranges whatever was there already
    ranges = [(start, min(start + RANGE, total)) for start in range(begin, total, RANGE) if first < total]
    missing = [limits for limits in ranges if not _file(parts, limits).is_file()]
    if missing:
        _run(missing, Path(utterances.data_dir).resolve(), parts, features, options)
    found = itertools.chain.from_iterable(read_part(_file(parts, limits)) for limits in ranges)
    yield from itertools.islice(found, first - begin, None)


def _run(missing, utterances: Path, parts: Path, features: str, options) -> None:
    beam = _import_beam()
    try:
        pipeline = beam.Pipeline(options=options)
    except (ValueError, ImportError, AttributeError) as error:
        raise InputError(f"beam: no such runner can be used ({error})") from error
    with pipeline:
        ranges = pipeline | "Ranges" >> beam.Create(missing) | "Spread" >> beam.Reshuffle()
        ranges | "Extract" >> extract_parts(features, utterances=str(utterances), folder=str(parts))


def extract_parts(features: str, *, utterances: str, folder: str):
    """A Beam transform: (first, last + 1) of a range of utterances -> path of the file with their outcomes.

    Args:
      features: "emobase2010" or "is10".
      utterances: folder of the utterance set's version, as `sejax.corpora.builder.build(...).data_dir`.
      folder: where the files go; it exists.
    """
    part = functools.partial(write_part, features=features, utterances=utterances, folder=folder)
    return _import_beam().Map(part)


def write_part(limits: tuple[int, int], *, features: str, utterances: str, folder: str) -> str:
    """Extract a range of utterances, on whatever machine this runs, and write their outcomes; returns the file."""
    source, extractor = _opened(utterances, features)
    found = [outcome(records.from_example(source[number]), extractor) for number in range(*limits)]
    values = [one.values for one in found if one.problem is None]
    notes = [[one.row.as_dict(), one.problem and astuple(one.problem)] for one in found]
    path = _file(Path(folder), limits)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    with open(unfinished, "wb") as file:
        np.savez(file, values=np.reshape(np.array(values, np.float32), (len(values), SIZE)), notes=json.dumps(notes))
    os.replace(unfinished, path)
    return str(path)


def read_part(path: Path) -> Iterator[Outcome]:
    """The outcomes in a file of `write_part`, in their order."""
    with np.load(path) as file:
        values, notes = iter(file["values"]), json.loads(str(file["notes"]))
    for row, problem in notes:
        if problem:
            yield Outcome(Row(**row), problem=Problem(*problem))
        else:
            yield Outcome(Row(**row), next(values))


_here = threading.local()  # what a worker's thread has open, so that it opens it once


def _opened(utterances: str, features: str) -> tuple:
    """The utterances, random access, and an extractor."""
    if getattr(_here, "key", None) != (utterances, features):
        import tensorflow_datasets as tfds

        source = tfds.builder_from_directory(utterances).as_data_source(split=SPLIT)
        _here.opened, _here.key = (source, Extractor(features)), (utterances, features)
    return _here.opened


def _file(folder: Path, limits: tuple[int, int]) -> Path:
    return folder / f"{limits[0]:08}-{limits[1]:08}.npz"
