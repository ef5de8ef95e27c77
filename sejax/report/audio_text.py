"""What results.json says of audio and text, each alone and fused: scores, chance, what each of them adds, attention.

A member is a fusion, a fold and a seed; its part is "test" or "valid". Means and deviations are over members, and the
difference of two fusions pairs them by fold and seed. Chance is 1 / C for the unweighted accuracy (UAR), and the share
of the most frequent class of the test utterances for accuracy.
"""

import math
from typing import NamedTuple

import numpy as np

from sejax.report.confusion import pooled_confusion
from sejax.report.grouping import members_by
from sejax.report.paired import by_member, score
from sejax.report.published.audio_text import NAMES
from sejax.report.results import is_finite, spread
from sejax.report.terms import MISSING, joined, setting, with_vectors

METRICS = {"accuracy": "accuracy", "uar": "UAR"}
ALONE = ("audio", "text")
PAPERS = "att_d_1"  # the fusion of the paper's Tables 6 and 7
LEADING = ("valid/accuracy", "valid/uar")  # what may choose among fusions


class Fusion(NamedTuple):
    """One fusion, or audio or text alone, and its members."""

    name: str
    members: tuple

    @property
    def label(self):
        """As the paper writes it: `Att_d^1`."""
        return NAMES.get(self.name, self.name)

    @property
    def alone(self):
        """Whether it knows one modality only."""
        return self.name in ALONE


def fusions(results):
    """The fusions of a run in the paper's order, audio alone and text alone last."""
    return [Fusion(name, members) for name, members in members_by(results, "fusion", NAMES)]


def find(results, name):
    """The Fusion of a name; None where a run has none."""
    return next((one for one in fusions(results) if one.name == name), None)


def leading(results, *, alone=False):
    """The fusion that validated best, the first one where none was validated; None without any.

    `alone` lets audio alone and text alone be it. What the test part says chooses nothing.
    """
    found = [one for one in fusions(results) if alone or not one.alone]
    for metric in LEADING:
        scored = [one for one in found if score(one, metric)]
        if scored:
            return max(scored, key=lambda one: score(one, metric)["mean"])
    return found[0] if found else None


def chance(results, metric):
    """What answering blindly reaches: 1 / C for `uar`, the largest class's share for `accuracy`; None if not known."""
    if metric == "uar":
        return 1 / len(results["classes"]) if results.get("classes") else None
    for one in fusions(results):
        counts = pooled_confusion(one.members, "test")
        if counts is not None and counts.sum():
            return float(counts.sum(1).max() / counts.sum())
    return None


def over_chance(results, one, metric="uar"):
    """{(fold, seed): metric on the test part minus chance} of a Fusion; {} for None or where chance is not known."""
    base = chance(results, metric)
    if one is None or base is None:
        return {}
    return {place: value - base for place, value in by_member(one, f"test/{metric}").items()}


def verdict(results, one):
    """`above chance`, `not above chance`, or "" where a Fusion has fewer than two members with a UAR.

    Above: all of the mean's 95 % confidence interval, by Student's t over the members, lies above chance.
    """
    from scipy.special import stdtrit

    entry = spread(over_chance(results, one).values())
    if not entry or entry["n"] < 2:
        return ""
    margin = stdtrit(entry["n"] - 1, 0.975) * entry["std"] / math.sqrt(entry["n"])
    return "above chance" if entry["mean"] > margin else "not above chance"


def informative(results):
    """`Informative on this corpus: audio; not shown to be: text.` by the verdicts on each alone; "" without any."""
    told = {name: verdict(results, find(results, name)) for name in ALONE}
    yes, no = ([name for name in ALONE if told[name] == said] for said in ("above chance", "not above chance"))
    if not yes and not no:
        return ""
    rest = f"; not shown to be: {' and '.join(no)}" if no else ""
    return f"Informative on this corpus: {' and '.join(yes) or 'none'}{rest}."


def pairs(results):
    """What each modality adds: [(fused Fusion, Fusion of one modality)], audio first, in the fusions' order."""
    found = fusions(results)
    return [(ours, base) for name in ALONE for base in found if base.name == name for ours in found if not ours.alone]


def attention(one, results):
    """Audio's share in every test utterance by true class: {class: f64[n]}, {} for a fusion without attention.

    Members that failed are left out; an utterance stands in it once for every member that tested it.
    """
    classes = list(results.get("classes") or ())
    found = {name: [] for name in classes}
    for member in one.members:
        told = member.get("predictions") or {}
        shares = told.get("attention")
        if member.get("failed") or not shares:
            continue
        for label, share in zip(told.get("label") or (), shares, strict=False):
            if is_finite(share) and isinstance(label, int) and 0 <= label < len(classes):
                found[classes[label]].append(share)
    return {name: np.array(values) for name, values in found.items()} if any(found.values()) else {}


def examples(one):
    """The examples of the first member that has some and did not fail, [] without."""
    found = (member["examples"] for member in one.members if member.get("examples") and not member.get("failed"))
    return next(found, [])


def vectors_text(results):
    """How word embeddings began: `trained from nothing`, or the name of the file of word vectors."""
    if not with_vectors(results):
        return "trained from nothing"
    told = (results.get("data") or {}).get("vectors") or {}
    name = told.get("file") or setting(results, "vectors") or ""
    return str(name).replace("\\", "/").rpartition("/")[2] or "word vectors"


def run_title(results):
    """What was trained on what: `emodb, protocol speaker, embeddings trained from nothing`."""
    corpus = joined(setting(results, "corpus", results["experiment"]))
    kind = vectors_text(results)
    begun = "begun as" if setting(results, "tuned", False) else "kept as in"
    embeddings = f"embeddings {begun} {kind}" if with_vectors(results) else f"embeddings {kind}"
    return f"{corpus}, protocol {setting(results, 'protocol', MISSING)}, {embeddings}"
