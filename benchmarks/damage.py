"""What becomes of a bit that flipped in a kept file: detected with one line, without influence, silent, or a traceback.

    python benchmarks/damage.py --flips=200

Small runs of launch/prepare.py and launch/train.py on synthetic speech leave every kind of file that sejax keeps. Bits
at random places of them are turned over, one at a time, and what the commands read with is called: its result is
compared with that of the whole file. With --commands some flips are tried by the commands themselves, a few seconds
each. Ends with status 1 where a flip was silent and changed what was read, or gave a traceback.
"""

import contextlib
import os
import pickle
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from sejax.engine.command import run_command
from sejax.errors import InputError

FLIPS = flags.DEFINE_integer("flips", 200, "bits turned over, of each kind of file", lower_bound=1)
COMMANDS = flags.DEFINE_integer("commands", 0, "and so many of each kind that launch/*.py is tried with", lower_bound=0)
SEED = flags.DEFINE_integer("seed", 0, "of the places")
FOLDER = flags.DEFINE_string("folder", None, "where the runs are made and stay (default: a folder that goes)")

ROOT = Path(__file__).resolve().parents[1]
OUTCOMES = ("detected", "no influence", "silent", "traceback")
TRAIN = ("corpus=synthetic,labelled=0.5,folds=3,only_folds=2", "--config.epochs=3", "--config.image.size=(64,64)")
COMPARE = "corpus=synthetic,classes=anger+neutral+sadness,weights=random,trainable=head,size=32,images=24+9+9,epochs=2"


class Kind(NamedTuple):
    """Kept files of one kind.

    Attributes:
      name: for the table.
      files: those that may be damaged.
      read: what a command reads of them, in any structure of arrays and plain values.
      command: arguments of a command that reads them.
    """

    name: str
    files: Sequence[Path]
    read: Callable[[], Any]
    command: tuple[str, ...] = ()


def main(argv):
    """Make the files, damage them, print how often what happened."""
    del argv
    with contextlib.ExitStack() as stack:
        folder = Path(FOLDER.value or stack.enter_context(tempfile.TemporaryDirectory()))
        kinds, numbers = kept(folder), random.Random(SEED.value)
        columns = (*OUTCOMES, "by commands:", *OUTCOMES) if COMMANDS.value else OUTCOMES
        print(f"{'':24}" + "".join(f"{name:>14}" for name in columns), flush=True)
        bad = 0
        for kind in kinds:
            found, more = tried(kind, FLIPS.value, numbers), {}
            if COMMANDS.value and kind.command:
                more = tried(kind, COMMANDS.value, numbers, outcome=by_command)
            bad += sum(counts[name] for counts in (found, Counter(more)) for name in ("silent", "traceback"))
            cells = [found[name] for name in OUTCOMES]
            cells += ["", *(more[name] for name in OUTCOMES)] if more else []
            print(f"{kind.name:24}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
    if bad:
        sys.exit(1)


def tried(kind: Kind, flips: int, numbers: random.Random, outcome=None) -> Counter:
    """How often what happened when a bit of one of the files was turned over; large files are as likely as small ones.

    Half of the places are anywhere, the other half in the first and last 200 bytes, where formats keep what they are.
    """
    outcome = outcome or by_reading
    whole, counts = canonical(outcome(kind, None)), Counter()
    for _ in range(flips):
        file = numbers.choice(kind.files)
        size = file.stat().st_size
        edges = [place for place in (*range(200), *range(size - 200, size)) if 0 <= place < size]
        place = numbers.choice([numbers.randrange(size), numbers.choice(edges)])
        with flipped(file, place, numbers.randrange(8)):
            counts[outcome(kind, whole)] += 1
    return counts


@contextlib.contextmanager
def flipped(file: Path, place: int, bit: int) -> Iterator[None]:
    """While the body runs one bit of a file is another."""
    content = file.read_bytes()
    try:
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
        yield
    finally:
        file.write_bytes(content)


def by_reading(kind: Kind, whole: bytes | None) -> Any:
    """One of OUTCOMES for damaged files; what is read where `whole` is None."""
    if whole is None:
        return kind.read()
    with stderr_kept() as said:
        try:
            found = canonical(kind.read())
        except (InputError, OSError) as error:
            found = "detected" if "\n" not in str(error) else "traceback"
        except Exception:  # what a user would see as a traceback
            found = "traceback"
    if b"Traceback" in said[0]:  # of another thread
        return "traceback"
    if isinstance(found, str):
        return found
    return "no influence" if found == whole else "silent"


def by_command(kind: Kind, whole: bytes | None) -> Any:
    """The same of a command in a process of its own."""
    done = subprocess.run([sys.executable, *kind.command], cwd=ROOT, capture_output=True, text=True)
    if whole is None:
        assert done.returncode == 0, done.stderr
        return done.stdout
    if "Traceback" in done.stderr or done.returncode not in (0, 1, 2):
        return "traceback"
    if done.returncode == 2:
        return "detected" if done.stderr.count("error: ") == 1 else "traceback"
    return "no influence" if canonical(done.stdout) == whole else "silent"


@contextlib.contextmanager
def stderr_kept() -> Iterator[list[bytes]]:
    """The process's stderr, that of its threads and libraries too, is in the list when the body has ended."""
    before, said = os.dup(2), []
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said.append(file.read())


def canonical(value: Any) -> bytes:
    """Equal for equal values, to the last bit of their arrays."""

    def plain(value):
        if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, dict):
            return {name: plain(entry) for name, entry in value.items()}
        if isinstance(value, list | tuple):
            return [plain(entry) for entry in value]
        if hasattr(value, "dtype"):
            return str(value.dtype), np.shape(value), np.asarray(value).tobytes()
        return value

    return pickle.dumps(plain(value))


