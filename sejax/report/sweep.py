"""sweep.html: one self-contained page for a sweep, from its sweep.json; its table for a terminal, its figure."""

import shlex

import numpy as np

from sejax.core.files import write_text
from sejax.core.results import field_value, is_finite
from sejax.core.stores import path_of
from sejax.report import page, tables
from sejax.report.drawing import BLUE, INK, MUTED, ORANGE, drawn, subplots
from sejax.report.tables import Strong, Table, mean_std
from sejax.report.terms import MISSING, title

FILE = "sweep.html"
RANKED = (
    "Ranked by the validation part alone, with the weights that training keeps: the best epoch's where early stopping "
    "restores them, the last epoch's otherwise. The test part has no say in it."
)
PANELS_IN_A_ROW = 3
SPREAD = 0.16  # how far apart the trials of one choice are drawn, in choices


def write_sweep(workdir, sweep):
    """Write workdir/sweep.html from what sweep.json holds, and return its path."""
    path = path_of(workdir) / FILE
    write_text(path, sweep_page(sweep))
    return path


def sweep_page(sweep):
    """The page's text; without matplotlib it has its tables and says how to get the figure."""
    sections = [
        page.Section("The best trial", _best(sweep)),
        page.Section("Trials", tables.html(trial_table(sweep))),
        page.Section("Failures", tables.html(failures) if (failures := failure_table(sweep)) else ""),
        page.Section("What was swept", _what_was_swept(sweep)),
        page.Section("Config", page.folded("every setting", page.definitions(sweep["config"]))),
    ]
    first = page.paragraph(lead(sweep)) + page.paragraph(RANKED, "muted") + _picture(sweep)
    return page.document(f"Sweep of {sweep['experiment']}", first, sections)


def metric_title(sweep):
    """The score in words: `validation accuracy`."""
    return title(sweep["metric"], {})


def lead(sweep):
    """How far the sweep is and what it found, in a sentence or two."""
    done, asked = len(sweep["trials"]), sweep["asked"]
    failed = sum(bool(trial["failed"]) for trial in sweep["trials"])
    counts = f"{done} trials" if done == asked else f"{done} of {asked} trials so far"
    text = f"{counts}, {sweep['search']} search" + (f", {failed} failed" if failed else "") + ". "
    if not sweep["best"]:
        return text + "No trial has a score."
    best, which = sweep["best"], "lowest" if sweep["lower_is_better"] else "highest"
    over = f" (mean ± deviation of {best['n']} members)" if best["n"] > 1 else ""
    return text + f"The {which} {metric_title(sweep)} is {mean_std(_entry(best))}{over}: {_values(best)}."


def trial_table(sweep):
    """Every trial that is done, the best first; the best one's score is Strong."""
    done = {trial["trial"]: trial for trial in sweep["trials"]}
    rows = []
    for rank, number in enumerate(sweep["ranking"], start=1):
        trial = done[number]
        score = mean_std(_entry(trial), digits=4)
        score = Strong(score) if rank == 1 and not trial["failed"] else score
        values = [value_text(trial["values"][field]) for field in sweep["space"]]
        status = "failed" if trial["failed"] else trial["run"].rpartition("/")[2]
        rows.append((MISSING if trial["failed"] else str(rank), *values, score, str(trial["n"]), str(number), status))
    columns = ("rank", *sweep["space"], metric_title(sweep), "members", "trial", "run")
    name = metric_title(sweep)
    caption = f"{name[0].upper()}{name[1:]}, mean ± sample deviation over members"
    return Table(caption, columns, tuple(rows), (RANKED,))


def failure_table(sweep):
    """Why trials failed; None where none did."""
    rows = [(str(trial["trial"]), _values(trial), trial["failed"]) for trial in sweep["trials"] if trial["failed"]]
    caption = "Trials in which something failed; they rank last"
    return Table(caption, ("trial", "values", "reason"), tuple(rows), stubs=3) if rows else None


def value_text(value):
    """A value of a field in a cell."""
    return "+".join(map(value_text, value)) if isinstance(value, list | tuple) else field_value(value)


def _entry(trial):
    return {"mean": trial["score"], "std": trial["std"], "n": trial["n"]}


def _values(trial):
    return ", ".join(f"{field} {value_text(value)}" for field, value in trial["values"].items())


def _best(sweep):
    if not sweep["best"]:
        return page.paragraph("No trial has a score yet.", "warning")
    again = page.preformatted(_lines(sweep["best"]["command"]))
    return page.paragraph("Train it again, in a folder of its own:") + again


def _lines(command):
    """A command with a line for each of its flags, still one command to a shell."""
    words = shlex.split(command)
    first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return " \\\n  ".join([shlex.join(words[:first]), *map(shlex.quote, words[first:])])


