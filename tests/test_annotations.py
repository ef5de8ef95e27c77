"""Shapes in the signatures of public functions are true of what goes in and comes out."""

import inspect

import jax
import jax.numpy as jnp
import jaxtyping
import pytest

from sejax.audio import augmentation, image, spectrogram
from sejax.core import metrics

KEY = jax.random.key(0)
WAVE, LEVELS, COUNTS = jnp.zeros((2, 16000)), jnp.zeros((2, 5, 64, 79)), jnp.ones((3, 4, 4))
SOUND, PICTURE = spectrogram.SpectrogramSettings(scale="mel"), image.ImageSettings(size=(24, 32))
CALLS = [
    (spectrogram.stft, (WAVE, SOUND), {}),
    (spectrogram.power, (WAVE, SOUND), {}),
    (spectrogram.band_power, (WAVE, SOUND), {"fmax": 8000.0}),
    (spectrogram.spectrogram, (WAVE, SOUND), {"fmax": (7000.0, 8000.0)}),
    (spectrogram.to_db, (LEVELS,), {}),
    (image.intensity, (LEVELS, PICTURE), {}),
    (image.colour, (LEVELS, "jet"), {}),
    (image.render, (LEVELS, PICTURE), {}),
    (image.resize, (jnp.zeros((2, 8, 9, 3)), (4, 5)), {}),
    (image.normalise, (jnp.zeros((2, 8, 9, 3)),), {}),
    (augmentation.spectrograms_at_random_gain, (KEY, LEVELS[:, 0]), {"limits": (-6.0, 0.0)}),
    (augmentation.waveforms_at_random_gain, (KEY, WAVE.astype(jnp.int16)), {"limits": (-6.0, 0.0)}),
    (augmentation.random_views, (KEY, LEVELS), {}),
    *((function, (COUNTS,), {}) for function in (metrics.recall, metrics.precision, metrics.f1)),
    *((function, (COUNTS,), {}) for function in (metrics.accuracy, metrics.uar, metrics.macro_f1)),
]


def annotations_of(function):
    """A function's annotations, which type checkers alone evaluate otherwise."""
    names = {name: getattr(jaxtyping, name) for name in ("Array", "Complex", "Float", "Int16")}
    return inspect.get_annotations(function, globals={**vars(inspect.getmodule(function)), **names}, eval_str=True)


@pytest.mark.parametrize(("function", "given", "options"), CALLS, ids=[call[0].__name__ for call in CALLS])
def test_arrays_have_the_shapes_of_the_signature(function, given, options):
    annotations = annotations_of(function)
    parameters = dict(zip(inspect.signature(function).parameters, given, strict=False))

    @jaxtyping.jaxtyped(typechecker=None)
    def check():
        arrays = {name: value for name, value in parameters.items() if value is not KEY and hasattr(value, "shape")}
        assert arrays
        for name, value in arrays.items():
            assert isinstance(value, annotations[name]), name
        assert isinstance(function(*given, **options), annotations["return"])

    check()


def test_a_wrong_shape_is_seen():
    annotation = annotations_of(metrics.uar)["confusion"]
    with jaxtyping.jaxtyped("context"):
        assert not isinstance(jnp.ones((3, 4, 5)), annotation)
