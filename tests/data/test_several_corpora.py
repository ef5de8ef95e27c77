"""Several prepared sets as one: rows, names, label maps, folds of all of them, and the fold that tests others."""

from dataclasses import replace

import numpy as np
import pytest
import tones
import toy_dialogue
import toy_speech
from emotional_vectors import make_vectors

from sejax.data.blocks.load import Spectrograms
from sejax.data.crops import crop_data, read_crops
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION, make_folds
from sejax.data.labels import choose_classes, class_facts
from sejax.data.level_statistics import level_folds
from sejax.data.official_folds import folds_of
from sejax.data.pair_folds import pair_folds
from sejax.data.ratings import ratings_of
from sejax.data.store.joined import JoinedRows, by_part, corpora_tested, find_corpora, join
from sejax.errors import InputError

COUNTS = (8, 8, 8, 8)
GERMAN = {"anger": "Wut", "boredom": "Langeweile", "neutral": "neutral"}
MAP = ("anger:anger/Wut", "boredom:boredom/Langeweile", "neutral")
ASKED = {"validation": 0.1, "seed": 0}


def test_joined_rows_are_read_as_one_array():
    random = np.random.default_rng(0)
    parts = [random.normal(size=(count, 3)).astype(np.float32) for count in (4, 0, 5)]
    rows, whole = JoinedRows(parts), np.concatenate(parts)
    assert len(rows) == 9 and rows.shape == whole.shape and rows.dtype == np.float32
    slices = (slice(2, 7), slice(5, 5), slice(None), slice(0, 9, 2))
    for index in (0, 4, -1, *slices, [8, 0, 4], np.array([[3, 4], [8, 8]])):
        np.testing.assert_array_equal(rows[index], whole[index])
    np.testing.assert_array_equal(rows[whole[:, 0] > 0], whole[whole[:, 0] > 0])
    np.testing.assert_array_equal(np.asarray(JoinedRows([rows, parts[0]])), np.concatenate([whole, parts[0]]))
    with pytest.raises(IndexError):
        rows[9]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two prepared sets of blocks on the disk whose labels have other names, as one."""
    folder = tmp_path_factory.mktemp("data")
    sets = {"one": tones.write_prepared_set(folder, corpus="one")}
    sets["other"] = tones.write_prepared_set(folder, corpus="other", names=GERMAN, blocks=36)
    return find_corpora(lambda name: Spectrograms.load(sets[name]), "one+other")


def test_blocks_stay_on_the_disk_and_keep_their_corpus(both):
    one, other = both.joined_from
    assert isinstance(both.spectrogram, JoinedRows)
    np.testing.assert_array_equal(both.spectrogram[60:], other.spectrogram)
    np.testing.assert_array_equal(both.origin, [0] * 30 + [1] * 18)
    assert both.utterance_ids[30] == "other:u000" and both.utterance[60] == 30 and both.block[60] == 60
    assert both.speakers[both.speaker[60]] == both.speakers[both.utterance_speaker[30]] == "other:s0"
    assert [both.classes[label] for label in both.label[60:66]] == [other.classes[label] for label in other.label[:6]]
    rows = np.array([0, 59, 60, 95])
    found = [(each.corpus, own.tolist()) for each, own in by_part(both, rows)]
    assert found == [("one", [0, 59]), ("other", [0, 35])]


def test_each_corpus_has_its_own_labels_for_a_class(both):
    made = choose_classes(both, MAP)
    assert made.classes == ("anger", "boredom", "neutral")
    np.testing.assert_array_equal(made.label, np.concatenate([one.label for one in both.joined_from]))
    assert class_facts(made)["class_mapping"]["anger"] == "anger/Wut"
    assert choose_classes(both, ("stress:anger/Wut", "neutral")).counts["classes"]["left_out"] == {
        "boredom": 10,
        "Langeweile": 6,
    }


def test_labels_that_differ_are_refused_with_those_of_each_and_what_to_give(both):
    with pytest.raises(InputError, match="one has anger, boredom, neutral; other has Wut, Langeweile, neutral") as told:
        choose_classes(both, ("all",))
    assert "classes=angry:anger/Wut+neutral" in str(told.value)
    assert choose_classes(both, ("angry:anger/Wut", "neutral")).classes == ("angry", "neutral")  # as it says
    with pytest.raises(InputError, match="other has no label for boredom"):
        choose_classes(both, ("anger:anger/Wut", "boredom"))


def test_waveforms_and_frames_of_several_corpora_are_those_of_each():
    sets = [toy_dialogue.spoken("one"), toy_dialogue.spoken("other", seed=3)]
    speech = join(sets)
    for number, (own, row) in enumerate((one, row) for one in sets for row in range(len(one.label))):
        for name, edges in (("waveform", "offset"), ("word_text", "word_offset"), ("word_start", "word_offset")):
            here, there = (getattr(one, edges)[at : at + 2] for one, at in ((speech, number), (own, row)))
            found, wanted = getattr(speech, name)[slice(*here)], getattr(own, name)[slice(*there)]
            np.testing.assert_array_equal(found, wanted, err_msg=name)
        assert speech.transcripts[number] == own.transcripts[row]
    rated = [toy_speech.rated("one"), toy_speech.rated("other", seed=3)]
    lazily = replace(join(rated), frames=JoinedRows([one.frames for one in rated]))
    where = {"width": 32, "dynamic_range": 80.0}
    crops = read_crops(crop_data(lazily), np.array([60]), np.array([5]), **where)
    np.testing.assert_array_equal(crops, read_crops(crop_data(rated[1]), np.array([0]), np.array([5]), **where))


def vectors(*people, **options):
    """A corpus of so many speakers each, as one set."""
    names = ("one", "other", "third")
    pairs = zip(names, people, strict=False)
    return join([make_vectors(COUNTS, corpus=name, people=count, seed=count) for name, count in pairs], **options)


@pytest.mark.parametrize("protocol", ["speaker", "utterance"])
def test_each_fold_holds_out_some_of_each_corpus(protocol):
    speech = vectors(8, 4)
    folds = make_folds(speech, protocol=protocol, folds=4, validation=0.2, seed=0)
    for part in folds.part:
        assert set(speech.origin[part == TEST]) == set(speech.origin[part == VALIDATION]) == {0, 1}
        if protocol == "speaker":
            people = [set(speech.speaker[part == kind]) for kind in (TRAIN, VALIDATION, TEST)]
            assert sum(map(len, people)) == len(set.union(*people)) == 12
            names = [speech.speakers[number].partition(":")[0] for number in people[2]]
            assert sorted(names) == ["one", "one", "other"]
    assert ((folds.part == TEST).sum(0) == 1).all()


def test_pairs_of_speakers_are_held_out_of_both_corpora():
    speech = join([toy_speech.rated("one"), toy_speech.rated("other", seed=3)])
    speech = replace(speech, session=np.zeros_like(speech.session), sessions=("",))
    part = pair_folds(speech, np.ones(120, bool), folds=5, seed=0)
    assert all(set(speech.origin[row == TEST]) == set(speech.origin[row == VALIDATION]) == {0, 1} for row in part)


def test_all_of_another_corpus_tests_and_speakers_of_the_others_validate():
    speech = vectors(6, 4, 4, tested=("third",))
    folds = folds_of(speech, protocol="speaker", names=(), folds=5, **ASKED)
    assert len(folds.part) == 1
    part = folds.part[0]
    np.testing.assert_array_equal(part == TEST, speech.origin == 2)
    assert set(speech.origin[part == VALIDATION]) == {0, 1}
    assert not set(speech.speaker[part == VALIDATION]) & set(speech.speaker[part == TRAIN])
    assert (folds_of(speech, protocol="speaker", folds=5, validation=0.0, seed=0).part >= TRAIN).all()
    assert corpora_tested(speech) == {} and set(corpora_tested(vectors(2, 2, 2))) == {"one", "other", "third"}


def test_what_no_label_has_trains_alone_and_not_beside_who_validates():
    speech = vectors(6, 4, tested=("other",))
    speech = replace(speech, label=np.where(np.arange(64) % 4 == 0, -1, speech.label).astype(np.int32))
    part = folds_of(speech, protocol="speaker", folds=5, **ASKED).part[0]
    unlabelled, validates = speech.label < 0, np.isin(speech.speaker, speech.speaker[part == VALIDATION])
    np.testing.assert_array_equal(part[unlabelled] == TRAIN, ((speech.origin == 0) & ~validates)[unlabelled])
    assert (part[unlabelled & (validates | (speech.origin == 1))] == LEFT_OUT).all()


@pytest.mark.parametrize(
    ("corpora", "asked", "named"),
    [
        ((1, 4), {"protocol": "speaker"}, "one speaker .*protocol=utterance"),
        ((4, 4), {"protocol": "split"}, "protocol=split with test=other: all of a corpus is tested"),
    ],
)
def test_what_a_fold_across_corpora_cannot_be_is_refused(corpora, asked, named):
    speech = vectors(*[max(people, 2) for people in corpora], tested=("other",))
    if corpora[0] == 1:
        speech = replace(speech, speaker=np.where(speech.origin == 0, 0, speech.speaker).astype(np.int32))
    with pytest.raises(InputError, match=named):
        folds_of(speech, folds=5, **ASKED, **asked)


def test_a_class_that_nothing_trains_is_refused():
    speech = vectors(4, 4, tested=("other",))
    gone = (speech.origin == 0) & (speech.label == 2)
    with pytest.raises(InputError, match="class 'neutral' has no example in what trains"):
        folds_of(replace(speech, label=np.where(gone, -1, speech.label)), protocol="speaker", folds=5, **ASKED)


def test_a_corpus_or_a_recording_that_trains_is_not_tested():
    sets = {name: replace(make_vectors(COUNTS, corpus=name), digests=tuple("abcd" * 8)) for name in ("one", "other")}
    with pytest.raises(InputError, match="test=one is trained on too"):
        find_corpora(sets.__getitem__, "one+other", "one")
    with pytest.raises(InputError, match="u0 of one and u0 of other have the same samples"):
        find_corpora(sets.__getitem__, "one", "other")


def test_official_folds_are_those_of_each_corpus_by_name():
    sets = [make_vectors(COUNTS, corpus=name) for name in ("one", "other")]
    one, other = (replace(own, splits=("train", "test") * 16) for own in sets)
    part = folds_of(join([one, other]), protocol="split", validation=0.0, seed=0).part[0]
    np.testing.assert_array_equal(part, [TRAIN, TEST] * 32)
    with pytest.raises(InputError, match="other: nothing says which of its utterances train"):
        folds_of(join([one, replace(other, splits=())]), protocol="split", **ASKED)
    named = replace(other, splits=("a=train", "a=test") * 16)
    first = replace(one, splits=("b=train", "b=test") * 16)
    with pytest.raises(InputError, match="fold a is none of one's"):
        folds_of(join([first, named]), protocol="split", **ASKED)


def test_levels_are_normalised_by_each_corpus_alone():
    sets = []
    for number, name in enumerate(("one", "other")):
        own = make_vectors(COUNTS, corpus=name)
        traits = np.random.default_rng(number).normal(size=(32, 6)) * 0.1 - 20 * number
        sets.append(replace(own, traits=tuple(np.abs(traits).tolist())))
    speech = join(sets)
    part = np.where(np.arange(64) % 2, TEST, TRAIN).astype(np.int8)[None]
    ((columns, _), (tested, _)) = next(level_folds(speech, part, normalised_by="corpus"))
    levels = np.empty((64, columns.shape[1]))
    levels[0::2], levels[1::2] = columns, tested
    for number in range(2):
        np.testing.assert_allclose(levels[speech.origin == number].mean(0), 0, atol=1e-9)


def test_rated_corpora_and_others_are_not_mixed():
    with pytest.raises(InputError, match="one has ratings and other has none"):
        ratings_of(join([toy_speech.rated("one"), toy_speech.rated("other", ratings=False)]))
