"""Which images train, validate and test in each fold, under three protocols.

`speaker`: no speaker is in two parts of a fold. Where labelled images come from two or more named sessions
    (recordings in which speakers meet), no session is either. Speakers are dealt so that folds have about
    equal numbers of images of each class and of speakers of each sex.
`block`: speakers are mixed; the near-copies of one block (its images at several maximum frequencies) stay
    together. Blocks of one utterance may fall in different parts: that is this protocol.
`utterance`: speakers are mixed; the images of one utterance stay together.
`image`: images are split at random, near-copies too. This leaks speakers and near-copies into the test part
    (see `near_copies_in_training`); published figures of Venkateswaran et al. can be had in no other way.

Recordings of equal samples count as one, whatever their ids: in `speaker` they join their speakers, in `utterance` and
`block` they stay together; `image` takes no notice.

Of several corpora as one (`sejax.data.store.joined`) folds have about equal numbers of speakers of each, or of units of
each class and corpus. `sejax.data.cross_folds` has the fold that tests all of one.

`utterance`, `block` and `image` are stratified by class. Every labelled image is in the test part of exactly one
fold, and a validation part is cut out of the rest. Unlabelled images only ever train (as a pool for pseudo-labels), and
in a fold in which their speaker or block tests or validates they are left out.

`sejax.data.pair_folds` has the folds of rated speech, which hold out two speakers, and `sejax.data.official_folds` the
protocol `split`, a corpus's own division.
"""

import contextlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sejax.errors import InputError

TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, -1
PROTOCOLS = ("speaker", "utterance", "block", "image")

SEXES = ("male", "female")
KIND_WEIGHT = 4.0  # of a sex or corpus, against 1 for the number of images and 1 for all classes together
DEALS = 4000  # speakers dealt in search of the most even folds, over all attempts
TRIED = 30  # other numbers of folds that are tried for an advice
CHOICES = 3000  # sets of validation speakers looked at for a fold


class TooFew(InputError):
    """Speakers, recordings of a class, or what else folds are made of, are too few for those that were asked for."""


@dataclass(frozen=True)
class Instead:
    """What a config can ask for in the place of folds that cannot be had, as its user writes it.

    Attributes:
      folds: whether it says how many there are.
      unvalidated: what does without a validation part, such as "validation=0"; "": nothing does.
      protocols: other protocols: {what is written: protocol}.
      others: what works whatever the speakers are.
    """

    folds: bool = True
    unvalidated: str = ""
    protocols: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folds:
    """part i8[F, I]: 0 training, 1 validation, 2 test, -1 left out; protocol: how images were split; names: of folds
    that the corpus has itself, see `sejax.data.official_folds`.
    """

    part: np.ndarray
    protocol: str
    names: tuple[str, ...] = ()

    @property
    def train(self) -> np.ndarray:
        """bool[F, I], labelled and unlabelled training images."""
        return self.part == TRAIN

    @property
    def validation(self) -> np.ndarray:
        """bool[F, I]."""
        return self.part == VALIDATION

    @property
    def test(self) -> np.ndarray:
        """bool[F, I]; each labelled image in exactly one fold, unless the folds are the corpus's own."""
        return self.part == TEST


