"""Malformed inputs by name: how to make one, the options, and what the error must say.

Every case is (make, options, culprit, remedy). `make` gets a folder: a whole tree to damage for EMODB and RAVDESS, a
folder to fill for SOURCES and MANIFEST, where it returns the source.
"""

import numpy as np
import soundfile
from trees import header_only, manifest, noise, truncate, write_bytes, write_wav


def float_wav(path, value):
    waveform = noise().astype(np.float32) / 32768
    waveform[17] = value
    write_wav(path, waveform, subtype="FLOAT")


def replace(path, old, new):
    path_text = path.read_text(encoding="latin-1")
    assert old in path_text
    write_bytes(path, path_text.replace(old, new).encode("latin-1"))


def latin_1(folder):
    path = manifest(folder, "a0.wav,anger")
    path.write_bytes("path,label,transcript\na0.wav,anger,schön\n".encode("latin-1"))
    return path


def lfs_pointer(path):
    write_bytes(path, b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")


def shorten(path):
    """The header of a SPHERE file compressed with shorten; it is 1024 bytes long with or without the long name."""
    data = path.read_bytes()
    header = data[:1024].replace(b"sample_coding -s3 pcm", b"sample_coding -s26 pcm,embedded-shorten-v2.00")
    write_bytes(path, header.rstrip(b"\0").ljust(1024, b"\0")[:1024] + data[1024:])


def folder_for_file(path):
    path.unlink()
    path.mkdir()


def cut_flac(folder):
    path = manifest(folder, "cut.flac,anger")
    soundfile.write(folder / "cut.flac", noise(2.0), 16000)
    truncate(folder / "cut.flac")
    return path


def damaged_everywhere(folder):
    float_wav(folder / "wav" / "03a01Fa.wav", np.nan)
    float_wav(folder / "wav" / "16b10Td.wav", np.nan)


def long_wav(folder):
    """Two hours and a second, at a rate so low that the file stays small."""
    path = manifest(folder, "long.wav,x")
    write_wav(folder / "long.wav", np.tile(noise(1.0, rate=2000), 7201), rate=2000)
    return path


def folder(path):
    path.mkdir(parents=True)
    return path


SOURCES = {
    "a file where the folder should be": (lambda d: write_bytes(d / "emodb.zip", b"PK"), {}, "emodb.zip", "folder"),
    "a missing folder": (lambda d: d / "nowhere", {}, "nowhere", "--source"),
    "an empty folder": (lambda d: folder(d / "empty"), {}, "empty", "--source"),
    "a folder without wav files": (lambda d: write_bytes(d / "texts/a.txt", b"x").parent, {}, "texts", "0 wav files"),
}

EMODB = {
    "one of the 535 missing": (lambda d: (d / "wav/03a01Fa.wav").unlink(), {}, "missing 03a01Fa.wav", "534 of 535"),
    "twenty missing": (
        lambda d: [path.unlink() for path in sorted((d / "wav").glob("*.wav"))[:20]],
        {},
        "and 10 more",
        "515 of 535",
    ),
    "a name that is too long": (lambda d: write_wav(d / "wav/03a01Fa2.wav"), {}, "03a01Fa2", "rename"),
    "an unknown speaker": (lambda d: write_wav(d / "wav/99a01Fa.wav"), {}, "'99'", "known: 03, 08"),
    "an unknown sentence": (lambda d: write_wav(d / "wav/03a09Fa.wav"), {}, "'a09'", "known: a01"),
    "an unknown emotion": (lambda d: write_wav(d / "wav/03a01Xa.wav"), {}, "'X'", "known: W"),
    "two files with one id": (
        lambda d: write_bytes(d / "wav/03a01Fa.WAV", (d / "wav/03a01Fa.wav").read_bytes()),
        {},
        "03a01Fa",
        "remove one",
    ),
    "an empty wav": (lambda d: write_bytes(d / "wav/03a01Fa.wav", b""), {}, "03a01Fa.wav", "copy it again"),
    "text in a wav": (lambda d: write_bytes(d / "wav/03a01Fa.wav", b"hello " * 99), {}, "03a01Fa.wav", "convert"),
    "a wrong header": (lambda d: replace(d / "wav/03a01Fa.wav", "WAVEfmt", "WAVExxx"), {}, "03a01Fa.wav", "convert"),
    "a truncated wav": (lambda d: truncate(d / "wav/03a01Fa.wav"), {}, "03a01Fa.wav: truncated", "copy it again"),
    "a wav without samples": (lambda d: header_only(d / "wav/03a01Fa.wav"), {}, "no samples", "copy it again"),
    "a silent wav": (
        lambda d: write_wav(d / "wav/03a01Fa.wav", np.zeros(1600, np.int16)),
        {},
        "03a01Fa.wav: silent",
        "leave it out",
    ),
    "NaN samples": (lambda d: float_wav(d / "wav/03a01Fa.wav", np.nan), {}, "03a01Fa.wav: sample 17", "copy it again"),
    "infinite samples": (lambda d: float_wav(d / "wav/03a01Fa.wav", np.inf), {}, "03a01Fa.wav: sample 17", "copy"),
    "samples in integers' range": (lambda d: float_wav(d / "wav/03a01Fa.wav", 20000), {}, "reach 20000", "scale"),
    "a sampling rate of 40 Hz": (
        lambda d: write_wav(d / "wav/03a01Fa.wav", rate=40),
        {},
        "40 Hz",
        "copy it again",
    ),
    "a Git LFS pointer": (lambda d: lfs_pointer(d / "wav/03a01Fa.wav"), {}, "03a01Fa.wav", "git lfs pull"),
    "a folder with a wav's name": (lambda d: folder_for_file(d / "wav/03a01Fa.wav"), {}, "03a01Fa.wav", "folder"),
    "a link into nowhere": (
        lambda d: (d / "wav/03a01Fa.wav").unlink() or (d / "wav/03a01Fa.wav").symlink_to("gone.wav"),
        {},
        "no such file",
        "check the path",
    ),
    "two bad files, both named": (damaged_everywhere, {}, "16b10Td.wav", "03a01Fa.wav"),
    "another sampling rate": (
        lambda d: write_wav(d / "wav/03a01Fa.wav", noise(rate=22050), rate=22050),
        {},
        "1 of 535 files: not sampled at 16000 Hz as published: 03a01Fa.wav (22050 Hz)",
        "not the original files",
    ),
    "a recording of another length": (
        lambda d: write_wav(d / "wav/03a01Fa.wav", noise(2.0)),
        {},
        "535 recordings: last 55.40 s together instead of 53.50 s as published",
        "not the original files",
    ),
    "a subset of 100": (lambda d: None, {"subset": 100}, "subset=100", "494"),
    "subset without erkennung.txt": (
        lambda d: (d / "erkennung.txt").unlink(),
        {"subset": 494},
        "erkennung.txt is missing",
        "original distribution",
    ),
    "a garbled erkennung.txt": (
        lambda d: replace(d / "erkennung.txt", "40,00", "viel"),
        {"subset": 494},
        "line 2",
        "copy the file again",
    ),
    "erkennung.txt without a file's line": (
        lambda d: replace(d / "erkennung.txt", "\t03a01Fa.wav", "\t03a01Ff.wav"),
        {"subset": 494},
        "no line for 03a01Fa.wav",
        "copy it again",
    ),
    "another corpus's option": (lambda d: None, {"seed": 3}, "'seed'", "options are"),
}

RAVDESS = {
    "ravdess: a missing file": (
        lambda d: (d / "Actor_07/03-01-06-01-02-01-07.wav").unlink(),
        {},
        "Actor_07 has 59",
        "1439 of 1440",
    ),
    "ravdess: a strange name": (lambda d: write_wav(d / "Actor_01/take1.wav"), {}, "'take1'", "rename"),
    "ravdess: an unknown emotion": (
        lambda d: write_wav(d / "Actor_01/03-01-09-01-01-01-01.wav"),
        {},
        "'09'",
        "known: 01",
    ),
    "ravdess: an unknown actor": (lambda d: write_wav(d / "x/03-01-01-01-01-01-25.wav"), {}, "'25'", "01 to 24"),
    "ravdess: an unknown statement": (lambda d: write_wav(d / "x/03-01-01-01-03-01-01.wav"), {}, "'03'", "01, 02"),
    "ravdess: another sampling rate": (
        lambda d: write_wav(d / "Actor_01/03-01-01-01-01-01-01.wav", noise(rate=16000), rate=16000),
        {},
        "1 of 1440 files: not sampled at 48000 Hz",
        "not the original files",
    ),
    "ravdess: a recording of another length": (
        lambda d: write_wav(d / "Actor_01/03-01-01-01-01-01-01.wav", noise(9.9, rate=48000), rate=48000),
        {},
        "instead of",
        "not the original files",
    ),
    "ravdess: copies that differ": (
        lambda d: write_wav(d / "copy/03-01-01-01-01-01-01.wav", noise(0.2)),
        {},
        "differs in size",
        "remove the damaged copy",
    ),
}

RATED = "path,label,valence"
TIMED = "path,label,start,end"
MANIFEST = {
    "no such manifest": (lambda d: d / "none.csv", {}, "none.csv", "--source"),
    "a folder without manifest.csv": (lambda d: d.mkdir() or d, {}, "manifest.csv", "--source"),
    "an empty manifest": (lambda d: write_bytes(d / "m.csv", b""), {}, "m.csv is empty", "header"),
    "a header alone": (lambda d: manifest(d), {}, "no rows", "add a row"),
    "no path column": (lambda d: manifest(d, "a0.wav,anger", header="audio,label"), {}, "no column 'path'", "name the"),
    "a misspelt column": (lambda d: manifest(d, "a0.wav,anger", header="path,lable"), {}, "'lable'", "'label'"),
    "a column twice": (lambda d: manifest(d, "a0.wav,x,y", header="path,label,label"), {}, "'label'", "rename"),
    "latin-1 instead of UTF-8": (latin_1, {}, "line 2: byte 0xf6", "UTF-8"),
    "UTF-16": (lambda d: write_bytes(d / "m.csv", "path,label\n".encode("utf-16")), {}, "byte 0xff", "UTF-8"),
    "a NUL character": (lambda d: manifest(d, "a0.wav,an\0ger"), {}, "line 2", "plain CSV"),
    "an open quote": (lambda d: manifest(d, 'a0.wav,"anger'), {}, "manifest.csv, line", "quotes in pairs"),
    "too many cells": (lambda d: manifest(d, "a0.wav,anger", "a1.wav,anger,yes"), {}, "line 3: 3 cells", "quote"),
    "too few cells": (lambda d: manifest(d, "a0.wav,anger", "a1.wav"), {}, "line 3: 1 cells", "header has 2"),
    "an empty path": (lambda d: manifest(d, ",anger"), {}, "line 2: the path is empty", "name an audio file"),
    "a missing file": (lambda d: manifest(d, "a9.wav,anger"), {}, "a9.wav: no such file", "check the path"),
    "a folder for a file": (lambda d: manifest(d, ".,anger"), {}, "is a folder", "name the file"),
    "a wav of zero samples": (
        lambda d: header_only(d / "z.wav") or manifest(d, "z.wav,anger"),
        {},
        "z.wav: holds no samples",
        "copy it again",
    ),
    "more than two hours in one utterance": (long_wav, {}, "long.wav: 2.00 hours", "start and end columns"),
    "a truncated flac": (cut_flac, {}, "cut.flac", "copy it again"),
    "a label that VAM does not have": (lambda d: manifest(d, "a0.wav,q5"), {"name": "vam"}, "'q5'", "q1, q2, q3, q4"),
    "a label outside the given classes": (
        lambda d: manifest(d, "a0.wav,sad"),
        {"classes": ("anger", "joy")},
        "line 2: unknown label 'sad'",
        "anger, joy",
    ),
    "a label that differs from a class in capitals alone": (
        lambda d: manifest(d, "a0.wav,happy"),
        {"classes": ("Happy", "Sad")},
        "line 2: unknown label 'happy' (Happy differs in capital letters alone)",
        "use one of the classes Happy, Sad",
    ),
    "an id twice": (
        lambda d: manifest(d, "a0.wav,x,1", "a1.wav,x,1", header="path,label,id"),
        {},
        "line 3: id '1'",
        "line 2",
    ),
    "a path twice without ids": (lambda d: manifest(d, "a0.wav,x", "a0.wav,x"), {}, "line 3: id 'a0'", "its own id"),
    "a negative start": (lambda d: manifest(d, "a0.wav,x,-1,1", header=TIMED), {}, "start -1.0 s", "at least 0"),
    "an end before the start": (lambda d: manifest(d, "a0.wav,x,0.05,0.02", header=TIMED), {}, "0.02", "before end"),
    "a start behind the file's end": (
        lambda d: manifest(d, "a0.wav,x,5,", header=TIMED),
        {},
        "lie outside a0.wav (0.100 s)",
        "mend start and end",
    ),
    "an end behind the file's end": (
        lambda d: manifest(d, "a0.wav,x,0,9", header=TIMED),
        {},
        "end 9.0 s",
        "mend start and end",
    ),
    "a start that is no number": (
        lambda d: manifest(d, "a0.wav,x,soon,", header=TIMED),
        {},
        "start is 'soon'",
        "as in 1.25",
    ),
    "a valence that is no number": (lambda d: manifest(d, "a0.wav,x,high", header=RATED), {}, "'high'", "as in 1.25"),
    "an infinite valence": (lambda d: manifest(d, "a0.wav,x,inf", header=RATED), {}, "valence is 'inf'", "as in 1.25"),
    "a decimal comma": (lambda d: manifest(d, 'a0.wav,x,"1,5"', header=RATED), {}, "'1,5'", "as in 1.25"),
    "an unknown sex": (lambda d: manifest(d, "a0.wav,x,w", header="path,label,sex"), {}, "sex is 'w'", "female"),
    "an unknown split": (lambda d: manifest(d, "a0.wav,x,eval", header="path,label,split"), {}, "'eval'", "valid"),
    "an unknown part of a fold": (
        lambda d: manifest(d, "a0.wav,x,fold 1=test", header="path,label,split"),
        {},
        "split is 'fold 1=test'",
        "as in fold_1=test;fold_2=train",
    ),
    "a duration that is none": (
        lambda d: manifest(d, "a0.wav,x,0 days 00:61:00", header="file,emotion,start"),
        {},
        "start is '0 days 00:61:00'",
        "as in 1.25",
    ),
    "an unknown letter of MSP-Podcast": (
        lambda d: manifest(d, "a0.wav,Z", header="FileName,EmoClass"),
        {},
        "line 2: EmoClass is 'Z'",
        "one of the letters A, S, H",
    ),
    "a path under two names": (
        lambda d: manifest(d, "a0.wav,a0.wav", header="file,filename"),
        {},
        "'path' occurs twice",
        "rename",
    ),
    "a label's other name without a colon": (
        lambda d: manifest(d, "a0.wav,x"),
        {"labels": ("x=joy",)},
        "--labels=x=joy",
        "as in happiness:joy",
    ),
    "another name for a label that nobody has": (
        lambda d: manifest(d, "a0.wav,x"),
        {"labels": ("y:joy",)},
        "no row is labelled y",
        "other labels are x",
    ),
    "a folder of audio that is not there": (
        lambda d: manifest(d, "a0.wav,x"),
        {"audio": "/nowhere/audio"},
        "/nowhere/audio",
        "as --audio",
    ),
    "a speaker of two sexes": (
        lambda d: manifest(d, "a0.wav,x,s,m", "a1.wav,x,s,f", header="path,label,speaker,sex"),
        {},
        "line 3: speaker 's'",
        "one sex",
    ),
    "a name with spaces": (lambda d: manifest(d, "a0.wav,x"), {"name": "My Corpus"}, "'My Corpus'", "small letters"),
    "faint noise that is not voiced": (
        lambda d: write_wav(d / "n.wav", noise(3.0) // 1500) and manifest(d, "n.wav,x"),
        {},
        "no block of 1.0 s",
        "--voice_activity=none",
    ),
    "nothing as long as a block": (
        lambda d: manifest(d, "a0.wav,x"),
        {"settings": {"voice_activity": None}},
        "0.10 s, in a0",
        "--block_length",
    ),
    "an unknown scale": (lambda d: manifest(d, "a0.wav,x"), {"settings": {"scale": "bark"}}, "'bark'", "log, mel"),
    "a detector mode of 7": (lambda d: manifest(d, "a0.wav,x"), {"settings": {"voice_activity": 7}}, "7", "none"),
    "a frequency above 8 kHz": (lambda d: manifest(d, "a0.wav,x"), {"settings": {"fmax": (9000,)}}, "9000", "8000"),
    "no frequency at all": (lambda d: manifest(d, "a0.wav,x"), {"settings": {"fmax": ()}}, "fmax=()", "8000"),
    "an overlap of a whole block": (
        lambda d: manifest(d, "a0.wav,x"),
        {"settings": {"block_overlap": 1.0}},
        "block_overlap=1.0",
        "less than the block",
    ),
    "a block of no length": (lambda d: manifest(d, "a0.wav,x"), {"settings": {"block_length": 0}}, "=0 s", "60 s"),
}
