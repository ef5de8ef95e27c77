"""Four CycleGANs with their domain classifier against PyTorch loops over the same, on one machine in one run.

    python benchmarks/cyclegan.py [--sides=ours+torch+compiled+members] [--rounds=5] [--updates=4]
    python benchmarks/cyclegan.py --sides=ours+torch+compiled --updates=50      # on a GPU: both sides use it
    python benchmarks/cyclegan.py --dtype=bfloat16      # products in it, beside `ours` in float32

A round is two updates of the generators with the classifier and one of the discriminators, at the paper's sizes
(batch 64, 1582 features, dropout on). Sides: `ours`, one member as the engine trains it (a segment of --updates);
`members`, --members of them in one program; `torch`, the parity tests' reference, which makes no pass twice, with the
fastest of Adam's implementations here; `compiled`, the same with each CycleGAN's passes and losses under
torch.compile. With --dtype=bfloat16 products are in it (torch: autocast), and `float32` is ours without. The sides take
turns, and ratios are those of the medians: how many times ours a side takes. Then the first stage's update likewise,
and the floor: matrix products at the rate of a large one of the same dtype, and after them every weight's, gradient's
and moment's way to and from memory (float32 in either dtype) at the rate of a large sum, both measured in this run.
Needs torch, and a C++ compiler for `compiled`.
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
# The torch side is the reference of the parity tests; vectors and config are those of the other tests.
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "parity")]

from turns import beside_ours, first_step, floor, made, medians  # noqa: E402

SIDES = ("ours", "float32", "torch", "compiled", "members")
EMOTIONS, FEATURES, SOURCES, COUNT = 4, 1582, 512, 256
ADAMS = {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}


def ours(stage, members, options, *, dtype=None):
    """A call that trains `members` members for --updates updates, as the engine does; and XLA's facts about it."""
    from emotional_vectors import make_config, make_vectors

    from sejax.core.rng import member_key, root_key
    from sejax.engine.segment import make_segment
    from sejax.experiments.cyclegan.assembly import assemble

    wide = options.hidden or 1000
    config = make_config(seeds=members, folds=0, lambdas=(2.0,), stage=stage, batch_size=options.batch)
    config.epochs = config.row_epochs = config.pretraining.row_epochs = 10**6  # no epoch ends here
    config.pretraining.epochs = 0 if stage == "gan" else 10**6
    config.generator_hidden, config.discriminator_hidden = (wide, wide // 2, wide), (wide, wide)
    config.classifier_hidden = (100, 100)
    config.dtype = dtype or options.dtype
    source = make_vectors(SOURCES, corpus="unlabelled", features=options.features)
    target = make_vectors((COUNT,) * EMOTIONS, features=options.features)
    assembly = assemble(config, source, [target])
    segment = make_segment(assembly, backend=options.backend)
    data = jax.tree.map(jnp.asarray, assembly.data)
    keys = jax.vmap(member_key, (None, 0))(root_key(0), jnp.arange(members))
    carry = []

    def train():
        if not carry:
            carry.append(segment.start(keys, assembly.members, data))
        carry[:] = [jax.block_until_ready(segment.advance(data, *carry, options.updates))]

    return train


def theirs(stage, options, *, compile_it):
    """The same in torch: a call that trains four CycleGANs for --updates updates."""
    import torch
    import torch_cyclegan

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    sizes = {"features": options.features}
    if options.hidden:
        width = options.hidden
        sizes |= {"generator": (width, width // 2, width), "discriminator": (width, width)}
    twin = torch_cyclegan.Twin(torch_cyclegan.Method(**sizes), **ADAMS[options.adam]).to(device).start()
    random = np.random.default_rng(0)
    domains = [
        random.uniform(size=(SOURCES, options.features)),
        random.uniform(size=(EMOTIONS, COUNT, options.features)),
    ]
    source, target = (torch.from_numpy(x.astype(np.float32)).to(device) for x in domains)
    emotions = torch.arange(EMOTIONS, device=device)[:, None]
    update = twin.pretraining_update if stage == "pretraining" else twin.round
    if compile_it:
        for name in ("reconstruction", "translation", "judgement"):
            setattr(twin, name, torch.compile(getattr(twin, name)))

    half = torch.autocast(device, torch.bfloat16, enabled=options.dtype == "bfloat16")

    def train():
        for _ in range(options.updates):
            rows = torch.randint(SOURCES, (EMOTIONS, options.batch), device=device)
            with half:
                update(source[rows], target[emotions, torch.randint(COUNT, (EMOTIONS, options.batch), device=device)])
        if device == "cuda":
            torch.cuda.synchronize()

    if compile_it:
        train()  # where it cannot compile, `made` hears of it
    return train


def fastest_adam(options):
    """Which of Adam's implementations in torch takes the shortest for the generators' weights here."""
    import torch

    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    seconds = {}
    for name, how in ADAMS.items():
        weights = [torch.nn.Parameter(torch.zeros(options.features, 1000, device=device)) for _ in range(8)]
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        optimizer = torch.optim.Adam(weights, lr=1e-4, **how)

        def step(optimizer=optimizer):
            optimizer.step()
            if device == "cuda":
                torch.cuda.synchronize()

        seconds[name] = medians([step], 3)[0]
    told = ", ".join(f"{name} {second * 1e3:.1f} ms" for name, second in seconds.items())
    print(f"torch's Adam on {8 * options.features * 1000 / 1e6:.1f}e6 weights: {told}")
    return min(seconds, key=seconds.get)


def work(stage, options):
    """Operations of matrix products, and bytes of weights, gradients and moments, of an update of one member.

    A layer's pass costs 2 B in out operations forward, as many again for its weights' gradient and its inputs'. An
    update reads weight and two moments and writes them, 24 bytes; forward and backward read the weight, and the
    gradient is written and read, 16 bytes more, or 8 where the weights are only passed through.
    """
    features, hidden = options.features, options.hidden or 1000
    generator = [(features, hidden), (hidden, hidden // 2), (hidden // 2, hidden), (hidden, features)]
    judge, classifier = [(features, hidden), (hidden, hidden), (hidden, 1)], [(features, 100), (100, 100), (100, 4)]
    weights = {name: sum(i * o for i, o in layers) for name, layers in
               (("generator", generator), ("judge", judge), ("classifier", classifier))}  # fmt: skip
    per_row, first = 2 * options.batch * EMOTIONS, 2 * options.batch * EMOTIONS
    # Four passes of generators; the two on data need no gradient of their inputs.
    generators = per_row * (4 * 3 * weights["generator"]) - first * 2 * features * hidden
    moved = EMOTIONS * 2 * weights["generator"] * 40
    if stage == "pretraining":
        return generators, moved
    judged = per_row * 2 * 2 * weights["judge"]  # forward, and back to what they judge
    classified = per_row * 3 * weights["classifier"]
    learned = per_row * 4 * 3 * weights["judge"] - first * 4 * features * hidden
    moved = 2 * (moved + EMOTIONS * 2 * weights["judge"] * 8 + weights["classifier"] * 40)
    return 2 * (generators + judged + classified) + learned, moved + EMOTIONS * 2 * weights["judge"] * 40


def compare(stage, options):
    """Prints the lines of one stage."""
    makers = {
        "ours": partial(ours, stage, 1, options),
        "float32": partial(ours, stage, 1, options, dtype="float32"),
        "torch": partial(theirs, stage, options, compile_it=False),
        "compiled": partial(theirs, stage, options, compile_it=True),
        "members": partial(ours, stage, options.members, options),
    }
    sides = [side for side in options.sides if side != "float32" or options.dtype != "float32"]
    calls = made(makers, sides)
    first_step(stage, calls)
    names = [name for name in calls if name != "members"]
    seconds = dict(zip(names, medians([calls[name] for name in names], options.rounds), strict=True))
    if "members" in calls:  # apart from the others, whose memory bandwidth it would take
        both = ["ours", "members"] if "ours" in calls else ["members"]
        seconds |= dict(zip(both, medians([calls[name] for name in both], options.rounds), strict=True))
    seconds = {name: value / options.updates for name, value in seconds.items()}
    for name, value in seconds.items():
        print(f"{stage:11} {name:9} {value:8.4f} s an update{beside_ours(seconds, name)}", flush=True)
    floors = {dtype: floor(*work(stage, options), dtype=dtype) for dtype in dict.fromkeys((options.dtype, "float32"))}
    for least, why in floors.values():
        print(f"{stage:11} floor     {least:8.4f} s: {why}")
    for name, count, dtype in (("ours", 1, options.dtype), ("members", options.members, options.dtype),
                               ("float32", 1, "float32")):  # fmt: skip
        if name in seconds:
            print(f"{stage:11} {name}: {count * floors[dtype][0] / seconds[name]:.0%} of its floor reached", flush=True)


def main():
    """Compare the sides asked for in both stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", default="+".join(SIDES))
    parser.add_argument("--stages", default="gan+pretraining")
    parser.add_argument("--members", type=int, default=5, help="each is four CycleGANs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=4, help="in each turn of a side")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--hidden", type=int, default=0, help="units of wide layers; 0: the paper's 1000")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of products")
    parser.add_argument("--backend", choices=("scan", "loop"), default="scan")
    parser.add_argument("--adam", choices=("", *ADAMS), default="", help="of torch; the fastest here if not given")
    options = parser.parse_args()
    options.sides = options.sides.split("+")
    print(
        f"{len(os.sched_getaffinity(0))} cores, {jax.default_backend()}, batch {options.batch}, load {os.getloadavg()}"
    )
    if not options.adam and {"torch", "compiled"} & set(options.sides):
        options.adam = fastest_adam(options)
    for stage in options.stages.split("+"):
        compare(stage, options)


if __name__ == "__main__":
    main()
