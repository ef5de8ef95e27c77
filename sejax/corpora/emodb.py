"""Berlin Database of Emotional Speech: 535 recordings, ten actors, ten sentences, seven emotions.

Original layout: `wav/03a01Fa.wav` = speaker (2), sentence (3), emotion (1), version (1); `erkennung.txt` holds how many
listeners recognised the emotion and found it natural, in per cent. Burkhardt et al., Interspeech 2005.
"""

from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_codes, check_files, inspect_all, named, wav_files
from sejax.corpora.problems import Problems
from sejax.corpora.published import published
from sejax.errors import InputError

_TABLE = """
03: a01=Fa,Nc,Wa a02=Fc,Nc,Ta,Wb,Wc a04=Ad,Fd,Lc,Nc,Ta,Wc a05=Aa,Fc,Nd,Tc,Wa,Wb a07=Fa,Fb,La,Nc,Wc
03: b01=Fa,Lb,Nb,Td,Wa,Wc b02=Aa,La,Na,Tb,Wb b03=Nb,Tc,Wc b09=La,Nc,Tc,Wa b10=Ab,Ec,Na,Nc,Wb,Wc
08: a01=Ab,Fd,Lc,Na,Wa,Wc a02=Ab,Ac,Fe,La,Na,Tb,Wc a04=Ff,La,Nc,Tb,Wc a05=Fe,Lc,Nb,Ta,Wa
08: a07=Fd,La,Na,Ta,Tb,Wc b01=Aa,Fd,Fe,Lb,Na,Wa b02=Ff,La,Nb,Tc,Wd b03=Fe,Lc,Nb,Tc,Wd
08: b09=Ab,Fd,Lc,Nb,Tb,Wa,Wc b10=Aa,Fd,La,Nc,Tc,Wa
09: a01=Ea,Fa,Nb,Wb a02=Ea,Eb,La,Wb a04=Fd,La,Nb,Wa a05=Ed,Lc,Nb,Tb,Wb,Wc a07=Eb,Na,Ta,Wb,Wd b01=Ea,Na,Wb
09: b02=Na,Tb,Wc,Wd b03=Ed,Fa,Fd,Lb,Nb,Ta,Wb b09=Ea,Nd,Wa b10=Aa,Nd,Wa
10: a01=Ac,Nb,Wa a02=Ab,Fa,Lb,Na,Wa a04=Fd,Nb,Wa,Wb a05=Aa,Ld,Tb,Wb a07=Aa,Ad,La,Ta,Wb b01=Aa,Ea,Fa,Lb
10: b02=Aa,La,Na,Wb b03=La,Tb,Wb b09=Ad,Lb,Wb b10=Fc,Lc,Wa
11: a01=Aa,Ab,Ld,Nd,Wc a02=Ec,Fb,Ld,Nc,Tc,Wc a04=Ac,Fd,Nd,Wc a05=Ad,Fb,Fc,Lc,Na,Td,Wd a07=Ac,Ld,Ta,Wc
11: b01=Ab,Eb,Fc,Lb,Nc,Wd b02=Ab,Fd,Na,Td,Wb b03=Fc,Lc,Nb,Td,Wa,Wb b09=Ad,Fd,Ld,Na,Td,Wa
11: b10=Ad,Ae,Ld,Nc,Td,Wa
12: a01=Fb,Lb,Nb,Wc a02=Ac,Ec,Nb,Wa,Wc a04=Wc a05=Ab,Lb,Nd,Ta,Wb a07=Ac,La,Wa b01=Ta,Wa
12: b02=Ad,Ea,Fb,Na,Wa,Wb,Wd b03=La,Ta b09=Ac,Td,Wc b10=Ac,Ld,Wa
13: a01=Ac,Ea,Ec,Fd,Lb,Nb,Wb a02=Ad,Ec,Fa,Lc,Nc,Ta,Wa a04=Ac,Fc,Lb,Ta,Wc a05=Aa,Ea,Lc,Nb,Tc,Wa,Wc
13: a07=Fd,Lb,Na,Tc,Wb b01=Ab,Ec,Fc,Ld,Nc,Wa b02=Fb,Lc,Nb,Wa b03=Ac,Ed,Fd,Lb,Na,Td,Wc
13: b09=Ab,Ec,Fb,Fc,La,Na,Wa b10=Ec,Fa,La,Nc,Wa,Wc
14: a01=Aa,Ac,Ea,Na,Wa,Wc a02=Ab,Ea,Fd,La,Nc,Tb,Wa,Wc a04=Aa,Ed,Lb,Tb,Tc,Wb,Wc
14: a05=Aa,Ac,Fa,Fb,Lb,Na,Ta,Tc,Wa,Wb a07=Aa,Eb,Fd,Lc,Ld,Na,Tc,Wc b01=Ac,Eb,Fa,Fc,Na,Wc
14: b02=Aa,Fb,Na,Tc,Wb,Wd b03=Ad,Ed,Lb,Ta,Wb b09=Ac,Ea,Fc,Lb,Td,Wa,Wc b10=Ad,Eb,Lb,Nb,Tc,Wc
15: a01=Ea,Fb,La,Nb,Wa a02=Ac,Ea,La,Na,Ta,Wb,Wd a04=Ab,Ac,Fd,Nc,Wa,Wb a05=Eb,Fb,Lb,Na,Wa
15: a07=Ac,Eb,Fa,Fb,Ld,Nc b01=Ec,Lb,Na,Wc b02=Aa,Lb,Nd,Tc,Wa,Wc b03=Aa,Lc,Nb,Tc,Wa,Wb
15: b09=Ac,Fa,La,Nb,Ta,Wb b10=Ac,Lc,Nb,Nc,Wa
16: a01=Ec,Fc,Lb,Nc,Tb,Wb a02=Ea,Ec,Lb,Nb,Tc,Wb a04=Ab,Ea,Fa,La,Lc,Nc,Tc,Wb,Wc a05=Ab,Ea,Fc,La,Tb,Wb,Wc
16: a07=Ea,Fa,Fb,La,Lb,Nb,Td,Wa b01=Aa,Eb,Fa,La,Lc,Tb,Wa,Wb b02=Aa,Eb,Fd,Lb,Wb
16: b03=Ad,Ea,Fa,Fd,La,Nb,Ta,Wb b09=Ab,Eb,Fb,La,Lb,Wb b10=Aa,Eb,Fb,Lb,Tb,Td,Wa,Wb
"""


