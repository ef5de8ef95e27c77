"""Utterances to openSMILE functionals, in order: on all cores of this machine, or in an Apache Beam pipeline.

On one machine each thread has an extractor of its own: openSMILE computes without Python's lock. A Beam pipeline (extra
`beam`) is for corpora beyond that: an element of it is a range of utterances. A worker opens the utterance set and
openSMILE itself, writes the range's outcomes into a file of their own under the set's unfinished folder, and hands on
the file's name; the process that started the pipeline then puts the files together in the utterances' order. Files are
written whole and say what they hold, so a range that is tried twice does no harm, and a pipeline that is started again
leaves out what is there. Workers must see the utterance set and that folder under the same path (a network file system,
where there are several machines) and have 'sejax[data]' installed; they share nothing else. How far a pipeline is, the
process that started it sees by the files: a runner's own metrics, which count utterances too, may come at the end only
(the DirectRunner's do).
"""

import contextlib
import functools
import itertools
import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sejax.audio.opensmile import Extractor, NoFeatures, size
from sejax.core.threads import in_order
from sejax.corpora import records
from sejax.corpora.builder import SPLIT, records_of
from sejax.corpora.corpus import Utterance
from sejax.corpora.problems import Problem
from sejax.data.store.writing import UtteranceRow, traits_of
from sejax.errors import InputError, needs

BEAM_FOLDER = "parts"  # in an unfinished set: what a pipeline's workers write, until the set is finished
RANGE = 32  # utterances in one element of a pipeline: half a minute of work at most, a few hundred kilobytes
WATCHED = 1.0  # seconds between two looks at what a pipeline's workers have written
_AHEAD = 4  # utterances for each thread that wait for it or for their turn to be written
_AHEAD_BYTES = 64 * 2**20  # and never more samples than this, however long the recordings are


@dataclass(frozen=True)
class VectorRow(UtteranceRow):
    """What a preparation remembers of an utterance.

    `seconds_kept` is what functionals are of, 0 where no speech was found and they are of the whole; None where
    nothing is trimmed.
    """

    seconds_kept: float | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """An utterance's functionals f32[F], or the problem that leaves it without."""

    row: VectorRow
    values: np.ndarray | None = None
    problem: Problem | None = None


def extract(
    utterances: Iterable[Utterance],
    *,
    features: str,
    level: str = "none",
    trim: str = "none",
    workers: int | None = None,
) -> Iterator[Outcome]:
    """Functionals of utterances, in their order.

    Args:
      utterances: read one at a time, a few ahead of the threads.
      features: the name of an openSMILE feature set.
      level: what recordings are brought to first, of `sejax.audio.level.LEVELS`.
      trim: the detector by which pauses at both ends are left out first; "none": they stay.
      workers: threads; None takes one for each core that this process may use.
    """
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    if workers < 1:
        raise InputError(f"workers={workers}: use at least 1 thread")
    idle: queue.SimpleQueue[Extractor] = queue.SimpleQueue()
    for _ in range(workers):
        idle.put(Extractor(features, level, trim))

    def extracted(utterance: Utterance) -> Outcome:
        extractor = idle.get()
        try:
            return outcome(utterance, extractor)
        finally:
            idle.put(extractor)

    sized = ((utterance, utterance.waveform.nbytes) for utterance in utterances)
    yield from in_order(extracted, sized, threads=workers, ahead=_AHEAD_BYTES, most=_AHEAD)


def outcome(utterance: Utterance, extractor: Extractor) -> Outcome:
    """The functionals of one utterance, or why it has none."""
    row = VectorRow.of(utterance, traits=traits_of(utterance))
    try:
        values, kept = extractor.extract(utterance.waveform, utterance.rate)
    except NoFeatures as error:
        return Outcome(row, problem=Problem(utterance.path or utterance.id, error.what, error.remedy))
    return Outcome(replace(row, seconds_kept=kept), values)


