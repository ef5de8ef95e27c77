"""What reports say of a corpus's own folds: sizes, and what is on both sides."""

from sejax.report.terms import split_notes, split_warnings


def fold(name, **found):
    clean = {"shared_speakers": [], "shared_recordings": 0, "unknown_speakers": 0, "left_out": 0}
    return {"fold": name, "train": 8, "valid": 1, "test": 2} | clean | found


def test_other_folds_and_clean_ones_are_not_warned_of():
    assert split_warnings({"data": {}}) == () and split_notes({}) == ()
    results = {"data": {"splits": [fold("fold_1"), fold("fold_2")]}}
    assert split_warnings(results) == ()
    assert split_notes(results) == ("Examples that train, validate and test: fold_1 8, 1 and 2; fold_2 8, 1 and 2.",)


def test_speakers_and_recordings_on_both_sides_and_unknown_speakers_are_told():
    many = [f"s{number:02}" for number in range(12)]
    folds = [fold("a", shared_speakers=["s00"]), fold("b", shared_speakers=many, shared_recordings=3), fold("c")]
    folds.append(fold("d", unknown_speakers=2))
    speakers, recordings, unknown = split_warnings({"data": {"splits": folds}})
    assert speakers == (
        "2 of 4 official folds (a, b) test speakers that they also train or validate on (in b: s00, s01, s02, s03, "
        "s04, s05, s06, s07, s08, s09 and 2 more): the figures are not those of unseen speakers."
    )
    assert recordings == "Official folds (b) test up to 3 recordings whose samples they also train on."
    assert unknown.startswith("Official folds (d) test utterances of unknown speakers")
