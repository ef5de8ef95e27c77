"""The table and figure of robustness.json: in the page and in the terminal, and where there is none."""

import re

import numpy as np
import pytest
from dcgan_runs import make_dcgan_results
from test_report_launch import launch

from sejax.core.files import write_json
from sejax.core.results import write_results
from sejax.errors import InputError
from sejax.experiments import report_of
from sejax.report import tables
from sejax.report.html import report_page, write_report
from sejax.report.robustness import FILE, digest_of_run, read_robustness, right_answers, robustness_table

CONDITIONS = (
    ("untouched", "untouched", None),
    *((f"{-gain} dB quieter", "gain", gain) for gain in (-6, -12, -20, -30)),
    *((f"white noise, {ratio} dB SNR", "white", ratio) for ratio in (20, 10, 0)),
    *((f"babble, {ratio} dB SNR", "babble", ratio) for ratio in (20, 10, 0)),
    ("sampled at 8 kHz", "band", None),
    ("MP3, 32 kbit/s", "mp3", None),
)


def make_robustness(results, *, dimensions=("",), unanswered=0, seen=0, labelled=60):
    """What robustness.json holds of a run: five members judge twelve utterances each."""
    random, rows = np.random.default_rng(0), []
    for number, (name, kind, decibels) in enumerate(CONDITIONS):
        scores = {}
        for dimension in dimensions:
            share = float(np.clip(0.7 - 0.04 * number + 0.05 * random.normal(), 0, 1))
            scores[dimension] = {"utterances": 60, "labelled": labelled, "unanswered": unanswered if number == 4 else 0}
            scores[dimension] |= {"right": share, "uar": share - 0.02, "same": 1.0 if number == 0 else share + 0.1}
            scores[dimension] |= {"moved": 0.1 * number} if dimension else {}
        rows.append({"condition": name, "kind": kind, "decibels": decibels, "scores": scores})
    judges = [
        {
            "member": {"fold": fold, "seed": 0},
            "ids": [f"u{fold}{number:02}" for number in range(12)],
            "seen": [12 * fold + number < seen for number in range(12)],
        }
        for fold in range(5)
    ]
    about = {"command": "launch/robustness.py --workdir=run --corpus=emodb --source=DIR", "protocol": "speaker"}
    about |= {"run": digest_of_run(results), "corpus": "emodb", "seed": 0, "files": 12}
    return about | {"judges": judges, "conditions": rows}


def table_of(results, **options):
    return robustness_table(make_robustness(results, **options), results, report_of(results))


def test_the_table_has_a_row_for_each_condition_and_says_who_judged_what(results):
    found, table = make_robustness(results), table_of(results)
    assert table.columns == ("condition", "right", "UAR", "same as untouched")
    assert [row[0] for row in table.rows] == [name for name, *_ in CONDITIONS]
    for row, condition in zip(table.rows, found["conditions"], strict=True):
        score = condition["scores"][""]
        assert row[1:] == tuple(f"{score[name]:.3f}" for name in ("right", "uar", "same"))
    assert table.caption == "Degraded recordings: 60 utterances of emodb, protocol speaker"
    notes = " ".join(table.notes)
    assert "12 utterances by each of 5 members (fold 0, 1, 2, 3, 4; seed 0)" in notes
    assert "Protocol image: images are split at random" in notes  # of the run's own results
    assert "Made by launch/robustness.py" in notes and "other parts" not in notes and "no answer" not in notes.lower()


def test_what_trained_the_judges_and_what_was_not_answered_is_said(results):
    table = table_of(results, seen=7, unanswered=3, labelled=50)
    notes = " ".join(table.notes)
    assert "Of 7 of the 60 utterances other parts trained or validated the member that judges them" in notes
    assert "how answers change, and not how good they are" in notes
    assert table.columns[-1] == "no answer" and [row[-1] for row in table.rows][3:6] == ["0", "3", "0"]
    assert "neither right nor the same" in notes and "50 of them with a known answer" in table.caption


def test_ratings_have_columns_of_each_dimension():
    run = make_dcgan_results()
    table = table_of(run, dimensions=("valence", "activation"))
    each = ("right", "UAR", "same as untouched", "points moved")
    assert table.columns == (
        "condition", *(f"{dimension}: {name}" for dimension in ("valence", "activation") for name in each)
    )
    assert "the point nearest to the mean rating" in " ".join(table.notes)
    assert table.caption.endswith(f"protocol speaker, ratings {run['ratings']}")


