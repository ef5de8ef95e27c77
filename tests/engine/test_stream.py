"""A source that streams batches from the host gives what the resident one gives."""

import jax
import numpy as np
from same_bits import assert_same_bits
from toy import start, toy_assembly, train

from sejax.engine.segment import make_segment


def _from_the_host(log):
    """A stream that gathers rows with numpy and notes the size of each pass and every plan."""
    data = jax.device_get(toy_assembly().data)

    def stream(plans):
        plans = list(plans)
        log.append(plans)
        for plan in plans:
            yield {"x": data["x"][plan.index], "y": data["y"][plan.index], "valid": plan.valid}

    return stream


def test_a_streamed_run_equals_the_resident_one_however_it_is_cut(segments):
    log = []
    streamed = toy_assembly(stream_batches=_from_the_host(log))
    segment = make_segment(streamed, backend="loop")
    found = train(segment, streamed, (3, 1, 4, 2, 7, 100))
    assert_same_bits(found, train(segments("loop", "vmap"), toy_assembly()))
    # Never more than was asked for, and never past the epoch's four updates.
    assert [len(plans) for plans in log] == [3, 1, 4, 2, 2, 4, 1, 3, 4]


def test_plans_come_with_a_member_axis_as_host_arrays():
    log = []
    streamed = toy_assembly(stream_batches=_from_the_host(log))
    segment = make_segment(streamed, backend="loop")
    order = np.asarray(start(segment, streamed).state.order)  # [M, 8]
    train(segment, streamed, (4,))
    for position, plan in enumerate(log[0]):
        assert isinstance(plan.index, np.ndarray)
        np.testing.assert_array_equal(plan.index, order[:, 2 * position : 2 * position + 2])


def test_segments_of_another_length_compile_nothing_new(count_compilations):
    streamed = toy_assembly(stream_batches=_from_the_host([]))
    segment = make_segment(streamed, backend="loop")
    train(segment, streamed, (1, 100))
    carry = start(segment, streamed)
    with count_compilations() as events:
        for updates in (2, 1, 3, 6, 100):
            carry = segment.advance(streamed.data, carry, updates)
    assert events == []
