"""Encoders as transformers names them, made without it: what is read, left out, refused. Parity is tests/parity's."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from sejax import pretrained
from sejax.errors import InputError
from sejax.models import encoders
from sejax.pretrained import encoders as files

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {
    "model_type": "wav2vec2",
    "conv_dim": [4, 6],
    "conv_kernel": [10, 3],
    "conv_stride": [5, 2],
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "hidden_dropout": 0.2,
    "layerdrop": 0.05,
    "mask_time_prob": 0.1,
}
EXTRACTOR = {"do_normalize": True, "sampling_rate": 16000}
HEAD = {
    "classifier.dense.weight": (8, 8),
    "classifier.dense.bias": (8,),
    "classifier.out_proj.weight": (3, 8),
    "classifier.out_proj.bias": (3,),
}
LABELS = {"0": "arousal", "1": "dominance", "2": "valence"}


def state_dict(config=CONFIG, extra=()):
    """Random arrays under transformers' names."""
    architecture, _ = files.architecture_of(config, EXTRACTOR, None)
    random = np.random.default_rng(0)
    shapes = {p.source_name: p.source_shape for p in files.parameters(encoders.create(architecture))}
    return {name: random.standard_normal(shape, np.float32) for name, shape in (shapes | dict(extra)).items()}


@pytest.fixture
def folder(tmp_path):
    """Writes a folder as transformers does and returns its path."""
    numpy_files = pytest.importorskip("safetensors.numpy", reason="pip install 'sejax[pretrained]'")

    def write(arrays, config=CONFIG, extractor=EXTRACTOR):
        made = tmp_path / "original"
        made.mkdir(exist_ok=True)
        numpy_files.save_file(arrays, made / "model.safetensors")
        (made / "config.json").write_text(json.dumps(config))
        (made / "preprocessor_config.json").write_text(json.dumps(extractor))
        return made

    return write


def refused(path, tmp_path, said):
    output = tmp_path / "out.safetensors"
    with pytest.raises(InputError, match=said):
        pretrained.convert_encoder(path, output)
    assert not output.exists()


def test_arrays_are_turned_and_the_description_says_what_they_are(folder, tmp_path):
    arrays = state_dict()
    metadata = pretrained.convert_encoder(folder(arrays), tmp_path / "w.safetensors")
    assert pretrained.describe(tmp_path / "w.safetensors") == json.loads(json.dumps(metadata))
    module, variables = pretrained.load_encoder(tmp_path / "w.safetensors", frozen=("convolutions",))
    params = variables["params"]
    query = arrays["encoder.layers.1.attention.q_proj.weight"]
    assert params["layer_1"]["attention"]["query"]["kernel"][2, 5] == query[5, 2]
    kernel = arrays["encoder.pos_conv_embed.conv.parametrizations.weight.original1"]
    assert params["positions_0"]["kernel"][3, 2, 7] == kernel[7, 2, 3]
    kernel = arrays["feature_extractor.conv_layers.1.conv.weight"]
    assert params["convolutions"]["conv_1"]["kernel"][2, 3, 5] == kernel[5, 3, 2]
    assert metadata["parameters"] == sum(array.size for array in arrays.values())
    assert (metadata["left_out"], metadata["fresh"], metadata["preprocessing"]) == ({}, [], "standardised")
    assert module.frozen == ("convolutions",) and module.architecture.pre_norm
    assert module.regularisation == encoders.Regularisation(0.0, 0.2, 0.1, 0.1, layer_drop=0.05, mask_share=0.1)


def test_both_spellings_of_weight_normalisation_and_a_prefix_give_the_same(folder, tmp_path):
    arrays = state_dict()
    pretrained.convert_encoder(folder(arrays), tmp_path / "a.safetensors")
    older = {
        f"wav2vec2.{name}".replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): array
        for name, array in arrays.items()
    }
    assert "wav2vec2.encoder.pos_conv_embed.conv.weight_g" in older
    pretrained.convert_encoder(folder(older) / "model.safetensors", tmp_path / "b.safetensors")
    one, other = (pretrained.load_encoder(tmp_path / f"{name}.safetensors")[1] for name in "ab")
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), one, other))


def test_a_head_of_dimensions_is_kept_under_the_configs_labels(folder, tmp_path):
    config = CONFIG | {"id2label": LABELS, "final_dropout": 0.1}
    metadata = pretrained.convert_encoder(folder(state_dict(extra=HEAD), config), tmp_path / "w.safetensors")
    module, variables = pretrained.load_encoder(tmp_path / "w.safetensors")
    assert module.dimensions == tuple(LABELS.values()) and module.dropout == 0.1
    shape = jax.eval_shape(module.apply, variables, np.zeros((2, 400), np.float32), np.array([400, 300])).shape
    assert shape == (2, 3) and metadata["left_out"] == {}


def test_a_head_without_names_for_its_outputs_is_refused(folder, tmp_path):
    said = "config.json: id2label does not name the 3 outputs"
    refused(folder(state_dict(extra=HEAD), CONFIG | {"id2label": {"0": "LABEL_0"}}), tmp_path, said)


def test_a_classifiers_head_is_left_out(folder, tmp_path):
    heads = {"projector.weight": (4, 8), "classifier.weight": (4, 4), "classifier.bias": (4,), "layer_weights": (3,)}
    metadata = pretrained.convert_encoder(folder(state_dict(extra=heads)), tmp_path / "w.safetensors")
    assert metadata["left_out"] == {"projector": 1, "classifier": 2, "layer_weights": 1}


def test_a_missing_vector_for_masked_frames_is_zero_and_said(folder, tmp_path):
    arrays = state_dict()
    del arrays["masked_spec_embed"]
    metadata = pretrained.convert_encoder(folder(arrays), tmp_path / "w.safetensors")
    assert metadata["fresh"] == ["params/mask_embedding"]
    assert not pretrained.load_encoder(tmp_path / "w.safetensors")[1]["params"]["mask_embedding"].any()


