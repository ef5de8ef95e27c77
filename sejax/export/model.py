"""A trained model from its file: posteriors of audio, and the network as a pure function, without the training's code.

    model = sejax.load("model.sejax")
    result = model(waveform, rate)                       # blocks with their times, and the utterance
    posteriors = jax.jit(jax.vmap(model.apply))(inputs)  # of what `model.inputs` makes of audio
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from sejax.audio.level import traits, unlike
from sejax.audio.samples import RATE, as_int16
from sejax.core.files import printable
from sejax.errors import InputError, typed
from sejax.export import archive
from sejax.export.audio import HEARS, Heard, ear
from sejax.export.tensors import unpacked

# Inputs in one call of the networks, as many as fill a CPU's caches; others want more. The last ones of a shape are
# filled up to a power of two: few shapes, few compilations.
_ROWS = {"cpu": 8}
_ROWS_ELSEWHERE = 64
_AGAIN = f"export it again with {typed('export')}"


class Result(NamedTuple):
    """Posteriors of one recording, N blocks (crops, pieces), C classes, D rated dimensions of a model that rates.

    Attributes:
      start, end: f64[N], seconds in the original recording.
      posteriors: f32[N, C] or f32[N, D, C], the mean over a block's inputs and over the model's members.
      utterance: f32[C] or f32[D, C], the mean over blocks.
    """

    start: np.ndarray
    end: np.ndarray
    posteriors: np.ndarray
    utterance: np.ndarray


def load(path: str | os.PathLike[str], *, sha256: str | None = None, pad: bool = False) -> "Model":
    """The model in a file that `sejax export` wrote.

    Args:
      path: of the file.
      sha256: of the whole file, in hex digits, as its maker gave it; a file with another one is refused. Digests inside
        the file tell damage alone.
      pad: fill speech that is shorter than a block up with zeros to one, the like of which no network was trained on;
        otherwise it is an error.

    Raises:
      InputError: no such file, or one that should not be trusted, see `sejax.export.archive.read`; one that this
        version of sejax or of jax cannot run.
    """
    where = printable(os.fspath(path))
    entries, manifest = archive.read(path, sha256=sha256)
    settings = archive.read_json(where, archive.SETTINGS, entries[archive.SETTINGS])
    figures = archive.read_json(where, archive.FIGURES, entries[archive.FIGURES])
    _check_settings(where, settings)
    try:
        weights = unpacked(entries[archive.WEIGHTS])
        card = entries[archive.CARD].decode()
    except ValueError as error:
        raise InputError(f"{where} is damaged ({error}); {_AGAIN}") from None
    programs = []
    for number, members in enumerate(settings["members"]):
        name = archive.NETWORK.format(number)
        if name not in entries:
            raise InputError(f"{where}: lacks {name}; {_AGAIN}")
        own = {key.partition("/")[2]: array for key, array in weights.items() if key.startswith(f"{number}/")}
        programs.append(_Program(_program(where, name, entries[name], own, manifest), own, len(members)))
    if len(programs) != sum(name.startswith("network-") for name in entries):
        raise InputError(f"{where}: holds networks of no members; {_AGAIN}")
    return Model(programs, settings, figures, card, pad=pad)


def _check_settings(where: str, settings: Mapping[str, Any]) -> None:
    """Raise InputError where what the model needs is missing, or is of another kind."""
    wanted = {
        **{"hears": str, "level": str, "classes": list, "rated": dict, "members": list, "prepared": dict},
        **{"ranges": dict, "inputs": dict},
    }
    wrong = [name for name, kind in wanted.items() if not isinstance(settings.get(name), kind)]
    hears = settings.get("hears")
    wrong += ["hears"] if hears not in HEARS and "hears" not in wrong else []
    extra = {"crops": "crops", "transcribed": "pieces"}.get(hears, "level")
    wrong += [extra] if extra not in settings else []
    if not wrong and not all(isinstance(one, list) and one for one in (settings["members"], *settings["members"])):
        wrong.append("members")
    if wrong:
        raise InputError(f"{where}: its {archive.SETTINGS} lacks {', '.join(wrong)} or has something else; {_AGAIN}")


# What a program may call beside StableHLO's own operations: the check that a batch has an input at all.
_HARMLESS = ("shape_assertion",)
# Operations that speak with something outside of the program.
_OUTSIDE = re.compile(r"\b(?:infeed|outfeed|send|recv|custom_call)\b")


def _program(where: str, name: str, content: bytes, weights: Mapping[str, np.ndarray], manifest: Mapping[str, Any]):
    """The `jax.export.Exported` of an entry: its weights are those, and it does nothing but compute."""
    try:
        import flatbuffers  # noqa: F401  # jax.export reads with it, and jax does not bring it along
    except ImportError:
        raise InputError(f"{where}: jax reads networks with the package flatbuffers; pip install flatbuffers") from None
    made_with = manifest.get("made_with")
    made = made_with.get("jax", "?") if isinstance(made_with, dict) else "?"
    try:
        found = jax.export.deserialize(bytearray(content))
        text = found.mlir_module()
        given, options = jax.tree.unflatten(found.in_tree, found.in_avals)
        taken = {key: (tuple(aval.shape), aval.dtype) for key, aval in given[0].items()}
    except Exception as error:  # whatever flatbuffers, MLIR and jax meet in what they did not write, or cannot read yet
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{where}: jax {jax.__version__} cannot read {name} ({why}); it was made with jax {made}: install that or "
            f"a later one, or {_AGAIN}"
        ) from None
    called = re.findall(r"\bcustom_call @(\w+)\(", text)
    if len(called) != len(_OUTSIDE.findall(text)) or not set(called) <= set(_HARMLESS):
        raise InputError(f"{where}: {name} calls something outside of it; nothing of it was run; {_AGAIN}")
    if options or len(given) != 2 or taken != {key: (array.shape, array.dtype) for key, array in weights.items()}:
        raise InputError(f"{where}: {name} takes other weights than the file holds; {_AGAIN}")
    return found


class _Program(NamedTuple):
    """A variant's network: ``exported.call(weights, inputs)`` is the mean over `members` members."""

    exported: Any
    weights: dict[str, np.ndarray]
    members: int


