#!/usr/bin/env bash
# WebRTC's detector of voice activity takes steady white noise for speech in all of its modes, and keeps a state.
#
# Versions: webrtcvad-wheels 2.0.14.post1 (its maintained wheels of webrtcvad), numpy 2.3.5.
#
# Behaviour: (1) ten seconds of white Gaussian noise at -20 dBFS, frames of 30 ms at 16 kHz: every frame is speech, in
# mode 3, which is the strictest, as in mode 0; so are other lengths of frames. At -60 dBFS the first few are. (2) One frame asked
# about again and again is speech at first and then no more: a Vad adapts to what it has heard, and has no reset, so that
# what it says of a recording depends on the recordings before, unless each gets a Vad of its own.
#
# What comes of it: "the voiced part" of a noisy recording is all of it, and a detector that is kept for a corpus makes
# sets depend on the order of their files. sejax makes a new Vad for every recording, and has Silero's detector beside it.
#
# Output seen: the lines of `expected` below.
#
# Fails (exit status 1) where any of them is another one. LEVEL is that of the noise; PYTHON names the interpreter.
set -euo pipefail

LEVEL=${LEVEL:--20}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check webrtcvad-wheels==2.0.14.post1 numpy==2.3.5

cat > expected <<'TEXT'
white noise, share of speech in modes 0 to 3, frames of 10 ms: 100% 100% 100% 100%
white noise, share of speech in modes 0 to 3, frames of 30 ms: 100% 100% 100% 100%
the same at -60 dBFS, frames of 30 ms: 1% 1% 1% 1%
one frame of a tone, asked about by one Vad: speech at first True, at the twentieth time False
TEXT

cat > show.py <<'PYTHON'
import sys

import numpy as np
import webrtcvad


def shares(level, milliseconds):
    noise = np.random.default_rng(0).standard_normal(16 * milliseconds * (10_000 // milliseconds))
    noise *= 32768 * 10 ** (level / 20)
    frames = noise.clip(-32768, 32767).astype(np.int16).reshape(-1, 16 * milliseconds)
    for mode in range(4):
        detector = webrtcvad.Vad(mode)
        yield f"{np.mean([detector.is_speech(frame.tobytes(), 16000) for frame in frames]):.0%}"


for milliseconds in (10, 30):
    found = " ".join(shares(float(sys.argv[1]), milliseconds))
    print(f"white noise, share of speech in modes 0 to 3, frames of {milliseconds} ms: {found}")
print("the same at -60 dBFS, frames of 30 ms:", *shares(-60.0, 30))
tone = (8000 * np.sin(2 * np.pi * 200 * np.arange(480) / 16000)).astype(np.int16).tobytes()
kept = webrtcvad.Vad(0)
said = [kept.is_speech(tone, 16000) for _ in range(20)]
print(f"one frame of a tone, asked about by one Vad: speech at first {said[0]}, at the twentieth time {said[-1]}")
PYTHON

environment/bin/python show.py "$LEVEL" | tee found
diff expected found
