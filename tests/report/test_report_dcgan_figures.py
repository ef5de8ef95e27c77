"""Figures of valence from spectrograms: scores, differences, curves, and the galleries of generated spectrograms."""

import base64
import io
import re

import numpy as np
import pytest
from dcgan_runs import MODELS, make_dcgan_results
from reading import points

from sejax.errors import InputError
from sejax.experiments.dcgan.figures import STEP, nearest, over_training, read_gallery, training_curves, write_gallery
from sejax.experiments.dcgan.report import REPORT, model_differences, model_scores, models
from sejax.report import drawing

pytest.importorskip("matplotlib")
SMALL = {"width": 64, "epochs": (1, 2, 4), "count": 3}


@pytest.fixture(scope="module")
def run():
    return make_dcgan_results(folds=2, epochs=4, gallery=SMALL)


def values(run, model, metric="test/uar"):
    return np.array([m["metrics"][metric] for m in run["members"] if m["model"] == model])


def first_gan(run):
    return next(m for m in run["members"] if m["gallery"])


def test_scores_have_every_member_the_paper_and_chance(run, panels):
    model_scores([run])
    assert len(panels) == 3
    for model in MODELS:
        assert tuple(np.round(100 * values(run, model), 6)) in points(panels[0])
        assert tuple(np.round(values(run, model, "test/pearson"), 6)) in points(panels[2])
    assert {(43.88,), (38.52,), (20.0, 20.0)} <= points(panels[0]) and (49.8,) in points(panels[1])
    assert (round(100 / 3, 6),) * 2 in points(panels[1]) and {(0.2618,), (0.0, 0.0)} <= points(panels[2])
    assert [label.get_text() for label in panels[0].get_yticklabels()][2] == "BasicDCGAN"


def test_scores_of_several_runs_have_the_runs_names(run, panels):
    REPORT.picture([run, run], ["with", "without"], format="svg")
    labels = [label.get_text() for label in panels[0].get_yticklabels()]
    assert labels[0] == "with: BasicCNN" and labels[7] == "without: MultitaskDCGAN"


def test_differences_are_paired(run, panels):
    model_differences(run)
    gains = values(run, "basic_dcgan") - values(run, "basic_cnn")
    assert tuple(np.round(100 * gains, 6)) in points(panels[0])
    assert {(5.36,), (6.91,), (-1.74,), (-0.19,), (0.0, 0.0)} <= points(panels[0])


def test_curves_have_a_column_for_each_model_and_mark_what_happened(panels):
    run = make_dcgan_results(folds=2, epochs=4)
    gan = next(m for m in run["members"] if m["model"] == "basic_dcgan")
    gan["collapse"], gan["history"][0]["train/diversity"] = {"epoch": 2}, 0.3
    training_curves(models(run))
    grid = np.array(panels).reshape(5, 4)
    assert [axes.get_title(loc="left") for axes in grid[0]] == [
        "BasicCNN",
        "MultitaskCNN",
        "BasicDCGAN",
        "MultitaskDCGAN",
    ]
    assert [axes.texts[0].get_text() for axes in grid[1, :2]] == ["none"] * 2 and not grid[1, 2].texts
    assert len(grid[0, 0].lines) == 2 * 3 and len(grid[0, 1].lines) == 3 * 3
    drawn = [(line.get_marker(), line.get_xdata(), line.get_ydata()) for line in grid[3, 2].lines]
    assert ("x", [2], [gan["history"][1]["train/diversity"]]) in [(m, list(x), list(y)) for m, x, y in drawn]
    assert any(list(y) == [0.1, 0.1] for _, _, y in drawn)
    restored = sorted(
        (m["best_epoch"], m["history"][m["best_epoch"] - 1]["valid/accuracy"]) for m in run["members"][:2]
    )
    dots = [line for line in grid[4, 0].lines if line.get_marker() == "o"]
    assert sorted((*line.get_xdata(), *line.get_ydata()) for line in dots) == restored
    panels.clear()
    training_curves(models(run), criterion="uar")
    dots = [line for line in np.array(panels).reshape(5, 4)[4, 0].lines if line.get_marker() == "o"]
    by_uar = [(m["best_epoch"], m["history"][m["best_epoch"] - 1]["valid/uar"]) for m in run["members"][:2]]
    assert sorted((*line.get_xdata(), *line.get_ydata()) for line in dots) == sorted(by_uar)


