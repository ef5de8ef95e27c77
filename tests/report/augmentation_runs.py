"""Results of the experiment `augmentation` in the schema of results.json, made up from a seed."""

import numpy as np
from reading import figures

from sejax.core.results import summaries

CLASSES = ["angry", "happy", "neutral", "sad"]
VARIANTS = (
    *(("real", None), ("syn", 0.0), ("syn", 2.0), ("real+syn", 0.0), ("real+syn", 2.0)),
    *(("real+noise", None), ("real+mixup", None)),
)
RECALL = {
    "within": {"real": 0.80, "syn": 0.66, "real+syn": 0.81, "real+noise": 0.795, "real+mixup": 0.805},
    "cross": {"real": 0.55, "syn": 0.47, "real+syn": 0.57, "real+noise": 0.55, "real+mixup": 0.56},
}
EPOCHS = {"real": 70, "syn": 5, "real+syn": 30, "real+noise": 30, "real+mixup": 30}


def make_member(training, weight, fold, seed, evaluation, epochs=None):
    """One classifier: its confusion counts give its UAR, accuracy and macro-F1."""
    rng = np.random.default_rng((list(EPOCHS).index(training), int(weight or 9), fold + 1, seed))
    recall = RECALL[evaluation][training] - 0.04 * (training == "syn") * (weight or 0.0) + 0.02 * rng.normal()
    sizes = np.array([25, 14, 16, 12]) * (1 if evaluation == "within" else 12)
    rates = recall * np.eye(4) + (1 - recall) * (1 - np.eye(4)) * rng.dirichlet(np.ones(4), 4)
    rates /= rates.sum(1, keepdims=True)
    counts = np.stack([rng.multinomial(size, row) for size, row in zip(sizes, rates, strict=True)])
    right = np.diag(counts)
    f1 = 2 * right / np.maximum(counts.sum(0) + counts.sum(1), 1)
    uar = float((right / counts.sum(1)).mean())
    metrics = {"test/uar": uar, "test/accuracy": float(right.sum() / counts.sum()), "test/macro_f1": float(f1.mean())}
    if evaluation == "cross":
        metrics["valid/uar"] = float(np.clip(uar + 0.01 * rng.normal(), 0, 1))
    history = []
    for epoch in range(epochs or EPOCHS[training]):
        fit = 1 - np.exp(-epoch / (epochs or EPOCHS[training]) * 4)
        row = {"iteration": 1, "epoch": epoch + 1, "train/loss": 1.4 - 1.1 * fit * recall + 0.03 * rng.normal()}
        history.append(row | {"train/accuracy": float(0.25 + (recall - 0.2) * fit + 0.01 * rng.normal())})
    name = {"training": training} | ({} if weight is None else {"lambda_cls": weight})
    return name | {
        "fold": fold,
        "seed": seed,
        "failed": None,
        "metrics": metrics,
        "confusion": {"test": counts.tolist()},
        "history": history,
    }


def make_augmentation_results(*, evaluation="within", variants=VARIANTS, folds=5, seeds=5, epochs=None):
    """Results of `augmentation`; across corpora there is one fold, -1, of classifiers of all labelled data."""
    places = range(folds) if evaluation == "within" else (-1,)
    members = [
        make_member(training, weight, fold, seed, evaluation, epochs)
        for training, weight in variants
        for fold in places
        for seed in range(seeds)
    ]
    test = "emodb" if evaluation == "within" else "nemo"
    per_fold = [0.84, 0.79, 0.82, 0.88, 0.80][: len(places)] if evaluation == "within" else [0.56]
    results = {
        "experiment": "augmentation",
        "corpus": "emodb",
        "test_corpus": test,
        "protocol": evaluation,
        "command": f"python launch/train.py --config=configs/augmentation.py:evaluation={evaluation} --workdir=run",
        "config": {
            "experiment": "augmentation",
            "corpus": "emodb",
            "test_corpus": test,
            "evaluation": evaluation,
            "normalisation": "leak_free",
            "seeds": seeds,
        },
        "classes": list(CLASSES),
        "anchor": {
            "uar": float(np.mean(per_fold)),
            "per_fold": per_fold,
            "confusion": [[110, 12, 3, 2], [20, 45, 5, 1], [2, 5, 66, 6], [0, 1, 6, 55]],
            "protocol": "leave one speaker group out",
            "c": 0.001,
        },
        "data": {"utterances": 339, "synthetic": 8000},
        "environment": {"python": "3.11.2", "jax": "0.10.2"},
        "seconds": 500.0,
        "members": members,
    }
    return results | summaries(members, paper=lambda name: figures(results, name))
