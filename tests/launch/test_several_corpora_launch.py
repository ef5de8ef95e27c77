"""Runs of several corpora, and runs that test all of another: every classifier from its config to predictions."""

import numpy as np
import pytest
import tones
import toy_dialogue
import toy_speech
import toy_vectors
from scripts import launch, results

from sejax.experiments.prediction import Predictor

GERMAN = {"anger": "Wut", "boredom": "Langeweile"}
MAP = "classes=anger:anger/Wut+boredom:boredom/Langeweile+neutral"
ONCE = "--config.run.tensorboard=False"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """A folder with the prepared sets of all kinds of "one" and "other"."""
    folder = tmp_path_factory.mktemp("corpora")
    for name, labels, seed in (("one", {}, 0), ("other", GERMAN, 3)):
        tones.write_prepared_set(folder, corpus=name, names=labels)
        tones.write_prepared_set(folder, corpus=f"{name}chunks", names=labels, settings=tones.BlockSettings.chunks())
        toy_vectors.write_prepared_set(folder, toy_vectors.emotional(name, seed=seed))
        toy_dialogue.write_prepared_set(folder, toy_dialogue.spoken(name, seed=seed))
        toy_speech.write_prepared_set(folder, toy_speech.rated(name, seed=seed))
    return folder


def trained(workdir, corpora, config, *further):
    """The results of a run, whose figures `evaluate` finds again."""
    given = (f"--config=configs/{config}", ONCE, *further, f"--data_dir={corpora}", f"--workdir={workdir}")
    done = launch("train", *given)
    assert done.returncode == 0, done.stderr
    again = launch("evaluate", f"--workdir={workdir}", f"--data_dir={corpora}")
    assert again.returncode == 0, again.stderr
    return results(workdir) | {"printed": done.stdout, "page": (workdir / "report.html").read_text()}


def test_two_corpora_train_and_each_has_figures_of_its_own(tmp_path, corpora):
    config = f"pseudo_labelling.py:corpus=one+other,{MAP},level=none,voice_activity=none,weights=random,folds=3"
    found = trained(tmp_path / "run", corpora, config, "--config.epochs=2", "--config.image.size=(32,32)")
    assert found["corpus"] == "one+other" and found["protocol"] == "speaker" and "test_corpus" not in found
    assert found["data"]["corpora"] == {name: {"utterances": 30, "speakers": 10} for name in ("one", "other")}
    for member in found["members"]:
        confusion = {name: np.array(counts) for name, counts in member["confusion"].items()}
        for part in ("test", "test_utterance"):
            np.testing.assert_array_equal(confusion[f"{part}:one"] + confusion[f"{part}:other"], confusion[part])
            assert confusion[f"{part}:one"].sum() and confusion[f"{part}:other"].sum()
            assert 0 <= member["metrics"][f"{part}:other/uar"] <= 1
    assert "By corpus, UAR: block, one" in found["printed"] and "By corpus" in found["page"]
    tested = [name for fold in found["tested"] for name in fold["speakers"]]
    assert sorted(tested) == sorted(f"{corpus}:s{number}" for corpus in ("one", "other") for number in range(10))
    answer = Predictor(tmp_path / "run")(tones.waves()[0], 16000)
    assert answer.utterance.shape == (3,)


def test_all_of_another_corpus_is_tested_by_what_one_trains(tmp_path, corpora):
    config = f"pseudo_labelling.py:corpus=one,test=other,{MAP},level=none,voice_activity=none,weights=random,seeds=2"
    found = trained(tmp_path / "run", corpora, config, "--config.epochs=2", "--config.image.size=(32,32)")
    assert (found["corpus"], found["test_corpus"], found["protocol"]) == ("one", "other", "cross_corpus")
    (fold,) = found["tested"]
    assert fold["utterances"] == 30 and all(name.startswith("other:") for name in fold["speakers"])
    assert [member["fold"] for member in found["members"]] == [0, 0]
    assert "one to other, protocol cross_corpus" in found["printed"]
    assert not any(":" in name for name in found["summary"])  # one corpus is tested: its figures are the run's


