"""Decoding: exact where nothing has to change, faithful where rate or channels do."""

import numpy as np
import pytest
import soundfile
from trees import noise, write_wav

from sejax.audio.samples import to_int16
from sejax.corpora import waveform as module
from sejax.corpora.waveform import BadRecording, decode, inspect, read


def tone(frequency, rate, seconds=2.0, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def amplitude_at(waveform, frequency):
    """Amplitude of one frequency by correlation, away from the ends."""
    inner = waveform[1600:-1600] / 32768
    phase = 2j * np.pi * frequency * np.arange(len(inner)) / 16000
    return 2 * abs(np.mean(inner * np.exp(-phase)))


def test_sixteen_bit_files_at_16_khz_come_out_bit_for_bit(tmp_path):
    samples = noise(1.0)
    path = write_wav(tmp_path / "a.wav", samples)
    np.testing.assert_array_equal(read(path), samples)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_a_tone_keeps_frequency_amplitude_and_length_from_any_format_and_rate(tmp_path, suffix, rate):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(1000, rate), rate)
    waveform = read(path)
    assert waveform.dtype == np.int16
    assert len(waveform) == pytest.approx(32000, abs=2000 if suffix == "mp3" else 2)
    assert amplitude_at(waveform, 1000) == pytest.approx(0.5, abs=0.02 if suffix in ("ogg", "mp3") else 0.002)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_digital_silence_stays_silent_at_another_rate(tmp_path, rate):
    soundfile.write(tmp_path / "silent.wav", np.zeros(rate, np.int16), rate)
    assert not read(tmp_path / "silent.wav", silence=True).any()


def test_what_lies_above_the_new_nyquist_frequency_is_removed(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone(1000, 48000) + tone(11000, 48000, amplitude=0.4), rate=48000)
    waveform = read(path)
    assert amplitude_at(waveform, 1000) == pytest.approx(0.5, abs=0.002)
    assert amplitude_at(waveform, 5000) < 1e-3  # where 11 kHz would alias to


def test_channels_are_averaged(tmp_path):
    left, right = noise(1.0, seed=1) // 2 * 2, noise(1.0, seed=2) // 2 * 2
    path = write_wav(tmp_path / "stereo.wav", np.stack([left, right], axis=1))
    expected = (left.astype(np.int64) + right) // 2
    np.testing.assert_array_equal(read(path), expected)


def test_start_and_end_select_samples(tmp_path):
    samples = noise(2.0)
    path = write_wav(tmp_path / "a.wav", samples)
    np.testing.assert_array_equal(read(path, start=0.25, end=1.5), samples[4000:24000])
    np.testing.assert_array_equal(read(path, start=1.5), samples[24000:])


@pytest.mark.parametrize("rate", [16000, 44100])
def test_reading_in_pieces_changes_nothing(tmp_path, monkeypatch, rate):
    samples = np.stack([noise(7.3, seed=seed, rate=rate) for seed in (1, 2)], axis=1)
    path = write_wav(tmp_path / "a.wav", samples, rate=rate)
    whole = read(path)
    monkeypatch.setattr(module, "_PIECE", 1)
    pieces = read(path)
    assert len(pieces) == len(whole)
    assert np.abs(pieces.astype(int) - whole).max() <= 1


def test_twenty_four_bit_and_float_files_are_rounded_to_the_nearest_step(tmp_path):
    values = np.random.default_rng(0).uniform(-0.9, 0.9, 1600)
    for subtype in ("PCM_24", "FLOAT"):
        path = write_wav(tmp_path / "a.wav", values, subtype=subtype)
        assert np.abs(read(path) / 32768 - values).max() <= 0.51 / 32768


def test_full_scale_is_clipped_and_does_not_wrap_around():
    np.testing.assert_array_equal(to_int16(np.array([1.0, 1.2, -1.0, -1.2, 0.0])), [32767, 32767, -32768, -32768, 0])


def test_inspect_reports_the_header(tmp_path):
    path = write_wav(tmp_path / "a.wav", np.stack([noise(0.5, rate=44100)] * 2, axis=1), rate=44100)
    header = inspect(path)
    assert (header.frames, header.rate, header.channels) == (22050, 44100, 2)
    assert header.seconds == 0.5


def test_a_wav_with_chunks_before_its_samples_is_checked_for_truncation(tmp_path):
    data = write_wav(tmp_path / "a.wav", noise(1.0)).read_bytes()
    junk = b"JUNK" + (9000).to_bytes(4, "little") + bytes(9000)
    longer = data[:12] + junk + data[12:]
    path = tmp_path / "b.wav"
    path.write_bytes(longer)
    assert inspect(path).frames == 16000
    path.write_bytes(longer[:-1000])
    with pytest.raises(BadRecording, match="promises 32000 bytes of samples and 31000 are there"):
        inspect(path)


