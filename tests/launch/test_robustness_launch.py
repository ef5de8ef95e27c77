"""The robustness of a finished run from end to end: the file, the table, the page, a kill, and what is refused."""

import itertools
import json
import shutil
import signal
import time

import numpy as np
import pytest
from scripts import Script, launch, results
from tones import CLASSES, spectrograms, write_manifest

from sejax.core.files import read_json, write_json
from sejax.core.results import write_results
from sejax.data.folds import TEST, make_folds
from sejax.engine.workdir import read_claim
from sejax.experiments.robustness import UNFINISHED
from sejax.report.robustness import FILE

pytest.importorskip("soxr")
CONDITIONS = 13


@pytest.fixture(scope="module")
def command(data_dir, tones_source):
    """The script's arguments but for the workdir."""
    return ["robustness", f"--data_dir={data_dir}", "--corpus=manifest", f"--source={tones_source}", "--files=3"]


@pytest.fixture(scope="module")
def asked(tmp_path_factory, finished, command):
    """A copy of a finished run with its robustness.json, and what the script said."""
    workdir = shutil.copytree(finished, tmp_path_factory.mktemp("runs") / "asked")
    done = launch(*command, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    return workdir, done


@pytest.mark.slow
def test_every_fold_judges_recordings_of_its_own_test_speakers(asked):
    found = read_json(asked[0] / FILE, "")
    config = results(asked[0])["config"]
    split = {name: config[name] for name in ("protocol", "folds", "validation", "seed")}
    parts = make_folds(spectrograms(), **split).part
    assert [judge["member"] for judge in found["judges"]] == [{"fold": fold, "seed": 0} for fold in range(3)]
    for judge, part in zip(found["judges"], parts, strict=True):
        rows = [spectrograms().utterance_ids.index(name) for name in judge["ids"]]
        assert len(set(rows)) == 3 and set(rows) <= set(spectrograms().utterance[part == TEST].tolist())
        assert judge["label"][""] == [row % len(CLASSES) for row in rows] and judge["seen"] == [False] * 3


@pytest.mark.slow
def test_the_shares_are_those_of_the_kept_posteriors(asked):
    found = read_json(asked[0] / FILE, "")
    truth = np.concatenate([judge["label"][""] for judge in found["judges"]])
    answers = [np.argmax(row["posteriors"], axis=-1) for row in found["conditions"]]
    assert len(answers) == CONDITIONS and found["conditions"][0]["condition"] == "untouched"
    for row, given in zip(found["conditions"], answers, strict=True):
        score = row["scores"][""]
        assert score["right"] == pytest.approx((given == truth).mean())
        assert score["same"] == pytest.approx((given == answers[0]).mean())
        assert (score["utterances"], score["labelled"], score["unanswered"]) == (9, 9, 0)
    assert found["conditions"][0]["scores"][""]["right"] == 1  # tones are learned at once
    assert answers[0].tolist() != answers[7].tolist()  # white noise as loud as they are is another sound
    assert found["protocol"] == "speaker" and found["seed"] == 0 and found["corpus"] == "tones"
    assert "launch/robustness.py" in found["command"] and "--files=3" in found["command"]


@pytest.mark.slow
def test_table_and_page_say_so_and_the_report_made_again_is_the_same(asked):
    workdir, done = asked
    assert "Degraded recordings: 9 utterances of tones, protocol speaker" in done.stdout
    assert "3 utterances by each of 3 members (fold 0, 1, 2; seed 0)" in done.stdout
    assert f"{9 * CONDITIONS}/{9 * CONDITIONS}" in done.stderr
    page = (workdir / "report.html").read_text()
    assert '<section id="robustness">' in page and "MP3, 32 kbit/s" in page
    again = launch("report", f"--workdir={workdir}")
    table = done.stdout[: done.stdout.index("table: ")].strip()
    assert table in again.stdout
    assert (workdir / "report.html").read_text() == page


@pytest.mark.slow
def test_finished_it_prints_the_table_and_judges_nothing(asked, command, tones_source):
    workdir, first = asked
    before = (workdir / FILE).stat().st_mtime_ns
    gone = [word.replace(str(tones_source), "nowhere.csv") for word in command]  # the recordings are not asked for
    done = launch(*gone, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert "is finished" in done.stdout and "recordings" not in done.stderr
    assert first.stdout[: first.stdout.index("table: ")] in done.stdout
    assert (workdir / FILE).stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_it_goes_on_and_ends_with_the_same_table(tmp_path, asked, finished, command, how):
    workdir = shutil.copytree(finished, tmp_path / "killed")
    process = Script(*command, f"--workdir={workdir}")
    while process.running() and not (workdir / UNFINISHED).exists():
        time.sleep(0.002)
    process.send(how)
    done = process.end()
    assert done.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143}[how] and "Traceback" not in done.stderr
    kept = len(json.loads((workdir / UNFINISHED).read_text())["answers"])
    assert 0 < kept < 9 and not (workdir / FILE).exists()
    done = launch(*command, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert f"{kept * CONDITIONS}/{9 * CONDITIONS}" in done.stderr
    found, whole = (read_json(folder / FILE, "") for folder in (workdir, asked[0]))
    assert found | {"command": ""} == whole | {"command": ""}
    assert not (workdir / UNFINISHED).exists()


@pytest.mark.slow
def test_one_member_and_another_seed_are_another_table(tmp_path, asked, command):
    workdir = shutil.copytree(asked[0], tmp_path / "run")
    done = launch(*command, f"--workdir={workdir}", "--only=fold=1", "--seed=4")
    assert done.returncode == 0, done.stderr
    (judge,) = read_json(workdir / FILE, "")["judges"]
    assert judge["member"] == {"fold": 1, "seed": 0} and "3 utterances by one member (fold 1; seed 0)" in done.stdout


REFUSED = (
    (("--corpus=layout", "--layout=nowhere.yaml"), "there is no file nowhere.yaml"),
    (("--corpus=nemo",), "--corpus=nemo: the run tests on tones; give --corpus=tones, or its manifest"),
    (("--source=nowhere.csv",), "there is no file nowhere.csv"),
    (("--only=fold=9",), "no trained member is {'fold': ('9',)}"),
    (("--only=fold",), "--only=fold: give NAME=VALUE"),
    (("--files=0",), "files"),
    (("--data_dir=nowhere",), "nowhere"),
)


@pytest.mark.parametrize(("changes", "said"), REFUSED, ids=lambda value: str(value))
def test_what_cannot_be_judged_is_one_line_and_leaves_no_file(finished, command, changes, said):
    names = {change.partition("=")[0] for change in changes}
    kept = [word for word in command if word.partition("=")[0] not in names]
    refused(launch(*kept, f"--workdir={finished}", *changes), said)
    assert not (finished / FILE).exists() and not (finished / UNFINISHED).exists()


def test_recordings_that_are_not_there_and_runs_that_classify_nothing_are_named(tmp_path, finished, command):
    words = [word for word in command if "source" not in word]
    kept = write_manifest(tmp_path / "part")
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join(itertools.islice(lines, 8)) + "\n")
    refused(launch(*words, f"--source={kept}", f"--workdir={finished}"), f"{kept} has no u0", "of tones")
    gans, claim = tmp_path / "gans", read_claim(finished)
    write_json(gans / "config.json", claim | {"config": claim["config"] | {"experiment": "cyclegan"}})
    write_results(gans, results(finished) | {"experiment": "cyclegan"})
    refused(launch(*words, f"--source={kept}", f"--workdir={gans}"), "a run of cyclegan classifies nothing")
    refused(launch(*words, f"--source={kept}", f"--workdir={tmp_path / 'none'}"), "none")


def refused(done, *said):
    """One line on stderr, status 2."""
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    for text in said:
        assert text in done.stderr
