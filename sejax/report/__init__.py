"""What a run leaves for its reader: tables, figures and report.html, made of results.json alone.

`Report` is what an experiment says of its own; each has one in `sejax.experiments.NAME.report`, and nothing here knows
any of them. `run` reads results.json: variants, scores by fold and seed, paired differences, confusions; `terms` are
the words for it. `tables`, `score_tables`, `score_figures`, `curves`, `confusion`, `sound` and `utterance` show it,
`drawing` and `page` say how all of that looks, `html` puts report.html together. `sweep` reports on sweeps.
`paired` sets runs against each other over `folds`, by the intervals and tests of `inference`; `forest` draws that,
`comparing` prints and writes it.

Nothing here imports JAX; matplotlib is imported when a figure is drawn, scipy when an interval is computed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Results = Mapping[str, Any]  # what results.json holds


class Metric(NamedTuple):
    """A score of variants as tables and figures show it.

    Attributes:
      title: the name of its column.
      axis, gain_axis: what figures call it, and differences of it.
      share: whether it is a share, which figures draw in %.
      digits: decimals of a single value that is no share.
    """

    title: str
    axis: str = ""
    gain_axis: str = ""
    share: bool = True
    digits: int = 3


def _no_figures(results: Results, name: Mapping[str, Any]) -> dict[str, float]:
    del results, name
    return {}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an experiment's runs have that others do not. `Report()` is that of any run; None: as any run has it.

    Of the paper:
      published: ``(results, a variant's name) -> {metric: figure}`` by the keys of results.json, {} where it has none.
      note: where its figures stand and where it contradicts itself. protocol_note: what it says of splits and tests.
      protocols: protocols that mean something else than `sejax.report.terms.PROTOCOLS` has under their name.

    Of variants, for `sejax.report.score_tables` and `score_figures`:
      variant: the member's field that tells variants apart; labels: what the paper calls its values, in its order.
      metrics: the scores by the name that follows ``test/`` and ``valid/``. percent: whether tables write shares in %.
      pairs: ``results -> [(Variant, Variant)]``, what is compared fold by fold and seed by seed.
      chance: ``(results, metric) -> share``, what answering blindly reaches; None where it is not known.
      apart: ``Variant -> key``; where it changes, rows of a figure stand apart.
      members: metrics of the table of members, {key of results.json: column}. kept: the column of the kept epoch.
      status: what became of a member that did not fail.
      criterion: the validation figure by which a run chooses where its config names none: "accuracy" or "uar".
      run_fields: config fields that runs are told apart and grouped by.

    Of the page:
      title, lead: ``results -> text``: the page's title; the result in a sentence, behind a line break what
        else there is to say, which stands below the first figure.
      headline: ``results -> Table`` that a run prints at its end.
      warnings: ``results -> texts`` about what went wrong in parts of members that did not fail as a whole.
      drawings: name -> ``(results, Report) -> figure as HTML``, "" where there is nothing to draw.
      sections: ``(results, {name: HTML of drawings}) -> [page.Section]`` between what was run and the environment.
      comparison: ``(runs, group_by=) -> Tables`` that set many runs side by side; ValueError for an unknown field.
      paper_tables: ``runs -> Tables`` of the paper with the figures of many runs in their places, below the comparison.
      picture: ``(runs, names, format=) -> figure of many runs, caption``.
      instead: ``results -> Report`` that reports this run in place of it; None where it does itself.
      elsewhere: entries of results.json's "data" that a section shows, and the list of what was run does not.
    """

    published: Callable[[Results, Mapping[str, Any]], Mapping[str, float]] = _no_figures
    note: str = ""
    protocol_note: str = ""
    protocols: Mapping[str, str] = field(default_factory=dict)

    variant: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    percent: bool = False
    pairs: Callable[[Results], list] = lambda results: []
    chance: Callable[[Results, str], float | None] = lambda results, metric: None
    apart: Callable[[Any], Any] = lambda variant: None
    members: Mapping[str, str] = field(default_factory=dict)
    kept: str = "kept"
    status: Callable[[Mapping], str] = lambda member: "finished"
    criterion: str = "accuracy"
    run_fields: tuple[str, ...] = ("corpus", "protocol", "trainable")

    title: Callable[[Results], str] | None = None
    lead: Callable[[Results], str] | None = None
    headline: Callable[[Results], Any] | None = None
    warnings: Callable[[Results], list[str]] = lambda results: []
    drawings: Mapping[str, Callable[..., str]] | None = None
    sections: Callable[[Results, Mapping[str, str]], list] | None = None
    comparison: Callable[..., list] | None = None
    paper_tables: Callable[[list[Results]], list] = lambda runs: []
    picture: Callable[..., tuple[Any, str]] | None = None
    instead: Callable[[Results], "Report | None"] = lambda results: None
    elsewhere: tuple[str, ...] = ()
