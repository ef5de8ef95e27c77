import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from sejax.experiments import report_of
from sejax.experiments.pseudo_labelling.report import pseudo_label_counts, pseudo_labels
from sejax.report.confusion import confusion_matrix
from sejax.report.curves import mean_curve, training_curves
from sejax.report.score_figures import iteration_scores, runs_beside_paper
from sejax.report.sound import _shade_columns, block_edges, gallery, posteriors_over_time

pytest.importorskip("matplotlib")
CLASSES = ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"]
SVG = "{http://www.w3.org/2000/svg}"


def tone(seconds=3.2, rate=16000):
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def blocks(count=3):
    times = np.array([[0.99 * place, 0.99 * place + 1] for place in range(count)])
    posteriors = np.full((count, 7), 0.02)
    posteriors[np.arange(count), [0, 3, 6][:count]] = 0.88
    return times, posteriors


def over_time(**options):
    times, posteriors = blocks()
    decibels = np.linspace(-80, 0, 64 * 253).reshape(64, 253)
    return posteriors_over_time(
        tone(), 16000, decibels, times, posteriors, CLASSES, posteriors.mean(0), title="a.wav", **options
    )


def every_figure(results, **options):
    members = results["members"]
    images = {"anger": np.zeros((64, 79), np.float32), "fear": np.full((8, 8, 3), 0.5, np.float32)}
    return {
        "confusion": confusion_matrix(members[0]["confusion"]["test"], CLASSES, **options),
        "curves": training_curves(members, iteration=2, **options),
        "pseudo": pseudo_labels(members, **options),
        "scores": iteration_scores(results, report_of(results), **options),
        "gallery": gallery(images, **options),
        "runs": runs_beside_paper([results, results], ["first run", "second run"], report_of(results), **options),
        "posteriors": over_time(**options),
    }


