"""Whole trees of small files, made once; tests copy them as hard links."""

import functools
import importlib
import os

import pytest
import trees
from corpus_trees import TREES
from paper_trees import fake_ffmpeg

from sejax.corpora.folder import Audio


@pytest.fixture(scope="session")
def emodb_template(tmp_path_factory):
    return trees.emodb_tree(tmp_path_factory.mktemp("templates") / "emodb")


@pytest.fixture(scope="session")
def ravdess_template(tmp_path_factory):
    return trees.ravdess_tree(tmp_path_factory.mktemp("templates") / "ravdess")


@pytest.fixture
def short(monkeypatch):
    """The lengths of the databases whose trees hold all names set to those of the trees."""
    monkeypatch.setattr("sejax.corpora.emodb.AUDIO", {535: Audio(16000, 535, 53.5), 494: Audio(16000)})
    monkeypatch.setattr("sejax.corpora.ravdess.AUDIO", Audio(48000, 1440, 48.0))


@pytest.fixture
def emodb(emodb_template, tmp_path, short):
    return trees.copy_tree(emodb_template, tmp_path / "emodb")


@pytest.fixture
def ravdess(ravdess_template, tmp_path, short):
    return trees.copy_tree(ravdess_template, tmp_path / "ravdess")


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Makes the small tree of a corpus by name, once."""
    return functools.cache(lambda name: TREES[name][0](tmp_path_factory.mktemp("templates") / name))


@pytest.fixture
def original(template, tmp_path):
    """Copies the small tree of a corpus: what a user has who lacks most of the distribution."""
    return lambda name: trees.copy_tree(template(name), tmp_path / name)


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch):
    """A stand-in for the program, which many machines lack; `ffmpeg(rate=...)` makes another."""

    def put(**audio):
        folder = fake_ffmpeg(tmp_path / "programs", **audio)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    put()
    return put


@pytest.fixture
def whole(original, monkeypatch, ffmpeg):
    """As `original`, with the published counts set to those of the small tree: a complete corpus."""

    def copy(name):
        for table, counts in TREES[name][1].items():
            monkeypatch.setattr(importlib.import_module(f"sejax.corpora.{name}"), table, counts)
        return original(name)

    return copy
