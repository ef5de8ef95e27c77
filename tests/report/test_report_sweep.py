"""The page of a sweep: its table, its figure, its command."""

import copy
import re
import shlex

import pytest

from sejax.report.sweep import sweep_page, trial_table, write_sweep

SPACE = {
    "batch_size": "64|128",
    "side": "2..width/8",
    "dropout": "0.1~0.5",
    "learning_rate": "log:1e-4~1e-1",
    "hidden": "8+4|16",
}


def trial(number, score, *, failed=None, **values):
    values = {"batch_size": 64, "side": 3, "dropout": 0.2, "learning_rate": 1e-3, "hidden": [8, 4]} | values
    found = {"trial": number, "values": values, "run": f"trials/{number:04}", "score": score, "n": 2, "failed": failed}
    return found | {"std": 0.01, "members": []}


@pytest.fixture
def found():
    return {
        "experiment": "toy",
        "metric": "valid/accuracy",
        "lower_is_better": False,
        "space": SPACE,
        "search": "random",
        "seed": 0,
        "asked": 5,
        "trials": [
            trial(0, 0.5),
            trial(1, 0.75, batch_size=128, hidden=[16], learning_rate=0.05),
            trial(2, 0.9, failed="1 of 2 members failed; fold 1: <not finite>"),
            trial(3, None, failed="config: side=16 does not fit") | {"run": None, "std": None, "n": 0},
        ],
        "ranking": [1, 0, 2, 3],
        "best": trial(1, 0.75, batch_size=128)
        | {"command": "python launch/train.py --config=a.py '--config.r=(0.1,)'"},
        "config": {"batch_size": 64, "image": {"level": 20.0}},
    }


def test_the_table_ranks_trials_and_gives_failed_ones_no_rank(found):
    rows = trial_table(found).rows
    assert [row[0] for row in rows] == ["1", "2", "–", "–"]
    assert rows[0][1:7] == ("128", "3", "0.2", "0.05", "16", "0.7500 ± 0.0100")
    assert rows[2][-1] == rows[3][-1] == "failed" and rows[3][6] == "–"


def test_the_page_has_everything_and_refers_to_nothing_outside(found, tmp_path):
    text = write_sweep(tmp_path, found).read_text()
    for expected in ("4 of 5 trials so far, random search, 2 failed", "0.750 ± 0.010", "&lt;not finite&gt;"):
        assert expected in text
    assert "side=16 does not fit" in text and "image.level" in text and "log:1e-4~1e-1" in text
    assert not re.search(r'(src|href)="(?!#)', text) and "<script" not in text


def test_the_command_stays_one_command_with_a_line_for_each_flag(found):
    written = re.search(r"<pre>(.*?)</pre>", sweep_page(found), re.DOTALL)[1].replace("&#x27;", "'")
    assert written.count("\n") == 2
    assert shlex.split(written.replace("\\\n", "")) == shlex.split(found["best"]["command"])


def test_every_swept_field_has_a_panel_with_its_values(found):
    svg = re.search(r"<svg.*?</svg>", sweep_page(found), re.DOTALL)[0]
    for expected in (*SPACE, "8+4", "16", "64", "128", "validation accuracy", "best"):
        assert f">{expected}<" in svg


def test_a_sweep_without_a_score_says_so(found):
    nothing = copy.deepcopy(found) | {"trials": found["trials"][3:], "ranking": [3], "best": None}
    text = sweep_page(nothing)
    assert "No trial has a score" in text and "<svg" not in text


def test_the_first_screen_has_the_result_and_the_figure_and_every_setting_is_folded_away(found):
    pytest.importorskip("matplotlib")
    header, _, rest = sweep_page(found).partition("</header>")
    assert header.index("highest validation accuracy") < header.index("validation part alone") < header.index("<svg ")
    config = rest[rest.index('<section id="config">') :]
    assert "<svg " not in rest and config.index("<details>") < config.index("<dl>")
