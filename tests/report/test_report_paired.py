import copy
import csv

import numpy as np
import pytest
from augmentation_runs import make_augmentation_results
from reading import headline, report

from sejax.core.results import summaries
from sejax.errors import InputError
from sejax.experiments import report_of
from sejax.report import comparing, forest, page, tables
from sejax.report.folds import interval_notes
from sejax.report.inference import corrected_t, holm
from sejax.report.paired import compared, items_of, obstacle, paired_table, pairs_of, score_table
from sejax.report.tables import Strong, Table, latex

pytest.importorskip("scipy")
GAINS = (0.06, 0.01, 0.03, 0.05, 0.04)


def scored(scores, *, run="run", told=True, **config):
    """A run with test UARs {(fold, seed): value}, of an experiment that nobody knows."""
    members = [
        {"fold": fold, "seed": seed, "failed": None, "metrics": {"test/uar": value}}
        for (fold, seed), value in scores.items()
    ]
    folds = dict.fromkeys(fold for fold, _ in scores)
    entry = {"utterances": 10, "examples": {"train": 40, "valid": 10, "test": 10}}
    tested = [entry | {"fold": fold, "speakers": [f"s{fold}"], "digest": f"{fold:032x}"} for fold in folds]
    config = {"corpus": "toy", "protocol": "speaker", "folds": 5, "seed": 0} | config
    made = {"experiment": "toy", "run": run, "config": config, "classes": ["a", "b"], "members": members}
    return made | ({"tested": tested} if told else {}) | summaries(members)


def base_scores(seeds=2):
    return {(fold, seed): 0.5 + 0.02 * fold + 0.01 * seed for fold in range(5) for seed in range(seeds)}


def better_scores(gains=GAINS, seeds=2):
    """Better by a gain in each fold; of two seeds one has more of it and one less."""
    swing = (0.02, -0.02) if seeds == 2 else (0.0,) * seeds
    return {(fold, seed): value + gains[fold] + swing[seed] for (fold, seed), value in base_scores(seeds).items()}


@pytest.fixture
def runs():
    return [scored(base_scores(), run="base"), scored(better_scores(), run="better")]


def differences(runs, **options):
    return compared(runs, report_of(runs[0]), **options)


def test_seeds_are_averaged_within_folds_and_folds_are_paired(runs):
    (one,) = differences(runs).differences
    assert one.pair.label == "better − base" and one.metric == "test/uar"
    assert [one.folds[fold, None] for fold in range(5)] == pytest.approx(GAINS)
    assert (one.inference.n, one.inference.mean) == (5, pytest.approx(0.038))
    assert one.inference.std == pytest.approx(np.std(GAINS, ddof=1))
    assert one.ratio == pytest.approx(0.25)  # 10 test, 40 train
    assert one.inference.p == pytest.approx(corrected_t(GAINS, 0.25)[0])
    assert one.inference.flips == 0.0625


def test_the_table_says_protocol_n_test_and_the_least_p(runs):
    table = paired_table(differences(runs), report_of(runs[0]))
    assert table.caption == (
        "toy, protocol speaker: paired differences, mean ± sample standard deviation over 5 folds"
    )
    assert table.rows[0][:4] == ("better − base", "UAR, block", "+0.038 ± 0.019", "5 of 5")
    notes = " ".join(table.notes)
    for said in ("averaged over the seeds", "Nadeau and Bengio 2003", "0.25", "BCa", "9,999", "0.0625 with 5 folds"):
        assert said in notes
    assert "over 1 pair," in notes


