"""Every pre-trained network against torchvision's own, on the same machine in the same run.

    python benchmarks/backbones.py [--models=resnet50+squeezenet1_1] [--batch=32] [--rounds=5]
    python benchmarks/backbones.py --dtype=bfloat16 --compile --peak=989      # on a GPU

Times the forward pass and a training step (cross-entropy, Inception's auxiliary loss with weight 0.4,
dropout, batch statistics, Adam on every parameter) on random images at the network's own size; the two sides
take turns, and each ratio is that of the medians. Above 1, sejax is the faster. A turn makes --updates training steps:
ours in one program, as the engine's segments do, whose working memory the system gives once; torch's in a loop, whose
memory torch gives back and takes anew. --updates=1 is a step by itself. Also: how long the first turn of training
takes each side with what it compiles, how much of ours is compiling, its working memory per image as XLA plans it, and
its operations per second (with --peak, in 1e12 a second, as a share of that), and the floor beside it: the operations
of the step's products and convolutions, as torch counts them, at the rate of a large product that is measured there and
then.
With --devices=2 the processor is as many devices for JAX, which share the images of a batch out (JAX 0.10.2 gives a
convolution one thread of each device); batch statistics are of the whole batch.
With --dtype=bfloat16 torch runs under autocast, with --compile through torch.compile, on a GPU in
channels_last layout. Needs torch and torchvision.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

ROOT = Path(__file__).resolve().parents[1]
# The torch networks are those of the parity tests.
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "parity")]

from turns import first_step, machine, medians  # noqa: E402

NETWORKS = ("alexnet", "squeezenet1_0", "squeezenet1_1", "resnet50", "wide_resnet50_2", "inception_v3")
AUXILIARY = 0.4  # weight of Inception's second loss (Szegedy et al. 2015)


def loss_of(logits, auxiliary, labels):
    """Mean cross-entropy, with that of the auxiliary logits where there are some."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels)
    if auxiliary is not None:
        extra = optax.softmax_cross_entropy_with_integer_labels(auxiliary.astype(jnp.float32), labels)
        losses = losses + AUXILIARY * extra
    return losses.mean()


def ours(name, images, labels, dtype, devices, updates):
    """Two calls, each returning when done (forward pass, training steps), and facts about the latter once called."""
    from sejax import models
    from sejax.core.rng import quickly_compiled
    from sejax.engine.ensemble import make_mesh

    module = models.create(name, dtype=dtype)
    variables = jax.jit(module.init)(quickly_compiled(jax.random.key(0)), images[:1])
    optimiser = optax.adam(1e-4)
    forward = jax.jit(module.apply)
    if devices > 1:
        mesh = make_mesh(jax.devices(), member=1, data=devices)
        images, labels = jax.device_put((images, labels), NamedSharding(mesh, PartitionSpec("data")))
        variables = jax.device_put(variables, NamedSharding(mesh, PartitionSpec()))

    def step(variables, state, images, labels, key):
        def loss(params):
            (logits, record), changed = module.apply(
                variables | {"params": params},
                images,
                train=True,
                activations=True,
                rngs={"dropout": key},
                mutable=["batch_stats"],
            )
            return loss_of(logits, record.get("aux_logits"), labels), changed

        gradients, changed = jax.grad(loss, has_aux=True)(variables["params"])
        change, state = optimiser.update(gradients, state)
        return variables | {"params": optax.apply_updates(variables["params"], change)} | changed, state

    def steps(variables, state, images, labels, key):
        def turn(carry, number):
            return step(*carry, images, labels, jax.random.fold_in(key, number)), None

        return jax.lax.scan(turn, (variables, state), jnp.arange(updates))[0]

    training = [jax.tree.map(jnp.copy, variables), optimiser.init(variables["params"])]
    facts, programs = {}, []

    def train():
        arguments = (*training, images, labels, jax.random.key(1))
        if not programs:
            began = time.perf_counter()
            lowered = jax.jit(steps, donate_argnums=(0, 1)).lower(*arguments)
            programs.append(lowered.compile())
            facts["compile"] = time.perf_counter() - began
            facts["memory"] = programs[0].memory_analysis().temp_size_in_bytes / len(images)
        training[:] = jax.block_until_ready(programs[0](*arguments))

    return (lambda: jax.block_until_ready(forward(variables, images)), train), facts


