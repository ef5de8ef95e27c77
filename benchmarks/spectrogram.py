"""Spectrograms of one-second blocks, three maximum frequencies each, against librosa on the same cores.

    python benchmarks/spectrogram.py [--scale=mel] [--batch=32] [--rounds=7] [--limit=1159]

The blocks are the voiced parts of the Berlin database where it is at hand (../shared/data/emodb, or emodb/ in
the folder that SEJAX_DATA names), else noise. librosa computes the same mel images in two ways: "loop" as its
documentation writes it, one melspectrogram call an image; "tuned" with one Fourier transform a block and the
filterbanks made beforehand. Each runs in one process and, split evenly, in one process a core. sejax uses all
cores in one process. The sides take turns, medians are compared, and compilation and the start of the processes
are timed apart. For --scale=log librosa still makes mel images: it knows no linear bands.

The floor is the larger of the least arithmetic (one real FFT a frame, two operations for every weight above
zero, twenty for a logarithm) at the rate of a large matrix product, and the bytes of waveforms and images at
the rate of a large copy. Rendering to 224 x 224 x 3 is compared with a training step of SqueezeNet 1.1.
"""

import argparse
import math
import os

# Before numpy: BLAS threads only slow librosa's small products down, and its processes already fill the cores.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import concurrent.futures
import multiprocessing
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

FMAX = (7000.0, 7500.0, 8000.0)
RATE, LENGTH, N_FFT, MARGIN = 16000, 16000, 512, 56  # MARGIN: librosa's uncentred frames start at n_fft
STFT = {"n_fft": N_FFT, "hop_length": 200, "win_length": 400, "window": "hamming", "center": False}


def load_blocks(limit):
    """Blocks f32[at most limit, 16000] in [-1, 1] and what they are."""
    folder = Path(os.environ.get("SEJAX_DATA", ROOT.parent / "shared" / "data")) / "emodb" / "wav"
    files = sorted(folder.glob("*.wav"))
    if not files:
        noise = 0.1 * np.random.default_rng(0).standard_normal((limit, LENGTH))
        return noise.astype(np.float32), f"blocks of noise (no recordings in {folder})"
    import soundfile

    from sejax.audio.voice_activity import blocks, voiced

    kept = [blocks(voiced(soundfile.read(file, dtype="int16")[0], RATE)) for file in files]
    return np.concatenate(kept)[:limit].astype(np.float32) / 32768, "voiced blocks of the Berlin database"


def librosa_loop(blocks):
    """One call of librosa's melspectrogram an image."""
    import librosa

    for block in blocks:
        padded = np.pad(block, MARGIN)
        for fmax in FMAX:
            mel = librosa.feature.melspectrogram(y=padded, sr=RATE, n_mels=64, fmax=fmax, **STFT)
            librosa.power_to_db(mel, top_db=None)


def librosa_tuned(blocks):
    """One Fourier transform a block, filterbanks made once."""
    import librosa

    banks = [librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=64, fmax=fmax) for fmax in FMAX]
    for block in blocks:
        power = np.abs(librosa.stft(np.pad(block, MARGIN), **STFT)) ** 2
        for bank in banks:
            librosa.power_to_db(bank @ power, top_db=None)


class Processes:
    """One librosa process a core, each with its share of the blocks, warmed up before any clock."""

    def __init__(self, cores, blocks):
        context = multiprocessing.get_context("spawn")  # a fork would copy XLA's threads half-alive
        self.pools = [concurrent.futures.ProcessPoolExecutor(1, mp_context=context) for _ in range(cores)]
        self.everywhere(_keep, [blocks[:2]] * cores)
        for function in (librosa_loop, librosa_tuned):
            self.run(function)
        self.everywhere(_keep, np.array_split(blocks, cores))

    def run(self, function):
        """Run `function` over all blocks and wait."""
        self.everywhere(_over_kept, [function] * len(self.pools))

    def everywhere(self, function, arguments):
        """Call `function` in every process with that process's argument and wait."""
        jobs = [pool.submit(function, argument) for pool, argument in zip(self.pools, arguments, strict=True)]
        for job in jobs:
            job.result()

    def close(self):
        """Stop the processes."""
        for pool in self.pools:
            pool.shutdown()


_kept = None  # a process's share of the blocks


def _keep(blocks):
    global _kept
    _kept = blocks


def _over_kept(function):
    function(_kept)


def sejax_measure(blocks, scale, batch):
    """A function without arguments that measures all blocks, and the seconds its compilation took."""
    import jax

    from sejax.audio.spectrogram import SpectrogramSettings, spectrogram

    settings = SpectrogramSettings(scale=scale)
    padded = np.concatenate([blocks, np.zeros((-len(blocks) % batch, LENGTH), np.float32)])
    batches = padded.reshape(-1, batch, LENGTH)
    started = time.perf_counter()
    measure = jax.jit(lambda waveforms: spectrogram(waveforms, settings, fmax=FMAX)).lower(batches[0]).compile()
    seconds = time.perf_counter() - started

    def run():
        for batch in batches:
            np.asarray(measure(batch))  # back to the host, one after the other, as preparing a corpus does

    return run, seconds


