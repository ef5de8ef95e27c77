"""Results of the experiment `cyclegan` in the schema of results.json, made up from a seed."""

import numpy as np
from reading import figures

from sejax.core.results import summaries, summarise

CLASSES = ["angry", "happy", "neutral", "sad"]
LOSSES = ("generator", "discriminator", "cycle", "classification")
FEATURES = [
    ("loudness", "pcm_loudness_sma_amean"),
    ("loudness", "pcm_loudness_sma_stddev"),
    ("MFCC", "mfcc_sma[0]_amean"),
    ("MFCC", "mfcc_sma[4]_quartile2"),
    ("mel frequency band", "logMelFreqBand_sma[1]_amean"),
    ("mel frequency band", "logMelFreqBand_sma_de[6]_iqr1-3"),
    ("line spectral frequency", "lspFreq_sma[2]_linregc2"),
    ("fundamental frequency", "F0final_sma_percentile99.0"),
    ("fundamental frequency", "F0finEnv_sma_amean"),
    ("voicing", "voicingFinalUnclipped_sma_skewness"),
    ("jitter", "jitterLocal_sma_amean"),
    ("shimmer", "shimmerLocal_sma_kurtosis"),
]
GAPS = {0.0: 0.16, 2.0: 0.55}  # what is left of the difference to the target, by lambda_cls


def _distances(rng, gap):
    found = {}
    for part, spread in (("train", 1.0), ("test", 1.6)):
        source = 0.084 + 0.004 * rng.normal()
        synthetic = source * (gap + 0.15 * (part == "test")) * (1 + 0.08 * rng.random())
        for name, scale in (("difference", 1.0), ("mmd", 4.0), ("frechet", 190.0)):
            found[f"{part}/{name}_source"] = float(scale * source * spread**0.3)
            found[f"{part}/{name}_synthetic"] = float(scale * synthetic * spread**0.3)
    return found


def _history(rng, rows, weight):
    history = []
    for row in range(rows):
        fit = np.exp(-row / 9)
        entry = {"iteration": 1, "epoch": row + 1}
        for place, name in enumerate(CLASSES):
            noise = 1 + 0.05 * rng.normal(size=4)
            entry[f"train/generator/{name}"] = (2.2 + 0.2 * place - 0.9 * fit + 0.2 * (weight > 0)) * noise[0]
            entry[f"train/discriminator/{name}"] = (0.7 + 0.5 * fit) * noise[1]
            entry[f"train/cycle/{name}"] = (0.004 + 0.02 * fit + 0.002 * place) * noise[2]
            entry[f"train/classification/{name}"] = (1.35 * fit + 0.05 if weight else 0.6 + 0.7 * fit) * noise[3]
        history.append(entry)
    return history


def _distribution(rng, gap):
    level, width = rng.uniform(0.2, 0.7, 12), rng.uniform(0.05, 0.15, 12)
    target = {name: level + 0.06 * rng.normal(size=12) for name in CLASSES}

    def described(mean, std):
        return {"mean": mean.tolist(), "std": np.abs(std).tolist()}

    source = np.clip(level + 0.16 * np.where(np.arange(12) % 3, 1, -1), 0.05, 0.95)
    return {
        "source": described(source, 1.2 * width),
        "synthetic": {name: described(mean + gap * (source - mean), 0.6 * width) for name, mean in target.items()},
        "target": {name: described(mean, width) for name, mean in target.items()},
    }


def _projection(rng, gap, points=60):
    centres = {"angry": (3.0, 2.0), "happy": (1.5, 2.4), "neutral": (-1.0, 0.2), "sad": (-2.5, -1.5)}
    source = rng.normal((-2.0, 4.0), 1.2, (2 * points, 2))
    target = {name: rng.normal(centre, 0.9, (points, 2)) for name, centre in centres.items()}
    synthetic = {
        name: rng.normal((1 - 0.4 * gap) * np.array(centre) + 0.4 * gap * np.array((-2.0, 4.0)), 0.5, (points, 2))
        for name, centre in centres.items()
    }
    return {
        "source": source.tolist(),
        "synthetic": {name: found.tolist() for name, found in synthetic.items()},
        "target": {name: found.tolist() for name, found in target.items()},
        "explained": [0.214, 0.093],
    }


def make_member(fold, seed, weight, rows):
    """One member: four GANs at one weight of the classification loss; fold -1 has no held-out part."""
    rng = np.random.default_rng((fold + 1, seed, int(weight)))
    gap = GAPS.get(weight, 0.3 + 0.1 * weight)
    metrics = {name: _distances(rng, gap) for name in ("all", *CLASSES)}
    if fold == -1:
        kept = {name: [key for key in found if key.startswith("train/")] for name, found in metrics.items()}
        metrics = {name: {key: metrics[name][key] for key in keys} for name, keys in kept.items()}
    # Both weights of a fold see the same source and target.
    shared = np.random.default_rng((fold + 1, seed, 99))
    return {
        "fold": fold,
        "seed": seed,
        "lambda_cls": weight,
        "failed": None,
        "gans": dict.fromkeys(CLASSES),
        "metrics": metrics.pop("all"),
        "emotions": metrics,
        "distribution": _distribution(shared, gap),
        "projection": _projection(np.random.default_rng((fold + 1, seed)), gap),
        "history": _history(rng, rows, weight),
    }


def make_pretraining(fold, seed, rows):
    """One member of the pretraining stage."""
    rng = np.random.default_rng((fold + 1, seed))
    history = [
        {"iteration": 1, "epoch": row + 1}
        | {f"train/cycle/{name}": float(0.002 + 0.3 * np.exp(-row / 4) * (1 + 0.1 * rng.random())) for name in CLASSES}
        for row in range(rows)
    ]
    metrics = {f"train/cycle/{name}": history[-1][f"train/cycle/{name}"] for name in CLASSES}
    return {"fold": fold, "seed": seed, "failed": None, "history": history, "metrics": metrics}


def make_cyclegan_results(*, folds=(-1, 0, 1, 2, 3, 4), weights=(0.0, 2.0), rows=40, protocol="leak_free"):
    """Results of `cyclegan`: every fold at every weight, one seed."""
    members = [make_member(fold, 0, weight, rows) for weight in weights for fold in folds]
    pretraining = [make_pretraining(fold, 0, rows) for fold in folds]
    results = {
        "experiment": "cyclegan",
        "protocol": protocol,
        "command": "python launch/train.py --config=configs/cyclegan.py --workdir=run",
        "config": {
            "experiment": "cyclegan",
            "source": "unlabelled",
            "target": ["emodb"],
            "epochs": 2000,
            "row_epochs": 50,
            "pretraining": {"epochs": 10000, "row_epochs": 250},
        },
        "classes": list(CLASSES),
        "data": {
            "source": "unlabelled, 2,000 segments",
            "target": {"emodb": 339},
            "classes": {"angry": 127, "happy": 71, "neutral": 79, "sad": 62},
            "features": "emobase2010",
        },
        "figure_features": [{"category": category, "name": name} for category, name in FEATURES],
        "environment": {"python": "3.11.2", "jax": "0.10.2"},
        "seconds": 8000.0,
        "members": members,
        "stages": {"pretraining": {"members": pretraining, "summary": summarise(pretraining)}},
    }
    return results | summaries(members, paper=lambda name: figures(results, name))


def stop(results, place, name, update):
    """Stop the GAN of one class of one member, as a run writes it."""
    member = results["members"][place]
    member["gans"][name] = {"update": update}
    for row in member["history"][20:]:
        for loss in LOSSES:
            row[f"train/{loss}/{name}"] = None
    member["projection"]["synthetic"][name] = []
