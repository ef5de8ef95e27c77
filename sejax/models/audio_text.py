"""The network on raw waveform and transcript, fused by attention (Lima and Bak 2018, doi 10.1145/3297067.3297089).

Waveform and words each become features x of one size n; a fusion makes y of both (section 3.3), and two dense layers
classify it. Rows of a batch are of different lengths: nothing beyond a row's own length enters anything.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sejax.core.rng import dropout, glorot_uniform, he_normal, stream, uniform
from sejax.errors import InputError
from sejax.models.encoder_branch import EncoderBranch, SoundEncoder
from sejax.models.gru import GRU
from sejax.models.masked import MaskedBatchNorm, Shortcut, pool_of_sum, real_moments, scaled_where_real
from sejax.models.normalisation import wide
from sejax.models.waveform_convolution import WaveformConvolution

FULL_SCALE = 2.0**15  # of int16 samples
ATTENTIONS = ("att_s_1", "att_d_1", "att_s_n", "att_d1_n", "att_d2_n")
FUSIONS = (*ATTENTIONS, "concatenation", "addition", "audio", "text")


class AudioBranch(nn.Module):
    """Features of raw waveforms (section 3.1): [B, T] to [B, features].

    Layers conv_1, norm_1, ReLU, conv_2, norm_2; beside them `shortcut`, a strided projection of every sample that a
    position stands on; ReLU of the sum, adaptive max pooling to `pool` values, gru, and `scale` to the features' size.
    """

    features: int
    kernels: tuple[int, int] = (25, 5)
    channels: tuple[int, int] = (4, 8)
    strides: tuple[int, int] = (4, 2)
    pool: int = 200
    gru: int = 32
    gru_summary: str = "last"
    pool_padding: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, waveform, length, *, train=False):
        """Features of waveform [B, T], samples in [-1, 1), of which the first length[b] are real."""
        if self.pool_padding:  # as published: zeros up to the longest of the batch are part of every row
            length = jnp.where(length > 0, waveform.shape[1], 0)
        (first, second), (stride, then) = self.channels, self.strides
        x = jnp.where(jnp.arange(waveform.shape[1]) < length[:, None], waveform, 0.0)
        x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % (stride * then * 64))))
        middle, last = -(-length // stride), -(-length // (stride * then))
        conv = partial(WaveformConvolution, dtype=self.dtype)
        y = conv(first, self.kernels[0], stride, name="conv_1")(x[..., None])
        scaling = MaskedBatchNorm(first, name="norm_1")(real_moments(y, middle) if train else None)
        y = nn.relu(scaled_where_real(y, middle, *scaling))
        y = conv(second, self.kernels[1], then, name="conv_2")(y)
        slope, offset = MaskedBatchNorm(second, name="norm_2")(real_moments(y, last) if train else None)
        signal = x[:, :: stride * then]
        signal_slope, signal_offset = Shortcut(second, name="shortcut")(signal, last, train=train)
        offset = offset + signal_offset
        # The maximum of ReLU is ReLU of the maximum.
        y = nn.relu(pool_of_sum(wide(y), slope, wide(signal), signal_slope, offset, last, self.pool))
        y = GRU(self.gru, summary=self.gru_summary, name="gru")(y)
        return nn.Dense(self.features, kernel_init=glorot_uniform, name="scale")(y)


class TextBranch(nn.Module):
    """Features of words (section 3.2, after Kim 2014): rows of a vocabulary [B, W] to [B, maps for each width].

    Layers embed (embedding [V, E]), and conv_P for every width P: kernel [P, E, maps] and bias, over max(words, P)
    places with zeros beyond the sentence; ReLU and the maximum over places.
    """

    vocabulary: int
    embedding: int = 150
    widths: tuple[int, ...] = (3, 5)
    maps: int = 200
    dtype: Any = None

    @nn.compact
    def __call__(self, words, word_count):
        """Features of words i32[B, W], of which the first word_count[b] are the sentence."""
        init = partial(uniform, limit=0.25)
        x = nn.Embed(self.vocabulary, self.embedding, embedding_init=init, dtype=self.dtype, name="embed")(words)
        x = jnp.where((jnp.arange(words.shape[1]) < word_count[:, None])[..., None], x, 0.0)
        missing = max(0, max(self.widths) - words.shape[1])
        x = jnp.pad(x, ((0, 0), (0, missing), (0, 0)))
        return jnp.concatenate([self._maxima(x, word_count, width) for width in self.widths], axis=-1)

    def _maxima(self, x, word_count, width):
        conv = _SentenceConvolution(self.maps, width, dtype=self.dtype, name=f"conv_{width}")
        y = conv(x)
        inside = jnp.arange(y.shape[1]) <= jnp.maximum(word_count - width, 0)[:, None]
        return wide(nn.relu(jnp.where(inside[..., None], y, -jnp.inf).max(1)))


class _SentenceConvolution(nn.Module):
    """A convolution over words, [B, W, E] to [B, W - width + 1, maps]: a matrix product over neighbours."""

    maps: int
    width: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", he_normal, (self.width, x.shape[-1], self.maps))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.maps,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        places = x.shape[1] - self.width + 1
        seen = jnp.concatenate([x[:, i : i + places] for i in range(self.width)], axis=-1)
        return seen @ kernel.reshape(-1, self.maps) + bias


class Fusion(nn.Module):
    """One vector y of features of audio and text, [B, n] each, and the attention that each got (section 3.3).

    att_s_1: a = f(W x) with W 1 x n (equation 4); att_d_1: W2 f(W1 x) with W2 1 x n (5); att_s_n: f(W x) with W
    n x n (6); att_d1_n: W1 f(W1 x), the same W1 twice (7); att_d2_n: W2 f(W1 x) (8). f is ReLU; p = softmax over the
    two (9), y = p_text * x_text + p_audio * x_audio (10). concatenation: (text, audio) (2); addition (3).
    Parameters attend_1 and attend_2, kernels [n, 1 or n] without bias, the same for both; with `shared` False
    audio's are attend_audio_1 and so on.
    """

    fusion: str
    shared: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, audio, text):
        """(y [B, n], or [B, 2 n] of a concatenation; attention f32[B, 2] to audio and text, nan without any)."""
        nothing = jnp.full((audio.shape[0], 2), jnp.nan, jnp.float32)
        if self.fusion == "concatenation":
            return jnp.concatenate([text, audio], axis=-1), nothing
        if self.fusion == "addition":
            return text + audio, nothing
        if self.fusion in ("audio", "text"):
            return (audio if self.fusion == "audio" else text), nothing
        both = jnp.stack([audio, text], axis=1)  # [B, 2, n]
        if self.shared:
            scores = self._scores(both, "attend")
        else:
            each = [self._scores(x, f"attend_{name}") for name, x in (("audio", audio), ("text", text))]
            scores = jnp.stack(each, axis=1)
        share = nn.softmax(wide(scores), axis=1)
        return (share * both).sum(1), share.mean(-1)

    def _scores(self, x, name):
        """Attention scores [..., 1 or n] of features x [..., n]."""
        features = x.shape[-1]
        dense = partial(nn.Dense, use_bias=False, kernel_init=glorot_uniform, dtype=self.dtype)
        first = dense(1 if self.fusion == "att_s_1" else features, name=f"{name}_1")
        scores = nn.relu(first(x))
        if self.fusion == "att_d1_n":
            return first(scores)
        if self.fusion in ("att_d_1", "att_d2_n"):
            return dense(1 if self.fusion == "att_d_1" else features, name=f"{name}_2")(scores)
        return scores


class AudioText(nn.Module):
    """Logits of waveform and transcript; subtrees audio and text (absent where `fusion` is the other alone), fuse,
    and the dense layers hidden_layer and output.

    Attributes:
      fusion: of FUSIONS.
      num_classes: logits.
      vocabulary: rows of the embedding; row 0 stands for every unknown word.
      embedding: numbers of a word's vector.
      kernels, channels, strides, pool, gru, gru_summary, pool_padding: of `AudioBranch`.
      widths, maps: of `TextBranch`; both kinds of features have n = len(widths) * maps numbers.
      hidden, dropout: of the layer between fusion and logits.
      shared_attention: one W for both modalities, as written in the paper.
      sound: a speech encoder in the place of `AudioBranch`. One that is not trained here has states
        f32[B, states, width] (`sejax.models.encoder_branch.mean_states`) where `waveform` is written below.
      dtype: of products and convolutions; None: that of the inputs.
    """

    fusion: str
    num_classes: int
    vocabulary: int
    embedding: int = 150
    kernels: tuple[int, int] = (25, 5)
    channels: tuple[int, int] = (4, 8)
    strides: tuple[int, int] = (4, 2)
    pool: int = 200
    gru: int = 32
    gru_summary: str = "last"
    widths: tuple[int, ...] = (3, 5)
    maps: int = 200
    hidden: int = 96
    dropout: float = 0.55
    pool_padding: bool = False
    shared_attention: bool = True
    sound: SoundEncoder | None = None
    dtype: Any = None

    def setup(self):
        """Raises InputError where `fusion` is not one of FUSIONS."""
        if self.fusion not in FUSIONS:
            raise InputError(f"AudioText: no fusion {self.fusion!r}; there are {', '.join(FUSIONS)}")
        names = ("kernels", "channels", "strides", "pool", "gru", "gru_summary")
        sizes = {name: getattr(self, name) for name in names}
        if self.fusion != "text" and self.sound is not None:
            self.audio = EncoderBranch(self.features, self.sound, dtype=self.dtype)
        elif self.fusion != "text":
            padding = {"pool_padding": self.pool_padding}
            self.audio = AudioBranch(self.features, **sizes, **padding, dtype=self.dtype)
        if self.fusion != "audio":
            self.text = TextBranch(self.vocabulary, self.embedding, self.widths, self.maps, dtype=self.dtype)
        self.fuse = Fusion(self.fusion, shared=self.shared_attention, dtype=self.dtype)
        self.hidden_layer = nn.Dense(self.hidden, kernel_init=glorot_uniform, dtype=self.dtype)
        self.output = nn.Dense(self.num_classes, kernel_init=glorot_uniform)

    @property
    def features(self) -> int:
        """Numbers n in the features of either modality."""
        return len(self.widths) * self.maps

    def __call__(self, waveform, length, words, word_count, *, train=False, seed=None):
        """What `fused` gives for waveform [B, T] (int16, or float in [-1, 1]) and words i32[B, W].

        length, word_count: i32[B], how much of each row is real. Rows of length 0 fill a batch up: they enter no
        statistic, and what they give is finite and means nothing. `train` takes the batch's own statistics
        ("batch_stats" mutable) and drops out, by `seed` as in `sejax.core.rng.dropout`.
        """
        audio = self.audio_features(waveform, length, train=train, seed=seed)
        return self.fused(audio, self.text_features(words, word_count), train=train, seed=seed)

    def audio_features(self, waveform, length, *, train=False, seed=None):
        """Features f32[B, n] of the waveforms; zeros where the network has no such branch."""
        if self.fusion == "text":
            return jnp.zeros((waveform.shape[0], self.features))
        if self.sound is not None:
            key = None if seed is None else stream(seed, "encoder", 0)
            return self.audio(waveform, length, train=train, key=key)
        if jnp.issubdtype(waveform.dtype, jnp.integer):
            waveform = waveform.astype(jnp.float32) / FULL_SCALE
        return self.audio(waveform, length, train=train)

    def text_features(self, words, word_count):
        """Features f32[B, n] of the transcripts; zeros where the network has no such branch."""
        if self.fusion == "audio":
            return jnp.zeros((words.shape[0], self.features))
        return self.text(words, word_count)

    def fused(self, audio, text, *, train=False, seed=None):
        """{"logits": f32[B, C], "attention": f32[B, 2], "audio": f32[B, n], "text": f32[B, n]} of both features.

        Attention to audio and text is the mean over dimensions, nan where the fusion has none. Raises InputError
        in training without a seed for its dropout.
        """
        y, attention = self.fuse(audio, text)
        y = nn.relu(self.hidden_layer(y))
        if train and self.dropout > 0:
            if seed is None:
                raise InputError("AudioText: training drops out at random; give seed=")
            y = dropout(seed, y, rate=self.dropout)
        return {"logits": wide(self.output(y)), "attention": attention, "audio": audio, "text": text}
