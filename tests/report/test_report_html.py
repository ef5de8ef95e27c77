import re
from html.parser import HTMLParser

import numpy as np
import pytest
from reading import headline, report

from sejax.experiments import report_of
from sejax.report import drawing, page, tables
from sejax.report.html import duration, read_examples, write_examples, write_report
from sejax.report.run import pooled_confusion
from sejax.report.terms import heard

VOID = {"meta", "br", "img", "hr", "link", "input"}
IMAGES = {
    "fear": np.linspace(-80, 0, 64 * 79, dtype=np.float32).reshape(64, 79),
    "anger": np.zeros((64, 79), np.float32),
}


class Page(HTMLParser):
    """Checks that tags nest, and collects text, attributes that load something, ids and anchors."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.loads, self.ids, self.links = [], set(), [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.note(tag, attrs)

    def note(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "action") or name.endswith("href"):
                (self.links if value.startswith("#") else self.loads).append(value)
            if name == "id":
                self.ids.append(value)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


def parse(text):
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


LEVELS = {
    "uar": {"mean": 0.347, "std": 0.084, "n": 5, "failed": 0},
    "per_fold": [0.3] * 5,
    "columns": ["peak", "level"],
    "classifier": "logistic regression, balanced classes",
}
MACHINE = {"uar": {"mean": 0.717, "std": 0.08, "n": 5, "failed": 0}, "per_fold": [0.7] * 5, "trained_too": 0.93}
ANCHOR = {
    "features": "emobase2010",
    "opensmile": "2.6.0",
    "classifier": "linear SVM, C 0.001",
    "without_vectors": 3,
    "of": 535,
    "scores": {"": MACHINE},
}


@pytest.fixture(scope="module")
def parsed(fabricate):
    """One report with every section, parsed once for the tests that read it."""
    pytest.importorskip("matplotlib")
    made = fabricate()
    text = report(made, IMAGES)
    return made, text, parse(text)


@pytest.fixture
def no_matplotlib(monkeypatch):
    """Reports without figures, as where matplotlib is not installed: quick to make."""

    def missing():
        raise ImportError("figures need matplotlib: pip install 'sejax[report]'")

    monkeypatch.setattr(drawing, "_matplotlib", missing)


def test_the_page_is_self_contained(parsed):
    _, text, page = parsed
    assert all(value.startswith("data:") for value in page.loads), page.loads
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "base"}
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_every_inner_reference_has_one_target(parsed):
    _, _, page = parsed
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_the_page_holds_every_number_of_the_run(parsed):
    made, _, page = parsed
    text = " ".join(page.text)
    for metric, entry in made["summary"].items():
        assert f"{entry['mean']:.3f} ± {entry['std']:.3f}" in text, metric
    for member in made["members"]:
        for name in ("test/macro_f1", "test/uar", "test_utterance/accuracy"):
            assert f"{member['metrics'][name]:.3f}" in text
    for part in ("test", "test_utterance"):
        counts = sum(np.array(member["confusion"][part]) for member in made["members"])
        for count in counts[counts > 0]:
            assert re.search(rf"\b{count}\b", text), (part, count)
    for value in made["paper"].values():
        assert f"{value:.2f}" in text
    for fact in ("3,477", "3,519", "535", "42 s", "0.10.2", "7000.0, 7500.0, 8000.0", "optimiser.learning_rate"):
        assert fact in text


def test_the_page_says_what_was_run_and_what_the_protocol_means(parsed):
    made, _, page = parsed
    text = " ".join(page.text)
    assert made["command"] in text
    assert "Protocol image: images are split at random" in text
    for heading in ("Confusion matrices", "Training curves", "Pseudo-labels", "Members", "Examples", "Environment"):
        assert heading in page.text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"detector": "0", "seconds": 1487.1, "kept": 1384.2}, "mode 0 kept 93.1 % of 1487 s"),
        ({"detector": "silero", "seconds": 80.0, "speech": 60.0}, "silero found speech in 75 % of 80 s"),
        ({"detector": "3", "seconds": 0.0, "kept": 0.0}, "mode 3 kept 0 % of 0 s"),
        (
            {"detector": "3", "seconds": 9.0, "kept": 9.0, "whole": 1},
            "mode 3 kept 100 % of 9 s; 1 recording without speech kept whole",
        ),
        (
            {"detector": "3", "seconds": 9.0, "kept": 9.0, "whole": 2},
            "mode 3 kept 100 % of 9 s; 2 recordings without speech kept whole",
        ),
    ],
)
def test_what_a_detector_found_in_words(found, text):
    assert heard(found) == text


def test_the_page_says_how_much_the_detector_kept_and_is_the_same_where_nobody_knows(results):
    found = {"voice_activity": {"detector": "0", "seconds": 1487.1, "kept": 1384.2}}
    before, after = report(results), report(results | {"data": results["data"] | found})
    said = "<dt>voice activity</dt><dd>mode 0 kept 93.1 % of 1487 s</dd>"
    assert after.count(said) == 1 and after.replace(said, "") == before


def test_dark_mode_redefines_every_colour_of_the_figures(parsed):
    _, text, _ = parsed
    light, dark = re.search(
        r":root \{(.*?)\}.*?prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}", text, re.DOTALL
    ).groups()
    for name, value in drawing.PALETTE.items():
        assert f"--{name}: {value};" in light
        assert f"--{name}: #" in dark
        assert value not in dark


@pytest.mark.usefixtures("no_matplotlib")
def test_failed_members_are_named_with_step_and_reason(failed_results):
    text = " ".join(parse(report(failed_results)).text)
    assert "Fold 2, seed 0 failed at step 120: the training loss is NaN." in text
    assert "4 of 5 members (1 failed)" in text


def test_confusion_is_pooled_over_sound_members_only(failed_results):
    kept = [member for index, member in enumerate(failed_results["members"]) if index != 2]
    expected = np.sum([member["confusion"]["test"] for member in kept], axis=0)
    np.testing.assert_array_equal(pooled_confusion(failed_results["members"], "test"), expected)
    assert pooled_confusion([{"failed": None, "confusion": None}], "test") is None


def test_text_from_the_run_is_escaped(failed_results):
    failed_results["members"][2]["failed"]["reason"] = "<script>alert(1)</script>"
    failed_results["classes"][0] = "<b>anger</b>"
    failed_results["config"]["note"] = "a & b"
    failed_results["command"] = "train <it>"
    for member in failed_results["members"]:
        member["history"], member["iterations"] = [], []
    page = parse(report(failed_results))
    assert not page.tags & {"script", "b", "it"}
    assert "a & b" in page.text


def test_examples_are_kept_for_the_next_report(tmp_path):
    run = {"experiment": "transfer", "config": {}, "summary": {}, "members": [], "classes": ["anger", "fear"]}
    write_examples(tmp_path, IMAGES)
    first = write_report(tmp_path, run, report_of(run)).read_text(encoding="utf-8")
    np.testing.assert_array_equal(read_examples(tmp_path)["fear"], IMAGES["fear"])
    write_examples(tmp_path, {})  # of a run that had its variants from earlier
    assert write_report(tmp_path, run, report_of(run)).read_text(encoding="utf-8") == first
    assert "One block of each class" in first
    assert first.index(">anger<") < first.index(">fear<")


@pytest.mark.usefixtures("no_matplotlib")
def test_the_smallest_results_make_a_page(tmp_path):
    run = {"experiment": "transfer", "config": {}, "summary": {}, "members": []}
    page = parse(write_report(tmp_path, run, report_of(run)).read_text(encoding="utf-8"))
    assert "transfer" in page.text


def test_a_run_whose_members_all_failed_makes_a_page(failed_results):
    for member in failed_results["members"]:
        member["failed"] = {"step": 3, "reason": "NaN"}
        member["metrics"] = {}
    failed_results["summary"] = {}
    assert "0 of 5 members (5 failed)" in " ".join(parse(report(failed_results)).text)


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_page_keeps_its_tables_and_says_how_to_get_figures(results):
    page = parse(report(results, IMAGES))
    text = " ".join(page.text)
    assert "pip install 'sejax[report]'" in text
    assert "svg" not in page.tags
    assert f"{results['summary']['test/uar']['mean']:.3f}" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(41.7, "42 s"), (185, "3 min 5 s"), (7620, "2 h 7 min"), (59.9, "1 min 0 s")]
)
def test_durations_as_text(seconds, text):
    assert duration(seconds) == text


def test_what_simple_systems_reach_has_a_line_at_the_top_and_a_table_of_its_own(no_matplotlib, results):
    header, _, rest = report(results | {"data": {"levels_alone": LEVELS, "anchor": ANCHOR}}).partition("</header>")
    line = "guessing 0.143, levels alone 0.347 ± 0.084, openSMILE + linear SVM 0.717 ± 0.080."
    assert f"Anchors on the same folds, UAR: {line}" in header
    section = rest[rest.index('<section id="anchors">') :].partition("</section>")[0]
    assert re.findall("<td [^>]*>([^<]*)</td>", section)[-2:] == ["openSMILE + linear SVM", "0.717 ± 0.080"]
    for said in ("3 of 535 utterances have no vector", "93 % of the tested utterances train too"):
        assert said in section
    assert "0.717 ± 0.080" not in rest.replace(section, "") and "levels_alone" not in rest
    assert 'id="anchors"' not in report(results) and "guessing 0.143." in report(results)


def test_anchors_of_rated_dimensions_stand_apart_and_missing_vectors_name_the_command(no_matplotlib, results):
    missing = "no prepared emobase2010 vectors of emodb under data; make them with sejax prepare"
    found = {"levels_alone": dict.fromkeys(("valence", "dominance"), LEVELS), "anchor": {"missing": missing}}
    header = report(results | {"data": found}).partition("</header>")[0]
    each = "; ".join(f"{name}: levels alone 0.347 ± 0.084" for name in ("valence", "dominance"))
    assert f"guessing 0.143; {each}. openSMILE + linear SVM is missing: {missing}; then" in header
    assert "sejax report --workdir=RUN --data_dir=DATA" in header
    text = tables.plain_text(headline(results | {"data": found}))
    assert text.count("Levels alone, ") == 2 and text.count("openSMILE + linear SVM is missing") == 1


def test_the_first_screen_is_result_protocol_anchors_and_one_figure_and_settings_are_folded_away(fabricate):
    pytest.importorskip("matplotlib")
    made = fabricate()
    made["data"] = {"levels_alone": LEVELS, "anchor": ANCHOR}
    made["data"]["recordings"] = {"level": [-23.825088141456252, -12.642756]}
    text = report(made)
    header, _, rest = text.partition("</header>")
    lines = re.findall("<p[^>]*>([^<]*)</p>", header)
    assert [line.split()[0] for line in lines] == ["Macro-F1", "Protocol", "Anchors"]
    assert header.count("<svg ") == 1 and header.index("Anchors") < header.index("<svg ") < header.index("<nav>")
    order = re.findall(r"<h2>([^<]*)</h2>", rest)
    assert order[0] == "Results" and order[-3:] == ["What was run", "Environment", "Config"]
    for name in ("environment", "config"):
        section = rest[rest.index(f'<section id="{name}">') :]
        assert section.index("<details>") < section.index("<dl>")
    assert "<dt>level of 98 % of the recordings in dBFS</dt><dd>-23.8 to -12.6</dd>" in rest


def test_many_warnings_fold_away(fabricate):
    made = fabricate()
    for member in made["members"]:
        member["failed"] = {"step": 12, "reason": "the loss is NaN"}
    header = report(made).partition("</header>")[0]
    assert header.count('class="warning"') >= len(made["members"]) > 2
    assert header[: header.index("<details>")].count('class="warning"') == 2


def test_a_wide_tables_rows_are_cards_on_a_phone(fabricate):
    text = report(fabricate())
    assert "@media (max-width: 32rem)" in text and "min-width: 0 !important" in text
    wide = text[text.index('<table class="cards') :]
    assert '<td class="number" data-name="' in wide[: wide.index("</table>")]


def test_what_was_run_is_told_in_words(fabricate):
    made = fabricate()
    settings = {"frame_ms": 30, "fmax": [7000.0]}
    made["data"] = {"settings": settings, "near_copies_in_training": 0.1, "points": {"valence": [1, 2]}}
    text, within = report(made), "settings of the prepared set"
    for name in (
        *(f"{within}, frame of the detector in ms", f"{within}, maximum frequency in Hz"),
        *("share of test images with near-copies in training", "utterances at each of the five points, valence"),
    ):
        assert f"<dt>{name}</dt>" in text
    assert "<h1>pseudo labelling on emodb</h1>" in text


def test_a_run_of_several_networks_begins_with_one_figure_and_says_the_rest_below_it(transfer_run):
    pytest.importorskip("matplotlib")
    header, _, rest = report(transfer_run).partition("</header>")
    assert header.count("<svg ") == 1 and "Accuracy over the learning rate" in rest
    published, tuned = (header.index(f"at the {name} rate") for name in ("published", "tuned"))
    assert published < header.index("Protocol utterance") < header.index("<svg ") < tuned
    members = rest[rest.index('<section id="members">') :]
    assert members.index("<summary>Every member") < members.index("<table") and ": 36 rows</summary>" in members


def test_a_wide_figure_is_whole_on_a_phone_and_enlarged_by_a_touch():
    drawing = '<svg viewBox="0 0 9 9" role="img" style="width: {}px; min-width: 300px"></svg>'
    wide, narrow = (page.picture(drawing.format(width), "A figure") for width in (900, 360))
    for text in (wide, narrow):
        parse(text)
        assert text.count("<svg ") == 1 and 'aria-label="A figure"' in text
    assert wide.index('<input type="checkbox"') < wide.index("<svg ") and "<input" not in narrow
    assert ".scroll > input:checked ~ svg { max-width: none; }" in page.document("", "", [])
