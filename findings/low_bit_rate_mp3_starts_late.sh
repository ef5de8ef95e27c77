#!/usr/bin/env bash
# An MP3 that libsndfile writes at a low constant bit rate is read back 1105 samples late, without a word.
#
# Versions: soundfile 0.14.0 with its wheel's libsndfile 1.2.2 (LAME encodes, mpg123 decodes), numpy 2.3.5.
#
# Behaviour: an encoder's delay stands in a tag in the first frame, and readers leave so many samples out. At low constant
# bit rates the frame has no room for the tag: none is written, and what is read is longer and late, by 1105 samples. That
# is 69 ms at 16 kHz and 138 ms at 8 kHz: word times, laughter marks and blocks of the original no longer fit. The limit lies
# between two neighbouring settings of the same call; the bit rate that is asked for by default at 16 kHz, 32 kbit/s, is
# in step at compression_level=None and late at compression_level=0.86, whose frames hold the same number of bytes.
#
# Output seen (rate, compression_level, kbit/s, samples read of 80000, shift):
#   8000 None 17 80000 0
#   8000 0.8 16 81216 1105
#   16000 None 32 80000 0
#   16000 0.8 41 80000 0
#   16000 0.86 32 81216 1105
#   44100 0.9 58 80000 0
#   44100 0.95 49 81792 1105
#
# Fails (exit status 1) where any of these lines is another one. PYTHON names the interpreter (3.10 to 3.13).
set -euo pipefail

SHIFT=${SHIFT:-1105}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check soundfile==0.14.0 numpy==2.3.5

cat > shift.py <<'PYTHON'
"""Noise below an eighth of the sampling rate, written and read as MP3: how much later it comes back."""

import io

import numpy as np
import soundfile

LENGTH = 80000
wave = 0.2 * np.convolve(np.random.default_rng(0).standard_normal(LENGTH), np.ones(8) / 8, "same")
for rate, level in ((8000, None), (8000, 0.8), (16000, None), (16000, 0.8), (16000, 0.86), (44100, 0.9), (44100, 0.95)):
    file = io.BytesIO()
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": level}
    with soundfile.SoundFile(file, "w", samplerate=rate, channels=1, **kind) as written:
        written.write(wave)
    size = len(file.getvalue())
    file.seek(0)
    read, _ = soundfile.read(file)
    spectrum = np.fft.rfft(read[:LENGTH], 2 * LENGTH) * np.conj(np.fft.rfft(wave, 2 * LENGTH))
    print(rate, level, round(8 * size * rate / LENGTH / 1000), len(read), int(np.fft.irfft(spectrum).argmax()))
PYTHON

environment/bin/python shift.py > seen
cat > expected <<EXPECTED
8000 None 17 80000 0
8000 0.8 16 81216 $SHIFT
16000 None 32 80000 0
16000 0.8 41 80000 0
16000 0.86 32 81216 $SHIFT
44100 0.9 58 80000 0
44100 0.95 49 81792 $SHIFT
EXPECTED
diff expected seen
echo "as stated"
