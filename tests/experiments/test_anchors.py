"""What simple systems reach on a run's folds: in the results when training ends, and added to a run that lacks it."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_vectors
from ml_collections import ConfigDict

from sejax.core.results import read_results, write_results
from sejax.data.anchor import anchor
from sejax.data.folds import LEFT_OUT, TRAIN
from sejax.errors import InputError
from sejax.experiments import HeldOut, study
from sejax.experiments.anchors import add_anchors, anchors_on
from sejax.experiments.training import train_run

pytest.importorskip("sklearn", reason="the classifier is scikit-learn's; pip install sejax[classify]")
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "augmentation.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of `augmentation` on made-up vectors: its folder and that of the vectors."""
    spec = importlib.util.spec_from_file_location("augmentation_config", CONFIG)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("trained")
    toy_vectors.write_prepared_set(folder / "data", toy_vectors.emotional())
    config = module.get_config("runlocal=True,real=emodb")
    config.run.compilation_cache = ""
    train_run(config, folder / "run", folder / "data", command="")
    return folder / "run", folder / "data"


def held_of(workdir, data_dir):
    config = ConfigDict(read_results(workdir)["config"])
    experiment = study(config.experiment)
    return experiment.held_out(next(iter(experiment.variants(config).values())), data_dir)


def test_a_run_that_ends_has_the_anchor_on_its_members_own_folds(trained):
    workdir, data_dir = trained
    held, found = held_of(*trained), read_results(workdir)["data"]["anchor"]
    assert found == anchor(data_dir, held.speech, held.part, label=held.label)
    assert found["scores"][""]["uar"]["n"] == 2 and found["scores"][""]["uar"]["mean"] > 0.9
    assert "openSMILE + linear SVM" in (workdir / "report.html").read_text(encoding="utf-8")


def test_it_is_added_to_a_run_that_lacks_it_and_changes_nothing_else(trained):
    workdir, data_dir = trained
    whole = read_results(workdir)
    for lacking in ({}, {"anchor": {"missing": "no vectors"}}):
        data = {name: value for name, value in whole["data"].items() if name != "anchor"} | lacking
        write_results(workdir, whole | {"data": data})
        add_anchors(workdir, data_dir)
        assert read_results(workdir) == whole
    with pytest.raises(InputError, match="no prepared emobase2010 vectors"):
        write_results(workdir, whole | {"data": {}})
        add_anchors(workdir, workdir)
    write_results(workdir, whole)


def test_a_set_that_gives_other_folds_is_refused(trained, tmp_path):
    whole = read_results(trained[0])
    toy_vectors.write_prepared_set(tmp_path, toy_vectors.emotional(times=3))
    write_results(trained[0], whole | {"data": {}})
    with pytest.raises(InputError, match="its test parts are none of those of"):
        add_anchors(trained[0], tmp_path)
    assert read_results(trained[0])["data"] == {}
    write_results(trained[0], whole)


def test_what_members_see_no_label_of_trains_no_anchor(trained):
    _, data_dir = trained
    held = held_of(*trained)
    shown = np.random.default_rng(0).random(held.part.shape) < 0.3
    fewer = anchors_on(held._replace(labelled=shown), data_dir)["anchor"]["scores"]
    part = np.where((held.part == TRAIN) & ~shown, LEFT_OUT, held.part)
    assert fewer == anchor(data_dir, held.speech, part, label=held.label)["scores"]
    assert fewer != anchors_on(held, data_dir)["anchor"]["scores"]
    everything = anchors_on(held._replace(labelled=np.ones_like(shown)), data_dir)
    assert everything == anchors_on(held, data_dir)


def test_members_of_pseudo_labelling_say_which_labels_they_see(trained, monkeypatch):
    from sejax.experiments.pseudo_labelling import assembly

    vectors = replace(toy_vectors.emotional(), settings={})
    monkeypatch.setattr(assembly, "_find", lambda config, data_dir: vectors)
    given = {"protocol": "speaker", "folds": 5, "only_folds": 0, "validation": 0.1, "seed": 0, "seeds": 2}
    given |= {"labelled": 0.3, "classes": (), "split_folds": (), "features": "image", "normalise_by": "training"}
    held = assembly.held_out(ConfigDict(given), trained[1])
    assert isinstance(held, HeldOut) and held.labelled.shape == held.part.shape
    share = (held.labelled & (held.part == TRAIN)).sum() / (held.part == TRAIN).sum()
    assert 0.2 < share < 0.45


def test_an_experiment_that_classifies_nothing_has_none():
    assert study("cyclegan").held_out is None
