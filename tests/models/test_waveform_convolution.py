"""A strided convolution over blocks is torch's, with its gradients, for any length."""

import jax
import numpy as np
import pytest

from sejax.errors import InputError
from sejax.models.waveform_convolution import convolve_signal


@pytest.mark.parametrize(
    ("samples", "width", "stride", "channels", "filters"), [(330, 25, 4, 1, 4), (129, 5, 2, 4, 8), (1, 25, 4, 1, 4)]
)
def test_values_and_gradients_are_torchs(samples, width, stride, channels, filters):
    torch = pytest.importorskip("torch", reason="compares with torch; pip install torch")
    random = np.random.default_rng(0)
    x = random.standard_normal((2, samples, channels)).astype(np.float32)
    kernel = random.standard_normal((width, channels, filters)).astype(np.float32)
    theirs = [torch.from_numpy(x.transpose(0, 2, 1).copy()), torch.from_numpy(kernel.transpose(2, 1, 0).copy())]
    theirs = [tensor.requires_grad_() for tensor in theirs]
    y = torch.nn.functional.conv1d(*theirs, stride=stride, padding=width // 2)
    cotangent = random.standard_normal((2, y.shape[2], filters)).astype(np.float32)
    y.backward(torch.from_numpy(cotangent.transpose(0, 2, 1).copy()))

    @jax.jit
    def ours(x, kernel, cotangent):
        y, pull = jax.vjp(lambda x, kernel: convolve_signal(x, kernel, stride=stride), x, kernel)
        return y, *pull(cotangent)

    expected = [y.detach().numpy().transpose(0, 2, 1), theirs[0].grad.numpy().transpose(0, 2, 1)]
    expected.append(theirs[1].grad.numpy().transpose(2, 1, 0))
    for found, wanted in zip(ours(x, kernel, cotangent), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("width", "stride"), [(4, 2), (3, 4)])
def test_a_kernel_without_a_middle_or_that_skips_samples_is_refused(width, stride):
    with pytest.raises(InputError, match=f"width {width} and stride {stride}"):
        convolve_signal(np.zeros((1, 8, 1)), np.zeros((width, 1, 1)), stride=stride)
