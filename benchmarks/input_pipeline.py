"""What feeding a fine-tuning step by tf.data costs, against the same batches gathered from the device.

    python benchmarks/input_pipeline.py --data_dir=data

Two figures: the pipeline alone per batch (nothing computes meanwhile) over the step, and the step fed by
tf.data over the step fed from the device, in turn in one run. The floor is the copy of one batch.
"""

import time

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags

from sejax.core.experiment import Plan
from sejax.core.rng import member_key, root_key
from sejax.engine.command import run_command
from sejax.engine.segment import make_segment
from sejax.experiments import study

CONFIG = config_flags.DEFINE_config_file(
    "config", "configs/pseudo_labelling.py:trainable=all,only_folds=1,protocol=image"
)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "where launch/prepare.py put the prepared sets")
UPDATES = flags.DEFINE_integer("updates", 10, "updates per round")
ROUNDS = flags.DEFINE_integer("rounds", 3, "rounds of each way, in turn; medians are reported")


def main(argv):
    """Print seconds per update both ways, the pipeline's alone, and the ratios."""
    del argv
    config = CONFIG.value
    ways = {}
    for name, source in (("tf.data", "tfdata"), ("device", "resident")):
        config.run.input = source
        ways[name] = study(config.experiment).assembly(config, DATA_DIR.value)
    assembly = ways["tf.data"]
    advances = {name: updates_of(made, config.seed) for name, made in ways.items()}
    seconds = {name: [] for name in ways}
    for _ in range(ROUNDS.value):
        for name, advance in advances.items():
            seconds[name].append(advance(UPDATES.value) / UPDATES.value)
    alone = np.median([pipeline_alone(assembly) for _ in range(ROUNDS.value)])
    batch = next(assembly.train.stream(iter(plans(assembly, 1))))
    step = {name: float(np.median(values)) for name, values in seconds.items()}
    print(f"fine-tuning {config.model}, batch {assembly.batch_size}, images {config.image.size}")
    print(f"step fed from the device  {step['device']:.4f} s   fed by tf.data {step['tf.data']:.4f} s")
    print(f"overhead of tf.data       {step['tf.data'] / step['device'] - 1:+.1%} of a step")
    print(f"pipeline alone            {alone * 1e3:.2f} ms per batch, {alone / step['device']:.2%} of a step")
    print(f"floor                     {copy_seconds(batch) * 1e3:.2f} ms to copy one batch")


def updates_of(assembly, seed):
    """A function that times n updates from where the last call stopped; compiled and warm."""
    keys = jax.vmap(lambda i: member_key(root_key(seed), i))(np.arange(1, dtype=np.int32))
    segment = make_segment(assembly, backend="loop", how="map")
    data = jax.device_put(assembly.data)
    carry = [segment.advance(data, segment.start(keys, assembly.members, data), 2)]

    def advance(updates):
        began = time.perf_counter()
        carry[0] = jax.block_until_ready(segment.advance(data, carry[0], updates))
        return time.perf_counter() - began

    return advance


def plans(assembly, count):
    """Host plans with one member, rows at random."""
    rows = np.random.default_rng(0).integers(0, len(assembly.data["label"]), (count, 1, assembly.batch_size))
    return [Plan(index.astype(np.int32), np.ones(index.shape, bool)) for index in rows]


def pipeline_alone(assembly, count: int = 64) -> float:
    """Seconds per batch when nothing else runs."""
    began = time.perf_counter()
    for _ in assembly.train.stream(iter(plans(assembly, count))):
        pass
    return (time.perf_counter() - began) / count


def copy_seconds(batch) -> float:
    """Seconds to copy one batch in memory."""
    began = time.perf_counter()
    for _ in range(100):
        batch["inputs"].copy()
    return (time.perf_counter() - began) / 100


if __name__ == "__main__":
    run_command(main)
