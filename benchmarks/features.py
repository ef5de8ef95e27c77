"""openSMILE functionals: files per second per core of launch/prepare.py's way against a bare loop, in one run.

    python benchmarks/features.py --source=emodb --limit=120

The bare loop reads each wav file and hands it to one `opensmile.Smile` of the same configuration: nothing is checked,
kept or written. Ours reads the prepared utterances, extracts in one thread and in one for each core, and writes the
set; getting openSMILE ready is part of its time. The ways take turns; medians are reported: files per second, processor
time for each file, and the rate (seconds of audio per second) of the last quarter of the files over that of the second.
"""

import functools
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

from absl import flags

from sejax import corpora
from sejax.audio.opensmile import Extractor
from sejax.corpora import records
from sejax.corpora.builder import SPLIT, build
from sejax.data.vectors.extraction import extract
from sejax.data.vectors.prepare import _compute
from sejax.engine.command import run_command

CORPUS = flags.DEFINE_string("corpus", "emodb", "a corpus as in launch/prepare.py")
SOURCE = flags.DEFINE_string("source", None, "its folder or manifest", required=True)
LIMIT = flags.DEFINE_integer("limit", 120, "files, spread over the corpus; 0: all")
ROUNDS = flags.DEFINE_integer("rounds", 3, "rounds of all ways, in turn")
FEATURES = flags.DEFINE_string("features", "emobase2010", "one of sejax.audio.opensmile.FEATURE_SETS")
WORKERS = flags.DEFINE_list("workers", None, "threads of each of our ways (default: 1 and one for each core)")


def main(argv):
    """Time all ways in turn; print files per second, per core, and the ratios."""
    del argv
    cores = len(os.sched_getaffinity(0))
    workers = [int(count) for count in WORKERS.value or sorted({1, cores})]
    corpus = corpora.open_corpus(CORPUS.value, SOURCE.value)
    with tempfile.TemporaryDirectory() as folder:
        utterances = build(corpus, folder)
        step = max(1, len(corpus) // LIMIT.value) if LIMIT.value else 1
        chosen = list(itertools.islice(range(0, len(corpus), step), LIMIT.value or None))
        ways = {"bare openSMILE": functools.partial(bare, [corpus.recordings[number].path for number in chosen])}
        for count in workers:
            ways[f"sejax, {count} thread{'s' * (count > 1)}"] = functools.partial(ours, utterances, chosen, count)
        found = {name: [] for name in ways}
        for _ in range(ROUNDS.value):
            for name, way in ways.items():
                begun = time.process_time()
                times = way()
                used = time.process_time() - begun
                found[name].append((*summary(times, [corpus.recordings[number].seconds for number in chosen]), used))
    print(f"{len(chosen)} files of {CORPUS.value}, {FEATURES.value}, {cores} cores, {ROUNDS.value} rounds")
    report(found, [1, *workers], len(chosen))


def report(found, threads, files):
    """A line for each way: files per second, per core, beside the bare loop, processor time, how the rate changes."""
    alone = statistics.median(seconds for seconds, _, _ in found["bare openSMILE"])
    for (name, rounds), count in zip(found.items(), threads, strict=True):
        seconds, steady, used = map(statistics.median, zip(*rounds, strict=True))
        print(
            f"{name:16s} {files / seconds:6.2f} files/s  {files / seconds / count:6.2f} per core"
            f"  {alone / seconds:5.2f} x bare  {1000 * used / files:5.1f} ms of processor a file"
            f"  last quarter / second {steady:.2f}"
        )


def bare(paths):
    """A loop over files; returns the times at its start and after each file."""
    import opensmile
    import soundfile

    extractor = Extractor(FEATURES.value)  # for the configuration alone
    smile = opensmile.Smile(str(extractor.configuration), opensmile.FeatureLevel.Functionals)
    times = [time.perf_counter()]
    for path in paths:
        smile(*soundfile.read(path, dtype="float32"))
        times.append(time.perf_counter())
    return times


def ours(utterances, chosen, workers):
    """Our way, from prepared utterances to features.npy and its journal; returns as `bare`."""
    source = utterances.as_data_source(split=SPLIT)
    times = [time.perf_counter()]

    def outcomes(utterances, first, folder):
        waiting = (records.from_example(source[number]) for number in chosen)
        for outcome in extract(waiting, features=FEATURES.value, workers=workers):
            times.append(time.perf_counter())
            yield outcome

    with tempfile.TemporaryDirectory() as folder:
        _compute(utterances, Path(folder), outcomes, lambda done: None)
    return [*times[:-1], time.perf_counter()]


def summary(times, lengths):
    """Seconds in all; the rate of the last quarter of the files over that of the second quarter."""
    quarter = len(lengths) // 4
    rates = [
        sum(lengths[first : first + quarter]) / (times[first + quarter] - times[first])
        for first in (quarter, len(lengths) - quarter)
    ]
    return times[-1] - times[0], rates[1] / rates[0]


if __name__ == "__main__":
    run_command(main)
