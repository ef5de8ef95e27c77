"""The report of a run of CycleGANs: Table 1, Fig. 2, a projection, and the losses of every GAN.

A member is a fold, a seed and a weight of the classification loss (lambda); fold -1 stands for all labelled data and
stays out of the means over folds.
"""

import numpy as np

from sejax.core.results import field_value, is_finite, spread
from sejax.experiments.cyclegan import figures
from sejax.experiments.cyclegan import published as paper
from sejax.report import Report, tables
from sejax.report.drawing import COLOURS, SURFACE, drawn, subplots
from sejax.report.page import Section, paragraph, picture
from sejax.report.run import grouped, recorded_metrics
from sejax.report.tables import Table, mean_std, number
from sejax.report.terms import MISSING, failure, joined, protocol_notes, run_name, setting

WHOLE = -1
PARTS = {"train": "training part", "test": "held-out part", "all": "all labelled data"}
DISTANCES = ("difference", "mmd", "frechet")
TITLES = {"difference": "mean |difference|", "mmd": "MMD²", "frechet": "Fréchet²"}
SOURCE, SYNTHETIC = "target − source", "target − synthetic"
DISTANCE_NOTE = (
    "Mean |difference|: over the features, of the two sets' means, min-max scaled. MMD²: Gaussian kernel, median "
    "bandwidth, unbiased (0 on average for equal distributions). Fréchet²: of the Gaussians fitted to both sets. Each "
    "is the mean over the emotions."
)
SPOT = 0.1  # of the target's deviation: synthetic vectors with less lie nearly on one spot
LINES = "Faint: each member (fold and seed). Bold: their mean. A cross: a GAN that stopped because it was not finite."


def weight_of(results, member):
    """A member's weight of the classification loss; the config's where members do not differ in it."""
    return member.get("lambda_cls", setting(results, "lambda_cls"))


def weights(results):
    """The weights of the classification loss in a run, ascending."""
    every = {weight_of(results, member) for member in results["members"]}
    return sorted(weight for weight in every if is_finite(weight))


def weight_text(weight):
    """A weight in words: `λ 0`."""
    return f"λ {weight:g}"


def members_of(results, part, weight=None):
    """The members that did not fail and have a part: folds for "train" and "test", fold -1 for "all"."""
    return [
        member
        for member in results["members"]
        if not member.get("failed")
        and (member.get("fold") == WHOLE) == (part == "all")
        and (weight is None or weight_of(results, member) == weight)
    ]


def distance(results, part, name, weight=None, emotion=None):
    """Mean and deviation of a distance over folds and seeds: {"mean", "std", "n"}, None without one.

    `name` is "difference_source" and so on, `part` one of PARTS, `emotion` a class (None: the mean over classes). The
    source's distances know nothing of the weight: without one, each fold and seed counts once.
    """
    key, values = f"{'train' if part == 'all' else part}/{name}", {}
    for member in members_of(results, part, weight):
        metrics = member["metrics"] if emotion is None else (member.get("emotions") or {}).get(emotion) or {}
        if name.endswith("synthetic") and emotion in _halted(member):
            continue  # its last finite weights say nothing
        if is_finite(metrics.get(key)):
            values.setdefault((member.get("fold"), member.get("seed")), metrics[key])
    return spread(values.values())


def main_part(results):
    """The part that a run is judged by: the folds' training part, or all data where it has no folds."""
    return "train" if members_of(results, "train") else "all"


def distribution(results):
    """What Fig. 2 draws: {"source", "target", weight, ...: (mean [F], deviation [F])} in min-max space.

    The mean over the classes whose GAN came through, then over folds and seeds.
    """
    part = main_part(results)
    moments = {"source": _moments(results, part, lambda member, sets: [sets["source"]])}
    for weight in weights(results):
        moments[weight] = _moments(results, part, _synthetic, weight)
    moments["target"] = _moments(results, part, lambda member, sets: sets["target"].values())
    return {name: both for name, both in moments.items() if both is not None}


def _synthetic(member, sets):
    return [moments for name, moments in sets["synthetic"].items() if name not in _halted(member)]


def _halted(member):
    return [name for _, name, _ in stopped([member])]


