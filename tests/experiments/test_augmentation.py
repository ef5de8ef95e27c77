"""Classifiers on real and made vectors: splits without leaks, what a batch holds, the anchor."""

import dataclasses
import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_vectors

from sejax.core import metrics
from sejax.core.rng import member_key, root_key
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.vectors.load import emotional
from sejax.errors import InputError
from sejax.experiments.augmentation.algorithm import CHANGED, ITSELF, gather_test
from sejax.experiments.augmentation.assembly import assemble, held_out, variants
from sejax.experiments.augmentation.members import cross_splits, within_splits
from sejax.experiments.classification import whole_source
from sejax.experiments.feature_vectors import Scaling, fit_z_norm

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "augmentation.py"


def get_config(argument):
    """`get_config` of configs/augmentation.py."""
    spec = importlib.util.spec_from_file_location("augmentation_config", CONFIG)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(argument)


def make_config(training="real", **changes):
    """The config of one training, shrunk."""
    config = get_config("runlocal,real=emodb,lambdas=2.0")
    config.training, config.trainings, config.extra = training, (training,), 10
    config.update(changes)
    return config


@pytest.fixture(scope="module")
def target():
    """The 80 vectors of the four emotions by ten speakers."""
    return emotional([toy_vectors.emotional()])


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    """Of two folds and the whole, eight vectors for each emotion and generator; generators 0, 1 and 2."""
    return toy_vectors.synthetic(tmp_path_factory.mktemp("made") / "synthetic", of_folds=(0, 1, -1))


def assembled(synthetic=None, training="real", *, anchored=False, **changes):
    config = make_config(training, **changes)
    if not anchored:
        config.trainings = ("real", "syn") if training != "real" else ("syn", "real")
    return assemble(config, [toy_vectors.emotional()], None, synthetic)


def test_folds_keep_speakers_apart_and_test_every_vector_once(target):
    splits = within_splits(target, normalisation="leak_free", folds=5, seed=0)
    assert [split.number for split in splits] == [0, 1, 2, 3, 4]
    for split in splits:
        np.testing.assert_array_equal(split.trains, split.part != TEST)
        assert not set(target.speaker[split.trains]) & set(target.speaker[~split.trains])
    np.testing.assert_array_equal(np.sum([split.part == TEST for split in splits], axis=0), 1)


@pytest.mark.parametrize(("normalisation", "leaks"), [("leak_free", False), ("as_published", True)])
def test_test_vectors_touch_a_folds_normalisation_under_as_published_alone(target, normalisation, leaks):
    split = within_splits(target, normalisation=normalisation, folds=2, seed=0)[0]
    features = np.array(target.features)
    features[split.part == TEST] += 100.0
    changed = within_splits(
        dataclasses.replace(target, features=features), normalisation=normalisation, folds=2, seed=0
    )[0]
    for name in ("real_scaling", "test_scaling"):
        assert leaks != all(map(np.array_equal, getattr(split, name), getattr(changed, name))), name
    if not leaks:
        z = split.real_scaling.apply(target.features[split.trains])
        np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-4)


def test_another_corpus_is_split_30_to_70_within_each_class(target):
    test = emotional([toy_vectors.emotional("nemo", seed=9)])
    (split,) = cross_splits(target, test, normalisation="leak_free", development=0.3, seed=0)
    assert split.number == -1 and split.trains.all() and set(split.part) == {VALIDATION, TEST}
    for label in range(4):
        of_class = split.part[test.label == label]
        assert (np.sum(of_class == VALIDATION), np.sum(of_class == TEST)) == (6, 14)
    features = np.array(test.features)
    features[split.part == TEST] *= 2.0
    (changed,) = cross_splits(
        target, dataclasses.replace(test, features=features), normalisation="leak_free", development=0.3, seed=0
    )
    np.testing.assert_array_equal(split.test_scaling, changed.test_scaling)
    np.testing.assert_array_equal(split.test_scaling, fit_z_norm(test.features[split.part == VALIDATION]))
    np.testing.assert_array_equal(split.real_scaling, fit_z_norm(target.features))
    with pytest.raises(InputError, match="a development part of 100%"):
        cross_splits(target, test, normalisation="leak_free", development=1.0, seed=0)


