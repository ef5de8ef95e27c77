"""What a run says of its speech, its batches and its words: in results.json, and before it trains."""

from pathlib import Path
from typing import Any

import numpy as np

from sejax.data.buckets import Buckets, Pieces, epoch_batches, padding, shapes
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.store.sets import RATE
from sejax.data.waveforms.load import Waveforms
from sejax.data.word_vectors import coverage
from sejax.experiments.audio_text.members import Split
from sejax.experiments.audio_text.results import waveform_statistics


def about(
    config, speech: Waveforms, pieces: Pieces, buckets: Buckets, folds: Split, types, ids, vectors
) -> dict[str, Any]:
    """What the results file says about the data and the paper."""
    labelled = speech.label >= 0
    protocol = config.protocol
    if protocol == "speaker" and len({speech.sessions[number] for number in speech.session[labelled]} - {""}) > 1:
        protocol = "session"
    first = folds.part[0][pieces.utterance] == TRAIN
    bucket = np.where(first, buckets.of(pieces.length * first, pieces.word_count * first), 0)
    batches = int(-(-first.sum() // config.batch_size))
    epoch = epoch_batches(np.uint32(0), bucket, first, batch_size=config.batch_size, batches=batches)
    covered = None
    if vectors is not None:
        counts = np.bincount(np.concatenate([np.zeros(0, np.int32), *ids]), minlength=len(types))
        covered = {"file": Path(config.vectors).name, **coverage(vectors.found, counts)}
    return {
        "corpus": config.corpus,
        "protocol": protocol,
        "classes": list(speech.classes),
        "unit": "utterance",
        "paper": {},
        "types": list(types),  # what prediction looks words up by
        "data": {
            "utterances": int(labelled.sum()),
            "speakers": len({*speech.speaker[labelled].tolist()}),
            "seconds": round(float(speech.seconds[labelled].sum()), 1),
            "parts": {
                name: (folds.part == kind).sum(1).tolist()
                for name, kind in (("train", TRAIN), ("valid", VALIDATION), ("test", TEST))
            },
            "pieces": int((speech.label[pieces.utterance] >= 0).sum()),
            "waveform_statistics": waveform_statistics(speech),
            "types": len(types),
            "words": int(sum(len(words) for words in ids)),
            "without_words": int(sum(not len(ids[number]) for number in np.flatnonzero(labelled))),
            "vocabulary": [one.size for one in folds.vocabularies],
            "vectors": covered,
            "shapes": [list(shape) for shape in shapes(pieces, buckets, *epoch)],
            "padding": padding(pieces, buckets, *epoch),
            "settings": speech.settings,
        },
    }


def described(data) -> str:
    """The numbers of batches, words and word vectors that decide how long a run takes and what it can know."""
    each = [f"{samples / RATE:.2f} s x {words} words ({batches})" for samples, words, batches in data["shapes"]]
    lines = [
        f"{len(each)} shapes of batches, each compiled once: {', '.join(each)}",
        f"padding: {data['padding']['samples']:.1%} of samples, {data['padding']['words']:.1%} of words",
        f"words: {data['words']} of {data['types']} types; vocabularies of {min(data['vocabulary'])} to "
        f"{max(data['vocabulary'])} rows; {data['without_words']} utterances without words",
    ]
    if data["vectors"]:
        found = data["vectors"]
        lines.append(f"vectors of {found['file']}: {found['types']:.1%} of types, {found['words']:.1%} of words")
    return "\n".join(lines)
