"""Berlin Database of Emotional Speech: 535 recordings, ten actors, ten sentences, seven emotions.

Original layout: `wav/03a01Fa.wav` = speaker (2), sentence (3), emotion (1), version (1); `erkennung.txt` holds how many
listeners recognised the emotion and found it natural, in per cent. Burkhardt et al., Interspeech 2005.
"""

from pathlib import Path

from sejax.corpora.corpus import About, Corpus
from sejax.corpora.emodb_files import identifiers
from sejax.corpora.folder import inspect_all, wav_files
from sejax.corpora.problems import Problems, shortened
from sejax.corpora.published import published
from sejax.corpora.utterance import Recording
from sejax.errors import InputError

# The German initial in the file name, what it stands for, and our class (the paper's list).
EMOTIONS = {
    "W": ("Wut", "anger"),
    "L": ("Langeweile", "boredom"),
    "E": ("Ekel", "disgust"),
    "A": ("Angst", "fear"),
    "F": ("Freude", "joy"),
    "N": ("neutral", "neutral"),
    "T": ("Trauer", "sadness"),
}
MEN = ("03", "10", "11", "12", "15")
WOMEN = ("08", "09", "13", "14", "16")
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
RECOGNISED, NATURAL = 80.0, 60.0  # per cent, the documentation's thresholds
SUBSET = 494  # recordings of the 816 in erkennung.txt that pass both
AUDB_VERSION = "1.4.1"  # the last version with the 535 files; 2.0.0 adds 281 ambiguous ones

ABOUT = About(
    description="Berlin Database of Emotional Speech, the 535 recordings of the original distribution.",
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier, B. Weiss: A database of German emotional speech."
        " Proc. Interspeech 2005, Lisbon, pp. 1517-1520."
    ),
    licence="free for research from TU Berlin; CC0 1.0 as published through audb",
)


def open_corpus(
    source: str | Path, *, subset: int | None = None, allow_partial: bool = False, download: bool = False
) -> Corpus:
    """Look through the database under `source` (the folder that holds `wav/`, or `wav/` itself).

    `subset=494` keeps what at least 80 % of the listeners recognised and 60 % found natural, as the paper does (493
    of the 535 files: the 494th was recorded and rated but not published);
    `download` fetches the files through audb first where they are missing. Raises InputError when one of the 535 is
    missing or unreadable unless `allow_partial`.
    """
    if subset not in (None, 535, SUBSET):
        raise InputError(f"corpora/emodb: subset={subset}; use 494 (recognised and natural) or 535 (all)")
    source = Path(source)
    if download and len(list((source / "wav").glob("*.wav"))) < len(identifiers()):
        _download(source)
    files = wav_files("emodb", source, "wav")
    problems = Problems("emodb")
    found = _by_identifier(files, problems)
    wanted, notes = identifiers(), []
    if subset == SUBSET:
        wanted, notes = _well_recognised(read_scores(_score_file(source)), found, problems)
    _report_missing(source, wanted, found, problems)
    recordings = inspect_all((_recording(name, found[name]) for name in wanted if name in found), problems)
    others = len(set(found) - set(identifiers()) - set(wanted))
    notes += [f"{others} files beyond the 535 of the original distribution were passed over"] if others else []
    return Corpus(
        name="emodb",
        classes=published("emodb").classes,
        recordings=recordings,
        options={"subset": subset or 535},
        left_out=problems.settle(allow_partial=allow_partial),
        notes=tuple(notes),
        about=ABOUT,
    )


