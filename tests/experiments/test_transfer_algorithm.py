"""The comparison's updates against Keras, step by step; batch normalisation through checkpoints and frozen layers."""

import os

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from same_bits import assert_same_bits

from sejax.audio.image import ImageSettings
from sejax.core.experiment import Assembly
from sejax.core.rng import member_key, root_key
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.segment import make_segment
from sejax.experiments.classification import train_source, valid_source, whole_source
from sejax.experiments.methods import experiment_of
from sejax.experiments.transfer.algorithm import Method, Settings, cross_entropy, head_network, image_network
from sejax.experiments.transfer.assembly import summarise
from sejax.models.freezing import is_frozen
from sejax.models.normalisation import BatchNorm

IMAGES, SIZE, CLASSES = 30, 7, 3


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return pytest.importorskip("keras", reason="Keras defines the optimiser; pip install tensorflow")


def features(scale: float = 1.0):
    """inputs f32[30, 7] of three clusters, and their labels."""
    random = np.random.default_rng(0)
    label = (np.arange(IMAGES) % CLASSES).astype(np.int32)
    inputs = scale * (np.abs(random.normal(size=(IMAGES, SIZE))) + 0.5 * np.eye(SIZE)[label])
    return inputs.astype(np.float32), label


def assembly_of(network, inputs, label, *, rates=(1.0,), epochs=3, pretrained=None, **settings) -> Assembly:
    """18 images train, 6 validate, 6 test, as the contract's small cases."""
    part = np.repeat([TRAIN, VALIDATION, TEST], [18, 6, 6]).astype(np.int8)
    method = Settings(batch_size=6, **settings)
    count = len(rates)
    return Assembly(
        experiment=experiment_of(Method(network, method, order_length=18, valid_length=6)),
        train=train_source(6),
        valid=valid_source(6, 6),
        whole=whole_source(IMAGES, 10),
        data={
            "inputs": jnp.asarray(inputs),
            "label": jnp.asarray(label),
            "utterance": jnp.arange(IMAGES, dtype=jnp.int32) // 2,
            "utterance_label": jnp.asarray(label[::2]),
            "pretrained": pretrained or {},
        },
        members={
            "part": jnp.asarray(np.stack([part] * count)),
            "draw": jnp.zeros(count, jnp.int32),
            "learning_rate": jnp.asarray(rates, jnp.float32),
        },
        names=tuple({"model": "toy", "learning_rate": rate, "seed": 0} for rate in rates),
        iterations=1,
        epochs=epochs,
        batch_size=6,
        summarise=summarise,
        about={},
    )


def started(assembly, *, backend="loop"):
    """The compiled segment and the first carry."""
    segment = make_segment(assembly, backend=backend, how="vmap")
    keys = jax.vmap(lambda i: member_key(root_key(0), i))(np.arange(len(assembly.names)))
    return segment, segment.start(keys, assembly.members, assembly.data)


@pytest.mark.parametrize(
    ("rate", "decay", "loss"), [(0.1, 0.0, "logits"), (10.0, 0.0, "logits"), (5.0, 0.1, "clipped")]
)
def test_every_update_equals_keras_with_its_adadelta(keras, rate, decay, loss):
    # Inputs so large that some probabilities leave [1e-7, 1 - 1e-7], where Keras clips.
    inputs, label = features(scale=30.0 if loss == "clipped" else 1.0)
    assembly = assembly_of(head_network(CLASSES, hidden=5), inputs, label, rates=(rate,), decay=decay, loss=loss)
    _, carry = started(assembly)
    state = jax.tree.map(lambda x: x[0], carry.state)
    step, model = jax.jit(assembly.experiment.step), twin(keras, state.params["head"], loss)
    begin, clipped = model.get_weights(), 0
    for update in range(6):
        batch = assembly.train.batch_at(assembly.data, state, jnp.int32(update % 3))
        model.optimizer.learning_rate = rate / (1.0 + decay * update)
        theirs = model.train_on_batch(np.asarray(batch["inputs"]), np.eye(CLASSES)[np.asarray(batch["label"])])
        state, metrics = step(state, batch)
        np.testing.assert_allclose(metrics["loss"].compute(), theirs, rtol=2e-5)
        clipped += float(theirs) > 6.0
        ours = [state.params["head"][layer][name] for layer in ("hidden", "logits") for name in ("kernel", "bias")]
        for mine, other, first in zip(ours, model.get_weights(), begin, strict=True):
            moved = np.abs(other - first).max()
            assert moved > 0
            assert np.abs(mine - other).max() <= 2e-3 * moved + 6e-8  # the last: one rounding of a weight near 1
    assert clipped or loss == "logits"


