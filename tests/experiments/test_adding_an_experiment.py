"""The page that says how to add an experiment, followed to the letter in a copy of the project."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Add an experiment")[2]
BLOCKS = dict(re.findall(r"^`([\w/.]+)`\n\n```python\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL))
NEW = [path for path in BLOCKS if not (ROOT / path).exists()]
LISTS = Path("sejax/experiments/__init__.py"), Path("tests/contract/cases.py")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project after the page's steps, with a prepared set of feature vectors."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("sejax", "launch", "configs", "tests", "README.md"):
        whole = (ROOT / name).is_file()
        (shutil.copy if whole else shutil.copytree)(ROOT / name, folder / name)
    for path in NEW:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(BLOCKS[path] + "\n", encoding="utf-8")
    names, cases = ((folder / path) for path in LISTS)
    listed = names.read_text(encoding="utf-8")
    names.write_text(re.sub(r"^(EXPERIMENTS = \(.*)\)$", r'\1, "foo")', listed, flags=re.MULTILINE), encoding="utf-8")
    cases.write_text(cases.read_text(encoding="utf-8") + "\n\n" + BLOCKS[str(LISTS[1])] + "\n", encoding="utf-8")
    run(folder, "-c", "import pathlib, toy_vectors; toy_vectors.write_both(pathlib.Path('data'))")
    return folder


def run(folder, *arguments):
    """Python in the copy; what it printed."""
    paths = os.pathsep.join([str(folder), str(folder / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths}
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_it_takes_five_new_files_and_three_edited_ones():
    assert len(NEW) == 5 and set(BLOCKS) - set(NEW) == {str(LISTS[1])}
    edited = {str(path) for path in LISTS} | {"README.md"}
    assert edited == set(re.findall(r"`((?:sejax/experiments/__init__|tests/contract/cases)\.py|README\.md)`", PAGE))


@pytest.mark.slow
def test_it_trains_evaluates_and_reports_beside_the_published_figures(project):
    config = "--config=configs/foo.py:corpus=emodb,folds=2,epochs=4"
    common = ("--data_dir=data", "--workdir=runs/foo")
    printed = run(project, "launch/train.py", config, "--config.run.compilation_cache=", *common)
    assert "0.61" in printed and "0.65" in printed and "Table 9" in printed
    results = json.loads((project / "runs/foo/results.json").read_text(encoding="utf-8"))
    assert [variant["name"] for variant in results["variants"]] == [{"penalty": 0.0}, {"penalty": 0.01}]
    assert [variant["paper"] for variant in results["variants"]] == [{"test/uar": 0.61}, {"test/uar": 0.65}]
    assert all(variant["summary"]["test/uar"]["mean"] > 0.8 for variant in results["variants"])
    assert "agrees with" in run(project, "launch/evaluate.py", *common)
    page = (project / "runs/foo/report.html").read_text(encoding="utf-8")
    assert "Table 9" in page and "<svg" in page
    assert "penalty" in run(project, "launch/report.py", "runs/foo", "runs/foo", "--output=both.html")


@pytest.mark.slow
def test_the_contract_suite_runs_over_it(project):
    # What runs in processes of its own runs every experiment's cases there: test_contract.py does so once a session.
    chosen = "foo and not process and not devices and not pmap"
    printed = run(project, "-m", "pytest", "tests/contract", "-k", chosen, "-p", "no:cacheprovider", "-n", "0")
    assert "12 passed" in printed and "failed" not in printed
