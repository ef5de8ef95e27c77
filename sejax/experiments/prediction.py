"""A trained run applied to plain audio: posteriors of its blocks (or chunks) with their times, and the utterance's.

What a run was trained on decides what audio becomes: spectrograms of blocks, evenly spaced crops of one spectrogram,
one vector of openSMILE functionals for the whole recording, which is its only block then, or pieces of the waveform
with the words of its transcript.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from sejax.audio.level import levelled, traits, unlike
from sejax.audio.opensmile import FEATURE_SETS, Extractor, version
from sejax.audio.voice_activity import made_by
from sejax.core.results import REPEATS, name_of, read_results
from sejax.data.blocks.load import BlockSettings as FeatureSettings
from sejax.data.blocks.spectrograms import spectrograms, voiced_blocks
from sejax.data.crops import evaluation_starts, read_crops
from sejax.data.utterances.frames import frames
from sejax.data.utterances.load import UtteranceSettings
from sejax.engine.run import run_settings, trained_states
from sejax.engine.workdir import folder_of, read_claim, read_finished
from sejax.errors import InputError
from sejax.experiments import Posteriors, Study, study


class Prediction(NamedTuple):
    """Posteriors of one recording, N blocks (or crops), C classes, D rated dimensions where a run rates speech.

    Attributes:
      start, end: f64[N], seconds in the original recording.
      posteriors: f32[N, C] or f32[N, D, C], mean over the block's images and over the members asked for.
      utterance: f32[C] or f32[D, C], mean over blocks.
      pieces: where transcripts are read too, each block with what its decision rests on, as
        `sejax.report.utterance.explained` draws it.
    """

    start: np.ndarray
    end: np.ndarray
    posteriors: np.ndarray
    utterance: np.ndarray
    pieces: tuple[dict[str, Any], ...] = ()


class Inputs(NamedTuple):
    """What networks get to see of one recording, N blocks.

    Attributes:
      start, end: f64[N], seconds in the original recording.
      values: arrays [N, L, ...], L inputs of each block.
      words: of each block, where transcripts are read.
    """

    start: np.ndarray
    end: np.ndarray
    values: Any
    words: tuple[tuple[str, ...], ...] = ()


class Predictor:
    """Members of a finished run, ready for audio.

    Args:
      workdir: the run's folder.
      only: what the members are to be called, by name ({"fold": ("0",)}, {"model": ("resnet50",)}); their
        posteriors are averaged. A recording of the training corpus was seen by all folds but one: choose the
        fold that tests it. What is not said is chosen by `best_variant` where a run compared several things.

    Attributes:
      classes: C class names. members: the names of those that predict.
      rated: the D rated dimensions with the names of their points; {} where a run classifies.
      settings: how spectrograms are made (and drawn, where networks see something else).
      transcribed: whether they read transcripts too.
      level: what recordings are brought to first, as those of the training were.

    Raises:
      InputError: no finished run, one that classifies nothing, no trained member of these names, members that do not
        see the same of a recording or do not rate the same, or a package is missing that they hear with.
    """

    def __init__(self, workdir: Path, *, only: Mapping[str, tuple[str, ...]] | None = None):
        results = read_results(workdir)
        config = ConfigDict(read_claim(workdir)["config"])
        self.classes = tuple(results["classes"])
        wanted = best_variant(results, dict(only or {}))
        self.members, self._parts, self._explain, kinds = [], [], [], []
        for variant, folder, members in trained_variants(workdir, results, config):
            rows = [row for row, member in enumerate(members) if is_wanted(member, wanted)]
            if rows:
                self.members += [full_name(members[row]) for row in rows]
                found = predicting(config.experiment).posteriors(variant, len(self.classes))
                self._parts.append(_trained(found, folder, variant, rows, len(members)))
                kinds.append((dict(found.rated), dict(found.crops)))
                self._transcribed = found.transcribed
                self._explain += [_explaining(found, self._parts[-1].args[0])] if found.transcribed else []
        if not self._parts:
            raise no_member(workdir, results, wanted)
        if any(kind != kinds[0] for kind in kinds):
            raise InputError(
                f"{workdir}: the members of {wanted} rate other things or look at crops of another width; name one of "
                "the run's models"
            )
        self.rated, crops = kinds[0]
        self.transcribed = self._transcribed is not None
        if self.transcribed:
            pieces = partial(self._transcribed.pieces, types=tuple(results["types"]))
            self.settings, self._inputs = FeatureSettings(), lambda *given, text: Inputs(*pieces(*given, text=text))
        else:
            self.settings, self._inputs = _audio_to_inputs(results["data"]["settings"], crops)
        self.level = results["data"]["settings"].get("level", "none")
        self._whole = results["data"]["settings"].get("features") in FEATURE_SETS  # extraction levels what it trims
        self._known = results["data"].get("recordings", {})

    def __call__(self, waveform: np.ndarray, rate: int, text: str = "", *, explain: bool = True) -> Prediction:
        """Posteriors of an int16 waveform [T] at 16 kHz, and of its transcript where transcripts are read.

        ``explain=False`` leaves out what decisions rest on, which takes many times as long as the posteriors.

        Raises:
          InputError: less voiced speech than one block, nothing that has functionals, or a transcript that nobody
            reads.
        """
        if text and not self.transcribed:
            raise InputError("the run was trained on sound alone and reads no transcript; leave the text out")
        if not self._whole:
            waveform = levelled(waveform, rate, self.level)
        inputs = self._inputs(waveform, rate, **({"text": text} if self.transcribed else {}))
        count, each = jax.tree.leaves(inputs.values)[0].shape[:2]
        padded = jax.tree.map(_filled_up, inputs.values)
        found = np.concatenate([np.asarray(part(padded)) for part in self._parts])  # [M, I, C] or [M, I, D, C]
        found = found[:, : count * each].mean(0).reshape(count, each, *found.shape[2:]).mean(1)
        pieces = self._explained(inputs, padded, found) if self.transcribed and explain else ()
        return Prediction(inputs.start, inputs.end, found, found.mean(0), pieces)

    def unlike(self, waveform: np.ndarray, rate: int) -> list[str]:
        """What makes a waveform int16[T] unlike the training corpus's recordings, in words; [] where nothing does."""
        return unlike(traits(waveform, rate), self._known, level=self.level)

    def _explained(self, inputs: Inputs, padded, posteriors: np.ndarray) -> tuple[dict[str, Any], ...]:
        """What the members' common decision about each piece rests on, the mean over members."""
        rows = len(jax.tree.leaves(padded)[0])
        decided = np.resize(posteriors.argmax(-1), rows).astype(np.int32)
        parts = [{name: np.asarray(x) for name, x in part(padded, decided).items()} for part in self._explain]
        # Members of several ways of fusing have in common what all of them can say.
        common = set.intersection(*map(set, parts))
        found = {name: np.concatenate([part[name] for part in parts]).mean(0) for name in common}
        found["posterior"] = posteriors
        return tuple(
            self._transcribed.describe(inputs.values, row, words, {name: x[row] for name, x in found.items()})
            for row, words in enumerate(inputs.words)
        )