def theirs(name, images, labels, dtype, compile_it, updates):
    """The same two calls in torch."""
    import torch
    import torchvision_networks

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    layout = torch.channels_last if device == "cuda" else torch.contiguous_format
    network = torchvision_networks.build(name, num_classes=1000).to(device, memory_format=layout)
    inputs = torch.from_numpy(np.ascontiguousarray(np.asarray(images).transpose(0, 3, 1, 2)))
    inputs = inputs.to(device, memory_format=layout)
    targets = torch.from_numpy(np.asarray(labels).astype(np.int64)).to(device)
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)
    run = torch.compile(network) if compile_it else network

    def mixed():
        return torch.autocast(device, torch.bfloat16, enabled=dtype == jnp.bfloat16)

    def done():
        if device == "cuda":
            torch.cuda.synchronize()

    def forward():
        network.eval()
        with torch.no_grad(), mixed():
            run(inputs)
        done()

    def step():
        optimiser.zero_grad()
        with mixed():
            out = run(inputs)
            logits, auxiliary = (out.logits, out.aux_logits) if hasattr(out, "aux_logits") else (out, None)
            loss = torch.nn.functional.cross_entropy(logits, targets)
            if auxiliary is not None:
                loss = loss + AUXILIARY * torch.nn.functional.cross_entropy(auxiliary, targets)
        loss.backward()
        optimiser.step()

    def train():
        network.train()
        for _ in range(updates):
            step()
        done()

    return forward, train


def operations(train):
    """Operations of the products and convolutions of one training step, as torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        train()
    return counter.get_total_flops()


def compare(name, options):
    """Print the lines of one network; returns the two ratios."""
    from sejax import models

    side, dtype = options.side or models.INPUT_SIZE[name], jnp.dtype(options.dtype)
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.standard_normal((options.batch, side, side, 3), np.float32))
    labels = jnp.asarray(rng.integers(0, 1000, options.batch))
    mine, facts = ours(name, images, labels, dtype, options.devices, options.updates)
    other = theirs(name, images, labels, dtype, options.compile, options.updates)
    first_step(f"{name}, {options.updates} updates", {"ours": mine[1], "torch": other[1]})
    counted = operations(theirs(name, images, labels, dtype, compile_it=False, updates=1)[1])
    ratios = []
    turns = {"forward": 1, "training": options.updates}
    for (work, times), pair in zip(turns.items(), zip(mine, other, strict=True), strict=True):
        here, there = (seconds / times for seconds in medians(pair, options.rounds))
        ratios.append(there / here)
        print(
            f"{name:16} {work:9} {side:4} px  sejax {here:8.4f} s ({options.batch / here:8.1f} images/s)  "
            f"torch {there:8.4f} s ({options.batch / there:8.1f} images/s)  ratio {there / here:.2f}",
            flush=True,
        )
    rate, large = counted / here / 1e12, machine()[0] / 1e12
    share = f" ({rate / options.peak:.0%} of the peak)" if options.peak else ""
    print(
        f"{'':16} training: compiled in {facts['compile']:.1f} s, "
        f"{facts['memory'] / 2**20:.0f} MiB per image, {rate:.3f}e12 operations/s{share}\n"
        f"{'':16} floor: {counted / large / 1e12:.3f} s, {counted / 1e12:.3f}e12 operations at a large product's "
        f"{large:.3f}e12 a second",
        flush=True,
    )
    return ratios


def main():
    """Compare the networks asked for, then count where sejax is at least as fast."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="+".join(NETWORKS))
    parser.add_argument("--side", type=int, default=0, help="pixels; 0: the network's own")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--devices", type=int, default=1, help="of JAX on a CPU, that share a batch out")
    parser.add_argument("--updates", type=int, default=4, help="training steps of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--compile", action="store_true", help="torch.compile on the other side")
    parser.add_argument("--peak", type=float, default=0.0, help="the device's peak, 1e12 operations a second")
    options = parser.parse_args()
    if options.devices > 1:
        jax.config.update("jax_num_cpu_devices", options.devices)
    cores, backend = len(os.sched_getaffinity(0)), jax.default_backend()
    print(f"{cores} cores, {backend}, batch {options.batch}, {options.dtype}, {options.updates} updates a turn")
    ratios = np.array([compare(name, options) for name in options.models.split("+")])
    for work, found in zip(("forward", "training"), ratios.T, strict=True):
        print(f"{work}: sejax at least as fast on {(found >= 1).sum()} of {len(found)}")


if __name__ == "__main__":
    main()
