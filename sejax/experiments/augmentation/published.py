"""Tables 2 and 3 of Bao, Neumann and Vu, "CycleGAN-Based Emotion Style Transfer as Data Augmentation for Speech Emotion
Recognition" (Interspeech 2019), and the figures of Sahu et al. (Interspeech 2018) that it prints beside its own.

Table 2: UAR in %, leave one session of IEMOCAP out. Table 3: UAR in %, trained on IEMOCAP, tested on 70 % of
MSP-IMPROV. A figure with a deviation is (mean, standard deviation over five repeats); Sahu et al. have none. The real
column is printed between the rows of both weights of the classification loss: a classifier of real samples knows
nothing of that weight.
"""

LAMBDAS = (0.0, 2.0)

# Tables 2 and 3: training set -> (UAR, deviation) for "real", and by lambda_cls where samples are synthetic.
UAR = {
    "within": {
        "real": (59.48, 0.71),
        "syn": {0.0: (51.57, 0.60), 2.0: (46.59, 0.75)},
        "real+syn": {0.0: (58.79, 0.77), 2.0: (60.37, 0.70)},
    },
    "cross": {
        "real": (45.58, 0.40),
        "syn": {0.0: (39.35, 0.33), 2.0: (41.58, 1.29)},
        "real+syn": {0.0: (42.61, 0.34), 2.0: (46.52, 0.43)},
    },
}

# The row of Sahu et al. in the same tables: a conditional GAN from two dimensions, training sets as above.
SAHU = {
    "within": {"real": 59.42, "syn": 34.09, "real+syn": 60.29},
    "cross": {"real": 45.14, "syn": 33.96, "real+syn": 45.40},
}

CORPORA = {"within": "IEMOCAP", "cross": "IEMOCAP to MSP-IMPROV"}

NOTE = (
    "Paper: Tables 2 and 3 (IEMOCAP, tested on MSP-IMPROV across corpora), UAR in %, deviation over five repeats. Its "
    "real column is one figure for both rows of lambda. Sahu et al.: as printed there, without deviation."
)


def uar(evaluation, training, weight=None):
    """(UAR, deviation) in % of a training set of Table 2 ("within") or 3 ("cross"); None where there is none.

    `training` is "real", "syn" or "real+syn"; `weight` is lambda_cls, which "real" does not look at.
    """
    found = UAR.get(evaluation, {}).get(training)
    return found.get(weight) if isinstance(found, dict) else found


def recognition(evaluation, training, weight=None):
    """Table 2's or 3's UAR by the key of results.json, as a share; {} where there is none."""
    found = uar(evaluation, training, weight)
    return {"test/uar": round(found[0] / 100, 4)} if found else {}
