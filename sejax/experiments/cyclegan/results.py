"""From a member's arrays to its entry in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sejax.experiments.cyclegan.comparison import PARTS

FIGURES = ("difference", "mmd", "frechet")
SHOWN_ROWS = 60  # points of each set in a projection

# Fig. 2 shows 12 features "representing different feature categories" without naming them: one functional of each
# kind of low-level descriptor of emobase2010, and two of those that it has most of.
FIGURE_FEATURES = (
    ("loudness", "pcm_loudness_sma_amean"),
    ("MFCC 1", "pcm_fftMag_mfcc_sma[1]_amean"),
    ("MFCC 4", "pcm_fftMag_mfcc_sma[4]_stddev"),
    ("log Mel band 1", "logMelFreqBand_sma[1]_amean"),
    ("log Mel band 5", "logMelFreqBand_sma[5]_percentile99.0"),
    ("LSP frequency 1", "lspFreq_sma[1]_amean"),
    ("F0 envelope", "F0finEnv_sma_amean"),
    ("voicing", "voicingFinalUnclipped_sma_amean"),
    ("F0", "F0final_sma_quartile2"),
    ("jitter", "jitterLocal_sma_amean"),
    ("jitter of jitter", "jitterDDP_sma_amean"),
    ("shimmer", "shimmerLocal_sma_amean"),
)


def figure_columns(names: Sequence[str]) -> list[dict[str, Any]]:
    """The features of Fig. 2 that a set has: category, name and column; the first twelve columns of another set."""
    column = {name: number for number, name in enumerate(names)}
    known = [(kind, name) for kind, name in FIGURE_FEATURES if name in column] or [(name, name) for name in names[:12]]
    return [{"category": kind, "name": name, "column": column[name]} for kind, name in known]


def history_rows(history: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The training losses of each row of the history."""
    return [{k: v for k, v in row.items() if k in ("iteration", "epoch") or k.startswith("train/")} for row in history]


def stopped(stopped_at: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """For each class None, or at which update its CycleGAN was not finite any more."""
    return {name: None if at < 0 else {"update": int(at)} for name, at in zip(classes, stopped_at, strict=True)}


def summarise_pretraining(history, records, *, classes: Sequence[str]) -> dict[str, Any]:
    """The source's reconstruction error (mean square, min-max space) after the first stage."""
    errors, stopped_at = records[-1]["cycle_source"], records[-1]["stopped_at"]
    return {
        "metrics": {"train/cycle_source": _mean(errors, stopped_at)},
        "gans": stopped(stopped_at, classes),
        "history": history_rows(history),
    }


def summarise(history, records, *, classes: Sequence[str], columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Distances of source and synthetic vectors to the target, what Fig. 2 draws, and points of a projection."""
    stopped_at = records[-1]["stopped_at"]
    record = {name: _of_living(name, found, stopped_at) for name, found in records[-1].items()}
    values = {
        f"{part}/{figure}_{kind}": record[f"{figure}/{part}/{kind}"]
        for part in PARTS
        for figure in FIGURES
        for kind in ("source", "synthetic")
        if not np.isnan(record[f"{figure}/{part}/source"]).all()
    }
    chosen = [entry["column"] for entry in columns]
    return {
        "metrics": {name: _mean(found, stopped_at) for name, found in values.items()},
        "emotions": {
            emotion: {name: float(found[number]) for name, found in values.items()}
            for number, emotion in enumerate(classes)
        },
        "gans": stopped(stopped_at, classes),
        "distribution": _distribution(record, classes, chosen),
        "projection": _projection(record, classes),
        "history": history_rows(history),
    }


def _of_living(name: str, values: np.ndarray, stopped_at: np.ndarray) -> np.ndarray:
    """A record's values [E, ...], NaN where they tell of vectors by a CycleGAN that stopped: it makes none."""
    values = np.asarray(values)
    if "synthetic" not in name:
        return values
    return np.where((stopped_at < 0).reshape((-1,) + (1,) * (values.ndim - 1)), values, np.nan)


def _mean(values: np.ndarray, stopped_at: np.ndarray) -> float:
    """Mean over the emotions whose CycleGAN came through."""
    kept = np.asarray(values)[stopped_at < 0]
    return float(kept.mean()) if len(kept) else float("nan")


def _distribution(record, classes, chosen) -> dict[str, Any]:
    def moments(kind, row=()):
        return {
            short: np.asarray(record[f"{kind}/{name}"])[row][..., chosen].round(5).tolist()
            for short, name in (("mean", "mean"), ("std", "deviation"))
        }

    by_class = {kind: {name: moments(kind, number) for number, name in enumerate(classes)} for kind in _BY_CLASS}
    return {"source": moments("source")} | by_class


def _projection(record, classes) -> dict[str, Any]:
    def points(found):
        found = found[~np.isnan(found).any(axis=-1)][:SHOWN_ROWS]
        return np.asarray(found, np.float64).round(4).tolist()

    by_class = {
        kind: {name: points(record[f"xy/{kind}"][number]) for number, name in enumerate(classes)} for kind in _BY_CLASS
    }
    explained = np.asarray(record["explained"], np.float64).round(4).tolist()
    return {"source": points(record["xy/source"]), "explained": explained} | by_class


_BY_CLASS = ("synthetic", "target")
