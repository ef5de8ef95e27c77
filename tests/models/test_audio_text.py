"""The network of waveform and transcript: padding changes nothing, and neither do odd inputs and rows that fill up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.errors import InputError
from sejax.models.audio_text import FUSIONS, AudioText

SMALL = {"embedding": 4, "pool": 7, "gru": 3, "maps": 5, "hidden": 6}
SAMPLES, WORDS = 700, 7
# A full row; one sample and no word; silence; a row that fills up; fewer samples than cells.
LENGTH = np.array([700, 1, 300, 0, 40], np.int32)
COUNT = np.array([7, 0, 3, 0, 2], np.int32)
SILENT, FILLS_UP = 2, 3
NETWORK = AudioText("att_d_1", 3, 9, **SMALL)


def batch(samples=SAMPLES, words=WORDS):
    """The same rows, padded to so many samples and words; padding holds anything."""
    random = np.random.default_rng(0)
    waveform = random.integers(-9000, 9000, (5, SAMPLES)).astype(np.int16)
    waveform[SILENT] = 0
    rows = random.integers(0, 9, (5, WORDS)).astype(np.int32)
    waveform = np.pad(waveform, ((0, 0), (0, samples - SAMPLES)), constant_values=12345)
    return waveform, LENGTH, np.pad(rows, ((0, 0), (0, words - WORDS)), constant_values=8), COUNT


@pytest.fixture(scope="module")
def variables():
    return compiled(NETWORK.init, jax.random.key(0), *batch())


def compiled(function, *arguments):
    """What a function returns, compiled in a third of the usual time."""
    lowered = jax.jit(function).lower(*arguments)
    return lowered.compile(compiler_options={"xla_backend_optimization_level": 0})(*arguments)


def trained(variables, *rows):
    """(outputs, moved statistics, gradients) of one pass in training; the row that fills up has no loss."""

    def loss(params):
        given = variables | {"params": params}
        found, moved = NETWORK.apply(given, *rows, train=True, seed=jnp.uint32(5), mutable=["batch_stats"])
        weight = jnp.where(rows[1] > 0, 1.0, 0.0)[:, None] * jnp.array([1.0, -2.0, 0.5])
        return (found["logits"] * weight).sum(), (found, moved["batch_stats"])

    gradients, found = jax.grad(loss, has_aux=True)(variables["params"])
    return *found, gradients


@pytest.fixture(scope="module")
def once(variables):
    return compiled(trained, variables, *batch())


def test_padding_further_changes_neither_logits_nor_statistics_nor_gradients(variables, once):
    further = compiled(trained, variables, *batch(SAMPLES + 900, WORDS + 4))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), once, further)


@pytest.fixture(scope="module")
def evaluated(variables):
    return compiled(NETWORK.apply, variables, *batch())


def test_padding_further_changes_no_logit_in_evaluation(variables, evaluated):
    few, many = evaluated, compiled(NETWORK.apply, variables, *batch(SAMPLES + 900, WORDS + 4))
    np.testing.assert_allclose(few["logits"], many["logits"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(few["attention"], many["attention"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(few["attention"].sum(1), 1, rtol=1e-5)


def test_a_row_that_fills_up_changes_nothing_and_everything_stays_finite(variables, once):
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(once))
    kept = np.arange(5) != FILLS_UP
    rows = [array[kept] for array in batch()]

    def without(variables, *rows):
        return NETWORK.apply(variables, *rows, train=True, seed=jnp.uint32(5), mutable=["batch_stats"])[1]

    moved = compiled(without, variables, *rows)["batch_stats"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), once[1], moved)


def test_members_under_vmap_are_each_alone(variables, evaluated):
    other = jax.tree.map(lambda x: x * 1.5, variables)
    both = jax.tree.map(lambda *each: jnp.stack(each), variables, other)
    found = compiled(jax.vmap(lambda variables: NETWORK.apply(variables, *batch())), both)
    np.testing.assert_allclose(found["logits"][0], evaluated["logits"], rtol=0, atol=1e-5)
    assert not np.allclose(found["logits"][0], found["logits"][1])


def test_a_row_that_fills_up_enters_no_statistic_where_padding_is_pooled_either(variables):
    padded = AudioText("audio", 3, 9, pool_padding=True, **SMALL)
    given = {name: {part: tree for part, tree in of.items() if part != "text"} for name, of in variables.items()}

    def moved(*rows):
        return padded.apply(given, *rows, train=True, seed=jnp.uint32(5), mutable=["batch_stats"])[1]

    rows = batch()
    fewer = [np.delete(array, FILLS_UP, axis=0) for array in rows]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), compiled(moved, *rows), compiled(moved, *fewer)
    )


def test_whole_samples_are_fractions_of_full_scale(variables, evaluated):
    waveform, *others = batch()
    found = compiled(NETWORK.apply, variables, waveform / np.float32(32768), *others)
    np.testing.assert_allclose(found["audio"], evaluated["audio"], rtol=1e-6)


def test_sentences_may_be_shorter_than_the_widest_kernel(variables):
    text = AudioText("text", 3, 9, **SMALL)
    given = {"params": {name: tree for name, tree in variables["params"].items() if name != "audio"}}
    waveform, length, words, count = batch()
    count = np.minimum(count, 2)
    short, long = (compiled(text.apply, given, waveform, length, words[:, :width], count) for width in (2, WORDS))
    np.testing.assert_allclose(short["logits"], long["logits"], rtol=0, atol=1e-5)


def test_first_vectors_of_words_are_uniform_in_a_quarter():
    init = AudioText("text", 3, 500, **SMALL).init
    vectors = compiled(init, jax.random.key(0), *batch())["params"]["text"]["embed"]["embedding"]
    assert 0.24 < np.abs(vectors).max() <= 0.25 and vectors.std() == pytest.approx(0.5 / 12**0.5, rel=0.05)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_network_has_the_branches_that_its_fusion_uses(fusion):
    network = AudioText(fusion, 3, 9, **SMALL)
    shapes = jax.eval_shape(network.init, jax.random.key(0), *batch())["params"]
    branches = {"audio": {"audio"}, "text": {"text"}}.get(fusion, {"audio", "text"})
    assert {"audio", "text"} & set(shapes) == branches
    width = 20 if fusion == "concatenation" else 10
    assert shapes["hidden_layer"]["kernel"].shape == (width, 6)


def test_an_unknown_fusion_and_training_without_a_seed_are_refused(variables):
    with pytest.raises(InputError, match="'att_x'.*att_s_1"):
        jax.eval_shape(AudioText("att_x", 3, 9).init, jax.random.key(0), *batch())
    with pytest.raises(InputError, match="seed="):
        NETWORK.apply(variables, *jnp.ones((2, 1, 10)), train=True, method="fused")
