"""Folds of rated speech: each holds out two speakers (or two groups of them), one validates, the other tests."""

from dataclasses import replace

import numpy as np

from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION, corpus_numbers, is_named, recordings_of, speaker_units
from sejax.errors import InputError


def pair_folds(spectrograms, rated: np.ndarray, *, folds: int, seed: int, swap: bool = False) -> np.ndarray:
    """Part of each utterance in each fold; no speaker in two parts, no session in training and beside it.

    Chang and Scherer (2017, section 5) leave out one session of two speakers at a time. Where a corpus has no sessions
    its speakers are dealt into groups, a man and a woman in each where they can be had, and a group's speakers are
    dealt to validation and test.

    Args:
      spectrograms: a prepared set: label, speaker, session i32[U], speakers, sessions, sex per speaker, corpus.
        Speakers who share a session (of two or more named ones) are held out together.
      rated: bool[U], the utterances with ratings.
      folds: F >= 2; every rated speaker is held out in exactly one fold.
      seed: of the deal: which speakers share a fold, and who of them tests.
      swap: append every fold with validation and test exchanged, so that each rated utterance tests once.

    Returns:
      i8[F, U], or [2 F, U] with `swap`: 0 training, 1 validation, 2 test, -1 unused. Utterances without ratings are -1
      in every fold, a training speaker's too: they can serve as unlabelled speech alone.

    Raises:
      InputError: nothing rated, a rated utterance without a speaker, or too few speakers or sessions for the folds.
    """
    rated = np.asarray(rated, bool)
    speaker = np.asarray(spectrograms.speaker)
    _check_rated(spectrograms, rated, folds)
    # Sessions count where rated utterances have several: only those are labelled here.
    seen = replace(spectrograms, label=np.where(rated, 0, -1).astype(np.int32))
    unit = speaker_units(seen)
    units = [np.unique(speaker[rated & (unit == number)]) for number in np.unique(unit[rated])]
    _check_pairs(spectrograms, units, folds)
    random = np.random.default_rng(seed)
    count = np.bincount(speaker[rated], minlength=len(spectrograms.speakers))
    part = np.where(rated, TRAIN, LEFT_OUT).astype(np.int8)[None].repeat(folds, 0)
    first, kinds = random.integers(2), _kinds(spectrograms)
    for fold, held in enumerate(_deal_units(units, folds, kinds, count, random)):
        people = np.concatenate(held)
        halves = _deal_units([people[i : i + 1] for i in range(len(people))], 2, kinds, count, random)
        # In turn, so that men do not test in all folds and women validate.
        tests, validates = (np.concatenate(halves[(fold + first + k) % 2]) for k in range(2))
        part[fold, rated & np.isin(speaker, validates)] = VALIDATION
        part[fold, rated & np.isin(speaker, tests)] = TEST
    if swap:
        exchanged = np.where(part == TEST, VALIDATION, np.where(part == VALIDATION, TEST, part))
        part = np.concatenate([part, exchanged.astype(np.int8)])
    return part


def _kinds(spectrograms) -> list[tuple[str, ...]]:
    """Each speaker's sex, and corpus where there are several."""
    if (origin := corpus_numbers(spectrograms)) is None:
        return [(sex,) for sex in spectrograms.sex]
    corpora = dict(zip(np.asarray(spectrograms.speaker).tolist(), origin.tolist(), strict=True))
    return [(sex, f"corpus {corpora.get(person)}") for person, sex in enumerate(spectrograms.sex)]


def _deal_units(units, groups, kinds, count, random) -> list[list[np.ndarray]]:
    """Units (the speakers of each) dealt to groups of as many speakers as each other, of both sexes, of like size.

    The largest units first, then by sex: each goes to the group of the fewest speakers, of these to the one with the
    fewest of its sex (and corpus, `_kinds`), of these to the one with the fewest utterances.
    """
    order = random.permutation(len(units))
    order = sorted(order, key=lambda i: (-len(units[i]), sorted(kinds[person] for person in units[i])))
    dealt = [[] for _ in range(groups)]
    speakers, utterances = np.zeros(groups), np.zeros(groups)
    of_kind = {kind: np.zeros(groups) for own in kinds for kind in own}
    for index in order:
        alike = sum(of_kind[kind] for person in units[index] for kind in kinds[person])
        group = np.lexsort((utterances, alike, speakers))[0]  # the last key counts most
        dealt[group].append(units[index])
        speakers[group] += len(units[index])
        utterances[group] += count[units[index]].sum()
        for person in units[index]:
            for kind in kinds[person]:
                of_kind[kind][group] += 1
    return dealt


def _check_rated(spectrograms, rated, folds):
    """Folds of rated utterances whose speakers are known."""
    if folds < 2:
        raise InputError(f"folds={folds}: speakers are held out of at least 2 folds")
    if not rated.any():
        raise InputError(
            f"{spectrograms.corpus}: no utterance is rated, so there is nothing to split; use a corpus with ratings or "
            "with emotions to derive them from"
        )
    if (recording := recordings_of(spectrograms)) is not None:
        people = np.unique(np.stack([recording, np.asarray(spectrograms.speaker)])[:, rated], axis=1)
        twice = people[1, np.isin(people[0], people[0, 1:][people[0, 1:] == people[0, :-1]])]
        if len(twice):
            names = " and ".join(spectrograms.speakers[number] for number in twice[:2])
            raise InputError(
                f"{spectrograms.corpus}: speakers {names} have a recording of the same samples, and one may validate "
                "where the other tests: remove one of the two recordings, and prepare the set again"
            )
    nameless = np.flatnonzero(rated & ~is_named(spectrograms.speakers, np.asarray(spectrograms.speaker)))
    if len(nameless):
        raise InputError(
            f"{spectrograms.corpus}: {len(nameless)} rated utterances have no speaker (the first is "
            f"{spectrograms.utterance_ids[nameless[0]]}), and folds hold out speakers: add the speakers, or leave "
            "these utterances out"
        )


def _check_pairs(spectrograms, units, folds):
    """Every fold can have a unit, and two speakers."""
    speakers = sum(map(len, units))
    alone = sum(len(people) == 1 for people in units)
    most = len(units) - alone + alone // 2
    if most < folds:
        held = f"{speakers} rated speaker{'s' * (speakers != 1)}"
        held += f" in {len(units)} separate sessions" * (len(units) < speakers)
        remedy = f"folds={most}" if most > 1 else "a corpus of more speakers or sessions"
        raise InputError(
            f"{spectrograms.corpus}: {held}, and folds={folds} each hold out two speakers or more: use {remedy}"
        )
