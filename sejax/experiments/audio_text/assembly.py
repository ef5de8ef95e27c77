"""From a config and a prepared set of waveforms with transcripts to one Assembly for each way of fusing them."""

import functools
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from sejax.audio.samples import RATE
from sejax.core.experiment import Assembly
from sejax.core.rng import root_key
from sejax.data.buckets import Buckets, Pieces, choose_buckets, cut
from sejax.data.folds import TRAIN, VALIDATION
from sejax.data.labels import choose_classes
from sejax.data.store.joined import find_corpora
from sejax.data.streams import read_batch, stream_utterances
from sejax.data.text import word_types
from sejax.data.waveforms.load import Waveforms, find_waveforms
from sejax.data.waveforms.pieces import pieces_of
from sejax.data.word_vectors import WordVectors, read_word_vectors, recognised
from sejax.errors import InputError
from sejax.experiments import HeldOut, Posteriors, Study, Transcribed
from sejax.experiments.audio_text.algorithm import Method, Settings, planned_source
from sejax.experiments.audio_text.explanation import explain
from sejax.experiments.audio_text.hearing import States, named_encoder, sound_of, states_of
from sejax.experiments.audio_text.members import Split, choose_examples, make_members, split
from sejax.experiments.audio_text.networks import EMBEDDING, Network
from sejax.experiments.audio_text.report import REPORT
from sejax.experiments.audio_text.results import Summary, about, batches_in_words, described_piece
from sejax.experiments.methods import compared, dtype_of, experiment_of, gain_limits, rate_members, settings_of
from sejax.experiments.speech_encoders import frozen_states, load_encoder
from sejax.models.audio_text import FUSIONS, AudioText

_SIZES = ("kernels", "channels", "strides", "widths")


def variants(config) -> dict[str, ConfigDict]:
    """A config for each way of fusing in a run, by its name.

    Raises:
      InputError: one twice, or an unknown one; an encoder that is not there.
    """
    found = compared(config, "fusions", "fusion", known=FUSIONS)
    for own in found.values():
        named_encoder(own)
    return found


def build(config, data_dir: Path) -> Assembly:
    """One way of fusing (a config of `variants`) on the prepared set that it asks for.

    Raises:
      InputError: no such prepared set, word vectors that cannot be read, folds that cannot be had.
    """
    if config.vectors:
        recognised(Path(config.vectors))  # before anything is read
    speech = _find(config, data_dir)
    vectors = None
    if config.vectors:
        vectors = _vectors(config.vectors, word_types(speech.transcripts)[0])
    assembly = assemble(config, speech, vectors)
    _say_once(batches_in_words(assembly.about["data"]))
    return assembly


def _find(config, data_dir: Path) -> Waveforms:
    find = functools.partial(find_waveforms, data_dir, level=config.level, word_times=config.word_times)
    return find_corpora(find, config.corpus, config.test)


@functools.lru_cache(maxsize=1)
def _vectors(path: str, types: tuple[str, ...]) -> WordVectors:
    """Read once for all ways of fusing."""
    return read_word_vectors(path, types)


@functools.lru_cache(maxsize=1)
def _say_once(text: str) -> None:
    print(text, file=sys.stderr)


