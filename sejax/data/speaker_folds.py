"""Speakers dealt out over folds: no speaker (session) in two parts, folds as alike as the speakers allow."""

import itertools
import math

import numpy as np

from sejax.errors import InputError

SEXES = ("male", "female")
SEX_WEIGHT = 4.0  # against 1 for the number of images and 1 for all classes together
DEALS = 4000  # speakers dealt in search of the most even folds, over all attempts
CHOICES = 3000  # sets of validation speakers looked at for a fold


def speaker_units(images) -> np.ndarray:
    """The indivisible unit of each image, i32[I] from 0: its speaker, or what its speaker's sessions link.

    Sessions count where labelled images have two or more different, named ones. A speaker of two sessions joins
    them, so that neither a speaker nor a session is ever in two units. Images whose speaker is unknown (only
    unlabelled ones may be) belong to their session, else each to itself.

    Raises InputError for a labelled image without a speaker.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    speaker, session = np.asarray(images.speaker), np.asarray(images.session)
    labelled = np.asarray(images.label) >= 0
    known = _named(images.speakers, speaker)
    nameless = np.flatnonzero(~known & labelled)
    if len(nameless):
        raise InputError(
            f"{images.corpus}: {len(nameless)} labelled images have no speaker (the first is image "
            f"{nameless[0]}), and protocol=speaker needs each one's: add the speakers, or use protocol=block"
        )
    met = _named(images.sessions, session)
    met &= len(np.unique(session[met & labelled])) > 1
    people, number = len(images.speakers), len(speaker)
    nodes = people + len(images.sessions) + number  # speakers, sessions, and images that have neither
    own = nodes - number + np.arange(number)
    node = np.where(known, speaker, np.where(met, people + session, own))
    ends = (speaker[known & met], people + session[known & met])
    links = coo_matrix((np.ones(len(ends[0])), ends), shape=(nodes, nodes))
    unit = connected_components(links, directed=False)[1][node]
    return np.unique(unit, return_inverse=True)[1]


def _named(names, index):
    """bool[I]: has a name that is not empty."""
    named = np.array([*map(bool, names), False])  # the last for an index of -1
    return named[index]


def speaker_parts(images, unit, *, folds: int, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which units test and which validate, two bool[F, units]; those without a labelled image do neither.

    Raises InputError when the units are too few, or a class cannot be trained in some fold.
    """
    units, counts, sexes = _census(images, unit)
    _check_number(images, len(units), folds=folds, validation=validation)
    random = np.random.default_rng(seed)
    fold = _deal(counts, sexes, folds=folds, random=random)
    tests = np.zeros((folds, unit.max() + 1), bool)
    validates = np.zeros_like(tests)
    validated = np.zeros(len(units), int)
    for f in range(folds):
        _check_training(images, counts, fold != f, fold=f)
        tests[f, units[fold == f]] = True
        if validation:
            chosen = _choose_validation(images, counts, sexes, fold, f, validated, validation, random)
            validates[f, units[chosen]] = True
            validated[chosen] += 1
    return tests, validates


def _census(images, unit):
    """The G units with labelled images, their images of each class [G, C], their speakers by sex [G, 2]."""
    label, speaker = np.asarray(images.label), np.asarray(images.speaker)
    labelled = label >= 0
    units = np.unique(unit[labelled])
    row = np.full(unit.max() + 1, -1)
    row[units] = np.arange(len(units))
    counts = np.zeros((len(units), len(images.classes)))
    np.add.at(counts, (row[unit[labelled]], label[labelled]), 1)
    sexes = np.zeros((len(units), len(SEXES)))
    for person, where in zip(*np.unique(speaker[labelled], return_index=True), strict=True):
        if images.sex[person] in SEXES:
            sexes[row[unit[labelled][where]], SEXES.index(images.sex[person])] += 1
    return units, counts, sexes


