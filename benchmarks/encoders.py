"""Speech encoders against transformers' in PyTorch, eager, on the same machine in the same run.

    python benchmarks/encoders.py [--model=wavlm_base] [--what=forward] [--repeats=5] [--frozen]    # speed
    python benchmarks/encoders.py --model=wavlm_base --what=step --repeats=2 --log=FILE             # a piece of it
    python benchmarks/encoders.py --memory                                          # of the training step
    python benchmarks/encoders.py --padding                                         # what padding does to outputs

Without --model all models take part, one after the other, without --what both. With --log every repetition is written
to a file as it ends, and medians are of all that the file has of the same model, part and threads: a table may come of
many short runs on a quiet machine, and a run that is ended early loses one repetition.

Speed: 8 recordings of 2 to 8 s, in two buckets of four, padded to equal lengths on either side; the forward pass, and a
training step (cross-entropy of four classes on the mean over real frames, dropout of 0.1, Adam on every parameter; with
--frozen not on the convolutions). The sides take turns after one call each to warm up; the ratio is that of the
medians, above 1 sejax is the faster; beside it the least and the largest ratio of a turn, and how long the products and
convolutions alone take at the rate of a large matrix product, measured in the same run.
Padding: half of a recording beside the whole, against the half alone. Needs torch and transformers.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

ROOT = Path(__file__).resolve().parents[1]
# transformers is imported as in the parity tests.
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "parity")]

from turns import first_step, machine, seconds_of  # noqa: E402

SECONDS = (2.0, 2.7, 3.4, 4.1, 5.2, 6.1, 7.1, 8.0)
CASES = ("wav2vec2_base", "hubert_base", "wavlm_base", "data2vec_audio_base")
WHAT = ("forward", "step")
CLASSES = 4
RATE = 0.1  # of dropout


def batches(seed=0):
    """The buckets: (waveform f32[4, T], length i32[4]) each, padded to a multiple of half a second."""
    random = np.random.default_rng(seed)
    made = []
    for seconds in (SECONDS[:4], SECONDS[4:]):
        length = (16000 * np.array(seconds)).astype(np.int32)
        waveform = np.zeros((4, -(-length.max() // 8000) * 8000), np.float32)
        for row, samples in zip(waveform, length, strict=True):
            row[:samples] = random.standard_normal(samples)
        made.append((waveform, length))
    return made


def theirs(case):
    """transformers' network of a case with its own first weights, without layer drop and time masks."""
    import torch
    import torch_encoders

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    model, config, _ = torch_encoders.CASES[case.removesuffix("_base").removesuffix("_audio")]
    rates = dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), RATE)
    return model(config(**rates, layerdrop=0.0, apply_spec_augment=False)).eval()


def ours(case, network=None, frozen=()):
    """(module, variables) of a case, with a transformers network's weights where one is given."""
    from sejax.models import encoders
    from sejax.pretrained import encoders as files

    rates = encoders.Regularisation(projection=RATE, hidden=RATE, attention=RATE, activation=RATE)
    architecture = encoders.ARCHITECTURES[case]._replace(normalise=False)
    module = encoders.create(architecture, regularisation=rates, frozen=frozen)
    if network is None:
        shapes = files.names.flatten(encoders.shapes(module))
        return module, files.names.unflatten({k: 0.02 * np.ones(v.shape, np.float32) for k, v in shapes.items()})
    state = network.state_dict()
    flat = {p.name: jnp.asarray(p.to_ours(state[p.source_name].numpy())) for p in files.parameters(module)}
    return module, files.names.unflatten(flat)


def operations(case, what):
    """Operations of a case's products and convolutions, as the network is defined, on all buckets; of a step thrice."""
    from sejax.models import encoders

    at, total = encoders.ARCHITECTURES[case], 0
    for waveform, _ in batches():
        (rows, length), channels = waveform.shape, 1
        for filters, kernel, stride in at.convolutions:
            length = (length - kernel) // stride + 1
            total += 2 * rows * length * kernel * channels * filters
            channels = filters
        positions = at.positions.depth * at.positions.kernel * at.width**2 // at.positions.groups
        layer = 4 * at.width**2 + 2 * at.width * at.feed_forward + 2 * length * at.width
        total += 2 * rows * length * (channels * at.width + positions + at.layers * layer)
    return total * {"forward": 1, "step": 3}[what]


def our_calls(case, network, frozen):
    """{"forward", "step"}: each a call on all buckets that returns when done; programs compile in the first."""
    from sejax.models import encoders, freezing

    module, variables = ours(case, network, ("convolutions",) if frozen else ())
    kinds = jax.tree.map(
        lambda trains: "trained" if trains else "held", freezing.trainable(variables["params"], module.frozen)
    )
    params = {"encoder": variables["params"], "head": jnp.zeros((module.architecture.width, CLASSES))}
    optimiser = optax.multi_transform(
        {"trained": optax.adam(1e-4), "held": optax.set_to_zero()}, {"encoder": kinds, "head": "trained"}
    )
    apply = jax.jit(lambda *arguments: module.apply(*arguments).last)

    def update(params, state, waveform, length, key):
        def loss(params):
            encoded = module.apply({"params": params["encoder"]}, waveform, length, train=True, key=key)
            logits = encoders.mean_over_frames(encoded.last, encoded.frames) @ params["head"]
            return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.arange(4)).mean()

        changes, state = optimiser.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, changes), state

    update, key = jax.jit(update, donate_argnums=(0, 1)), jax.random.key(0)
    state = jax.tree.map(jnp.copy, [params, optimiser.init(params)])
    made = [tuple(map(jnp.asarray, batch)) for batch in batches()]

    def forward():
        for batch in made:
            apply(variables, *batch).block_until_ready()

    def step():
        for batch in made:
            state[:] = update(*state, *batch, key)
            jax.block_until_ready(state)

    return {"forward": forward, "step": step}


