"""Colour maps against matplotlib, resizing against PIL and torch, rendering against the three together."""

import jax
import numpy as np
import pytest

from sejax.audio.image import COLOUR_MAPS, ImageSettings, colour, colour_map, intensity, normalise, render, resize
from sejax.errors import InputError

IMAGENET_MEAN, IMAGENET_DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def torch_resize(image, size):
    torch = pytest.importorskip("torch", reason="the reference is torch; install sejax[convert]")
    planes = torch.from_numpy(np.moveaxis(np.asarray(image, np.float64), -1, -3).copy())
    options = {"mode": "bilinear", "antialias": True, "align_corners": False}
    large = torch.nn.functional.interpolate(planes.reshape(-1, *planes.shape[-3:]), size, **options).numpy()
    return np.moveaxis(large.reshape(*planes.shape[:-2], *size), -3, -1)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colour_maps_are_matplotlibs_to_the_last_of_8_bits(name):
    matplotlib = pytest.importorskip("matplotlib", reason="the reference is matplotlib; install sejax[report]")
    published = matplotlib.colormaps[name](np.arange(256))[:, :3]
    table = colour_map(name)
    assert table.shape == (256, 3) and table.dtype == np.float32
    np.testing.assert_allclose(table, published, rtol=0, atol=0.5 / 255 + 1e-6)


def test_the_papers_map_and_plain_ones_are_there():
    assert set(COLOUR_MAPS) >= {"jet", "hot", "gray"}


def test_colours_are_looked_up_as_matplotlib_does_at_the_ends_and_at_every_step():
    matplotlib = pytest.importorskip("matplotlib", reason="the reference is matplotlib; install sejax[report]")
    steps = np.arange(257, dtype=np.float32) / 256
    values = np.concatenate([steps, np.nextafter(steps, np.float32(0)), [-0.5, 1.5]]).astype(np.float32)
    ours = colour(values[None], "jet")
    np.testing.assert_allclose(ours[0], matplotlib.colormaps["jet"](values)[:, :3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(224, 224), (32, 40), (20, 300), (64, 79), (1, 1)])
