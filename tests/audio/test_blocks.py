"""Blocks of the paper: 1 s long, 0.99 s apart, remainder dropped."""

import numpy as np
import pytest

from sejax.audio.voice_activity import block_starts, blocks
from sejax.errors import InputError


def test_starts_of_the_papers_blocks_worked_by_hand():
    # 3.5 s at 16 kHz: blocks begin at 0, 0.99 and 1.98 s; one at 2.97 s would end at 3.97 s.
    np.testing.assert_array_equal(block_starts(56000), [0, 15840, 31680])


@pytest.mark.parametrize(("samples", "count"), [(0, 0), (15999, 0), (16000, 1), (31839, 1), (31840, 2)])
def test_a_remainder_shorter_than_a_block_is_dropped(samples, count):
    assert len(block_starts(samples)) == count
    assert blocks(np.zeros(samples, np.int16)).shape == (count, 16000)


def test_consecutive_blocks_share_the_overlap():
    waveform = np.arange(100)
    cut = blocks(waveform, block_length=10, overlap=3)
    np.testing.assert_array_equal(cut[0, -3:], cut[1, :3])
    np.testing.assert_array_equal(cut, [waveform[start : start + 10] for start in range(0, 91, 7)])


def test_blocks_are_a_view_and_cost_no_memory():
    waveform = np.zeros(160000, np.int16)
    assert np.shares_memory(blocks(waveform), waveform)


@pytest.mark.parametrize(("length", "overlap"), [(0, 0), (10, 10), (10, -1)])
def test_impossible_lengths_are_refused(length, overlap):
    with pytest.raises(InputError, match="overlap must be at least 0 and less than the block"):
        block_starts(100, block_length=length, overlap=overlap)
