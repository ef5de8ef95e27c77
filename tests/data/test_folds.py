"""Folds of every protocol, folds that hold out two speakers, and what is no data to split."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import toy_speech
from hypothesis import assume, given
from hypothesis import strategies as st
from toy_images import crossed_images, toy_images

from sejax.data.folds import (
    LEFT_OUT,
    TEST,
    TRAIN,
    VALIDATION,
    Instead,
    make_folds,
    near_copies_in_training,
)
from sejax.data.labels import labelled_subset
from sejax.data.pair_folds import pair_folds
from sejax.errors import InputError


@pytest.fixture(scope="module")
def emodb(emodb_source):
    """The Berlin database's images without their sound: speaker and emotion from the names, blocks from sizes."""
    blocks = []
    letters, men = "WLEAFTN", ("03", "10", "11", "12", "15")
    files = sorted((emodb_source / "wav").glob("*.wav"))
    names = sorted({file.name[:2] for file in files})
    for file in files:
        seconds = file.stat().st_size // 32000
        blocks += [(names.index(file.name[:2]), letters.index(file.name[5]))] * max(1, seconds)
    images = toy_images(blocks, sex=["male" if name in men else "female" for name in names])
    images.speakers = tuple(names)
    return images


def _parts_of(values, part):
    """Which of the three parts each value occurs in, [V, 3]."""
    return np.stack([np.isin(np.unique(values), values[part == p]) for p in (TRAIN, VALIDATION, TEST)], 1)


