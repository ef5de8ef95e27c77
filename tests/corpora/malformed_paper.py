"""Malformed copies of the paper's corpora and malformed layouts: what is done to the tree, options, the error.

Every case is (make, options, culprit, remedy) as in `malformed_cases`.
"""

import numpy as np
import soundfile
from malformed_cases import lfs_pointer, replace, shorten, truncate
from paper_trees import avi_bytes
from trees import noise, write_bytes, write_text, write_wav

SENTENCE = "subject 12/fear/sentence 2"
VIDEO = f"{SENTENCE}/s12_fe_2.avi"
WORD = "speech/actual/roller/m4/hist/oh1.sph"
SATZ = "data/Sprecher01/Satz01001"
PARTITUR = "SK-Public/w001_pk/w001_pk_ABC.par"
SESSION = "SK-Public/w001_pk/w001_pkd.wav"


def word(folder, name, rate=8000):
    path = folder / "speech/actual/roller" / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(rate=rate), rate, format="NIST", subtype="PCM_16")


ENTERFACE = {
    "a missing sentence": (lambda d: (d / VIDEO).unlink(), {}, "176 of 177 sentences", "missing s12_fe_2"),
    "a file in another folder": (
        lambda d: write_wav(d / "subject 12/fear/s12_fe_2.wav", rate=48000),
        {},
        "s12_fe_2.wav: lies in other folders than subject, emotion and sentence",
        "put it there",
    ),
    "another subject": (
        lambda d: write_wav(d / "subject 50/fear/sentence 2/s50_fe_2.wav", rate=48000),
        {},
        "s50_fe_2 is no recording of the database",
        "put it there",
    ),
    "a sixth sentence": (
        lambda d: write_wav(d / "subject 12/fear/sentence 6/s12_fe_6.wav", rate=48000),
        {},
        "s12_fe_6 is no recording",
        "put it there",
    ),
    "two files of one sentence": (
        lambda d: write_bytes(d / SENTENCE / "copy.avi", (d / VIDEO).read_bytes()),
        {},
        "has the same id s12_fe_2",
        "remove one of the two",
    ),
    "a truncated video": (lambda d: truncate(d / VIDEO), {}, "s12_fe_2.avi: truncated", "copy it again"),
    "a video cut in its header": (
        lambda d: write_bytes(d / VIDEO, (d / VIDEO).read_bytes()[:20]),
        {},
        "s12_fe_2.avi: truncated: its header promises",
        "copy it again",
    ),
    "a video without sound": (
        lambda d: write_bytes(d / VIDEO, avi_bytes(None)),
        {},
        "s12_fe_2.avi: an AVI file without a stream of sound",
        "copy it again",
    ),
    "an empty video": (lambda d: write_bytes(d / VIDEO, b""), {}, "s12_fe_2.avi: empty", "copy it again"),
    "a text for a video": (lambda d: write_bytes(d / VIDEO, b"<html>" * 99), {}, "s12_fe_2.avi: not audio", "convert"),
    "a Git LFS pointer": (lambda d: lfs_pointer(d / VIDEO), {}, "s12_fe_2.avi: a Git LFS", "git lfs pull"),
    "a silent video": (
        lambda d: write_bytes(d / VIDEO, avi_bytes(np.zeros(4800, np.int16))),
        {},
        "s12_fe_2.avi: silent",
        "leave it out",
    ),
    "a video whose sound ffmpeg does not find": (
        lambda d: write_bytes(d / VIDEO, (d / VIDEO).read_bytes().replace(b"01wb", b"02wb")),
        {},
        "s12_fe_2.avi: ffmpeg cannot read its sound (Stream map '0:a:0' matches no streams.)",
        "copy it again",
    ),
    "another sampling rate": (
        lambda d: write_wav(d / SENTENCE / "s12_fe_2.wav", rate=16000),
        {},
        "1 of 177 files: not sampled at 48000 Hz as published: s12_fe_2.wav (16000 Hz)",
        "not the original files",
    ),
}
SUSAS = {
    "a missing word": (lambda d: (d / WORD).unlink(), {}, "0 of 1 hist", "unpack the whole of speech/actual/roller"),
    "a word too many": (lambda d: word(d, "m1/hist/oh1.sph"), {}, "2 of 1 hist", "unpack the whole"),
    "a condition under another name": (
        lambda d: (d / WORD).parent.rename((d / WORD).parents[1] / "high"),
        {},
        "unknown condition 'high' (known: neutral, medst, hist, scream)",
        "unpack the original again",
    ),
    "an unknown speaker": (lambda d: word(d, "m5/hist/oh1.sph"), {}, "unknown speaker 'm5'", "unpack the original"),
    "an unknown word": (lambda d: word(d, "m4/hist/mayday1.sph"), {}, "unknown word 'mayday'", "unpack the original"),
    "a word without a number": (lambda d: word(d, "m4/hist/go.sph"), {}, "'go' is no word with its number", "unpack"),
    "a file in two formats": (
        lambda d: write_wav((d / WORD).with_suffix(".wav"), rate=8000),
        {},
        "has the same id m4_hist_oh1",
        "remove one of the two",
    ),
    "shorten": (lambda d: shorten(d / WORD), {}, "oh1.sph: a SPHERE file compressed with shorten", "sph2pipe"),
    "a truncated file": (lambda d: truncate(d / WORD), {}, "oh1.sph: truncated", "copy it again"),
    "an empty file": (lambda d: write_bytes(d / WORD, b""), {}, "oh1.sph: empty", "copy it again"),
    "another sampling rate": (
        lambda d: word(d, "m4/hist/oh1.sph", rate=16000),
        {},
        "1 of 5 files: not sampled at 8000 Hz as published: oh1.sph (16000 Hz)",
        "not the original files",
    ),
}
VAM = {
    "a missing sentence": (
        lambda d: [(d / f"{SATZ}{end}").unlink() for end in (".wav", ".ewe")] + [(d / f"{SATZ[:-1]}2.wav").unlink()],
        {},
        "1 of 3 sentences, 1 of 2 speakers",
        "unpack the whole",
    ),
    "a missing rating": (lambda d: (d / f"{SATZ}.ewe").unlink(), {}, "Satz01001.ewe: no such file", "unpack the whole"),
    "an empty rating": (lambda d: write_text(d / f"{SATZ}.ewe", "\n"), {}, "Satz01001.ewe: holds no", "manifest"),
    "a rating cut off": (
        lambda d: write_text(d / f"{SATZ}.ewe", "-0.2500 0.50"),
        {},
        "Satz01001.ewe, line 1: '-0.2500 0.50' is not valence, activation and dominance",
        "copy it again",
    ),
    "a rating that is no number": (
        lambda d: write_text(d / f"{SATZ}.ewe", "0.1 nan 0.2"),
        {},
        "'0.1 nan 0.2' is not valence",
        "copy it again",
    ),
    "a rating on another scale": (
        lambda d: write_text(d / f"{SATZ}.ewe", "1 4.5 3"),
        {},
        "the rating 4.5 lies outside -1 to 1",
        "write a manifest",
    ),
    "the rows of all raters": (
        lambda d: write_text(d / f"{SATZ}.ewe", "0.5 0.5 0\n0.5 1 0\n"),
        {},
        "Satz01001.ewe: holds 2 rows instead of one",
        "copy it again",
    ),
    "a strange name": (lambda d: write_wav(d / "data/Sprecher01/take1.wav"), {}, "'take1' is no sentence", "rename"),
    "a sentence twice": (
        lambda d: write_wav(d / "data/copy/Satz01001.wav"),
        {},
        "same id Satz01001",
        "remove one of the two",
    ),
    "a truncated wav": (lambda d: truncate(d / f"{SATZ}.wav"), {}, "Satz01001.wav: truncated", "copy it again"),
}
SMARTKOM = {
    "an unknown part": (lambda d: None, {"part": "kitchen"}, "part=kitchen", "public, home, mobil"),
    "a part that is not there": (lambda d: None, {"part": "mobil"}, "no session such as w001_mk", "SK-Mobil"),
    "no Partitur file of the user": (
        lambda d: (d / PARTITUR).unlink(),
        {},
        "w001_pk: holds 0 files where there is one Partitur file",
        "unpack the session again",
    ),
    "Partitur files of two users": (
        lambda d: write_text(d / "SK-Public/w001_pk/w001_pk_XYZ.par", "SAM: 16000\n"),
        {},
        "w001_pk: holds 2 files",
        "unpack the session again",
    ),
    "no wav": (lambda d: (d / SESSION).unlink(), {}, "holds no wav of one microphone (none)", "unpack the session"),
    "two other microphones": (
        lambda d: (d / SESSION).rename(d / SESSION.replace("pkd", "pka"))
        and write_wav(d / SESSION.replace("pkd", "pkb")),
        {},
        "holds no wav of one microphone (w001_pka.wav, w001_pkb.wav)",
        "unpack the session again",
    ),
    "an unknown state": (
        lambda d: replace(d / PARTITUR, '"Neutral"', '"Langeweile"'),
        {},
        "w001_pk_ABC.par, line 14: unknown user state '\"Langeweile\"'",
        "unpack the session again",
    ),
    "a time that is no number": (
        lambda d: replace(d / PARTITUR, "TRN: 800 ", "TRN: 0.05 "),
        {},
        "w001_pk_ABC.par, line 11: 'TRN: 0.05 8000 0,1 001_pk_000_ABC' holds '0.05'",
        "unpack the session again",
    ),
    "a line cut off": (
        lambda d: replace(d / PARTITUR, "USH: 23000 9000 \"Uberlegen/Nachdenken", "USH: 230"),
        {},
        "line 16: 'USH: 230' is not start, length and a mark",
        "unpack the session again",
    ),
    "a turn without a length": (
        lambda d: replace(d / PARTITUR, "TRN: 800 8000", "TRN: 800 0"),
        {},
        "has no length",
        "unpack the session again",
    ),
    "a turn outside the recording": (
        lambda d: replace(d / PARTITUR, "TRN: 48000 8000", "TRN: 148000 8000"),
        {},
        "9.25 s to 9.75 s lie outside the session (4.00 s)",
        "unpack the session again",
    ),
    "a Partitur file in UTF-16": (
        lambda d: write_bytes(d / PARTITUR, "SAM: 16000\n".encode("utf-16")),
        {},
        "w001_pk_ABC.par, line 1: holds a NUL",
        "UTF-8",
    ),
    "a truncated wav": (lambda d: truncate(d / SESSION), {}, "w001_pkd.wav: truncated", "copy it again"),
}


