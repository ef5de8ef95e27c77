"""Training on waveform and transcript against a PyTorch loop over the same batches, on one machine in one run.

    python benchmarks/audio_text.py [--fusions=att_d_1+audio+text] [--sides=ours+white+pink+torch] [--rounds=3]

An update is forward, backward, L2 and Adam with the sizes of the paper's Tables 1 to 3: batch 30, dropout 0.55, words
of 150 trained numbers. Turns are 1 to 15 s long, as many of each octave, at 2.5 words a second. Both sides train on the
same batches in the same few shapes, with masks: `ours` is the network of sejax.models.audio_text in one compiled
program for each shape, `white` and `pink` the same with such noise in every waveform, `torch` the parity tests'
reference with its fused Adam. A turn of a side is an epoch; the sides take turns, and ratios are those of the medians:
how many times ours a side takes. --cpu-time counts processor time instead of the clock's, for a machine that others use
too. `torch` needs torch.
"""

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
# The torch side is the reference of the parity tests.
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "parity")]

from turns import beside_ours, first_step, medians  # noqa: E402

BATCH, CLASSES, RATE = 30, 4, 16000
LEARNING_RATE, L2 = 3e-3, 6e-3


def turns(number, vocabulary):
    """(samples int16[T] of all turns, `Pieces`): noise, and words drawn by Zipf's law."""
    from sejax.data.buckets import Pieces

    random = np.random.default_rng(0)
    length = (RATE * np.exp(random.uniform(0, np.log(15), number))).astype(np.int32)
    word_count = np.maximum(1, random.poisson(2.5 * length / RATE)).astype(np.int32)
    words = (random.zipf(1.3, word_count.sum()) % vocabulary).astype(np.int32)
    start, first_word = (
        np.concatenate([[0], counts.cumsum()[:-1]]).astype(np.int64) for counts in (length, word_count)
    )
    samples = random.normal(0, 3000, length.sum()).clip(-32768, 32767).astype(np.int16)
    return samples, Pieces(np.arange(number, dtype=np.int32), start, length, words, first_word, word_count)


def epoch(options):
    """(batches of an epoch, as `sejax.data.streams` reads them; their padding)."""
    from sejax.data.buckets import choose_buckets, epoch_batches, padding
    from sejax.data.streams import read_batch

    samples, pieces = turns(options.turns, options.vocabulary)
    buckets = choose_buckets(pieces.length, pieces.word_count, shapes=options.shapes, batch_size=BATCH)
    of, everyone = buckets.of(pieces.length, pieces.word_count), np.ones(options.turns, bool)
    batches = -(-options.turns // BATCH)
    index, valid = epoch_batches(np.uint32(0), of, everyone, batch_size=BATCH, batches=batches)
    label = np.random.default_rng(1).integers(0, CLASSES, options.turns).astype(np.int32)
    read = [
        read_batch(samples, pieces, buckets, *rows) | {"label": label[rows[0]]}
        for rows in zip(index, valid, strict=True)
    ]
    return read, padding(pieces, buckets, index, valid)


def ours(fusion, batches, options, noise=""):
    """A call that trains for an epoch."""
    import optax

    from sejax.audio.augmentation import waveforms_in_noise
    from sejax.models.audio_text import AudioText

    network = AudioText(fusion, CLASSES, options.vocabulary)
    given = ("waveform", "length", "words", "word_count")
    adam = optax.chain(optax.add_decayed_weights(L2), optax.adam(LEARNING_RATE))

    def objective(params, statistics, batch, seed):
        variables = {"params": params, "batch_stats": statistics}
        if noise:
            noisy = partial(waveforms_in_noise, kind=noise, limits=(0.0, 30.0))
            batch = batch | {"waveform": noisy(jax.random.key(seed), batch["waveform"], batch["length"])}
        rows = [batch[name] for name in given]
        found, moved = network.apply(variables, *rows, train=True, seed=seed, mutable=["batch_stats"])
        losses = optax.softmax_cross_entropy_with_integer_labels(found["logits"], batch["label"])
        return jnp.where(batch["valid"], losses, 0.0).sum() / batch["valid"].sum(), moved.get("batch_stats", {})

    @partial(jax.jit, donate_argnums=0)
    def update(state, batch):
        params, statistics, moments, seed = state
        gradients, statistics = jax.grad(objective, has_aux=True)(params, statistics, batch, seed)
        changes, moments = adam.update(gradients, moments, params)
        return optax.apply_updates(params, changes), statistics, moments, seed + 1

    small = [batches[0][name][:2, :64] if batches[0][name].ndim == 2 else jnp.ones(2, jnp.int32) for name in given]
    variables = jax.jit(network.init)(jax.random.key(0), *small)
    params = variables["params"]
    states = [(params, variables.get("batch_stats", {}), adam.init(params), jnp.uint32(0))]
    batches = [jax.device_put(batch) for batch in batches]

    def train():
        for batch in batches:
            states[0] = update(states[0], batch)
        jax.block_until_ready(states[0])

    return train


def theirs(fusion, batches, options):
    """The same in torch."""
    import torch
    import torch_audio_text

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    twin = torch_audio_text.Twin(fusion, CLASSES, options.vocabulary).to(device).train()
    adam = torch.optim.Adam(twin.parameters(), LEARNING_RATE, weight_decay=L2, fused=True)
    given = []
    for batch in batches:  # without the rows that fill up
        kept = {name: torch.from_numpy(value[batch["valid"]]) for name, value in batch.items()}
        rows = (kept["waveform"], kept["words"].long(), kept["word_count"].long(), kept["label"].long())
        given.append([kept["length"].tolist(), *(row.to(device) for row in rows)])

    def train():
        for length, waveform, words, word_count, label in given:
            adam.zero_grad()
            found = twin(waveform.float() / 2**15, length, words, word_count)
            torch.nn.functional.cross_entropy(found["logits"], label).backward()
            adam.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return train


def main():
    """Compare the sides asked for with each fusion."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fusions", default="att_d_1+audio+text")
    parser.add_argument("--sides", default="ours+torch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=480, help="utterances of an epoch")
    parser.add_argument("--shapes", type=int, default=8)
    parser.add_argument("--vocabulary", type=int, default=3000)
    parser.add_argument("--cpu-time", action="store_true")
    options = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores, {jax.default_backend()}, load {os.getloadavg()}", flush=True)
    batches, shares = epoch(options)
    audio = sum(int(batch["length"].sum()) for batch in batches) / RATE
    print(
        f"{len(batches)} batches of {BATCH} turns, {audio:.0f} s of audio; padding: {shares['samples']:.1%} of samples,"
        f" {shares['words']:.1%} of words",
        flush=True,
    )
    clock = time.process_time if options.cpu_time else time.perf_counter
    for fusion in options.fusions.split("+"):
        sides = {"ours": ours, "torch": theirs} | {name: partial(ours, noise=name) for name in ("white", "pink")}
        calls = {name: sides[name](fusion, batches, options) for name in options.sides.split("+")}
        shapes = len({(batch["waveform"].shape, batch["words"].shape) for batch in batches})
        first_step(f"{fusion:13} {shapes} shapes, the first epoch", calls)
        seconds = dict(zip(calls, medians(list(calls.values()), options.rounds, clock=clock), strict=True))
        for name, value in seconds.items():
            each, ratio = 1000 * value / len(batches), beside_ours(seconds, name)
            print(f"{fusion:13} {name:9} {each:8.1f} ms an update, {audio / value:6.0f} s of audio a second{ratio}")
    print(f"load {os.getloadavg()}", flush=True)


if __name__ == "__main__":
    main()