def assemble(config, speech: Waveforms, vectors: WordVectors | None = None) -> Assembly:
    """As `build`, from a prepared set and word vectors at hand."""
    check(config, vectors)
    speech = labelled(config, speech)
    types, ids = word_types(speech.transcripts)
    pieces = cut(speech, ids, longest=round(config.longest * RATE), most_words=config.most_words)
    folds = split(config, speech, ids, max(len(types), 1))
    buckets = chosen_buckets(config, speech, pieces, folds)
    rows, example = choose_examples(speech, pieces, folds.part, each=config.examples)
    names, members = make_members(config, folds, pieces, example)
    label = speech.label[pieces.utterance]
    stream = functools.partial(
        stream_utterances, waveform=speech.waveform, pieces=pieces, buckets=buckets, label=label
    )
    lengths = batch_counts(config, members["part"])
    encoder, states = named_encoder(config), None
    variables = load_encoder(encoder, seed=config.seed) if encoder else None
    if encoder and not config.encoder.rate:
        states = states_of(config, speech, pieces, rows, example[0], encoder, variables)
        stream, variables = functools.partial(stream, states=states.pieces), None
    network = trained_network(config, len(speech.classes), rows=max(one.size for one in folds.vocabularies))
    return Assembly(
        experiment=experiment_of(Method(network, method_settings(config), config.batch_size, lengths)),
        train=planned_source("order", buckets, stream=stream),
        valid=planned_source("validation", buckets, batches=lengths[1], stream=stream),
        whole=planned_source("held_out", buckets, batches=lengths[2], stream=stream),
        data=resident(speech, pieces, buckets, label, rows, vectors, states)
        | ({"encoder": variables["params"]} if variables else {}),
        members=members,
        names=names,
        streams=tuple(int(draw) for draw in members["draw"]),
        iterations=1,
        epochs=config.epochs,
        batch_size=config.batch_size,
        summarise=Summary(speech, pieces, types, ids, rows, example[0]),
        about=about(config, speech, pieces, buckets, folds, types, ids, vectors, encoder),
    )


def labelled(config, speech: Waveforms) -> Waveforms:
    """The prepared set with the classes of a config."""
    return choose_classes(speech, config.classes)


def held_out(config, data_dir: Path) -> HeldOut:
    """What each member tests; see `sejax.experiments.HeldOut`."""
    speech = labelled(config, _find(config, data_dir))
    types, ids = word_types(speech.transcripts)
    folds = [{"part": part} for part in split(config, speech, ids, max(len(types), 1)).part]
    rates = tuple(config.learning_rates)
    names, members = rate_members({"fusion": config.fusion}, folds, seeds=config.seeds, rates=rates)
    return HeldOut(speech, names, members["part"], speech.utterance, {"": speech.label})


def check(config, vectors: WordVectors | None) -> None:
    """Raises InputError for word vectors of another size."""
    if vectors is not None and vectors.values.shape[1] != config.embedding:
        size = vectors.values.shape[1]
        raise InputError(f"config: embedding={config.embedding}, and vectors={config.vectors} has {size}; use {size}")


def method_settings(config) -> Settings:
    """The method's numbers of a config."""
    tuned = config.tuned or not config.vectors
    given = {"tuned": tuned, "random_gain": gain_limits(config), "noise_snr": tuple(config.noise_snr)}
    given["encoder_rate"] = config.encoder.rate if named_encoder(config) else 0.0
    return settings_of(Settings, config, **given)


def trained_network(config, num_classes: int, *, rows: int) -> Network:
    """The network of a config (one of `variants`), with so many rows of word vectors.

    Raises:
      InputError: sizes that the network cannot have.
    """
    model = AudioText(
        config.fusion,
        num_classes,
        rows,
        embedding=config.embedding,
        sound=sound_of(config),
        dtype=dtype_of(config),
        **{name: tuple(config[name]) for name in _SIZES},
        **{name: config[name] for name in ("pool", "gru", "gru_summary", "maps", "hidden", "dropout")},
        **{name: config[name] for name in ("pool_padding", "shared_attention")},
    )
    network = Network(model)
    jax.eval_shape(network.init, root_key(0))  # sizes are checked here, before anything is trained
    return network


def chosen_buckets(config, speech: Waveforms, pieces: Pieces, folds: Split) -> Buckets:
    """Shapes for the pieces of labelled utterances: those that pad the folds' training batches least."""
    used = speech.label[pieces.utterance] >= 0
    return choose_buckets(
        pieces.length[used],
        pieces.word_count[used],
        shapes=config.shapes,
        batch_size=config.batch_size,
        active=folds.part[:, pieces.utterance[used]] == TRAIN,
    )


