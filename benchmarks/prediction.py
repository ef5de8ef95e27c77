"""Prediction of many files, one file and one hour, beside an earlier version of sejax and openSMILE with an SVM.

    python benchmarks/prediction.py --workdir=runs/NAME --source=EMODB [--before=CHECKOUT] [--parts one many peer hour]

Whole processes are timed, as a user starts them: wall seconds, CPU seconds and the peak of resident memory. CHECKOUT is
a checkout of the version to compare with; its launch/predict.py prints posteriors and draws figures, which it always
did. EMODB holds wav/. The hour is these files one after the other. Programs are kept in a folder of their own: cold
begins with none, warm with those of the run before. The peer computes functionals of all files with the package
opensmile on all cores, scales them and asks a linear SVM, which was trained on the same files before (what it answers
is of no interest here, how long it takes is).
"""

import argparse
import csv
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RATE = 16000
PARTS = ("one", "many", "peer", "hour")

PEER_TRAINS = """
import pickle, sys, opensmile, numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
name, files = sys.argv[1], open(sys.argv[2]).read().split("\\n")
smile = opensmile.Smile(feature_set=opensmile.FeatureSet[name], num_workers=None)
features = smile.process_files(files).to_numpy()
labels = [file.rsplit("/", 1)[1][5] for file in files]  # the sixth letter of a name is the emotion
model = make_pipeline(StandardScaler(), SVC(kernel="linear", probability=False)).fit(features, labels)
pickle.dump(model, open(sys.argv[3], "wb"))
"""
PEER = """
import pickle, sys, opensmile
name, files = sys.argv[1], open(sys.argv[2]).read().split("\\n")
smile = opensmile.Smile(feature_set=opensmile.FeatureSet[name], num_workers=None)
features = smile.process_files(files)
found = pickle.load(open(sys.argv[3], "rb")).predict(features.to_numpy())
assert len(found) == len(files)
"""
POSTERIORS = """
import sys, numpy as np
from sejax.corpora.waveform import decode
from sejax.errors import InputError
from sejax.experiments.prediction import Predictor
predict, found = Predictor(sys.argv[1]), {}
for file in open(sys.argv[2]).read().split("\\n"):
    try:
        found[file] = predict(decode(file)[0], 16000).utterance
    except InputError:
        pass
np.savez(sys.argv[3], **found)
"""


class Cost(NamedTuple):
    """Of a process with those that it started: wall and CPU seconds, and the peak of its own resident memory in MiB."""

    wall: float
    cpu: float
    peak: float

    def __str__(self):
        return f"{self.wall:8.2f} s wall {self.cpu:8.2f} s CPU {self.peak:7.0f} MiB"


def run(command, *, home, cwd=ROOT, path=ROOT, may_fail=False) -> Cost:
    """Start a command and wait for it; `home` is where it keeps compiled programs."""
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(path)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    before, began, peak = os.times(), time.perf_counter(), 0
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=said, stderr=said)
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                status = ""
            # VmHWM, and not getrusage: its maximum is inherited from the process that started this one.
            peak = max([peak, *map(int, re.findall(r"VmHWM:\s*(\d+) kB", status))])
            time.sleep(0.02)
        wall, after = time.perf_counter() - began, os.times()
        if process.returncode and not may_fail:
            said.seek(0)
            sys.exit(f"{' '.join(command)[:300]} ended with {process.returncode}: {said.read().decode()[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(wall, cpu, peak / 1024)


def middle(costs) -> Cost:
    """The median of each."""
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def predict(workdir, *arguments):
    """The command of this version's, or of another checkout's, launch/predict.py."""
    return [sys.executable, "launch/predict.py", f"--workdir={workdir}", *map(str, arguments)]


def hour_of(files, path):
    """An hour of the files one after the other, as a file; what it holds in seconds."""
    import soundfile

    left = 3600 * RATE
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as hour:
        while left:
            for file in files:
                samples = soundfile.read(file, dtype="int16")[0][:left]
                hour.write(samples)
                left -= len(samples)


def largest_difference(table, stored):
    """Between the posteriors of a table's utterances and those of an .npz, by file."""
    with open(table, encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file) if row["row"] == "utterance"}
    with np.load(stored) as found:
        assert set(found) == set(rows), "other files were judged"
        names = [name for name in next(iter(rows.values())) if name.startswith("posterior_")]
        mine = np.float32([[rows[file][name] for name in names] for file in found])
        return len(rows), float(np.abs(mine - np.stack([found[file] for file in found])).max())


