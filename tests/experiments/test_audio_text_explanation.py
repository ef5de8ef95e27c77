"""What a decision rests on: hand-worked changes, and importances that equal what the network says without a part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.rng import root_key
from sejax.experiments.audio_text.explanation import STRETCHES, explain, without_each_stretch, without_each_word
from sejax.experiments.audio_text.networks import Network
from sejax.models.audio_text import AudioText

SMALL = {"embedding": 3, "pool": 20, "gru": 2, "maps": 2, "widths": (2, 3), "hidden": 3, "channels": (2, 2)}


def test_each_word_is_left_out_once_and_those_after_it_move_up():
    words, count = without_each_word(jnp.array([5, 6, 7, 0]), jnp.int32(3))
    np.testing.assert_array_equal(words[:3], [[6, 7, 0, 0], [5, 7, 0, 0], [5, 6, 0, 0]])
    np.testing.assert_array_equal(count, 2)


def test_a_sentence_without_words_has_none_to_lose():
    assert int(without_each_word(jnp.zeros(1, jnp.int32), jnp.int32(0))[1][0]) == 0


def test_each_stretch_is_silenced_once_and_what_lies_beyond_the_length_is_none():
    waveform = jnp.arange(1, 101)
    quiet = np.asarray(without_each_stretch(waveform, jnp.int32(80)))
    assert quiet.shape == (STRETCHES, 100)
    np.testing.assert_array_equal((quiet[:, :80] == 0).sum(0), 1)
    np.testing.assert_array_equal((quiet[:, :80] == 0).sum(1), 2)
    np.testing.assert_array_equal(np.flatnonzero(quiet[3] == 0), [6, 7])
    np.testing.assert_array_equal(quiet[:, 80:], np.tile(waveform[80:], (STRETCHES, 1)))


@pytest.fixture(scope="module")
def batch():
    """Two pieces of other lengths, one without words."""
    random = np.random.default_rng(0)
    waveform = random.integers(-9000, 9000, (2, 400)).astype(np.int16)
    waveform[1, 300:] = 0
    words = jnp.array([[1, 2, 3, 0], [0, 0, 0, 0]], jnp.int32)
    return {
        "waveform": jnp.asarray(waveform),
        "length": jnp.array([400, 300]),
        "words": words,
        "word_count": jnp.array([3, 0]),
    }


def explained(fusion, batch, **given):
    network = Network(AudioText(fusion, 3, 5, **SMALL))
    params, statistics = jax.jit(network.init)(root_key(1))
    params = params | {"output": jax.tree.map(lambda x: 9 * x, params["output"])}  # differences that can be seen
    statistics = statistics | {"passes": jnp.float32(1e4)}
    statistics["running"] = jax.tree.map(lambda x: x + 0.05, statistics["running"])
    lookup = jnp.array([0, 2, 1, 4])
    run, posterior = (
        jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})
        for function in (
            lambda batch: explain(network, params, statistics, batch, lookup, **given),
            lambda batch: jax.nn.softmax(network.infer(params, statistics, batch, lookup)["logits"]),
        )
    )
    return run(batch), posterior


def test_importance_is_how_far_the_decision_falls_without_the_part(batch):
    found, posterior = explained("att_d_1", batch)
    np.testing.assert_allclose(found["posterior"], posterior(batch), atol=1e-6)
    decided = np.argmax(found["posterior"], -1)
    changed = {"words": batch["words"].at[0].set(jnp.array([1, 3, 0, 0])), "word_count": jnp.array([2, 0])}
    without = posterior(batch | changed)
    fall = found["posterior"][0, decided[0]] - without[0, decided[0]]
    assert abs(float(fall)) > 1e-4
    np.testing.assert_allclose(found["word_importance"][0, 1], fall, atol=1e-6)
    heard = np.asarray(found["audio_importance"][0])
    most = int(np.abs(heard).argmax())
    without = posterior(batch | {"waveform": batch["waveform"].at[0, 10 * most : 10 * most + 10].set(0)})
    fall = found["posterior"][0, decided[0]] - without[0, decided[0]]
    assert abs(float(fall)) > 1e-5
    np.testing.assert_allclose(heard[most], fall, atol=1e-6)


def test_what_is_not_there_has_no_importance(batch):
    found, _ = explained("att_d_1", batch)
    np.testing.assert_array_equal(found["word_importance"][1], 0)
    assert float(found["word_importance"][0, 3]) == 0
    np.testing.assert_allclose(found["attention"].sum(-1), 1, rtol=1e-6)


@pytest.mark.slow
def test_importance_can_be_asked_of_any_class(batch):
    found = [explained("addition", batch, decided=jnp.full(2, name, jnp.int32))[0] for name in range(3)]
    total = sum(np.asarray(one["word_importance"]) for one in found)
    assert np.abs(found[0]["word_importance"]).max() > 1e-4
    np.testing.assert_allclose(total, 0, atol=1e-6)  # probabilities add up to 1, with the word and without


@pytest.mark.parametrize(("fusion", "lacks"), [("audio", "word_importance"), ("text", "audio_importance")])
def test_a_branch_that_is_not_there_is_not_asked(batch, fusion, lacks):
    found, _ = explained(fusion, batch)
    assert {"word_importance", "audio_importance"} - set(found) == {lacks} and "attention" not in found
