"""The file of a model: equal bytes for equal content, and what is not read. All input here is harmless."""

import hashlib
import json
import pickle
import zipfile

import numpy as np
import pytest

from sejax.errors import InputError
from sejax.export import archive

ENTRIES = {
    archive.WEIGHTS: b"weights" * 100,
    archive.SETTINGS: b"{}\n",
    archive.FIGURES: b"{}\n",
    archive.LICENCES: b"# Licences\n",
    archive.CARD: b"# Card\n",
    "network-0.stablehlo": b"network",
}


@pytest.fixture
def model(tmp_path):
    archive.write(tmp_path / "model.sejax", ENTRIES, {"jax": "1"})
    return tmp_path / "model.sejax"


def rebuilt(model, *, changed=None, added=(), left_out=(), compression=zipfile.ZIP_STORED):
    """The same file with other content under the same manifest; returns its path."""
    with zipfile.ZipFile(model) as old:
        content = {name: old.read(name) for name in old.namelist() if name not in left_out} | (changed or {})
    path = model.with_name("rebuilt.sejax")
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, data in [*content.items(), *added]:
            about = zipfile.ZipInfo(name)
            about.filename, about.compress_type = name, compression  # ZipInfo would mend some paths
            new.writestr(about, data)
    return path


def refusal(path, **options):
    with pytest.raises(InputError) as raised:
        archive.read(path, **options)
    said = str(raised.value)
    assert "\n" not in said and str(path) in said
    return said


def test_what_was_written_is_read_and_equal_content_gives_equal_bytes(model, tmp_path):
    found, manifest = archive.read(model)
    assert found == ENTRIES and manifest["format"] == archive.FORMAT and manifest["made_with"] == {"jax": "1"}
    again = archive.write(tmp_path / "again.sejax", dict(reversed(ENTRIES.items())), {"jax": "1"})
    assert (tmp_path / "again.sejax").read_bytes() == model.read_bytes()
    assert again == hashlib.sha256(model.read_bytes()).hexdigest()
    assert archive.read(model, sha256=again.upper())[0] == ENTRIES
    assert "its SHA-256 is not" in refusal(model, sha256="0" * 64)


def test_changed_content_is_damage(model):
    assert "network-0.stablehlo has another digest" in refusal(
        rebuilt(model, changed={"network-0.stablehlo": b"netwerk"})
    )
    content = bytearray(model.read_bytes())
    content[content.index(b"weightsweights") + 3] ^= 1
    model.write_bytes(content)
    assert "damaged" in refusal(model)


@pytest.mark.parametrize("size", [0, 10, 300, -20, -1])
def test_a_file_that_is_cut_off_is_no_model(model, size):
    model.write_bytes(model.read_bytes()[:size])
    assert "is no model file, or damaged" in refusal(model)


@pytest.mark.parametrize("name", ["../weights.safetensors", "/README.md", "a/README.md", "..\\x", "C:x", "README.md/"])
def test_paths_in_the_file_are_refused(model, name):
    assert "a path; nothing was read" in refusal(rebuilt(model, added=[(name, b"")]))


@pytest.mark.parametrize("name", ["data.pkl", "weights.pt", "weights.npy", "model.JOBLIB"])
def test_what_may_be_a_pickle_is_refused_unread(model, name):
    assert "may be a pickle" in refusal(rebuilt(model, added=[(name, pickle.dumps({"harmless": 1}))]))


def test_unknown_twofold_missing_and_compressed_entries_are_refused(model):
    assert "'run.py', which no model" in refusal(rebuilt(model, added=[("run.py", b"")]))
    assert "'network-64.stablehlo', which no" in refusal(rebuilt(model, added=[("network-64.stablehlo", b"")]))
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = rebuilt(model, added=[(archive.CARD, b"")])
    assert "two entries of one name" in refusal(twice)
    for name in (*archive.LIMITS, "network-0.stablehlo"):
        said = refusal(rebuilt(model, left_out=[name]))
        assert name in said or "lists other entries" in said
    zeros = rebuilt(model, changed={archive.WEIGHTS: bytes(1 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert "compressed or encrypted" in refusal(zeros)


def test_entries_above_their_limits_are_neither_written_nor_read(model, monkeypatch, tmp_path):
    monkeypatch.setitem(archive.LIMITS, archive.WEIGHTS, 699)
    assert "weights.safetensors' of 700 bytes, and it may have 699" in refusal(model)
    with pytest.raises(InputError, match="would have 700 bytes and may have 699; export fewer members"):
        archive.write(tmp_path / "large.sejax", ENTRIES, {})
    assert not (tmp_path / "large.sejax").exists()


def test_a_size_that_is_said_and_not_there_is_refused(model):
    content = bytearray(model.read_bytes())
    directory = content.index(b"PK\x01\x02")
    place = content.index(archive.WEIGHTS.encode(), directory) - 46  # of its row in the directory
    for change in (+1, -1, 1 << 30):
        changed = bytearray(content)
        for at in (place + 20, place + 24):  # compressed, uncompressed
            changed[at : at + 4] = (700 + change).to_bytes(4, "little")
        model.write_bytes(changed)
        refusal(model)


def test_something_behind_or_before_the_entries_is_refused(model):
    whole = model.read_bytes()
    model.write_bytes(bytes(1 << 20) + whole)
    assert "its entries" in refusal(model)


def test_a_later_format_asks_for_a_later_sejax(model):
    with zipfile.ZipFile(model) as old:
        manifest = json.loads(old.read(archive.MANIFEST))
    later = "is of format 2, and this sejax reads up to 1; pip install"
    for version, said in ((2, later), (0, "format '0'"), ("1", "'1'")):
        content = json.dumps(manifest | {"format": version}).encode()
        assert said in refusal(rebuilt(model, changed={archive.MANIFEST: content}))
    for content in (b"[]", b"{", b"\xff", b"[" * 100_000, json.dumps(manifest | {"entries": 3}).encode()):
        refusal(rebuilt(model, changed={archive.MANIFEST: content}))


def test_other_files_are_no_models(tmp_path):
    assert "there is no such file; sejax export makes one" in refusal(tmp_path / "nowhere.sejax")
    assert "there is no such file" in refusal(tmp_path)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"harmless": 1}))
    assert "no model file" in refusal(tmp_path / "model.pkl")
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    assert "'a.npy', which may be a pickle" in refusal(tmp_path / "arrays.npz")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert "is no model file (it has no manifest.json)" in refusal(tmp_path / "empty.zip")