def floor_seconds(count, scale):
    """Least seconds for `count` blocks, and which of arithmetic and memory sets them."""
    import jax
    import jax.numpy as jnp

    from sejax.audio.spectrogram import SpectrogramSettings, filterbank

    settings = SpectrogramSettings(scale=scale)
    frames = settings.frames(LENGTH)
    weights = sum(np.count_nonzero(filterbank(settings, fmax=fmax)) for fmax in FMAX)
    cells = len(FMAX) * settings.bands
    a_frame = 400 + 2.5 * N_FFT * math.log2(N_FFT) + 3 * (N_FFT // 2 + 1) + 2 * weights + 20 * cells
    matrix = jnp.ones((1500, 1500))
    product = jax.jit(jnp.matmul)
    rate = 2 * 1500**3 / best(lambda: product(matrix, matrix).block_until_ready())
    large = np.ones(32 * 2**20, np.float32)
    target = np.empty_like(large)
    bandwidth = 2 * large.nbytes / best(lambda: np.copyto(target, large))
    arithmetic = count * frames * a_frame / rate
    memory = 4 * count * (LENGTH + cells * frames) / bandwidth
    print(f"  measured rates: {rate / 1e9:.0f} Gflop/s (f32 matrix product), {bandwidth / 1e9:.1f} GB/s (copy)")
    return max(arithmetic, memory), "arithmetic" if arithmetic > memory else "memory"


def best(function, rounds=7):
    """Shortest of several runs after a first one, in seconds."""
    function()
    return min(timed(function) for _ in range(rounds))


def timed(function):
    """Seconds of one run."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def rendering(rounds, batch=32):
    """Median seconds an image of rendering and of a SqueezeNet 1.1 training step on rendered images."""
    import jax

    from sejax import models
    from sejax.audio.image import ImageSettings, render

    settings = ImageSettings()
    decibels = np.random.default_rng(0).uniform(-80, 20, (batch, 64, 79)).astype(np.float32)
    network = models.create("squeezenet1_1", num_classes=7)
    draw = jax.jit(lambda decibels: render(decibels, settings))
    images = draw(decibels)
    params = jax.jit(network.init)(jax.random.key(0), images)
    step = jax.jit(jax.grad(lambda params, images: network.apply(params, images).sum()))
    jax.block_until_ready(step(params, images))
    sides = [lambda: draw(decibels).block_until_ready(), lambda: jax.block_until_ready(step(params, images))]
    times = [[timed(side) for side in sides] for _ in range(rounds)]
    return [statistics.median(column) / batch for column in zip(*times, strict=True)]


def main():
    """Time all sides in turn and print medians, ratios and the share of the floor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=("log", "mel"), default="mel")
    parser.add_argument("--batch", type=int, default=32, help="blocks in one call of sejax")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=int, default=1159, help="blocks at most")
    options = parser.parse_args()
    blocks, what = load_blocks(options.limit)
    cores = len(os.sched_getaffinity(0))
    processes = Processes(cores, blocks)
    ours, compile_seconds = sejax_measure(blocks, options.scale, options.batch)
    for warm_up in (ours, lambda: librosa_loop(blocks[:2]), lambda: librosa_tuned(blocks[:2])):
        warm_up()
    sides = {
        "librosa, loop, 1 process": lambda: librosa_loop(blocks),
        f"librosa, loop, {cores} processes": lambda: processes.run(librosa_loop),
        "librosa, tuned, 1 process": lambda: librosa_tuned(blocks),
        f"librosa, tuned, {cores} processes": lambda: processes.run(librosa_tuned),
    }
    times = {"sejax": [], **{name: [] for name in sides}}
    for _ in range(options.rounds):
        for name, side in sides.items():
            times[name].append(timed(side))
            times["sejax"].append(timed(ours))
    processes.close()
    seconds = {name: statistics.median(values) for name, values in times.items()}
    print(f"{len(blocks)} {what} x {len(FMAX)} images, scale {options.scale}, {cores} cores, batch {options.batch}")
    for name, median in seconds.items():
        print(f"  {name:28s} {median:7.3f} s   {median / seconds['sejax']:5.1f} times sejax's")
    print(f"  compilation, not included: {compile_seconds:.2f} s")
    floor, bound = floor_seconds(len(blocks), options.scale)
    print(f"  floor {floor:.3f} s ({bound}): sejax runs at {floor / seconds['sejax']:.0%} of it")
    drawn, step = rendering(options.rounds)
    print(f"  rendering {drawn * 1e3:.2f} ms an image, {drawn / step:.1%} of a SqueezeNet 1.1 gradient")


if __name__ == "__main__":
    main()
