"""The figures of Chang and Scherer, "Learning Representations of Emotional Speech with Deep Convolutional Generative
Adversarial Networks" (ICASSP 2017): valence in IEMOCAP, five points, leave one session out.

Table 1: what random search found. Table 2: unweighted accuracy of five and of three classes and Pearson's rho of the
expected rating, as shares here. Table 3: BasicDCGAN's confusion matrix as shares of the true class. No figure has a
deviation, and none is of activation.

Table 3 settles what the text leaves open. COUNTS are the whole numbers that give its shares; they also give Table 2's
two accuracies of BasicDCGAN, with all folds' predictions in one matrix, although the caption has "averaged across 5
test folds". The text's precision and F1 follow from the shares of the rows as they stand, as if all classes were
equally frequent: CLAIMS has the printed figures, `claimed` computes them.
"""

import numpy as np

NAMES = {
    "basic_cnn": "BasicCNN",
    "multitask_cnn": "MultitaskCNN",
    "basic_dcgan": "BasicDCGAN",
    "multitask_dcgan": "MultitaskDCGAN",
}

# Table 1: crop width in frames, learning rate, batch size, filter size, filters.
PARAMETERS = {
    "basic_cnn": {"crop": 128, "learning_rate": 1e-4, "batch_size": 64, "filter_size": 15, "filters": 84},
    "multitask_cnn": {"crop": 64, "learning_rate": 1e-3, "batch_size": 128, "filter_size": 8, "filters": 32},
    "basic_dcgan": {"crop": 128, "learning_rate": 1e-4, "batch_size": 64, "filter_size": 9, "filters": 72},
    "multitask_dcgan": {"crop": 64, "learning_rate": 1e-4, "batch_size": 128, "filter_size": 6, "filters": 88},
}

# Table 2: unweighted accuracy of five classes, of three, Pearson's rho.
METRICS = ("test/uar", "test/uar_3", "test/pearson")
VALENCE = {
    "basic_cnn": (0.3852, 0.4659, 0.1639),
    "multitask_cnn": (0.3678, 0.4057, 0.0737),
    "basic_dcgan": (0.4388, 0.4980, 0.2618),
    "multitask_dcgan": (0.4369, 0.4888, 0.2434),
}

# Table 3: BasicDCGAN's shares of the true class, very negative to very positive.
CONFUSION = (
    (0.3316, 0.1633, 0.1837, 0.2092, 0.1122),
    (0.0293, 0.7701, 0.0796, 0.0910, 0.0299),
    (0.0106, 0.5090, 0.3507, 0.0903, 0.0393),
    (0.0285, 0.4881, 0.1395, 0.3027, 0.0412),
    (0.0366, 0.2683, 0.0732, 0.1829, 0.4390),
)

# Not printed: the smallest whole numbers whose shares are those of Table 3.
COUNTS = (
    (65, 32, 36, 41, 22),
    (49, 1286, 133, 152, 50),
    (10, 479, 330, 85, 37),
    (18, 308, 88, 191, 26),
    (3, 22, 6, 15, 36),
)

# Section 6, of BasicDCGAN: (class, quantity) -> figure; the class is a row of Table 3.
CLAIMS = {(1, "recall"): 0.7701, (1, "precision"): 0.3502, (4, "f1"): 0.5284}

NOTE = (
    "Paper: Table 2, IEMOCAP rated by humans, AMI as further unlabelled speech. Its caption has averages over five "
    "folds, but the counts behind Table 3 give BasicDCGAN's 43.88 % and 49.80 % with all folds in one matrix, as the "
    "columns named pooled have it here."
)
CONFUSION_NOTE = (
    "The paper's precision of negative (0.3502) and F1 of very positive (0.5284, called the highest) follow from Table "
    "3's shares as if all classes were equally frequent. With the counts behind the shares (3520 utterances) they are "
    "0.6046 and 0.2846, and the highest F1 is that of negative, 0.6774."
)


def published(model):
    """Table 2 for one model, by the keys of results.json; {} for other models."""
    return dict(zip(METRICS, VALENCE[model], strict=True)) if model in VALENCE else {}


def claimed(matrix):
    """Recall, precision and F1 of every class of a confusion matrix [C, C], true classes in rows: three f64 [C]."""
    matrix = np.asarray(matrix, dtype=float)
    right = np.diag(matrix)
    return right / matrix.sum(1), right / matrix.sum(0), 2 * right / (matrix.sum(0) + matrix.sum(1))
