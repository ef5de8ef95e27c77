"""Classifiers of openSMILE functionals applied to a plain recording."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import toy_vectors
from scripts import check_every_rate, launch

import sejax
from sejax.audio.degradations import gain
from sejax.audio.level import ranges, traits
from sejax.audio.opensmile import Extractor
from sejax.core.files import read_json
from sejax.core.results import read_results, write_results
from sejax.engine.run import trained_states
from sejax.errors import InputError
from sejax.experiments.bulk import Recording, predict_recordings
from sejax.experiments.exporting import export
from sejax.experiments.members import best_variant
from sejax.experiments.prediction import Predictor
from sejax.report.robustness import FILE

RATE = 16000
PITCH = {"anger": 320.0, "joy": 240.0, "neutral": 160.0, "sadness": 90.0}  # Hz


def voice(emotion, *, speaker, seconds=0.8):
    """int16[T]: a sum of harmonics on the emotion's pitch, a little higher with each speaker, in noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * PITCH[emotion] * (1 + 0.01 * speaker) * time
    harmonics = sum(np.cos(k * phase) / k for k in range(1, 12))
    return (2500 * harmonics + np.random.default_rng(speaker).normal(0, 60, len(time))).astype(np.int16)


@pytest.fixture(scope="module")
def extract(opensmile_installed):
    return Extractor("emobase2010")


SAID = [(emotion, speaker) for speaker in range(10) for emotion in PITCH]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory, extract):
    """A folder with the functionals of 40 such voices."""
    features = np.stack([extract(voice(emotion, speaker=speaker), RATE) for emotion, speaker in SAID])
    label = [toy_vectors.LABELS.index(emotion) for emotion, _ in SAID]
    made = toy_vectors.vectors_of(
        features, label, [speaker for _, speaker in SAID], corpus="voices", names=extract.names
    )
    folder = tmp_path_factory.mktemp("data")
    toy_vectors.write_prepared_set(folder, made)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data_dir):
    """Workdir of classifiers trained on them."""
    workdir = tmp_path_factory.mktemp("runs") / "voices"
    config = "configs/augmentation.py:real=voices,folds=2,repeats=1,updates=25"
    done = launch(
        "train",
        *(f"--config={config},trainings=real", "--config.run.tensorboard=False"),
        *(f"--data_dir={data_dir}", f"--workdir={workdir}"),
    )
    assert done.returncode == 0, done.stderr
    return workdir


def test_report_adds_the_anchor_to_a_run_that_was_trained_before_there_were_vectors(trained, data_dir, tmp_path):
    workdir = shutil.copytree(trained, tmp_path / "run")
    whole = read_results(workdir)
    assert whole["data"]["anchor"]["scores"][""]["uar"]["n"] == 2
    write_results(workdir, whole | {"data": whole["data"] | {"anchor": {"missing": "no vectors; make them"}}})
    before = launch("report", f"--workdir={workdir}")
    assert "openSMILE + linear SVM is missing: no vectors; make them; then python launch/report.py" in before.stdout
    after = launch("report", f"--workdir={workdir}", f"--data_dir={data_dir}")
    assert after.returncode == 0 and "openSMILE + linear SVM: UAR " in after.stdout, after.stderr
    assert read_results(workdir) == whole
    compared = launch("report", str(workdir), str(trained), f"--output={tmp_path / 'page.html'}")
    assert "| runs | corpus | protocol | guessing | levels alone | openSMILE + linear SVM |" in compared.stdout


def test_predict_classifies_a_plain_recording_as_a_whole(trained, tmp_path):
    soundfile.write(tmp_path / "loud.wav", voice("joy", speaker=4), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE, np.int16), RATE)
    limited = tmp_path / os.fsdecode(b"l\xe4ut.wav")  # floating-point samples beyond full scale, a name in Latin-1
    soundfile.write(tmp_path / "a.wav", voice("joy", speaker=4) / 6000, RATE, subtype="FLOAT")
    (tmp_path / "a.wav").rename(limited)
    files = [str(tmp_path / name) for name in ("loud.wav", "silent.wav")] + [str(limited)]
    done = launch("predict", f"--workdir={trained}", f"--output={tmp_path}", "--fold=0", *files)
    assert done.returncode == 2
    assert "mean of 1 members: training real; fold 0" in done.stderr
    assert "-> happy" in done.stdout and "blocks" not in done.stdout
    assert re.search(r"^failed: .*/silent\.wav: silent", done.stderr, re.MULTILINE)
    assert done.stderr.splitlines()[-1].startswith("error: 1 of 3 files failed")
    drawn = tmp_path / str(tmp_path)[1:]
    assert (drawn / "loud.wav.svg").is_file()
    assert f"{tmp_path}/l\\xe4ut.wav\n" in done.stdout and done.stdout.count("->") == 2
    assert re.search(r"/l\\xe4ut\.wav: clipped: \d+\.\d\d% of its samples", done.stderr)
    assert (drawn / r"l\xe4ut.wav.svg").is_file()


def test_functionals_are_taken_at_any_rate(trained):
    check_every_rate(Predictor(trained), voice("joy", speaker=4), alike=0.02)


