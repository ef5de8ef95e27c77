"""Small trees of the paper's corpora in their original formats, slips included, as in `corpus_trees`."""

import os
import struct
import sys
from pathlib import Path

import numpy as np
import soundfile
from trees import noise, write_bytes, write_text, write_wav

from sejax.corpora.enterface import EMOTIONS, NEVER_RECORDED

# A program that stands for ffmpeg: reads what `avi_bytes` makes, and understands what sejax asks of ffmpeg alone.
FFMPEG = """#!{python}
import struct, sys, wave
options = sys.argv[1:-1]
assert options[:4] == ["-nostdin", "-v", "error", "-y"] and options[4] == "-i", options
assert options[6:] == ["-map", "0:a:0", "-c:a", "pcm_s16le"], options
data = open(options[5], "rb").read()
place = data.find(b"01wb")
if place < 0:
    sys.exit("Stream map '0:a:0' matches no streams.")
size, = struct.unpack_from("<I", data, place + 4)
with wave.open(sys.argv[-1], "wb") as file:
    file.setparams(({channels}, 2, {rate}, 0, "NONE", ""))
    file.writeframes(data[place + 8 : place + 8 + size])
"""


def fake_ffmpeg(folder: Path, *, rate: int = 48000, channels: int = 1) -> Path:
    """A folder for PATH with the stand-in."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "ffmpeg"
    program.write_text(FFMPEG.format(python=sys.executable, rate=rate, channels=channels))
    program.chmod(0o755)
    return folder


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _stream(kind: bytes, codec: bytes, scale: int, rate: int, length: int, *, buffer: int, size: int) -> bytes:
    """A stream's header, `length` units of `scale / rate` seconds."""
    return struct.pack("<4s4sIHHI7I4H", kind, codec, 0, 0, 0, 0, scale, rate, 0, length, buffer, 0, size, 0, 0, 8, 8)


def avi_bytes(waveform: np.ndarray | None, *, rate: int = 48000) -> bytes:
    """A video of one black picture with a stream of PCM, int16[T] or [T, channels]; without sound for None."""
    pictures = _stream(b"vids", b"DIB ", scale=1, rate=25, length=1, buffer=192, size=0)
    bitmap = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 24, 0, 192, 0, 0, 0, 0)
    lists = _chunk(b"LIST", b"strl" + _chunk(b"strh", pictures) + _chunk(b"strf", bitmap))
    movie = _chunk(b"00db", bytes(192))
    if waveform is not None:
        channels = 1 if waveform.ndim == 1 else waveform.shape[1]
        block = 2 * channels
        sound = _stream(b"auds", b"\1\0\0\0", block, rate * block, len(waveform), buffer=rate * block, size=block)
        pcm = struct.pack("<HHIIHH", 1, channels, rate, rate * block, block, 16)
        lists += _chunk(b"JUNK", bytes(13)) + _chunk(b"LIST", b"strl" + _chunk(b"strh", sound) + _chunk(b"strf", pcm))
        movie += _chunk(b"01wb", waveform.astype("<i2").tobytes())
    main = struct.pack("<14I", 40000, 0, 0, 0x10, 1, 0, 2, 192, 8, 8, 0, 0, 0, 0)
    content = _chunk(b"LIST", b"hdrl" + _chunk(b"avih", main) + lists) + _chunk(b"LIST", b"movi" + movie)
    return _chunk(b"RIFF", b"AVI " + content)


ENTERFACE_SUBJECTS = (2, 3, 11, 12, 16, 23)  # those whose files have slips, and one whose have none


def enterface_name(subject: int, code: str, sentence: int) -> str:
    """A file's name in the distribution, with its slips."""
    if subject == 2 and code == "an" and sentence in (1, 2):
        return f"s2_an_{3 - sentence}.avi"
    if subject == 3 and code in ("su", "ha", "sa"):
        return f"s_3_{code}_{sentence}.avi"
    if (subject, code, sentence) == (16, "su", 3):
        return "s16_su_3avi.avi"
    return f"s{12 if subject == 11 else subject}_{code}_{sentence}.avi"


def enterface_tree(folder: Path) -> Path:
    """Six subjects, 177 sentences, as links to one video; beside them subject 6, who was never cut."""
    original = write_bytes(folder / "original", avi_bytes(noise(0.1, rate=48000)))
    for subject in ENTERFACE_SUBJECTS:
        for emotion, (code, _) in EMOTIONS.items():
            for sentence in range(1, 6):
                if f"s{subject}_{code}_{sentence}" in NEVER_RECORDED:
                    continue
                place = folder / f"subject {subject}" / emotion / f"sentence {sentence}"
                place.mkdir(parents=True)
                os.link(original, place / enterface_name(subject, code, sentence))
    for emotion, (code, _) in EMOTIONS.items():
        write_bytes(folder / "subject 6" / emotion / f"s6_{code}.avi", avi_bytes(noise(0.2, rate=48000)))
    original.unlink()
    write_text(folder / "subject 12" / "anger" / "sentence 1" / "Thumbs.db", "not a recording")
    return folder


