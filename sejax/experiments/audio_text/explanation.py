"""What a decision rests on: by how much its probability falls when a word, or a stretch of sound, is not there.

Beside the attention of Lima and Bak (section 5), which says how much of each modality enters, this says which words and
which moments: leaving things out asks the network itself, and holds for every way of fusing.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sejax.core.experiment import Batch
from sejax.experiments.audio_text.networks import Network

STRETCHES = 40  # of equal length, silenced one after the other


def explain(
    network: Network,
    params,
    statistics,
    batch: Batch,
    lookup: jax.Array,
    decided: jax.Array | None = None,
    encode: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
) -> dict[str, jax.Array]:
    """Posteriors of a batch, and the importance of each word and stretch for the class decided for.

    Args:
      network, params, statistics: a trained one.
      batch: of E pieces, as `sejax.data.streams` makes them: T samples, W words at most. Where the network hears states
        of a frozen encoder they are there already, with "quiet" f32[E, STRETCHES, states, width] of the pieces without
        each stretch, or ``encode`` makes them.
      lookup: i32[types], the row of each word type.
      decided: i32[E], the class that importance is asked for; None: the network's own decision.
      encode: ``encode(waveform [B, T], length i32[B]) -> f32[B, states, width]``, of a frozen encoder.

    Returns:
      posterior f32[E, C]; attention f32[E, 2] of audio and text where the fusion has any; word_importance f32[E, W]
      where it reads; audio_importance f32[E, STRETCHES], of stretches of the piece's own length, where it listens.
    """

    def one(given):
        row, decision = given
        row = jax.tree.map(lambda x: x[None], row)
        if encode is not None:
            row = row | {"states": encode(row["waveform"], row["length"])}
        found = network.infer(params, statistics, row, lookup)
        posterior = jax.nn.softmax(found["logits"])[0]
        kept = {"posterior": posterior}
        if network.attends:
            kept["attention"] = found["attention"][0]
        chosen = posterior.argmax() if decided is None else decision
        variables = network.variables(params, statistics)

        def lost(audio, text):
            fused = network.model.apply(variables, audio, text, method="fused")
            return posterior[chosen] - jax.nn.softmax(fused["logits"])[:, chosen]

        if network.reads:
            words, count = without_each_word(lookup[row["words"]][0], row["word_count"][0])
            text = network.model.apply(variables, words, count, method="text_features")
            falls = lost(_repeated(found, "audio", len(text)), text)
            kept["word_importance"] = jnp.where(jnp.arange(len(falls)) < row["word_count"], falls, 0.0)
        if network.listens:
            audio = _quiet_features(network, variables, row, encode)
            kept["audio_importance"] = lost(audio, _repeated(found, "text", STRETCHES))
        return kept

    rows = len(batch["length"])
    return jax.lax.map(one, (batch, jnp.zeros(rows, jnp.int32) if decided is None else decided))


def _quiet_features(network: Network, variables, row: Batch, encode) -> jax.Array:
    """Features f32[STRETCHES, n] of a piece without each stretch."""
    length = jnp.repeat(row["length"], STRETCHES)

    def features(sound, length):
        return network.model.apply(variables, sound, length, method="audio_features")

    if "quiet" in row:
        return features(row["quiet"][0], length)
    quiet = without_each_stretch(row["waveform"][0], row["length"][0])
    if not network.hears_states and not network.tunes_encoder:
        return features(quiet, length)

    def one(waveform):  # an encoder's activations for all stretches at once would take many GiB
        sound = waveform[None] if encode is None else encode(waveform[None], row["length"])
        return features(sound, row["length"])[0]

    return jax.lax.map(one, quiet)


def _repeated(found, name: str, count: int) -> jax.Array | None:
    """The features of one piece, [count, n]; None for a branch that is not there."""
    return None if found.get(name) is None else jnp.repeat(found[name], count, axis=0)


def without_each_word(words: jax.Array, count: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sentences i32[W, W] and their counts i32[W]: the w-th lacks word w, and those after it have moved up."""
    place = jnp.arange(len(words))
    kept = place + (place >= place[:, None])
    rows = jnp.where(kept < len(words), words[jnp.minimum(kept, len(words) - 1)], 0)
    return rows, jnp.maximum(count - 1, 0) + jnp.zeros_like(place)


def without_each_stretch(waveform: jax.Array, length: jax.Array) -> jax.Array:
    """Waveforms [STRETCHES, T]: the s-th is silent from s / STRETCHES of the length on, for as long as a stretch."""
    # In floats: a product of a sample's place and 40 may pass 2**31.
    stretch = jnp.floor(jnp.arange(len(waveform)) / jnp.maximum(length, 1) * STRETCHES).astype(jnp.int32)
    return jnp.where(stretch == jnp.arange(STRETCHES)[:, None], jnp.zeros((), waveform.dtype), waveform)
