"""Every network of torchvision's agrees with its definition there, its weights taken through the converter's names:
every activation in evaluation and in training, the moved running statistics, every gradient."""

import copy
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiers import tiered

from sejax import models
from sejax.errors import InputError
from sejax.pretrained import names

REASON = "the networks are compared with torchvision's; pip install torch torchvision"
torch = pytest.importorskip("torch", reason=REASON)
torchvision_networks = pytest.importorskip("torchvision_networks", reason=REASON, exc_type=ImportError)

pytestmark = pytest.mark.usefixtures("quickly_compiled")
CLASSES = 10
# Odd sizes, as small as the network and its BatchNorm's batch bear. Inception's auxiliary head
# trains from 299 on, where its own batch has a single position per image: more columns make it three.
ODD = {"inception_v3": (75, 91), "alexnet": (90, 110), "squeezenet1_0": (62, 51), "squeezenet1_1": (51, 62)}
TRAINING = ODD | {"inception_v3": (299, 395)}
STANDARD = {"inception_v3": (299, 299)}


class Twins:
    """A torchvision network, our module, and the network's weights as our variables."""

    def __init__(self, name):
        self.name = name
        self.network = torchvision_networks.build(name, num_classes=CLASSES)
        options = {} if "resnet" in name else {"dropout": 0.0}
        self.module = models.create(name, num_classes=CLASSES, **options)
        self.parameters = names.parameters(name, "torchvision", CLASSES)
        self.variables = names.unflatten(self.converted(self.network.state_dict()))

    def converted(self, tensors):
        """Torch's tensors by name as a flat dict in our layout, without those that `tensors` does not have."""
        wanted = [p for p in self.parameters if p.source_name in tensors]
        return {p.name: p.to_ours(tensors[p.source_name].detach().numpy().copy()) for p in wanted}


@pytest.fixture(scope="module", params=tiered(torchvision_networks.NAMES, slow=("inception_v3", "wide_resnet50_2")))
def twins(request):
    return Twins(request.param)


def pictures(*size, batch=2, seed=0):
    """Random images [batch, H, W, 3] and the same as torch wants them."""
    images = np.random.default_rng(seed).standard_normal((batch, *size, 3), np.float32)
    return images, torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def relative_error(ours, theirs):
    """Largest difference over the largest magnitude."""
    theirs = theirs.detach().numpy()
    theirs = theirs.transpose(0, 2, 3, 1) if theirs.ndim == 4 else theirs
    assert ours.shape == theirs.shape
    return np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()


def assert_same_activations(ours, theirs):
    """All names are there and every value is within 1e-4 of the largest."""
    ours = {name: value for name, value in ours.items() if name != "features"}
    assert set(ours) == set(theirs)
    errors = {name: relative_error(ours[name], value) for name, value in theirs.items()}
    assert max(errors.values()) < 1e-4, errors
    assert all(float(value.detach().abs().max()) > 0.1 for value in theirs.values())


@pytest.mark.parametrize("name", torchvision_networks.NAMES)
def test_the_number_of_parameters_is_the_one_that_torchvision_states(name):
    assert models.PARAMETERS[name] == torchvision_networks.stated(name)["num_params"]


@pytest.mark.parametrize("standard", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["odd", "standard"])
def test_every_activation_agrees_in_evaluation(twins, standard):
    size = STANDARD.get(twins.name, (224, 224)) if standard else ODD.get(twins.name, (75, 91))
    images, inputs = pictures(*size, batch=1 if standard else 2)
    with torch.no_grad():
        theirs = torchvision_networks.activations(twins.name, twins.network, inputs)
    _, ours = jax.jit(partial(twins.module.apply, activations=True))(twins.variables, images)
    assert_same_activations(ours, theirs)


def test_the_activations_come_in_the_order_they_are_computed(twins):
    images, inputs = pictures(*ODD.get(twins.name, (75, 91)), batch=1)
    with torch.no_grad():
        theirs = list(torchvision_networks.activations(twins.name, twins.network, inputs))
    ours = []

    def trace(images):
        ours.extend(twins.module.apply(twins.variables, images, activations=True)[1])

    jax.eval_shape(trace, images)
    assert [name for name in ours if name != "features"] == theirs


