"""Sizes in headers: truncated files are named, and placeholders of programs that write to a pipe stand for the end."""

import struct

import numpy as np
import pytest
import soundfile
from trees import noise

from sejax.corpora.waveform import BadRecording, inspect, read

SAMPLES = noise(1.0)
# (format, subtype, byte order): where the size of the samples stands, its form, and what it counts beside the samples.
FORMS = {
    ("WAV", "PCM_16", "LITTLE"): (b"data", 4, "<I", 0),
    ("WAV", "PCM_16", "BIG"): (b"data", 4, ">I", 0),
    ("WAVEX", "PCM_16", "FILE"): (b"data", 4, "<I", 0),
    ("RF64", "PCM_16", "FILE"): (b"ds64", 16, "<Q", 0),
    ("AIFF", "PCM_16", "FILE"): (b"SSND", 4, ">I", 8),
    ("AIFF", "PCM_16", "LITTLE"): (b"SSND", 4, ">I", 8),
    ("W64", "PCM_16", "FILE"): (b"data\xf3", 16, "<Q", 24),
    ("AU", "PCM_16", "BIG"): (b".snd", 8, ">I", 0),
    ("AU", "PCM_16", "LITTLE"): (b"dns.", 8, "<I", 0),
    ("CAF", "PCM_16", "FILE"): (b"data", 4, ">Q", 4),
}
PLACEHOLDERS = {
    "I": (0, 0x7F000008, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFDB, 0xFFFFFFFF),
    "Q": (0, 2**63 - 1, 2**64 - 1),
}


def write(path, form):
    kind, subtype, endian = form
    soundfile.write(path, SAMPLES, 16000, format=kind, subtype=subtype, endian=endian)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("form", FORMS)
def test_a_truncated_file_is_named_with_what_is_missing(tmp_path, form):
    path = tmp_path / "a"
    data = write(path, form)
    np.testing.assert_array_equal(read(path), SAMPLES)
    path.write_bytes(data[:-1000])
    with pytest.raises(BadRecording, match="truncated: its header promises 32000 bytes of samples and 31000 are there"):
        inspect(path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_file_that_was_cut_is_named(tmp_path, subtype):
    path = tmp_path / "a"
    soundfile.write(path, noise(9.0), 16000, format="OGG", subtype=subtype)
    data, last = path.read_bytes(), path.read_bytes().rindex(b"OggS")
    for length in (len(data) - 1, last + 100, last + 27, last + 5, len(data) // 2):
        path.write_bytes(data[:length])
        with pytest.raises(BadRecording, match=r"truncated: its last page promises \d+ bytes of samples and \d+ are"):
            inspect(path)
    for whole in (data[:last], data + b"TAG" * 40, data + bytes(70000)):  # stopped at a page's end; with tags behind it
        path.write_bytes(whole)
        assert 6.0 < inspect(path).seconds <= 9.0


@pytest.mark.parametrize("form", FORMS)
def test_a_placeholder_for_the_size_stands_for_all_that_is_there(tmp_path, form):
    path = tmp_path / "a"
    data = write(path, form)
    name, offset, number, counted = FORMS[form]
    place = data.index(name) + offset
    assert struct.unpack_from(number, data, place) == (32000 + counted,)
    for size in (*PLACEHOLDERS[number[1]], counted):
        struct.pack_into(number, data, place, size)
        path.write_bytes(data)
        assert inspect(path).frames == 16000, hex(size)
        np.testing.assert_array_equal(read(path), SAMPLES)


@pytest.mark.parametrize("riff", [0, 36, 0x7FFFF024, 0xFFFFFFFF])
def test_whatever_size_stands_in_front_of_an_unknown_one_is_passed_over(tmp_path, riff):
    path = tmp_path / "a"
    data = write(path, ("WAV", "PCM_16", "LITTLE"))
    for size in PLACEHOLDERS["I"]:
        struct.pack_into("<I", data, 4, riff)
        struct.pack_into("<I", data, 40, size)
        path.write_bytes(data)
        np.testing.assert_array_equal(read(path), SAMPLES)


def test_an_empty_chunk_of_samples_before_other_chunks_holds_none(tmp_path):
    path = tmp_path / "a"
    data = write(path, ("WAV", "PCM_16", "LITTLE"))[:40]
    path.write_bytes(data + struct.pack("<I", 0) + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(BadRecording, match="holds no samples"):
        inspect(path)


def test_a_header_that_promises_two_gibibytes_less_a_little_is_believed_where_all_are_there(tmp_path):
    path = tmp_path / "a"
    data = write(path, ("WAV", "PCM_16", "LITTLE"))[:44]
    for size, frames in ((0x7FFFF000, 0x3FFFF800), (0x7F000000 - 0x20000, 0x3F7F0000)):
        struct.pack_into("<I", data, 40, size)
        with open(path, "wb") as file:  # with a hole, which takes no room on the disk
            file.write(data)
            file.truncate(44 + size)
        assert inspect(path).frames == frames
        with open(path, "r+b") as file:
            file.truncate(44 + size - 2)
        if frames == 0x3F7F0000:
            with pytest.raises(BadRecording, match=f"promises {size} bytes of samples and {size - 2} are there"):
                inspect(path)
