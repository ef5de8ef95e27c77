"""One explained utterance: shades, words and their places, attention, posterior, any script and odd lengths."""

import numpy as np
import pytest
from audio_text_runs import CLASSES, make_example

from sejax.report import utterance
from sejax.report.drawing import BLUE, ORANGE
from sejax.report.utterance import STRONGEST, explained, title

pytest.importorskip("matplotlib")
from matplotlib.colors import to_hex


@pytest.fixture
def example():
    made = make_example(np.random.default_rng(0), "att_d_1", 0, words=["żółć", "schön", "$5", "$6"])
    made |= {"posterior": [0.1, 0.7, 0.1, 0.1], "attention": 0.25}
    made["word_importance"] = [0.4, -0.2, 0.0, 0.1]
    made["audio_importance"] = [0.2] * 100 + [-0.1] * 140
    return made


def shades(axes):
    return [(to_hex(patch.get_facecolor()), round(patch.get_alpha(), 4)) for patch in axes.patches]


def test_waveform_and_words_share_one_scale_of_shades(example, panels):
    explained(example, CLASSES)
    wave, words = panels[0], panels[1]
    assert shades(wave) == [(BLUE, STRONGEST / 2), (ORANGE, STRONGEST / 4)]
    edges = [(round(patch.get_x(), 4), round(patch.get_x() + patch.get_width(), 4)) for patch in wave.patches]
    assert edges == [(0.0, 1.0), (1.0, 2.4)]
    assert shades(words) == [(BLUE, STRONGEST), (ORANGE, STRONGEST / 2), (BLUE, 0.0), (BLUE, STRONGEST / 4)]
    texts = [text.get_text() for text in words.texts]
    assert texts == ["żółć", "+0.40", "schön", "−0.20", "$5", "0", "$6", "+0.10"]


def test_faint_importances_stay_pale(example, panels):
    example |= {"word_importance": [0.001, 0, 0, 0], "audio_importance": None}
    explained(example, CLASSES)
    assert shades(panels[1])[0] == (BLUE, round(STRONGEST * 0.001 / utterance.FAINTEST, 4)) and not panels[0].patches


def test_attention_is_one_bar_and_the_title_tells_both_classes(example, panels):
    explained(example, CLASSES)
    assert [text.get_text() for text in panels[2].texts] == ["audio 25 %", "text 75 %"]
    assert [bar.get_width() for bar in panels[2].patches] == [0.25, 0.75]
    assert title(example, CLASSES) == f"{example['id']}: true anger, predicted happiness (0.70)"
    assert title({**example, "label": None}, CLASSES) == f"{example['id']}: predicted happiness (0.70)"
    names = [text.get_text() for text in panels[3].texts[::2]]
    assert names == ["anger (true)", "happiness", "neutral", "sadness"]
    explained({**example, "attention": None}, CLASSES)
    assert len(panels) == 4 + 3


def test_words_stand_at_their_times_and_never_on_one_another(example):
    example["start"] = [0.0, 0.05, 1.5, 2.39]
    found, rows = utterance._placed(example, 2.4)
    assert rows == [0, 1, 0, 0] and [round(left, 2) for _, left, _ in found[:3]] == [0.0, 0.05, 1.5]
    assert found[3][1] + found[3][2] <= 2.4


def test_words_without_times_are_evenly_spread_or_fill_rows_in_order(example):
    example["start"] = None
    found, rows = utterance._placed(example, 2.4)
    middles = [left + width / 2 for _, left, width in found]
    assert rows == [0] * 4 and np.ptp(np.diff(middles)) < 0.15 and found[0][1] > 0.1
    example["words"] = ["donaudampfschiff"] * 30
    found, rows = utterance._placed(example, 2.4)
    assert rows == sorted(rows) and rows[-1] > 3
    assert all(left >= 0 and left + width <= 2.4 for _, left, width in found)


def test_long_transcripts_and_envelopes_are_cut_to_what_can_be_read(example, panels):
    example |= {"words": ["word"] * 2000, "start": None, "word_importance": None, "seconds": 20.0}
    example["envelope"] = {"low": [-0.1] * 5000, "high": [0.1] * 4999 + [0.9]}
    explained(example, CLASSES)
    shown = [text.get_text() for text in panels[1].texts]
    assert shown.count("word") < 500 and shown[-1] == f"and {2000 - shown.count('word')} words more"
    (band,) = panels[0].collections
    assert len(band.get_paths()[0].vertices) < 900 and band.get_paths()[0].vertices[:, 1].max() == 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"words": [], "start": None, "word_importance": []},
        {"envelope": {"low": [0.0], "high": [0.0]}, "seconds": 1 / 16000, "audio_importance": [0.0]},
        {"envelope": {"low": [], "high": []}, "seconds": 0.0, "audio_importance": [], "words": [], "start": []},
        {"audio_importance": [None] * 240, "word_importance": [float("nan")] * 4, "attention": None},
        {"start": [None, 0.1, 0.2, 0.3], "attention": 0.0},
    ],
)
def test_odd_utterances_are_drawn(example, change):
    assert "<svg" in explained(example | change, CLASSES)


def test_text_of_any_language_stays_text(example):
    example["id"] = "$nagranie$.wav"
    svg = explained(example, CLASSES, format="inline", ids="one")
    assert "żółć" in svg and "schön" in svg and ">$5<" in svg and "$nagranie$.wav" in svg
    assert explained(example, CLASSES, format="png").startswith(b"\x89PNG")