def test_classifiers_of_vectors_test_two_corpora_apart(tmp_path, corpora):
    third = toy_vectors.emotional("third", seed=5)
    toy_vectors.write_prepared_set(tmp_path / "data", third)
    for name, seed in (("one", 0), ("other", 3)):
        toy_vectors.write_prepared_set(tmp_path / "data", toy_vectors.emotional(name, seed=seed))
    config = "augmentation.py:real=one,test=other+third,trainings=real,repeats=1,updates=4,normalise_by=corpus"
    found = trained(tmp_path / "run", tmp_path / "data", config)
    assert (found["corpus"], found["test_corpus"], found["protocol"]) == ("one", "other+third", "cross")
    (member,) = found["members"]
    both = [np.array(member["confusion"][f"test:{name}"]) for name in ("other", "third")]
    np.testing.assert_array_equal(sum(both), member["confusion"]["test"])
    assert {"test:other/uar", "test:third/uar"} <= member["metrics"].keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corpus", "tested"), [("corpus=onechunks+otherchunks", 2), ("corpus=onechunks,test=otherchunks", 0)]
)
def test_networks_are_compared_on_several_corpora(tmp_path, corpora, corpus, tested):
    config = f"transfer.py:{corpus},{MAP},models=squeezenet1_1,weights=random,rates=1.0,size=32,images=36+6+12,epochs=2"
    found = trained(tmp_path / "run", corpora, f"{config},protocol=speaker,trainable=head")
    assert found["protocol"] == ("speaker" if tested else "cross_corpus")
    assert len([name for name in found["summary"] if name.startswith("test:") and name.endswith("/uar")]) == tested
    assert sum(map(np.sum, [found["members"][0]["confusion"]["test"]])) == 12


@pytest.mark.slow
@pytest.mark.parametrize(("corpus", "tested"), [("corpus=one+other", 2), ("corpus=one,test=other", 0)])
def test_audio_and_text_of_several_corpora(tmp_path, corpora, corpus, tested):
    config = f"audio_text.py:runlocal,{corpus}"
    found = trained(tmp_path / "run", corpora, config, "--config.only_folds=1", "--config.fusions=('att_d_1',)")
    assert found["protocol"] == ("session" if tested else "cross_corpus")
    (member,) = found["members"]
    assert len([name for name in member["metrics"] if name.startswith("test:") and name.endswith("/uar")]) == tested
    names = {name.partition(":")[0] for name in member["predictions"]["id"]}
    assert names == ({"one", "other"} if tested else {"other"})
    said = Predictor(tmp_path / "run")(tones.waves()[0], 16000, "hate the table")
    assert said.utterance.shape == (4,)


@pytest.mark.slow
@pytest.mark.parametrize(("corpus", "tested"), [("corpus=one+other", 2), ("corpus=one,test=other", 0)])
def test_ratings_of_several_corpora(tmp_path, corpora, corpus, tested):
    config = f"dcgan.py:runlocal,{corpus}"
    found = trained(tmp_path / "run", corpora, config, "--config.models=('multitask_cnn',)")
    assert found["protocol"] == ("session" if tested else "cross_corpus")
    for member in found["members"]:
        assert ({"test:one/uar", "test_activation:other/uar"} <= member["metrics"].keys()) == bool(tested)


def test_corpora_of_other_labels_need_a_common_map(tmp_path, corpora):
    config = "--config=configs/pseudo_labelling.py:corpus=one+other,level=none,voice_activity=none,weights=random"
    done = launch("train", config, f"--data_dir={corpora}", f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2 and "one has anger, boredom, neutral; other has Wut, Langeweile" in done.stderr
    config = config.replace("one+other", "one,test=one")
    done = launch("train", config, f"--data_dir={corpora}", f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2 and "test=one is trained on too" in done.stderr
