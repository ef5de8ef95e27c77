"""A run's results in the schema of results.json, made up from a seed."""

import numpy as np
import pytest
from reading import figures

from sejax.core.results import summaries, summarise
from sejax.experiments.pseudo_labelling.published import published
from sejax.report import drawing

CLASSES = ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"]
LAST = 3


def make_member(fold, seed, *, iterations=LAST, unlabelled=1900):
    """One member: metrics that rise with the iterations, curves, pseudo-label counts, confusion matrices."""
    rng = np.random.default_rng((fold, seed, iterations))
    metrics, history, rounds = {}, [], []
    for iteration in range(1, iterations + 1):
        epochs = int(rng.integers(18, 40))
        for part, base in (("test", 0.66), ("test_utterance", 0.72)):
            for metric, extra in (("macro_f1", 0.0), ("uar", 0.02), ("accuracy", 0.03)):
                value = base + extra + 0.02 * iteration + 0.02 * rng.normal()
                metrics[f"iteration_{iteration}/{part}/{metric}"] = float(value)
        history += [make_epoch(rng, iteration, epoch) for epoch in range(1, epochs + 1)]
        confident = int(unlabelled * (0.3 + 0.12 * iteration + 0.03 * rng.random()))
        confusion = {"test": make_counts(rng, 25.0), "test_utterance": make_counts(rng, 4.0)}
        rounds.append(
            {
                "iteration": iteration,
                "labelled": 760,
                "unlabelled": unlabelled,
                "confident": confident,
                "confident_correct": int(confident * (0.86 + 0.05 * rng.random())),
                "epochs": epochs,
                "best_epoch": epochs - 10,
                "confusion": confusion,
            }
        )
    last = f"iteration_{iterations}/"
    metrics.update({key.removeprefix(last): value for key, value in metrics.items() if key.startswith(last)})
    return {
        "fold": fold,
        "seed": seed,
        "failed": None,
        "metrics": metrics,
        "history": history,
        "iterations": rounds,
        "confusion": rounds[-1]["confusion"],
    }


