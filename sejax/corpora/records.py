"""Utterances as TFDS examples: the feature specification and the way there and back."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from sejax.core.files import printable
from sejax.corpora.corpus import Corpus, Rating, Recording, Utterance, Word, class_index
from sejax.errors import needs

_TEXTS = ("id", "path", "speaker", "sex", "session", "emotion_original", "emotion", "transcript", "split")
_DIMENSIONS = ("valence", "activation", "dominance")
_NUMBERS = ("start", "end", "seconds", *_DIMENSIONS)
_WHOLE = ("rate", "label")
_ARRAYS = {
    **{"waveform": np.int16, "words/start": np.float64, "words/end": np.float64, "ratings/self_report": np.uint8},
    **{f"ratings/{name}": np.float64 for name in _DIMENSIONS},
}
_BETWEEN = ";"  # one rater's labels in one text: no corpus has a semicolon inside a label


def features(classes: tuple[str, ...]):
    """The TFDS features: waveform int16[T], rate in Hz, `label` (index into the classes, -1 = unlabelled), the rest as
    in the utterance record.
    """
    with needs("data"):
        import tensorflow_datasets as tfds

    def tensor(shape, dtype):  # as bytes: tf.train.Example would round float64 to float32
        return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="bytes")

    columns = {name: tfds.features.Text() for name in _TEXTS}
    columns |= {name: tensor((), np.float64) for name in _NUMBERS}
    columns |= {
        "waveform": tensor((None,), np.int16),
        "rate": tfds.features.Scalar(dtype=np.int32),
        "rater_labels": tfds.features.Sequence(tfds.features.Text()),
        "words": {
            "text": tfds.features.Sequence(tfds.features.Text()),
            "start": tensor((None,), np.float64),
            "end": tensor((None,), np.float64),
        },
        "ratings": {
            "rater": tfds.features.Sequence(tfds.features.Text()),
            "labels": tfds.features.Sequence(tfds.features.Text()),
            "self_report": tensor((None,), np.uint8),
            **{name: tensor((None,), np.float64) for name in _DIMENSIONS},
        },
    }
    if classes:
        columns["label"] = tfds.features.ClassLabel(names=list(classes))
    return tfds.features.FeaturesDict(columns)


def to_example(utterance: Utterance, corpus: Corpus) -> dict:
    """An utterance as the dictionary that `features` encodes."""
    example = {name: getattr(utterance, name) for name in (*_TEXTS, *_NUMBERS, "waveform", "rate")}
    example["path"] = printable(utterance.path)  # a folder's name may be no UTF-8
    example["rater_labels"] = list(utterance.rater_labels)
    example["words"] = {
        "text": [word.text for word in utterance.words],
        "start": np.array([word.start for word in utterance.words], np.float64),
        "end": np.array([word.end for word in utterance.words], np.float64),
    }
    example["ratings"] = {
        "rater": [rating.rater for rating in utterance.ratings],
        "labels": [_BETWEEN.join(rating.labels) for rating in utterance.ratings],
        "self_report": np.array([rating.self_report for rating in utterance.ratings], np.uint8),
        **{name: np.array([getattr(rating, name) for rating in utterance.ratings], np.float64) for name in _DIMENSIONS},
    }
    if corpus.classes:
        example["label"] = class_index(corpus.classes, utterance.emotion)
    return example


def to_record(utterance: Utterance, corpus: Corpus) -> bytes:
    """The bytes that TFDS writes of `to_example`, with the protocol buffer's fields in a fixed order: always the same.

    TFDS looks at every value's specification again, which takes longer than a file takes to be decoded.
    """
    with needs("data"):
        from tensorflow_datasets.proto import tf_example_pb2

    example = tf_example_pb2.Example()
    for name, value in _flat(to_example(utterance, corpus)):
        feature = example.features.feature[name]
        if name in _WHOLE:
            feature.int64_list.value.append(value)
        elif name in _NUMBERS:
            feature.bytes_list.value.append(np.float64(value).tobytes())
        elif isinstance(value, np.ndarray):
            feature.bytes_list.value.append(value.tobytes())
        else:
            texts = [value] if isinstance(value, str) else value
            feature.bytes_list.SetInParent()  # of no texts too
            feature.bytes_list.value.extend(text.encode() for text in texts)
    return example.SerializeToString(deterministic=True)


def _flat(example: dict, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in example.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}/")
        else:
            yield f"{before}{name}", value


def from_record(data: bytes) -> Utterance:
    """The utterance that `to_record` wrote, or TFDS."""
    with needs("data"):
        from tensorflow_datasets.proto import tf_example_pb2

    read, example = tf_example_pb2.Example.FromString(data).features.feature, {"words": {}, "ratings": {}}
    for name, feature in read.items():
        group, _, last = name.rpartition("/")
        if name in _WHOLE:
            value = feature.int64_list.value[0]
        else:
            value = list(feature.bytes_list.value)
            if name in _NUMBERS:
                (value,) = np.frombuffer(value[0], np.float64)
            elif name in _ARRAYS:
                value = np.frombuffer(value[0], _ARRAYS[name])
            elif name in _TEXTS:
                (value,) = value
        (example[group] if group else example)[last] = value
    return from_example(example)


def from_example(example: dict) -> Utterance:
    """An utterance from what a TFDS data source returns."""
    words = example["words"]
    rows = zip(words["text"], words["start"], words["end"], strict=True)
    values = {name: _text(example[name]) for name in _TEXTS} | {name: float(example[name]) for name in _NUMBERS}
    values["rater_labels"] = tuple(_text(label) for label in example["rater_labels"])
    values["ratings"] = _ratings(example["ratings"])
    values["words"] = tuple(Word(_text(text), float(start), float(end)) for text, start, end in rows)
    missing = {field.name for field in fields(Recording)} - set(values)
    assert not missing, f"fields without a TFDS feature: {missing}"
    return Utterance(**values, waveform=example["waveform"], rate=int(example["rate"]))


def _ratings(columns: dict) -> tuple[Rating, ...]:
    """Raters' rows from their columns."""
    names = ("rater", "labels", "self_report", *_DIMENSIONS)
    return tuple(
        Rating(
            rater=_text(rater),
            labels=tuple(label for label in _text(labels).split(_BETWEEN) if label),
            self_report=bool(own),
            **{name: float(value) for name, value in zip(_DIMENSIONS, values, strict=True)},
        )
        for rater, labels, own, *values in zip(*(columns[name] for name in names), strict=True)
    )


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
