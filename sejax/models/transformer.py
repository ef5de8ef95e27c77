"""Transformer layers over the real frames of recordings of different lengths, with WavLM's bias by distance or without.

Vaswani et al. (2017), arXiv:1706.03762; normalisation behind each part as there, or before it.
"""

from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sejax.core.rng import dropout, stream
from sejax.models.attention import attention
from sejax.models.normalisation import wide


class RelativeBias(NamedTuple):
    """WavLM's bias of attention by distance: `buckets` for both directions, logarithmic up to `distance` frames."""

    buckets: int = 320
    distance: int = 800


@jax.custom_jvp
def gelu(x):
    """x times the normal distribution function at x (Hendrycks and Gimpel 2016), not its approximation by tanh."""
    return x * _normal_cdf(x)


def _normal_cdf(x):
    return 0.5 + 0.5 * lax.erf(x * np.sqrt(0.5).astype(x.dtype))


@gelu.defjvp
def _gelu_tangent(primals, tangents):
    (x,), (tangent,) = primals, tangents
    cdf = _normal_cdf(x)
    slope = cdf + x * jnp.exp(-0.5 * jnp.square(x)) * np.sqrt(0.5 / np.pi).astype(x.dtype)
    return x * cdf, slope * tangent


def layer_norm(epsilon, name, dtype):
    """Layer normalisation with the variance of deviations, which loses nothing where the mean is large."""
    return nn.LayerNorm(epsilon, use_fast_variance=False, dtype=dtype, name=name)


def distance_buckets(frames, relative):
    """i32[F, F]: the row of the bias's table for a query (first axis) and a key (second) at each distance.

    Half of the buckets are for keys behind the query. In each half the first half of the buckets is a distance each,
    the others are logarithmic up to `relative.distance` (WavLM, section 3.2, after T5). frames may be symbolic.
    """
    if isinstance(frames, int):
        return _bucket(np.arange(frames)[None, :] - np.arange(frames)[:, None], relative)
    far = relative.distance  # and beyond, the last bucket of its half
    distance = jnp.arange(frames)[None, :] - jnp.arange(frames)[:, None]
    return jnp.asarray(_bucket(np.arange(-far, far + 1), relative))[jnp.clip(distance, -far, far) + far]


def _bucket(distance, relative):
    """i32[...] of distances i[...], see `distance_buckets`."""
    half = relative.buckets // 2
    exact = half // 2
    far = np.maximum(np.abs(distance), 1).astype(np.float32)
    far = np.log(far / np.float32(exact)) / np.float32(np.log(relative.distance / exact)) * np.float32(half - exact)
    far = np.minimum(exact + far, half - 1).astype(np.int32)
    bucket = np.where(np.abs(distance) < exact, np.abs(distance), far)
    return (bucket + half * (distance > 0)).astype(np.int32)


class _Attention(nn.Module):
    """Multi-head attention to real frames; dense layers query, key, value, output.

    With a bias by distance also `gate` (features of a head to 8) and gate_scale [heads]: how much of the bias a query
    takes (WavLM, equations 3 to 6).
    """

    heads: int
    dropout: float
    gated: bool
    dtype: Any

    @nn.compact
    def __call__(self, x, frames, bias, key):
        batch, length, width = x.shape
        dense = partial(nn.Dense, width, dtype=self.dtype)
        split = (batch, length, self.heads, width // self.heads)
        query, keys, value = (dense(name=name)(x).reshape(split) for name in ("query", "key", "value"))
        gate = None
        if self.gated:
            scale = self.param("gate_scale", nn.initializers.ones_init(), (self.heads,))
            gates = nn.Dense(8, dtype=self.dtype, name="gate")(x.reshape(split))
            gates = nn.sigmoid(wide(gates.reshape(*split[:3], 2, 4).sum(-1)))
            gate = gates[..., 0] * (gates[..., 1] * scale - 1.0) + 2.0  # [B, F, heads]
        key = key if key is None else stream(key, "attention", 0)
        y = attention(query, keys, value, frames, bias=bias, gate=gate, seed=key, rate=self.dropout)
        return dense(name="output")(y.reshape(batch, length, width))


def dropped(key, name, rate, x):
    """x with dropout from the stream `name` of a key; as it is without a key."""
    return x if key is None else dropout(stream(key, name, 0), x, rate=rate)


class TransformerLayer(nn.Module):
    """Attention and a dense layer of `feed_forward` features with GELU, each added to what it takes; [B, F, D].

    pre_norm: attention_norm and feed_forward_norm before each part, or behind each sum. gated: attention takes a bias
    by distance, see `_Attention`. hidden_dropout is that of both parts' outputs, attention_dropout of attention's
    weights, activation_dropout of the GELU's. Layers attention, feed_forward_hidden and feed_forward_output.
    """

    heads: int
    feed_forward: int
    pre_norm: bool = False
    gated: bool = False
    epsilon: float = 1e-5
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    dtype: Any = None

    @nn.compact
    def __call__(self, x, frames, bias=None, key=None):
        """Map x [B, F, D], of which the first frames[b] of each row are attended to.

        bias: [heads, F, F] by distance; key: typed, that dropout is drawn from, None for no dropout.
        """
        norms = [layer_norm(self.epsilon, name, self.dtype) for name in ("attention_norm", "feed_forward_norm")]
        before, behind = (norms, [_same] * 2) if self.pre_norm else ([_same] * 2, norms)
        attention = _Attention(self.heads, self.attention_dropout, self.gated, self.dtype, name="attention")
        y = attention(before[0](x), frames, bias, key)
        x = behind[0](x + dropped(key, "after attention", self.hidden_dropout, y))
        y = gelu(nn.Dense(self.feed_forward, dtype=self.dtype, name="feed_forward_hidden")(before[1](x)))
        y = dropped(key, "activation", self.activation_dropout, y)
        y = nn.Dense(x.shape[-1], dtype=self.dtype, name="feed_forward_output")(y)
        return behind[1](x + dropped(key, "after feed-forward", self.hidden_dropout, y))


def _same(x):
    return x
