"""protocol=split in every experiment: the corpus's own parts are what members train, validate and test on."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tones
import toy_dialogue
import toy_speech
import toy_vectors

from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.labels import choose_classes
from sejax.data.ratings import ratings_of
from sejax.data.text import word_types
from sejax.data.utterances.prepare import prepare_utterances
from sejax.data.vectors.load import emotional
from sejax.errors import InputError
from sejax.experiments import study
from sejax.experiments.audio_text.members import split
from sejax.experiments.augmentation.members import check_folds
from sejax.experiments.feature_vectors import WHOLE, target_folds
from sejax.experiments.training import train_run
from sejax.report.html import FILE as PAGE

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def config_of(experiment, argument):
    config = runpy.run_path(str(CONFIGS / f"{experiment}.py"))["get_config"](argument)
    return next(iter(study(experiment).variants(config).values()))


def divided(prepared, *, leaking=False):
    """The set with two folds by its speakers: of each fold the last tests, the first of the other fold's validates."""
    of = np.zeros(len(prepared.utterance_ids), int)
    of[prepared.utterance] = prepared.speaker
    last, said = max(of), []
    for utterance, speaker in enumerate(of):
        parts = {"a": "test" if speaker in (last, last - 1) else "train", "b": "test" if speaker < 2 else "train"}
        if leaking and utterance == np.flatnonzero(of == last)[0]:
            parts["a"] = "train"
        if speaker == 2:
            parts = dict.fromkeys(parts, "valid")
        said.append(";".join(f"{name}={part}" for name, part in parts.items()))
    return replace(prepared, splits=tuple(said))


def expected(speaker):
    last, speaker = speaker.max(), np.asarray(speaker)
    tests = [speaker >= last - 1, speaker < 2]
    return np.stack([np.where(speaker == 2, VALIDATION, np.where(tested, TEST, TRAIN)) for tested in tests])


def test_pseudo_labelling_follows_the_corpus_and_says_what_leaks():
    from sejax.experiments.pseudo_labelling.assembly import about, make_members

    config = config_of("pseudo_labelling", "corpus=tones,protocol=split,labelled=0.5")
    images = divided(tones.spectrograms(), leaking=True)
    names, members = make_members(config, images)
    assert [name["fold"] for name in names] == [0, 1]
    wanted = expected(images.speaker)
    first = images.utterance == images.utterance[images.speaker == images.speaker.max()][0]
    wanted[0, first] = TRAIN
    labelled = images.label >= 0
    np.testing.assert_array_equal(members["part"][:, labelled], wanted[:, labelled])
    found = about(config, images, members)
    assert found["protocol"] == "split" and len(found["data"]["test_images"]) == 2
    leak, clean = found["data"]["splits"]
    assert (leak["fold"], clean["fold"]) == ("a", "b")
    assert leak["shared_speakers"] == [images.speakers[-1]] and clean["shared_speakers"] == []
    one = config_of("pseudo_labelling", "corpus=tones,protocol=split,split_folds=b")
    np.testing.assert_array_equal(make_members(one, images)[1]["part"], members["part"][1:])
    with pytest.raises(InputError, match=r"only_folds=3; give 1 to folds=2"):
        make_members(config_of("pseudo_labelling", "protocol=split,only_folds=3"), images)


def test_audio_text_follows_the_corpus():
    speech = divided(toy_dialogue.spoken())
    types, ids = word_types(speech.transcripts)
    found = split(config_of("audio_text", "corpus=spoken,protocol=split"), speech, ids, len(types))
    labelled = speech.label >= 0
    np.testing.assert_array_equal(found.part[:, labelled], expected(speech.speaker)[:, labelled])
    assert found.folds.names == ("a", "b") and len(found.vocabularies) == 2


def test_transfer_draws_from_the_corpuss_own_parts_in_turn():
    from sejax.experiments.images import load_weights
    from sejax.experiments.transfer.assembly import about, make_members

    argument = "corpus=tones,classes=anger+boredom+neutral,models=squeezenet1_1,weights=random,protocol=split,seeds=3"
    config = config_of("transfer", f"{argument},images=36+6+6")
    chunks = choose_classes(divided(tones.spectrograms()), config.classes)
    parts = make_members(config, chunks)[1]["part"]
    wanted = expected(chunks.speaker)
    for draw, part in enumerate(parts):
        assert [int((part == kind).sum()) for kind in (TRAIN, VALIDATION, TEST)] == [36, 6, 6]
        drawn = part >= 0
        np.testing.assert_array_equal(part[drawn], wanted[draw % 2][drawn])
    assert (parts[0] != parts[2]).any()
    config.model, config.model_weights = "squeezenet1_1", "random"
    said = about(config, chunks, parts, load_weights(config.model, config.model_weights, seed=0))
    assert [one["fold"] for one in said["data"]["splits"]] == ["a", "b"]


