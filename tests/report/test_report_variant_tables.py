import numpy as np
import pytest
from reading import column, comparison, headline

from sejax.core.results import summaries
from sejax.report.score_tables import member_table
from sejax.report.tables import Strong


def test_headline_has_table_two_and_the_test_part_beside_each_other(transfer_run):
    table = headline(transfer_run)
    assert table.columns == (
        *("model", "learning rate", "training accuracy", "paper", "validation accuracy", "paper"),
        *("training loss", "paper", "validation loss", "paper", "test accuracy, chunk", "test UAR, chunk"),
        *("test accuracy, utterance", "test UAR, utterance"),
    )
    assert column(table, "model")[::3] == ["resnet50", "squeezenet1_1", "wide_resnet50_2", "inception_v3"]
    assert column(table, "learning rate")[:3] == ["0.0001 (published)", "0.01 (tuned)", "1"]
    assert column(table, "paper", 0)[::3] == ["0.997", "0.578", "0.857", "0.385"]
    assert column(table, "paper", 1)[::3] == ["0.998", "0.463", "0.789", "0.385"]
    assert column(table, "paper", 2)[::3] == ["0.0236", "7.2", "6.12", "9.8"]
    assert column(table, "paper", 3)[::3] == ["0.023", "9.6", "6.23", "9.8"]
    assert set(column(table, "paper", 3)[1:3]) == {"–"}
    values = [m["metrics"]["valid/accuracy"] for m in transfer_run["members"][3:6]]
    assert column(table, "validation accuracy")[1] == f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
    assert "iemocap, protocol utterance" in table.caption and "3 members each" in table.caption


def test_a_loss_stands_out_at_or_below_the_papers_and_an_accuracy_at_or_above(fabricate_transfer):
    run = fabricate_transfer(models=("squeezenet1_1",), rates=(0.0001,), seeds=1)
    figures = {"train/accuracy": 0.578, "valid/accuracy": 0.462, "train/loss": 7.2, "valid/loss": 9.7}
    for metric, value in figures.items():
        run["variants"][0]["summary"][metric]["mean"] = value
    (row,) = headline(run).rows
    assert [isinstance(row[place], Strong) for place in (2, 4, 6, 8)] == [True, False, True, False]


def test_notes_say_how_the_paper_contradicts_itself_and_what_tuned_and_the_protocol_mean(transfer_run):
    notes = " ".join(headline(transfer_run).notes)
    for part in ("0.23 for ResNet50 (table: 0.023)", "0.467 for SqueezeNet (table: 0.463)", "best mean validation"):
        assert part in notes
    assert "chunks of one utterance never fall in two parts" in notes


def test_a_run_without_published_settings_has_no_paper_column(fabricate_transfer):
    table = headline(fabricate_transfer(rates=(0.01, 1.0), seeds=1))
    assert "paper" not in table.columns
    assert "training accuracy" in table.columns
    assert table.notes[0] == "The paper has no figure for these settings."
    assert column(table, "learning rate")[:2] == ["0.01 (tuned)", "1"]


def test_variants_with_failed_members_say_how_many_stand_behind_a_row(fabricate_transfer):
    run = fabricate_transfer(models=("resnet50",))
    run["members"][4]["failed"] = {"step": 9, "reason": "NaN"}
    run |= summaries(run["members"])
    assert column(headline(run), "members") == ["3", "3 (1 failed)", "3"]


def test_variants_of_another_kind_have_a_row_each():
    members = [
        {"fusion": fusion, "fold": fold, "failed": None, "metrics": {"test/uar": 0.5 + fold / 10}}
        for fusion in ("early", "late")
        for fold in range(2)
    ]
    paper = {"early": {"test/uar": 0.56}, "late": {"test/uar": 0.55}}
    recorded = summaries(members, paper=lambda name: paper[name["fusion"]])
    table = headline({"experiment": "fusing", "config": {}, "members": members, **recorded})
    assert table.columns == ("fusion", "test UAR, block", "paper")
    assert table.rows == (("early", "0.550 ± 0.071", "0.56"), ("late", "0.550 ± 0.071", "0.55"))
    assert not isinstance(table.rows[0][1], Strong)


def test_member_table_names_each_member_and_has_all_its_metrics(transfer_run):
    table = member_table(transfer_run)
    assert table.columns[:8] == (
        *("model", "learning rate", "seed", "status"),
        *("training accuracy", "training loss", "validation accuracy", "validation loss"),
    )
    assert "epochs" not in table.columns and "fold" not in table.columns
    for row, member in zip(table.rows, transfer_run["members"], strict=True):
        assert row[:4] == (member["model"], f"{member['learning_rate']:g}", str(member["seed"]), "finished")
        assert row[-1] == f"{member['metrics']['test_utterance/accuracy']:.3f}"
    assert len(table.columns) == 4 + len(member["metrics"])


def test_comparison_has_a_row_for_each_variant_of_each_run(fabricate_transfer):
    models = ("resnet50", "inception_v3")
    runs = [fabricate_transfer(models=models, seeds=2, protocol=protocol) for protocol in ("utterance", "chunk")]
    runs[1]["config"]["trainable"] = "head"
    (table,) = comparison(runs)
    assert table.columns[:4] == ("protocol", "trainable", "model", "learning rate")
    assert [row[:4] for row in table.rows][::6] == [
        ("utterance", "all", "resnet50", "0.0001 (published)"),
        ("chunk", "head", "resnet50", "0.0001 (published)"),
    ]
    assert len(table.rows) == 12
    assert table.caption.startswith("iemocap: mean")
    assert "leak into the validation" in table.notes[-1]
    by_corpus = comparison([*runs, fabricate_transfer(models=models, corpus="emodb", seeds=2)])
    assert by_corpus[0].columns[:3] == ("corpus", "protocol", "trainable")


def test_comparison_groups_by_fields_of_runs_and_of_variants(fabricate_transfer):
    models = ("resnet50", "inception_v3")
    runs = [fabricate_transfer(models=models, seeds=1, protocol=protocol) for protocol in ("utterance", "chunk")]
    tables = comparison(runs, group_by=["model"])
    assert [table.caption.split(",")[0] for table in tables] == ["model inception_v3", "model resnet50"]
    assert all("model" not in table.columns and len(table.rows) == 6 for table in tables)
    tables = comparison(runs, group_by=["protocol"])
    assert [table.caption.split(",")[0] for table in tables] == ["protocol chunk", "protocol utterance"]
    with pytest.raises(ValueError, match="cannot group by colour; known fields: corpus, protocol, trainable, model"):
        comparison(runs, group_by=["colour"])


def test_equal_rows_of_two_runs_are_told_apart_by_the_runs_name(fabricate_transfer):
    run = fabricate_transfer(models=("resnet50",), seeds=1)
    (table,) = comparison([{"run": "one", **run}, {"run": "two", **run}])
    assert column(table, "run") == ["one"] * 3 + ["two"] * 3
