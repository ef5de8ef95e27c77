"""Sounds that the voice activity detector takes for speech, and corpora made of them."""

from pathlib import Path

import numpy as np
import soundfile


def vowels(seconds: float, *, seed: int = 0, rate: int = 16000) -> np.ndarray:
    """Syllables with harmonics and pauses between them, int16[T]."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * time + random.uniform(0, 6))) / rate
    harmonics = sum(np.cos(k * pitch + random.uniform(0, 6)) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time) + 0.6, 0, None)
    pauses = np.sin(2 * np.pi * 0.31 * time + random.uniform(0, 6)) > -0.7
    return (2500 * syllables * pauses * harmonics + random.normal(0, 3, len(time))).astype(np.int16)


def corpus(folder: Path, lengths: tuple[float, ...] = (3.5, 2.2, 0.4, 5.0, 2.6)) -> Path:
    """A manifest of speech-like files: labels joy, anger and none in turn, two speakers."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["path,label,id,speaker,sex,session"]
    for number, seconds in enumerate(lengths):
        soundfile.write(folder / f"f{number}.wav", vowels(seconds, seed=number), 16000)
        label = ("joy", "anger", "")[number % 3]
        rows.append(f"f{number}.wav,{label},u{number},s{number % 2},{'mf'[number % 2]},{number % 2}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
