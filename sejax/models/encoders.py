"""Speech encoders: wav2vec 2.0, HuBERT, WavLM and data2vec-audio, one network that four families set up differently.

Strided convolutions make frames of the waveform, one every 20 ms; a convolution over neighbouring frames tells
positions; transformer layers follow. What differs is in `Architecture`: how convolutions and layers are normalised,
what tells positions. Each recording of a batch gives what it gives alone: nothing beyond its length enters anything.

Sources: Baevski, Zhou, Mohamed and Auli (2020), "wav2vec 2.0", arXiv:2006.11477; Hsu et al. (2021), "HuBERT",
arXiv:2106.07447; Chen et al. (2021), "WavLM", arXiv:2110.13900; Baevski et al. (2022), "data2vec", arXiv:2202.03555.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from sejax.core.rng import stream
from sejax.errors import InputError
from sejax.models import freezing
from sejax.models.normalisation import wide
from sejax.models.sequence_convolution import convolve_centred, convolve_same, convolve_valid
from sejax.models.span_masks import span_mask
from sejax.models.transformer import RelativeBias, TransformerLayer, distance_buckets, dropped, gelu, layer_norm

FULL_SCALE = 2.0**15  # of int16 samples
SAMPLE_RATE = 16000  # Hz, of what every published encoder was trained on


class Positions(NamedTuple):
    """The convolutions that tell positions: `depth` of them, of `kernel` frames, in `groups` of channels.

    norm: "weight", the kernel is a direction and a length for each of its frames (weight normalisation, Salimans and
    Kingma 2016); "layer", the output is normalised over channels, without scale or shift (data2vec).
    """

    kernel: int = 128
    groups: int = 16
    depth: int = 1
    norm: str = "weight"


class Architecture(NamedTuple):
    """Sizes and kind of an encoder; the defaults are those of wav2vec 2.0 and HuBERT base.

    Attributes:
      convolutions: (channels, kernel, stride) of each, the first on samples.
      convolution_norm: "group", each channel of the first convolution over a recording's time; "layer", every
        convolution over channels.
      convolution_bias: whether convolutions have one.
      projection_norm: whether frames are normalised before they are projected to `width`.
      positions, relative: what tells positions; `relative` None but for WavLM.
      width, layers, heads, feed_forward: of the transformer.
      pre_norm: normalisation before attention and feed-forward, and at the end (the large models), or behind them.
      epsilon: of normalisation in the transformer and the projection; convolutions have 1e-5.
      normalise: whether a recording is brought to mean 0 and variance 1 first (`do_normalize` of feature extractors).
    """

    convolutions: tuple = ((512, 10, 5), *((512, 3, 2),) * 4, *((512, 2, 2),) * 2)
    convolution_norm: str = "group"
    convolution_bias: bool = False
    projection_norm: bool = True
    positions: Positions = Positions()
    relative: RelativeBias | None = None
    width: int = 768
    layers: int = 12
    heads: int = 12
    feed_forward: int = 3072
    pre_norm: bool = False
    epsilon: float = 1e-5
    normalise: bool = True


class Regularisation(NamedTuple):
    """What training draws at random; nothing by default. Rates of dropout, and:

    layer_drop: the probability of passing a layer over (Fan, Grave and Joulin 2020, arXiv:1909.11556).
    mask_share, mask_length, least_masks: time masks of SpecAugment (Park et al. 2019, arXiv:1904.08779), in frames;
    see `sejax.models.span_masks.span_mask`.
    """

    projection: float = 0.0
    hidden: float = 0.0
    attention: float = 0.0
    activation: float = 0.0
    layer_drop: float = 0.0
    mask_share: float = 0.0
    mask_length: int = 10
    least_masks: int = 2

    @property
    def draws(self):
        """Whether training needs a key."""
        rates = (self.projection, self.hidden, self.attention, self.activation, self.layer_drop, self.mask_share)
        return any(rate > 0 for rate in rates)


_LARGE = {"width": 1024, "layers": 24, "heads": 16, "feed_forward": 4096}
_STABLE = {"convolution_norm": "layer", "pre_norm": True}
_DATA2VEC = {"convolution_norm": "layer", "positions": Positions(kernel=19, depth=5, norm="layer")}

ARCHITECTURES = {
    "wav2vec2_base": Architecture(),
    "wav2vec2_large": Architecture(**_LARGE),
    # Of LibriLight ("lv60"), XLSR-53 and "robust".
    "wav2vec2_large_robust": Architecture(**_LARGE, **_STABLE, convolution_bias=True),
    "hubert_base": Architecture(),
    "hubert_large": Architecture(**_LARGE, **_STABLE, convolution_bias=True),
    "wavlm_base": Architecture(relative=RelativeBias(), normalise=False),
    "wavlm_large": Architecture(**_LARGE, **_STABLE, relative=RelativeBias()),
    "data2vec_audio_base": Architecture(**_DATA2VEC),
}

# Parameters of the published trunks as transformers counts them, the vector that stands for masked frames among them.
PARAMETERS = {
    "wav2vec2_base": 94_371_712,
    "wav2vec2_large": 315_428_992,
    "wav2vec2_large_robust": 315_438_720,
    "hubert_base": 94_371_712,
    "hubert_large": 315_438_720,
    "wavlm_base": 94_381_936,
    "wavlm_large": 315_453_120,
    "data2vec_audio_base": 93_164_288,
}


class Encoded(NamedTuple):
    """What an encoder makes of a batch.

    last: f32[B, F, width], the last hidden state, 0 beyond a recording's frames.
    hidden: all hidden states, layers + 1 of them: what enters the first layer, what leaves each; the last one is
    `last`, with the final normalisation where there is one.
    frames: i32[B], of each recording.
    """

    last: jax.Array
    hidden: tuple
    frames: jax.Array


def names():
    """The names that `create` knows, sorted: tuple of str."""
    return tuple(sorted(ARCHITECTURES))


def create(architecture, **options):
    """An unbound `Encoder` of an Architecture or of the one called so; `options` are the module's other fields.

    Raises InputError for an unknown name, sizes that do not fit each other, or a pattern in `frozen` that matches
    no layer.
    """
    if isinstance(architecture, str):
        if architecture not in ARCHITECTURES:
            raise InputError(f"encoders: {architecture!r} is unknown; known are {', '.join(names())}")
        architecture = ARCHITECTURES[architecture]
    check_architecture(architecture)
    module = Encoder(architecture, **options)
    if module.frozen:
        freezing.check(shapes(module)["params"], module.frozen)
    return module


def shapes(module):
    """The variables of a module on waveforms as shapes: nothing is computed."""
    samples = jax.ShapeDtypeStruct((1, 2 * SAMPLE_RATE), jnp.float32)
    length = jax.ShapeDtypeStruct((1,), jnp.int32)
    return jax.eval_shape(lambda x, n: module.init(jax.random.key(0), x, n), samples, length)


def check_architecture(architecture):
    """Raise InputError where kinds are unknown or sizes do not fit each other."""
    at, positions = architecture, architecture.positions
    kinds = {"convolution_norm": ("group", "layer"), "positions.norm": ("weight", "layer")}
    for (field, known), value in zip(kinds.items(), (at.convolution_norm, positions.norm), strict=True):
        if value not in known:
            raise InputError(f"encoders: {field}={value!r} is unknown; known are {', '.join(known)}")
    for number, of in ((at.heads, "heads"), (positions.groups, "positions.groups")):
        if at.width % number:
            raise InputError(f"encoders: width={at.width} is no multiple of {of}={number}")
    if at.relative and at.relative.buckets % 4:
        raise InputError(f"encoders: relative.buckets={at.relative.buckets}; give a multiple of 4")


def frame_counts(samples, architecture=ARCHITECTURES["wav2vec2_base"]):
    """Frames that so many samples make, i32 or int of any shape; 0 where they are too few for one.

    320 samples (20 ms) lie between published encoders' frames, and the first takes 400.
    """
    for _, kernel, stride in architecture.convolutions:
        samples = (samples - kernel) // stride + 1
    return (abs(samples) + samples) // 2  # numbers below 0 are 0, for whatever kind of number


def least_samples(architecture=ARCHITECTURES["wav2vec2_base"]):
    """Samples that one frame takes: int."""
    samples = 1
    for _, kernel, stride in reversed(architecture.convolutions):
        samples = (samples - 1) * stride + kernel
    return samples


def real(x, frames):
    """x [B, F, ...] where a row's first frames[b] are kept and all others are 0."""
    inside = jnp.arange(x.shape[1]) < frames[:, None]
    return jnp.where(inside.reshape(*inside.shape, *(1,) * (x.ndim - 2)), x, 0)


