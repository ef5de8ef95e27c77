"""The report of networks compared at several learning rates: any run's, beside Table II."""

from sejax.experiments.transfer.published import NOTE, PROTOCOL_NOTE, published
from sejax.report import Report
from sejax.report.terms import setting


def _published(results, name):
    return published(*(name.get(field, setting(results, field)) for field in ("model", "learning_rate")))


REPORT = Report(published=_published, note=NOTE, protocol_note=PROTOCOL_NOTE)
