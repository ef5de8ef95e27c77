#!/usr/bin/env bash
# Speech encoders of transformers hear the padding of a batch in spite of its attention_mask.
#
# Versions: transformers 5.24.0, torch 2.13.0, numpy 2.4.6.
#
# Behaviour: half a second of noise beside one second, padded with zeros and with the attention_mask that says so. One would
# expect a network that takes a mask to give for the real frames what it gives for the recording alone. wav2vec 2.0 with layer
# normalisation of its convolutions does. wav2vec 2.0, HuBERT and WavLM base do not: the group norm of the first convolution
# takes its mean and variance over the padding too. Nor does data2vec-audio, although it has no group norm: frames beyond the
# recording are zeroed once, but each of its five position convolutions makes them non-zero for the next one. What comes out
# depends on the longest recording of the batch; so one at a time, or equal lengths.
#
# Output seen (largest difference in the last hidden state, on a scale where it has values around 3):
#   wav2vec2 layer: differs by less than 0.00001: True
#   wav2vec2 group: differs by more than 0.1: True
#   data2vec layer: differs by more than 0.1: True
#
# Fails (exit status 1) where any of these lines is another one. PYTHON names the interpreter (3.11 to 3.13).
set -euo pipefail

GROUP=${GROUP:-True}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.24.0 numpy==2.4.6

cat > padding.py <<'PYTHON'
"""Half a second of noise, alone and beside one second with its mask."""

import torch
from transformers import Data2VecAudioConfig, Data2VecAudioModel, Wav2Vec2Config, Wav2Vec2Model

torch.manual_seed(0)
sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
mask = torch.arange(16000) < torch.tensor([[8000], [16000]])
waveform = torch.randn(2, 16000) * mask
kinds = (
    ("wav2vec2", Wav2Vec2Model, Wav2Vec2Config, "layer"),
    ("wav2vec2", Wav2Vec2Model, Wav2Vec2Config, "group"),
    ("data2vec", Data2VecAudioModel, Data2VecAudioConfig, "layer"),
)
for name, model, config, norm in kinds:
    network = model(config(**sizes, conv_dim=(32,) * 7, feat_extract_norm=norm)).eval()
    with torch.no_grad():
        alone = network(waveform[:1, :8000]).last_hidden_state[0]
        batch = network(waveform, attention_mask=mask.long()).last_hidden_state[0, : len(alone)]
    difference = (alone - batch).abs().max().item()
    exact = (name, norm) == ("wav2vec2", "layer")
    said = f"less than 0.00001: {difference < 1e-5}" if exact else f"more than 0.1: {difference > 0.1}"
    print(f"{name} {norm}: differs by {said}")
PYTHON

environment/bin/python padding.py > seen 2> log || { cat log; exit 1; }
cat > expected <<EXPECTED
wav2vec2 layer: differs by less than 0.00001: True
wav2vec2 group: differs by more than 0.1: $GROUP
data2vec layer: differs by more than 0.1: True
EXPECTED
diff expected seen
echo "as stated"
