"""The sections of a CycleGAN run's report: Table 1, Fig. 2, a projection, and the losses of every GAN."""

from sejax.report import cyclegan, tables
from sejax.report.cyclegan import distance, fold_text, main_part, objective, weight_of, weight_text, weights
from sejax.report.cyclegan_figures import differences, feature_distributions, projection
from sejax.report.cyclegan_tables import (
    distance_table,
    emotion_table,
    member_table,
    run_comparison,
    run_title,
    source_of,
    target_of,
)
from sejax.report.gan_curves import gan_curves, pretraining_curves
from sejax.report.page import Section, paragraph, picture
from sejax.report.published.cyclegan import DIFFERENCE_SOURCE, DIFFERENCE_SYNTHETIC
from sejax.report.results import field_value
from sejax.report.tables import mean_std, number
from sejax.report.views import View

LINES = "Faint: each member (fold and seed). Bold: their mean. A cross: a GAN that stopped because it was not finite."


def _title(results):
    return f"cyclegan: {source_of(results)} to {target_of(results)}"


def _lead(results):
    part = main_part(results)
    source = distance(results, part, "difference_source")
    if not source:
        return f"{run_title(results)}: no member came through."
    told = [f"source {mean_std(source, 4)} (paper: {number(DIFFERENCE_SOURCE)})"]
    for weight in weights(results):
        entry = distance(results, part, "difference_synthetic", weight)
        theirs = DIFFERENCE_SYNTHETIC.get(weight)
        beside = f" (paper: {number(theirs)})" if theirs else ""
        told.append(f"synthetic, {weight_text(weight)}: {mean_std(entry, 4)}{beside}")
    return f"{run_title(results)}: mean |difference| to the target, {cyclegan.PARTS[part]}: {'; '.join(told)}."


def _warnings(results):
    """A text for each member some of whose GANs stopped, in both stages."""
    found = []
    for stage, members in (("", results["members"]), ("pretraining, ", cyclegan.pretraining(results))):
        for member in members:
            halted = [f"{name} at update {field_value(at)}" for _, name, at in cyclegan.stopped([member])]
            if halted:
                weight = "" if stage else f", {weight_text(weight_of(results, member))}"
                who = f"{stage}{fold_text(member)}{weight}"
                text = f"{who[0].upper()}{who[1:]}: GANs that were not finite any more stopped: {', '.join(halted)}."
                found.append(f"{text} They are left out of every mean.")
        failed = [member for member in members if stage and member.get("failed")]
        found += [f"Pretraining failed in {fold_text(member)}: {member['failed']}." for member in failed]
    return found


def _distributions(results):
    if not results.get("figure_features") or len(cyclegan.distribution(results)) < 2:
        return ""
    caption = "Mean and deviation of a feature of each category, mean over the emotions, folds and seeds"
    return picture(feature_distributions(results, format="inline"), caption)


def _projection(results):
    members = cyclegan.projections(results)
    if not members:
        return ""
    whose = fold_text(next(iter(members.values())))
    caption = f"Vectors on the first two principal components of source and target ({whose})"
    note = "Grey: source. Large hollow marks: the mean of an emotion's target vectors, the same in every panel."
    return picture(projection(results, format="inline"), caption) + paragraph(note, "muted")


def _pretraining(results):
    if not _recorded(cyclegan.pretraining(results)):
        return ""
    caption = f"Pretraining of the generators: {objective(results)} loss"
    return picture(pretraining_curves(results, format="inline"), caption)


def _losses(results):
    if not _recorded(results["members"]):
        return ""
    return picture(gan_curves(results, format="inline"), "Adversarial training: the losses of every GAN")


def _recorded(members):
    return any(name.startswith("train/") for member in members for row in member.get("history") or () for name in row)


def _sections(results, drawings):
    curves = drawings["pretraining"] + drawings["losses"]
    table = tables.html(distance_table(results)) + tables.html(emotion_table(results))
    return [
        Section("Distances", table),
        Section("Distributions", drawings["distributions"]),
        Section("Projection", drawings["projection"]),
        Section("Losses", (paragraph(LINES, "muted") if curves else "") + curves),
        Section("Members", tables.html(member_table(results))),
    ]


def _picture(runs, names, *, format):
    return differences(runs, names, format=format), "Mean |difference| to the target"


VIEW = View(
    title=_title,
    headline=distance_table,
    lead=_lead,
    warnings=_warnings,
    drawings={
        "distributions": _distributions,
        "projection": _projection,
        "pretraining": _pretraining,
        "losses": _losses,
    },
    sections=_sections,
    comparison=run_comparison,
    picture=_picture,
)
