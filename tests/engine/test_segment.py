"""Segments: how a run is cut changes nothing, and stopped or broken members stay alone."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from same_bits import assert_same_bits
from toy import EPOCHS, ITERATIONS, WAYS, member_alone, start, toy_assembly, train

from sejax.engine.segment import Parts, active_members, finished, make_segment
from sejax.errors import InputError


@pytest.mark.parametrize(("backend", "how"), WAYS)
def test_however_a_run_is_cut_the_carry_is_the_same_to_the_bit(segments, backend, how):
    assembly, segment = toy_assembly(), segments(backend, how)
    whole = train(segment, assembly)
    assert int(whole.iteration) == ITERATIONS
    # 4 updates to an epoch: cuts within epochs, at their ends, over several, and over the iteration's end.
    assert_same_bits(train(segment, assembly, (3, 1, 4, 2, 7, 1, 100)), whole)
    assert_same_bits(train(segment, assembly, (1,) * 24), whole)


@pytest.mark.parametrize(("backend", "how"), WAYS)
def test_the_engine_comes_to_what_a_plain_loop_over_each_member_comes_to(segments, backend, how):
    assembly = toy_assembly()
    carry = train(segments(backend, how), assembly)
    for row in range(3):
        history, records, state = member_alone(assembly, row)
        for name, values in history.items():
            np.testing.assert_allclose(carry.history[name][row], values, rtol=1e-5)
        for name in ("loss", "slope"):
            expected = [record[name] for record in records]
            np.testing.assert_allclose(carry.records[name][row], expected, rtol=1e-5)
        np.testing.assert_allclose(carry.state.slope[row], state.slope, rtol=1e-5)
        assert int(carry.state.step[row]) == int(state.step)


def test_a_member_that_stopped_early_keeps_its_state_until_the_others_are_done(segments):
    assembly, segment = toy_assembly(), segments("scan", "vmap")
    # Member 1 stops after two epochs of four updates; the other two train a third.
    stopped = train(segment, assembly, (8,))
    np.testing.assert_array_equal(active_members(stopped), [True, False, True])
    kept = jax.device_get(jax.tree.map(lambda x: x[1], stopped.state.replace(key=None)))
    later = segment.advance(assembly.data, stopped, 3)
    assert_same_bits(jax.tree.map(lambda x: x[1], later.state.replace(key=None)), kept)
    np.testing.assert_array_equal(later.state.step, [11, 8, 11])
    done = segment.advance(assembly.data, later, 10**6)
    np.testing.assert_array_equal(np.isnan(done.history["train/loss"][1]), [[False, False, True]] * ITERATIONS)


@pytest.mark.parametrize("backend", ["scan", "loop"])
def test_a_member_whose_loss_is_not_finite_stops_alone(segments, backend):
    segment, healthy = segments(backend, "vmap"), toy_assembly(limits=(EPOCHS,) * 3)
    # 1e30 makes the slope about 1e30 after the first update, and its square overflows in the second.
    broken = toy_assembly(rates=(0.05, 1e30, 0.2), limits=(EPOCHS,) * 3)
    found, expected = train(segment, broken), train(segment, healthy)
    np.testing.assert_array_equal(found.failed_at, [-1, 1, -1])
    assert int(found.state.step[1]) == 1 and np.isfinite(found.state.slope[1])
    assert np.isnan(found.history["train/loss"][1]).all()
    for row in (0, 2):
        others = [
            jax.tree.map(lambda x, row=row: x[row], (carry.state.replace(key=None), carry.history, carry.records))
            for carry in (found, expected)
        ]
        assert_same_bits(*others)


def test_a_member_that_breaks_in_an_epochs_last_update_is_caught_by_its_evaluation(segments):
    # A factor of about 3e5 an update: the fourth loss is still finite in float32, the evaluation after it is not.
    carry = train(segments("scan", "vmap"), toy_assembly(rates=(0.05, 3e5, 0.2)), (4,))
    np.testing.assert_array_equal(carry.failed_at, [-1, 4, -1])
    np.testing.assert_array_equal(active_members(carry), [True, False, True])


@pytest.mark.parametrize("backend", ["scan", "loop"])
def test_a_run_of_which_every_member_failed_ends(segments, backend):
    carry = train(segments(backend, "vmap"), toy_assembly(rates=(1e30,) * 3))
    assert finished(carry, ITERATIONS)
    np.testing.assert_array_equal(carry.failed_at, [1, 1, 1])
    np.testing.assert_array_equal(carry.state.step, [1, 1, 1])


def test_outputs_that_are_not_finite_at_the_iterations_end_fail_a_member(segments):
    assembly, segment = toy_assembly(), segments("loop", "vmap")
    carry = train(segment, assembly, (11,))
    # The last update of the iteration, with a point that only evaluation meets. Member 1 stopped long ago: it
    # meets the point in the evaluation at the iteration's end alone.
    unseen = set(range(8)) - set(np.asarray(carry.state.order)[[0, 2], -2:].ravel().tolist())
    spoilt = assembly.data | {"y": assembly.data["y"].at[min(unseen)].set(np.nan)}
    carry = segment.advance(spoilt, carry, 1)
    np.testing.assert_array_equal(carry.failed_at, [12, 8, 12])


@pytest.mark.parametrize(("backend", "how"), [("scan", "vmap"), ("loop", "vmap"), ("loop", "map")])
def test_nothing_is_compiled_after_the_first_pass_over_a_run(segments, count_compilations, backend, how):
    assembly, segment = toy_assembly(), segments(backend, how)
    train(segment, assembly, (2, 10**6))
    carry = start(segment, assembly)
    with count_compilations() as events:
        for updates in (1, 5, 7, 100):
            carry = segment.advance(assembly.data, carry, updates)
    assert int(carry.iteration) == ITERATIONS
    assert events == []
    with count_compilations() as events:
        jax.jit(lambda x: x + 1)(np.float32(len(events)))
    assert events  # the counter counts


def test_the_carry_given_to_advance_is_donated(segments):
    assembly, segment = toy_assembly(), segments("scan", "vmap")
    carry = start(segment, assembly)
    segment.advance(assembly.data, carry, 1)
    assert carry.state.slope.is_deleted() and carry.history["train/loss"].is_deleted()


def test_one_member_alone_equals_the_same_member_of_a_mapped_ensemble(segments):
    assembly = toy_assembly()
    together = train(segments("scan", "map"), assembly)
    alone = toy_assembly(rates=(0.05,), limits=(EPOCHS,))
    found = train(make_segment(alone, backend="scan", how="map"), alone)
    first = jax.tree.map(lambda x: x[:1], (together.history, together.records, together.state.slope))
    assert_same_bits((found.history, found.records, found.state.slope), first)


def test_a_lone_members_weights_are_not_copied_in_an_update(users_options):
    """A copy of weights and moments for every update is a third of what a CPU moves to and from memory."""
    if jax.default_backend() != "cpu":
        pytest.skip("what XLA makes of it on a CPU")
    toy, shape = toy_assembly(rates=(0.05,), limits=(EPOCHS,)), (300, 200)

    def init(key, member, data):
        state = toy.experiment.init(key, member, data)
        return state.replace(slope={name: jnp.zeros(shape) for name in ("weights", "first", "second")})

    def step(state, batch, live):
        old = state.slope
        gradient = jnp.outer(jnp.resize(batch["x"], shape[0]), jnp.resize(batch["y"], shape[1]))
        first = jnp.where(live, 0.9 * old["first"] + 0.1 * gradient, old["first"])
        second = jnp.where(live, 0.99 * old["second"] + 0.01 * gradient**2, old["second"])
        weights = jnp.where(live, old["weights"] - state.rate * first / (jnp.sqrt(second) + 1e-8), old["weights"])
        _, metrics = toy.experiment.step(state.replace(slope=batch["x"][0]), batch)
        new = {"weights": weights, "first": first, "second": second}
        return state.replace(slope=new, step=state.step + 1), metrics

    def evaluate(state, batch):
        return toy.experiment.evaluate(state.replace(slope=state.slope["weights"][0, 0]), batch)

    def conclude(state, metrics, data):
        del data
        return state, {"loss": metrics["loss"].compute()}

    def restart(state, data):
        del data
        return state

    changes = {"init": init, "step": step, "evaluate": evaluate, "conclude": conclude, "restart": restart}
    assembly = toy._replace(experiment=toy.experiment._replace(**changes, takes_live=True))
    segment = make_segment(assembly, backend="scan")
    program = jax.jit(lambda data, carry: segment.advance(data, carry, 100), donate_argnums=1)
    text = program.lower(assembly.data, start(segment, assembly)).compile(compiler_options=users_options).as_text()
    assert re.search(r"f32\[(1,)?300,200\]\S* fusion\(", text)
    assert not re.search(r"f32\[(1,)?300,200\]\S* copy\(", text)


@pytest.mark.parametrize("backend", ["scan", "loop"])
def test_where_nothing_validates_the_history_holds_the_training_alone(segments, backend):
    assembly = toy_assembly()
    without = assembly._replace(valid=assembly.valid._replace(batches=0))
    carry = train(make_segment(without, backend=backend, how="vmap"), without)
    whole = train(segments(backend, "vmap"), assembly)
    assert carry.history.keys() == {name for name in whole.history if name.startswith("train/")} < whole.history.keys()
    assert_same_bits(carry.history["train/loss"], whole.history["train/loss"])
    assert_same_bits(carry.records, whole.records)


def test_evaluate_gives_the_metrics_of_the_whole_data(segments):
    assembly = toy_assembly()
    for backend in ("scan", "loop"):
        segment = segments(backend, "vmap")
        carry = train(segment, assembly)
        loss = segment.evaluate(assembly.data, carry)["loss"]
        np.testing.assert_array_equal(loss.count, [8, 8, 8])
        expected = [
            np.mean((float(slope) * assembly.data["x"] - assembly.data["y"]) ** 2) for slope in carry.state.slope
        ]
        np.testing.assert_allclose(loss.compute(), expected, rtol=1e-5)


def test_unknown_backends_and_ensembles_are_errors_that_name_the_known():
    with pytest.raises(InputError, match="backend='pmap'.*scan, loop"):
        make_segment(toy_assembly(), backend="pmap")
    with pytest.raises(InputError, match="how='shard'.*vmap, map"):
        make_segment(toy_assembly(), backend="scan", how="shard")
    with pytest.raises(InputError, match="streamed source needs backend='loop'"):
        make_segment(toy_assembly(stream_batches=lambda plans: plans), backend="scan")


@pytest.mark.parametrize("validates", [True, False])
def test_the_figures_of_a_validation_that_is_not_are_not_looked_through(validates):
    # XLA would fold what is computed from zeros alone: half a minute for the vectors that CycleGANs sample.
    assembly = toy_assembly()
    if not validates:
        assembly = assembly._replace(valid=assembly.valid._replace(batches=0))
    parts = Parts(assembly, "vmap", lambda batch: batch)
    carry = start(make_segment(assembly, backend="scan"), assembly)
    valid = parts.zeros("valid", assembly.data, carry.state)
    assert ("is_finite" in str(jax.make_jaxpr(parts.end_epoch)(carry, valid))) == validates