def test_holm_is_over_the_pairs_and_bold_is_what_it_leaves(runs):
    steady = scored(better_scores((0.2, 0.201, 0.199, 0.2, 0.202)), run="steady")
    weak = scored(better_scores((0.06, -0.01, 0.03, 0.05, 0.04)), run="weak")
    found = differences([runs[0], weak, steady])
    assert [one.pair.label for one in found.differences] == ["weak − base", "steady − base", "steady − weak"]
    assert [one.adjusted for one in found.differences] == holm([one.inference.p for one in found.differences])
    table = paired_table(found, report_of(steady))
    assert [isinstance(row[2], Strong) for row in table.rows] == [False, True, True]
    assert "over 3 pairs" in " ".join(table.notes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"config": {"level": "rms"}}, "level differs (none; rms)"),
        ({"config": {"protocol": "block"}}, "protocol differs (speaker; block)"),
        ({"config": {"corpus": "other"}}, "corpus differs (toy; other)"),
        ({"classes": ["a", "c"]}, "classes differs (a+b; a+c)"),
        ({"unit": "chunk"}, "unit differs (block; chunk)"),
    ],
)
def test_what_differs_is_named(runs, change, why):
    base, other = runs
    other["config"] |= change.pop("config", {})
    other |= change
    assert obstacle(base, other) == why
    found = differences([base, other])
    assert found.differences == () and found.refused[0].startswith("better − base: not paired, ")
    assert paired_table(found, report_of(base)) is None


def test_folds_are_the_same_by_what_they_test_and_not_by_their_numbers(runs):
    base, other = runs
    other["config"]["seed"] = 7  # another seed that found the same folds
    assert obstacle(base, other) == ""
    other["tested"][1]["digest"] = "f" * 32
    assert "fold 1 tests other utterances" in obstacle(base, other)
    other["tested"][1]["speakers"] = ["s9"]
    assert obstacle(base, other) == "folds differ (fold 1 tests speakers s1; s9)"


def test_results_of_earlier_versions_are_paired_by_their_config_and_it_is_said(runs):
    base, other = (scored(base_scores(), run="base", told=False), runs[1])
    found = differences([base, other])
    assert found.differences[0].inference.n == 5
    assert any("of an earlier version does not say" in note for note in found.notes)
    other["config"]["seed"] = 7
    assert differences([base, other]).refused == (
        "better − base: not paired, seed, which folds depend on, differs (7; 0).",
    )
    other["config"]["seed"], base["data"], other["data"] = 0, {"utterances": 5}, {"utterances": 6}
    assert "utterances differs (6; 5)" in differences([base, other]).refused[0]


def test_few_folds_and_equal_scores_have_no_interval(runs):
    two = [scored({place: value for place, value in base_scores().items() if place[0] < 2}, run="two"), runs[1]]
    found = differences(two)
    assert found.differences[0].inference.n == 2 and found.differences[0].adjusted is None
    assert "No interval and no test of all pairs: fewer than 3 folds (2 folds)." in found.notes
    assert any("4 members in common, of 10 and 4" in note for note in found.notes)
    assert paired_table(found, report_of(runs[1])).rows[0][4:] == ("–",) * 5
    equal = differences([runs[0], scored(better_scores((0.1,) * 5), run="equal")])
    assert "No interval and no test of all pairs: all differences are equal (5 folds)." in equal.notes
    mixed = differences([runs[0], runs[1], scored(better_scores((0.1,) * 5), run="equal")])
    assert "No interval and no test of equal − base, test/uar: all differences are equal (5 folds)." in mixed.notes
    assert comparing.paired_section(comparing.compared_runs(two, report_of)).count("<svg") == 0


def test_a_failed_member_leaves_its_seed_out_of_both(runs):
    runs[1]["members"][0]["failed"] = {"step": 1, "reason": "NaN"}
    (one,) = differences(runs).differences
    assert one.folds[0, None] == pytest.approx(GAINS[0] - 0.02)  # of seed 1 alone
    assert any("9 of 10 members (1 failed)" in note for note in differences(runs).notes)


def test_draws_stand_for_folds_where_each_seed_tests_other_speech(runs):
    made = []
    for run in runs:
        values = [member["metrics"]["test/uar"] for member in run["members"][::2]]
        drawn = scored({(0, seed): value for seed, value in enumerate(values)}, run=run["run"])
        for member in drawn["members"]:
            del member["fold"]
        entry = drawn["tested"][0]
        del entry["fold"]
        drawn["tested"] = [entry | {"seed": seed, "digest": f"{seed:032x}"} for seed in range(5)]
        made.append(drawn | summaries(drawn["members"]))
    found = differences(made)
    assert found.differences[0].inference.n == 5
    assert "over 5 draws" in paired_table(found, report_of(made[0])).caption
    for drawn in made:
        del drawn["tested"]
    assert differences(made).differences[0].inference.why == "fewer than 3 folds"


