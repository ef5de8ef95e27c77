"""Write paper.json: the paper's spectrogram and image of a chirp, by librosa, matplotlib and torch alone.

    python tests/audio/golden/make.py

Nothing of sejax is imported: the values pin down what sejax's defaults must produce. Run it again only when a
default is changed on purpose, and change the settings below with it.
"""

import json
from pathlib import Path

import numpy as np

RATE, WINDOW, HOP, N_FFT, BANDS, FMAX = 16000, 400, 200, 512, 64, 8000.0
ROWS, COLUMNS, PIXELS = slice(0, None, 8), slice(2, None, 8), slice(8, None, 32)


def chirp() -> np.ndarray:
    """One second at 16 kHz: 0.9 s from 50 Hz to 7.9 kHz with one overtone, getting louder, then silence."""
    time = np.arange(RATE) / RATE
    phase = 2 * np.pi * (50.0 * time + (7900.0 - 50.0) / (2 * 0.9) * time**2)
    tone = (0.1 + 0.5 * time) * (np.sin(phase) + 0.05 * np.sin(phase / 2))
    return np.where(time < 0.9, tone, 0.0).astype(np.float32)


def power_bins() -> np.ndarray:
    """librosa's power of every bin [257, 79]; the margins make its frames start at the window's first sample."""
    import librosa

    padded = np.pad(chirp().astype(np.float64), (N_FFT - WINDOW) // 2)
    options = {"n_fft": N_FFT, "hop_length": HOP, "win_length": WINDOW, "window": "hamming", "center": False}
    return np.abs(librosa.stft(padded, dtype=np.complex128, **options)) ** 2


def linear_bands(power: np.ndarray) -> np.ndarray:
    """Mean power between band edges, off the integral of the stepwise spectrum: [64, 79]."""
    spacing = RATE / N_FFT
    steps = np.concatenate([[0.0], (np.arange(N_FFT // 2) + 0.5) * spacing, [RATE / 2]])
    edges = np.linspace(0.0, FMAX, BANDS + 1)
    bands = []
    for frame in power.T:
        integral = np.concatenate([[0.0], np.cumsum(frame * np.diff(steps))])
        bands.append(np.diff(np.interp(edges, steps, integral)) / np.diff(edges))
    return np.maximum(np.stack(bands, axis=1), 0.0)


def mel_bands(power: np.ndarray) -> np.ndarray:
    """librosa's 64 mel bands [64, 79]."""
    import librosa

    return librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=BANDS, fmax=FMAX) @ power


def image(decibels: np.ndarray) -> np.ndarray:
    """The picture as matplotlib colours it and torch resizes and normalises it: [224, 224, 3]."""
    import matplotlib
    import torch

    values = np.clip(1 + (decibels - decibels.max()) / 80.0, 0.0, 1.0)[::-1]
    colours = torch.from_numpy(matplotlib.colormaps["jet"](values)[None, ..., :3].transpose(0, 3, 1, 2))
    options = {"mode": "bilinear", "antialias": True, "align_corners": False}
    large = torch.nn.functional.interpolate(colours, (224, 224), **options)[0].numpy().transpose(1, 2, 0)
    return (large - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


def main() -> None:
    """Write the file beside this one."""
    power = power_bins()
    golden = {}
    for scale, bands in (("log", linear_bands(power)), ("mel", mel_bands(power))):
        decibels = 10 * np.log10(np.maximum(bands, 1e-10))
        golden[scale] = {
            "shape": decibels.shape,
            "mean": round(float(decibels.mean()), 4),
            "decibels": decibels[ROWS, COLUMNS].round(3).tolist(),
            "image": image(decibels)[PIXELS, PIXELS].round(3).tolist(),
        }
    text = json.dumps(golden, separators=(",", ":")).replace("],", "],\n")
    Path(__file__).with_name("paper.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
