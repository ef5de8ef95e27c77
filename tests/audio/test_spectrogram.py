"""Spectrograms against librosa, on synthetic sound everywhere and on real speech where it is at hand."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.audio.filterbanks import linear_filterbank, mel_filterbank
from sejax.audio.spectrogram import (
    SpectrogramSettings,
    band_power,
    filterbank,
    power,
    spectrogram,
    stft,
    to_db,
)
from sejax.errors import InputError

librosa = pytest.importorskip("librosa", reason="the reference is librosa; install sejax[data]")

measure = jax.jit(spectrogram, static_argnames=("settings", "fmax"))

BAND_SCALES = ({"scale": "log"},) + tuple(
    {"scale": "mel", "mel": mel, "mel_norm": norm}
    for mel, norm in itertools.product(("slaney", "htk"), ("slaney", "none"))
)
# Recordings in which a plain f32 transform errs most: loud vowels or fricatives over quiet bands.
HARD_RECORDINGS = ("08b02Wd", "09b03Nb", "13a07Tc", "16b03Ta")


def librosa_stft(waveform, settings):
    """librosa in float64; the margins make its uncentred frames begin where the window does."""
    waveform = np.asarray(waveform, np.float64)
    if not settings.centred:
        spare = settings.n_fft - settings.window_length
        waveform = np.pad(waveform, (spare // 2, spare - spare // 2))
    return librosa.stft(
        waveform,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        win_length=settings.window_length,
        window=settings.window,
        center=settings.centred,
        dtype=np.complex128,
    )


def mean_between(power, edges, settings):
    """Mean over each band of the spectrum drawn as steps, off its integral: [bands, frames]."""
    spacing = settings.sample_rate / settings.n_fft
    steps = np.concatenate([[0.0], (np.arange(settings.n_fft // 2) + 0.5) * spacing, [settings.sample_rate / 2]])
    integral = np.vstack([np.zeros(power.shape[1]), np.cumsum(power * np.diff(steps)[:, None], axis=0)])
    at_edges = np.stack([np.interp(edges, steps, column) for column in integral.T], axis=1)
    return np.diff(at_edges, axis=0) / np.diff(edges)[:, None]


def reference_bands(waveform, settings, fmax):
    bins = np.abs(librosa_stft(waveform, settings)) ** 2
    if settings.scale == "log":
        return mean_between(bins, np.linspace(settings.fmin, fmax, settings.bands + 1), settings)
    weights = librosa.filters.mel(
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        n_mels=settings.bands,
        fmin=settings.fmin,
        fmax=fmax,
        htk=settings.mel == "htk",
        norm="slaney" if settings.mel_norm == "slaney" else None,
        dtype=np.float64,
    )
    return weights @ bins


def speech_like(length, seed=0):
    """A buzz of 140 Hz, soft noise and a silent gap: f32[length], 32 dB between loud and soft."""
    time = np.arange(length) / 16000
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k**2 for k in range(1, 30))
    noise = np.random.default_rng(seed).standard_normal(length)
    sound = (0.3 * buzz + 0.01 * noise) * (1.2 + np.sin(2 * np.pi * 3 * time))
    sound[length // 2 : length // 2 + 1200] = 0.0
    return sound.astype(np.float32)


def assert_within_1e_4(decibels, reference):
    """Relative to the reference in dB; between -1 and 1 dB, where that means nothing, within 1e-4 dB."""
    allowed = 1e-4 * np.maximum(np.abs(reference), 1.0)
    worst = np.max(np.abs(decibels - reference) / allowed)
    assert worst <= 1.0, f"worst cell errs by {worst:.2f} times what is allowed"


@pytest.mark.parametrize("window", ["hamming", "hann"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("bands", BAND_SCALES, ids=lambda bands: "-".join(bands.values()))
def test_real_speech_is_within_1e_4_of_librosa(emodb_source, window, centred, bands):
    soundfile = pytest.importorskip("soundfile")
    settings = SpectrogramSettings(window=window, centred=centred, **bands)
    recordings = [
        soundfile.read(emodb_source / "wav" / f"{name}.wav", dtype="float32", frames=24000)[0]
        for name in HARD_RECORDINGS
    ]
    ours = measure(np.stack(recordings), settings, fmax=(7000.0, 8000.0))
    for waveform, pair in zip(recordings, np.asarray(ours), strict=True):
        for decibels, fmax in zip(pair, (7000.0, 8000.0), strict=True):
            reference = reference_bands(waveform, settings, fmax)
            assert_within_1e_4(decibels, 10 * np.log10(np.maximum(reference, settings.amin)))


@pytest.mark.parametrize("window", ["hamming", "hann"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("bands", BAND_SCALES, ids=lambda bands: "-".join(bands.values()))
def test_band_power_of_synthetic_sound_is_within_1e_4_of_librosa(window, centred, bands):
    settings = SpectrogramSettings(window=window, centred=centred, **bands)
    waveform = speech_like(8000)
    reference = reference_bands(waveform, settings, 7500.0)
    ours = np.asarray(jax.jit(lambda w: band_power(w, settings, fmax=7500.0))(waveform))
    np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=settings.amin)


@pytest.mark.parametrize(
    ("rate", "window_seconds", "hop_seconds", "n_fft"),
    [
        (16000, 0.025, 0.0125, 512),
        (16000, 0.032, 0.016, 512),  # window and n_fft of equal length
        (16000, 0.025, 0.01, 400),  # not a power of two
        (22050, 0.025, 0.01, 1024),  # 551 samples: the zeros cannot be equal on both sides
        (8000, 0.002, 0.005, 16),  # gaps between windows
    ],
)
@pytest.mark.parametrize("window", ["hamming", "hann"])
@pytest.mark.parametrize("centred", [False, True])
def test_stft_equals_librosas_in_phase_and_magnitude(rate, window_seconds, hop_seconds, n_fft, window, centred):
    settings = SpectrogramSettings(
        sample_rate=rate,
        window=window,
        window_seconds=window_seconds,
        hop_seconds=hop_seconds,
        n_fft=n_fft,
        centred=centred,
    )
    waveform = speech_like(5000)
    reference = librosa_stft(waveform, settings)
    ours = np.asarray(stft(waveform, settings))
    assert ours.dtype == np.complex64
    assert ours.shape == reference.shape == (n_fft // 2 + 1, settings.frames(5000))
    np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-6 * np.abs(reference).max())
    np.testing.assert_allclose(
        power(waveform, settings), np.abs(reference) ** 2, rtol=2e-4, atol=1e-11 * np.abs(reference).max() ** 2
    )


def test_quiet_bands_under_a_loud_voice_keep_their_precision():
    # Noise 90 dB below a low tone: the transform of the bare frames errs by 0.2 % (rms) in the upper half.
    settings = SpectrogramSettings(window="hann")
    noise = np.random.default_rng(1).standard_normal(8000)
    waveform = (0.9 * np.sin(2 * np.pi * 180 * np.arange(8000) / 16000) + 3e-5 * noise).astype(np.float32)
    reference = reference_bands(waveform, settings, 8000.0)[32:, 2:-2]
    ours = np.asarray(band_power(waveform, settings, fmax=8000.0))[32:, 2:-2]
    assert np.sqrt(np.mean((ours / reference - 1) ** 2)) < 1.2e-3


@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("norm", ["slaney", "none"])
@pytest.mark.parametrize(("bands", "fmin", "fmax"), [(64, 0.0, 8000.0), (40, 80.0, 7000.0)])
def test_mel_filterbank_equals_librosas(scale, norm, bands, fmin, fmax):
    ours = mel_filterbank(sample_rate=16000, n_fft=1024, bands=bands, fmin=fmin, fmax=fmax, scale=scale, norm=norm)
    reference = librosa.filters.mel(
        sr=16000,
        n_fft=1024,
        n_mels=bands,
        fmin=fmin,
        fmax=fmax,
        htk=scale == "htk",
        norm="slaney" if norm == "slaney" else None,
        dtype=np.float64,
    )
    np.testing.assert_allclose(ours, reference, rtol=1e-9, atol=1e-12)


def test_linear_band_worked_by_hand():
    # Bins 1 kHz apart stand for 0-0.5, 0.5-1.5, 1.5-2.5, 2.5-3.5 and 3.5-4 kHz; bands are 1.5 kHz wide up to 3 kHz.
    weights = linear_filterbank(sample_rate=8000, n_fft=8, bands=2, fmax=3000.0)
    np.testing.assert_allclose(weights, np.array([[0.5, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.5, 0.0]]) / 1.5)


@pytest.mark.parametrize("fmax", [7000.0, 7500.0, 8000.0])
def test_linear_bands_show_flat_power_as_flat_and_use_every_bin_below_fmax(fmax):
    weights = linear_filterbank(sample_rate=16000, n_fft=512, bands=64, fmax=fmax)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    bins = np.arange(257) * 31.25
    np.testing.assert_array_equal(weights.any(axis=0), bins - 31.25 / 2 < fmax)


@pytest.mark.parametrize("fmax", [7000.0, 8000.0])
def test_a_tone_lights_the_band_that_holds_its_frequency(fmax):
    tone = np.sin(2 * np.pi * 3100 * np.arange(16000) / 16000).astype(np.float32)
    loudest = np.asarray(measure(tone, SpectrogramSettings(), fmax=fmax)).argmax(axis=0)
    np.testing.assert_array_equal(loudest, int(3100 / (fmax / 64)))


def test_the_papers_block_of_one_second_has_64_bands_and_79_frames():
    assert measure(np.zeros(16000, np.float32), SpectrogramSettings(), fmax=8000.0).shape == (64, 79)


def test_decibels_equal_librosas_and_stop_at_the_floor():
    values = np.array([0.0, 1e-12, 1e-10, 3e-5, 1.0, 1234.5], np.float32)
    expected = librosa.power_to_db(values.astype(np.float64), amin=1e-10, ref=2.0, top_db=None)
    np.testing.assert_allclose(to_db(values, amin=1e-10, reference=2.0), expected, rtol=1e-6)
    silence = measure(np.zeros(16000, np.float32), SpectrogramSettings(), fmax=8000.0)
    np.testing.assert_allclose(silence, -100.0, rtol=1e-6)


def test_several_maximum_frequencies_equal_one_after_the_other():
    settings = SpectrogramSettings(scale="mel")
    waveforms = np.stack([speech_like(4000, seed) for seed in range(2)])
    together = measure(waveforms, settings, fmax=(7000, 8000))
    assert together.shape == (2, 2, 64, settings.frames(4000))
    for index, fmax in enumerate((7000.0, 8000.0)):
        alone = measure(waveforms, settings, fmax=fmax)
        np.testing.assert_allclose(together[:, index], alone, rtol=1e-5, atol=1e-3)


def test_any_batch_shape_jit_and_vmap_agree_with_single_calls():
    settings = SpectrogramSettings()
    waveforms = np.stack([speech_like(3000, seed) for seed in range(6)]).reshape(2, 3, 3000)
    single = np.stack([measure(w, settings, fmax=8000.0) for w in waveforms.reshape(6, 3000)])
    single = single.reshape(2, 3, *single.shape[1:])

    def plain(waveform):
        return spectrogram(waveform, settings, fmax=8000.0)

    for batched in (jax.jit(plain), jax.jit(jax.vmap(plain)), jax.vmap(jax.vmap(jax.jit(plain)))):
        np.testing.assert_allclose(batched(waveforms), single, rtol=1e-5, atol=1e-3)


def test_gradients_are_finite_even_in_silence():
    settings = SpectrogramSettings()
    gradient = jax.jit(jax.grad(lambda w: spectrogram(w, settings, fmax=8000.0).sum()))(speech_like(3000))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_half_precision_samples_are_measured_in_f32():
    samples = jnp.asarray(speech_like(3000), jnp.bfloat16)
    expected = measure(samples.astype(jnp.float32), SpectrogramSettings(), fmax=8000.0)
    np.testing.assert_array_equal(measure(samples, SpectrogramSettings(), fmax=8000.0), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": "blackman"}, "window 'blackman' is unknown; choose one of hamming, hann"),
        ({"scale": "bark"}, "scale 'bark' is unknown"),
        ({"mel": "kaldi"}, "mel 'kaldi' is unknown"),
        ({"mel_norm": None}, "mel_norm None is unknown"),
        ({"window_seconds": 0.04}, "640 samples .* does not fit into n_fft 512; raise n_fft to 1024"),
        ({"hop_seconds": 0.0}, "hop_seconds is 0.0; it must be above zero"),
        ({"hop_seconds": 1e-6}, "hop_length is 0; it must be above zero"),
        ({"window_seconds": float("nan")}, "window_seconds is nan"),
        ({"sample_rate": -1}, "sample_rate is -1"),
        ({"bands": 0}, "bands is 0"),
        ({"amin": 0.0}, "amin is 0.0"),
        ({"fmin": 8000.0}, "fmin 8000.0 Hz lies outside 0 to 8000 Hz"),
    ],
)
def test_bad_settings_are_refused_by_name(options, message):
    with pytest.raises(InputError, match=message):
        SpectrogramSettings(**options)


@pytest.mark.parametrize(
    ("options", "fmax", "message"),
    [
        ({}, 8001.0, r"fmax 8001 Hz is above half the sample rate \(8000 Hz\)"),
        ({"fmin": 500.0}, 500.0, "fmin must be below fmax"),
        ({}, -1.0, "fmin must be below fmax"),
        ({}, float("nan"), "fmin must be below fmax"),
        ({"scale": "mel", "bands": 256}, 8000.0, "of 256 bands below 8000 Hz hold no DFT bin .* raise n_fft"),
    ],
)
def test_bad_maximum_frequencies_are_refused(options, fmax, message):
    settings = SpectrogramSettings(**options)
    with pytest.raises(InputError, match=message):
        filterbank(settings, fmax=fmax)
    with pytest.raises(InputError, match=message):
        spectrogram(np.zeros(16000, np.float32), settings, fmax=(fmax, 7000.0))


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(16000, np.int16), "int16 samples divided by 32768"),
        (np.float32(0.0), r"shape \(\); give floating-point samples"),
        (np.zeros(399, np.float32), "399 samples is shorter than one window of 400; pad it"),
        (np.zeros(0, np.float32), "0 samples"),
    ],
)
def test_bad_waveforms_are_refused(waveform, message):
    with pytest.raises(InputError, match=message):
        spectrogram(waveform, SpectrogramSettings(), fmax=8000.0)


def test_settings_can_be_a_static_argument_and_differ_by_value():
    assert hash(SpectrogramSettings()) == hash(SpectrogramSettings())
    assert dataclasses.replace(SpectrogramSettings(), n_fft=1024) != SpectrogramSettings()