def test_the_figure_has_right_answers_over_gain_noise_and_channel(results, panels):
    found = make_robustness(results)
    right_answers(found)
    shares = {row["condition"]: 100 * row["scores"][""]["right"] for row in found["conditions"]}
    same = {row["condition"]: 100 * row["scores"][""]["same"] for row in found["conditions"]}
    names = [name for name, *_ in CONDITIONS]
    for axes, line, curve in ((0, 0, names[:5]), (1, 0, names[5:8]), (1, 2, names[8:11]), (2, 0, names[11:])):
        for number, values in ((line, shares), (line + 1, same)):
            drawn = panels[axes].lines[number]
            np.testing.assert_allclose(drawn.get_ydata(), [values[name] for name in curve])
    np.testing.assert_array_equal(panels[0].lines[0].get_xdata(), [0, -6, -12, -20, -30])
    np.testing.assert_array_equal(panels[1].lines[0].get_xdata(), [20, 10, 0])
    assert panels[0].get_xlim()[0] > panels[0].get_xlim()[1] and panels[1].get_xlim()[0] > panels[1].get_xlim()[1]
    assert panels[1].lines[4].get_ydata()[0] == panels[2].lines[2].get_ydata()[0] == shares["untouched"]
    panels.clear()
    right_answers(make_robustness(results, dimensions=("valence", "activation")))
    assert [axes.get_ylabel() for axes in panels if axes.get_ylabel()] == ["valence (%)", "activation (%)"]


def test_shares_of_what_has_no_label_are_no_line(results, panels):
    found = make_robustness(results)
    for row in found["conditions"]:
        row["scores"][""] |= {"right": None, "uar": None}
    right_answers(found)
    assert [len(axes.lines) for axes in panels] == [1, 2, 1]  # what stays the same
    assert robustness_table(found, results, report_of(results)).rows[1][1:3] == ("–", "–")


def test_without_the_file_a_page_is_as_before_and_with_it_there_is_a_section(tmp_path, results):
    pytest.importorskip("matplotlib")
    results["members"] = [{**member, "history": [], "iterations": []} for member in results["members"]]
    own = report_of(results)
    before = write_report(tmp_path, results, own).read_text(encoding="utf-8")
    assert before == report_page(results, own) and "obustness" not in before
    write_json(tmp_path / FILE, make_robustness(results))
    page = write_report(tmp_path, results, own).read_text(encoding="utf-8")
    assert page.count("<svg") == before.count("<svg") + 1
    assert tables.html(table_of(results)) in page
    section = re.search(r'<section id="robustness">.*?</section>\n', page, re.DOTALL)[0]
    rest = page.replace(section, "").replace('<a href="#robustness">Robustness</a> ', "")
    assert rest == before
    (tmp_path / FILE).unlink()
    assert write_report(tmp_path, results, own).read_text(encoding="utf-8") == before


def test_the_file_of_another_training_is_said_and_not_shown(tmp_path, results):
    found = make_robustness(results)
    results["members"][0]["metrics"]["test/uar"] += 0.01
    write_json(tmp_path / FILE, found)
    page = report_page(results, report_of(results), None, read_robustness(tmp_path))
    assert "is of another training in this folder" in page and "MP3, 32 kbit/s" not in page


@pytest.mark.parametrize("change", ["cut", {"conditions": []}, {"conditions": [{"condition": "untouched"}]}])
def test_a_damaged_file_is_named(tmp_path, results, change):
    write_json(tmp_path / FILE, make_robustness(results) | (change if isinstance(change, dict) else {}))
    if change == "cut":
        (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-200])
    with pytest.raises(InputError, match=f"{FILE} is damaged .*sejax robustness makes it again"):
        read_robustness(tmp_path)


def test_the_script_prints_the_table(tmp_path, results):
    results["members"] = [{**member, "history": [], "iterations": []} for member in results["members"]]
    write_results(tmp_path / "run", results)
    alone = launch("--workdir=run", cwd=tmp_path)
    write_json(tmp_path / "run" / FILE, make_robustness(results))
    both = launch("--workdir=run", cwd=tmp_path)
    assert both.returncode == 0, both.stderr
    assert both.stdout.replace(tables.plain_text(table_of(results)) + "\n", "") == alone.stdout != both.stdout