def _filled_up(values: np.ndarray) -> np.ndarray:
    """Inputs [N, L, ...] as rows [I, ...], filled up to a power of two: few shapes, few compilations."""
    values = values.reshape(-1, *values.shape[2:])
    padded = np.zeros((1 << (len(values) - 1).bit_length(), *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded


def predicting(experiment: str) -> Study:
    """The Study of an experiment by its name; InputError for one whose runs classify nothing."""
    found = study(experiment)
    if found.posteriors is None:
        raise InputError(
            f"a run of {experiment} classifies nothing: make vectors with launch/synthesise.py, train "
            "classifiers with configs/augmentation.py, and give the workdir of that run"
        )
    return found


def trained_variants(
    workdir: Path, results: Mapping[str, Any], config
) -> Iterator[tuple[Any, Path, Sequence[Mapping[str, Any]]]]:
    """The config, the folder and the members of each variant of a finished run."""
    for name, variant in study(config.experiment).variants(config).items():
        folder = folder_of(Path(workdir), name)
        yield variant, folder, read_finished(folder)[0] if name else results["members"]


def no_member(workdir: Path, results: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]]) -> InputError:
    """The error for names that no trained member of a run has."""
    known = "; ".join(", ".join(f"{k} {v}" for k, v in full_name(m).items()) for m in results["members"])
    return InputError(f"{workdir}: no trained member is {dict(wanted)}; its members are {known}")


def _trained(posteriors: Posteriors, folder: Path, config, rows: list[int], count: int):
    """What gives the posteriors of some members of a variant: inputs -> f32[M, I, ...]."""
    states = trained_states(folder, run_settings(config).members_at_once, rows, count, posteriors.subtrees)
    return partial(jax.jit(jax.vmap(posteriors.apply, in_axes=(0, None, None))), states, posteriors.shared)


def _explaining(posteriors: Posteriors, states):
    """What explains the decisions of some members of a variant: (inputs, decided i32[I]) -> arrays [M, I, ...]."""
    return partial(jax.jit(jax.vmap(posteriors.transcribed.explain, in_axes=(0, None, None))), states)


