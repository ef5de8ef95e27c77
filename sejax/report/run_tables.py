"""What results.json says of one run, beside the paper: its settings, scores by iteration, and members."""

import re

from sejax.report import published
from sejax.report.results import is_finite
from sejax.report.tables import MISSING, Table, against, number

PROTOCOLS = {
    "speaker": "no speaker occurs in two parts of a fold (sessions where a corpus has them)",
    "block": "speakers are mixed; the near-copies of one block (its maximum frequencies) stay together",
    "image": "images are split at random, so speakers and near-copies of a block leak into the test part",
}
METRICS = {"macro_f1": "macro-F1", "uar": "UAR", "accuracy": "accuracy"}
LEVELS = {"test": "block", "test_utterance": "utterance"}
STRONG_NOTE = "Bold (* in plain text): at or above the paper's figure, which has two decimals."
_KEY = re.compile(r"(?:iteration_(\d+)/)?([^/]+)/([^/]+)")


def setting(results, field, default=None):
    """A config field of a run; the top level of results.json has the last word (corpus, protocol)."""
    return results.get(field, results["config"].get(field, default))


def paper_figures(results):
    """The paper's figures for a run: those it recorded, else those that `published` finds for its config."""
    if results.get("paper"):
        return results["paper"]
    if not str(results["experiment"]).startswith("pseudo_labelling"):
        return {}
    fraction = setting(results, "labelled", 1.0)
    return published.published(
        setting(results, "corpus", ""),
        setting(results, "scale"),
        setting(results, "voice_activity", "none"),
        fraction,
    )


def iterations(results):
    """The numbers of the iterations that a run reports, in order; [] for an experiment without iterations."""
    found = {int(match[1]) for match in map(_KEY.fullmatch, results["summary"]) if match and match[1]}
    return sorted(found)


def figures_at(entries, part, metric, iteration, last):
    """The entry of `part/metric` after an iteration, in a summary or in the paper's figures; None if absent.

    A key without an iteration stands for the run's last one, unless the source tells this metric's
    iterations apart (the paper's third iteration is no match for a run that stops after its first).
    """
    name = f"{part}/{metric}"
    apart = any(key.startswith("iteration_") and key.endswith(f"/{name}") for key in entries)
    if apart or iteration != last:
        return entries.get(f"iteration_{iteration}/{name}")
    return entries.get(name)


def headline(results):
    """Every summarised metric of one run, by level and iteration, beside the paper's."""
    summary, paper = results["summary"], paper_figures(results)
    steps = iterations(results) or [None]
    pairs = list(dict.fromkeys(match.groups()[1:] for match in map(_KEY.fullmatch, summary) if match))
    pairs.sort(key=lambda pair: (_place(LEVELS, pair[0]), _place(METRICS, pair[1])))
    columns, rows = (
        ["level", "metric"],
        [[LEVELS.get(part, part), METRICS.get(name, name)] for part, name in pairs],
    )
    for step in steps:
        ours = [figures_at(summary, *pair, step, steps[-1]) for pair in pairs]
        theirs = [figures_at(paper, *pair, step, steps[-1]) for pair in pairs]
        columns.append("result" if step is None else f"iteration {step}")
        for row, mine, other in zip(rows, ours, theirs, strict=True):
            row.append(against(mine, other))
        if any(map(is_finite, theirs)):
            columns.append("paper")
            for row, other in zip(rows, theirs, strict=True):
                row.append(number(other, 2))
    notes = (STRONG_NOTE,) if paper else ("The paper has no figure for this setting.",)
    return Table(_run_caption(results), tuple(columns), tuple(map(tuple, rows)), notes, stubs=2)


def _place(order, name):
    return list(order).index(name) if name in order else len(order)


def _run_caption(results):
    protocol = setting(results, "protocol", MISSING)
    corpus = setting(results, "corpus", results["experiment"])
    over = members_text(results)
    return f"{corpus}, protocol {protocol}: mean ± sample standard deviation over {over}"


def members_text(results):
    """How many members a summary stands on: `5 members`, or `4 of 5 members (1 failed)`."""
    members = results["members"]
    failed = sum(bool(member.get("failed")) for member in members)
    noun = "member" if len(members) == 1 else "members"
    return f"{len(members) - failed} of {len(members)} {noun} ({failed} failed)" if failed else f"{len(members)} {noun}"


def member_table(results):
    """One row for each fold and seed: its final metrics, epochs of each iteration, or why it failed."""
    names = [f"{part}/{metric}" for part in LEVELS for metric in METRICS]
    names = [name for name in names if any(name in member["metrics"] for member in results["members"])]
    rows = []
    for member in results["members"]:
        epochs = " / ".join(str(entry.get("epochs", MISSING)) for entry in member.get("iterations", ()))
        status = failure(member) or "finished"
        scores = [number(member["metrics"].get(name)) for name in names]
        rows.append((str(member.get("fold")), str(member.get("seed")), status, *scores, epochs or MISSING))
    titles = [f"{METRICS[name.split('/')[1]]}, {LEVELS[name.split('/')[0]]}" for name in names]
    caption = f"Every member after its last iteration, protocol {setting(results, 'protocol', MISSING)}"
    return Table(caption, ("fold", "seed", "status", *titles, "epochs"), tuple(rows), stubs=3)


def failure(member):
    """`failed at step 120: loss is NaN` for a member that failed, else ""."""
    failed = member.get("failed")
    if not failed:
        return ""
    if not isinstance(failed, dict):
        return f"failed: {failed}"
    return f"failed at step {failed.get('step', MISSING)}: {failed.get('reason', 'no reason recorded')}"
