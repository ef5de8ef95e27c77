"""How a run ends: what is computed is in results.json, whatever becomes of its page."""

from dataclasses import replace

import numpy as np
import pytest
from ml_collections import ConfigDict

from sejax.core.results import read_results
from sejax.experiments import study, training
from sejax.experiments.training import finished_run, train_run
from sejax.report.html import read_examples

CONFIG = ConfigDict({"experiment": "transfer", "corpus": "emodb"})
MEMBERS = [{"fold": 0, "seed": 0, "failed": None, "metrics": {"test/uar": 0.5}}]
IMAGES = {"file": np.zeros((4, 4, 3), np.float32), "anger": np.ones((4, 4, 3), np.float32)}


@pytest.fixture
def trained(monkeypatch):
    """Training takes no time, and says what it found."""
    here = {"platform": "cpu"}

    def found(config, variants, workdir, data_dir):
        training.claim(workdir, config.to_dict(), here)
        return {"members": MEMBERS, "environment": here, "classes": list(IMAGES)}, IMAGES

    monkeypatch.setattr(training, "_train_variants", found)
    monkeypatch.setattr(training, "study", lambda name: replace(study(name), variants=lambda config: {}))


def broken(*_):
    raise ValueError("no such colour")


@pytest.mark.usefixtures("trained")
def test_a_page_that_cannot_be_made_costs_no_results_and_is_told(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_report", broken)
        results = train_run(CONFIG, tmp_path, tmp_path, command="train")
    assert read_results(tmp_path)["members"] == results["members"] == MEMBERS
    said = capsys.readouterr().err
    assert "report.html cannot be made (ValueError: no such colour); the results are whole" in said
    assert not (tmp_path / "report.html").exists()
    assert finished_run(CONFIG, tmp_path)["members"] == MEMBERS  # the same command again
    assert ">file<" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert list(read_examples(tmp_path)) == list(IMAGES)


@pytest.mark.usefixtures("trained")
def test_a_full_disk_or_a_signal_during_the_page_ends_the_command_and_keeps_the_results(tmp_path, monkeypatch):
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def refused(*_, error=error):
            raise error

        with monkeypatch.context() as patch, pytest.raises(type(error)):
            patch.setattr(training, "write_report", refused)
            train_run(CONFIG, tmp_path, tmp_path, command="train")
        assert read_results(tmp_path)["members"] == MEMBERS
