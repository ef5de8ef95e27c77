"""Speech encoders in small: padding, drawing at random, frozen parts, what is refused. Parity is tests/parity's."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.errors import InputError
from sejax.models import encoders
from sejax.models.encoders import Architecture, Positions, Regularisation
from sejax.models.transformer import RelativeBias

SMALL = Architecture(
    convolutions=((6, 10, 5), (8, 3, 2), (8, 2, 2)),
    positions=Positions(kernel=6, groups=4),
    width=16,
    layers=3,
    heads=2,
    feed_forward=24,
)
KINDS = {
    "group": SMALL,
    "stable": SMALL._replace(convolution_norm="layer", convolution_bias=True, pre_norm=True),
    "wavlm": SMALL._replace(relative=RelativeBias(buckets=16, distance=12)),
    "data2vec": SMALL._replace(convolution_norm="layer", positions=Positions(5, groups=4, depth=2, norm="layer")),
}
ALL = Regularisation(0.1, 0.1, 0.1, 0.1, layer_drop=0.3, mask_share=0.3, mask_length=3)
LENGTH = np.array([420, 263, 40], np.int32)


def made(architecture=SMALL, **options):
    """(module, variables) with random numbers in all places, scales around 1."""
    module = encoders.create(architecture, **options)
    shapes, random = encoders.shapes(module), np.random.default_rng(0)

    def drawn(path, leaf):
        return ((path[-1].key == "scale") + 0.3 * random.standard_normal(leaf.shape)).astype(np.float32)

    return module, jax.tree_util.tree_map_with_path(drawn, shapes)


def run(module, variables, *arguments, **options):
    """The module's output as one program."""
    return jax.jit(lambda *traced: module.apply(*traced, **options))(variables, *arguments)