def texts(svg):
    """Every text of an SVG, with its lines and letters joined by spaces."""
    return [" ".join("".join(node.itertext()).split()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def run(fabricate):
    """A run's results for the tests that only read them."""
    return fabricate()


@pytest.fixture(scope="module")
def inline(run):
    """Every figure as it stands in a page."""
    return every_figure(run, format="inline")


def test_every_figure_is_a_well_formed_svg_without_references_outside(run, inline):
    files = {"file": confusion_matrix([[1, 0], [0, 1]], ["no", "yes"]), **inline}
    for name, svg in files.items():
        tree = ElementTree.fromstring(svg.encode())
        assert tree.tag.endswith("svg"), name
        for node in tree.iter():
            for key, value in node.attrib.items():
                assert not key.endswith("href") or value.startswith(("#", "data:")), (name, value[:60])


def test_inline_figures_take_their_colours_from_the_page_and_share_no_ids(inline):
    seen = set()
    for name, svg in inline.items():
        assert "var(--ink, #" in svg or "var(--muted, #" in svg, name
        assert not re.search(r"(?<!, )#(1f2429|5b6570|1668c4|c4560a|0b4c96)", svg), name
        assert not any(part in svg for part in ("<metadata", "<?xml", "<!DOCTYPE")), name
        ids = set(re.findall(r'\bid="([^"]+)"', svg))
        assert not ids & seen, name
        seen |= ids
        for reference in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg):
            assert "".join(reference) in ids, name


def test_a_figure_is_a_png_that_opens():
    image = pytest.importorskip("PIL.Image")
    with image.open(io.BytesIO(over_time(format="png"))) as opened:
        opened.load()
        assert min(opened.size) > 800
        assert len(opened.convert("RGB").getcolors(maxcolors=1 << 24)) > 100


def test_a_figure_is_the_same_each_time(run, inline):
    assert iteration_scores(run, report_of(run), format="inline") == inline["scores"]


def test_an_unknown_format_is_an_error_that_lists_the_known(run):
    with pytest.raises(ValueError, match="format is 'pdf'; known formats: svg, png, inline"):
        iteration_scores(run, report_of(run), format="pdf")


def test_confusion_matrix_shows_counts_and_shares_of_the_true_class():
    counts = [[30, 10], [0, 7]]
    found = texts(confusion_matrix(counts, ["no", "yes"]))
    for text in ("75 %", "30", "25 %", "10", "100 %", "7"):
        assert any(text in one.split() or text in one for one in found), text
    assert not any(one == "0 %" for one in found)


def test_confusion_matrix_with_a_class_that_never_occurs_has_an_empty_row():
    found = " ".join(texts(confusion_matrix([[0, 0], [1, 1]], ["no", "yes"])))
    assert "nan" not in found
    assert found.count("50 %") == 2


def test_the_mean_curve_covers_sound_members_while_half_of_them_train():
    def member(losses, failed=None):
        rows = [{"iteration": 2, "epoch": epoch, "valid/loss": value} for epoch, value in enumerate(losses, 1)]
        return {"failed": failed, "history": [{"iteration": 1, "epoch": 1, "valid/loss": 99.0}, *rows]}

    members = [member([1.0, 2.0, 3.0]), member([3.0, 4.0]), member([5.0]), member([7.0]), member([100.0], {"step": 1})]
    assert mean_curve(members, "valid/loss", 2) == ([1, 2], [4.0, 3.0])
    assert mean_curve(members, "train/loss", 2) == ([], [])


def test_curves_of_nan_losses_and_empty_histories_still_draw():
    history = [{"iteration": 1, "epoch": epoch, "train/loss": float("nan"), "learning_rate": None} for epoch in (1, 2)]
    training_curves([{"failed": None, "history": history}, {"failed": None}])


def test_pseudo_label_counts_are_means_over_members_that_did_not_fail(failed_results):
    kept = [member for index, member in enumerate(failed_results["members"]) if index != 2]
    rows = pseudo_label_counts(failed_results["members"])
    assert [row["iteration"] for row in rows] == [1, 2, 3]
    for place, row in enumerate(rows):
        for name in ("labelled", "unlabelled", "confident", "confident_correct"):
            assert row[name] == pytest.approx(np.mean([member["iterations"][place][name] for member in kept]))


def test_pseudo_labels_state_the_share_that_is_right():
    entry = {"iteration": 1, "labelled": 10, "unlabelled": 200, "confident": 80, "confident_correct": 60}
    found = " ".join(texts(pseudo_labels([{"failed": None, "iterations": [entry]}])))
    assert "80 of 200 confident" in found
    assert "75.0 % of these right" in found
    entry["confident_correct"] = None
    unknown = " ".join(texts(pseudo_labels([{"failed": None, "iterations": [entry]}])))
    assert "right" not in unknown and "wrong" not in unknown


def test_full_supervision_has_no_pseudo_labels(fabricate):
    assert pseudo_label_counts(fabricate(labelled=1.0)["members"]) == []


def test_blocks_that_overlap_meet_in_the_middle_and_gaps_stay():
    edges = block_edges([[0.0, 1.0], [0.99, 1.99], [3.0, 4.0]])
    np.testing.assert_allclose(edges, [[0.0, 0.995], [0.995, 1.99], [3.0, 4.0]])


def test_posteriors_over_time_name_classes_blocks_and_utterance():
    found = texts(over_time(time_label="seconds of voiced speech"))
    assert set(CLASSES) <= set(found)
    assert found.count("88 %") == 3
    assert found.count("31 %") == 3
    assert "seconds of voiced speech" in found
    assert "a.wav" in found


def test_posteriors_of_a_long_recording_stay_small_and_in_place():
    count, rate = 600, 1000
    times = np.array([[float(place), place + 1.0] for place in range(count)])
    posteriors = np.zeros((count, 2))
    posteriors[:300, 0] = posteriors[300:, 1] = 1.0
    arguments = (np.zeros(count * rate, np.int16), rate, np.zeros((64, 800)), times, posteriors, ["no", "yes"])
    svg = posteriors_over_time(*arguments, posteriors.mean(0))
    assert len(svg) < 300_000

    class Axes:
        def imshow(self, image, **_):
            self.image = image

    axes = Axes()
    _shade_columns(axes, times, posteriors, float(count))
    np.testing.assert_array_equal(axes.image[..., 3], np.repeat([[1.0, 0.0], [0.0, 1.0]], 600, axis=1))
    _shade_columns(axes, times[:300], posteriors[:300], float(count))
    assert axes.image[0, :600, 3].all() and not axes.image[:, 600:, 3].any()


def test_a_confusion_matrix_of_many_classes_is_one_image_with_every_so_many_a_name():
    classes = [f"class {number}" for number in range(200)]
    svg = confusion_matrix(np.eye(200), classes)
    assert svg.count("<image") == 1 and svg.count("<path") < 100
    assert [text for text in texts(svg) if text.startswith("class")] == 2 * classes[::7]