@pytest.mark.parametrize("protocol", ["speaker", "block", "image"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_labelled_image_tests_once_and_validation_comes_out_of_the_rest(protocol, seed):
    images = crossed_images(7, 3)
    folds = make_folds(images, protocol=protocol, folds=3, seed=seed)
    assert folds.part.shape == (3, 126) and folds.part.dtype == np.int8
    np.testing.assert_array_equal(folds.test.sum(0), 1)
    assert (folds.validation.any(1)).all() and (folds.train.any(1)).all()
    assert (folds.train.astype(int) + folds.validation + folds.test == 1).all()
    again = make_folds(images, protocol=protocol, folds=3, seed=seed)
    np.testing.assert_array_equal(folds.part, again.part)
    without = make_folds(images, protocol=protocol, folds=3, seed=seed, validation=0)
    assert not without.validation.any() and (without.test.sum(0) == 1).all()


@pytest.mark.parametrize("protocol", ["block", "image"])
def test_another_seed_splits_differently(protocol):
    images = crossed_images(7, 3)
    one, other = (make_folds(images, protocol=protocol, seed=seed).part for seed in (0, 1))
    assert (one != other).any()


@pytest.mark.parametrize("folds", [2, 3, 5, 9])
def test_no_speaker_is_in_two_parts(folds):
    rng = np.random.default_rng(folds)
    blocks = [(s, c) for s in range(11) for c in range(4) for _ in range(rng.integers(1, 9))]
    split = make_folds(toy_images(blocks), protocol="speaker", folds=folds)
    images = toy_images(blocks)
    for part in split.part:
        assert (_parts_of(images.speaker, part).sum(1) == 1).all()


def test_no_session_is_in_two_parts_where_there_are_sessions():
    # As in IEMOCAP: five sessions of a woman and a man, five folds.
    images = crossed_images(10, 4, sex=["female", "male"] * 5, sessions=np.repeat(np.arange(5), 2))
    split = make_folds(images, protocol="speaker", folds=5)
    for part in split.part:
        assert (_parts_of(images.session, part).sum(1) == 1).all()
        assert len(np.unique(images.speaker[part == TEST])) == 2
    assert sorted(np.unique(images.session[part == TEST])[0] for part in split.part) == list(range(5))


def test_one_session_or_a_nameless_one_is_no_session():
    for sessions in (np.zeros(6, int), None):
        images = crossed_images(6, 2, sessions=sessions)
        split = make_folds(images, protocol="speaker", folds=6)
        assert all(len(np.unique(images.speaker[part == TEST])) == 1 for part in split.part)
    images.sessions, images.session = (), np.full(len(images.label), -1)
    np.testing.assert_array_equal(make_folds(images, protocol="speaker", folds=6).part, split.part)


def test_a_speaker_of_two_sessions_joins_them():
    images = crossed_images(8, 2, repeats=4, sessions=[0, 0, 1, 1, 2, 2, 3, 3])
    joined = np.flatnonzero(images.speaker == 1)
    images.session[joined[len(joined) // 2 :]] = 1
    split = make_folds(images, protocol="speaker", folds=3)
    for part in split.part:
        assert (_parts_of(images.speaker, part).sum(1) == 1).all()
        assert (_parts_of(images.session, part).sum(1) == 1).all()


def test_emodb_folds_are_one_man_and_one_woman_and_hold_every_emotion(emodb):
    assert len(emodb.speakers) == 10
    for seed in range(3):
        split = make_folds(emodb, protocol="speaker", seed=seed)
        share = split.test.sum(1) / len(emodb.label)
        assert share.min() > 0.17 and share.max() < 0.23
        used = []
        for part in split.part:
            for which in (TEST, VALIDATION):
                speakers = np.unique(emodb.speaker[part == which])
                assert sorted(emodb.sex[number] for number in speakers) == ["female", "male"]
                assert len(np.unique(emodb.label[part == which])) == 7
                used += [number for number in speakers if which == VALIDATION]
            assert (_parts_of(emodb.speaker, part).sum(1) == 1).all()
        assert np.bincount(used, minlength=10).max() <= 2  # the same two do not always validate


def test_emodb_leaving_one_speaker_out(emodb):
    split = make_folds(emodb, protocol="speaker", folds=10)
    assert sorted(int(np.unique(emodb.speaker[test])[0]) for test in split.test) == list(range(10))
    assert all(len(np.unique(emodb.speaker[test])) == 1 for test in split.test)
    for validation in split.validation:
        assert sorted(emodb.sex[s] for s in np.unique(emodb.speaker[validation])) == ["female", "male"]


def test_a_class_of_two_speakers_is_trained_in_every_fold():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        people = 7
        rare = rng.permutation(people)[:2]
        sizes = rng.integers(1, 12, people)
        blocks = [(s, c) for s in range(people) for c in range(2) for _ in range(sizes[s])]
        images = toy_images(blocks + [(rare[0], 2), (rare[1], 2)])
        split = make_folds(images, protocol="speaker", folds=3, seed=seed)
        for part in split.part:
            assert len(np.unique(images.label[part == TRAIN])) == 3


@pytest.mark.parametrize("protocol", ["block", "image"])
def test_classes_have_equal_shares_of_every_part(protocol, emodb):
    split = make_folds(emodb, protocol=protocol, validation=0.1)
    step = 3 if protocol == "block" else 1  # images that move together
    total = np.bincount(emodb.label)
    for part in split.part:
        tested = np.bincount(emodb.label[part == TEST], minlength=7)
        validated = np.bincount(emodb.label[part == VALIDATION], minlength=7)
        assert np.abs(tested - total / 5).max() < step
        assert np.abs(validated - 0.1 * (total - tested)).max() <= step
    sizes = split.test.sum(1)
    assert sizes.max() - sizes.min() <= step
    if protocol == "block":
        assert all((_parts_of(emodb.block, part).sum(1) == 1).all() for part in split.part)
    assert all((_parts_of(emodb.speaker, part).sum(1) == 3).all() for part in split.part)  # speakers are mixed


def test_near_copies_leak_as_much_as_probability_says(emodb):
    image = make_folds(emodb, protocol="image", validation=0)
    # Two other images of the block, each outside this fold's test part with probability 4/5.
    np.testing.assert_allclose(near_copies_in_training(image.part, emodb.block).mean(), 0.96, atol=0.01)
    labelled = np.stack(
        [labelled_subset(emodb.label, train, fraction=0.3, seed=(0, fold)) for fold, train in enumerate(image.train)]
    )
    leaks = near_copies_in_training(image.part, emodb.block, labelled=labelled)
    np.testing.assert_allclose(leaks.mean(), 1 - (1 - 0.3 * 0.8) ** 2, atol=0.02)
    for protocol in ("speaker", "block"):
        assert (near_copies_in_training(make_folds(emodb, protocol=protocol).part, emodb.block) == 0).all()


def test_near_copies_worked_by_hand():
    block = np.array([7, 7, 7, 3, 3, 9])
    part = np.array([TEST, TRAIN, TEST, TEST, VALIDATION, TRAIN])
    assert near_copies_in_training(part, block) == pytest.approx(2 / 3)
    assert near_copies_in_training(part, block, labelled=np.arange(6) == 5) == 0
    assert np.isnan(near_copies_in_training(np.zeros(6, int), block))


@pytest.mark.parametrize("protocol", ["speaker", "block", "image"])
def test_unlabelled_images_only_train_and_never_with_a_speaker_who_tests(protocol):
    pool = [(s, -1) for s in range(8)]  # speakers 6 and 7 have no labelled image
    images = toy_images([(s, c) for s in range(6) for c in range(2) for _ in range(3)] + pool)
    images.label[0] = -1  # one of the three images of a labelled block
    split = make_folds(images, protocol=protocol, folds=3)
    unlabelled = images.label < 0
    assert not (split.test | split.validation)[:, unlabelled].any()
    assert (split.test.sum(0) == ~unlabelled).all()
    assert split.train[:, images.speaker >= 6].all()
    left_out = split.part == LEFT_OUT
    assert left_out.any() == (protocol != "image") and not left_out[:, ~unlabelled].any()
    kept = {"speaker": images.speaker, "block": images.block, "image": np.arange(len(images.label))}[protocol]
    for part in split.part:
        assert (_parts_of(kept[part != LEFT_OUT], part[part != LEFT_OUT]).sum(1) == 1).all()


def test_a_pool_of_another_session_makes_no_sessions():
    images = toy_images([(s, c) for s in range(6) for c in range(2)] + [(6, -1)], sessions=[0] * 6 + [1])
    split = make_folds(images, protocol="speaker", folds=6)
    assert all(len(np.unique(images.speaker[test])) == 1 for test in split.test)


def test_an_unlabelled_pool_needs_no_speakers():
    images = toy_images([(s, c) for s in range(4) for c in range(2)] + [(4, -1)] * 5)
    images.speakers = (*images.speakers[:4], "")
    split = make_folds(images, protocol="speaker", folds=2)
    assert split.train[:, images.label < 0].all()


def test_a_pool_without_speakers_is_left_out_where_its_session_tests():
    images = toy_images(
        [(s, c) for s in range(6) for c in range(2)] + [(6, -1), (7, -1)], sessions=[0, 0, 1, 1, 2, 2, 0, 1]
    )
    images.speakers = (*images.speakers[:6], "", "")
    split = make_folds(images, protocol="speaker", folds=3)
    for part in split.part:
        kept = part != LEFT_OUT
        assert (_parts_of(images.session[kept], part[kept]).sum(1) == 1).all()
    assert split.train[:, images.label < 0].any(0).all()


def test_every_class_trains_even_where_that_makes_folds_uneven():
    # Equal folds of a man and a woman would be {0, 1} and {2, 3}, which puts both speakers of class 1 in one.
    sizes, sex = (10, 1, 1, 10), ("male", "female", "male", "female")
    images = toy_images([(s, 0) for s in range(4) for _ in range(sizes[s])] + [(0, 1), (1, 1)], sex=sex)
    split = make_folds(images, protocol="speaker", folds=2, validation=0)
    for part in split.part:
        assert len(np.unique(images.label[part == TRAIN])) == 2


@pytest.mark.parametrize("protocol", ["speaker", "block", "image"])
def test_a_large_validation_part_leaves_every_class_something_to_train_on(protocol):
    images = crossed_images(5, 3, repeats=1)
    split = make_folds(images, protocol=protocol, folds=5, validation=0.99)
    for part in split.part:
        assert len(np.unique(images.label[part == TRAIN])) == 3


def test_many_speakers_are_dealt_evenly_and_quickly():
    rng = np.random.default_rng(0)
    people = 300
    blocks = [(s, c) for s in range(people) for c in rng.integers(0, 6, rng.integers(1, 20))]
    images = toy_images(blocks, sex=["male" if number < 100 else "female" for number in range(people)])
    split = make_folds(images, protocol="speaker", folds=5)
    for test in split.test:
        np.testing.assert_allclose(np.bincount(images.label[test]) / np.bincount(images.label), 0.2, atol=0.02)
        sexes = [images.sex[number] for number in np.unique(images.speaker[test])]
        assert abs(sexes.count("male") - 20) <= 1 and abs(sexes.count("female") - 40) <= 1


ERRORS = {
    "unknown protocol": (crossed_images(6, 2), dict(protocol="session"), "'session'.*speaker, utterance, block, image"),
    "one fold": (crossed_images(6, 2), dict(folds=1), "folds=1"),
    "all validates": (crossed_images(6, 2), dict(validation=1.0), "validation=1.0"),
    "nothing labelled": (toy_images([(s, -1) for s in range(6)]), {}, "no labelled image"),
    "a class without an image": (
        replace(crossed_images(6, 2), classes=("a", "b", "fear")),
        {},
        "toy: class 'fear' has no image",
    ),
    "one class": (crossed_images(6, 1), {}, "toy: 'a' is the only class.*with more$"),
    "labelled images without a speaker": (
        replace(crossed_images(6, 2), speakers=("", *"bcdef")),
        {},
        "toy: 12 labelled images have no speaker.*needs each one's",
    ),
    "fewer speakers than folds": (crossed_images(4, 2), {}, "toy: 4 speakers.*folds=5.*at least 5; use folds=4$"),
    "two speakers, one to validate": (
        crossed_images(2, 2),
        dict(folds=2),
        "2 speakers.*at least 3; use a corpus with more speakers",
    ),
    "fewer sessions than folds": (
        crossed_images(6, 2, sessions=[0, 0, 0, 1, 1, 1]),
        dict(folds=3),
        "6 speakers in 2 separate units that share no session",
    ),
    "a class of one speaker": (
        toy_images([(s, c) for s in range(6) for c in range(2)] + [(3, 2)] * 4),
        dict(folds=3),
        r"class 'c' has no speaker left for the training part of fold \d beside the test part.*1 in all",
    ),
    "a class of two speakers, one to validate": (
        toy_images([(0, 0), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]),
        dict(folds=3),
        r"class '[bc]' has no speaker left .* fold \d beside the test and validation parts",
    ),
    "fewer blocks than folds": (
        toy_images([(s, 0) for s in range(9)] + [(1, 1)] * 4),
        dict(protocol="block"),
        "class 'b' has 4 examples.*folds=5",
    ),
    "nothing to train on beside validation": (
        toy_images([(s, 0) for s in range(9)] + [(1, 1)] * 2),
        dict(protocol="block", folds=2),
        "class 'b' has 1 example beside the test part of fold 0",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_split_is_a_clear_error(case):
    images, options, message = ERRORS[case]
    with pytest.raises(InputError, match=message) as error:
        make_folds(images, **options)
    assert "\n" not in str(error.value)


ALL = Instead(
    unvalidated="validation=0", protocols={"protocol=utterance": "utterance", "protocol=block": "block"}
)


def spoken(speakers, classes=2, repeats=6, digests=()):
    """`repeats` utterances of every class by every speaker, a block of one image each."""
    images = crossed_images(speakers, classes, repeats)
    rows = slice(None, None, 3)
    own = {name: getattr(images, name)[rows] for name in ("label", "block", "speaker", "session")}
    images = replace(images, **own)
    images.utterance, images.digests = np.arange(len(images.label)), digests
    return images


@pytest.mark.parametrize("validation", [0.0, 0.1])
@pytest.mark.parametrize("folds", [2, 3, 5, 50])
@pytest.mark.parametrize("speakers", [1, 2, 3])
def test_what_an_error_advises_works(speakers, folds, validation):
    images = spoken(speakers)
    try:
        make_folds(images, protocol="speaker", folds=folds, validation=validation, instead=ALL)
    except InputError as error:
        advice = str(error).rpartition("; use ")[2]
    else:
        assert speakers >= max(folds, 3 if validation else 2)
        return
    assert [one.partition(",")[0] for one in advice.split(" or ")][-2:] == ["protocol=utterance", "protocol=block"]
    for one in advice.split(" or "):
        given = dict(pair.split("=") for pair in one.split(","))
        asked = {"protocol": "speaker", "folds": folds, "validation": validation} | given
        made = make_folds(
            images, protocol=asked["protocol"], folds=int(asked["folds"]), validation=float(asked["validation"])
        )
        assert made.train.any(1).all() and made.test.any(1).all()
    # Two speakers can be kept apart where nothing validates, one cannot.
    apart = {1: "protocol=", 2: "validation=0" if validation else "folds=2", 3: "folds="}
    assert advice.startswith(apart[speakers])


def doubled(images, *pairs):
    """The same images; the second utterance of each pair has the samples of the first."""
    digests = [f"{number:04x}" for number in range(len(images.label))]
    for one, other in pairs:
        digests[other] = digests[one]
    images.digests = tuple(digests)
    return images


@pytest.mark.parametrize("protocol", ["utterance", "block"])
@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_equal_recordings_are_in_one_part(protocol, validation):
    # Of one speaker, of two, one of them unlabelled, of two classes.
    pairs = [(0, 1), (2, 14), (3, 27), (4, 40), (5, 8)]
    images = doubled(spoken(4), *pairs)
    images.label[27] = -1
    asked = {"protocol": protocol, "folds": 3, "validation": validation}
    parted = set()
    for seed in range(5):
        found = make_folds(images, **asked, seed=seed)
        for one, other in pairs:
            split = found.part[:, one] != found.part[:, other]
            assert not split[found.part[:, other] != LEFT_OUT].any()
        images.digests = ()
        without = make_folds(images, **asked, seed=seed).part
        parted |= {pair for pair in pairs if (without[:, pair[0]] != without[:, pair[1]]).any()}
        doubled(images, *pairs)
    assert parted == set(pairs)  # which they are not by chance


def test_blocks_at_one_place_of_equal_recordings_are_in_one_part():
    images = crossed_images(4, 2, repeats=6)  # two utterances of three blocks to each speaker and class
    images.utterance = images.block // 3
    images.digests = tuple("aabcdefghijklmno")
    images.digests = images.digests[: images.utterance.max() + 1]
    found = make_folds(images, protocol="block", folds=3).part
    for block in range(3):
        assert (found[:, images.block == block] == found[:, images.block == block + 3]).all()
    assert any((found[:, images.block == block] != found[:, images.block == 0]).any() for block in (1, 2))


def test_speakers_of_equal_recordings_are_in_one_part():
    images = doubled(spoken(6), (0, 70), (20, 33))  # of the first and the last speaker, of the second and the third
    for folds, validation in ((2, 0.0), (4, 0.0), (3, 0.1)):
        for part in make_folds(images, protocol="speaker", folds=folds, validation=validation).part:
            for one, other in ((0, 5), (1, 2)):
                assert set(part[images.speaker == one]) == set(part[images.speaker == other])
    with pytest.raises(InputError, match="6 speakers in 4 separate units .* at least 5; use folds=4$"):
        make_folds(images, protocol="speaker", folds=5, validation=0)


def test_rated_speakers_of_equal_recordings_are_refused():
    made = replace(speech(8), utterance=np.arange(24), digests=tuple(f"{n % 23}" for n in range(24)))
    rated = np.ones(24, bool)
    with pytest.raises(InputError, match="speakers p0 and p7 have a recording of the same samples"):
        pair_folds(made, rated, folds=3, seed=0)
    rated[23] = False
    check(made, rated, pair_folds(made, rated, folds=3, seed=0))
    made = replace(made, digests=tuple(f"{max(n, 1)}" for n in range(24)))  # both of the first speaker
    check(made, rated, pair_folds(made, rated, folds=3, seed=0))


def speech(speakers, *, sex=None, session=None, of_each=3):
    """A set of `speakers` people, `of_each` utterances of each; session: of each speaker, None for no sessions."""
    speaker = np.repeat(np.arange(speakers, dtype=np.int32), of_each)
    sessions = ("",) if session is None else tuple(f"s{number}" for number in range(max(session) + 1))
    return replace(
        toy_speech.rated(),
        speaker=speaker,
        session=np.zeros_like(speaker) if session is None else np.asarray(session, np.int32)[speaker],
        sessions=sessions,
        label=np.zeros_like(speaker),
        speakers=tuple(f"p{number}" for number in range(speakers)),
        sex=tuple(sex or ("",) * speakers),
        utterance_ids=tuple(f"u{number}" for number in range(len(speaker))),
    )


def people(made, part, what):
    return set(made.speaker[part == what].tolist())


def check(made, rated, parts):
    """What holds for every deal."""
    for part in parts:
        sets = [people(made, part, what) for what in (TRAIN, VALIDATION, TEST)]
        assert all(sets) and not any(one & other for one, other in combinations(sets, 2))
        np.testing.assert_array_equal(part == LEFT_OUT, ~rated)
        if any(made.sessions):
            held = np.isin(part, (VALIDATION, TEST))
            assert not set(made.session[held]) & set(made.session[part == TRAIN])


def test_a_session_of_two_is_left_out_and_each_fold_has_another():
    made = toy_speech.rated()
    rated = np.ones(60, bool)
    parts = pair_folds(made, rated, folds=5, seed=0)
    check(made, rated, parts)
    assert parts.shape == (5, 60) and parts.dtype == np.int8
    for part in parts:
        (validates,), (tests,) = people(made, part, VALIDATION), people(made, part, TEST)
        assert validates // 2 == tests // 2  # the session's two
        assert (part == TRAIN).sum() == 48
    assert sorted(made.session[part == TEST][0] for part in parts) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(3))
def test_without_sessions_a_man_and_a_woman_share_a_fold_and_take_turns(seed):
    made = speech(10, sex=["male", "female", "male", "male", "female"] * 2)
    made = replace(made, sex=("male",) * 5 + ("female",) * 5)
    parts = pair_folds(made, np.ones(30, bool), folds=5, seed=seed)
    testers = [made.sex[person] for part in parts for person in people(made, part, TEST)]
    validators = [made.sex[person] for part in parts for person in people(made, part, VALIDATION)]
    assert all({one, other} == {"male", "female"} for one, other in zip(testers, validators, strict=True))
    assert 2 <= testers.count("male") <= 3


def test_seeds_deal_differently_and_the_same_seed_alike():
    made = speech(10)
    parts = [pair_folds(made, np.ones(30, bool), folds=5, seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(parts[0], parts[1])
    assert (parts[0] != parts[2]).any()


def test_nine_speakers_are_dealt_to_both_halves_evenly():
    made = speech(9, sex=["female"] * 5 + ["male"] * 4)
    for folds in (2, 3, 4):
        for part in pair_folds(made, np.ones(27, bool), folds=folds, seed=0):
            validates, tests = people(made, part, VALIDATION), people(made, part, TEST)
            assert abs(len(validates) - len(tests)) <= 1
            assert 9 // folds <= len(validates | tests) <= -(-9 // folds)


def test_every_fold_has_both_sexes_and_two_speakers_however_unlike_their_utterances_are():
    made = speech(7, sex=["female"] * 4 + ["male"] * 3, of_each=9)
    rated = (made.speaker < 4) | (np.arange(63) % 9 == 0)  # men are rated once
    for seed in range(4):
        for part in pair_folds(made, rated, folds=3, seed=seed):
            held = people(made, part, VALIDATION) | people(made, part, TEST)
            assert {made.sex[person] for person in held} == {"female", "male"}
    busy = speech(4, of_each=9)
    rated = (busy.speaker == 0) | (np.arange(36) % 9 == 0)
    check(busy, rated, pair_folds(busy, rated, folds=2, seed=0))


@given(st.data())
def test_any_table_of_speakers_and_sessions(data):
    folds = data.draw(st.integers(2, 4))
    units = data.draw(st.integers(folds, 9))
    size = data.draw(st.lists(st.integers(1, 3), min_size=units, max_size=units))
    session = np.repeat(np.arange(units), size)
    alone = size.count(1)
    assume(units - alone + alone // 2 >= folds)
    sex = data.draw(st.lists(st.sampled_from(["male", "female", ""]), min_size=len(session), max_size=len(session)))
    made = speech(len(session), sex=sex, session=session)
    rated = np.array(data.draw(st.lists(st.booleans(), min_size=len(made.speaker), max_size=len(made.speaker))))
    rated[::3] = True  # one of each speaker at least
    seed = data.draw(st.integers(0, 5))
    parts = pair_folds(made, rated, folds=folds, seed=seed)
    check(made, rated, parts)
    assert ((parts == TEST).sum(0) <= 1).all()
    assert (np.isin(parts, (VALIDATION, TEST)).sum(0) == rated).all()
    swapped = pair_folds(made, rated, folds=folds, seed=seed, swap=True)
    check(made, rated, swapped)
    np.testing.assert_array_equal(swapped[:folds], parts)
    np.testing.assert_array_equal((swapped == TEST).sum(0), rated)
    np.testing.assert_array_equal((swapped == VALIDATION).sum(0), rated)


def test_a_speaker_without_ratings_is_in_no_part():
    made = speech(7)
    rated = made.speaker != 6
    parts = pair_folds(made, rated, folds=3, seed=0)
    check(made, rated, parts)
    assert (parts[:, made.speaker == 6] == LEFT_OUT).all()


def test_too_few_speakers_name_the_folds_that_would_do():
    with pytest.raises(InputError, match=r"rated: 9 rated speakers, and folds=5 .* use folds=4$"):
        pair_folds(speech(9), np.ones(27, bool), folds=5, seed=0)
    with pytest.raises(InputError, match=r"8 rated speakers in 3 separate sessions, and folds=4 .* use folds=3$"):
        pair_folds(speech(8, session=[0, 0, 0, 1, 1, 1, 2, 2]), np.ones(24, bool), folds=4, seed=0)
    with pytest.raises(InputError, match="use a corpus of more speakers or sessions"):
        pair_folds(speech(3), np.ones(9, bool), folds=2, seed=0)


def test_what_cannot_be_split_is_said():
    made = speech(4)
    with pytest.raises(InputError, match="rated: no utterance is rated"):
        pair_folds(made, np.zeros(12, bool), folds=2, seed=0)
    with pytest.raises(InputError, match="folds=1"):
        pair_folds(made, np.ones(12, bool), folds=1, seed=0)
    nameless = replace(made, speakers=("p0", "p1", "", "p3"))
    with pytest.raises(InputError, match=r"3 rated utterances have no speaker \(the first is u6\)"):
        pair_folds(nameless, np.ones(12, bool), folds=2, seed=0)


def test_an_unrated_utterance_needs_no_speaker():
    made = replace(speech(5), speakers=("p0", "p1", "", "p3", "p4"))
    rated = made.speaker != 2
    check(made, rated, pair_folds(made, rated, folds=2, seed=0))
