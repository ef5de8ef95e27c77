"""The method, against torch, by hand, and by what must not influence it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tones

from sejax.audio.augmentation import random_views, unchanged
from sejax.core.experiment import Assembly
from sejax.core.rng import member_key, root_key, stream
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.engine.segment import make_segment
from sejax.experiments.classification import (
    gather,
    gather_beside,
    gather_views,
    train_source,
    valid_source,
    whole_source,
)
from sejax.experiments.methods import experiment_of
from sejax.experiments.pseudo_labelling.algorithm import Method, Settings
from sejax.experiments.pseudo_labelling.assembly import summarise
from sejax.experiments.pseudo_labelling.inputs import on_own_scale
from sejax.experiments.pseudo_labelling.networks import linear_head, with_labeller

CLASSES, IMAGES, SIZE = 3, 90, 12
UNLABELLED_SHARE, GAIN = 0.5, 5.0


@pytest.fixture(scope="module")
def features():
    """Three overlapping clusters: f32[90, 12] and their labels."""
    random = np.random.default_rng(0)
    label = np.arange(IMAGES) % CLASSES
    centres = random.normal(size=(CLASSES, SIZE))
    return (centres[label] + 0.8 * random.normal(size=(IMAGES, SIZE))).astype(np.float32), label.astype(np.int32)


EVERY_RULE = {"vote": "utterance", "calibration": "temperature", "selection": "balanced", "targets": "soft", "ema": 0.9}


def assembly(
    inputs, label, *, views=None, strong=None, own_scale=None, iterations=2, epochs=6, dropout=0.0, **settings
) -> Assembly:
    """Two members: every third image tests, every tenth of the rest validates, half of the rest is labelled."""
    part = np.where(np.arange(IMAGES) // CLASSES % 3 == 0, TEST, TRAIN).astype(np.int8)
    part[np.flatnonzero(part == TRAIN)[::10]] = VALIDATION
    random = np.random.default_rng(1)
    labelled = np.stack([(part == TRAIN) & (random.random(IMAGES) < UNLABELLED_SHARE) for _ in range(2)])
    method = Settings(num_classes=CLASSES, batch_size=8, epochs=epochs, threshold=0.8, **settings)
    network = linear_head(CLASSES, dropout_rate=dropout, gain=GAIN)
    augment = unchanged if views is None else random_views
    more = {"strong_views": strong, "own_scale": own_scale}
    more = {name: jnp.asarray(values) for name, values in more.items() if values is not None}
    judged = gather_beside(gather, *(name for name in more if name == "own_scale"))
    trained = gather_beside(gather if views is None else gather_views, *more)
    if own_scale is not None:
        network = with_labeller(network, CLASSES, dropout_rate=dropout, gain=GAIN)
    strengthen = None if strong is None else lambda key, batch: random_views(key, batch["strong_views"])
    lengths = {"order_length": 56, "valid_length": 8}
    return Assembly(
        experiment=experiment_of(Method(network, method, **lengths, augment=augment, strengthen=strengthen)),
        train=train_source(8, gather=trained),
        valid=valid_source(8, 4, gather=judged),
        whole=whole_source(IMAGES, 40, gather=judged),
        data={
            "inputs": jnp.asarray(inputs),
            "label": jnp.asarray(label),
            "utterance": jnp.arange(IMAGES, dtype=jnp.int32) // 2,
            "utterance_label": jnp.asarray(label[::2]),
            "pretrained": {},
        }
        | ({} if views is None else {"views": jnp.asarray(views)})
        | more,
        members={"part": jnp.stack([part, part]), "labelled": jnp.asarray(labelled)},
        names=({"fold": 0, "seed": 0}, {"fold": 1, "seed": 0}),
        iterations=iterations,
        epochs=epochs,
        batch_size=8,
        summarise=partial(summarise, speech=tones.spectrograms()),
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


@pytest.mark.parametrize("rules", [{}, EVERY_RULE, {"selection": "adaptive", "pseudo_weight": 0.5}])
def test_labels_of_test_and_unlabelled_images_never_reach_training(features, rules):
    inputs, label = features
    first = finish(assembly(inputs, label, **rules))
    made = assembly(inputs, label, **rules)
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


def test_features_of_test_images_never_reach_training(features):
    inputs, label = features
    first = finish(assembly(inputs, label, **EVERY_RULE))
    tests = np.asarray(first.state.part[0]) == TEST
    other = np.where(tests[:, None], inputs[::-1] + 1.0, inputs)
    second = finish(assembly(other, label, **EVERY_RULE))
    np.testing.assert_array_equal(first.state.params["head"]["kernel"], second.state.params["head"]["kernel"])


def test_images_of_an_utterance_get_one_pseudo_label_and_all_of_them_where_the_share_is_one(features):
    state = finish(assembly(*features, vote="utterance", selection="balanced", shares=(1.0,))).state
    unlabelled = (np.asarray(state.part) == TRAIN) & ~np.asarray(state.labelled)
    np.testing.assert_array_equal(np.asarray(state.active), unlabelled | np.asarray(state.labelled))
    first, second = unlabelled[:, ::2], unlabelled[:, 1::2]
    both, label = first & second, np.asarray(state.label)
    assert both.any()
    np.testing.assert_array_equal(label[:, ::2][both], label[:, 1::2][both])
    alone = np.asarray(state.posterior).argmax(-1)
    assert (alone[:, ::2][both] != alone[:, 1::2][both]).any()


def test_the_share_that_is_kept_grows_with_the_iterations(features):
    record = finish(assembly(*features, iterations=3, selection="balanced", shares=(0.2, 0.6))).records
    kept = record["confident"] / record["unlabelled"]
    np.testing.assert_allclose(kept, np.tile([0.2, 0.6, 0.6], (2, 1)), atol=0.1)  # rounded up by class
    counts = record["diagnostic/by_class"]
    np.testing.assert_array_equal(counts.sum(-1)[..., 0], record["unlabelled"])
    np.testing.assert_array_equal(counts.sum(-1)[..., 1], record["confident"])
    np.testing.assert_array_equal(counts.sum(-1)[..., 2], record["confident_correct"])


def test_a_soft_target_is_the_posterior_and_its_loss_is_by_class_weights(features):
    made = assembly(*features, targets="soft", selection="balanced", shares=(1.0,), pseudo_weight=0.5)
    state = start(made)
    posterior = jnp.asarray(np.random.default_rng(2).dirichlet(np.ones(CLASSES), IMAGES), jnp.float32)
    metrics = {"posterior": type("Fixed", (), {"compute": lambda self: posterior})()}
    state = made.experiment.restart(made.experiment.conclude(state, metrics, made.data)[0], made.data)
    labelled = np.asarray(state.labelled)
    expected = np.where(labelled[:, None], np.eye(CLASSES)[features[1]], posterior)
    np.testing.assert_allclose(state.target, expected, rtol=1e-6)
    batch = made.train.batch_at(made.data, state, jnp.int32(0))
    _, totals = made.experiment.step(state, batch)
    index = np.asarray(batch["index"])
    scaled = (batch["inputs"] - state.constants["mean"]) * state.constants["scale"]
    logits = scaled @ state.params["head"]["kernel"].T + state.params["head"]["bias"]
    losses = -(expected[index] * jax.nn.log_softmax(logits)).sum(-1)
    weights = expected[index] @ state.class_weight * np.where(labelled[index], 1.0, 0.5)
    assert float(totals["loss"].compute()) == pytest.approx(float((losses * weights).sum() / weights.sum()), rel=1e-4)


def test_the_teacher_averages_weights_judges_and_is_what_is_kept(features):
    made = assembly(*features, iterations=1, epochs=4, ema=0.9)
    state = start(made)
    kernels = [np.asarray(state.params["head"]["kernel"])]
    for position in range(3):
        state, _ = made.experiment.step(state, made.train.batch_at(made.data, state, jnp.int32(position)))
        kernels.append(np.asarray(state.params["head"]["kernel"]))
    # 1/2, 2/3 and 3/4 are below the decay: the mean of all weights so far
    np.testing.assert_allclose(state.teacher["head"]["kernel"], np.mean(kernels, axis=0), rtol=1e-4, atol=1e-6)
    batch = made.valid.batch_at(made.data, state, jnp.int32(0))
    judged = made.experiment.evaluate(state, batch)["posterior"].values
    student = made.experiment.evaluate(state.replace(teacher=state.params), batch)["posterior"].values
    assert not np.allclose(judged, student)
    state = finish(made).state
    for ours, kept in zip(jax.tree.leaves(state.params), jax.tree.leaves(state.teacher), strict=True):
        np.testing.assert_array_equal(ours, kept)


def test_pseudo_labelled_images_are_trained_on_strong_views_and_labelled_ones_as_they_are(features):
    inputs, label = features
    strong = np.stack([inputs + 10.0, inputs - 10.0], axis=1)
    made, plain = (assembly(inputs, label, strong=x, selection="balanced", shares=(1.0,)) for x in (strong, None))
    state = start(made)
    state = made.experiment.conclude(state, made.experiment.evaluate(state, _all(made)), made.data)[0]
    state = made.experiment.restart(state, made.data)
    batch = made.train.batch_at(made.data, state, jnp.int32(0))
    chosen = random_views(stream(state.key, "strong", state.step), batch["strong_views"])
    known = np.asarray(state.labelled)[np.asarray(batch["index"])]
    assert 0 < known.sum() < 8
    given = jnp.where(known[:, None], batch["inputs"], chosen)
    one, _ = made.experiment.step(state, batch)
    other, _ = plain.experiment.step(state, batch | {"inputs": given})
    np.testing.assert_array_equal(one.params["head"]["kernel"], other.params["head"]["kernel"])


def test_a_head_that_labels_leaves_the_network_as_it_is_and_its_labels_are_what_is_trained_on(features):
    inputs, label = features
    told = 0.1 * inputs + 2.0 * np.eye(CLASSES, SIZE, dtype=np.float32)[label]
    how = {"selection": "balanced", "shares": (1.0,)}
    with_head, without = (finish(assembly(inputs, label, iterations=1, own_scale=x, **how)) for x in (told, None))
    ours, theirs = (x.state.params["head"]["kernel"] for x in (with_head, without))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    state, scale = with_head.state, GAIN / np.sqrt(SIZE)
    kernel, bias = (np.asarray(state.params["labeller"][name]) for name in ("kernel", "bias"))
    said = (scale * np.einsum("id,mcd->mic", told, kernel) + bias[:, None]).argmax(-1)
    unlabelled = (np.asarray(state.part) == TRAIN) & ~np.asarray(state.labelled)
    np.testing.assert_array_equal(np.asarray(state.label)[unlabelled], said[unlabelled])
    assert (said != np.asarray(state.posterior).argmax(-1))[unlabelled].any()


def test_a_speakers_own_scale_depends_on_no_other_speaker():
    random = np.random.default_rng(3)
    features = random.normal(5.0, 3.0, size=(30, 4)).astype(np.float32)
    features[:, 3] = 7.0
    speaker = np.repeat([0, 1, 4], 10)
    scaled = on_own_scale(features, speaker)
    np.testing.assert_allclose(scaled[:10].mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(scaled[:10, :3].std(0), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(scaled[:, 3], 0.0)
    features[10:] *= 100.0
    np.testing.assert_array_equal(on_own_scale(features, speaker)[:10], scaled[:10])


def _all(made):
    """All images in one batch."""
    index = jnp.arange(IMAGES)
    return {"inputs": made.data["inputs"], "label": made.data["label"], "index": index, "valid": index >= 0}


def test_an_iterations_entry_says_what_became_of_its_pseudo_labels(features):
    carry = finish(assembly(*features, **EVERY_RULE))
    records = [{name: np.asarray(rows[0, i]) for name, rows in carry.records.items()} for i in range(2)]
    summary = partial(summarise, [], speech=tones.spectrograms())
    entry = summary(records)["iterations"][0]
    assert entry["temperature"] > 0 and set(entry["calibration_error"]) == {"before", "after"}
    assert sum(entry["by_class"]["kept"]) == entry["confident"]
    assert sum(entry["by_class"]["right"]) == entry["confident_correct"]
    earlier = [record | {name: 0 * record[name] for name in record if "diagnostic" in name} for record in records]
    assert "by_class" not in summary(earlier)["iterations"][0]
