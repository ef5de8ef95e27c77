"""Malformed copies of the corpora in `corpus_trees`, by corpus and name: what is done to the tree, options, the error.

Every case is (make, options, culprit, remedy) as in `malformed_cases`.
"""

import numpy as np
import soundfile
from corpus_trees import write_text
from malformed_ami import AMI
from malformed_cases import header_only, lfs_pointer, replace, shorten, truncate
from malformed_paper import ENTERFACE, SMARTKOM, SUSAS, VAM
from trees import noise, write_bytes, write_wav

EVALUATION = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
SPOKEN = "Session1/dialog/transcriptions/Ses01F_impro01.txt"
TIMES = "Session1/sentences/ForcedAlignment/Ses01F_impro01/Ses01F_impro01_F000.wdseg"
TURN = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M002.wav"
LABELS = "Evalution.txt"
HAPPY = "session2/S08H/T/MSP-IMPROV-S08H-M02-T-MF12.wav"
STM = "train/stm/AaronHuey_2010X.stm"
SPH = "train/sph/AaronHuey_2010X.sph"
TRANS = "dev-clean/84/121123/84-121123.trans.txt"
FLAC = "dev-clean/84/121123/84-121123-0000.flac"


def utf_16(path):
    write_bytes(path, path.read_text(encoding="latin-1").encode("utf-16"))


def silence(path):
    write_wav(path, np.zeros(soundfile.info(path).frames, np.int16))