def test_every_activation_and_the_running_statistics_agree_in_training(twins):
    images, inputs = pictures(*TRAINING.get(twins.name, (91, 107)), seed=1)
    network = copy.deepcopy(twins.network).train()
    with torch.no_grad():
        theirs = torchvision_networks.activations(twins.name, network, inputs)
    run = partial(twins.module.apply, train=True, activations=True, mutable=["batch_stats"])
    (_, ours), moved = jax.jit(run)(twins.variables, images)
    assert_same_activations(ours, theirs)
    statistics = twins.converted({k: v for k, v in network.state_dict().items() if "running" in k})
    moved = names.flatten(moved)
    assert moved.keys() == statistics.keys()
    for name, value in moved.items():
        np.testing.assert_allclose(value, statistics[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", ["squeezenet1_1", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_every_gradient_agrees_in_training(name):
    # In double precision: in single, a rounded 0 here and there passes another ReLU, in torch as in ours.
    twins = Twins(name)
    images, inputs = pictures(*ODD.get(name, (75, 91)), seed=3)
    target = np.random.default_rng(4).standard_normal((2, CLASSES))
    network, inputs = twins.network.double().train(), inputs.double().requires_grad_()
    (network(inputs) * torch.from_numpy(target)).sum().backward()
    theirs = twins.converted({key: value.grad for key, value in network.named_parameters()})

    def objective(params, x):
        variables = {**twins.variables, "params": params}
        return (twins.module.apply(variables, x, train=True, mutable=["batch_stats"])[0] * target).sum()

    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), twins.variables["params"])
        ours, for_images = jax.jit(jax.grad(objective, (0, 1)))(params, images.astype(np.float64))
        ours = {key: np.asarray(value) for key, value in names.flatten({"params": ours}).items()}
    assert relative_error(for_images, inputs.grad) < 1e-4
    assert ours.keys() == theirs.keys()
    errors = {key: np.abs(ours[key] - value).max() / np.abs(value).max() for key, value in theirs.items()}
    assert max(errors.values()) < 1e-4, errors


def test_the_smallest_images_are_torchs(twins):
    side = twins.module.smallest
    assert (side, side) == torchvision_networks.stated(twins.name)["min_size"]
    images, inputs = pictures(side, side, batch=1, seed=2)
    with torch.no_grad():
        theirs = twins.network(inputs)
    if twins.name == "inception_v3":  # slow to compile, and nothing there depends on the size
        assert jax.eval_shape(twins.module.apply, twins.variables, images).shape == theirs.shape
    else:
        assert relative_error(jax.jit(twins.module.apply)(twins.variables, images), theirs) < 1e-4
    for small in (images[:, 1:], images[:, :, 1:]):
        with pytest.raises(RuntimeError), torch.no_grad():
            twins.network(torch.from_numpy(small.transpose(0, 3, 1, 2).copy()))
        with pytest.raises(InputError, match=f"larger images, from {side} x {side} on"):
            jax.eval_shape(twins.module.apply, twins.variables, small)


def test_inceptions_auxiliary_head_is_left_out_in_training_on_request():
    twins = Twins("inception_v3")
    images, _ = pictures(139, 107)
    with pytest.raises(InputError, match="from 299 x 299 on: give larger images or aux_logits=False"):
        jax.eval_shape(partial(twins.module.apply, train=True, mutable=["batch_stats"]), twins.variables, images)
    without = models.create("inception_v3", num_classes=CLASSES, aux_logits=False)
    run = partial(without.apply, train=True, activations=True, mutable=["batch_stats"])
    rngs = {"dropout": jax.random.key(0)}
    (logits, record), moved = jax.eval_shape(lambda v, x: run(v, x, rngs=rngs), twins.variables, images)
    assert logits.shape == (2, CLASSES)
    assert "aux_logits" not in record
    assert "fc" not in moved["batch_stats"]
