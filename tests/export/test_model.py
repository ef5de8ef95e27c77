"""A model from its file: its answers beside numpy's, its network as a pure function, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

import sejax
from sejax.corpora.waveform import decode
from sejax.data.blocks.spectrograms import spectrograms
from sejax.errors import InputError
from sejax.export import archive

RATE = tiny.RATE
NOISE = np.random.default_rng(1).normal(0, 1500, 100_000).astype(np.int16)


@pytest.fixture(scope="module")
def entries():
    return tiny.entries()


@pytest.fixture(scope="module")
def path(tmp_path_factory, entries):
    file = tmp_path_factory.mktemp("models") / "tiny.sejax"
    tiny.write(file, entries)
    return file


@pytest.fixture(scope="module")
def model(path):
    return sejax.load(path)


def by_hand(waveform):
    """Posteriors of the blocks of a waveform, in numpy."""
    samples = waveform[: len(waveform) // 1600 * 1600].reshape(-1, 1600)
    images = spectrograms(samples, tiny.PREPARED)  # [N, 2, bands, frames]
    found = tiny.posteriors(tiny.part().weights, images.reshape(-1, *images.shape[2:]), xp=np)
    return found.reshape(len(samples), 2, 3).mean(1)


@pytest.mark.parametrize("length", [1600, 5000, 60_000])  # one block, three, 37
def test_answers_are_the_means_over_members_inputs_and_blocks(model, length):
    found = model(NOISE[:length], RATE)
    wanted = by_hand(NOISE[:length])
    np.testing.assert_allclose(found.posteriors, wanted, atol=1e-6)
    np.testing.assert_allclose(found.utterance, wanted.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.start, np.arange(length // 1600) * 0.1)
    np.testing.assert_allclose(found.end, found.start + 0.1)
    assert model.classes == tiny.CLASSES and model.rated == {} and model.card == "# A model\n"
    assert [member["fold"] for member in model.members] == [0, 1]


def test_many_recordings_are_answered_in_their_order_as_each_alone(model):
    lengths = (3000, 40_000, 1600, 8000, 100_000)
    found = model.batch((NOISE[:length] for length in lengths), RATE)
    for one, length in zip(found, lengths, strict=True):
        np.testing.assert_allclose(one.posteriors, by_hand(NOISE[:length]), atol=1e-6)
    assert model.batch([], RATE) == []
    with pytest.raises(InputError, match=r"recording 1: 0.00 s of speech found|recording 1: 0.06 s of speech found"):
        model.batch([NOISE[:3000], NOISE[:1000]], RATE)
    with pytest.raises(InputError, match="1 rates and 2 texts for 2 waveforms"):
        model.batch([NOISE, NOISE], [RATE])


def test_the_network_is_a_pure_function_for_jit_and_vmap(model):
    _, _, inputs = model.inputs(NOISE[:8000], RATE)
    wanted = model.apply(inputs)
    assert wanted.shape == (10, 3)
    np.testing.assert_allclose(jax.jit(model.apply)(inputs), wanted, atol=1e-6)
    np.testing.assert_allclose(jax.jit(model.apply)(inputs[:3], model.weights), wanted[:3], atol=1e-6)
    twice = jnp.stack([inputs, inputs + 1])
    for found in (jax.vmap(model.apply)(twice), jax.jit(jax.vmap(model.apply))(twice)):
        np.testing.assert_allclose(found[0], wanted, atol=1e-6)
        np.testing.assert_allclose(found[1], model.apply(inputs + 1), atol=1e-6)
    nested = jax.vmap(jax.vmap(model.apply, in_axes=-1, out_axes=1))(jnp.moveaxis(twice[None], 1, -1))
    np.testing.assert_allclose(nested[0, :, 1], model.apply(inputs + 1), atol=1e-6)
    with pytest.raises(InputError, match="map over inputs"):
        jax.vmap(model.apply, in_axes=(None, 0))(inputs, jax.tree.map(lambda x: x[None], model.weights))


def test_floats_and_other_rates_are_heard_as_a_file_of_them_is(model, tmp_path):
    np.testing.assert_array_equal(model(NOISE / 32768, RATE).posteriors, model(NOISE, RATE).posteriors)
    soundfile, _ = pytest.importorskip("soundfile"), pytest.importorskip("soxr")
    for rate in (8000, 44100):
        soundfile.write(tmp_path / "a.wav", NOISE, rate)
        resampled = decode(tmp_path / "a.wav").waveform
        found = model(NOISE, rate)
        np.testing.assert_allclose(found.posteriors, model(resampled, RATE).posteriors, atol=1e-6)
        assert found.end[-1] == pytest.approx(len(NOISE) / rate, abs=0.1)


def test_without_soxr_another_rate_is_refused_and_the_package_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(InputError, match="a waveform at 8000 Hz, and networks hear 16000 Hz.* pip install soxr"):
        model(NOISE, 8000)


@pytest.mark.parametrize(
    ("waveform", "rate", "said"),
    [
        (NOISE[None], RATE, r"int16\[1, 100000\]; give one channel"),
        (NOISE[:0], RATE, r"int16\[0\]; give"),
        (NOISE.astype(np.int32), RATE, "int32"),
        (NOISE.astype(np.float32), RATE, r"reaches \d+.*; give floats in \[-1, 1\]"),
        (np.array([0.0, np.nan]), RATE, "reaches nan"),
        ("speech.wav", RATE, "give one channel"),
        *((NOISE, rate, "a sampling rate of .*; give it in Hz") for rate in (0, -16000, "16000", None, True, np.inf)),
        (NOISE[:1500], RATE, "0.09 s of speech found in 0.09 s of audio, less than one block of 0.1 s"),
        (NOISE[:1], 768_000, "is nothing at 16000 Hz|less than one block"),
    ],
)
def test_what_is_no_waveform_or_rate_is_refused_in_one_line(model, waveform, rate, said):
    with pytest.raises(InputError, match=said) as raised:
        model(waveform, rate)
    assert "\n" not in str(raised.value)


def test_a_transcript_that_nobody_reads_is_refused(model):
    with pytest.raises(InputError, match="reads no transcript"):
        model(NOISE, RATE, text="hello")
    with pytest.raises(InputError, match="text=7; give what is said as text"):
        model(NOISE, RATE, text=7)


def test_what_lies_outside_of_the_trainings_ranges_is_said(model):
    assert model.warnings(NOISE, RATE) == []
    (said,) = model.warnings(NOISE // 10, RATE)
    assert said.startswith("quieter") and said.endswith("than the recordings of the training corpus")
    pytest.importorskip("soxr")
    assert [one.split()[0] for one in model.warnings(NOISE, 8000)] == ["narrower"]


def changed(path, entries, **others):
    """A file with other entries, rightly written."""
    names = {"weights": archive.WEIGHTS, "settings": archive.SETTINGS, "network": archive.NETWORK.format(0)}
    file = path.with_name("changed.sejax")
    tiny.write(file, entries | {names.get(name, name): content for name, content in others.items()})
    return file


def test_a_network_that_calls_anything_outside_of_it_is_not_run(path, entries):
    weights, like = {"kernel": tiny.part().weights["kernel"]}, np.zeros((2, *tiny.SHAPES[""][0][1:]), np.float32)

    def network(weights, inputs):  # by a library's function, which jax can export; host callbacks it cannot
        return tiny.posteriors(weights, inputs) * jnp.linalg.eigh(jnp.eye(3))[0]

    made = jax.export.export(jax.jit(network), platforms=("cpu",))(weights, like)
    assert "lapack" in made.mlir_module()
    with pytest.raises(InputError, match="network-0.stablehlo calls something outside of it; nothing of it was run"):
        sejax.load(changed(path, entries, network=bytes(made.serialize())))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"network": b"StableHLO"}, r"jax .* cannot read network-0.stablehlo .*; it was made with jax"),
        ({"network": b""}, "cannot read network-0.stablehlo"),
        ({"weights": b"weights"}, "is damaged .no safetensors"),
        ({"settings": b"{}\n"}, "settings.json lacks hears, level, classes"),
        ({"settings": b"[]\n"}, "settings.json holds a list"),
        ({archive.CARD: b"\xff"}, "is damaged"),
        ({"network-1.stablehlo": b""}, "holds networks of no members"),
    ],
)
def test_what_is_inside_is_not_believed(path, entries, others, said):
    with pytest.raises(InputError, match=said) as raised:
        sejax.load(changed(path, entries, **others))
    assert "\n" not in str(raised.value) and "changed.sejax" in str(raised.value)


def test_weights_of_another_network_are_refused(path, entries):
    other = tiny.packed({"0/kernel": np.zeros((2, 3), np.float32)})
    with pytest.raises(InputError, match="takes other weights than the file holds"):
        sejax.load(changed(path, entries, weights=other))
    members = ([[]], [[{}], [{}]], [])
    for settings in ({"hears": "all"}, {"hears": "crops"}, {"classes": 3}, *({"members": one} for one in members)):
        with pytest.raises(InputError, match="lacks"):
            sejax.load(changed(path, entries, settings=archive.as_json(tiny.SETTINGS | settings)))


def test_programs_say_nothing_of_the_machine_that_made_them(entries):
    content = entries[archive.NETWORK.format(0)]
    assert str(Path(tiny.__file__).parent).encode() not in content and b".py" not in content
    assert tiny.entries() == entries


ELSEWHERE = """
import json, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        here = ("flax", "optax", "orbax", "ml_collections", "absl", "tensorflow", "safetensors")
        rooms = ("sejax.experiments", "sejax.engine", "sejax.models", "sejax.pretrained")
        if name.partition(".")[0] in here or name.startswith(rooms):
            raise ImportError("not installed here: " + name)
sys.meta_path.insert(0, Refuse())
import numpy as np
import sejax
assert "jax" not in sys.modules
model = sejax.load(sys.argv[1])
noise = np.random.default_rng(1).normal(0, 1500, 5000).astype(np.int16)
print(json.dumps(model(noise, 16000).posteriors.tolist()))
"""


def test_it_answers_where_there_is_neither_flax_nor_the_code_that_trained_it(path):
    done = subprocess.run([sys.executable, "-c", ELSEWHERE, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_allclose(json.loads(done.stdout), by_hand(NOISE[:5000]), atol=1e-6)


def test_without_flatbuffers_the_package_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(InputError, match="pip install flatbuffers"):
        sejax.load(path)
