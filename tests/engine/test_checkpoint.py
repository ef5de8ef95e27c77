"""Checkpoints come back bit for bit, survive being cut off, and are thinned out by policy."""

import logging
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from same_bits import assert_same_bits
from toy import start, toy_assembly, train

from sejax.core.rng import member_key, root_key
from sejax.engine.checkpoint import CHANGED_LATER, DIGESTS, Checkpoints
from sejax.errors import InputError


def _everything():
    """One leaf of every kind that a carry may hold."""
    return {
        "key": jax.vmap(lambda i: member_key(root_key(7), i))(jnp.arange(3)),
        "params": {"kernel": jnp.asarray([[1.5, -0.0], [np.nan, np.inf], [1e-45, -3e38]], jnp.float32)},
        "half": jnp.asarray([1.0, 2.5, -7.0], jnp.bfloat16),
        "part": jnp.asarray([[0, 1, -1], [2, 0, 1]], jnp.int8),
        "stopped": jnp.asarray([True, False, True]),
        "none": jnp.zeros((3, 0, 4), jnp.float32),
        "position": jnp.int32(41),
    }


def _shapes(tree):
    return jax.eval_shape(lambda: tree)


@pytest.fixture
def checkpoints(tmp_path):
    made = Checkpoints(tmp_path / "checkpoints")
    yield made
    made.close()


def _steps(checkpoints):
    checkpoints.wait()
    return sorted(int(path.name) for path in checkpoints.folder.iterdir())


def test_every_kind_of_array_comes_back_to_the_bit(checkpoints):
    tree = _everything()
    checkpoints.save(3, tree, {"members": [0, 3]})
    checkpoints.wait()
    found, about = checkpoints.restore(_shapes(tree))
    assert_same_bits(found, tree)
    assert about == {"members": [0, 3]}
    assert jax.random.key_impl(found["key"]) == jax.random.key_impl(tree["key"])
    drawn = [jax.vmap(jax.random.bits)(keys) for keys in (found["key"], tree["key"])]
    np.testing.assert_array_equal(*drawn)


def test_a_restored_carry_goes_on_to_the_bit_and_compiles_nothing(checkpoints, segments, count_compilations):
    assembly, segment = toy_assembly(), segments("scan", "vmap")
    whole = train(segment, assembly)
    carry = train(segment, assembly, (5,))
    checkpoints.save(5, carry, {})
    checkpoints.wait()
    restored, _ = checkpoints.restore(_shapes(start(segment, assembly)))
    with count_compilations() as events:
        found = segment.advance(assembly.data, restored, 10**6)
    assert events == []
    assert_same_bits(found, whole)


def test_what_is_saved_is_the_carry_of_that_moment_though_its_buffers_are_donated_on(checkpoints, segments):
    assembly, segment = toy_assembly(), segments("scan", "vmap")
    carry = train(segment, assembly, (3,))
    kept = jax.tree.map(jnp.copy, carry)
    checkpoints.save(3, carry, {})
    segment.advance(assembly.data, carry, 8)  # while the files are being written
    checkpoints.wait()
    assert_same_bits(checkpoints.restore(_shapes(kept))[0], kept)


@pytest.mark.parametrize(("keep", "steps"), [(1, [4]), (2, [3, 4])])
def test_the_latest_are_kept(tmp_path, keep, steps):
    tree, checkpoints = {"x": jnp.arange(3.0)}, Checkpoints(tmp_path, keep=keep)
    for step in range(1, 5):
        checkpoints.save(step, {"x": tree["x"] + step}, {})
        checkpoints.wait()
    assert _steps(checkpoints) == steps
    assert checkpoints.latest() == 4
    np.testing.assert_array_equal(checkpoints.restore(_shapes(tree))[0]["x"], tree["x"] + 4)
    np.testing.assert_array_equal(checkpoints.restore(_shapes(tree), step=steps[0])[0]["x"], tree["x"] + steps[0])
    checkpoints.close()


def test_a_step_that_is_there_already_is_left_as_it_is(checkpoints):
    for value in (1.0, 2.0):
        checkpoints.save(1, {"x": jnp.full(2, value)}, {})
        checkpoints.wait()
    np.testing.assert_array_equal(checkpoints.read()["x"], [1.0, 1.0])


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"x": jnp.zeros((4, 3)), "y": jnp.zeros(2)}, r"x is float32\[3, 3\], expected float32\[4, 3\]"),
        ({"x": jnp.zeros((3, 3)), "y": jnp.zeros(2, jnp.int32)}, r"y is float32\[2\], expected int32\[2\]"),
        ({"x": jnp.zeros((3, 3)), "y": jnp.zeros(2), "z": jnp.zeros(1)}, r"z is missing, expected float32\[1\]"),
        ({"x": jnp.zeros((3, 3))}, r"y is float32\[2\], expected missing"),
        ({"x": jnp.zeros((3, 3)), "y": jnp.zeros((0, 2))}, r"y is float32\[2\], expected missing"),
    ],
)
def test_a_checkpoint_that_does_not_fit_the_experiment_is_an_error_that_says_where(checkpoints, template, message):
    checkpoints.save(8, {"x": jnp.zeros((3, 3)), "y": jnp.zeros(2)}, {})
    checkpoints.wait()
    with pytest.raises(InputError, match=f"step 8 .* does not fit .*: {message}.* new workdir"):
        checkpoints.restore(_shapes(template))


