"""The report of models whose ratings are numbers (`target=regression`): CCC, correlation and errors by dimension."""

from dataclasses import replace

from sejax.experiments.dcgan import report as dcgan
from sejax.report import Metric, Report, score_tables, tables
from sejax.report.page import Section
from sejax.report.run import score
from sejax.report.score_tables import OVER
from sejax.report.tables import Table
from sejax.report.terms import protocol_notes


def _table(results):
    """Ratings as numbers: a row for each model and dimension, means and deviations over folds and seeds."""
    rows = []
    for model in dcgan.models(results):
        for part, dimension in (("test", "valence"), ("test_activation", "activation")):
            found = {name: score(model, f"{part}/{name}") for name in VALUES}
            if found["ccc"]:
                cells = [tables.mean_std(found[name]) for name in VALUES]
                rows.append((model.label, dimension, str(found["ccc"]["n"]), *cells))
    columns = ("model", "rating", "n", *(kind.title for kind in VALUES.values()))
    caption = f"Ratings as numbers, test part. {dcgan.run_title(results)}; {OVER}"
    about = [dcgan.DERIVED_NOTE] if dcgan.derived(results) else []
    notes = (REGRESSION_NOTE, *about, *protocol_notes([results], REGRESSION))
    return Table(caption, columns, tuple(rows), notes, stubs=2)


def _lead(results):
    figures = {model.label: score(model, "test/ccc") for model in dcgan.models(results)}
    text = "; ".join(f"{name} {tables.mean_std(found)}" for name, found in figures.items() if found)
    return f"{dcgan.run_title(results)}. CCC of valence: {text}."


def _sections(results, drawings):
    return [
        Section("Results", tables.html(_table(results))),
        Section("Training curves", drawings["curves"]),
        Section("Generated spectrograms", drawings["gallery"]),
        Section("Members", tables.html(score_tables.scored_members(results, REGRESSION, caption="Every member"))),
    ]


REGRESSION_NOTE = (
    "CCC: Lin's concordance correlation coefficient over a fold's test utterances; ρ: Pearson's, which does not see "
    "another mean or spread. RMSE and MAE in units of the corpus's own scale. The epoch was chosen by the CCC of "
    "valence on the validation part. The paper rates points, and has no such figures."
)
VALUES = {
    "ccc": Metric("CCC", "CCC", "difference of CCC", share=False),
    "pearson": Metric("ρ", "ρ", "difference of ρ", share=False),
    "rmse": Metric("RMSE", "RMSE", "difference of RMSE", share=False),
    "mae": Metric("MAE", "MAE", "difference of MAE", share=False),
}
REGRESSION = replace(
    dcgan.REPORT,  # as to models, members and generated spectrograms
    published=Report().published,
    note="",
    metrics=VALUES,
    percent=False,
    pairs=Report().pairs,
    chance=Report().chance,
    members={f"test/{name}": kind.title for name, kind in VALUES.items()} | {"valid/ccc": "validation CCC"},
    lead=_lead,
    headline=_table,
    drawings={name: dcgan.REPORT.drawings[name] for name in ("curves", "gallery")},
    sections=_sections,
    comparison=None,
    picture=None,
)
