"""Audio and text put together: which ways of fusing, what is refused before anything is trained, what is said."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_dialogue

from sejax.data.word_vectors import WordVectors
from sejax.engine.run import run, run_settings
from sejax.errors import InputError
from sejax.experiments.audio_text.assembly import assemble, batches_in_words, method_settings, posteriors, variants
from sejax.models.audio_text import FUSIONS

get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "audio_text.py"))["get_config"]


def make_config(**changes):
    config = get_config("runlocal,corpus=spoken,only_folds=2")
    config.update(changes)
    return variants(config)["att_d_1"]


def test_the_usual_run_trains_every_way_of_fusing():
    assert tuple(variants(get_config())) == FUSIONS


@pytest.mark.parametrize("fusions", [("att_d_1", "att_d_1"), ("att_d_9",), ()])
def test_each_way_of_fusing_is_given_once(fusions):
    config = get_config()
    config.fusions = fusions
    with pytest.raises(InputError, match="give each once"):
        variants(config)


def test_vectors_of_another_size_are_refused():
    vectors = WordVectors(np.zeros((14, 5), np.float32), np.ones(14, bool))
    with pytest.raises(InputError, match="embedding=6, and vectors=file.bin has 5; use 5"):
        assemble(make_config(vectors="file.bin"), toy_dialogue.spoken(), vectors)


def test_vectors_of_a_file_are_on_the_device_and_stay_as_they_are_unless_tuned():
    vectors = WordVectors(np.ones((14, 6), np.float32), np.ones(14, bool))
    found = assemble(make_config(vectors="file.bin"), toy_dialogue.spoken(), vectors).data
    np.testing.assert_array_equal(found["vectors"], vectors.values)
    assert "vectors" not in assemble(make_config(), toy_dialogue.spoken()).data
    for changes, tuned in (({}, True), ({"vectors": "f"}, False), ({"vectors": "f", "tuned": True}, True)):
        assert method_settings(make_config(**changes)).tuned == tuned


def test_no_shape_is_made_for_what_has_no_class():
    speech = toy_dialogue.spoken()
    longest = int(np.diff(speech.offset).argmax())
    label = np.where(np.arange(80) == longest, -1, speech.label).astype(np.int32)
    unlabelled = replace(speech, label=label, utterance_label=label)
    for given, holds in ((speech, True), (unlabelled, False)):
        shapes = assemble(make_config(), given).about["data"]["shapes"]
        assert (max(samples for samples, *_ in shapes) >= np.diff(speech.offset).max()) == holds


def test_what_a_run_says_of_its_batches_and_words():
    found = assemble(make_config(), toy_dialogue.spoken()).about
    assert found["protocol"] == "session" and len(found["types"]) == found["data"]["types"] == 14
    data = found["data"]
    assert sum(count for *_, count in data["shapes"]) == -(-data["parts"]["train"][0] // 8) and len(data["shapes"]) == 2
    assert 0 < data["padding"]["samples"] < 1 and data["without_words"] == 9
    assert data["parts"] == {"train": [32, 32], "valid": [16, 16], "test": [32, 32]}
    told = batches_in_words(data | {"vectors": {"file": "a.bin", "types": 0.5, "words": 0.75}})
    assert "2 shapes of batches" in told and "vectors of a.bin: 50.0% of types, 75.0% of words" in told


def test_as_published_nothing_validates_and_the_last_epoch_stays(tmp_path):
    config = get_config("runlocal,corpus=spoken,protocol=utterance,validation=0,keep=last,only_folds=1")
    config.fusions, config.folds = ("text",), 10
    assembly = assemble(variants(config)["text"], toy_dialogue.spoken())
    assert assembly.about["data"]["parts"] == {"train": [72], "valid": [0], "test": [8]}
    (member,) = run(assembly, run_settings(config), tmp_path, seed=0)
    assert member["failed"] is None and member["epochs"] == member["best_epoch"] == config.epochs == 2
    assert {"test/uar", "test/accuracy"} <= member["metrics"].keys()
    told = member["metrics"].keys() | {name for row in member["history"] for name in row}
    assert not [name for name in told if name.startswith("valid/")]
    assert np.isfinite([row["train/loss"] for row in member["history"]]).all()


def test_recordings_that_are_too_long_are_cut_and_count_once():
    speech = toy_dialogue.spoken()
    assembly = assemble(make_config(longest=0.2), speech)
    utterance = assembly.data["utterance"]
    assert len(utterance) > 80 and len(np.unique(utterance)) == 80 and assembly.data["length"].max() <= 3200
    assert assembly.data["length"].sum() == len(speech.waveform)
    part = assembly.members["part"]
    for number in range(80):  # the pieces of an utterance stay together
        assert len(np.unique(part[0][utterance == number])) == 1
    assert assembly.about["data"]["pieces"] == len(utterance)


def test_other_emotions_than_the_four_are_left_out_of_every_part():
    speech = toy_dialogue.spoken()
    five = replace(speech, classes=(*speech.classes, "fear"), label=np.where(np.arange(80) == 5, 4, speech.label))
    five = replace(five, label=five.label.astype(np.int32), utterance_label=five.label.astype(np.int32))
    assert (assemble(make_config(), five).members["part"][:, 5] == -1).all()


def test_audio_alone_needs_no_vocabulary_to_classify():
    config = get_config("runlocal,corpus=spoken")
    config.fusions = ("audio",)
    found = posteriors(variants(config)["audio"], 4).transcribed
    start, end, batch, words = found.pieces(np.ones(400000, np.int16), 16000, text="so it is", types=("is", "so"))
    np.testing.assert_allclose(np.stack([start, end]), [[0, 12.5], [12.5, 25]])
    assert words == (("so",), ("it", "is")) and batch["words"][:, 0, :2].tolist() == [[1, 0], [2, 0]]