def mean_over_frames(x, frames):
    """The mean of each row's first frames[b]: [B, F, D] to [B, D]; 0 without any."""
    return real(x, frames).sum(1) / jnp.maximum(frames, 1)[:, None].astype(x.dtype)


def samples_of(waveform, length, *, normalise):
    """Samples in [-1, 1) of int16 or floats [B, T], 0 beyond length[b]; with `normalise` each row standardised.

    Mean and variance are of a row's own samples, and 1e-7 is added to the variance, as transformers' feature
    extractor does with an attention mask.
    """
    if jnp.issubdtype(waveform.dtype, jnp.integer):
        waveform = waveform.astype(jnp.float32) / FULL_SCALE
    x = real(waveform, length)
    if not normalise:
        return x
    number = jnp.maximum(length, 1)[:, None].astype(x.dtype)
    x = real(x - x.sum(1, keepdims=True) / number, length)
    return x * lax.rsqrt(jnp.square(x).sum(1, keepdims=True) / number + 1e-7)


class _TimeNorm(nn.Module):
    """Group norm with a group for each channel, over a row's real positions; scale and bias [C]."""

    @nn.compact
    def __call__(self, deviation, length):
        """Normalise x of which `deviation` [B, T, C] is x less its mean over a row's first length[b], 0 beyond them."""
        scale = self.param("scale", nn.initializers.ones_init(), deviation.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros_init(), deviation.shape[-1:])
        number = jnp.maximum(length, 1)[:, None, None]
        variance = jnp.square(wide(deviation)).sum(1, keepdims=True) / number
        return (wide(deviation) * (lax.rsqrt(variance + 1e-5) * scale) + bias).astype(deviation.dtype)


