"""Crops per second that tf.data reads from prepared utterance spectrograms, at the paper's two crop widths.

    python benchmarks/crops.py --data_dir=data --corpus=emodb --unlabelled=nemo

Each batch holds labelled crops and as many unlabelled ones, drawn as in training and read from the memory-mapped sets.
It takes turns with a gather of the same crops on the device and with a bare copy of a batch, which is the floor;
medians are reported. Divide a training step's crops by its seconds (benchmarks/dcgan.py) to set it beside them.
"""

import functools
import itertools
import time

import jax
import numpy as np
from absl import flags

from sejax.core.experiment import Plan
from sejax.core.rng import shuffled
from sejax.data.crops import crop_data, crop_starts, read_crops, stream_crops
from sejax.data.utterances.load import find_utterance_spectrograms
from sejax.engine.command import run_command

DATA_DIR = flags.DEFINE_string("data_dir", "data", "where launch/prepare.py put the prepared sets")
CORPUS = flags.DEFINE_string("corpus", "emodb", "the labelled corpus")
UNLABELLED = flags.DEFINE_string("unlabelled", "nemo", "the corpus of unlabelled speech")
SCALE = flags.DEFINE_string("scale", "log", "of the frequencies: log or mel")
BATCHES = flags.DEFINE_integer("batches", 40, "batches of one timing; the first five, which fill the pipeline, are not")
ROUNDS = flags.DEFINE_integer("rounds", 3, "rounds of all ways, in turn")

SHAPES = ((64, 128), (128, 64))  # (width, batch size): Table 1's MultitaskDCGAN and BasicDCGAN
FILLING = 5


def main(argv):
    """Print milliseconds per batch and crops per second of each way at each shape."""
    del argv
    find = functools.partial(find_utterance_spectrograms, DATA_DIR.value, scale=SCALE.value)
    parts = {"labelled": crop_data(find(CORPUS.value)), "unlabelled": crop_data(find(UNLABELLED.value))}
    resident = jax.device_put(parts)
    for width, size in SHAPES:
        made = plans(parts, width=width, size=size, count=BATCHES.value + FILLING)
        batch = next(stream_crops(made[:1], sets=parts, width=width))
        ways = {
            "tf.data": functools.partial(stream, made, parts, width),
            "device": functools.partial(gather, made, resident, width),
            "copy": functools.partial(copy, batch, len(made)),
        }
        seconds = {name: [] for name in ways}
        for _ in range(ROUNDS.value + 1):
            for name, way in ways.items():
                seconds[name].append(way() / BATCHES.value)
        print(f"width {width}, {size} labelled + {size} unlabelled crops to a batch, {jax.default_backend()}")
        for name, rounds in seconds.items():
            taken = np.median(rounds[1:])  # the first round compiles
            print(f"  {name:8s} {taken * 1e3:7.2f} ms per batch  {2 * size / taken:9.0f} crops/s")


def plans(parts, *, width, size, count):
    """Host plans drawn as training draws them: shuffled passes over the utterances, random moments of random words."""
    made = []
    for number in range(count):
        place = number * size + np.arange(size, dtype=np.int32)
        index = {}
        for seed, (name, data) in enumerate(parts.items()):
            utterance = shuffled(np.uint32(seed), place, len(data["length"]))
            start = crop_starts(np.uint32(seed), place, utterance, data, width=width)
            index[name] = {"utterance": utterance, "start": start}
        made.append(Plan(index, np.ones(size, bool)))
    return made


def stream(made, parts, width) -> float:
    """Seconds that tf.data takes for all batches but the first five, when nothing else runs."""
    return after_filling(stream_crops(made, sets=parts, width=width))


def gather(made, resident, width) -> float:
    """Seconds that the device takes to gather the same."""
    read = gatherer(width)
    return after_filling(jax.block_until_ready(read(resident, plan.index)) for plan in made)


@functools.cache
def gatherer(width):
    """The compiled gather."""
    return jax.jit(
        lambda data, index: {
            name: read_crops(data[name], at["utterance"], at["start"], width=width) for name, at in index.items()
        }
    )


def copy(batch, count) -> float:
    """Seconds to copy a batch's crops in memory as often."""
    return after_filling([batch[name].copy() for name in ("labelled", "unlabelled")] for _ in range(count))


def after_filling(batches) -> float:
    """Seconds to go through an iterator from its sixth element on."""
    batches = iter(batches)
    for _ in itertools.islice(batches, FILLING):
        pass
    began = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    run_command(main)