def cut(path):
    """Half of a recording, in a file that is whole."""
    samples, rate = soundfile.read(path, dtype="int16")
    write_wav(path, samples[: len(samples) // 2], rate=rate)


def resample(folder):
    """Every wav below a folder at another rate, of the same length: what altered copies of corpora hold."""
    for path in folder.rglob("*.wav"):
        write_wav(path, noise(soundfile.info(path).duration, rate=22050), rate=22050)


def append(path, line):
    write_bytes(path, path.read_bytes() + line.encode("utf-8"))


IEMOCAP = {
    "a session is missing": (lambda d: (d / "Session3").rename(d / "x"), {}, "missing Session3", "full release"),
    "no label files": (
        lambda d: (d / "Session2/dialog/EmoEvaluation").rename(d / "x"),
        {},
        "EmoEvaluation: holds no label file",
        "full release",
    ),
    "a turn's line is cut": (
        lambda d: replace(d / EVALUATION, "[2.5000, 1.0000, 2.5000]", "[2.5000, 1.0"),
        {},
        "Ses01F_impro01.txt, line 3",
        "three means",
    ),
    "a mean that is no number": (
        lambda d: replace(d / EVALUATION, "[2.5000, ", "[2.5.0, "),
        {},
        "Ses01F_impro01.txt, line 3",
        "copy it again",
    ),
    "an unknown emotion": (lambda d: replace(d / EVALUATION, "\tneu\t", "\tbor\t"), {}, "'bor'", "known: ang, dis"),
    "a rating that is no number": (
        lambda d: replace(d / EVALUATION, "val 3;", "val many;"),
        {},
        "Ses01F_impro01.txt, line 8: 'A-E3",
        "a number each",
    ),
    "labels in UTF-16": (lambda d: utf_16(d / EVALUATION), {}, "Ses01F_impro01.txt, line 1: holds a NUL", "UTF-8"),
    "a turn is listed twice": (
        lambda d: write_bytes(d / "Session1/dialog/EmoEvaluation/copy.txt", (d / EVALUATION).read_bytes()),
        {},
        "Ses01F_impro01_F000 is listed twice",
        "unpack",
    ),
    "another turn's label": (
        lambda d: replace(d / EVALUATION, "\tang\t", "\tneu\t"),
        {},
        "0 of 1 ang, 3 of 2 neu",
        "unpack the full release again",
    ),
    "a missing wav": (lambda d: (d / TURN).unlink(), {}, "Ses01F_impro01_M002.wav: no such file", "check the path"),
    "a truncated wav": (lambda d: truncate(d / TURN), {}, "Ses01F_impro01_M002.wav: truncated", "copy it again"),
    "a silent wav": (lambda d: silence(d / TURN), {}, "Ses01F_impro01_M002.wav: silent", "leave it out"),
    "a missing transcription": (lambda d: (d / SPOKEN).unlink(), {}, "Ses01F_impro01.txt: no such file", "unpack"),
    "a broken alignment": (
        lambda d: replace(d / TIMES, "\t   25", "\t twenty"),
        {},
        "Ses01F_impro01_F000.wdseg, line 3",
        "two frames, a score and a word",
    ),
    "an unknown option": (lambda d: None, {"part": "train"}, "'part'", "options are"),
    "a time that is no number": (
        lambda d: replace(d / EVALUATION, "[6.2901 - ", "[6.29.01 - "),
        {},
        "Ses01F_impro01.txt, line 3",
        "a time that is no number",
    ),
    "an unknown rule of word times": (lambda d: None, {"word_times": "centre"}, "word_times=centre", "note, frame"),
    "turns shorter than their lines say": (
        lambda d: cut(d / TURN),
        {},
        "12 recordings: last 8.80 s together instead of 9.40 s",
        "not the original files",
    ),
    "another sampling rate": (
        resample,
        {},
        "12 of 12 files: not sampled at 16000 Hz as published: Ses01F_impro01_F000.wav (22050 Hz)",
        "not the original files",
    ),
}
MSP_IMPROV = {
    "no label file": (lambda d: (d / LABELS).unlink(), {}, "Evalution.txt or Evaluation.txt", "put the distribution's"),
    "a label file in UTF-16": (lambda d: utf_16(d / LABELS), {}, "line 1: holds a NUL byte", "UTF-8"),
    "an unknown emotion": (lambda d: replace(d / LABELS, "; H; A:", "; Q; A:"), {}, "unknown emotion 'Q'", "known: A"),
    "a rating that is no number": (
        lambda d: replace(d / LABELS, "V:4.5;", "V:high;"),
        {},
        "Evalution.txt, line 6",
        "copy it again",
    ),
    "a line that belongs to no turn": (
        lambda d: append(d / LABELS, "\n\nID9-p1; Neutral; A:3;\n"),
        {},
        "'ID9-p1; Neutral; A:3;' is no turn",
        "copy it again",
    ),
    "a turn is listed twice": (
        lambda d: append(d / LABELS, "\nUTD-IMPROV-S08H-M02-T-MF12.avi; H; A:3.5; V:4.5; D:2.0;\n"),
        {},
        "MSP-IMPROV-S08H-M02-T-MF12 is listed twice",
        "copy it again",
    ),
    "a missing wav": (lambda d: (d / HAPPY).unlink(), {}, "5 of 6 wav files", "unpack the whole"),
    "a wav without a label": (
        lambda d: write_wav(d / "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM09.wav"),
        {},
        "no label for MSP-IMPROV-S01A-F01-P-FM09",
        "copy it again",
    ),
    "a strange name": (lambda d: write_wav(d / "session1/take1.wav"), {}, "'take1' is no turn", "rename"),
    "a wav twice": (
        lambda d: write_wav(d / "copy" / HAPPY.rpartition("/")[2]),
        {},
        "MSP-IMPROV-S08H-M02-T-MF12.wav: has the same name",
        "remove one",
    ),
    "an empty wav": (lambda d: write_bytes(d / HAPPY, b""), {}, "MF12.wav: empty", "copy it again"),
}
TEDLIUM = {
    "an unknown part": (lambda d: None, {"part": "eval"}, "part=eval", "train, dev, test"),
    "a part that is not there": (lambda d: None, {"part": "test"}, "no folder test/stm", "--source"),
    "a line without words": (lambda d: append(d / STM, "AaronHuey_2010X 1\n"), {}, "X.stm, line 4", "unpack the part"),
    "another sampling rate": (
        lambda d: (d / SPH).unlink() or soundfile.write(d / SPH, noise(3.0, rate=8000), 8000, format="NIST"),
        {},
        "1 of 2 files: not sampled at 16000 Hz as published: AaronHuey_2010X.sph (8000 Hz)",
        "not the original files",
    ),
    "a start that is no number": (
        lambda d: replace(d / STM, "2.00 2.90", "1.2.3 2.90"),
        {},
        "AaronHuey_2010X.stm, line 3: '1.2.3' is no time in seconds",
        "unpack the part",
    ),
    "a segment twice": (
        lambda d: append(d / STM, "AaronHuey_2010X 1 AaronHuey_2010X 2.00 2.90 <o,f0,male> thank you\n"),
        {},
        "from 2.0 s to 2.9 s is listed twice",
        "unpack the part",
    ),
    "a segment outside its talk": (
        lambda d: replace(d / STM, "2.00 2.90", "2.00 9.90"),
        {},
        "2.0 s to 9.9 s lie outside the talk (3.00 s)",
        "unpack the part",
    ),
    "a transcript in latin-1": (
        lambda d: write_text(d / STM, "AaronHuey_2010X 1 x 0 1 <NA> café\n", encoding="latin-1"),
        {},
        "AaronHuey_2010X.stm, line 1: byte 0xe9",
        "UTF-8",
    ),
    "a missing recording": (lambda d: (d / SPH).unlink(), {}, "missing AaronHuey_2010X.sph", "unpack the part"),
    "a missing transcript": (lambda d: (d / STM).unlink(), {}, "missing AaronHuey_2010X.stm", "unpack the part"),
    "a recording compressed with shorten": (
        lambda d: shorten(d / SPH),
        {},
        "AaronHuey_2010X.sph: a SPHERE",
        "sph2pipe",
    ),
    "a truncated recording": (lambda d: truncate(d / SPH), {}, "AaronHuey_2010X.sph: truncated", "copy it again"),
    "text for a recording": (lambda d: write_bytes(d / SPH, b"hello " * 999), {}, "AaronHuey_2010X.sph", "convert"),
}
LIBRISPEECH = {
    "an unknown part": (lambda d: None, {"part": "train-100"}, "part=train-100", "train-clean-100"),
    "a part that is not there": (lambda d: None, {"part": "dev-other"}, "no folder dev-other", "--source"),
    "a chapter without its transcript": (lambda d: (d / TRANS).unlink(), {}, "84-121123.trans.txt: no such", "unpack"),
    "a transcript in UTF-16": (lambda d: utf_16(d / TRANS), {}, "84-121123.trans.txt, line 1: holds a NUL", "UTF-8"),
    "a recording without its line": (
        lambda d: replace(d / TRANS, "84-121123-0000 GO DO YOU HEAR\n", ""),
        {},
        "no line for 84-121123-0000",
        "unpack the part",
    ),
    "a missing recording": (lambda d: (d / FLAC).unlink(), {}, "missing 84-121123-0000.flac", "unpack the part"),
    "fewer recordings than the part has": (
        lambda d: (d / "dev-clean/84/121550").rename(d / "x"),
        {},
        "2 of 3 utterances",
        "unpack the part",
    ),
    "a truncated recording": (lambda d: truncate(d / FLAC), {}, "84-121123-0000.flac", "copy it again"),
    "another sampling rate": (
        lambda d: (d / FLAC).unlink() or soundfile.write(d / FLAC, noise(0.2, rate=8000), 8000),
        {},
        "1 of 4 files: not sampled at 16000 Hz as published: 84-121123-0000.flac (8000 Hz)",
        "not the original files",
    ),
}
NEMO = {
    "no data.tsv": (lambda d: (d / "data.tsv").unlink(), {}, "data.tsv", "--source"),
    "a column is missing": (lambda d: replace(d / "data.tsv", "speaker_id", "who"), {}, "no column speaker_id", "copy"),
    "a cell is missing": (lambda d: replace(d / "data.tsv", "\tmale", ""), {}, "line 2: 6 cells", "copy it again"),
    "an unknown emotion": (
        lambda d: replace(d / "data.tsv", "\tsurprised\t", "\tbored\t"),
        {},
        "'bored'",
        "known: anger",
    ),
    "an unknown gender": (lambda d: replace(d / "data.tsv", "\tmale", "\tm"), {}, "'m'", "known: female, male"),
    "another speaker in the row than in the name": (
        lambda d: replace(d / "data.tsv", "        WR0", "        EB0"),
        {},
        "WR0_surprised_64.wav is not speaker 'EB0'",
        "copy it again",
    ),
    "a row twice": (
        lambda d: append(d / "data.tsv", (d / "data.tsv").read_text(encoding="utf-8").splitlines()[-1] + "\n"),
        {},
        "line 5: KS0_anger_38.wav is listed twice",
        "copy it again",
    ),
    "data.tsv in latin-2": (
        lambda d: write_bytes(
            d / "data.tsv", (d / "data.tsv").read_text().replace("„", "").replace("”", "").encode("latin2")
        ),
        {},
        "data.tsv, line 2: byte 0xbc is not UTF-8",
        "save it as UTF-8",
    ),
    "a missing wav": (
        lambda d: (d / "samples/KS0_anger_38.wav").unlink(),
        {},
        "missing KS0_anger_38.wav",
        "get the whole",
    ),
    "a Git LFS pointer": (
        lambda d: lfs_pointer(d / "samples/KS0_anger_38.wav"),
        {},
        "KS0_anger_38.wav",
        "git lfs pull",
    ),
    "another sampling rate": (resample, {}, "3 of 3 files: not sampled at 24000 Hz", "not the original files"),
    "a recording of another length": (
        lambda d: cut(d / "samples/KS0_anger_38.wav"),
        {},
        "3 recordings: last 0.25 s together instead of 0.30 s as published",
        "not the original files",
    ),
}
SAVEE = {
    "a missing file": (lambda d: (d / "AudioData/DC/sa01.wav").unlink(), {}, "missing DC_sa01", "479 of 480"),
    "an unknown emotion": (lambda d: write_wav(d / "AudioData/DC/b01.wav"), {}, "'b01' is no recording", "DC_a01.wav"),
    "an unknown speaker": (lambda d: write_wav(d / "AudioData/XY/a01.wav"), {}, "'XY_a01' is no", "DC_a01.wav"),
    "a sentence too many": (lambda d: write_wav(d / "AudioData/DC/a16.wav"), {}, "'DC_a16' is no", "DC_a01.wav"),
    "both layouts at once": (lambda d: write_wav(d / "DC_a01.wav"), {}, "same id DC_a01", "remove one"),
    "a wav without samples": (
        lambda d: header_only(d / "AudioData/DC/a01.wav"),
        {},
        "a01.wav: holds no",
        "copy it again",
    ),
    "another sampling rate": (
        lambda d: write_wav(d / "AudioData/DC/a01.wav", noise(0.1, rate=16000)),
        {},
        "1 of 480 files: not sampled at 44100 Hz as published: a01.wav (16000 Hz)",
        "not the original files",
    ),
    "a recording of another length": (
        lambda d: write_wav(d / "AudioData/DC/a01.wav", noise(2.0, rate=44100), rate=44100),
        {},
        "480 recordings: last 49.90 s together instead of 48.00 s",
        "not the original files",
    ),
}
CREMA_D = {
    "a missing file": (
        lambda d: (d / "AudioWAV/1001_DFA_ANG_XX.wav").unlink(),
        {},
        "4 of 5 files, 0 of 1 ANG",
        "Git LFS",
    ),
    "two files with one id": (
        lambda d: write_wav(d / "AudioWAV/1001_DFA_ANG_XX.WAV"),
        {},
        "has the same id 1001_DFA_ANG_XX as",
        "remove one of the two",
    ),
    "an unknown actor": (lambda d: write_wav(d / "AudioWAV/1092_DFA_ANG_XX.wav"), {}, "'1092'", "1001 to 1091"),
    "an unknown sentence": (lambda d: write_wav(d / "AudioWAV/1001_ABC_ANG_XX.wav"), {}, "'ABC'", "known: IEO"),
    "an unknown emotion": (lambda d: write_wav(d / "AudioWAV/1001_DFA_SUR_XX.wav"), {}, "'SUR'", "known: ANG"),
    "an unknown level": (lambda d: write_wav(d / "AudioWAV/1001_DFA_ANG_YY.wav"), {}, "'YY'", "known: LO"),
    "a strange name": (lambda d: write_wav(d / "AudioWAV/take1.wav"), {}, "'take1' is not four parts", "rename"),
    "a Git LFS pointer": (
        lambda d: lfs_pointer(d / "AudioWAV/1001_DFA_ANG_XX.wav"),
        {},
        "1001_DFA_ANG_XX.wav: Git LFS pointers",
        "git lfs pull",
    ),
    "another sampling rate": (resample, {}, "4 of 4 files: not sampled at 16000 Hz", "not the original files"),
    "a recording of another length": (
        lambda d: cut(d / "AudioWAV/1001_DFA_ANG_XX.wav"),
        {},
        "4 recordings: last 0.35 s together instead of 0.40 s as published",
        "not the original files",
    ),
    "another silent file": (
        lambda d: silence(d / "AudioWAV/1001_DFA_ANG_XX.wav"),
        {},
        "XX.wav: silent",
        "leave it out",
    ),
    "a broken row of demographics": (
        lambda d: replace(d / "VideoDemographics.csv", '"Male"', '"x"'),
        {},
        "VideoDemographics.csv, line 2",
        "actor, age, sex",
    ),
}
ORIGINALS = {
    **{"ami": AMI, "iemocap": IEMOCAP, "msp_improv": MSP_IMPROV, "tedlium": TEDLIUM, "librispeech": LIBRISPEECH},
    **{"nemo": NEMO, "savee": SAVEE, "crema_d": CREMA_D},
    **{"enterface": ENTERFACE, "susas": SUSAS, "vam": VAM, "smartkom": SMARTKOM},
}
