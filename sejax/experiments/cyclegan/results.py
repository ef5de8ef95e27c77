"""How far synthetic vectors lie from the target's, and a member's entry in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.two_sample import frechet, mean_difference, mmd

PARTS = ("train", "test")


def compare(state, metrics, data) -> dict[str, jax.Array]:
    """The record of a member.

    Args:
      state: with ``reference``: for ``train`` and ``test`` ``{part: {"mean", "deviation": f32[E, F], "rows": i32[E, K],
        "weight": f32[E, K]}}`` of the target, "bandwidth" f32[E] of the MMD's kernel, "source_mean", "source_deviation"
        f32[F], and of a projection "centre" f32[F], "axes" f32[F, 2], "explained" f32[2].
      metrics: count and sample of the synthetic vectors; total and squares of what they lie off the target's mean.
      data: "source" and "target" vectors, "sample_source" i32[K], the source's rows that are compared.

    Returns:
      ``<figure>/<part>/<set>`` f32[E] with figure in difference, mmd, frechet and set in source, synthetic (NaN where
      the part has no rows); "<set>/mean" and "<set>/deviation" f32[E, F] (source: f32[F]) of source, synthetic and
      target; projections "xy/source" f32[K, 2], "xy/synthetic" and "xy/target" f32[E, K, 2] (NaN: no row).
    """
    reference, scaling = state.reference, state.scaling
    off = metrics["total"].total / metrics["count"].total  # [E, F]
    variance = metrics["squares"].total / metrics["count"].total - jnp.square(off)
    mean = reference["train"]["mean"] + off
    made = jnp.moveaxis(metrics["sample"].compute(), 1, 0)  # [E, K, F]
    source = scaling.apply(data["source"][data["sample_source"]])  # [K, F]
    record = {"synthetic/mean": mean, "synthetic/deviation": jnp.sqrt(jnp.maximum(variance, 0.0))}
    for part in PARTS:
        figures = jax.vmap(_figures, in_axes=(None, 0, 0, 0, 0))
        target = reference[part]
        own = scaling.apply(data["target"][target["rows"]])  # [E, K, F]
        found = figures((source, reference["source_mean"]), (made, mean), own, target, reference["bandwidth"])
        record |= {name.format(part=part): value for name, value in found.items()}
    shown = scaling.apply(data["target"][reference["train"]["rows"]])
    return record | {
        "xy/source": _project(source, reference),
        "xy/synthetic": _project(made, reference),
        "xy/target": jnp.where(reference["train"]["weight"][..., None] > 0, _project(shown, reference), jnp.nan),
        "explained": reference["explained"],
        "source/mean": reference["source_mean"],
        "source/deviation": reference["source_deviation"],
        "target/mean": reference["train"]["mean"],
        "target/deviation": reference["train"]["deviation"],
    }


def _figures(source, synthetic, own, target, bandwidth):
    """Of one emotion and part: each figure for the source and for the synthetic vectors."""
    there = target["weight"].sum() > 0
    found = {}
    for name, (rows, mean) in {"source": source, "synthetic": synthetic}.items():
        distances = {
            "difference": mean_difference(mean, target["mean"]),
            "mmd": mmd(rows, own, y_weight=target["weight"], bandwidth=bandwidth),
            "frechet": frechet(rows, own, y_weight=target["weight"]),
        }
        found |= {f"{figure}/{{part}}/{name}": jnp.where(there, x, jnp.nan) for figure, x in distances.items()}
    return found


def _project(rows, reference):
    return (rows - reference["centre"]) @ reference["axes"]


FIGURES = ("difference", "mmd", "frechet")
SHOWN_ROWS = 60  # points of each set in a projection

# Fig. 2 shows 12 features "representing different feature categories" without naming them: one functional of each
# kind of low-level descriptor of emobase2010, three of those that it has most of, none of the envelope of F0: that is 0
# before the first voiced frame and stands still afterwards, and so tells where silence lies.
FIGURE_FEATURES = (
    ("loudness", "pcm_loudness_sma_amean"),
    ("MFCC 1", "pcm_fftMag_mfcc_sma[1]_amean"),
    ("MFCC 4", "pcm_fftMag_mfcc_sma[4]_stddev"),
    ("log Mel band 1", "logMelFreqBand_sma[1]_amean"),
    ("log Mel band 5", "logMelFreqBand_sma[5]_percentile99.0"),
    ("LSP frequency 1", "lspFreq_sma[1]_amean"),
    ("MFCC 12", "pcm_fftMag_mfcc_sma[12]_stddev"),
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
