"""Masked adaptive max pooling is torch's on each row without its padding, gradients to the first of equals included."""

import jax
import numpy as np
import pytest

from sejax.models.masked import adaptive_max_pool, pool_of_sum

CELLS = 7
# All positions; a multiple of the cells; neither; fewer positions than cells; one; none.
LENGTH = np.array([23, 14, 17, 5, 1, 0], np.int32)


@pytest.mark.parametrize("ties", [False, True])
def test_values_and_gradients_are_torchs_row_by_row(ties):
    torch = pytest.importorskip("torch", reason="compares with torch; pip install torch")
    random = np.random.default_rng(0)
    x = random.standard_normal((len(LENGTH), 23, 3))
    x = (x.round() if ties else x).astype(np.float32)
    x[np.arange(23) >= LENGTH[:, None]] = 1e3
    cotangent = random.standard_normal((len(LENGTH), CELLS, 3)).astype(np.float32)

    @jax.jit
    def ours(x, cotangent):
        y, pull = jax.vjp(lambda x: adaptive_max_pool(x, LENGTH, cells=CELLS), x)
        return y, *pull(cotangent)

    found, gradient = ours(x, cotangent)
    for row, length in enumerate(LENGTH):
        if length:
            tensor = torch.from_numpy(x[row, :length].T.copy()).requires_grad_()
            theirs = torch.nn.functional.adaptive_max_pool1d(tensor[None], CELLS)[0]
            theirs.backward(torch.from_numpy(cotangent[row].T.copy()))
            np.testing.assert_array_equal(found[row], theirs.detach().numpy().T)
            np.testing.assert_allclose(gradient[row, :length], tensor.grad.numpy().T, rtol=1e-6, atol=1e-6)
        assert not gradient[row, length:].any()
    assert not found[-1].any()


def test_the_maxima_of_a_sum_are_those_of_the_sum_written_out():
    random = np.random.default_rng(1)
    x, signal = random.standard_normal((6, 23, 3)), random.standard_normal((6, 23))
    slopes = list(random.standard_normal((3, 3)))
    cotangent = random.standard_normal((6, CELLS, 3))

    def whole(x, slope, signal_slope, offset):
        return pool_of_sum(x, slope, signal, signal_slope, offset, LENGTH, CELLS)

    def written_out(x, slope, signal_slope, offset):
        y = x * slope + signal[..., None] * signal_slope + offset
        return adaptive_max_pool(y, LENGTH, cells=CELLS)

    def passed(*arguments):
        return [
            (y, *pull(cotangent)) for y, pull in (jax.vjp(function, *arguments) for function in (whole, written_out))
        ]

    with jax.enable_x64(True):
        found, wanted = jax.jit(passed)(x, *slopes)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), found, wanted)