def twin(keras, head, loss):
    """The same head in Keras, with the same weights, optimiser and loss."""
    layers = [keras.layers.Input((SIZE,)), keras.layers.Dense(5, activation="relu")]
    last = keras.layers.Dense(CLASSES, activation="softmax" if loss == "clipped" else None)
    model = keras.Sequential([*layers, last])
    model.set_weights([np.asarray(head[layer][name]) for layer in ("hidden", "logits") for name in ("kernel", "bias")])
    optimizer = keras.optimizers.Adadelta(learning_rate=1.0, rho=0.95, epsilon=1e-8)
    if loss == "logits":
        model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    else:
        # Behind a lambda, so that Keras cannot see the logits below the softmax and has to clip.
        model.compile(optimizer, lambda y, p: keras.losses.categorical_crossentropy(y, p * 1.0))
    return model


def test_the_clipped_loss_never_exceeds_16_and_has_no_gradient_beyond():
    logits = jnp.array([[40.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    label = jnp.array([1, 1])
    losses = cross_entropy(logits, label, kind="clipped")
    np.testing.assert_allclose(losses, [-np.log(1e-7), np.log(np.exp(2) + 2)], rtol=1e-5)
    slopes = jax.grad(lambda x: cross_entropy(x, label, kind="clipped").sum())(logits)
    assert (slopes[0] == 0).all() and (slopes[1] != 0).all()


class Toy(nn.Module):
    """Two normalised convolutions, called as the networks of sejax.models are."""

    frozen: tuple = ()

    @nn.compact
    def features(self, images, *, train=False):
        """[B, H, W, 4] of [B, H, W, 3]."""
        x = images
        for name in ("first", "second"):
            x = nn.Conv(4, (3, 3), name=name)(x)
            x = nn.relu(BatchNorm(frozen=is_frozen(f"{name}_bn", self.frozen), name=f"{name}_bn")(x, train=train))
        return x


def toy_assembly(*, frozen=(), rates=(1.0,)):
    """Three textures of 6 x 5 values, coloured and resized to 8 x 8."""
    random = np.random.default_rng(1)
    label = (np.arange(IMAGES) % CLASSES).astype(np.int32)
    inputs = (random.normal(size=(IMAGES, 6, 5)) * 5 - 10 * label[:, None, None]).astype(np.float32)
    model = Toy(frozen=frozen)
    variables = model.init(jax.random.key(3), jnp.zeros((1, 8, 8, 3)), method="features")
    network = image_network(model, CLASSES, hidden=5, image=ImageSettings(size=(8, 8)))
    return assembly_of(network, inputs, label, rates=rates, pretrained=variables)


def test_running_statistics_go_through_a_checkpoint_in_the_middle_of_an_epoch_to_the_same_bits(tmp_path):
    assembly = toy_assembly()
    segment, carry = started(assembly)
    whole = segment.advance(assembly.data, carry, 10**6)
    _, carry = started(assembly)
    carry = segment.advance(assembly.data, carry, 4)  # an epoch has three updates
    moved = carry.state.statistics["second_bn"]["mean"]
    assert np.abs(np.asarray(moved)).max() > 0
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(4, carry, {})
    restored, _ = checkpoints.restore(jax.eval_shape(lambda: started(assembly)[1]))
    checkpoints.close()
    assert_same_bits(segment.advance(assembly.data, restored, 10**6), whole)


def test_frozen_layers_keep_their_bits_and_the_others_move():
    assembly = toy_assembly(frozen=("first*",))
    segment, carry = started(assembly)
    before = jax.device_get((carry.state.params["trunk"], carry.state.statistics))
    carry = segment.advance(assembly.data, carry, 3)
    after = jax.device_get((carry.state.params["trunk"], carry.state.statistics))
    for old, new in zip(before, after, strict=True):
        for layer in old:
            same = [np.array_equal(old[layer][name], new[layer][name]) for name in old[layer]]
            assert all(same) if layer.startswith("first") else not any(same), layer


def test_members_of_one_draw_begin_alike_and_differ_by_their_rate_alone():
    inputs, label = features()
    assembly = assembly_of(head_network(CLASSES, hidden=5), inputs, label, rates=(1e-4, 1.0))
    segment, carry = started(assembly, backend="scan")
    kernel = np.asarray(carry.state.params["head"]["hidden"]["kernel"])
    np.testing.assert_array_equal(kernel[0], kernel[1])
    kernel_after = np.asarray(segment.advance(assembly.data, carry, 1).state.params["head"]["hidden"]["kernel"])
    moved = np.abs(kernel_after - kernel).max((1, 2))
    assert 0 < moved[0] < moved[1]


def test_a_first_update_moves_no_weight_further_than_adadelta_allows():
    # sqrt(epsilon) / sqrt(1 - rho), times the rate: why the published rate of 1e-4 hardly moves a network.
    inputs, label = features()
    assembly = assembly_of(head_network(CLASSES, hidden=5), inputs, label, rates=(1.0,))
    segment, carry = started(assembly)
    before = np.asarray(carry.state.params["head"]["hidden"]["kernel"])
    after = np.asarray(segment.advance(assembly.data, carry, 1).state.params["head"]["hidden"]["kernel"])
    bound = np.sqrt(1e-8) / np.sqrt(1 - 0.95)
    assert 0.5 * bound < np.abs(after - before).max() <= 1.001 * bound