class Convolutions(nn.Module):
    """Frames of a waveform: conv_0 ... (kernel [K, C, D], bias, `norm` where there is one), each with a GELU behind."""

    architecture: Architecture
    dtype: Any = None

    @nn.compact
    def __call__(self, samples, length, record):
        """[B, F, channels] of samples [B, T], of which length[b] are real."""
        x, at = samples[..., None], self.architecture
        for i, (channels, kernel, stride) in enumerate(at.convolutions):
            norm = "layer" if at.convolution_norm == "layer" else "group" if i == 0 else None
            sizes = (channels, kernel, stride, at.convolution_bias, norm)
            length = (length - kernel) // stride + 1
            x = record[f"conv_{i}"] = _Convolution(*sizes, self.dtype, name=f"conv_{i}")(x, length)
        return x


class _Convolution(nn.Module):
    channels: int
    width: int
    stride: int
    use_bias: bool
    norm: str | None
    dtype: Any

    @nn.compact
    def __call__(self, x, length):
        kernel = self.param("kernel", nn.initializers.he_normal(), (self.width, x.shape[-1], self.channels))
        x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.channels,)) if self.use_bias else None
        if self.norm == "group":  # a bias would be part of the mean
            length = jnp.maximum(length, 0)
            x = convolve_centred(x, kernel, length, stride=self.stride)
            return gelu(_TimeNorm(name="norm")(x, length))
        x = convolve_valid(x, kernel, stride=self.stride)
        x = x if bias is None else x + bias.astype(x.dtype)
        x = layer_norm(1e-5, "norm", self.dtype)(x) if self.norm == "layer" else x
        return gelu(x)


