"""Prepared sets: contents, order, times, settings that make another set, and what is left out."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import speech_like

from sejax.audio.spectrogram import SpectrogramSettings, spectrogram
from sejax.data.blocks.load import BlockSettings, Spectrograms
from sejax.data.blocks.prepare import prepare_blocks
from sejax.data.blocks.spectrograms import spectrograms, voiced_blocks
from sejax.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
EVERYTHING = BlockSettings(voice_activity=None)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return speech_like.corpus(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def folder(source, tmp_path_factory):
    return prepare_blocks("manifest", source, tmp_path_factory.mktemp("data"), name="small", settings=EVERYTHING)


@pytest.fixture(scope="module")
def prepared(folder):
    return Spectrograms.load(folder)


def test_counts_follow_from_the_lengths(prepared):
    # Blocks begin 0.99 s apart: 3.5 s hold 3, 2.2 s hold 2, 0.4 s none, 5.0 s hold 5, 2.6 s hold 2.
    assert prepared.spectrogram.shape == (3 * 12, 64, 79)
    assert prepared.counts["blocks"] == 12 and prepared.counts["images"] == 36
    assert prepared.counts["without_block"] == ["u2"]
    assert prepared.counts["seconds"] == pytest.approx(3.5 + 2.2 + 0.4 + 5.0 + 2.6)
    assert prepared.counts["labels"] == {"anger": 2, "joy": 2} and prepared.counts["unlabelled"] == 1


def test_images_come_in_the_order_utterance_block_frequency(prepared):
    np.testing.assert_array_equal(prepared.utterance, np.repeat([0, 1, 3, 4], [9, 6, 15, 6]))
    np.testing.assert_array_equal(prepared.block, np.repeat(np.arange(12), 3))
    np.testing.assert_array_equal(prepared.fmax, np.tile([7000, 7500, 8000], 12))
    assert [prepared.utterance_ids[i] for i in (0, 3)] == ["u0", "u3"]
    np.testing.assert_allclose(prepared.start[:9:3], [0, 0.99, 1.98])
    np.testing.assert_allclose(prepared.end - prepared.start, 1.0)


def test_labels_speakers_and_sessions_belong_to_their_utterances(prepared):
    assert prepared.classes == ("anger", "joy") and prepared.speakers == ("s0", "s1")
    assert prepared.sex == ("male", "female") and prepared.sessions == ("0", "1")
    np.testing.assert_array_equal(prepared.utterance_label, [1, 0, -1, 1, 0])
    np.testing.assert_array_equal(prepared.utterance_speaker, [0, 1, 0, 1, 0])
    for column, of_utterance in ((prepared.label, prepared.utterance_label), (prepared.speaker, [0, 1, 0, 1, 0])):
        np.testing.assert_array_equal(column, np.asarray(of_utterance)[prepared.utterance])
    np.testing.assert_array_equal(prepared.session, prepared.speaker)


def test_every_image_is_the_spectrogram_of_its_second(prepared, source):
    for image in (0, 5, 20, 35):
        name = prepared.utterance_ids[prepared.utterance[image]].replace("u", "f")
        samples, rate = soundfile.read(source.parent / f"{name}.wav", dtype="float32")
        first = round(prepared.start[image] * rate)
        expected = spectrogram(samples[first : first + 16000], SpectrogramSettings(), fmax=float(prepared.fmax[image]))
        np.testing.assert_allclose(prepared.spectrogram[image], expected, atol=2e-3)


def test_blocks_of_the_voiced_part_know_where_they_lay(source):
    waveform, rate = soundfile.read(source.parent / "f3.wav", dtype="int16")
    voiced = voiced_blocks(waveform, rate, BlockSettings(voice_activity=3))
    assert 0 < voiced.seconds_kept < 4.8
    first = np.round(voiced.start * rate).astype(int)
    for samples, begin, end in zip(voiced.samples, first, np.round(voiced.end * rate).astype(int), strict=True):
        np.testing.assert_array_equal(samples[:16], waveform[begin : begin + 16])
        np.testing.assert_array_equal(samples[-16:], waveform[end - 16 : end])
    assert (voiced.end - voiced.start).max() > 1.01  # a pause was cut out of a block


def test_prediction_and_preparation_give_the_same_images(source, tmp_path):
    settings = BlockSettings(scale="mel", voice_activity=1)
    made = Spectrograms.load(prepare_blocks("manifest", source, tmp_path, settings=settings))
    waveform, rate = soundfile.read(source.parent / "f3.wav", dtype="int16")
    again = BlockSettings.from_dict(made.settings)
    images = spectrograms(voiced_blocks(waveform, rate, again).samples, again)
    kept = made.spectrogram[made.utterance == 3]
    np.testing.assert_allclose(images.reshape(kept.shape), kept, atol=1e-4)


def test_no_block_gives_no_image():
    assert spectrograms(np.empty((0, 16000), np.int16), EVERYTHING).shape == (0, 3, 64, 79)


def test_a_second_run_does_nothing(source, folder, monkeypatch):
    import sejax.data.blocks.prepare as module

    monkeypatch.setattr(module, "write_array", None)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = prepare_blocks("manifest", source, folder.parents[1], name="small", settings=EVERYTHING)
    assert again == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "change",
    [{"scale": "mel"}, {"voice_activity": 0}, {"fmax": (8000,)}, {"block_overlap": 0.5}, {"block_length": 2.0}],
)
def test_other_settings_make_another_set_of_the_same_utterances(source, folder, change):
    settings = BlockSettings(**{"voice_activity": None} | change)
    other = prepare_blocks("manifest", source, folder.parents[1], name="small", settings=settings)
    assert other != folder and other.parent == folder.parent
    assert len(list(folder.parent.glob("utterances-*"))) == 1
    assert Spectrograms.load(other).settings == settings.as_dict()


def test_another_file_makes_another_set(tmp_path):
    path = speech_like.corpus(tmp_path / "source", (1.5, 1.2))
    first = prepare_blocks("manifest", path, tmp_path / "data", settings=EVERYTHING)
    soundfile.write(tmp_path / "source" / "f1.wav", speech_like.vowels(1.2, seed=99), 16000)
    assert prepare_blocks("manifest", path, tmp_path / "data", settings=EVERYTHING) != first


def test_what_is_left_out_is_listed_in_the_set(tmp_path):
    path = speech_like.corpus(tmp_path / "source", (1.5, 1.2, 1.4))
    soundfile.write(tmp_path / "source" / "f1.wav", np.zeros(16000, np.int16), 16000)
    with open(path, "a") as file:
        file.write("gone.wav,joy,u9,s1,f,1\n")
    with pytest.raises(InputError, match=r"line 5: .*gone\.wav: no such file"):
        prepare_blocks("manifest", path, tmp_path / "data", settings=EVERYTHING)
    made = prepare_blocks("manifest", path, tmp_path / "data", settings=EVERYTHING, allow_partial=True)
    assert Spectrograms.load(made).utterance_ids == ("u0", "u2")
    rows = (made / "left_out.csv").read_text().splitlines()
    assert rows[0] == "where,what,remedy" and len(rows) == 3
    assert "gone.wav" in rows[1] and "f1.wav" in rows[2]
    assert "2 inputs, listed in" in Spectrograms.load(made).describe()


def test_reading_a_set_needs_numpy_alone(folder):
    script = (
        "import sys\nfrom sejax.data.blocks.load import Spectrograms\n"
        f"made = Spectrograms.load({str(folder)!r})\n"
        "print(made.spectrogram.shape, type(made.spectrogram).__name__)\n"
        "names = ('jax', 'tensorflow', 'tensorflow_datasets', 'librosa', 'soundfile', 'soxr', 'webrtcvad', 'grain')\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(36, 64, 79) memmap", "[]"]


def test_preparing_does_not_import_tensorflow(tmp_path, source):
    script = (
        "import sys\nfrom sejax.data.blocks.prepare import prepare_blocks\n"
        f"prepare_blocks('manifest', {str(source)!r}, {str(tmp_path)!r})\n"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("name", ["", "small", "small/spectrograms-0123456789.unfinished"])
def test_a_folder_that_is_no_finished_set_is_refused(folder, name):
    with pytest.raises(InputError, match=r"not a finished set.*sejax prepare"):
        Spectrograms.load(folder.parents[1] / name)


def test_a_damaged_set_is_refused(folder, tmp_path):
    copy = tmp_path / folder.name
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    np.save(copy / "label.npy", np.zeros(35, np.int32))
    with pytest.raises(InputError, match="36 spectrograms and 35 labels"):
        Spectrograms.load(copy)


def test_the_summary_names_what_the_set_holds(folder):
    text = Spectrograms.load(folder).describe()
    assert "utterances  5" in text and "2 (1 female, 1 male)" in text
    assert "anger 2, joy 2, unlabelled 1" in text
    assert "blocks      12" in text and "images      36" in text
    assert "1 utterances: u2" in text


def test_the_share_kept_is_told_of_each_label(folder):
    made = Spectrograms.load(folder)
    rows = list(csv.DictReader(io.StringIO((folder / "utterances.csv").read_text())))
    for label, share in made.counts["kept_of_label"].items():
        own = [row for row in rows if row["emotion"] == label]
        expected = sum(float(row["seconds_kept"]) for row in own) / sum(float(row["seconds"]) for row in own)
        assert share == pytest.approx(expected, abs=1e-3)
        assert f"{label} {share:.1%}" in made.describe()
    assert set(made.counts["kept_of_label"]) == {"anger", "joy"}
    before = {name: count for name, count in made.counts.items() if name != "kept_of_label"}
    assert "kept of" not in replace(made, counts=before).describe()


def test_settings_survive_json():
    settings = BlockSettings(scale="mel", voice_activity=None, fmax=(4000, 8000))
    assert BlockSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


@pytest.mark.parametrize(("mode", "images"), [(0, 3477), (None, 3672)])
def test_the_real_berlin_database_gives_the_papers_images_within_two_per_cent(
    emodb_source, tmp_path_factory, mode, images
):
    data = tmp_path_factory.getbasetemp() / "emodb"  # one set of utterances for both
    settings = BlockSettings(voice_activity=mode)
    made = Spectrograms.load(prepare_blocks("emodb", emodb_source, data, settings=settings))
    assert len(made.label) == images
    if mode == 0:
        assert images == pytest.approx(3519, rel=0.02)
    assert np.isfinite(made.spectrogram).all()
    assert len(made.speakers) == 10 and len(made.classes) == 7


def test_the_command_takes_every_setting_and_prints_the_summary(source, tmp_path):
    arguments = ["--corpus=manifest", f"--source={source}", "--name=small", "--scale=mel", "--voice_activity=none"]
    arguments += ["--block_length=0.5", "--block_overlap=0.25", "--fmax=4000,8000", "--classes=anger,joy,fear"]
    arguments += ["--window_length=0.02", "--window_hop=0.01"]
    command = [sys.executable, str(ROOT / "launch" / "prepare.py"), *arguments, f"--data_dir={tmp_path}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment)
    (made,) = tmp_path.glob("small/spectrograms-*")
    prepared = Spectrograms.load(made)
    assert prepared.settings == {
        "scale": "mel",
        "voice_activity": None,
        "frame_ms": 30,
        "block_length": 0.5,
        "block_overlap": 0.25,
        "fmax": [4000.0, 8000.0],
        "bands": 64,
        "window_length": 0.02,
        "window_hop": 0.01,
        "level": "rms",
    }
    assert prepared.classes == ("anger", "joy", "fear")
    assert done.stdout.startswith(Spectrograms.load(made).describe())
    assert "spectrograms: 100%" in done.stderr