def batch_counts(config, part: np.ndarray) -> tuple[int, int, int]:
    """Batches of an epoch, of a validation, and of validation and test part: the most that a member i8[M, N] has."""
    counts = ((part == TRAIN).sum(1), (part == VALIDATION).sum(1), (part >= VALIDATION).sum(1))
    return tuple(int(-(-count.max() // config.batch_size)) for count in counts)


def resident(
    speech, pieces: Pieces, buckets: Buckets, label, examples, vectors, states: States | None = None
) -> dict[str, Any]:
    """What the device holds: everything but the samples, of which there is one to trace with.

    The same with what a frozen encoder hears, where it is what batches hold.
    """
    # Beyond 37 hours places do not fit 32 bits; the device reads none of them, batches come from the disk.
    number = {"start": np.minimum(pieces.start, np.iinfo(np.int32).max), "first_word": pieces.first_word}
    number |= {"length": pieces.length, "word_count": pieces.word_count, "utterance": pieces.utterance}
    bucket = np.zeros(len(label), np.int32)
    bucket[label >= 0] = buckets.of(pieces.length[label >= 0], pieces.word_count[label >= 0])
    own = None if states is None else states.pieces
    explained = read_batch(speech.waveform, pieces, buckets, examples, np.ones(len(examples), bool), states=own)
    named = ("length", "words", "word_count", "waveform" if states is None else "states")
    explained = {name: explained[name] for name in named} | ({} if states is None else {"quiet": states.quiet})
    found = {
        "waveform": np.zeros(1, np.int16),
        "words": np.resize(pieces.words, max(len(pieces.words), 1)).astype(np.int32),
        "label": label.astype(np.int32),
        "bucket": bucket,
        "utterance_label": speech.label.astype(np.int32),
        "examples": explained,
    }
    if states is not None:
        found["states"] = np.zeros((1, *states.pieces.shape[1:]), np.float32)
    found |= {name: values.astype(np.int32) for name, values in number.items()}
    return found if vectors is None else found | {"vectors": vectors.values}


def posteriors(config, num_classes: int) -> Posteriors:
    """How a trained member classifies utterances; see `sejax.experiments.Posteriors`."""
    encoder, shared, states = named_encoder(config), {}, None
    if encoder and not config.encoder.rate:
        shared = load_encoder(encoder, seed=config.seed)
        states = frozen_states(encoder, dtype=dtype_of(config))

    def trained(state):
        """What a member infers with: its network, params, statistics, and rows of words, unknown ones last."""
        text = state["params"].get("text")
        network = trained_network(config, num_classes, rows=len(text[EMBEDDING]["embedding"]) if text else 1)
        statistics = {"running": {}} | state["statistics"]  # text alone has none, which checkpoints do not keep
        return network, state["params"], statistics, jnp.append(state["lookup"], 0)

    def apply(state, shared, batch):
        network, params, statistics, lookup = trained(state)
        if states:
            batch = batch | {"states": states(shared, batch["waveform"], batch["length"])}
        return jax.nn.softmax(network.infer(params, statistics, batch, lookup)["logits"])

    def explained(state, shared, batch, decided):
        network, params, statistics, lookup = trained(state)
        encode = functools.partial(states, shared) if states else None
        return explain(network, params, statistics, batch, lookup, decided, encode)

    bounds = {"longest": round(config.longest * RATE), "most_words": config.most_words}
    ignored = {"audio": "text", "text": "audio"}.get(config.fusion, "")
    transcribed = Transcribed(functools.partial(pieces_of, **bounds), explained, described_piece, ignored)
    return Posteriors(("params", "statistics", "lookup"), shared, apply, transcribed=transcribed)


STUDY = Study(
    build=build,
    report=REPORT,
    variants=variants,
    member_fields={"learning_rate": "learning_rates"},
    validation_figures=("valid/uar", "valid/accuracy", "valid/macro_f1", "valid/loss"),
    posteriors=posteriors,
    held_out=held_out,
)
