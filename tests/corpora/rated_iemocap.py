"""A tree of IEMOCAP in its original format whose ratings can be heard and whose words go with the emotions.

Three sessions, twelve turns in each.
"""

from pathlib import Path

import numpy as np
from trees import write_text, write_wav

RATE, SECONDS, WORD = 16000, 0.6, (0.1, 0.5)
SESSIONS = (1, 2, 3)
# Valence and activation by two raters, for each turn of a speaker: whole means and perfect splits.
RATINGS = (((1, 1), (4, 4)), ((2, 1), (2, 3)), ((3, 3), (1, 2)), ((3, 4), (3, 3)), ((5, 4), (5, 4)), ((5, 5), (2, 2)))
CODES = ("ang", "sad", "xxx", "neu", "exc", "hap")
# What a woman and a man say in each turn: every emotion has words of its own, and shares others.
SAID = (
    {"F": "Why don't you ever listen?", "M": "Don't you shout, I hate it!"},
    {"F": "I miss her so much.", "M": "I miss them, [BREATHING] I'm sorry."},
    {"F": "Okay, so?", "M": "[GARBAGE] Yes."},
    {"F": "The forms are on the table.", "M": "Um, the office is on the left."},
    {"F": "[LAUGHTER] That's wonderful!", "M": "Oh, [LAUGHTER] so wonderful."},
    {"F": "Oh, that's great.", "M": "So great, I love it!"},
)
UNTOUCHED = "Ses03F_impro01_M005"  # one rater left the form as it was: two 6 and no dominance
NOT_ALIGNED = "Ses01F_impro01_F000"


def rated_tree(folder: Path) -> Path:
    """Six turns each of a woman and a man in each session; every turn but `NOT_ALIGNED` has word times."""
    for session in SESSIONS:
        root, dialogue = folder / f"Session{session}", f"Ses0{session}F_impro01"
        labels, spoken = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""], []
        for number, (who, turn) in enumerate((who, turn) for turn in range(len(RATINGS)) for who in "FM"):
            name = f"{dialogue}_{who}{turn:03}"
            labels += lines_of(name, number, turn)
            spoken.append(f"{name} [{number:08.4f}-{number + SECONDS:08.4f}]: {SAID[turn][who]}")
            write_wav(root / "sentences" / "wav" / dialogue / f"{name}.wav", voice(session, who, turn))
            if name != NOT_ALIGNED:
                write_text(
                    root / "sentences" / "ForcedAlignment" / dialogue / f"{name}.wdseg", word_times(SAID[turn][who])
                )
        write_text(root / "dialog" / "EmoEvaluation" / f"{dialogue}.txt", "\n".join(labels))
        write_text(root / "dialog" / "transcriptions" / f"{dialogue}.txt", "\n".join(spoken) + "\n")
    return folder


def lines_of(name: str, number: int, turn: int) -> list[str]:
    """The lines of a turn in its dialogue's label file: the means, two raters, and the speaker's own rating."""
    valence, activation = RATINGS[turn]
    dominance = (3, 3)
    if name == UNTOUCHED:
        valence, activation, dominance = (valence[0], 6), (activation[0], 6), (3, "")
    means = ", ".join(f"{sum(filter(None, values)) / 2:.4f}" for values in (valence, activation, dominance))
    return [
        f"[{number:.4f} - {number + SECONDS:.4f}]\t{name}\t{CODES[turn]}\t[{means}]",
        *(f"C-E{rater}:\tNeutral;\t()" for rater in (2, 3)),
        *(
            f"A-E{rater + 3}:\tval {valence[rater]}; act {activation[rater]}; dom  {dominance[rater]};\t()"
            for rater in range(2)
        ),
        f"A-{name[-4]}1:\tval 1; act 5; dom  1;\t()",
        "",
    ]


def word_times(said: str) -> str:
    """A forced alignment of words (and noises) of equal length between silences, in hundredths of a second."""
    first, last, end = (round(100 * seconds) for seconds in (*WORD, SECONDS))
    words = [f"++{text[1:-1]}++" if text[0] == "[" else text.strip(",.?!").upper() for text in said.split()]
    edges = np.linspace(first, last, len(words) + 1).astype(int)
    rows = [(0, first, "<s>"), *zip(edges[:-1], edges[1:], words, strict=True), (last, end, "</s>")]
    lines = [f"\t {start:4}\t {stop - 1:4}\t  -1234\t {text}\n" for start, stop, text in rows]
    return "\t SFrm\t EFrm\t SegAScr\t Word\n" + "".join(lines)


def voice(session: int, who: str, turn: int) -> np.ndarray:
    """int16[T]: harmonics that rise with valence, noise that grows with activation, silence around the word."""
    (valence, activation), time = np.mean(RATINGS[turn], axis=1), np.arange(round(SECONDS * RATE)) / RATE
    pitch = {"F": 220.0, "M": 120.0}[who] * (1 + 0.25 * valence) * (1 + 0.01 * session)
    harmonics = sum(np.cos(2 * np.pi * k * pitch * time) / k for k in range(1, 9))
    noise = np.random.default_rng(100 * session + turn).normal(0, 100 * activation, len(time))
    spoken = (time >= WORD[0]) & (time < WORD[1])
    return (spoken * (2500 * harmonics + noise)).astype(np.int16)
