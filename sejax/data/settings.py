"""What a prepared set of spectrograms depends on."""

from dataclasses import asdict, dataclass

from sejax.data.prepared_set import short_hash
from sejax.errors import InputError

RATE = 16000  # Hz
SCALES = ("log", "mel")
FORMAT = 1  # raise it when the same settings begin to give other values


@dataclass(frozen=True)
class Settings:
    """Settings of a preparation; the defaults are those of the pseudo-labelling paper, section 4.1.

    `chunks` gives those of the four-network comparison (Kapoor and Kumar, section 3).

    Attributes:
      scale: "log" (linear frequency axis) or "mel", both in dB.
      voice_activity: mode of the detector, 0 (keeps most) to 3, or None to keep everything.
      frame_ms: frame of the detector, 10, 20 or 30 ms.
      block_length: seconds.
      block_overlap: seconds that consecutive blocks share; what is left after the last whole block is dropped.
      fmax: Hz; every block gives one image for each.
      bands: frequency bands of an image.
      window_length, window_hop: seconds, of the Fourier transform inside a block.
    """

    scale: str = "log"
    voice_activity: int | None = 0
    frame_ms: int = 30
    block_length: float = 1.0
    block_overlap: float = 0.01
    fmax: tuple[float, ...] = (7000.0, 7500.0, 8000.0)
    bands: int = 64
    window_length: float = 0.025
    window_hop: float = 0.0125

    def __post_init__(self):
        object.__setattr__(self, "fmax", tuple(float(fmax) for fmax in self.fmax))
        if self.scale not in SCALES:
            raise InputError(f"settings: scale={self.scale!r}; use one of {', '.join(SCALES)}")
        if self.voice_activity is not None and self.voice_activity not in range(4):
            raise InputError(f"settings: voice_activity={self.voice_activity!r}; use 0, 1, 2, 3 or none")
        if self.frame_ms not in (10, 20, 30):
            raise InputError(f"settings: frame_ms={self.frame_ms}; use 10, 20 or 30")
        if not 0.01 <= self.block_length <= 60:
            raise InputError(f"settings: block_length={self.block_length} s; use 0.01 to 60 s")
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
        if not 0 < self.window_length <= self.block_length:
            raise InputError(
                f"settings: window_length={self.window_length} s; use above 0 and up to the block's"
                f" {self.block_length} s"
            )
        if not 1 / RATE <= self.window_hop <= self.window_length:
            raise InputError(
                f"settings: window_hop={self.window_hop} s; use at least one sample and up to the window's"
                f" {self.window_length} s"
            )

    @classmethod
    def chunks(cls, **changes) -> "Settings":
        """Voiced chunks of 30 ms, each one image: 5 ms windows, 1 ms apart (the paper states neither), up to 8 kHz.

        The detector's strictest mode, whose frame is one chunk, stands for "the voiced part of speech".
        """
        defaults = {"voice_activity": 3, "block_length": 0.03, "block_overlap": 0.0, "fmax": (8000.0,)}
        return cls(**defaults | {"window_length": 0.005, "window_hop": 0.001} | changes)

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

        return SpectrogramSettings(
            scale=self.scale,
            bands=self.bands,
            sample_rate=RATE,
            window_seconds=self.window_length,
            hop_seconds=self.window_hop,
        )

    def hash(self, utterances: str) -> str:
        """Ten hex digits for these settings, the spectrogram's own, and the utterance set named `utterances`."""
        return short_hash(FORMAT, self.as_dict(), asdict(self.spectrogram), utterances)


# What launch/prepare.py can make, by name.
FEATURES = {"spectrograms": Settings, "chunks": Settings.chunks}
