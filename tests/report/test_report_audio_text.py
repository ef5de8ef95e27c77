"""The report of audio and text: Tables 4 to 8 beside ours, what each modality is worth, many runs, the page."""

import re

import numpy as np
import pytest
from audio_text_runs import CLASSES, make_audio_text_results
from reading import cell, headline, report, signed

from sejax.core.results import read_results, write_results
from sejax.experiments.audio_text.report import (
    REPORT,
    analysed,
    chance,
    difference_table,
    fold_table,
    informative,
    informative_table,
    leading,
    member_table,
    run_comparison,
    validation_table,
    verdict,
)
from sejax.experiments.audio_text.speech_tables import loudness_table, shape_table, vocabulary_table, word_table
from sejax.report.tables import Strong

NAMES = ("att_d_1", "concatenation", "audio", "text")
LABELS = ("Att_d^1", "Concatenation", "Audio alone", "Text alone")
SECTIONS = ("Results", "What each modality adds", "Confusion matrices", "Attention", "Words")
SECTIONS += ("Explained utterances", "Waveforms", "Transcripts and batches", "Training curves", "Validation")
SECTIONS += ("Folds", "Members", "What was run", "Environment", "Config")
VECTORS = {"file": "/data/GoogleNews.bin", "types": 0.81, "words": 0.953}


@pytest.fixture
def run():
    """Two fusions, audio and text alone, two folds, two seeds: to be changed."""
    return make_audio_text_results(names=NAMES, folds=2, seeds=2, epochs=3, examples=1)


def values(run, name, metric="test/uar"):
    """{(fold, seed): value}, slowly."""
    return {
        (m["fold"], m["seed"]): m["metrics"][metric] for m in run["members"] if m["fusion"] == name and not m["failed"]
    }


def told(numbers):
    numbers = np.array(list(numbers))
    return f"{np.mean(numbers):.3f} ± {np.std(numbers, ddof=1):.3f}"


def test_headline_is_table_four_with_a_row_of_chance(run):
    table = headline(run)
    assert [row[0] for row in table.rows] == [*LABELS, "chance"]
    assert [cell(table, place, "Table 4") for place in range(5)] == ["0.703", "0.695", "0.541", "0.625", "–"]
    assert cell(table, 0, "its attention") == "0.509 / 0.491" and "Table 5" not in table.columns
    for place, name in enumerate(NAMES):
        assert cell(table, place, "accuracy") == told(values(run, name, "test/accuracy").values())
        assert cell(table, place, "UAR") == told(values(run, name).values())
    audio = np.mean(list(values(run, "att_d_1", "test/attention_audio").values()))
    assert cell(table, 0, "attention") == f"{audio:.3f} / {1 - audio:.3f}" and cell(table, 1, "attention") == "–"
    spread = np.mean(list(values(run, "att_d_1", "test/attention_deviation").values()))
    assert cell(table, 0, "deviation") == f"{spread:.3f}"
    assert (cell(table, 4, "accuracy"), cell(table, 4, "UAR")) == (f"{14 / 43:.3f}", "0.250")
    means = [np.mean(list(values(run, name).values())) for name in NAMES]
    assert [isinstance(cell(table, place, "UAR"), Strong) for place in range(4)] == [one == max(means) for one in means]


def test_runs_with_word_vectors_have_table_five_and_their_coverage(run):
    run = make_audio_text_results(names=NAMES, folds=2, epochs=2, examples=0, vectors=VECTORS)
    table = headline(run)
    assert [cell(table, place, "Table 5") for place in range(4)] == ["0.715", "–", "–", "–"]
    assert cell(table, 0, "its attention", 1) == "0.423 / 0.577" and "GoogleNews.bin" in table.caption
    assert "(paper, IEMOCAP: 0.715)" in REPORT.lead(run) or leading(run).name["fusion"] != "att_d_1"
    rows = dict(vocabulary_table(run).rows)
    assert rows["word types with a vector"] == "81.0 %" and rows["running words with a vector"] == "95.3 %"


def test_chance_is_the_largest_class_and_one_of_c(run):
    assert chance(run, "accuracy") == pytest.approx(14 / 43) and chance(run, "uar") == 0.25
    run["classes"], run["members"] = [], []
    assert chance(run, "accuracy") is None and chance(run, "uar") is None


def test_the_reader_is_told_which_modality_is_informative():
    run = make_audio_text_results(names=NAMES, folds=5, epochs=1, examples=0)
    assert informative(run) == "Informative on this corpus: audio; not shown to be: text."
    assert informative(run) in REPORT.lead(run)
    run = make_audio_text_results(names=NAMES, folds=5, epochs=1, examples=0, reach={"text": 0.5, "audio": 0.5})
    assert informative(run) == "Informative on this corpus: audio and text."
    assert informative(make_audio_text_results(names=NAMES, folds=1, epochs=1, examples=0)) == ""


