"""Prepared sets of whole-utterance spectrograms with ratings and word times: what they depend on, and how one is read.

Reading needs numpy alone.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from sejax.audio.samples import RATE
from sejax.audio.voice_activity import frames_of
from sejax.data.store.sets import (
    SCALES,
    UtteranceSet,
    check_settings,
    find_utterances,
    level_rule,
    voice_rules,
    with_level,
)


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
      voice_activity: the detector that finds the spans of utterances without word times: WebRTC's in a mode, 0 (keeps
        most) to 3 (keeps least: what it keeps stands for words), or "silero"; None takes the whole of them.
      frame_ms: frame of the detector, of WebRTC's 10, 20 or 30 ms (where it is not given), of Silero's 32 ms.
      level: what recordings are brought to before all else, of `sejax.audio.level.LEVELS`; "none": left as they are.
    """

    scale: str = "log"
    bands: int = 128
    fmax: float = 8000.0
    window_length: float = 0.064
    window_hop: float = 0.016
    voice_activity: int | str | None = 3
    frame_ms: int | None = None
    level: str = "none"

    def __post_init__(self):
        if self.frame_ms is None:
            object.__setattr__(self, "frame_ms", frames_of(self.voice_activity)[-1])
        window, hop = self.window_length, self.window_hop
        check_settings(
            ("scale", self.scale, self.scale in SCALES, "", f"one of {', '.join(SCALES)}"),
            ("bands", self.bands, 1 <= self.bands <= 4096, "", "1 to 4096"),
            ("fmax", self.fmax, 0 < self.fmax <= RATE / 2, " Hz", f"a frequency above 0 and up to {RATE // 2}"),
            ("window_length", window, 0.001 <= window <= 0.256, " s", "0.001 to 0.256 s"),
            (
                *("window_hop", hop, window / 16 <= hop <= window, " s"),
                f"a sixteenth of the window's {window} s up to the whole",
            ),
            *voice_rules(self.voice_activity, self.frame_ms),
            level_rule(self.level),
        )

    def as_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return with_level(asdict(self), self.level)

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


@dataclass(frozen=True, eq=False, kw_only=True)
class UtteranceSpectrograms(UtteranceSet):
    """A prepared set: U utterances one after the other, T frames in all. `settings` as `UtteranceSettings.as_dict`.

    Attributes:
      frames: f16[T, bands] in dB, low bands first; memory-mapped. Frame t of an utterance is centred on its second
        t * window_hop.
      offset: i64[U + 1]; utterance u is frames[offset[u] : offset[u + 1]], at least one frame.
      maximum: f32[U], the highest dB of each utterance.
      span_start, span_end: f32[S], in frames from the utterance's start (seconds / window_hop): its words, or its
        voiced stretches where it has no word times, or the whole of it where nothing is voiced either.
      span_offset: i32[U + 1]; the spans of utterance u are span_offset[u] : span_offset[u + 1], at least one.
      aligned: bool[U], True where the spans are words.
      valence, activation, dominance: f32[U] on the corpus's own scale, nan where not rated.
    """

    KIND: ClassVar[str] = "utterance spectrograms"
    LARGE: ClassVar[str] = "frames"
    MADE_AS: ClassVar[str] = "utterance_spectrograms"
    EDGES: ClassVar[tuple[str, ...]] = ("offset", "span_offset")

    frames: np.ndarray
    offset: np.ndarray
    maximum: np.ndarray
    span_start: np.ndarray
    span_end: np.ndarray
    span_offset: np.ndarray
    aligned: np.ndarray
    valence: np.ndarray
    activation: np.ndarray
    dominance: np.ndarray

    def _damage(self) -> str:
        frames, offset, utterances = self.frames, self.offset, len(self.label)
        if len(offset) != utterances + 1 or offset[-1] != len(frames):
            return f"{len(frames)} frames of {utterances} utterances, which should have {offset[-1]}"
        return ""

    def _content(self) -> list[str]:
        """Frames, the ratings and word times."""
        counts, spans = self.counts, self.counts["spans"]
        rated = [(name, limits) for name, limits in counts["ranges"].items() if limits]
        ranges = [f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in rated]
        return [
            f"audio       {counts['seconds']:.1f} s",
            f"frames      {counts['frames']} of {self.settings['bands']} bands, {self.settings['scale']}",
            f"rated       {counts['rated']} utterances{': ' if ranges else ''}{', '.join(ranges)}",
            f"word times  {spans['words']} utterances, {counts['words']} words; voiced stretches instead for"
            f" {spans['voiced']}, the whole of {spans['whole']}",
        ]


def find_utterance_spectrograms(
    data_dir: str | Path, corpus: str, *, scale: str = "log", level: str = "none", word_times: str = "note"
) -> UtteranceSpectrograms:
    """The finished set of whole-utterance spectrograms of a corpus.

    Args:
      data_dir: as given to `sejax prepare`.
      corpus: its name.
      scale: "log" or "mel".
      level: what recordings were brought to.
      word_times: the rule of `sejax.data.store.sets.WORD_TIMES`, for corpora with such.

    Raises:
      InputError: no such set (the command that makes it is named), or several that differ in other settings.
    """
    return find_utterances(UtteranceSpectrograms, data_dir, corpus, scale=scale, level=level, word_times=word_times)