def test_the_anchor_is_what_scikit_learn_gives_in_a_pipeline(target):
    svm = pytest.importorskip("sklearn.svm")
    from sklearn.metrics import recall_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Noise and few vectors, so that there are mistakes to agree on.
    random = np.random.default_rng(5)
    noisy = dataclasses.replace(toy_vectors.emotional(), features=random.normal(size=(140, 12)).astype(np.float32))
    noisy.features[:, 0] += noisy.label
    config = make_config(folds=5)
    found = assemble(config, [noisy], None, None).about["anchor"]
    data, expected = emotional([noisy]), []
    for split in within_splits(data, normalisation="leak_free", folds=5, seed=0):
        machine = make_pipeline(StandardScaler(), svm.SVC(kernel="linear", C=0.001, class_weight="balanced"))
        machine.fit(data.features[split.trains], data.label[split.trains])
        tests = split.part == TEST
        guess = machine.predict(data.features[tests])
        expected.append(recall_score(data.label[tests], guess, average="macro", zero_division=0))
    np.testing.assert_allclose(found["per_fold"], expected, atol=1e-6)
    assert found["uar"] == pytest.approx(np.mean(expected)) and 0.2 < found["uar"] < 0.9
    assert np.sum(found["confusion"]) == 80 and found["c"] == 0.001
    assert found["pooled_uar"] == pytest.approx(metrics.uar(np.array(found["confusion"], np.float32)))


class Started:
    """The first states of an assembly, and its batches."""

    def __init__(self, assembly):
        self.assembly, experiment = assembly, assembly.experiment
        keys = jax.vmap(member_key, (None, 0))(root_key(0), jnp.arange(len(assembly.names)))
        self.data = jax.tree.map(jnp.asarray, assembly.data)
        self.states = jax.jit(jax.vmap(experiment.init, (0, 0, None)))(keys, assembly.members, self.data)
        self.plan = jax.jit(assembly.train.plan_at)

    def state(self, member):
        return jax.tree.map(lambda x: x[member], self.states)

    def rows(self, member, places):
        """Row and kind of the examples at the first ``places`` places of a member."""
        state, count = self.state(member), -(-places // self.assembly.batch_size)
        plans = [self.plan(state, jnp.int32(number)).index for number in range(count)]
        return [np.concatenate([plan[name] for plan in plans])[:places] for name in ("row", "kind", "partner")]


@pytest.mark.parametrize(("training", "real_rows"), [("real+syn", 40), ("syn", 0)])
def test_a_pass_holds_every_real_and_every_synthetic_vector_of_the_folds_generator_once(
    synthetic, target, training, real_rows
):
    started = Started(assembled(synthetic, training))
    made = 4 * 8
    for member, split in enumerate(within_splits(target, normalisation="leak_free", folds=2, seed=0)):
        row, kind, _ = started.rows(member, 2 * (real_rows + made))
        generator = len(target.label) + member * made  # its first row
        expected = [*np.flatnonzero(split.trains)[:real_rows], *range(generator, generator + made)]
        for one_pass in np.split(np.arange(len(row)), 2):
            np.testing.assert_array_equal(np.sort(row[one_pass]), expected)
        np.testing.assert_array_equal(kind, np.where(row < len(target.label), ITSELF, CHANGED))
        assert not np.array_equal(*np.split(row, 2))  # every pass in an order of its own


def test_real_vectors_alone_are_trained_on_once_a_pass(target):
    started = Started(assembled())
    split = within_splits(target, normalisation="leak_free", folds=2, seed=0)[1]
    row, kind, _ = started.rows(1, 40)
    np.testing.assert_array_equal(np.sort(row), np.flatnonzero(split.trains))
    assert (kind == ITSELF).all()


@pytest.mark.parametrize("training", ["real+noise", "real+mixup"])
def test_noise_and_mixup_change_training_vectors_as_many_of_each_class(target, training):
    started = Started(assembled(training=training))
    split = within_splits(target, normalisation="leak_free", folds=2, seed=0)[0]
    row, kind, partner = started.rows(0, 2 * 80)  # two passes over 40 vectors as they are and 4 x 10 changed ones
    assert split.trains[row].all() and split.trains[partner].all()
    for one_pass in np.split(np.arange(160), 2):
        own, changed = row[one_pass][kind[one_pass] == ITSELF], row[one_pass][kind[one_pass] == CHANGED]
        np.testing.assert_array_equal(np.sort(own), np.flatnonzero(split.trains))
        np.testing.assert_array_equal(np.bincount(target.label[changed]), [10] * 4)
    drawn = [row[half][kind[half] == CHANGED] for half in (np.arange(80), np.arange(80, 160))]
    assert not np.array_equal(np.sort(drawn[0]), np.sort(drawn[1]))  # each pass draws anew


def _inputs_and_labels(training, synthetic=None):
    started = Started(assembled(synthetic, training))
    state = started.state(0)
    batch = started.assembly.train.batch_at(started.data, state, jnp.int32(0))
    prepare = jax.jit(started.assembly.experiment.step.__self__._prepared)
    inputs, labels = prepare(state, batch)
    return state, batch, np.asarray(inputs), np.asarray(labels)


def test_mixup_labels_are_shares_that_sum_to_one_and_its_vectors_lie_between_two_real_ones():
    state, batch, inputs, labels = _inputs_and_labels("real+mixup")
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, rtol=1e-6)
    assert (labels[np.arange(256), batch["label"]] >= 0.5).all()
    changed = np.asarray(batch["kind"]) == CHANGED
    own, other = (np.asarray(state.real_scaling.apply(batch[name])) for name in ("vectors", "partner"))
    np.testing.assert_array_equal(inputs[~changed], own[~changed])
    different = changed & (np.asarray(batch["label"]) != np.asarray(batch["partner_label"]))
    share = labels[np.arange(256), batch["label"]][different][:, None]
    np.testing.assert_allclose(inputs[different], share * own[different] + (1 - share) * other[different], atol=1e-5)
    assert share.min() + 1e-6 > 0.5 and len(np.unique(share)) > 20