def test_a_verdict_needs_a_confidence_interval_above_chance_over_folds(run):
    found = [m for m in run["members"] if m["fusion"] == "text"]
    # The folds of the second differ more than chance is away; four members taken as independent would not see it.
    for means, word in (((0.3, 0.3), "above chance"), ((0.3, 0.28), "not above chance")):
        for member in found:
            member["metrics"]["test/uar"] = means[member["fold"]] + (0.01, -0.01)[member["seed"]]
        text = leading({**run, "members": found}, modalities=True)
        assert verdict(run, text) == word
        table = informative_table(run)
        assert table.rows[1][0] == "Text alone" and cell(table, 1, "so it is") == word
        assert cell(table, 1, "above chance in") == "4 of 4"
    assert cell(table, 1, "over chance") == "+0.040 ± 0.016" and cell(table, 1, "UAR") == "0.290 ± 0.016"


def test_differences_pair_folds_and_seeds(run):
    run["members"][-1]["failed"] = "NaN"  # text, fold 1, seed 1
    table = difference_table(run)
    pairs = [(ours, base) for base in ("audio", "text") for ours in ("att_d_1", "concatenation")]
    names = dict(zip(NAMES, LABELS, strict=True))
    assert [row[0] for row in table.rows] == [f"{names[a]} − {names[b].lower()}" for a, b in pairs]
    for place, (ours, base) in enumerate(pairs):
        for occurrence, metric in enumerate(("accuracy", "uar")):
            first, second = (values(run, name, f"test/{metric}") for name in (ours, base))
            gains = np.array([first[at] - second[at] for at in second])
            assert len(gains) == (3 if base == "text" else 4)
            assert cell(table, place, ("accuracy", "UAR")[occurrence]) == signed(told(gains))
            assert cell(table, place, "above", occurrence) == f"{(gains > 0).sum()} of {len(gains)}"


def test_the_lead_compares_the_fusion_that_validated_best_with_each_modality(run):
    for member in run["members"]:
        member["metrics"]["valid/accuracy"] = 0.9 if member["fusion"] in ("concatenation", "audio") else 0.5
    assert leading(run).name["fusion"] == leading(run, modalities=True).name["fusion"] == "concatenation"
    gains = np.array([values(run, "concatenation")[at] - value for at, value in values(run, "audio").items()])
    lead = REPORT.lead(run)
    assert f"Text adds {signed(told(gains))} to audio alone, above it in {(gains > 0).sum()} of 4 pairs" in lead
    assert "Concatenation (validated best)" in lead and "(chance 0.250)" in lead and "(paper, IEMOCAP: 0.695)" in lead


def test_nothing_is_said_to_have_validated_best_where_nothing_validated(run):
    for member in run["members"]:
        member["metrics"] = {name: x for name, x in member["metrics"].items() if not name.startswith("valid/")}
    lead = REPORT.lead(run)
    assert leading(run).name["fusion"] == "att_d_1" and "Att_d^1 " in lead and "validated" not in lead


def test_words_stand_beside_table_six(run):
    found = analysed(run)
    assert found.name["fusion"] == "att_d_1"
    table = word_table(run, found)
    anger = [row for row in table.rows[:3]]
    assert anger[0][0] == "anger" and [row[-2:] for row in anger][1] == ("she's", "0.800")
    members = [m["words"] for m in run["members"] if m["fusion"] == "att_d_1"]
    word = anger[0][1]
    present = sum(m["present"][m["text"].index(word)] for m in members)
    as_anger = sum(m["predicted"][m["text"].index(word)][0] for m in members)
    assert anger[0][2:4] == (str(present), f"{as_anger / present:.3f}")
    counts = sum(np.array(m["confusion"]["test"]) for m in run["members"] if m["fusion"] == "att_d_1")
    assert anger[0][4] == f"{counts[:, 0].sum() / counts.sum():.3f}"
    alone = word_table(run, analysed({**run, "members": [m for m in run["members"] if m["fusion"] == "text"]}))
    assert alone.rows and "Text alone" in alone.caption
    for member in run["members"]:
        member["words"] = None
    assert analysed(run) is None


