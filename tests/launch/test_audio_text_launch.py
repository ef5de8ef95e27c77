"""Audio and text from IEMOCAP's original files to predictions of plain audio with its words: every command."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rated_iemocap
import soundfile
from scripts import check_every_rate, launch, results

import sejax
from sejax.core.files import read_json
from sejax.data.labels import choose_classes
from sejax.data.waveforms.load import find_waveforms
from sejax.errors import InputError
from sejax.experiments.exporting import export, export_onnx
from sejax.experiments.prediction import Predictor
from sejax.report.robustness import FILE

pytestmark = pytest.mark.slow

TRAIN = (
    "--config=configs/audio_text.py:corpus=iemocap,runlocal",
    *("--config.fusions=('att_d_1','text')", "--config.folds=3"),
)
COMPILER = "--xla_backend_optimization_level=0"  # compiling is most of what this costs
CLASSES = ["angry", "happy", "neutral", "sad"]
ANGRY = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Tree of a part of IEMOCAP: three sessions, 30 of whose 36 turns are of the four classes."""
    return rated_iemocap.rated_tree(tmp_path_factory.mktemp("originals") / "iemocap")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory, originals):
    """A folder with the tree's waveforms and transcripts."""
    folder = tmp_path_factory.mktemp("data")
    given = ("--corpus=iemocap", f"--source={originals}", f"--data_dir={folder}")
    done = launch("prepare", *given, "--features=waveforms", "--allow_partial")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data_dir):
    """Workdir of a run of two ways of fusing, and processes that compile as it did as long as tests look at it."""
    workdir = tmp_path_factory.mktemp("runs") / "audio_text"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", COMPILER)
        done = launch("train", *TRAIN, f"--data_dir={data_dir}", f"--workdir={workdir}")
        assert done.returncode == 0, done.stderr
        assert "shapes of batches, each compiled once" in done.stderr and "padding" in done.stderr
        yield workdir


def test_a_run_holds_every_figure_of_both_fusions(trained, data_dir):
    found = results(trained)
    assert found["protocol"] == "session" and found["classes"] == CLASSES
    assert found["data"]["utterances"] == 30 and found["data"]["parts"]["test"] == [10, 10, 10]
    assert found["data"]["waveform_statistics"].keys() == set(CLASSES)
    names = [(member["fusion"], member["fold"], member["failed"]) for member in found["members"]]
    assert names == [(fusion, fold, None) for fusion in ("att_d_1", "text") for fold in range(3)]
    ids = set(find_waveforms(data_dir, "iemocap").utterance_ids)
    for fusion in ("att_d_1", "text"):
        members = [member for member in found["members"] if member["fusion"] == fusion]
        tested = [name for member in members for name in member["predictions"]["id"]]
        assert len(tested) == len(set(tested)) == 30 and set(tested) <= ids  # each once, over the folds
        for member in members:
            assert {"test/accuracy", "test/uar", "valid/uar", "valid/accuracy"} <= member["metrics"].keys()
            assert ("test/attention_audio" in member["metrics"]) == (fusion == "att_d_1")
            assert np.sum(member["confusion"]["test"]) == member["utterances"] == 10
            assert len(member["history"]) == 2 and {"train/loss", "valid/uar"} <= member["history"][0].keys()
            validated = [row["valid/uar"] for row in member["history"]]
            assert member["best_epoch"] == 1 + np.argmax(validated)
            assert member["metrics"]["valid/uar"] == pytest.approx(max(validated))
            assert "[laughter]" in member["words"]["text"]


def test_the_first_fold_shows_what_its_decisions_rest_on(trained):
    first, *others = [member for member in results(trained)["members"] if member["fusion"] == "att_d_1"]
    assert [member["examples"] for member in others] == [None, None]
    assert [example["label"] for example in first["examples"]] == [0, 1, 2, 3]
    for example in first["examples"]:
        assert len(example["words"]) == len(example["word_importance"]) > 0
        assert len(example["audio_importance"]) == len(example["envelope"]["low"])
        assert 0 < example["attention"] < 1