def test_the_command_says_what_it_took_and_what_it_left(folder, tmp_path):
    arrays = state_dict(extra=HEAD | {"lm_head.weight": (5, 8), "lm_head.bias": (5,)})
    del arrays["masked_spec_embed"]
    path, output = folder(arrays, CONFIG | {"id2label": LABELS}), tmp_path / "w.safetensors"
    command = [sys.executable, "launch/convert_weights.py", "--source=transformers", f"--input={path}"]
    done = subprocess.run([*command, f"--output={output}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for said in (
        "wav2vec2, 2 layers of 8",
        "head    arousal, dominance, valence",
        "left    lm_head, 2 arrays: transcription (CTC) alone needs them",
        "fresh   params/encoder/mask_embedding is not in the input; it is 0",
        f"input   sha256 {pretrained.describe(output)['sha256']}",
    ):
        assert said in done.stdout


def test_missing_unknown_and_wrongly_shaped_arrays_are_listed(folder, tmp_path):
    arrays = state_dict()
    del arrays["encoder.layer_norm.bias"]
    arrays["adapter.layers.0.conv.weight"] = np.zeros((2, 2), np.float32)
    arrays["feature_projection.projection.bias"] = np.zeros(9, np.float32)
    path = folder(arrays)
    for said in (
        r"- encoder.layer_norm.bias \(8,\): missing",
        r"\+ adapter.layers.0.conv.weight \(2, 2\): unexpected",
        r"! feature_projection.projection.bias \(9,\): wrong shape, wanted \(8,\)",
    ):
        refused(path, tmp_path, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "whisper"}, "'whisper' is not supported; supported are wav2vec2, hubert"),
        ({"hidden_act": "relu"}, "hidden_act='relu' is not supported, only 'gelu'"),
        ({"add_adapter": True}, "add_adapter=True is not supported"),
        ({"hidden_size": "8"}, "hidden_size='8'; a whole number"),
        ({"num_attention_heads": 3}, "width=8 is no multiple of heads=3"),
        ({"feat_extract_norm": "batch"}, "convolution_norm='batch' is unknown"),
        ({"conv_kernel": [10]}, "not equally long"),
        ({"conv_dim": [4, -1]}, "not lists of whole numbers"),
        ({"layer_norm_eps": None}, "layer_norm_eps=None"),
        ({"mask_time_length": 0}, "mask_length is 0"),
    ],
)
def test_a_config_that_is_not_supported_is_refused(folder, tmp_path, change, said):
    refused(folder(state_dict(), CONFIG | change), tmp_path, f"config.json: .*{said}")


@pytest.mark.parametrize(
    ("extractor", "said"),
    [({"do_normalize": None}, "do_normalize is neither"), ({"do_normalize": True, "sampling_rate": 8000}, "8000")],
)
def test_a_feature_extractor_that_is_not_supported_is_refused(folder, tmp_path, extractor, said):
    refused(folder(state_dict(), extractor=extractor), tmp_path, said)


def test_what_is_not_there_is_named(folder, tmp_path):
    path = folder(state_dict())
    refused(tmp_path / "nowhere", tmp_path, "nowhere: no such file or folder")
    refused("", tmp_path, "no input")
    (path / "preprocessor_config.json").unlink()
    refused(path, tmp_path, "preprocessor_config.json: no such file; give weights with the one that")
    (path / "config.json").write_text("{")
    refused(path, tmp_path, "config.json: is no JSON")
    (path / "model.safetensors").rename(path / "model.safetensors.index.json")
    refused(path, tmp_path, "the weights are in several files")
    (path / "model.safetensors.index.json").unlink()
    refused(path, tmp_path, "holds neither model.safetensors nor pytorch_model.bin")


def test_a_file_of_images_weights_is_no_encoder_nor_the_other_way_round(folder, tmp_path):
    pretrained.convert_encoder(folder(state_dict()), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="does not fit alexnet with 1000 classes .it holds wav2vec2."):
        pretrained.load("alexnet", tmp_path / "w.safetensors")
    from sejax.pretrained.weights import write

    write(tmp_path / "i.safetensors", {"params/fc/bias": np.zeros(2, np.float32)}, {"model": "alexnet"})
    with pytest.raises(InputError, match="holds no speech encoder; sejax convert --source=transformers"):
        pretrained.load_encoder(tmp_path / "i.safetensors")


def test_damaged_bits_are_found(folder, tmp_path):
    path = tmp_path / "w.safetensors"
    pretrained.convert_encoder(folder(state_dict()), path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        pretrained.load_encoder(path)


@pytest.mark.parametrize("name", encoders.names())
def test_architectures_survive_their_description(name):
    architecture = encoders.ARCHITECTURES[name]
    assert files.from_json(json.loads(json.dumps(files.as_json(architecture)))) == architecture


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("encoder:wavlm_base:9", ("wavlm_base", (9,))),
        ("encoder:large-robust.1:0-2", ("large-robust.1", (0, 1, 2))),
        ("hubert_base:all", ("hubert_base", ())),
        ("encoder:hubert_base", ("hubert_base", ())),
    ],
)
def test_an_encoder_in_a_config_names_its_hidden_states(text, parsed):
    assert files.parse_encoder(text) == parsed


@pytest.mark.parametrize("text", ["", "encoder:", "encoder:a:", "encoder:a:9-6", "a:-1", "a:some", "a/b:1", "a:1:2"])
def test_other_texts_name_no_encoder(text):
    with pytest.raises(InputError, match="encoder:NAME:LAYERS"):
        files.parse_encoder(text)