def read_scores(path: str | Path) -> dict[str, tuple[float, float]]:
    """Read erkennung.txt (latin-1, tabs, decimal commas): file name without `.wav` -> (recognised, natural) in %."""
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"corpora/emodb: {path} is missing; subset=494 needs the original distribution's erkennung.txt"
            " (audb does not carry it)"
        )
    scores = {}
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines()[1:], start=2):
        cells = [cell.strip().strip("\xa0") for cell in line.split("\t")]
        if not any(cells):
            continue
        try:
            name, recognised, natural = cells[1:4]
            values = float(recognised.replace(",", ".")), float(natural.replace(",", "."))
        except (ValueError, IndexError):
            raise InputError(
                f"corpora/emodb: {path}, line {number}: {line!r} is not number, file, recognised, natural;"
                " copy the file again from the original distribution"
            ) from None
        scores[name.removesuffix(".wav")] = values
    return scores


def _score_file(source: Path) -> Path:
    beside = source.parent if source.name == "wav" else source
    return beside / "erkennung.txt"


def _well_recognised(scores: dict, found: dict[str, Path], problems: Problems) -> tuple[tuple[str, ...], list[str]]:
    """The recordings above both thresholds, and a note on those of them that were never published.

    494 of the 816 in erkennung.txt pass, and one of these, 14b09Tb, is not among the 535 published files.
    """
    for name in identifiers():
        if name not in scores:
            problems.add("erkennung.txt", f"has no line for {name}.wav", "copy it again from the distribution")
    passed = [name for name in sorted(scores) if scores[name][0] >= RECOGNISED and scores[name][1] >= NATURAL]
    unpublished = [name for name in passed if name not in identifiers() and name not in found]
    if not unpublished:
        return tuple(passed), []
    note = f"{', '.join(unpublished)} passes both thresholds of erkennung.txt but is not among the 535 published files"
    return tuple(name for name in passed if name not in unpublished), [note]


def _by_identifier(files: list[Path], problems: Problems) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        name = path.stem
        part = _wrong_part(name)
        if part:
            problems.add(str(path), part, "names are speaker, sentence, emotion, version, as in 03a01Fa.wav: rename it")
        elif name in found:
            problems.add(str(path), f"has the same id {name} as {found[name]}", "remove one of the two")
        else:
            found[name] = path
    return found


def _wrong_part(name: str) -> str:
    if len(name) != 7:
        return f"{name!r} has {len(name)} characters instead of 7"
    if name[:2] not in MEN + WOMEN:
        return f"unknown speaker {name[:2]!r} (known: {', '.join(sorted(MEN + WOMEN))})"
    if name[2:5] not in SENTENCES:
        return f"unknown sentence {name[2:5]!r} (known: {', '.join(SENTENCES)})"
    if name[5] not in EMOTIONS:
        return f"unknown emotion {name[5]!r} (known: {', '.join(EMOTIONS)})"
    return ""


def _report_missing(source: Path, wanted: tuple[str, ...], found: dict[str, Path], problems: Problems) -> None:
    missing = [f"{name}.wav" for name in wanted if name not in found]
    if missing:
        problems.add(
            f"{len(wanted) - len(missing)} of {len(wanted)} files found under {source}",
            f"missing {shortened(missing)}",
            "unpack the whole distribution",
        )


def _recording(name: str, path: Path) -> Recording:
    original, emotion = EMOTIONS[name[5]]
    return Recording(
        id=name,
        path=str(path),
        speaker=name[:2],
        sex="male" if name[:2] in MEN else "female",
        emotion_original=original,
        emotion=emotion,
        transcript=SENTENCES[name[2:5]],
    )


def _download(source: Path) -> None:
    """Fetch version 1.4.1 through audb; InputError where audb or the network is missing."""
    try:
        import audb
    except ImportError as error:
        raise InputError(
            "corpora/emodb: --download needs the audb package; install it with `pip install sejax[download]`,"
            " or unpack the database yourself and pass its folder as --source"
        ) from error
    try:
        audb.load_to(str(source), "emodb", version=AUDB_VERSION)
    except Exception as error:  # audb's back ends raise whatever their HTTP library raises
        raise InputError(
            f"corpora/emodb: audb could not fetch emodb {AUDB_VERSION} into {source}"
            f" ({type(error).__name__}: {error}); check the network, or unpack the database yourself and pass its"
            " folder as --source"
        ) from error