def _check_number(images, number, *, folds, validation):
    """Every fold needs a unit that tests, one that trains, and one that validates if any should."""
    needed = max(folds, 3 if validation else 2)
    if number < needed:
        speakers = len(np.unique(np.asarray(images.speaker)[np.asarray(images.label) >= 0]))
        held = f"{speakers} speakers" + (f" in {number} separate sessions" if number < speakers else "")
        raise InputError(
            f"{images.corpus}: {held}, but folds={folds} with validation={validation} under protocol=speaker "
            f"need at least {needed}; use fewer folds, validation=0, or protocol=block"
        )


def _check_training(images, counts, trains, *, fold, beside="the test part"):
    """Every class has an image among the units that train."""
    lacking = np.flatnonzero(counts[trains].sum(0) == 0)
    if len(lacking):
        holders = int((counts[:, lacking[0]] > 0).sum())
        raise InputError(
            f"{images.corpus}: class {images.classes[lacking[0]]!r} has no speaker left for the training part "
            f"of fold {fold} beside {beside} (it has {holders} in all, counting those who share a session as "
            f"one); use protocol=block, or leave the class out"
        )


def _deal(counts, sexes, *, folds, random):
    """Fold of each unit, i32[G]: dealt greedily in many random orders, the most even outcome kept."""
    number, classes = counts.shape
    size = counts.sum(1, keepdims=True)
    features = np.concatenate([counts, size, np.ones_like(size), sexes], 1)  # [G, K]
    weight = np.array([1 / classes] * classes + [1.0, 1.0] + [SEX_WEIGHT] * sexes.shape[1])
    features = features * folds / np.maximum(features.sum(0), 1e-9)  # 1 is a fold's fair share
    best, least = None, np.inf
    for _ in range(max(1, DEALS // number)):
        order = random.permutation(number)
        # The largest first: they are the hardest to even out later. The random order breaks near ties.
        order = order[np.argsort(-np.round(2 * size[order, 0] / size.mean()), kind="stable")]
        fold = np.empty(number, int)
        fill = np.zeros((folds, features.shape[1]))
        for unit in order:
            after = fill + features[unit]
            rise = (((after - 1) ** 2 - (fill - 1) ** 2) * weight).sum(1)  # [F]
            # A fold that holds all of a class leaves none of it to train on.
            rise += 1e3 * (after[:, :classes] > folds - 1e-6).any(1)
            fold[unit] = np.argmin(np.round(rise, 9))  # so that every machine breaks ties alike
            fill[fold[unit]] += features[unit]
        cost = ((fill - 1) ** 2 * weight).sum() + 1e3 * (fill[:, :classes] > folds - 1e-6).sum()
        if cost < least - 1e-9:
            best, least = fold, cost
    return best


def _choose_validation(images, counts, sexes, fold, f, validated, validation, random):
    """Units that validate in fold f.

    Every class must still train. Then, the most important first: as many men as women, every class validates,
    all speakers validate about equally often, classes keep their shares.
    """
    rest = np.flatnonzero(fold != f)
    number = max(1, math.floor(validation * len(rest) + 0.5))
    one_sex = (sexes[rest] > 0).sum(1) == 1
    if number == 1 and one_sex.all() and (sexes[rest].sum(0) > 0).all() and len(rest) > 2:
        number = 2
    number = min(number, len(rest) - 1)
    if math.comb(len(rest), number) <= CHOICES:
        sets = np.array(list(itertools.combinations(rest, number)))
    else:
        sets = np.array([random.permutation(rest)[:number] for _ in range(CHOICES)])
    sets = random.permutation(sets)  # [S, number]; of equals the first is chosen
    held = counts[sets].sum(1)  # [S, C]
    total = counts[rest].sum(0)
    trains_all = (held < total).all(1)
    if not trains_all.any():
        trains = np.isin(np.arange(len(counts)), rest) & ~np.isin(np.arange(len(counts)), sets[0])
        _check_training(images, counts, trains, fold=f, beside="the test and validation parts")
    share = number / len(rest)
    uneven = np.round(((held / total - share) ** 2).sum(1), 9)
    people = sexes[sets].sum(1)  # [S, 2]
    one_sided, absent = abs(people[:, 0] - people[:, 1]), (held == 0).sum(1)
    keys = (uneven, validated[sets].sum(1), absent, one_sided, ~trains_all)  # the last counts most
    return sets[np.lexsort(keys)[0]]
