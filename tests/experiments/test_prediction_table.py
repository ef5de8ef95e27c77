"""Tables of predictions: what rows hold, in every format, and what becomes of a table that was cut anywhere."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sejax.audio.level import Traits
from sejax.errors import InputError
from sejax.experiments.bulk import Outcome, Recording
from sejax.experiments.prediction import Prediction
from sejax.experiments.prediction_table import FORMATS, Rows, Table, entropy

CLASSES = ("anger", "joy, or so", "neutral")
MEMBERS = ({"fold": 0, "seed": 0}, {"fold": 1, "seed": 0})
TRAITS = Traits(**dict.fromkeys(Traits._fields, 0.5) | {"level": -26.5})


def rows(*kinds, run="runs/a", rated=None, transcribed=False):
    how = {"classes": CLASSES, "rated": rated or {}, "members": MEMBERS, "transcribed": transcribed, "run": run}
    return Rows(kinds or ("utterance", "block", "member"), **how)


def outcome(name, blocks=2, seed=0, shape=(3,)):
    members = np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), (2, blocks, *shape[:-1])).astype(np.float32)
    start = np.arange(blocks) * 0.99 + 0.03
    mean = members.mean(0)
    prediction = Prediction(start, start + 1, mean, mean.mean(0), (), members)
    return Outcome(Recording(Path(name)), prediction, None, TRAITS, 0.25, ("quieter (-60 dBFS)",))


def failed(name):
    return Outcome(Recording(Path(name)), error=InputError(f'{name}: "no" such\nfile, sorry; check it'))


GIVEN = (outcome("a, b.wav", 3), failed("gone.wav"), outcome("c/ü.wav", 1, seed=1), outcome('d"e\nf.wav', 2, seed=2))


def stored(path):
    """The rows of a finished table as dicts of text and numbers, whatever its format."""
    if path.suffix == ".csv":
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
        return pyarrow.read_table(path).to_pylist()
    return [json.loads(line) for line in (path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]


def write(path, made, given=GIVEN):
    table = Table(path, made)
    for one in given:
        if table.failure(*one.recording) is None:
            table.add(one)
    table.close()
    return table


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_holds_the_same_rows(tmp_path, kind):
    for package in {".parquet": ("pyarrow",), ".audformat": ("audformat",)}.get(kind, ()):
        pytest.importorskip(package)
    path, made = tmp_path / "new" / f"out{kind}", rows()
    write(path, made)
    expected = [row for one in GIVEN for row in made.of(one)]
    found = stored(path)
    assert len(found) == len(expected) == (4 + 2 + 3) * 3 + 1
    for row, wanted in zip(found, expected, strict=True):
        assert list(row) == list(made.columns)
        for name, value in wanted.items():
            if value is None:
                assert row[name] in ("", None)
            else:
                assert type(value)(row[name]) == value, name
    assert [path.name for path in path.parent.iterdir()] == [path.name]


def test_rows_say_what_was_predicted_of_what_by_whom():
    one = GIVEN[0]
    found = rows().of(one)
    assert [(row["row"], row["member"]) for row in found[:4]] == [
        *(("utterance", ""), ("utterance", "fold 0; seed 0"), ("utterance", "fold 1; seed 0"), ("block", ""))
    ]
    utterance, block = found[0], found[6]
    assert (utterance["start"], utterance["end"], utterance["blocks"]) == (0.03, 3.01, 3)
    assert (block["start"], block["end"]) == (1.02, 2.02)
    np.testing.assert_array_equal(
        np.float32([block[f"posterior_{name}"] for name in CLASSES]), one.prediction.posteriors[1]
    )
    np.testing.assert_array_equal(
        np.float32([found[2][f"posterior_{name}"] for name in CLASSES]), one.prediction.members[1].mean(0)
    )
    assert utterance["predicted"] == CLASSES[one.prediction.utterance.argmax()]
    assert utterance["entropy"] == entropy(one.prediction.utterance)
    assert utterance["level"] == -26.5 and utterance["run"] == "runs/a"
    quieter, clipped = utterance["warnings"].split("; ")
    assert quieter.startswith("quieter (-60 dBFS) than the") and clipped.startswith("clipped: 25.00%")
    (failure,) = rows().of(GIVEN[1])
    assert failure["row"] == "failure" and failure["error"] == 'gone.wav: "no" such\\nfile, sorry; check it'
    assert failure["predicted"] is None and failure["level"] is None


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [(("utterance",), 1), (("block",), 3), (("member",), 3), (("block", "member"), 9), (("utterance", "block"), 4)],
)
def test_kinds_of_rows_are_chosen(kinds, expected):
    found = rows(*kinds).of(GIVEN[0])
    assert len(found) == expected and {rows(*kinds).count(row) for row in found} == {expected}


def test_entropy_is_zero_of_one_class_and_the_logarithm_of_many_alike():
    assert entropy(np.float32([0, 1, 0])) == 0.0
    assert entropy(np.full(5, 0.2)) == pytest.approx(np.log(5), abs=1e-6)


def test_rated_speech_has_columns_of_each_dimension():
    points = tuple("12345")
    (row,) = rows("utterance", rated={"valence": points, "activation": points}).of(outcome("a.wav", 1, shape=(2, 5)))
    posterior = np.array([row[f"activation_{point}"] for point in points])
    assert row["activation_expected"] == pytest.approx(posterior @ [1, 2, 3, 4, 5], abs=1e-5)
    assert row["valence_entropy"] > 0 and "predicted" not in row


@pytest.mark.parametrize("kind", [".csv", ".jsonl"])
def test_a_table_that_was_cut_anywhere_goes_on_to_the_same_bytes(tmp_path, kind):
    whole, cut = tmp_path / f"whole{kind}", tmp_path / f"cut{kind}"
    write(whole, rows())
    content = whole.read_bytes()
    for length in range(0, len(content) + 1, 7):
        cut.write_bytes(content[:length])
        table = Table(cut, rows())
        done = [table.failure(*one.recording) is not None for one in GIVEN]
        assert done == sorted(done, reverse=True)  # those before the cut, and none after it
        assert sum(done) == len(GIVEN) or length < len(content)
        for one in GIVEN[sum(done) :]:
            table.add(one)
        table.close()
        assert cut.read_bytes() == content, length


@pytest.mark.parametrize("kind", [".parquet", ".audformat"])
def test_a_table_that_is_made_of_rows_goes_on_too_and_takes_more(tmp_path, kind):
    pytest.importorskip({".parquet": "pyarrow", ".audformat": "audformat"}[kind])
    path = tmp_path / f"out{kind}"
    table = Table(path, rows())
    table.add(GIVEN[0])
    table.close(complete=False)  # as a kill would leave it
    table = write(path, rows(), GIVEN[:3])
    assert table.failure(*GIVEN[1].recording).startswith("gone.wav") and table.failure(*GIVEN[0].recording) == ""
    write(path, rows(), GIVEN)  # finished, and one more is asked for
    assert len(stored(path)) == 28


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # audformat 1.4 on pandas 3.1
def test_an_audformat_database_has_a_table_for_each_kind_of_row(tmp_path):
    audformat = pytest.importorskip("audformat")
    write(tmp_path / "db.audformat", rows(), GIVEN[:3])
    found = audformat.Database.load(str(tmp_path / "db.audformat"))
    blocks = found["block"].get()
    assert audformat.is_segmented_index(blocks.index) and len(blocks) == 4
    assert blocks.index.get_level_values("start")[1].total_seconds() == 1.02
    np.testing.assert_allclose(
        blocks["posterior_anger"].iloc[:3], GIVEN[0].prediction.posteriors[:, 0], atol=1e-6
    )
    assert set(found.schemes["predicted"].labels) == {*CLASSES}
    assert found["utterance.member-1"].description == "fold 1; seed 0"
    assert list(found["failure"].get().index) == ["gone.wav"]


def test_a_table_of_another_run_of_other_rows_or_columns_is_left_as_it_is(tmp_path):
    path = tmp_path / "out.csv"
    write(path, rows("utterance"))
    before = path.read_bytes()
    others = {
        "rows of runs/a, and these are of runs/b": rows("utterance", run="runs/b"),
        "other rows than utterance and block": rows("utterance", "block"),
        "other columns": rows("utterance", transcribed=True),
    }
    for said, other in others.items():
        with pytest.raises(InputError, match=said):
            Table(path, other)
        assert path.read_bytes() == before
    write(tmp_path / "both.csv", rows("utterance", "block"))
    with pytest.raises(InputError, match="rows of each block"):
        Table(tmp_path / "both.csv", rows("utterance"))


def test_damage_inside_a_table_is_named_and_nothing_is_cut(tmp_path):
    path = tmp_path / "out.jsonl"
    write(path, rows())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1][:9] + b"\n", *lines[2:]]))
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"out\.jsonl is damaged \(line 2 is no row\)"):
        Table(path, rows())
    assert path.read_bytes() == before


def test_two_processes_do_not_write_one_table_and_formats_are_known(tmp_path):
    table = Table(tmp_path / "out.csv", rows())
    with pytest.raises(InputError, match="being written by another process"):
        Table(tmp_path / "out.csv", rows())
    table.close()
    with pytest.raises(InputError, match=r"out\.txt: give a name that ends with \.csv, \.jsonl"):
        Table(tmp_path / "out.txt", rows())


@pytest.mark.parametrize(("kind", "package"), [(".parquet", "pyarrow"), (".audformat", "audformat")])
def test_a_missing_package_is_named_with_its_extra_before_anything_is_written(tmp_path, monkeypatch, kind, package):
    for name in (package, f"{package}.parquet"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(InputError, match=rf"package {package}; pip install 'sejax\[tables\]'"):
        Table(tmp_path / f"out{kind}", rows())
    assert not list(tmp_path.iterdir())