def their_calls(network, frozen):
    """The same two calls in torch."""
    import torch

    head = torch.nn.Linear(network.config.hidden_size, CLASSES, bias=False)
    if frozen:
        network.freeze_feature_encoder()
    trained = [p for p in [*network.parameters(), *head.parameters()] if p.requires_grad]
    optimiser, made = torch.optim.Adam(trained, 1e-4), []
    for waveform, length in batches():
        mask = np.arange(waveform.shape[1]) < length[:, None]
        made.append((torch.from_numpy(waveform), torch.from_numpy(mask.astype(np.int64))))

    def forward():
        network.eval()
        with torch.no_grad():
            for waveform, mask in made:
                network(waveform, attention_mask=mask)

    def step():
        network.train()
        for waveform, mask in made:
            optimiser.zero_grad()
            last = network(waveform, attention_mask=mask).last_hidden_state
            frames = network._get_feature_vector_attention_mask(last.shape[1], mask)[..., None]
            logits = head((last * frames).sum(1) / frames.sum(1))
            torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
            optimiser.step()

    return {"forward": forward, "step": step}


def speed(case, repeats, frozen, asked, log):
    """Prints medians and ratios of what is asked for, the forward pass and the training step."""
    network = theirs(case)
    mine, other = our_calls(case, network, frozen), their_calls(network, frozen)
    for what in asked:
        calls = {"ours": mine[what], "theirs": other[what]}
        known = {"model": case, "what": what, "frozen": frozen, "threads": len(os.sched_getaffinity(0))}
        first_step(f"{case} {what}", calls)
        turns = []
        for _ in range(repeats):
            turns.append({side: seconds_of(call) for side, call in calls.items()})
            print(f"{case} {what}: {turns[-1]['ours']:.2f} / {turns[-1]['theirs']:.2f} s", flush=True)
            if log:
                with open(log, "a") as file:
                    file.write(json.dumps(known | turns[-1]) + "\n")
        if log:
            rows = [json.loads(line) for line in Path(log).read_text().splitlines()]
            turns = [row for row in rows if known.items() <= row.items()]
        print(f"{case} {what}{', convolutions frozen' * frozen}: {in_words(turns)}", flush=True)
        number, (rate, _) = operations(case, what), machine()
        least = f"{number / 1e9:.0f}e9 operations at {rate / 1e9:.0f}e9 a second, {number / rate:.2f} s"
        print(f"{case} {what}: products and convolutions alone, {least}", flush=True)


def in_words(turns):
    """Medians of both sides, their ratio, and between what the ratios of turns lie."""
    ours, other = (statistics.median(turn[side] for turn in turns) for side in ("ours", "theirs"))
    ratios = [turn["theirs"] / turn["ours"] for turn in turns]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return f"{ours:.2f} / {other:.2f} s, ratio {other / ours:.2f} ({spread}) of {len(turns)} turns"


def memory(case, frozen):
    """Prints the largest memory of a process that does training steps, for either side."""
    for side in ("ours", "theirs"):
        command = [sys.executable, __file__, f"--model={case}", f"--side={side}", *["--frozen"] * frozen]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"{case} {side}: {done.stdout.strip()}", flush=True)


def one_side(case, side, frozen):
    """Prints how much memory a process takes at most by two training steps of one side, and before the first."""
    calls = their_calls(theirs(case), frozen) if side == "theirs" else our_calls(case, None, frozen)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calls["step"]()
    calls["step"]()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{after / 2**20:.2f} GiB, {before / 2**20:.2f} GiB of them before the first step")


def padding(case):
    """Prints the largest difference in the last state, relative to its largest value, that padding makes."""
    import torch

    network = theirs(case)
    module, variables = ours(case, network)
    random = np.random.default_rng(0)
    length = np.array([16000, 32000], np.int32)
    waveform = np.zeros((2, 32000), np.float32)
    waveform[0, :16000], waveform[1] = random.standard_normal(16000), random.standard_normal(32000)

    def last(waveform, **options):
        with torch.no_grad():
            return network(torch.from_numpy(waveform), **options).last_hidden_state.numpy()

    alone = last(waveform[:1, :16000])[0]
    mask = torch.from_numpy((np.arange(32000) < length[:, None]).astype(np.int64))
    apply = jax.jit(lambda *arguments: module.apply(*arguments).last)
    sides = {
        "transformers, no mask": last(waveform)[0],
        "transformers, attention_mask": last(waveform, attention_mask=mask)[0],
        "sejax": np.asarray(apply(variables, waveform, length))[0],
    }
    ours_alone = np.asarray(apply(variables, waveform[:1, :16000], length[:1]))[0]
    for name, states in sides.items():
        beside = ours_alone if name == "sejax" else alone
        difference = np.abs(states[: len(alone)] - beside).max() / np.abs(alone).max()
        print(f"{case} {name}: {difference:.1e}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=CASES, action="append", help="one alone, or several (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of both sides")
    parser.add_argument("--what", choices=WHAT, action="append", help="one alone (default: both)")
    parser.add_argument("--log", help="a file that every turn is added to, and medians are taken of")
    parser.add_argument("--frozen", action="store_true", help="convolutions are not trained")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--padding", action="store_true")
    parser.add_argument("--side", choices=("ours", "theirs"), help="(what --memory starts)")
    options = parser.parse_args()
    cases = options.model or CASES
    for name in cases:
        if options.side:
            one_side(name, options.side, options.frozen)
        elif options.memory:
            memory(name, options.frozen)
        elif options.padding:
            padding(name)
        else:
            speed(name, options.repeats, options.frozen, options.what or WHAT, options.log)