def test_loudness_stands_beside_table_eight(run):
    run["classes"][0] = "angry"
    run["data"]["waveform_statistics"]["angry"] = run["data"]["waveform_statistics"].pop("anger")
    run["classes"].append("fear")
    run["data"]["waveform_statistics"]["fear"] = {"average": 0.01, "average_deviation": None}
    table = loudness_table(run)
    assert table.rows[0] == ("angry", "0.0600", "0.034", "0.0300", "0.039", "0.1200", "0.062")
    assert table.rows[4] == ("fear", "0.0100", "–", "–", "–", "–", "–")


def test_shapes_and_padding_are_told(run):
    table = shape_table(run)
    assert table.rows[1] == ("3.00 s", "48,000", "11", "30") and "samples 8.3 %, words 21.0 %" in table.caption
    assert dict(vocabulary_table(run).rows)["rows of the vocabulary, by fold"] == "700, 701"


def test_validation_folds_and_members_have_tables(run):
    table = validation_table(run)
    assert cell(table, 2, "accuracy") == told(values(run, "audio", "valid/accuracy").values())
    fold = [value for (at, _), value in values(run, "audio").items() if at == 1]
    assert fold_table(run).rows[1][0] == "fold 1" and fold_table(run).rows[1][3] == told(fold)
    run["members"][0]["failed"] = {"step": 7, "reason": "the loss is NaN"}
    row = member_table(run).rows[0]
    assert row[:3] == ("Att_d^1", "fold 0, seed 0", "failed at step 7: the loss is NaN") and row[3:5] == ("3", "1")


def test_the_size_of_a_test_part_does_not_split_a_fusion_into_variants(run):
    run["members"][0]["utterances"] = 7
    write = make_audio_text_results(names=("audio",), folds=2, epochs=1, examples=0)
    assert [variant["name"] for variant in write["variants"]] == [{"fusion": "audio"}]
    assert run["summary"]["audio/test/uar"]["n"] == 4


def test_many_runs_have_a_row_for_each_fusion(run):
    other = make_audio_text_results(names=("att_d_1",), folds=2, epochs=1, examples=0, vectors=VECTORS, corpus="nemo")
    runs = [{"run": "bare", **run}, {"run": "vectors", **other}]
    (table,) = run_comparison(runs)
    column = table.columns.index("fusion")
    assert [row[column] for row in table.rows] == [*LABELS, "chance", "Att_d^1", "chance"]
    assert [row[3] for row in table.rows][::5] == ["trained from nothing", "GoogleNews.bin"]
    assert cell(table, 5, "Table 5") == "0.715" and cell(table, 5, "UAR") == told(values(other, "att_d_1").values())
    assert [len(one.rows) for one in run_comparison(runs, group_by=["vectors"])] in ([5, 2], [2, 5])
    with pytest.raises(ValueError, match="cannot group by colour"):
        run_comparison(runs, group_by=["colour"])


def test_protocols_are_this_experiments_own(run):
    assert any(note.startswith("Protocol session: a session, with both") for note in headline(run).notes)
    assert "one validates" not in report({**run, "members": []})


def test_the_page_has_every_section_from_the_file(tmp_path):
    pytest.importorskip("matplotlib")
    run = make_audio_text_results(names=("att_d_1", "audio"), folds=2, seeds=2, epochs=2, examples=1)
    run["members"][1]["failed"] = {"step": 12, "reason": "the training loss is NaN"}
    write_results(tmp_path, run)
    text = report(read_results(tmp_path))
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert re.findall(r"<h2>([^<]*)</h2>", text) == [*SECTIONS]
    # What is informative, scores, gains; two matrices and the paper's; attention; two explained; curves.
    assert text.count("<svg ") == 3 + 3 + 1 + 2 + 1
    # The other explained utterances, and three lists of settings.
    assert text.count("<details>") == 1 + 3 and "żółć" in text and "schön" in text
    assert "Att_d^1, fold 0, seed 1:" not in text  # no example of it
    assert "Att_d^1, fold 0, seed 1 failed at step 12: the training loss is NaN" in text
    assert "waveform statistics" not in text  # has a table of its own


def test_missing_pieces_leave_a_page(run):
    pytest.importorskip("matplotlib")
    for member in run["members"]:
        member |= {"failed": "NaN", "metrics": {}, "confusion": {}, "history": [], "predictions": None, "words": None}
        member |= {"examples": None}
    run["data"] = {}
    text = report(run)
    assert "<h2>Results</h2>" in text and "<svg " not in text
    assert headline(run).rows[0][:3] == ("Att_d^1", "0 of 4", "–") and CLASSES
    run["members"] = []
    assert "<h2>Config</h2>" in report(run)
    for field in ("classes", "data"):
        run.pop(field)
    assert report(run)
