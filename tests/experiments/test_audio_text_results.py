"""Results of audio and text: Table 8's statistics by hand, example utterances, figures that evaluation asks for."""

from dataclasses import replace

import numpy as np
import pytest
import toy_dialogue

from sejax.data.buckets import cut
from sejax.data.text import word_types
from sejax.experiments.audio_text.explanation import STRETCHES
from sejax.experiments.audio_text.results import ENVELOPE, Summary, described, waveform_statistics


def test_statistics_are_of_the_utterances_of_each_class():
    speech = replace(
        toy_dialogue.spoken(),
        classes=("a", "b"),
        label=np.array([0, 0, 1, -1], np.int32),
        mean_absolute=np.array([0.1, 0.3, 0.2, 9], np.float32),
        deviation=np.array([0.5, 0.7, 0.4, 9], np.float32),
    )
    found = waveform_statistics(speech)
    assert found["a"] == pytest.approx({"average": 0.2, "average_deviation": 0.1, "deviation_average": 0.6})
    assert found["b"] == pytest.approx({"average": 0.2, "average_deviation": 0.0, "deviation_average": 0.4})


def test_an_example_has_an_envelope_and_importances_of_one_length():
    random = np.random.default_rng(0)
    samples = random.integers(-32768, 32767, 1000).astype(np.int16)
    heard = random.normal(size=STRETCHES)
    explained = {"posterior": [0.25, 0.75], "attention": [0.3, 0.7], "audio_importance": heard}
    found = described(samples, ("one", "two"), explained | {"word_importance": np.array([0.1, -0.2, 0, 0])})
    entries = STRETCHES * ENVELOPE
    low, high = (np.array(found["envelope"][name]) for name in ("low", "high"))
    assert len(low) == len(high) == len(found["audio_importance"]) == entries
    assert low.min() == pytest.approx(samples.min() / 32768, abs=1e-4)
    assert high.max() == pytest.approx(samples.max() / 32768, abs=1e-4) and (low <= high).all()
    assert found["audio_importance"][7 * ENVELOPE] == pytest.approx(heard[7], abs=1e-4)
    assert found["word_importance"] == [0.1, -0.2] and found["attention"] == 0.3 and found["seconds"] == 0.0625


def test_one_sample_has_an_envelope_too():
    found = described(np.array([-5], np.int16), (), {"posterior": [1.0]})
    assert len(found["envelope"]["low"]) == STRETCHES * ENVELOPE
    assert found["audio_importance"] is None and found["word_importance"] is None and found["attention"] is None


@pytest.fixture(scope="module")
def summary():
    """Of the toy set, whose first two utterances are explained by the first fold."""
    speech = toy_dialogue.spoken()
    types, ids = word_types(speech.transcripts)
    pieces = cut(speech, ids, longest=320000, most_words=128)
    return Summary(speech, pieces, types, ids, np.array([0, 1, 5], np.int32), np.array([0, 1], np.int32))


def record(example):
    random = np.random.default_rng(2)
    posterior = random.dirichlet(np.ones(4), 80).astype(np.float32)
    attention = np.tile(np.array([0.4, 0.6], np.float32), (80, 1))
    attention[3] = 0.8, 0.2
    return {
        "tested": np.arange(80) < 8,
        "posterior": posterior,
        "attention": attention,
        "confusion/test": np.diag([3, 2, 2, 1]).astype(np.float32),
        "confusion/valid": np.zeros((4, 4), np.float32),
        "loss": np.float32(np.nan),
        "epochs": 5,
        "best_epoch": 3,
        "example": np.array(example),
        "explained/posterior": posterior[list(example)],
        "explained/word_importance": np.zeros((len(example), 8)),
    }


ROW = {"iteration": 1, "epoch": 1, "train/loss": 1.0, "train/macro_f1": 0.1, "valid/uar": 0.5}


def test_figures_and_predictions_are_of_the_test_utterances(summary):
    found = summary([ROW], [record((0, 1))])
    assert found["metrics"]["test/accuracy"] == 1.0 and "valid/uar" not in found["metrics"]
    assert found["metrics"]["test/attention_audio"] == pytest.approx(0.45)
    assert found["metrics"]["test/attention_text"] == pytest.approx(0.55)
    assert found["metrics"]["test/attention_deviation"] == pytest.approx(0.4 * (7 / 64) ** 0.5, rel=1e-5)
    assert found["predictions"]["id"] == list(summary.speech.utterance_ids[:8])
    assert found["utterances"] == 8 and sum(found["predicted"]) == 8
    assert found["history"] == [{"iteration": 1, "epoch": 1, "train/loss": 1.0, "valid/uar": 0.5}]
    assert found["epochs"] == 5 and found["best_epoch"] == 3


def test_the_first_fold_alone_keeps_its_examples(summary):
    found = summary([ROW], [record((0, 1))])["examples"]
    assert [example["id"] for example in found] == list(summary.speech.utterance_ids[:2])
    words = [len(transcript.split()) for transcript in summary.speech.transcripts[:2]]
    assert [len(example["words"]) for example in found] == words
    assert [example["start"] is not None for example in found] == [bool(count) for count in words]
    assert summary([ROW], [record((1, 2))])["examples"] is None


def test_evaluating_again_gives_the_figures_alone(summary):
    found = summary([], [record((0, 1))])
    assert found["metrics"] == summary([ROW], [record((0, 1))])["metrics"] and "predictions" not in found
