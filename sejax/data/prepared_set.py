"""What prepared sets of every kind share: how one is made (one writer, resumption) and how its folder is read."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sejax import corpora
from sejax.corpora.builder import LEFT_OUT, build
from sejax.corpora.corpus import Corpus, Progress, seconds
from sejax.corpora.files import only_one
from sejax.data.journal import JOURNAL
from sejax.errors import InputError


def prepare_set(
    corpus: str,
    source: str | Path,
    data_dir: str | Path,
    *,
    name: Callable[[str], str],
    write: Callable[[Corpus, object, Path], None],
    allow_partial: bool,
    progress: Progress | None,
    options: dict,
) -> Path:
    """Make the set DATA_DIR/<corpus>/<name> unless it exists; returns its folder.

    Args:
      corpus, source, options: as `sejax.corpora.open_corpus` takes them.
      name: from the name of the utterance set to that of this set: what decides its content, as a hash.
      write: `write(opened, utterances, folder)` fills a folder named <name>.unfinished, which it finds as a killed
        preparation left it, with its journal and the utterance set's left_out.csv. Only one process is in it.
      allow_partial: whether unusable inputs may be left out; left_out.csv in the set lists them.
      progress: `progress(stage, done, total)`, seconds of audio.

    Raises InputError for bad input, and for an existing set that left inputs out where that is not allowed.
    """
    _make_folder(Path(data_dir))
    options = {option: value for option, value in options.items() if value is not None}
    if corpus != "synthetic":
        options["allow_partial"] = allow_partial
    opened = corpora.open_corpus(corpus, source, **options)
    utterances = build(opened, data_dir, allow_partial=allow_partial, progress=progress)
    made_from = Path(utterances.data_dir).parent
    folder = made_from.parent / name(made_from.name)
    unfinished = folder.with_name(folder.name + ".unfinished")
    if folder.is_dir():
        return _finished(folder, opened, allow_partial)
    with only_one(unfinished / "lock"):
        if folder.is_dir():  # another process finished it just now
            shutil.rmtree(unfinished)
            return _finished(folder, opened, allow_partial)
        left_out = left_out_of(utterances)
        if left_out:
            shutil.copyfile(left_out, unfinished / LEFT_OUT)
        write(opened, utterances, unfinished)
        (unfinished / JOURNAL).unlink()
        (unfinished / "lock").unlink()
        os.replace(unfinished, folder)
    return folder


def read_set(
    folder: str | Path, *, array: str, columns: tuple[str, ...], names: tuple[str, ...], kind: str, how: str = ""
) -> tuple[dict, dict]:
    """What the classes of all kinds of sets have in common, by the names of their fields, and index.json whole.

    Args:
      folder: of the set.
      array: name of its large array, which stays on the disk; columns: names of the small ones.
      names: entries of index.json that become tuples.
      kind: what the set is one of, and `how`: how launch/prepare.py makes one, both for the error.

    Raises InputError when the folder is not a finished set with that array.
    """
    folder = Path(folder)
    needed = (folder / "settings.json", folder / f"{array}.npy")
    if not all(path.is_file() for path in needed) or folder.suffix == ".unfinished":
        raise InputError(f"{folder} is not a finished set of {kind}; make one with launch/prepare.py{how}")
    about = json.loads((folder / "settings.json").read_text())
    index = json.loads((folder / "index.json").read_text())
    fields = {array: np.load(folder / f"{array}.npy", mmap_mode="r")}
    fields |= {name: np.load(folder / f"{name}.npy") for name in columns}
    fields |= {name: tuple(index[name]) for name in names}
    fields |= {name: about[name] for name in ("corpus", "settings", "counts")}
    return fields | {"folder": str(folder)}, index


def short_hash(*decides) -> str:
    """Ten hex digits for the plain values that decide what is in a set: a part of its folder's name."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:10]


def damaged(folder: str | Path, what: str) -> InputError:
    """The error for a set whose files do not fit together."""
    return InputError(f"{folder}: {what}; delete the folder and prepare the set again")


def reporter(stage: str, corpus: Corpus, progress: Progress | None) -> Callable[[float], None]:
    """Tells `progress` of a stage how many seconds of the corpus's audio are done, never more than there are."""
    total = float(seconds(corpus.recordings).sum())
    return (lambda done: progress(stage, min(done, total), total)) if progress else lambda done: None


def left_out_of(utterances) -> Path | None:
    """left_out.csv of the utterance set, where it has one."""
    return next(Path(utterances.data_dir).parent.glob(f"*/{LEFT_OUT}"), None)


def _finished(folder: Path, corpus: Corpus, allow_partial: bool) -> Path:
    if (folder / LEFT_OUT).is_file() and not allow_partial:
        raise InputError(
            f"corpora/{corpus.name}: {folder} was made without the recordings that its {LEFT_OUT} lists;"
            " mend them, or pass --allow_partial to use it as it is"
        )
    return folder


def _make_folder(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"data_dir: {data_dir} cannot be used as a folder ({error.strerror}); name another --data_dir"
        ) from error
