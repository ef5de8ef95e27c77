"""The paper's spectrogram and image, pinned down: a changed default must fail here."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from sejax.audio.image import ImageSettings, render
from sejax.audio.spectrogram import SpectrogramSettings, spectrogram

FOLDER = Path(__file__).parent / "golden"
GOLDEN = json.loads((FOLDER / "paper.json").read_text(encoding="utf-8"))


def _load_make():
    spec = importlib.util.spec_from_file_location("golden_make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _load_make()


def spectrogram_agrees(settings, scale):
    decibels = np.asarray(spectrogram(make.chirp(), settings, fmax=8000.0))
    golden = GOLDEN[scale]
    return (
        list(decibels.shape) == golden["shape"]
        and abs(decibels.mean() - golden["mean"]) < 1e-3
        and np.allclose(decibels[make.ROWS, make.COLUMNS], golden["decibels"], rtol=0, atol=0.01)
    )


def image_agrees(settings, scale):
    decibels = spectrogram(make.chirp(), SpectrogramSettings(scale=scale), fmax=8000.0)
    pixels = np.asarray(render(decibels, settings))[make.PIXELS, make.PIXELS]
    golden = np.asarray(GOLDEN[scale]["image"])
    # A value on the border of two colours may fall to either side: 0.07 at most.
    return pixels.shape == golden.shape and np.allclose(pixels, golden, rtol=0, atol=0.08)


def test_spectrogram_defaults_are_the_papers():
    assert dataclasses.asdict(SpectrogramSettings()) == {
        "sample_rate": 16000,
        "window": "hamming",
        "window_seconds": 0.025,
        "hop_seconds": 0.0125,
        "n_fft": 512,
        "centred": False,
        "scale": "log",
        "bands": 64,
        "mel": "slaney",
        "mel_norm": "slaney",
        "fmin": 0.0,
        "amin": 1e-10,
    }


def test_image_defaults_are_alexnets_input():
    assert dataclasses.asdict(ImageSettings()) == {
        "size": (224, 224),
        "colour_map": "jet",
        "dynamic_range": 80.0,
        "reference": "max",
        "level": 30.0,
        "flip_frequency": True,
        "normalise": "torchvision",
    }


@pytest.mark.parametrize("scale", ["log", "mel"])
def test_the_papers_spectrogram_of_a_chirp_is_the_stored_one(scale):
    assert spectrogram_agrees(SpectrogramSettings(scale=scale), scale)


@pytest.mark.parametrize("scale", ["log", "mel"])
def test_the_papers_image_of_a_chirp_is_the_stored_one(scale):
    assert image_agrees(ImageSettings(), scale)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample_rate", 16100),
        ("window", "hann"),
        ("window_seconds", 0.024),
        ("hop_seconds", 0.0126),
        ("n_fft", 1024),
        ("centred", True),
        ("scale", "log"),
        ("bands", 63),
        ("mel", "htk"),
        ("mel_norm", "none"),
        ("fmin", 10.0),
        ("amin", 1e-9),
    ],
)
def test_the_stored_spectrogram_notices_every_changed_setting(field, value):
    changed = dataclasses.replace(SpectrogramSettings(scale="mel"), **{field: value})
    assert not spectrogram_agrees(changed, "mel")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", (224, 227)),
        ("colour_map", "hot"),
        ("dynamic_range", 75.0),
        ("reference", "absolute"),
        ("flip_frequency", False),
        ("normalise", "none"),
    ],
)
def test_the_stored_image_notices_every_changed_setting(field, value):
    changed = dataclasses.replace(ImageSettings(), **{field: value})
    assert not image_agrees(changed, "mel")