class Model:
    """A trained model, one member or the mean of several; made by `load`.

    Attributes:
      classes: C class names. rated: the D rated dimensions with the names of their points, {} where it classifies.
      members: names of those that predict.
      card: what it is, was trained on and reached, and whose licences count, in Markdown.
      settings: what audio becomes. figures: protocol and figures of the run.
      transcribed: whether it reads transcripts too.
      weights: of all networks by name, for `apply`.
    """

    def __init__(
        self,
        programs: Sequence[_Program],
        settings: Mapping[str, Any],
        figures: Mapping[str, Any],
        card: str,
        *,
        pad: bool = False,
    ):
        self.settings, self.figures, self.card = settings, figures, card
        self.classes = tuple(settings["classes"])
        self.rated = {name: tuple(points) for name, points in settings["rated"].items()}
        self.members = [member for members in settings["members"] for member in members]
        self.transcribed = settings["hears"] == "transcribed"
        self._programs = tuple(program._replace(weights={}) for program in programs)
        self.weights = {
            f"{number}/{name}": jnp.asarray(array)
            for number, program in enumerate(programs)
            for name, array in program.weights.items()
        }
        self._ear, self._pad = None, pad
        self._network = jax.custom_batching.custom_vmap(self._posteriors)
        self._network.def_vmap(self._of_many)
        self._jitted = jax.jit(self.apply)

    def apply(self, inputs, weights=None) -> jax.Array:
        """Posteriors f32[I, C] (f32[I, D, C] of a model that rates) of inputs [I, ...]: pure, for `jit` and `vmap`.

        Args:
          inputs: f32[I, bands, frames] in dB, f32[I, bands, width] of crops or f32[I, F] of functionals; of a model
            that reads transcripts {"waveform": int16[I, T], "length": i32[I], "words": i32[I, W], "word_count":
            i32[I]}, T a multiple of 8192 and W of 8. As from `inputs`; I is at least 1.
          weights: the model's own, handed in so that they are an argument of a program and no constants in it.
        """
        if weights is None:
            weights = self.weights
        return self._network(weights, inputs)

    def _posteriors(self, weights, inputs):
        """The mean over all members of all networks."""
        total = 0.0
        for number, program in enumerate(self._programs):
            begin = f"{number}/"
            own = {name[len(begin) :]: array for name, array in weights.items() if name.startswith(begin)}
            total = total + program.exported.call(own, inputs) * (program.members / len(self.members))
        return total

    def _of_many(self, size: int, batched, weights, inputs):
        """`_posteriors` of [N, I, ...]: as one batch of N I inputs, for a program that is there cannot be mapped."""
        if any(jax.tree.leaves(batched[0])):
            raise InputError("model.apply cannot be mapped over weights; map over inputs")
        inputs = jax.tree.map(
            lambda x, mapped: x if mapped else jnp.broadcast_to(x, (size, *x.shape)), inputs, batched[1]
        )
        found = self._network(weights, jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), inputs))
        return found.reshape(size, -1, *found.shape[1:]), True

    def __call__(self, waveform, rate: float, text: str = "") -> Result:
        """Posteriors of a recording, and of its transcript where transcripts are read.

        Args:
          waveform: one channel [T], int16, or float in [-1, 1].
          rate: Hz; other rates than 16000 are resampled by soxr.
          text: what is said, where the model reads it.

        Raises:
          InputError: no such waveform or rate, less speech than the model needs, a transcript that nobody reads, or a
            package is missing that the model hears with.
        """
        return next(self._judged([(waveform, rate, text)]))

    def batch(self, waveforms: Iterable, rate: float | Sequence[float], texts: Sequence[str] | None = None):
        """Posteriors of many recordings, a list of `Result` in their order; blocks of several share a call.

        Args:
          waveforms: as in a call, in any number. rate: of all, or of each.
          texts: what is said in each.

        Raises:
          InputError: what a call raises, with the recording's number, from 0.
        """
        waveforms = list(waveforms)
        rates = [rate] * len(waveforms) if np.ndim(rate) == 0 else list(rate)
        texts = [""] * len(waveforms) if texts is None else list(texts)
        if isinstance(texts, str) or not len(rates) == len(texts) == len(waveforms):
            raise InputError(f"{len(rates)} rates and {len(texts)} texts for {len(waveforms)} waveforms; give one each")
        return list(self._judged(zip(waveforms, rates, texts, strict=True), numbered=True))

    def inputs(self, waveform, rate: float, text: str = ""):
        """(start f64[N], end f64[N], inputs [N L, ...]) of a recording's N blocks, L inputs each, for `apply`.

        Raises InputError as a call does.
        """
        heard = self._heard(waveform, rate, text)
        pieces = list(heard.values)
        rows = [jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), piece) for piece in pieces]
        return heard.start, heard.end, jax.tree.map(lambda *x: np.concatenate(x), *rows)

    def warnings(self, waveform, rate: float) -> list[str]:
        """What makes a recording unlike those of the training (quieter, narrower ...), in words; [] where nothing does.

        Raises InputError for no such waveform or rate.
        """
        found = traits(as_int16(waveform, rate), RATE)
        said = unlike(found, self.settings["ranges"], level=self.settings["level"])
        return [f"{one} than the recordings of the training corpus" for one in said]

    def _heard(self, waveform, rate: float, text: str) -> Heard:
        if not isinstance(text, str):
            raise InputError(f"text={text!r}; give what is said as text")
        if text and not self.transcribed:
            raise InputError("the model was trained on sound alone and reads no transcript; leave the text out")
        waveform = as_int16(waveform, rate)
        if self._ear is None:
            self._ear = ear(self.settings, pad=self._pad)
        return self._ear(waveform, text)

    def _judged(self, recordings: Iterable[tuple], *, numbered: bool = False) -> Iterator[Result]:
        """Results in the recordings' order; rows of equal shape go through the networks together, a few at a time."""
        waiting, open_rows = [], {}
        for number, given in enumerate(recordings):
            try:
                heard = self._heard(*given)
            except InputError as error:
                raise InputError(f"recording {number}: {error}") if numbered else error from None
            waiting.append(_Waiting(heard))
            for piece in heard.values:
                shape = tuple(x.shape[1:] for x in jax.tree.leaves(piece))
                batch = open_rows.setdefault(shape, _Rows())
                batch.add(waiting[-1], piece)
                self._run(batch, whole=False)
        for batch in open_rows.values():
            self._run(batch, whole=True)
        yield from (one.result() for one in waiting)

    def _run(self, batch: "_Rows", *, whole: bool) -> None:
        """Run full calls, and where it is the end what is left too."""
        most = _ROWS.get(jax.default_backend(), _ROWS_ELSEWHERE)
        while batch.count >= most or (whole and batch.count):
            here = min(most, batch.count)
            rows = batch.take(here)
            padded = jax.tree.map(lambda x, here=here: _filled_up(x, 1 << (here - 1).bit_length()), rows)
            batch.hand_out(np.asarray(self._jitted(padded, self.weights))[:here])