def _picture(sweep):
    if not any(is_finite(trial["score"]) and not trial["failed"] for trial in sweep["trials"]):
        return ""
    label = metric_title(sweep)
    try:
        drawing = swept_fields(sweep, label=label, format="inline")
    except ImportError as error:
        return page.paragraph(f"No figure here: {error}.", "warning")
    return page.picture(drawing, f"Every swept field against the {label}")


def _what_was_swept(sweep):
    return page.definitions(sweep["space"] | {"search": sweep["search"], "seed of the draws": sweep["seed"]})


@drawn
def swept_fields(sweep, *, label):
    """A panel for each swept field: its values against the score of every trial, deviations faint, the best orange.

    `sweep` as in sweep.json. Choices stand beside one another with a bar at the mean of their trials, numbers on
    their own axis; trials without a score, or in which something failed, are not drawn. `label` names the score.
    """
    trials = [trial for trial in sweep["trials"] if is_finite(trial["score"]) and not trial["failed"]]
    fields, best = list(sweep["space"]), (sweep["best"] or {}).get("trial")
    rows = -(-len(fields) // PANELS_IN_A_ROW)
    columns = -(-len(fields) // rows)
    size = max(3.4, 2.9 * columns + 0.4), 2.45 * rows + 0.35
    figure, panels = subplots(*size, rows, columns, squeeze=False, sharey=True)
    for axes, field in zip(panels.flat, fields, strict=False):
        places = _field_axis(axes, sweep["space"][field], [trial["values"][field] for trial in trials])
        scores = [trial["score"] for trial in trials]
        for place, trial in zip(places, trials, strict=True):
            chosen = trial["trial"] == best
            axes.errorbar(place, trial["score"], trial["std"], color=MUTED, alpha=0.45, linewidth=0.9, zorder=1)
            style = {"color": ORANGE, "markersize": 8, "zorder": 4} if chosen else {"color": BLUE, "markersize": 5}
            axes.plot(place, trial["score"], "o", alpha=1.0 if chosen else 0.75, **style)
        if "|" in sweep["space"][field]:
            _means(axes, np.round(places), scores)
        axes.set_xlabel(field)
    for axes in panels[:, 0]:
        axes.set_ylabel(label)
    for axes in list(panels.flat)[len(fields) :]:
        axes.set_visible(False)
    _legend(figure, with_means=any("|" in text for text in sweep["space"].values()))
    return figure


def _field_axis(axes, domain, values):
    """Where the values of a field stand on the axis, which is made for them."""
    if "|" in domain:
        names = [_text(choice) for choice in domain.split("|")]
        places = np.array([names.index(_text(value)) for value in values], float)
        for choice in range(len(names)):  # side by side, in the order of the trials
            rows = np.flatnonzero(places == choice)
            places[rows] += np.linspace(-SPREAD, SPREAD, len(rows)) if len(rows) > 1 else 0.0
        crowded = sum(map(len, names)) > 26
        turn = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(range(len(names)), names, **turn)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.grid(axis="x", visible=False)
        return places
    if not all(is_finite(value) for value in values):  # one value of another type
        axes.set_xticks([0], [domain])
        return np.zeros(len(values))
    if domain.startswith("log:"):
        axes.set_xscale("log")
        few = max(values) / min(values) < 300 if values else True  # so few decades that their powers are too few marks
        axes.xaxis.get_major_locator().set_params(subs=(1.0, 3.0) if few else (1.0,))
        axes.xaxis.set_major_formatter(lambda value, _: field_value(value))
        axes.minorticks_off()
    elif ".." in domain:
        axes.xaxis.get_major_locator().set_params(integer=True)
    return np.array(values, float)


def _means(axes, choices, scores):
    for choice in sorted(set(choices)):
        mean = np.mean([score for place, score in zip(choices, scores, strict=True) if place == choice])
        axes.plot([choice - 0.3, choice + 0.3], [mean, mean], color=INK, linewidth=1.6, zorder=3)


def _legend(figure, *, with_means):
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=BLUE, marker="o", linestyle="none", markersize=5, label="trial"),
        Line2D([], [], color=ORANGE, marker="o", linestyle="none", markersize=8, label="best"),
        Line2D([], [], color=MUTED, alpha=0.45, label="± deviation over members"),
    ]
    handles += [Line2D([], [], color=INK, linewidth=1.6, label="mean of a choice's trials")] * with_means
    figure.legend(handles=handles, loc="outside upper left", ncols=2 if len(figure.axes) < 2 else 4)


def _text(value):
    """A choice as it is compared and written: 1e-3 and 0.001 are one, a list's entries are joined by +."""
    if isinstance(value, list | tuple):
        return "+".join(map(_text, value))
    try:
        return field_value(float(value)) if not isinstance(value, bool) else str(value).lower()
    except ValueError:
        return value.strip()
