"""Prepared sets of vectors: contents, order, what is left out, and how one is found again."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import speech_like

from sejax.audio.opensmile import Extractor, NoFeatures
from sejax.data import folds
from sejax.data.store.sets import heard
from sejax.data.vectors.load import Vectors, find_vectors
from sejax.data.vectors.prepare import prepare_vectors
from sejax.errors import InputError

pytestmark = pytest.mark.usefixtures("opensmile_installed")
ROOT = Path(__file__).resolve().parents[3]
LENGTHS = (0.9, 0.7, 1.1, 0.6, 0.8)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return speech_like.corpus(tmp_path_factory.mktemp("source"), LENGTHS)


@pytest.fixture(scope="module")
def folder(source, tmp_path_factory):
    return prepare_vectors("manifest", source, tmp_path_factory.mktemp("data"), name="small", workers=1)


@pytest.fixture(scope="module")
def prepared(folder):
    return Vectors.load(folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_vector_is_that_of_its_utterance(prepared, source):
    extractor = Extractor("emobase2010")
    assert prepared.names == extractor.names
    assert isinstance(prepared.features, np.memmap) and prepared.features.dtype == np.float32
    for number, name in enumerate(prepared.utterance_ids):
        waveform, rate = soundfile.read(source.parent / f"{name.replace('u', 'f')}.wav", dtype="int16")
        np.testing.assert_array_equal(prepared.features[number], extractor(waveform, rate))


def test_labels_speakers_and_sessions_come_along(prepared):
    assert prepared.classes == ("anger", "joy") and prepared.speakers == ("s0", "s1")
    assert prepared.sex == ("male", "female") and prepared.sessions == ("0", "1")
    assert prepared.utterance_ids == ("u0", "u1", "u2", "u3", "u4")
    np.testing.assert_array_equal(prepared.label, [1, 0, -1, 1, 0])
    np.testing.assert_array_equal(prepared.utterance_label, prepared.label)
    np.testing.assert_array_equal(prepared.speaker, [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(prepared.session, prepared.speaker)
    np.testing.assert_allclose(prepared.seconds, LENGTHS)
    for column in (prepared.label, prepared.speaker, prepared.session, prepared.utterance, prepared.block):
        assert column.dtype == np.int32 and column.shape == (5,)
    np.testing.assert_array_equal(prepared.utterance, np.arange(5))
    np.testing.assert_array_equal(prepared.block, np.arange(5))
    assert prepared.corpus == "small" and prepared.settings["features"] == "emobase2010"


def test_folds_can_be_made_of_it(prepared):
    made = folds.make_folds(prepared, protocol="utterance", folds=2, validation=0, seed=0)
    assert made.test[:, prepared.label >= 0].sum(axis=0).tolist() == [1] * 4


def test_threads_give_the_same_bytes_as_one(source, folder, tmp_path):
    parallel = prepare_vectors("manifest", source, tmp_path, name="small", workers=2)
    assert parallel.name == folder.name
    assert contents(parallel) == contents(folder)


def test_the_other_set_lies_beside_it(source, folder, prepared):
    other = prepare_vectors("manifest", source, folder.parents[1], name="small", features="is10", workers=1)
    assert other.parent == folder.parent and other.name.startswith("is10-")
    assert len(list(folder.parent.glob("utterances-*"))) == 1
    assert find_vectors(folder.parents[1], "small", "is10").names[21] == "mfcc_sma[0]_maxPos"
    assert find_vectors(folder.parents[1], "small").names == prepared.names


def test_a_second_run_does_nothing(source, folder, monkeypatch):
    import sejax.data.vectors.prepare as module

    monkeypatch.setattr(module, "_compute", None)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert prepare_vectors("manifest", source, folder.parents[1], name="small") == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.fixture
def damaged(tmp_path):
    """Beside two usable files a silent one, one of a single sample, one too short, and one that is no audio."""
    path = speech_like.corpus(tmp_path / "source", (0.7, 0.7, 0.03, 0.7, 0.7, 0.6))
    soundfile.write(path.parent / "f1.wav", np.zeros(8000, np.int16), 16000)
    soundfile.write(path.parent / "f3.wav", np.array([9], np.int16), 16000)
    content = bytearray((path.parent / "f4.wav").read_bytes())
    (path.parent / "f4.wav").write_bytes(content[: len(content) // 2])
    return path


def test_unusable_files_are_named_and_can_be_left_out(damaged, tmp_path):
    data = tmp_path / "data"
    with pytest.raises(InputError, match=r"f4\.wav: truncated"):
        prepare_vectors("manifest", damaged, data, workers=1)
    made = prepare_vectors("manifest", damaged, data, workers=1, allow_partial=True)
    assert Vectors.load(made).utterance_ids == ("u0", "u5")
    rows = (made / "left_out.csv").read_text().splitlines()
    assert rows[0] == "where,what,remedy" and len(rows) == 5
    found = [("f4", "truncated"), ("f1", "silent"), ("f3", "silent"), ("f2", "too short for openSMILE")]
    for row, (name, what) in zip(rows[1:], found, strict=True):
        assert re.search(rf"{name}\.wav.*{what}", row)
    assert "4 inputs, listed in" in Vectors.load(made).describe()


def test_what_opensmile_cannot_use_is_named_and_the_rest_is_kept(tmp_path, monkeypatch):
    path = speech_like.corpus(tmp_path / "source", (0.7, 0.05, 0.6, 0.04))
    with pytest.raises(InputError, match=r"2 inputs.*f1.wav: too short.*f3.wav: too short.*--allow_partial"):
        prepare_vectors("manifest", path, tmp_path / "data", workers=1)
    calls = []
    monkeypatch.setattr(Extractor, "extract", lambda *arguments: calls.append(arguments))
    made = prepare_vectors("manifest", path, tmp_path / "data", workers=1, allow_partial=True)
    assert calls == []  # nothing was extracted twice
    assert Vectors.load(made).utterance_ids == ("u0", "u2")
    assert not list(made.parent.glob("*.unfinished"))
    with pytest.raises(InputError, match="made without the recordings that its left_out.csv lists"):
        prepare_vectors("manifest", path, tmp_path / "data", workers=1)


def test_a_corpus_without_one_usable_file_is_refused(tmp_path):
    path = speech_like.corpus(tmp_path / "source", (0.05, 0.04))
    with pytest.raises(InputError, match=r"no recording can be used: 2 inputs.*f0\.wav: too short.*f1\.wav: too short"):
        prepare_vectors("manifest", path, tmp_path / "data", workers=1, allow_partial=True)


def test_the_summary_names_what_the_set_holds(folder):
    text = Vectors.load(folder).describe()
    assert "utterances  5" in text and "2 (1 female, 1 male)" in text and "audio       4.1 s" in text
    assert "anger 2, joy 2, unlabelled 1" in text and "features    1582 (emobase2010, opensmile" in text


def test_recordings_without_pitch_are_named(folder):
    made = Vectors.load(folder)
    features = np.array(made.features)
    features[:, made.names.index("F0final_sma_amean")] = [120.0, 0.0, 210.0, 0.0, 90.0]
    lines = replace(made, features=features).describe().splitlines()
    (line,) = (line for line in lines if line.startswith("no pitch"))
    assert line.startswith(f"no pitch    2 utterances: {made.utterance_ids[1]}, {made.utterance_ids[3]}: all columns")
    features[:, made.names.index("F0final_sma_amean")] = 100.0
    assert "no pitch" not in replace(made, features=features).describe()


@pytest.mark.parametrize("name", ["", "small", "small/emobase2010-0123456789.unfinished"])
def test_a_folder_that_is_no_finished_set_is_refused(folder, name):
    with pytest.raises(InputError, match=r"not a finished set of feature vectors.*sejax prepare"):
        Vectors.load(folder.parents[1] / name)


def test_a_damaged_set_is_refused(folder, tmp_path):
    copy = tmp_path / folder.name
    copy.mkdir()
    for name, data in contents(folder).items():
        (copy / name).write_bytes(data)
    np.save(copy / "label.npy", np.zeros(4, np.int32))
    with pytest.raises(InputError, match=r"features \[5, 1582\] and 4 labels"):
        Vectors.load(copy)


def test_a_missing_set_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(InputError, match=r"sejax prepare --corpus=emodb --source=DIR --features=is10 --data_dir="):
        find_vectors(tmp_path, "emodb", "is10")


def test_an_unfinished_set_is_not_found_and_two_are_both_named(tmp_path):
    for name in ("emobase2010-a.unfinished", "is10-a", "is10-b"):
        (tmp_path / "emodb" / name).mkdir(parents=True)
        (tmp_path / "emodb" / name / "settings.json").write_text("{}")
    with pytest.raises(InputError, match="no prepared emobase2010"):
        find_vectors(tmp_path, "emodb")
    with pytest.raises(InputError, match="2 prepared sets.*is10-a.*is10-b"):
        find_vectors(tmp_path, "emodb", "is10")


def test_an_unknown_set_of_features_is_refused(tmp_path):
    for call in (
        lambda: find_vectors(tmp_path, "emodb", "egemaps"),
        lambda: prepare_vectors("emodb", features="x"),
    ):
        with pytest.raises(InputError, match="unknown feature set; use one of emobase2010, is10"):
            call()


def test_no_workers_are_refused(source, tmp_path):
    with pytest.raises(InputError, match="workers=0"):
        prepare_vectors("manifest", source, tmp_path, workers=0)


def test_reading_a_set_needs_numpy_alone(folder):
    script = (
        "import sys\nfrom sejax.data.vectors.load import Vectors\n"
        f"print(Vectors.load({str(folder)!r}).features.shape)\n"
        "print([name for name in ('jax', 'tensorflow', 'opensmile', 'pandas', 'grain') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(5, 1582)", "[]"]


def launch(*arguments):
    command = [sys.executable, str(ROOT / "launch" / "prepare.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.slow
def test_the_command_prepares_on_all_cores_and_prints_the_summary(source, folder, tmp_path):
    done = launch(
        "--corpus=manifest", f"--source={source}", "--name=small", "--features=emobase2010", f"--data_dir={tmp_path}"
    )
    (made,) = tmp_path.glob("small/emobase2010-*")
    assert done.returncode == 0 and contents(made) == contents(folder)
    assert done.stdout.startswith(Vectors.load(made).describe())
    assert "emobase2010: 100%" in done.stderr
    assert json.loads((made / "settings.json").read_text())["settings"]["features"] == "emobase2010"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features=is10", "--scale=mel"], "--scale belongs to spectrograms"),
        (["--workers=2"], "--workers belongs to feature vectors"),
        (["--trim=3"], "--trim belongs to feature vectors"),
        (["--features=utterance_spectrograms", "--block_length=2"], "--block_length belongs to blocks"),
        (["--features=utterance_spectrograms", "--fmax=7000,8000"], "--fmax=7000.0,8000.0; give one frequency"),
        (["--features=waveforms", "--scale=mel"], "--scale belongs to spectrograms; leave it out with --features=wave"),
        (["--features=is10", "--beam_option=--x=1"], "--beam_option needs --beam_runner"),
        (["--features=is10", "--workers=2", "--beam_runner=DirectRunner"], "--workers are threads of this process"),
    ],
)
def test_options_of_the_other_kind_of_features_are_refused(arguments, message, tmp_path):
    done = launch("--corpus=emodb", f"--data_dir={tmp_path}", *arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def pauses(tmp_path_factory):
    """Voices alone, the same with a second of digital silence at the end, and white noise too faint for a voice."""
    pytest.importorskip("webrtcvad", reason="trimming needs the webrtcvad-wheels package")
    folder = tmp_path_factory.mktemp("pauses")
    rows, random = ["path,label"], np.random.default_rng(0)
    for number in range(2):
        voice = speech_like.vowels(1.0, seed=number)
        hiss = np.round(random.standard_normal(16000)).astype(np.int16)
        for name, samples in (("a", voice), ("b", np.append(voice, np.zeros(16000, np.int16)))):
            soundfile.write(folder / f"{name}{number}.wav", samples, 16000)
            rows.append(f"{name}{number}.wav,joy")
        soundfile.write(folder / f"z{number}.wav", hiss, 16000)
        rows.append(f"z{number}.wav,anger")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def trimmed_set(pauses, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    return prepare_vectors("manifest", pauses, data, name="small", features="is10", trim="3", workers=1)


def changed_columns(prepared):
    """The share of columns that a second of silence at the end changes by more than 1 %, the most of any recording."""
    found = dict(zip(prepared.utterance_ids, prepared.features, strict=True))
    pairs = [(found[f"a{number}"], found[f"b{number}"]) for number in range(2)]
    return max(np.mean(np.abs(one - other) > 0.01 * np.abs(one)) for one, other in pairs)


def test_silence_at_the_end_changes_most_columns_and_none_where_it_is_trimmed(pauses, trimmed_set):
    whole = prepare_vectors("manifest", pauses, trimmed_set.parents[1], name="small", features="is10", workers=1)
    assert changed_columns(Vectors.load(whole)) > 0.5
    assert changed_columns(Vectors.load(trimmed_set)) == 0.0


def test_a_recording_without_speech_is_taken_whole_and_named(pauses, trimmed_set):
    prepared, extractor = Vectors.load(trimmed_set), Extractor("is10")
    found = dict(zip(prepared.utterance_ids, prepared.features, strict=True))
    for name in ("z0", "z1"):
        hiss, rate = soundfile.read(pauses.parent / f"{name}.wav", dtype="int16")
        np.testing.assert_array_equal(found[name], extractor(hiss, rate))
    assert prepared.counts["without_speech"] == ["z0", "z1"]
    assert prepared.settings["trim"] == "3" and prepared.counts["seconds"] == 8.0
    np.testing.assert_allclose(prepared.seconds, [1.0, 2.0, 1.0, 1.0, 2.0, 1.0])  # of the recordings
    lines = prepared.describe().splitlines()
    kept = prepared.counts["seconds_kept"]
    assert 2.0 + 4 * 0.5 < kept < 6.0 and f"audio       8.0 s, kept {kept:.1f} s" in "\n".join(lines)
    assert "no speech   2 utterances: z0, z1, taken whole" in lines
    share = {"detector": "3", "seconds": 8.0, "kept": round(kept, 3), "whole": 2}
    assert heard(prepared) == {"voice_activity": share}
    both = {name: 2 * share[name] for name in ("seconds", "whole")}
    assert heard(prepared, prepared)["voice_activity"].items() >= both.items()


def test_a_trimmed_set_is_found_by_its_detector_and_the_same_from_processes(pauses, trimmed_set, tmp_path):
    data = trimmed_set.parents[1]
    assert find_vectors(data, "small", "is10", trim="3").folder == str(trimmed_set)
    with pytest.raises(InputError, match=r"is10 vectors of small with trim=0 .*--features=is10 --trim=0 --data_dir="):
        find_vectors(data, "small", "is10", trim="0")
    parallel = prepare_vectors("manifest", pauses, tmp_path, name="small", features="is10", trim="3", workers=2)
    assert parallel.name == trimmed_set.name and contents(parallel) == contents(trimmed_set)
    with pytest.raises(InputError, match="--trim=4; use 0, 1, 2, 3, silero or none"):
        prepare_vectors("manifest", pauses, data, trim="4")


def test_what_is_too_short_once_it_is_trimmed_is_named_with_what_was_left():
    burst = np.zeros(16000, np.int16)
    burst[8000:8320] = speech_like.vowels(0.5, seed=3)[:320]
    with pytest.raises(NoFeatures, match=r"too short for openSMILE \(0\.\d+ s of 1\.000 s with speech by 0\)"):
        Extractor("is10", trim="0")(burst, 16000)