def _filled_up(rows: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([rows, np.zeros((length - len(rows), *rows.shape[1:]), rows.dtype)])


class _Waiting:
    """A recording on its way: its times, and what was found of its inputs so far."""

    def __init__(self, heard: Heard):
        self.start, self.end, self.found = heard.start, heard.end, []

    def result(self) -> Result:
        """The means over each block's inputs, and over blocks."""
        rows = np.concatenate(self.found)  # [N L, C] or [N L, D, C]
        posteriors = rows.reshape(len(self.start), -1, *rows.shape[1:]).mean(1)
        return Result(self.start, self.end, posteriors, posteriors.mean(0))


class _Rows:
    """Inputs of one shape that wait for a call, and whose they are."""

    def __init__(self):
        self.count, self._pieces, self._whose = 0, [], []

    def add(self, recording: _Waiting, piece) -> None:
        """Blocks [n, L, ...] of a recording."""
        rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), piece)
        added = len(jax.tree.leaves(rows)[0])
        self._pieces.append(rows)
        self._whose.append([recording, added])
        self.count += added

    def take(self, number: int):
        """The first inputs [number, ...]; they are gone then."""
        rows = jax.tree.map(lambda *x: np.concatenate(x), *self._pieces)
        self._pieces = [jax.tree.map(lambda x: x[number:], rows)]
        self.count -= number
        return jax.tree.map(lambda x: x[:number], rows)

    def hand_out(self, found: np.ndarray) -> None:
        """Give each recording what was found of the inputs that were taken."""
        while len(found):
            recording, left = self._whose[0]
            recording.found.append(found[:left])
            taken = len(recording.found[-1])
            found = found[taken:]
            self._whose[0][1] -= taken
            if not self._whose[0][1]:
                self._whose.pop(0)
