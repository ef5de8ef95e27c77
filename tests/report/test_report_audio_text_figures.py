"""Figures of audio and text: what is informative, scores, gains, attention, matrices with recall and precision."""

import numpy as np
import pytest
from audio_text_runs import CLASSES, make_audio_text_results
from reading import learning_curves, points

from sejax.experiments.audio_text.figures import attention_by_class
from sejax.experiments.audio_text.published import CONFUSION
from sejax.experiments.audio_text.published import NAMES as PAPERS_NAMES
from sejax.experiments.audio_text.report import REPORT, attention_shares, fusion_scores, modality_gains, modality_scores
from sejax.report.confusion import confusion_with_shares

pytest.importorskip("matplotlib")
NAMES = ("att_d_1", "att_s_n", "audio", "text")


@pytest.fixture(scope="module")
def run():
    return make_audio_text_results(names=NAMES, folds=3, epochs=2, examples=0)


def values(run, name, metric="test/uar"):
    return np.array([m["metrics"][metric] for m in run["members"] if m["fusion"] == name])


def test_bars_begin_at_chance_and_end_at_the_mean(run, panels):
    modality_scores(run)
    (axes,) = panels
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:2] == ["text alone", "audio alone"] and labels[2].startswith("both: Att_")
    for bar, name in zip(axes.patches, ("text", "audio"), strict=False):
        mean = 100 * values(run, name).mean()
        assert sorted((bar.get_x(), bar.get_x() + bar.get_width())) == pytest.approx(sorted((25, mean)))
        assert tuple(np.round(100 * values(run, name), 6)) in points(axes)
    texts = [text.get_text() for text in axes.texts]
    assert texts[0] == "not above chance" and texts[2] == "above chance"
    audio = 100 * values(run, "audio").mean()
    assert texts[3] == f"{audio:.1f} %, {audio - 25:+.1f} over chance"


def test_there_is_nothing_to_say_without_either_modality_alone():
    run = make_audio_text_results(names=("addition",), folds=2, epochs=1, examples=0)
    with pytest.raises(ValueError, match="audio alone or text alone"):
        modality_scores(run)
    assert REPORT.drawings["modalities"](run, REPORT) == ""


def test_scores_have_every_member_the_paper_and_chance(run, panels):
    fusion_scores([run])
    accuracy, uar = panels
    for name in NAMES:
        assert tuple(np.round(100 * values(run, name), 6)) in points(uar)
        assert tuple(np.round(100 * values(run, name, "test/accuracy"), 6)) in points(accuracy)
    assert {(70.3,), (54.1,), (62.5,), (round(1400 / 43, 6),) * 2} <= points(accuracy)
    assert (25.0, 25.0) in points(uar) and (70.3,) not in points(uar)


def test_scores_with_vectors_have_table_five(panels):
    fusion_scores([make_audio_text_results(names=NAMES, folds=1, epochs=1, examples=0, vectors={"file": "x"})])
    assert {(71.5,), (68.8,)} <= points(panels[0]) and (70.3,) not in points(panels[0])


def test_several_runs_have_their_names_and_a_common_chance_only(run, panels):
    REPORT.picture([run, {**run, "classes": [*CLASSES, "fear"]}], ["one", "two"], format="svg")
    labels = [label.get_text() for label in panels[0].get_yticklabels()]
    assert labels[0] == "one: Att_d^1" and labels[7] == "two: Text alone"
    assert (round(1400 / 43, 6),) * 2 in points(panels[0]) and (25.0, 25.0) not in points(panels[1])


def test_gains_are_paired_and_have_no_mark_of_the_papers(run, panels):
    modality_gains(run)
    gains = values(run, "att_s_n") - values(run, "text")
    assert tuple(np.round(100 * gains, 6)) in points(panels[1]) and (0.0, 0.0) in points(panels[1])
    assert not any(line.get_marker() == "D" for axes in panels for line in axes.lines)


def test_attention_is_counted_by_true_class(run, panels):
    attention_by_class(attention_shares(run), run["classes"])
    assert [axes.get_title(loc="left") for axes in panels] == ["Att_d^1", "Att_s^n"]
    found = [m["predictions"] for m in run["members"] if m["fusion"] == "att_d_1"]
    label = np.concatenate([one["label"] for one in found])
    share = np.concatenate([one["attention"] for one in found])
    for place in range(4):
        assert (round(share[label == place].mean(), 6),) * 2 in points(panels[0])
    assert panels[0].get_xlabel() == f"{share.mean():.3f} ± {share.std():.3f}"
    heights = [place - patch.get_data().values for place, patch in enumerate(panels[0].patches)]
    counts = np.histogram(share[label == 2], np.linspace(0, 1, 51))[0]
    np.testing.assert_allclose(heights[2], 0.82 * counts / counts.max())


def test_a_matrix_has_recall_and_precision_at_its_right(panels):
    counts = np.array(CONFUSION).copy()
    confusion_with_shares(counts, CLASSES)
    texts = [text.get_text() for text in panels[0].texts]
    assert texts[:4] == ["80", "9", "14", "8"]
    assert texts[16:] == ["0.721", "0.713", "0.637", "0.835", "0.721", "0.801", "0.673", "0.669"]
    names = [label.get_text() for label in panels[0].get_xticklabels()]
    assert names == [*CLASSES, "recall", "precision"]
    counts[1], counts[:, 1] = 0, 0
    confusion_with_shares(counts, CLASSES)
    texts = [text.get_text() for text in panels[1].texts]
    assert texts[17] == texts[21] == "–"


def test_curves_have_the_fusions_names_and_every_epoch(run, panels):
    learning_curves(run, iteration=None, names=PAPERS_NAMES)
    assert [axes.get_ylabel() for axes in panels[::2]] == ["Att_d^1", "Att_s^n", "Audio alone", "Text alone"]
    assert {tuple(line.get_xdata()) for line in panels[0].lines[:8]} == {(1, 2)}
