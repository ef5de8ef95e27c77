"""The sound of videos: what their headers say, and how ffmpeg is asked for it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from paper_trees import avi_bytes
from trees import noise, write_bytes

from sejax.corpora import avi
from sejax.corpora.problems import BadRecording
from sejax.corpora.waveform import decode, inspect


def test_the_header_says_frames_rate_and_channels(tmp_path, ffmpeg):
    stereo = np.stack([noise(0.5, rate=44100), noise(0.5, seed=1, rate=44100)], axis=1)
    path = write_bytes(tmp_path / "a.avi", avi_bytes(stereo, rate=44100))
    assert avi.sound_of(path) == (22050, 44100, 2)
    header = inspect(path)
    assert header.seconds == 0.5 and header.compressed  # a part of it is decoded from the beginning


def test_the_sound_comes_out_bit_for_bit_and_in_parts(tmp_path, ffmpeg):
    ffmpeg(rate=16000)
    waveform = noise(1.0)
    path = write_bytes(tmp_path / "a b.avi", avi_bytes(waveform, rate=16000))
    np.testing.assert_array_equal(decode(path).waveform, waveform)
    np.testing.assert_array_equal(decode(path, start=0.25, end=0.5).waveform, waveform[4000:8000])


def test_what_ffmpeg_is_asked_for():
    assert avi.command("s 1.avi", "out.wav") == [
        *("ffmpeg", "-nostdin", "-v", "error", "-y", "-i", "s 1.avi"),
        *("-map", "0:a:0", "-c:a", "pcm_s16le", "out.wav"),
    ]
    assert avi.BY_HAND == "ffmpeg -i NAME.avi -map 0:a:0 -c:a pcm_s16le NAME.wav"


def test_without_ffmpeg_the_error_says_how_to_extract_the_sound(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = write_bytes(tmp_path / "a.avi", avi_bytes(noise()))
    with pytest.raises(BadRecording, match=r"a\.avi: a video.*no program ffmpeg here; install ffmpeg.*-map 0:a:0"):
        inspect(path)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg here")
def test_the_real_ffmpeg_gives_the_samples_of_a_real_video(tmp_path):
    waveform = noise(0.5)
    path = write_bytes(tmp_path / "a.avi", avi_bytes(waveform, rate=16000))
    np.testing.assert_array_equal(decode(path).waveform, waveform)
    assert not list(Path(tmp_path).glob("*.wav"))
