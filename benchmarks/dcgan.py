"""Training rounds of the multitask DCGAN against a PyTorch loop over the same, on one machine in one run.

    python benchmarks/dcgan.py [--models=basic_dcgan+multitask_dcgan] [--sides=ours+torch+last+compiled] [--rounds=3]
    python benchmarks/dcgan.py --batch=16              # a quarter of the paper's batch, where a round takes a minute

A round updates the generator, the discriminator, valence, and activation where the model has it, at the sizes of the
paper's Table 1: BasicDCGAN (crops of 128 frames, 72 filters of side 9, batch 64) and MultitaskDCGAN (64, 88, 6, 128).
Sides: `ours`, as the engine trains it, crops gathered on the device; `torch`, the parity tests' reference, which makes
no pass twice; `last`, the same with channels last in memory; `compiled`, the same as `torch` with the losses under
torch.compile. --dtype=bfloat16 computes convolutions in it on all sides. The sides take turns, and ratios are those
of the medians: how many times ours a side takes. The floor is convolutions as they are defined at the rate of a large
matrix product, and every weight's, gradient's and moment's way to and from memory at the rate of a large sum, both
measured in this run; ours can fall below it, as by way of frequencies a convolution takes fewer operations. Needs
torch, and a C++ compiler for `compiled`.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
# The torch side is the reference of the parity tests; speech is that of the other tests.
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "parity")]

from turns import beside_ours, first_step, floor, made, medians  # noqa: E402

SIDES = ("ours", "torch", "last", "compiled")
HIDDEN, LATENT, POINTS, LAYERS = 128, 100, 5, 4


def sizes_of(model, options):
    """The config of a model at the paper's sizes, with what the command line replaces."""
    from configs.dcgan import get_config
    from sejax.experiments.dcgan.assembly import variants

    config = variants(get_config(f"corpus=rated,unlabelled=plain,models={model},dtype={options.dtype}"))[model]
    for field in ("batch_size", "filters", "side", "width"):
        config[field] = getattr(options, field) or config[field]
    config.hidden, config.latent, config.input = HIDDEN, LATENT, "resident"
    config.run.input = "resident"
    return config


def ours(config, options):
    """A call that trains one member for --updates rounds, as the engine does."""
    import toy_speech

    from sejax.core.rng import member_key, root_key
    from sejax.engine.segment import make_segment
    from sejax.experiments.dcgan.assembly import assemble

    backend = options.backend or ("loop" if jax.default_backend() == "cpu" else "scan")
    assembly = assemble(config, toy_speech.rated(), [toy_speech.unlabelled()])
    # One member, and an epoch that does not end here.
    rows = np.resize(assembly.members["rows"][:1], (1, 10**6))
    lone = {name: value[:1] for name, value in assembly.members.items()}
    lone |= {"rows": rows, "count": np.full(1, rows.shape[1], np.int32)}
    assembly = assembly._replace(members=lone)
    segment = make_segment(assembly, backend=backend, how="map")
    data = jax.tree.map(jnp.asarray, assembly.data)
    keys = jax.vmap(member_key, (None, 0))(root_key(0), jnp.arange(1))
    carry = []

    def train():
        if not carry:
            carry.append(segment.start(keys, assembly.members, data))
        carry[0] = jax.block_until_ready(segment.advance(data, carry[0], options.updates))

    return train


