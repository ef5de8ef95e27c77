"""Synthetic emotional speech by eSpeak NG: for trying programs out, with nothing to download.

It says nothing about human emotion: the "emotions" are settings of a synthesiser chosen in this file (rate, pitch,
range, volume and words), the "raters" are random numbers around them. A figure reached on it shows that a program
works, never that a method does.

Ten speakers (voice variants) in five sessions of a woman and a man; four emotions; ratings of valence, activation and
dominance from 1 to 5 by three simulated raters; transcripts and word times. The same seed gives the same bytes.
"""

import functools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sejax.audio.samples import RATE, to_int16
from sejax.corpora.corpus import About, Corpus, Recording, Utterance, Word, with_waveform
from sejax.corpora.espeak import Prosody, speak
from sejax.errors import InputError, needs

SHARED = (
    "The train to the coast leaves from platform seven at noon.",
    "We put the boxes in the kitchen beside the green door.",
    "She told me that the meeting was moved to Thursday morning.",
    "There are two letters for you on the table in the hall.",
    "He walked along the river until he reached the old bridge.",
    "They are going to paint the upper windows of the house again.",
    "I will call the office and ask about the papers tomorrow.",
    "The children took their bicycles and went down to the lake.",
)

SENTENCES = {
    "anger": (
        "Stop lying to me, I have had enough of your stupid excuses!",
        "How dare you read my private letters without even asking me!",
        "Get out of my house right now and never come back here!",
        "This is outrageous, you broke it again and you blame me for it!",
        "I am sick and tired of waiting for you every single day!",
        "Shut up and listen, this is your fault and nobody else's!",
        "You cheated me, and I want every penny of my money back!",
        "I hate the way you shout at people who cannot fight back!",
    ),
    "happiness": (
        "This is wonderful news, we are going to have a baby!",
        "I passed the exam and I got the best mark of all, fantastic!",
        "What a beautiful morning, let us all go dancing in the park!",
        "We won the game, I love this team and I am so happy!",
        "Thank you so much, this is the best present I ever got!",
        "I am so glad to see you, it is going to be a great party!",
        "They said yes, we can move into our lovely new home in May!",
        "Look at that, the puppies are playing and laughing with the kids!",
    ),
    "neutral": (
        "The report has eleven pages and a short table at the end.",
        "Please write your name and the date on the first line.",
        "The shop opens at nine and closes at half past six.",
        "Turn left at the second crossing and follow the main road.",
        "The blue folder holds the list of rooms and their numbers.",
        "This machine needs a new filter about every three months.",
        "The bus stops in front of the library and the town hall.",
        "Add a cup of water and stir it for about two minutes.",
    ),
    "sadness": (
        "I miss my mother so much, the house is empty without her.",
        "He died last winter, and I never said goodbye to him.",
        "I lost everything I had, and nobody is left to help me.",
        "I cried all night because she is never coming home again.",
        "It hurts to remember how lonely those last years were.",
        "We buried the old dog under the tree, and I still grieve.",
        "I failed again, I am sorry, I am just so tired of it all.",
        "They left without a word, and my heart is broken.",
    ),
}


MOST_REPEATS = 10_000
CLASSES = ("anger", "happiness", "neutral", "sadness")
RATERS = 3


@dataclass(frozen=True)
class Speaker:
    """A voice variant of eSpeak and its habits: words per minute and pitch (0 to 100)."""

    name: str
    sex: str
    session: str
    voice: str
    rate: int
    pitch: int


SPEAKERS = (
    Speaker("01", "female", "1", "en-us+f1", 172, 52),
    Speaker("02", "male", "1", "en-us+m1", 166, 46),
    Speaker("03", "female", "2", "en-gb-x-rp+f2", 180, 58),
    Speaker("04", "male", "2", "en-gb-x-rp+m2", 174, 40),
    Speaker("05", "female", "3", "en-us+f3", 160, 48),
    Speaker("06", "male", "3", "en-us+m3", 182, 52),
    Speaker("07", "female", "4", "en-gb-x-rp+f4", 168, 44),
    Speaker("08", "male", "4", "en-gb-x-rp+m4", 158, 48),
    Speaker("09", "female", "5", "en-us+f5", 184, 54),
    Speaker("10", "male", "5", "en-us+m7", 170, 42),
)


@dataclass(frozen=True)
class Manner:
    """An emotion as this corpus means it: factors and offsets on the speaker's habits, and ratings around a centre."""

    rate: float
    pitch: int
    range: int
    volume: int
    valence: float
    activation: float
    dominance: float


