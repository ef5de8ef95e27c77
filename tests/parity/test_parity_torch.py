"""AlexNet and SqueezeNet agree with independent torch definitions, through a file and the converter."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax import models, pretrained
from sejax.pretrained import names

torch = pytest.importorskip(
    "torch", reason="the networks are compared with torch definitions; pip install torch"
)
import torch_networks  # noqa: E402

CLASSES = 10


@pytest.fixture(scope="module", params=models.names())
def twins(request, tmp_path_factory):
    """(name, torch network, sejax module, variables that went through a .pth file and a .safetensors file)"""
    folder = tmp_path_factory.mktemp("weights")
    network = torch_networks.build(request.param, num_classes=CLASSES)
    torch.save(network.state_dict(), folder / "network.pth")
    pretrained.convert(
        request.param, "torchvision", folder / "network.pth", folder / "w.safetensors", num_classes=CLASSES
    )
    (folder / "network.pth").unlink()
    variables = pretrained.load(request.param, folder / "w.safetensors", num_classes=CLASSES)
    (folder / "w.safetensors").unlink()
    return request.param, network, models.create(request.param, num_classes=CLASSES), variables


def relative_error(ours, theirs):
    """Largest difference over the largest magnitude."""
    theirs = theirs.detach().numpy()
    theirs = theirs.transpose(0, 2, 3, 1) if theirs.ndim == 4 else theirs
    assert ours.shape == theirs.shape
    return np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("size", [(67, 63), (90, 110)])
def test_every_activation_agrees_with_torch(twins, size):
    name, network, module, variables = twins
    images = np.random.default_rng(0).standard_normal((2, *size, 3), np.float32)
    with torch.no_grad():
        theirs = network.activations(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    _, ours = jax.jit(partial(module.apply, activations=True))(variables, images)
    assert set(ours) == set(theirs)
    errors = {key: relative_error(ours[key], value) for key, value in theirs.items()}
    assert max(errors.values()) < 1e-4, errors
    assert all(float(value.abs().max()) > 0.1 for value in theirs.values())


def test_the_activations_come_in_the_order_they_are_computed(twins):
    _, network, module, variables = twins
    theirs = network.activations(torch.zeros(1, 3, 67, 63))
    ours = []

    def trace(images):
        ours.extend(module.apply(variables, images, activations=True)[1])

    jax.eval_shape(trace, jnp.zeros((1, 67, 63, 3)))
    assert ours == list(theirs)


def test_every_gradient_agrees_with_torch(twins):
    name, network, module, variables = twins
    rng = np.random.default_rng(1)
    images = rng.standard_normal((2, 63, 67, 3), np.float32)
    target = rng.standard_normal((2, CLASSES), np.float32)
    network.zero_grad()
    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).requires_grad_()
    (network(inputs) * torch.from_numpy(target)).sum().backward()

    def objective(params, x):
        return (module.apply({"params": params}, x) * target).sum()

    gradients, image_gradient = jax.jit(jax.grad(objective, (0, 1)))(variables["params"], images)
    assert relative_error(image_gradient, inputs.grad) < 1e-3
    ours = names.flatten({"params": gradients})
    theirs = dict(network.named_parameters())
    for parameter in names.parameters(name, "torchvision", CLASSES):
        wanted = parameter.to_ours(theirs[parameter.source_name].grad.numpy())
        error = np.abs(ours[parameter.name] - wanted).max() / np.abs(wanted).max()
        assert error < 1e-3, (parameter.name, error)


def test_the_smallest_images_are_torchs(twins):
    name, network, module, variables = twins
    side = {"alexnet": 63, "squeezenet1_0": 21, "squeezenet1_1": 17}[name]
    images = np.random.default_rng(2).standard_normal((1, side, side, 3), np.float32)
    theirs = network(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    assert relative_error(jax.jit(module.apply)(variables, images), theirs) < 1e-4
    small = images[:, 1:, 1:]
    with pytest.raises(RuntimeError):
        network(torch.from_numpy(small.transpose(0, 3, 1, 2)))
    with pytest.raises(ValueError, match="larger images"):
        jax.eval_shape(module.apply, variables, small)
