"""Every fusion of waveform and transcript against PyTorch's with the same weights, in double precision: logits,
attention, gradients, running statistics. PyTorch takes each utterance by itself, without padding or masks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from random_weights import random_like

from sejax.models.audio_text import ATTENTIONS, FUSIONS, AudioText

REASON = "the network is compared with PyTorch's; pip install torch"
torch = pytest.importorskip("torch", reason=REASON)
torch_audio_text = pytest.importorskip("torch_audio_text", reason=REASON, exc_type=ImportError)

BRANCHES = ("audio", "text")
VOCABULARY, CLASSES = 9, 3
SMALL = {"embedding": 4, "pool": 7, "gru": 3, "maps": 5, "hidden": 6, "dropout": 0.0}
# Real samples and words of each row: a full one, a single sample, neither, no words, fewer samples than cells.
LENGTH = np.array([330, 1, 0, 97, 41], np.int32)
WORDS = np.array([6, 3, 0, 0, 1], np.int32)
COTANGENT = np.array([1.0, -2.0, 0.0, 0.5, 1.5])[:, None] * np.array([1.0, -0.5, 0.3])


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def batch(random, samples=330, words=6):
    """waveform [5, samples] in double precision and words i32[5, words]; what is not real is anything."""
    waveform = random.standard_normal((len(LENGTH), samples))
    return waveform, random.integers(0, VOCABULARY, (len(LENGTH), words)).astype(np.int32)


class Sides:
    """All fusions on the same branches: ours in one program, and a twin of each with the same weights."""

    def __init__(self, cases, *, train):
        random = np.random.default_rng(train)
        self.waveform, self.words = batch(random)
        self.networks = {
            (fusion, shared): AudioText(fusion, CLASSES, VOCABULARY, **SMALL, shared_attention=shared)
            for fusion, shared in cases
        }
        network, features = self.networks["addition", True], np.zeros((1, 2 * SMALL["maps"]), np.float32)
        shapes = jax.eval_shape(network.init, jax.random.key(0), self.waveform, LENGTH, self.words, WORDS)
        whole = random_like(shapes, random)
        self.branches = {"params": {name: whole["params"][name] for name in BRANCHES}}
        self.branches["batch_stats"] = whole["batch_stats"]
        self.heads = {}
        for case, network in self.networks.items():
            init = partial(network.init, method="fused")
            shapes = jax.eval_shape(init, jax.random.key(0), features, features)
            self.heads[case] = random_like(shapes["params"], random)
        self.train = train
        with jax.enable_x64(True):
            lowered = jax.jit(self._run).lower(self.branches["params"], self.heads, self.waveform)
            compiled = lowered.compile(compiler_options={"xla_backend_optimization_level": 0})
            found = compiled(self.branches["params"], self.heads, self.waveform)
        self.moved, self.found = jax.tree.map(np.asarray, found)

    def _features(self, waveform, branches):
        """((features of audio, of text), moved statistics)"""
        network, variables = self.networks["addition", True], {**self.branches, "params": branches}
        method = partial(network.apply, variables, train=self.train, method="audio_features", mutable=["batch_stats"])
        audio, moved = method(waveform, LENGTH)
        return (audio, network.apply(variables, self.words, WORDS, method="text_features")), moved["batch_stats"]

    def _run(self, branches, heads, waveform):
        """Moved statistics, and for each case its outputs and the gradients of its parameters."""
        features, pull, moved = jax.vjp(partial(self._features, waveform), branches, has_aux=True)
        outputs, for_heads, for_features = {}, {}, []
        for case, network in self.networks.items():

            def fused(head, features, network=network):
                outputs = network.apply({"params": head}, *features, train=self.train, method="fused")
                return outputs["logits"], outputs

            _, pull_head, outputs[case] = jax.vjp(fused, heads[case], features, has_aux=True)
            for_heads[case], for_these = pull_head(COTANGENT)
            for_features.append(for_these)
        for_branches = jax.vmap(pull)(jax.tree.map(lambda *each: jnp.stack(each), *for_features))[0]
        return moved, {
            case: (outputs[case], for_heads[case] | jax.tree.map(lambda x, i=i: x[i], for_branches))
            for i, case in enumerate(self.networks)
        }

    def twin(self, case):
        """The twin of a case, with the same weights and statistics."""
        fusion, shared = case
        twin = torch_audio_text.Twin(fusion, CLASSES, VOCABULARY, **SMALL, shared_attention=shared).double()
        used = [fusion] if fusion in BRANCHES else BRANCHES
        params = self.heads[case] | {name: self.branches["params"][name] for name in used}
        statistics = {name: value for name, value in self.branches["batch_stats"].items() if name in used}
        return torch_audio_text.take(twin.train(self.train), params, statistics)


def alone(twin, sides, rows):
    """What a twin makes of some rows, each without padding."""
    waveforms = [torch.from_numpy(sides.waveform[row, : LENGTH[row]].copy()) for row in rows]
    return twin.alone(waveforms, [torch.from_numpy(sides.words[row, : WORDS[row]].astype(np.int64)) for row in rows])


def padded(twin, sides, rows):
    """What a twin makes of some rows in a padded batch."""
    real = np.arange(sides.waveform.shape[1]) < LENGTH[rows, None]
    waveform = torch.from_numpy(np.where(real, sides.waveform[rows], 0.0))
    words = torch.from_numpy(sides.words[rows].astype(np.int64))
    return twin(waveform, LENGTH[rows].tolist(), words, torch.from_numpy(WORDS[rows].astype(np.int64)))


CASES = [*((fusion, True) for fusion in FUSIONS), *((fusion, False) for fusion in ATTENTIONS)]


@pytest.fixture(scope="module", params=[True, False], ids=["training", "evaluation"])
def sides(request):
    return Sides(CASES, train=request.param)


@pytest.mark.parametrize("case", CASES, ids=[f"{name}{'' if shared else '_apart'}" for name, shared in CASES])
def test_fusion_is_torchs(sides, case):
    twin, (outputs, gradients) = sides.twin(case), sides.found[case]
    rows = np.flatnonzero(LENGTH)
    theirs = alone(twin, sides, rows)
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    for name, value in theirs.items():
        if value is None:
            assert name in BRANCHES or np.isnan(outputs[name]).all()
        else:
            close(outputs[name][rows], value.detach().numpy(), err_msg=name)
    (theirs["logits"] * torch.from_numpy(COTANGENT[rows])).sum().backward()
    state = {name: value for name, value in twin.state_dict().items() if "running" in name}
    state |= {name: value.grad for name, value in twin.named_parameters()}
    named = torch_audio_text.named(gradients, sides.moved)
    assert set(state) <= set(named)
    for name, value in state.items():
        close(named[name], value.numpy(), err_msg=name)


def test_the_twin_with_masks_is_the_one_without_padding(sides):
    # The benchmark times the one with masks.
    rows = np.flatnonzero(LENGTH)
    found = []
    for masked in (True, False):
        twin = sides.twin(("att_d_1", True))
        outputs = padded(twin, sides, rows) if masked else alone(twin, sides, rows)
        outputs["logits"].square().sum().backward()
        found.append([outputs["logits"], *(value.grad for value in twin.parameters())])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-7, atol=1e-9)


def test_pooling_over_the_padding_is_torchs_plain_pooling(sides):
    # As published: zeros up to the longest of the batch are samples as any others, in statistics and in the pooling.
    rows = np.flatnonzero(LENGTH)
    waveform = np.where(np.arange(sides.waveform.shape[1]) < LENGTH[:, None], sides.waveform, 0.0)[rows]
    network = AudioText("audio", CLASSES, VOCABULARY, **SMALL, pool_padding=True)
    variables = {**sides.branches, "params": {"audio": sides.branches["params"]["audio"]}}

    def features(waveform):
        method = partial(network.apply, variables, method="audio_features", train=sides.train, mutable=["batch_stats"])
        return method(waveform, LENGTH[rows])[0]

    with jax.enable_x64(True):
        lowered = jax.jit(features).lower(waveform)
        found = lowered.compile(compiler_options={"xla_backend_optimization_level": 0})(waveform)
    twin = sides.twin(("audio", True))
    x = torch.from_numpy(waveform)[:, None]
    y = twin.norm_2(twin.conv_2(torch.relu(twin.norm_1(twin.conv_1(x))))) + twin.norm_3(twin.project(x))
    pooled = torch.nn.AdaptiveMaxPool1d(SMALL["pool"])(torch.relu(y))
    theirs = twin.scale(twin.gru(pooled.transpose(1, 2))[1][0])
    np.testing.assert_allclose(found, theirs.detach().numpy(), rtol=1e-5, atol=1e-5)