def test_the_report_shows_them(trained):
    page = (trained / "report.html").read_text()
    for told in ("<table", "Table 4", "Table 7", "Table 8", "laughter"):
        assert told in page, told


def test_evaluation_finds_the_same_figures(trained, data_dir):
    done = launch("evaluate", f"--data_dir={data_dir}", f"--workdir={trained}")
    assert done.returncode == 0, done.stderr
    assert "agrees with" in done.stdout


def test_prediction_takes_audio_with_its_words(trained, originals, tmp_path):
    wav = originals / ANGRY
    given = (f"--workdir={trained}", "--member=fusion=att_d_1", f"--output={tmp_path / 'figures'}")
    done = launch("predict", *given, f"--wav={wav}", "--text=Why don't you never listen?")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("  utterance"))
    assert sum(float(share) for share in re.findall(r"([\d.]+)%", line)) == pytest.approx(100, abs=0.3)
    shares = re.search(r"attention: audio ([\d.]+), text ([\d.]+)", done.stdout)
    assert float(shares[1]) + float(shares[2]) == pytest.approx(1, abs=2e-3)
    assert "never" in done.stdout  # a word that the corpus lacks
    assert "<svg" in (tmp_path / "figures" / f"{str(wav)[1:]}.svg").read_text()


def test_predicted_posteriors_are_those_of_the_evaluation(trained, data_dir, originals):
    speech = find_waveforms(data_dir, "iemocap")
    members = [member for member in results(trained)["members"] if member["fusion"] == "att_d_1"]
    fold = next(number for number, member in enumerate(members) if Path(ANGRY).stem in member["predictions"]["id"])
    place = members[fold]["predictions"]["id"].index(Path(ANGRY).stem)
    predict = Predictor(trained, only={"fusion": ("att_d_1",), "fold": (str(fold),)})
    text = speech.transcripts[speech.utterance_ids.index(Path(ANGRY).stem)]
    found = predict(soundfile.read(originals / ANGRY, dtype="int16")[0], 16000, text)
    np.testing.assert_allclose(found.utterance, members[fold]["predictions"]["posterior"][place], atol=2e-4)
    assert found.pieces[0]["attention"] == pytest.approx(members[fold]["predictions"]["attention"][place], abs=2e-4)


def test_many_recordings_share_calls_and_are_judged_as_each_alone(trained, originals):
    predict = Predictor(trained, only={"fusion": ("att_d_1",)})
    waveform = soundfile.read(originals / ANGRY, dtype="int16")[0]
    spoken = [(waveform, "I hate it"), (np.tile(waveform, 4), "no " * 30), (waveform[:3000], ""), (waveform, "So?")]
    prepared = [predict.prepared(sound, 16000, text) for sound, text in spoken]
    for explain in (False, True):
        for found, (sound, text) in zip(predict.judged(prepared, explain=explain), spoken, strict=True):
            alone = predict(sound, 16000, text)
            np.testing.assert_allclose(found.members, alone.members, atol=1e-6)
            assert [piece["words"] for piece in found.pieces] == [piece["words"] for piece in alone.pieces] * explain


def test_several_ways_of_fusing_say_together_what_each_can_say(trained, originals):
    predict = Predictor(trained, only={"fusion": ("att_d_1", "text"), "fold": ("0",)})
    (piece,) = predict(soundfile.read(originals / ANGRY, dtype="int16")[0], 16000, "I hate it").pieces
    assert len(predict.members) == 2 and len(piece["word_importance"]) == 3
    assert piece["audio_importance"] is None and piece["attention"] is None


