"""Samples from a pipe and from a microphone."""

import os
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from sejax.corpora.live import microphone, pcm
from sejax.corpora.waveform import read
from sejax.errors import InputError


def piped(content: bytes, *, at_once: int, rate: int) -> np.ndarray:
    """What comes out of a pipe that somebody writes to bit by bit."""
    source, target = os.pipe()

    def write():
        with open(target, "wb", buffering=0) as file:
            for start in range(0, len(content), at_once):
                file.write(content[start : start + at_once])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return np.concatenate(list(pcm(source, rate=rate)))
    finally:
        writer.join()
        os.close(source)


@pytest.mark.parametrize("at_once", [1001, 4096, 10**6])
def test_samples_come_as_they_were_written_however_they_are_cut(at_once):
    samples = np.random.default_rng(0).integers(-32768, 32768, 20_000).astype("<i2")
    found = piped(samples.tobytes() + b"\x07", at_once=at_once, rate=16000)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, samples)


def test_another_rate_is_resampled_as_a_file_is(tmp_path):
    samples = np.random.default_rng(0).normal(0, 3000, 22050).astype("<i2")
    soundfile.write(tmp_path / "a.wav", samples, 22050)
    found, whole = piped(samples.tobytes(), at_once=777, rate=22050), read(tmp_path / "a.wav")
    assert abs(len(found) - len(whole)) <= 1
    np.testing.assert_allclose(found[: len(whole)], whole[: len(found)], atol=1)


def test_a_rate_that_is_none_is_refused():
    with pytest.raises(InputError, match="--stream_rate=0"):
        list(pcm(0, rate=0))


def fake_sounddevice(devices):
    """The part of the package that is used: a stream of ever greater numbers."""

    class Refused(Exception):
        pass

    class Stream:
        def __init__(self, *, samplerate, blocksize, channels, dtype, device):
            if device not in devices:
                raise Refused(f"no input device matching {device!r}")
            assert (samplerate, channels, dtype) == (16000, 1, "int16")
            self._next = 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

        def read(self, frames):
            self._next += frames
            return memoryview(np.arange(self._next - frames, self._next, dtype=np.int16).tobytes()), False

    return SimpleNamespace(RawInputStream=Stream, PortAudioError=Refused)


def test_a_microphone_is_read_in_order_and_one_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice((None, 2, "Built-in")))
    for device in ("default", "2", "Built-in"):
        samples = microphone(device)
        found = np.concatenate([next(samples) for _ in range(3)])
        np.testing.assert_array_equal(found, np.arange(len(found)))
    with pytest.raises(InputError, match="--microphone=9: no input device"):
        next(microphone("9"))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(InputError, match=r"pip install 'sejax\[microphone\]'"):
        next(microphone("default"))
