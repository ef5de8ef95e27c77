"""The paper's Tables 2 to 4 beside our figures: every corpus in its place, empty where it was not run."""

import pytest

from sejax.experiments import report_of
from sejax.experiments.pseudo_labelling.paper_tables import paper_tables
from sejax.experiments.pseudo_labelling.published import FULL_SUPERVISION
from sejax.report.tables import Strong


def on(run, corpus):
    """A made-up run on another corpus."""
    return run | {"corpus": corpus, "config": run["config"] | {"corpus": corpus}}


def row(table, corpus):
    return next(row for row in table.rows if row[0] == corpus)


def test_all_three_tables_stand_there_with_every_corpus(fabricate):
    two, three, four = paper_tables([fabricate(labelled=1.0)])
    assert [table.caption.partition(",")[0] for table in (two, three, four)] == [
        "The paper's Table 2",
        "The paper's Table 3",
        "The paper's Table 4",
    ]
    assert [row[0] for row in two.rows] == [row[0] for row in three.rows] == list(FULL_SUPERVISION)
    assert [row[0] for row in four.rows] == ["avic", "emodb", "susas"]
    assert two.columns == ("corpus", "baseline", "paper", "log", "paper", "mel", "paper")
    assert row(two, "vam")[1:] == ("–", "0.86", "–", "0.91", "–", "0.45")
    assert row(three, "sal")[2::2] == ("0.42", "0.61", "0.57", "0.62", "0.55", "0.61")
    assert set(row(three, "sal")[1::2]) == {"–"}
    assert len(four.columns) == 13


def test_runs_stand_in_the_rows_and_columns_of_their_settings(fabricate):
    runs = [
        fabricate(labelled=1.0),
        on(fabricate(labelled=1.0, scale="mel"), "SUSAS"),
        fabricate(labelled=0.3, voice_activity="none"),
        on(fabricate(labelled=0.2, voice_activity="silero"), "avic"),
        on(fabricate(labelled=0.3), "nemo"),  # not of the paper
        fabricate(labelled=0.5),
        fabricate(labelled=1.0, scale="mel", voice_activity="none"),  # nor is this
    ]
    two, three, four = paper_tables(runs)
    assert [cell != "–" for cell in row(two, "emodb")[1::2]] == [False, True, False]
    assert [cell != "–" for cell in row(two, "susas")[1::2]] == [False, False, True]
    assert [cell != "–" for cell in row(three, "emodb")[1::2]] == [True, True, False, False, False, False]
    assert [cell != "–" for cell in row(four, "avic")[1::2]] == [False, False, True, True, False, False]
    filled = [cell for table in (two, three, four) for row in table.rows for cell in row[1::2] if cell != "–"]
    assert len(filled) == 6
    scores = runs[2]["summary"]
    first, third = (scores[f"iteration_{number}/test/macro_f1"]["mean"] for number in (1, 3))
    assert row(three, "emodb")[1].startswith(f"{first:.3f} ±") and row(three, "emodb")[3].startswith(f"{third:.3f} ±")
    assert isinstance(row(four, "avic")[7], Strong)  # above the paper's 0.69


def test_each_protocol_has_tables_of_its_own_and_equal_settings_share_a_cell(fabricate):
    runs = [fabricate(labelled=1.0, protocol=name) for name in ("image", "speaker", "image")]
    tables = paper_tables(runs)
    assert len(tables) == 6
    assert "protocol speaker" in tables[0].caption and "protocol image" in tables[3].caption
    assert [row(table, "emodb")[3].count(" / ") for table in (tables[0], tables[3])] == [0, 1]


def test_a_run_of_fewer_iterations_has_no_third(fabricate):
    run = fabricate(labelled=0.3)
    for name in [name for name in run["summary"] if name.startswith("iteration_3/")]:
        del run["summary"][name]
    for member in run["members"]:
        member["iterations"] = member["iterations"][:2]
        member["metrics"] = {name: value for name, value in member["metrics"].items() if "iteration_3" not in name}
    cells = row(paper_tables([run])[1], "emodb")
    assert cells[5] != "–" and cells[7] == "–"


@pytest.mark.parametrize("corpus", ["nemo", "iemocap"])
def test_runs_of_other_corpora_have_no_such_tables(fabricate, corpus):
    assert paper_tables([on(fabricate(labelled=1.0), corpus)]) == []


def test_other_experiments_have_none(fabricate_transfer):
    made = fabricate_transfer(models=("resnet50",), rates=(0.0001,), seeds=1)
    assert report_of(made).paper_tables([made]) == []
