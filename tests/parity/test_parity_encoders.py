"""Speech encoders against transformers' on random weights that went through the converter: every hidden state of
recordings of different lengths, which transformers takes one by one, and in double precision every gradient."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax import pretrained
from sejax.models import encoders
from sejax.models.span_masks import span_mask
from sejax.models.transformer import RelativeBias, distance_buckets
from sejax.pretrained import encoders as encoder_files

REASON = "encoders are compared with transformers'; pip install torch transformers"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
torch_encoders = pytest.importorskip("torch_encoders", reason=REASON, exc_type=ImportError)
safetensors = pytest.importorskip("safetensors.torch", reason=REASON)

CASES = sorted(torch_encoders.CASES)
LENGTHS = np.array([640, 431, 97], np.int32)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def waveforms(lengths=LENGTHS, seed=0):
    """f32[B, T]: noise with an offset, and beyond each length anything."""
    random = np.random.default_rng(seed)
    waveform = 0.1 * random.standard_normal((len(lengths), max(lengths))) + 0.03
    return waveform.astype(np.float32)


def converted(network, folder, **options):
    """(module, variables) of what transformers wrote and our converter read."""
    torch_encoders.save(network, folder / "original", **options)
    pretrained.convert_encoder(folder / "original", folder / "encoder.safetensors")
    return pretrained.load_encoder(folder / "encoder.safetensors")


def assert_near(ours, theirs, tolerance=1e-4):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


@pytest.mark.parametrize("case", CASES)
def test_every_hidden_state_is_that_of_each_recording_alone(case, tmp_path):
    normalise = case != "wavlm"
    network = torch_encoders.build(case)
    module, variables = converted(network, tmp_path, normalise=normalise)
    waveform = waveforms()
    encoded = jax.jit(module.apply)(variables, waveform, LENGTHS)
    assert len(encoded.hidden) == 4
    for row, (samples, length) in enumerate(zip(waveform, LENGTHS, strict=True)):
        inputs = torch_encoders.extracted(samples[:length], normalise=normalise)
        for ours, theirs in zip(encoded.hidden, torch_encoders.hidden_states(network, inputs), strict=True):
            frames = encoded.frames[row]
            assert frames == theirs.shape[1]
            assert_near(np.asarray(ours)[row, :frames], theirs[0].numpy())
            assert not np.asarray(ours)[row, frames:].any()


@pytest.mark.parametrize("case", ["wav2vec2_stable", "wavlm_stable"])
def test_a_padded_batch_with_its_mask_is_transformers_own_where_no_norm_goes_over_time(case, tmp_path):
    network = torch_encoders.build(case)
    module, variables = converted(network, tmp_path, normalise=False)
    waveform = waveforms()
    mask = torch.from_numpy(np.arange(waveform.shape[1]) < LENGTHS[:, None])
    theirs = torch_encoders.hidden_states(network, torch.from_numpy(waveform), attention_mask=mask.long())
    encoded = jax.jit(module.apply)(variables, waveform, LENGTHS)
    for row, frames in enumerate(encoded.frames):
        for ours, other in zip(encoded.hidden, theirs, strict=True):
            assert_near(np.asarray(ours)[row, :frames], other[row, :frames].numpy())


def double(network, case):
    """(module, variables in double precision, list of names.Parameter) of a network in double precision."""
    config = json.loads(network.config.to_json_string())
    architecture, _ = encoder_files.architecture_of(config, {"do_normalize": False}, None)
    module = encoders.create(architecture)
    parameters = encoder_files.parameters(module)
    state = network.state_dict()
    flat = {p.name: in_our_layout(p, state[p.source_name].numpy()) for p in parameters}
    return module, encoder_files.names.unflatten(flat), parameters


def in_our_layout(parameter, array):
    array = array if parameter.axes is None else array.transpose(parameter.axes)
    return array.reshape(parameter.shape)


@pytest.mark.parametrize("case", CASES)
def test_gradients_in_training_are_transformers_with_given_time_masks(case):
    network = torch_encoders.build(case).double().train()
    module, variables, parameters = double(network, case)
    random = np.random.default_rng(1)
    waveform = waveforms().astype(np.float64)
    frames = encoders.frame_counts(LENGTHS, module.architecture)
    masked = random.random((len(LENGTHS), max(frames))) < 0.3
    cotangent = random.standard_normal((len(LENGTHS), max(frames), module.architecture.width))
    sides = np.array([0.5, -1.0, 0.0, 1.0])  # of the hidden states that the loss adds up

    def loss(variables):
        encoded = module.apply(variables, waveform, LENGTHS, train=True, masked=masked)
        return sum(side * jnp.sum(cotangent * jnp.sin(x)) for side, x in zip(sides, encoded.hidden, strict=True))

    with jax.enable_x64(True):
        value, gradients = jax.jit(jax.value_and_grad(loss))(variables)
        value, gradients = jax.tree.map(np.asarray, (value, gradients))
    total = 0.0
    for row, length in enumerate(LENGTHS):
        count = frames[row]
        outputs = network(
            torch.from_numpy(waveform[row : row + 1, :length].copy()),
            mask_time_indices=torch.from_numpy(masked[row : row + 1, :count]),
            output_hidden_states=True,
        )
        states = [*outputs.hidden_states[:-1], outputs.last_hidden_state]
        weights = torch.from_numpy(cotangent[row, :count])
        total = total + sum(side * (weights * torch.sin(x[0])).sum() for side, x in zip(sides, states, strict=True))
    total.backward()
    assert abs(value - total.item()) < 1e-9 * abs(total.item())
    flat = encoder_files.names.flatten(gradients)
    theirs = dict(network.named_parameters())
    assert {p.source_name for p in parameters} == theirs.keys()
    largest = max(np.abs(gradient).max() for gradient in flat.values())
    for p in parameters:
        wanted = in_our_layout(p, theirs[p.source_name].grad.numpy())
        # Attention does not change where the same is added to all keys: that bias has no gradient but rounding.
        scale = max(np.abs(wanted).max(), 1e-6 * largest)
        assert np.abs(flat[p.name] - wanted).max() < 1e-7 * scale, p.name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wav2vec2_base", "wavlm_base", "data2vec_audio_base"])
def test_a_base_network_of_real_size_is_transformers(name, tmp_path):
    build, config, _ = torch_encoders.CASES[{"wav2vec2_base": "wav2vec2"}.get(name, name.split("_")[0])]
    network = torch_encoders.randomised(build(config()))
    module, variables = converted(network, tmp_path, normalise=name != "wavlm_base")
    assert module.architecture == encoders.ARCHITECTURES[name]
    assert sum(p.numel() for p in network.parameters()) == encoders.PARAMETERS[name]
    lengths = np.array([24000, 17531], np.int32)
    waveform = waveforms(lengths)
    encoded = jax.jit(module.apply)(variables, waveform, lengths)
    for row, length in enumerate(lengths):
        inputs = torch_encoders.extracted(waveform[row, :length], normalise=module.architecture.normalise)
        for ours, theirs in zip(encoded.hidden, torch_encoders.hidden_states(network, inputs), strict=True):
            assert_near(np.asarray(ours)[row, : encoded.frames[row]], theirs[0].numpy())


def test_a_bin_with_the_older_names_of_weight_normalisation_gives_the_same_arrays(tmp_path):
    network = torch_encoders.build("wav2vec2_stable")
    _, variables = converted(network, tmp_path)
    state = network.state_dict()
    older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, old in older.items():
        state[f"encoder.pos_conv_embed.conv.{old}"] = state.pop(f"encoder.pos_conv_embed.conv.{new}")
    folder = tmp_path / "original"
    (folder / "model.safetensors").unlink()
    torch.save({f"wav2vec2.{name}": tensor for name, tensor in state.items()}, folder / "pytorch_model.bin")
    pretrained.convert_encoder(folder, tmp_path / "older.safetensors")
    _, twins = pretrained.load_encoder(tmp_path / "older.safetensors")
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), variables, twins))


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        ("Wav2Vec2ForPreTraining", {"quantizer": 3, "project_hid": 2, "project_q": 2}),
        ("Wav2Vec2ForCTC", {"lm_head": 2}),
    ],
)
def test_what_only_pretraining_and_transcription_have_is_left_out_and_said(kind, left_out, tmp_path):
    import transformers

    sizes = {"num_codevectors_per_group": 4, "codevector_dim": 8, "proj_codevector_dim": 8}
    network = torch_encoders.randomised(getattr(transformers, kind)(torch_encoders.config_of("wav2vec2", **sizes)))
    module, variables = converted(network, tmp_path)
    assert pretrained.describe(tmp_path / "encoder.safetensors")["left_out"] == left_out
    waveform = waveforms()[:1]
    with torch.no_grad():
        theirs = network.wav2vec2(torch_encoders.extracted(waveform[0])).last_hidden_state
    assert_near(np.asarray(module.apply(variables, waveform, LENGTHS[:1]).last), theirs.numpy())


def test_a_dimensional_model_loads_with_its_head(tmp_path):
    labels = {0: "arousal", 1: "dominance", 2: "valence"}
    config = torch_encoders.config_of("wav2vec2_stable", id2label=labels, final_dropout=0.1)
    network = torch_encoders.randomised(torch_encoders.DimensionalTwin(config))
    folder = tmp_path / "original"
    torch_encoders.save(network.wav2vec2, folder)
    safetensors.save_file(network.state_dict(), folder / "model.safetensors")
    metadata = pretrained.convert_encoder(folder, tmp_path / "dimensions.safetensors")
    assert (metadata["dimensions"], metadata["left_out"]) == (["arousal", "dominance", "valence"], {})
    module, variables = pretrained.load_encoder(tmp_path / "dimensions.safetensors")
    assert (module.dimensions, module.dropout) == (("arousal", "dominance", "valence"), 0.1)
    waveform = waveforms()
    ours = np.asarray(module.apply(variables, waveform, LENGTHS))
    with torch.no_grad():
        alone = [network(torch_encoders.extracted(x[:n])) for x, n in zip(waveform, LENGTHS, strict=True)]
    assert_near(ours, torch.cat(alone).numpy())


def test_distances_have_wavlms_buckets():
    network = torch_encoders.build("wavlm", num_buckets=320, max_bucket_distance=800)
    attention, frames = network.encoder.layers[0].attention, 1700
    distance = torch.arange(frames)[None, :] - torch.arange(frames)[:, None]
    theirs = attention._relative_positions_bucket(distance).numpy()
    np.testing.assert_array_equal(distance_buckets(frames, RelativeBias()), theirs)


def test_time_masks_cover_what_transformers_do():
    from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices

    np.random.seed(0)  # noqa: NPY002 - what transformers draws from
    rows, frames, share, length = 400, 200, 0.3, 10
    theirs = _compute_mask_indices((rows, frames), share, length, min_masks=2)
    ours = np.asarray(
        span_mask(jax.random.key(0), jnp.full(rows, frames), frames, share=share, length=length, least=2)
    )
    assert abs(ours.mean() - theirs.mean()) < 0.01
    begun = [np.diff(masks.astype(int), prepend=0, axis=1).clip(0).sum(1).mean() for masks in (ours, theirs)]
    assert abs(begun[0] - begun[1]) < 0.15
    assert np.abs(ours.mean(0) - theirs.mean(0)).max() < 0.12
