#!/usr/bin/env bash
# An MP3 that libsndfile writes at a low constant bit rate is read back 1105 samples late, without a word.
#
# Versions: soundfile 0.14.0 with its wheel's libsndfile 1.2.2 (LAME encodes, mpg123 decodes), numpy 2.3.5.
#
# Behaviour: an encoder's delay stands in a tag (Xing or Info, LAME) in the first frame, and readers leave so many samples
# out. At low constant bit rates there is no such frame, and what is read is longer and late, by 1105 samples: 69 ms at 16
# kHz and 138 ms at 8 kHz, so that word times and blocks of the original no longer fit. The limit lies between two
# neighbouring settings of the same call. And bitrate_mode="CONSTANT" alone, without a compression_level, is not heeded:
# the bit rate varies, and the samples are in step.
#
# Output seen (rate, compression_level, kbit/s in the mean, tag, samples read of 80000, shift):
#   8000 None 17 Xing 80000 0
#   8000 0.8 16 none 81216 1105
#   16000 None 32 Xing 80000 0
#   16000 0.8 41 Info 80000 0
#   16000 0.86 32 none 81216 1105
#   44100 0.9 58 Info 80000 0
#   44100 0.95 49 none 81792 1105
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
    content = file.getvalue()
    tag = next((name for name in ("Xing", "Info") if name.encode() in content[:200]), "none")
    file.seek(0)
    read, _ = soundfile.read(file)
    spectrum = np.fft.rfft(read[:LENGTH], 2 * LENGTH) * np.conj(np.fft.rfft(wave, 2 * LENGTH))
    kilobits = round(8 * len(content) * rate / LENGTH / 1000)
    print(rate, level, kilobits, tag, len(read), int(np.fft.irfft(spectrum).argmax()))
PYTHON

environment/bin/python shift.py > seen
cat > expected <<EXPECTED
8000 None 17 Xing 80000 0
8000 0.8 16 none 81216 $SHIFT
16000 None 32 Xing 80000 0
16000 0.8 41 Info 80000 0
16000 0.86 32 none 81216 $SHIFT
44100 0.9 58 Info 80000 0
44100 0.95 49 none 81792 $SHIFT
EXPECTED
diff expected seen
echo "as stated"
