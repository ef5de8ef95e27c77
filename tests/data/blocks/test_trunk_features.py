"""Cached features of a frozen trunk: right rows, right cache, nothing half-written."""

import threading

import jax.numpy as jnp
import numpy as np
import pytest

from sejax.data.blocks.trunk_features import BATCH, fingerprint, moments, trunk_features

SETTINGS = {"layer": "last", "grid": (6, 4)}
VARIABLES = {"weight": jnp.float32(2)}


def weigh(variables, spectrogram):
    """A trunk of one weight: [B, bands, frames] -> [B, 2]."""
    return variables["weight"] * jnp.stack([spectrogram.sum((1, 2)), spectrogram.max((1, 2))], axis=1)


@pytest.fixture
def spectrogram():
    return np.random.default_rng(0).normal(size=(BATCH + 5, 4, 3)).astype(np.float32)


def test_every_row_is_computed_also_in_a_last_batch_that_is_not_full(spectrogram):
    features = trunk_features(weigh, {"weight": jnp.float32(2)}, spectrogram, cache=None, settings=SETTINGS)
    expected = 2 * np.stack([spectrogram.sum((1, 2)), spectrogram.max((1, 2))], axis=1)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


def test_a_second_call_reads_the_cache(spectrogram, tmp_path):
    variables = {"weight": jnp.float32(2)}
    first = trunk_features(weigh, variables, spectrogram, cache=tmp_path, settings=SETTINGS)

    def broken(variables, spectrogram):
        raise AssertionError("computed again")

    second = trunk_features(broken, variables, spectrogram, cache=tmp_path, settings=SETTINGS)
    np.testing.assert_array_equal(first, second)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


@pytest.mark.parametrize(
    ("weight", "settings"), [(3.0, SETTINGS), (2.0, SETTINGS | {"layer": "first"}), (2.0, SETTINGS | {"grid": (1, 1)})]
)
def test_other_weights_or_settings_are_another_cache(weight, settings):
    usual = fingerprint({"weight": jnp.float32(2.0)}, SETTINGS)
    assert fingerprint({"weight": jnp.float32(weight)}, settings) != usual
    assert fingerprint({"weight": jnp.float32(2.0)}, dict(SETTINGS)) == usual


def test_chosen_rows_are_computed_in_their_order(spectrogram, tmp_path):
    rows = np.array([3, 0, BATCH + 2])
    how = {"cache": None, "settings": SETTINGS}
    chosen = trunk_features(weigh, VARIABLES, spectrogram, rows=rows, **how)
    np.testing.assert_array_equal(chosen, trunk_features(weigh, VARIABLES, spectrogram[rows], **how))


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr("sejax.data.blocks.trunk_features.PIECE", BATCH)


class Killed:
    """Spectrograms of which so many can be read, and what was read."""

    def __init__(self, values, most):
        self.values, self.most, self.read, self.shape = values, most, [], values.shape

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        if rows.max() >= self.most:
            raise KeyboardInterrupt
        self.read += rows.tolist()
        return self.values[rows]


@pytest.fixture
def interrupted(small_pieces, tmp_path):
    """Three pieces of spectrograms; the computation was killed in the second."""
    values = np.random.default_rng(1).normal(size=(2 * BATCH + 7, 4, 3)).astype(np.float32)
    with pytest.raises(KeyboardInterrupt):
        trunk_features(weigh, VARIABLES, Killed(values, BATCH + 1), cache=tmp_path, settings=SETTINGS)
    assert not list(tmp_path.glob("*.npy"))
    return values


def finish(values, folder):
    """The rows that are computed now, and the features."""
    rest = Killed(values, len(values))
    features = trunk_features(weigh, VARIABLES, rest, cache=folder, settings=SETTINGS)
    assert isinstance(features, np.memmap)
    assert [path.suffix for path in folder.iterdir()] == [".npy"]
    np.testing.assert_array_equal(
        features, trunk_features(weigh, VARIABLES, values, cache=None, settings=SETTINGS)
    )
    return rest.read


def test_a_killed_computation_goes_on_where_it_was(interrupted, tmp_path):
    assert finish(interrupted, tmp_path) == list(range(BATCH, len(interrupted)))


def test_half_a_computation_that_is_damaged_begins_again(interrupted, tmp_path):
    (half,) = tmp_path.glob("*.unfinished/*.npy")
    content = bytearray(half.read_bytes())
    content[-1] ^= 1
    half.write_bytes(content)
    assert finish(interrupted, tmp_path) == list(range(len(interrupted)))


def test_features_that_another_process_is_at_are_waited_for(spectrogram, tmp_path):
    began, waited = threading.Event(), []

    class Slow(Killed):
        def __getitem__(self, rows):
            began.set()
            second.join(0.5)  # which cannot end before this one
            waited.append(second.is_alive())
            return super().__getitem__(rows)

    def ask(values):
        return trunk_features(weigh, VARIABLES, values, cache=tmp_path, settings=SETTINGS)

    nothing = Killed(spectrogram, 0)
    second = threading.Thread(target=lambda: (began.wait(), found.append(ask(nothing))))
    found = []
    second.start()
    first = ask(Slow(spectrogram, len(spectrogram)))
    second.join()
    assert all(waited) and nothing.read == []
    np.testing.assert_array_equal(found[0], first)


def test_a_folder_that_cannot_be_written_gives_features_for_this_run(spectrogram, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    features = trunk_features(weigh, VARIABLES, spectrogram, cache=tmp_path / "file", settings=SETTINGS)
    assert features.shape == (len(spectrogram), 2)
    assert "not kept for other runs" in capsys.readouterr().err


def test_moments_of_masks_are_those_of_the_rows_they_choose(small_pieces):
    random = np.random.default_rng(2)
    features = (100 + random.normal(size=(3 * BATCH + 5, 6))).astype(np.float32)
    chosen = np.stack([random.random(len(features)) < 0.5, np.zeros(len(features), bool)])
    mean, variance = moments(features, chosen)
    rows = features[chosen[0]].astype(np.float64)
    np.testing.assert_allclose(mean[0], rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(variance[0], rows.var(0), rtol=1e-8)
    np.testing.assert_array_equal([mean[1], variance[1]], 0)
