"""The artefact of synthetic vectors: written part by part, read back, never half there."""

import json

import numpy as np
import pytest
import toy_vectors

from sejax.data.labels import FOUR
from sejax.data.vectors import synthetic
from sejax.errors import InputError

GENERATORS = [{"fold": fold, "seed": 0, "lambda_cls": weight} for weight in (0.0, 2.0) for fold in (0, -1)]
PARTS = [  # generator, label, source rows, vectors
    (0, 1, [0, 1], [[0.5, -1.0], [1e-30, 2.0]]),
    (0, 3, [1], [[3.0, 1e12]]),
    (2, 0, [2, 0], [[4.0, 5.0], [6.0, 7.0]]),
]


def write(folder, parts=PARTS):
    synthetic.write(
        folder,
        ((g, label, np.array(source, np.int32), np.array(x, np.float32)) for g, label, source, x in parts),
        generators=GENERATORS,
        names=("f0", "f1"),
        classes=FOUR,
        source_ids=("a", "b", "c"),
        about={"source": "unlabelled", "target": ["emodb"]},
    )


def test_a_set_is_read_back_as_it_was_written(tmp_path):
    write(tmp_path / "set")
    found = synthetic.load(tmp_path / "set")
    expected = np.concatenate([np.array(x, np.float32) for *_, x in PARTS])
    np.testing.assert_array_equal(found.features, expected)
    assert found.features.dtype == np.float32
    np.testing.assert_array_equal(found.label, [1, 1, 3, 0, 0])
    np.testing.assert_array_equal(found.source, [0, 1, 1, 2, 0])
    np.testing.assert_array_equal(found.generator, [0, 0, 0, 2, 2])
    assert list(found.generators) == GENERATORS and found.classes == FOUR and found.names == ("f0", "f1")
    assert found.source_ids == ("a", "b", "c") and found.about == {"source": "unlabelled", "target": ["emodb"]}


def test_rows_are_found_by_the_generators_name(tmp_path):
    write(tmp_path / "set")
    found = synthetic.load(tmp_path / "set")
    assert found.rows_of(fold=0, seed=0, lambda_cls=0.0) == (0, 3)
    assert found.rows_of(fold=0, seed=0, lambda_cls=2) == (3, 5)
    with pytest.raises(InputError, match="2 generators with fold=0; there are fold=0, seed=0, lambda_cls=0.0; fold=-1"):
        found.rows_of(fold=0)
    with pytest.raises(InputError, match="0 generators with fold=4"):
        found.rows_of(fold=4)
    with pytest.raises(InputError, match="made nothing"):
        found.rows_of(fold=-1, lambda_cls=0.0)


def test_an_interrupted_writing_leaves_no_set_and_hinders_no_second_one(tmp_path):
    def breaking():
        yield PARTS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "set", breaking())
    assert not (tmp_path / "set").exists()
    with pytest.raises(InputError, match="sejax synthesise"):
        synthetic.load(tmp_path / "set")
    write(tmp_path / "set")
    assert len(synthetic.load(tmp_path / "set").label) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_set_is_never_written_over(tmp_path):
    write(tmp_path / "set")
    before = (tmp_path / "set" / "index.json").read_bytes()
    with pytest.raises(InputError, match="exists already"):
        write(tmp_path / "set", PARTS[:1])
    assert (tmp_path / "set" / "index.json").read_bytes() == before


def test_files_that_do_not_fit_together_are_refused(tmp_path):
    write(tmp_path / "set")
    np.save(tmp_path / "set" / "label.npy", np.zeros(4, np.int32))
    with pytest.raises(InputError, match=r"features \[5, 2\], 4 labels"):
        synthetic.load(tmp_path / "set")


def test_the_toy_set_of_other_tests_is_such_a_set(tmp_path):
    made = toy_vectors.synthetic(tmp_path / "set", seeds=2)
    assert made.rows_of(fold=1, seed=0, lambda_cls=2.0) == (64, 96)
    assert json.loads((tmp_path / "set" / "index.json").read_text())["about"]["seeds"] == 2