def test_an_exported_file_answers_to_sound_and_words_as_the_run_does(trained, originals, tmp_path):
    wave = soundfile.read(originals / ANGRY, dtype="int16")[0]
    long = np.tile(wave, 12)  # several pieces
    for fusions in (("att_d_1",), ("att_d_1", "text")):
        export(trained, tmp_path / "both.sejax", only={"fusion": fusions})
        model, predict = sejax.load(tmp_path / "both.sejax"), Predictor(trained, only={"fusion": fusions})
        assert model.members == predict.members and len(model.members) == 3 * len(fusions)
        said = ((wave, "Why don't you never listen?"), (wave, ""), (long, "so great " * 30), (wave[:1], ""))
        for samples, text in said:
            found, wanted = model(samples, 16000, text=text), predict(samples, 16000, text, explain=False)
            np.testing.assert_allclose(found.posteriors, wanted.posteriors, atol=1e-6)
            np.testing.assert_allclose([found.start, found.end], [wanted.start, wanted.end])
    for answers in (model, predict):
        check_every_rate(answers, wave, "So great", alike=0.01)
    texts = ["I hate it", "So great"]
    for found, text in zip(model.batch([wave, long], 16000, texts), texts, strict=True):
        wanted = predict(wave if text == texts[0] else long, 16000, text, explain=False)
        np.testing.assert_allclose(found.utterance, wanted.utterance, atol=1e-6)
    with pytest.raises(InputError, match="one network in a file|cannot convert networks that read transcripts"):
        export_onnx(trained, tmp_path / "both.onnx")


def test_prediction_takes_a_table_silence_one_sample_and_no_words(trained, originals, tmp_path):
    shutil.copyfile(originals / ANGRY, tmp_path / "a.wav")
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000, np.int16), 16000)
    soundfile.write(tmp_path / "one.wav", np.array([7], np.int16), 16000)
    (tmp_path / "files.csv").write_text("path,transcript\na.wav,I hate it\nsilent.wav,So great\none.wav,\n")
    done = launch("predict", f"--workdir={trained}", "--member=fusion=att_d_1", f"--csv={tmp_path / 'files.csv'}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("-> ") == 3 and "nan" not in done.stdout


def test_degraded_turns_are_judged_with_their_own_words(trained, data_dir, originals, tmp_path):
    pytest.importorskip("soxr")
    speech = choose_classes(find_waveforms(data_dir, "iemocap"), ("four",))
    given = (f"--data_dir={data_dir}", "--corpus=iemocap", "--files=3")
    for fusion, same in (("text", [1.0] * 13), ("att_d_1", None)):
        workdir = shutil.copytree(trained, tmp_path / fusion)
        done = launch("robustness", *given, f"--workdir={workdir}", f"--source={originals}", f"--only=fusion={fusion}")
        assert done.returncode == 0, done.stderr
        found = read_json(workdir / FILE, "")
        assert [judge["member"]["fold"] for judge in found["judges"]] == [0, 1, 2] and found["protocol"] == "session"
        scores = [row["scores"][""] for row in found["conditions"]]
        assert same in (None, [score["same"] for score in scores])  # words do not change
        members = [member for member in results(trained)["members"] if member["fusion"] == fusion]
        posteriors = iter(found["conditions"][0]["posteriors"])
        for judge, member in zip(found["judges"], members, strict=True):
            for name, label in zip(judge["ids"], judge["label"][""], strict=True):
                assert label == speech.label[speech.utterance_ids.index(name)]
                place = member["predictions"]["id"].index(name)
                np.testing.assert_allclose(next(posteriors), member["predictions"]["posterior"][place], atol=2e-4)


def test_it_is_said_what_of_a_recording_changes_nothing(trained, originals):
    given = (f"--workdir={trained}", f"--wav={originals / ANGRY}", "--text=So what?")
    for fusion, said in (("text", "read the text alone: the sound changes nothing"), ("att_d_1", "")):
        done = launch("predict", *given, f"--member=fusion={fusion}")
        assert done.returncode == 0 and said in done.stderr
        assert ("changes nothing" in done.stderr) == bool(said)
    assert Predictor(trained, only={"fusion": ("text", "att_d_1")}).ignored == ""


def test_texts_and_files_are_as_many(trained, originals):
    done = launch("predict", f"--workdir={trained}", f"--wav={originals / ANGRY}", "--text=one", "--text=two")
    assert done.returncode != 0 and "2 --text for 1 audio files" in done.stderr
