import numpy as np
import pytest
from reading import column, comparison, headline, paper_figures

from sejax.report.run import figures_at
from sejax.report.score_tables import member_table, row_order, run_names
from sejax.report.tables import Strong


def test_headline_sets_each_iteration_beside_the_paper(results):
    table = headline(results)
    assert table.columns == ("level", "metric", "iteration 1", "paper", "iteration 2", "iteration 3", "paper")
    assert [row[:2] for row in table.rows[:2]] == [("block", "macro-F1"), ("block", "UAR")]
    assert table.rows[3][:2] == ("utterance", "macro-F1")
    assert column(table, "paper", 0) == ["0.70", "–", "–", "–", "–", "–"]
    assert column(table, "paper", 1) == ["0.72", "–", "–", "–", "–", "–"]
    scores = [member["metrics"]["iteration_2/test/uar"] for member in results["members"]]
    assert column(table, "iteration 2")[1] == f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}"
    assert "protocol image" in table.caption
    assert "5 members" in table.caption


def test_headline_of_full_supervision_has_the_papers_single_figure(fabricate):
    table = headline(fabricate(labelled=1.0))
    assert table.columns == ("level", "metric", "iteration 1", "paper")
    assert table.rows[0][3] == "0.94"


def test_headline_of_an_experiment_without_iterations_has_one_column_of_results():
    summary = {"test/uar": {"mean": 0.6, "std": 0.1, "n": 4}, "valid/loss": {"mean": 1.5, "std": 0.0, "n": 1}}
    run = {"experiment": "transfer", "config": {}, "summary": summary, "members": [{}], "paper": {"test/uar": 0.55}}
    table = headline(run)
    assert table.columns == ("level", "metric", "result", "paper")
    assert table.rows == (("block", "UAR", "0.600 ± 0.100", "0.55"), ("valid", "loss", "1.500", "–"))
    assert isinstance(table.rows[0][2], Strong)


def test_a_failed_member_is_named_in_caption_and_row(failed_results):
    assert "4 of 5 members (1 failed)" in headline(failed_results).caption
    assert column(member_table(failed_results), "status")[2] == "failed at step 120: the training loss is NaN"


def test_member_table_has_every_members_final_scores(results):
    table = member_table(results)
    assert len(table.columns) == 3 + 6 + 1  # names and status, the last iteration's metrics, epochs
    for row, member in zip(table.rows, results["members"], strict=True):
        assert row[:3] == (str(member["fold"]), str(member["seed"]), "finished")
        assert row[3] == f"{member['metrics']['test/macro_f1']:.3f}"
        assert row[-1] == " / ".join(str(entry["epochs"]) for entry in member["iterations"])


def test_paper_figures_come_from_the_config_where_a_run_recorded_none(results):
    recorded = results.pop("paper")
    assert paper_figures(results) == recorded
    results["config"]["scale"] = "mel"
    assert paper_figures(results)["iteration_1/test/macro_f1"] == 0.66


def test_the_papers_third_iteration_is_no_match_for_a_run_of_one():
    paper = {"iteration_1/test/macro_f1": 0.70, "iteration_3/test/macro_f1": 0.72, "test/macro_f1": 0.72}
    assert figures_at(paper, "test", "macro_f1", 1, 1) == 0.70
    assert figures_at(paper, "test", "macro_f1", 2, 2) is None
    assert figures_at({"test/macro_f1": 0.94}, "test", "macro_f1", 2, 2) == 0.94
    assert figures_at({"test/macro_f1": 0.94}, "test", "macro_f1", 1, 2) is None


def test_comparison_has_a_row_for_each_run_in_the_papers_order(fabricate):
    settings = [(0.2, "log", 0), (1.0, "mel", 0), (0.3, "log", "none"), (1.0, "log", 0), (0.3, "log", 0)]
    runs = [fabricate(labelled=part, scale=scale, voice_activity=mode) for part, scale, mode in settings]
    (table,) = comparison(runs)
    assert column(table, "labelled") == ["100 %", "100 %", "30 %", "30 %", "20 %"]
    assert column(table, "scale") == ["log", "mel", "log", "log", "log"]
    assert column(table, "voice activity") == ["mode 0", "mode 0", "mode 0", "none", "mode 0"]
    assert column(table, "paper", 0) == ["–", "–", "0.70", "0.77", "0.61"]
    assert column(table, "paper", 1) == ["0.94", "0.92", "0.72", "0.80", "0.67"]
    assert "emodb, squeezenet1_1" in table.caption
    scores = [member["metrics"]["iteration_3/test_utterance/uar"] for member in runs[0]["members"]]
    assert column(table, "UAR, utterance")[-1] == f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}"
    assert column(table, "macro-F1, iteration 1")[0] == "–"


