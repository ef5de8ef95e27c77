"""From the config of the DCGANs and prepared sets to what is trained: Table 1, sources, what is refused."""

import runpy
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
import toy_speech

from sejax.data.crops import JoinedFrames
from sejax.data.ratings import ratings_of
from sejax.errors import InputError
from sejax.experiments.dcgan.assembly import assemble, build, label_arrays, rated_by, resident, variants

get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "dcgan.py"))["get_config"]
SMALL = "runlocal,corpus=rated,unlabelled=plain"


def config_of(model="multitask_dcgan", argument=SMALL, **changes):
    config = get_config(argument)
    config.update(changes)
    return variants(config)[model]


def assembly_of(others=("plain",), **changes):
    return assemble(config_of(**changes), toy_speech.rated(), [toy_speech.unlabelled(corpus) for corpus in others])


def sizes(config):
    (rate,) = config.learning_rates
    return config.width, rate, config.batch_size, config.side, config.filters


def test_models_have_the_papers_sizes():
    # Table 1, read off by hand.
    assert {name: sizes(config) for name, config in variants(get_config("corpus=iemocap")).items()} == {
        "basic_cnn": (128, 1e-4, 64, 15, 84),
        "multitask_cnn": (64, 1e-3, 128, 8, 32),
        "basic_dcgan": (128, 1e-4, 64, 9, 72),
        "multitask_dcgan": (64, 1e-4, 128, 6, 88),
    }


def test_what_the_config_says_is_used_instead():
    found = variants(get_config("corpus=iemocap,width=32,filters=10,learning_rates=0.01+0.02,unlabelled=ami"))
    assert {name: (config.width, config.filters, config.side) for name, config in found.items()} == {
        "basic_cnn": (32, 10, 15),
        "multitask_cnn": (32, 10, 8),
        "basic_dcgan": (32, 10, 9),
        "multitask_dcgan": (32, 10, 6),
    }
    assert all(config.learning_rates == (0.01, 0.02) for config in found.values())
    assert {name: config.unlabelled for name, config in found.items()} == {
        "basic_cnn": (),
        "multitask_cnn": (),
        "basic_dcgan": ("ami",),
        "multitask_dcgan": ("ami",),
    }


@pytest.mark.parametrize("models", ["basic_cnn+vgg", "basic_cnn+basic_cnn"])
def test_models_that_are_none_or_named_twice_are_refused(models):
    with pytest.raises(InputError, match=f"models={models}".replace("+", r"\+")):
        variants(get_config(f"models={models}"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"width": 20}, "128 x 20"),
        ({"rating_scale": (1.0, 3.0)}, "scale"),
        ({"others": ("plain", "plain")}, r"unlabelled=plain\+plain"),
        ({"others": ("rated",)}, "unlabelled=rated beside corpus=rated"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes, told):
    with pytest.raises(InputError, match=told):
        assembly_of(**changes)


def test_sets_that_were_prepared_differently_are_refused():
    other = toy_speech.unlabelled()
    other = replace(other, settings=other.settings | {"hop": 128})
    with pytest.raises(InputError, match="plain and rated were prepared with different settings"):
        assemble(config_of(), toy_speech.rated(), [other])


def test_speech_of_one_valence_is_refused():
    speech = toy_speech.rated()
    alike = replace(speech, valence=np.full_like(speech.valence, 3.2))
    with pytest.raises(InputError, match="rated: every rated utterance has valence 3 of 1 to 5"):
        assemble(config_of(), alike, [])


def test_speech_without_ratings_is_refused():
    with pytest.raises(InputError, match="plain"):
        assemble(config_of(), toy_speech.unlabelled(), [])


def test_sets_are_found_by_the_configs_names(tmp_path):
    config = config_of()
    with pytest.raises(InputError, match="--corpus=manifest --name=rated"):
        build(config, tmp_path)
    toy_speech.write_both(tmp_path)
    assembly = build(config, tmp_path)
    assert assembly.about["unlabelled"] == ["plain"]
    np.testing.assert_array_equal(assembly.data["labelled"]["frames"], toy_speech.rated().frames)


