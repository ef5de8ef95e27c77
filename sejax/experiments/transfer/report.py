"""The report of networks compared at several learning rates: any run's, beside Table II."""

from sejax.experiments.transfer.published import NOTE, PROTOCOL_NOTE, published
from sejax.report import Report, tables
from sejax.report.html import sections_of
from sejax.report.page import Section
from sejax.report.terms import MISSING, setting


def _published(results, name):
    return published(*(name.get(field, setting(results, field)) for field in ("model", "learning_rate")))


def networks(results):
    """The table of a run's networks: what each sees or hears of an example, its size, how long an update took."""
    data, rows = results.get("data") or {}, []
    inputs, parameters, seconds = (data.get(name) or {} for name in ("input", "parameters", "update_seconds"))
    for name in inputs:
        count = f"{parameters[name]:,}" if name in parameters else MISSING
        rows.append((name, inputs[name], count, tables.number(seconds.get(name))))
    notes = (
        "Parameters are those below the head; an update's seconds are those of one member, with the evaluation at the "
        "ends of epochs, without compiling.",
        "Chunks of one recording have one answer where a network hears recordings: compare figures by utterance.",
    )
    heard = notes if "recording" in inputs.values() else notes[:1]
    return tables.Table("Networks", ("network", "an example", "parameters", "s / update"), tuple(rows), heard)


def _sections(results, drawings):
    found, *others = sections_of(results, drawings, REPORT)
    table = networks(results)
    return [found, *([Section("Networks", tables.html(table))] if table.rows else []), *others]


REPORT = Report(
    published=_published,
    note=NOTE,
    protocol_note=PROTOCOL_NOTE,
    sections=_sections,
    elsewhere=("input", "parameters"),
)
