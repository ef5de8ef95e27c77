"""Prepared sets of spectrograms of blocks: what they depend on, and how one is read or found (numpy is enough)."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from sejax.audio.samples import RATE
from sejax.audio.voice_activity import frames_of, mode_of
from sejax.data.store.sets import (
    SCALES,
    ExampleSet,
    check_settings,
    find_set,
    level_rule,
    listed,
    voice_rules,
    with_level,
)
from sejax.errors import InputError


@dataclass(frozen=True)
class BlockSettings:
    """Settings of a preparation; the defaults are those of the pseudo-labelling paper, section 4.1.

    `chunks` gives those of the four-network comparison (Kapoor and Kumar, section 3).

    Attributes:
      scale: "log" (linear frequency axis) or "mel", both in dB.
      voice_activity: WebRTC's detector in a mode, 0 (keeps most) to 3, "silero", or None to keep everything.
      frame_ms: frame of the detector, of WebRTC's 10, 20 or 30 ms (where it is not given), of Silero's 32 ms.
      block_length: seconds.
      block_overlap: seconds that consecutive blocks share; what is left after the last whole block is dropped.
      fmax: Hz; every block gives one image for each.
      bands: frequency bands of an image.
      window_length, window_hop: seconds, of the Fourier transform inside a block.
      level: what recordings are brought to before all else, of `sejax.audio.level.LEVELS`; "none": left as they are.
    """

    scale: str = "log"
    voice_activity: int | str | None = 0
    frame_ms: int | None = None
    block_length: float = 1.0
    block_overlap: float = 0.01
    fmax: tuple[float, ...] = (7000.0, 7500.0, 8000.0)
    bands: int = 64
    window_length: float = 0.025
    window_hop: float = 0.0125
    level: str = "none"

    def __post_init__(self):
        object.__setattr__(self, "fmax", tuple(float(fmax) for fmax in self.fmax))
        if self.frame_ms is None:
            object.__setattr__(self, "frame_ms", frames_of(self.voice_activity)[-1])
        block, window = self.block_length, self.window_length
        check_settings(
            ("scale", self.scale, self.scale in SCALES, "", f"one of {', '.join(SCALES)}"),
            *voice_rules(self.voice_activity, self.frame_ms),
            ("block_length", block, 0.01 <= block <= 60, " s", "0.01 to 60 s"),
            (
                *("block_overlap", self.block_overlap, 0 <= self.block_overlap < block, " s"),
                f"at least 0 and less than the block's {block} s",
            ),
            (
                *("fmax", self.fmax, bool(self.fmax) and all(0 < fmax <= RATE / 2 for fmax in self.fmax), " Hz"),
                f"frequencies above 0 and up to {RATE // 2}",
            ),
        )
        if len(set(self.fmax)) != len(self.fmax):
            raise InputError(f"settings: fmax={self.fmax} names a frequency twice; name each once")
        check_settings(
            ("bands", self.bands, 1 <= self.bands <= 4096, "", "1 to 4096"),
            ("window_length", window, 0 < window <= block, " s", f"above 0 and up to the block's {block} s"),
            (
                *("window_hop", self.window_hop, 1 / RATE <= self.window_hop <= window, " s"),
                f"at least one sample and up to the window's {window} s",
            ),
            level_rule(self.level),
        )

    @classmethod
    def chunks(cls, **changes) -> "BlockSettings":
        """Voiced chunks of 30 ms, each one image: 5 ms windows, 1 ms apart (the paper states neither), up to 8 kHz.

        The detector's strictest mode, whose frame is one chunk, stands for "the voiced part of speech".
        """
        defaults = {"voice_activity": 3, "block_length": 0.03, "block_overlap": 0.0, "fmax": (8000.0,)}
        return cls(**defaults | {"window_length": 0.005, "window_hop": 0.001} | changes)

    @classmethod
    def from_dict(cls, values: dict) -> "BlockSettings":
        """Settings from what `as_dict` gave, as read back from JSON."""
        return cls(**values | {"fmax": tuple(values["fmax"])})

    def as_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return with_level(asdict(self) | {"fmax": list(self.fmax)}, self.level)

    @property
    def block_samples(self) -> int:
        """Length of a block in samples at 16 kHz."""
        return round(self.block_length * RATE)

    @property
    def overlap_samples(self) -> int:
        """Overlap of two blocks in samples at 16 kHz."""
        return round(self.block_overlap * RATE)

    @property
    def spectrogram(self):
        """The `sejax.audio.spectrogram.SpectrogramSettings` of these images."""
        from sejax.audio.spectrogram import SpectrogramSettings

        return SpectrogramSettings(
            scale=self.scale,
            bands=self.bands,
            sample_rate=RATE,
            window_seconds=self.window_length,
            hop_seconds=self.window_hop,
        )


# What `sejax prepare` can make of blocks, by name.
FEATURES = {"spectrograms": BlockSettings, "chunks": BlockSettings.chunks}


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrograms(ExampleSet):
    """A prepared set: I images of U utterances, in the order utterance, block, maximum frequency.

    `block` is the number of the block in the whole set: the images of one block share it. `settings` are as
    `BlockSettings.as_dict`.

    Attributes:
      spectrogram: f32[I, bands, frames] in dB, low bands first; memory-mapped.
      fmax: f32[I], Hz.
      start, end: f64[I], seconds of the block in the original recording; where voice activity detection cut frames out
        inside a block, they lie further apart than the block is long.
      utterance_speaker: i32[U].
    """

    KIND: ClassVar[str] = "spectrograms"
    LARGE: ClassVar[str] = "spectrogram"

    spectrogram: np.ndarray
    fmax: np.ndarray
    start: np.ndarray
    end: np.ndarray
    utterance_speaker: np.ndarray

    @classmethod
    def _hint(cls, folder: Path) -> str:
        """Name the sets below a folder that is not a set itself."""
        below = sorted(str(path.parent) for path in folder.glob("**/spectrograms-*/settings.json"))[:5]
        return f", or pass one of {', '.join(below)}" if below else ""

    def _damage(self) -> str:
        images, labels = len(self.spectrogram), len(self.label)
        return f"{images} spectrograms and {labels} labels" if images != labels else ""

    def _content(self) -> list[str]:
        """What was kept, blocks, and images beside the paper's count."""
        counts = self.counts
        kept, published, without = counts["seconds_kept"], counts["published_images"], counts["without_block"]
        each = ", ".join(f"{label} {share:.1%}" for label, share in counts.get("kept_of_label", {}).items())
        beside = ""
        if published:
            beside = f" (the paper's Table 1: {published}, {counts['images'] / published - 1:+.1%})"
        return [
            f"audio       {counts['seconds']:.1f} s, kept {kept:.1f} s ({kept / counts['seconds']:.1%})",
            *([f"kept of     {each}"] if each else []),
            f"blocks      {counts['blocks']}",
            f"images      {counts['images']}{beside}",
            f"no block    {listed(without, more='utterances.csv')}",
        ]


