"""The network with its first weights, its running statistics, and a sentence's words as rows of its vectors."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from sejax.core.experiment import PyTree
from sejax.core.rng import stream
from sejax.models.audio_text import AudioText
from sejax.models.normalisation import settled

TEXT_ONLY, AUDIO_ONLY = "text", "audio"
EMBEDDING = "embed"  # the text branch's layer that holds the words' vectors


@dataclass(frozen=True, eq=False)
class Network:
    """A fusion as pure functions of (params, statistics); batches are as `sejax.data.streams` makes them.

    ``lookup`` i32[types] is the row of each word type among the vectors.
    """

    model: AudioText

    @property
    def reads(self) -> bool:
        """Whether it has a branch for words."""
        return self.model.fusion != AUDIO_ONLY

    @property
    def listens(self) -> bool:
        """Whether it has a branch for the waveform."""
        return self.model.fusion != TEXT_ONLY

    @property
    def attends(self) -> bool:
        """Whether it has attention scores."""
        return self.model.fusion.startswith("att_")

    def init(self, key: jax.Array, vectors: jax.Array | None = None) -> tuple[PyTree, PyTree]:
        """First params, and statistics that have seen nothing. ``vectors``: f32[V, E], the words' first vectors."""
        waveform, words = jnp.zeros((2, 64)), jnp.zeros((2, 1), jnp.int32)
        length, count = jnp.full((2,), 64), jnp.ones((2,), jnp.int32)
        found = self.model.init(stream(key, "first weights", 0), waveform, length, words, count)
        params = found["params"]
        if vectors is not None and self.reads:
            params = params | {"text": params["text"] | {EMBEDDING: {"embedding": vectors}}}
        running = jax.tree.map(jnp.zeros_like, found.get("batch_stats", {}))
        return params, {"running": running, "passes": jnp.zeros(())}

    def train(self, params, statistics, batch, rows: jax.Array, count: jax.Array, seed) -> tuple[PyTree, PyTree]:
        """Outputs in training and the moved statistics; ``rows`` i32[B, W] and ``count`` are the words that are left.

        ``seed`` is dropout's key.
        """
        found, moved = self.model.apply(
            {"params": params, "batch_stats": statistics["running"]},
            *(batch["waveform"], batch["length"], rows, count),
            train=True,
            seed=seed,
            mutable=["batch_stats"],
        )
        moved = {"running": moved.get("batch_stats", {}), "passes": statistics["passes"] + 1}
        return found, moved

    def infer(self, params, statistics, batch, lookup: jax.Array) -> PyTree:
        """Outputs by running statistics: what a row becomes does not depend on those beside it."""
        return self.model.apply(
            self.variables(params, statistics),
            *(batch["waveform"], batch["length"], lookup[batch["words"]], batch["word_count"]),
        )

    def untuned(self, params) -> PyTree:
        """True for each weight but the words' vectors."""
        return jax.tree_util.tree_map_with_path(lambda path, _: EMBEDDING not in jax.tree_util.keystr(path), params)

    def variables(self, params, statistics) -> PyTree:
        """What the model infers with."""
        return {"params": params, "batch_stats": settled(statistics)}
