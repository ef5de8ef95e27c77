"""A trained run applied to plain audio: posteriors of its blocks (or chunks) with their times, and the utterance's.

What a run was trained on decides what audio becomes: spectrograms of blocks, evenly spaced crops of one spectrogram,
one vector of openSMILE functionals for the whole recording, which is its only block then, its samples as a speech
encoder hears them, or pieces of the waveform with the words of its transcript.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from sejax.audio.level import Traits, levelled, traits, unlike
from sejax.audio.opensmile import FEATURE_SETS, Extractor, check_version
from sejax.audio.samples import RATE, as_int16
from sejax.audio.voice_activity import made_by
from sejax.core.results import read_results
from sejax.data.blocks.load import BlockSettings as FeatureSettings
from sejax.data.blocks.spectrograms import BATCH, image_shape, spectrograms, spoken_blocks
from sejax.data.crops import evaluation_crops
from sejax.data.utterances.frames import frames_of
from sejax.data.utterances.load import UtteranceSettings
from sejax.engine.run import run_settings, trained_states
from sejax.engine.workdir import read_claim
from sejax.errors import InputError, typed
from sejax.experiments import Posteriors
from sejax.experiments.feature_vectors import fit_z_norm
from sejax.experiments.members import best_variant, full_name, is_wanted, no_member, predicting, trained_variants


class Prediction(NamedTuple):
    """Posteriors of one recording, N blocks (or crops), C classes, D rated dimensions where a run rates speech.

    Attributes:
      start, end: f64[N], seconds in the original recording.
      posteriors: f32[N, C] or f32[N, D, C], mean over the block's images and over the members asked for.
      utterance: f32[C] or f32[D, C], mean over blocks.
      pieces: where transcripts are read too, each block with what its decision rests on, as
        `sejax.report.utterance.explained` draws it.
      members: f32[M, N, C] or f32[M, N, D, C], those of each member.
      filled: seconds of zeros at the end of the only block, of speech that is shorter (see `Predictor`'s ``pad``).
    """

    start: np.ndarray
    end: np.ndarray
    posteriors: np.ndarray
    utterance: np.ndarray
    pieces: tuple[dict[str, Any], ...] = ()
    members: np.ndarray | None = None
    filled: float = 0.0


class Inputs(NamedTuple):
    """What becomes of one recording on the host, N blocks.

    Attributes:
      start, end: f64[N], seconds in the original recording.
      values: arrays [N, ...]: samples of blocks, which become their spectrograms many at once, or [N, L, ...], L
        inputs of the networks each.
      words: of each block, where transcripts are read.
      filled: seconds of zeros at the end of the only block.
    """

    start: np.ndarray
    end: np.ndarray
    values: Any
    words: tuple[tuple[str, ...], ...] = ()
    filled: float = 0.0


class Whole(NamedTuple):
    """A recording int16[T] at 16 kHz of which a spectrogram is taken as a whole, with others in one call."""

    waveform: np.ndarray


# Inputs in one call of the networks: one shape, which is compiled once whatever is predicted. On a CPU the maps of more
# leave its caches (SqueezeNet up to fire5: 5.6 ms of CPU an image in eights, 8.6 in sixteens); others want more.
_ROWS = {"cpu": 8}
_ROWS_ELSEWHERE = 64
_WAITING = 256  # recordings that wait for one whose shape few have


class Predictor:
    """Members of a finished run, ready for audio.

    Args:
      workdir: the run's folder.
      only: what the members are to be called, by name ({"fold": ("0",)}, {"model": ("resnet50",)}); their
        posteriors are averaged. A recording of the training corpus was seen by all folds but one: choose the
        fold that tests it. What is not said is chosen by `best_variant` where a run compared several things.
      pad: fill speech that is shorter than a block up with zeros to one, the like of which no network was trained on.
      together: the recordings that `judged` is given are of one speaker (or corpus), whose features are normalised by
        all of them: for runs with such a ``normalise_by``, which know no statistics of new speakers, and no others.

    Attributes:
      classes: C class names. members: the names of those that predict.
      rated: the D rated dimensions with the names of their points; {} where a run classifies.
      settings: how spectrograms are made (and drawn, where networks see something else).
      transcribed: whether they read transcripts too.
      ignored: "audio" or "text" where a run has both and these members make nothing of one; "" otherwise.
      level: what recordings are brought to first, as those of the training were.
      blocks: whether they see spectrograms of blocks, each judged by itself.
      together: as given.

    Raises:
      InputError: no finished run, one that classifies nothing, no trained member of these names, members that do not
        see the same of a recording or do not rate the same, or a package is missing that they hear with; ``together``
        is wanted and not given, or given and not wanted.
    """

    def __init__(
        self,
        workdir: Path,
        *,
        only: Mapping[str, tuple[str, ...]] | None = None,
        pad: bool = False,
        together: bool = False,
    ):
        results = read_results(workdir)
        config = ConfigDict(read_claim(workdir)["config"])
        self.classes = tuple(results["classes"])
        trained_on = results["data"]["settings"]
        self._programs = _Programs()
        if "block_length" in trained_on:  # of blocks; their spectrograms' program is ready when the weights are
            one_block = FeatureSettings.from_dict(trained_on)
            samples = np.zeros((1, one_block.block_samples), np.int16)
            self._programs.compile("spectrograms", lambda: spectrograms(samples, one_block))
        wanted = best_variant(results, dict(only or {}))
        self.members, self._parts, self._explain, kinds, ignored = [], [], [], [], set()
        for variant, folder, members in trained_variants(workdir, results, config):
            rows = [row for row, member in enumerate(members) if is_wanted(member, wanted)]
            if rows:
                self.members += [full_name(members[row]) for row in rows]
                found = predicting(config.experiment).posteriors(variant, len(self.classes))
                self._parts.append(_trained(found, folder, variant, rows, len(members)))
                kinds.append((dict(found.rated), dict(found.crops)))
                self._transcribed = found.transcribed
                self._explain += [_explaining(found, self._parts[-1].args[0])] if found.transcribed else []
                ignored.add(found.transcribed.ignored if found.transcribed else "")
        if not self._parts:
            raise no_member(workdir, results, wanted)
        if any(kind != kinds[0] for kind in kinds):
            raise InputError(
                f"{workdir}: the members of {wanted} rate other things or look at crops of another width; name one of "
                "the run's models"
            )
        _check_together(workdir, found.together, together)
        self.together = together
        self.rated, crops = kinds[0]
        self.transcribed = self._transcribed is not None
        self.ignored = ignored.pop() if len(ignored) == 1 else ""
        self._sampled = self.transcribed or found.recording is not None  # inputs are samples, of several lengths
        self.blocks = not (crops or self._sampled or trained_on.get("features") in FEATURE_SETS)
        if self.transcribed:
            pieces = partial(self._transcribed.pieces, types=tuple(results["types"]))
            self.settings, self._inputs = FeatureSettings(), lambda *given, text: Inputs(*pieces(*given, text=text))
        elif found.recording:
            self.settings, self._inputs = FeatureSettings(), partial(_recording, found.recording)
        else:
            self.settings, self._inputs = _audio_to_inputs(trained_on, crops, pad=pad)
        self._crops = partial(_evenly_spaced_crops, settings=self.settings, **crops) if crops else None
        self.level = trained_on.get("level", "none")
        self._whole = trained_on.get("features") in FEATURE_SETS  # extraction levels what it trims
        self._known = results["data"].get("recordings", {})
        self._rows = _ROWS.get(jax.default_backend(), _ROWS_ELSEWHERE)

    def __call__(self, waveform: np.ndarray, rate: float, text: str = "", *, explain: bool = True) -> Prediction:
        """Posteriors of a recording, and of its transcript where transcripts are read.

        Args:
          waveform: one channel [T], int16, or float in [-1, 1].
          rate: of the waveform, Hz; others than 16000 are resampled by soxr.
          text: what is said, where the run reads it.
          explain: False leaves out what decisions rest on, which takes many times as long as the posteriors.

        Raises:
          InputError: no such waveform or rate, less voiced speech than one block, nothing that has functionals, or a
            transcript that nobody reads.
        """
        (found,) = self.judged([self.prepared(waveform, rate, text)], explain=explain)
        return found

    def prepared(self, waveform: np.ndarray, rate: float, text: str = "") -> Inputs | Whole:
        """What `judged` takes of a recording; the arguments and the errors are those of a call.

        It is the host's part, for as many threads at once as there are recordings at hand.
        """
        if text and not self.transcribed:
            raise InputError("the run was trained on sound alone and reads no transcript; leave the text out")
        if self.blocks:  # whose networks' inputs have one shape, which is known
            self._programs.compile("networks", self._compile_networks)
        waveform = as_int16(waveform, rate)
        if not self._whole:
            waveform = levelled(waveform, RATE, self.level)
        if self._crops:
            return Whole(waveform)
        return self._inputs(waveform, RATE, **({"text": text} if self.transcribed else {}))

    def judged(
        self, recordings: Iterable[Inputs | Whole | InputError], *, explain: bool = False
    ) -> Iterator[Prediction | InputError]:
        """Posteriors of many recordings in their order, blocks of several in one call; what is an error stays one.

        Calls have few shapes, and memory does not grow with the recordings. One that is alone in a shape is waited
        for, `_WAITING` recordings at most.

        Args:
          recordings: of each what `prepared` gave, or the error that it raised. They are taken as they are needed.
          explain: where transcripts are read, say of each piece what its decision rests on.
        """
        if self.together:
            recordings = normalised_together(recordings)
        waiting: deque[_Judgement] = deque()
        open_batches: dict[Any, _Batch] = {}
        for given in self._framed(recordings) if self._crops else recordings:
            waiting.append(_Judgement(given, keep=explain and self.transcribed))
            if not isinstance(given, InputError):
                self._gather(waiting[-1], given.values, open_batches)
            del given  # an hour of samples
            if len(waiting) > _WAITING:
                self._close(open_batches, waiting[0].shape)
            yield from self._concluded(waiting)
        for shape in list(open_batches):
            self._close(open_batches, shape)
        yield from self._concluded(waiting)

    def _framed(self, recordings: Iterable[Whole | InputError]) -> Iterator[Inputs | InputError]:
        """Crops of whole recordings, whose spectrograms share calls."""
        order: deque[Whole | InputError] = deque()

        def waveforms():
            for given in recordings:
                order.append(given)
                if not isinstance(given, InputError):
                    yield given.waveform

        for levels in frames_of(waveforms(), self.settings):
            while isinstance(order[0], InputError):
                yield order.popleft()
            yield self._crops(levels, *order.popleft())
        yield from order

    def _gather(self, judgement: "_Judgement", values, open_batches: dict) -> None:
        """Put the blocks of a recording, arrays [N, ...], into batches of their shape; judge those that are full."""
        done = 0
        while done < judgement.blocks:
            batch = open_batches.setdefault(judgement.shape, _Batch())
            done += batch.fill(judgement, values, done)
            if batch.filled == BATCH:
                self._close(open_batches, judgement.shape)

    def _close(self, open_batches: dict, shape) -> None:
        """Judge what a batch holds and hand it out."""
        if shape in open_batches:
            batch = open_batches.pop(shape)
            batch.hand_out(self.posteriors(batch.values()))

    def posteriors(self, values) -> np.ndarray:
        """Of blocks, `Inputs.values` [N, ...], by each member, the mean over a block's inputs.

        f32[M, N, C], or f32[M, N, D, C] where speech is rated.

        The networks see `_ROWS` inputs at once and one shape, but pieces with transcripts, where the last ones have the
        next power of two.
        """
        self._programs.wait()
        values = spectrograms(values, self.settings) if self.blocks else values
        count, each = jax.tree.leaves(values)[0].shape[:2]
        rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), values)
        pieces = []
        for first in range(0, count * each, self._rows):
            piece = jax.tree.map(lambda x, first=first: x[first : first + self._rows], rows)
            padded = jax.tree.map(partial(_filled_up, least=1 if self._sampled else self._rows), piece)
            here = len(jax.tree.leaves(piece)[0])
            pieces.append(np.concatenate([np.asarray(part(padded)) for part in self._parts])[:, :here])
        found = np.concatenate(pieces, axis=1)  # [M, I, C] or [M, I, D, C]
        return found.reshape(len(found), count, each, *found.shape[2:]).mean(2)

    def _compile_networks(self) -> None:
        blank = np.zeros((self._rows, *image_shape(self.settings)), np.float32)
        for part in self._parts:
            part(blank)

    def _concluded(self, waiting: "deque[_Judgement]") -> Iterator[Prediction | InputError]:
        """What is known of the first recordings, as far as nothing is missing."""
        while waiting and waiting[0].missing == 0:
            judgement = waiting.popleft()
            if judgement.error is not None:
                yield judgement.error
                continue
            each = np.concatenate(judgement.found, axis=1)  # [M, N, C] or [M, N, D, C]
            mean = each.mean(0)
            pieces = self._explained(judgement.inputs, mean) if judgement.inputs is not None else ()
            yield Prediction(judgement.start, judgement.end, mean, mean.mean(0), pieces, each, judgement.filled)

    def unlike(self, waveform: np.ndarray, rate: float) -> list[str]:
        """What makes a waveform unlike the training corpus's recordings, in words; [] where nothing does.

        Waveforms and rates are those of a call, and so are the errors.
        """
        return self.compared(traits(as_int16(waveform, rate), RATE))

    def compared(self, found: Traits) -> list[str]:
        """The same, of what `sejax.audio.level.traits` says of it."""
        return unlike(found, self._known, level=self.level)

    def _explained(self, inputs: Inputs, posteriors: np.ndarray) -> tuple[dict[str, Any], ...]:
        """What the members' common decision about each piece rests on, the mean over members."""
        padded = jax.tree.map(lambda x: _filled_up(x.reshape(-1, *x.shape[2:])), inputs.values)
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


class _Programs:
    """Programs that are compiled in threads of their own, while weights and recordings are read."""

    def __init__(self):
        self._lock, self._threads, self._begun = threading.Lock(), [], set()

    def compile(self, name: str, call: Callable[[], Any]) -> None:
        """Begin a call that compiles something, the first time that it is asked for by this name."""

        def quietly():
            with contextlib.suppress(Exception):  # whoever needs the program gets it again
                call()

        with self._lock:
            if name not in self._begun:
                self._begun.add(name)
                self._threads.append(threading.Thread(target=quietly))
                self._threads[-1].start()

    def wait(self) -> None:
        """Return when all are there: two calls at once would compile twice."""
        with self._lock:
            while self._threads:
                self._threads.pop().join()


class _Judgement:
    """One recording on its way through batches: its times, what was found of its blocks, and how many are missing.

    Its inputs are kept where they are to be explained.
    """

    def __init__(self, given: Inputs | InputError, *, keep: bool):
        self.error = given if isinstance(given, InputError) else None
        self.found: list[np.ndarray] = []
        self.inputs, self.shape, self.blocks, self.missing = None, None, 0, 0
        if self.error is None:
            self.start, self.end, self.filled = given.start, given.end, given.filled
            self.inputs = given if keep else None
            self.blocks = self.missing = len(given.start)
            self.shape = tuple(x.shape[1:] for x in jax.tree.leaves(given.values))


class _Batch:
    """Blocks of one shape from several recordings, `BATCH` at most."""

    def __init__(self):
        self.filled, self._parts, self._whose = 0, [], []

    def fill(self, judgement: _Judgement, values, first: int) -> int:
        """Take blocks from `first` on, as many as there is room for; how many."""
        taken = min(BATCH - self.filled, judgement.blocks - first)
        # Copied: a view would hold the whole recording.
        self._parts.append(jax.tree.map(lambda x: np.array(x[first : first + taken]), values))
        self._whose.append((judgement, taken))
        self.filled += taken
        return taken

    def values(self):
        """Arrays [N, ...] of all blocks."""
        return jax.tree.map(lambda *parts: np.concatenate(parts), *self._parts)

    def hand_out(self, found: np.ndarray) -> None:
        """Give each recording what was found of its blocks, of f32[M, N, ...]."""
        edges = np.cumsum([taken for _, taken in self._whose])[:-1]
        for (judgement, taken), own in zip(self._whose, np.split(found, edges, axis=1), strict=True):
            judgement.found.append(own)
            judgement.missing -= taken


def _filled_up(values: np.ndarray, least: int = 1) -> np.ndarray:
    """Inputs [I, ...] filled up to a power of two, at least `least`: few shapes, few compilations."""
    padded = np.zeros((max(least, 1 << (len(values) - 1).bit_length()), *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded


def _trained(posteriors: Posteriors, folder: Path, config, rows: list[int], count: int):
    """What gives the posteriors of some members of a variant: inputs -> f32[M, I, ...]."""
    states = trained_states(folder, run_settings(config).members_at_once, rows, count, posteriors.subtrees)
    states = jax.device_put(states)  # once, and not with every call
    return partial(jax.jit(jax.vmap(posteriors.apply, in_axes=(0, None, None))), states, posteriors.shared)


def _explaining(posteriors: Posteriors, states):
    """What explains the decisions of some members of a variant: (inputs, decided i32[I]) -> arrays [M, I, ...]."""
    explain = jax.jit(jax.vmap(posteriors.transcribed.explain, in_axes=(0, None, None, None)))
    return partial(explain, states, posteriors.shared)


def _check_together(workdir: Path, wanted: str, given: bool) -> None:
    if wanted and not given:
        raise InputError(
            f"{workdir}: the run saw features that were normalised by all recordings of a {wanted}, and knows no "
            f"statistics of a new one; where all files are of one {wanted}, give {typed('predict')} --together "
            "(together=True), and they are normalised by each other"
        )
    if given and not wanted:
        raise InputError(f"{workdir}: the run normalises each recording by what it was trained on; leave together out")


def normalised_together(recordings: Iterable[Inputs | InputError]) -> list[Inputs | InputError]:
    """The functionals of all recordings, z-normalised by each other; what is an error stays one.

    Raises:
      InputError: fewer than two recordings with functionals.
    """
    given = list(recordings)
    known = [one for one in given if not isinstance(one, InputError)]
    if len(known) < 2:
        raise InputError(f"{len(known)} recordings cannot be normalised by each other; give several of the speaker")
    scaling = fit_z_norm(np.concatenate([one.values[:, 0] for one in known]))
    return [
        one if isinstance(one, InputError) else one._replace(values=scaling.apply(one.values).astype(np.float32))
        for one in given
    ]


def _audio_to_inputs(
    trained_on: Mapping[str, Any], crops: Mapping[str, Any], *, pad: bool
) -> tuple[FeatureSettings | UtteranceSettings, Callable[[np.ndarray, int], Inputs]]:
    """What makes a network's inputs of audio, and before it how spectrograms are made.

    ``trained_on`` are the settings of a prepared set; ``crops`` as in `sejax.experiments.Posteriors`.
    """
    if crops:
        return UtteranceSettings(**trained_on), Whole
    if trained_on.get("features") not in FEATURE_SETS:
        settings = FeatureSettings.from_dict(trained_on)
        made_by(settings.voice_activity)  # raises where the detector is missing, before any file is read
        return settings, partial(_voiced_blocks, settings=settings, pad=pad)
    check_version(trained_on["opensmile"])
    how = {name: trained_on.get(name, "none") for name in ("level", "trim")}
    return FeatureSettings(), partial(_functionals, extractors=_Extractors(trained_on["features"], **how))


def _voiced_blocks(waveform: np.ndarray, rate: int, *, settings: FeatureSettings, pad: bool) -> Inputs:
    """Samples int16[N, block_length] of the blocks of what is voiced."""
    blocks = spoken_blocks(waveform, rate, settings, fill=pad)
    return Inputs(blocks.start, blocks.end, blocks.samples, filled=blocks.seconds_filled)


def _recording(made: Callable[[np.ndarray], Any], waveform: np.ndarray, rate: int) -> Inputs:
    """What networks take of a recording that they hear as a whole."""
    return Inputs(np.zeros(1), np.array([len(waveform) / rate]), made(waveform))


def _evenly_spaced_crops(
    levels: np.ndarray, waveform: np.ndarray, *, settings: UtteranceSettings, **how
) -> Inputs:
    """Crops [N, 1, bands, width] as in evaluation, of the frames f16[F, bands] in dB of a waveform."""
    hop, seconds = settings.spectrogram.hop_length / RATE, len(waveform) / RATE
    start, end, crops = evaluation_crops(levels, seconds=seconds, hop=hop, **how)
    return Inputs(start, end, crops[:, None])


class _Extractors(threading.local):
    """openSMILE for each thread that asks: one waveform at a time goes through an `Extractor`."""

    def __init__(self, features: str, *, level: str, trim: str):
        self.extract = Extractor(features, level, trim)


def _functionals(waveform: np.ndarray, rate: int, *, extractors: _Extractors) -> Inputs:
    """Functionals [1, 1, F] of the whole recording, on the raw scale, levelled and trimmed as the training's were."""
    return Inputs(np.zeros(1), np.array([len(waveform) / rate]), extractors.extract(waveform, rate)[None, None])
