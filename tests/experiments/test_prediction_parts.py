"""A table that several processes fill in parts: one in the recordings' order, whatever was killed in between."""

import pytest
from test_prediction_table import FORMATS, GIVEN, failed, outcome, rows, stored, write

from sejax.engine import hosts
from sejax.errors import InputError
from sejax.experiments.prediction_parts import TableInParts, in_parts

MANY = [*GIVEN, *(outcome(f"{n}.wav", 1 + n % 2, seed=n) for n in range(5)), failed("gone too.wav")]
RECORDINGS = [one.recording for one in MANY]
OUTCOMES = dict(zip(RECORDINGS, MANY, strict=True))


def process(monkeypatch, path, number, count):
    """The table as one of several processes opens it."""
    monkeypatch.setattr(hosts, "place", lambda: (number, count))
    return TableInParts(path, rows(), RECORDINGS)


def killed(table):
    """What is left of a process that was killed: nothing that holds its files."""
    table._part.close(complete=False)
    table._table.close(complete=False)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_killed_processes_left_goes_into_the_table_in_the_order_of_the_recordings(tmp_path, monkeypatch, kind):
    for package in {".parquet": ("pyarrow",), ".audformat": ("audformat",)}.get(kind, ()):
        pytest.importorskip(package)
    path = tmp_path / f"out{kind}"
    assert not in_parts(path)
    last = process(monkeypatch, path, 2, 3)
    assert (last.left, last.done) == (RECORDINGS[2::3], 0)
    for recording in last.left[::-1]:  # all of its share
        last.add(OUTCOMES[recording])
    killed(last)
    first = process(monkeypatch, path, 0, 2)  # two go on, and share what is left
    left = [recording for recording in RECORDINGS if recording not in last.left]
    assert (first.left, first.done) == (left[::2], 3)
    first.add(OUTCOMES[first.left[0]])
    killed(first)
    with open(tmp_path / f"out{kind}.part-0.jsonl", "ab") as file:
        file.write(b'{"path": "half a row')
    assert in_parts(path)
    alone = process(monkeypatch, path, 0, 1)
    assert alone.left == left[1:] and alone.done == 4
    for recording in alone.left:
        alone.add(OUTCOMES[recording])
    alone.close()
    assert [alone.failure(*one.recording) == "" for one in MANY] == [one.error is None for one in MANY]
    write(tmp_path / f"whole{kind}", rows(), MANY)
    assert stored(path) == stored(tmp_path / f"whole{kind}")
    assert not in_parts(path) and len(list(tmp_path.iterdir())) == 2


def test_recordings_that_the_table_has_are_nobodys(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    write(path, rows(), MANY[:4])
    table = process(monkeypatch, path, 1, 2)
    assert table.left == RECORDINGS[5::2] and table.done == 4


def test_parts_of_another_run_are_refused(tmp_path, monkeypatch):
    killed(process(monkeypatch, tmp_path / "out.csv", 0, 2))
    write(tmp_path / "out.csv.part-0.jsonl", rows(run="runs/b"))
    with pytest.raises(InputError, match=r"part-0.jsonl holds rows of runs/b, and these are of runs/a"):
        process(monkeypatch, tmp_path / "out.csv", 0, 2)
