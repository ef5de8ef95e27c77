"""Corpora: original files to utterances. `corpora.names()` lists them, `corpora.read(name, source)` reads one.

for utterance in corpora.read("emodb", "data/emodb"):
    print(utterance.id, utterance.emotion, len(utterance.waveform) / utterance.rate)
"""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from sejax.corpora.corpus import Corpus, Progress, Rating, Recording, Utterance, Word
from sejax.corpora.names import on_disk
from sejax.corpora.published import PUBLISHED, Published, published
from sejax.errors import InputError

__all__ = [
    "PUBLISHED",
    "Corpus",
    "Published",
    "Rating",
    "Recording",
    "Utterance",
    "Word",
    "names",
    "open_corpus",
    "published",
    "read",
    "source_flags",
]

_READERS = (
    *("ami", "audformat", "crema_d", "emobox", "emodb", "emovo", "iemocap", "librispeech", "manifest", "meld"),
    *("msp_improv", "nemo", "ravdess", "ravdess_song", "savee", "synthetic", "tedlium", "tess"),
)


def names() -> tuple[str, ...]:
    """Names that `read` and `open_corpus` take; the paper's corpora without a reader come through a manifest."""
    return tuple(sorted({*_READERS, *PUBLISHED}))


def open_corpus(corpus: str, source: str | Path = "", /, *, progress: Progress | None = None, **options) -> Corpus:
    """Look through a corpus without decoding it; options are those of the corpus's own `open_corpus`.

    `progress(stage, files, files in all)` is told by the corpora whose many files take long to open.

    Raises InputError for an unknown corpus or option, and for everything that is wrong with the files.
    """
    if corpus not in names():
        raise InputError(f"corpora: unknown corpus {corpus!r}; use one of {', '.join(names())}")
    if corpus not in _READERS:
        corpus, options = "manifest", {"name": corpus} | options
    reader = importlib.import_module(f"sejax.corpora.{corpus}").open_corpus
    parameters = inspect.signature(reader).parameters
    known = [option for option in parameters if option not in ("source", "progress")]
    for option in options:
        if option not in known:
            raise InputError(f"corpora/{corpus}: has no option {option!r}; its options are {', '.join(known)}")
    if "progress" in parameters:
        options["progress"] = progress
    return reader(on_disk(source), **options)


def source_flags(corpus: str) -> str:
    """How a command names a corpus and its original files, as in ``--corpus=emodb --source=DIR``.

    One without a reader comes through a manifest, whose ``--name`` is the corpus's.
    """
    if corpus == "synthetic":
        return "--corpus=synthetic"
    if corpus in PUBLISHED and corpus not in _READERS:
        return f"--corpus={corpus} --source=MANIFEST.csv"
    if corpus in _READERS and corpus != "manifest":
        return f"--corpus={corpus} --source=DIR"
    named = "" if corpus == "manifest" else f" --name={corpus}"
    return f"--corpus=manifest{named} --source=MANIFEST.csv"


def read(corpus: str, source: str | Path = "", /, **options) -> Iterator[Utterance]:
    """Utterances of a corpus, decoded one at a time in the corpus's order."""
    return iter(open_corpus(corpus, source, **options))
