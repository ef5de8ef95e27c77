"""A small corpus that can be learned at once: three classes, each a tone of its own in noise, ten speakers.

The blocks are real waveforms that go through the real spectrogram; only their preparation is left out.
"""

import functools
import json
from pathlib import Path

import numpy as np

from sejax.audio.samples import RATE
from sejax.data.blocks.load import BlockSettings, Spectrograms
from sejax.data.blocks.spectrograms import spectrograms as spectrograms_of

CLASSES = ("anger", "boredom", "neutral")
TONES = (500.0, 2000.0, 5000.0)  # Hz
SPEAKERS, BLOCKS_PER_UTTERANCE = 10, 2
SETTINGS = BlockSettings(voice_activity=None, fmax=(8000.0,))


def tone(label: int, *, speaker: int, seconds: float, random: np.random.Generator) -> np.ndarray:
    """int16[seconds * 16000]: the class's tone, a little higher with each speaker, in white noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * TONES[label] * (1 + 0.02 * speaker) * time) + 0.3 * random.normal(size=len(time))
    return np.round(6000 * wave).clip(-32768, 32767).astype(np.int16)


@functools.cache
def waves(utterances: int = 30) -> tuple[np.ndarray, ...]:
    """Utterances of two blocks, int16[32000] each: one of each class by each speaker in turn."""
    random, each = np.random.default_rng(0), len(CLASSES)
    return tuple(
        tone(u % each, speaker=u // each % SPEAKERS, seconds=BLOCKS_PER_UTTERANCE, random=random)
        for u in range(utterances)
    )


@functools.cache
def spectrograms(blocks: int = 60) -> Spectrograms:
    """``blocks`` blocks of 1 s, one image each: utterances of two blocks, one of each class by each speaker in turn."""
    utterances = blocks // BLOCKS_PER_UTTERANCE
    speaker = (np.arange(utterances) // len(CLASSES) % SPEAKERS).astype(np.int32)
    label = (np.arange(utterances) % len(CLASSES)).astype(np.int32)
    samples = np.concatenate(waves(utterances)).reshape(blocks, RATE)
    of_block = np.repeat(np.arange(utterances, dtype=np.int32), BLOCKS_PER_UTTERANCE)
    start = np.tile(np.arange(BLOCKS_PER_UTTERANCE, dtype=np.float64), utterances)
    return Spectrograms(
        spectrogram=spectrograms_of(samples, SETTINGS)[:, 0],
        label=label[of_block],
        utterance=of_block,
        block=np.arange(blocks, dtype=np.int32),
        fmax=np.full(blocks, 8000.0, np.float32),
        start=start,
        end=start + 1.0,
        speaker=speaker[of_block],
        session=np.zeros(blocks, np.int32),
        classes=CLASSES,
        utterance_ids=tuple(f"u{number:03}" for number in range(utterances)),
        utterance_label=label,
        utterance_speaker=speaker,
        speakers=tuple(f"s{number}" for number in range(SPEAKERS)),
        sex=tuple("male" if number % 2 else "female" for number in range(SPEAKERS)),
        sessions=("",),
        corpus="tones",
        settings=SETTINGS.as_dict(),
        counts={},
        folder="",
    )


def write_manifest(folder: Path) -> Path:
    """The recordings that the blocks are cut from, as files, and the manifest that lists them; returns its path."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    rows, made = ["path,id,label,speaker"], spectrograms()
    for name, wave, label, speaker in zip(
        made.utterance_ids, waves(), made.utterance_label, made.utterance_speaker, strict=True
    ):
        soundfile.write(folder / f"{name}.wav", wave, RATE)
        rows.append(f"{name}.wav,{name},{CLASSES[label]},{made.speakers[speaker]}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder / "manifest.csv"


def write_prepared_set(
    data_dir: Path,
    *,
    corpus: str = "tones",
    settings: BlockSettings = SETTINGS,
    blocks: int = 60,
    names: dict[str, str] | None = None,
) -> Path:
    """The same as a prepared set under ``data_dir/corpus``, as ``Spectrograms.load`` reads it.

    ``names`` calls classes otherwise. The spectrograms are those of blocks, whatever the settings say.
    """
    made = spectrograms(blocks)
    folder = Path(data_dir, corpus, "spectrograms-0123456789")
    folder.mkdir(parents=True)
    for name in ("spectrogram", "label", "utterance", "block", "fmax", "start", "end", "speaker", "session"):
        np.save(folder / f"{name}.npy", getattr(made, name))
    fields = ("classes", "utterance_ids", "speakers", "sex", "sessions")
    index = {field: getattr(made, field) for field in fields}
    index["classes"] = [(names or {}).get(label, label) for label in made.classes]
    index |= {name: getattr(made, name).tolist() for name in ("utterance_label", "utterance_speaker")}
    (folder / "index.json").write_text(json.dumps(index))
    about = {"corpus": corpus, "settings": settings.as_dict(), "counts": {}}
    (folder / "settings.json").write_text(json.dumps(about))
    return folder
