"""Which chunks train, validate and test."""

import numpy as np
import pytest
import tones

from sejax.errors import InputError
from sejax.experiments.transfer.split import balanced_split

IMAGES = (36, 12, 12)


def shared(of, part, a, b):
    return set(of[part == a]) & set(of[part == b])


@pytest.mark.parametrize("protocol", ["utterance", "chunk", "speaker"])
@pytest.mark.parametrize("draw", [0, 3, 7])
def test_every_part_has_as_many_chunks_as_asked_for_and_as_many_of_each_class(protocol, draw):
    chunks = tones.spectrograms(120)
    part = balanced_split(chunks, images=IMAGES, protocol=protocol, seed=0, draw=draw)
    for kind, number in enumerate(IMAGES):
        np.testing.assert_array_equal(np.bincount(chunks.label[part == kind]), [number // 3] * 3)
    assert (part == -1).sum() == 120 - sum(IMAGES)


def test_utterances_and_speakers_are_kept_apart_where_the_protocol_says_so():
    chunks = tones.spectrograms(120)
    parts = {name: balanced_split(chunks, images=IMAGES, protocol=name, seed=0, draw=0) for name in
             ("utterance", "speaker", "chunk")}
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not shared(chunks.utterance, parts["utterance"], a, b)
        assert not shared(chunks.speaker, parts["speaker"], a, b)
        assert shared(chunks.utterance, parts["chunk"], a, b)


def test_draws_differ_and_repeat():
    chunks = tones.spectrograms(120)
    draws = [balanced_split(chunks, images=IMAGES, protocol="utterance", seed=0, draw=draw) for draw in range(7)]
    again = balanced_split(chunks, images=IMAGES, protocol="utterance", seed=0, draw=3)
    np.testing.assert_array_equal(draws[3], again)
    assert len({draw.tobytes() for draw in draws}) == 7
    tested = [set(chunks.utterance[draw == 2]) for draw in draws[:5]]
    assert all(not tested[a] & tested[b] for a in range(5) for b in range(a))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"protocol": "block"}, "utterance, chunk, speaker"),
        ({"images": (36, 12)}, "three multiples of 3"),
        ({"images": (37, 12, 12)}, "three multiples of 3"),
        ({"images": (600, 12, 12)}, "asks for 200 chunks of class 'anger' and there are"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_numbers(options, said):
    with pytest.raises(InputError, match=said):
        balanced_split(
            tones.spectrograms(120), **{"images": IMAGES, "protocol": "utterance", "seed": 0, "draw": 0} | options
        )
