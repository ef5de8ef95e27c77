"""One hour in one file: bounded memory."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import speech_like

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import re, sys
from sejax.data.blocks.load import Spectrograms
from sejax.data.blocks.prepare import prepare_blocks
made = Spectrograms.load(prepare_blocks("manifest", sys.argv[1], sys.argv[2]))
# Not getrusage: its maximum is inherited from the process that started this one.
(peak,) = re.findall(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())
print(made.counts["seconds"], made.counts["images"], peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the process's peak memory from /proc")
def test_an_hour_of_stereo_at_another_rate_passes_within_2_gib(tmp_path):
    minute = speech_like.vowels(60, rate=22050)
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", 22050, 2, "PCM_16") as file:
        for _ in range(60):
            file.write(np.stack([minute, minute], axis=1))
    (tmp_path / "manifest.csv").write_text("path\nhour.wav\n")
    began = time.monotonic()
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "manifest.csv"), str(tmp_path / "data")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, images, kilobytes = map(float, done.stdout.split())
    assert seconds == 3600
    assert images > 3 * 1000
    assert kilobytes < 2 * 2**20
    assert time.monotonic() - began < 240  # a minute where the two cores are free
