#!/usr/bin/env bash
# libsndfile gives other samples of compressed files after a seek, and wraps loud ones around as 16-bit integers.
#
# Versions: soundfile 0.14.0 with the libsndfile 1.2.2 of its wheel (libvorbis 1.3.7), numpy 2.3.5, Linux x86_64.
#
# Behaviour: (1) a seek and then a read gives samples of Vorbis, Opus and MP3 that are not those of the same place in a
# read from the beginning, at some of the places; FLAC is exact. (2) Vorbis and Opus read as 16-bit integers wrap around
# where the decoder gives values beyond 1.0, so that the loudest samples of limited speech change their sign (libsndfile
# clips on request alone, SFC_SET_CLIPPING, for which soundfile has no option); MP3 is clipped.
#
# What comes of it: sejax.corpora.waveform decodes compressed files as floating point from their beginning.
#
# Output seen: the lines of `expected` below.
#
# Fails (exit status 1) where any of them is another one. PYTHON names the interpreter (3.10 or later).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check soundfile==0.14.0 numpy==2.3.5

cat > expected <<'TEXT'
libsndfile 1.2.2
parts after a seek, other than in the whole: Vorbis some, Opus some, MP3 some, FLAC none
as 16-bit integers, loud samples of the other sign: Vorbis some, Opus some, MP3 none, FLAC none
TEXT

cat > show.py <<'PYTHON'
import numpy as np
import soundfile

FORMS = {"Vorbis": ("OGG", "VORBIS"), "Opus": ("OGG", "OPUS"), "MP3": ("MP3", None), "FLAC": ("FLAC", "PCM_16")}
time = np.arange(10 * 16000) / 16000
buzz = np.sign(np.sin(2 * np.pi * (120 + 30 * time) * time)) * np.sin(2 * np.pi * 1.3 * time)
voice = np.clip(2 * buzz + 0.05 * np.random.default_rng(0).normal(size=len(time)), -1, 1)


def told(counts):
    return ", ".join(f"{name} {'some' if count else 'none'}" for name, count in counts.items())


other, wrapped = {}, {}
places = np.random.default_rng(1).integers(0, len(voice) - 4000, 200)
for name, (kind, subtype) in FORMS.items():
    soundfile.write("a", voice, 16000, format=kind, subtype=subtype)
    with soundfile.SoundFile("a") as file:
        whole = file.read(dtype="float32")
    with soundfile.SoundFile("a") as file:
        integers = file.read(dtype="int16")
    other[name] = 0
    with soundfile.SoundFile("a") as file:
        for start in places.tolist():
            file.seek(start)
            other[name] += not np.array_equal(file.read(4000, dtype="float32"), whole[start : start + 4000])
    wrapped[name] = np.count_nonzero((np.abs(whole) > 1) & (np.sign(integers) != np.sign(whole)))

print("libsndfile", soundfile.__libsndfile_version__)
print("parts after a seek, other than in the whole:", told(other))
print("as 16-bit integers, loud samples of the other sign:", told(wrapped))
PYTHON

environment/bin/python show.py 2> /dev/null | tee found
diff expected found