def said(old, new):
    """Changes the layout."""
    return lambda folder: replace(folder / "layout.yaml", old, new)


LAYOUTS = {
    "none given": (lambda d: None, {"layout": ""}, "no layout", "pass the YAML as --layout"),
    "no layout": (lambda d: (d / "layout.yaml").unlink(), {}, "there is no file", "--layout"),
    "an empty layout": (lambda d: write_text(d / "layout.yaml", ""), {}, "no field `path`", "docs/corpora.md"),
    "a list for a layout": (lambda d: write_text(d / "layout.yaml", "- a\n"), {}, "holds no fields", "docs/corpora.md"),
    "no YAML": (said("labels: {ang", "labels: {{ang"), {}, "layout.yaml, line 4: expected", "docs/corpora.md"),
    "no UTF-8": (said("# made up", "# gemäß"), {}, "byte 0xe4 is not UTF-8", "docs/corpora.md"),
    "an unknown field": (said("skip:", "skips:"), {}, "unknown field 'skips'", "known: path, labels"),
    "a field twice": (said("skip:", "rate:"), {}, "layout.yaml, line 6: 'rate' occurs twice", "docs/corpora.md"),
    "no regular expression": (said("skip: practice/.*", "skip: '('"), {}, "skip '(' is no regular", "docs/corpora.md"),
    "an unknown group": (said("?P<speaker>", "?P<actor>"), {}, "the group 'actor'", "speaker, label, utterance"),
    "a rate that is no number": (said("16000", "16 kHz"), {}, "rate is '16 kHz'", "docs/corpora.md"),
    "labels without classes": (
        said('{ang: anger, no: neutral, x: ""}', "[ang, no, x]"),
        {},
        "labels is ['ang', 'no', 'x'], not one value for each name",
        "docs/corpora.md",
    ),
    "a sex of neither kind": (said("f1: female", "f1: woman"), {}, "sex of 'f1' is 'woman'", "docs/corpora.md"),
    "a class outside the list": (
        said("rate:", "classes: [anger]\nrate:"),
        {},
        "label 'no' becomes 'neutral', which is not among the classes anger",
        "docs/corpora.md",
    ),
    "a class that the paper's corpus does not have": (
        said("ang: anger", "ang: fear"),
        {"name": "des"},
        "label 'ang' becomes 'fear', which is not among the classes anger, happiness, neutral, sadness, surprise",
        "docs/corpora.md",
    ),
    "another class list than the paper's": (
        said("rate:", "classes: [anger, neutral]\nrate:"),
        {"name": "des"},
        "classes are anger, neutral, and the paper's are anger, happiness",
        "docs/corpora.md",
    ),
    "a name with spaces": (lambda d: None, {"name": "My Corpus"}, "'My Corpus'", "small letters"),
    "a label that the layout does not know": (
        said("no: neutral, ", ""),
        {},
        "no_02.wav: unknown label 'no' (known: ang, x)",
        "mend",
    ),
    "a speaker without a sex": (said(", m1: male", ""), {}, "x_03.wav: unknown speaker 'm1' (known: f1)", "mend"),
    "a file that fits nothing": (
        lambda d: write_wav(d / "f1/take.wav"),
        {},
        "1 audio files under",
        "name them in `skip`",
    ),
    "an utterance twice": (lambda d: write_wav(d / "m1/x_01.wav"), {}, "has the same id 01", "remove one of the two"),
    "a missing file": (lambda d: (d / "m1/x_03.wav").unlink(), {}, "2 of 3 utterances", "unpack the whole corpus"),
    "another sampling rate": (
        lambda d: write_wav(d / "m1/x_03.wav", noise(rate=8000), rate=8000),
        {},
        "1 of 3 files: not sampled at 16000 Hz",
        "not the original files",
    ),
    "a truncated file": (lambda d: truncate(d / "m1/x_03.wav"), {}, "x_03.wav: truncated", "copy it again"),
    "nothing that fits": (
        lambda d: [said("wav\n", "flac\n")(d), said("practice/.*", ".*")(d), said("utterances: 3", "")(d)],
        {},
        "no recording is left (4 audio files were passed over, as layout.yaml says)",
        "another --source",
    ),
}
