"""The multitask DCGAN from original files to ratings of plain audio: IEMOCAP's and AMI's formats, every command."""

import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import rated_iemocap
import soundfile
from ami_tree import ami_tree
from scripts import check_every_rate, launch, results

import sejax
from sejax.core.files import read_json, write_json
from sejax.core.results import unpack
from sejax.data.crops import crop_data, evaluation_starts, read_crops
from sejax.data.utterances.load import find_utterance_spectrograms
from sejax.engine.run import trained_states
from sejax.engine.workdir import read_claim
from sejax.errors import InputError
from sejax.experiments.dcgan.networks import make_networks
from sejax.experiments.exporting import export
from sejax.experiments.prediction import Predictor
from sejax.report.robustness import FILE

pytestmark = pytest.mark.slow

TRAIN = (
    "--config=configs/dcgan.py:corpus=iemocap,unlabelled=ami,runlocal",
    *("--config.models=('multitask_dcgan',)", "--config.run.members_at_once=0"),
)
COMPILER = "--xla_backend_optimization_level=0"  # compiling is most of what this costs
POINTS = ["very negative", "negative", "neutral", "positive", "very positive"]
TURN = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M004.wav"


@pytest.fixture(scope="module")
def iemocap(tmp_path_factory):
    """Tree of a part of IEMOCAP."""
    return rated_iemocap.rated_tree(tmp_path_factory.mktemp("originals") / "iemocap")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, iemocap):
    """A folder with the utterance spectrograms of both corpora, and what their preparation said."""
    data_dir, said = tmp_path_factory.mktemp("data"), {}
    trees = {"iemocap": iemocap, "ami": ami_tree(tmp_path_factory.mktemp("originals") / "ami")}
    for corpus, source in trees.items():
        done = launch(
            "prepare",
            *(f"--corpus={corpus}", f"--source={source}", f"--data_dir={data_dir}"),
            *("--features=utterance_spectrograms", "--allow_partial"),
        )
        assert done.returncode == 0, done.stderr
        said[corpus] = done.stdout
    return data_dir, said


@pytest.fixture(scope="module")
def rater(tmp_path_factory, prepared):
    """Workdir of a run, and processes that compile as it did as long as tests look at it."""
    workdir = tmp_path_factory.mktemp("runs") / "dcgan"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", COMPILER)
        done = launch("train", *TRAIN, f"--data_dir={prepared[0]}", f"--workdir={workdir}")
        assert done.returncode == 0, done.stderr
        yield workdir


def test_both_corpora_are_prepared_from_their_original_files(prepared):
    data_dir, said = prepared
    assert "36 utterances: valence 1 to 5, activation 1.5 to 4.5" in said["iemocap"]
    assert f"the release's count others too: {rated_iemocap.UNTOUCHED}" in said["iemocap"]
    speech, other = (find_utterance_spectrograms(data_dir, corpus) for corpus in ("iemocap", "ami"))
    assert [speech.utterance_ids[row] for row in np.flatnonzero(~speech.aligned)] == [rated_iemocap.NOT_ALIGNED]
    assert len(other.label) == 5 and np.isnan(other.valence).all()


def test_a_run_holds_every_figure_of_both_dimensions(rater):
    found = results(rater)
    assert found["protocol"] == "session" and found["ratings"] == "rated" and found["classes"] == POINTS
    assert found["unlabelled"] == ["ami"]
    assert found["data"]["utterances"] == 36
    # One, 1.5, 3, 3.5, 4.5 and 5 in turn: a perfect split counts as its upper point here.
    assert found["data"]["points"]["valence"] == [6, 6, 6, 6, 12]
    sizes = found["data"]["parts"]  # two of three sessions are held out by the first fold, one by the second
    assert sizes == {"train": [12, 24], "valid": [12, 6], "test": [12, 6]}
    names = [(member["model"], member["fold"], member["failed"]) for member in found["members"]]
    assert names == [("multitask_dcgan", fold, None) for fold in (0, 1)]
    scores = {f"{part}/{score}" for part in ("test", "valid") for score in ("uar", "uar_3", "pearson", "accuracy")}
    of_activation = {name.replace("/", "_activation/") for name in scores}
    of_rounds = {f"train/loss_{loss}" for loss in ("generator", "discriminator", "valence", "activation")}
    of_rounds |= {"train/real", "train/generated", "train/diversity", "train/loss", "valid/loss", "valid/uar_3"}
    for fold, member in enumerate(found["members"]):
        assert member["metrics"].keys() == scores | of_activation
        assert set(member["confusion"]) == {"test", "valid", "test_activation", "valid_activation"}
        for name, confusion in member["confusion"].items():
            assert np.shape(confusion) == (5, 5)
            assert np.sum(confusion) == pytest.approx(sizes[name.removesuffix("_activation")][fold], abs=0.1)
        assert len(member["history"]) == member["epochs"] == 2 and member["best_epoch"] in (1, 2)
        assert of_rounds <= member["history"][0].keys()
        assert member["collapse"] is None or member["collapse"]["epoch"] in (1, 2)


