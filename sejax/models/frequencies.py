"""Correlation of images with kernels by their discrete Fourier transforms, as matrix products.

With hundreds of channels a transform costs far less than what it saves: one product of channels at every frequency
takes the place of one at every place of the kernel and the image. Images are small here, so that transforms too are
products, with matrices of sines and cosines; a loop over the frequencies of the rows keeps what it works on small.
Complex numbers are pairs of real ones. Spatial axes come first: images are [H, W, B, C], kernels [K, L, C, D].
"""

import jax.numpy as jnp
import numpy as np
from jax import lax


def correlate(x, kernel):
    """y[i, j] = sum over p, q of x[i + p, j + q] kernel[p, q]: [H, W, B, C] to [H - K + 1, W - L + 1, B, D]."""
    (height, width, batch, channels), (rows, columns, _, filters) = x.shape, kernel.shape
    image, turned = _columns(width, width, -1)
    real, imaginary = _parts(columns, width, 1)
    back = _inverse_columns(width - columns + 1, width, -1)

    def add(_, spectra):
        a, k = spectra
        x, ix = (_product(m, a).reshape(width, 2 * batch, channels) for m in (image, turned))
        k, ik = (_product(m, k).reshape(width, channels, filters) for m in (real, imaginary))
        y = _each(x, k, 2, 1) + _each(ix, ik, 2, 1)
        return None, _product(back, y.reshape(2 * width, batch * filters))

    _, y = lax.scan(add, None, (_by_rows(x, height, -1), _by_rows(kernel, height, 1)))
    return _from_rows(y, height - rows + 1, height, -1).reshape(-1, width - columns + 1, batch, filters)


def spread(y, kernel):
    """The adjoint of `correlate` by the same kernel: y [H, W, B, D] to x [H + K - 1, W + L - 1, B, C]."""
    (height, width, batch, filters), (rows, columns, channels, _) = y.shape, kernel.shape
    height, wide = height + rows - 1, width + columns - 1
    image, turned = _columns(width, wide, -1)
    real, imaginary = _parts(columns, wide, 1)
    back = _inverse_columns(wide, wide, -1)

    def add(_, spectra):
        b, k = spectra
        y, iy = (_product(m, b).reshape(wide, 2 * batch, filters) for m in (image, -turned))
        k, ik = (_product(m, k).reshape(wide, filters, channels) for m in (real, imaginary))
        x = _each(y, k, 2, 1) + _each(iy, ik, 2, 1)
        return None, _product(back, x.reshape(2 * wide, batch * channels))

    kernel = kernel.transpose(0, 1, 3, 2)
    _, x = lax.scan(add, None, (_by_rows(y, height, -1), _by_rows(kernel, height, 1)))
    return _from_rows(x, height, height, -1).reshape(height, wide, batch, channels)


def weigh(x, y):
    """The adjoint of `correlate` in its kernel: of x [H, W, B, C] and y [H', W', B, D], [H - H' + 1, W - W' + 1, C, D].

    kernel[p, q] = sum over i, j and the batch of x[i + p, j + q] y[i, j].
    """
    (height, width, batch, channels), (rows, columns, _, filters) = x.shape, y.shape
    image, turned = _columns(width, width, -1)
    other, _ = _columns(columns, width, -1)
    back = _inverse_columns(width - columns + 1, width, 1)
    back = back.reshape(len(back), width, 2)

    def add(_, spectra):
        a, b = spectra
        x, ix = (_product(m, a).reshape(width, 2 * batch, channels) for m in (image, turned))
        y = _product(other, b).reshape(width, 2 * batch, filters)
        k, ik = (_each(x, y, 1, 1).reshape(width, -1) for x in (x, ix))
        return None, _product(back[..., 0], k) + _product(back[..., 1], ik)

    _, kernel = lax.scan(add, None, (_by_rows(x, height, -1), _by_rows(y, height, -1)))
    kernel = _from_rows(kernel, height - rows + 1, height, 1)
    return kernel.reshape(-1, width - columns + 1, channels, filters)


def operations(rows, columns, side, batch, channels, filters):
    """Multiplications that `correlate` takes for a result of `rows` x `columns`; its adjoints take about as many."""
    height, width = rows + side - 1, columns + side - 1
    products = 4 * batch * channels * filters
    transforms = 4 * width * batch * (2 * channels + filters) + 4 * side * channels * filters
    return (height // 2 + 1) * width * (products + transforms)


def _by_rows(x, period, sign):
    """Frequencies 0 .. period // 2 of x [H, W, M, N] along its rows: [frequencies, (real, imaginary) W, M N]."""
    spectrum = _product(_waves(len(x), period, sign, half=True), x.reshape(len(x), -1))
    return spectrum.reshape(period // 2 + 1, 2 * x.shape[1], -1)


def _from_rows(spectrum, length, period, sign):
    """The first `length` rows that have such frequencies: [frequencies, 2 W, N] to [length, W, N]."""
    frequencies, columns, rest = spectrum.shape
    once = np.ones(frequencies)  # all others stand for their conjugates too
    once[1 : (period + 1) // 2] = 2
    waves = _waves(length, period, sign, half=True).reshape(frequencies, -1) * (once / period)[:, None]
    x = _product(waves.reshape(2 * frequencies, length).T, spectrum.reshape(2 * frequencies, -1))
    return x.reshape(length, columns // 2, rest)


def _waves(length, period, sign, *, half):
    """cos and sign * sin at every frequency (up to the middle one if `half`): [frequencies (cos, sin), length]."""
    frequencies = period // 2 + 1 if half else period
    angle = 2 * np.pi * (np.outer(np.arange(frequencies), np.arange(length)) % period) / period
    return np.stack([np.cos(angle), sign * np.sin(angle)], 1).reshape(2 * frequencies, length)


def _columns(length, period, sign):
    """The transform of complex columns, and i times it: [period (real, imaginary), (real, imaginary) length] each."""
    cos, sin = np.moveaxis(_waves(length, period, sign, half=False).reshape(period, 2, length), 1, 0)
    real, imaginary = np.concatenate([cos, -sin], 1), np.concatenate([sin, cos], 1)
    matrix, turned = np.stack([real, imaginary], 1), np.stack([-imaginary, real], 1)
    return matrix.reshape(2 * period, -1), turned.reshape(2 * period, -1)


def _parts(length, period, sign):
    """The rows of `_columns` that give real parts, and those that give imaginary ones: [period, 2 length] each."""
    matrix, _ = _columns(length, period, sign)
    return matrix[::2], matrix[1::2]


def _inverse_columns(length, period, sign):
    """What brings the first `length` columns back: [(real, imaginary) length, period (real, imaginary)]."""
    return _columns(length, period, sign)[0].T / period


def _product(matrix, x):
    return jnp.asarray(matrix, x.dtype) @ x


def _each(a, b, axis, other):
    """Products at every frequency, over these axes of a and b."""
    return lax.dot_general(a, b, (((axis,), (other,)), ((0,), (0,))))
