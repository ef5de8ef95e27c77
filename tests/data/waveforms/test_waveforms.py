"""Prepared sets of waveforms: samples as in the files, transcripts, word times, statistics, errors, kills."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import speech_like
import toy_dialogue
from kills import Preparation, contents, interrupted

from sejax import corpora
from sejax.corpora import builder
from sejax.corpora.corpus import Word
from sejax.data.folds import make_folds
from sejax.data.store import writing
from sejax.data.waveforms import prepare
from sejax.data.waveforms.load import Waveforms, find_waveforms, statistics
from sejax.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
LENGTHS = (1.3, 0.02, 2.2, 0.7)
SAID = ("Oh, it's you!", "", "[LAUGHTER] No.", "Ça va")
TIMES = {
    "u0": (Word("OH", -0.1, 0.2), Word("it's", 0.3, 0.25), Word("you", 1.2, 1.9), Word("late", 1.3, 1.4)),
    "u2": (Word("no", 1.5, 2.0),),
}


def spoken_corpus(folder, lengths=LENGTHS, said=SAID):
    """As `speech_like.corpus`, with transcripts."""
    path = speech_like.corpus(folder, lengths)
    header, *rows = path.read_text().split()
    rows = [f'{row},"{text}"' for row, text in zip(rows, said, strict=True)]
    path.write_text("\n".join([f"{header},transcript", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return spoken_corpus(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def folder(source, tmp_path_factory, told):
    """The set of the manifest, to whose recordings word times are added."""
    original = corpora.open_corpus

    def with_times(*arguments, **options):
        opened = original(*arguments, **options)
        timed = [dataclasses.replace(each, words=TIMES.get(each.id, ())) for each in opened.recordings]
        return dataclasses.replace(opened, recordings=tuple(timed))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing.corpora, "open_corpus", with_times)
        return prepare.prepare_waveforms(
            "manifest",
            source,
            tmp_path_factory.mktemp("data"),
            name="small",
            progress=lambda *values: told.append(values),
        )


@pytest.fixture(scope="module")
def prepared(folder):
    return Waveforms.load(folder)


def test_samples_are_those_of_the_files_one_utterance_after_the_other(prepared, source):
    files = [soundfile.read(source.parent / f"f{number}.wav", dtype="int16")[0] for number in range(len(LENGTHS))]
    assert isinstance(prepared.waveform, np.memmap) and prepared.waveform.dtype == np.int16
    np.testing.assert_array_equal(prepared.waveform, np.concatenate(files))
    np.testing.assert_array_equal(prepared.offset, np.cumsum([0, *map(len, files)]))
    np.testing.assert_array_equal(prepared.seconds, LENGTHS)
    assert prepared.offset.dtype == np.int64 and prepared.settings == {"rate": 16000}


def test_transcripts_and_who_said_them_come_along(prepared):
    assert prepared.transcripts == SAID
    assert prepared.utterance_ids == ("u0", "u1", "u2", "u3")
    assert prepared.classes == ("anger", "joy") and prepared.sex == ("male", "female")
    np.testing.assert_array_equal(prepared.label, [1, 0, -1, 1])
    np.testing.assert_array_equal(prepared.utterance_label, prepared.label)
    np.testing.assert_array_equal([prepared.speaker, prepared.session], [[0, 1, 0, 1]] * 2)
    np.testing.assert_array_equal([prepared.utterance, prepared.block], [range(4)] * 2)


def test_word_times_lie_inside_their_utterance_and_words_beyond_it_are_passed_over(prepared):
    assert prepared.word_text == ("OH", "it's", "you", "no") and prepared.word_start.dtype == np.float32
    np.testing.assert_array_equal(prepared.word_start, np.float32([0, 0.3, 1.2, 1.5]))
    np.testing.assert_array_equal(prepared.word_end, np.float32([0.2, 0.3, 1.3, 2.0]))
    np.testing.assert_array_equal(prepared.word_offset, np.int32([0, 3, 3, 4, 4]))


def test_statistics_are_those_of_samples_between_minus_one_and_one(prepared):
    for number, edges in enumerate(zip(prepared.offset, prepared.offset[1:], strict=False)):
        samples = prepared.waveform[slice(*edges)] / 32768.0
        assert prepared.mean_absolute[number] == np.float32(np.abs(samples).mean())
        assert prepared.deviation[number] == np.float32(samples.std())


@pytest.mark.parametrize("count", [1, 65535, 65537, 200_000])
def test_statistics_of_any_number_of_samples(count):
    samples = np.random.default_rng(0).integers(-32768, 32768, count).astype(np.int16)
    expected = np.abs(samples / 32768.0).mean(), (samples / 32768.0).std()
    np.testing.assert_allclose(statistics(samples), expected, rtol=1e-12, atol=1e-15)
    assert statistics(np.full(count, -32768, np.int16)) == (1.0, 0.0)
    assert statistics(np.zeros(count, np.int16)) == (0.0, 0.0)


def test_the_summary_counts_transcripts_words_and_words_with_times(folder):
    lines = Waveforms.load(folder).describe().split("\n")
    assert "audio       4.2 s" in lines
    assert "transcripts 3 utterances, 7 words" in lines
    assert "word times  2 utterances, 4 words" in lines


def test_progress_is_told_in_seconds_of_audio(folder, told):
    done = [done for stage, done, _ in told if stage == "waveforms"]
    assert done == sorted(done) and done[-1] == pytest.approx(sum(LENGTHS))


def test_what_is_left_to_do_after_an_interruption_is_told_too(source, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, writing, "write_json", 0)  # all samples are written
        prepare.prepare_waveforms("manifest", source, tmp_path)
    told = []
    prepare.prepare_waveforms("manifest", source, tmp_path, progress=lambda *values: told.append(values))
    assert told[-1] == ("waveforms", pytest.approx(sum(LENGTHS)), pytest.approx(sum(LENGTHS)))


def test_the_command_prepares_and_the_set_is_found_by_its_corpus(source, tmp_path):
    arguments = ["--corpus=manifest", f"--source={source}", "--name=small", f"--data_dir={tmp_path}"]
    command = [sys.executable, str(ROOT / "launch" / "prepare.py"), *arguments, "--features=waveforms"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    found = find_waveforms(tmp_path, "small")
    assert done.returncode == 0 and done.stdout.startswith(Waveforms.load(found.folder).describe())
    assert found.transcripts == SAID and len(found.word_start) == 0 and not found.word_offset.any()
    command = "--corpus=manifest --name=other --source=MANIFEST.csv --features=waveforms --data_dir="
    with pytest.raises(InputError, match=command):
        find_waveforms(tmp_path, "other")
    Path(found.folder).rename(Path(found.folder).with_name("waveforms-1"))
    (tmp_path / "small" / "waveforms-2.unfinished").mkdir()
    (tmp_path / "small" / "waveforms-2.unfinished" / "settings.json").touch()
    assert find_waveforms(tmp_path, "small").folder.endswith("waveforms-1")


def test_toy_dialogues_are_read_back_as_they_were_made_and_can_be_split(tmp_path):
    made = toy_dialogue.spoken()
    toy_dialogue.write_prepared_set(tmp_path, made)
    found = find_waveforms(tmp_path, "spoken")
    for field in dataclasses.fields(made):
        if field.name not in ("folder", "waveform"):
            np.testing.assert_array_equal(getattr(found, field.name), getattr(made, field.name))
    np.testing.assert_array_equal(found.waveform, made.waveform)
    assert (np.bincount(made.label) == 20).all() and "" in made.transcripts
    parts = make_folds(found, protocol="speaker", folds=5)
    assert all(len(set(made.session[test])) == 1 for test in parts.test)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("waveform", lambda values: values[:-1], r"290885 rows of waveform of 80 utterances.* 290886"),
        ("offset", lambda values: values[1:], "rows of waveform of 80 utterances"),
        ("word_start", lambda values: values[:-1], "rows of word_start of 80 utterances"),
        ("transcripts", lambda values: values[1:], "79 transcripts of 80 utterances"),
        ("word_text", lambda values: values[1:], "words amiss"),
    ],
)
def test_a_damaged_set_is_an_error_that_says_what_to_do(tmp_path, name, change, message):
    folder = toy_dialogue.write_prepared_set(tmp_path, toy_dialogue.spoken())
    if (folder / f"{name}.npy").is_file():
        np.save(folder / f"{name}.npy", change(np.load(folder / f"{name}.npy")))
    else:
        index = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps(index | {name: change(index[name])}))
    with pytest.raises(InputError, match=f"{message}.*; delete the folder and prepare the set again"):
        Waveforms.load(folder)


def test_a_folder_without_samples_is_no_set(tmp_path):
    with pytest.raises(InputError, match="not a finished set of waveforms; .*sejax prepare --features=waveforms"):
        Waveforms.load(tmp_path)


PREPARATION = Preparation(
    setup="""