def test_the_gallery_shows_generated_crops_beside_speech_that_training_saw(rater, prepared):
    members = results(rater)["members"]
    assert members[1]["gallery"] is None
    gallery = members[0]["gallery"]
    generated, neighbours = unpack(gallery["generated"]), unpack(gallery["neighbours"])
    assert generated.shape == (len(gallery["epochs"]), 2, 128, 16) and neighbours.shape == (2, 128, 16)
    pixels = (generated[-1].astype(float) - neighbours) * (2 / 255)
    np.testing.assert_allclose(np.sqrt((pixels**2).mean((1, 2))), gallery["distance"], atol=0.01)
    known = {corpus: find_utterance_spectrograms(prepared[0], corpus).utterance_ids for corpus in ("iemocap", "ami")}
    for corpus, name in zip(gallery["neighbour_corpora"], gallery["neighbour_ids"], strict=True):
        assert name in known[corpus]


def test_the_report_has_tables_and_the_gallery(rater):
    page = (rater / "report.html").read_text()
    for told in ("<table", "Activation", "multitask", "nearest", "rated by humans"):
        assert told in page, told
    assert page.count("<svg") > 2


def test_evaluate_agrees(rater, prepared):
    done = launch("evaluate", f"--workdir={rater}", f"--data_dir={prepared[0]}")
    assert done.returncode == 0, done.stderr
    assert "2 members, 16 figures each" in done.stdout


def test_predict_rates_a_plain_recording_crop_by_crop(rater, iemocap, tmp_path):
    soundfile.write(tmp_path / "short.wav", soundfile.read(iemocap / TURN, dtype="int16")[0][2000:5000], 16000)
    done = launch(
        "predict",
        *(f"--workdir={rater}", f"--output={tmp_path}", "--member=model=multitask_dcgan", "--fold=0", "--blocks"),
        *(str(iemocap / TURN), str(tmp_path / "short.wav")),
    )
    assert done.returncode == 0, done.stderr
    assert "mean of 1 members: model multitask_dcgan; fold 0; seed 0" in done.stderr
    whole, short = re.split(r"^/.*short\.wav$", done.stdout, flags=re.MULTILINE)
    for lines, times in ((whole, ["0.00 -   0.26 s", "0.35 -   0.60 s"]), (short, ["0.00 -   0.19 s"])):
        rows = [line for line in lines.splitlines() if " s " in line]
        assert [line[2:19].strip() for line in rows] == times * 2  # of valence, then of activation
        assert "very negative" in lines and "very low" in lines and lines.count("utterance") == 2
        for line in rows:
            *posterior, mean = (float(number.rstrip("%")) for number in line[19:].split())
            assert sum(posterior) == pytest.approx(100, abs=0.3)
            assert mean == pytest.approx(np.dot(posterior, [1, 2, 3, 4, 5]) / 100, abs=0.02)
    for file in (iemocap / TURN, tmp_path / "short.wav"):
        assert (tmp_path / f"{str(file)[1:]}.svg").is_file()