def test_resize_equals_torchs_anti_aliased_resize(size):
    image = np.random.default_rng(0).random((2, 64, 79, 3), np.float32)
    np.testing.assert_allclose(resize(image, size), torch_resize(image, size), rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", [(224, 224), (32, 40), (20, 300)])
def test_resize_equals_pils_bilinear(size):
    pil = pytest.importorskip("PIL.Image", reason="the reference is PIL; install sejax[dev]")
    image = np.random.default_rng(0).random((64, 79), np.float32)
    expected = pil.fromarray(image).resize(size[::-1], pil.Resampling.BILINEAR)
    np.testing.assert_allclose(resize(image[..., None], size)[..., 0], np.asarray(expected), rtol=0, atol=2e-6)


def test_resize_to_the_same_size_changes_nothing():
    image = np.random.default_rng(0).random((5, 7, 3), np.float32)
    np.testing.assert_array_equal(resize(image, (5, 7)), image)


def test_torchvision_and_caffe_normalisation_worked_by_hand():
    rgb = np.array([[1.0, 0.5, 0.0], [0.485, 0.456, 0.406]], np.float32)
    torchvision = [[(1.0 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, -0.406 / 0.225], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(normalise(rgb, "torchvision"), torchvision, atol=1e-6)
    caffe = [[-104.0, 127.5 - 117.0, 255.0 - 123.0], [103.53 - 104.0, 116.28 - 117.0, 123.675 - 123.0]]
    np.testing.assert_allclose(normalise(rgb, "caffe"), caffe, atol=1e-4)
    np.testing.assert_array_equal(normalise(rgb, "none"), rgb)


def test_both_keras_normalisations_worked_by_hand():
    rgb = np.array([[1.0, 0.5, 0.0], [0.25, 0.75, 1.0]], np.float32)
    caffe = [[-103.939, 127.5 - 116.779, 255.0 - 123.68], [255.0 - 103.939, 191.25 - 116.779, 63.75 - 123.68]]
    np.testing.assert_allclose(normalise(rgb, "keras_caffe"), caffe, atol=1e-4)
    np.testing.assert_allclose(normalise(rgb, "keras_tf"), [[1.0, 0.0, -1.0], [-0.5, 0.5, 1.0]], atol=1e-6)


@pytest.mark.parametrize("source", ["torchvision", "caffe", "keras_caffe", "keras_tf", "none"])
@pytest.mark.parametrize("name", ["jet", "hot"])
def test_render_equals_matplotlibs_colours_resized_by_torch_then_normalised(source, name):
    matplotlib = pytest.importorskip("matplotlib", reason="the reference is matplotlib; install sejax[report]")
    # In the middle of the 256 colours' intervals, where no rounding can tip a cell into the next one.
    steps = np.random.default_rng(0).integers(-64, 256, (2, 64, 79)) + 0.5
    decibels = (steps * 60 / 256 - 60).astype(np.float32)
    decibels[:, 20, 30] = 0.0  # the loudest
    settings = ImageSettings(normalise=source, colour_map=name, dynamic_range=60.0)
    top = decibels.max(axis=(1, 2), keepdims=True)
    values = np.clip((decibels - top + 60) / 60, 0, 1)[:, ::-1]
    large = torch_resize(matplotlib.colormaps[name](values)[..., :3], (224, 224))
    expected = {
        "torchvision": (large - IMAGENET_MEAN) / IMAGENET_DEVIATION,
        "caffe": large[..., ::-1] * 255 - [104, 117, 123],
        "keras_caffe": large[..., ::-1] * 255 - [103.939, 116.779, 123.68],
        "keras_tf": large * 2 - 1,
        "none": large,
    }[source]
    tolerance = (0.5 / 255 + 1e-4) * (expected.max() - expected.min())  # 8-bit colours
    np.testing.assert_allclose(render(decibels, settings), expected, rtol=0, atol=tolerance)


def test_high_frequencies_are_at_the_top_unless_asked_otherwise():
    decibels = np.full((64, 79), -200.0, np.float32)
    decibels[60:] = 0.0  # the highest bands
    upright = render(decibels, ImageSettings(colour_map="gray", normalise="none"))
    np.testing.assert_allclose(upright[:8], 1.0, atol=1e-6)
    np.testing.assert_allclose(upright[100:], 0.0, atol=1e-6)
    turned = render(decibels, ImageSettings(colour_map="gray", normalise="none", flip_frequency=False))
    np.testing.assert_allclose(turned, upright[::-1], atol=1e-6)


def test_reference_max_follows_each_spectrogram_and_absolute_keeps_loudness():
    loud = np.linspace(-90.0, 30.0, 64 * 79, dtype=np.float32).reshape(64, 79)
    both = np.stack([loud, loud - 20.0])
    relative = np.asarray(intensity(both, ImageSettings(dynamic_range=80.0)))
    np.testing.assert_allclose(relative[0], relative[1], atol=1e-6)
    assert relative.min() == 0.0 and relative.max() == 1.0
    absolute = np.asarray(intensity(both, ImageSettings(reference="absolute", level=30.0, dynamic_range=80.0)))
    assert absolute[0].max() == 1.0
    assert absolute[1].max() == pytest.approx(0.75)


def test_any_batch_shape_jit_and_vmap_agree_with_single_images():
    settings = ImageSettings(size=(12, 17))
    decibels = np.random.default_rng(0).uniform(-80, 0, (2, 3, 64, 79)).astype(np.float32)

    def draw(decibels):
        return render(decibels, settings)

    single = np.stack([jax.jit(draw)(d) for d in decibels.reshape(6, 64, 79)]).reshape(2, 3, 12, 17, 3)
    for batched in (jax.jit(draw), jax.jit(jax.vmap(draw)), jax.vmap(jax.vmap(jax.jit(draw)))):
        np.testing.assert_allclose(batched(decibels), single, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour_map": "rainbow"}, "colour_map 'rainbow' is unknown; choose one of jet, hot, gray"),
        ({"reference": "min"}, "reference 'min' is unknown; choose one of max, absolute"),
        ({"normalise": "keras"}, "'keras' is unknown; choose one of torchvision, caffe, keras_caffe, keras_tf, none"),
        ({"dynamic_range": 0.0}, "dynamic_range is 0.0 dB; it must be above zero"),
        ({"dynamic_range": float("nan")}, "dynamic_range is nan"),
        ({"size": (224,)}, r"size \(224,\); give height and width"),
        ({"size": 224}, "size 224; give height and width"),
        ({"size": (0, 224)}, r"size \(0, 224\)"),
        ({"size": (224.0, 224.0)}, r"size \(224.0, 224.0\)"),
    ],
)
def test_bad_image_settings_are_refused_by_name(options, message):
    with pytest.raises(InputError, match=message):
        ImageSettings(**options)


def test_unknown_names_are_refused_outside_settings_too():
    with pytest.raises(InputError, match="'rainbow' is unknown; choose one of"):
        colour_map("rainbow")
    with pytest.raises(InputError, match="'keras' is unknown; choose one of"):
        normalise(np.zeros((2, 2, 3), np.float32), "keras")
    with pytest.raises(InputError, match="size"):
        resize(np.zeros((2, 2, 3), np.float32), (0, 2))


def test_a_list_for_the_size_makes_equal_hashable_settings():
    assert ImageSettings(size=[224, 224]) == ImageSettings()
    assert hash(ImageSettings(size=[224, 224])) == hash(ImageSettings())
