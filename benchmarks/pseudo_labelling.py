"""The frozen-trunk protocol (5 folds x 3 iterations, cached features) against its PyTorch twin, in one run.

    python benchmarks/pseudo_labelling.py --data_dir=data

Both do the same updates: every iteration runs exactly --epochs epochs, so that neither is lucky with early
stopping. Features are computed and cached before the clock starts; compilation is timed apart, in our first update,
beside the twin's first epoch of every fold. The floor is the
memory traffic of reading each batch's features twice (forward and backward) at the rate of a large copy.
"""

import time
from dataclasses import replace

import jax
import numpy as np
import torch
from absl import flags
from ml_collections import config_flags
from torch_twin import Twin, run_fold
from turns import first_step

from sejax.core.rng import member_key, root_key
from sejax.data.folds import TEST
from sejax.engine.command import run_command
from sejax.engine.run import run_settings
from sejax.engine.segment import make_segment
from sejax.experiments import study
from sejax.experiments.classification import confusion_metrics, test_confusions
from sejax.experiments.methods import settings_of
from sejax.experiments.pseudo_labelling.algorithm import Settings

CONFIG = config_flags.DEFINE_config_file("config", "configs/pseudo_labelling.py:labelled=0.3,protocol=image")
DATA_DIR = flags.DEFINE_string("data_dir", "data", "where launch/prepare.py put the prepared sets")
EPOCHS = flags.DEFINE_integer("epochs", 20, "epochs of every iteration, in both")
REPEATS = flags.DEFINE_integer("repeats", 3, "whole protocols timed, sejax and twin in turn; medians are reported")


def main(argv):
    """Time both in turn and print the medians, the ratio and the floor."""
    del argv
    config = CONFIG.value
    config.epochs, config.stop_patience = EPOCHS.value, EPOCHS.value
    assembly = study(config.experiment).assembly(config, DATA_DIR.value)
    settings = settings_of(Settings, config, num_classes=len(assembly.about["classes"]))
    twin = Twin(
        **{name: settings._asdict()[name] for name in settings._fields},
        dropout=config.dropout,
        gain=config.feature_gain,
        iterations=config.iterations,
    )
    protocol, first = compiled_protocol(assembly, run_settings(config), config.seed)
    one_epoch = replace(twin, epochs=1, iterations=1)
    first_step("first update, the twin's first epoch", {"ours": first, "torch": lambda: run_twin(one_epoch, assembly)})
    ours, theirs = [], []
    for _ in range(REPEATS.value):
        seconds, carry = protocol()
        ours.append(seconds)
        seconds, updates, twin_posteriors = run_twin(twin, assembly)
        theirs.append(seconds)
    report(assembly, carry, ours, theirs, updates, twin_posteriors, settings.batch_size)


def compiled_protocol(assembly, run, seed):
    """A function that runs the whole protocol as one call, and one that compiles it and does its first update."""
    members = len(assembly.names)
    keys = jax.vmap(lambda i: member_key(root_key(seed), i))(np.arange(members, dtype=np.int32))
    data = jax.device_put(assembly.data)
    segment = make_segment(assembly, backend=run.backend, how=run.ensemble)

    def first():
        jax.block_until_ready(segment.advance(data, segment.start(keys, assembly.members, data), 1))

    def protocol():
        began = time.perf_counter()
        carry = segment.start(keys, assembly.members, data)
        carry = jax.block_until_ready(segment.advance(data, carry, 2**30))
        return time.perf_counter() - began, carry

    return protocol, first


def run_twin(twin, assembly):
    """Seconds, updates and posteriors of the twin's loop over folds."""
    torch.manual_seed(0)
    features = torch.from_numpy(np.array(assembly.data["inputs"]))
    label = torch.from_numpy(np.array(assembly.data["label"])).long()
    began, updates, posteriors = time.perf_counter(), 0, []
    for part, labelled in zip(np.array(assembly.members["part"]), np.array(assembly.members["labelled"]), strict=True):
        posterior, done, _ = run_fold(twin, features, label, torch.from_numpy(part), torch.from_numpy(labelled))
        updates, posteriors = updates + done, [*posteriors, posterior]
    return time.perf_counter() - began, updates, posteriors


def report(assembly, carry, ours, theirs, updates, twin_posteriors, batch_size):
    """Print times, ratio, floor, and both sides' macro-F1 so that one sees they do the same work."""
    our_updates = int(np.asarray(carry.state.step).sum())
    features = assembly.data["inputs"].shape[1]
    floor = our_updates * batch_size * features * 4 * 2 / copy_rate()
    figures = [
        np.mean([test_macro_f1(np.asarray(p), part, assembly) for p, part in zip(posteriors, parts, strict=True)])
        for posteriors, parts in (
            (carry.state.posterior, np.asarray(assembly.members["part"])),
            (twin_posteriors, np.asarray(assembly.members["part"])),
        )
    ]
    sejax, twin = np.median(ours), np.median(theirs)
    loops = f"{len(assembly.names)} folds x {assembly.iterations} iterations x {assembly.epochs} epochs"
    print(f"protocol: {loops}, {features} features")
    print(f"sejax   {sejax:8.2f} s median of {len(ours)}  {our_updates} updates  macro-F1 {figures[0]:.3f}")
    print(f"torch   {twin:8.2f} s median of {len(theirs)}  {updates} updates  macro-F1 {figures[1]:.3f}")
    print(f"ratio   {twin / sejax:8.2f} x per protocol, {twin / updates * our_updates / sejax:.2f} x per update")
    print(f"floor   {floor:8.2f} s to read every batch twice at the copy rate, {floor / sejax:.0%} of sejax's time")


def test_macro_f1(posterior, part, assembly):
    """Macro-F1 of the test images."""
    confusion = test_confusions(posterior, part == TEST, assembly.data)["confusion/test"]
    return confusion_metrics(confusion, "")["macro_f1"]


def copy_rate() -> float:
    """Bytes per second that a large copy reads and writes, best of five."""
    source = np.ones(2**26, np.float32)
    target, best = np.empty_like(source), np.inf
    for _ in range(5):
        began = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - began)
    return 2 * source.nbytes / best


if __name__ == "__main__":
    run_command(main)
