"""Source, synthetic and target vectors compared: Table 1's differences, two-sample distances, a projection.

All in the member's min-max space. What does not change (the moments of source and target, the rows drawn for distances)
is computed once per fold, see `sejax.experiments.cyclegan.members`; K rows of each set are compared at most.
"""

import jax
import jax.numpy as jnp

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