def through_beam(
    features: str,
    *,
    level: str = "none",
    trim: str = "none",
    runner: str = "DirectRunner",
    options: Sequence[str] = (),
):
    """The `through` of `sejax.data.vectors.prepare.prepare_vectors` that extracts in a Beam pipeline.

    Args:
      features: one of `sejax.audio.opensmile.FEATURE_SETS`, level and trim, as given to `prepare_vectors`.
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
    how = {"features": features, "level": level, "trim": trim}
    return functools.partial(_beam_outcomes, how=how, options=chosen)


def _import_beam():
    try:
        import apache_beam
    except ImportError:
        raise InputError(
            "extraction in a Beam pipeline needs the package apache-beam; pip install 'sejax[beam]'"
        ) from None
    return apache_beam


def _beam_outcomes(
    utterances, first: int, folder: Path, told: Callable[[int], None], *, how: dict[str, str], options
) -> Iterator[Outcome]:
    """Run the pipeline over what is not there yet, telling of what is, then read its files in order."""
    total = utterances.info.splits[SPLIT].num_examples
    files = folder.resolve() / BEAM_FOLDER
    files.mkdir(exist_ok=True)
    begin = first // RANGE * RANGE  # the same ranges whatever was there already
    ranges = [(start, min(start + RANGE, total)) for start in range(begin, total, RANGE) if first < total]
    missing = [limits for limits in ranges if not _range_file(files, limits).is_file()]
    if missing:
        with _watched(lambda: told(max(_extracted(files, ranges) - (first - begin), 0))):
            _run_pipeline(missing, Path(utterances.data_dir).resolve(), files, how, options)
    outcomes = itertools.chain.from_iterable(read_range(_range_file(files, limits)) for limits in ranges)
    yield from itertools.islice(outcomes, first - begin, None)


def _extracted(files: Path, ranges: Sequence[tuple[int, int]]) -> int:
    """How many utterances of the ranges are in files."""
    there = {path.name for path in files.iterdir()}
    return sum(end - start for start, end in ranges if _range_file(files, (start, end)).name in there)


@contextlib.contextmanager
def _watched(look: Callable[[], None]) -> Iterator[None]:
    """Looks every second while the body runs, and once when it has ended: a runner may not come back before."""
    ended = threading.Event()

    def watch():
        while not ended.wait(WATCHED):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    look()


def _run_pipeline(missing, utterances: Path, files: Path, how: dict[str, str], options) -> None:
    beam = _import_beam()
    try:
        pipeline = beam.Pipeline(options=options)
    except (ValueError, ImportError, AttributeError) as error:
        raise InputError(f"beam: no such runner can be used ({error})") from error
    with pipeline:
        ranges = pipeline | "Ranges" >> beam.Create(missing) | "Spread" >> beam.Reshuffle()
        ranges | "Extract" >> extract_ranges(**how, utterances=str(utterances), folder=str(files))


def extract_ranges(features: str, *, level: str = "none", trim: str = "none", utterances: str, folder: str):
    """A Beam transform: (first, last + 1) of a range of utterances -> path of the file with their outcomes.

    Args:
      features, level, trim: as `extract` takes them.
      utterances: folder of the utterance set's version, as `sejax.corpora.builder.build(...).data_dir`.
      folder: where the files go; it exists.
    """
    how = {"features": features, "level": level, "trim": trim}
    write = functools.partial(write_range, **how, utterances=utterances, folder=folder)
    return _import_beam().Map(functools.partial(_counted_range, write=write))


def _counted_range(limits: tuple[int, int], *, write: Callable[[tuple[int, int]], str]) -> str:
    """`write_range` in a worker of a pipeline, whose counter "utterances" the runner shows beside its own."""
    from apache_beam.metrics import Metrics

    path = write(limits)
    Metrics.counter("sejax", "utterances").inc(limits[1] - limits[0])
    return path


def write_range(
    limits: tuple[int, int],
    *,
    features: str,
    level: str = "none",
    trim: str = "none",
    utterances: str,
    folder: str,
) -> str:
    """Extract a range of utterances, on whatever machine this runs, and write their outcomes; returns the file."""
    source, extractor = _opened(utterances, (features, level, trim))
    outcomes = [outcome(records.from_record(source[number]), extractor) for number in range(*limits)]
    values = [each.values for each in outcomes if each.problem is None]
    notes = [[asdict(each.row), each.problem] for each in outcomes]
    path = _range_file(Path(folder), limits)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    with open(unfinished, "wb") as file:
        values = np.reshape(np.array(values, np.float32), (len(values), size(features)))
        np.savez(file, values=values, notes=json.dumps(notes))
    os.replace(unfinished, path)
    return str(path)


def read_range(path: Path) -> Iterator[Outcome]:
    """The outcomes in a file of `write_range`, in their order."""
    with np.load(path) as file:
        values, notes = iter(file["values"]), json.loads(str(file["notes"]))
    for row, problem in notes:
        if problem:
            yield Outcome(VectorRow(**row), problem=Problem(*problem))
        else:
            yield Outcome(VectorRow(**row), next(values))


_in_thread = threading.local()  # what a worker's thread has open, so that it opens it once


def _opened(utterances: str, how: tuple[str, str, str]) -> tuple:
    """The utterances, random access, and an extractor."""
    if getattr(_in_thread, "key", None) != (utterances, how):
        with needs("data"):
            import tensorflow_datasets as tfds

        source = records_of(tfds.builder_from_directory(utterances))
        _in_thread.opened, _in_thread.key = (source, Extractor(*how)), (utterances, how)
    return _in_thread.opened


def _range_file(folder: Path, limits: tuple[int, int]) -> Path:
    return folder / f"{limits[0]:08}-{limits[1]:08}.npz"