def labels(items, **options):
    return [pair.label for pair in pairs_of(items, report_of(items[0].run), **options)]


def test_many_runs_are_compared_with_the_first_or_with_the_baseline():
    runs = [scored(base_scores(), run=name) for name in "abcde"]
    items = items_of(runs, report_of(runs[0]))
    assert labels(items) == ["b − a", "c − a", "d − a", "e − a"]
    assert labels(items, baseline="runs/d/") == ["a − d", "b − d", "c − d", "e − d"]
    assert len(labels(items[:4])) == 6
    with pytest.raises(InputError, match="--baseline=z is not among what is compared: give one of a, b, c, d, e"):
        labels(items, baseline="z")


def test_variants_are_compared_within_a_run_and_with_their_namesakes_in_another():
    small = {"folds": 3, "seeds": 1, "epochs": 1}
    one = {"run": "one", **make_augmentation_results(variants=(("real", None), ("real+noise", None)), **small)}
    items = items_of([one], report_of(one))
    assert [item.label for item in items] == ["real", "real+noise"]
    assert labels(items) == ["real+noise − real"] and labels(items, baseline="real+noise") == ["real − real+noise"]
    two = {**copy.deepcopy(one), "run": "two"}
    items = items_of([one, two], report_of(one))
    assert labels(items) == [
        *("one: real+noise − one: real", "two: real − one: real"),
        *("two: real+noise − one: real+noise", "two: real+noise − two: real"),
    ]
    assert labels(items, baseline="one") == ["two: real − one: real", "two: real+noise − one: real+noise"]
    assert labels(items, baseline="real") == ["one: real+noise − one: real", "two: real+noise − two: real"]
    with pytest.raises(InputError, match="give one of real, real\\+noise"):
        labels(items_of([one], report_of(one)), baseline="one")


def test_lambdas_of_a_run_are_paired_over_its_folds():
    run = {"run": "run", **make_augmentation_results(variants=(("syn", 0.0), ("syn", 2.0)), folds=5, seeds=2, epochs=1)}
    (first,) = (one for one in differences([run]).differences if one.metric == "test/uar")
    values = {}
    for member in run["members"]:
        values.setdefault((member["lambda_cls"], member["fold"]), []).append(member["metrics"]["test/uar"])
    assert list(first.folds.values()) == pytest.approx(
        [np.mean(values[2.0, fold]) - np.mean(values[0.0, fold]) for fold in range(5)]
    )


def test_the_headline_has_the_interval_over_folds_beside_it(results, failed_results):
    note = next(note for note in headline(results).notes if "95 % interval" in note)
    assert note.startswith("Macro-F1, block: 95 % interval over 5 folds 0.")
    low, high = (float(part) for part in note.split("folds ")[1].split(" (")[0].split(" to "))
    scores = [member["metrics"]["test/macro_f1"] for member in results["members"]]
    assert min(scores) - 0.001 < low < np.mean(scores) < high < max(scores) + 0.001
    assert "95 % interval over 4 folds" in " ".join(headline(failed_results).notes)
    assert note in report(results)


def test_one_fold_has_no_interval(results):
    results["members"] = results["members"][:1]
    assert interval_notes(results, report_of(results)) == ()


def test_scores_stand_with_deviation_and_interval(runs):
    table = score_table(runs, report_of(runs[0]))
    assert table.columns == ("run", "folds", "members", "UAR, block", "95 % interval")
    assert table.rows[0][:4] == ("base", "5", "10", "0.545 ± 0.030")
    assert table.rows[0][4].startswith("[0.5")


