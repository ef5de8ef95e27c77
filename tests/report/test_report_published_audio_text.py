"""The figures of the paper of audio and text, against each other."""

import numpy as np
import pytest
from reading import figures, note

from sejax.experiments.audio_text import published as audio_text
from sejax.experiments.audio_text.published import (
    CLASSES,
    CONFUSION,
    LOUDNESS,
    NAMES,
    PRETRAINED,
    PRINTED,
    QUOTED,
    TRAINED,
    WORDS,
    class_of,
    published,
    shares,
)


def test_a_fusions_figures_are_found_by_the_keys_of_results():
    run = {"experiment": "audio_text", "config": {}, "data": {"vectors": None}}
    assert figures(run, {"fusion": "att_d_1"}) == {
        "test/accuracy": 0.703,
        "test/attention_audio": 0.509,
        "test/attention_text": 0.491,
        "test/attention_deviation": 0.09,
    }
    assert figures(run, {"fusion": "addition"}) == {"test/accuracy": 0.676}
    assert figures(run, {"fusion": "text"}) == {"test/accuracy": 0.625} and "Hazarika" in note(run)
    run["data"]["vectors"] = {"file": "GoogleNews.bin"}
    assert figures(run, {"fusion": "att_d_1"})["test/accuracy"] == 0.715
    assert figures(run, {"fusion": "att_d2_n"}) == figures(run, {"fusion": "lstm"}) == {}


def test_every_fusion_has_a_figure_and_its_shares_add_up():
    assert list(NAMES) == [*TRAINED, "audio", "text"] and all(published(name) for name in NAMES)
    for _, *attention in [row for row in (*TRAINED.values(), *PRETRAINED.values()) if len(row) == 3]:
        assert sum(attention) == pytest.approx(1)


@pytest.mark.parametrize("accuracy", [row[0] for row in (*TRAINED.values(), *PRETRAINED.values())])
def test_accuracies_are_shares_of_555_test_utterances(accuracy):
    assert accuracy in {round(right / 555, 3) for right in range(556)}


def test_as_the_captions_say():
    best = sorted(TRAINED, key=lambda name: -TRAINED[name][0])[:2]
    assert set(best) == {"att_d_1", "att_s_n"}
    assert max(row[0] for row in (*TRAINED.values(), *PRETRAINED.values())) < QUOTED["att_d_1"]
    assert min(row[0] for row in TRAINED.values()) > max(QUOTED["audio"], QUOTED["text"])
    means = np.array([LOUDNESS[name] for name in CLASSES])
    assert np.all(np.diff(means, axis=0) < 0)  # from angry, loud and variable, to sad, soft and even


def test_table_sevens_accuracy_is_recall_and_its_recall_is_precision():
    recall, precision = shares(CONFUSION)
    np.testing.assert_array_equal(np.round(recall, 3), PRINTED["Accuracy"])
    np.testing.assert_array_equal(np.round(precision, 3), PRINTED["Recall"])
    right, total = np.trace(np.array(CONFUSION)), np.sum(CONFUSION)
    assert (right, total) == (397, 555) and round(right / total, 3) == PRETRAINED["att_d_1"][0]


def test_the_notes_figures_follow_from_table_seven():
    recall, precision = (dict(zip(CLASSES, found, strict=True)) for found in shares(CONFUSION))
    assert min(precision, key=precision.get) == "sadness" and min(recall, key=recall.get) == "neutral"
    assert 0.195 < recall["sadness"] - recall["neutral"] < 0.2
    for told in ("80 of 111", "397 of 555", "0.669", "0.673", "almost 0.2"):
        assert told in audio_text.CONFUSION_NOTE
    sad = np.array(CONFUSION)[:, 3].sum()
    assert sad == 136 and round(sad / 555, 3) == 0.245 and "136 of 555, 0.245" in audio_text.WORDS_NOTE
    ratios = dict(WORDS["sadness"])
    assert max(ratios["they"], ratios["the"]) < 0.5 * sad / 555  # these words mark what is not sad


def test_shares_of_absent_classes_are_not_numbers():
    recall, precision = shares([[2, 0, 1], [0, 0, 0], [1, 0, 3]])
    np.testing.assert_allclose(recall, [2 / 3, np.nan, 3 / 4])
    np.testing.assert_allclose(precision, [2 / 3, np.nan, 3 / 4])


def test_classes_are_recognised_by_what_corpora_call_them():
    assert [class_of(name) for name in ("Angry", "joy", "neutral", "sad", "fear")] == [*CLASSES, None]