def find_blocks(
    data_dir: str | Path,
    corpus: str,
    *,
    scale: str,
    voice_activity: str,
    features: str = "spectrograms",
    level: str = "none",
) -> Spectrograms:
    """The finished set of a corpus with these settings.

    Args:
      data_dir: as given to `sejax prepare`.
      corpus: its name.
      scale: "log" or "mel".
      voice_activity: "0" to "3", "silero", or "none".
      features: "spectrograms" (blocks of 1 s) or "chunks" (of 30 ms), see `FEATURES`.
      level: what recordings were brought to.

    Raises:
      InputError: no such set (the command that makes it is named), or several that differ in settings
        not named here.
    """
    asked = f"corpus={corpus}, features={features}, scale={scale}, voice_activity={voice_activity}, level={level}"
    given = "" if features == "spectrograms" else f"--features={features} "
    return find_set(
        Spectrograms,
        data_dir,
        corpus,
        features="spectrograms",
        wanted={
            "scale": scale,
            "voice_activity": mode_of(voice_activity),
            "block_length": FEATURES[features]().block_length,
            "level": level,
        },
        flags=f"{given}--level={level} --scale={scale} --voice_activity={voice_activity}",
        missing=f"no prepared set for {asked} under {data_dir}; make it",
        several=f"fit {asked}",
    )
