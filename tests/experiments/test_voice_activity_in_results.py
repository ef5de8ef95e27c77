"""What results.json says of voice activity: how much of the corpus's seconds the detector kept, or took for speech."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tones
import toy_speech
import toy_vectors

from sejax.data.store.sets import heard
from sejax.data.vectors.load import emotional
from sejax.experiments import study
from sejax.experiments.augmentation.assembly import assemble as assemble_augmentation
from sejax.experiments.cyclegan.assembly import assemble as assemble_cyclegan
from sejax.experiments.dcgan.assembly import assemble as assemble_dcgan
from sejax.experiments.images import load_weights
from sejax.experiments.pseudo_labelling.assembly import about as about_pseudo_labelling
from sejax.experiments.pseudo_labelling.assembly import make_members
from sejax.experiments.transfer.assembly import about as about_transfer

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def config_of(name, argument):
    """The config of an experiment's first variant."""
    spec = importlib.util.spec_from_file_location(f"{name}_config", CONFIGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config(argument)
    return next(iter(study(name).variants(config).values()))


def counted(prepared, counts, **settings):
    """A set whose preparation counted this."""
    return replace(prepared, counts=counts, settings=prepared.settings | settings)


def of_pseudo_labelling(**counts):
    images = counted(tones.spectrograms(), counts, voice_activity=0)
    config = config_of("pseudo_labelling", "corpus=tones,runlocal")
    return about_pseudo_labelling(config, images, make_members(config, images)[1])


def of_transfer(**counts):
    images = counted(tones.spectrograms(), counts, voice_activity="silero")
    config = config_of("transfer", "corpus=tones,runlocal")
    config.model, config.model_weights = "squeezenet1_1", "random"
    weights = load_weights(config.model, config.model_weights, seed=0)
    return about_transfer(config, images, np.zeros((1, 60), np.int8), weights)


def of_dcgan(**counts):
    speech = counted(toy_speech.rated(), counts, voice_activity=3)
    return assemble_dcgan(config_of("dcgan", "corpus=rated,models=basic_cnn,runlocal"), speech, []).about


def of_augmentation(**counts):
    vectors = counted(toy_vectors.emotional(), counts, trim="3")
    config = config_of("augmentation", "real=emodb,runlocal,trainings=real")
    config.trainings = ("syn", "real")  # whose anchor stands with the first
    return assemble_augmentation(config, [vectors], None, None).about


def of_cyclegan(**counts):
    source, target = (counted(one(), counts, trim="3") for one in (toy_vectors.unlabelled, toy_vectors.emotional))
    config = config_of("cyclegan", "source=unlabelled,target=emodb,runlocal,pretraining=0")
    config.pretraining.epochs = 0
    return assemble_cyclegan(config, source, [target]).about


KEPT = {"seconds": 200.0, "seconds_kept": 150.04}


@pytest.mark.parametrize(
    ("about", "counts", "found"),
    [
        (of_pseudo_labelling, KEPT, {"detector": "0", "seconds": 200.0, "kept": 150.04}),
        (of_transfer, KEPT, {"detector": "silero", "seconds": 200.0, "kept": 150.04}),
        (
            *(of_dcgan, {"seconds": 200.0, "seconds_heard": 80.0, "seconds_speech": 60.0}),
            {"detector": "3", "seconds": 80.0, "speech": 60.0},
        ),
        (
            *(of_augmentation, KEPT | {"without_speech": ["a"]}),
            {"detector": "3", "seconds": 200.0, "kept": 150.04, "whole": 1},
        ),
        (of_cyclegan, KEPT | {"without_speech": []}, {"detector": "3", "seconds": 400.0, "kept": 300.08}),
    ],
)
def test_results_say_what_the_detector_found_and_nothing_of_sets_that_do_not(about, counts, found):
    assert about(**counts)["data"]["voice_activity"] == found
    without = {name: value for name, value in counts.items() if not name.startswith("seconds_")}
    assert "voice_activity" not in about(**without)["data"]


def test_sets_without_a_detector_say_nothing_and_joined_ones_what_all_of_them_do():
    assert heard(counted(tones.spectrograms(), KEPT, voice_activity=None)) == {}
    assert heard(counted(toy_vectors.emotional(), KEPT)) == {}  # not trimmed
    one = counted(toy_vectors.emotional(), KEPT | {"without_speech": ["x"]}, trim="0")
    other = counted(toy_vectors.emotional("nemo"), KEPT | {"without_speech": []}, trim="0")
    both = {"detector": "0", "seconds": 400.0, "kept": 300.08, "whole": 1}
    assert heard(emotional([one, other]))["voice_activity"] == both
    assert heard(emotional([one, counted(other, {"seconds": 9.0}, trim="0")])) == {}
