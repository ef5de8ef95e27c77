"""CycleGANs with products in bfloat16: near float32's, float32 in all that is kept, resumed to the bit, used alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emotional_vectors import make_config, make_vectors
from same_bits import as_numpy, assert_same_bits
from tiers import tiered

from sejax.core.rng import member_key, root_key
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.segment import make_segment
from sejax.experiments.cyclegan.assembly import assemble
from sejax.experiments.cyclegan.synthesis import Generators, transfer

UPDATES = 6


class Run:
    """One dtype's compiled program for both weights of the classification loss, and runs of it that start alike."""

    def __init__(self, dtype, stage="gan", lambdas=(0.0, 2.0)):
        changes = {"stage": stage, "lambdas": lambdas, "dtype": dtype, "epochs": 100, "row_epochs": 100}
        config = make_config("whole=True", folds=0, **changes)
        config.pretraining.epochs = config.pretraining.row_epochs = 100 * (stage == "pretraining")
        self.assembly = assemble(config, make_vectors(40, corpus="unlabelled"), [make_vectors((20, 17, 30, 25))])
        self.segment = make_segment(self.assembly, backend="scan")
        self.data = jax.tree.map(jnp.asarray, self.assembly.data)

    def start(self):
        keys = jax.vmap(member_key, (None, 0))(root_key(0), jnp.arange(len(self.assembly.names)))
        return self.segment.start(keys, self.assembly.members, self.data)

    def advance(self, carry, updates=UPDATES):
        return self.segment.advance(self.data, carry, updates)


@pytest.fixture(scope="module")
def half():
    return Run("bfloat16")


ALONE, TOGETHER = (2.0,), (0.0, 2.0)  # a member alone has no axis, and so its products other shapes
CASES = {"gan, together": ("gan", TOGETHER), "gan, alone": ("gan", ALONE), "pretraining": ("pretraining", ALONE)}


@pytest.mark.parametrize("case", tiered(CASES, slow=("gan, together", "gan, alone")))
def test_training_stays_near_float32_and_keeps_nothing_narrower(case):
    stage, lambdas = CASES[case]
    runs = [Run(dtype, stage, lambdas) for dtype in ("float32", "bfloat16")]
    firsts = [run.start() for run in runs]
    assert_same_bits(firsts[0].state, firsts[1].state)
    first = as_numpy(jax.tree.map(jnp.copy, firsts[0].state.generators))
    exact, found = (run.advance(carry) for run, carry in zip(runs, firsts, strict=True))
    assert (np.asarray(found.state.stopped_at) == -1).all()
    shapes = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(carry)] for carry in (exact, found)]
    assert shapes[0] == shapes[1]
    ours, theirs = as_numpy(found.state.generators), as_numpy(exact.state.generators)
    moved = sum(np.abs(theirs[name] - first[name]).sum() for name in first)
    apart = sum(np.abs(theirs[name] - ours[name]).sum() for name in first)
    assert 0 < apart < 0.1 * moved  # of the way that the weights have gone


def test_a_run_that_was_saved_goes_on_to_the_bit(half, tmp_path):
    whole = half.advance(half.start())
    carry, checkpoints = half.advance(half.start(), 2), Checkpoints(tmp_path)
    checkpoints.save(2, carry, {})
    checkpoints.wait()
    restored, _ = checkpoints.restore(jax.eval_shape(half.start))
    checkpoints.close()
    assert_same_bits(half.advance(restored, UPDATES - 2), whole)


def test_synthetic_vectors_are_made_with_the_products_of_training(half):
    state = jax.tree.map(lambda x: x[0], half.start().state)
    vectors = half.assembly.data["source"]
    made = Generators(state.generators["target"], state.scaling, ("a", "b", "c", "d"), dtype=jnp.dtype("bfloat16"))
    found, exact = transfer(made, vectors), transfer(made.replace(dtype=None), vectors)
    spread = np.ptp(np.asarray(vectors), axis=0)
    assert found.dtype == np.float32
    assert 0 < (np.abs(found - exact) / spread).max() < 0.02
