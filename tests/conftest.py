"""Fixtures shared by every test: where real speech lies, if it is there at all."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _speech_folder() -> Path:
    return Path(os.environ.get("SEJAX_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def emodb_source() -> Path:
    """The Berlin database in its original layout (wav/, erkennung.txt)."""
    folder = _speech_folder() / "emodb"
    if not (folder / "wav").is_dir():
        pytest.skip(f"the Berlin database is not at {folder}; set SEJAX_DATA to the folder that holds emodb/")
    return folder


@pytest.fixture(scope="session")
def nemo_source() -> Path:
    """Part of nEMO with its CSV manifest."""
    folder = _speech_folder() / "nemo"
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"nEMO is not at {folder}; set SEJAX_DATA to the folder that holds nemo/")
    return folder
