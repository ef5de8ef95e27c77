#!/usr/bin/env bash
# The last of hidden_states is not last_hidden_state in transformers 5 where a speech encoder normalises before its layers.
#
# Versions: transformers 5.24.0 and 4.57.6, torch 2.13.0, numpy 2.4.6.
#
# Behaviour: with output_hidden_states=True one would expect the last of the hidden states to be last_hidden_state, as it is
# for the base models of wav2vec 2.0 (and was in transformers 4 for all of them). For the large ones (do_stable_layer_norm:
# wav2vec 2.0 "lv60", "robust" and XLSR, HuBERT large, WavLM large) transformers 5 gives the last layer's output without the
# final layer normalisation there. A weighted sum of layers that was trained with transformers 4 sees another last layer, of
# another scale, and nothing warns. Put last_hidden_state in its place.
#
# Output seen:
#   5.24.0 do_stable_layer_norm=False: hidden_states[-1] is last_hidden_state: True
#   5.24.0 do_stable_layer_norm=True: hidden_states[-1] is last_hidden_state: False
#   4.57.6 do_stable_layer_norm=False: hidden_states[-1] is last_hidden_state: True
#   4.57.6 do_stable_layer_norm=True: hidden_states[-1] is last_hidden_state: True
#
# Fails (exit status 1) where any of these lines is another one. PYTHON names the interpreter (3.11 to 3.13).
set -euo pipefail

STABLE=${STABLE:-False}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat > states.py <<'PYTHON'
"""A random network of either kind, and whether its last hidden state is the last one of the hidden states."""

import torch
import transformers
from transformers import Wav2Vec2Config, Wav2Vec2Model

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
for norm, stable in (("group", False), ("layer", True)):
    config = Wav2Vec2Config(**sizes, conv_dim=(16,) * 7, feat_extract_norm=norm, do_stable_layer_norm=stable)
    network = Wav2Vec2Model(config).eval()
    with torch.no_grad():
        outputs = network(torch.randn(1, 8000), output_hidden_states=True)
    same = torch.equal(outputs.hidden_states[-1], outputs.last_hidden_state)
    said = f"do_stable_layer_norm={stable}: hidden_states[-1] is last_hidden_state: {same}"
    print(f"{transformers.__version__} {said}")
PYTHON

for version in 5.24.0 4.57.6; do
  environment/bin/pip install --quiet --disable-pip-version-check "transformers==$version"
  environment/bin/python states.py >> seen 2> log || { cat log; exit 1; }
done
cat > expected <<EXPECTED
5.24.0 do_stable_layer_norm=False: hidden_states[-1] is last_hidden_state: True
5.24.0 do_stable_layer_norm=True: hidden_states[-1] is last_hidden_state: $STABLE
4.57.6 do_stable_layer_norm=False: hidden_states[-1] is last_hidden_state: True
4.57.6 do_stable_layer_norm=True: hidden_states[-1] is last_hidden_state: True
EXPECTED
diff expected seen
echo "as stated"
