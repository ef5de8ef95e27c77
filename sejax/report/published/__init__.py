"""The figures that the papers print, by the keys of results.json: one module for each paper.

`figures` finds them for a run and a variant of it; an experiment without figures is simply not in FIGURES.
"""

from sejax.report.published import audio_text, cyclegan, dcgan, pseudo_labelling, transfer
from sejax.report.terms import setting, with_vectors


def _pseudo_labelling(results, name):
    del name
    fields = ("corpus", ""), ("scale", None), ("voice_activity", "none"), ("labelled", 1.0)
    return pseudo_labelling.published(*(setting(results, field, default) for field, default in fields))


def _transfer(results, name):
    fields = "model", "learning_rate"
    return transfer.published(*(name.get(field, setting(results, field)) for field in fields))


def _cyclegan(results, name):
    return cyclegan.difference(name.get("lambda_cls", setting(results, "lambda_cls")))


def _augmentation(results, name):
    training = name.get("training", setting(results, "training"))
    return cyclegan.recognition(setting(results, "evaluation"), training, name.get("lambda_cls"))


def _dcgan(results, name):
    return dcgan.published(name.get("model", setting(results, "model")))


def _audio_text(results, name):
    return audio_text.published(name.get("fusion", setting(results, "fusion")), vectors=with_vectors(results))


FIGURES = {
    "pseudo_labelling": _pseudo_labelling,
    "transfer": _transfer,
    "cyclegan": _cyclegan,
    "augmentation": _augmentation,
    "dcgan": _dcgan,
    "audio_text": _audio_text,
}
NOTES = {
    "transfer": transfer.NOTE,
    "cyclegan": cyclegan.DIFFERENCE_NOTE,
    "augmentation": cyclegan.UAR_NOTE,
    "dcgan": dcgan.NOTE,
    "audio_text": audio_text.NOTE,
}
PROTOCOL_NOTES = {"transfer": transfer.PROTOCOL_NOTE}


def figures(results, name):
    """The paper's figures {metric: value} for a run's setting and a variant's `name`; {} where it has none."""
    find = FIGURES.get(results["experiment"])
    return find(results, name) if find else {}


def note(results):
    """Where a run's published figures stand and where the paper contradicts itself, or ""."""
    return NOTES.get(results["experiment"], "")


def protocol_note(results):
    """What a run's paper says of how its data were split and tested, or ""."""
    return PROTOCOL_NOTES.get(results["experiment"], "")
