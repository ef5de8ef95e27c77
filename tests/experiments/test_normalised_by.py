"""Features that are normalised by all recordings of each speaker or corpus: what they become, and what is refused."""

import dataclasses
import runpy
from pathlib import Path

import numpy as np
import pytest
import toy_vectors

from sejax.data.level_statistics import level_folds
from sejax.data.store.joined import join
from sejax.data.vectors.load import emotional, labelled_only
from sejax.errors import InputError
from sejax.experiments.augmentation.assembly import assemble, posteriors
from sejax.experiments.feature_vectors import normalised_by, transductive
from sejax.experiments.prediction import Inputs, normalised_together
from sejax.report import Report
from sejax.report.terms import protocol_notes

get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "augmentation.py"))["get_config"]


def config_of(**changes):
    config = get_config("runlocal,real=emodb,trainings=real")
    config.training = "real"
    config.update(changes)
    return config


def test_each_speakers_features_have_mean_0_and_deviation_1_and_constant_ones_are_0():
    vectors = toy_vectors.emotional()
    made = normalised_by(vectors, "speaker").features
    for speaker in range(toy_vectors.SPEAKERS):
        own = made[vectors.speaker == speaker]
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(np.delete(own.std(0), 5), 1, atol=1e-4)
        assert (own[:, 5] == 0).all()
    assert normalised_by(vectors, "training") is vectors


def test_a_speakers_features_depend_on_no_other_speaker_and_on_no_label():
    vectors = toy_vectors.emotional()
    features = np.array(vectors.features)
    features[vectors.speaker == 3] *= 7.0
    other = dataclasses.replace(vectors, features=features, label=np.roll(vectors.label, 5))
    one, made = (normalised_by(each, "speaker").features for each in (vectors, other))
    np.testing.assert_array_equal(one[vectors.speaker != 3], made[vectors.speaker != 3])
    np.testing.assert_allclose(one[vectors.speaker == 3], made[vectors.speaker == 3], atol=1e-4)


def test_each_corpus_of_several_can_be_normalised_by_itself():
    both = [toy_vectors.emotional("one"), toy_vectors.emotional("two", seed=3)]
    both[1] = dataclasses.replace(both[1], features=100 * both[1].features + 5)
    made = join([labelled_only(normalised_by(each, "corpus")) for each in both]).features
    for own in np.split(made, 2):
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-4)
    np.testing.assert_array_equal(normalised_by(join(both), "corpus").features, made)  # and so when they are one set
    four = emotional([normalised_by(join(both), "corpus")])  # whose labels are chosen of the set as it is
    np.testing.assert_array_equal(four.features, made[np.isin(np.tile(both[0].label, 2), (0, 4, 5, 6))])
    of_speakers = [normalised_by(each, "speaker").features for each in both]
    np.testing.assert_array_equal(normalised_by(join(both), "speaker").features, np.concatenate(of_speakers))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"speakers": ("", *(f"s{n}" for n in range(1, 10)))}, "the speaker of emodb000 is unknown"),
        ({"speaker": np.arange(140, dtype=np.int32), "speakers": tuple(map(str, range(140)))}, "speaker 0 has one"),
    ],
)
def test_a_speaker_without_statistics_is_refused(changes, said):
    vectors = dataclasses.replace(toy_vectors.emotional(), **changes)
    with pytest.raises(InputError, match=said):
        normalised_by(vectors, "speaker")


def test_a_run_says_that_it_is_transductive_and_what_by():
    made = assemble(config_of(normalise_by="speaker"), [toy_vectors.emotional()], None, None)
    assert "features of each speaker are z-normalised" in made.about["transductive"]
    assert made.about["anchor"]["protocol"].endswith("normalised by speaker")
    plain = assemble(config_of(), [toy_vectors.emotional()], None, None).about
    assert "transductive" not in plain and transductive(config_of()) == {}
    results = {"config": {"protocol": "within"}, "transductive": made.about["transductive"]}
    assert protocol_notes([results], Report())[-1].startswith("Transductive: the features of each speaker")
    assert not any("Transductive" in note for note in protocol_notes([{"config": {"protocol": "within"}}], Report()))


def test_classifiers_see_what_speakers_do_differently_from_themselves_alone():
    shifted = toy_vectors.emotional()
    features = shifted.features + 1000.0 * shifted.speaker[:, None].astype(np.float32)
    moved = dataclasses.replace(shifted, features=features)
    both = [assemble(config_of(normalise_by="speaker"), [one], None, None).data["vectors"] for one in (shifted, moved)]
    varies = np.arange(toy_vectors.FEATURES) >= 6  # columns whose spread is not lost beside thousands
    np.testing.assert_allclose(both[0][:, varies], both[1][:, varies], atol=0.02)


def test_recordings_of_one_speaker_are_normalised_by_each_other_and_one_alone_is_refused():
    random = np.random.default_rng(0)
    values = random.normal(3.0, 5.0, (6, 1, 1, 4)).astype(np.float32)
    given = [Inputs(np.zeros(1), np.ones(1), one[None]) for one in values[:, 0]]
    error = InputError("silent")
    found = normalised_together([given[0], error, *given[1:]])
    assert found[1] is error
    made = np.concatenate([one.values[:, 0] for one in found if one is not error])
    flat = values[:, 0, 0]
    np.testing.assert_allclose(made, (flat - flat.mean(0)) / flat.std(0), atol=1e-5)
    with pytest.raises(InputError, match="1 recordings cannot be normalised by each other"):
        normalised_together([given[0], error])
    assert posteriors(config_of(normalise_by="speaker"), 4).together == "speaker"
    assert posteriors(config_of(), 4).together == ""


def test_levels_are_seen_as_the_features_are():
    vectors = toy_vectors.emotional()
    traits = np.abs(np.random.default_rng(1).normal(size=(140, 6))) + 3.0 * vectors.speaker[:, None]
    speech = dataclasses.replace(vectors, traits=tuple(map(list, traits)))
    part = np.where(vectors.speaker < 5, 0, 2).astype(np.int8)[None]
    (fold,) = level_folds(speech, part, normalised_by="speaker")
    levels, _ = fold.tests
    for speaker in range(5, 10):
        np.testing.assert_allclose(levels[vectors.speaker[part[0] == 2] == speaker].mean(0), 0, atol=1e-9)
    (plain,) = level_folds(speech, part)
    assert abs(plain.tests[0]).max() > abs(levels).max()