def test_posteriors_are_the_mean_over_members_each_with_its_own_normalisation(trained, extract):
    wave = np.concatenate([voice("joy", speaker=1), voice("sadness", speaker=2)])  # folds disagree
    predict = Predictor(trained)
    assert [member["fold"] for member in predict.members] == [0, 1]
    found = predict(wave, RATE)
    states = trained_states(trained / "variants" / "real", 0, [0, 1], 2, ("params", "test_scaling"))
    expected = []
    for member in range(2):
        scaling = {name: value[member] for name, value in states["test_scaling"].items()}
        x = (extract(wave, RATE) - scaling["shift"]) * scaling["scale"]
        for name in ("hidden_0", "hidden_1", "output"):
            x = x @ states["params"][name]["kernel"][member] + states["params"][name]["bias"][member]
            x = x if name == "output" else np.where(x > 0, x, 0.2 * x)
        expected.append(np.exp(x - x.max()) / np.exp(x - x.max()).sum())
    assert not np.allclose(*expected, atol=0.1)
    np.testing.assert_allclose(found.utterance, np.mean(expected, axis=0), atol=1e-5)
    np.testing.assert_allclose(found.posteriors, found.utterance[None])
    for emotion, name in zip(PITCH, ("angry", "happy", "neutral", "sad"), strict=True):
        assert predict.classes[predict(voice(emotion, speaker=7), RATE).utterance.argmax()] == name


def test_functionals_are_those_of_each_recording_whichever_thread_takes_them(trained):
    predict = Predictor(trained, only={"fold": ("0",)})
    voices = [voice(emotion, speaker=s, seconds=0.5 + 0.1 * s) for s in range(6) for emotion in PITCH]
    given = [Recording(Path(str(number))) for number in range(len(voices))]
    read = lambda file: (voices[int(file.name)], 0.0)  # noqa: E731
    found = predict_recordings(predict, given, read, rate=RATE, seconds=lambda _: 1.0, threads=4)
    for one, alone in zip(found, voices, strict=True):
        np.testing.assert_allclose(one.prediction.utterance, predict(alone, RATE).utterance, atol=1e-6)


def test_an_exported_file_answers_as_the_run_does_and_names_the_opensmile_that_it_needs(trained, tmp_path):
    copy, file, wave = shutil.copytree(trained, tmp_path / "run"), tmp_path / "voices.sejax", voice("joy", speaker=4)
    export(copy, file)
    model, predict = sejax.load(file), Predictor(copy)
    found, wanted = model(wave, RATE), predict(wave, RATE)
    np.testing.assert_allclose(found.posteriors, wanted.posteriors, atol=1e-6)
    np.testing.assert_array_equal([found.start, found.end], [wanted.start, wanted.end])
    assert model.members == predict.members and "openSMILE" in model.card and "audEERING" in model.card
    changed = read_results(copy)
    changed["data"]["settings"]["opensmile"] = "1.0.0"
    write_results(copy, changed)
    export(copy, file)
    model = sejax.load(file)
    alone = model.apply(np.zeros((2, 1582), np.float32))  # the network needs no openSMILE
    np.testing.assert_allclose(alone.sum(-1), 1.0, atol=1e-6)
    with pytest.raises(InputError, match=r"pip install opensmile==1\.0\.0"):
        model(wave, RATE)


def test_another_opensmile_than_that_of_training_is_refused(trained, tmp_path):
    copy = shutil.copytree(trained, tmp_path / "run")
    changed = read_results(copy)
    changed["data"]["settings"]["opensmile"] = "1.0.0"
    write_results(copy, changed)
    with pytest.raises(InputError, match=r"pip install opensmile==1\.0\.0"):
        Predictor(copy)


def test_a_recording_is_brought_to_the_trainings_level_and_told_from_its_recordings(trained, tmp_path):
    copy = shutil.copytree(trained, tmp_path / "run")
    changed, loud = read_results(copy), voice("joy", speaker=4)
    changed["data"]["recordings"] = ranges([traits(voice(emotion, speaker=8), RATE) for emotion in PITCH])
    write_results(copy, changed)
    predict = Predictor(copy, only={"fold": ("0",)})
    assert predict.unlike(loud, RATE) == []
    assert [said.split()[0] for said in predict.unlike(gain(loud, -30.0), RATE)] == ["quieter"]
    soundfile.write(tmp_path / "quiet.wav", gain(loud, -30.0), RATE)
    done = launch("predict", f"--workdir={copy}", f"--output={tmp_path}", "--fold=0", str(tmp_path / "quiet.wav"))
    assert "quiet.wav: quieter (root mean square -" in done.stderr
    changed["data"]["settings"]["level"] = "rms"
    write_results(copy, changed)
    predict = Predictor(copy, only={"fold": ("0",)})
    posteriors = [predict(gain(loud, decibels), RATE).utterance for decibels in (0.0, 6.0)]
    np.testing.assert_allclose(*posteriors, atol=1e-3)


