"""What results.json says of a run: its variants, their scores by fold and seed, differences, confusions, iterations."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby

import numpy as np

from sejax.core.results import field_value, is_finite, label, name_of, spread
from sejax.core.results import variants as summarised
from sejax.report import Report
from sejax.report.terms import MISSING, joined, shown

RATE = "learning_rate"
VALIDATION = "valid/accuracy"
PUBLISHED, TUNED = "published", "tuned"
MARKS = {PUBLISHED: " at the published rate", TUNED: " at the tuned rate", "": ""}
KEY = re.compile(r"(?:iteration_(\d+)/)?([^/]+)/([^/]+)")  # of a summary: iteration, part, metric


@dataclass(frozen=True)
class Variant:
    """Members of a run that tables tell from others: a network at a learning rate, a fusion, a training set.

    Attributes:
      name: the fields that tell it apart. label: the same in a few words.
      members: its entries of results.json.
      summary, paper: as in results.json, of variants that it lists.
      mark: "published", "tuned" or "": what its learning rate is among those of its group.
    """

    name: dict
    members: tuple
    label: str = ""
    summary: dict = field(default_factory=dict)
    paper: dict = field(default_factory=dict)
    mark: str = ""

    @property
    def group(self):
        """The name without the learning rate: variants of one group differ in that alone."""
        return label({key: value for key, value in self.name.items() if key != RATE})

    @property
    def rate(self):
        """The learning rate, None where the name has none."""
        return self.name.get(RATE)

    def mean(self, metric):
        """The mean of a metric over the members that did not fail; None without one."""
        return self.summary.get(metric, {}).get("mean")


def variants_by(results, report: Report):
    """The variants of a run by the field `report.variant`, in the order of `report.labels`, unknown ones last."""
    groups, order = {}, list(report.labels)
    for member in results["members"]:
        groups.setdefault(member.get(report.variant, MISSING), []).append(member)
    values = sorted(groups, key=lambda value: order.index(value) if value in order else len(order))
    return [
        Variant({report.variant: value}, tuple(groups[value]), report.labels.get(value, value)) for value in values
    ]


def paper_of(results, variant: Variant, report: Report):
    """The paper's figures for a variant, {metric: value}."""
    return report.published(results, variant.name)


def named(results):
    """Whether a run's members are told apart by more than fold and seed."""
    return any(variant["name"] for variant in _recorded(results, Report()))


def arranged(results, report: Report):
    """The Variants that results.json lists, group by group in run order: the published rate first, others ascending.

    The tuned rate of a group is the one with the best mean validation accuracy, where that is not the published one:
    a rate that validated worse was not tuned to. The test part has no say in it.
    """
    variants = [
        Variant(
            variant["name"],
            tuple(member for member in results["members"] if name_of(member) == variant["name"]),
            label(variant["name"]),
            variant["summary"],
            variant.get("paper") or {},
        )
        for variant in _recorded(results, report)
    ]
    rates = {variant.rate for variant in variants if variant.paper}
    groups = {}
    for variant in variants:
        groups.setdefault(variant.group, []).append(variant)
    return [variant for group in groups.values() for variant in _marked(group, rates)]


def _recorded(results, report):
    return results.get("variants") or summarised(results["members"], paper=partial(report.published, results))


def _marked(group, published_rates):
    marks = [PUBLISHED if variant.rate in published_rates and is_finite(variant.rate) else "" for variant in group]
    others = [
        (variant.mean(VALIDATION), -place)  # of equals, the first in run order
        for place, (variant, mark) in enumerate(zip(group, marks, strict=True))
        if not mark and is_finite(variant.rate) and is_finite(variant.mean(VALIDATION))
    ]
    published = [variant.mean(VALIDATION) for variant, mark in zip(group, marks, strict=True) if mark]
    if others and len(group) > 1 and all(value <= max(others)[0] for value in published if is_finite(value)):
        marks[-max(others)[1]] = TUNED
    marked = [
        replace(variant, mark=mark, label=variant.label + f" ({mark})" * bool(mark))
        for variant, mark in zip(group, marks, strict=True)
    ]
    return sorted(marked, key=lambda variant: (variant.mark != PUBLISHED, variant.rate or 0.0))


def columns(variants, most=3):
    """The variants as columns of small multiples whose rows are their groups: {title: {group: Variant}}.

    A column is a learning rate where there are no more than `most`, else the published or the tuned rate (the published
    one where that validated best); variants without a rate make one column with the title "".
    """
    rates = list(dict.fromkeys(variant.rate for variant in variants))
    rates.sort(key=lambda rate: (not any(v.mark == PUBLISHED for v in variants if v.rate == rate), rate or 0.0))
    titled = {}
    for rate in rates if len(rates) <= most else ():
        cells = {variant.group: variant for variant in variants if variant.rate == rate}
        titled[_rate_title(rate, cells.values())] = cells
    for mark in (PUBLISHED, TUNED) if len(rates) > most else ():
        cells = {variant.group: variant for variant in variants if variant.mark == mark}
        if cells:
            cells = {variant.group: variant for variant in variants if variant.mark == PUBLISHED} | cells
            shared = {field_value(variant.rate) for variant in cells.values()}
            titled[" ".join([mark, "rate", *shared] if len(shared) == 1 else [mark, "rate"])] = cells
    return titled