def test_noise_has_the_deviation_asked_for_and_leaves_labels_and_real_vectors():
    state, batch, inputs, labels = _inputs_and_labels("real+noise")
    changed = np.asarray(batch["kind"]) == CHANGED
    noise = inputs - np.asarray(state.real_scaling.apply(batch["vectors"]))
    assert (noise[~changed] == 0).all() and changed.sum() > 100
    assert abs(noise[changed].std() - 0.5) < 0.03 and abs(noise[changed].mean()) < 0.05
    np.testing.assert_array_equal(labels, np.eye(4)[batch["label"]])


def test_real_and_synthetic_vectors_are_normalised_by_themselves(synthetic, target):
    state, batch, inputs, _ = _inputs_and_labels("real+syn", synthetic)
    split = within_splits(target, normalisation="leak_free", folds=2, seed=0)[0]
    start, stop = synthetic.rows_of(fold=0)
    of_kind = {ITSELF: split.real_scaling, CHANGED: fit_z_norm(synthetic.features[start:stop])}
    for kind, scaling in of_kind.items():
        rows = np.asarray(batch["kind"]) == kind
        np.testing.assert_allclose(inputs[rows], scaling.apply(np.asarray(batch["vectors"]))[rows], atol=1e-4)


def test_as_published_takes_the_generator_that_saw_everything(tmp_path, target):
    made = toy_vectors.synthetic(tmp_path / "made", of_folds=(-1,), normalisation="as_published")
    assembly = assembled(made, "syn", normalisation="as_published", folds=2)
    np.testing.assert_array_equal(assembly.members["start"], [len(target.label)] * 2)
    np.testing.assert_array_equal(assembly.members["test_scaling"]["shift"], [fit_z_norm(target.features).shift] * 2)


def test_repeats_take_the_generators_seeds_in_turn(tmp_path, target):
    made = toy_vectors.synthetic(tmp_path / "made", seeds=2)
    assembly = assembled(made, "syn", repeats=3)
    assert [(name["fold"], name["seed"]) for name in assembly.names] == [(f, s) for f in (0, 1) for s in (0, 1, 2)]
    generator = (np.asarray(assembly.members["start"]) - len(target.label)) // 32
    np.testing.assert_array_equal(generator, [0, 1, 0, 2, 3, 2])