def launch(script: str, *arguments: str) -> None:
    """Runs launch/SCRIPT.py to its end."""
    done = subprocess.run(command_of(script, *arguments), cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"launch/{script}.py {' '.join(arguments)}: {done.stderr[-2000:]}")


def command_of(script: str, *arguments: str) -> tuple[str, ...]:
    """The command of launch/SCRIPT.py."""
    return (sys.executable, f"launch/{script}.py", *arguments)


def below(folder: Path, pattern: str = "**/*") -> list[Path]:
    """Files that are not empty."""
    return sorted(path for path in folder.glob(pattern) if path.is_file() and path.stat().st_size)


def kept(folder: Path) -> list[Kind]:
    """Every kind of file that sejax keeps, of small runs in a folder."""
    data, run, compared = folder / "data", folder / "run", folder / "compared"
    weights = written_weights(folder / "weights" / "squeezenet1_1.safetensors")
    where = (f"--data_dir={data}",)
    for features in ("spectrograms", "chunks", "emobase2010", "utterance_spectrograms", "waveforms"):
        launch("prepare", "--corpus=synthetic", "--repeats=1", f"--features={features}", *where)
    config, *rest = TRAIN
    given = f"--config=configs/pseudo_labelling.py:{config},weights={weights}"
    launch("train", given, *rest, "--config.run.save_seconds=0.0", f"--workdir={run}", *where)
    given = f"--config=configs/transfer.py:{COMPARE},models=squeezenet1_1+squeezenet1_0"
    launch("train", given, f"--workdir={compared}", *where)
    evaluate = command_of("evaluate", f"--workdir={run}", *where)[1:]
    return [
        *of_workdirs(run, compared, evaluate),
        *of_prepared_sets(data / "synthetic", evaluate),
        Kind("converted weights", [weights], lambda: read_weights(weights), evaluate),
        synthetic_vectors(folder / "vectors"),
    ]


def of_workdirs(run: Path, compared: Path, evaluate: tuple[str, ...]) -> list[Kind]:
    """Checkpoints, JSON and examples."""
    from sejax.core.results import read_results
    from sejax.engine.checkpoint import Checkpoints
    from sejax.engine.sweep import remember
    from sejax.engine.workdir import read_claim, read_finished
    from sejax.report.html import read_examples

    (members,) = run.glob("checkpoints/members_*")
    last = max(members.iterdir(), key=lambda path: int(path.name))
    (variant, *_) = sorted(compared.glob("variants/*"))
    remember(run / "sweep", 3)

    def checkpoint():
        checkpoints = Checkpoints(members)
        try:
            return checkpoints.read()
        finally:
            checkpoints.close()

    return [
        Kind("checkpoint", below(last), checkpoint, evaluate),
        Kind("results.json", [run / "results.json"], lambda: read_results(run), evaluate),
        Kind("config.json", [run / "config.json"], lambda: read_claim(run), evaluate),
        Kind("finished.json", [variant / "finished.json"], lambda: read_finished(variant)),
        Kind("asked.json", [run / "sweep" / "asked.json"], lambda: remember(run / "sweep", 3)),
        Kind(
            *("examples.npz", [run / "examples.npz"], lambda: read_examples(run)),
            command_of("report", f"--workdir={run}")[1:],
        ),
    ]


