"""The figures of Venkateswaran et al., "Pseudo-Labelling and Transfer Learning Based Speech Emotion
Recognition".

All are unweighted (macro) F1-scores. Table 2: full supervision; Tables 3 and 4: 30 % and 20 % of each class
labelled, after the first and the third iteration. `baseline` is the log scale without voice activity
detection; `log` and `mel` are computed on voiced parts only. The paper calls its five folds gender and
speaker independent; docs/pseudo_labelling.md says why its figures point to images split at random.
"""

CONDITIONS = ("baseline", "log", "mel")

# Table 2: corpus -> F1 for each of CONDITIONS.
FULL_SUPERVISION = {
    "abc": (0.91, 0.92, 0.92),
    "avic": (0.89, 0.94, 0.91),
    "des": (0.93, 0.94, 0.92),
    "emodb": (0.96, 0.94, 0.92),
    "enterface": (0.81, 0.89, 0.87),
    "sal": (0.78, 0.92, 0.89),
    "smartkom": (0.90, 0.90, 0.87),
    "susas": (0.96, 0.97, 0.96),
    "vam": (0.86, 0.91, 0.45),
}

# Tables 3 and 4: labelled fraction -> corpus -> (F1 after iteration 1, after iteration 3) for each of
# CONDITIONS.
SEMI_SUPERVISION = {
    0.3: {
        "abc": ((0.62, 0.63), (0.66, 0.69), (0.69, 0.67)),
        "avic": ((0.67, 0.72), (0.74, 0.77), (0.69, 0.71)),
        "des": ((0.67, 0.72), (0.63, 0.66), (0.64, 0.67)),
        "emodb": ((0.77, 0.80), (0.70, 0.72), (0.66, 0.72)),
        "enterface": ((0.56, 0.60), (0.56, 0.62), (0.53, 0.59)),
        "sal": ((0.42, 0.61), (0.57, 0.62), (0.55, 0.61)),
        "smartkom": ((0.52, 0.58), (0.51, 0.57), (0.49, 0.53)),
        "susas": ((0.81, 0.85), (0.80, 0.86), (0.83, 0.83)),
        "vam": ((0.55, 0.61), (0.58, 0.63), (0.37, 0.60)),
    },
    0.2: {
        "avic": ((0.60, 0.58), (0.68, 0.69), (0.64, 0.68)),
        "emodb": ((0.70, 0.73), (0.61, 0.67), (0.59, 0.64)),
        "susas": ((0.79, 0.81), (0.82, 0.83), (0.76, 0.78)),
    },
}

# Section 5: corpus -> (right, confident) pseudo-labels after the second iteration, log scale, 30 % labelled.
PSEUDO_LABELS = {"susas": (2613, 2946), "vam": (1889, 2439)}


def condition(scale, voice_activity):
    """The paper's name for a setting: "baseline", "log" or "mel"; None for one that it did not run.

    `scale` is "log" or "mel"; `voice_activity` is webrtcvad's mode (0..3), or "none" (or None) for no
    detector. The paper names no mode, so every mode stands beside its figures for voiced parts.
    """
    if scale not in ("log", "mel"):
        return None
    if voice_activity is None or str(voice_activity).lower() == "none":
        return "baseline" if scale == "log" else None
    return scale


def published(corpus, scale, voice_activity, labelled):
    """The paper's macro-F1 for one setting, by the keys of results.json; {} where it has no figure.

    Arguments: `corpus` by the names above in any case (eNTERFACE, emoDB); `scale` and `voice_activity` as in
    `condition`; `labelled` the labelled fraction, 1.0 for full supervision.

    Returns {"test/macro_f1": x} under full supervision, and otherwise {"iteration_1/test/macro_f1": x,
    "iteration_3/test/macro_f1": y, "test/macro_f1": y}.
    """
    setting = condition(scale, voice_activity)
    name = str(corpus).lower()
    if setting is None:
        return {}
    column, fraction = CONDITIONS.index(setting), round(float(labelled), 6)
    if fraction == 1:
        return {"test/macro_f1": FULL_SUPERVISION[name][column]} if name in FULL_SUPERVISION else {}
    table = SEMI_SUPERVISION.get(fraction, {})
    if name not in table:
        return {}
    first, third = table[name][column]
    return {"iteration_1/test/macro_f1": first, "iteration_3/test/macro_f1": third, "test/macro_f1": third}
