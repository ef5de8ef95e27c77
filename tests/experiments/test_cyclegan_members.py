"""Folds, normalisers and rows of the CycleGANs' members: what they may depend on, and what makes them differ."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emotional_vectors import make_config, make_vectors
from same_bits import assert_same_bits

from sejax.data.folds import TEST, TRAIN
from sejax.errors import InputError
from sejax.experiments.cyclegan.assembly import assemble
from sejax.experiments.cyclegan.members import fold_arrays, principal_axes, reference_arrays, sample_rows
from sejax.experiments.cyclegan.stage import order_seeds, pair_source
from sejax.experiments.feature_vectors import Scaling, target_folds

COUNTS = (12, 9, 15, 10)
SOURCE = make_vectors(30, corpus="unlabelled").features


def folds_of(target, normalisation="leak_free", *, folds=2, whole=True):
    return target_folds(target, normalisation=normalisation, folds=folds, whole=whole, seed=0)


def arrays_of(fold, target):
    arrays = fold_arrays(fold, SOURCE, target, rows=max(COUNTS))
    scaling = Scaling(arrays["shift"], arrays["scale"])
    return arrays | {"reference": reference_arrays(fold, SOURCE, target, scaling, sample=6, seed=0)}


def test_what_tests_has_no_part_in_what_a_fold_trains_on():
    target = make_vectors(COUNTS)
    fold = folds_of(target)[0]
    features = np.where((fold.part == TEST)[:, None], np.float32(1e3), target.features)
    base, other = arrays_of(fold, target), arrays_of(fold, replace(target, features=features))
    tests = [tree["reference"].pop("test") for tree in (base, other)]
    assert_same_bits(other, base)
    assert not np.array_equal(tests[0]["mean"], tests[1]["mean"])


def test_what_trains_moves_the_normaliser():
    target = make_vectors(COUNTS)
    fold = folds_of(target)[0]
    features = np.where((fold.part == TRAIN)[:, None], 2 * target.features, target.features)
    base, other = arrays_of(fold, target), arrays_of(fold, replace(target, features=features))
    assert not np.array_equal(base["scale"], other["scale"])


def test_training_rows_lie_in_0_to_1_and_a_table_holds_each_class_s():
    target = make_vectors(COUNTS)
    for fold in folds_of(target):
        made = arrays_of(fold, target)
        trains = np.flatnonzero(fold.part == TRAIN)
        rows = np.concatenate([SOURCE, target.features[trains]])
        scaled = (rows - made["shift"]) * made["scale"]
        assert scaled.min() > -1e-6 and scaled.max() < 1 + 1e-6
        np.testing.assert_allclose([scaled.min(axis=0), scaled.max(axis=0)], [[0.0] * 12, [1.0] * 12], atol=1e-5)
        for number, (table, count) in enumerate(zip(made["rows"], made["count"], strict=True)):
            np.testing.assert_array_equal(table[:count], trains[target.label[trains] == number])


def test_moments_and_projection_are_those_of_the_scaled_vectors():
    target = make_vectors(COUNTS)
    fold = folds_of(target)[1]
    made = arrays_of(fold, target)
    found = made["reference"]
    scaled = ((target.features - made["shift"]) * made["scale"])[(fold.part == TEST) & (target.label == 2)]
    np.testing.assert_allclose(found["test"]["mean"][2], scaled.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["test"]["deviation"][2], scaled.std(axis=0), rtol=1e-4)
    assert found["test"]["weight"][2].sum() == min(len(scaled), 6)
    plane = np.random.default_rng(0).normal(size=(50, 2)) @ [[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]] + 5.0
    centre, axes, explained = principal_axes(plane)
    np.testing.assert_allclose(centre, plane.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(np.abs(axes), [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], atol=0.2)
    np.testing.assert_allclose(explained.sum(), 1.0, rtol=1e-5)
    assert explained[0] > 0.8


def test_a_drawn_sample_is_sorted_and_the_same_again():
    found = sample_rows(100, 7, 3)
    np.testing.assert_array_equal(found, sample_rows(100, 7, 3))
    assert len(found) == 7 and (np.diff(found) > 0).all()
    np.testing.assert_array_equal(sample_rows(4, 7, 3), range(4))


def test_as_published_trains_on_everything_and_on_nothing_else():
    target = make_vectors(COUNTS)
    assert [fold.number for fold in folds_of(target)] == [0, 1, -1]
    assert [fold.number for fold in folds_of(target, whole=False)] == [0, 1]
    (whole,) = folds_of(target, "as_published", whole=False)
    assert whole.number == -1 and (whole.part == TRAIN).all()


def test_sessions_are_kept_apart_where_there_are_any():
    target = make_vectors(COUNTS, people=4, sessions=(0, 0, 1, 1))
    for fold in folds_of(target, whole=False):
        tests = set(target.session[fold.part == TEST])
        assert len(tests) == 1 and tests.isdisjoint(target.session[fold.part == TRAIN])


@pytest.mark.parametrize(
    ("changes", "counts", "named"),
    [
        ({"normalisation": "whatever"}, COUNTS, "normalisation='whatever'"),
        ({"folds": 0, "whole": False}, COUNTS, "folds=5, or whole=True"),
        ({"folds": 0}, (12, 1, 9, 9), "'happy' has 1 training vectors in fold -1"),
        ({"folds": 0}, (12, 9, 9), "'sad' has 0 training vectors in fold -1"),
        ({"target": ("unlabelled",)}, COUNTS, "source=unlabelled is among the targets"),
    ],
)
def test_a_run_that_cannot_be_says_why(changes, counts, named):
    with pytest.raises(InputError, match=named):
        assemble(make_config(**changes), make_vectors(30, corpus="unlabelled"), [make_vectors(counts)])


def test_a_source_that_holds_recordings_of_the_target_is_refused():
    source, target = make_vectors(30, corpus="unlabelled"), make_vectors(COUNTS)
    source = replace(source, digests=tuple(f"s{row}" for row in range(29)) + ("t3",))
    target = replace(target, digests=tuple(f"t{row}" for row in range(len(target.label))))
    with pytest.raises(InputError, match="u29 of unlabelled and u3 of .* have the same samples"):
        assemble(make_config(), source, [target])


def test_members_are_weights_by_folds_by_seeds_with_their_arrays():
    config = make_config("folds=2,whole=True,seeds=2", lambdas=(0.0, 2.0))
    made = assemble(config, make_vectors(30, corpus="unlabelled"), [make_vectors(COUNTS)])
    assert made.names[:3] == (
        {"fold": 0, "seed": 0, "lambda_cls": 0.0},
        {"fold": 0, "seed": 1, "lambda_cls": 0.0},
        {"fold": 1, "seed": 0, "lambda_cls": 0.0},
    )
    assert [name["fold"] for name in made.names] == [0, 0, 1, 1, -1, -1] * 2
    np.testing.assert_array_equal(made.members["lambda_cls"], [0.0] * 6 + [2.0] * 6)
    np.testing.assert_array_equal(made.members["shift"][:6], made.members["shift"][6:])
    assert not np.array_equal(made.members["shift"][0], made.members["shift"][2])
    np.testing.assert_array_equal(made.members["count"][4], COUNTS)
    config.stage = "pretraining"
    assert assemble(config, make_vectors(30, corpus="unlabelled"), [make_vectors(COUNTS)]).names == tuple(
        {"fold": fold, "seed": seed} for fold in (0, 1, -1) for seed in (0, 1)
    )


def plans(member, updates, *, start=0, sources=30, batch=8):
    """Rows i32[updates * B, E] of source and target of a member's updates."""
    table = np.arange(4 * 20).reshape(4, 20)  # emotion e owns rows 20 e to 20 e + 19
    state = SimpleNamespace(
        seeds=order_seeds(jnp.int32(member), 4),
        rows=jnp.asarray(table, jnp.int32),
        count=jnp.array(COUNTS, jnp.int32),
        epoch_start=jnp.int32(start),
    )
    plan_at = jax.jit(lambda position: pair_source(batch, sources).plan_at(state, position).index)
    made = [plan_at(jnp.int32(position)) for position in range(updates)]
    return {name: np.concatenate([plan[name] for plan in made]) for name in ("source", "target")}


def test_every_row_is_used_once_in_a_pass_of_its_own_emotion():
    found = plans(0, 15)  # 120 places
    for emotion, count in enumerate(COUNTS):
        own = found["target"][:, emotion]
        for start in range(0, 120 - count, count):
            np.testing.assert_array_equal(np.sort(own[start : start + count]), 20 * emotion + np.arange(count))
        for start in range(0, 120, 30):
            np.testing.assert_array_equal(np.sort(found["source"][start : start + 30, emotion]), np.arange(30))


def test_orders_are_the_same_again_go_on_in_the_next_row_and_differ_between_members_and_emotions():
    found, rest, other = plans(0, 15), plans(0, 8, start=7), plans(1, 15)
    for name in ("source", "target"):
        np.testing.assert_array_equal(plans(0, 15)[name], found[name])
        np.testing.assert_array_equal(rest[name], found[name][7 * 8 :])
        assert (other[name] == found[name]).mean() < 0.3
    pairs = [(a, b) for a in range(4) for b in range(a)]
    assert all((found["source"][:, a] == found["source"][:, b]).mean() < 0.2 for a, b in pairs)
