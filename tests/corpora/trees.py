"""Small corpora on the disk, whole and damaged, for the tests of this folder."""

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import soundfile

from sejax.corpora.emodb import identifiers
from sejax.corpora.ravdess import EMOTIONS

SECONDS = 0.1


def noise(seconds: float = SECONDS, *, seed: int = 0, rate: int = 16000) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3000, 3000, round(seconds * rate)).astype(np.int16)


def write_wav(path: Path, waveform: np.ndarray | None = None, *, rate: int = 16000, subtype: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # trees are made of hard links: never write into the template
    soundfile.write(path, noise() if waveform is None else waveform, rate, subtype=subtype, format="WAV")
    return path


def write_text(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def write_bytes(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


def truncate(path: Path) -> None:
    data = path.read_bytes()
    write_bytes(path, data[: len(data) // 2])


def header_only(path: Path) -> None:
    fmt = struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", 0)
    write_bytes(path, b"RIFF" + struct.pack("<I", len(body)) + body)


def copy_tree(template: Path, target: Path) -> Path:
    shutil.copytree(template, target, copy_function=os.link)
    return target


def emodb_tree(folder: Path) -> Path:
    original = write_wav(folder / "original", noise())
    (folder / "wav").mkdir()
    for name in identifiers():
        os.link(original, folder / "wav" / f"{name}.wav")
    lines = ["Nr.\tSatz\terkannt\tnatuerlich"]
    for number, name in enumerate([*identifiers(), "03a01Ab"]):
        score = "90,00" if number % 2 else "40,00"
        natural = "55,00" if number % 4 == 3 else "60,00"
        lines.append(f"{number}\xa0\t{name}.wav\t{score}\xa0\t{natural}\xa0")
    (folder / "erkennung.txt").write_text("\n".join(lines), encoding="latin-1")
    return folder


def ravdess_names() -> list[str]:
    names = []
    for actor in range(1, 25):
        for emotion in EMOTIONS:
            for intensity in ("01",) if emotion == "01" else ("01", "02"):
                for statement in ("01", "02"):
                    names += [f"03-01-{emotion}-{intensity}-{statement}-{take}-{actor:02}" for take in ("01", "02")]
    return names


def ravdess_tree(folder: Path) -> Path:
    original = write_wav(folder / "original", rate=48000)
    for name in ravdess_names():
        actor = folder / f"Actor_{name[-2:]}"
        actor.mkdir(exist_ok=True)
        os.link(original, actor / f"{name}.wav")
    return folder


def manifest(folder: Path, *rows: str, header: str = "path,label", files: int = 3) -> Path:
    """A CSV beside files a0.wav, a1.wav ... of a tenth of a second."""
    for number in range(files):
        write_wav(folder / f"a{number}.wav", noise(seed=number))
    path = folder / "manifest.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path