def test_the_results_say_what_was_trained_on():
    about = assembly_of(folds=5).about
    speech = toy_speech.rated()
    nearest = np.floor(speech.valence.astype(np.float64) + 0.5).astype(int)
    assert about["data"]["points"]["valence"] == [int((nearest == point).sum()) for point in range(1, 6)]
    assert about["data"]["utterances"] == 60 and about["data"]["speakers"] == 10
    assert about["data"]["with_word_times"] == 48  # every fifth has none
    assert about["data"]["unlabelled"]["plain"]["utterances"] == 24
    seconds = about["data"]["unlabelled"]["plain"]["seconds"]
    assert seconds == pytest.approx(toy_speech.unlabelled().seconds.sum(), abs=0.06)
    assert about["data"]["parts"] == {"train": [48] * 5, "valid": [6] * 5, "test": [6] * 5}
    assert (about["protocol"], about["ratings"]) == ("session", "rated")
    derived = assemble(config_of(), toy_speech.rated(ratings=False), [])
    assert derived.about["ratings"] == "derived" and derived.about["unlabelled"] == []


def test_a_batch_has_its_share_of_unlabelled_crops():
    for share, count in ((0.5, 4), (0.2, 2), (1.0, 8)):
        assembly = assembly_of(share=share)
        state = {"seeds": {part: jax.ShapeDtypeStruct((2,), np.uint32) for part in ("labelled", "unlabelled")}}
        made = plan_shapes(assembly, state)
        assert {part: index["utterance"].shape for part, index in made.items()} == {
            "labelled": (8,),
            "unlabelled": (count,),
        }
    for without in (assembly_of(share=0.0), assembly_of(others=())):
        assert "unlabelled" not in without.data and without.about["unlabelled"] == []
        assert plan_shapes(without, state).keys() == {"labelled"}


def plan_shapes(assembly, fields):
    """The index of a plan, as shapes."""

    def plan(seeds, rows, number):
        state = type("State", (), {"seeds": seeds, "rows": rows, "count": number, "epoch_start": number})
        return assembly.train.plan_at(state, number).index

    number = jax.ShapeDtypeStruct((), np.int32)
    return jax.eval_shape(plan, fields["seeds"], jax.ShapeDtypeStruct((60,), np.int32), number)


@pytest.mark.parametrize(("source", "frames"), [("tfdata", 1), ("resident", None)])
def test_streamed_unlabelled_frames_are_not_on_the_device(source, frames):
    config = config_of(argument=f"{SMALL},input={source}")
    assembly = assemble(config, toy_speech.rated(), [toy_speech.unlabelled()])
    assert len(assembly.data["unlabelled"]["frames"]) == (frames or len(toy_speech.unlabelled().frames))
    assert len(assembly.data["labelled"]["frames"]) == len(toy_speech.rated().frames)
    assert (assembly.train.stream is None) == (frames is None)
    parts = {"labelled": assembly.data["labelled"]}
    assert resident(config, parts)["labelled"] is parts["labelled"]


def test_streamed_frames_of_several_corpora_are_not_copied():
    others = [toy_speech.unlabelled(name) for name in ("one", "two")]
    made = assemble(config_of(argument=f"{SMALL},input=tfdata"), toy_speech.rated(), others)
    frames = made.train.stream.keywords["parts"]["unlabelled"]["frames"]
    assert isinstance(frames, JoinedFrames) and len(frames) == sum(len(other.frames) for other in others)
    assert len(made.data["unlabelled"]["frames"]) == 1
    assert len(made.data["unlabelled"]["length"]) == sum(len(other.label) for other in others)


def test_all_validation_utterances_are_evaluated_once():
    assembly = assembly_of(folds=5, eval_crops=2)
    rows = np.flatnonzero(assembly.members["part"][0] == 1)
    batch = 4  # of 8 crops, 2 of each utterance
    assert assembly.valid.batches == -(-len(rows) // batch) and assembly.whole.batches == 60 // batch
    places = [assembly.whole.plan_at(None, position).index for position in range(assembly.whole.batches)]
    np.testing.assert_array_equal(np.concatenate(places), np.arange(60))


def test_labels_of_unrated_utterances_are_zeros_that_do_not_count():
    speech = toy_speech.rated()
    valence = speech.valence.copy()
    valence[4] = np.nan
    ratings = ratings_of(replace(speech, valence=valence))
    labels = label_arrays(ratings)
    assert not labels["rated"][4].any() and not labels["target"][4].any()
    np.testing.assert_array_equal(labels["rated"].all(1), rated_by(ratings))
    np.testing.assert_allclose(labels["target"].sum(-1), labels["rated"], atol=1e-6)
    means = labels["target"] @ np.arange(1, 6)
    np.testing.assert_allclose(means[:4], np.stack([valence, speech.activation], 1)[:4], rtol=1e-6)
    np.testing.assert_allclose(labels["rating"][:4], means[:4], rtol=1e-6)
    assert all(np.isfinite(values).all() for values in labels.values())
