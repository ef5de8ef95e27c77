"""ESD: 35,000 recordings of 350 sentences by twenty speakers in five emotions, in two languages (Zhou et al. 2021).

Layout: `0011/Angry/train/0011_000351.wav` = speaker, emotion, part, number; the other parts are `evaluation` and
`test`, and mirrors have no parts. `0011/0011.txt` says number, text and emotion, behind tabs or, in some lines, spaces;
speakers 1 to 10 speak Mandarin, and their emotions are written in it. These files are in UTF-16, GB 2312 (of some
English speakers too), UTF-8 or Latin-1.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sejax.corpora.corpus import About, Corpus, Recording
from sejax.corpora.folder import Audio, by_id, check_codes, check_counts, inspect_all, named, unpacked, wav_files
from sejax.corpora.problems import Problems
from sejax.errors import InputError

EMOTIONS = {  # as the folders are called, as texts in Mandarin have it: our class
    "Angry": ("生气", "anger"),
    "Happy": ("快乐", "happiness"),
    "Neutral": ("中立", "neutral"),
    "Sad": ("伤心", "sadness"),
    "Surprise": ("惊喜", "surprise"),
}
SPEAKERS = {  # their sex
    "mandarin": {f"{n:04}": "male" if n in (4, 5, 6, 8, 10) else "female" for n in range(1, 11)},
    "english": {f"{n:04}": "male" if n in (11, 12, 13, 14, 20) else "female" for n in range(11, 21)},
}
EACH = 350  # of each speaker and emotion
PARTS = {"train": "train", "evaluation": "valid", "test": "test"}  # folders: our word
AUDIO = Audio(16000)
_NAME = re.compile(r"(\d{4})_\d{6}")
_EMOTION = {name: folder for folder, (mandarin, _) in EMOTIONS.items() for name in (folder, mandarin)}
_LINE = re.compile(rf"(\d{{4}}_\d{{6}})\s+(.*?)(?:\s+({'|'.join(_EMOTION)}))?\s*")

ABOUT = About(
    description="Emotional Speech Database, Mandarin and English.",
    citation=(
        "K. Zhou, B. Sisman, R. Liu, H. Li: Seen and Unseen Emotional Style Transfer for Voice Conversion with a New"
        " Emotional Speech Dataset. Proc. ICASSP 2021, pp. 920-924."
    ),
    licence="for research only",
)


def open_corpus(source: Path, *, part: str | Sequence[str] = tuple(SPEAKERS), allow_partial: bool = False) -> Corpus:
    """Look through `part` (mandarin, english or both) of the corpus under `source`, at any depth.

    Raises InputError unless there are 350 usable recordings at 16 kHz of each speaker and emotion, and every speaker's
    text; `allow_partial` goes on with what is there.
    """
    languages = (part,) if isinstance(part, str) else tuple(part)
    if not languages or set(languages) - set(SPEAKERS):
        raise InputError(f"corpora/esd: part={','.join(languages)}; use mandarin, english or both")
    problems = Problems("esd")
    files = wav_files("esd", source, pattern="**/*")
    sexes = {speaker: sex for language in languages for speaker, sex in SPEAKERS[language].items()}
    others = {speaker for speakers in SPEAKERS.values() for speaker in speakers} - set(sexes)
    wanted = [path for path in files if path.name[:4] not in others]
    problems.note("files of the other language were passed over", len(files) - len(wanted))
    texts = _texts(source, sexes, problems)

    def recording(path: Path) -> Recording:
        match = _NAME.fullmatch(path.stem)
        if not match:
            raise ValueError(f"{path.stem!r} is not speaker, number")
        folders = path.relative_to(source).parts[:-1]
        emotion = next((folder for folder in reversed(folders) if folder in EMOTIONS), "")
        check_codes(speaker=(match[1], sexes), folder=(emotion, EMOTIONS))
        transcript, said = texts.get(path.stem, ("", ""))
        problems.note("lines of texts give another emotion than the folder, which counts", said not in ("", emotion))
        problems.note("recordings have no line of text", not transcript)
        split = PARTS.get(path.parent.name, "")
        problems.note("recordings lie in no folder of train, evaluation or test: no split of their own", not split)
        return Recording(
            id=path.stem,
            path=str(path),
            speaker=match[1],
            sex=sexes[match[1]],
            emotion_original=emotion,
            emotion=EMOTIONS[emotion][1],
            transcript=transcript,
            split=split,
        )

    remedy = "files are speaker, number, as in 0011/Angry/train/0011_000351.wav: rename it"
    by_name = by_id(named(wanted, recording, problems, remedy), problems)
    found = Counter(f"{item.emotion_original} of {item.speaker}" for item in by_name.values())
    published = {f"{emotion} of {speaker}": EACH for speaker in sexes for emotion in EMOTIONS}
    check_counts(source, found, published, problems, remedy="unpack the whole distribution")
    recordings = inspect_all((by_name[name] for name in sorted(by_name)), problems, AUDIO)
    classes, options = tuple(ours for _, ours in EMOTIONS.values()), {"part": list(languages)}
    return Corpus.checked(problems, recordings, ABOUT, classes=classes, options=options, allow_partial=allow_partial)


def _texts(source: Path, speakers, problems: Problems) -> dict[str, tuple[str, str]]:
    """Text and emotion (its folder's name, or "") of every line of the speakers' files, by id."""
    texts: dict[str, tuple[str, str]] = {}
    found = {path.stem: path for path in unpacked("esd", source).glob("**/*.txt") if path.stem in speakers}
    for speaker in speakers:
        if speaker not in found:
            problems.add(f"{speaker}.txt", f"not found under {source}", "unpack the whole distribution")
            continue
        chinese = "gb18030" if speaker in SPEAKERS["mandarin"] else "gb2312"
        for line in filter(None, map(str.strip, _decoded(found[speaker].read_bytes(), chinese).splitlines())):
            if match := _LINE.fullmatch(line):
                texts[match[1]] = match[2], _EMOTION.get(match[3], "")
            else:
                problems.note("lines of texts are not number, text, emotion, and were passed over", 1)
    return texts


def _decoded(data: bytes, chinese: str) -> str:
    """A text in whichever of the corpus's encodings it is; `chinese`: the one that is tried for Chinese signs.

    GB 18030 has all of them, but takes some words with accents in Latin-1 for such signs, which GB 2312 never does.
    """
    if b"\0" in data:  # every second byte of a letter of the Latin alphabet, and of the numbers
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le", "replace")
    for encoding in ("utf-8-sig", chinese):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
