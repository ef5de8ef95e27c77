"""Preparation: a corpus beside an earlier version of sejax, byte by byte, and whether 30,000 utterances slow it down.

    python benchmarks/preparation.py --source=EMODB --before=CHECKOUT [--rounds=5] [--features=spectrograms]
    python benchmarks/preparation.py --utterances=30000

The first times whole processes of launch/prepare.py, from original files to the set, taking turns: wall seconds and
processor seconds, medians. CHECKOUT is a checkout of the version to compare with. Then it compares all files that both
have written. The second makes so many utterances of about a second (sums of harmonics in noise), prepares them in
this process and says for each tenth of each stage how fast it was, by the clock, by processor time, and by processor
time over that of a fixed piece of work on the way, which tells what other programs on the machine slow down; and how
much memory the process holds.
"""

import argparse
import filecmp
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RATE = 16000


def main():
    """Times what the arguments ask for and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="folder of emoDB")
    parser.add_argument("--before", type=Path, help="a checkout of the version to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--features", default="spectrograms")
    parser.add_argument("--utterances", type=int, default=0)
    given = parser.parse_args()
    if given.before:
        side_by_side(given.source, {"before": given.before.resolve(), "now": ROOT}, given.rounds, given.features)
    if given.utterances:
        sys.path.insert(0, str(ROOT))
        growth(given.utterances)


def side_by_side(source, checkouts, rounds, features):
    """Prepare with each version in turn; print medians, their ratios, and which files differ."""
    found = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            order = list(checkouts.items())[:: -1 if number % 2 else 1]
            for name, checkout in order:
                made = Path(folder, name)
                subprocess.run(["rm", "-rf", made], check=True)
                found[name].append(timed(checkout, made, source, features))
        differing, files = differences(*(Path(folder, name) for name in checkouts))
    for name, times in found.items():
        wall, processor = (statistics.median(each) for each in zip(*times, strict=True))
        print(f"{name:7s} {wall:6.2f} s, {processor:6.2f} s of processor time")
    for place, what in enumerate(("wall", "processor")):
        before, now = (statistics.median(times[place] for times in found[name]) for name in checkouts)
        print(f"{what} time: {before / now:.2f} times as fast")
    print(f"{files} files, {len(differing)} differ {differing or ''}")


def timed(checkout, data_dir, source, features):
    """Wall and processor seconds of one process from original files to the set."""
    command = [sys.executable, "launch/prepare.py", "--corpus=emodb", f"--source={Path(source).resolve()}"]
    command += [f"--data_dir={data_dir}", f"--features={features}"]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def differences(one, other):
    """Names of files below two folders that only one has, or that differ; and how many there are."""
    names = {path.relative_to(folder) for folder in (one, other) for path in folder.rglob("*") if path.is_file()}
    _, differing, missing = filecmp.cmpfiles(one, other, names, shallow=False)
    return sorted(map(str, differing + missing)), len(names)


def growth(count):
    """Prepare made utterances; print speed and memory of each tenth of each stage."""
    from sejax.data.blocks.load import BlockSettings
    from sejax.data.blocks.prepare import prepare_blocks

    told, last, beside, spent, due = defaultdict(list), [], [], 0.0, 0.0
    fixed_work()  # the first takes longer

    def progress(stage, done, total):
        nonlocal spent, due
        if time.process_time() > due:
            beside.append(fixed_work())
            spent, due = spent + beside[-1], time.process_time() + 0.1
        now = (time.perf_counter(), time.process_time() - spent, statistics.median(beside[-9:]), resident())
        if stage not in told and last:
            told[stage].append((0.0, *last))
        told[stage].append((min(done / total, 1.0), *now))
        last[:] = now

    with tempfile.TemporaryDirectory() as folder:
        manifest = write_utterances(Path(folder, "source"), count)
        settings = BlockSettings(voice_activity=0, level="rms", fmax=(8000.0,))
        prepare_blocks("manifest", manifest, Path(folder, "data"), name="made", settings=settings, progress=progress)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count} utterances, at most {peak:.0f} MiB of memory")
    tenths = np.linspace(0, 1, 11)
    for stage, points in told.items():
        share, wall, processor, work, memory = np.array(points).T
        print(stage)
        slower = np.concatenate([[0.0], np.cumsum(np.diff(processor) / work[1:])]) * np.median(work)
        for name, clock in (("wall", wall), ("processor", processor), ("beside", slower)):
            rates = count / 10 / np.diff(np.interp(tenths, share, clock))
            line = " ".join(f"{rate:6.0f}" for rate in rates)
            print(f"  a second, {name:9s} {line}   last tenth / second {rates[-1] / rates[1]:.2f}")
        line = " ".join(f"{size:6.0f}" for size in np.interp(tenths[1:], share, memory))
        print(f"  memory, MiB         {line}")


def fixed_work():
    """Processor seconds of a few Fourier transforms and some lines of Python: about 3 ms where nobody disturbs."""
    begun, samples = time.thread_time(), np.random.default_rng(0).standard_normal((100, 480))
    for _ in range(4):
        np.abs(np.fft.rfft(samples)).sum()
        sum(number * number for number in range(10_000))
    return time.thread_time() - begun


def resident():
    """MiB of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def write_utterances(folder, count):
    """Utterances of 1.05 to 1.25 s of ten speakers and four labels as wav files; returns their manifest."""
    import soundfile

    random = np.random.default_rng(0)
    lines = ["path,label,speaker"]
    for number in range(count):
        time_axis = np.arange(round(random.uniform(1.05, 1.25) * RATE)) / RATE
        pitch = random.uniform(90, 300)
        voice = sum(np.sin(2 * np.pi * pitch * k * time_axis + random.uniform(0, 6)) / k for k in range(1, 6))
        waveform = random.uniform(500, 4000) * (voice + 0.1 * random.standard_normal(len(time_axis)))
        path = folder / f"{number // 1000:03}" / f"{number:06}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, waveform.astype(np.int16), RATE)
        lines.append(f"{path.relative_to(folder)},{'abcd'[number % 4]},s{number % 10}")
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


if __name__ == "__main__":
    main()
