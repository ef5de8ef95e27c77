"""What a frozen encoder hears: asked in few shapes, kept, and gone on with where it was interrupted."""

import jax.numpy as jnp
import numpy as np
import pytest

from sejax.data.waveforms import heard as module
from sejax.data.waveforms.heard import heard
from sejax.errors import InputError

LENGTH = np.array([30, 7, 500, 90, 91])
WAVES = [np.arange(number, dtype=np.int16) + number for number in LENGTH]


def means(variables, waveform, length):
    """f32[B, 1, 2]: the factor's multiple of a row's mean, and its length."""
    inside = jnp.arange(waveform.shape[1]) < length[:, None]
    mean = jnp.where(inside, waveform, 0).sum(1) / jnp.maximum(length, 1)
    return jnp.stack([variables["params"]["factor"] * mean, length.astype(jnp.float32)], -1)[:, None]


def ask(cache, read=WAVES.__getitem__, factor=2.0, **settings):
    return heard(means, {"params": {"factor": np.float32(factor)}}, LENGTH, read, cache=cache, settings=settings)


def test_recordings_of_all_lengths_are_heard_alone_and_kept_under_weights_and_settings(tmp_path):
    wanted = [[[2 * wave.mean(), len(wave)]] for wave in WAVES]
    np.testing.assert_allclose(ask(None), wanted, rtol=1e-6)
    np.testing.assert_allclose(ask(tmp_path, layer=1), wanted, rtol=1e-6)
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_allclose(ask(tmp_path, read=None, layer=1), wanted, rtol=1e-6)  # read, not heard
    assert ask(tmp_path, factor=3.0, layer=1)[0, 0, 0] == pytest.approx(1.5 * wanted[0][0][0])
    ask(tmp_path, layer=2)
    assert len(list(tmp_path.iterdir())) == 3


def test_an_interrupted_hearing_goes_on_after_what_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 2)

    def stops(number):
        if number == 2:  # the longest, in the last part
            raise KeyboardInterrupt
        return WAVES[number]

    with pytest.raises(KeyboardInterrupt):
        ask(tmp_path, stops)
    assert len(list(tmp_path.iterdir())) == 2
    asked = []
    found = ask(tmp_path, lambda number: asked.append(number) or WAVES[number])
    assert asked == [2]
    np.testing.assert_array_equal(found, ask(None))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_is_refused_and_a_folder_that_cannot_be_written_costs_the_file_alone(tmp_path, capsys):
    ask(tmp_path)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[-60] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        ask(tmp_path)
    (tmp_path / "file").write_text("")
    np.testing.assert_array_equal(ask(tmp_path / "file"), ask(None))
    assert "not kept for other runs" in capsys.readouterr().err


def test_lengths_share_few_programs(monkeypatch):
    shapes = []

    def counted(variables, waveform, length):
        shapes.append(waveform.shape)
        return means(variables, waveform, length)

    heard(counted, {"params": {"factor": np.float32(1)}}, LENGTH, WAVES.__getitem__, cache=None, settings={})
    assert len(shapes) == 1 and shapes[0][1] >= LENGTH.max()
