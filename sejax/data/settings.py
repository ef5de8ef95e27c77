"""What a prepared set of spectrograms depends on."""

import hashlib
import json
from dataclasses import asdict, dataclass

from sejax.errors import InputError

RATE = 16000  # Hz
SCALES = ("log", "mel")
FORMAT = 1  # raise it when the same settings begin to give other values


@dataclass(frozen=True)
class Settings:
    """Settings of a preparation; the defaults are those of the pseudo-labelling paper, section 4.1.

    Attributes:
      scale: "log" (linear frequency axis) or "mel", both in dB.
      voice_activity: mode of the detector, 0 (keeps most) to 3, or None to keep everything.
      frame_ms: frame of the detector, 10, 20 or 30 ms.
      block_length: seconds.
      block_overlap: seconds that consecutive blocks share; what is left after the last whole block is dropped.
      fmax: Hz; every block gives one image for each.
      bands: frequency bands of an image.
    """

    scale: str = "log"
    voice_activity: int | None = 0
    frame_ms: int = 30
    block_length: float = 1.0
    block_overlap: float = 0.01
    fmax: tuple[float, ...] = (7000.0, 7500.0, 8000.0)
    bands: int = 64

    def __post_init__(self):
        object.__setattr__(self, "fmax", tuple(float(fmax) for fmax in self.fmax))
        if self.scale not in SCALES:
            raise InputError(f"settings: scale={self.scale!r}; use one of {', '.join(SCALES)}")
        if self.voice_activity is not None and self.voice_activity not in range(4):
            raise InputError(f"settings: voice_activity={self.voice_activity!r}; use 0, 1, 2, 3 or none")
        if self.frame_ms not in (10, 20, 30):
            raise InputError(f"settings: frame_ms={self.frame_ms}; use 10, 20 or 30")
        if not 0.05 <= self.block_length <= 60:
            raise InputError(f"settings: block_length={self.block_length} s; use 0.05 to 60 s")
        if not 0 <= self.block_overlap < self.block_length:
            raise InputError(
                f"settings: block_overlap={self.block_overlap} s; use at least 0 and less than the block's"
                f" {self.block_length} s"
            )
        if not self.fmax or not all(0 < fmax <= RATE / 2 for fmax in self.fmax):
            raise InputError(f"settings: fmax={self.fmax} Hz; use frequencies above 0 and up to {RATE // 2}")
        if len(set(self.fmax)) != len(self.fmax):
            raise InputError(f"settings: fmax={self.fmax} names a frequency twice; name each once")
        if self.bands < 1:
            raise InputError(f"settings: bands={self.bands}; use at least 1")

    @classmethod
    def from_dict(cls, values: dict) -> "Settings":
        """Settings from what `as_dict` gave, as read back from JSON."""
        return cls(**values | {"fmax": tuple(values["fmax"])})

    def as_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return asdict(self) | {"fmax": list(self.fmax)}

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

        return SpectrogramSettings(scale=self.scale, bands=self.bands, sample_rate=RATE)

    def hash(self, utterances: str) -> str:
        """Ten hex digits for these settings, the spectrogram's own, and the utterance set named `utterances`."""
        values = [FORMAT, self.as_dict(), asdict(self.spectrogram), utterances]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]
