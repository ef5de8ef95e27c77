"""The variants of one run in the order of tables and figures: each network, its published rate, its tuned one.

The tuned rate of a network is the one with the best mean validation accuracy among the rates that are not the
published one. The test part has no say in it.
"""

from dataclasses import dataclass, replace
from functools import partial

from sejax.core.members import name_of
from sejax.report import published
from sejax.report import results as results_file
from sejax.report.results import is_finite, label

RATE = "learning_rate"
VALIDATION = "valid/accuracy"
PUBLISHED, TUNED = "published", "tuned"
MARKS = {PUBLISHED: " at the published rate", TUNED: " at the tuned rate", "": ""}


@dataclass(frozen=True)
class Variant:
    """One variant: its name, summary and published figures as in results.json, its members, and its mark.

    `mark` is "published", "tuned" or "": what its learning rate is among those of its group.
    """

    name: dict
    summary: dict
    paper: dict
    members: tuple
    mark: str = ""

    @property
    def group(self):
        """The name without the learning rate: variants of one group differ in that alone."""
        return label({field: value for field, value in self.name.items() if field != RATE})

    @property
    def rate(self):
        """The learning rate, None where the name has none."""
        return self.name.get(RATE)

    @property
    def label(self):
        """The name in a few words, with its mark: `resnet50 at 0.1 (tuned)`."""
        return label(self.name) + (f" ({self.mark})" if self.mark else "")

    def mean(self, metric):
        """The mean of a metric over the members that did not fail; None without one."""
        return self.summary.get(metric, {}).get("mean")


def named(results):
    """Whether a run's members are told apart by more than fold and seed."""
    return any(variant["name"] for variant in _recorded(results))


def arranged(results):
    """The Variants of a run, group by group in run order: the published rate first, the others ascending."""
    found = [
        Variant(
            variant["name"],
            variant["summary"],
            variant.get("paper") or {},
            tuple(member for member in results["members"] if name_of(member) == variant["name"]),
        )
        for variant in _recorded(results)
    ]
    rates = {variant.rate for variant in found if variant.paper}
    groups = {}
    for variant in found:
        groups.setdefault(variant.group, []).append(variant)
    return [variant for group in groups.values() for variant in _marked(group, rates)]


def _recorded(results):
    return results.get("variants") or results_file.variants(
        results["members"], paper=partial(published.figures, results)
    )


def _marked(group, published_rates):
    marks = [PUBLISHED if variant.rate in published_rates and is_finite(variant.rate) else "" for variant in group]
    others = [
        (variant.mean(VALIDATION), -place)  # of equals, the first in run order
        for place, (variant, mark) in enumerate(zip(group, marks, strict=True))
        if not mark and is_finite(variant.rate) and is_finite(variant.mean(VALIDATION))
    ]
    if others and len(group) > 1:
        marks[-max(others)[1]] = TUNED
    found = [replace(variant, mark=mark) for variant, mark in zip(group, marks, strict=True)]
    return sorted(found, key=lambda variant: (variant.mark != PUBLISHED, variant.rate or 0.0))


def columns(variants, most=3):
    """The variants as columns of small multiples whose rows are their groups: {title: {group: Variant}}.

    A column is a learning rate where there are no more than `most`, else the published or the tuned rate;
    variants without a rate make one column with the title "".
    """
    rates = list(dict.fromkeys(variant.rate for variant in variants))
    rates.sort(key=lambda rate: (not any(v.mark == PUBLISHED for v in variants if v.rate == rate), rate or 0.0))
    found = {}
    for rate in rates if len(rates) <= most else ():
        cells = {variant.group: variant for variant in variants if variant.rate == rate}
        found[_rate_title(rate, cells.values())] = cells
    for mark in (PUBLISHED, TUNED) if len(rates) > most else ():
        cells = {variant.group: variant for variant in variants if variant.mark == mark}
        if cells:
            shared = {results_file.field_value(variant.rate) for variant in cells.values()}
            found[" ".join([mark, "rate", *shared] if len(shared) == 1 else [mark, "rate"])] = cells
    return found


def _rate_title(rate, variants):
    if rate is None:
        return ""
    mark = " (published)" if any(variant.mark == PUBLISHED for variant in variants) else ""
    return f"rate {results_file.field_value(rate)}{mark}"


def leading_metric(variants):
    """The metric that a figure shows of each variant.

    It is the first one with a published figure that is not a training metric, else the validation accuracy,
    else UAR on the test part, else whatever comes first; None where nothing was summarised.
    """
    papers = [metric for variant in variants for metric in variant.paper if not metric.startswith("train/")]
    have = [metric for variant in variants for metric in variant.summary]
    return next((metric for metric in (*papers, VALIDATION, "test/uar", *have) if metric in have), None)
