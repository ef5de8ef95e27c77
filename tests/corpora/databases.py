"""Databases in audformat, made with the package itself."""

import audformat
import pandas as pd
from trees import noise, write_wav

from sejax.corpora.emodb import EMOTIONS, MEN, SENTENCES, WOMEN

NAMES = {"joy": "happiness"}  # what audb's emodb calls our classes
CODES = {letter: NAMES.get(name, name) for letter, (_, name) in EMOTIONS.items()}


def emodb_like(folder, files, storage="csv"):
    """As audb's emodb is laid out: emotions with confidence in one table, speakers and sentences in another."""
    database = audformat.Database("emodb", languages=["deu"], license="CC0-1.0")
    database.schemes["emotion"] = audformat.Scheme(labels=sorted(CODES.values()))
    database.schemes["confidence"] = audformat.Scheme("float", minimum=0, maximum=1)
    people = {int(name): {"gender": sex} for names, sex in ((MEN, "male"), (WOMEN, "female")) for name in names}
    database.schemes["speaker"] = audformat.Scheme(labels=dict(sorted(people.items())))
    database.schemes["transcription"] = audformat.Scheme(labels=SENTENCES)
    database.schemes["duration"] = audformat.Scheme("time")
    stems = [file.rpartition("/")[2].removesuffix(".wav") for file in files]
    index = audformat.filewise_index(files)
    database["emotion"] = audformat.Table(index)
    column(database, "emotion", "emotion", [CODES[stem[5]] for stem in stems])
    column(database, "emotion", "emotion.confidence", [0.9] * len(stems), scheme="confidence")
    database["files"] = audformat.Table(index)
    column(database, "files", "duration", pd.to_timedelta([1.0] * len(stems), unit="s"))
    column(database, "files", "speaker", [int(stem[:2]) for stem in stems])
    column(database, "files", "transcription", [stem[2:5] for stem in stems])
    database.save(str(folder), storage_format=storage)
    return folder


def column(database, table, name, values, *, scheme=None):
    known = scheme or (name if name in database.schemes else None)
    database[table][name] = audformat.Column(scheme_id=known)
    database[table][name].set(values)


def small(folder, files=4):
    """A database with files a0.wav ..., and no table yet."""
    for number in range(files):
        write_wav(folder / f"a{number}.wav", noise(2.0, seed=number))
    return audformat.Database("mine")