def test_predicted_posteriors_are_those_of_the_evaluated_utterance(rater, prepared, iemocap):
    predict = Predictor(rater, only={"model": ("multitask_dcgan",)})
    found = predict(soundfile.read(iemocap / TURN, dtype="int16")[0], 16000)
    speech = find_utterance_spectrograms(prepared[0], "iemocap")
    data = crop_data(speech, [speech.utterance_ids.index(Path(TURN).stem)])
    crops = read_crops(data, np.array([0, 0]), evaluation_starts(data["length"], count=2, width=16)[0], width=16)
    networks = make_networks("multitask_dcgan", filters=2, side=3, width=16, hidden=8, slope=0.2)
    states = trained_states(rater / "variants" / "multitask_dcgan", 0, [0, 1], 2, ("params", "statistics"))

    @jax.jit
    @jax.vmap
    def posteriors(state):
        return jax.nn.softmax(networks.rate_crops(state["params"], state["statistics"], crops))

    each = posteriors(states)
    assert len(predict.members) == 2
    assert not np.allclose(*each, atol=1e-4)
    np.testing.assert_allclose(found.posteriors, np.mean(each, 0), atol=1e-6)
    np.testing.assert_allclose(found.utterance, np.mean(each, (0, 1)), atol=1e-6)


def test_an_exported_file_rates_as_the_run_does(rater, iemocap, tmp_path):
    export(rater, tmp_path / "rater.sejax")
    model, predict = sejax.load(tmp_path / "rater.sejax"), Predictor(rater)
    turn = soundfile.read(iemocap / TURN, dtype="int16")[0]
    for wave in (turn, turn[2000:5000]):
        found, wanted = model(wave, 16000), predict(wave, 16000)
        np.testing.assert_allclose(found.posteriors, wanted.posteriors, atol=1e-6)
        np.testing.assert_allclose([found.start, found.end], [wanted.start, wanted.end])
    assert list(model.rated) == ["valence", "activation"] and model.rated == predict.rated
    for answers in (model, predict):
        check_every_rate(answers, turn, alike=0.02)


def test_degraded_turns_are_rated_in_both_dimensions(rater, prepared, iemocap, tmp_path):
    pytest.importorskip("soxr")
    workdir = shutil.copytree(rater, tmp_path / "run")
    given = (f"--data_dir={prepared[0]}", "--corpus=iemocap", f"--source={iemocap}", "--files=3")
    done = launch("robustness", *given, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    found, speech = read_json(workdir / FILE, ""), find_utterance_spectrograms(prepared[0], "iemocap")
    assert [judge["member"]["fold"] for judge in found["judges"]] == [0, 1]
    for judge in found["judges"]:
        rows = [speech.utterance_ids.index(name) for name in judge["ids"]]
        for dimension in ("valence", "activation"):
            points = np.clip(getattr(speech, dimension)[rows], 1, 5) - 1
            assert (np.abs(points - judge["label"][dimension]) <= 0.5).all()
    untouched, *others = found["conditions"]
    assert [np.shape(posterior) for posterior in untouched["posteriors"]] == [(2, 5)] * 6
    for row in (untouched, *others):
        for number, dimension in enumerate(("valence", "activation")):
            means = [np.array(x["posteriors"])[:, number] @ np.arange(1, 6) for x in (row, untouched)]
            assert row["scores"][dimension]["moved"] == pytest.approx(np.abs(means[0] - means[1]).mean(), abs=1e-4)
    assert "activation: points moved" in (workdir / "report.html").read_text()


def test_many_recordings_share_calls_and_are_rated_as_each_alone(rater, iemocap):
    predict = Predictor(rater, only={"model": ("multitask_dcgan",)})
    waveform = soundfile.read(iemocap / TURN, dtype="int16")[0]
    cuts = [waveform, waveform[2000:5000], waveform[::-1].copy(), waveform[:1]]
    prepared = [predict.prepared(cut, 16000) for cut in cuts]
    bad = InputError("bad")
    found = list(predict.judged([bad, *prepared[:2], bad, *prepared[2:], bad]))
    assert [one is bad for one in found] == [True, False, False, True, False, False, True]
    for one, cut in zip([one for one in found if one is not bad], cuts, strict=True):
        alone = predict(cut, 16000)
        for name in ("start", "end", "posteriors", "utterance", "members"):
            np.testing.assert_allclose(getattr(one, name), getattr(alone, name), atol=1e-6)


def test_models_that_rate_other_things_are_not_averaged(rater, tmp_path):
    copy = shutil.copytree(rater, tmp_path / "run")
    shutil.copytree(copy / "variants" / "multitask_dcgan", copy / "variants" / "basic_dcgan")
    claim = read_claim(copy)
    claim["config"]["models"] = ["multitask_dcgan", "basic_dcgan"]
    write_json(copy / "config.json", claim)
    with pytest.raises(InputError, match="rate other things .* name one of the run's models"):
        Predictor(copy)
