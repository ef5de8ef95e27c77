"""AlexNet and SqueezeNet 1.1 against the same networks in PyTorch, on the same cores in the same run.

    python benchmarks/backbones.py [--batch=32] [--side=224] [--rounds=5]

Times the forward pass and one training step (cross-entropy, dropout, Adam on every parameter) on random
images; the two sides take turns, and each ratio is that of the medians. Above 1, sejax is the faster.
Needs torch.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(ROOT),
    str(ROOT / "tests" / "parity"),
]  # the torch definitions are those of the parity tests


def ours(name, images, labels):
    """Two calls without arguments, each returning when done: forward pass, training step."""
    from sejax import models

    module = models.create(name)
    variables = jax.jit(module.init)(jax.random.key(0), images)
    optimiser = optax.adam(1e-4)
    forward = jax.jit(module.apply)

    def step(params, state, key):
        def loss(params):
            logits = module.apply({"params": params}, images, train=True, rngs={"dropout": key})
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        updates, state = optimiser.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    jitted = jax.jit(step, donate_argnums=(0, 1))
    training = [jax.tree.map(jnp.copy, variables["params"]), optimiser.init(variables["params"])]

    def train():
        training[:] = jax.block_until_ready(jitted(*training, jax.random.key(1)))

    return lambda: jax.block_until_ready(forward(variables, images)), train


def theirs(name, images, labels):
    """The same two calls in torch."""
    import torch
    import torch_networks

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = torch_networks.build(name, num_classes=1000)
    inputs = torch.from_numpy(np.ascontiguousarray(np.asarray(images).transpose(0, 3, 1, 2)))
    targets = torch.from_numpy(np.asarray(labels).astype(np.int64))
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)

    def forward():
        network.eval()
        with torch.no_grad():
            network(inputs)

    def train():
        network.train()
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), targets).backward()
        optimiser.step()

    return forward, train


def medians(calls, rounds):
    """Median seconds of each call, after one to warm up; the calls take turns."""
    seconds = [[] for _ in calls]
    for turn in range(rounds + 1):
        for call, taken in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            if turn:
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


def main():
    """Print one line per network and kind of work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, value in (("batch", 32), ("side", 224), ("rounds", 5)):
        parser.add_argument(f"--{option}", type=int, default=value)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.standard_normal((options.batch, options.side, options.side, 3), np.float32))
    labels = jnp.asarray(rng.integers(0, 1000, options.batch))
    print(f"{len(os.sched_getaffinity(0))} cores, {jax.default_backend()}, images {images.shape}")
    for name in ("alexnet", "squeezenet1_1"):
        pairs = zip(ours(name, images, labels), theirs(name, images, labels), strict=True)
        for work, pair in zip(("forward", "training step"), pairs, strict=True):
            mine, peer = medians(pair, options.rounds)
            print(f"{name:14} {work:14} sejax {mine:.3f} s  torch {peer:.3f} s  ratio {peer / mine:.2f}")


if __name__ == "__main__":
    main()