def main():
    """Time all of it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workdir", required=True, type=Path, help="a finished run")
    parser.add_argument("--source", required=True, type=Path, help="folder with wav/")
    parser.add_argument("--before", type=Path, help="checkout of the version to compare with")
    parser.add_argument("--before_files", type=int, default=0, help="so many evenly spaced ones for it; 0: all")
    parser.add_argument("--repeats", type=int, default=3, help="of all but the earlier version on all files")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    given = parser.parse_args()
    workdir = given.workdir.resolve()
    files = sorted((given.source / "wav").resolve().glob("*.wav"))
    with tempfile.TemporaryDirectory() as folder:
        measure(workdir, files, Path(folder), given)


def measure(workdir, files, folder, given):
    """Print a line for each part, as it is done."""
    homes = iter(folder / f"home{number}" for number in range(1000))
    listed, table, one = folder / "list.txt", folder / "out.csv", files[len(files) // 2]
    listed.write_text("\n".join(map(str, files)))
    before = {"cwd": given.before, "path": given.before} if given.before else None
    figures = f"--output={folder / 'figures'}"

    if "one" in given.parts:
        cold, warm, theirs = [], [], []
        for _ in range(given.repeats):
            home = next(homes)
            cold.append(run(predict(workdir, one), home=home))
            warm.append(run(predict(workdir, one), home=home))
            if before:
                theirs.append(run(predict(workdir, figures, one), home=next(homes), **before))
        show("one file, cold", middle(cold))
        show("one file, warm", middle(warm))
        if before:
            show("one file, before", middle(theirs))
            wall, cpu = (their / own for their, own in zip(middle(theirs)[:2], middle(cold)[:2], strict=True))
            print(f"one file, cold, ratio: {wall:.2f} wall, {cpu:.2f} CPU")
    home = next(homes)
    if "many" in given.parts:
        run(predict(workdir, one), home=home)
        whole = []
        for _ in range(given.repeats):
            table.unlink(missing_ok=True)
            whole.append(run(predict(workdir, f"--output_table={table}", *files), home=home, may_fail=True))
        mine = show(f"{len(files)} files, warm", middle(whole), len(files))
    if before and "many" in given.parts:
        some = files[:: len(files) // given.before_files] if given.before_files else files
        theirs = run(predict(workdir, figures, *some), home=next(homes), may_fail=True, **before)
        show(f"{len(some)} files, before", theirs, len(some))
        wall, cpu = (cost / len(some) * len(files) for cost in theirs[:2])
        print(f"{len(files)} files, ratio: {wall / mine.wall:.1f} wall, {cpu / mine.cpu:.1f} CPU")
        script = [sys.executable, "-c", POSTERIORS, str(workdir), str(listed), str(folder / "before.npz")]
        run(script, home=next(homes), **before)
        count, difference = largest_difference(table, folder / "before.npz")
        print(f"largest difference of a posterior, {count} files: {difference:.2e}", flush=True)
    for name in ("eGeMAPSv02", "ComParE_2016") if "peer" in given.parts else ():
        model = [name, str(listed), str(folder / f"{name}.pickle")]
        run([sys.executable, "-c", PEER_TRAINS, *model], home=home)
        costs = [run([sys.executable, "-c", PEER, *model], home=home) for _ in range(given.repeats)]
        show(f"{len(files)} files, openSMILE {name} + SVM", middle(costs), len(files))
    if "hour" in given.parts:
        hour_of(files, folder / "hour.wav")
        asked = (f"--output_table={folder / 'hour.csv'}", "--rows=utterance,block", folder / "hour.wav")
        show("60 minutes in one file", run(predict(workdir, *asked), home=home))


def show(what, cost, count=None):
    """Print what something cost, and how many files a second that is."""
    print(f"{what:44}{cost}" + (f"  {count / cost.wall:7.1f} files/s" if count else ""), flush=True)
    return cost


if __name__ == "__main__":
    main()
