"""The distances between source, synthetic and target vectors: Table 1, by emotion, by member, and of many runs."""

from sejax.report import cyclegan, published
from sejax.report.cyclegan import DISTANCES, PARTS, distance, main_part, members_of, weight_text, weights
from sejax.report.grouping import grouped
from sejax.report.published.cyclegan import DIFFERENCE_SOURCE, DIFFERENCE_SYNTHETIC
from sejax.report.results import field_value, is_finite
from sejax.report.tables import Table, mean_std, number
from sejax.report.terms import MISSING, failure, joined, protocol_notes, setting

TITLES = {"difference": "mean |difference|", "mmd": "MMD²", "frechet": "Fréchet²"}
SOURCE, SYNTHETIC = "target − source", "target − synthetic"
DISTANCE_NOTE = (
    "Mean |difference|: over the features, of the two sets' means, min-max scaled. MMD²: Gaussian kernel, median "
    "bandwidth, unbiased (0 on average for equal distributions). Fréchet²: of the Gaussians fitted to both sets. Each "
    "is the mean over the emotions."
)
RUN_FIELDS = ("source", "corpus", "protocol", "features")


def distance_table(results):
    """Table 1: the target's distance to source and to synthetic vectors, by part and weight, beside the paper's."""
    rows = []
    for part, place in PARTS.items():
        source = distance(results, part, "difference_source")
        if source:
            rows.append(_distance_row(results, part, place, SOURCE, "source", None, source))
        for weight in weights(results) if source else ():
            name = f"{SYNTHETIC} ({weight_text(weight)})"
            rows.append(_distance_row(results, part, "", name, "synthetic", weight, source))
    columns = ("part", "pair", TITLES["difference"], "of source's", "paper", TITLES["mmd"], TITLES["frechet"])
    notes = (DISTANCE_NOTE, published.note(results), *protocol_notes([results]))
    return Table(_caption(results), columns, tuple(rows), notes, stubs=2)


def _distance_row(results, part, place, pair, kind, weight, source):
    mean, mmd, frechet = (distance(results, part, f"{name}_{kind}", weight) for name in DISTANCES)
    share = mean["mean"] / source["mean"] if mean and kind == "synthetic" and source["mean"] else None
    paper = None
    if part != "test":
        paper = DIFFERENCE_SOURCE if kind == "source" else DIFFERENCE_SYNTHETIC.get(weight)
    cells = mean_std(mean, 4), _percent(share), number(paper), mean_std(mmd), mean_std(frechet)
    return (place, pair, *cells)


def _percent(share):
    return f"{100 * share:.0f} %" if is_finite(share) else MISSING


def _caption(results):
    """The run, and how many folds and seeds the rows of each part stand on."""
    first = next(iter(weights(results)), None)
    counts = {place: len(members_of(results, part, first)) for part, place in PARTS.items()}
    over = ", ".join(f"{place} {count}" for place, count in counts.items() if count)
    return f"{run_title(results)}: mean ± sample standard deviation over folds and seeds ({over or 'none'})"


def run_title(results):
    """Where vectors come from and go to: `unlabelled to emodb, protocol leak_free`."""
    return f"{source_of(results)} to {target_of(results)}, protocol {setting(results, 'protocol', MISSING)}"


def source_of(results):
    """The corpus whose vectors are transferred, as text."""
    return joined(setting(results, "source", MISSING))


def target_of(results):
    """The corpora that give the target emotions, as text."""
    return joined(results.get("corpus") or setting(results, "target", MISSING))


def emotion_table(results):
    """Mean |difference| of every emotion, on the part that the run is judged by and on the held-out part."""
    parts = [part for part in (main_part(results), "test") if distance(results, part, "difference_source")]
    columns, rows = ["emotion"], [[name] for name in results.get("classes") or ()]
    for part in parts:
        kinds = [("source", None), *(("synthetic", weight) for weight in weights(results))]
        for kind, weight in kinds:
            name = "source" if weight is None else f"synthetic, {weight_text(weight)}"
            columns.append(f"{name} ({PARTS[part]})")
            for row in rows:
                row.append(mean_std(distance(results, part, f"difference_{kind}", weight, row[0]), 4))
    return Table("Mean |difference| to the target by emotion", tuple(columns), tuple(map(tuple, rows)))


def member_table(results):
    """One row for each member: fold, seed, weight, what became of it, and its distances on its training part."""
    rows = []
    for member in results["members"]:
        halted = ", ".join(f"{name} at update {field_value(at)}" for _, name, at in cyclegan.stopped([member]))
        status = failure(member) or (f"stopped: {halted}" if halted else "finished")
        weight = cyclegan.weight_of(results, member)
        start = cyclegan.fold_text(member), weight_text(weight) if is_finite(weight) else MISSING, status
        found = [
            member["metrics"].get(f"train/{name}_{kind}") for name in DISTANCES for kind in ("source", "synthetic")
        ]
        held_out = member["metrics"].get("test/difference_synthetic")
        rows.append((*start, *map(number, found[:2], (4, 4)), number(held_out, 4), *map(number, found[2:])))
    columns = ["fold and seed", "weight", "status", "|difference| source", "synthetic", "synthetic, held out"]
    columns += [f"{TITLES[name]} {kind}" for name in DISTANCES[1:] for kind in ("source", "synthetic")]
    return Table("Every member, target against source and synthetic vectors", tuple(columns), tuple(rows), stubs=3)


def run_comparison(runs, *, group_by=()):
    """Tables of many runs, one for each value of the fields `group_by` (RUN_FIELDS): a row for each run and weight."""
    return [_comparison_table(group) for group in grouped(runs, group_by, RUN_FIELDS)]


def _comparison_table(runs):
    rows = []
    for place, run in enumerate(runs, 1):
        start = str(run.get("run", place)), source_of(run), target_of(run), str(setting(run, "protocol", MISSING))
        main = main_part(run)
        for weight in weights(run):
            source, mean = distance(run, main, "difference_source"), distance(run, main, "difference_synthetic", weight)
            held = [distance(run, "test", f"difference_{kind}", only) for kind, only in _kinds(weight)]
            distances = [distance(run, main, f"{name}_synthetic", weight) for name in DISTANCES[1:]]
            found = [mean_std(source, 4), mean_std(mean, 4), number(DIFFERENCE_SYNTHETIC.get(weight))]
            found += [mean_std(entry, 4) for entry in held] + [mean_std(entry) for entry in distances]
            rows.append((*start, weight_text(weight), *found))
    columns = ("run", "source", "target", "protocol", "weight", "source", "synthetic", "paper", "source, held out")
    columns += ("synthetic, held out", "MMD² synthetic", "Fréchet² synthetic")
    caption = "Mean |difference| to the target, on the training part unless said: mean ± deviation over folds and seeds"
    notes = (
        DISTANCE_NOTE,
        *dict.fromkeys(note for run in runs for note in (published.note(run), *protocol_notes([run]))),
    )
    return Table(caption, columns, tuple(rows), notes, stubs=5)


def _kinds(weight):
    return ("source", None), ("synthetic", weight)
