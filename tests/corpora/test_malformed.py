"""Malformed inputs: each gives one clear error that names the culprit and the remedy, and leaves no set behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from malformed_cases import EMODB, MANIFEST, RATED, RAVDESS, SOURCES
from malformed_originals import ORIGINALS
from malformed_paper import LAYOUTS
from trees import copy_tree, manifest

from sejax.data.blocks.load import BlockSettings
from sejax.data.blocks.prepare import prepare_blocks
from sejax.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def test_there_are_at_least_fifty_malformed_inputs():
    assert len(SOURCES | EMODB | RAVDESS | MANIFEST) >= 50


@pytest.mark.parametrize("name", EMODB)
def test_malformed_emodb_gets_one_clear_error(name, emodb_template, tmp_path, short):
    make, *expected = EMODB[name]
    source = copy_tree(emodb_template, tmp_path / "source")
    make(source)
    assert_one_clear_error("emodb", source, tmp_path / "data", *expected)


@pytest.mark.parametrize("name", RAVDESS)
def test_malformed_ravdess_gets_one_clear_error(name, ravdess_template, tmp_path, short):
    make, *expected = RAVDESS[name]
    source = copy_tree(ravdess_template, tmp_path / "source")
    make(source)
    assert_one_clear_error("ravdess", source, tmp_path / "data", *expected)


@pytest.mark.parametrize(("corpus", "name"), [(corpus, name) for corpus in ORIGINALS for name in ORIGINALS[corpus]])
def test_malformed_originals_get_one_clear_error(corpus, name, whole, tmp_path):
    make, *expected = ORIGINALS[corpus][name]
    source = whole(corpus)
    make(source)
    assert_one_clear_error(corpus, source, tmp_path / "data", *expected)


@pytest.mark.parametrize("name", LAYOUTS)
def test_malformed_layouts_get_one_clear_error(name, original, tmp_path):
    make, options, *expected = LAYOUTS[name]
    source = original("layout")
    make(source)
    options = {"layout": source / "layout.yaml"} | options
    assert_one_clear_error("layout", source, tmp_path / "data", options, *expected)


@pytest.mark.parametrize("name", MANIFEST)
def test_malformed_manifest_gets_one_clear_error(name, tmp_path):
    make, *expected = MANIFEST[name]
    assert_one_clear_error("manifest", make(tmp_path / "source"), tmp_path / "data", *expected)


FLAT = (
    *("emodb", "ravdess", "ravdess_song", "msp_improv", "savee", "crema_d", "nemo", "emovo", "tess", "vam", "esd"),
    "mesd",
)


@pytest.mark.parametrize("corpus", FLAT)
@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_is_no_corpus_gets_one_clear_error(name, corpus, tmp_path):
    make, *expected = SOURCES[name]
    assert_one_clear_error(corpus, make(tmp_path / "source"), tmp_path / "data", *expected)


@pytest.mark.parametrize("corpus", ["iemocap", "tedlium", "librispeech", "enterface", "susas", "smartkom"])
@pytest.mark.parametrize("name", list(SOURCES)[:3])
def test_a_source_without_a_corpuss_folders_gets_one_clear_error(name, corpus, tmp_path):
    make, *expected = SOURCES[name]
    assert_one_clear_error(corpus, make(tmp_path / "source"), tmp_path / "data", *expected)


def assert_one_clear_error(corpus, source, data_dir, options, culprit, remedy):
    options = dict(options)
    with pytest.raises(InputError) as caught:
        settings = BlockSettings(**options.pop("settings", {}))
        prepare_blocks(corpus, source, data_dir, settings=settings, **options)
    message = str(caught.value)
    assert culprit in message
    assert remedy in message
    assert "\n" not in message
    assert not list(data_dir.glob("*/spectrograms-*"))


def test_an_unknown_corpus_lists_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"unknown corpus 'emo'.*emodb, emovo, enterface, esd, iemocap"):
        prepare_blocks("emo", tmp_path, tmp_path / "data")


def test_a_data_folder_that_is_a_file_is_refused(tmp_path):
    path = manifest(tmp_path / "source", "a0.wav,x")
    with pytest.raises(InputError, match=r"manifest\.csv cannot be used as a folder.*--data_dir"):
        prepare_blocks("manifest", path, path)


def test_all_bad_rows_are_reported_at_once_with_their_lines(tmp_path):
    rows = ["a0.wav,x,", "a9.wav,x,", "a1.wav,x,high", ",x,", "a2.wav,x,2.5"]
    path = manifest(tmp_path / "source", *rows, header=RATED)
    with pytest.raises(InputError) as caught:
        prepare_blocks("manifest", path, tmp_path / "data")
    message = str(caught.value)
    assert "3 inputs cannot be used" in message
    assert all(f"line {line}:" in message for line in (3, 4, 5))
    assert not any(f"line {line}:" in message for line in (2, 6))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--corpus=emodb", "--source=nowhere"], ["nowhere", "--source"]),
        (["--corpus=synthetic", "--voice_activity=loud"], ["--voice_activity=loud", "0, 1, 2, 3, silero or none"]),
        (["--corpus=librispeech", "--source=.", "--part=dev-clean,train-100"], ["part=train-100", "train-clean-100"]),
    ],
)
def test_the_command_prints_one_line_and_ends_with_status_2(arguments, words, tmp_path):
    command = [sys.executable, str(ROOT / "launch" / "prepare.py"), *arguments, f"--data_dir={tmp_path / 'data'}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words)