def _moments(results, part, pick, weight=None):
    rows = []
    for member in members_of(results, part, weight):
        entries = pick(member, member["distribution"]) if member.get("distribution") else ()
        both = [np.array([entry["mean"], entry["std"]], dtype=float) for entry in entries]  # [2, F]
        both = [entry for entry in both if np.isfinite(entry).all()]
        if both:
            rows.append(np.mean(both, axis=0))
    return tuple(np.mean(rows, axis=0)) if rows else None


def projections(results):
    """One member of each weight with a projection, of the same fold and seed: {weight: member}; all data first."""
    places = {}
    for member in sorted(results["members"], key=lambda member: (member.get("fold", 0), member.get("seed", 0))):
        explained = (member.get("projection") or {}).get("explained") or ()
        if not member.get("failed") and explained and all(map(is_finite, explained)):
            places.setdefault((member.get("fold"), member.get("seed")), {})[weight_of(results, member)] = member
    complete = [cells for cells in places.values() if len(cells) == len(weights(results))] or list(places.values())
    return dict(sorted(complete[0].items(), key=lambda entry: entry[0] or 0.0)) if complete else {}


def pretraining(results):
    """The members of the first stage; [] where a run has none."""
    return ((results.get("stages") or {}).get("pretraining") or {}).get("members") or []


def objective(results):
    """The first stage's objective, which is the name of its loss: cycle or identity."""
    return (setting(results, "pretraining") or {}).get("objective") or "cycle"


def stopped(members):
    """The GANs that stopped: [(member, class, update)] in the members' order."""
    return [
        (member, name, gan.get("update"))
        for member in members
        for name, gan in (member.get("gans") or {}).items()
        if gan
    ]


def _stopped_in_words(member):
    return ", ".join(f"{name} at update {field_value(at)}" for _, name, at in stopped([member]))


def fold_text(member):
    """A member's fold and seed: `fold 2, seed 0`, `all data, seed 0`."""
    fold = "all data" if member.get("fold") == WHOLE else f"fold {member.get('fold')}"
    return f"{fold}, seed {member.get('seed')}"


def source_of(results):
    """The corpus whose vectors are transferred, as text."""
    return joined(setting(results, "source", MISSING))


def target_of(results):
    """The corpora that give the target emotions, as text."""
    return joined(results.get("corpus") or setting(results, "target", MISSING))


def run_title(results):
    """Where vectors come from and go to: `unlabelled to emodb, protocol leak_free`."""
    return f"{source_of(results)} to {target_of(results)}, protocol {setting(results, 'protocol', MISSING)}"


# Tables.


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
    first = next(iter(weights(results)), None)
    counts = {place: len(members_of(results, part, first)) for part, place in PARTS.items()}
    over = ", ".join(f"{place} {count}" for place, count in counts.items() if count) or "none"
    caption = f"{run_title(results)}: mean ± sample standard deviation over folds and seeds ({over})"
    notes = (DISTANCE_NOTE, paper.NOTE, *protocol_notes([results], REPORT))
    return Table(caption, columns, tuple(rows), notes, stubs=2)


def _distance_row(results, part, place, pair, kind, weight, source):
    mean, mmd, frechet = (distance(results, part, f"{name}_{kind}", weight) for name in DISTANCES)
    share = mean["mean"] / source["mean"] if mean and kind == "synthetic" and source["mean"] else None
    theirs = None
    if part != "test":
        theirs = paper.DIFFERENCE_SOURCE if kind == "source" else paper.DIFFERENCE_SYNTHETIC.get(weight)
    in_percent = f"{100 * share:.0f} %" if is_finite(share) else MISSING
    return (place, pair, mean_std(mean, 4), in_percent, number(theirs), mean_std(mmd), mean_std(frechet))


def emotion_table(results):
    """Mean |difference| of every emotion, on the part that the run is judged by and on the held-out part."""
    parts = [part for part in (main_part(results), "test") if distance(results, part, "difference_source")]
    columns, rows = ["emotion"], [[name] for name in results.get("classes") or ()]
    for part in parts:
        for kind, weight in [("source", None), *(("synthetic", weight) for weight in weights(results))]:
            name = "source" if weight is None else f"synthetic, {weight_text(weight)}"
            columns.append(f"{name} ({PARTS[part]})")
            for row in rows:
                row.append(mean_std(distance(results, part, f"difference_{kind}", weight, row[0]), 4))
    return Table("Mean |difference| to the target by emotion", tuple(columns), tuple(map(tuple, rows)))