def make_folds(
    images,
    *,
    protocol: str = "speaker",
    folds: int = 5,
    validation: float = 0.1,
    seed: int = 0,
    instead: Instead | None = None,
) -> Folds:
    """Split images into training, validation and test parts, `folds` times.

    Args:
      images: a prepared set, or what else has these of a `sejax.data.store.sets.ExampleSet`: label, block, speaker and
        session i32[I]; utterance i32[I] for the protocol of that name; classes, speakers, sessions, sex, of which
        names may be "" where unknown; corpus, the name that errors give; digests, where there are any.
      protocol: "speaker", "utterance", "block" or "image", see the module.
      folds: number of folds F >= 2.
      validation: share of what does not test that validates: of each class in all others than `speaker` (at
        least one), of the speakers (sessions) in `speaker` (at least one; two, a man and a woman, where they can be
        had); 0 for no validation part.
      seed: of the random choices; the same seed gives the same folds on every machine. Few speakers have one
        most even deal, which every seed then finds.
      instead: what errors may advise; each is tried before it is named. None: another number of folds alone.

    Raises:
      InputError: an argument out of range; no labelled image, or one class alone.
      TooFew: images without speakers, fewer speakers or sessions than folds, or a class that some fold cannot train
        (`speaker`); a class with fewer blocks or images than folds.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol={protocol!r} is unknown; the protocols are {', '.join(PROTOCOLS)}")
    if folds < 2:
        raise InputError(f"folds={folds}: a split into training and test parts needs at least 2 folds")
    if not 0 <= validation < 1:
        raise InputError(f"validation={validation}: give a share of the training images, from 0 to below 1")
    label = np.asarray(images.label)
    if not (label >= 0).any():
        raise InputError(f"{images.corpus}: there is no labelled image to split; check the labels")
    missing = np.setdiff1d(np.arange(len(images.classes)), label)
    if len(missing):
        raise InputError(
            f"{images.corpus}: class {images.classes[missing[0]]!r} has no image; check the labels, or "
            f"whether voice activity detection left anything of them"
        )
    if len(images.classes) < 2:
        raise InputError(
            f"{images.corpus}: {images.classes[0]!r} is the only class, and a classifier tells at least two apart; "
            "give a corpus, or classes, with more"
        )
    asked = {"protocol": protocol, "folds": folds, "validation": validation}
    try:
        return Folds(parts(images, seed=seed, **asked), protocol)
    except TooFew as error:
        known = instead or Instead()
        advice = [*_what_works(images, asked, known, seed), *known.others]
        advised = " or ".join(advice) or "a corpus with more speakers, and more recordings of each class"
        raise TooFew(f"{error}; use {advised}") from None


def parts(images, *, protocol: str, folds: int, validation: float, seed: int) -> np.ndarray:
    """Part of each image i8[F, I], as `make_folds` makes it of arguments that it has checked. Raises TooFew."""
    label = np.asarray(images.label)
    unit = units_of(images, protocol)
    deal = speaker_parts if protocol == "speaker" else stratified_parts
    tests, validates = deal(images, unit, folds=folds, validation=validation, seed=seed)
    part = np.where(tests, TEST, np.where(validates, VALIDATION, TRAIN)).astype(np.int8)[:, unit]
    part[:, label < 0] = np.where(part[:, label < 0] == TRAIN, TRAIN, LEFT_OUT)
    return part


def units_of(images, protocol: str) -> np.ndarray:
    """What a protocol never splits: the number of each image's unit, i32[I] from 0. Raises TooFew."""
    if protocol == "speaker":
        return speaker_units(images)
    unit = np.arange(len(images.label)) if protocol == "image" else np.asarray(getattr(images, protocol))
    unit = np.unique(unit, return_inverse=True)[1]
    if protocol == "image" or (recording := recordings_of(images)) is None:
        return unit
    recording = _blocks_of(images, recording) if protocol == "block" else recording
    return _linked(unit, unit, len(unit) + recording)


def corpus_numbers(images) -> np.ndarray | None:
    """The number of each image's corpus i32[I], None where all are of one."""
    origin = getattr(images, "origin", None)
    return None if origin is None else np.asarray(origin)[np.asarray(images.utterance)]


def _what_works(images, asked, instead: Instead, seed: int) -> list[str]:
    """What can be asked for instead, tried: other folds, then no validation part, then other protocols."""
    folds = asked["folds"]
    fewer = range(min(folds - 3, len(images.speakers)), 1, -1)
    others = (folds - 1, folds - 2, *fewer[:TRIED], 10, 5, 3, 2, folds + 1, folds + 2)
    numbers = [folds, *(n for n in others if 2 <= n <= folds + 2 and n != folds)] if instead.folds else [folds]

    def first(text: str, **changed) -> list[str]:
        for number in numbers:
            said = ",".join(filter(None, (text, f"folds={number}" * (number != folds))))
            with contextlib.suppress(TooFew):
                parts(images, seed=seed, **asked | changed | {"folds": number})
                return [said] if said else []
        return []

    found = first("")
    if asked["validation"] and instead.unvalidated and not found:
        found += first(instead.unvalidated, validation=0.0)
    for text, protocol in instead.protocols.items():
        if protocol != asked["protocol"]:
            found += first(text, protocol=protocol)
    return found


