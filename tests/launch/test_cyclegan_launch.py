"""CycleGANs from training to classifiers of what they make: in stages, killed in either, used by other commands."""

import random
import shutil
import signal
from dataclasses import replace

import pytest
import toy_vectors
from scripts import AUGMENTATION, CYCLEGAN, checkpoints, kill_once, launch, results

from sejax.core.results import read_results, write_results
from sejax.data.vectors import synthetic
from sejax.errors import InputError
from sejax.experiments.cyclegan.synthesis import synthesise

pytestmark = pytest.mark.slow  # training, classifiers and what other commands make of them, end to end


def refused(script, *arguments):
    """What a command says that ends with status 2, without a traceback."""
    done = launch(script, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_run_trains_its_generators_first_and_tells_of_both_stages(gans):
    found = results(gans)
    assert [(member["fold"], member["lambda_cls"]) for member in found["members"]] == [(0, 2.0), (1, 2.0), (-1, 2.0)]
    first = found["stages"]["pretraining"]["members"]
    assert [(member["fold"], member["failed"]) for member in first] == [(0, None), (1, None), (-1, None)]
    assert len(first[0]["history"]) == len(found["members"][0]["history"]) == 8
    assert first[0]["history"][-1]["train/cycle/sad"] < first[0]["history"][0]["train/cycle/sad"]
    assert found["members"][0]["gans"] == dict.fromkeys(("angry", "happy", "neutral", "sad"))
    assert "test/difference_synthetic" in found["members"][0]["metrics"]
    assert "test/difference_synthetic" not in found["members"][2]["metrics"]
    assert (gans / "stages" / "pretraining" / "finished.json").is_file()
    assert "happy" in (gans / "report.html").read_text()


def test_a_run_killed_in_either_stage_ends_as_if_it_never_was(tmp_path, gans, vectors_dir):
    workdir, moments = tmp_path / "killed", random.Random(2)
    arguments = [*CYCLEGAN, f"--data_dir={vectors_dir}", f"--workdir={workdir}"]
    first = workdir / "stages" / "pretraining" / "finished.json"

    def saved(stage):
        folders = {path.split("/")[0] for path in checkpoints(workdir) if "tmp" not in path}
        return stage in folders

    assert kill_once(lambda: saved("stages"), arguments, moments) == -signal.SIGKILL
    assert saved("stages") and not first.exists()
    assert kill_once(lambda: saved("checkpoints"), arguments, moments) == -signal.SIGKILL
    assert saved("checkpoints") and first.exists() and not (workdir / "results.json").exists()
    written = first.stat().st_mtime_ns
    done = launch("train", *arguments)
    assert done.returncode == 0, done.stderr
    assert first.stat().st_mtime_ns == written  # the first stage was not trained again
    found, expected = results(workdir), results(gans)
    assert found["stages"] == expected["stages"]
    assert found["members"] == expected["members"]


def test_evaluate_agrees_with_both_experiments(gans, classifiers, vectors_dir):
    for workdir, members in ((gans, 3), (classifiers, 4)):
        done = launch("evaluate", f"--workdir={workdir}", f"--data_dir={vectors_dir}")
        assert done.returncode == 0, done.stderr
        assert f"{members} members" in done.stdout


def test_the_synthetic_set_holds_every_source_vector_in_every_emotion_by_every_generator(gans, made):
    found = synthetic.load(made)
    assert len(found.label) == 3 * 4 * toy_vectors.UNLABELLED
    assert [name["fold"] for name in found.generators] == [0, 1, -1]
    assert found.source_ids == toy_vectors.unlabelled().utterance_ids
    assert found.about["target"] == ["emodb"] and found.about["normalisation"] == "leak_free"
    assert (found.features[:, 5] == 4.0).all()  # the constant feature has its value back
    distances = [member["metrics"]["train/difference_synthetic"] for member in results(gans)["members"]]
    assert found.about["distances/difference"] == distances


def test_classifiers_within_the_corpus_stand_beside_the_anchor(classifiers):
    found = results(classifiers)
    names = [(member["training"], member["fold"], member.get("lambda_cls")) for member in found["members"]]
    assert names == [("real", 0, None), ("real", 1, None), ("real+syn", 0, 2.0), ("real+syn", 1, 2.0)]
    assert {variant["name"]["training"] for variant in found["variants"]} == {"real", "real+syn"}
    assert len(found["anchor"]["per_fold"]) == 2 and found["protocol"] == "within"
    assert "real+syn" in (classifiers / "report.html").read_text()


def test_classifiers_are_tested_on_another_corpus(tmp_path, made, vectors_dir):
    workdir = tmp_path / "cross"
    config = f"configs/augmentation.py:real=emodb,test=nemo,synthetic={made},lambdas=2.0,repeats=1,updates=4"
    arguments = (f"--config={config},trainings=syn", f"--data_dir={vectors_dir}", f"--workdir={workdir}")
    done = launch("train", *arguments)
    assert done.returncode == 0, done.stderr
    (member,) = results(workdir)["members"]
    assert member["fold"] == -1 and {"valid/uar", "test/uar"} <= member["metrics"].keys()
    assert sum(map(sum, member["confusion"]["test"])) == 56


def test_what_cannot_be_ends_without_a_traceback_and_says_why(tmp_path, gans, made, classifiers, vectors_dir):
    here, there = f"--data_dir={vectors_dir}", f"--workdir={tmp_path / 'run'}"
    wrong = "--config=configs/augmentation.py:real=emodb,folds=5"
    assert "exists already" in refused("synthesise", f"--workdir={gans}", here)
    assert "augmentation; give one of configs/cyclegan.py" in refused(
        "synthesise", f"--workdir={classifiers}", here, "--source=unlabelled", f"--output={tmp_path / 'out'}"
    )
    same = "--config=configs/cyclegan.py:runlocal,source=emodb,target=emodb"
    assert "source=emodb is among the targets" in refused("train", same, here, there)
    assert "synthetic=DIR" in refused("train", "--config=configs/augmentation.py:real=emodb", here, there)
    assert "folds: 2 there, 5 here" in refused("train", f"{wrong},trainings=syn,synthetic={made}", here, there)
    # A command that was refused has no claim to the folder, so the next one may take it.
    assert "is not a set of synthetic vectors" in refused(
        "train", f"{wrong},trainings=syn,synthetic={tmp_path}", here, there
    )
    assert not (tmp_path / "run" / "config.json").exists()
    assert "experiment: 'cyclegan' -> 'augmentation'" in refused("train", *AUGMENTATION, here, f"--workdir={gans}")
    assert "launch/synthesise.py" in refused("predict", f"--workdir={gans}", "--wav=setup.py")


def test_the_synthetic_sets_source_is_prepared_as_the_runs_was(gans, made, vectors_dir, tmp_path):
    copy = shutil.copytree(gans, tmp_path / "run", ignore=shutil.ignore_patterns("synthetic"))
    found = read_results(copy)
    found["config"] |= {"level": "rms", "trim": "silero"}
    write_results(copy, found)
    said = refused("synthesise", f"--workdir={copy}", f"--data_dir={vectors_dir}")
    assert "no prepared emobase2010 vectors of unlabelled with level=rms with trim=silero" in said
    source = toy_vectors.unlabelled()
    with pytest.raises(InputError, match="level none, trimmed by none.*--level=rms --trim=silero"):
        synthesise(copy, source, tmp_path / "made")
    how = {"features": "emobase2010", "opensmile": "2.6.0", "level": "rms", "trim": "silero"}
    synthesise(copy, replace(source, settings=how), tmp_path / "made")
    about = synthetic.load(tmp_path / "made").about
    assert (about["level"], about["trim"]) == ("rms", "silero")
    assert not {"level", "trim"} & synthetic.load(made).about.keys()


@pytest.fixture(scope="module")
def made(gans, vectors_dir):
    """The synthetic set of the run."""
    done = launch("synthesise", f"--workdir={gans}", f"--data_dir={vectors_dir}")
    assert done.returncode == 0, done.stderr
    assert "480 vectors of 12 features, from 40 of unlabelled by 3 sets of generators" in done.stdout
    return gans / "synthetic"


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory, made, vectors_dir):
    """Workdir of classifiers within the corpus."""
    workdir = tmp_path_factory.mktemp("runs") / "augmentation"
    config, *others = AUGMENTATION
    done = launch("train", f"{config},synthetic={made}", *others, f"--data_dir={vectors_dir}", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert "Linear SVM" in done.stdout
    return workdir
