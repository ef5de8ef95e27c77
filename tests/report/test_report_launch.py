import os
import subprocess
import sys
from pathlib import Path

import pytest
from augmentation_runs import make_augmentation_results
from cyclegan_runs import make_cyclegan_results

from sejax.core.results import write_results

pytest.importorskip("absl")
pytest.importorskip("matplotlib")
ROOT = Path(__file__).resolve().parents[2]


def launch(*arguments, cwd):
    command = [sys.executable, str(ROOT / "launch" / "report.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8")


def rows_of(text):
    """The rows of the tables that stand before the paired differences."""
    before = text.partition("paired differences")[0]
    return [line for line in before.splitlines() if line.startswith("| ")]


def test_one_workdir_gets_its_report_made_again(tmp_path, results):
    results["members"] = [{**member, "history": [], "iterations": []} for member in results["members"]]
    write_results(tmp_path / "run", results)
    done = launch("--workdir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "macro-F1" in done.stdout
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_several_workdirs_make_a_markdown_and_an_html_comparison(tmp_path, fabricate):
    write_results(tmp_path / "full", fabricate(labelled=1.0))
    write_results(tmp_path / "part", fabricate(labelled=0.3))
    (tmp_path / "running").mkdir()
    done = launch("--workdir=full", "--figure=all.png", "part", "running", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)
    assert [row.split(" | ")[0] for row in rows[:4]] == ["| labelled", "| ---", "| 100 %", "| 30 %"]
    assert "| 0.94 |" in rows[2]
    assert [row.split(" | ")[0] for row in rows[4:6]] == ["| corpus", "| ---"]  # the paper's Table 2
    assert sum(row.startswith("| smartkom |") for row in rows) == 2 and "Table 4, 20 % of each class" in done.stdout
    assert "left out: running has no results.json" in done.stderr
    page = (tmp_path / "comparison-full+part.html").read_text(encoding="utf-8")
    assert "The paper&#x27;s Table 3" in page
    assert "beside the figures of the paper" in page
    write_results(tmp_path / "third", fabricate(labelled=0.1))
    others = sorted(path.name for path in tmp_path.iterdir())  # as a shell's * gives them, the page among them
    assert launch(*others, cwd=tmp_path).returncode == 0  # another set of runs leaves that page
    assert "3 runs beside" in (tmp_path / "comparison-full+part+third.html").read_text(encoding="utf-8")
    assert (tmp_path / "comparison-full+part.html").read_text(encoding="utf-8") == page
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")


def test_runs_of_several_networks_are_compared_by_network_and_rate(tmp_path, fabricate, fabricate_transfer):
    for name in ("utterance", "chunk"):
        made = fabricate_transfer(models=("resnet50",), rates=(0.0001, 1.0), seeds=1, protocol=name)
        write_results(tmp_path / name, made)
    write_results(tmp_path / "other", fabricate(labelled=1.0))
    done = launch("utterance", "chunk", "--figure=all.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)
    assert [row.split(" | ")[:3] for row in rows][0::2] == [
        ["| protocol", "model", "learning rate"],
        ["| utterance", "resnet50", "0.0001 (published)"],
        ["| chunk", "resnet50", "0.0001 (published)"],
    ]
    picture = (tmp_path / "all.svg").read_text(encoding="utf-8")
    assert "chunk: resnet50 at 1 (tuned)" in picture
    mixed = launch("utterance", "other", "--output=mixed.html", cwd=tmp_path)
    assert "iemocap, protocol utterance, trainable all: mean" in mixed.stdout
    assert "| labelled |" in mixed.stdout
    assert (tmp_path / "mixed.html").read_text(encoding="utf-8").count("<svg") == 2
    refused = launch("utterance", "other", "--figure=all.svg", cwd=tmp_path)
    assert refused.returncode == 2 and "error: --figure draws runs of one experiment" in refused.stderr


def test_runs_are_paired_below_the_table_and_on_the_page(tmp_path, fabricate):
    pytest.importorskip("scipy")
    for name, labelled in (("full", 1.0), ("part", 0.3)):
        write_results(tmp_path / name, fabricate(labelled=labelled, seeds=2))
    write_results(tmp_path / "block", fabricate(protocol="block"))
    done = launch("part", "full", "block", "--baseline=full", "--latex=t.tex", "--csv=s.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| part − full | macro-F1, block |" in done.stdout and "0.0625 with 5 folds" in done.stdout
    assert "block − full: not paired, protocol differs (block; image)." in done.stdout
    page = (tmp_path / "comparison-block+full+part.html").read_text(encoding="utf-8")
    assert page.count("<svg ") == 1 + 4 and "part − full" in page.partition("Paired differences</h2>")[2]
    assert r"\toprule" in (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert (tmp_path / "s.csv").is_file() and (tmp_path / "s-paired.csv").is_file()


def test_variants_of_one_run_are_paired_where_a_baseline_is_given(tmp_path):
    pytest.importorskip("scipy")
    variants = (("real", None), ("real+noise", None))
    write_results(tmp_path / "run", make_augmentation_results(variants=variants, folds=4, seeds=2, epochs=2))
    assert "paired differences" not in launch("run", cwd=tmp_path).stdout
    done = launch("run", "--baseline=real", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "real+noise − real" in done.stdout and "0.125 with 4 folds" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "error: no run given; pass --workdir=RUN"),
        (("nowhere", "elsewhere"), "error: none of the 2 runs has a results.json"),
        (("run", "run", "--group_by=colour"), "error: --group_by: cannot group by colour"),
        (("run", "run", "--baseline=walk"), "error: --baseline=walk is not among what is compared: give one of run"),
        (("run", "--latex=all.txt"), "error: --latex=all.txt: the name must end in .tex"),
        (("run", "run", "--figure=all.pdf"), "error: --figure=all.pdf: the name must end in .svg or .png"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path, results, arguments, message):
    write_results(tmp_path / "run", results)
    done = launch(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stdout == "" and done.stderr.count("\n") == 1


def test_cyclegan_and_augmentation_runs_have_tables_and_figures_of_their_own(tmp_path):
    variants = (("real", None), ("real+syn", 2.0))
    for name in ("within", "cross"):
        made = make_augmentation_results(evaluation=name, variants=variants, folds=2, seeds=2, epochs=2)
        write_results(tmp_path / name, made)
    write_results(tmp_path / "gans", make_cyclegan_results(folds=(-1, 0), rows=3))
    done = launch("within", "cross", "gans", "--output=all.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| run | evaluation | protocol | weight | Real |" in done.stdout
    assert "| within | emodb, within-corpus | leak_free | λ 2 |" in done.stdout
    assert "| gans | unlabelled | emodb | leak_free | λ 0 |" in done.stdout
    assert (tmp_path / "all.html").read_text(encoding="utf-8").count("<svg ") == 2
    refused = launch("within", "cross", "--group_by=colour", cwd=tmp_path)
    assert refused.returncode == 2 and "error: --group_by: cannot group by colour" in refused.stderr


def test_runs_are_calibrated_for_an_ensemble_alone(tmp_path, results):
    write_results(tmp_path / "run", results)
    for flag in ("--calibrate", "--calibrate_on=other"):
        done = launch("run", "run", flag, "--data_dir=data", cwd=tmp_path)
        assert done.returncode != 0 and "give --ensemble too" in done.stderr
