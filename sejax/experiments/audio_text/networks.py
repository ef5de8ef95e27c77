"""The network with its first weights, its running statistics, and a sentence's words as rows of its vectors."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from sejax.core.experiment import PyTree
from sejax.core.rng import stream
from sejax.models import freezing
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

    @property
    def hears_states(self) -> bool:
        """Whether it takes states of a frozen encoder, a batch's "states", in the place of its "waveform"."""
        return self.listens and self.model.sound is not None and not self.model.sound.trained

    @property
    def tunes_encoder(self) -> bool:
        """Whether it holds an encoder that is trained with it."""
        return self.listens and self.model.sound is not None and self.model.sound.trained

    def init(
        self, key: jax.Array, vectors: jax.Array | None = None, encoder: PyTree | None = None
    ) -> tuple[PyTree, PyTree]:
        """First params, and statistics that have seen nothing.

        ``vectors``: f32[V, E], the words' first vectors; ``encoder``: the first params of one that is trained.
        """
        waveform, words = jnp.zeros((2, 64)), jnp.zeros((2, 1), jnp.int32)
        length, count = jnp.full((2,), 64), jnp.ones((2,), jnp.int32)
        if self.hears_states:
            waveform = jnp.zeros((2, len(self.model.sound.layers), self.model.sound.architecture.width))
        found = self.model.init(stream(key, "first weights", 0), waveform, length, words, count)
        params = found["params"]
        if vectors is not None and self.reads:
            params = params | {"text": params["text"] | {EMBEDDING: {"embedding": vectors}}}
        if encoder is not None and self.tunes_encoder:
            params = params | {"audio": params["audio"] | {"encoder": encoder}}
        running = jax.tree.map(jnp.zeros_like, found.get("batch_stats", {}))
        return params, {"running": running, "passes": jnp.zeros(())}

    def train(self, params, statistics, batch, rows: jax.Array, count: jax.Array, seed) -> tuple[PyTree, PyTree]:
        """Outputs in training and the moved statistics; ``rows`` i32[B, W] and ``count`` are the words that are left.

        ``seed`` is dropout's key.
        """
        found, moved = self.model.apply(
            {"params": params, "batch_stats": statistics["running"]},
            *(self.sound(batch), batch["length"], rows, count),
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
            *(self.sound(batch), batch["length"], lookup[batch["words"]], batch["word_count"]),
        )

    def sound(self, batch) -> jax.Array:
        """What of a batch the audio branch takes."""
        return batch["states" if self.hears_states else "waveform"]

    def trains(self, params, *, tuned: bool) -> PyTree:
        """True for each weight that is trained: not the words' vectors unless ``tuned``, no layer that is frozen."""
        trained = jax.tree.map(lambda _: True, params)
        if not tuned and self.reads:
            trained["text"][EMBEDDING] = {"embedding": False}
        if self.tunes_encoder:
            encoder = freezing.trainable(params["audio"]["encoder"], self.model.sound.frozen)
            trained["audio"]["encoder"] = encoder
        return trained

    def own(self, params) -> PyTree:
        """True for each weight but an encoder's."""
        own = jax.tree.map(lambda _: True, params)
        if self.tunes_encoder:
            own["audio"]["encoder"] = jax.tree.map(lambda _: False, own["audio"]["encoder"])
        return own

    def variables(self, params, statistics) -> PyTree:
        """What the model infers with."""
        return {"params": params, "batch_stats": settled(statistics)}
