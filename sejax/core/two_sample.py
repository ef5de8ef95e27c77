"""How far two sets of vectors lie apart: mean difference, squared MMD and Frechet distance.

The mean difference sees the features' means alone, one by one; a Frechet distance adds their covariance, the maximum
mean discrepancy (MMD) everything that a Gaussian kernel tells apart. All are pure jax.numpy, float32, and pass through
`jit` and `vmap`. Weights are masks: sets of several sizes share one shape, and a padded row (weight 0) never counts,
even where it holds NaN.
"""

import jax
import jax.numpy as jnp

_SAME = 1e-6  # squared distances below this share of |a|^2 + |b|^2 are rounding (float32), and count as 0
_PRECISION = jax.lax.Precision.HIGHEST


def mean_difference(x_mean, y_mean) -> jax.Array:
    """Mean over the features of |mean of x - mean of y|: f32[..., F], f32[..., F] -> f32[...].

    Table 1 of Bao, Neumann and Vu (Interspeech 2019), in the units of the features (there: min-max scaled).
    """
    return jnp.abs(jnp.asarray(x_mean, jnp.float32) - jnp.asarray(y_mean, jnp.float32)).mean(-1)


def mmd(x, y, *, x_weight=None, y_weight=None, bandwidth=None) -> jax.Array:
    """Unbiased estimate of the squared maximum mean discrepancy with a Gaussian kernel, f32[].

    MMD_u^2 of Gretton et al. (A kernel two-sample test, JMLR 2012, equation 3), kernel exp(-|a - b|^2 / (2 s^2)).
    Its mean is 0 for two samples of one distribution, so that it may come out slightly negative.

    Args:
      x: f32[n, F].
      y: f32[m, F].
      x_weight: f32[n] of 0 and 1, which rows count (None: all); fewer than two give NaN.
      y_weight: f32[m], the same for y.
      bandwidth: s > 0, in the features' units. None: the median distance between two different rows of the pooled
        sets (Gretton et al., section 8), so values compare only where the pooled sets do.
    """
    (x, x_weight), (y, y_weight) = _rows(x, x_weight), _rows(y, y_weight)
    rows, weight = jnp.concatenate([x, y]), jnp.concatenate([x_weight, y_weight])
    squared = _squared_distances(_centred(rows, weight)[1])  # [n + m, n + m]
    pairs = weight[:, None] * weight * (1.0 - jnp.eye(len(rows)))
    if bandwidth is None:
        bandwidth = _median(jnp.sqrt(squared), pairs)
    # In the limit of no width (most rows alike) the kernel is 1 for equal rows and 0 for others, and never 0 / 0.
    scale = jnp.maximum(2.0 * jnp.square(jnp.asarray(bandwidth, jnp.float32)), jnp.finfo(jnp.float32).tiny)
    kernel = pairs * jnp.exp(-squared / scale)
    n, m, here = x_weight.sum(), y_weight.sum(), len(x)
    within = kernel[:here, :here].sum() / (n * (n - 1.0)) + kernel[here:, here:].sum() / (m * (m - 1.0))
    distance = within - 2.0 * kernel[:here, here:].sum() / (n * m)
    return jnp.where((n > 1.0) & (m > 1.0), distance, jnp.nan)


def frechet(x, y, *, x_weight=None, y_weight=None) -> jax.Array:
    """Squared Frechet distance of the Gaussians fitted to two sets, f32[] >= 0.

    |mu_x - mu_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)) with sample covariances (Dowson and Landau, J. Multivariate
    Analysis 1982). With S_x = A^T A and S_y = B^T B the root's trace is the sum of the singular values of A B^T [n, m]:
    no F x F matrix, and rank-deficient covariances need no care. The fit is biased upwards where rows are few beside F:
    compare distances of equally large sets only.

    Args:
      x: f32[n, F].
      y: f32[m, F].
      x_weight: f32[n] of 0 and 1, which rows count (None: all); fewer than two give NaN.
      y_weight: f32[m], the same for y.
    """
    (x, x_weight), (y, y_weight) = _rows(x, x_weight), _rows(y, y_weight)
    (x_mean, x), (y_mean, y) = _centred(x, x_weight), _centred(y, y_weight)
    n, m = x_weight.sum(), y_weight.sum()
    x, y = x / jnp.sqrt(jnp.maximum(n - 1.0, 1.0)), y / jnp.sqrt(jnp.maximum(m - 1.0, 1.0))
    root = _nuclear_norm(jnp.matmul(x, y.T, precision=_PRECISION))
    distance = jnp.square(x_mean - y_mean).sum() + jnp.square(x).sum() + jnp.square(y).sum() - 2.0 * root
    return jnp.where((n > 1.0) & (m > 1.0), jnp.maximum(distance, 0.0), jnp.nan)


# On a CPU, jaxlib spreads a batch of decompositions over the pool of threads that runs the program, and waits inside
# it: where several such batches are independent they can hold every thread, each waiting for the others, for ever
# (seen with 0.10.2 on two cores). A matrix alone is decomposed where it is called, with the same bits.
_singular_values = jax.custom_batching.sequential_vmap(lambda matrix: jnp.linalg.svd(matrix, compute_uv=False))
_singular_vectors = jax.custom_batching.sequential_vmap(lambda matrix: jnp.linalg.svd(matrix, full_matrices=False)[::2])


@jax.custom_jvp
def _nuclear_norm(matrix):
    """Sum of the singular values of f32[n, m], mapped one matrix after the other."""
    return _singular_values(matrix).sum()


@_nuclear_norm.defjvp
def _nuclear_norm_jvp(primals, tangents):
    """The gradient of U diag(s) V^T is U V^T."""
    left, right = _singular_vectors(*primals)
    return _nuclear_norm(*primals), jnp.sum(jnp.matmul(left, right, precision=_PRECISION) * tangents[0])


def _rows(x, weight):
    """Rows f32[n, F], those of weight 0 set to 0, and their weights f32[n]."""
    x = jnp.asarray(x, jnp.float32)
    weight = jnp.ones(len(x)) if weight is None else jnp.asarray(weight, jnp.float32)
    return jnp.where(weight[:, None] > 0.0, x, 0.0), weight


def _centred(rows, weight):
    """The rows' mean f32[F], and the rows less their mean, 0 where the weight is."""
    mean = (weight[:, None] * rows).sum(0) / jnp.maximum(weight.sum(), 1.0)
    return mean, weight[:, None] * (rows - mean)


def _squared_distances(rows):
    """Squared distances between all rows [N, F] -> [N, N]; centred rows keep the cancellation small."""
    gram = jnp.matmul(rows, rows.T, precision=_PRECISION)
    norms = jnp.diagonal(gram)
    both = norms[:, None] + norms
    squared = both - 2.0 * gram
    return jnp.where(squared <= _SAME * both, 0.0, squared)


def _median(values, weight):
    """The median of the values whose weight is above 0; NaN where there is none."""
    ordered = jnp.sort(jnp.where(weight > 0.0, values, jnp.inf), axis=None)
    count = (weight > 0.0).sum()
    low, high = ordered[jnp.maximum(count - 1, 0) // 2], ordered[count // 2]
    return jnp.where(count > 0, (low + high) / 2.0, jnp.nan)
