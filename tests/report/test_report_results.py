import json
import re

import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.results import read_results, summarise, write_results
from sejax.errors import InputError


def test_summary_is_numpys_mean_and_sample_deviation_over_members(results):
    summary = summarise(results["members"])
    assert set(summary) == set(results["members"][0]["metrics"])
    for metric, entry in summary.items():
        values = np.array([member["metrics"][metric] for member in results["members"]])
        assert entry["mean"] == pytest.approx(values.mean(), rel=1e-12)
        assert entry["std"] == pytest.approx(values.std(ddof=1), rel=1e-12)
        assert (entry["n"], entry["failed"]) == (5, 0)


def test_summary_leaves_failed_members_out_and_counts_them(failed_results):
    kept = [member["metrics"]["test/uar"] for index, member in enumerate(failed_results["members"]) if index != 2]
    entry = summarise(failed_results["members"])["test/uar"]
    assert entry["mean"] == pytest.approx(np.mean(kept), rel=1e-12)
    assert (entry["n"], entry["failed"]) == (4, 1)


def test_summary_of_one_member_has_deviation_zero_and_of_none_is_empty():
    one = [{"failed": None, "metrics": {"test/uar": 0.5}}]
    assert summarise(one) == {"test/uar": {"mean": 0.5, "std": 0.0, "n": 1, "failed": 0}}
    assert summarise([{"failed": {"step": 1, "reason": "NaN"}, "metrics": {"test/uar": 0.5}}]) == {}


def test_summary_skips_values_that_are_not_finite():
    values = (0.25, float("nan"), None, 0.75)
    members = [{"failed": None, "metrics": {"a": value, "b": float("inf")}} for value in values]
    assert summarise(members) == {
        "a": {"mean": 0.5, "std": pytest.approx(np.std([0.25, 0.75], ddof=1)), "n": 2, "failed": 0}
    }


def test_results_come_back_as_written(tmp_path, results):
    path = write_results(tmp_path / "new" / "run", results)
    assert read_results(path) == results
    assert read_results(path.parent) == results


def test_arrays_scalars_paths_and_nan_become_strict_json(tmp_path):
    odd = {
        "numpy": np.float32(0.5),
        "integer": np.int64(7),
        "truth": np.bool_(True),
        "array": np.array([[1.0, np.nan], [np.inf, 2.0]]),
        "jax": jnp.arange(3),
        "bfloat16": jnp.asarray([1.5], dtype=jnp.bfloat16),
        "path": tmp_path,
        "pair": (1, float("-inf")),
        3: "integer key",
    }
    text = write_results(tmp_path, odd).read_text(encoding="utf-8")
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert re.fullmatch("blake2b:[0-9a-f]{32}", found.pop("digest"))
    assert found == {
        "numpy": 0.5,
        "integer": 7,
        "truth": True,
        "array": [[1.0, None], [None, 2.0]],
        "jax": [0, 1, 2],
        "bfloat16": [1.5],
        "path": str(tmp_path),
        "pair": [1, None],
        "3": "integer key",
    }


def test_a_value_that_json_cannot_hold_is_named_and_leaves_the_old_file(tmp_path, results):
    path = write_results(tmp_path, results)
    with pytest.raises(TypeError, match=r"results\['config'\]\['rates'\]\[1\] is a set"):
        write_results(tmp_path, {"config": {"rates": [1, {2}]}})
    assert read_results(path) == results


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_rest(tmp_path, results, monkeypatch):
    path = write_results(tmp_path, results)

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_results(tmp_path, {**results, "seconds": 1.0})
    assert read_results(path) == results
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


SOUND = {"experiment": "a", "config": {}, "summary": {}, "members": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"experiment": "pseudo_lab', "is not JSON"),
        ("\0\1", "is not JSON"),
        ("[1, 2]", "holds a list"),
        ("{}", "no field 'experiment'"),
        (json.dumps({**SOUND, "members": {}}), "field 'members' is a dict, not a list"),
        (json.dumps({**SOUND, "members": [3]}), "member 0 is not a record"),
        (json.dumps({**SOUND, "members": [{"metrics": []}]}), "member 0 is not a record"),
        (json.dumps({**SOUND, "summary": {"test/uar": 0.5}}), "summary entry 'test/uar' has no mean"),
        (json.dumps({**SOUND, "variants": [{"name": {}}]}), "variant 0 has no name or summary"),
        (json.dumps({**SOUND, "variants": [{"name": {}, "summary": {"a": {}}}]}), "summary entry 'a' has no mean"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(tmp_path, text, message):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_results(tmp_path)
    assert str(path) in str(caught.value)


def test_bytes_that_are_not_text_are_an_error_that_names_the_file(tmp_path):
    (tmp_path / "results.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not JSON"):
        read_results(tmp_path)


def test_a_missing_file_says_what_to_give(tmp_path):
    with pytest.raises(InputError, match=r"results\.json does not exist; give the workdir of a run"):
        read_results(tmp_path)


def test_nan_written_by_other_tools_is_read_as_missing(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({**SOUND, "summary": {"a": {"mean": float("nan")}}}))
    assert read_results(tmp_path)["summary"] == {"a": {"mean": None}}
