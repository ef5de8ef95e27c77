"""Original files -> utterances -> openSMILE functionals, on all cores, resumable and in bounded memory."""

import contextlib
import csv
import functools
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sejax.audio.opensmile import SIZE, Extractor, check_features, version
from sejax.core.files import write_text
from sejax.corpora import records
from sejax.corpora.builder import LEFT_OUT, SPLIT
from sejax.corpora.corpus import Progress
from sejax.corpora.problems import Problem, Problems, as_csv
from sejax.data import journal
from sejax.data.functionals import Outcome, extract
from sejax.data.growing_array import GrowingArray
from sejax.data.index import write_utterance_index
from sejax.data.prepared_set import left_out_of, prepare_set, reporter, short_hash
from sejax.data.rows import Row
from sejax.errors import InputError

FORMAT = 1  # raise it when the same settings begin to give other values
GROUP = 64  # utterances that are written and noted at once: a kill loses a few seconds of work

PARTS = "parts"  # folder for what another way of extraction keeps until the set is finished

# (utterance set's builder, first utterance, folder) -> the outcomes of it and all after it, in order.
Extract = Callable[[object, int, Path], Iterator[Outcome]]


def prepare_vectors(
    corpus: str,
    source: str | Path = "",
    data_dir: str | Path = "data",
    *,
    features: str = "emobase2010",
    workers: int | None = None,
    through: Extract | None = None,
    allow_partial: bool = False,
    progress: Progress | None = None,
    **options,
) -> Path:
    """Prepare a corpus; returns the folder of its set of vectors, DATA_DIR/<corpus>/<features>-<hash>.

    A set that exists is returned as it is; a preparation that was killed goes on where it was. The bytes of the set do
    not depend on the number of processes, on interruptions, or on `through`.

    Args:
      corpus, source, options: as `sejax.corpora.open_corpus` takes them.
      data_dir: folder that holds the prepared sets.
      features: "emobase2010" or "is10".
      workers: processes that extract; None: one for each core.
      through: another way to the outcomes than processes of this machine, `sejax.data.beam.through` for example.
      allow_partial: go without recordings that cannot be used; the set's left_out.csv lists them.
      progress: `progress(stage, done, total)`, seconds of audio.

    Raises InputError for bad input: unusable recordings are all named, after the last of them was tried. What has been
    extracted is kept, so that the same call with `allow_partial` has nothing left to do.
    """
    check_features(features)
    settings = {"features": features, "opensmile": version()}
    through = through or functools.partial(_here, features=features, workers=workers)
    return prepare_set(
        corpus,
        source,
        data_dir,
        name=lambda utterances: f"{features}-{short_hash(FORMAT, settings, utterances)}",
        write=functools.partial(
            _write, settings=settings, through=through, allow_partial=allow_partial, progress=progress
        ),
        allow_partial=allow_partial,
        progress=progress,
        options=options,
    )


def _here(utterances, first: int, folder: Path, *, features: str, workers: int | None) -> Iterator[Outcome]:
    """Outcomes from processes of this machine."""
    source = utterances.as_data_source(split=SPLIT)
    remaining = (records.from_example(source[number]) for number in range(first, len(source)))
    return extract(remaining, features=features, workers=workers)


def _write(corpus, utterances, folder, *, settings, through, allow_partial, progress) -> None:
    """Fill the set's folder, and settle what to do about the recordings without a vector."""
    names = Extractor(settings["features"]).names
    _compute(utterances, folder, through, reporter(settings["features"], corpus, progress))
    problems = Problems(corpus.name)
    rows = []
    for group in journal.read(folder / journal.JOURNAL):
        rows += [Row(**row) for row in group["rows"]]
        problems.found += [Problem(*problem) for problem in group["left_out"]]
    left_out = problems.settle(allow_partial=allow_partial)
    if not rows:
        raise InputError(f"corpora/{corpus.name}: none of {len(corpus)} recordings has features; mend the files")
    write_utterance_index(
        folder,
        corpus,
        settings,
        rows,
        names={"names": names},
        counts={"features": len(names)},
        utterances=Path(utterances.data_dir).parent.name,
    )
    if left_out:
        write_text(folder / LEFT_OUT, as_csv((*_problems_in(left_out_of(utterances)), *left_out)))
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def _compute(utterances, folder: Path, through: Extract, report: Callable[[float], None]) -> None:
    """Write features.npy and the journal, one group of utterances after the other."""
    notes = journal.Journal(folder / journal.JOURNAL, keep=False)
    rows = tried = done = 0
    for group in journal.read(folder / journal.JOURNAL):
        rows += len(group["rows"])
        tried += len(group["rows"]) + len(group["left_out"])
        done += group["seconds"]
    report(done)
    array = GrowingArray(folder / "features.npy", (SIZE,), rows=rows)
    with contextlib.closing(notes), contextlib.closing(through(utterances, tried, folder)) as outcomes:
        while group := list(itertools.islice(outcomes, GROUP)):
            done += _note(group, array, notes)
            report(done)
    array.finish()


def _note(group: list[Outcome], array: GrowingArray, notes: journal.Journal) -> float:
    """Write a group's vectors, then its line of the journal; returns its seconds."""
    good = [outcome for outcome in group if outcome.problem is None]
    if good:
        array.append(np.stack([outcome.values for outcome in good]))
        array.flush()
    bad = [outcome.problem for outcome in group if outcome.problem is not None]
    lasted = sum(outcome.row.seconds for outcome in group)
    notes.append(
        {
            "rows": [outcome.row.as_dict() for outcome in good],
            "left_out": [(problem.where, problem.what, problem.remedy) for problem in bad],
            "seconds": lasted,
        }
    )
    return lasted


def _problems_in(path: Path | None) -> list[Problem]:
    """Problems that a left_out.csv lists."""
    if path is None:
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [Problem(**row) for row in csv.DictReader(file)]
