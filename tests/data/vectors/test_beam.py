"""The extraction as a Beam pipeline: the records and the set of the local way, bit for bit."""

import functools
import sys
import time

import numpy as np
import pytest
import speech_like

from sejax import corpora
from sejax.audio.opensmile import Extractor
from sejax.corpora.builder import build
from sejax.data.vectors import extraction
from sejax.data.vectors.prepare import prepare_vectors
from sejax.errors import InputError

LENGTHS = (0.6, 0.5, 0.03, 0.7, 0.5)


@pytest.fixture
def installed(opensmile_installed):
    pytest.importorskip("apache_beam", reason="the package apache-beam is not installed (extra beam)")


@pytest.fixture
def small_ranges(monkeypatch):
    monkeypatch.setattr(extraction, "RANGE", 2)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_pipeline_makes_the_set_of_the_local_way(tmp_path, installed, small_ranges):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    there = prepare_vectors(
        "manifest", source, tmp_path / "beam", through=extraction.through_beam("emobase2010"), allow_partial=True
    )
    here = prepare_vectors("manifest", source, tmp_path / "local", workers=1, allow_partial=True)
    assert there.name == here.name
    assert contents(there) == contents(here) and len(contents(here)) == 8


def test_the_transforms_records_are_the_local_outcomes_by_id(tmp_path, installed):
    from apache_beam import Create
    from apache_beam.testing.test_pipeline import TestPipeline
    from apache_beam.testing.util import assert_that, equal_to

    corpus = corpora.open_corpus("manifest", speech_like.corpus(tmp_path / "source", LENGTHS))
    utterances = build(corpus, tmp_path / "data")
    limits = [(3, 5), (0, 3)]
    names = [str(extraction._range_file(tmp_path, each)) for each in limits]
    with TestPipeline(runner="DirectRunner") as pipeline:
        extracted = extraction.extract_ranges("is10", utterances=utterances.data_dir, folder=str(tmp_path))
        made = pipeline | Create(limits) | extracted
        assert_that(made, equal_to(names))
    found = {one.row.id: one for name in names for one in extraction.read_range(name)}
    extractor = Extractor("is10")
    assert list(found) == ["u3", "u4", "u0", "u1", "u2"]
    for utterance in corpus:
        expected = extraction.outcome(utterance, extractor)
        assert found[utterance.id].row == expected.row
        assert found[utterance.id].problem == expected.problem
        if expected.problem is None:
            np.testing.assert_array_equal(found[utterance.id].values, expected.values)
    assert found["u2"].problem.what.startswith("too short")


def test_what_workers_have_written_is_told_while_the_pipeline_runs(
    tmp_path, opensmile_installed, small_ranges, monkeypatch
):
    done, totals = [], set()

    def progress(stage, seconds, total):
        if stage == "is10":
            done.append(seconds)
            totals.add(total)

    def pipeline(missing, utterances, files, how, options):
        assert missing == [(0, 2), (2, 4), (4, 5)]
        for limits in missing:
            so_far = done[-1]
            extraction.write_range(limits, **how, utterances=str(utterances), folder=str(files))
            deadline = time.monotonic() + 30
            while done[-1] == so_far and time.monotonic() < deadline:
                time.sleep(0.01)
            assert done[-1] > so_far

    monkeypatch.setattr(extraction, "WATCHED", 0.01)
    monkeypatch.setattr(extraction, "_run_pipeline", pipeline)
    how = {"features": "is10", "level": "none", "trim": "none"}
    through = functools.partial(extraction._beam_outcomes, how=how, options=None)
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    options = {"features": "is10", "allow_partial": True, "progress": progress}
    made = prepare_vectors("manifest", source, tmp_path / "data", through=through, **options)
    assert done == sorted(done) and done[0] == 0 and {done[-1]} == totals
    for end in (2, 4):
        assert any(seconds == pytest.approx(sum(LENGTHS[:end])) for seconds in done)
    assert contents(made) == contents(prepare_vectors("manifest", source, tmp_path / "local", workers=1, **options))


@pytest.fixture
def interrupted(tmp_path, installed, small_ranges, monkeypatch):
    """A preparation whose pipeline wrote two of three parts."""
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    run = extraction._run_pipeline

    def dies(missing, *arguments):
        run(missing[:2], *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(extraction, "_run_pipeline", dies)
        prepare_vectors("manifest", source, tmp_path / "data", through=extraction.through_beam("is10"), features="is10")
    return source


def test_parts_that_are_there_are_not_extracted_again(tmp_path, interrupted, monkeypatch):
    run, asked = extraction._run_pipeline, []

    def noted(missing, *arguments):
        asked.append(missing)
        run(missing, *arguments)

    monkeypatch.setattr(extraction, "_run_pipeline", noted)
    options = {"features": "is10", "allow_partial": True}
    through = extraction.through_beam("is10")
    made = prepare_vectors("manifest", interrupted, tmp_path / "data", through=through, **options)
    assert asked == [[(4, 5)]]
    whole = prepare_vectors("manifest", interrupted, tmp_path / "whole", workers=1, **options)
    assert contents(made) == contents(whole)


def test_the_local_way_can_finish_what_a_pipeline_began(tmp_path, interrupted):
    options = {"features": "is10", "allow_partial": True, "workers": 1}
    made = prepare_vectors("manifest", interrupted, tmp_path / "data", **options)
    assert contents(made) == contents(prepare_vectors("manifest", interrupted, tmp_path / "whole", **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"runner": "NoRunner"}, "no such runner.*NoRunner"), ({"options": ["--direct_num_workers=x"]}, "are refused")],
)
def test_an_unknown_runner_or_a_bad_option_is_an_input_error(tmp_path, installed, options, message):
    source = speech_like.corpus(tmp_path / "source", (0.5,))
    with pytest.raises(InputError, match=message):
        through = extraction.through_beam("emobase2010", **options)
        prepare_vectors("manifest", source, tmp_path / "data", through=through)


def test_without_beam_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match=r"pip install 'sejax\[beam\]'"):
        extraction.through_beam("is10")
