"""The folds that a run's scores stand on: means over the seeds of each, and the interval that these give."""

from collections.abc import Mapping, Sequence

import numpy as np

from sejax.core.results import label
from sejax.report import Report, Results
from sejax.report.inference import bootstrap_interval
from sejax.report.run import Variant, arranged, by_member, named
from sejax.report.tables import number
from sejax.report.terms import levels, title

METRICS = ("test/macro_f1", "test/uar", "test_utterance/macro_f1", "test_utterance/uar")
MOST_INTERVALS = 12  # variants whose intervals a note lists


def metrics_of(variants: Sequence[Variant], report: Report) -> list[str]:
    """The scores on the test part that all of some variants have, of the report's own, or of `METRICS`."""
    asked = [f"test/{metric}" for metric in report.metrics] or METRICS
    return [metric for metric in asked if all(by_member(variant, metric) for variant in variants)]


def metric_name(results: Results, report: Report, metric: str) -> str:
    """A metric's key in words, as `UAR, utterance`."""
    kind = report.metrics.get(metric.partition("/")[2])
    if kind and kind.axis:
        return " ".join(kind.axis.replace("(%)", "").split())
    return kind.title if kind else title(metric, levels(results))


def capitalised(text: str) -> str:
    """A name at the beginning of a line; a symbol such as ρ stays one."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def tested(results: Results) -> dict[tuple, Mapping]:
    """{(fold, seed): what results.json says that it tests}, the seed None where all of a fold test the same.

    {} for results of earlier versions, which do not say.
    """
    return {(entry.get("fold"), entry.get("seed")): entry for entry in results.get("tested") or ()}


def drawn_anew(results: Results) -> bool:
    """Whether each seed tests other speech, as where train and test parts are drawn at random again and again."""
    return any(seed is not None for _, seed in tested(results))


def by_fold(results: Results, cells: Mapping[tuple, float]) -> dict[tuple, float]:
    """{(fold, None): mean over its seeds} of {(fold, seed): value}; each by itself where seeds test other speech.

    Seeds of a fold test the same speakers: they say how training varies, and nothing of other speakers.
    """
    means: dict[tuple, list[float]] = {}
    for (fold, seed), value in cells.items():
        means.setdefault((fold, seed if drawn_anew(results) else None), []).append(value)
    return {place: float(np.mean(values)) for place, values in means.items()}


def count_of_folds(results: Results, n: int) -> str:
    """`5 folds`, or `5 draws` where each seed draws its own."""
    return f"{n} {'draw' if drawn_anew(results) else 'fold'}{'s' * (n != 1)}"


def variant_name(variant: Variant, report: Report) -> str:
    """A variant in a few words, with what the paper calls its values; "" for a run that is one thing."""
    return label({field: report.labels.get(value, value) for field, value in variant.name.items()})


def interval_notes(results: Results, report: Report) -> tuple[str, ...]:
    """A note: the 95 % interval of the leading score on the test part over folds; of each variant where they are few.

    The leading score: the report's first, else macro-F1 of a run that is one thing and UAR of variants. Nothing where
    no variant has scores of enough folds.
    """
    variants = arranged(results, report) if named(results) else [Variant({}, tuple(results["members"]))]
    if len(variants) > MOST_INTERVALS:
        variants = [variant for variant in variants if variant.mark]
    metrics = metrics_of(variants, report)
    if not metrics or not 0 < len(variants) <= MOST_INTERVALS:
        return ()
    metric = "test/uar" if named(results) and not report.metrics and "test/uar" in metrics else metrics[0]
    scale, digits = written_as(metric, report)
    found: dict[int, list[str]] = {}
    try:
        for variant in variants:
            values = list(by_fold(results, by_member(variant, metric)).values())
            interval = bootstrap_interval(values)
            if interval:
                ends = " to ".join(number(scale * end, digits) for end in interval)
                found.setdefault(len(values), []).append(f"{variant_name(variant, report)} {ends}".strip())
    except ImportError as error:
        return (f"No 95 % interval here: {error}.",)
    name = capitalised(metric_name(results, report, metric))
    return tuple(
        f"{name}: 95 % interval over {count_of_folds(results, n)} {'; '.join(texts)} "
        "(BCa bootstrap of folds, too narrow for few of them)."
        for n, texts in found.items()
    )


def written_as(metric: str, report: Report) -> tuple[int, int]:
    """By what a metric's values are multiplied, and their decimals: shares of some reports are written in %."""
    kind = report.metrics.get(metric.partition("/")[2])
    return (100, 2) if report.percent and (kind is None or kind.share) else (1, kind.digits if kind else 3)
