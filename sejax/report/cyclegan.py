"""What results.json says of a run of CycleGANs: its weights, distances, distributions and stopped GANs.

A member is a fold, a seed and a weight of the classification loss (lambda); fold -1 stands for all labelled data and
stays out of the means over folds.
"""

import numpy as np

from sejax.report.results import is_finite, summarise
from sejax.report.terms import setting

WHOLE = -1
PARTS = {"train": "training part", "test": "held-out part", "all": "all labelled data"}
DISTANCES = ("difference", "mmd", "frechet")


def weight_of(results, member):
    """A member's weight of the classification loss; the config's where members do not differ in it."""
    return member.get("lambda_cls", setting(results, "lambda_cls"))


def weights(results):
    """The weights of the classification loss in a run, ascending."""
    found = {weight_of(results, member) for member in results["members"]}
    return sorted(weight for weight in found if is_finite(weight))


def weight_text(weight):
    """A weight in words: `λ 0`."""
    return f"λ {weight:g}"


def members_of(results, part, weight=None):
    """The members that did not fail and have a part: folds for "train" and "test", fold -1 for "all"."""
    return [
        member
        for member in results["members"]
        if not member.get("failed")
        and (member.get("fold") == WHOLE) == (part == "all")
        and (weight is None or weight_of(results, member) == weight)
    ]


def distance(results, part, name, weight=None, emotion=None):
    """Mean and deviation of a distance over folds and seeds: {"mean", "std", "n"}, None without one.

    `name` is "difference_source" and so on, `part` one of PARTS, `emotion` a class (None: the mean over classes). The
    source's distances know nothing of the weight: without one, each fold and seed counts once.
    """
    key, found = f"{'train' if part == 'all' else part}/{name}", {}
    for member in members_of(results, part, weight):
        metrics = member["metrics"] if emotion is None else (member.get("emotions") or {}).get(emotion) or {}
        if name.endswith("synthetic") and emotion in _halted(member):
            continue  # its last finite weights say nothing
        if is_finite(metrics.get(key)):
            found.setdefault((member.get("fold"), member.get("seed")), metrics[key])
    return summarise([{"metrics": {key: value}} for value in found.values()]).get(key)


def main_part(results):
    """The part that a run is judged by: the folds' training part, or all data where it has no folds."""
    return "train" if members_of(results, "train") else "all"


def distribution(results):
    """What Fig. 2 draws: {"source", "target", weight, ...: (mean [F], deviation [F])} in min-max space.

    The mean over the classes whose GAN came through, then over folds and seeds.
    """
    part = main_part(results)
    found = {"source": _moments(results, part, lambda member, drawn: [drawn["source"]])}
    for weight in weights(results):
        found[weight] = _moments(results, part, _synthetic, weight)
    found["target"] = _moments(results, part, lambda member, drawn: drawn["target"].values())
    return {name: moments for name, moments in found.items() if moments is not None}


def _synthetic(member, drawn):
    return [moments for name, moments in drawn["synthetic"].items() if name not in _halted(member)]


def _halted(member):
    return [name for _, name, _ in stopped([member])]


def _moments(results, part, pick, weight=None):
    rows = []
    for member in members_of(results, part, weight):
        entries = pick(member, member["distribution"]) if member.get("distribution") else ()
        both = [np.array([entry["mean"], entry["std"]], dtype=float) for entry in entries]  # [2, F]
        both = [entry for entry in both if np.isfinite(entry).all()]
        if both:
            rows.append(np.mean(both, axis=0))
    return tuple(np.mean(rows, axis=0)) if rows else None


def projections(results):
    """One member of each weight with a projection, of the same fold and seed: {weight: member}; all data first."""
    found = {}
    for member in sorted(results["members"], key=lambda member: (member.get("fold", 0), member.get("seed", 0))):
        explained = (member.get("projection") or {}).get("explained") or ()
        if not member.get("failed") and explained and all(map(is_finite, explained)):
            found.setdefault((member.get("fold"), member.get("seed")), {})[weight_of(results, member)] = member
    complete = [cells for cells in found.values() if len(cells) == len(weights(results))] or list(found.values())
    return dict(sorted(complete[0].items(), key=lambda entry: entry[0] or 0.0)) if complete else {}


def pretraining(results):
    """The members of the first stage; [] where a run has none."""
    return ((results.get("stages") or {}).get("pretraining") or {}).get("members") or []


def objective(results):
    """The first stage's objective, which is the name of its loss: cycle or identity."""
    return (setting(results, "pretraining") or {}).get("objective") or "cycle"


def stopped(members):
    """The GANs that stopped: [(member, class, update)] in the members' order."""
    return [
        (member, name, gan.get("update"))
        for member in members
        for name, gan in (member.get("gans") or {}).items()
        if gan
    ]


def fold_text(member):
    """A member's fold and seed: `fold 2, seed 0`, `all data, seed 0`."""
    fold = "all data" if member.get("fold") == WHOLE else f"fold {member.get('fold')}"
    return f"{fold}, seed {member.get('seed')}"
