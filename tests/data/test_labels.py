"""Labels: emotions that corpora share, which labels are used, and how much each class weighs."""

import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
import tones

from sejax.corpora import PUBLISHED
from sejax.data.labels import FOUR, SPELLINGS, balanced_weights, choose_classes, class_labels, labelled_subset, relabel
from sejax.errors import InputError


@pytest.fixture
def corpus():
    """240 images of 80 blocks in four unequal classes, the last 20 blocks unlabelled; 3/4 of them train."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.concatenate([rng.choice(4, 60, p=[0.5, 0.3, 0.15, 0.05]), np.full(20, -1)]), 3)
    block = np.repeat(rng.permutation(80), 3)
    return label, np.repeat(rng.random(80) < 0.75, 3), block


@pytest.mark.parametrize("fraction", [0.2, 0.3, 0.5, 1.0])
def test_each_class_keeps_its_fraction_of_the_training_part(corpus, fraction):
    label, train, _ = corpus
    drawn = labelled_subset(label, train, fraction=fraction, seed=0)
    assert drawn.dtype == bool and not (drawn & ~train).any() and not (drawn & (label < 0)).any()
    for number in range(4):
        members = (train & (label == number)).sum()
        assert abs((drawn & (label == number)).sum() - fraction * members) <= 0.5
    if fraction == 1:
        np.testing.assert_array_equal(drawn, train & (label >= 0))


def test_near_copies_are_drawn_together_by_block_and_apart_by_image(corpus):
    label, train, block = corpus
    by_block = labelled_subset(label, train, fraction=0.3, seed=0, unit=block).reshape(-1, 3)
    assert (by_block.all(1) == by_block.any(1)).all()
    for number in range(4):
        members = (train & (label == number)).reshape(-1, 3)[:, 0]
        assert abs((by_block[:, 0] & members).sum() - max(1, 0.3 * members.sum())) <= 0.5
    by_image = labelled_subset(label, train, fraction=0.3, seed=0).reshape(-1, 3)
    assert (by_image.all(1) != by_image.any(1)).any()


def test_a_class_keeps_at_least_one_label():
    label = np.array([0] * 20 + [1] * 2)
    drawn = labelled_subset(label, np.ones(22, bool), fraction=0.05, seed=3)
    assert np.bincount(label[drawn]).tolist() == [1, 1]


def test_smaller_fractions_lie_inside_larger_ones_and_seeds_differ(corpus):
    label, train, block = corpus
    for unit in (None, block):
        sets = [labelled_subset(label, train, fraction=f, seed=5, unit=unit) for f in (0.1, 0.2, 0.3, 0.9)]
        assert all((small <= large).all() for small, large in zip(sets, sets[1:], strict=False))
        other = labelled_subset(label, train, fraction=0.3, seed=6, unit=unit)
        fold = labelled_subset(label, train, fraction=0.3, seed=(5, 1), unit=unit)
        assert (other != sets[2]).any() and (fold != sets[2]).any() and (fold != other).any()


def test_every_image_of_a_class_is_drawn_equally_often():
    label = np.repeat([0, 1], [12, 6])
    draws = np.mean([labelled_subset(label, np.ones(18, bool), fraction=0.5, seed=seed) for seed in range(2000)], 0)
    np.testing.assert_allclose(draws, 0.5, atol=5 * 0.5 / np.sqrt(2000))


def test_the_subset_is_equal_in_a_fresh_process():
    code = (
        "import numpy as np; from sejax.data.labels import labelled_subset;"
        "print(*labelled_subset(np.arange(60) % 3, np.arange(60) % 4 > 0, fraction=.4, seed=(1, 2)) * 1)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = labelled_subset(np.arange(60) % 3, np.arange(60) % 4 > 0, fraction=0.4, seed=(1, 2))
    assert [int(word) for word in run.stdout.split()] == here.astype(int).tolist()


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.5, float("nan")])
def test_a_fraction_out_of_range_is_an_error(fraction):
    with pytest.raises(InputError, match="labelled="):
        labelled_subset(np.zeros(3, int), np.ones(3, bool), fraction=fraction, seed=0)


def test_class_weights_equal_scikit_learns():
    reference = pytest.importorskip("sklearn.utils.class_weight", reason="scikit-learn is the reference here")
    for seed in range(5):
        rng = np.random.default_rng(seed)
        label = rng.choice([0, 1, 2, 4, 5], 300, p=[0.4, 0.3, 0.2, 0.05, 0.05])  # class 3 never occurs
        active = rng.random(300) < 0.5
        label[::50] = -1
        weights = jax.jit(balanced_weights, static_argnums=2)(label, active, 6)
        counted = label[active & (label >= 0)]
        present = np.unique(counted)
        expected = reference.compute_class_weight("balanced", classes=present, y=counted)
        np.testing.assert_allclose(np.asarray(weights)[present], expected, rtol=1e-6)
        assert (np.delete(np.asarray(weights), present) == 0).all()
        np.testing.assert_allclose(np.asarray(weights)[counted].sum(), len(counted), rtol=1e-5)


def test_class_weights_of_members_and_of_nothing():
    label, active = np.array([0, 0, 1]), np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0]], bool)
    weights = jax.vmap(lambda rows: balanced_weights(label, rows, 2))(active)
    np.testing.assert_allclose(weights, [[0.75, 1.5], [1.0, 1.0], [0.0, 0.0]])


CORPORA = {
    "emodb": (PUBLISHED["emodb"].classes, (("anger",), ("joy",), ("neutral",), ("sadness",))),
    "iemocap": (
        ("anger", "happiness", "excitement", "sadness", "frustration", "neutral"),
        (("anger",), ("happiness", "excitement"), ("neutral",), ("sadness",)),
    ),
    "codes": (("ang", "hap", "exc", "neu", "sad", "fru", "xxx"), (("ang",), ("hap", "exc"), ("neu",), ("sad",))),
    "capitals": (("ANGRY", "Excited", "fear", "Neutral", "Sad"), (("ANGRY",), ("Excited",), ("Neutral",), ("Sad",))),
}


@pytest.mark.parametrize("name", CORPORA)
def test_every_spelling_finds_its_class_and_other_labels_none(name):
    labels, own = CORPORA[name]
    assert class_labels(("four",), labels, corpus=name) == dict(zip(FOUR, own, strict=True))


def test_no_spelling_stands_for_two_classes():
    spellings = [spelling for words in SPELLINGS.values() for spelling in words]
    assert len(set(spellings)) == len(spellings)
    assert tuple(SPELLINGS) == FOUR


def test_several_labels_become_one_class_and_the_others_are_unlabelled():
    data = replace(
        tones.spectrograms(),
        classes=("excitement", "fear", "happiness"),
        label=np.array([0, 1, 2, -1], np.int32),
        utterance_label=np.array([2, -1, 1], np.int32),
    )
    new = relabel(data, {"happiness": "happy", "excitement": "happy"}, ("happy",))
    assert new.classes == ("happy",)
    np.testing.assert_array_equal(new.label, [0, -1, 0, -1])
    np.testing.assert_array_equal(new.utterance_label, [0, -1, -1])
    assert new.label.dtype == new.utterance_label.dtype == np.int32
    assert new.spectrogram is data.spectrogram


def test_the_classes_keep_the_order_asked_for():
    data = replace(tones.spectrograms(), classes=("sadness", "anger", "joy", "neutral"), label=np.arange(4))
    np.testing.assert_array_equal(choose_classes(data, ("four",)).label, [3, 0, 1, 2])


def test_a_class_without_a_label_is_named_with_the_labels_there_are():
    data = replace(tones.spectrograms(), corpus="loud", classes=("anger", "joy", "neutral"))
    with pytest.raises(InputError, match=r"loud: no label for class sad \(its labels are anger, joy, neutral\)"):
        relabel(data, {"anger": "angry", "joy": "happy", "neutral": "neutral"}, FOUR)


def test_a_label_mapped_to_something_that_is_no_class_is_named():
    with pytest.raises(InputError, match="glad is none of angry"):
        relabel(tones.spectrograms(), {"anger": "angry", "boredom": "glad"}, FOUR)