def make_epoch(rng, iteration, epoch):
    """One row of a training history."""
    fit = 1 - np.exp(-epoch / 8)
    return {
        "iteration": iteration,
        "epoch": epoch,
        "learning_rate": 10.0 ** (-2 - epoch // 14),
        "train/loss": float(1.9 - 1.7 * fit + 0.03 * rng.normal()),
        "train/accuracy": float(0.2 + 0.78 * fit + 0.01 * rng.normal()),
        "valid/loss": float(1.95 - 1.1 * fit + 0.05 * rng.normal()),
        "valid/accuracy": float(0.2 + 0.5 * fit + 0.03 * rng.normal()),
    }


def make_counts(rng, scale):
    """A confusion matrix with most counts on its diagonal."""
    size = len(CLASSES)
    return rng.poisson(scale * (0.12 + 2.2 * np.eye(size)) * rng.uniform(0.5, 1.6, (size, 1))).tolist()


def make_results(*, labelled=0.3, scale="log", voice_activity=0, protocol="image", trainable="head", seeds=1):
    """Results of five folds; `labelled` 1.0 makes a single iteration without unlabelled images."""
    full = labelled == 1.0
    rounds = {"iterations": 1, "unlabelled": 0} if full else {}
    members = [make_member(fold, seed, **rounds) for fold in range(5) for seed in range(seeds)]
    config = {
        "corpus": "emodb",
        "scale": scale,
        "voice_activity": voice_activity,
        "labelled": labelled,
        "protocol": protocol,
        "trainable": trainable,
        "model": "squeezenet1_1",
        "folds": 5,
        "seeds": seeds,
        "iterations": 1 if full else LAST,
        "threshold": 0.99,
        "optimiser": {"name": "adam", "learning_rate": 0.01},
        "fmax": [7000.0, 7500.0, 8000.0],
    }
    return {
        "experiment": "pseudo_labelling",
        "corpus": "emodb",
        "protocol": protocol,
        "command": "python launch/train.py --config=configs/pseudo_labelling.py:corpus=emodb --workdir=run",
        "config": config,
        "classes": list(CLASSES),
        "data": {"images": 3477, "blocks": 1159, "utterances": 535, "speakers": 10, "published_images": 3519},
        "environment": {"python": "3.11.2", "jax": "0.10.2", "backend": "cpu", "devices": 1},
        "seconds": 41.7,
        "summary": summarise(members),
        "members": members,
        "paper": published("emodb", scale, voice_activity, labelled),
    }


NETWORKS = {"resnet50": 0.9, "squeezenet1_1": 0.55, "wide_resnet50_2": 0.8, "inception_v3": 0.5}
RATES = (0.0001, 0.01, 1.0)


def make_transfer_member(model, rate, seed, epochs=10):
    """One member of `transfer`: the network's reach grows with the rate, but for 1.0, where it overfits."""
    rng = np.random.default_rng((list(NETWORKS).index(model), RATES.index(rate), seed))
    reach = {0.0001: 0.36, 0.01: NETWORKS[model], 1.0: NETWORKS[model] - 0.12}[rate]
    history = []
    for epoch in range(1, epochs + 1):
        fit = 1 - np.exp(-epoch / 3)
        row = {"iteration": 1, "epoch": epoch}
        for part, gap in (("train", 0.08 if rate == 1.0 else 0.0), ("valid", 0.0)):
            accuracy = 0.33 + (reach + gap - 0.33) * fit + 0.02 * rng.normal()
            row[f"{part}/loss"] = float(1.1 + (0.25 - 1.1) * (accuracy - 0.33) / 0.67 + 0.02 * rng.random())
            row[f"{part}/accuracy"] = float(np.clip(accuracy, 0, 1))
        history.append(row)
    metrics = {name: value for name, value in history[-1].items() if "/" in name}
    for part in ("test", "test_utterance"):
        for metric in ("accuracy", "uar", "macro_f1"):
            metrics[f"{part}/{metric}"] = float(reach - 0.05 + 0.02 * rng.normal())
    counts = {part: rng.poisson(reach * 100 * np.eye(3) + 30).tolist() for part in ("valid", "test", "test_utterance")}
    name = {"model": model, "learning_rate": rate, "seed": seed}
    return name | {"failed": None, "metrics": metrics, "history": history, "confusion": counts}


def make_transfer_results(*, models=tuple(NETWORKS), rates=RATES, seeds=3, protocol="utterance", corpus="iemocap"):
    """Results of `transfer`: every model at every rate, `seeds` times."""
    members = [make_transfer_member(model, rate, seed) for model in models for rate in rates for seed in range(seeds)]
    config = {
        "corpus": corpus,
        "protocol": protocol,
        "trainable": "all",
        "models": list(models),
        "rates": list(rates),
        "images": [1800, 600, 600],
        "epochs": 10,
        "seeds": seeds,
    }
    results = {
        "experiment": "transfer",
        "corpus": corpus,
        "protocol": protocol,
        "unit": "chunk",
        "config": config,
        "classes": ["anger", "stress", "neutral"],
        "data": {
            "chunks": 41207,
            "class_mapping": {"anger": "anger", "stress": "fear", "neutral": "neutral"},
            "weights": dict.fromkeys(models, "random"),
        },
        "environment": {"python": "3.11.2", "jax": "0.10.2"},
        "seconds": 5000.0,
        "members": members,
    }
    return results | summaries(members, paper=lambda name: figures(results, name))


@pytest.fixture(scope="session")
def fabricate_transfer():
    """The function that makes up results of several networks at several learning rates."""
    return make_transfer_results


@pytest.fixture(scope="session")
def transfer_run():
    """Four networks at three rates, three seeds: for tests that only read it."""
    return make_transfer_results()


@pytest.fixture(scope="session")
def fabricate():
    """The function that makes up a run's results."""
    return make_results


@pytest.fixture
def results():
    """A run with 30 % labelled: five folds, three iterations."""
    return make_results()


@pytest.fixture
def failed_results():
    """The same run after fold 2 turned NaN."""
    made = make_results()
    made["members"][2]["failed"] = {"step": 120, "reason": "the training loss is NaN"}
    made["summary"] = summarise(made["members"])
    return made


@pytest.fixture
def panels(monkeypatch):
    """The axes of the figures that are drawn, which are not written."""
    kept = []
    monkeypatch.setattr(drawing, "_export", lambda figure, format, name: kept.extend(figure.axes))
    return kept
