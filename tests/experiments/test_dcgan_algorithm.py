"""The DCGANs' training around its updates: early stopping, collapse, scores, whose crops move batch statistics."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.metrics import Confusion, Mean, Scatter
from sejax.core.rng import root_key
from sejax.experiments.dcgan.algorithm import COLLAPSED, Method, Settings, diversity
from sejax.experiments.dcgan.networks import MODELS, TRAINED_BY, make_networks
from sejax.experiments.dcgan.results import accepted

BATCH, WIDTH, LATENT = 4, 16, 3
PARTS = np.array([0, 0, 1, 2, 2, -1], np.int8)


def plain_networks(model):
    """Networks of one number each; what is generated depends on the draw and on that number."""
    names = {name for loss in MODELS[model] for name in TRAINED_BY[loss]}

    def init(key):
        params = {name: jax.random.normal(jax.random.fold_in(key, len(name)), ()) for name in sorted(names)}
        return params, {name: jnp.zeros(()) for name in ("trunk", "generator") if name in names}

    return SimpleNamespace(
        losses=MODELS[model],
        modules=dict.fromkeys(sorted(names)),
        generates="generator" in names,
        rated=tuple(name for name in ("valence", "activation") if name in names),
        latent=LATENT,
        bands=1,
        width=LATENT,
        init=init,
        sample=lambda params, statistics, latent: jnp.tanh(latent)[:, None] * params["generator"],
        # Crops [N, 1, 1] hold the point that is answered.
        rate_crops=lambda params, statistics, crops: jnp.stack(
            [9.0 * jax.nn.one_hot(crops.reshape(-1).astype(jnp.int32) - 1, 5)] * (1 + ("activation" in names)), axis=1
        ),
    )


def make_method(model="multitask_dcgan", **settings):
    return Method(plain_networks(model), Settings(**{"epochs": 100, "samples": 2, "snapshots": 3} | settings), BATCH, 2)


def make_state(method, *, draw=0, rate=1e-3, key=0):
    member = {"part": PARTS, "rows": np.zeros(5, np.int32), "count": np.int32(5)}
    member |= {"draw": np.int32(draw), "learning_rate": np.float32(rate)}
    return method.init(root_key(key), jax.tree.map(jnp.asarray, member), {})


def figures(accuracy, alike=1.0):
    """Metrics of an epoch: the share of right answers of one point in validation, the diversity in training."""
    counts = jnp.array([[accuracy, 1 - accuracy], [0.0, 0.0]])
    return {"valid": {"confusion": Confusion(counts)}, "train": {"diversity": Mean.from_values(jnp.array([alike]))}}


def trained(method, accuracies, diversities=None):
    """The state after the epochs that it takes; after epoch n every parameter and statistic is n."""
    state = make_state(method)
    for epoch, accuracy in enumerate(accuracies, start=1):
        now = jax.tree.map(lambda x, n=epoch: jnp.full_like(x, n), (state.params, state.statistics))
        state = state.replace(params=now[0], statistics=now[1], step=jnp.int32(10 * epoch))
        state = method.refresh(state, figures(accuracy, *([diversities[epoch - 1]] if diversities else [])))
        if state.stopped:
            break
    return state, epoch


CLASSIFIER = ("trunk", "shared", "valence", "activation")


@pytest.mark.parametrize(
    ("accuracies", "patience", "last", "best"),
    [
        ([0.3, 0.5, 0.4, 0.5, 0.45, 0.9], 3, 5, 2),  # as good is not better
        ([0.3, 0.5, 0.4, 0.4, 0.6, 0.5, 0.5, 0.5, 0.9], 3, 8, 5),
        ([0.5, 0.4, 0.9], 1, 2, 1),
        ([0.0, 0.0, 0.0, 0.9], 2, 3, 1),
    ],
)
def test_training_ends_after_its_patience_and_the_classifier_goes_back(accuracies, patience, last, best):
    state, epochs = trained(make_method(patience=patience), accuracies)
    assert state.stopped and epochs == last
    assert {name: int(x) for name, x in state.params.items()} == dict.fromkeys(CLASSIFIER, best) | {
        "generator": last,
        "adversarial": last,
    }
    assert {name: int(x) for name, x in state.statistics.items()} == {"trunk": best, "generator": last}
    _, record = make_method().conclude(state, *scores_of_nothing())
    assert (record["epochs"], record["best_epoch"]) == (last, best)


def scores_of_nothing():
    data = {"target": jnp.zeros((6, 2, 5)), "rating": jnp.zeros((6, 2)), "rated": jnp.zeros((6, 2), bool)}
    return {"posterior": Scatter(jnp.zeros((6, 2, 5)), jnp.ones(6))}, data


def test_until_it_ends_training_goes_on_from_the_latest_weights():
    state, _ = trained(make_method(patience=3), [0.5, 0.4])
    assert not state.stopped
    assert {int(x) for x in state.params.values()} == {2} and int(state.best["params"]["trunk"]) == 1
    assert state.epoch_start == 20


def test_the_last_epoch_ends_it():
    state, epochs = trained(make_method(epochs=2), [0.3, 0.2, 0.9])
    assert epochs == 2 and int(state.params["trunk"]) == 1


@pytest.mark.parametrize(("criterion", "best"), [("accuracy", 1), ("uar", 2)])
def test_the_figure_is_the_one_that_was_chosen(criterion, best):
    method = make_method(criterion=criterion, patience=1)
    state = make_state(method)
    # A rare point is never answered, 0.9 and 0.5; then always, 0.6 and 0.78.
    for counts in ([[90.0, 0], [10, 0]], [[50.0, 40], [0, 10]]):
        metrics = figures(0.0)
        metrics["valid"]["confusion"] = Confusion(jnp.array(counts))
        state = method.refresh(state, metrics)
    assert state.stopping.best_epoch + 1 == best


@pytest.mark.parametrize(
    ("diversities", "epoch"),
    [
        *(([0.5, 0.2, 0.05, 0.6, 0.01], 3), ([0.9, COLLAPSED + 0.01], 0), ([0.9, COLLAPSED - 0.01], 2)),
        *(([0.01], -1), ([0.088, 0.105, 0.09], -1), ([0.05, 0.4, 0.05], 3), ([0.05, 0.5], 0)),
    ],
)
def test_collapse_is_noted_after_the_first_epoch_of_crops_that_are_alike_and_were_not(diversities, epoch):
    state, _ = trained(make_method(), [0.5] * len(diversities), diversities)
    assert state.collapsed_at == epoch


def test_the_gallery_shows_what_becomes_of_the_same_draws():
    state, _ = trained(make_method(), [0.1, 0.2, 0.3])
    latent = make_method().draws(state.replace(step=jnp.int32(0)), "gallery", 2)
    wanted = [
        np.round((np.clip(np.tanh(latent) * epoch, -1, 1) + 1) * 127.5).astype(np.uint8)[:, None] for epoch in (1, 2, 3)
    ]
    np.testing.assert_array_equal(state.gallery, wanted)


def test_a_model_without_a_generator_has_no_gallery_and_never_collapses():
    state, _ = trained(make_method("multitask_cnn"), [0.5, 0.6], [0.0, 0.0])
    assert state.collapsed_at == -1 and not state.gallery.size and set(state.params) == set(CLASSIFIER)


def test_what_is_random_in_a_draw_is_the_same_at_every_learning_rate():
    method = make_method()
    one, other = make_state(method, draw=1, rate=1e-3, key=0), make_state(method, draw=1, rate=1e-4, key=5)
    for field in ("params", "statistics", "optimizer", "seeds", "rows", "valid_index"):
        jax.tree.map(np.testing.assert_array_equal, getattr(one, field), getattr(other, field))
    np.testing.assert_array_equal(method.draws(one, "fooling", 3), method.draws(other, "fooling", 3))
    assert one.learning_rate != other.learning_rate
    third = make_state(method, draw=2)
    assert one.params["trunk"] != third.params["trunk"]
    seeds = np.concatenate([state.seeds[part] for state in (one, third) for part in ("labelled", "unlabelled")])
    assert len(set(seeds.tolist())) == 8


def test_an_epoch_has_as_many_updates_as_hold_its_rows():
    state = make_state(make_method())  # five rows, four to a batch
    assert state.epoch_steps == 2
    np.testing.assert_array_equal(state.valid_index[state.valid_mask], [2])


def evaluated(method, state, points, ratings):
    """Metrics of utterances whose crops [B, E] answer `points`, and the data: ratings are whole points [B]."""
    target = jnp.stack([jax.nn.one_hot(np.array(ratings) - 1, 5)] * 2, axis=1)
    rating = jnp.stack([jnp.array(ratings, jnp.float32)] * 2, axis=1)
    data = {"target": target, "rating": rating, "rated": jnp.array([[True, True]] * len(ratings)).at[:, 1].set(False)}
    batch = {"labelled": jnp.array(points, jnp.float32)[..., None, None], "index": jnp.arange(6)}
    batch |= {"valid": jnp.ones(6, bool)} | data
    return method.evaluate(state, batch), data


def test_the_posterior_of_an_utterance_is_the_mean_over_its_crops():
    method = make_method("basic_cnn")
    metrics, _ = evaluated(method, make_state(method), [[1, 1, 4]] * 6, [1] * 6)
    posterior = metrics["posterior"].compute()  # [U, R, 5]
    right, wrong = np.exp(9) / (np.exp(9) + 4), 1 / (np.exp(9) + 4)
    wanted = [(2 * right + wrong) / 3, wrong, wrong, (right + 2 * wrong) / 3, wrong]
    np.testing.assert_allclose(posterior, np.broadcast_to(wanted, (6, 1, 5)), rtol=1e-4)


def test_parts_are_scored_apart_and_unrated_dimensions_not_at_all():
    method = make_method()
    state = make_state(method)
    #        train   valid   test        unused
    answers, truth = [[5], [5], [2], [3], [4], [5]], [1, 1, 3, 3, 5, 1]
    metrics, data = evaluated(method, state, answers, truth)
    _, record = method.conclude(state, metrics, data)
    test, valid = np.zeros((5, 5)), np.zeros((5, 5))
    test[2, 2] = test[4, 3] = valid[2, 1] = 1
    np.testing.assert_array_equal(record["test/confusion"], test)
    np.testing.assert_array_equal(record["valid/confusion"], valid)
    np.testing.assert_array_equal(record["test/pooled/confusion"], [[0, 0, 0], [0, 1, 0], [0, 0, 1]])
    for part in ("test", "valid"):
        assert not record[f"{part}/activation/confusion"].any()
    assert record["test/pearson"][0] == 2  # pairs


def test_diversity_is_the_generated_crops_deviation_over_the_real_ones():
    # Deviations over a batch of two are 1 and 3 in two pixels; half of that, and none.
    real = jnp.array([[0.0, 0.0], [2.0, 6.0]])
    assert diversity(real / 2 + 7, real) == pytest.approx(0.5)
    assert diversity(jnp.array([[0.0, 5.0], [0.0, 5.0]]), real) == 0
    assert diversity(jnp.array([[0.0, 0.0], [2.0, 0.0]]), real) == pytest.approx(np.sqrt(1 / 10))
    assert np.isfinite(diversity(real, jnp.zeros((2, 2))))


@pytest.fixture(scope="module")
def compiled():
    """A round of real networks that do not learn (the rate is 0), its first state and a batch."""
    networks = make_networks("multitask_dcgan", filters=1, side=2, width=WIDTH, hidden=2, slope=0.2, latent=LATENT)
    method = Method(networks, Settings(epochs=1, samples=1, snapshots=1), BATCH, 2)
    member = {"part": PARTS, "rows": np.zeros(5, np.int32), "count": np.int32(5), "draw": np.int32(0)}
    shapes = jax.eval_shape(method.init, root_key(0), member | {"learning_rate": np.float32(0)}, {})
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes.replace(key=np.zeros(2)))
    random = np.random.default_rng(0)

    def drawn(path, leaf):
        kernel = random.normal(size=leaf.shape)
        return (kernel if path[-1].key == "kernel" else np.ones(leaf.shape) * (path[-1].key == "scale")).astype("f4")

    state = zeros.replace(params=jax.tree_util.tree_map_with_path(drawn, zeros.params))
    target = random.dirichlet(np.ones(5), (BATCH, 2)).astype(np.float32)
    batch = {"target": target, "rated": np.ones((BATCH, 2), bool), "valid": np.ones(BATCH, bool)}
    batch |= {"rating": target.argmax(-1).astype(np.float32)}
    crops = random.uniform(-1, 1, (BATCH + 2, 128, WIDTH)).astype(np.float32)
    batch |= {"labelled": crops[:BATCH], "unlabelled": crops[BATCH:]}
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(method.step).lower(state, batch).compile(compiler_options=options), state, batch


def with_generator(state, change):
    return state.replace(params=state.params | {"generator": jax.tree.map(change, state.params["generator"])})


def test_generated_crops_do_not_move_the_trunks_statistics(compiled):
    step, state, batch = compiled
    one, told = step(state, batch)
    other, told_other = step(with_generator(state, lambda x: x * 0.5 + 0.1), batch)
    assert told["generator/loss"].total != told_other["generator/loss"].total
    jax.tree.map(np.testing.assert_array_equal, one.statistics["trunk"], other.statistics["trunk"])
    third, _ = step(state, batch | {"unlabelled": batch["unlabelled"] / 2})
    moved = jax.tree.map(lambda a, b: (a != b).any(), one.statistics["trunk"], third.statistics["trunk"])
    assert any(jax.tree.leaves(moved))


def test_a_generator_that_ignores_its_draw_has_no_diversity(compiled):
    step, state, batch = compiled
    _, told = step(state, batch)
    assert told["diversity"].compute() > 2 * COLLAPSED
    deaf = state.params["generator"] | {"project": jax.tree.map(np.zeros_like, state.params["generator"]["project"])}
    _, told = step(state.replace(params=state.params | {"generator": deaf}), batch)
    assert told["diversity"].compute() < 1e-3


def test_the_training_scores_are_of_labelled_crops_alone(compiled):
    step, state, batch = compiled
    _, told = step(state, batch)
    _, other = step(state, batch | {"unlabelled": batch["unlabelled"] / 2})
    for name in ("loss", "activation/loss"):
        assert told[name].count == BATCH and told[name].total == other[name].total
    assert told["confusion"].counts.sum() == BATCH == accepted(batch["target"]).sum() / 2
    assert told["discriminator/loss"].total != other["discriminator/loss"].total