MANNERS = {
    "anger": Manner(rate=1.20, pitch=8, range=75, volume=130, valence=1.8, activation=4.3, dominance=4.2),
    "happiness": Manner(rate=1.10, pitch=20, range=95, volume=112, valence=4.3, activation=3.8, dominance=3.5),
    "neutral": Manner(rate=1.00, pitch=0, range=45, volume=100, valence=3.0, activation=2.7, dominance=3.0),
    "sadness": Manner(rate=0.80, pitch=-12, range=15, volume=65, valence=1.9, activation=1.7, dominance=1.9),
}

ABOUT = About(
    description=(
        "Synthetic speech by eSpeak NG whose emotions are settings of the synthesiser: for testing programs. It says"
        " nothing about human emotion."
    ),
    licence="generated; no rights are claimed",
)


def open_corpus(source: Path, *, seed: int = 0, repeats: int = 6) -> Corpus:
    """Plan the corpus: 10 speakers x 4 emotions x `repeats` utterances (240 by default), spoken when they are read.

    Half of the utterances use a sentence of their emotion, the others one that all emotions share. `source` is not
    used. Raises InputError for `repeats` below 1 or above `MOST_REPEATS`, or a seed below 0.
    """
    if not 1 <= repeats <= MOST_REPEATS or seed < 0:
        raise InputError(
            f"corpora/synthetic: repeats={repeats}, seed={seed}; use 1 to {MOST_REPEATS} and at least 0"
        )
    plans = dict(_plans(seed, repeats))
    return Corpus(
        name="synthetic",
        classes=CLASSES,
        recordings=tuple(recording for recording, _, _ in plans.values()),
        options={name: [voice, asdict(prosody)] for name, (_, voice, prosody) in plans.items()},
        about=ABOUT,
        decode=functools.partial(_decode, plans),
    )


def _plans(seed: int, repeats: int) -> Iterator[tuple[str, tuple[Recording, str, Prosody]]]:
    for speaker in SPEAKERS:
        for emotion in CLASSES:
            # A stream of its own for each speaker and emotion: more repeats leave the first ones as they are.
            random = np.random.default_rng([seed, int(speaker.name), CLASSES.index(emotion)])
            for repeat in range(repeats):
                name = f"{speaker.name}_{emotion}_{repeat:02}"
                own = SENTENCES[emotion] if repeat % 2 == 0 else SHARED
                text = own[int(random.integers(len(own)))]
                recording = _rated(name, speaker, emotion, text, random)
                yield name, (recording, speaker.voice, _prosody(speaker, emotion, random))


def _prosody(speaker: Speaker, emotion: str, random: np.random.Generator) -> Prosody:
    manner = MANNERS[emotion]
    return Prosody(
        rate=int(np.clip(speaker.rate * manner.rate * random.normal(1, 0.06), 90, 320)),
        pitch=int(np.clip(speaker.pitch + manner.pitch + random.normal(0, 4), 5, 95)),
        range=int(np.clip(manner.range + random.normal(0, 8), 0, 100)),
        volume=int(np.clip(manner.volume * random.normal(1, 0.08), 40, 145)),
    )


def _rated(name: str, speaker: Speaker, emotion: str, text: str, random: np.random.Generator) -> Recording:
    """Three raters give whole points from 1 to 5 and a label; the ratings kept are their means."""
    manner = MANNERS[emotion]
    centre = np.array([manner.valence, manner.activation, manner.dominance]) + random.normal(0, 0.3, 3)
    points = np.clip(np.rint(centre + random.normal(0, 0.5, (RATERS, 3))), 1, 5)
    labels = [emotion if random.random() < 0.85 else str(random.choice(CLASSES)) for _ in range(RATERS)]
    valence, activation, dominance = points.mean(axis=0).tolist()
    return Recording(
        id=name,
        seconds=46 * len(text.split()) / (speaker.rate * manner.rate),  # about; the synthesiser decides
        speaker=speaker.name,
        sex=speaker.sex,
        session=speaker.session,
        emotion_original=emotion,
        emotion=emotion,
        rater_labels=tuple(labels),
        valence=valence,
        activation=activation,
        dominance=dominance,
        transcript=text,
    )


def _decode(plans: dict, recording: Recording) -> Utterance:
    """Speak one utterance: int16 at 16 kHz with word times in seconds."""
    with needs("data"):
        import soxr

    _, voice, prosody = plans[recording.id]
    waveform, rate, words = speak(recording.transcript, voice, prosody)
    waveform = to_int16(soxr.resample(waveform.astype(np.float32) / 32768.0, rate, RATE))
    seconds = len(waveform) / RATE
    words = tuple(Word(word.text, word.start, min(word.end, seconds)) for word in words)
    return with_waveform(recording, waveform, RATE, words=words, seconds=seconds)
