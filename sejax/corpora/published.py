"""The nine corpora of the pseudo-labelling paper: class lists (its section 3) and image counts (its Table 1).

Venkateswaran, Böck, Keßler, Krini: Pseudo-labelling and transfer learning based speech emotion recognition.
"""

from dataclasses import dataclass

from sejax.corpora.problems import Problems
from sejax.errors import InputError


@dataclass(frozen=True)
class Published:
    """What the paper says about one corpus; `samples` is None where section 3 gives no number of utterances."""

    title: str
    classes: tuple[str, ...]
    images: int
    samples: int | None = None


QUADRANTS = ("q1", "q2", "q3", "q4")


def quadrant(valence: float, activation: float) -> str:
    """The quadrant of ratings whose middle is 0: q1 positive and active, q2 positive and passive, q3 negative and
    passive, q4 negative and active; 0 counts as positive and as active.

    The paper takes its quadrants from Schuller et al. (ASRU 2009) and says neither how they are numbered nor where 0
    belongs. The numbers are names: no figure depends on them.
    """
    if valence >= 0:
        return "q1" if activation >= 0 else "q2"
    return "q4" if activation >= 0 else "q3"


PUBLISHED = {
    "abc": Published(
        "Airplane Behaviour Corpus",
        ("aggressive", "cheerful", "intoxicated", "nervous", "neutral", "tired"),
        images=6612,
        samples=431,
    ),
    "avic": Published("Audiovisual Interest Corpus", ("loi1", "loi2", "loi3"), images=19440),
    "des": Published("Danish Emotional Speech", ("anger", "happiness", "neutral", "sadness", "surprise"), images=5004),
    "emodb": Published(
        "Berlin Emotional Speech Database",
        ("anger", "boredom", "disgust", "fear", "joy", "neutral", "sadness"),
        images=3519,
        samples=494,
    ),
    "enterface": Published(
        "eNTERFACE'05", ("anger", "disgust", "fear", "joy", "sadness", "surprise"), images=6099, samples=1277
    ),
    "sal": Published("Belfast Sensitive Artificial Listener", QUADRANTS, images=12177),
    "smartkom": Published(
        "SmartKom",
        ("neutral", "joy", "anger", "helplessness", "pondering", "surprise", "unidentifiable"),
        images=15402,
        samples=3823,
    ),
    "susas": Published(
        "Speech Under Simulated and Actual Stress",
        ("neutral", "medium stress", "high stress", "screaming"),
        images=6285,
        samples=3593,
    ),
    "vam": Published("Vera am Mittag", QUADRANTS, images=5961, samples=946),
}


def published(name: str) -> Published:
    """The paper's entry for a corpus; InputError lists the nine names."""
    if name not in PUBLISHED:
        raise InputError(f"corpora: {name!r} is not one of the paper's corpora; use one of {', '.join(PUBLISHED)}")
    return PUBLISHED[name]


def note_samples(name: str, found: int, problems: Problems) -> None:
    """Note how many utterances were found where the paper has another number of them."""
    theirs = PUBLISHED[name].samples if name in PUBLISHED else None
    if theirs not in (None, found):
        problems.note(f"{found} utterances; the paper has {theirs}")