def recordings_of(images) -> np.ndarray | None:
    """Number of each image's recording i32[I], equal where the samples are; None where all differ, or none is known."""
    digests = getattr(images, "digests", ())
    if len(set(digests)) == len(digests):
        return None
    return np.unique(np.array(digests), return_inverse=True)[1][np.asarray(images.utterance)]


def _blocks_of(images, recording: np.ndarray) -> np.ndarray:
    """Number of each image's block i32[I], equal where recordings are and the place in them is."""
    block, utterance = np.asarray(images.block), np.asarray(images.utterance)
    first = np.full(utterance.max() + 1, block.max())
    np.minimum.at(first, utterance, block)
    return np.unique(np.stack([recording, block - first[utterance]]), axis=1, return_inverse=True)[1].reshape(-1)


def _linked(node: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Unit of each image's node i32[I], from 0: links between the nodes ``one`` and ``other`` make units."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = int(max(part.max() for part in (node, one, other) if len(part))) + 1
    links = coo_matrix((np.ones(len(one)), (one, other)), shape=(size, size))
    unit = connected_components(links, directed=False)[1][node]
    return np.unique(unit, return_inverse=True)[1]


def stratified_parts(images, unit, *, folds, validation, seed) -> tuple[np.ndarray, np.ndarray]:
    """Which units test and which validate, two bool[F, units]: each class's units dealt out at random.

    `unit` i32[I], from 0, names the block (or the image itself) of each image. Units without a labelled image
    do neither. Raises InputError for a class with too few units.
    """
    label = np.asarray(images.label)
    class_of_unit = _class_of_units(label, unit)
    corpus_of_unit = np.zeros(len(class_of_unit), int)
    if (origin := corpus_numbers(images)) is not None:
        corpus_of_unit[unit] = origin
    tests = np.zeros((folds, len(class_of_unit)), bool)
    validates = np.zeros_like(tests)
    random = np.random.default_rng(seed)
    dealt = 0  # the next class goes on where the last one ended, so that folds differ by one unit at most
    for number, name in enumerate(images.classes):
        members = random.permutation(np.flatnonzero(class_of_unit == number))
        members = members[np.argsort(corpus_of_unit[members], kind="stable")]  # each corpus's in turn
        if len(members) < folds:
            raise TooFew(
                f"{images.corpus}: class {name!r} has {len(members)} examples (utterances, blocks or images, "
                f"as the protocol says), fewer than folds={folds}"
            )
        fold = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
        for f in range(folds):
            tests[f, members[fold == f]] = True
            rest = random.permutation(members[fold != f])
            validates[f, rest[: _share(validation, len(rest), images, name, f)]] = True
    return tests, validates


def _class_of_units(label, unit):
    found = np.full(unit.max() + 1, -1)
    np.maximum.at(found, unit, label)
    return found


def validation_units(images, unit, *, protocol: str, validation: float, seed: int) -> np.ndarray:
    """Which units validate where none of these tests, bool[units], chosen as beside a test part.

    The arguments are those of `make_folds`; ``unit`` as `units_of` gives it. Raises TooFew.
    """
    random, validates = np.random.default_rng(seed), np.zeros(unit.max() + 1, bool)
    if protocol == "speaker":
        census = _census(images, unit)
        if len(census.units) < 2:
            raise TooFew(f"{images.corpus}: one speaker (or session), and training and validation need one each")
        nowhere = np.full(len(census.units), -1)
        chosen = _choose_validation(images, census, nowhere, 0, np.zeros(len(nowhere), int), validation, random)
        validates[census.units[chosen]] = True
        return validates
    class_of_unit = _class_of_units(np.asarray(images.label), unit)
    for number, name in enumerate(images.classes):
        members = random.permutation(np.flatnonzero(class_of_unit == number))
        validates[members[: _share(validation, len(members), images, name, 0)]] = True
    return validates


def _share(validation, number, images, name, fold):
    """How many of a class's `number` units that do not test validate: at least one, and one must train."""
    if validation == 0:
        return 0
    if number < 2:
        raise TooFew(
            f"{images.corpus}: class {name!r} has {number} example beside the test part of fold {fold}, and "
            f"training and validation need one each"
        )
    return min(max(1, math.floor(validation * number + 0.5)), number - 1)


def near_copies_in_training(part, block, *, labelled=None) -> np.ndarray:
    """Share of the test images that have a near-copy (an image of the same block) in the training part.

    The leak behind published figures: with three near-copies to a block and five folds of images split at
    random, no validation part, it is 1 - 0.2**2 = 0.96; under the protocols `speaker` and `block` it is 0.

    Args:
      part: i8[..., I], as in `Folds`.
      block: i32[I].
      labelled: bool[..., I], the training images whose labels are used; None: all.

    Returns:
      f64[...], NaN where nothing tests.
    """
    part = np.asarray(part)
    block = np.unique(np.asarray(block), return_inverse=True)[1]
    trains = part == TRAIN if labelled is None else (part == TRAIN) & np.asarray(labelled)
    shares = []
    for train, test in zip(trains.reshape(-1, len(block)), part.reshape(-1, len(block)) == TEST, strict=True):
        in_training = np.bincount(block[train], minlength=block.max() + 1) > 0
        shares.append(in_training[block[test]].mean() if test.any() else np.nan)
    return np.array(shares).reshape(part.shape[:-1])


def speaker_units(images) -> np.ndarray:
    """The indivisible unit of each image, i32[I] from 0: its speaker, or what its speaker's sessions link.

    Sessions count where labelled images have two or more different, named ones. A speaker of two sessions joins
    them, so that neither a speaker nor a session is ever in two units. Images whose speaker is unknown (only
    unlabelled ones may be) belong to their session, else each to itself. Recordings of equal samples join what they
    belong to.

    Raises TooFew for a labelled image without a speaker.
    """
    speaker, session = np.asarray(images.speaker), np.asarray(images.session)
    labelled = np.asarray(images.label) >= 0
    known = is_named(images.speakers, speaker)
    nameless = np.flatnonzero(~known & labelled)
    if len(nameless):
        raise TooFew(
            f"{images.corpus}: {len(nameless)} labelled images have no speaker (the first is image "
            f"{nameless[0]}), and protocol=speaker needs each one's"
        )
    met = is_named(images.sessions, session)
    met &= len(np.unique(session[met & labelled])) > 1
    people, number = len(images.speakers), len(speaker)
    nodes = people + len(images.sessions) + number  # speakers, sessions, and images that have neither
    own = nodes - number + np.arange(number)
    node = np.where(known, speaker, np.where(met, people + session, own))
    one, other = speaker[known & met], people + session[known & met]
    if (recording := recordings_of(images)) is not None:
        one, other = np.append(one, node), np.append(other, nodes + recording)
    return _linked(node, one, other)


def is_named(names, index):
    """bool[I]: has a name that is not empty."""
    named = np.array([*map(bool, names), False])  # the last for an index of -1
    return named[index]


def speaker_parts(images, unit, *, folds: int, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which units test and which validate, two bool[F, units]; those without a labelled image do neither.

    Raises InputError when the units are too few, or a class cannot be trained in some fold.
    """
    census = _census(images, unit)
    units, counts = census.units, census.counts
    _check_speakers(images, len(units), folds=folds, validation=validation)
    random = np.random.default_rng(seed)
    fold = _deal_speakers(counts, np.concatenate([census.sexes, census.corpora], 1), folds=folds, random=random)
    tests = np.zeros((folds, unit.max() + 1), bool)
    validates = np.zeros_like(tests)
    validated = np.zeros(len(units), int)
    for f in range(folds):
        _check_training(images, counts, fold != f, fold=f)
        tests[f, units[fold == f]] = True
        if validation:
            chosen = _choose_validation(images, census, fold, f, validated, validation, random)
            validates[f, units[chosen]] = True
            validated[chosen] += 1
    return tests, validates


class _Census(NamedTuple):
    """G units with labelled images: their numbers, images of each class [G, C], speakers by sex [G, 2] and by corpus
    [G, K], K = 0 where all are of one.
    """

    units: np.ndarray
    counts: np.ndarray
    sexes: np.ndarray
    corpora: np.ndarray


def _census(images, unit) -> _Census:
    label, speaker = np.asarray(images.label), np.asarray(images.speaker)
    labelled = label >= 0
    units = np.unique(unit[labelled])
    row = np.full(unit.max() + 1, -1)
    row[units] = np.arange(len(units))
    counts = np.zeros((len(units), len(images.classes)))
    np.add.at(counts, (row[unit[labelled]], label[labelled]), 1)
    sexes, origin = np.zeros((len(units), len(SEXES))), corpus_numbers(images)
    corpora = np.zeros((len(units), 0 if origin is None else origin.max() + 1))
    for person, where in zip(*np.unique(speaker[labelled], return_index=True), strict=True):
        group = row[unit[labelled][where]]
        if images.sex[person] in SEXES:
            sexes[group, SEXES.index(images.sex[person])] += 1
        if origin is not None:
            corpora[group, origin[labelled][where]] += 1
    return _Census(units, counts, sexes, corpora[:, corpora.any(0)])


def _check_speakers(images, number, *, folds, validation):
    """Every fold needs a unit that tests, one that trains, and one that validates if any should."""
    needed = max(folds, 3 if validation else 2)
    if number < needed:
        speakers = len(np.unique(np.asarray(images.speaker)[np.asarray(images.label) >= 0]))
        held = f"{speakers} speaker{'s' * (speakers != 1)}"
        held += f" in {number} separate units that share no session or recording" * (number < speakers)
        raise TooFew(
            f"{images.corpus}: {held}, but folds={folds} with validation={validation} under protocol=speaker "
            f"need at least {needed}"
        )


def _check_training(images, counts, trains, *, fold, beside="the test part"):
    """Every class has an image among the units that train."""
    lacking = np.flatnonzero(counts[trains].sum(0) == 0)
    if len(lacking):
        holders = int((counts[:, lacking[0]] > 0).sum())
        raise TooFew(
            f"{images.corpus}: class {images.classes[lacking[0]]!r} has no speaker left for the training part "
            f"of fold {fold} beside {beside} (it has {holders} in all, counting those who share a session as "
            f"one)"
        )


def _deal_speakers(counts, kinds, *, folds, random):
    """Fold of each unit, i32[G]: dealt greedily in many random orders, the most even outcome kept.

    ``kinds`` [G, K]: speakers of each sex, and of each corpus where there are several.
    """
    number, classes = counts.shape
    size = counts.sum(1, keepdims=True)
    features = np.concatenate([counts, size, np.ones_like(size), kinds], 1)  # [G, K]
    weight = np.array([1 / classes] * classes + [1.0, 1.0] + [KIND_WEIGHT] * kinds.shape[1])
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


def _choose_validation(images, census, fold, f, validated, validation, random):
    """Units that validate in fold f.

    Every class must still train. Then, the most important first: each of several corpora validates, as many men as
    women, every class validates, all speakers validate about equally often, classes keep their shares.
    """
    _, counts, sexes, corpora = census
    rest = np.flatnonzero(fold != f)
    if len(rest) < 2:
        raise TooFew(
            f"{images.corpus}: beside the test part of fold {f} one speaker (or session) is left, and training and "
            "validation need one each"
        )
    number = max(1, math.floor(validation * len(rest) + 0.5))
    one_sex = (sexes[rest] > 0).sum(1) == 1
    if number == 1 and one_sex.all() and (sexes[rest].sum(0) > 0).all() and len(rest) > 2:
        number = 2
    number = min(max(number, corpora.shape[1]), len(rest) - 1)
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
    unheard = (corpora[sets].sum(1) == 0).sum(1)
    keys = (uneven, validated[sets].sum(1), absent, one_sided, unheard, ~trains_all)  # the last counts most
    return sets[np.lexsort(keys)[0]]
