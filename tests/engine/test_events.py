"""What TensorBoard gets at the end of iterations, read back from the event files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import EPOCHS, ITERATIONS, toy_assembly

from sejax.core.experiment import HISTOGRAM
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.events import EventFiles, confusion_text
from sejax.engine.run import RunSettings, run
from sejax.errors import InputError
from sejax.experiments.classification import BINS, confidences

CLASSES = ("anger", "joy")


def counting_assembly(**options):
    """The toy experiment, whose records hold a confusion and a histogram that tell its members and iterations apart."""
    assembly = toy_assembly(**options)
    conclude = assembly.experiment.conclude

    def counted(state, metrics, data):
        state, record = conclude(state, metrics, data)
        counts = jnp.stack([jnp.stack([state.step, 1]), jnp.stack([0, state.step])]).astype(jnp.float32)
        bins = jnp.zeros(BINS, jnp.float32).at[jnp.int32(jnp.round(100 * state.rate) // 5)].set(state.step)
        return state, record | {"confusion/test": counts, f"{HISTOGRAM}posterior/test": bins}

    experiment = assembly.experiment._replace(conclude=counted)
    return assembly._replace(experiment=experiment, about={"classes": list(CLASSES)})


def read(folder):
    """{tag: {step: text, or (limits, counts)}} of the event files, those of scalars left out."""
    from tensorboardX.proto.event_pb2 import Event

    found, times = {}, {}
    for file in folder.iterdir():
        content, place = file.read_bytes(), 0
        while place < len(content):
            length = int.from_bytes(content[place : place + 8], "little")
            event = Event.FromString(content[place + 12 : place + 12 + length])
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                if kind == "tensor":
                    shown = value.tensor.string_val[0].decode()
                elif kind == "histo":
                    shown = (list(value.histo.bucket_limit), list(value.histo.bucket))
                else:
                    continue
                found.setdefault(value.tag, {})[event.step] = shown
                times[value.tag, event.step] = times.get((value.tag, event.step), 0) + 1
            place += 8 + 4 + length + 4
    assert set(times.values()) <= {1}  # nothing twice
    return found


@pytest.mark.parametrize("seconds", [0.0, 1e6])
def test_each_member_has_a_confusion_and_a_histogram_of_posteriors_for_each_iteration(tmp_path, seconds):
    run(counting_assembly(), RunSettings(save_seconds=seconds), tmp_path)
    found = read(tmp_path / "events")
    assert len(found) == 2 * 3
    ends = [(iteration + 1) * EPOCHS - 1 for iteration in range(ITERATIONS)]
    for member, epochs in enumerate((EPOCHS, 2, EPOCHS)):
        name = f"test/fold{member}_seed0"
        tables, bins = found[f"confusion/{name}/text_summary"], found[f"posterior/{name}"]
        assert list(tables) == list(bins) == ends
        for iteration, end in enumerate(ends):
            steps = (iteration + 1) * epochs * 4  # updates of this member
            assert tables[end] == confusion_text(np.array([[steps, 1], [0, steps]]), CLASSES)
            limits, counts = bins[end]
            np.testing.assert_allclose(limits, np.arange(1, BINS + 1) / BINS)
            assert np.flatnonzero(counts).tolist() == [(1, 2, 4)[member]]
            assert sum(counts) == steps


def test_a_run_that_goes_on_within_a_second_keeps_the_files_of_before(tmp_path):
    for _ in range(3):
        EventFiles(tmp_path).close()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_confusion_is_a_table_of_shares_and_counts():
    assert confusion_text(np.array([[3.0, 1.0], [0.0, 0.0]]), CLASSES) == (
        "| true, predicted | anger | joy |\n| --- | ---: | ---: |\n"
        "| anger | 75 % (3) | 25 % (1) |\n| joy | 0 % (0) | 0 % (0) |"
    )
    assert "| 0 | 1 |" in confusion_text(np.eye(2), ["other", "classes", "here"])


def test_largest_posteriors_are_counted_in_twentieths():
    posterior = jnp.array([[0.5, 0.5], [1.0, 0.0], [0.04, 0.96], [0.3, 0.7], [0.99, 0.01]])
    counts = np.asarray(confidences(posterior, jnp.array([True, True, True, True, False])))
    assert {place: counts[place] for place in np.flatnonzero(counts)} == {10: 1, 14: 1, 19: 2}


def test_checkpoints_of_a_version_that_counted_nothing_are_restored_and_no_others(tmp_path):
    carry = {"state": jnp.ones(3), "records": {"loss": jnp.ones(2)}}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, carry, {})
    records = {"loss": jnp.zeros(2), f"{HISTOGRAM}posterior/test": jnp.ones((2, BINS))}
    found, _ = checkpoints.restore(jax.eval_shape(lambda: {"state": jnp.zeros(3), "records": records}))
    np.testing.assert_array_equal(found["records"]["loss"], 1)
    np.testing.assert_array_equal(found["records"][f"{HISTOGRAM}posterior/test"], np.zeros((2, BINS)))
    with pytest.raises(InputError, match="confusion is missing"):
        checkpoints.restore({"state": jnp.zeros(3), "records": records | {"confusion": jnp.zeros(2)}})
    checkpoints.close()
