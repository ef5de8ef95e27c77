"""Original files -> utterances -> openSMILE functionals, on all cores, resumable and in bounded memory."""

import contextlib
import csv
import functools
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sejax.audio.opensmile import Extractor, check_features, version
from sejax.audio.voice_activity import made_by, mode_of
from sejax.core.files import write_text
from sejax.corpora import records
from sejax.corpora.builder import LEFT_OUT, records_of
from sejax.corpora.corpus import Corpus, seconds
from sejax.corpora.problems import Problem, Problems, as_csv
from sejax.data.store.sets import UNNAMED, check_settings, level_rule, with_level
from sejax.data.store.writing import (
    JOURNAL,
    Contents,
    GrowingArray,
    Journal,
    Preparation,
    left_out_of,
    prepare_set,
)
from sejax.data.vectors.extraction import BEAM_FOLDER, Outcome, VectorRow, extract

GROUP = 64  # outcomes that are written and noted at once: a kill loses a few seconds of work

# (utterance set's builder, first utterance, folder, told) -> the outcomes of it and all after it, in order. Where they
# are made before the first is handed on, `told(how many)` is called meanwhile, from whatever thread.
Extract = Callable[[object, int, Path, Callable[[int], None]], Iterator[Outcome]]


def prepare_vectors(
    corpus: str,
    source: str | Path = "",
    data_dir: str | Path = "data",
    *,
    features: str = "emobase2010",
    level: str = "none",
    trim: str = "none",
    workers: int | None = None,
    through: Extract | None = None,
    allow_partial: bool = False,
    **how,
) -> Path:
    """Prepare a corpus; returns the folder of its set of vectors, DATA_DIR/<corpus>/<features>-<hash>.

    The bytes of the set do not depend on the number of threads, on interruptions, or on `through`.

    Args:
      corpus, source, data_dir, allow_partial, how: as `sejax.data.store.writing.prepare_set` takes them.
      features: one of `sejax.audio.opensmile.FEATURE_SETS`.
      level: what recordings are brought to first, of `sejax.audio.level.LEVELS`.
      trim: the detector, of `sejax.audio.voice_activity.DETECTORS`, by which pauses before the first and after the last
        frame with speech are left out; "none": they stay. A recording without speech is taken whole, and counted.
      workers: threads that extract; None: one for each core.
      through: another way to the outcomes than threads of this process, `extraction.through_beam` for example.

    Raises InputError for bad input: unusable recordings are all named, after the last of them was tried. What has been
    extracted is kept, so that the same call with `allow_partial` has nothing left to do.
    """
    check_features(features)
    check_settings(level_rule(level))
    detector, named = made_by(mode_of(trim, "--trim")), {} if trim == UNNAMED["trim"] else {"trim": trim}
    through = through or functools.partial(_here, features=features, level=level, trim=trim, workers=workers)
    preparation = Preparation(
        features=features,
        decides={"settings": with_level({"features": features, "opensmile": version(), **named}, level), **detector},
        write=functools.partial(_write, features=features, through=through, allow_partial=allow_partial),
    )
    return prepare_set(preparation, corpus, source, data_dir, allow_partial=allow_partial, **how)


def _here(
    utterances, first: int, folder: Path, told, *, features: str, level: str, trim: str, workers: int | None
) -> Iterator[Outcome]:
    """Outcomes from threads of this process, handed on as they are made."""
    del told
    source = records_of(utterances)
    remaining = (records.from_record(source[number]) for number in range(first, len(source)))
    return extract(remaining, features=features, level=level, trim=trim, workers=workers)


def _write(
    corpus: Corpus,
    utterances,
    folder: Path,
    report: Callable[[float], None],
    *,
    features: str,
    through: Extract,
    allow_partial: bool,
) -> Contents:
    """Write features.npy, and settle what to do about the recordings without a vector."""
    names = Extractor(features).names
    problems = Problems(corpus.name)
    rows = []
    for group in _compute(corpus, utterances, folder, through, report, columns=len(names)):
        rows += [VectorRow(**row) for row in group["rows"]]
        problems.found += [Problem(*problem) for problem in group["left_out"]]
    left_out = problems.settle(allow_partial=allow_partial, left=len(rows))
    if left_out:
        write_text(folder / LEFT_OUT, as_csv((*_problems_in(left_out_of(utterances)), *left_out)))
    shutil.rmtree(folder / BEAM_FOLDER, ignore_errors=True)
    return Contents(rows, index={"names": names}, counts={"features": len(names)} | _kept(rows))


def _kept(rows: list[VectorRow]) -> dict[str, float | list[str]]:
    """Seconds that functionals are of, and who was taken whole for want of speech; {} where nothing was trimmed."""
    if any(row.seconds_kept is None for row in rows):
        return {}
    return {
        "seconds_kept": sum(row.seconds_kept or row.seconds for row in rows),
        "without_speech": [row.id for row in rows if not row.seconds_kept],
    }


def _compute(
    corpus: Corpus, utterances, folder: Path, through: Extract, report: Callable[[float], None], *, columns: int
) -> Journal:
    """Write features.npy and the journal, one group of utterances after the other; returns the journal, closed."""
    journal = Journal(folder / JOURNAL)
    rows = tried = done = 0
    for group in journal:
        rows += len(group["rows"])
        tried += len(group["rows"]) + len(group["left_out"])
        done += group["seconds"]
    report(done)
    array = GrowingArray(folder / "features.npy", (columns,), rows=rows, digest=journal.rows)
    elsewhere, lasted = done, seconds(corpus.recordings)

    def told(extracted: int) -> None:
        nonlocal elsewhere
        elsewhere = done + float(lasted[tried : tried + extracted].sum())
        report(elsewhere)

    with contextlib.closing(journal), contextlib.closing(through(utterances, tried, folder, told)) as outcomes:
        while group := list(itertools.islice(outcomes, GROUP)):
            done += _note(group, array, journal)
            report(max(done, elsewhere))
    array.finish()
    return journal


def _note(group: list[Outcome], array: GrowingArray, journal: Journal) -> float:
    """Write a group's vectors, then its line of the journal; returns its seconds."""
    good = [outcome for outcome in group if outcome.problem is None]
    if good:
        array.append(np.stack([outcome.values for outcome in good]))
        array.flush()
    bad = [outcome.problem for outcome in group if outcome.problem is not None]
    lasted = sum(outcome.row.seconds for outcome in group)
    journal.append(
        {
            "rows": [asdict(outcome.row) for outcome in good],
            "left_out": [(problem.where, problem.what, problem.remedy) for problem in bad],
            "seconds": lasted,
        },
        array.digest(),
    )
    return lasted


def _problems_in(path: Path | None) -> list[Problem]:
    """Problems that a left_out.csv lists."""
    if path is None:
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [Problem(**row) for row in csv.DictReader(file)]
