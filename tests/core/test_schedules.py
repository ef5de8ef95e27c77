"""Plateau and early stopping against torch's ReduceLROnPlateau and loops written out by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.schedules import EarlyStopping, Plateau, improves

SETTINGS = {
    "paper": dict(mode="max"),
    "loss": dict(mode="min", patience=3),
    "impatient": dict(mode="max", patience=0, factor=0.5),
    "absolute": dict(mode="max", patience=2, threshold=0.09, threshold_mode="abs", factor=0.3),
    "absolute loss": dict(mode="min", patience=2, threshold=0.09, threshold_mode="abs"),
    "cooldown": dict(mode="min", patience=1, cooldown=3, factor=0.5, minimum=1e-4),
    "below its minimum": dict(mode="max", patience=1, minimum=2e-2),
    "minimum close by": dict(mode="max", patience=1, minimum=9e-3, epsilon=2e-3),
    "coarse threshold": dict(mode="max", patience=1, threshold=0.03, factor=0.7),
    "relative": dict(mode="max", patience=1, threshold_mode="rel"),
    "relative loss": dict(mode="min", patience=1, threshold=0.03, threshold_mode="rel"),
}


def _sequence(seed, length=80):
    """Accuracy-like values on a grid of 1/64: many ties, all exact in float32; NaN now and then, also first."""
    rng = np.random.default_rng(seed)
    values = np.clip(np.linspace(0.1, 0.8, length) + rng.normal(0, 0.15, length), 0, 1)
    values = np.round(values * 64) / 64
    if seed % 3 == 2:
        values[rng.integers(0, length, 4)] = np.nan
        values[: seed // 3] = np.nan
    if seed % 3 == 1:
        values = -values
    return values.astype(np.float32)


@functools.partial(jax.jit, static_argnames="settings")
def _history(state, values, *, settings):
    """The states after each of `values`, stacked."""

    def step(state, value):
        state = state.update(value, **dict(settings))
        return state, state

    return jax.lax.scan(step, state, values)[1]


def _states(state, values, **settings):
    history = jax.tree.map(np.asarray, _history(state, values, settings=tuple(settings.items())))
    return [jax.tree.map(lambda leaf, epoch=epoch: leaf[epoch], history) for epoch in range(len(values))]


def _torch_scheduler(
    learning_rate, *, minimum=1e-5, epsilon=1e-8, factor=0.1, patience=5, threshold_mode="abs", **settings
):
    torch = pytest.importorskip("torch", reason="torch's ReduceLROnPlateau is the reference here")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=learning_rate)
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        *(optimizer,),
        **dict(min_lr=minimum, eps=epsilon, factor=factor, patience=patience, threshold_mode=threshold_mode),
        **settings,
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_plateau_equals_torchs_scheduler_at_every_step(name):
    settings = SETTINGS[name]
    reductions = 0
    for seed in range(9):
        scheduler, values = _torch_scheduler(1e-2, **settings), _sequence(seed)
        for value, state in zip(values, _states(Plateau.init(1e-2), values, **settings), strict=True):
            before = scheduler.optimizer.param_groups[0]["lr"]
            scheduler.step(float(value))
            rate = scheduler.optimizer.param_groups[0]["lr"]
            reductions += rate < before
            np.testing.assert_allclose(state.learning_rate, rate, rtol=1e-6)
            assert (int(state.bad_epochs), int(state.cooldown)) == (
                scheduler.num_bad_epochs,
                scheduler.cooldown_counter,
            )
            assert np.isinf(scheduler.best) != bool(state.seen)
            if state.seen:
                assert float(state.best) == scheduler.best
    # The comparison is of schedules that act, but for two that must not.
    assert reductions == 0 if "minimum" in name else reductions > 9


def test_plateau_worked_by_hand():
    state = Plateau.init(1e-2)
    rates = []
    # patience 2: the third bad epoch in a row reduces; 0.5 again is no improvement, nor is 0.50004.
    for value in [0.5, 0.5, 0.50004, 0.5, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]:
        state = state.update(value, mode="max", patience=2, minimum=5e-4)
        rates.append(float(state.learning_rate))
    expected = [1e-2] * 3 + [1e-3] * 4 + [5e-4] * 4
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def _stop_by_hand(values, *, mode, patience, margin):
    """Epoch of the stop (None: never), best value and its epoch, as a training loop would write it."""
    sign = 1.0 if mode == "max" else -1.0
    best, best_epoch = None, -1
    for epoch, value in enumerate(values.astype(float)):
        if value == value and (best is None or sign * (value - best) > margin):
            best, best_epoch = value, epoch
        elif epoch - best_epoch > patience:
            return epoch, best, best_epoch
    return None, best, best_epoch


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("patience", [0, 3, 10])
def test_early_stopping_equals_a_loop_written_by_hand(mode, patience):
    assert not EarlyStopping.init().improved
    stops = 0
    for seed in range(12):
        values = _sequence(seed) if mode == "max" else -_sequence(seed)
        settings = dict(mode=mode, patience=patience, threshold=0.01, threshold_mode="abs")
        state, stop = jax.tree.map(np.asarray, EarlyStopping.init()), None
        for epoch, after in enumerate(_states(EarlyStopping.init(), values, **settings)):
            was, state = state, after
            if stop is None and state.stopped:
                stop = epoch
            if was.stopped:
                jax.tree.map(np.testing.assert_array_equal, state, was)
            else:
                assert bool(state.improved) == (int(state.best_epoch) == epoch)
        expected_stop, best, best_epoch = _stop_by_hand(values, mode=mode, patience=patience, margin=0.01)
        assert stop == expected_stop
        assert int(state.best_epoch) == best_epoch
        if best is not None:
            assert float(state.best) == best
        stops += stop is not None
    assert stops > 0


@pytest.mark.parametrize("name", SETTINGS)
def test_early_stopping_stops_when_torchs_scheduler_would_first_reduce(name):
    settings = {k: v for k, v in SETTINGS[name].items() if k in ("mode", "patience", "threshold", "threshold_mode")}
    settings = {"patience": 10} | settings
    for seed in range(9):
        scheduler, values = _torch_scheduler(1.0, **settings), _sequence(seed)
        for value, state in zip(values, _states(EarlyStopping.init(), values, **settings), strict=True):
            scheduler.step(float(value))
            reduced = scheduler.optimizer.param_groups[0]["lr"] < 1.0
            assert bool(state.stopped) == reduced
            if reduced:
                break


@pytest.mark.parametrize(("rule", "acts"), [("abs", True), ("rel", False)])
def test_a_figure_below_zero_that_stands_still_is_seen_by_the_absolute_rule_alone(rule, acts):
    values = np.full(30, -1.5, np.float32)
    assert _states(EarlyStopping.init(), values, mode="max", threshold_mode=rule)[-1].stopped == acts
    rate = _states(Plateau.init(1e-2), values, mode="max", threshold_mode=rule)[-1].learning_rate
    assert (rate < 1e-2) == acts


def test_members_of_a_vmapped_schedule_equal_those_alone():
    values = np.stack([_sequence(seed) for seed in range(5)])
    rates = jnp.array([1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
    members = jax.vmap(lambda rate: (Plateau.init(rate), EarlyStopping.init()))(rates)
    for kind in range(2):
        history = jax.vmap(lambda state, value: _history(state, value, settings=(("mode", "max"),)))
        together = history(members[kind], values)
        for member, rate in enumerate(rates):
            start = (Plateau.init(rate), EarlyStopping.init())[kind]
            for epoch, alone in enumerate(_states(start, values[member], mode="max")):
                for ours, theirs in zip(together, alone, strict=True):
                    assert ours[member, epoch] == theirs


@pytest.mark.parametrize("state", [Plateau.init(1e-2), EarlyStopping.init()], ids=["plateau", "stopping"])
def test_a_schedule_keeps_its_types_and_holds_finite_numbers(state):
    describe = lambda tree: [(x.shape, x.dtype, x.weak_type) for x in jax.tree.leaves(tree)]  # noqa: E731
    after = jax.eval_shape(lambda state: state.update(0.5, mode="max"), state)
    assert describe(after) == describe(jax.eval_shape(lambda: state))
    assert all(np.isfinite(leaf) for leaf in jax.tree.leaves(state))
    assert all(np.isfinite(leaf) for leaf in jax.tree.leaves(state.update(np.nan, mode="max")))


def test_an_unknown_mode_is_an_error():
    with pytest.raises(ValueError, match="'best'"):
        improves(1.0, 0.0, mode="best")
    with pytest.raises(ValueError, match="'percent'"):
        Plateau.init(1.0).update(1.0, mode="max", threshold_mode="percent")
