"""Many files to one finished run: as each alone, in order, in few shapes, whatever becomes of some; and a stream."""

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scripts import ROOT, Script, check_every_rate, launch
from tones import tone

from sejax.errors import InputError
from sejax.experiments.bulk import Recording, predict_recordings
from sejax.experiments.prediction import Predictor
from sejax.experiments.stream import predict_stream

RATE = 16000
SECONDS = (1.0, 7.3, 0.4, 2.01, 36.9, 1.5, 3.0)  # the third is less than a block, the fifth more than a batch


@pytest.fixture(scope="module")
def predict(finished):
    return Predictor(finished)


@pytest.fixture(scope="module")
def waveforms():
    random = np.random.default_rng(11)
    return [tone(n % 3, speaker=n, seconds=seconds, random=random) for n, seconds in enumerate(SECONDS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, waveforms):
    """The waveforms as files f0.wav ... f6.wav, and one that is none."""
    folder = tmp_path_factory.mktemp("audio")
    for number, waveform in enumerate(waveforms):
        soundfile.write(folder / f"f{number}.wav", waveform, RATE)
    (folder / "f7.wav").write_bytes(b"RIFF")
    return folder


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_many_recordings_are_judged_as_each_alone_in_their_order(predict, waveforms):
    def read(file):
        if file.name == "bad":
            raise InputError("bad")
        time.sleep(0.01 * (int(file.name) % 3))  # threads end in another order
        return waveforms[int(file.name)], 0.0

    names = ["0", "1", "bad", "2", "3", "4", "5", "6"]
    given = [Recording(Path(name)) for name in names]
    found = list(predict_recordings(predict, given, read, rate=RATE, seconds=lambda _: 1.0, threads=4))
    assert [one.recording.file.name for one in found] == names
    assert [one.recording.file.name for one in found if one.error is not None] == ["bad", "2"]
    assert "less than one block" in str(found[3].error) and found[3].traits.level < 0
    for one in found:
        if one.prediction is not None:
            alone = predict(waveforms[int(one.recording.file.name)], RATE)
            for name in ("start", "end", "posteriors", "utterance", "members"):
                np.testing.assert_allclose(getattr(one.prediction, name), getattr(alone, name), atol=1e-6, err_msg=name)
            np.testing.assert_allclose(alone.members.mean(0), alone.posteriors, atol=1e-6)
            assert len(alone.members) == 3 and not np.allclose(*alone.members[:2], atol=1e-4)


def test_blocks_are_taken_at_any_rate(predict, waveforms):
    check_every_rate(predict, waveforms[6], alike=0.1)  # cells on the edge between two colours change
    assert predict.unlike(np.repeat(waveforms[6], 2), 2 * RATE) == predict.unlike(waveforms[6], RATE)
    read = lambda file: (np.repeat(waveforms[6], 2), 0.0)  # noqa: E731
    (found,) = predict_recordings(predict, [Recording(Path("a"))], read, rate=2 * RATE, seconds=lambda _: 1.0)
    np.testing.assert_allclose(found.prediction.end, predict(waveforms[6], RATE).end)


def test_speech_shorter_than_a_block_is_filled_up_where_asked_for(finished, predict, waveforms):
    short, padding = waveforms[2], Predictor(finished, pad=True)
    found, whole = padding(short, RATE), padding(waveforms[6], RATE)
    assert [found.start.tolist(), found.end.tolist()] == [[0.0], [0.4]] and found.filled == pytest.approx(0.6)
    filled = np.append(short, np.zeros(9600, np.int16))
    np.testing.assert_allclose(found.posteriors, predict(filled, RATE).posteriors, atol=1e-6)
    assert whole.filled == 0 and len(whole.start) == 3
    np.testing.assert_array_equal(whole.posteriors, predict(waveforms[6], RATE).posteriors)


def test_lengths_compile_nothing_anew_and_no_call_grows_with_them(predict, waveforms, monkeypatch):
    predict(waveforms[0], RATE)
    (network,) = {part.func for part in predict._parts}
    compiled, seen, judge = network._cache_size(), [], predict.posteriors
    monkeypatch.setattr(predict, "posteriors", lambda values: seen.append(len(values)) or judge(values))
    for waveform in waveforms[3:]:
        predict(waveform, RATE)
    list(predict.judged(predict.prepared(waveform, RATE) for waveform in waveforms[3:] * 2))
    assert network._cache_size() == compiled == 1
    assert max(seen) == 32 and sum(seen) == 3 * (2 + 37 + 1 + 3)


def test_a_table_of_files_folders_patterns_manifests_and_a_list(finished, folder, tmp_path):
    (tmp_path / "sub").mkdir()
    os.link(folder / "f0.wav", tmp_path / "sub" / "g.wav")
    (tmp_path / "list.csv").write_text(f"file,transcript\n{folder / 'f3.wav'},So what?\nsub/gone.wav,\n")
    table = tmp_path / "out.csv"
    command = [sys.executable, "launch/predict.py", f"--workdir={finished}", f"--output_table={table}"]
    given = [str(tmp_path / "sub"), f"{folder}/f[12].wav", str(tmp_path / "list.csv"), "-"]
    listed = f"{folder / 'f7.wav'}\n{folder / 'f0.wav'}\n"
    done = subprocess.run([*command, *given], input=listed, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "3 of 7 files failed, such as " in done.stderr and done.stdout == ""
    rows = rows_of(table)
    names = [Path(row["path"]).name for row in rows]
    assert names == ["g.wav", "f1.wav", "f2.wav", "f7.wav", "f0.wav", "f3.wav", "gone.wav"]
    assert [row["row"] for row in rows] == [*["utterance"] * 2, *["failure"] * 2, *["utterance"] * 2, "failure"]
    assert [row["error"].partition("f7.wav: ")[2].split(" (")[0] for row in rows][3].startswith("not audio")
    assert rows[0]["posterior_anger"] == rows[4]["posterior_anger"]  # the same samples
    assert [row["predicted"] for row in rows if row["row"] == "utterance"] == ["anger", "boredom", "anger", "anger"]
    assert not (finished / "predictions").exists()
    before = table.read_bytes()
    table.write_bytes(before[: before.index(b"f2.wav") + 40])  # cut off in the third file's row
    done = subprocess.run([*command, *given], input=listed, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "2 of 7 files were there" in done.stderr
    assert table.read_bytes() == before


def test_rows_of_blocks_and_members(finished, folder, predict, waveforms, tmp_path):
    table = tmp_path / "out.csv"
    done = launch(
        "predict",
        *(f"--workdir={finished}", f"--output_table={table}", "--rows=utterance,block,member", str(folder / "f6.wav")),
    )
    assert done.returncode == 0, done.stderr
    rows, alone = rows_of(table), predict(waveforms[6], RATE)
    assert len(rows) == (1 + 3) * (1 + 3)
    block = [row for row in rows if row["row"] == "block" and row["start"] == str(alone.start[1])]
    assert [row["member"] for row in block] == ["", *(f"fold {fold}; seed 0" for fold in range(3))]
    found = np.float32([[row[f"posterior_{name}"] for name in predict.classes] for row in block])
    np.testing.assert_allclose(found, [alone.posteriors[1], *alone.members[:, 1]], atol=1e-6)


@pytest.mark.slow
def test_a_table_goes_on_after_kills(finished, folder, tmp_path):
    whole, killed = tmp_path / "whole.csv", tmp_path / "killed.csv"
    names = [tmp_path / f"{number:02}.wav" for number in range(40)]
    for name in names:
        os.link(folder / "f4.wav", name)
    command = [f"--workdir={finished}", "--rows=utterance,block", *map(str, names)]
    assert launch("predict", f"--output_table={whole}", *command).returncode == 0
    sizes = []
    for share in (0.2, 0.5, 0.8):
        process = Script("predict", f"--output_table={killed}", *command)
        while process.running() and not (killed.exists() and killed.stat().st_size > share * whole.stat().st_size):
            time.sleep(0.005)
        process.send(9)
        process.end()
        sizes.append(killed.stat().st_size)
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    done = launch("predict", f"--output_table={killed}", *command)
    assert done.returncode == 0 and " of 40 files were there" in done.stderr and "; 0 of" not in done.stderr
    assert killed.read_bytes() == whole.read_bytes()


def test_figures_are_drawn_where_asked_for_and_named_by_path(finished, folder, tmp_path):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        os.link(folder / "f0.wav", tmp_path / place / "x.wav")
    soundfile.write(tmp_path / "a" / "x.flac", tone(1, speaker=0, seconds=1, random=np.random.default_rng(0)), RATE)
    done = launch(
        "predict", *(f"--workdir={finished}", "--figures", f"--output={tmp_path / 'f'}", f"{tmp_path}/[ab]/*")
    )
    assert done.returncode == 0, done.stderr
    drawn = sorted(str(path.relative_to(tmp_path / "f")) for path in (tmp_path / "f").rglob("*.svg"))
    assert drawn == [f"{str(tmp_path)[1:]}/{name}.svg" for name in ("a/x.flac", "a/x.wav", "b/x.wav")]


def test_a_stream_is_judged_as_its_file_block_for_block(finished, predict, waveforms):
    for pieces in (1, 50):
        heard = list(predict_stream(predict, np.array_split(waveforms[1], pieces)))
        alone = predict(waveforms[1], RATE)
        assert [one.start for one in heard] == alone.start.tolist()
        assert [one.end for one in heard] == alone.end.tolist()
        np.testing.assert_allclose([one.posteriors for one in heard], alone.posteriors, atol=1e-6)
        np.testing.assert_allclose(np.stack([one.members for one in heard], 1), alone.members, atol=1e-6)
        assert all(0 < one.latency < 60 for one in heard)
    with pytest.raises(InputError, match="0.40 s of speech found in 0.40 s"):
        list(predict_stream(predict, [waveforms[2]]))
    command = [sys.executable, "launch/predict.py", f"--workdir={finished}", "--stream"]
    done = subprocess.run(command, input=waveforms[1].tobytes(), cwd=ROOT, capture_output=True)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and lines[-1].endswith("-> boredom") and len(lines) == 7 + 2
    assert all(line.endswith(" ms") for line in lines[1:-1]) and b"latency: median " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stream", "{}/f0.wav"], "leave files, tables and figures out"),
        (["--rows=block", "{}/f0.wav"], "--output_table"),
        (["--output_table=out.csv", "--rows=word", "{}/f0.wav"], "--rows=word: use utterance, block, member"),
        (["--output_table=out.doc", "{}/f0.wav"], "out.doc: give a name that ends with .csv"),
        (["{}/*.flac"], "no such file"),
        (["--stream", "--stream_level=-30"], "takes recordings as loud as they are"),
        (["--microphone=default"], "pip install 'sejax[microphone]'"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(finished, folder, arguments, said):
    if "microphone" in said:
        try:
            import sounddevice  # noqa: F401
        except (ImportError, OSError):
            pass
        else:
            pytest.skip("sounddevice is installed")
    done = launch("predict", f"--workdir={finished}", *(argument.format(folder) for argument in arguments))
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
