"""Every config file shrunk by ``runlocal``: it builds, after its stages, and takes a step."""

import jax
import numpy as np
import pytest
from cases import CONFIGS, load_config
from tiers import tiered

from sejax.core.rng import member_key, root_key
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.held_out import held_out_parts
from sejax.engine.fields import check_config, wanted
from sejax.engine.run import run, run_settings
from sejax.engine.segment import make_segment
from sejax.engine.workdir import stage_folder
from sejax.errors import InputError
from sejax.experiments import study
from sejax.experiments.training import train_run

pytestmark = pytest.mark.usefixtures("quickly_compiled")


LONG = ("audio_text", "cyclegan", "dcgan", "transfer")  # to compile; their programs are in the cases of this folder too


@pytest.mark.parametrize("config_name", tiered(sorted(CONFIGS), slow=LONG))
def test_every_config_builds_and_takes_a_step_when_run_locally(tmp_path, config_name):
    CONFIGS[config_name](tmp_path)
    config = load_config(config_name, "runlocal")
    config = next(iter(study(config.experiment).variants(config).values()))
    assembly = study(config.experiment).assembly(config, tmp_path, _trained_stages(config, tmp_path, tmp_path / "run"))
    assembly = assembly._replace(data=jax.device_put(assembly.data))
    settings = run_settings(config)
    segment = make_segment(assembly, backend=settings.backend, how=settings.ensemble)
    keys = jax.vmap(lambda i: member_key(root_key(0), i))(np.arange(len(assembly.names)))
    carry = segment.advance(assembly.data, segment.start(keys, assembly.members, assembly.data), 1)
    np.testing.assert_array_equal(carry.state.step, 1)
    assert (np.asarray(carry.failed_at) == -1).all()
    assert set(assembly.about) >= {"corpus", "protocol", "classes", "paper", "data"}
    assert set(assembly.examples()) in (set(), set(assembly.about["classes"]))
    check_held_out(study(config.experiment), config, tmp_path, assembly)


def check_held_out(experiment, config, data_dir, assembly):
    """What an experiment says that its members test is what they do test."""
    assert (experiment.posteriors is None) == (experiment.held_out is None)
    if experiment.held_out is None:
        return
    held, parts = experiment.held_out(config, data_dir), np.asarray(assembly.members["part"])
    assert held.names == assembly.names
    assert len(held.utterance) == held.part.shape[1] and held.utterance.max() < len(held.speech.utterance_ids)
    for kind in (TRAIN, VALIDATION, TEST):
        np.testing.assert_array_equal((held.part == kind).sum(1), (parts == kind).sum(1))
    for label in held.label.values():
        assert len(label) == len(held.speech.utterance_ids)
        assert (label[held.utterance[(held.part == TEST).any(0)]] >= 0).all()
    for entry in held_out_parts(*held[:6]):
        assert entry["speakers"] and min(entry["examples"][part] for part in ("train", "test")) > 0


@pytest.mark.parametrize("config_name", sorted(CONFIGS))
def test_a_wrong_value_is_refused_before_data_are_looked_for_or_a_workdir_is_made(tmp_path, config_name):
    config = load_config(config_name, "runlocal")
    config.seed = -1
    variant = next(iter(study(config.experiment).variants(config).values()))
    for work in (
        lambda: study(config.experiment).assembly(variant, tmp_path),
        lambda: train_run(config, tmp_path / "run", tmp_path, command=""),
        lambda: train_run(variant, tmp_path / "run", tmp_path, command=""),
    ):
        with pytest.raises(InputError, match="config: seed=-1; give a whole number from 0"):
            work()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("config_name", sorted(CONFIGS))
def test_every_field_of_a_config_is_declared_and_its_default_allowed(config_name):
    for argument in (None, "runlocal"):
        config = load_config(config_name, argument)
        check_config(config)
        undeclared = {name for name in flat(config.to_dict()) if "like the one" in wanted(config, name)}
        assert undeclared == {"experiment"}


def flat(values, above=""):
    """Names of fields, with their sections."""
    for name, value in values.items():
        yield from flat(value, f"{above}{name}.") if isinstance(value, dict) else [above + name]


def _trained_stages(config, data_dir, workdir):
    """Where the stages of a config were trained, to the end."""
    folders = {}
    for name, stage in study(config.experiment).stages(config).items():
        folders[name] = stage_folder(workdir, name)
        assembly = study(stage.experiment).assembly(stage, data_dir)
        entries = run(assembly, run_settings(stage), folders[name], seed=stage.seed)
        assert [entry["failed"] for entry in entries] == [None] * len(entries)
    return folders
