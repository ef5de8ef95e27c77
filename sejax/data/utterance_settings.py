"""What a prepared set of whole-utterance spectrograms depends on."""

from dataclasses import asdict, dataclass

from sejax.data.prepared_set import short_hash
from sejax.data.settings import RATE, SCALES
from sejax.errors import InputError

FORMAT = 1  # raise it when the same settings begin to give other values


@dataclass(frozen=True)
class UtteranceSettings:
    """Settings of a preparation; the defaults are those of Chang and Scherer, section 3, as far as it states them.

    It states the window (1024 samples at 16 kHz) and the 128 bands. Its "0 to 11 kHz" cannot be had at 16 kHz; the
    bands cover what there is.

    Attributes:
      scale: "log" (linear frequency axis) or "mel", both in dB.
      bands: frequency bands of a frame.
      fmax: Hz, upper end of the highest band.
      window_length, window_hop: seconds; 1024 and 256 samples. The Fourier transform is as long as the window, or the
        next power of two.
      voice_activity: mode of the detector that finds the spans of utterances without word times, 0 (keeps most) to 3
        (keeps least: what it keeps stands for words); None takes the whole of them.
      frame_ms: frame of the detector, 10, 20 or 30 ms.
    """

    scale: str = "log"
    bands: int = 128
    fmax: float = 8000.0
    window_length: float = 0.064
    window_hop: float = 0.016
    voice_activity: int | None = 3
    frame_ms: int = 30

    def __post_init__(self):
        if self.scale not in SCALES:
            raise InputError(f"settings: scale={self.scale!r}; use one of {', '.join(SCALES)}")
        if self.bands < 1:
            raise InputError(f"settings: bands={self.bands}; use at least 1")
        if not 0 < self.fmax <= RATE / 2:
            raise InputError(f"settings: fmax={self.fmax} Hz; use a frequency above 0 and up to {RATE // 2}")
        if not 0.001 <= self.window_length <= 0.256:
            raise InputError(f"settings: window_length={self.window_length} s; use 0.001 to 0.256 s")
        if not self.window_length / 16 <= self.window_hop <= self.window_length:
            raise InputError(
                f"settings: window_hop={self.window_hop} s; use a sixteenth of the window's {self.window_length} s up"
                " to the whole"
            )
        if self.voice_activity is not None and self.voice_activity not in range(4):
            raise InputError(f"settings: voice_activity={self.voice_activity!r}; use 0, 1, 2, 3 or none")
        if self.frame_ms not in (10, 20, 30):
            raise InputError(f"settings: frame_ms={self.frame_ms}; use 10, 20 or 30")

    def as_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return asdict(self)

    @property
    def spectrogram(self):
        """The `sejax.audio.spectrogram.SpectrogramSettings` of these frames."""
        from sejax.audio.spectrogram import SpectrogramSettings

        samples = round(self.window_length * RATE)
        return SpectrogramSettings(
            scale=self.scale,
            bands=self.bands,
            sample_rate=RATE,
            window_seconds=self.window_length,
            hop_seconds=self.window_hop,
            n_fft=2 ** (samples - 1).bit_length(),
            centred=True,
        )

    def hash(self, utterances: str) -> str:
        """Ten hex digits for these settings, the spectrogram's own, and the utterance set named `utterances`."""
        return short_hash(FORMAT, self.as_dict(), asdict(self.spectrogram), utterances)
