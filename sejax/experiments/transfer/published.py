"""The figures of Kapoor and Kumar, "Anger and Stress Recognition from Spectrogram Images Using Pre-Trained
Convolutional Neural Network".

Table II: accuracy and loss on the training and the validation images, all at the learning rate of Table 1;
there is no figure for the test images. The text of section 5 repeats them and contradicts the table twice
(CONTRADICTED); the table's figures are used here. Accuracies are shares.
"""

import math

LEARNING_RATE = 1e-4  # Table 1

# Table II: network -> training accuracy, validation accuracy, training loss, validation loss.
TABLE = {
    "ResNet50": (0.997, 0.998, 0.0236, 0.023),
    "SqueezeNet": (0.578, 0.463, 7.2, 9.6),
    "WideResNet": (0.857, 0.789, 6.12, 6.23),
    "InceptionV3": (0.385, 0.385, 9.8, 9.8),
}
METRICS = ("train/accuracy", "valid/accuracy", "train/loss", "valid/loss")

# Where section 5's text differs from Table II: (network, metric) -> the text's figure.
CONTRADICTED = {("ResNet50", "valid/loss"): 0.23, ("SqueezeNet", "valid/accuracy"): 0.467}

# sejax.models' names: WideResNet is taken for WideResNet-50-2, and the paper does not say which SqueezeNet.
NETWORKS = {
    "resnet50": "ResNet50",
    "resnet50_keras": "ResNet50",
    "squeezenet1_0": "SqueezeNet",
    "squeezenet1_1": "SqueezeNet",
    "wide_resnet50_2": "WideResNet",
    "inception_v3": "InceptionV3",
    "inception_v3_keras": "InceptionV3",
}

NOTE = (
    "Paper: Table II, learning rate 0.0001. Its text has a validation loss of 0.23 for ResNet50 (table: 0.023) and "
    "a validation accuracy of 0.467 for SqueezeNet (table: 0.463)."
)
PROTOCOL_NOTE = (
    "The paper says no more of its protocol than that the images were split into training, validation and test sets; "
    "it prints no confusion matrix and no figure for the test set."
)


def published(model, learning_rate):
    """Table II for one network, by the keys of results.json; {} for other networks and other learning rates.

    `model` is a name of sejax.models; `learning_rate` that of Adadelta. Returns {"train/accuracy",
    "valid/accuracy", "train/loss", "valid/loss"} in the table's order, accuracies as shares.
    """
    if model not in NETWORKS or learning_rate is None or not math.isclose(learning_rate, LEARNING_RATE, rel_tol=1e-6):
        return {}
    return dict(zip(METRICS, TABLE[NETWORKS[model]], strict=True))
