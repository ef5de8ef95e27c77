"""A source that streams batches from the host gives what the resident one gives."""

from functools import partial

import jax
import numpy as np
import pytest
from same_bits import assert_same_bits
from toy import start, toy_assembly, train

from sejax.engine.segment import make_segment
from sejax.errors import InputError


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


def _padded(stream):
    """The stream's batches with one row that does not count beside those of every other batch: two shapes."""

    def pad(batch, rows):
        width = ((0, 0), (0, rows))
        return {name: np.pad(array, width) for name, array in batch.items()}

    def padded(plans):
        for number, batch in enumerate(stream(plans)):
            yield pad(batch, number % 2)

    return padded


def test_streamed_evaluation_may_come_in_several_shapes_and_equals_the_resident_one(segments):
    log = []
    streamed = toy_assembly()
    stream = _padded(_from_the_host(log))
    streamed = streamed._replace(
        valid=streamed.valid._replace(stream=stream), whole=streamed.whole._replace(stream=stream)
    )
    found = train(make_segment(streamed, backend="loop"), streamed, (3, 100))
    expected = train(segments("loop", "vmap"), toy_assembly())
    assert_same_bits(found.state, expected.state)
    for name in ("history", "records"):  # sums over rows of another number differ in their last bits
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), getattr(found, name), getattr(expected, name))
    assert [len(plans) for plans in log] == [2] * 8  # three epochs and the iteration's end, twice


def test_a_streamed_evaluation_cannot_be_scanned():
    streamed = toy_assembly()
    streamed = streamed._replace(valid=streamed.valid._replace(stream=_from_the_host([])))
    with pytest.raises(InputError, match="loop"):
        make_segment(streamed, backend="scan")


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