def test_generators_and_classifiers_of_vectors_follow_the_corpus():
    target = emotional([divided(toy_vectors.emotional())])
    asked = {"normalisation": "leak_free", "folds": 5, "seed": 0, "protocol": "split"}
    folds = target_folds(target, whole=True, **asked)
    assert [fold.number for fold in folds] == [0, 1, WHOLE]
    np.testing.assert_array_equal([fold.part for fold in folds[:2]], expected(target.speaker))
    with pytest.raises(
        InputError, match=r"protocol=split with normalisation=as_published.* give normalisation=leak_free"
    ):
        target_folds(target, whole=True, **asked | {"normalisation": "as_published"})


def test_augmentation_takes_synthetic_vectors_of_the_same_folds_alone(tmp_path):
    from sejax.experiments.augmentation.assembly import assemble

    config = config_of("augmentation", "runlocal,real=emodb,protocol=split")
    assembly = assemble(config, [divided(toy_vectors.emotional())], None, None)
    target = emotional([divided(toy_vectors.emotional())])
    np.testing.assert_array_equal(assembly.members["part"], expected(target.speaker))
    assert [one["fold"] for one in assembly.about["data"]["splits"]] == ["a", "b"]
    assert assembly.about["anchor"]["protocol"] == "the corpus's own folds, leak_free"
    by_speaker = toy_vectors.synthetic(tmp_path / "speaker")
    with pytest.raises(InputError, match=r"protocol: speaker there, split here"):
        check_folds(by_speaker, config)
    check_folds(toy_vectors.synthetic(tmp_path / "split", protocol="split", split_folds=[]), config)
    with pytest.raises(InputError, match=r"protocol=split with test=nemo"):
        other = config_of("augmentation", "runlocal,real=emodb,test=nemo,protocol=split")
        assemble(other, [toy_vectors.emotional()], toy_vectors.emotional("nemo"), None)


def test_cyclegans_follow_the_corpus():
    from sejax.experiments.cyclegan.assembly import about
    from sejax.experiments.cyclegan.assembly import target_folds as folds_of_run

    config = config_of("cyclegan", "runlocal,target=emodb,protocol=split,split_folds=b,whole=False")
    target = emotional([divided(toy_vectors.emotional())])
    asked = {name: config[name] for name in ("normalisation", "folds", "whole", "seed", "protocol", "split_folds")}
    (fold,) = folds_of_run(target, **asked)
    np.testing.assert_array_equal(fold.part, expected(target.speaker)[1])
    found = about(config, toy_vectors.unlabelled(), target, [fold])
    assert [one["fold"] for one in found["data"]["splits"]] == ["b"]


def test_dcgan_follows_the_corpus_whatever_is_labelled():
    from sejax.experiments.dcgan.assembly import about, make_members, rated_by

    config = config_of("dcgan", "runlocal,corpus=rated,protocol=split")
    speech = divided(toy_speech.rated())
    ratings = ratings_of(speech)
    part = make_members(config, speech, ratings)[1]["part"]
    wanted = np.where(rated_by(ratings), expected(speech.speaker), -1)
    np.testing.assert_array_equal(part, wanted)
    found = about(config, speech, [], ratings, part)
    assert found["protocol"] == "split" and [one["fold"] for one in found["data"]["splits"]] == ["a", "b"]
    with pytest.raises(InputError, match=r"swap=True exchanges .* protocol=split"):
        make_members(config_of("dcgan", "runlocal,protocol=split,swap"), speech, ratings)
    with pytest.raises(InputError, match=r"split_folds=a are .* give protocol=split"):
        make_members(config_of("dcgan", "runlocal,split_folds=a"), speech, ratings)


def test_a_table_of_ratings_alone_trains_dcgan_and_its_leak_is_told(tmp_path):
    """As MSP-Podcast's: no emotions, three parts, one speaker on both sides."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(12):
        name = f"a{number:02}.wav"
        soundfile.write(tmp_path / name, random.integers(-3000, 3000, 8000).astype(np.int16), 16000)
        part = ("Train", "Train", "Development", "Test1")[number % 4]
        speaker = "7" if number in (0, 3) else f"{number % 4}"
        rows.append(f"{name},{1 + number % 7},{7 - number % 7},4.0,{speaker},{part}")
    table = tmp_path / "labels_consensus.csv"
    table.write_text("\n".join(["FileName,EmoAct,EmoVal,EmoDom,SpkrID,Split_Set", *rows]) + "\n")
    prepare_utterances("manifest", table, tmp_path / "data", name="podcast")
    config = config_of("dcgan", "runlocal,corpus=podcast,models=basic_cnn,rating_scale=1+7,protocol=split")
    config.epochs, config.models = 1, ("basic_cnn",)
    results = train_run(config, tmp_path / "run", tmp_path / "data", command="test")
    assert np.isfinite(results["members"][0]["metrics"]["test/uar"])
    written = json.loads((tmp_path / "run" / "results.json").read_text())
    (fold,) = written["data"]["splits"]
    assert {name: fold[name] for name in ("fold", "train", "valid", "test", "shared_speakers")} == {
        **{"fold": "test1", "train": 6, "valid": 3, "test": 3, "shared_speakers": ["7"]},
    }
    page = (tmp_path / "run" / PAGE).read_text()
    assert "1 of 1 official folds (test1) test speakers that they also train or validate on (in test1: 7)" in page
    assert "Examples that train, validate and test: test1 6, 3 and 3." in page
