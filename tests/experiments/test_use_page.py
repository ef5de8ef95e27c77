"""docs/use.md: its experiment in a package of its own, and every block of Python, on a small prepared set."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import SETTINGS, tone, write_prepared_set

from sejax import experiments
from sejax.errors import InputError
from sejax.experiments import configs, report_of, study
from sejax.report import Report

ROOT = Path(__file__).resolve().parents[2]
USE, _, OWN = (ROOT / "docs" / "use.md").read_text(encoding="utf-8").partition("## An experiment of your own")
FILES = dict(re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)\n```$", OWN, re.MULTILINE | re.DOTALL))
BLOCKS = re.findall(r"^```python\n(.*?)\n```$", USE, re.MULTILINE | re.DOTALL)
PREPARED = "corpus=tones,level=none,voice_activity=none"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder, and on Python's path another with the page's package as pip installs it."""
    package, folder = tmp_path / "package", tmp_path / "folder"
    about = package / "mean_spectrum-0.1.dist-info"
    about.mkdir(parents=True)
    folder.mkdir()
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    points = "".join(f"{name} = {module}\n" for name, module in project["entry-points"]["sejax.experiments"].items())
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(f"[sejax.experiments]\n{points}")
    (package / "mean_spectrum.py").write_text(FILES["mean_spectrum.py"] + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.chdir(folder)
    experiments.elsewhere.cache_clear()
    yield folder
    sys.modules.pop("mean_spectrum", None)
    experiments.elsewhere.cache_clear()


def test_every_block_of_the_page_runs_with_an_experiment_of_another_package(elsewhere):
    write_prepared_set(elsewhere / "data")
    wave = np.concatenate([tone(2, speaker=1, seconds=2.5, random=np.random.default_rng(5))] * 2)
    soundfile.write("a.wav", wave, 16000)
    names = {}
    for block in BLOCKS:
        asked = "pseudo_labelling:corpus=emodb,labelled=0.3,protocol=speaker"
        exec(block.replace(asked, f"mean_spectrum:{PREPARED},folds=2"), names)
    assert len(BLOCKS) == 5 and len(names["recalls"]) == 2 and min(names["recalls"]) > 0.7
    assert names["predict"].classes[names["found"].utterance.argmax()] == "neutral"
    np.testing.assert_allclose(names["result"].utterance, names["found"].utterance, atol=1e-5)
    assert names["posteriors"].shape == (5, 3) and names["decibels"].shape == (2, 64, 79)
    assert names["logits"].shape == (8, 4) and names["recall"] == 0.75
    page = Path("runs/emodb/report.html").read_text(encoding="utf-8")
    assert "mean spectrum on tones" in page and "notebook" in page


def test_its_blocks_are_the_same_to_the_example_as_to_a_prediction():
    assert SETTINGS.voice_activity is None and SETTINGS.level == "none"  # what PREPARED asks for


def test_a_config_is_found_by_name_wherever_it_is(elsewhere):
    assert configs.config_file("mean_spectrum").parent == elsewhere.parent / "package"
    assert configs.config_file("transfer") == ROOT / "configs" / "transfer.py"
    assert "mean_spectrum" in configs.config_names()
    Path("mine.py").write_text(f"from mean_spectrum import get_config as made\nget_config = made  # {PREPARED}\n")
    assert configs.load_config("mine.py:corpus=nemo").corpus == "nemo"
    with pytest.raises(InputError, match="transfr: there is no such file and no such config; did you mean transfer"):
        configs.config_file("transfr")


def test_runs_of_a_package_that_is_not_here_have_the_report_of_any_run():
    assert report_of({"experiment": "mean_spectrum"}) == Report()
    with pytest.raises(InputError, match="'mean_spectrum' is unknown; known are pseudo_labelling, .*: install"):
        study("mean_spectrum")


def test_a_package_that_cannot_be_imported_is_named(elsewhere):
    module = elsewhere.parent / "package" / "mean_spectrum.py"
    module.write_text("import a_package_that_nobody_has\n")
    with pytest.raises(InputError, match="mean_spectrum cannot be imported: No module named 'a_package.*mean-spectrum"):
        study("mean_spectrum")