class _PositionConvolution(nn.Module):
    """What neighbouring frames tell of a frame's position, [B, F, D] to the same shape; kernel [K, D / groups, D]."""

    positions: Positions
    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        size, width = self.positions, x.shape[-1]
        shape = (size.kernel, width // size.groups, width)
        deviation = (4.0 / (size.kernel * width)) ** 0.5  # as wav2vec 2.0 begins
        kernel = self.param("kernel", nn.initializers.normal(deviation), shape)
        if size.norm == "weight":
            lengths = jnp.sqrt(jnp.square(kernel).sum((1, 2), keepdims=True))
            scale = self.param("scale", lambda _: lengths[:, 0, 0])
            kernel = kernel * (scale[:, None, None] / lengths)
        bias = self.param("bias", nn.initializers.zeros_init(), (width,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        x = convolve_same(x, kernel, groups=size.groups) + bias
        if size.norm == "layer":
            x = nn.LayerNorm(1e-5, use_fast_variance=False, use_bias=False, use_scale=False, dtype=self.dtype)(x)
        return gelu(x)


class Encoder(nn.Module):
    """A speech encoder: convolutions, projection_norm, projection, mask_embedding, positions_0 ..., norm, layer_0 ...
    and, of WavLM, relative_positions [buckets, heads].

    Attributes:
      architecture: see `Architecture`.
      regularisation: what training draws at random, see `Regularisation`.
      frozen: patterns of layers that stay (sejax.models.freezing). Where they are all that lies before something, no
        gradient is computed for them either: ("convolutions",) spares a fine-tuning half of its time.
      dtype: the type to compute in (None: that of inputs and parameters).
    """

    architecture: Architecture = Architecture()
    regularisation: Regularisation = Regularisation()
    frozen: tuple = ()
    dtype: Any = None

    @nn.compact
    def __call__(self, waveform, length, *, train=False, key=None, masked=None, activations=False):
        """`Encoded` of waveform [B, T] at 16 kHz (int16, or float in [-1, 1]) with length i32[B] samples a row.

        Rows shorter than a frame (400 samples) fill a batch up: their states are 0. train=True draws what
        `regularisation` says from the typed `key`. masked: bool[B, F], frames that mask_embedding stands in for, in
        the place of random ones. With activations=True (Encoded, dict of other activations: conv_0 ..., projection,
        positions). Raises InputError for waveforms that are not [B, T] or have no room for a frame, and in training
        that draws without a key.
        """
        at, rates, record = self.architecture, self.regularisation, {}
        key = self._checked_key(waveform, train, key)
        held = _Held(self.frozen)
        length = jnp.minimum(jnp.asarray(length, jnp.int32), jnp.asarray(waveform.shape[1], jnp.int32))
        frames = frame_counts(length, at)

        x = record["projection"] = self._projected(waveform, length, key, held, record)
        x = self._masked(x, frames, key, masked, held)
        x = record["positions"] = self._positioned(x, frames, held)
        norm = layer_norm(at.epsilon, "norm", self.dtype)
        x = x if at.pre_norm else held(norm(x), "norm")
        x = dropped(key, "embedding", rates.hidden, x)

        bias = self._bias(x.shape[1], held) if at.relative else None
        hidden = [real(x, frames)]
        for i in range(at.layers):
            layer_key = None if key is None else stream(key, "layer", i)
            y = self._layer(i)(x, frames, bias, layer_key)
            if layer_key is not None and rates.layer_drop > 0:
                passed = jax.random.bernoulli(stream(layer_key, "layer drop", 0), rates.layer_drop)
                y = jnp.where(passed, x, y)
            x = held(y, f"layer_{i}")
            hidden.append(real(x, frames))
        if at.pre_norm:
            hidden[-1] = real(held(norm(x), "norm"), frames)
        encoded = Encoded(hidden[-1], tuple(hidden), frames)
        return (encoded, record) if activations else encoded

    def _projected(self, waveform, length, key, held, record):
        """Frames of the waveforms in the transformer's width: [B, F, width]."""
        at = self.architecture
        x = samples_of(waveform, length, normalise=at.normalise)
        x = held(Convolutions(at, self.dtype, name="convolutions")(x, length, record), "convolutions")
        if at.projection_norm:
            x = held(layer_norm(at.epsilon, "projection_norm", self.dtype)(x), "projection_norm")
        x = held(nn.Dense(at.width, dtype=self.dtype, name="projection")(x), "projection")
        return dropped(key, "projection", self.regularisation.projection, x)

    def _masked(self, x, frames, key, masked, held):
        """x with mask_embedding at the frames that are `masked`, or drawn by the key; 0 beyond each row's frames."""
        rates = self.regularisation
        embedding = self.param("mask_embedding", nn.initializers.uniform(1.0), x.shape[-1:])
        if masked is None and key is not None and rates.mask_share > 0:
            spans = {"share": rates.mask_share, "length": rates.mask_length, "least": rates.least_masks}
            masked = span_mask(stream(key, "masks", 0), frames, x.shape[1], **spans)
        if masked is not None:
            x = held(jnp.where(masked[..., None], embedding.astype(x.dtype), x), "mask_embedding")
        return real(x, frames)

    def _positioned(self, x, frames, held):
        """x and what the convolutions tell of positions; beyond a row's frames each of them sees zeros."""
        told, positions = x, self.architecture.positions
        for i in range(positions.depth):
            told = real(_PositionConvolution(positions, self.dtype, name=f"positions_{i}")(told), frames)
            told = held(told, f"positions_{i}")
        return x + told

    def _bias(self, frames, held):
        """The bias of attention by distance, [heads, F, F]."""
        relative, heads = self.architecture.relative, self.architecture.heads
        table = self.param("relative_positions", nn.initializers.normal(0.02), (relative.buckets, heads))
        bias = jnp.asarray(table)[distance_buckets(frames, relative)].transpose(2, 0, 1)
        return held(bias, "relative_positions")

    def _layer(self, i):
        at, rates = self.architecture, self.regularisation
        return TransformerLayer(
            heads=at.heads,
            feed_forward=at.feed_forward,
            pre_norm=at.pre_norm,
            gated=at.relative is not None,
            epsilon=at.epsilon,
            hidden_dropout=rates.hidden,
            attention_dropout=rates.attention,
            activation_dropout=rates.activation,
            dtype=self.dtype,
            name=f"layer_{i}",
        )

    def _checked_key(self, waveform, train, key):
        """The key of what is drawn at random, None where nothing is."""
        if waveform.ndim != 2 or waveform.shape[1] < least_samples(self.architecture):
            least = least_samples(self.architecture)
            raise InputError(f"Encoder: waveform of shape {waveform.shape}; give [B, T] with T from {least} samples on")
        if not train or not self.regularisation.draws:
            return None
        if key is None:
            raise InputError("Encoder: training draws dropout, masks or layers at random; give key=")
        return key


class _Held:
    """Ends gradients behind a part where it and all before it are frozen."""

    def __init__(self, frozen):
        self.frozen, self.so_far = frozen, bool(frozen)

    def __call__(self, x, part):
        self.so_far = self.so_far and freezing.is_frozen(part, self.frozen)
        return lax.stop_gradient(x) if self.so_far else x


class WeightedSum(nn.Module):
    """The sum of hidden states, with weights that are learned: softmax of `weights` [layers + 1], equal at first.

    As on the SUPERB benchmark (Yang et al. 2021, arXiv:2105.01051).
    """

    @nn.compact
    def __call__(self, hidden):
        """[B, F, width] of hidden states, a tuple of such arrays (`Encoded.hidden`)."""
        weights = self.param("weights", nn.initializers.zeros_init(), (len(hidden),))
        shares = nn.softmax(weights)
        return sum(shares[i].astype(x.dtype) * x for i, x in enumerate(hidden))


class DimensionalModel(nn.Module):
    """An encoder and a regression of emotional dimensions from the mean over its frames: encoder, hidden, output.

    hidden is a dense layer of the encoder's width with tanh, output one with a value for each of `dimensions`; dropout
    before each of them (Wagner et al. 2023, "Dawn of the transformer era in speech emotion recognition",
    arXiv:2203.07378).
    """

    encoder: Encoder
    dimensions: tuple = ("arousal", "dominance", "valence")
    dropout: float = 0.0

    @nn.compact
    def __call__(self, waveform, length, *, train=False, key=None):
        """f32[B, dimensions] of waveform [B, T] and length i32[B]: `Encoder.__call__` has their meaning."""
        encoded = self.encoder(waveform, length, train=train, key=key)
        if train and self.dropout > 0 and key is None:
            raise InputError("DimensionalModel: training drops out at random; give key=")
        key, dtype = (key if train else None), self.encoder.dtype
        x = dropped(key, "pooled", self.dropout, mean_over_frames(encoded.last, encoded.frames))
        x = jnp.tanh(nn.Dense(self.encoder.architecture.width, dtype=dtype, name="hidden")(x))
        x = dropped(key, "hidden", self.dropout, x)
        return wide(nn.Dense(len(self.dimensions), dtype=dtype, name="output")(x))
