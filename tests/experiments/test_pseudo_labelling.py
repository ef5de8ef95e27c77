"""The method, against torch, by hand, and by what must not influence it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.audio.augmentation import random_views, unchanged
from sejax.core.experiment import Assembly
from sejax.core.rng import member_key, root_key, stream
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.engine.segment import make_segment
from sejax.experiments.classification import gather, gather_views, train_source, valid_source, whole_source
from sejax.experiments.methods import experiment_of
from sejax.experiments.pseudo_labelling.algorithm import Method, Settings
from sejax.experiments.pseudo_labelling.assembly import summarise
from sejax.experiments.pseudo_labelling.networks import linear_head

CLASSES, IMAGES, SIZE = 3, 90, 12
UNLABELLED_SHARE, GAIN = 0.5, 5.0


@pytest.fixture(scope="module")
def features():
    """Three overlapping clusters: f32[90, 12] and their labels."""
    random = np.random.default_rng(0)
    label = np.arange(IMAGES) % CLASSES
    centres = random.normal(size=(CLASSES, SIZE))
    return (centres[label] + 0.8 * random.normal(size=(IMAGES, SIZE))).astype(np.float32), label.astype(np.int32)


def assembly(inputs, label, *, views=None, iterations=2, epochs=6, dropout=0.0, **settings) -> Assembly:
    """Two members: every third image tests, every tenth of the rest validates, half of the rest is labelled."""
    part = np.where(np.arange(IMAGES) // CLASSES % 3 == 0, TEST, TRAIN).astype(np.int8)
    part[np.flatnonzero(part == TRAIN)[::10]] = VALIDATION
    random = np.random.default_rng(1)
    labelled = np.stack([(part == TRAIN) & (random.random(IMAGES) < UNLABELLED_SHARE) for _ in range(2)])
    method = Settings(num_classes=CLASSES, batch_size=8, epochs=epochs, threshold=0.8, **settings)
    network = linear_head(CLASSES, dropout_rate=dropout, gain=GAIN)
    augment = unchanged if views is None else random_views
    return Assembly(
        experiment=experiment_of(Method(network, method, order_length=56, valid_length=8, augment=augment)),
        train=train_source(8, gather=gather if views is None else gather_views),
        valid=valid_source(8, 4),
        whole=whole_source(IMAGES, 40),
        data={
            "inputs": jnp.asarray(inputs),
            "label": jnp.asarray(label),
            "utterance": jnp.arange(IMAGES, dtype=jnp.int32) // 2,
            "utterance_label": jnp.asarray(label[::2]),
            "pretrained": {},
        }
        | ({} if views is None else {"views": jnp.asarray(views)}),
        members={"part": jnp.stack([part, part]), "labelled": jnp.asarray(labelled)},
        names=({"fold": 0, "seed": 0}, {"fold": 1, "seed": 0}),
        iterations=iterations,
        epochs=epochs,
        batch_size=8,
        summarise=summarise,
        about={},
    )


def finish(made: Assembly):
    """The carry at the run's end."""
    keys = jax.vmap(lambda i: member_key(root_key(0), i))(np.arange(2))
    segment = make_segment(made, backend="scan")
    return segment.advance(made.data, segment.start(keys, made.members, made.data), 10**6)


def start(made: Assembly):
    """The first state of member 0."""
    member = jax.tree.map(lambda x: x[0], made.members)
    return made.experiment.init(member_key(root_key(0), 0), member, made.data)


