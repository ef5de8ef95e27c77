"""Inputs that are read as they are needed, against the same on the device: features of a frozen trunk, spectrograms."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import tones
from same_bits import assert_same_bits

from sejax.core.rng import member_key, root_key
from sejax.data.folds import TEST, TRAIN
from sejax.engine.run import run_settings, streamed
from sejax.engine.segment import make_segment
from sejax.experiments import study
from sejax.experiments.configs import load_config
from sejax.experiments.images import Stacked, load_weights
from sejax.experiments.pseudo_labelling.assembly import assemble, constants_of, trained_network
from sejax.experiments.pseudo_labelling.networks import linear_head
from sejax.experiments.transfer.assembly import assemble as assemble_transfer

VARIABLES = load_weights("squeezenet1_1", "random", seed=0)


def speech():
    """The tones, every seventh of their utterances without a label."""
    made = tones.spectrograms()
    label = np.where(np.arange(len(made.utterance_label)) % 7 == 6, -1, made.utterance_label).astype(np.int32)
    return replace(made, label=label[made.utterance], utterance_label=label)


def pseudo_labelling(source, trainable="head", **changes):
    """Three members, two iterations of two epochs."""
    argument = f"runlocal,corpus=tones,level=none,weights=random,labelled=0.5,input={source},trainable={trainable}"
    config = load_config(f"pseudo_labelling:{argument}")
    config.iterations, config.epochs, config.only_folds, config.batch_size = 2, 2, 3, 8
    config.layer, config.image.size, config.threshold, config.run.backend = "fire3", (32, 32), 0.5, "loop"
    config.update(changes)
    return config, assemble(config, speech(), VARIABLES)


def transfer(source):
    argument = "corpus=tones,classes=anger+boredom+neutral,models=squeezenet1_1,weights=random,trainable=head,seeds=2"
    argument += f",images=36+12+12,epochs=2,size=24,protocol=speaker,rates=1.0,batch_size=8,input={source}"
    config = load_config(f"transfer:{argument}")
    config.run.backend = "loop"
    config = study("transfer").variants(config)["squeezenet1_1"]
    return config, assemble_transfer(config, tones.spectrograms(), VARIABLES)


def trained(config, assembly, at_once=None):
    """The last carry, its updates cut in two."""
    settings = run_settings(config)
    count = at_once or len(assembly.names)
    keys = jax.vmap(lambda i: member_key(root_key(0), i))(np.arange(count))
    members = jax.tree.map(lambda x: x[:count], assembly.members)
    segment = make_segment(assembly, backend=settings.backend, how=settings.ensemble)
    carry = segment.start(keys, members, assembly.data)
    for updates in (3, 10**6):
        carry = segment.advance(assembly.data, carry, updates)
    return carry


def constants(config, assembly):
    """The assembly with the standardisation of a streamed one of the same config."""
    network = trained_network(config, len(tones.CLASSES))
    fitted = constants_of(network, np.asarray(assembly.data["inputs"]), np.asarray(assembly.members["part"]))
    return assembly._replace(members=assembly.members | jax.tree.map(jax.numpy.asarray, fitted))


@pytest.mark.parametrize("changes", [{}, {"random_gain": (-6.0, 6.0)}], ids=["features", "views"])
def test_streamed_features_of_a_frozen_trunk_train_to_the_same_bits(changes):
    config, resident = pseudo_labelling("resident", **changes)
    asked, host = pseudo_labelling("tfdata", **changes)
    assert streamed(asked) and not streamed(config)
    assert all(len(host.data[name]) == 1 for name in ("inputs", "views") if name in host.data)
    assert_same_bits(trained(asked, host), trained(config, constants(config, resident)))


def test_standardisation_in_pieces_is_that_of_the_device_but_for_its_rounding():
    network = linear_head(3, dropout_rate=0.0, gain=5.0)
    random = np.random.default_rng(0)
    features = (3 + random.normal(size=(500, 8))).astype(np.float32)
    part = np.stack([np.where(random.random(500) < share, TRAIN, TEST) for share in (0.5, 0.8)]).astype(np.int8)
    part = part[[0, 1, 0]]  # two folds, and another seed of the first
    found = constants_of(network, features, part)["constants"]
    for member, row in enumerate(part):
        expected = network.fit(features, {"part": jax.numpy.asarray(row)})
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name][member], values, rtol=1e-4)


@pytest.mark.slow
def test_spectrograms_need_not_be_on_the_device_to_be_judged():
    config, resident = pseudo_labelling("auto", "all")
    asked, host = pseudo_labelling("tfdata", "all")
    assert (len(resident.data["inputs"]), len(host.data["inputs"])) == (60, 1) and streamed(config)
    found, expected = (trained(*each, at_once=1) for each in ((asked, host), (config, resident)))
    np.testing.assert_array_equal(found.history["train/loss"][:, 0, 0], expected.history["train/loss"][:, 0, 0])
    np.testing.assert_allclose(found.state.posterior, expected.state.posterior, atol=1e-4)


def test_streamed_features_of_a_transfer_train_to_the_same_bits():
    assert_same_bits(trained(*transfer("tfdata")), trained(*transfer("resident")))


def test_what_is_streamed_takes_the_loop_backend():
    config = load_config("pseudo_labelling:input=tfdata")
    assert run_settings(config).backend == "loop"
    config.run.input = "auto"
    assert run_settings(config).backend == "scan"


def test_stacked_arrays_are_read_as_the_stack_of_all_is():
    arrays = [np.arange(24).reshape(6, 4) + 100 * number for number in range(3)]
    stacked, whole = Stacked(arrays), np.stack(arrays, axis=1)
    assert stacked.shape == whole.shape and stacked.dtype == whole.dtype
    np.testing.assert_array_equal(np.asarray(stacked), whole)
    for rows in (np.array([[2, 0], [5, 5]]), np.array([3]), slice(1, 3)):
        np.testing.assert_array_equal(stacked[rows], whole[rows])
