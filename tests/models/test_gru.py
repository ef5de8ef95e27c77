"""The GRU's last state, the mean of its states, and their gradients are torch's."""

import jax
import numpy as np
import pytest

from sejax.errors import InputError
from sejax.models.gru import GRU

NAMES = {
    "input_kernel": "weight_ih_l0",
    "recurrent_kernel": "weight_hh_l0",
    "input_bias": "bias_ih_l0",
    "recurrent_bias": "bias_hh_l0",
}


@pytest.mark.parametrize("summary", ["last", "mean"])
def test_states_and_gradients_are_torchs(summary):
    torch = pytest.importorskip("torch", reason="compares with torch; pip install torch")
    theirs = torch.nn.GRU(3, 5, batch_first=True)
    weights = {name: getattr(theirs, wanted) for name, wanted in NAMES.items()}
    params = {name: weight.detach().numpy().T.copy() for name, weight in weights.items()}
    random = np.random.default_rng(0)
    x, cotangent = (random.standard_normal(shape).astype(np.float32) for shape in ((2, 9, 3), (2, 5)))
    tensor = torch.from_numpy(x.copy()).requires_grad_()
    wanted = theirs(tensor)[1][0] if summary == "last" else theirs(tensor)[0].mean(1)
    wanted.backward(torch.from_numpy(cotangent))

    @jax.jit
    def ours(params, x):
        state, pull = jax.vjp(lambda params, x: GRU(5, summary).apply({"params": params}, x), params, x)
        return state, *pull(cotangent)

    state, for_params, for_x = ours(params, x)
    np.testing.assert_allclose(state, wanted.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(for_x, tensor.grad.numpy(), rtol=1e-4, atol=1e-6)
    for name, weight in weights.items():
        np.testing.assert_allclose(for_params[name], weight.grad.numpy().T, rtol=1e-4, atol=1e-5, err_msg=name)


def test_first_weights_lie_within_torchs_bounds_and_fill_them():
    params = jax.jit(GRU(16).init)(jax.random.key(0), np.zeros((1, 2, 3), np.float32))["params"]
    for name, value in params.items():
        assert np.abs(value).max() <= 0.25, name
    assert np.abs(params["recurrent_kernel"]).max() > 0.24


def test_an_unknown_summary_is_refused():
    with pytest.raises(InputError, match="no summary 'first'; there are last, mean"):
        GRU(2, "first").init(jax.random.key(0), np.zeros((1, 2, 3), np.float32))