def test_curves_without_a_history_are_refused():
    run = make_dcgan_results(names=("basic_cnn",), folds=1, epochs=1)
    run["members"][0]["history"] = []
    with pytest.raises(ValueError, match="no history"):
        training_curves(models(run))
    run["members"].append({**run["members"][0], "history": None})
    assert REPORT.drawings["curves"](run, REPORT) == ""


def test_the_gallery_has_a_row_for_each_epoch_and_the_same_columns(run, panels):
    gallery = read_gallery(run, first_gan(run))
    assert gallery.seconds == pytest.approx(64 * 256 / 16000) and gallery.kilohertz == 8
    over_training(gallery)
    assert [axes.get_ylabel() for axes in panels] == ["epoch 1", "epoch 2", "epoch 4"]
    for axes, images in zip(panels, gallery.generated, strict=True):
        for shown, image in zip(axes.get_images(), images, strict=True):
            assert np.abs(shown.get_array().astype(int) - image).max() < STEP
            assert shown.origin == "lower" and shown.get_clim() == (0, 255)


def test_the_last_spectrograms_stand_above_their_neighbours_with_distances(run, panels):
    member = first_gan(run)
    gallery = read_gallery(run, member)
    nearest(gallery)
    for axes, images in zip(panels, (gallery.generated[-1], gallery.neighbours), strict=True):
        for shown, image in zip(axes.get_images(), images, strict=True):
            assert np.abs(shown.get_array().astype(int) - image).max() < STEP
    texts = [text.get_text() for text in panels[1].texts]
    assert len(texts) == 3 and texts[1].startswith(f"{member['gallery']['distance'][1]:.3f}\n")
    assert "".join(texts[1].split("\n")[1:]) == "Ses01F_impro01_F001 (nemo)"


def test_the_pages_galleries_say_what_a_distance_is_among_real_crops(run):
    page = REPORT.drawings["gallery"](run, REPORT)
    assert "its median for held-out real crops is 0.231" in page and page.count("<svg ") == 4


@pytest.mark.parametrize("field", ["epochs", "neighbour_ids", "distance"])
def test_a_gallery_whose_parts_do_not_fit_together_is_refused(run, field):
    member = {"gallery": {**first_gan(run)["gallery"]}}
    member["gallery"][field] = member["gallery"][field][1:]
    with pytest.raises(ValueError, match="not as many"):
        read_gallery(run, member)
    member["gallery"]["neighbours"] = {"shape": [1, 1, 1], "zlib": "eJxjAAAAAQAB"}
    with pytest.raises(ValueError, match="not of one kind"):
        read_gallery(run, member)


def test_pictures_of_an_inline_svg_have_a_palette_and_the_pixels_they_had(run):
    from matplotlib import colormaps
    from PIL import Image

    gallery = read_gallery(run, first_gan(run))
    svg = over_training(gallery, format="inline")
    found = re.findall(r"data:image/png;base64,([^\"]+)", svg)
    assert len(found) == 9
    image = Image.open(io.BytesIO(base64.b64decode(found[4])))
    assert image.mode == "P"
    expected = colormaps["magma"](gallery.generated[1, 1] // STEP * STEP, bytes=True)[..., :3]
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), expected)
    assert len(found[4]) < 0.8 * 64 * 128 * 4 / 3


def test_the_galleries_are_drawn_into_files(run, tmp_path):
    write_gallery(tmp_path / "new" / "over.png", run, model="basic_dcgan")
    assert (tmp_path / "new" / "over.png").read_bytes().startswith(b"\x89PNG")
    write_gallery(tmp_path / "nearest.svg", run, model="multitask_dcgan", draw=nearest)
    assert "nearest real" in (tmp_path / "nearest.svg").read_text()
    with pytest.raises(InputError, match="no member of 'basic_cnn'"):
        write_gallery(tmp_path / "none.svg", run, model="basic_cnn")
    with pytest.raises(InputError, match=r"must end in \.svg or \.png"):
        write_gallery(tmp_path / "none.gif", run, model="basic_dcgan")


@pytest.mark.parametrize(("colours", "alpha", "mode"), [(256, 255, "P"), (257, 255, "RGBA"), (8, 254, "RGBA")])
def test_only_few_opaque_colours_become_a_palette(colours, alpha, mode):
    from PIL import Image

    place = np.arange(20 * 30) % colours
    pixels = np.stack([place % 256, place // 256, 7 * (place % 256) % 256, np.full(600, alpha)], 1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels.reshape(20, 30, 4)).save(out, format="png")
    text = drawing._paletted(base64.b64encode(out.getvalue()).decode())
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert image.mode == mode
    np.testing.assert_array_equal(np.asarray(image.convert("RGBA")), pixels.reshape(20, 30, 4))
