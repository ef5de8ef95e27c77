"""Paired differences of runs, and of a run's variants, over the folds that both were tested on.

docs/comparing.md says how pairs are chosen, what makes two runs comparable, and which interval and test stand beside
their difference.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from sejax.core.results import REPEATS, is_finite
from sejax.errors import InputError
from sejax.report import Report, Results
from sejax.report.folds import (
    by_fold,
    count_of_folds,
    drawn_anew,
    metric_name,
    metrics_of,
    tested,
    variant_name,
    written_as,
)
from sejax.report.inference import RESAMPLES, SEED, Inference, bootstrap_interval, holm, infer, least_p
from sejax.report.run import Variant, arranged, by_member, differences, score
from sejax.report.score_tables import written
from sejax.report.tables import Strong, Table, number, signed
from sejax.report.terms import MISSING, corpora, joined, members_text, protocol_notes, run_name, setting

FEW = 4  # things of which all pairs are compared
LEVEL = 0.05
SAME = ("corpus", "test_corpus", "protocol", "unit", "level", "classes", "ratings")  # of two that are paired
OF_EARLIER = {"level": "none", "trim": "none", "unit": "block"}  # what those meant that lack the field
# What folds were made of, where results.json does not say what they test.
SPLIT = ("seed", "folds", "validation", "development", "images", "voice_activity", "trim")
SIZES = ("utterances", "speakers", "test_images", "parts")


class Item(NamedTuple):
    """One of the things that are compared: a variant of a run, or a run that is one thing; `label` names it."""

    run: Results
    variant: Variant
    label: str


class Pair(NamedTuple):
    """Two of them: the difference is `first` minus `base`."""

    first: Item
    base: Item

    @property
    def label(self):
        """`mel − log`."""
        return f"{self.first.label} − {self.base.label}"


@dataclass(frozen=True)
class Difference:
    """A pair by one metric.

    Attributes:
      pair, metric: as `test/uar`.
      folds: {(fold, seed or None): difference of the means over the seeds that both have}.
      ratio: of the test part to the training part.
      inference: what the folds' differences say. adjusted: its p after Holm's correction; None without one.
    """

    pair: Pair
    metric: str
    folds: Mapping[tuple, float]
    ratio: float
    inference: Inference
    adjusted: float | None = None


@dataclass(frozen=True)
class Comparison:
    """All differences of some runs of one experiment, and why others were not paired (a line each)."""

    differences: tuple[Difference, ...] = ()
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def metrics(self):
        """The metrics that differences are of, in order."""
        return tuple(dict.fromkeys(difference.metric for difference in self.differences))


def items_of(runs: Sequence[Results], report: Report) -> list[Item]:
    """The variants of runs of one experiment, in the order of the runs; several runs of one name by their place."""
    names = [run_name(run, place) for place, run in enumerate(runs, 1)]
    names = [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, 1)]
    items = []
    for name, run in zip(names, runs, strict=True):
        for variant in arranged(run, report):
            words = variant_name(variant, report)
            parts = [name] * (len(runs) > 1 or not words) + [words] * bool(words)
            items.append(Item(run, variant, ": ".join(parts)))
    return items


def pairs_of(items: Sequence[Item], report: Report, baseline: str | None = None) -> list[Pair]:
    """Which pairs are compared.

    With a baseline: every other run's variant against that run's variant of the same name; or, where it names a
    variant, each variant of a run against that one. Without: all pairs where there are up to `FEW` items, otherwise
    each against the first run (of one run: the first variant). Variants of different names are only paired within a
    run: what differs is then one thing.

    Raises InputError for a baseline that is neither a run nor a variant.
    """
    several = {id(item.run) for item in items if sum(other.run is item.run for other in items) > 1}

    def comparable(one: Item, other: Item) -> bool:
        single = id(one.run) not in several and id(other.run) not in several
        return one.run is other.run or one.variant.name == other.variant.name or single

    if baseline is None and len(items) <= FEW:
        found = [Pair(first, base) for base, first in combinations(items, 2)]
    else:
        bases = _bases(items, report, baseline)
        within = baseline is not None and not all(_is_run(base, baseline) for base in bases)
        found = [
            Pair(item, base)
            for base in bases
            for item in items
            if not any(item is other for other in bases) and (item.run is base.run or not within)
        ]
    return [pair for pair in found if comparable(*pair)]


def _bases(items, report, baseline):
    if baseline is None:
        first = items[0].run
        own = [item for item in items if item.run is first]
        return own[:1] if all(item.run is first for item in items) else own
    found = [item for item in items if _is_run(item, baseline)]
    if found and any(item.run is not found[0].run for item in items):
        return found
    named = [item for item in items if baseline in (item.label, variant_name(item.variant, report))]
    if not named:
        runs = dict.fromkeys(str(item.run.get("run")) for item in items)
        known = dict.fromkeys([*(runs if len(runs) > 1 else ()), *(item.label for item in items)])
        raise InputError(f"--baseline={baseline} is not among what is compared: give one of {', '.join(known)}")
    return named


def _is_run(item, baseline):
    return item.run.get("run") is not None and Path(baseline).name == str(item.run["run"])


def obstacle(first: Results, base: Results) -> str:
    """Why two runs cannot be paired: the first field that differs, with both values; "" where they can."""
    if first is base:
        return ""
    for field in SAME:
        ours, theirs = (setting(run, field, OF_EARLIER.get(field)) for run in (first, base))
        if ours != theirs:
            return f"{field} differs ({_shown(ours)}; {_shown(theirs)})"
    both = says_what_it_tests(first) and says_what_it_tests(base)
    return (_other_folds if both else _other_split)(first, base)


def says_what_it_tests(results: Results) -> bool:
    """Whether results.json says what each fold tests."""
    return bool(tested(results))


def _other_folds(first, base):
    ours, theirs = tested(first), tested(base)
    if drawn_anew(first) != drawn_anew(base):
        return "folds differ (in one of them each seed tests other speech)"
    shared = [place for place in ours if place in theirs]
    if not shared:
        return "folds differ (none in common)"
    for place in shared:
        one, other = ours[place], theirs[place]
        name = _place(place)
        if one["speakers"] != other["speakers"]:
            return f"folds differ ({name} tests speakers {_shown(one['speakers'])}; {_shown(other['speakers'])})"
        if one["digest"] != other["digest"]:
            sizes = f"{one['utterances']}; {other['utterances']}"
            return f"folds differ ({name} tests other utterances, parts of them or labels; utterances: {sizes})"
    return ""


def _place(place):
    return ", ".join(f"{field} {value}" for field, value in zip(REPEATS, place, strict=True) if value is not None)


def _other_split(first, base):
    for field in SPLIT:
        ours, theirs = (run["config"].get(field, OF_EARLIER.get(field)) for run in (first, base))
        if ours != theirs:
            return f"{field}, which folds depend on, differs ({_shown(ours)}; {_shown(theirs)})"
    for field in SIZES:
        ours, theirs = ((run.get("data") or {}).get(field) for run in (first, base))
        if ours is not None and theirs is not None and ours != theirs:
            return f"{field} differs ({_shown(ours)}; {_shown(theirs)})"
    return ""


def _shown(value, most=60):
    text = joined(value) if not isinstance(value, Mapping) else ", ".join(f"{k} {joined(v)}" for k, v in value.items())
    return text if len(text) <= most else f"{text[: most - 3]}..."


def compared(runs: Sequence[Results], report: Report, *, baseline: str | None = None) -> Comparison:
    """The paired differences of runs of one experiment, each with its field "run", in the order of the runs.

    Holm's correction is over the pairs, each metric by itself.

    Raises:
      InputError: an unknown baseline.
      ImportError: scipy is missing; it says the extra.
    """
    found: list[Difference] = []
    refused, notes = [], {}
    for pair in pairs_of(items_of(runs, report), report, baseline):
        why = obstacle(pair.first.run, pair.base.run)
        metrics = [] if why else metrics_of([pair.first.variant, pair.base.variant], report)
        if not metrics:
            refused.append(f"{pair.label}: not paired, {why or 'no score on the test part in common'}.")
            continue
        made = [_difference(pair, metric) for metric in metrics]
        made = [difference for difference in made if difference]
        if not made:
            refused.append(f"{pair.label}: not paired, no fold and seed in common.")
            continue
        found += made
        notes |= dict.fromkeys(_about(pair, made[0]))
    adjusted: list[Difference] = list(found)
    for metric in dict.fromkeys(difference.metric for difference in found):
        places = [
            place
            for place, difference in enumerate(found)
            if difference.metric == metric and difference.inference.p is not None
        ]
        for place, p in zip(places, holm([found[place].inference.p for place in places]), strict=True):
            adjusted[place] = replace(found[place], adjusted=p)
    return Comparison(tuple(adjusted), tuple(refused), (*notes, *_without(adjusted)))


def _without(found):
    """Which pairs have no interval, and why: a line for each reason."""
    reasons: dict[str, dict[str, None]] = {}
    for one in found:
        if one.inference.why:
            n = count_of_folds(one.pair.first.run, one.inference.n)
            reasons.setdefault(f"{one.inference.why} ({n})", {})[f"{one.pair.label}, {one.metric}"] = None
    for why, which in reasons.items():
        of = "all pairs" if len(which) == len(found) else "; ".join(which)
        yield f"No interval and no test of {of}: {why}."


def _difference(pair, metric):
    cells = differences(pair.first.variant, pair.base.variant, metric)
    if not cells:
        return None
    folds = by_fold(pair.first.run, cells)
    ratio = max(size_ratio(item.run, folds) for item in pair)
    return Difference(pair, metric, folds, ratio, infer(list(folds.values()), ratio))


def size_ratio(results: Results, places: Collection[tuple]) -> float:
    """Examples of a test part over those of its training part, mean over folds; 1 / (k - 1) of k folds if not told."""
    sizes = [entry["examples"] for place, entry in tested(results).items() if place in places]
    ratios = [size["test"] / size["train"] for size in sizes if size["train"]]
    if ratios:
        return sum(ratios) / len(ratios)
    folds = results["config"].get("folds")
    folds = folds if is_finite(folds) else 0
    return 1 / (max(folds, len({member.get("fold") for member in results["members"]}), 2) - 1)


def _about(pair, difference):
    """What a reader has to know of one pair."""
    for item in pair:
        failed = [member for member in item.variant.members if member.get("failed")]
        if failed:
            yield f"{item.label}: {members_text(item.variant.members)}; a fold's mean is over the seeds that both have."
    cells = [set(by_member(item.variant, difference.metric)) for item in pair]
    if cells[0] != cells[1]:
        yield (
            f"{pair.label}: {len(cells[0] & cells[1])} members in common, of {len(cells[0])} and {len(cells[1])}; the "
            "others are left out."
        )
    earlier = [item.run for item in pair if not says_what_it_tests(item.run)]
    if earlier and pair.first.run is not pair.base.run:
        yield (
            f"{pair.label}: the same folds by config and sizes alone; results.json of an earlier version does not say "
            "what each fold tests."
        )


def paired_table(comparison: Comparison, report: Report) -> Table | None:
    """One row for each pair and metric, with notes on protocol, n and test; None where nothing was paired."""
    if not comparison.differences:
        return None
    run = comparison.differences[0].pair.first.run
    shared = {difference.inference.n for difference in comparison.differences}
    rows = tuple(_row(difference, report, several=len(shared) > 1) for difference in comparison.differences)
    columns = ("difference", "metric", *["n"] * (len(shared) > 1), "mean ± sd", "above 0", "bootstrap 95 %")
    columns += ("corrected 95 %", "p", "p, Holm", "p, sign flips")
    return Table(_caption(comparison, run), columns, rows, _notes(comparison, report), stubs=2)


def _caption(comparison, run):
    n = sorted({difference.inference.n for difference in comparison.differences})
    over = count_of_folds(run, n[0]) if len(n) == 1 else f"{n[0]} to {count_of_folds(run, n[-1])}"
    where = f"{corpora(run, run['experiment'])}, protocol {setting(run, 'protocol', MISSING)}"
    return f"{where}: paired differences, mean ± sample standard deviation over {over}"


def _row(difference, report, *, several):
    found, metric = difference.inference, difference.metric
    scale, digits = written_as(metric, report)
    mean = signed(number(scale * found.mean, digits))
    cell = mean + (f" ± {number(scale * found.std, digits)}" if found.n > 1 else "")
    significant = difference.adjusted is not None and difference.adjusted < LEVEL
    above = sum(value > 0 for value in difference.folds.values())
    return (
        difference.pair.label,
        metric_name(difference.pair.first.run, report, metric),
        *[str(found.n)] * several,
        Strong(cell) if significant else cell,
        f"{above} of {found.n}",
        *(_ends(interval, scale, digits) for interval in (found.bootstrap, found.corrected)),
        *map(_p, (found.p, difference.adjusted, found.flips)),
    )


def _ends(interval, scale, digits):
    return "[" + ", ".join(signed(number(scale * end, digits)) for end in interval) + "]" if interval else MISSING


def _p(value):
    return MISSING if value is None else "< 0.001" if value < 0.001 else number(value)


def _notes(comparison, report):
    differences = comparison.differences
    inferred = [difference for difference in differences if difference.inference.p is not None]
    runs = list({id(item.run): item.run for difference in differences for item in difference.pair}.values())
    anew = drawn_anew(runs[0])
    unit = "draw" if anew else "fold"
    how = "each seed draws its own speech" if anew else "scores are averaged over the seeds of a fold first"
    notes = [f"n: {unit}s that both were tested on; {how}."]
    if inferred:
        pairs = len({difference.pair.label for difference in inferred})
        ratios = sorted({round(difference.ratio, 2) for difference in inferred})
        share = " to ".join(f"{ratio:.2f}" for ratio in (ratios if len(ratios) < 2 else (ratios[0], ratios[-1])))
        counted = f"{pairs} pair{'s' * (pairs > 1)}"
        notes += [
            f"The test: p and the corrected interval are of the corrected resampled t-test (Nadeau and Bengio 2003), "
            f"test over training examples {share}: {unit}s share training data.",
            f"Bold (* in plain text): p < {LEVEL:g} after Holm's correction over {counted}, each metric by itself.",
            f"Bootstrap: BCa of the {unit}s' differences, {RESAMPLES:,} resamples, seed {SEED}; it takes {unit}s for "
            "independent and is too narrow for few of them.",
            _flips_note({difference.inference.n for difference in inferred}, unit),
        ]
    return (*notes, *comparison.notes, *protocol_notes(runs, report))


def _flips_note(counts, unit):
    told = []
    for n in sorted(counts):
        least = least_p(n)
        told.append(f"{least:.4g} with {n} {unit}s" if least else f"random signs with {n} {unit}s")
    return (
        "Sign flips: a permutation test, which assumes no normal distribution, for comparison; its least p: "
        f"{', '.join(told)}."
    )


def score_table(runs: Sequence[Results], report: Report) -> Table:
    """One row for each run or variant: mean ± sd over members, and the 95 % interval over folds, of each test metric.

    Raises ImportError where scipy is missing; it says the extra.
    """
    items = items_of(runs, report)
    metrics = [metric for metric in metrics_of([], report) if any(by_member(item.variant, metric) for item in items)]
    rows = []
    for item in items:
        n = {len(by_fold(item.run, by_member(item.variant, metric))) for metric in metrics} - {0}
        cells = [item.label, str(max(n, default=0)), str(len(by_member(item.variant, metrics[0]))) if metrics else "0"]
        for metric in metrics:
            values = list(by_fold(item.run, by_member(item.variant, metric)).values())
            entry = score(item.variant, metric)
            cells += [written(entry, metric.partition("/")[2], report)]
            cells += [_plain_ends(bootstrap_interval(values), *written_as(metric, report))]
        rows.append(tuple(cells))
    columns = ["run", "folds", "members"]
    columns += [name for metric in metrics for name in (metric_name(runs[0], report, metric), "95 % interval")]
    where = f"{setting(runs[0], 'corpus', runs[0]['experiment'])}, protocol {setting(runs[0], 'protocol', MISSING)}"
    caption = f"{where}: mean ± sample standard deviation over members, 95 % interval over folds (BCa bootstrap)"
    return Table(caption, tuple(columns), tuple(rows), protocol_notes(runs, report))


def _plain_ends(interval, scale, digits):
    return "[" + ", ".join(number(scale * end, digits) for end in interval) + "]" if interval else MISSING


MEMBER_COLUMNS = ("experiment", "run", "variant", "fold", "seed", "failed", "metric", "value")
PAIR_COLUMNS = (
    *("experiment", "first", "base", "metric", "n", "mean", "sd", "above_0", "bootstrap_low", "bootstrap_high"),
    *("corrected_low", "corrected_high", "test_over_train", "p", "p_holm", "p_sign_flips", "note"),
)


def member_rows(runs: Sequence[Results], report: Report) -> list[tuple[Any, ...]]:
    """`MEMBER_COLUMNS` of each member and metric of some runs; a value that is not finite is empty."""
    rows = []
    for place, run in enumerate(runs, 1):
        for variant in arranged(run, report):
            for member in variant.members:
                about = (run["experiment"], run_name(run, place), variant_name(variant, report))
                about += (member.get("fold", ""), member.get("seed", ""), int(bool(member.get("failed"))))
                metrics = member.get("metrics") or {}
                rows += [(*about, name, value if is_finite(value) else "") for name, value in metrics.items()]
    return rows


def pair_rows(comparison: Comparison, experiment: str) -> list[tuple[Any, ...]]:
    """`PAIR_COLUMNS` of each difference, in the units of results.json; a row with a note for what was refused."""
    rows = []
    for one in comparison.differences:
        found = one.inference
        low_high = [end for interval in (found.bootstrap, found.corrected) for end in interval or ("", "")]
        p = ["" if value is None else value for value in (found.p, one.adjusted, found.flips)]
        above = sum(value > 0 for value in one.folds.values())
        about = (experiment, one.pair.first.label, one.pair.base.label, one.metric, found.n, found.mean)
        rows.append((*about, found.std if found.n > 1 else "", above, *low_high, one.ratio, *p, found.why))
    blank = ("",) * (len(PAIR_COLUMNS) - 2)
    return rows + [(experiment, *blank, text) for text in comparison.refused]
