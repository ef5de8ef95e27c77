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
    *("ami", "audformat", "crema_d", "emobox", "emodb", "emovo", "enterface", "esd", "iemocap", "layout"),
    *("librispeech", "manifest", "meld", "mesd", "msp_improv", "nemo", "ravdess", "ravdess_song", "savee", "smartkom"),
    *("susas", "synthetic", "tedlium", "tess", "vam"),
)
_TABLES = (".csv", ".tsv", ".txt")


def names() -> tuple[str, ...]:
    """Names that `read` and `open_corpus` take; the paper's without a reader come through a layout or a manifest."""
    return tuple(sorted({*_READERS, *PUBLISHED}))


def open_corpus(corpus: str, source: str | Path = "", /, *, progress: Progress | None = None, **options) -> Corpus:
    """Look through a corpus without decoding it; options are those of the corpus's own `open_corpus`.

    Any of the paper's corpora also comes in through `layout=` (`sejax.corpora.layout`), and all but emoDB through a CSV
    manifest as the source (`sejax.corpora.manifest`).
    `progress(stage, files, files in all)` is told by the corpora whose many files take long to open.

    Raises InputError for an unknown corpus or option, and for everything that is wrong with the files.
    """
    if corpus not in names():
        raise InputError(f"corpora: unknown corpus {corpus!r}; use one of {', '.join(names())}")
    source = on_disk(source)
    if corpus in PUBLISHED:
        corpus, options = _way_in(corpus, source, options)
    reader = importlib.import_module(f"sejax.corpora.{corpus}").open_corpus
    parameters = inspect.signature(reader).parameters
    known = [option for option in parameters if option not in ("source", "progress")]
    for option in options:
        if option not in known:
            raise InputError(f"corpora/{corpus}: has no option {option!r}; its options are {', '.join(known)}")
    if "progress" in parameters:
        options["progress"] = progress
    return reader(source, **options)


def _way_in(corpus: str, source: Path, options: dict) -> tuple[str, dict]:
    """The reader of one of the paper's corpora and its options: by a layout, a manifest, or the corpus's own."""
    if options.get("layout"):
        return "layout", {"name": corpus} | options
    options = {name: value for name, value in options.items() if name != "layout"}
    if corpus != "emodb" and (source.suffix.lower() in _TABLES or (source / "manifest.csv").is_file()):
        return "manifest", {"name": corpus} | options
    if corpus in _READERS:
        return corpus, options
    raise InputError(
        f"corpora/{corpus}: {source} is no CSV manifest, and the distribution's folders and names are not publicly"
        " documented; describe them in a YAML (--layout=FILE.yaml), or write a manifest (docs/corpora.md says how)"
    )


def source_flags(corpus: str) -> str:
    """How a command names a corpus and its original files, as in ``--corpus=emodb --source=DIR``.

    One without a reader comes through a manifest, whose ``--name`` is the corpus's.
    """
    if corpus == "synthetic":
        return "--corpus=synthetic"
    if corpus in PUBLISHED and corpus not in _READERS:
        return f"--corpus={corpus} --source=MANIFEST.csv"
    if corpus in _READERS and corpus not in ("layout", "manifest"):
        return f"--corpus={corpus} --source=DIR"
    named = "" if corpus == "manifest" else f" --name={corpus}"
    return f"--corpus=manifest{named} --source=MANIFEST.csv"


def read(corpus: str, source: str | Path = "", /, **options) -> Iterator[Utterance]:
    """Utterances of a corpus, decoded one at a time in the corpus's order."""
    return iter(open_corpus(corpus, source, **options))
