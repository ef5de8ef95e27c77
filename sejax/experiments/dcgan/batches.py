"""Which crops an update sees: labelled ones, oversampled by valence, beside ones of unlabelled speech.

Data are resident, ``{"labelled": crops, "unlabelled": crops, "target": f32[U, D, 5], "rating": f32[U, D],
"rated": bool[U, D]}`` with the arrays of `sejax.data.crops.crop_data`; U labelled utterances, D dimensions, B the
batch size.
"""

import jax
import jax.numpy as jnp

from sejax.core.experiment import Plan, Source
from sejax.core.rng import shuffled
from sejax.data.crops import crop_starts, evaluation_starts, read_crops, stream_crops
from sejax.experiments.dcgan.algorithm import DcganState


def resolve(index, data, *, width: int):
    """A plan's utterances, places and seeds as utterances and first frames: ``{"utterance", "start": i32[..., B]}``."""
    start = crop_starts(index["seed"][..., None], index["place"], index["utterance"], data, width=width)
    return {"utterance": index["utterance"], "start": start}


def stream_batches(plans, *, parts, labels, width: int, dynamic_range: float):
    """Batches for host-side plans, equal to gathering them on the device.

    Args:
      plans: as `crop_source` makes them, numpy.
      parts: the host's arrays of each part of the plans, whose frames may be memory-mapped.
      labels: "target", "rating" and "rated" of the labelled utterances.
      width, dynamic_range: of the crops.
    """

    def resolved(plan):
        return plan._replace(index={part: resolve(at, parts[part], width=width) for part, at in plan.index.items()})

    streamed = stream_crops(map(resolved, plans), sets=parts, width=width, dynamic_range=dynamic_range)
    for batch in streamed:
        utterance = batch.pop("index")["labelled"]["utterance"]
        yield batch | labels_of(labels, utterance)


def crop_source(
    batch_size: int, unlabelled: int, *, utterances: int, width: int, dynamic_range: float, stream_batches=None
) -> Source:
    """Training batches: B labelled crops, and the share of the discriminator's real ones that is unlabelled.

    Both come from shuffled passes over their utterances; every crop is centred on a random moment of a random word.

    Args:
      batch_size: B.
      unlabelled: crops of unlabelled speech in a batch, 0 to B.
      utterances: how many unlabelled ones there are.
      width: frames of a crop. dynamic_range: dB.
      stream_batches: reads plans' crops from disk instead, see `stream_batches`.
    """

    def plan_at(state: DcganState, position):
        passed = state.epoch_start + position
        place = passed * batch_size + jnp.arange(batch_size, dtype=jnp.int32)
        row = shuffled(state.seeds["labelled"][0], place, state.count)
        index = {"labelled": {"utterance": state.rows[row], "place": place, "seed": state.seeds["labelled"][1]}}
        if unlabelled:
            place = passed * unlabelled + jnp.arange(unlabelled, dtype=jnp.int32)
            row = shuffled(state.seeds["unlabelled"][0], place, jnp.int32(utterances))
            index["unlabelled"] = {"utterance": row, "place": place, "seed": state.seeds["unlabelled"][1]}
        return Plan(index, jnp.ones((batch_size,), bool))

    def gather(data, plan: Plan):
        batch = {"valid": plan.valid} | labels_of(data, plan.index["labelled"]["utterance"])
        for part, index in plan.index.items():
            at = resolve(index, data[part], width=width)
            batch[part] = read_crops(data[part], **at, width=width, dynamic_range=dynamic_range)
        return batch

    return Source(plan_at, gather, stream=stream_batches)


def labels_of(data, utterance: jax.Array) -> dict[str, jax.Array]:
    """Fuzzy labels, mean ratings, and which dimensions are rated, of labelled utterances i32[B]."""
    return {name: data[name][utterance] for name in ("target", "rating", "rated")}


def evaluation_gather(*, crops: int, width: int, dynamic_range: float):
    """The gather of evaluation batches: ``crops`` evenly spaced crops f32[B, E, bands, width] of each utterance."""

    def gather(data, plan: Plan):
        length = data["labelled"]["length"][plan.index]
        start = evaluation_starts(length, count=crops, width=width)  # [B, E]
        utterance = jnp.broadcast_to(plan.index[:, None], start.shape)
        read = read_crops(data["labelled"], utterance, start, width=width, dynamic_range=dynamic_range)
        return {"labelled": read, "index": plan.index, "valid": plan.valid} | labels_of(data, plan.index)

    return gather