def member_table(results):
    """One row for each member: fold, seed, weight, what became of it, and its distances on its training part."""
    rows = []
    for member in results["members"]:
        halted, weight = _stopped_in_words(member), weight_of(results, member)
        status = failure(member) or (f"stopped: {halted}" if halted else "finished")
        start = fold_text(member), weight_text(weight) if is_finite(weight) else MISSING, status
        values = [
            member["metrics"].get(f"train/{name}_{kind}") for name in DISTANCES for kind in ("source", "synthetic")
        ]
        held_out = member["metrics"].get("test/difference_synthetic")
        rows.append((*start, *map(number, values[:2], (4, 4)), number(held_out, 4), *map(number, values[2:])))
    columns = ["fold and seed", "weight", "status", "|difference| source", "synthetic", "synthetic, held out"]
    columns += [f"{TITLES[name]} {kind}" for name in DISTANCES[1:] for kind in ("source", "synthetic")]
    return Table("Every member, target against source and synthetic vectors", tuple(columns), tuple(rows), stubs=3)


def run_comparison(runs, *, group_by=()):
    """Tables of many runs, one for each value of the fields `group_by`: a row for each run and weight."""
    return [_comparison_table(group) for group in grouped(runs, group_by, REPORT.run_fields)]


def _comparison_table(runs):
    rows = []
    for place, run in enumerate(runs, 1):
        start = run_name(run, place), source_of(run), target_of(run), str(setting(run, "protocol", MISSING))
        main = main_part(run)
        for weight in weights(run):
            source, mean = distance(run, main, "difference_source"), distance(run, main, "difference_synthetic", weight)
            kinds = ("source", None), ("synthetic", weight)
            held = [distance(run, "test", f"difference_{kind}", only) for kind, only in kinds]
            distances = [distance(run, main, f"{name}_synthetic", weight) for name in DISTANCES[1:]]
            cells = [mean_std(source, 4), mean_std(mean, 4), number(paper.DIFFERENCE_SYNTHETIC.get(weight))]
            cells += [mean_std(entry, 4) for entry in held] + [mean_std(entry) for entry in distances]
            rows.append((*start, weight_text(weight), *cells))
    columns = ("run", "source", "target", "protocol", "weight", "source", "synthetic", "paper", "source, held out")
    columns += ("synthetic, held out", "MMD² synthetic", "Fréchet² synthetic")
    caption = "Mean |difference| to the target, on the training part unless said: mean ± deviation over folds and seeds"
    notes = DISTANCE_NOTE, paper.NOTE, *protocol_notes(runs, REPORT)
    return Table(caption, columns, tuple(rows), notes, stubs=5)


# Words and figures.


def _lead(results):
    part = main_part(results)
    source = distance(results, part, "difference_source")
    if not source:
        return f"{run_title(results)}: no member came through."
    parts = [f"source {mean_std(source, 4)} (paper: {number(paper.DIFFERENCE_SOURCE)})"]
    for weight in weights(results):
        entry = distance(results, part, "difference_synthetic", weight)
        theirs = paper.DIFFERENCE_SYNTHETIC.get(weight)
        beside = f" (paper: {number(theirs)})" if theirs else ""
        parts.append(f"synthetic, {weight_text(weight)}: {mean_std(entry, 4)}{beside}")
    return f"{run_title(results)}: mean |difference| to the target, {PARTS[part]}: {'; '.join(parts)}."


def _warnings(results):
    """A text for each member some of whose GANs stopped, in both stages, or whose vectors are no use."""
    texts = []
    for stage, members in (("", results["members"]), ("pretraining, ", pretraining(results))):
        for member in members:
            halted = _stopped_in_words(member)
            if halted:
                weight = "" if stage else f", {weight_text(weight_of(results, member))}"
                who = f"{stage}{fold_text(member)}{weight}"
                text = f"{who[0].upper()}{who[1:]}: GANs that were not finite any more stopped: {halted}."
                texts.append(f"{text} They are left out of every mean.")
        failed = [member for member in members if stage and member.get("failed")]
        texts += [f"Pretraining failed in {fold_text(member)}: {member['failed']}." for member in failed]
    return texts + _astray(results)


