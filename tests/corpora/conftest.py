"""Whole trees of small files, made once; tests copy them as hard links."""

import pytest
import trees


@pytest.fixture(scope="session")
def emodb_template(tmp_path_factory):
    return trees.emodb_tree(tmp_path_factory.mktemp("templates") / "emodb")


@pytest.fixture(scope="session")
def ravdess_template(tmp_path_factory):
    return trees.ravdess_tree(tmp_path_factory.mktemp("templates") / "ravdess")


@pytest.fixture
def emodb(emodb_template, tmp_path):
    return trees.copy_tree(emodb_template, tmp_path / "emodb")


@pytest.fixture
def ravdess(ravdess_template, tmp_path):
    return trees.copy_tree(ravdess_template, tmp_path / "ravdess")