def _rate_title(rate, variants):
    if rate is None:
        return ""
    mark = " (published)" if any(variant.mark == PUBLISHED for variant in variants) else ""
    return f"rate {field_value(rate)}{mark}"


def leading_metric(variants):
    """The metric that a figure shows of each variant.

    It is the first one with a published figure that is not a training metric, else the validation accuracy,
    else UAR on the test part, else whatever comes first; None where nothing was summarised.
    """
    papers = [metric for variant in variants for metric in variant.paper if not metric.startswith("train/")]
    have = [metric for variant in variants for metric in variant.summary]
    return next((metric for metric in (*papers, VALIDATION, "test/uar", *have) if metric in have), None)


def by_member(variant, metric):
    """{(fold, seed): value} of the members that did not fail and have a finite one; `metric` as `test/uar`."""
    return {
        (member.get("fold"), member.get("seed")): member["metrics"][metric]
        for member in variant.members
        if not member.get("failed") and is_finite((member.get("metrics") or {}).get(metric))
    }


def by_repeat(variant, metric):
    """{seed: mean over the folds}; a repeat with a failed fold is no mean over all of them, and is left out."""
    folds, repeats = {member.get("fold") for member in variant.members}, {}
    for (fold, seed), value in by_member(variant, metric).items():
        repeats.setdefault(seed, {})[fold] = value
    return {seed: float(np.mean(list(cells.values()))) for seed, cells in repeats.items() if set(cells) == folds}


def score(variant, metric, by: Callable = by_member):
    """Mean and deviation of a metric over members (or repeats, by `by_repeat`); None without a value or variant."""
    return spread(by(variant, metric).values()) if variant else None


def fold_score(variant, metric, fold):
    """The same over the seeds of one fold."""
    return spread(value for (at, _), value in by_member(variant, metric).items() if at == fold)


def differences(first, second, metric, by: Callable = by_member):
    """{(fold, seed): first - second} of two variants where both have a value; {} where one is None."""
    if first is None or second is None:
        return {}
    ours, base = by(first, metric), by(second, metric)
    return {place: value - base[place] for place, value in ours.items() if place in base}


def above(values):
    """In how many of some differences the first is above the second: `3 of 5`."""
    return f"{sum(value > 0 for value in values)} of {len(values)}"


def histories(results):
    """Every row of the members' training histories."""
    return [row for member in results["members"] for row in member.get("history") or ()]


def recorded_metrics(members: Iterable[Mapping]):
    """The names in the training histories of some members."""
    return {name for member in members for row in member.get("history") or () for name in row}


def iterations(results):
    """The numbers of the iterations that a run reports, in order; [] for an experiment without iterations."""
    return sorted({int(match[1]) for match in map(KEY.fullmatch, results["summary"]) if match and match[1]})


def figures_at(entries, part, metric, iteration, last):
    """The entry of `part/metric` after an iteration, in a summary or in the paper's figures; None if absent.

    A key without an iteration stands for the run's last one, unless the source tells this metric's
    iterations apart (the paper's third iteration is no match for a run that stops after its first).
    """
    name = f"{part}/{metric}"
    apart = any(key.startswith("iteration_") and key.endswith(f"/{name}") for key in entries)
    if apart or iteration != last:
        return entries.get(f"iteration_{iteration}/{name}")
    return entries.get(name)


def paper_figures(results, report: Report):
    """The paper's figures for a run: those it recorded, else those that its experiment finds for its config."""
    return results.get("paper") or report.published(results, {})


def pooled_confusion(members, part):
    """The confusion matrices of a part summed over the members that did not fail: float [C, C], or None."""
    counts = _confusions(members, part)
    return sum(counts) if counts else None


def mean_rates(members, classes, part="test"):
    """Shares of each true class, the mean over the members that did not fail: f64 [C, C], None without a matrix.

    A member without a class has no say in its row; a row that nobody has is NaN.
    """
    rates = [row_rates(counts, classes) for counts in _confusions(members, part)]
    rates = np.array([shares for shares in rates if shares is not None])
    if not len(rates):
        return None
    present = ~np.isnan(rates)
    total, count = np.where(present, rates, 0.0).sum(0), present.sum(0)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _confusions(members, part):
    counts = [(member.get("confusion") or {}).get(part) for member in members if not member.get("failed")]
    return [np.asarray(matrix, dtype=float) for matrix in counts if matrix is not None]


def row_rates(counts, classes):
    """Counts [C, C] as shares of their row, NaN for an empty one; None where they are not of these classes."""
    counts = np.asarray(counts, dtype=float)
    if counts.shape != (len(classes), len(classes)):
        return None
    totals = counts.sum(1, keepdims=True)
    return np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)


def grouped(runs, fields, known, *, order=None):
    """Runs with equal values of the settings `fields`: [[run, ...], ...], ordered by these values (--group_by).

    `order` maps (run, field) to what sorts them, their text by default. Raises ValueError for a field that is not one
    of `known`.
    """
    unknown = [field for field in fields if field not in known]
    if unknown:
        raise ValueError(f"cannot group by {', '.join(unknown)}; known fields: {', '.join(known)}")
    order = order or (lambda run, field: joined(shown(run, field, MISSING)))

    def key(run):
        return tuple(order(run, field) for field in fields)

    return [list(group) for _, group in groupby(sorted(runs, key=key), key)]