def theirs(config, options, *, last=False, compile_it=False):
    """The same in torch."""
    import torch
    import torch_dcgan

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    rated = torch_dcgan.DIMENSIONS if config.model.startswith("multitask") else ("valence",)
    method = torch_dcgan.Method(
        filters=config.filters, side=config.side, width=config.width, hidden=HIDDEN, latent=LATENT, rated=rated
    )
    twin = torch_dcgan.Twin(method, fused=True).to(device)
    twin = (twin.to(memory_format=torch.channels_last) if last else twin).start()
    if compile_it:
        for name in ("fooling", "judging", "rating"):
            setattr(twin, name, torch.compile(getattr(twin, name)))
    batch = config.batch_size
    crops = torch.rand(4, batch, 1, 128, config.width, device=device) * 2 - 1
    target = torch.softmax(torch.randn(batch, 2, POINTS, device=device), -1)
    half = torch.autocast(device, torch.bfloat16, enabled=options.dtype == "bfloat16")

    def train():
        for update in range(options.updates):
            with half:
                twin.round(
                    crops[update % 2],
                    target,
                    crops[2 + update % 2],
                    torch.randn(batch, LATENT, device=device),
                    torch.randn(batch, LATENT, device=device),
                )
        if device == "cuda":
            torch.cuda.synchronize()

    if compile_it:
        train()  # where it cannot compile, `made` hears of it
    return train


def work(config):
    """Operations of a round's convolutions and dense layers, as they are defined, and bytes of weights and moments.

    Forward, the gradient of the weights and that of the inputs cost the same. An update reads weight and two moments
    and writes them, and forward and backward read the weight, write and read its gradient: 40 bytes.
    """
    batch, filters, side, width = config.batch_size, config.filters, config.side, config.width
    channels = [1] + [filters * 2**layer for layer in range(LAYERS)]
    kernels = [side * side * channels[layer] * channels[layer + 1] for layer in range(LAYERS)]
    places = [128 * width // 4 ** (layer + 1) for layer in range(LAYERS)]
    first, *others = [2 * batch * weights * at for weights, at in zip(kernels, places, strict=True)]
    features = places[-1] * channels[-1]
    project, shared = 2 * batch * LATENT * features, 2 * batch * features * HIDDEN
    trunk, generator = first + sum(others), first + sum(others) + project
    learned = 3 * trunk - first  # no gradient of the crops
    ratings = 2 if config.model.startswith("multitask") else 1
    operations = 3 * generator - project + 2 * trunk  # the generator's update, through the discriminator
    operations += generator + 2 * learned  # the discriminator's, on real and generated crops
    operations += ratings * (learned + 3 * shared)
    moved = sum(kernels) * (2 + ratings) + LATENT * features + features * HIDDEN * ratings
    return operations, 40 * moved


def compare(model, options):
    """Prints the lines of one model."""
    config = sizes_of(model, options)
    print(
        f"{model}: crops of {config.width} frames, {config.filters} filters of side {config.side}, "
        f"batch {config.batch_size}, {config.dtype}",
        flush=True,
    )
    makers = {
        "ours": partial(ours, config, options),
        "torch": partial(theirs, config, options),
        "last": partial(theirs, config, options, last=True),
        "compiled": partial(theirs, config, options, compile_it=True),
    }
    calls = made(makers, options.sides)
    first_step(model, calls)
    seconds = dict(zip(calls, medians(list(calls.values()), options.rounds), strict=True))
    seconds = {name: value / options.updates for name, value in seconds.items()}
    for name, value in seconds.items():
        print(f"{model:15} {name:9} {value:8.3f} s a round{beside_ours(seconds, name)}", flush=True)
    least, why = floor(*work(config))
    print(f"{model:15} floor     {least:8.3f} s: {why}")
    for name, value in seconds.items():
        print(f"{model:15} {name}: {least / value:.0%} of the floor reached", flush=True)


def main():
    """Compare the sides asked for with both models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="basic_dcgan+multitask_dcgan")
    parser.add_argument("--sides", default="+".join(SIDES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=1, help="training rounds in each turn of a side")
    parser.add_argument("--batch", type=int, default=0, dest="batch_size", help="0 here and below: the paper's")
    parser.add_argument("--filters", type=int, default=0)
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--backend", choices=("", "scan", "loop"), default="", help="loop on a CPU if not given")
    options = parser.parse_args()
    options.sides = options.sides.split("+")
    print(f"{len(os.sched_getaffinity(0))} cores, {jax.default_backend()}, load {os.getloadavg()}", flush=True)
    for model in options.models.split("+"):
        compare(model, options)


if __name__ == "__main__":
    main()
