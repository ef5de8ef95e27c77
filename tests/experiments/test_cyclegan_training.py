"""Four CycleGANs in training: what couples them, what stops one of them, how long they train, hard features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emotional_vectors import hard_features, make_config, make_vectors
from same_bits import as_numpy, assert_same_bits

from sejax.core.rng import member_key, root_key
from sejax.engine.segment import make_segment
from sejax.experiments.cyclegan.assembly import assemble
from sejax.experiments.cyclegan.stage import Schedule, adam_step

COUNTS = (20, 17, 30, 25)  # three updates of eight vectors to an epoch
OTHERS, ONE = (0, 2, 3), 1  # emotions
APART, COUPLED = 0, 1  # members: lambda_cls 0 and 2
UPDATES = 15  # five epochs


def make_assembly(source=None, target=None):
    """Two members, lambda_cls 0 and 2, on all vectors; rows of the history of two epochs."""
    config = make_config("whole=True", folds=0, lambdas=(0.0, 2.0), epochs=5, row_epochs=2, learning_rate=0.01)
    source = make_vectors(40, corpus="unlabelled", values=source)
    return assemble(config, source, [make_vectors(COUNTS, values=target)])


class Run:
    """The compiled program, and runs of it that start alike."""

    def __init__(self):
        self.assembly = make_assembly()
        self.segment = make_segment(self.assembly, backend="scan")
        self.keys = jax.vmap(member_key, (None, 0))(root_key(0), jnp.arange(2))

    def train(self, updates, *, assembly=None, data=None, change=lambda state: state):
        """The carry after so many updates; `data` instead of the assembly's, `change` of the first state."""
        given = assembly or self.assembly
        data = jax.tree.map(jnp.asarray, given.data if data is None else data)
        carry = self.segment.start(self.keys, given.members, data)
        return self.segment.advance(data, carry.replace(state=change(carry.state)), updates)

    def results(self, carry, member):
        """The member's entry of results.json."""
        history = [
            {"iteration": 0, "epoch": row} | {name: float(x[member, 0, row]) for name, x in carry.history.items()}
            for row in range(self.assembly.epochs)
        ]
        return self.assembly.summarise(history, [{name: np.asarray(x[member, 0]) for name, x in carry.records.items()}])


@pytest.fixture(scope="module")
def run():
    return Run()


@pytest.fixture(scope="module")
def finished(run):
    return run.train(UPDATES)


def gans_of(carry, member, emotions):
    """All that belongs to some emotions' CycleGANs, moments included."""
    state = carry.state
    moments = [state.discriminator_optimizer.mu, state.discriminator_optimizer.nu]
    moments += [state.optimizer.mu["generators"], state.optimizer.nu["generators"]]
    return [*weights_of(carry, member, emotions), _taken(moments, member, emotions)]


def weights_of(carry, member, emotions):
    """The weights of some emotions' CycleGANs."""
    return _taken([carry.state.generators, carry.state.discriminators], member, emotions)


def _taken(trees, member, emotions):
    return jax.tree.map(lambda x: np.asarray(x)[member][np.array(emotions)], trees)


def changed_target(run, value, *, rows=None):
    """The data with other vectors for one emotion: all of its rows, or some of them."""
    start = sum(COUNTS[:ONE])
    target = np.array(run.assembly.data["target"])
    target[start : start + COUNTS[ONE]][slice(None) if rows is None else rows] = value
    return run.assembly.data | {"target": target}


def all_finite(tree):
    return all(np.isfinite(x).all() for x in as_numpy(tree).values() if np.issubdtype(x.dtype, np.floating))


def test_the_classifier_couples_the_emotions_and_nothing_else_does(run):
    base, other = run.train(4), run.train(4, data=changed_target(run, 0.5))
    assert_same_bits(gans_of(other, APART, OTHERS), gans_of(base, APART, OTHERS))
    for member, emotion in [(APART, ONE), *((COUPLED, number) for number in range(4))]:
        ours, theirs = (as_numpy(gans_of(carry, member, [emotion])[0]["target"]) for carry in (base, other))
        assert not any(np.array_equal(ours[name], theirs[name]) for name in ours), (member, emotion)