def _audio_to_inputs(
    trained_on: Mapping[str, Any], crops: Mapping[str, Any]
) -> tuple[FeatureSettings | UtteranceSettings, Callable[[np.ndarray, int], Inputs]]:
    """What makes a network's inputs of audio, and before it how spectrograms are made.

    ``trained_on`` are the settings of a prepared set; ``crops`` as in `sejax.experiments.Posteriors`.
    """
    if crops:
        settings = UtteranceSettings(**trained_on)
        return settings, partial(_evenly_spaced_crops, settings=settings, **crops)
    if trained_on.get("features") not in FEATURE_SETS:
        settings = FeatureSettings.from_dict(trained_on)
        made_by(settings.voice_activity)  # raises where the detector is missing, before any file is read
        return settings, partial(_voiced_spectrograms, settings=settings)
    if version() != trained_on["opensmile"]:
        raise InputError(
            f"the run was trained on functionals of opensmile {trained_on['opensmile']}, and {version()} is installed; "
            f"pip install opensmile=={trained_on['opensmile']}"
        )
    how = {name: trained_on.get(name, "none") for name in ("level", "trim")}
    return FeatureSettings(), partial(_functionals, extract=Extractor(trained_on["features"], **how))


def _voiced_spectrograms(waveform: np.ndarray, rate: int, *, settings: FeatureSettings) -> Inputs:
    """Spectrograms in dB [N, fmax, bands, frames] of the blocks of what is voiced."""
    blocks = voiced_blocks(waveform, rate, settings)
    if not len(blocks.samples):
        raise InputError(
            f"{blocks.seconds_kept:.2f} s of speech found in {len(waveform) / rate:.2f} s of audio, less than one "
            f"block of {settings.block_length} s: give a longer recording"
        )
    return Inputs(blocks.start, blocks.end, spectrograms(blocks.samples, settings))


def _evenly_spaced_crops(
    waveform: np.ndarray, rate: int, *, settings: UtteranceSettings, count: int, width: int, dynamic_range: float
) -> Inputs:
    """Crops [N, 1, bands, width] as in evaluation, N = count, or 1 where the recording is no longer than one crop."""
    levels = frames(waveform, settings)
    one = {"first": [0], "length": [len(levels)], "maximum": [levels.max()]}
    data = {"frames": levels} | {name: np.array(values) for name, values in one.items()}
    start = evaluation_starts(data["length"], count=count if len(levels) > width else 1, width=width)[0]
    values = read_crops(data, np.zeros_like(start), start, width=width, dynamic_range=dynamic_range)
    edges = np.stack([start, start + width]) * settings.spectrogram.hop_length / rate
    begin, end = edges.clip(0, len(waveform) / rate)
    return Inputs(begin, end, values[:, None])


def _functionals(waveform: np.ndarray, rate: int, *, extract: Extractor) -> Inputs:
    """Functionals [1, 1, F] of the whole recording, on the raw scale, levelled and trimmed as the training's were."""
    return Inputs(np.zeros(1), np.array([len(waveform) / rate]), extract(waveform, rate)[None, None])


def best_variant(results: Mapping[str, Any], only: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """``only``, narrowed to one variant where a run has several that fit: the one that validates best.

    Where none was validated it is the first of the run: what the test part says may choose nothing.
    """
    fitting = [variant for variant in results.get("variants", ()) if _fits(variant["name"], only, partly=True)]
    if len(fitting) < 2:
        return only
    scored = [variant for variant in fitting if "valid/accuracy" in variant["summary"]]
    best = max(scored or fitting[:1], key=lambda variant: variant["summary"].get("valid/accuracy", {}).get("mean", 0))
    return {name: (str(value),) for name, value in best["name"].items()} | only


def full_name(member: Mapping[str, Any]) -> dict[str, Any]:
    """What a member is called, its fold and seed included."""
    return name_of(member) | {field: member[field] for field in REPEATS if field in member}


def is_wanted(member: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a member did not fail and is called as wanted."""
    return not member["failed"] and _fits(member, wanted)


def members_named(pairs: Sequence[str], *, flag: str) -> dict[str, tuple[str, ...]]:
    """What members are to be called: {name: values}, from NAME=VALUE as given with a flag.

    Raises:
      InputError: what is no pair.
    """
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--{flag}={pair}: give NAME=VALUE, such as seed=0")
        found[name] = (*found.get(name, ()), value)
    return found


def _fits(name: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]], *, partly: bool = False) -> bool:
    """Whether a member or variant is called as wanted; ``partly`` lets it lack a name (a variant has no seed)."""
    return all((partly and key not in name) or str(name.get(key)) in values for key, values in wanted.items())