def _astray(results):
    """Texts about synthetic vectors on one spot, and about such as lie farther from the target than the source."""
    farther, spots, count = {}, {}, 0
    for member in (member for member in results["members"] if not member.get("failed")):
        where = f"{fold_text(member)}, {weight_text(weight_of(results, member))}"
        for name in (name for name in results.get("classes") or () if name not in _halted(member)):
            count += 1
            found = (member.get("emotions") or {}).get(name) or {}
            source, made = (found.get(f"train/difference_{kind}") for kind in ("source", "synthetic"))
            if is_finite(source) and is_finite(made) and made > source > 0:
                farther[f"{name} of {where}"] = made / source
            widths = _deviation(member, "synthetic", name), _deviation(member, "target", name)
            if all(map(is_finite, widths)) and widths[0] < SPOT * widths[1]:
                spots[f"{name} of {where}"] = widths[0] / widths[1]
    told = {
        "lie nearly on one spot, with {} of the target's deviation": spots,
        "lie farther from the target than the source does, at {} of its distance": farther,
    }
    return [
        f"Synthetic vectors of {len(found)} of {count} CycleGANs {text.format(_extent(found))} ({_listed(found)}). "
        "docs/cyclegan.md has a schedule for few vectors."
        for text, found in told.items()
        if found
    ]


def _extent(found):
    """The shares of some CycleGANs: `317 to 430 %`."""
    ends = dict.fromkeys(f"{100 * share:.0f}" for share in (min(found.values()), max(found.values())))
    return f"{' to '.join(ends)} %"


def _listed(found, most=3):
    """The worst of some CycleGANs by name."""
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(sorted(found, key=lambda name: -abs(found[name] - 1))[:most]) + more


def _deviation(member, kind, name):
    """The mean deviation of the features of Fig. 2 in a set's vectors of an emotion; None without."""
    moments = ((member.get("distribution") or {}).get(kind) or {}).get(name) or {}
    values = [value for value in moments.get("std") or () if is_finite(value)]
    return float(np.mean(values)) if values else None


@drawn
def feature_distributions(results):
    """Fig. 2: mean and deviation of a few features in source, synthetic and target vectors, min-max scaled.

    `results` as in results.json with "figure_features"; each row is a feature below its category, each mark the mean
    over emotions, folds and seeds (`distribution`), its bar one mean deviation to both sides.
    """
    moments = {
        name if isinstance(name, str) else f"synthetic, {weight_text(name)}": both
        for name, both in distribution(results).items()
    }
    return figures.marks_by_feature(moments, results["figure_features"])


@drawn
def projection(results):
    """Source, target and synthetic vectors on the first two principal components of source and target.

    A panel for the target and one for each weight, of one member of each weight (`projections`): grey is the
    source, colours and shapes are emotions, and a large hollow mark is an emotion's mean in the target. Panels share
    their axes, which carry the share of the variance. Raises ValueError without a projection.
    """
    members = projections(results)
    if not members:
        raise ValueError("no member of these results has a projection")
    first = next(iter(members.values()))["projection"]
    panels = {"target": (first, "target")}
    panels |= {f"synthetic, {weight_text(weight)}": (m["projection"], "synthetic") for weight, m in members.items()}
    return figures.scatter_panels(panels, results["classes"], first["explained"])


@drawn
def pretraining_curves(results):
    """The loss of the first stage (its objective's), a panel for each emotion: members faint, their mean bold.

    `results` as in results.json. A cross ends the line of a GAN that stopped because it was not finite. Raises
    ValueError where the run has no such stage.
    """
    stage = setting(results, "pretraining") or {}
    epochs = stage.get("row_epochs") or setting(results, "row_epochs", 1)
    groups = {"all folds": (pretraining(results), *figures.PLAIN)}
    return figures.loss_panels(groups, (objective(results),), results.get("classes") or (), epochs)