LOSSY = {"vorbis": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III")}


def voice(seconds=3.0, rate=16000):
    """A buzz that rises and swells, in noise: every part of it is different."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = np.sign(np.sin(2 * np.pi * (120 + 30 * time) * time)) * np.sin(2 * np.pi * 1.3 * time)
    return 0.6 * buzz + 0.05 * np.random.default_rng(0).normal(size=len(time))


@pytest.mark.parametrize("codec", LOSSY)
def test_a_part_of_a_compressed_file_is_that_part_of_the_whole(tmp_path, codec, monkeypatch):
    path = tmp_path / "a"
    soundfile.write(path, voice(), 16000, format=LOSSY[codec][0], subtype=LOSSY[codec][1])
    whole = read(path)
    for start in np.arange(0.0, 2.5, 0.13).round(2):
        first = round(start * 16000)
        np.testing.assert_array_equal(read(path, start=start, end=start + 0.2), whole[first : first + 3200])
    monkeypatch.setattr(module, "_PIECE", 1)
    np.testing.assert_allclose(read(path, start=1.3), whole[20800:], atol=1)  # rounding in MP3 follows the pieces


@pytest.mark.parametrize("codec", ["vorbis", "mp3"])
def test_what_decodes_beyond_full_scale_is_clipped_and_the_share_is_told(tmp_path, codec):
    path = tmp_path / "a"
    soundfile.write(path, voice(), 16000, format=LOSSY[codec][0], subtype=LOSSY[codec][1])
    quiet = decode(path)
    soundfile.write(path, 3.0 * voice(), 16000, format=LOSSY[codec][0], subtype=LOSSY[codec][1])
    values, _ = soundfile.read(path, dtype="float32")
    if codec == "vorbis":  # MP3's encoder limits what it gets
        assert np.abs(values).max() > 2.0
    found = decode(path)
    # soundfile.read seeks to 0 first, after which MP3 is rounded in another way.
    np.testing.assert_allclose(found.waveform, np.clip(np.rint(values * 32768.0), -32768, 32767), atol=1)
    assert quiet.clipped == 0.0 and found.clipped == pytest.approx(np.mean(np.abs(values) > 1.0), rel=1e-3)
    assert found.clipped > 0.01


def test_floating_point_samples_a_little_beyond_full_scale_are_clipped_and_told(tmp_path):
    values = np.array([0.5, 1.25, -1.5, -0.25] * 400)
    found = decode(write_wav(tmp_path / "a.wav", values, subtype="FLOAT"))
    assert found.waveform[:4].tolist() == [16384, 32767, -32768, -8192]
    assert found.clipped == 0.5


def test_channels_in_opposite_phase_are_named_as_such(tmp_path):
    left, faint = noise(1.0).astype(np.float64) / 32768, noise(1.0, seed=1) / 32768
    for right in (-left, -left + 0.01 * faint):
        path = write_wav(tmp_path / "a.wav", np.stack([left, right], axis=1))
        with pytest.raises(BadRecording, match=r"a.wav: its 2 channels cancel each other \(opposite phase\): 0\.\d"):
            read(path, silence=True)
    with pytest.raises(BadRecording, match="silent: each of its 16000 samples is 0"):
        read(write_wav(tmp_path / "a.wav", np.zeros((16000, 2))))
    for right in (0 * left, faint, -left + 0.3 * faint):
        assert read(write_wav(tmp_path / "a.wav", np.stack([left, right], axis=1))).any()


@pytest.mark.parametrize("form", [("WAV", "GSM610"), ("AIFF", "GSM610"), ("AU", "G721_32"), ("WAV", "NMS_ADPCM_32")])
def test_formats_in_which_libsndfile_cannot_seek_are_decoded(tmp_path, form):
    path = tmp_path / "a"
    soundfile.write(path, tone(300, 8000), 8000, format=form[0], subtype=form[1])
    values, _ = soundfile.read(path)
    waveform = read(path)
    assert len(waveform) == 2 * len(values)
    assert amplitude_at(waveform[:32000], 300) == pytest.approx(0.5, abs=0.05)
    assert amplitude_at(read(path, start=0.5, end=1.5), 300) == pytest.approx(0.5, abs=0.05)


def test_samples_without_a_header_are_refused(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(noise().tobytes())
    with pytest.raises(BadRecording, match=r"a\.raw: not audio that can be read \(no header\)"):
        read(path)


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(BadRecording, match="cannot be opened"):
        read(tmp_path / ("a" * 300))
