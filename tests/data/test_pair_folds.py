"""Folds that hold out two speakers: one validates, the other tests."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import toy_speech
from hypothesis import assume, given
from hypothesis import strategies as st

from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION, pair_folds
from sejax.errors import InputError


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
