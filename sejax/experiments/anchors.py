"""What simple systems reach on the folds of a run: levels of recordings alone, and openSMILE with a linear SVM."""

from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from sejax.core.results import read_results, write_results
from sejax.data.anchor import anchor
from sejax.data.folds import LEFT_OUT, TEST, TRAIN
from sejax.data.level_statistics import level_folds, level_scores
from sejax.data.store.joined import corpora_tested
from sejax.engine.workdir import only_run, read_claim
from sejax.experiments import HeldOut, study
from sejax.experiments.members import check_set, trained_variants


def anchors_on(held: HeldOut, data_dir: Path) -> dict[str, Any]:
    """{"levels_alone": see `level_scores`, "anchor": see `sejax.data.anchor.anchor`}; of ratings, in each dimension.

    Where several corpora are tested, "anchors_by_corpus" has the same of the tested speech of each. All train on what
    members train on, with the labels that these see. The folds of a run are those of each variant.
    """
    part = held.part
    if held.labelled is not None:
        part = np.where((part == TRAIN) & ~held.labelled, np.int8(LEFT_OUT), part)
    found = _anchors(held, part, data_dir)
    each = {
        name: _anchors(held, np.where((part == TEST) & ~own[held.utterance], np.int8(LEFT_OUT), part), data_dir)
        for name, own in corpora_tested(held.speech).items()
    }
    return found | ({"anchors_by_corpus": each} if each else {})


def _anchors(held: HeldOut, part: np.ndarray, data_dir: Path) -> dict[str, Any]:
    """The same of parts i8[M, N]."""
    how = {"trained_on": held.trained_on, "normalised_by": held.normalised_by}
    levels = {
        name: level_scores(level_folds(held.speech, part, label=label, **how)) for name, label in held.label.items()
    }
    found = {"levels_alone": levels.get("", levels)}
    if any(np.asarray(label).dtype.kind == "f" for label in held.label.values()):  # it gives classes, not numbers
        return found
    return found | {"anchor": anchor(data_dir, held.speech, part, label=held.label, trained_on=held.trained_on)}


def add_anchors(workdir: Path, data_dir: Path) -> None:
    """Computes what a finished run lacks of them, and writes it into its results.json.

    Raises:
      InputError: no finished run, or not the prepared set that it was trained on.
    """
    with only_run(workdir):
        results, config = read_results(workdir), ConfigDict(read_claim(workdir)["config"])
        data, experiment = results.get("data") or {}, study(config.experiment)
        if experiment.held_out is None or (data.get("levels_alone") and "scores" in data.get("anchor", {})):
            return
        variant, _, members = next(trained_variants(workdir, results, config))
        held = experiment.held_out(variant, data_dir)
        check_set(workdir, held, members)
        write_results(workdir, results | {"data": data | anchors_on(held, data_dir)})