def test_no_checkpoint_is_an_error_that_names_the_folder(checkpoints):
    assert checkpoints.latest() is None
    for read in (checkpoints.read, lambda: checkpoints.restore(_shapes({"x": jnp.zeros(1)}))):
        with pytest.raises(InputError, match=f"none found under {checkpoints.folder}"):
            read()


def test_reading_without_a_template_gives_arrays_by_path(checkpoints):
    tree = _everything()
    checkpoints.save(1, {"state": tree}, {})
    checkpoints.wait()
    found = checkpoints.read()
    assert "state/none" not in found
    np.testing.assert_array_equal(found["state/params/kernel"], tree["params"]["kernel"])
    np.testing.assert_array_equal(found["state/key"], jax.random.key_data(tree["key"]))


def test_what_a_killed_run_left_half_written_or_half_deleted_is_no_obstacle(tmp_path):
    tree = {"x": jnp.arange(4.0)}
    first = Checkpoints(tmp_path, keep=2)
    for step in (1, 2):
        first.save(step, tree, {})
    first.close()
    # Step 3 was being written, step 1 was being deleted.
    shutil.copytree(tmp_path / "2", tmp_path / "3.orbax-checkpoint-tmp")
    (tmp_path / "3.orbax-checkpoint-tmp" / "commit_success.txt").unlink()
    shutil.rmtree(tmp_path / "1" / "about")
    second = Checkpoints(tmp_path, keep=1)
    assert second.latest() == 2
    assert_same_bits(second.restore(_shapes(tree))[0], tree)
    for step in (3, 4):
        second.save(step, {"x": tree["x"] + step}, {})
        second.wait()
    second.close()
    assert [path.name for path in tmp_path.iterdir()] == ["4"]
    np.testing.assert_array_equal(Checkpoints(tmp_path).read()["x"], tree["x"] + 4)


def _flip(path, place=None):
    """Turn one bit of a file over, in the middle where no place is given."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if place is None else place] ^= 4
    path.write_bytes(content)


def _two_steps(folder):
    checkpoints = Checkpoints(folder, keep=2)
    for step in (1, 2):
        checkpoints.save(step, {"x": jnp.full(50, float(step))}, {"members": [0, 1]})
    checkpoints.close()
    return sorted(path for path in (folder / "2").rglob("*") if path.is_file() and path.name not in CHANGED_LATER)


def test_a_bit_that_flipped_in_any_file_is_one_error_that_names_it(tmp_path, capfd):
    for file in _two_steps(tmp_path):
        whole = file.read_bytes()
        _flip(file)
        checkpoints = Checkpoints(tmp_path)
        for read in (checkpoints.read, lambda found=checkpoints: found.restore(_shapes({"x": jnp.zeros(50)}))):
            with pytest.raises(InputError, match=f"{file} is damaged .*; delete the checkpoint's folder"):
                read()
        checkpoints.close()
        file.write_bytes(whole)
    assert "Traceback" not in capfd.readouterr().err


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_where_training_goes_on(tmp_path, capfd):
    _flip(_two_steps(tmp_path)[-1])
    checkpoints, shapes = Checkpoints(tmp_path), _shapes({"x": jnp.zeros(50)})
    found, about = checkpoints.restore(shapes, fall_back=True)
    assert found["x"][0] == 1.0 and about == {"members": [0, 1]}
    assert "is damaged" in capfd.readouterr().err
    assert checkpoints.latest() == 1 and (tmp_path / "damaged-2").is_dir()
    checkpoints.save(2, {"x": jnp.full(50, 7.0)}, {})
    checkpoints.close()
    assert Checkpoints(tmp_path).read()["x"][0] == 7.0


def test_where_all_checkpoints_are_damaged_they_stay_as_they_are(tmp_path):
    for file in (_two_steps(tmp_path)[-1], tmp_path / "1" / "about" / "metadata"):
        _flip(file)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(InputError, match=f"{tmp_path}/1/about/metadata is damaged"):
        checkpoints.restore(_shapes({"x": jnp.zeros(50)}), fall_back=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_digests_that_are_gone_are_missed_and_those_that_never_were_are_not(tmp_path, monkeypatch):
    _two_steps(tmp_path)
    (tmp_path / "2" / DIGESTS).unlink()
    with pytest.raises(InputError, match=f"{DIGESTS} is missing"):
        Checkpoints(tmp_path).read()
    monkeypatch.setattr(Checkpoints, "_write_digests", lambda self: None)  # as earlier versions did
    old = Checkpoints(tmp_path / "old")
    monkeypatch.setattr("sejax.engine.checkpoint.DIGESTS", "")
    old.save(1, {"x": jnp.arange(3.0)}, {})
    old.wait()
    np.testing.assert_array_equal(old.read()["x"], np.arange(3.0))


def test_nothing_of_orbax_below_an_error_is_told():
    absl = logging.getLogger("absl")
    for level, path, told in (
        (logging.WARNING, "/site-packages/orbax/checkpoint/manager.py", False),
        (logging.ERROR, "/site-packages/orbax/checkpoint/manager.py", True),
        (logging.WARNING, "/site-packages/other.py", True),
    ):
        record = absl.makeRecord("absl", level, path, 1, "Waiting for previous save", (), None)
        assert bool(absl.filter(record)) == told
