"""How a run's answers hold when recordings are quieter, noisy, narrow or compressed: the table and figure of a file.

The file, robustness.json in the run's folder, is made by `sejax robustness`; most runs have none.
"""

import json
from functools import partial

from sejax.core.files import damaged, digest_of, plain, read_json
from sejax.core.results import is_finite, label, name_of
from sejax.core.stores import path_of
from sejax.errors import typed
from sejax.report import Report, tables
from sejax.report.drawing import COLOURS, INK, MUTED, drawn, subplots
from sejax.report.page import paragraph, picture
from sejax.report.terms import protocol_notes

FILE = "robustness.json"
REMEDY = f"delete it, and {typed('robustness')} makes it again"
COLUMNS = {"right": "right", "uar": "UAR", "same": "same as untouched", "moved": "points moved"}
KINDS = {"gain": ("untouched", "gain"), "white": ("white",), "babble": ("babble",), "channel": ("band", "mp3")}
PANELS = (("Quieter", "gain (dB)"), ("Noise", "signal-to-noise ratio (dB)"), ("Channel", ""))
CHANNELS, NOISES = ("8 kHz", "MP3"), ("white noise", "babble")
STYLES = {
    "right": {"marker": "o", "markersize": 5, "linewidth": 2},
    "same": {"marker": "o", "markersize": 4, "markerfacecolor": "none", "linestyle": ":", "linewidth": 1.2},
}
READING = (
    "Right: the share of the utterances that are answered rightly. UAR: the mean recall of the classes that occur. "
    "Same as untouched: the share that is answered as the untouched recording is. The ratio of a noise is taken over "
    "the whole recording, pauses included."
)
RATED = (
    "Right is the point nearest to the mean rating, of two equally near ones the upper. Points moved: the mean "
    "distance of the expected rating from that of the untouched recording."
)
UNANSWERED = "No answer (no voice is found any more, say) is neither right nor the same."


def digest_of_run(results):
    """What tells the members of a finished run from those of another training, 32 hex digits."""
    figures = [member.get("metrics") for member in results["members"]]
    return digest_of(json.dumps(plain(figures), sort_keys=True).encode())


def read_robustness(workdir):
    """What robustness.json in a run's folder holds; None where there is none.

    Raises InputError for a damaged file.
    """
    path = path_of(workdir) / FILE
    if not path.is_file():
        return None
    found = read_json(path, REMEDY)
    rows = found.get("conditions")
    if not isinstance(rows, list) or not rows or not all(isinstance(row.get("scores"), dict) for row in rows):
        raise damaged(path, "it has no conditions", REMEDY)
    return found


def is_of(found, results):
    """Whether the file is of the run as it is now trained."""
    return found.get("run") == digest_of_run(results)


def robustness_table(found, results, report: Report):
    """A row for each condition: right, UAR and the same as untouched, of each rated dimension where there are some."""
    conditions = found["conditions"]
    dimensions = list(conditions[0]["scores"])
    columns = [name for name in COLUMNS if any(name in row["scores"][dimensions[0]] for row in conditions)]
    unanswered = any(row["scores"][dimensions[0]]["unanswered"] for row in conditions)
    rows = []
    for row in conditions:
        cells = [tables.number(row["scores"][dimension].get(name)) for dimension in dimensions for name in columns]
        count = [str(row["scores"][dimensions[0]]["unanswered"])] if unanswered else []
        rows.append((row["condition"], *cells, *count))
    titles = [_title(dimension, COLUMNS[name]) for dimension in dimensions for name in columns]
    titles += ["no answer"] if unanswered else []
    notes = _notes(found, results, report, unanswered)
    return tables.Table(_caption(found, results), ("condition", *titles), tuple(rows), notes)


def _title(dimension, column):
    return f"{dimension}: {column}" if dimension else column


def _caption(found, results):
    count, known = (found["conditions"][0]["scores"][_first(found)][name] for name in ("utterances", "labelled"))
    labelled = "" if known == count else f", {known} of them with a known answer"
    ratings = f", ratings {results['ratings']}" if "ratings" in results else ""
    protocol = f"protocol {found['protocol']}{ratings}"
    return f"Degraded recordings: {count} utterances of {found['corpus']}{labelled}, {protocol}"


def _first(found):
    return next(iter(found["conditions"][0]["scores"]))


def _notes(found, results, report, unanswered):
    judges = found["judges"]
    seen = sum(sum(judge["seen"]) for judge in judges)
    count = sum(len(judge["ids"]) for judge in judges)
    notes = [f"Judged as in prediction, each by a member that tests it: {_who(judges, report)}.", READING]
    notes += [RATED] if _first(found) else []
    notes += [UNANSWERED] if unanswered else []
    notes += protocol_notes([results], report)
    if seen:
        notes.append(
            f"Of {seen} of the {count} utterances other parts trained or validated the member that judges them: these "
            "figures say how answers change, and not how good they are."
        )
    return (*notes, f"Made by {found['command']}") if found.get("command") else tuple(notes)


