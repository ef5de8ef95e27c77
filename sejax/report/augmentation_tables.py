"""Tables 2 and 3: UAR of classifiers of real, synthetic and augmented vectors, with gains, folds, and many runs."""

from sejax.report import published
from sejax.report.augmentation import (
    ANCHOR,
    TRAININGS,
    UAR,
    anchor,
    by_repeat,
    classifiers,
    evaluation,
    find,
    gains,
    in_order,
    normalisation,
    run_title,
    score,
    weights,
)
from sejax.report.grouping import grouped
from sejax.report.published.cyclegan import CORPORA, LAMBDAS, SAHU, uar
from sejax.report.results import is_finite, spread
from sejax.report.tables import Strong, Table, number, percent, signed
from sejax.report.terms import MISSING, protocol_notes

STRONG_NOTE = "Bold (* in plain text): a mean above that of Real in the same row; the gains' deviations say how sure."
ROW_NOTE = "Real, noise, mixup and the SVM do not depend on λ."
RUN_FIELDS = ("corpus", "test_corpus", "evaluation", "normalisation")
METRICS = {"test/uar": "UAR", "test/accuracy": "accuracy", "test/macro_f1": "macro-F1", "valid/uar": "UAR, development"}


def uar_table(results):
    """Table 2 or 3: UAR in % by training set, a row for each weight, the paper's and Sahu et al.'s rows below."""
    where = evaluation(results)
    rows = [(f"λ {weight:g}", *_scores(results, weight)) for weight in weights(results)]
    rows = rows or [("no synthetic vectors", *_scores(results, None))]
    rows += _published_rows(where)
    notes = (STRONG_NOTE, ROW_NOTE, published.note(results), *_repeat_notes([results]), *_protocol_notes([results]))
    caption = f"{run_title(results)}: UAR in %, {_over([results])}"
    return Table(caption, ("", *TRAININGS.values(), ANCHOR), tuple(rows), tuple(notes))


def _scores(results, weight):
    found = [find(results, training, weight) for training in TRAININGS]
    entries = [score(one) for one in found]
    real, cells = entries[0], []
    for one, entry in zip(found, entries, strict=True):
        better = entry and real and one.training != "real" and entry["mean"] > real["mean"]
        cells.append(Strong(percent(entry)) if better else percent(entry))
    share = anchor(results).get("uar")
    return (*cells, number(100 * share, 2) if is_finite(share) else MISSING)


def _published_rows(where):
    rows = []
    for weight in LAMBDAS:
        found = [uar(where, training, weight) for training in TRAININGS]
        cells = [f"{entry[0]:.2f} ± {entry[1]:.2f}" if entry else MISSING for entry in found]
        rows.append((f"paper ({CORPORA[where]}), λ {weight:g}", *cells, MISSING))
    cells = [number(SAHU[where].get(training), 2) for training in TRAININGS]
    return [*rows, ("Sahu et al., from the paper", *cells, MISSING)]


def _over(runs):
    """How many repeats and folds a mean stands on."""
    repeats = {len({member.get("seed") for member in run["members"]}) for run in runs}
    folds = {len({member.get("fold") for member in run["members"]}) for run in runs}
    if len(repeats) > 1 or len(folds) > 1:
        return "mean ± sample standard deviation over each run's repeats of the mean over its folds"
    count, places = repeats.pop(), folds.pop()
    noun = "repeat" if count == 1 else "repeats"
    of = f" of the mean over {places} folds" if places > 1 else ""
    return f"mean ± sample standard deviation over {count} {noun}{of}"


def _repeat_notes(runs):
    """A note where repeats are incomplete, because a fold of theirs failed."""
    found = []
    for run in runs:
        for one in classifiers(run):
            seeds, kept = {member.get("seed") for member in one.members}, by_repeat(one)
            if len(kept) < len(seeds):
                found.append(f"{one.label}: {len(kept)} of {len(seeds)} repeats; the others have a failed fold.")
    return found


def _protocol_notes(runs):
    notes = protocol_notes([{**run, "protocol": normalisation(run)} for run in runs])
    about = dict.fromkeys(str(anchor(run).get("protocol")) for run in runs if anchor(run).get("protocol"))
    costs = {anchor(run)["c"] for run in runs if is_finite(anchor(run).get("c"))}
    cost = f", C = {costs.pop():g}" if len(costs) == 1 else ""
    return [*notes, *(f"{ANCHOR}{cost}: openSMILE vectors, {text}." for text in about)]


def gain_table(results):
    """Every classifier beside the one of real vectors: its metrics, and the paired gain in UAR over the repeats."""
    found = classifiers(results)
    metrics = [name for name in METRICS if any(score(one, name) for one in found)]
    rows = []
    for one in found:
        paired = list(gains(results, one).values()) if one.training != "real" else []
        better = f"{sum(gain > 0 for gain in paired)} of {len(paired)}" if paired else MISSING
        gain = signed(percent(spread(paired)))
        rows.append((one.label, *(percent(score(one, name)) for name in metrics), gain, better))
    columns = ("training set", *(METRICS[name] for name in metrics), "gain over Real", "repeats above Real")
    note = "Gain: the difference to Real in the same repeat, its mean ± sample standard deviation, points of UAR."
    return Table("Every training set, in %", columns, tuple(rows), (note,))


def fold_table(results):
    """UAR in % by fold, the mean over the repeats of each training set; no rows for a run of one fold."""
    found = classifiers(results)
    folds = sorted({member.get("fold") for member in results["members"]})
    svm, rows = anchor(results).get("per_fold") or [], []
    for place, fold in enumerate(folds if len(folds) > 1 else ()):
        cells = []
        for one in found:
            values = [m["metrics"].get(UAR) for m in one.members if m.get("fold") == fold and not m.get("failed")]
            cells.append(percent(spread(value for value in values if is_finite(value))))
        cells.append(number(100 * svm[place], 2) if place < len(svm) and is_finite(svm[place]) else MISSING)
        rows.append((f"fold {fold}", *cells))
    columns = ("", *(one.label for one in found), ANCHOR)
    return Table("UAR in % by fold: mean ± sample standard deviation over the repeats", columns, tuple(rows))


def run_comparison(runs, *, group_by=()):
    """Tables of many runs, one for each value of the fields `group_by` (RUN_FIELDS): a row for each run and weight."""
    return [_comparison_table(in_order(group)) for group in grouped(runs, group_by, RUN_FIELDS)]


def _comparison_table(runs):
    titles = [run_title(run) for run in runs]
    protocols = [str(normalisation(run)) for run in runs]
    names = [str(run.get("run", place)) for place, run in enumerate(runs, 1)]
    rows = []
    for stubs in zip(names, titles, protocols, runs, strict=True):
        for weight in weights(stubs[-1]) or [None]:
            text = MISSING if weight is None else f"λ {weight:g}"
            rows.append((*stubs[:-1], text, *_scores(stubs[-1], weight)))
    for where in dict.fromkeys(map(evaluation, runs)):
        for name, *cells in _published_rows(where):
            source, _, weight = name.partition(", λ ")
            rows.append(
                (source.partition(" (")[0], _corpora(where), MISSING, f"λ {weight}" if weight else MISSING, *cells)
            )
    notes = (STRONG_NOTE, ROW_NOTE, published.note(runs[0]), *_repeat_notes(runs), *_protocol_notes(runs))
    columns = ("run", "evaluation", "protocol", "weight", *TRAININGS.values(), ANCHOR)
    return Table(f"UAR in %, {_over(runs)}", columns, tuple(rows), tuple(notes), stubs=4)


def _corpora(where):
    return f"{CORPORA[where]}, {where}-corpus"