def test_a_cyclegan_that_is_not_finite_stops_alone_with_its_last_finite_parameters(run, finished):
    hurt = run.train(UPDATES, data=changed_target(run, np.nan, rows=[4]))
    stopped_at = np.asarray(hurt.state.stopped_at)
    for member in (APART, COUPLED):
        assert (stopped_at[member, list(OTHERS)] == -1).all() and 0 <= stopped_at[member, ONE] < 3
        np.testing.assert_array_equal(hurt.state.alive[member], [True, False, True, True])
        before = run.train(stopped_at[member, ONE])
        assert_same_bits(weights_of(hurt, member, [ONE]), weights_of(before, member, [ONE]))
    assert_same_bits(gans_of(hurt, APART, OTHERS), gans_of(finished, APART, OTHERS))
    assert all_finite(gans_of(hurt, COUPLED, range(4))) and all_finite(hurt.state.classifier)
    assert (np.asarray(hurt.failed_at) == -1).all()
    assert int(hurt.state.step[APART]) == UPDATES


@pytest.fixture(scope="module")
def broken(run):
    """A run whose weights of one emotion are not finite from the start."""

    def break_one(state):
        kernel = state.generators["source"]["hidden_1"]["kernel"].at[:, ONE, 0, 0].set(jnp.nan)
        generators = jax.tree.map(lambda x: x, state.generators)
        generators["source"]["hidden_1"]["kernel"] = kernel
        return state.replace(generators=generators)

    return run.train(UPDATES, change=break_one)


def test_weights_that_are_not_finite_stop_their_cyclegan_at_the_first_update(finished, broken):
    np.testing.assert_array_equal(broken.state.stopped_at, [[-1, 0, -1, -1]] * 2)
    assert_same_bits(gans_of(broken, APART, OTHERS), gans_of(finished, APART, OTHERS))
    assert all_finite(gans_of(broken, COUPLED, OTHERS)) and all_finite(broken.state.classifier)
    assert (np.asarray(broken.failed_at) == -1).all()


def test_results_name_the_cyclegan_that_stopped_and_nothing_that_it_makes(run, finished, broken):
    found, whole = run.results(broken, APART), run.results(finished, APART)
    assert found["gans"] == {"angry": None, "happy": {"update": 0}, "neutral": None, "sad": None}
    assert whole["gans"] == dict.fromkeys(found["gans"])
    assert np.isfinite(list(found["metrics"].values())).all()
    for figure in ("difference", "mmd", "frechet"):
        assert np.isnan(found["emotions"]["happy"][f"train/{figure}_synthetic"])
        assert np.isfinite(found["emotions"]["happy"][f"train/{figure}_source"])
        assert np.isfinite(found["emotions"]["sad"][f"train/{figure}_synthetic"])
    assert found["projection"]["synthetic"]["happy"] == [] and len(found["projection"]["synthetic"]["sad"]) == 8
    assert found["projection"]["synthetic"]["sad"] == whole["projection"]["synthetic"]["sad"]


def test_a_member_without_a_living_cyclegan_fails(run):
    data = run.assembly.data | {"source": np.full_like(run.assembly.data["source"], np.nan)}
    carry = run.train(UPDATES, data=data)
    np.testing.assert_array_equal(carry.failed_at, [0, 0])


def test_the_history_has_a_row_for_every_two_epochs_and_a_shorter_last_one(run, finished):
    assert run.assembly.epochs == 3
    np.testing.assert_array_equal(finished.state.step, [UPDATES] * 2)
    assert np.isfinite(finished.history["train/cycle/sad"]).all() and finished.history["train/loss"].shape == (2, 1, 3)
    for updates, rows, position in ((5, 0, 5), (6, 1, 0), (12, 2, 0), (14, 2, 2)):
        carry = run.train(updates)
        assert (int(carry.epoch), int(carry.position)) == (rows, position)
    assert_same_bits(run.train(10**6), finished)


