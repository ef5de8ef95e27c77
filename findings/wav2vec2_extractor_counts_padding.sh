#!/usr/bin/env bash
# Wav2Vec2FeatureExtractor without an attention mask normalises a padded batch together with its padding.
#
# Versions: transformers 5.24.0, numpy 2.4.6.
#
# Behaviour: the base models of wav2vec 2.0 and HuBERT are published with return_attention_mask=False and do_normalize=True.
# One would expect each recording to have zero mean and unit variance over its own samples, whatever stands beside it, and
# padding to be 0. But padding comes first and counts: half a second beside one second comes out with a standard deviation
# of 1.4, its padding is not 0, and so what a network sees of a recording depends on the longest one of the batch. With
# return_attention_mask=True the recording is as it is alone. Normalise each one before padding, or one at a time.
#
# Output seen:
#   no mask: difference to the recording alone 1.440, standard deviation 1.400, padding -0.140
#   mask: difference to the recording alone 0.000, standard deviation 1.000, padding 0.000
#
# Fails (exit status 1) where any of these lines is another one. PYTHON names the interpreter (3.11 to 3.13).
set -euo pipefail

DEVIATION=${DEVIATION:-1.400}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 numpy==2.4.6

cat > batch.py <<'PYTHON'
"""Half a second of noise, alone and beside one second."""

import numpy as np
from transformers import Wav2Vec2FeatureExtractor

random = np.random.default_rng(0)
short = (0.1 * random.standard_normal(8000) + 0.02).astype(np.float32)
long = (0.3 * random.standard_normal(16000)).astype(np.float32)
for name, mask in (("no mask", False), ("mask", True)):
    extract = Wav2Vec2FeatureExtractor(return_attention_mask=mask)
    alone = extract(short, sampling_rate=16000, return_tensors="np").input_values[0]
    batch = extract([short, long], sampling_rate=16000, padding=True, return_tensors="np").input_values[0]
    difference, deviation = np.abs(batch[:8000] - alone).max(), batch[:8000].std()
    said = f"difference to the recording alone {difference:.3f}, standard deviation {deviation:.3f}"
    print(f"{name}: {said}, padding {batch[8000:].mean():.3f}")
PYTHON

environment/bin/python batch.py > seen 2> log || { cat log; exit 1; }
cat > expected <<EXPECTED
no mask: difference to the recording alone 1.440, standard deviation $DEVIATION, padding -0.140
mask: difference to the recording alone 0.000, standard deviation 1.000, padding 0.000
EXPECTED
diff expected seen
echo "as stated"
