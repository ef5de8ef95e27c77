"""benchmarks/word_onsets.py tells by which rule of word times IEMOCAP's words begin where the level rises."""

import sys
from pathlib import Path

import numpy as np
import pytest
from corpus_trees import write_text
from trees import write_wav

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import word_onsets

from sejax import corpora
from sejax.errors import InputError

WORDS = {"Session1/sentences/{}/Ses01F_impro01/Ses01F_impro01_F000": [(20, 34), (35, 49), (70, 94)]}
WORDS |= {"Session2/sentences/{}/Ses02M_script01_1b/Ses02M_script01_1b_M009": [(25, 44), (60, 79)]}
SECONDS = {"F000": 1.2, "M009": 1.0}


def spoken(source, late):
    """Two turns of noise in the words' frames, so many frames later than these say, over a faint hiss."""
    for number, (name, frames) in enumerate(WORDS.items()):
        random = np.random.default_rng(number)
        waveform = random.normal(0, 10, round(16000 * SECONDS[name[-4:]]))
        for first, last in frames:
            speech = slice((first + late) * 160, (last + 1 + late) * 160)
            waveform[speech] += random.normal(0, 1000, len(waveform[speech]))
        write_wav(source / f"{name.format('wav')}.wav", waveform.astype(np.int16))
        rows = "".join(f"\t {first}\t {last}\t -1\t WORD\n" for first, last in frames)
        write_text(source / f"{name.format('ForcedAlignment')}.wdseg", f"\t SFrm\t EFrm\t SegAScr\t Word\n{rows}")
    return corpora.open_corpus("iemocap", source, word_times="frame")


@pytest.mark.parametrize(("late", "better", "worse"), [(2, "note", "frame"), (0, "frame", "note")])
def test_the_rule_that_made_the_words_has_the_higher_rise(whole, late, better, worse):
    found = word_onsets.onsets(spoken(whole("iemocap"), late))
    assert found.turns == 2 and len(found.rises) == 4  # not the word that follows another without a pause
    assert (found.of_rule(better) > 35).all()  # 40 dB between hiss and noise
    assert (found.of_rule(worse) < 10).all()  # the windows of 20 ms on both sides hold the same
    lines = word_onsets.report(found).splitlines()
    assert lines[0].startswith("4 words after a pause") and "in 2 turns" in lines[0]
    assert f"at {100.0 if late else 0.0}% of these words" in lines[3]
    assert lines[4] == f"steepest on average at t / 100 {10 * late:+.0f} ms"


def test_a_part_of_the_turns_will_do(whole):
    corpus = spoken(whole("iemocap"), 2)
    assert word_onsets.onsets(corpus, limit=1).turns == 1


def test_a_release_without_alignments_is_refused(original):
    source = original("iemocap")
    (source / "Session1/sentences/ForcedAlignment").rename(source / "x")
    corpus = corpora.open_corpus("iemocap", source, word_times="frame", allow_partial=True)
    with pytest.raises(InputError, match="0 of 12 turns have word times.*ForcedAlignment"):
        word_onsets.onsets(corpus)
