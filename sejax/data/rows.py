"""What every preparation notes of an utterance; each kind of set adds what it needs."""

from dataclasses import asdict, dataclass, fields
from typing import Self

from sejax.corpora.utterance import Utterance


@dataclass(frozen=True)
class Row:
    """Who said an utterance, with which emotion ("" = unlabelled), and its duration in seconds."""

    id: str
    speaker: str
    sex: str
    session: str
    emotion: str
    seconds: float

    @classmethod
    def of(cls, utterance: Utterance, **more) -> Self:
        """The row of an utterance; `more`: what the class adds."""
        known = {field.name: getattr(utterance, field.name) for field in fields(Row)}
        return cls(**known | {"seconds": len(utterance.waveform) / utterance.rate} | more)

    def as_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return asdict(self)