def test_pauses_are_left_out_as_in_training(trained, tmp_path):
    pytest.importorskip("webrtcvad", reason="trimming needs the webrtcvad-wheels package")
    copy = shutil.copytree(trained, tmp_path / "run")
    changed, loud = read_results(copy), voice("joy", speaker=4)
    silence = np.append(loud, np.zeros(RATE, np.int16))
    predict = Predictor(copy, only={"fold": ("0",)})
    assert np.abs(predict(silence, RATE).utterance - predict(loud, RATE).utterance).max() > 1e-3
    for level in ("none", "rms"):
        changed["data"]["settings"] |= {"trim": "0", "level": level}
        write_results(copy, changed)
        predict = Predictor(copy, only={"fold": ("0",)})
        np.testing.assert_array_equal(predict(silence, RATE).utterance, predict(loud, RATE).utterance)
        assert predict(silence, RATE).end.tolist() == [1.8]  # the answer is still the whole recording's


@pytest.mark.slow
def test_degraded_voices_are_judged_by_the_fold_that_tests_them(trained, data_dir, tmp_path):
    pytest.importorskip("soxr")
    rows = ["path,id"]
    for number, (emotion, speaker) in enumerate(SAID):
        soundfile.write(tmp_path / f"{number}.wav", voice(emotion, speaker=speaker), RATE)
        rows.append(f"{number}.wav,voices{number:03}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    workdir = shutil.copytree(trained, tmp_path / "run")
    given = (f"--data_dir={data_dir}", "--corpus=manifest", f"--source={tmp_path}", "--files=3")
    done = launch("robustness", *given, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    found = read_json(workdir / FILE, "")
    speakers = [{SAID[int(name.removeprefix("voices"))][1] for name in judge["ids"]} for judge in found["judges"]]
    assert len(speakers) == 2 and not speakers[0] & speakers[1]
    assert [judge["member"]["training"] for judge in found["judges"]] == ["real", "real"]
    untouched, *others = found["conditions"]
    for judge, posterior in zip(found["judges"], np.split(np.array(untouched["posteriors"]), 2), strict=True):
        predict = Predictor(trained, only={"fold": (str(judge["member"]["fold"]),)})
        for name, given in zip(judge["ids"], posterior, strict=True):
            emotion, speaker = SAID[int(name.removeprefix("voices"))]
            np.testing.assert_allclose(given, predict(voice(emotion, speaker=speaker), RATE).utterance, atol=1e-5)
    assert untouched["scores"][""]["right"] == 1 and others[6]["scores"][""]["same"] < 1  # white noise as loud


def test_where_nothing_was_validated_the_first_variant_predicts_and_not_the_one_that_tests_best():
    def variant(name, **metrics):
        return {"name": {"training": name}, "summary": {metric: {"mean": value} for metric, value in metrics.items()}}

    tested = [variant("real", **{"test/accuracy": 0.1}), variant("syn", **{"test/accuracy": 0.9})]
    run = {"experiment": "augmentation", "config": {}}
    assert best_variant(run | {"variants": tested}, {}) == {"training": ("real",)}
    assert best_variant(run | {"variants": tested}, {"training": ("syn",)}) == {"training": ("syn",)}
    validated = [variant("real", **{"valid/accuracy": 0.5}), variant("syn", **{"valid/accuracy": 0.6})]
    assert best_variant(run | {"variants": validated}, {"fold": ("0",)}) == {"training": ("syn",), "fold": ("0",)}


def test_a_run_normalised_by_speaker_judges_one_speakers_files_together_or_none(tmp_path, data_dir):
    workdir = tmp_path / "run"
    config = "configs/augmentation.py:real=voices,folds=2,repeats=1,updates=25,trainings=real,normalise_by=speaker"
    done = launch(
        "train",
        *(f"--config={config}", "--config.run.tensorboard=False"),
        *(f"--data_dir={data_dir}", f"--workdir={workdir}"),
    )
    assert done.returncode == 0, done.stderr
    assert "transductive" in read_results(workdir)
    assert "Transductive: the features of each speaker" in (workdir / "report.html").read_text()
    for emotion in PITCH:
        soundfile.write(tmp_path / f"{emotion}.wav", voice(emotion, speaker=23), RATE)
    files, table = [str(tmp_path / f"{emotion}.wav") for emotion in PITCH], tmp_path / "table.csv"
    alone = launch("predict", f"--workdir={workdir}", *files)
    assert alone.returncode == 2 and "normalised by all recordings of a speaker" in alone.stderr
    with pytest.raises(InputError, match="an exported model has one at a time"):
        export(workdir, tmp_path / "model.sejax")
    command = ("predict", f"--workdir={workdir}", "--together", f"--output_table={table}")
    assert launch(*command, *files).returncode == 0
    whole = table.read_text().splitlines()
    predicted = [row.split(",")[whole[0].split(",").index("predicted")] for row in whole[1:]]
    assert predicted == ["angry", "happy", "neutral", "sad"]
    table.write_text("\n".join(whole[:3]) + "\n")  # as a kill would leave it: the others are normalised by all four
    assert launch(*command, *files).returncode == 0
    assert table.read_text().splitlines() == whole
