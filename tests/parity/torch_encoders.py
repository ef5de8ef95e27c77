"""transformers' speech encoders in small, with random weights, and what they compute."""

import contextlib

import torch
from torch import nn

with contextlib.suppress(ImportError):  # which transformers imports where there is one
    import whole_torchvision  # noqa: F401

from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 40,
    "conv_dim": (8, 12, 12),
    "conv_kernel": (10, 3, 2),
    "conv_stride": (5, 2, 2),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
    "mask_time_prob": 0.05,
    "vocab_size": 5,
    "pad_token_id": 0,
}
NO_DROPOUT = {
    **dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0),
    **dict.fromkeys(("layerdrop", "final_dropout"), 0.0),
}
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
BUCKETS = {"num_buckets": 16, "max_bucket_distance": 20}
CASES = {
    "wav2vec2": (Wav2Vec2Model, Wav2Vec2Config, {}),
    "wav2vec2_stable": (Wav2Vec2Model, Wav2Vec2Config, STABLE),
    "hubert": (HubertModel, HubertConfig, {"feat_proj_layer_norm": False}),
    "hubert_stable": (HubertModel, HubertConfig, STABLE),
    "wavlm": (WavLMModel, WavLMConfig, BUCKETS),
    "wavlm_stable": (WavLMModel, WavLMConfig, STABLE | BUCKETS | {"conv_bias": False}),
    "data2vec": (
        Data2VecAudioModel,
        Data2VecAudioConfig,
        {"feat_extract_norm": "layer", "conv_pos_kernel_size": 5, "num_conv_pos_embeddings": 2},
    ),
}


def config_of(case, **options):
    """transformers' config of a case in small."""
    _, config, own = CASES[case]
    return config(**SMALL | NO_DROPOUT | own | options)


def build(case, *, seed=0, **options):
    """transformers' network of a case in evaluation mode, with random weights everywhere."""
    return randomised(CASES[case][0](config_of(case, **options)), seed)


def randomised(network, seed=0):
    """The network with scales and biases that are not 1 and 0, in evaluation mode."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(parameter, std=0.2)
            elif "norm" in name or name.endswith(("original0", "rel_pos_const")):
                parameter.mul_(torch.empty_like(parameter).uniform_(0.5, 1.5))
            elif "rel_attn" in name or name.endswith("masked_spec_embed"):
                nn.init.normal_(parameter)
            elif "pos_conv" not in name:
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return network.eval()


def save(network, folder, *, normalise=True):
    """Write a network as transformers does, with the feature extractor's settings."""
    network.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=normalise, return_attention_mask=True).save_pretrained(folder)


def extracted(waveform, *, normalise=True):
    """What the feature extractor makes of one recording: [1, T]."""
    extract = Wav2Vec2FeatureExtractor(do_normalize=normalise)
    return extract(waveform, sampling_rate=16000, return_tensors="pt").input_values


def hidden_states(network, inputs, **options):
    """Every hidden state, the last one with the final normalisation: list of [B, F, D]."""
    with torch.no_grad():
        outputs = network(inputs, output_hidden_states=True, **options)
    return [*outputs.hidden_states[:-1], outputs.last_hidden_state]


class DimensionalTwin(nn.Module):
    """The network of audEERING's dimensional model by its description: trunk, mean over frames, two dense layers."""

    def __init__(self, config):
        super().__init__()
        self.wav2vec2 = Wav2Vec2Model(config)
        width = config.hidden_size
        self.classifier = nn.ModuleDict({"dense": nn.Linear(width, width), "out_proj": nn.Linear(width, 3)})

    def forward(self, inputs):
        pooled = self.wav2vec2(inputs).last_hidden_state.mean(1)
        return self.classifier["out_proj"](torch.tanh(self.classifier["dense"](pooled)))
