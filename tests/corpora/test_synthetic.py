"""Synthetic speech: the same bytes from a seed, in any order and process, and emotions that can be heard."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sejax import corpora
from sejax.errors import InputError

pytest.importorskip("espeakng_loader", reason="speech synthesis needs the espeakng-loader package")

ROOT = Path(__file__).resolve().parents[2]
DIGEST = (
    "import hashlib\nfrom sejax import corpora\n"
    "corpus = corpora.open_corpus('synthetic', seed=3, repeats=1)\n"
    "spoken = [corpus.decode(corpus.recordings[i]).waveform.tobytes() for i in (7, 2, 31)]\n"
    "print(hashlib.sha256(b''.join(spoken)).hexdigest())"
)


@pytest.fixture(scope="module")
def corpus():
    return corpora.open_corpus("synthetic", seed=0, repeats=2)


@pytest.fixture(scope="module")
def utterances(corpus):
    return list(corpus)


def test_a_seed_gives_the_same_bytes_in_another_order_and_another_process():
    corpus = corpora.open_corpus("synthetic", seed=3, repeats=1)
    spoken = {i: corpus.decode(corpus.recordings[i]).waveform.tobytes() for i in (31, 7, 0, 2)}
    here = hashlib.sha256(b"".join(spoken[i] for i in (7, 2, 31))).hexdigest()
    done = subprocess.run([sys.executable, "-c", DIGEST], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_another_seed_gives_another_corpus(corpus):
    other = corpora.open_corpus("synthetic", seed=1, repeats=2)
    assert other.digest() != corpus.digest()
    assert corpora.open_corpus("synthetic", seed=0, repeats=2).digest() == corpus.digest()


def test_more_repeats_leave_the_first_ones_as_they_are(corpus):
    more = {recording.id: recording for recording in corpora.open_corpus("synthetic", repeats=4).recordings}
    assert all(more[recording.id] == recording for recording in corpus.recordings)


def test_ten_speakers_speak_four_emotions_equally_often_in_five_sessions(utterances):
    counts = Counter((utterance.speaker, utterance.emotion) for utterance in utterances)
    assert len(counts) == 40 and set(counts.values()) == {2}
    sexes = Counter((utterance.session, utterance.sex) for utterance in utterances)
    assert len(sexes) == 10 and len({session for session, _ in sexes}) == 5


def test_speakers_differ_in_more_than_their_names(utterances):
    """Long-term spectra: two utterances of a speaker are more alike than those of two speakers."""

    def spectrum(utterance):
        frames = utterance.waveform[: len(utterance.waveform) // 512 * 512].reshape(-1, 512) * np.hanning(512)
        level = np.log(np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0) + 1)
        return level - level.mean()

    neutral = [utterance for utterance in utterances if utterance.emotion == "neutral"]
    spectra = {(u.speaker, u.id[-2:]): spectrum(u) for u in neutral}
    speakers = sorted({u.speaker for u in neutral})
    within = [np.abs(spectra[s, "00"] - spectra[s, "01"]).mean() for s in speakers]
    between = [np.abs(spectra[s, "00"] - spectra[o, "01"]).mean() for s in speakers for o in speakers if s != o]
    assert np.mean(between) > 1.3 * np.mean(within)


def test_emotions_differ_in_rate_and_loudness(utterances):
    def mean(emotion, measure):
        return np.mean([measure(u) for u in utterances if u.emotion == emotion])

    def words_per_second(u):
        return len(u.words) * 16000 / len(u.waveform)

    def loudness(u):
        return np.sqrt(np.mean((u.waveform / 32768) ** 2))

    assert mean("anger", words_per_second) > mean("neutral", words_per_second) > mean("sadness", words_per_second)
    assert mean("anger", loudness) > 1.2 * mean("neutral", loudness) > 1.2**2 * mean("sadness", loudness)


def test_ratings_are_means_of_three_raters_from_1_to_5(utterances):
    for utterance in utterances:
        assert len(utterance.rater_labels) == 3
        for value in (utterance.valence, utterance.activation, utterance.dominance):
            assert 1 <= value <= 5 and (3 * value) % 1 == pytest.approx(0, abs=1e-9)
    valence = {e: np.mean([u.valence for u in utterances if u.emotion == e]) for e in ("anger", "happiness", "neutral")}
    assert valence["anger"] < valence["neutral"] < valence["happiness"]


def test_word_times_follow_the_transcript_and_the_sound(utterances):
    for utterance in utterances:
        assert [word.text for word in utterance.words] == [w.strip(".,!?") for w in utterance.transcript.split()]
        times = [time for word in utterance.words for time in (word.start, word.end)]
        assert times == sorted(times) and times[0] >= 0
        assert times[-1] <= len(utterance.waveform) / 16000
        assert min(word.end - word.start for word in utterance.words) > 0.02


def test_a_word_is_where_its_times_say():
    """The same sentence with another word in one place: the sound differs from the time of that word on."""
    from sejax.corpora.espeak import Prosody, speak

    whole, rate, words = speak("We saw seven ships.", "en-us+m3", Prosody())
    other, _, _ = speak("We saw eleven ships.", "en-us+m3", Prosody())
    start = next(word.start for word in words if word.text == "seven")
    same = np.argmax(whole[: len(other)] != other[: len(whole)]) / rate
    assert same == pytest.approx(start, abs=0.15)


@pytest.mark.parametrize(
    ("text", "voice"),
    [("I have 25 apples", "en-us"), ("and 3.5 pears at 10:30 now", "en-us"), ("wir haben 1234 Birnen", "de")],
)
def test_a_number_is_one_word_however_many_are_spoken(text, voice):
    from sejax.corpora.espeak import Prosody, speak

    waveform, rate, words = speak(text, voice, Prosody())
    spoken = {word.text: word.end - word.start for word in words}
    assert list(spoken) == text.split()
    assert min(spoken[word] for word in spoken if not word.isalpha()) > 0.4  # seconds, of several spoken words
    assert max(spoken[word] for word in spoken if word.isalpha()) < 0.5
    assert words[-1].end == pytest.approx(len(waveform) / rate)


def test_bad_options_are_refused():
    with pytest.raises(InputError, match="repeats=0"):
        corpora.open_corpus("synthetic", repeats=0)
    from sejax.corpora.espeak import Prosody, speak

    with pytest.raises(InputError, match="no voice 'xx\\+f1'"):
        speak("Hello.", "xx+f1", Prosody())
