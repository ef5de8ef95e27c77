"""What every experiment must hold to: one suite over all of them (cases.py says with what they are built)."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES, CONFIG_FOLDER, CONFIGS, group_of
from elsewhere import batches
from same_bits import as_numpy, assert_same_bits

from sejax import experiments
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.engine import segment
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.ensemble import ensemble, over_members, stack_members
from sejax.engine.segment import active_members, finished

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def groups():
    """The first group of every case, compiled once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = group_of(CASES[name])
        return made[name]

    return get


@pytest.fixture(scope="module", params=CASES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def group(groups, name):
    return groups(name)


@pytest.fixture(scope="module")
def lone_step(group, name):
    """The pure step of one member, compiled by itself."""
    return jax.jit(group.assembly.experiment.step, compiler_options=CASES[name].compiler_options)


@pytest.fixture(scope="module")
def plan_at(group):
    """The plans of the batches, compiled: one operation after the other would be compiled one by one."""
    return jax.jit(group.assembly.train.plan_at)


@pytest.fixture(scope="module")
def batch_at(group):
    """The batches, compiled."""
    return jax.jit(group.assembly.train.batch_at)


@pytest.fixture(scope="module")
def whole(group):
    """The run in one go, after 10 updates and at the end: host arrays."""
    carry = group.advance(group.first(), 10)
    after_ten = jax.tree.map(jnp.copy, carry)
    return after_ten, group.advance(carry, 10**6)


def _elsewhere(mode, folder, **environment):
    paths = map(str, (HERE.parents[1], HERE.parent, HERE))
    environment = os.environ | environment | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(HERE / "elsewhere.py"), mode, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def resumed(groups, tmp_path_factory):
    """Every case saved two updates into the run, and what a new process made of it."""
    folder = tmp_path_factory.mktemp("resumed")
    for name in CASES:
        group = groups(name)
        checkpoints = Checkpoints(folder / name)
        checkpoints.save(2, group.advance(group.first(), 2), {})
        checkpoints.close()
    return _elsewhere("resume", folder)


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    """Every case on two emulated devices."""
    # Compared within a tolerance, so that the compiler need not do its best.
    flags = "--xla_force_host_platform_device_count=2", "--xla_backend_optimization_level=0"
    environment = {"XLA_FLAGS": " ".join([os.environ.get("XLA_FLAGS", ""), *flags]), "JAX_PLATFORMS": "cpu"}
    return _elsewhere("devices", tmp_path_factory.mktemp("two_devices"), **environment)


def _forms(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype, getattr(x, "weak_type", False)), tree)


def test_every_registered_experiment_and_config_is_covered():
    assert {case.experiment for case in CASES.values()} == set(experiments.EXPERIMENTS)
    assert {path.stem for path in CONFIG_FOLDER.glob("*.py")} == set(CONFIGS)


def test_every_function_keeps_the_form_of_the_state(group):
    experiment, train, data = group.assembly.experiment, group.assembly.train, group.assembly.data
    state = jax.eval_shape(group.alone, 0)
    batch, train_metrics = jax.eval_shape(lambda s: _batch_and_metrics(experiment, train, data, s), state)
    assert all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(train_metrics))
    metrics = {"train": train_metrics}
    for part in ("valid", "whole"):
        source = getattr(group.assembly, part)
        metrics[part] = jax.eval_shape(
            lambda s, source=source: experiment.evaluate(s, source.batch_at(data, s, jnp.int32(0))), state
        )
    results = {
        "step": jax.eval_shape(lambda s, b: experiment.step(s, b)[0], state, batch),
        "refresh": jax.eval_shape(experiment.refresh, state, {k: metrics[k] for k in ("train", "valid")}),
        "conclude": jax.eval_shape(lambda s, m: experiment.conclude(s, m, data)[0], state, metrics["whole"]),
        "restart": jax.eval_shape(lambda s: experiment.restart(s, data), state),
    }
    for function, found in results.items():
        assert _forms(found) == _forms(state), function


def _batch_and_metrics(experiment, train, data, state):
    batch = train.batch_at(data, state, jnp.int32(0))
    return batch, experiment.step(state, batch)[1]


def test_the_key_is_never_replaced_and_the_step_counts_updates(group, whole):
    after_ten, end = whole
    for carry in whole:
        np.testing.assert_array_equal(jax.random.key_data(carry.state.key), jax.random.key_data(group.keys))
    assert np.asarray(after_ten.state.step).max() == 10
    assert np.asarray(end.state.step).min() > 10  # the case is long enough to say anything