from sejax.corpora import builder
from sejax.data.store import writing
from sejax.data.waveforms import prepare

builder.LEAST = 2.0
""",
    places="""
    "utterance": (prepare, "words_inside"),
    "append": (writing.GrowingArray, "append"),
    "journal": (writing.Journal, "append"),
    "index": (writing, "write_json"),
""",
    call="""prepare.prepare_waveforms("manifest", source, data, allow_partial=True)""",
)
LONGER = (1.5, 2.2, 1.3, 3.0, 1.1, 2.6, 1.9)
TEXTS = ("one", "two words", "", "four", "five", "six", "seven")


def broken(folder):
    """A corpus of which a file is empty, so that the set has a left_out.csv."""
    path = spoken_corpus(folder, LONGER, TEXTS)
    (folder / "f3.wav").write_bytes(b"")
    return path


def prepare_partial(source, data):
    return prepare.prepare_waveforms("manifest", source, data, allow_partial=True)


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(builder, "LEAST", 2.0)


@pytest.mark.slow
def test_kills_at_every_stage_lead_to_the_same_bytes_as_no_kill(tmp_path, small_groups):
    source = broken(tmp_path / "source")
    places = [("utterance", 3), ("append", 2), ("journal", 1), ("index", 1)]
    finished = "*/waveforms-*[!d]/settings.json"
    killed, whole = PREPARATION.killed_and_whole(source, tmp_path, places, finished=finished, pattern="*/waveforms-*/*")
    assert len(whole) == 14 and killed == whole
    assert Waveforms.load(next((tmp_path / "killed").glob("*/waveforms-*"))).transcripts == (*TEXTS[:3], *TEXTS[4:])


def test_utterances_of_noted_groups_are_not_read_again(tmp_path, small_groups, monkeypatch):
    source = broken(tmp_path / "source")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, prepare, "words_inside", 4)
        prepare_partial(source, tmp_path / "data")
    with monkeypatch.context() as patch:
        seen = interrupted(patch, prepare, "words_inside", 99)
        made = prepare_partial(source, tmp_path / "data")
    # Groups of at least 2 s: 1.5 + 2.2 | 1.3 + 1.1 | 2.6 | 1.9; the third was interrupted.
    assert [utterance.id for utterance in seen] == ["u5", "u6"]
    assert contents(made) == contents(prepare_partial(source, tmp_path / "whole")) and "left_out.csv" in contents(made)
    assert not {"journal.jsonl", "lock"} & contents(made).keys()


def test_the_summary_says_what_was_clipped(tmp_path):
    path = spoken_corpus(tmp_path / "source")
    values, _ = soundfile.read(tmp_path / "source" / "f2.wav")
    soundfile.write(tmp_path / "source" / "f2.wav", 1.5 * values / np.abs(values).max(), 16000, subtype="FLOAT")
    made = prepare.prepare_waveforms("manifest", path, tmp_path / "data", name="c")
    note = "note        1 utterances have samples beyond full scale, which were clipped (the most of u2, "
    assert note in Waveforms.load(made).describe()
