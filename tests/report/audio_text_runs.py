"""Results of the experiment `audio_text` in the schema of results.json, made up from a seed."""

import numpy as np
from reading import figures

from sejax.core.results import summaries
from sejax.experiments.audio_text.published import NAMES

CLASSES = ["anger", "happiness", "neutral", "sadness"]
SIZES = (9, 12, 14, 8)
WORDS = ["the", "[laughter]", "nie", "żółć", "schön", "um", "she's", "$5"]
# How far above guessing a fusion answers: audio tells emotions apart, words do not.
REACH = {name: 0.42 for name in NAMES} | {"audio": 0.4, "text": 0.0}


def make_counts(rng, reach):
    """Counts [4, 4] of answers that are right `reach` more often than by guessing."""
    rates = np.full((4, 4), (1 - reach) / 4) + reach * np.eye(4)
    return np.stack([rng.multinomial(size, row) for size, row in zip(SIZES, rates, strict=True)])


def scores(counts):
    """Accuracy and UAR of counts [4, 4]."""
    return {"accuracy": float(np.trace(counts) / counts.sum()), "uar": float((np.diag(counts) / counts.sum(1)).mean())}


def make_history(rng, reach, epochs):
    """Rows of an epoch each; "iteration" counts updates."""
    rows = []
    for epoch in range(1, epochs + 1):
        fit = 1 - np.exp(-epoch / 5)
        row = {"train/loss": 1.4 - 1.1 * fit, "train/accuracy": 0.3 + 0.65 * fit}
        row |= {"valid/loss": 1.4 - reach * fit, "valid/accuracy": 0.3 + reach * fit, "valid/uar": 0.25 + reach * fit}
        row = {name: float(value + 0.02 * rng.normal()) for name, value in row.items()}
        rows.append({"iteration": 40 * epoch, "epoch": epoch} | row)
    return rows


def make_example(rng, name, place, *, seconds=2.4, words=None, timed=True):
    """One utterance as a member explained it; `place` is its class."""
    words = WORDS[place:] + WORDS[: place + 1] if words is None else words
    length = max(1, round(100 * seconds))
    loud = 0.5 * np.abs(np.sin(np.arange(length) / 17)) * rng.uniform(0.3, 1, length)
    stretches = np.repeat(rng.normal(0.05, 0.12, -(-length // 20)), 20)[:length].round(4)
    start = (np.arange(len(words)) * seconds / max(1, len(words))).round(3)
    posterior = rng.dirichlet(np.ones(4) + 4 * np.eye(4)[place])
    return {
        "id": f"Ses01F_impro0{place}_F00{place}",
        "label": place,
        "posterior": posterior.round(4).tolist(),
        "attention": float(rng.beta(8, 6)) if name.startswith("att") else None,
        "seconds": seconds,
        "envelope": {"low": (-loud).round(4).tolist(), "high": loud.round(4).tolist()},
        "words": list(words),
        "start": start.tolist() if timed else None,
        "end": (start + 0.2).tolist() if timed else None,
        "word_importance": None if name == "audio" else rng.normal(0, 0.08, len(words)).round(4).tolist(),
        "audio_importance": None if name == "text" else stretches.tolist(),
    }


def make_member(name, fold, seed, *, epochs=12, reach=None, examples=3):
    """One member, sound; the first fold's first seed explains utterances."""
    rng = np.random.default_rng((list(NAMES).index(name), fold, seed))
    reach = REACH[name] if reach is None else reach
    counts, checked = make_counts(rng, reach), make_counts(rng, reach + 0.03)
    metrics = {f"test/{metric}": value for metric, value in scores(counts).items()}
    metrics |= {"test/macro_f1": metrics["test/uar"] - 0.01}
    metrics |= {f"valid/{metric}": value for metric, value in scores(checked).items()}
    label = [place for place, size in enumerate(SIZES) for _ in range(size)]
    answer = [told for row in counts for told, count in enumerate(row) for _ in range(count)]
    shares = None
    if name.startswith("att"):
        width = 0.002 if name.endswith("_n") else 0.09
        shares = np.clip(0.52 + 0.05 * np.array(label) * width + width * rng.normal(size=len(label)), 0, 1)
        metrics |= {"test/attention_audio": float(shares.mean()), "test/attention_text": float(1 - shares.mean())}
        metrics["test/attention_deviation"] = float(shares.std())
    present = rng.integers(3, 12, len(WORDS))
    history = make_history(rng, reach, epochs)
    explained = fold == seed == 0
    words = [WORDS, WORDS[:3], []]
    return {
        "fusion": name,
        "fold": fold,
        "seed": seed,
        "failed": None,
        "metrics": metrics,
        "confusion": {"test": counts.tolist()},
        "epochs": epochs,
        "best_epoch": max(1, epochs - 2),
        "predictions": {
            "id": [f"u{fold}-{place}" for place in range(len(label))],
            "label": label,
            "posterior": (0.1 * np.ones((len(label), 4)) + 0.6 * np.eye(4)[answer]).tolist(),
            "attention": None if shares is None else shares.round(5).tolist(),
        },
        "words": {
            "text": list(WORDS),
            "present": present.tolist(),
            "predicted": np.stack([rng.multinomial(count, [0.25] * 4) for count in present]).tolist(),
        },
        "utterances": len(label),
        "predicted": counts.sum(0).tolist(),
        "examples": [make_example(rng, name, place, words=words[place]) for place in range(examples)]
        if explained
        else None,
        "history": history,
    }


def make_data(*, folds=5, vectors=None):
    """What results.json says of the utterances."""
    loud = dict(zip(CLASSES, (0.06, 0.05, 0.03, 0.02), strict=True))
    return {
        "utterances": 43 * folds,
        "speakers": 2 * folds,
        "waveform_statistics": {
            name: {"average": value, "average_deviation": value / 2, "deviation_average": 2 * value}
            for name, value in loud.items()
        },
        "types": 812,
        "words": 5120,
        "vocabulary": [700 + fold for fold in range(folds)],
        "vectors": vectors,
        "shapes": [[16000, 4, 12], [48000, 11, 30], [160000, 31, 5]],
        "padding": {"samples": 0.083, "words": 0.21},
    }


def make_audio_text_results(
    *, names=tuple(NAMES), folds=5, seeds=1, epochs=12, vectors=None, reach=None, examples=3, **top
):
    """Results of `audio_text`; `vectors` {"file", "types", "words"} or None, `reach` {fusion: over guessing}."""
    reach = reach or {}
    places = [(fold, seed) for fold in range(folds) for seed in range(seeds)]
    told = {"epochs": epochs, "examples": examples}
    members = [make_member(name, *place, reach=reach.get(name), **told) for name in names for place in places]
    results = {
        "experiment": "audio_text",
        "corpus": "iemocap",
        "protocol": "session",
        "command": "python launch/train.py --config=configs/audio_text.py --workdir=run",
        "config": {"experiment": "audio_text", "corpus": "iemocap", "seeds": seeds, "embedding": 150},
        "classes": list(CLASSES),
        "data": make_data(folds=folds, vectors=vectors),
        "environment": {"python": "3.11.2", "jax": "0.10.2"},
        "seconds": 900.0,
        "members": members,
    } | top
    return results | summaries(members, paper=lambda name: figures(results, name))