def test_ten_updates_equal_seven_and_three_to_the_bit(group, whole):
    assert_same_bits(group.advance(group.first(), 7, 3), whole[0])
    assert_same_bits(group.advance(group.first(), 1, 2, 5, 10**6), whole[1])


def test_a_second_run_in_other_segments_compiles_nothing(group, whole):
    events = []

    def note(event, seconds, **_):
        del seconds
        events.append(event)

    carry = group.first()
    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        group.advance(carry, 2, 1, 6, 10**6)
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
    assert [event for event in events if event.startswith("/jax/core/compile/")] == []


def test_plans_do_not_depend_on_what_a_step_changes(group, plan_at):
    def plans(state):
        state = jax.tree.map(lambda x: x[0], state)
        return [plan_at(state, jnp.int32(i)) for i in range(3)]

    carry = group.first()
    before = plans(carry.state)
    assert_same_bits(plans(group.advance(carry, 2).state), before)


def test_a_streamed_source_yields_what_is_gathered_on_the_device(group, plan_at):
    train, data = group.assembly.train, group.assembly.data
    if train.stream is None:
        pytest.skip("this case's data lives on the device")
    state = group.first().state
    states = [jax.tree.map(lambda x, row=row: x[row], state) for row in range(len(group.keys))]
    plans = [[plan_at(s, jnp.int32(i)) for s in states] for i in range(3)]
    host = [jax.tree.map(lambda *leaves: np.stack(leaves), *rows) for rows in plans]
    streamed = list(train.stream(iter(host)))
    assert len(streamed) == 3
    for batch, rows in zip(streamed, plans, strict=True):
        gathered = [train.gather(data, plan) for plan in rows]
        assert_same_bits(jax.tree.map(jnp.asarray, batch), jax.tree.map(lambda *x: jnp.stack(x), *gathered))

    def part(array):  # of one of several processes: the last member, the second half of the rows
        return array[-1:, array.shape[1] // 2 :] if array.ndim > 1 else array[-1:]

    own = train.stream(jax.tree.map(part, plan)._replace(whole=plan) for plan in host)
    for batch, whole_batch in zip(own, streamed, strict=True):
        assert_same_bits(batch, jax.tree.map(part, whole_batch))


@pytest.mark.slow
def test_a_new_process_goes_on_from_a_checkpoint_to_the_same_bits(resumed, name, whole):
    found = np.load(resumed / f"{name}-end.npz")
    assert finished(whole[1], CASES[name].build().iterations)
    assert_same_bits(dict(found), as_numpy(whole[1]))


@pytest.mark.slow
def test_batches_are_the_same_in_a_fresh_process(resumed, name, group):
    expected = as_numpy(batches(group, group.advance(group.first(), 2).state))
    assert_same_bits(dict(np.load(resumed / f"{name}-batches.npz")), expected)


def test_a_mapped_member_equals_the_same_member_alone(name, group, batch_at, lone_step):
    experiment, data = group.assembly.experiment, group.assembly.data
    states = group.first().state
    alone = [jax.tree.map(lambda x, row=row: x[row], states) for row in range(len(group.keys))]
    if len(alone) > 1:
        given = [batch_at(data, state, jnp.int32(0)) for state in alone]
        mapped = jax.jit(ensemble(experiment, how="map").step, compiler_options=CASES[name].compiler_options)
        together, _ = mapped(states, stack_members(given))
        for row, (state, batch) in enumerate(zip(alone, given, strict=True)):
            assert_same_bits(jax.tree.map(lambda x, row=row: x[row], together), lone_step(state, batch)[0])
    else:  # trained one member at a time, since convolutions in a loop are compiled in another way
        together = group.advance(group.first(), 2).state
        for position in range(2):
            alone[0], _ = lone_step(alone[0], batch_at(data, alone[0], jnp.int32(position)))
        _assert_close(as_numpy(jax.tree.map(lambda x: x[0], together)), as_numpy(alone[0]))


@pytest.mark.slow
def test_two_devices_come_to_what_one_comes_to(two_devices, name, group):
    found = dict(np.load(two_devices / f"{name}-spread.npz"))
    assert found.pop("spread") == 2
    _assert_close(found, as_numpy(group.advance(group.first(), 2)), CASES[name].slack)


@pytest.mark.slow
def test_the_old_pmap_maps_the_pure_step_over_members(two_devices, name, group):
    if len(group.keys) != 2:
        pytest.skip("this case has another number of members in a group than there are devices")
    state, metrics = _as_tree(np.load(two_devices / f"{name}-pmap.npz"))
    expected = group.advance(group.first(), 1)
    _assert_close(state, as_numpy(expected.state))
    _assert_close(metrics, as_numpy(expected.totals))


def _as_tree(stored):
    """What was stored of (state, metrics), apart."""
    return [{key[2:]: stored[key] for key in stored.files if key.startswith(f"{part}/")} for part in (0, 1)]


def _assert_close(found, expected, slack=0.0):
    """Integers equal; floats off by a thousandth of their array's length at most, and by ``slack`` for each number.

    Adam and Adadelta turn round-off into steps.
    """
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        if np.issubdtype(array.dtype, np.floating):
            there, here = np.nan_to_num(found[key]), np.nan_to_num(array)
            allowed = 1e-3 * np.linalg.norm(here) + slack * here.size**0.5 + 1e-7
            assert np.linalg.norm(there - here) <= allowed, key
        else:
            np.testing.assert_array_equal(found[key], array, err_msg=key)


def test_eight_examples_are_learned_by_heart(name, group, batch_at, lone_step):
    if not CASES[name].overfit_updates:
        pytest.skip("this case never shows the same examples twice")
    state = jax.tree.map(lambda x: x[0], group.first().state)
    batch = batch_at(group.assembly.data, state, jnp.int32(0))
    batch = jax.tree.map(lambda x: x[:8], batch)
    state, first = lone_step(state, batch)
    for _ in range(CASES[name].overfit_updates - 1):
        state, metrics = lone_step(state, batch)
    for prefix, share in CASES[name].learned.items():
        assert _mean_of(metrics, prefix) < share * _mean_of(first, prefix), prefix
    if "confusion" in metrics:
        assert float(metrics["confusion"].compute()["accuracy"]) == 1.0


def _mean_of(metrics, prefix):
    return float(np.mean([metrics[name].compute() for name in metrics if name.startswith(prefix)]))


def test_no_speaker_is_in_two_parts_of_a_fold(name):
    case = CASES[name]
    speakers = np.asarray(case.speakers())
    for part in case.parts(case.build()):
        of = {kind: set(speakers[part == kind]) for kind in (TRAIN, VALIDATION, TEST)}
        assert {kind for kind, found in of.items() if found} == set(case.kinds)
        assert not of[TRAIN] & of[TEST] and not of[TRAIN] & of[VALIDATION] and not of[VALIDATION] & of[TEST]


def test_a_member_that_turns_to_nan_is_reported_and_stops_alone(name, group, whole):
    carry = group.advance(group.first(), 2)
    spoilt = jax.tree.map(_nan_in_the_last_member, carry.state)
    carry = group.advance(carry.replace(state=spoilt), 10**6)
    members = len(group.keys)
    np.testing.assert_array_equal(carry.failed_at, [*[-1] * (members - 1), 2])
    np.testing.assert_array_equal(active_members(carry)[-1], False)
    for row in range(members - 1):
        others = [jax.tree.map(lambda x, row=row: x[row], (c.state, c.records)) for c in (carry, whole[1])]
        assert_same_bits(*others)


def _nan_in_the_last_member(leaf):
    return leaf.at[-1].set(jnp.nan) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


def test_no_figure_depends_on_what_a_finished_run_leaves_out(group, whole, monkeypatch):
    monkeypatch.setattr(segment, "SMALL", 0)
    carry, experiment = whole[1], group.assembly.experiment
    on_host = group.assembly._replace(data=jax.tree.map(np.asarray, group.assembly.data))  # as it comes from disk
    left = segment.unread_by_evaluation(on_host, carry)
    assert any("optimizer" in path for path in left)

    def without(path, leaf):
        name = "state/" + jax.tree_util.keystr(path, simple=True, separator="/")
        if name not in left or jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        return jnp.zeros_like(leaf)

    conclude = jax.jit(over_members(experiment.conclude, how="map", member_args=(True, True, False)))
    found = []
    for state in (carry.state, jax.tree_util.tree_map_with_path(without, carry.state)):
        figures = group.segment.evaluate(group.assembly.data, carry.replace(state=state))
        found.append(conclude(state, figures, group.assembly.data)[1])
    assert_same_bits(*found)