def test_an_update_equals_torchs_adamw_on_weighted_cross_entropy(features):
    torch = pytest.importorskip("torch", reason="torch computes the same updates; pip install torch")
    inputs, label = features
    made = assembly(inputs, label, weight_decay=0.01)
    state = start(made)
    training = inputs[np.asarray(state.part) == TRAIN]
    variance = training.var(0)
    deviation = np.sqrt(variance + 1e-2 * variance.mean() + 1e-12)
    scaled = GAIN / np.sqrt(SIZE) * (inputs - training.mean(0)) / deviation
    linear = torch.nn.Linear(SIZE, CLASSES)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(np.array(state.params["head"]["kernel"])))
        linear.bias.copy_(torch.from_numpy(np.array(state.params["head"]["bias"])))
    optimizer = torch.optim.AdamW(linear.parameters(), lr=1e-2, weight_decay=0.01)
    loss = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(np.array(state.class_weight)))
    for position in range(3):
        batch = made.train.batch_at(made.data, state, jnp.int32(position))
        rows = np.asarray(batch["index"])[np.asarray(batch["valid"])]
        state, _ = made.experiment.step(state, batch)
        optimizer.zero_grad()
        loss(linear(torch.from_numpy(scaled[rows]).float()), torch.from_numpy(label[rows]).long()).backward()
        optimizer.step()
    np.testing.assert_allclose(state.params["head"]["kernel"], linear.weight.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state.params["head"]["bias"], linear.bias.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_labels_of_test_and_unlabelled_images_never_reach_training(features):
    inputs, label = features
    first = finish(assembly(inputs, label))
    made = assembly(inputs, label)
    hidden = ~np.asarray(made.members["labelled"]).any(0) & (np.asarray(made.members["part"])[0] != VALIDATION)
    wrong = np.where(hidden, (label + 1) % CLASSES, label).astype(np.int32)
    made = made._replace(data=made.data | {"label": jnp.asarray(wrong)})
    second = finish(made)
    assert hidden.sum() > 30
    np.testing.assert_array_equal(first.state.params["head"]["kernel"], second.state.params["head"]["kernel"])
    assert not np.array_equal(first.records["confusion/test"], second.records["confusion/test"])


def test_only_confident_training_images_become_pseudo_labels(features):
    state = finish(assembly(*features)).state
    posterior, part = np.asarray(state.posterior), np.asarray(state.part)
    labelled, active = np.asarray(state.labelled), np.asarray(state.active)
    expected = labelled | ((part == TRAIN) & ~labelled & (posterior.max(-1) >= 0.8))
    np.testing.assert_array_equal(active, expected)
    assert (active & ~labelled).any()
    np.testing.assert_array_equal(np.asarray(state.label)[labelled], np.tile(features[1], (2, 1))[labelled])
    np.testing.assert_array_equal(np.asarray(state.label)[~labelled], posterior.argmax(-1)[~labelled])


def test_the_record_counts_pseudo_labels_and_how_many_are_right(features):
    carry = finish(assembly(*features, iterations=1))
    state, record = carry.state, carry.records
    unlabelled = (np.asarray(state.part) == TRAIN) & ~np.asarray(state.labelled)
    confident = unlabelled & (np.asarray(state.posterior).max(-1) >= 0.8)
    right = np.asarray(state.posterior).argmax(-1) == features[1]
    np.testing.assert_array_equal(record["unlabelled"][:, 0], unlabelled.sum(1))
    np.testing.assert_array_equal(record["confident"][:, 0], confident.sum(1))
    np.testing.assert_array_equal(record["confident_correct"][:, 0], (confident & right).sum(1))


def test_an_iteration_restarts_from_a_fresh_head_and_learns_from_the_pseudo_labels(features):
    made = assembly(*features)
    state = start(made)
    posterior = jnp.full((IMAGES, CLASSES), 0.05).at[:, 1].set(0.9)
    metrics = {"posterior": type("Fixed", (), {"compute": lambda self: posterior})()}
    concluded, _ = made.experiment.conclude(state, metrics, made.data)
    restarted = made.experiment.restart(concluded.replace(stopped=jnp.ones((), bool)), made.data)
    assert not bool(restarted.stopped)
    assert int(restarted.active.sum()) == int((np.asarray(state.part) == TRAIN).sum())
    assert int(restarted.epoch_steps) == -(-int(restarted.active.sum()) // 8)
    assert not np.array_equal(restarted.params["head"]["kernel"], state.params["head"]["kernel"])
    assert float(restarted.plateau.learning_rate) == pytest.approx(1e-2)
    assert float(jnp.abs(restarted.optimizer.mu["head"]["kernel"]).max()) == 0.0


def test_the_weights_of_the_best_validation_epoch_come_back(features):
    made = assembly(*features, iterations=1, epochs=4)
    state, evaluate, refresh = start(made), made.experiment.evaluate, made.experiment.refresh
    accuracies, kernels = (0.5, 0.9, 0.7, 0.8), []
    for accuracy in accuracies:
        state, metrics = made.experiment.step(state, made.train.batch_at(made.data, state, jnp.int32(0)))
        kernels.append(np.asarray(state.params["head"]["kernel"]))
        valid = evaluate(state, made.valid.batch_at(made.data, state, jnp.int32(0)))
        counts = jnp.zeros((CLASSES, CLASSES)).at[0, 0].set(accuracy).at[0, 1].set(1 - accuracy)
        valid["confusion"] = valid["confusion"].__class__(counts)
        state = refresh(state, {"train": metrics, "valid": valid})
    assert bool(state.stopped)
    np.testing.assert_array_equal(state.params["head"]["kernel"], kernels[1])


def test_an_utterances_posterior_is_the_mean_over_its_test_images(features):
    made = assembly(*features, iterations=1)
    carry = finish(made)
    posterior, test = np.asarray(carry.state.posterior[0]), np.asarray(carry.state.part[0]) == TEST
    confusion = np.zeros((CLASSES, CLASSES))
    for utterance in range(IMAGES // 2):
        rows = test & (np.arange(IMAGES) // 2 == utterance)
        if rows.any():
            confusion[features[1][2 * utterance], posterior[rows].mean(0).argmax()] += 1
    np.testing.assert_array_equal(carry.records["confusion/test_utterance"][0, 0], confusion)


def test_dropout_thins_by_its_rate_and_keeps_the_mean():
    from sejax.core.rng import dropout

    values = jnp.ones((64, 1000))
    thinned = np.asarray(dropout(jax.random.key(3), values, rate=0.3))
    assert (thinned == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert thinned.mean() == pytest.approx(1.0, abs=0.01)
    # Neighbours in a row and in a column are independent.
    kept = (thinned > 0).astype(float) - 0.7
    assert abs((kept[:, 1:] * kept[:, :-1]).mean()) < 0.01
    assert abs((kept[1:] * kept[:-1]).mean()) < 0.01
    again = np.asarray(dropout(jax.random.key(4), values, rate=0.3))
    assert ((thinned > 0) == (again > 0)).mean() == pytest.approx(0.58, abs=0.02)


def test_equal_views_train_as_no_views_do(features):
    inputs, label = features
    one, other = (finish(assembly(inputs, label, views=views)) for views in (None, np.stack([inputs] * 3, axis=1)))
    for ours, theirs in zip(jax.tree.leaves(one.state.params), jax.tree.leaves(other.state.params), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_an_update_sees_one_of_its_views_of_each_image(features):
    inputs, label = features
    views = np.stack([inputs, inputs + 3.0, inputs - 3.0], axis=1)
    with_views, plain = assembly(inputs, label, views=views), assembly(inputs, label)
    state = start(with_views)
    batch = with_views.train.gather(with_views.data, with_views.train.plan_at(state, 0))
    assert batch["inputs"].shape == (8, 3, SIZE)
    chosen = random_views(stream(state.key, "gain", state.step), batch["inputs"])
    assert len(np.unique(np.round((chosen - inputs[batch["index"]])[:, 0]))) == 3
    one, _ = with_views.experiment.step(state, batch)
    other, _ = plain.experiment.step(state, batch | {"inputs": chosen})
    for ours, theirs in zip(jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_array_equal(ours, theirs)
