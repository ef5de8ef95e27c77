"""sweep.html: one self-contained page for a sweep, from its sweep.json; and its table for a terminal."""

import shlex
from pathlib import Path

from sejax.core.files import write_text
from sejax.report import page, tables
from sejax.report.results import field_value, is_finite
from sejax.report.sweep_figures import swept_fields
from sejax.report.tables import Strong, Table, mean_std
from sejax.report.terms import MISSING, title

FILE = "sweep.html"


def write_sweep(workdir, found):
    """Write workdir/sweep.html from what sweep.json holds, and return its path."""
    path = Path(workdir) / FILE
    write_text(path, sweep_page(found))
    return path


def sweep_page(found):
    """The page's text; without matplotlib it has its tables and says how to get the figure."""
    sections = [
        page.Section("The best trial", _best(found)),
        page.Section("Scores", _picture(found)),
        page.Section("Trials", tables.html(trial_table(found))),
        page.Section("Failures", tables.html(failures) if (failures := failure_table(found)) else ""),
        page.Section("What was swept", _what_was_swept(found)),
        page.Section("Config", page.definitions(found["config"])),
    ]
    return page.document(f"Sweep of {found['experiment']}", page.paragraph(lead(found)), sections)


def metric_title(found):
    """The score in words: `validation accuracy`."""
    return title(found["metric"], {})


def lead(found):
    """How far the sweep is and what it found, in a sentence or two."""
    done, asked = len(found["trials"]), found["asked"]
    failed = sum(bool(trial["failed"]) for trial in found["trials"])
    counts = f"{done} trials" if done == asked else f"{done} of {asked} trials so far"
    text = f"{counts}, {found['search']} search" + (f", {failed} failed" if failed else "") + ". "
    if not found["best"]:
        return text + "No trial has a score."
    best, which = found["best"], "lowest" if found["lower_is_better"] else "highest"
    over = f" (mean ± deviation of {best['n']} members)" if best["n"] > 1 else ""
    return text + f"The {which} {metric_title(found)} is {mean_std(_entry(best))}{over}: {_values(best)}."


def trial_table(found):
    """Every trial that is done, the best first; the best one's score is Strong."""
    done = {trial["trial"]: trial for trial in found["trials"]}
    rows = []
    for rank, number in enumerate(found["ranking"], start=1):
        trial = done[number]
        score = mean_std(_entry(trial), digits=4)
        score = Strong(score) if rank == 1 and not trial["failed"] else score
        values = [value_text(trial["values"][field]) for field in found["space"]]
        status = "failed" if trial["failed"] else trial["run"].rpartition("/")[2]
        rows.append((MISSING if trial["failed"] else str(rank), *values, score, str(trial["n"]), str(number), status))
    columns = ("rank", *found["space"], metric_title(found), "members", "trial", "run")
    notes = (
        "Ranked by the validation part alone, with the weights that training keeps: the best epoch's where early "
        "stopping restores them, the last epoch's otherwise. The test part has no say in it.",
    )
    name = metric_title(found)
    caption = f"{name[0].upper()}{name[1:]}, mean ± sample deviation over members"
    return Table(caption, columns, tuple(rows), notes)


def failure_table(found):
    """Why trials failed; None where none did."""
    rows = [(str(trial["trial"]), _values(trial), trial["failed"]) for trial in found["trials"] if trial["failed"]]
    caption = "Trials in which something failed; they rank last"
    return Table(caption, ("trial", "values", "reason"), tuple(rows), stubs=3) if rows else None


def value_text(value):
    """A value of a field in a cell."""
    return "+".join(map(value_text, value)) if isinstance(value, list | tuple) else field_value(value)


def _entry(trial):
    return {"mean": trial["score"], "std": trial["std"], "n": trial["n"]}


def _values(trial):
    return ", ".join(f"{field} {value_text(value)}" for field, value in trial["values"].items())


def _best(found):
    if not found["best"]:
        return page.paragraph("No trial has a score yet.", "warning")
    again = page.preformatted(_lines(found["best"]["command"]))
    return page.paragraph("Train it again, in a folder of its own:") + again


def _lines(command):
    """A command with a line for each of its flags, still one command to a shell."""
    words = shlex.split(command)
    first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return " \\\n  ".join([shlex.join(words[:first]), *map(shlex.quote, words[first:])])


def _picture(found):
    if not any(is_finite(trial["score"]) and not trial["failed"] for trial in found["trials"]):
        return ""
    label = metric_title(found)
    try:
        drawing = swept_fields(found, label=label, format="inline")
    except ImportError as error:
        return page.paragraph(f"No figure here: {error}.", "warning")
    return page.picture(drawing, f"Every swept field against the {label}")


def _what_was_swept(found):
    return page.definitions(found["space"] | {"search": found["search"], "seed of the draws": found["seed"]})
