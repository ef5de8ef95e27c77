"""The figures of Lima and Bak, "Speech Emotion Classification using Raw Audio Input and Transcriptions" (SPML 2018):
IEMOCAP, four classes, a random tenth of the utterances (555) as the test part.

Table 4: accuracy and mean attention with word embeddings trained from nothing; Table 5: with pretrained ones. Table 6:
the words of most mutual information with each predicted class. Table 7: the confusion matrix of Att_d^1 with pretrained
embeddings. Table 8: loudness by class. No figure has a deviation over repetitions.

The paper trained no network of audio alone or text alone: Table 4 quotes these, and two of attention, from Hazarika et
al., "Self-attentive feature-level fusion for multimodal emotion detection" (MIPR 2018), which are in QUOTED.
"""

import numpy as np

NAMES = {
    "att_s_1": "Att_s^1",
    "att_d_1": "Att_d^1",
    "att_s_n": "Att_s^n",
    "att_d1_n": "Att_d1^n",
    "att_d2_n": "Att_d2^n",
    "concatenation": "Concatenation",
    "addition": "Addition",
    "audio": "Audio alone",
    "text": "Text alone",
}

# Table 4: accuracy, mean attention of audio and of text.
TRAINED = {
    "att_s_1": (0.679, 0.516, 0.484),
    "att_d_1": (0.703, 0.509, 0.491),
    "att_s_n": (0.703, 0.500, 0.500),
    "att_d1_n": (0.694, 0.499, 0.501),
    "att_d2_n": (0.672, 0.500, 0.500),
    "concatenation": (0.695,),
    "addition": (0.676,),
}
QUOTED = {"att_d_1": 0.721, "att_d2_n": 0.714, "audio": 0.541, "text": 0.625}

# Table 5, as Table 4.
PRETRAINED = {"att_d_1": (0.715, 0.423, 0.577), "att_s_n": (0.688, 0.500, 0.500)}

# Section 5: deviation of attention over the test utterances, by whether embeddings were pretrained.
DEVIATION = {("att_d_1", False): 0.09, ("att_s_n", False): 0.002, ("att_d_1", True): 0.08}

CLASSES = ("anger", "happiness", "neutral", "sadness")

# Table 6: a word, and the share of its test utterances that were predicted as the class.
WORDS = {
    "anger": (("not", 0.462), ("she's", 0.800), ("business", 0.667)),
    "happiness": (("laughter", 0.867), ("oh", 0.704), ("so", 0.592)),
    "neutral": (("um", 0.800), ("can", 0.667), ("uh", 0.650)),
    "sadness": (("they", 0.023), ("else", 0.857), ("the", 0.121)),
}

# Table 7: true classes in rows; then its columns "Accuracy" and "Recall" as printed.
CONFUSION = ((80, 9, 14, 8), (16, 117, 25, 6), (13, 18, 109, 31), (2, 2, 14, 91))
PRINTED = {"Accuracy": (0.721, 0.713, 0.637, 0.835), "Recall": (0.721, 0.801, 0.673, 0.669)}

# Table 8, samples in [-1, 1]: mean of the utterances' mean |x|, deviation of these means, mean of their deviations.
LOUDNESS = {
    "anger": (0.034, 0.039, 0.062),
    "happiness": (0.019, 0.023, 0.034),
    "neutral": (0.009, 0.007, 0.017),
    "sadness": (0.005, 0.004, 0.009),
}

# What corpora call the paper's classes.
SYNONYMS = {"angry": "anger", "happy": "happiness", "joy": "happiness", "neutrality": "neutral", "sad": "sadness"}

NOTE = (
    "Paper: Tables 4 and 5 of Lima and Bak, IEMOCAP, four classes, one random tenth of the utterances for testing, so "
    "that speakers occur in both parts. Audio alone and text alone are no results of theirs: Table 4 quotes them from "
    "Hazarika et al., whose features are others; that both modalities together do better was not tested on one network."
)
CONFUSION_NOTE = (
    "Table 7's column 'Accuracy' is the right share of a row (80 of 111), the class's recall; its column 'Recall' is "
    "the right share of a column, the class's precision. Its diagonal, 397 of 555, is Table 5's 0.715. By its own "
    "figures sadness (0.669), not neutrality (0.673), has the lowest 'recall', against the text; and neutrality's "
    "0.637 is almost 0.2 below sadness's 0.835, where the text says up to 0.1."
)
WORDS_NOTE = (
    "Mutual information counts words that speak against a class as well: Table 6's 'they' (0.023) and 'the' (0.121) "
    "lie far below the share of all test utterances that were predicted as sadness (136 of 555, 0.245), so they mark "
    "what is not sad, and do not bias towards sadness as the text says of 'they'."
)
CLASSES_NOTE = (
    "The paper speaks of four classes and lists five: happiness and excitement are merged. Its vectors for audio are "
    "said to have 2 x 150 (or 2 x 300) numbers and those for text have 2 x 200; a fusion needs equal sizes, 400 here."
)


def published(fusion, *, vectors=False):
    """Table 4 for one fusion, Table 5 with pretrained `vectors`, by the keys of results.json; {} for what has none.

    Audio and text alone have the figures that Table 4 quotes.
    """
    row = (PRETRAINED if vectors else TRAINED).get(fusion)
    if row is None:
        return {"test/accuracy": QUOTED[fusion]} if fusion in ("audio", "text") else {}
    found = dict(zip(("test/accuracy", "test/attention_audio", "test/attention_text"), row, strict=False))
    if (fusion, vectors) in DEVIATION:
        found["test/attention_deviation"] = DEVIATION[fusion, vectors]
    return found


def class_of(name):
    """The paper's class (of CLASSES) that a corpus calls `name`; None for others."""
    name = SYNONYMS.get(name.lower(), name.lower())
    return name if name in CLASSES else None


def shares(matrix):
    """Recall and precision of every class of a confusion matrix [C, C], true classes in rows: two f64 [C].

    A class that never occurs, or is never predicted, has nan.
    """
    matrix = np.asarray(matrix, dtype=float)
    right = np.diag(matrix)
    with np.errstate(invalid="ignore"):
        return right / matrix.sum(1), right / matrix.sum(0)