def identifiers() -> tuple[str, ...]:
    """The 535 file names without `.wav`, in alphabetical order."""
    names = []
    for line in _TABLE.strip().splitlines():
        speaker, *sentences = line.replace(":", "").split()
        for code, versions in (sentence.split("=") for sentence in sentences):
            names += [speaker + code + version for version in versions.split(",")]
    return tuple(sorted(names))


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
AUDIO = {535: Audio(16000, files=535, seconds=1487.1), SUBSET: Audio(16000, files=493, seconds=1365.2)}  # by subset
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
    source: Path, *, subset: int | None = None, allow_partial: bool = False, download: bool | str = False
) -> Corpus:
    """Look through the database under `source` (the folder that holds `wav/`, or `wav/` itself).

    `subset=494` keeps what at least 80 % of the listeners recognised and 60 % found natural, as the paper does (493
    of the 535 files: the 494th was recorded and rated but not published);
    `download` fetches the files through audb first where they are missing. Raises InputError when one of the 535 is
    missing or unreadable, or when they are not at 16 kHz and 1487.1 s together, unless `allow_partial`.
    """
    if subset not in (None, 535, SUBSET):
        raise InputError(f"corpora/emodb: subset={subset}; use 494 (recognised and natural) or 535 (all)")
    if download not in (False, True, "emodb"):
        raise InputError(f"corpora/emodb: --download={download}; give --download alone, or --corpus=audformat")
    wanted = identifiers()
    if download and len(list((source / "wav").glob("*.wav"))) < len(wanted):
        _download(source)
    problems = Problems("emodb")
    remedy = "names are speaker, sentence, emotion, version, as in 03a01Fa.wav: rename it"
    by_name = by_id(named(wav_files("emodb", source, "wav"), _recording, problems, remedy), problems)
    others = set(by_name) - set(wanted)
    if subset == SUBSET:
        beside = source.parent if source.name == "wav" else source
        wanted = _well_recognised(read_scores(beside / "erkennung.txt"), by_name, problems)
    remedy = "unpack the whole distribution"
    check_files(wanted, by_name, f"files found under {source}", problems, remedy=remedy, suffix=".wav")
    recordings = inspect_all((by_name[name] for name in wanted if name in by_name), problems, AUDIO[subset or 535])
    others -= set(wanted)
    problems.note("files beyond the 535 of the original distribution were passed over", len(others))
    options, classes = {"subset": subset or 535}, published("emodb").classes
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, options=options, allow_partial=allow_partial)


def read_scores(path: Path) -> dict[str, tuple[float, float]]:
    """Read erkennung.txt (latin-1, tabs, decimal commas): file name without `.wav` -> (recognised, natural) in %."""
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


def _well_recognised(scores: dict, by_name: dict[str, Recording], problems: Problems) -> list[str]:
    """The recordings above both thresholds, with a note on those of them that were never published.

    494 of the 816 in erkennung.txt pass, and one of these, 14b09Tb, is not among the 535 published files.
    """
    for name in identifiers():
        if name not in scores:
            problems.add("erkennung.txt", f"has no line for {name}.wav", "copy it again from the distribution")
    passed = [name for name in sorted(scores) if scores[name][0] >= RECOGNISED and scores[name][1] >= NATURAL]
    unpublished = [name for name in passed if name not in identifiers() and name not in by_name]
    if unpublished:
        what = "passes both thresholds of erkennung.txt but is not among the 535 published files"
        problems.note(f"{', '.join(unpublished)} {what}")
    return [name for name in passed if name not in unpublished]


def _recording(path: Path) -> Recording:
    """What a file's name says; ValueError for another name."""
    name = path.stem
    if len(name) != 7:
        raise ValueError(f"{name!r} has {len(name)} characters instead of 7")
    speaker, sentence, letter = name[:2], name[2:5], name[5]
    check_codes(speaker=(speaker, sorted(MEN + WOMEN)), sentence=(sentence, SENTENCES), emotion=(letter, EMOTIONS))
    original, emotion = EMOTIONS[letter]
    return Recording(
        id=name,
        path=str(path),
        speaker=speaker,
        sex="male" if speaker in MEN else "female",
        emotion_original=original,
        emotion=emotion,
        transcript=SENTENCES[sentence],
    )


def _download(source: Path) -> None:
    """Fetch version 1.4.1 through audb; InputError where audb or the network is missing."""
    try:
        import audb
    except ImportError as error:
        raise InputError(
            "corpora/emodb: --download needs the audb package; install it with `pip install 'sejax[download]'`,"
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
