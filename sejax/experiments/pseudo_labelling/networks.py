"""What pseudo-labelling trains: a head on features or vectors, or a pre-trained network on images or recordings.

`trainable` = head | classifier | all. With a frozen trunk its features are the inputs, computed once;
what is trained is then small and dense, and all folds train in one vmapped program.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from sejax.audio.image import ImageSettings, render
from sejax.core import rng
from sejax.core.experiment import PyTree
from sejax.data.folds import TRAIN
from sejax.experiments.feature_vectors import Scaling
from sejax.models import LAST_LAYER, freezing
from sejax.models.backbone import GridHead
from sejax.models.pooling import adaptive_average_pool


class Network(NamedTuple):
    """Pure functions of a trainable network.

    Attributes:
      init: ``init(key, pretrained, inputs [I, ...]) -> params``: pre-trained weights where there are any,
        a fresh head; of the inputs only the shape matters.
        The params are ``{"trunk": ..., "head": ...}`` or ``{"head": ...}``.
      fit: ``fit(inputs [I, ...], member) -> constants``: statistics of the training part. A member has part i8[I], and
        what its network wants to know of it.
      fit_moments: ``fit_moments(mean [D], variance [D]) -> constants``, the same from the training part's moments;
        None where nothing is fitted to inputs.
      apply: ``apply(params, constants, inputs [B, ...], key=None) -> logits f32[B, C]``; a key turns
        dropout on.
      rates: learning-rate factor of every top-level subtree of the params.
      label: ``label(params, features [B, D], key=None) -> logits f32[B, C]`` of a head that makes pseudo-labels in the
        network's place, see `with_labeller`; None: there is none.
      frozen: patterns of the trunk's layers that stay as they are, see `sejax.models.freezing`.
    """

    init: Callable[[jax.Array, PyTree, jax.Array], PyTree]
    fit: Callable[[jax.Array, jax.Array], PyTree]
    apply: Callable[..., jax.Array]
    rates: dict[str, float]
    fit_moments: Callable[[jax.Array, jax.Array], PyTree] | None = None
    label: Callable[..., jax.Array] | None = None
    frozen: tuple[str, ...] = ()

    def descend(self, params: PyTree, directions: PyTree, *, rate: jax.Array, weight_decay: float) -> PyTree:
        """``params - rate * factor * (direction + weight_decay * params)``, factor by subtree; what is frozen stays."""

        def moved(name):
            moves = freezing.trainable(params[name], self.frozen if name == "trunk" else ())
            factor = self.rates[name]
            return jax.tree.map(
                lambda p, d, moves: p - rate * factor * (d + weight_decay * p) if moves else p,
                params[name],
                directions[name],
                moves,
            )

        return {name: moved(name) for name in params}


def _fit_nothing(inputs, member) -> dict[str, Any]:
    del inputs, member
    return {}


def linear_head(num_classes: int, *, dropout_rate: float, gain: float) -> Network:
    """Standardised features [B, D], dropout, one linear layer (`trainable=head`).

    Features are centred and scaled by the training part's mean and deviation (no labels enter), then
    multiplied by ``gain / sqrt(D)``: Adam moves every weight by its rate whatever the gradient's size, so at
    the paper's 1e-2 the logits of D standardised features would jump by about 0.01 D with every update. The
    kernel is [C, D], classes first: with so few classes the transposed layout makes the vmapped
    products on a CPU five times slower. Outside training the scaling is folded into the kernel, so that
    members that share features share one matrix product.
    """

    def init(key, pretrained, inputs):
        del pretrained
        size = inputs.shape[1]
        bound = 1.0 / jnp.sqrt(size)
        kernel = jax.random.uniform(key, (num_classes, size), minval=-bound, maxval=bound)
        return {"head": {"kernel": kernel, "bias": jnp.zeros((num_classes,))}}

    def fit(inputs, member):
        training = member["part"] == TRAIN  # [I]
        share = training / jnp.maximum(training.sum(), 1)  # [I]
        mean = share @ inputs
        return fit_moments(mean, jnp.maximum(share @ jnp.square(inputs) - jnp.square(mean), 0.0))

    def fit_moments(mean, variance):
        # The bound keeps a feature that hardly varies in training from blowing up on other speakers.
        deviation = jnp.sqrt(variance + 1e-2 * variance.mean() + 1e-12)
        return {"mean": mean, "scale": gain / (jnp.sqrt(mean.shape[0]) * deviation)}

    def apply(params, constants, inputs, *, key=None):
        kernel, bias = params["head"]["kernel"], params["head"]["bias"]
        mean, scale = constants["mean"], constants["scale"]
        if key is None:
            kernel = kernel * scale
            return inputs @ kernel.T + (bias - kernel @ mean)
        return rng.dropout(key, (inputs - mean) * scale, rate=dropout_rate) @ kernel.T + bias

    return Network(init, fit, apply, {"head": 1.0}, fit_moments)


def vector_head(num_classes: int, *, hidden: tuple[int, ...], dropout_rate: float, gain: float) -> Network:
    """Feature vectors [B, D], z-normalised by the training part, through dense layers (`features=functionals`).

    Of a speech encoder they are [B, S, D], S hidden states, which are summed with learned weights, a softmax that
    begins equal (`features=encoder:...`; as on SUPERB, Yang et al. 2021, arXiv:2105.01051).

    Functionals are of scales far apart, so the member itself brings what they are z-normalised by, computed in double
    precision (`sejax.experiments.feature_vectors.fit_z_norm`), and each feature counts alike. They are multiplied by
    ``gain / sqrt(D)`` for the reason given in `linear_head`. Hidden layers have ReLU and dropout.
    """
    sizes = (*hidden, num_classes)

    def init(key, pretrained, inputs):
        del pretrained
        return {"head": _dense_layers(key, sizes, inputs.shape[1:])}

    def fit(inputs, member):
        del inputs
        return {name: member[name] for name in ("shift", "scale")}

    def apply(params, constants, inputs, *, key=None):
        x = Scaling(**constants).apply_to_others(inputs) * (gain / math.sqrt(inputs.shape[-1]))
        return _through_dense_layers(params["head"], x, layers=len(sizes), key=key, dropout_rate=dropout_rate)

    return Network(init, fit, apply, {"head": 1.0})


def encoder_network(
    num_classes: int,
    hear: Callable[[PyTree, PyTree], jax.Array],
    *,
    states: tuple[int, int],
    frozen: tuple[str, ...],
    hidden: tuple[int, ...],
    dropout_rate: float,
    gain: float,
    trunk_rate: float,
) -> Network:
    """A whole speech encoder on recordings, and the head of `vector_head` (`features=encoder:...`, `trainable=all`).

    ``hear(trunk, inputs) -> f32[B, S, D]`` gives means over frames of S hidden states, ``states`` = (S, D). They move
    with the encoder, so nothing is fitted to them: each state of a recording is divided by its own root mean square and
    multiplied by ``gain / sqrt(D)``, as maps in `image_network`. The encoder learns at ``trunk_rate`` times the head's
    rate, but for its layers ``frozen``.
    """
    sizes = (*hidden, num_classes)

    def init(key, pretrained, inputs):
        del inputs
        return {"trunk": pretrained, "head": _dense_layers(key, sizes, states)}

    def apply(params, constants, inputs, *, key=None):
        del constants
        x = _of_one_size(hear(params["trunk"], inputs), gain=gain)
        return _through_dense_layers(params["head"], x, layers=len(sizes), key=key, dropout_rate=dropout_rate)

    return Network(init, _fit_nothing, apply, {"trunk": trunk_rate, "head": 1.0}, frozen=frozen)


def _dense_layers(key, sizes: tuple[int, ...], shape: tuple[int, ...]) -> PyTree:
    """Fresh layers of so many units on vectors of a shape (D,); on (S, D) weights of the S states too, first equal."""
    layers, width = {}, shape[-1]
    if len(shape) == 2:
        layers["states"] = jnp.zeros(shape[0])
    for number, size in enumerate(sizes):
        bound = 1.0 / math.sqrt(width)
        kernel = jax.random.uniform(jax.random.fold_in(key, number), (size, width), minval=-bound, maxval=bound)
        layers[f"dense_{number}"] = {"kernel": kernel, "bias": jnp.zeros((size,))}
        width = size
    return layers


def _through_dense_layers(head: PyTree, x: jax.Array, *, layers: int, key, dropout_rate: float) -> jax.Array:
    """f32[B, C] of vectors [B, D], or of [B, S, D] by their weighted sum; a key turns dropout on."""
    if x.ndim == 3:
        x = jnp.einsum("bsd,s->bd", x, jax.nn.softmax(head["states"]))
    for number in range(layers):
        x = nn.relu(x) if number else x
        x = x if key is None else rng.dropout(jax.random.fold_in(key, number), x, rate=dropout_rate)
        layer = head[f"dense_{number}"]
        x = x @ layer["kernel"].T + layer["bias"]
    return x


def _of_one_size(features: jax.Array, *, gain: float) -> jax.Array:
    """Features [..., D] over their root mean square, times ``gain / sqrt(D)``."""
    power = jnp.mean(jnp.square(features), axis=-1, keepdims=True)
    return features * gain * jax.lax.rsqrt(power * features.shape[-1] + 1e-6)


def with_labeller(network: Network, num_classes: int, *, dropout_rate: float, gain: float) -> Network:
    """The network and beside it a linear head that sees features on each speaker's own scale, and labels.

    It is trained on the same labels at the same updates, as params["labeller"], and shares no weight: the network
    itself is trained, judged and predicts as without.
    """
    head = linear_head(num_classes, dropout_rate=dropout_rate, gain=gain)

    def init(key, pretrained, inputs):
        labeller = head.init(rng.stream(key, "labeller", 0), {}, inputs)["head"]
        return network.init(key, pretrained, inputs) | {"labeller": labeller}

    def label(params, features, *, key=None):
        size = features.shape[1]
        constants = {"mean": jnp.zeros(size), "scale": jnp.full(size, gain / math.sqrt(size))}
        return head.apply({"head": params["labeller"]}, constants, features, key=key)

    return network._replace(init=init, rates=network.rates | {"labeller": 1.0}, label=label)


def classifier_network(name: str, model: nn.Module, *, trunk_rate: float) -> Network:
    """The network's own dense layers on cached feature maps [B, H', W', C'] (`trainable=classifier`).

    All but the last layer start pre-trained and learn at ``trunk_rate`` times the head's rate.
    """

    def init(key, pretrained, inputs):
        del inputs
        return {"trunk": pretrained, "head": _fresh_last_layer(key, name, model)}

    def apply(params, constants, inputs, *, key=None):
        del constants
        variables = {"params": params["trunk"] | params["head"]}
        return model.apply(variables, inputs, train=key is not None, rngs=_rngs(key), method="classify")

    return Network(init, _fit_nothing, apply, {"trunk": trunk_rate, "head": 1.0})


def image_network(
    name: str,
    model: nn.Module,
    *,
    image: ImageSettings,
    layer: str,
    grid: tuple[int, int],
    dropout_rate: float,
    gain: float,
    trunk_rate: float,
) -> Network:
    """A whole pre-trained network on spectrograms [B, bands, frames] in dB (`trainable=all`).

    Images are rendered on the device. AlexNet keeps its dense layers with a fresh last one; of SqueezeNet
    the map of ``layer`` goes onto a grid of positions and from there to a linear layer, as AlexNet's fc6
    keeps positions (layers beyond it are neither computed nor changed). A map's features are divided by
    their root mean square and multiplied by ``gain / sqrt(D)``, for the reason given in `linear_head`.
    The pre-trained layers learn at ``trunk_rate`` times the head's rate: Adam at the paper's 1e-2
    destroys them.
    """
    own_classifier = name == "alexnet"
    head = GridHead(model.num_classes, dropout=dropout_rate)
    blank = jnp.zeros((1, *image.size, 3))

    def layer_features(trunk, images):
        record = {}
        model.apply({"params": trunk}, images, method=lambda module, x: module.features(x, record=record))
        features = adaptive_average_pool(record[layer], grid).reshape(images.shape[0], -1)  # [B, D]
        return _of_one_size(features, gain=gain)

    def init(key, pretrained, inputs):
        del inputs
        if own_classifier:
            return {"trunk": pretrained, "head": _fresh_last_layer(key, name, model)}
        features = jax.eval_shape(layer_features, pretrained, blank)
        return {"trunk": pretrained, "head": head.init(key, jnp.zeros(features.shape))["params"]}

    def apply(params, constants, inputs, *, key=None):
        del constants
        images = render(inputs, image)
        if own_classifier:
            variables = {"params": params["trunk"] | params["head"]}
            return model.apply(variables, images, train=key is not None, rngs=_rngs(key))
        features = layer_features(params["trunk"], images)
        return head.apply({"params": params["head"]}, features, train=key is not None, rngs=_rngs(key))

    return Network(init, _fit_nothing, apply, {"trunk": trunk_rate, "head": 1.0})


def _rngs(key):
    return None if key is None else {"dropout": key}


def _fresh_last_layer(key, name: str, model: nn.Module) -> PyTree:
    last = LAST_LAYER[name]
    shapes = jax.eval_shape(lambda k: model.init(k, jnp.zeros((1, 224, 224, 3))), key)["params"][last]
    init = nn.initializers.normal(0.01)
    return {last: {leaf: init(key, s.shape) if leaf == "kernel" else jnp.zeros(s.shape) for leaf, s in shapes.items()}}
