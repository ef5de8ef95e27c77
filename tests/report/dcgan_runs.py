"""Results of the experiment `dcgan` in the schema of results.json, made up from a seed."""

import numpy as np
from reading import figures

from sejax.core.results import pack, summaries

CLASSES = ["very negative", "negative", "neutral", "positive", "very positive"]
MODELS = ("basic_cnn", "multitask_cnn", "basic_dcgan", "multitask_dcgan")
RECALL = {"basic_cnn": 0.33, "multitask_cnn": 0.31, "basic_dcgan": 0.37, "multitask_dcgan": 0.36}
POOL = np.array([0, 0, 1, 2, 2])


def make_scores(rng, recall, sizes=(9, 21, 14, 18, 8)):
    """Counts [5, 5] and the metrics that follow from them."""
    distance = np.abs(np.subtract.outer(range(5), range(5)))
    rates = np.where(distance == 0, recall, 1.0 / (1 + distance)) * rng.uniform(0.7, 1.3, (5, 5))
    rates /= rates.sum(1, keepdims=True)
    counts = np.stack([rng.multinomial(size, row) for size, row in zip(sizes, rates, strict=True)])
    three = np.zeros((3, 3))
    np.add.at(three, (POOL[:, None], POOL[None, :]), counts)
    metrics = {
        "uar": float((np.diag(counts) / counts.sum(1)).mean()),
        "uar_3": float((np.diag(three) / three.sum(1)).mean()),
        "pearson": float(0.8 * (recall - 0.2) + 0.05 * rng.normal()),
        "accuracy": float(np.trace(counts) / counts.sum()),
    }
    return counts.tolist(), metrics


def make_history(rng, model, epochs):
    """Rows of an epoch each, with a GAN's quantities where the model has one."""
    rows = []
    for epoch in range(1, epochs + 1):
        fit = np.exp(-epoch / 12)
        row = {"iteration": epoch * 40, "epoch": epoch, "train/loss_valence": 1.0 + 0.6 * fit + 0.02 * rng.normal()}
        row["train/loss"] = row["train/loss_valence"]
        row["valid/loss"] = 1.3 + 0.3 * fit + 0.02 * rng.normal()
        row["valid/accuracy"] = 0.42 - 0.2 * fit + 0.02 * rng.normal()
        row["valid/uar"] = row["valid/accuracy"] - 0.06
        row["valid/uar_3"] = row["valid/accuracy"] + 0.1
        row["valid/pearson"] = 0.25 - 0.2 * fit
        if model.startswith("multitask"):
            row["train/loss_activation"] = 0.9 + 0.6 * fit + 0.02 * rng.normal()
        if model.endswith("dcgan"):
            row["train/loss_generator"] = 1.2 + 2 * (1 - fit) + 0.2 * rng.normal()
            row["train/loss_discriminator"] = 0.6 + 0.7 * fit + 0.05 * rng.normal()
            row["train/real"] = 0.8 - 0.25 * fit + 0.02 * rng.normal()
            row["train/generated"] = 0.2 + 0.25 * fit + 0.02 * rng.normal()
            row["train/diversity"] = 0.9 - 0.8 * fit + 0.02 * rng.normal()
        rows.append({name: float(value) if "/" in name else value for name, value in row.items()})
    return rows


def make_gallery(rng, *, width=128, epochs=(1, 2, 4, 8, 16), count=8):
    """Stripes that sharpen out of noise, as a member of results.json holds them."""
    bands, frames = np.arange(128)[:, None], np.arange(width)[None, :]
    real = [np.sin(bands / (2 + n) + np.sin(frames / 9 + n)) * np.exp(-bands / 60) for n in range(count)]
    real = np.stack(real)  # [N, 128, W]
    noise = rng.normal(size=(len(epochs), count, 128, width))
    sharp = np.linspace(0.05, 0.8, len(epochs))[:, None, None, None]
    drawn = np.round(127.5 + 110 * np.clip(sharp * real + (1 - sharp) * 0.4 * noise, -1.15, 1.15)).astype(np.uint8)
    return {
        "epochs": list(epochs),
        "generated": pack(drawn),
        "neighbours": pack(np.round(127.5 + 110 * real).astype(np.uint8)),
        "neighbour_ids": [f"Ses01F_impro0{place}_F00{place}" for place in range(count)],
        "neighbour_corpora": ["emodb", "nemo"] * (count // 2) + ["emodb"] * (count % 2),
        "distance": rng.uniform(0.2, 0.4, count).round(4).tolist(),
        "distance_real": 0.231,
    }


def make_member(model, fold, seed, *, epochs=24, recall=None):
    """One member, sound and without a gallery."""
    rng = np.random.default_rng((MODELS.index(model), fold, seed))
    recall = recall or RECALL[model]
    history = make_history(rng, model, epochs + int(rng.integers(0, 6)) if epochs > 6 else epochs)
    best = max(history[:-2] or history, key=lambda row: row["valid/accuracy"])["epoch"]
    metrics, confusion = {}, {}
    for dimension in ("", "_activation") if model.startswith("multitask") else ("",):
        shift = 0.12 * bool(dimension)
        confusion[f"test{dimension}"], found = make_scores(rng, recall + shift)
        metrics |= {f"test{dimension}/{name}": value for name, value in found.items()}
        _, found = make_scores(rng, recall + shift + 0.03)
        metrics |= {f"valid{dimension}/{name}": found[name] for name in ("uar", "accuracy", "pearson")}
    return {
        "model": model,
        "fold": fold,
        "seed": seed,
        "failed": None,
        "metrics": metrics,
        "confusion": confusion,
        "epochs": len(history),
        "best_epoch": best,
        "collapse": None,
        "history": history,
        "gallery": None,
    }


def make_dcgan_results(
    *, names=MODELS, folds=5, seeds=1, epochs=24, unlabelled=("unlabelled", "nemo"), gallery=None, gain=0.0, **top
):
    """Results of `dcgan`; `gallery` {"width", "epochs", "count"} of the GANs' first members, `gain` on their recall."""
    members = []
    for model in names:
        recall = RECALL[model] + gain * model.endswith("dcgan")
        places = [(fold, seed) for fold in range(folds) for seed in range(seeds)]
        members += [make_member(model, *place, epochs=epochs, recall=recall) for place in places]
    for place, member in enumerate(members):
        if gallery is not None and member["model"].endswith("dcgan") and member["fold"] == member["seed"] == 0:
            member["gallery"] = make_gallery(np.random.default_rng(place), **gallery)
    results = {
        "experiment": "dcgan",
        "corpus": "emodb",
        "unlabelled": list(unlabelled),
        "protocol": "speaker",
        "ratings": "derived",
        "command": "python launch/train.py --config=configs/dcgan.py --workdir=run",
        "config": {"experiment": "dcgan", "corpus": "emodb", "seeds": seeds, "unlabelled": list(unlabelled)},
        "classes": list(CLASSES),
        "data": {"utterances": 535, "unlabelled": 4000},
        "environment": {"python": "3.11.2", "jax": "0.10.2"},
        "seconds": 900.0,
        "stages": {},
        "members": members,
    } | top
    return results | summaries(members, paper=lambda name: figures(results, name))
