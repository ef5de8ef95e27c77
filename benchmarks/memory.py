"""Peak resident memory of preparation and of training, for corpora of 1, 4 and 16 times the unlabelled speech.

    python benchmarks/memory.py --folder=FOLDER [--hours=1.25+5+20]              # dcgan
    python benchmarks/memory.py --folder=FOLDER --experiment=pseudo_labelling    # features of a frozen trunk
    python benchmarks/memory.py ... --input=resident                             # beside data that live on the device

The corpus is made up: noise in syllables with pauses, utterances of 4 to 12 s as .wav files, listed in a manifest.
launch/prepare.py and launch/train.py are then run as a user runs them, and looked at from outside fifty times a second:
`anonymous` is memory that a process must have (RssAnon in /proc/PID/status), `files` what is mapped of files (RssFile),
which the system takes back when it is short of memory; both of a command with all its processes, at their own
peaks. Networks are as small as they can be, since memory is measured: what they and their batches take comes
on top, and does not depend on the corpus. Needs Linux, and 0.3 GB of disk for each hour (of features 0.8 GB).
"""

import argparse
import csv
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RATE = 16000
LABELLED = 120  # utterances beside the unlabelled speech, of ten speakers
FEATURES = {"dcgan": "utterance_spectrograms", "pseudo_labelling": "spectrograms"}


def utterance(rng, seconds: float) -> np.ndarray:
    """int16[T]: noise in syllables of a fifth of a second, a third of which are pauses."""
    syllables = rng.uniform(0.02, 0.3, int(seconds * 5) + 1) * (rng.random(int(seconds * 5) + 1) > 0.3)
    envelope = np.repeat(syllables.astype(np.float32), RATE // 5)[: int(seconds * RATE)]
    return (envelope * rng.standard_normal(len(envelope), np.float32) * 8000).astype(np.int16)


def write_corpus(folder: Path, name: str, *, labelled: int, hours: float) -> Path:
    """A manifest of so many labelled utterances and so many hours without labels; one that is there stays."""
    import soundfile

    manifest = folder / name / "manifest.csv"
    if manifest.is_file():
        return manifest
    manifest.parent.mkdir(parents=True, exist_ok=True)
    rng, rows, left = np.random.default_rng(zlib.crc32(name.encode())), [], hours * 3600
    while len(rows) < labelled or left > 0:
        number, seconds = len(rows), float(rng.uniform(4, 12))
        known = number < labelled
        left -= 0 if known else seconds
        path = f"{number // 1000:03}/{number:06}.wav"
        (manifest.parent / path).parent.mkdir(exist_ok=True)
        soundfile.write(manifest.parent / path, utterance(rng, seconds), RATE)
        label = ("anger", "sadness", "neutral")[number % 3] if known else ""
        speaker, who = ("s", number % 10) if known else ("u", number // 50)
        rows.append({"path": path, "label": label, "speaker": f"{speaker}{who}", "sex": ("male", "female")[who % 2]})
        if known:
            rows[-1] |= {"valence": 1 + number % 5, "activation": 1 + number // 5 % 5}
    with open(manifest, "w", newline="") as file:
        table = csv.DictWriter(file, ("path", "label", "speaker", "sex", "valence", "activation"))
        table.writeheader()
        table.writerows(rows)
    return manifest


def measured(*arguments: str) -> dict[str, float]:
    """A command of launch/ with its flags: peak RssAnon and RssFile in MiB, and the seconds that it took."""
    began, peaks = time.monotonic(), {"anonymous": 0.0, "files": 0.0}
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            found = [resident(pid) for pid in family(process.pid)]
            for kind, values in zip(peaks, np.sum(found or [(0, 0)], axis=0) / 1024, strict=True):
                peaks[kind] = max(peaks[kind], values)
            time.sleep(0.02)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {process.returncode}")
    return peaks | {"seconds": time.monotonic() - began}


def family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in family(int(child)))]


def resident(pid: int) -> tuple[int, int]:
    """RssAnon and RssFile of a process in KiB; 0 of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    values = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return tuple(int(values.get(name, "0 kB").split()[0]) for name in ("RssAnon", "RssFile"))


def prepare(corpus: str, manifest: Path, data: Path, features: str) -> dict[str, float]:
    """launch/prepare.py of a manifest."""
    flags = (f"--name={corpus}", f"--source={manifest}", f"--data_dir={data}", f"--features={features}")
    return measured("launch/prepare.py", "--corpus=manifest", *flags)


def config_of(options, corpus: str) -> list[str]:
    """--config and what else makes networks small."""
    if options.experiment == "dcgan":
        values = f"corpus=labelled,unlabelled={corpus},models=basic_dcgan,folds=2,width=16,side=2,filters=1,hidden=8"
        return [f"--config=configs/dcgan.py:{values},batch_size=64,epochs=8,patience=8,samples=2,input={options.input}"]
    values = f"corpus={corpus},folds=2,iterations=2,epochs=3,input={options.input}"
    small = ("--config.image.size=(32,32)", "--config.run.backend=loop")
    return [f"--config=configs/pseudo_labelling.py:{values}", *small]


def main() -> None:
    """Print a row for each command and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for the corpora, prepared sets and runs; is kept")
    parser.add_argument("--experiment", choices=FEATURES, default="dcgan")
    parser.add_argument("--hours", default="1.25+5+20")
    parser.add_argument("--input", choices=("tfdata", "resident"), default="tfdata")
    options = parser.parse_args()
    features, data = FEATURES[options.experiment], options.folder / "data"
    if options.experiment == "dcgan":
        labelled = write_corpus(options.folder, "labelled", labelled=LABELLED, hours=0)
        prepare("labelled", labelled, data, features)
    print(f"{options.experiment}, input={options.input}\n| hours | command | anonymous, MiB | files, MiB | s |")
    print("|---:|---|---:|---:|---:|", flush=True)
    for hours in map(float, options.hours.split("+")):
        apart = options.experiment == "dcgan"
        corpus = f"{'speech' if apart else 'mixed'}{hours:g}".replace(".", "_")
        manifest = write_corpus(options.folder, corpus, labelled=0 if apart else LABELLED, hours=hours)
        workdir = options.folder / "runs" / f"{options.experiment}-{corpus}-{options.input}-{os.getpid()}"
        commands = {
            "prepare": lambda corpus=corpus, manifest=manifest: prepare(corpus, manifest, data, features),
            "train": lambda corpus=corpus, workdir=workdir: measured(
                "launch/train.py", *config_of(options, corpus), f"--data_dir={data}", f"--workdir={workdir}"
            ),
        }
        for name, command in commands.items():
            took = command()
            row = [f"{took[kind]:.0f}" for kind in ("anonymous", "files", "seconds")]
            print(f"| {hours:g} | {name} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