def test_what_members_test_is_told_without_a_synthetic_set(tmp_path, synthetic):
    toy_vectors.write_prepared_set(tmp_path, toy_vectors.emotional())
    toy_vectors.write_prepared_set(tmp_path, toy_vectors.emotional("nemo", seed=9))
    assembly = assembled(synthetic, "real+syn", repeats=2)
    held = held_out(make_config("real+syn", repeats=2), tmp_path)
    assert held.names == assembly.names and len({name["lambda_cls"] for name in held.names}) == 1
    np.testing.assert_array_equal(held.part, assembly.members["part"])
    crossed = held_out(make_config("real+noise", evaluation="cross", test="nemo"), tmp_path)
    assert crossed.speech.corpus == "nemo" and (crossed.part == TRAIN).sum() == 0
    assert [set(name) for name in crossed.names] == [{"training", "fold", "seed"}]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"folds": 5}, "folds: 5 there, 2 here"),
        ({"seed": 3}, "seed: 3 there, 0 here"),
        ({"normalisation": "as_published"}, "normalisation: as_published there, leak_free here"),
        ({"target": ["nemo"]}, r"target: \['nemo'\] there, \['emodb'\] here"),
        ({"features": "is10"}, "features: is10 there"),
        ({"level": "rms"}, "level: rms there, none here"),
        ({"trim": "3"}, "trim: 3 there, none here"),
    ],
)
def test_vectors_of_generators_that_may_have_seen_the_test_part_are_refused(tmp_path, about, said):
    with pytest.raises(InputError, match=said):
        assembled(toy_vectors.synthetic(tmp_path / "made", **about), "syn")


def test_a_set_without_the_folds_generator_is_refused(tmp_path):
    with pytest.raises(InputError, match="0 generators with fold=1, seed=0, lambda_cls=2.0; there are fold=0"):
        assembled(toy_vectors.synthetic(tmp_path / "made", of_folds=(0,)), "syn")


def test_arguments_name_trainings_without_a_plus_sign():
    assert get_config("trainings=real+both+noise").trainings == ("real", "real+syn", "real+noise")


def test_trainings_that_cannot_be_are_refused():
    for trainings, said in ((("real", "real"), "once"), (("reel",), "reel"), (("real", "syn"), "synthetic=DIR")):
        with pytest.raises(InputError, match=said):
            variants(make_config(trainings=trainings))
    with pytest.raises(InputError, match="trained on too"):
        config = make_config(evaluation="cross")
        assemble(config, [toy_vectors.emotional()], toy_vectors.emotional(), None)


def test_evaluation_counts_each_part_once(synthetic, target):
    other = toy_vectors.emotional("nemo", seed=9)
    config = make_config("real", test="nemo", evaluation="cross")
    config.trainings = ("real+noise", "real")
    started = Started(assemble(config, [toy_vectors.emotional()], other, None))
    state = started.state(0)
    # The second batch is filled up with rows that do not count.
    whole = whole_source(80, 50, gather=gather_test)
    evaluate = jax.jit(started.assembly.experiment.evaluate)
    parts = [evaluate(state, whole.batch_at(started.data, state, jnp.int32(number))) for number in range(whole.batches)]
    found = metrics.merge(*parts)
    np.testing.assert_array_equal(found["valid"].counts.sum(axis=1), [6] * 4)
    np.testing.assert_array_equal(found["test"].counts.sum(axis=1), [14] * 4)
    scaling = Scaling(*(np.asarray(x) for x in state.test_scaling))
    data = emotional([other])
    x = scaling.apply(data.features)
    for name in ("hidden_0", "hidden_1", "output"):
        x = x @ np.asarray(state.params[name]["kernel"]) + np.asarray(state.params[name]["bias"])
        x = x if name == "output" else np.where(x > 0, x, 0.2 * x)
    expected, tests = np.zeros((4, 4)), np.asarray(state.part) == TEST
    np.add.at(expected, (data.label[tests], x.argmax(axis=1)[tests]), 1)
    np.testing.assert_array_equal(found["test"].counts, expected)
    part = np.asarray(started.assembly.members["part"])
    assert part.dtype == np.int8 and TRAIN not in part
