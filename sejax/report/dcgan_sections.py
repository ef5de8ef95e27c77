"""The sections of a run of valence from spectrograms: Tables 2 and 3, curves, generated spectrograms, folds."""

from sejax.data.rating_points import POINT_NAMES
from sejax.report import tables
from sejax.report.confusion import confusion_rates, mean_rates
from sejax.report.dcgan import (
    Model,
    collapsed,
    derived,
    models,
    pairs,
    run_title,
    unlabelled_text,
)
from sejax.report.dcgan_figures import model_differences, model_scores, training_curves
from sejax.report.dcgan_gallery import nearest, over_training, read_gallery
from sejax.report.dcgan_tables import (
    activation_table,
    difference_table,
    fold_table,
    member_table,
    run_comparison,
    valence_table,
    validation_table,
)
from sejax.report.page import Section, in_row, paragraph, picture
from sejax.report.paired import above, differences, score
from sejax.report.published import dcgan as paper
from sejax.report.results import field_value, is_finite, spread
from sejax.report.tables import percent, signed
from sejax.report.terms import joined, setting, who
from sejax.report.views import View

CURVES_NOTE = "Faint: each member (fold and seed). Bold: the mean of those still training, while at least half are."
GALLERY_NOTE = "Bright: loud, black: 80 dB or more below an utterance's loudest cell."


def _title(results):
    rated = ", derived ratings" if derived(results) else ""
    return f"dcgan: {joined(setting(results, 'corpus', 'no corpus'))}{rated}"


def _lead(results):
    """Unweighted accuracy of every model beside the paper's, and what DCGANs add to their CNNs."""
    scores = []
    for model in models(results):
        theirs = paper.published(model.name).get("test/uar")
        beside = f" (paper: {100 * theirs:.2f})" if theirs else ""
        scores.append(f"{model.label} {percent(score(model, 'test/uar'))}{beside}")
    gains = [_gain_in_words(*pair) for pair in pairs(results)[:2] if pair[0].generates and not pair[1].generates]
    told = f"Unweighted accuracy of valence in 5 classes, in %: {'; '.join(scores)}."
    gains = "; ".join(filter(None, gains))
    what = "adversarial training alone" if unlabelled_text(results) == "none" else "with unlabelled speech"
    return f"{run_title(results)}. {told}" + (f" What DCGANs add, {what}: {gains}." if gains else "")


def _gain_in_words(first, second):
    """`BasicDCGAN − BasicCNN +1.20 ± 2.00, above in 3 of 5 pairs (paper: +5.36)`."""
    found = list(differences(first, second, "test/uar").values())
    if not found:
        return ""
    theirs = [paper.published(model.name).get("test/uar") for model in (first, second)]
    beside = "" if None in theirs else f" (paper: {100 * (theirs[0] - theirs[1]):+.2f})"
    return f"{first.label} − {second.label} {signed(percent(spread(found)))}, above in {above(found)} pairs{beside}"


def _warnings(results):
    """A text for each member whose generated spectrograms collapsed."""
    found = []
    for member in results["members"]:
        epoch = collapsed(member)
        if epoch is not None:
            what = f"spectral collapse at epoch {field_value(epoch)}: its generated spectrograms were all alike"
            found.append(f"{who(member)}: {what}. It stays in the means.")
    return found


def _scores(results):
    if not any(score(model, "test/uar") for model in models(results)):
        return ""
    return picture(model_scores([results], format="inline"), f"Valence on the test part. {run_title(results)}")


def _differences(results):
    if not any(differences(*pair, "test/uar") for pair in pairs(results)):
        return ""
    return picture(model_differences(results, format="inline"), "Differences of models, paired by fold and seed")


def _confusion(results):
    """Table 3 beside every model's matrix, and the matrices of activation."""
    classes = results.get("classes") or ()
    valence = _matrices(results, "test", classes)
    if valence and len(classes) == len(paper.CONFUSION):
        valence.append(_matrix(paper.CONFUSION, classes, "paper", "BasicDCGAN, paper (Table 3)"))
    activation = _matrices(results, "test_activation", POINT_NAMES["activation"])
    if not valence and not activation:
        return ""
    note = "Shares of the true class in %, the mean over the folds and seeds that have it; an empty row has no example."
    body = paragraph(note, "muted") + paragraph(paper.CONFUSION_NOTE, "muted")
    body += (paragraph(f"Valence, test part. {run_title(results)}:") + in_row(valence)) if valence else ""
    heading = paragraph(f"Activation, test part. {run_title(results)}:")
    return body + (heading + in_row(activation) if activation else "")


def _matrices(results, part, classes):
    """The pictures of the models that have a matrix of a part."""
    found = []
    for model in models(results):
        rates = mean_rates(model.members, classes, part)
        if rates is not None:
            found.append(_matrix(rates, classes, f"{part.replace('_', '-')}-{model.name}", model.label))
    return found


def _matrix(rates, classes, name, caption):
    return picture(confusion_rates(rates, classes, format="inline", ids=f"confusion-{name}"), caption)


def _curves(results):
    if not any(member.get("history") for member in results["members"]):
        return ""
    return paragraph(CURVES_NOTE, "muted") + picture(training_curves(results, format="inline"), "Training by epoch")


def _gallery(results):
    """Both galleries of every member that has one; one that cannot be read is a warning."""
    parts = []
    for place, member in enumerate(results["members"]):
        name = f"{Model(member.get('model', ''), ()).label}, fold {member.get('fold')}, seed {member.get('seed')}"
        try:
            gallery = read_gallery(results, member)
        except ValueError as error:
            parts.append(paragraph(f"{name}: no generated spectrograms, {error}.", "warning"))
            continue
        if gallery is not None:
            svg = over_training(gallery, format="inline", ids=f"generated-{place}")
            parts.append(picture(svg, f"{name}: generated over training, a column for each latent vector"))
            svg = nearest(gallery, format="inline", ids=f"nearest-{place}")
            parts.append(picture(svg, f"{name}: generated in the end, and the nearest real crops below"))
            parts.append(paragraph(_distance_note(gallery), "muted"))
    return paragraph(GALLERY_NOTE, "muted") + "".join(parts) if parts else ""


def _distance_note(gallery):
    text = "Numbers: distance to the nearest real crop, the root mean square over pixels in [-1, 1]"
    if is_finite(gallery.distance_real):
        text += f"; its median for held-out real crops is {gallery.distance_real:.3f}"
    return f"{text}."


def _sections(results, drawings):
    unlabelled, activation = difference_table(results), activation_table(results)
    validation, folds = validation_table(results), fold_table(results)
    return [
        Section("Results", tables.html(valence_table(results)) + drawings["scores"]),
        Section("Differences", (tables.html(unlabelled) if unlabelled.rows else "") + drawings["differences"]),
        Section("Activation", tables.html(activation) if activation.rows else ""),
        Section("Validation", tables.html(validation) if validation.rows else ""),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Training curves", drawings["curves"]),
        Section("Generated spectrograms", drawings["gallery"]),
        Section("Folds", tables.html(folds) if folds.rows else ""),
        Section("Members", tables.html(member_table(results))),
    ]


def _picture(runs, names, *, format):
    return model_scores(runs, names, format=format), "Valence on the test part"


VIEW = View(
    title=_title,
    headline=valence_table,
    lead=_lead,
    warnings=_warnings,
    drawings={
        "scores": _scores,
        "differences": _differences,
        "confusion": _confusion,
        "curves": _curves,
        "gallery": _gallery,
    },
    sections=_sections,
    comparison=run_comparison,
    picture=_picture,
)
