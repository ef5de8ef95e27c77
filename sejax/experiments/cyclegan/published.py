"""Table 1 of Bao, Neumann and Vu, "CycleGAN-Based Emotion Style Transfer as Data Augmentation for Speech Emotion
Recognition" (Interspeech 2019): mean |difference| of min-max scaled features, source TED-LIUM 2, target IEMOCAP.
"""

# Target against source, and against synthetic samples by lambda_cls.
DIFFERENCE_SOURCE = 0.084
DIFFERENCE_SYNTHETIC = {0.0: 0.013, 2.0: 0.049}

NOTE = (
    "Paper: Table 1, TED-LIUM 2 to IEMOCAP. It calls the figure the mean of absolute differences between all feature "
    "values; here that is the mean over features of |difference of the two sets' means|."
)


def difference(weight):
    """Table 1 for one lambda_cls, by the keys of results.json; without the synthetic figure for other weights."""
    found = {"train/difference_source": DIFFERENCE_SOURCE}
    if weight in DIFFERENCE_SYNTHETIC:
        found["train/difference_synthetic"] = DIFFERENCE_SYNTHETIC[weight]
    return found