def _who(judges, report):
    """The members in a line: `12 utterances by each of 5 members, fold 0, 1, 2, 3, 4, seed 0`."""
    counts = sorted({len(judge["ids"]) for judge in judges})
    each = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    name = name_of(judges[0]["member"])
    variant = label({field: report.labels.get(value, value) for field, value in name.items()})
    repeats = {
        field: dict.fromkeys(str(judge["member"][field]) for judge in judges)
        for field in ("fold", "seed")
        if field in judges[0]["member"]
    }
    names = [variant] * bool(variant) + [f"{field} {', '.join(values)}" for field, values in repeats.items()]
    members = "one member" if len(judges) == 1 else f"each of {len(judges)} members"
    return f"{each} utterances by {members} ({'; '.join(names)})" if names else f"{each} utterances by {members}"


@drawn
def right_answers(found):
    """Shares of right and of unchanged answers over gain, noise and channel, a row for each rated dimension."""
    dimensions = list(found["conditions"][0]["scores"])
    ratios = {"width_ratios": (3, 3, 1.2)}
    figure, grid = subplots(7.4, 0.8 + 2.1 * len(dimensions), len(dimensions), 3, squeeze=False, sharey=True, **ratios)
    for axes, dimension in zip(grid, dimensions, strict=True):
        draw = {kind: partial(_draw, rows=_of_kind(found, kind), dimension=dimension) for kind in KINDS}
        draw["gain"](axes[0], colour=COLOURS[0])
        draw["white"](axes[1], colour=COLOURS[1])
        draw["babble"](axes[1], colour=COLOURS[2])
        draw["channel"](axes[2], colour=COLOURS[3])
        _draw_untouched(axes[1:], found["conditions"][0]["scores"][dimension]["right"])
        axes[0].set_ylabel(f"{dimension} (%)" if dimension else "utterances (%)")
        axes[0].set_ylim(-3, 103)
    for axes in (axes for row in grid for axes in row[:2]):
        axes.invert_xaxis()
    for axes, (title, below) in zip(grid.T, PANELS, strict=True):
        axes[0].set_title(title)
        axes[-1].set_xlabel(below)
    legend = _legend()
    figure.legend(legend.values(), legend, loc="outside upper left", ncols=len(legend))
    return figure


def _of_kind(found, kind):
    """The conditions of a kind, each with its place on the axis: decibels, or a number."""
    rows = [row for row in found["conditions"] if row["kind"] in KINDS[kind]]
    if kind == "channel":
        return list(enumerate(rows))
    return sorted(((row["decibels"] or 0, row) for row in rows), key=lambda entry: -entry[0])


def _draw(axes, *, rows, dimension, colour):
    """Right answers as dots and a line, unchanged ones as rings and dots; channels have no line."""
    places = [place for place, _ in rows]
    channel = bool(rows) and rows[0][1]["kind"] in KINDS["channel"]
    for metric, style in STYLES.items():
        values = [row["scores"][dimension][metric] for _, row in rows]
        if all(map(is_finite, values)):
            line = {"linestyle": "none"} if channel else {}
            axes.plot(places, [100 * value for value in values], color=colour, **(style | line))
    if channel:
        axes.set_xticks(places, CHANNELS[: len(places)])
        axes.set_xlim(-0.5, len(places) - 0.5)
    else:
        axes.margins(x=0.1)
        axes.set_xticks(places)


def _draw_untouched(panels, right):
    for axes in panels if is_finite(right) else ():
        axes.axhline(100 * right, color=MUTED, linestyle="--", linewidth=1)


def _legend():
    from matplotlib.lines import Line2D

    lines = {COLUMNS[metric]: {"color": INK} | style for metric, style in STYLES.items()}
    lines |= {name: {"color": colour, "linewidth": 2} for name, colour in zip(NOISES, COLOURS[1:], strict=False)}
    lines["untouched, right"] = {"color": MUTED, "linestyle": "--", "linewidth": 1}
    return {name: Line2D([], [], **style) for name, style in lines.items()}


def figure_of(found, results):
    """The figure as HTML, "" where a run has no such file."""
    if found is None or not is_of(found, results):
        return ""
    return picture(right_answers(found, format="inline"), "Answers about degraded recordings")


def section_of(found, results, report: Report, drawing):
    """What the page's section holds; "" where a run has no such file."""
    if found is None:
        return ""
    if not is_of(found, results):
        text = f"{FILE} is of another training in this folder and is left out: {typed('robustness')} makes it again."
        return paragraph(text, "warning")
    return tables.html(robustness_table(found, results, report)) + drawing
