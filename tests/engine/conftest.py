"""Fixtures of the engine's tests: every backend compiled once, compilations counted."""

import contextlib
import functools
from importlib.metadata import version

import jax
import pytest
from toy import toy_assembly

from sejax.engine.segment import make_segment

_OPTIONS = {"xla_backend_optimization_level": 3}
if version("jaxlib").startswith("0.10."):  # what tests/conftest.py turns off there; jaxlib 0.12 knows no such option
    _OPTIONS["xla_cpu_use_fusion_emitters"] = True
OPTIMISING = functools.partial(jax.jit, compiler_options=_OPTIONS)


@pytest.fixture
def optimised(monkeypatch):
    """For tests whose two sides are two programs: equal to the bit as a user's are compiled, not in every other way."""
    monkeypatch.setattr(jax, "jit", OPTIMISING)


@pytest.fixture
def users_options():
    """The options that compile a program as a user's is, for `compile` of what was lowered."""
    return _OPTIONS


@pytest.fixture(scope="session")
def segments():
    """``segments(backend, how)`` for three toy members; any of the toy's members can be given to it."""
    made = {}

    def get(backend, how):
        kind = (backend, how, jax.jit)  # optimised or not
        if kind not in made:
            made[kind] = make_segment(toy_assembly(), backend=backend, how=how)
        return made[kind]

    return get


@pytest.fixture
def count_compilations():
    """A context that lists what JAX traces, lowers and compiles inside it."""

    @contextlib.contextmanager
    def counting():
        events = []

        def note(event, seconds, **_):
            del seconds
            if event.startswith("/jax/core/compile/"):
                events.append(event)

        jax.monitoring.register_event_duration_secs_listener(note)
        try:
            yield events
        finally:
            jax.monitoring.unregister_event_duration_listener(note)

    return counting