def of_prepared_sets(corpus: Path, evaluate: tuple[str, ...]) -> list[Kind]:
    """The four rooms, the caches of trunks beside them, and the utterances that they were made of."""
    from sejax.core.files import read_npy
    from sejax.data.blocks.load import Spectrograms, find_blocks
    from sejax.data.utterances.load import UtteranceSpectrograms
    from sejax.data.vectors.load import Vectors
    from sejax.data.waveforms.load import Waveforms

    blocks = Path(find_blocks(corpus.parent, corpus.name, scale="log", voice_activity="0").folder)
    (cache,) = blocks.glob("trunk-*.npy")
    kinds = [Kind("trunk features", [cache], lambda: read_npy(cache, "", mapped=True), evaluate)]
    for name, kind, folder in (
        ("blocks", Spectrograms, blocks),
        ("vectors", Vectors, next(corpus.glob("emobase2010-*"))),
        ("utterances", UtteranceSpectrograms, next(corpus.glob("utterance_spectrograms-*"))),
        ("waveforms", Waveforms, next(corpus.glob("waveforms-*"))),
    ):

        def read(kind=kind, folder=folder):
            found = kind.load(folder)
            return found, found.describe()

        files = [file for file in below(folder) if file != cache]
        kinds.append(Kind(f"prepared {name}", files, read, evaluate if name == "blocks" else ()))
    (made,) = corpus.glob("utterances-*/1.0.0")
    return [*kinds, Kind("utterance set", below(made), lambda: read_utterances(corpus.parent))]


def read_utterances(data: Path) -> list:
    """Every utterance of the set."""
    from sejax import corpora
    from sejax.corpora import records
    from sejax.corpora.builder import SPLIT, build

    source = build(corpora.open_corpus("synthetic", "", repeats=1), data).as_data_source(split=SPLIT)
    return [records.from_example(source[number]) for number in range(len(source))]


def written_weights(path: Path) -> Path:
    """A converted file, of random weights."""
    import jax
    import jax.numpy as jnp

    from sejax import models
    from sejax.pretrained import names, weights

    variables = jax.jit(models.create("squeezenet1_1").init)(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    flat = {name: np.asarray(array) for name, array in names.flatten(variables).items()}
    about = {"model": "squeezenet1_1", "source": "torchvision", "preprocessing": "torchvision", "sha256": "0" * 64}
    weights.write(path, flat, about | {"num_classes": 1000, "parameters": sum(array.size for array in flat.values())})
    return path


def read_weights(path: Path) -> tuple:
    """What is in the file, and what it says of itself."""
    from sejax import pretrained

    return pretrained.names.flatten(pretrained.load("squeezenet1_1", path)), pretrained.describe(path)


def synthetic_vectors(folder: Path) -> Kind:
    """A set as launch/synthesise.py writes it."""
    from sejax.data.vectors import synthetic

    numbers = np.random.default_rng(0)
    if not folder.exists():
        synthetic.write(
            folder,
            ((0, label, np.arange(9), numbers.normal(size=(9, 20)).astype(np.float32)) for label in range(4)),
            generators=[{"fold": 0, "seed": 0, "lambda_cls": 2.0}],
            names=[f"feature {number}" for number in range(20)],
            classes=("angry", "happy", "neutral", "sad"),
            source_ids=[f"u{number}" for number in range(9)],
            about={"source": "synthetic", "target": ["synthetic"]},
        )
    return Kind("synthetic vectors", below(folder), lambda: synthetic.load(folder))


if __name__ == "__main__":
    run_command(main)