SUSAS_FILES = {  # below speech/actual/roller
    "f1/neutral/break1": "PCM_16",
    "f1/medst/histog12": "ULAW",
    "m4/medst/destin1": "PCM_16",
    "m4/hist/oh1": "PCM_16",
    "f3/scream/no2": "PCM_16",
}
SUSAS_OTHERS = (
    *("actual/roller/f1/freefall/freeze1", "actual/roller/m1/hist_oov_all/pilot1", "actual/roller/m4/scre_oov_all/all"),
    *("actual/helicopt/dt/hist/break1", "sim/boston1/angry/break1"),
)


def susas_tree(folder: Path) -> Path:
    """Five words under actual stress as SPHERE files, one in mu-law, and five files that are passed over."""
    files = {f"actual/roller/{name}": subtype for name, subtype in SUSAS_FILES.items()}
    for number, (name, subtype) in enumerate((files | dict.fromkeys(SUSAS_OTHERS, "PCM_16")).items()):
        path = folder / "speech" / f"{name}.sph"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(0.1, seed=number, rate=8000), 8000, format="NIST", subtype=subtype)
    return folder


VAM_RATINGS = {"01001": "-0.2500 0.5000 0.3000", "01002": " 0.1,\t0.0,\t-0.2\n", "47001": "0.10;-0.40;0.00"}


def vam_tree(folder: Path) -> Path:
    """Three sentences of two speakers."""
    for name, ratings in VAM_RATINGS.items():
        path = folder / "data" / f"Sprecher{name[:2]}" / f"Satz{name}.wav"
        write_wav(path, noise(seed=int(name)))
        write_text(path.with_suffix(".ewe"), ratings)
        write_text(path.with_suffix(".eva"), "0.5 0.5 0.0\n-0.5 0.5 0.5\n")
    write_text(folder / "docu" / "readme.txt", "elsewhere\n")
    return folder


# Umlauts are written "u; the second turn is half joy and a little more pondering, the third lies outside all states.
SMARTKOM_PAR = """LHD: Partitur 1.3
REP: Muenchen
SNB: 2
SAM: 16000
LBD:
KAN: 0 t'a:k
ORT: 0 guten
ORT: 1 <A>
ORT: 2 sch"onen
ORT: 3 Tag
TRN: 800 8000 0,1 001_pk_000_ABC
TRN: 16000 16000 2,3 001_pk_001_ABC
TRN: 48000 8000 3 001_pk_002_ABC
USH: 0 16000 "Neutral"
USH: 16000 7000 Freude/Erfolg stark
USH: 23000 9000 "Uberlegen/Nachdenken
USM: 0 16000 "neutral"
"""
SMARTKOM_SECOND = """SAM: 16000
ORT: 0 nein
TRN: 0 8000 0 002_pk_000_DEF
USH: 0 48000 "Ärger/Miserfolg"
"""


def smartkom_tree(folder: Path) -> Path:
    """Four turns of two users in public; a session without states; and one session at home."""
    for session, text, names in [
        ("SK-Public/w001_pk", SMARTKOM_PAR, ("ABC",)),
        ("SK-Public/w002_pk", SMARTKOM_SECOND, ("DEF",)),
        ("SK-Public/w003_pk", "SAM: 16000\nORT: 0 ja\nTRN: 0 8000 0 003_pk_000_GHI\n", ("GHI",)),
        ("SK-Home/w101_hk", SMARTKOM_SECOND.replace("002_pk", "101_hk"), ("JKL",)),
    ]:
        name = session.partition("/")[2]
        write_wav(folder / session / f"{name}d.wav", noise(4.0))
        for speaker in (*names, "SMA"):
            write_text(folder / session / f"{name}_{speaker}.par", text, encoding="latin-1")
    write_wav(folder / "SK-Public" / "w002_pk" / "w002_pkh.wav", noise(4.0, seed=1))  # another microphone
    return folder


LAYOUT = """# made up
path: (?P<speaker>[fm]\\d)/(?P<label>[a-z]+)_(?P<utterance>\\d+)\\.wav
labels: {ang: anger, no: neutral, x: ""}
sex: {f1: female, m1: male}
skip: practice/.*
rate: 16000
utterances: 3
"""


def layout_tree(folder: Path) -> Path:
    """Three recordings of two speakers and one of practice; the layout lies beside them."""
    for number, name in enumerate(("f1/ang_01", "f1/no_02", "m1/x_03", "practice/anything")):
        write_wav(folder / f"{name}.wav", noise(seed=number))
    write_text(folder / "layout.yaml", LAYOUT)
    return folder


PAPER_TREES = {
    "enterface": (enterface_tree, {"SUBJECTS": ENTERFACE_SUBJECTS}),
    "susas": (susas_tree, {"RECORDINGS": {"neutral": 1, "medst": 2, "hist": 1, "scream": 1}}),
    "vam": (vam_tree, {"RECORDINGS": {"sentences": 3, "speakers": 2}, "THE_PAPERS": 2}),
    "smartkom": (smartkom_tree, {}),
    "layout": (layout_tree, {}),
}
