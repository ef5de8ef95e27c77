"""What an experiment's report shows beyond the general one: one View for each, found by the experiment's name.

An experiment that is not in VIEWS has the general headline, sections and comparison.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

VIEWS = {
    "cyclegan": "sejax.report.cyclegan_sections",
    "augmentation": "sejax.report.augmentation_sections",
    "dcgan": "sejax.report.dcgan_sections",
    "audio_text": "sejax.report.audio_text_sections",
}


@dataclass(frozen=True)
class View:
    """One experiment's way of showing its runs; `results` is a run's results.json, `runs` a list of them.

    Attributes:
      title: results -> the page's title.
      headline: results -> the Table that a run prints at its end.
      lead: results -> the result in a sentence.
      warnings: results -> texts about what went wrong in parts of members that did not fail as a whole.
      drawings: name -> (results -> a figure as HTML, "" where there is nothing to draw).
      sections: (results, {name: HTML of drawings}) -> [page.Section] between what was run and the environment.
      comparison: (runs, group_by) -> Tables that set many runs side by side; ValueError for an unknown field.
      picture: (runs, names, format) -> one figure of many runs and its caption.
      elsewhere: entries of results.json's "data" that a section shows, and the list of what was run does not.
    """

    title: Callable[[dict], str]
    headline: Callable[[dict], Any]
    lead: Callable[[dict], str]
    warnings: Callable[[dict], list[str]]
    drawings: dict[str, Callable[[dict], str]]
    sections: Callable[[dict, dict], list]
    comparison: Callable[..., list]
    picture: Callable[..., tuple]
    elsewhere: tuple[str, ...] = ()


def view_of(results):
    """The View of a run's experiment; None for an experiment with the general report."""
    return _view(results["experiment"])


@cache
def _view(experiment):
    # By name, because a view's modules use tables and figures that ask for views themselves.
    return import_module(VIEWS[experiment]).VIEW if experiment in VIEWS else None
