"""The network of audio and text as pure functions: its first vectors, and the statistics that it infers with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.rng import root_key
from sejax.experiments.audio_text.networks import Network
from sejax.models.audio_text import AudioText

SIZES = {"embedding": 2, "pool": 3, "gru": 2, "maps": 2, "hidden": 3, "dropout": 0.0}
VECTORS = jnp.arange(8.0).reshape(4, 2)


def network(fusion):
    return Network(AudioText(fusion, 2, 4, **SIZES))


def test_given_vectors_are_the_first_ones_where_words_are_read():
    params, _ = jax.eval_shape(lambda: network("audio").init(root_key(0), VECTORS))
    assert "text" not in params
    params, _ = jax.jit(network("text").init)(root_key(0), VECTORS)
    np.testing.assert_array_equal(params["text"]["embed"]["embedding"], VECTORS)


@pytest.mark.parametrize("passes", [1, 2])
def test_after_passes_over_one_batch_it_infers_by_that_batchs_statistics(passes):
    audio = network("audio")
    params, statistics = jax.jit(audio.init)(root_key(0))
    assert not any(leaf.any() for leaf in jax.tree.leaves(statistics))
    waveform = jax.random.normal(jax.random.key(1), (2, 64))
    batch = {"waveform": waveform, "length": jnp.full(2, 64), "words": jnp.zeros((2, 1), jnp.int32)}
    rows, count = batch["words"], jnp.zeros(2, jnp.int32)
    train = jax.jit(lambda statistics: audio.train(params, statistics, batch, rows, count, jnp.uint32(0))[1])
    for _ in range(passes):
        statistics = train(statistics)
    assert float(statistics["passes"]) == passes
    variables = audio.variables(params, statistics)
    # The shortcut is the signal times a number for each channel, before its normalisation.
    kernel = params["audio"]["shortcut"]["kernel"][0, 0]
    found = variables["batch_stats"]["audio"]["shortcut"]["norm"]
    np.testing.assert_allclose(found["mean"], kernel * waveform[:, ::8].mean(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["var"], kernel**2 * waveform[:, ::8].var(ddof=1), rtol=1e-4)
