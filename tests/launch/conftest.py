"""Launch scripts as a user runs them: on a small prepared set, and the runs that several tests look at."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "corpora"))

import toy_vectors
from scripts import CYCLEGAN, TRAIN, TRANSFER, launch
from tones import BlockSettings, write_manifest, write_prepared_set


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A folder with the prepared sets "tones" and "toneschunks"."""
    folder = tmp_path_factory.mktemp("data")
    write_prepared_set(folder)
    write_prepared_set(folder, corpus="toneschunks", settings=BlockSettings.chunks())
    return folder


@pytest.fixture(scope="session")
def tones_source(tmp_path_factory):
    """The manifest of the recordings that both sets are made of."""
    return write_manifest(tmp_path_factory.mktemp("originals"))


def _trained(workdir, arguments, data_dir):
    done = launch("train", *arguments, f"--data_dir={data_dir}", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    return workdir


@pytest.fixture(scope="session")
def finished(tmp_path_factory, data_dir):
    """Workdir of a run that was never interrupted."""
    return _trained(tmp_path_factory.mktemp("runs") / "uninterrupted", TRAIN, data_dir)


@pytest.fixture(scope="session")
def compared(tmp_path_factory, data_dir):
    """Workdir of a comparison of two networks that was never interrupted."""
    return _trained(tmp_path_factory.mktemp("runs") / "compared", TRANSFER, data_dir)


@pytest.fixture(scope="session")
def vectors_dir(tmp_path_factory):
    """A folder with the prepared vectors of "emodb", "nemo" and "unlabelled"."""
    folder = tmp_path_factory.mktemp("vectors")
    toy_vectors.write_both(folder)
    toy_vectors.write_prepared_set(folder, toy_vectors.emotional("nemo", seed=9))
    return folder


@pytest.fixture(scope="session")
def gans(tmp_path_factory, vectors_dir):
    """Workdir of CycleGANs that were trained in both stages and never interrupted."""
    return _trained(tmp_path_factory.mktemp("runs") / "gans", CYCLEGAN, vectors_dir)