@drawn
def gan_curves(results):
    """The losses of the adversarial stage: a row for each loss, a column for each emotion, colours for the weights.

    `results` as in results.json. Lines are members (a fold and a seed), faint, and their mean, bold; panels of a row
    share their axis where they do not differ by orders. A cross ends the line of a GAN that stopped because it was not
    finite. Raises ValueError where no member recorded such losses.
    """
    groups = {}
    for place, weight in enumerate(weights(results)):
        members = [member for member in results["members"] if weight_of(results, member) == weight]
        groups[weight_text(weight)] = members, *figures.line_style(place)
    epochs = setting(results, "row_epochs", 1)
    return figures.loss_panels(groups, figures.LOSSES, results.get("classes") or (), epochs)


@drawn
def differences(runs, names):
    """Mean |difference| to the target of source (hollow) and synthetic vectors, a row for each run and weight."""
    rows = [(run, name, weight) for run, name in zip(runs, names, strict=True) for weight in weights(run)]
    figure, axes = subplots(6.6, 1.0 + 0.3 * len(rows))
    handles = {}
    for place, (run, _, weight) in enumerate(rows):
        part = main_part(run)
        for kind, only, face in (("source", None, SURFACE), ("synthetic", weight, COLOURS[0])):
            entry = distance(run, part, f"difference_{kind}", only)
            if entry:
                style = {"color": COLOURS[0], "markerfacecolor": face, "markersize": 6, "capsize": 3, "fmt": "o"}
                handles[kind] = axes.errorbar(entry["mean"], place, xerr=entry["std"], **style)
    axes.set_yticks(range(len(rows)), [f"{name}, {weight_text(weight)}" for _, name, weight in rows])
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="mean |difference| to the target, min-max scaled")
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure


def _distributions(results, report):
    if not results.get("figure_features") or len(distribution(results)) < 2:
        return ""
    caption = "Mean and deviation of a feature of each category, mean over the emotions, folds and seeds"
    if any(feature["category"] == "F0" for feature in results["figure_features"]):
        caption += "; F0, jitter and shimmer are 0, and count, where no frame of a recording is voiced"
    return picture(feature_distributions(results, format="inline"), caption)


def _projection(results, report):
    members = projections(results)
    if not members:
        return ""
    whose = fold_text(next(iter(members.values())))
    caption = f"Vectors on the first two principal components of source and target ({whose})"
    note = "Grey: source. Large hollow marks: the mean of an emotion's target vectors, the same in every panel."
    return picture(projection(results, format="inline"), caption) + paragraph(note, "muted")


def _pretraining(results, report):
    if not _recorded(pretraining(results)):
        return ""
    caption = f"Pretraining of the generators: {objective(results)} loss"
    return picture(pretraining_curves(results, format="inline"), caption)


def _losses(results, report):
    if not _recorded(results["members"]):
        return ""
    return picture(gan_curves(results, format="inline"), "Adversarial training: the losses of every GAN")


def _recorded(members):
    return any(name.startswith("train/") for name in recorded_metrics(members))


def _sections(results, drawings):
    curves = drawings["pretraining"] + drawings["losses"]
    return [
        Section("Distances", tables.html(distance_table(results)) + tables.html(emotion_table(results))),
        Section("Distributions", drawings["distributions"]),
        Section("Projection", drawings["projection"]),
        Section("Losses", (paragraph(LINES, "muted") if curves else "") + curves),
        Section("Members", tables.details(member_table(results))),
    ]


REPORT = Report(
    published=lambda results, name: paper.difference(name.get("lambda_cls", setting(results, "lambda_cls"))),
    note=paper.NOTE,
    run_fields=("source", "corpus", "protocol", "features"),
    title=lambda results: f"cyclegan: {source_of(results)} to {target_of(results)}",
    lead=_lead,
    headline=distance_table,
    warnings=_warnings,
    drawings={
        "distributions": _distributions,
        "projection": _projection,
        "pretraining": _pretraining,
        "losses": _losses,
    },
    sections=_sections,
    comparison=run_comparison,
    picture=lambda runs, names, *, format: (differences(runs, names, format=format), "Mean |difference| to the target"),
)
