"""Fixtures of the engine's tests: every backend compiled once, compilations counted."""

import contextlib

import jax
import pytest
from toy import toy_assembly

from sejax.engine.segment import make_segment


@pytest.fixture(scope="session")
def segments():
    """``segments(backend, how)`` for three toy members; any of the toy's members can be given to it."""
    made = {}

    def get(backend, how):
        if (backend, how) not in made:
            made[backend, how] = make_segment(toy_assembly(), backend=backend, how=how)
        return made[backend, how]

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