def test_latex_escapes_and_has_as_many_cells_as_columns():
    table = Table(
        "50 % of a_b & c",
        ("run", "mean ± sd", "p"),
        (("a_b − λ {2}", Strong("-0.100 ± 0.020"), "< 0.001"), (r"\x^~#$", "[-0.1, +0.2]", "–")),
        ("Bold (* in plain text): p < 0.05.",),
    )
    text = latex(table, "tab:x")
    assert r"\caption{50 \% of a\_b \& c}" in text and r"\label{tab:x}" in text
    assert r"\begin{tabular}{lrr}" in text
    first, second = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert first.strip() == r"a\_b $-$ $\lambda$ \{2\} & \textbf{$-$0.100 $\pm$ 0.020} & $<$ 0.001 \\"
    assert second.strip() == (
        r"\textbackslash{}x\textasciicircum{}\textasciitilde{}\#\$ & {[}$-$0.1, +0.2{]} & -- \\"
    )
    assert "Bold: p $<$ 0.05." in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 1


def test_latex_and_csv_files_hold_scores_and_differences(tmp_path, runs):
    groups = comparing.compared_runs(runs, report_of)
    comparing.write_latex(tmp_path / "t.tex", groups)
    text = (tmp_path / "t.tex").read_text()
    assert r"0.545 $\pm$ 0.030" in text and r"better $-$ base & UAR, block & \textbf{+0.038 $\pm$ 0.019}" in text
    for block in text.split(r"\begin{tabular}{")[1:]:
        columns = len(block.partition("}")[0])
        rows = [line for line in block.partition(r"\end{tabular}")[0].splitlines() if line.endswith(r"\\")]
        assert len(rows) > 1 and all(row.count(" & ") == columns - 1 for row in rows)
    paths = comparing.write_csv(tmp_path / "s.csv", groups)
    members, pairs = (list(csv.DictReader(path.open())) for path in paths)
    assert len(members) == 20
    assert members[0] == {
        **{"experiment": "toy", "run": "base", "variant": "", "fold": "0", "seed": "0", "failed": "0"},
        **{"metric": "test/uar", "value": "0.5"},
    }
    assert (pairs[0]["first"], pairs[0]["base"], pairs[0]["n"]) == ("better", "base", "5")
    assert float(pairs[0]["mean"]) == pytest.approx(0.038) and float(pairs[0]["test_over_train"]) == 0.25
    runs[1]["config"]["level"] = "rms"
    _, path = comparing.write_csv(tmp_path / "s.csv", comparing.compared_runs(runs, report_of))
    (refused,) = csv.DictReader(path.open())
    assert refused["note"] == "better − base: not paired, level differs (rms; none)."
    with pytest.raises(InputError, match=r"--csv=.*s.txt: the name must end in .csv"):
        comparing.write_csv(tmp_path / "s.txt", groups)


def test_the_forest_has_a_mean_two_intervals_and_every_fold_of_a_pair(runs, panels):
    pytest.importorskip("matplotlib")
    found = differences(runs)
    forest.forest(forest.of_metric(found, "test/uar"), report_of(runs[0]))
    drawn = [np.asarray(line.get_xdata(), float) for line in panels[0].lines]
    inference = found.differences[0].inference
    for expected in ([0, 0], list(GAINS), inference.corrected, inference.bootstrap, [inference.mean]):
        assert any(len(x) == len(expected) and np.allclose(x, expected) for x in drawn)
    assert [text.get_text() for text in panels[0].texts] == ["better − base"]


def test_the_page_has_a_figure_for_each_metric_and_the_table(runs):
    pytest.importorskip("matplotlib")
    groups = comparing.compared_runs(runs, report_of)
    body = page.document("t", "", [page.Section("Paired differences", comparing.paired_section(groups))])
    assert body.count("<svg ") == 1 and "better − base" in body and "sign flips" in body


def test_without_scipy_tables_go_without_and_say_what_to_install(runs, monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "scipy", None)
    groups = comparing.compared_runs(runs, report_of)
    assert comparing.paired_text(groups, tables.markdown) == (
        "No paired differences here: it needs scipy: pip install 'sejax[report]'.\n"
    )
    assert "sejax[report]" in interval_notes(runs[0], report_of(runs[0]))[0]
    with pytest.raises(InputError, match=r"sejax\[report\]"):
        comparing.write_latex(tmp_path / "t.tex", groups)
