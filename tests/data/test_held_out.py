"""What results.json says that each fold tests: equal for the same speech, another for anything else."""

from types import SimpleNamespace

import numpy as np

from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION
from sejax.data.held_out import held_out_parts

SPEAKERS, EACH = 4, 6  # utterances of two examples


def speech(order=None):
    """Four speakers with six utterances of two classes, an unlabelled one among them, in any order."""
    order = np.arange(SPEAKERS * EACH) if order is None else order
    label = np.where(order == 5, -1, order % 2)
    utterance = np.repeat(np.arange(len(order)), 2)
    return SimpleNamespace(
        utterance=utterance,
        label=label[utterance],
        utterance_label=label,
        speaker=(order // EACH)[utterance],
        speakers=tuple("abcd"),
        utterance_ids=tuple(f"u{number}" for number in order),
    )


def described(made, part, names=None, label=None, **options):
    names = names or [{"fold": fold, "seed": 0} for fold in range(len(part))]
    return held_out_parts(made, names, part, made.utterance, label or {"": made.utterance_label}, **options)


def parts(made):
    """Speaker f tests in fold f, the next one validates: i8[F, N]."""
    away = (made.speaker - np.arange(SPEAKERS)[:, None]) % SPEAKERS
    return np.select([away == 0, away == 1], [TEST, VALIDATION], TRAIN).astype(np.int8)


def test_a_fold_has_its_speakers_and_sizes():
    made = speech()
    first, second, *_ = described(made, parts(made))
    assert (first["fold"], first["speakers"], first["utterances"]) == (0, ["a"], 5)  # one is unlabelled
    assert first["examples"] == {"train": 24, "valid": 12, "test": 10}
    assert "seed" not in first and second["speakers"] == ["b"]
    assert len({first["digest"], second["digest"]}) == 2


def test_seeds_of_a_fold_are_one_entry_and_draws_are_one_each():
    made = speech()
    part = parts(made)[[0, 1, 0, 1]]
    names = [{"fold": row % 2, "seed": row // 2, "model": "m"} for row in range(4)]
    assert [entry["fold"] for entry in described(made, part, names)] == [0, 1]
    drawn = described(made, part[:2], [{"seed": 0}, {"seed": 1}])
    assert [(entry.get("fold"), entry["seed"]) for entry in drawn] == [(None, 0), (None, 1)]


def test_the_digest_is_of_what_is_tested_and_of_nothing_else():
    made, part = speech(), parts(speech())
    shuffled = speech(np.random.default_rng(0).permutation(SPEAKERS * EACH))
    digests = [entry["digest"] for entry in described(made, part)]
    assert [entry["digest"] for entry in described(shuffled, parts(shuffled))] == digests
    validated = np.where(part == VALIDATION, TRAIN, part)
    assert [entry["digest"] for entry in described(made, validated)] == digests
    relabelled = {"": np.where(made.utterance_label == 1, 0, made.utterance_label)}
    assert described(made, part, label=relabelled)[0]["digest"] != digests[0]


def test_half_an_utterance_is_not_the_whole_and_the_other_half_is_another():
    made = speech()
    half = np.tile([True, False], SPEAKERS * EACH)
    whole = parts(made)[:1]
    digests = [
        described(made, part)[0]["digest"]
        for part in (whole, np.where(half, whole, LEFT_OUT), np.where(half, LEFT_OUT, whole))
    ]
    assert len(set(digests)) == 3


def test_several_labels_and_a_training_set_of_its_own():
    made, other = speech(), speech()
    label = {"valence": made.utterance_label, "activation": np.full(SPEAKERS * EACH, 2)}  # rated where unlabelled
    (first,) = described(made, parts(made)[:1], label=label, trained_on=other)
    assert first["utterances"] == 6
    assert first["examples"] == {"train": 46, "valid": 12, "test": 12}


def test_a_fold_that_tests_nothing_is_empty():
    made = speech()
    (entry,) = described(made, np.full((1, len(made.label)), TRAIN, np.int8))
    assert (entry["speakers"], entry["utterances"], entry["examples"]["test"]) == ([], 0, 0)
