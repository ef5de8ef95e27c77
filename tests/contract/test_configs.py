"""Every config file shrunk by ``runlocal``: it builds, after its stages, and takes a step."""

import jax
import numpy as np
import pytest
from cases import CONFIGS, load_config

from sejax.core.rng import member_key, root_key
from sejax.engine.run import run, run_settings
from sejax.engine.segment import make_segment
from sejax.engine.workdir import stage_folder
from sejax.experiments import study

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.mark.parametrize("config_name", sorted(CONFIGS))
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


def _trained_stages(config, data_dir, workdir):
    """Where the stages of a config were trained, to the end."""
    folders = {}
    for name, stage in study(config.experiment).stages(config).items():
        folders[name] = stage_folder(workdir, name)
        assembly = study(stage.experiment).assembly(stage, data_dir)
        entries = run(assembly, run_settings(stage), folders[name], seed=stage.seed)
        assert [entry["failed"] for entry in entries] == [None] * len(entries)
    return folders