def waveform(samples=420, seed=1):
    return 0.1 * np.random.default_rng(seed).standard_normal((3, samples)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_padding_nor_what_stands_in_it_changes_anything(kind):
    module, variables = made(KINDS[kind])
    x = waveform()
    longer = np.full((3, 700), 1e3, np.float32)
    longer[:, :420] = np.where(np.arange(420) < LENGTH[:, None], x, -1e3)
    apply = jax.jit(module.apply)
    one, other = apply(variables, x, LENGTH), apply(variables, longer, LENGTH)
    assert one.frames.tolist() == other.frames.tolist() == [20, 12, 1]
    for a, b in zip(one.hidden, other.hidden, strict=True):
        frames = a.shape[1]
        assert np.abs(np.asarray(a) - np.asarray(b)[:, :frames]).max() <= 1e-5 * np.abs(a).max()
        assert not np.asarray(b)[:, frames:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_too_short_for_a_frame_are_zero_and_their_gradients_finite(kind):
    module, variables = made(KINDS[kind])
    length = np.array([420, 0, 9], np.int32)

    def loss(variables):
        encoded = module.apply(variables, waveform(), length)
        return jnp.sum(encoded.last**2), encoded

    gradients, encoded = jax.jit(jax.grad(loss, has_aux=True))(variables)
    assert encoded.frames.tolist() == [20, 0, 0]
    assert not np.asarray(encoded.last)[1:].any() and np.asarray(encoded.last)[0].any()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_recordings_may_be_a_symbol(kind):
    module, variables = made(KINDS[kind])
    (batch,) = jax.export.symbolic_shape("b")
    waveforms, lengths = (
        jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in (((batch, 420), jnp.float32), ((batch,), jnp.int32))
    )
    assert jax.eval_shape(module.apply, variables, waveforms, lengths).last.shape == (batch, 20, 16)


def test_a_length_beyond_the_waveform_is_the_waveforms():
    module, variables = made()
    whole, beyond = (run(module, variables, waveform(), np.full(3, length, np.int32)) for length in (420, 999))
    assert beyond.frames.tolist() == [20, 20, 20]
    np.testing.assert_array_equal(whole.last, beyond.last)


def test_samples_as_integers_are_those_in_one_of_full_scale():
    module, variables = made()
    integers = (waveform() * 2**15).astype(np.int16)
    encoded = [run(module, variables, x, LENGTH).last for x in (integers, integers.astype(np.float32) / 2**15)]
    np.testing.assert_allclose(*encoded, atol=2e-6)


def test_standardised_recordings_do_not_depend_on_level_and_offset():
    module, variables = made(KINDS["stable"])
    plain = made(KINDS["stable"]._replace(normalise=False))[0]
    x = waveform()
    standard, louder, other = (
        np.asarray(run(each, variables, y, LENGTH).last)
        for each, y in ((module, x), (module, 3 * x + 0.5), (plain, x))
    )
    assert np.abs(standard - louder).max() < 1e-4 * np.abs(standard).max()
    alone = x[1, :263].astype(np.float64)
    alone = (alone - alone.mean()) / np.sqrt(alone.var() + 1e-7)
    by_hand = np.asarray(run(plain, variables, alone[None].astype(np.float32), LENGTH[1:2]).last)
    assert np.abs(standard[1, :12] - by_hand[0]).max() < 1e-4 * np.abs(by_hand).max()
    assert np.abs(standard - other).max() > 1e-2


def test_training_draws_by_its_key_alone_in_fixed_shapes():
    module, variables = made(KINDS["wavlm"], regularisation=ALL)

    @jax.jit
    def last(key):
        return module.apply(variables, waveform(), LENGTH, train=True, key=key).last

    one, again, other = (np.asarray(last(jax.random.key(seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-2
    members = np.asarray(jax.vmap(last)(jax.random.split(jax.random.key(3), 2)))
    alone = np.asarray(last(jax.random.split(jax.random.key(3), 2)[1]))
    assert np.abs(members[1] - alone).max() < 1e-5 * np.abs(alone).max()
    assert last._cache_size() == 1


def test_without_training_and_without_rates_nothing_is_drawn():
    module, variables = made(regularisation=ALL)
    plain, _ = made()
    x = waveform()
    np.testing.assert_array_equal(
        run(module, variables, x, LENGTH, key=jax.random.key(0)).last,
        run(plain, variables, x, LENGTH, train=True).last,
    )
    with pytest.raises(InputError, match="give key="):
        module.apply(variables, x, LENGTH, train=True)


def test_a_dropped_layer_hands_on_what_it_took():
    module, variables = made(regularisation=Regularisation(layer_drop=0.5))
    apply = jax.jit(lambda key: module.apply(variables, waveform(), LENGTH, train=True, key=key).hidden)
    dropped = np.zeros(3)
    for seed in range(40):
        hidden = apply(jax.random.key(seed))
        dropped += [np.array_equal(a, b) for a, b in zip(hidden, hidden[1:], strict=False)]
    assert np.all((dropped > 8) & (dropped < 32))


def test_masked_frames_are_the_embedding_whatever_they_were():
    module, variables = made(SMALL._replace(normalise=False, convolution_norm="layer"))
    masked = np.zeros((3, 20), bool)
    masked[0, 4:9] = True
    x = waveform()
    other = x.copy()
    other[0, 130:160] += 1.0  # seen by frames 4 to 8 alone
    same, free = (
        [np.asarray(run(module, variables, y, LENGTH, masked=given).last) for y in (x, other)]
        for given in (masked, None)
    )
    np.testing.assert_allclose(*same, atol=1e-5)
    assert np.abs(free[0] - free[1]).max() > 1e-2


def test_other_activations_are_given_on_request():
    module, variables = made()
    encoded, record = run(module, variables, waveform(), LENGTH, activations=True)
    assert set(record) == {"conv_0", "conv_1", "conv_2", "projection", "positions"}
    assert record["conv_2"].shape == (3, 20, 8) and record["positions"].shape == encoded.last.shape


def test_a_mask_of_probability_is_part_of_training():
    masks = Regularisation(mask_share=0.5, mask_length=3)
    module, variables = made(regularisation=masks)
    x = waveform()
    masked, plain = (
        np.asarray(run(module, variables, x, LENGTH, train=train, key=jax.random.key(0)).hidden[0])
        for train in (True, False)
    )
    assert np.abs(masked - plain).max() > 1e-2
    np.testing.assert_allclose(masked[2], plain[2], atol=2e-6)  # of one frame: fewer than a span


@pytest.mark.parametrize(
    ("frozen", "still"),
    [
        (("convolutions",), {"convolutions"}),
        (("convolutions", "proj*", "positions_*", "norm", "layer_0"), None),
        (("convolutions", "projection_norm", "projection"), {"convolutions", "projection_norm", "projection"}),
    ],
)
def test_what_is_frozen_from_the_input_on_has_no_gradient_and_all_else_has_the_same(frozen, still):
    held, variables = made(frozen=frozen)
    plain, _ = made()
    still = still or {"convolutions", "projection_norm", "projection", "positions_0", "norm", "layer_0"}

    def gradients(module):
        return jax.jit(jax.grad(lambda v: jnp.sum(jnp.sin(module.apply(v, waveform(), LENGTH).last))))(variables)

    ours, whole = gradients(held)["params"], gradients(plain)["params"]
    for name, tree in ours.items():
        for a, b in zip(jax.tree.leaves(tree), jax.tree.leaves(whole[name]), strict=True):
            tolerance = 1e-5 * np.abs(b).max() + 1e-6  # the bias of keys has nothing but rounding
            assert np.abs(a - (0 if name in still else b)).max() <= tolerance, name


def test_a_frozen_pattern_that_matches_nothing_is_refused():
    with pytest.raises(InputError, match="'feature_extractor' matches no layer"):
        encoders.create(SMALL, frozen=("feature_extractor",))


def test_frames_are_counted_for_numbers_and_arrays():
    assert [encoders.frame_counts(n) for n in (0, 399, 400, 719, 720, 16000)] == [0, 0, 1, 1, 2, 49]
    np.testing.assert_array_equal(encoders.frame_counts(jnp.array([399, 16000])), [0, 49])
    assert encoders.least_samples() == 400 and encoders.least_samples(SMALL) == 30
    assert encoders.frame_counts(encoders.least_samples(SMALL), SMALL) == 1


@pytest.mark.parametrize("name", encoders.names())
def test_named_architectures_have_the_published_numbers_of_parameters(name):
    leaves = jax.tree.leaves(encoders.shapes(encoders.create(name)))
    assert sum(leaf.size for leaf in leaves) == encoders.PARAMETERS[name]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"convolution_norm": "batch"}, "convolution_norm='batch'"),
        ({"positions": Positions(norm="none")}, "positions.norm='none'"),
        ({"heads": 3}, "width=16 is no multiple of heads=3"),
        ({"positions": Positions(groups=5)}, "positions.groups=5"),
        ({"relative": RelativeBias(buckets=6)}, "relative.buckets=6"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        encoders.create(SMALL._replace(**change))


def test_unknown_names_and_wrong_waveforms_are_refused():
    with pytest.raises(InputError, match="'whisper' is unknown; known are data2vec_audio_base"):
        encoders.create("whisper")
    module, variables = made()
    for shape in ((420,), (3, 29), (3, 420, 1)):
        with pytest.raises(InputError, match=r"give \[B, T\] with T from 30 samples on"):
            module.apply(variables, np.zeros(shape, np.float32), LENGTH)


def test_a_weighted_sum_is_the_mean_at_first_and_then_by_softmax():
    hidden = tuple(np.full((2, 3, 4), value, np.float32) for value in (1.0, 2.0, 6.0))
    module = encoders.WeightedSum()
    variables = module.init(jax.random.key(0), hidden)
    np.testing.assert_allclose(module.apply(variables, hidden), np.full((2, 3, 4), 3.0), rtol=1e-6)
    weights = {"params": {"weights": np.log(np.array([0.5, 0.25, 0.25], np.float32))}}
    np.testing.assert_allclose(module.apply(weights, hidden), np.full((2, 3, 4), 2.5), rtol=1e-6)


def test_a_mean_over_frames_has_none_of_the_padding():
    x = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2)
    np.testing.assert_allclose(encoders.mean_over_frames(x, np.array([2, 0])), [[1.0, 2.0], [0.0, 0.0]])


def test_half_precision_is_near_and_its_parameters_stay_single():
    half, variables = made(dtype=jnp.bfloat16)
    whole, _ = made()
    ours, wanted = (run(module, variables, waveform(), LENGTH).last for module in (half, whole))
    assert ours.dtype == jnp.bfloat16
    assert np.abs(np.asarray(ours, np.float32) - wanted).max() < 0.05 * np.abs(wanted).max()
    assert {leaf.dtype for leaf in jax.tree.leaves(encoders.shapes(half))} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_for_any_length_gives_what_one_for_a_length_gives(kind):
    module, variables = made(KINDS[kind])

    def last(x, length):
        return encoders.mean_over_frames(module.apply(variables, x, length).last, encoders.frame_counts(length, SMALL))

    rows, samples = jax.export.symbolic_shape("I, T")
    shapes = (jax.ShapeDtypeStruct((rows, 64 * samples), jnp.float32), jax.ShapeDtypeStruct((rows,), jnp.int32))
    exported = jax.export.export(jax.jit(last))(*shapes)
    x, length = np.pad(waveform(), ((0, 0), (0, 1536 - 420))), np.minimum(LENGTH, 400)
    for samples in (448, 1536):
        np.testing.assert_allclose(exported.call(x[:, :samples], length), last(x[:, :samples], length), atol=1e-5)
