"""Pseudo-labelling on feature vectors: what members see, what is refused, and that a run can be used like any other."""

import dataclasses
import runpy
from pathlib import Path

import jax
import numpy as np
import pytest
import toy_vectors

from sejax.core.results import read_results
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.engine.run import trained_states
from sejax.errors import InputError
from sejax.experiments.feature_vectors import fit_z_norm, normalised_by
from sejax.experiments.pseudo_labelling import inputs
from sejax.experiments.pseudo_labelling.assembly import STUDY, assemble, held_out, make_members, posteriors
from sejax.experiments.training import train_run
from sejax.report.html import FILE as PAGE

get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "pseudo_labelling.py"))["get_config"]


def config_of(argument="", **changes):
    config = get_config(f"runlocal,features=functionals,{argument}".rstrip(","))
    config.update(changes)
    return config


@pytest.fixture(scope="module")
def half_labelled():
    """The emotional vectors, every fifth without a label."""
    made = toy_vectors.emotional()
    label = np.where(np.arange(len(made.label)) % 5 == 0, -1, made.label).astype(np.int32)
    return dataclasses.replace(made, label=label, utterance_label=label)


def test_the_value_names_what_is_learned_from():
    assert inputs.parse_features("image") == ("image", "")
    assert inputs.parse_features("functionals") == ("functionals", "emobase2010")
    assert inputs.parse_features("functionals:is10") == ("functionals", "is10")
    assert inputs.parse_features("functionals:compare2016") == ("functionals", "compare2016")
    for value in ("", "functionals:", "functionals:gemaps", "image:jet", "mel"):
        with pytest.raises(InputError, match=f"features={value}; give one of image, functionals"):
            inputs.parse_features(value)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("protocol=image", "protocol=image with features=functionals"),
        ("trainable=all", "trainable=all with features=functionals"),
        ("random_gain=-6+6", "leave random_gain out"),
        ("strong_views=2", "leave strong_views out"),
        ("labeller=speaker,protocol=split", "use protocol=speaker"),
        ("calibration=temperature,validation=0", "give validation, such as 0.1"),
    ],
)
def test_what_makes_no_sense_with_vectors_is_refused(argument, said):
    with pytest.raises(InputError, match=said):
        assemble(config_of(argument), toy_vectors.emotional(), {})


def test_what_an_encoder_hears_has_no_head_that_labels():
    with pytest.raises(InputError, match="labeller=speaker with features=encoder:wavlm_base:9; give image"):
        inputs.check_inputs(get_config("features=encoder:wavlm_base:9,labeller=speaker"))


@pytest.mark.parametrize("argument", ["hidden=4", "normalise_by=speaker"])
def test_what_is_for_vectors_is_refused_with_images(argument):
    with pytest.raises(InputError, match="is for vectors"):
        inputs.check_inputs(get_config(argument))


def test_each_member_is_normalised_by_what_trains_it_and_trains_on_unlabelled_vectors_too(half_labelled):
    made = assemble(config_of("only_folds=2"), half_labelled, {})
    for number, part in enumerate(np.asarray(made.members["part"])):
        expected = fit_z_norm(half_labelled.features[part == TRAIN])
        np.testing.assert_array_equal(made.members["shift"][number], expected.shift)
        np.testing.assert_array_equal(made.members["scale"][number], expected.scale)
        assert ((part == TRAIN) & (half_labelled.label < 0)).any()
        assert (half_labelled.label[part == TEST] >= 0).all()
    assert not np.asarray(made.members["labelled"])[:, half_labelled.label < 0].any()


def test_a_run_learns_says_what_of_and_answers_for_raw_vectors(tmp_path, half_labelled):
    data = tmp_path / "data"
    vectors = dataclasses.replace(half_labelled, corpus="emodb")
    toy_vectors.write_prepared_set(data, vectors)
    config = config_of("labelled=0.5", epochs=20, only_folds=2, iterations=2)
    train_run(config, tmp_path / "run", data, command="")
    results = read_results(tmp_path / "run")
    assert results["unit"] == "utterance" and results["data"]["vectors"] == len(vectors.label)
    assert not any(name.startswith("test_utterance") for name in results["summary"])
    assert all(member["metrics"]["test/uar"] > 0.9 for member in results["members"])
    assert all(member["iterations"][0]["unlabelled"] > (vectors.label < 0).sum() / 2 for member in results["members"])
    assert "unlabelled utterances" in (tmp_path / "run" / PAGE).read_text()

    found = posteriors(config, len(vectors.classes))
    state = trained_states(tmp_path / "run", 0, [1], 2, found.subtrees)
    state = {name: jax.tree.map(lambda x: x[0], tree) for name, tree in state.items()}
    held = held_out(config, data)
    tested = held.part[1] == TEST
    answers = np.asarray(found.apply(state, {}, vectors.features[tested])).argmax(-1)
    accuracy = (answers == vectors.label[tested]).mean()
    assert accuracy == pytest.approx(results["members"][1]["metrics"]["test/accuracy"])


def test_vectors_normalised_by_speaker_are_said_to_be(tmp_path):
    vectors = toy_vectors.emotional("emodb")
    toy_vectors.write_prepared_set(tmp_path, vectors)
    config = config_of("normalise_by=speaker")
    made = inputs.find_utterance_vectors(config, tmp_path)
    np.testing.assert_allclose(made.features, normalised_by(vectors, "speaker").features, atol=1e-6)
    assert held_out(config, tmp_path).normalised_by == "speaker"
    assert posteriors(config, 7).together == "speaker"
    assert "each speaker" in assemble(config, made, {}).about["transductive"]


def test_seeds_share_folds_and_draw_other_labels():
    names, members = make_members(config_of("labelled=0.5,seeds=2"), toy_vectors.emotional())
    assert [name["seed"] for name in names] == [0, 1]
    np.testing.assert_array_equal(members["part"][0], members["part"][1])
    assert (members["labelled"][0] != members["labelled"][1]).any()


def test_without_a_validation_part_all_epochs_are_trained_at_one_rate(tmp_path):
    toy_vectors.write_prepared_set(tmp_path / "data", toy_vectors.emotional("emodb"))
    config = config_of("labelled=0.5", epochs=15, iterations=2, plateau_patience=1, stop_patience=1, validation=0.0)
    results = train_run(config, tmp_path / "run", tmp_path / "data", command="")
    (member,) = results["members"]
    assert [entry["epochs"] for entry in member["iterations"]] == [15, 15]
    assert [entry["best_epoch"] for entry in member["iterations"]] == [15, 15]
    assert {row["learning_rate"] for row in member["history"]} == {np.float32(config.learning_rate)}
    assert not any(held_out(config, tmp_path / "data").part[0] == VALIDATION)
    assert STUDY.validated(config) == ()
