"""How often tests and intervals of paired differences over folds are wrong, on corpora made of numbers.

    python benchmarks/paired_tests.py [--corpora=1000]

A corpus has ten speakers, each of whom shifts all features by a vector of his own, and two sets of features that say
equally much of the classes: their distributions are the same, their draws are not. Two nearest-mean classifiers, one a
set, are cross-validated over speakers. Neither is the better method, whatever the folds say, and what finds a
difference at 5 % should do so in 5 % of the corpora.
"""

import argparse

import numpy as np

from sejax.report.inference import LEAST, bootstrap_interval, corrected_t, sign_flips

SPEAKERS, CLASSES, UTTERANCES, FEATURES = 10, 4, 8, 6  # utterances of each speaker and class; features of each set
MEANS = 0.5 * np.random.default_rng(0).normal(size=(CLASSES, FEATURES))
NAMES = ("Student's t", "corrected t", "bootstrap without 0", "sign flips")


def corpus(random):
    """Features f64[2, N, F] of two sets, label and speaker i64[N]."""
    speaker = np.repeat(np.arange(SPEAKERS), CLASSES * UTTERANCES)
    label = np.tile(np.repeat(np.arange(CLASSES), UTTERANCES), SPEAKERS)
    own = random.normal(size=(2, SPEAKERS, FEATURES)) * 0.7
    features = MEANS[label] + own[:, speaker] + random.normal(size=(2, len(label), FEATURES))
    return features, label, speaker


def recall(features, label, tests):
    """Unweighted average recall of a nearest-mean classifier, trained where `tests` is False."""
    centres = np.stack([features[~tests & (label == number)].mean(0) for number in range(CLASSES)])
    nearest = ((features[tests, None] - centres) ** 2).sum(-1).argmin(-1)
    return np.mean([(nearest[label[tests] == number] == number).mean() for number in range(CLASSES)])


def found(random, folds):
    """Which of `NAMES` find a difference at 5 % between the two sets of features of a corpus."""
    features, label, speaker = corpus(random)
    fold = random.permutation(SPEAKERS)[speaker] % folds
    values = np.array(
        [recall(features[0], label, fold == k) - recall(features[1], label, fold == k) for k in range(folds)]
    )
    interval = bootstrap_interval(values)
    if len(values) < LEAST or interval is None:
        return (False,) * len(NAMES)
    return (
        corrected_t(values, 0.0)[0] < 0.05,
        corrected_t(values, 1 / (folds - 1))[0] < 0.05,
        not interval[0] <= 0 <= interval[1],
        sign_flips(values) < 0.05,
    )


def main():
    """Print the share of corpora in which each finds the difference that is not there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpora", type=int, default=1000)
    corpora = parser.parse_args().corpora
    print("| folds | " + " | ".join(NAMES) + " |\n| ---: |" + " ---: |" * len(NAMES))
    for folds in (5, 10):
        random = np.random.default_rng(folds)
        shares = np.mean([found(random, folds) for _ in range(corpora)], axis=0)
        print(f"| {folds} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")


if __name__ == "__main__":
    main()