def test_comparison_marks_only_means_at_or_above_the_paper(fabricate):
    run = fabricate()
    run["summary"]["test/macro_f1"]["mean"] = run["summary"]["iteration_3/test/macro_f1"]["mean"] = 0.72
    run["summary"]["iteration_1/test/macro_f1"]["mean"] = 0.6999
    (table,) = comparison([run])
    assert isinstance(column(table, "macro-F1, last iteration")[0], Strong)
    assert not isinstance(column(table, "macro-F1, iteration 1")[0], Strong)


def test_comparison_explains_the_protocols_that_occur(fabricate):
    (table,) = comparison([fabricate(protocol="speaker"), fabricate(protocol="block")])
    assert column(table, "protocol") == ["speaker", "block"]
    notes = " ".join(table.notes)
    assert "Protocol speaker: no speaker occurs in two parts" in notes
    assert "Protocol block:" in notes
    assert "Protocol image:" not in notes


def test_grouping_makes_a_table_for_each_value_and_drops_its_column(fabricate):
    runs = [fabricate(protocol=protocol, scale=scale) for scale in ("mel", "log") for protocol in ("image", "speaker")]
    tables = comparison(runs, group_by=["protocol", "trainable"])
    assert [table.caption.split(", ")[2:4] for table in tables] == [
        ["protocol speaker", "trainable head"],
        ["protocol image", "trainable head"],
    ]
    for table in tables:
        assert "protocol" not in table.columns
        assert column(table, "scale") == ["log", "mel"]
    with pytest.raises(ValueError, match="cannot group by colour; known fields: corpus, model"):
        comparison(runs, group_by=["colour"])


def test_corpora_and_models_become_columns_where_they_differ(fabricate):
    other = fabricate()
    other["corpus"] = other["config"]["corpus"] = "nemo"
    other["paper"] = {}
    (table,) = comparison([other, fabricate()])
    assert column(table, "corpus") == ["emodb", "nemo"]
    assert column(table, "paper", 1) == ["0.72", "–"]
    assert "model" not in table.columns


def test_runs_of_one_setting_are_told_apart_by_name(fabricate):
    (table,) = comparison([{"run": "first", **fabricate()}, {"run": "second", **fabricate()}])
    assert column(table, "run") == ["first", "second"]


def test_member_counts_become_a_column_where_they_differ(fabricate, failed_results):
    (table,) = comparison([failed_results, fabricate(labelled=0.2)])
    assert column(table, "members") == ["5 (1 failed)", "5"]


def test_another_detector_is_called_by_its_name(fabricate):
    (table,) = comparison([fabricate(voice_activity="silero"), fabricate(voice_activity="3")])
    assert column(table, "voice activity") == ["mode 3", "silero"]
    runs = [fabricate(voice_activity=mode) for mode in ("3", "silero", "none")]
    assert run_names(runs) == ["voiced (mode 3)", "voiced (silero)", "with pauses"]


def test_run_names_hold_only_what_differs(fabricate):
    runs = [fabricate(), fabricate(voice_activity="none"), fabricate(voice_activity="none", scale="mel")]
    assert run_names(sorted(runs, key=row_order)) == ["log, voiced", "log, with pauses", "mel, with pauses"]
    assert run_names([fabricate(), fabricate()]) == ["run 1", "run 2"]


def test_simple_systems_have_a_table_of_their_own_with_a_row_for_each_set_of_folds(fabricate):
    def anchored(name, uar, **setting):
        entry = {"mean": uar, "std": 0.08, "n": 5, "failed": 0}
        about = {"features": "emobase2010", "opensmile": "2.6.0", "classifier": "linear SVM"}
        data = {"anchor": about | {"scores": {"": {"uar": entry, "per_fold": [uar] * 5}}}}
        return {"run": name, **fabricate(**setting), "data": data}

    runs = [anchored("a", 0.7), anchored("b", 0.7), anchored("c", 0.9, protocol="block"), fabricate(labelled=0.2)]
    *others, found = comparison(runs)
    assert len(others) == 1
    assert found.columns == ("runs", "corpus", "protocol", "guessing", "levels alone", "openSMILE + linear SVM")
    assert found.rows == (
        ("a, b", "emodb", "image", "0.143", "–", "0.700 ± 0.080"),
        ("c", "emodb", "block", "0.143", "–", "0.900 ± 0.080"),
    )