def test_results_tell_of_training_alone_where_nothing_is_kept_from_it(run, finished):
    found = run.results(finished, APART)
    assert {name.split("/")[0] for name in found["metrics"]} == {"train"}
    assert set(found["history"][2]) >= {f"train/{loss}/sad" for loss in ("generator", "discriminator", "cycle")}
    record = {name: np.asarray(x[APART, 0]) for name, x in finished.records.items()}
    expected = np.abs(record["synthetic/mean"] - record["target/mean"]).mean(axis=-1)
    np.testing.assert_allclose(found["metrics"]["train/difference_synthetic"], expected.mean(), rtol=1e-5)


def test_hard_features_stay_finite_through_training_and_back(run):
    rows, _ = hard_features(40)
    values = np.concatenate([rows, rows[:, :4]], axis=1)
    target = np.resize(values, (sum(COUNTS), 12)) * np.float32(1.0)
    carry = run.train(UPDATES, assembly=make_assembly(values, target))
    assert all_finite(carry.state.generators) and all_finite(carry.state.optimizer)
    assert (np.asarray(carry.state.alive)).all() and (np.asarray(carry.failed_at) == -1).all()
    synthetic = carry.records["synthetic/mean"][0, 0]  # [E, F]
    scaling = jax.tree.map(lambda x: x[0], carry.state.scaling)
    assert np.isfinite(synthetic).all() and np.isfinite(scaling.invert(synthetic)).all()
    for name in ("difference", "mmd", "frechet"):
        assert np.isfinite(carry.records[f"{name}/train/synthetic"]).all()


def test_moments_of_synthetic_vectors_are_those_of_the_vectors(run, finished):
    state = jax.tree.map(lambda x: x[APART], finished.state)
    made = state.scaling.apply(run.assembly.data["source"])
    pair = jax.tree.map(lambda x: x[2], state.generators["target"])
    for number in range(4):
        layer = pair[f"hidden_{number}" if number < 3 else "output"]
        made = np.asarray(made, np.float64) @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"])
        made = np.where(made > 0, made, 0.2 * made) if number < 3 else 1 / (1 + np.exp(-made))
    np.testing.assert_allclose(finished.records["synthetic/mean"][APART, 0, 2], made.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(finished.records["synthetic/deviation"][APART, 0, 2], made.std(axis=0), rtol=3e-3)


def test_a_member_that_is_not_live_gets_its_state_back_to_the_bit(run):
    carry = run.train(2)
    data = jax.tree.map(jnp.asarray, run.assembly.data)
    state = jax.tree.map(lambda x: x[COUPLED], carry.state)
    batch = run.assembly.train.batch_at(data, state, carry.position)
    step = jax.jit(run.assembly.experiment.step)
    assert_same_bits(step(state, batch, jnp.array(False))[0], state)
    trained = step(state, batch, jnp.array(True))[0]
    assert int(trained.step) == int(state.step) + 1
    assert_same_bits(trained.alive, state.alive)
    assert not np.array_equal(trained.classifier["output"]["kernel"], state.classifier["output"]["kernel"])


def test_adam_is_optax_s_for_what_is_healthy():
    schedule, rate = Schedule(epochs=1, row_epochs=1, b1=0.5), jnp.float32(0.1)
    draw = np.random.default_rng(0).standard_normal
    parameters, gradients = ({"kernel": jnp.asarray(draw((3, 4, 5)), jnp.float32)} for _ in range(2))
    expected, optimizer = (parameters, schedule.adam().init(parameters)), schedule.adam().init(parameters)
    found, healthy = parameters, jnp.array([True, False, True])
    for scale in (1.0, jnp.nan, 3.0):
        given = {"kernel": gradients["kernel"].at[1].multiply(scale)}
        found, optimizer = adam_step(schedule, found, given, optimizer, rate=rate, healthy=healthy)
        directions, moments = schedule.adam().update(gradients, expected[1])
        expected = jax.tree.map(lambda p, d: p - rate * d, expected[0], directions), moments
    for mine, theirs, first in ((found, expected[0], parameters), (optimizer.nu, expected[1].nu, {"kernel": 0.0})):
        np.testing.assert_array_equal(mine["kernel"][::2], theirs["kernel"][::2])
        np.testing.assert_array_equal(mine["kernel"][1], jnp.broadcast_to(first["kernel"], (3, 4, 5))[1])
    assert int(optimizer.count) == 3
