"""Crops of utterance spectrograms: where they start, what they hold, and the host's stream of them."""

import fractions
import importlib.util
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_speech
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sejax.core.experiment import Plan
from sejax.data.crops import (
    JoinedFrames,
    crop_data,
    crop_starts,
    evaluation_starts,
    joined_crops,
    oversampled,
    read_crops,
    stream_crops,
)
from sejax.errors import InputError

FLOOR = 2048  # dB of dynamic range in which every frame below has a level of its own


def coded(lengths, spans=None):
    """Utterances whose frames say where they come from: level -(300 u + 2 t + band) dB, 2 bands, maximum 0."""
    level = [-(300 * u + 2 * np.arange(n)[:, None] + np.arange(2)) for u, n in enumerate(lengths)]
    spans = spans or [[(0, n)] for n in lengths]
    start, end = np.array([span for of in spans for span in of], np.float32).T
    return {
        "frames": np.concatenate(level).astype(np.float16),
        "first": (np.cumsum(lengths) - lengths).astype(np.int32),
        "length": np.array(lengths, np.int32),
        "maximum": np.zeros(len(lengths), np.float32),
        "span_start": start,
        "span_end": end,
        "span_first": (np.cumsum([len(of) for of in spans]) - [len(of) for of in spans]).astype(np.int32),
        "span_count": np.array([len(of) for of in spans], np.int32),
    }


def expected_crop(lengths, utterance, start, width):
    """[2, width], frame by frame in plain Python: the level's code, or None beyond the utterance."""
    return [
        [
            -(300 * utterance + 2 * t + band) if 0 <= t < lengths[utterance] else -FLOOR
            for t in range(start, start + width)
        ]
        for band in range(2)
    ]


def mixed(x):
    """The hash, in Python's own whole numbers."""
    x = ((x ^ x >> 16) * 0x7FEB352D) % 2**32
    x = ((x ^ x >> 15) * 0x846CA68B) % 2**32
    return x ^ x >> 16


def expected_start(seed, place, spans, length, width):
    """Where a crop starts, in plain Python."""
    golden = 0x9E3779B9
    bits = mixed(seed ^ mixed(place * golden % 2**32))
    first, last = spans[mixed((bits + golden) % 2**32) % len(spans)]
    first, last = (int(fractions.Fraction(float(np.float32(edge))) * 64) for edge in (first, last))
    moment = (first + mixed((bits + 2 * golden) % 2**32) % max(last - first, 1)) // 64
    if length < width:
        return -((width - length + 1) // 2)
    return min(max(moment - width // 2, 0), length - width)


utterances = st.integers(1, 140).flatmap(
    lambda length: st.tuples(
        st.just(length),
        st.lists(
            st.tuples(st.floats(0, length, width=32), st.floats(0, length, width=32)).map(sorted),
            min_size=1,
            max_size=4,
        ),
    )
)


@given(
    st.lists(utterances, min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**31 - 64),
    st.sampled_from([2, 9, 64]),
)
def test_crops_start_where_plain_python_says_and_hold_their_own_utterance_alone(made, seed, place, width):
    lengths, spans = map(list, zip(*made, strict=True))
    data = coded(lengths, spans)
    utterance = (np.arange(12) % len(lengths)).astype(np.int32)
    places = place + np.arange(12, dtype=np.int32)
    start = crop_starts(np.uint32(seed), places, utterance, data, width=width)
    assert start.dtype == np.int32
    read = read_crops(data, utterance, start, width=width, dynamic_range=FLOOR)
    level = read.astype(np.float64) * (FLOOR / 2) - FLOOR / 2
    for crop, row, begin, at in zip(level, utterance, start, places, strict=True):
        assert begin == expected_start(seed, int(at), spans[row], lengths[row], width)
        np.testing.assert_array_equal(crop, expected_crop(lengths, row, begin, width))
        inside = (crop[0] > -FLOOR).sum()  # whole where the utterance is long enough, else all of the utterance
        assert inside == min(width, lengths[row])


@pytest.mark.parametrize("width", [64, 128])
def test_the_device_gives_equal_starts_and_equal_bits(width):
    data = crop_data(toy_speech.rated())
    resident = jax.device_put(data)
    seed = np.array([3, 2**32 - 1], np.uint32)
    place = 2**31 - 200 + np.arange(120, dtype=np.int32).reshape(2, 60)
    utterance = np.random.default_rng(0).integers(0, 60, (2, 60)).astype(np.int32)

    @jax.jit
    @jax.vmap
    def on_device(seed, place, utterance):
        start = crop_starts(seed, place, utterance, resident, width=width)
        return start, read_crops(resident, utterance, start, width=width, dynamic_range=73.0)

    start, read = on_device(seed, place, utterance)
    host = crop_starts(seed[:, None], place, utterance, data, width=width)
    np.testing.assert_array_equal(start, host)
    crops = read_crops(data, utterance, host, width=width, dynamic_range=73.0)
    assert crops.shape == (2, 60, 128, width)
    np.testing.assert_array_equal(np.asarray(read).view(np.int32), crops.view(np.int32))
    assert -1 <= crops.min() < -0.9 and 0.9 < crops.max() <= 1


def test_levels_are_below_the_utterances_maximum():
    data = coded([4]) | {"maximum": np.array([10], np.float32)}
    data["frames"] = np.array([[10], [-10], [-50], [-90]], np.float16)
    read = read_crops(data, np.int32(0), np.int32(-1), width=6, dynamic_range=80.0)
    np.testing.assert_array_equal(read, [[-1, 1, 0.5, -0.5, -1, -1]])


WORDS = [(100, 110), (200.25, 270.75), (300, 300), (400, 430)]


def moments(seed, place):
    data = coded([1000], [WORDS])
    return crop_starts(seed, place, np.zeros(np.broadcast_shapes(seed.shape, place.shape), np.int32), data, width=2) + 1


@pytest.mark.parametrize("vary", ["place", "seed"])
def test_words_are_equally_likely_and_so_is_every_moment_of_a_word(vary):
    number = np.arange(40000)
    fixed = np.array([7])
    seed, place = (fixed, number) if vary == "place" else (number, fixed)
    found = moments(seed.astype(np.uint32), place.astype(np.int32))
    word = np.searchsorted([150, 290, 350], found)
    assert stats.chisquare(np.bincount(word, minlength=4)).pvalue > 1e-3
    assert set(found[word == 2]) == {300}
    counts = np.bincount(found[word == 1] - 200, minlength=71)
    share = np.array([0.75, *[1] * 69, 0.75])  # of its first and last frame a word holds three quarters
    assert stats.chisquare(counts, share / share.sum() * counts.sum()).pvalue > 1e-3
    neighbours = np.zeros((4, 4))
    np.add.at(neighbours, (word[:-1], word[1:]), 1)
    assert stats.chi2_contingency(neighbours).pvalue > 1e-3


def test_words_and_moments_in_them_are_independent():
    found = moments(np.array([1], np.uint32), np.arange(40000, dtype=np.int32))
    word = np.searchsorted([150, 290, 350], found)
    first, last = (found[word == w] - int(WORDS[w][0]) for w in (0, 3))
    assert stats.chisquare(np.bincount(first, minlength=10)).pvalue > 1e-3
    assert stats.chisquare(np.bincount(last // 3, minlength=10)).pvalue > 1e-3


def test_seeds_have_crops_of_their_own():
    place = np.arange(2000, dtype=np.int32)
    one, other = (moments(np.array([seed], np.uint32), place) for seed in (1, 2))
    assert (one == other).mean() < 0.4  # a quarter of each is the word of one moment: a sixteenth agrees by that


def test_evaluation_crops_are_evenly_spaced_from_end_to_end():
    length = np.array([164, 64, 63, 10], np.int32)
    starts = evaluation_starts(length, count=5, width=64)
    np.testing.assert_array_equal(starts, [[0, 25, 50, 75, 100], [0] * 5, [-1] * 5, [-27] * 5])
    np.testing.assert_array_equal(evaluation_starts(length, count=1, width=64), [[50], [0], [-1], [-27]])
    assert starts.dtype == np.int32
    jitted = jax.jit(lambda x: evaluation_starts(x, count=5, width=64))
    np.testing.assert_array_equal(jitted(jnp.asarray(length)), starts)


@given(st.integers(1, 2**31 - 1), st.integers(1, 40))
def test_evaluation_crops_of_any_length_stay_inside(length, count):
    (starts,) = evaluation_starts(np.array([length], np.int32), count=count, width=128)
    assert len(starts) == count and (np.diff(starts) >= 0).all()
    if length < 128:
        assert (starts == -((128 - length + 1) // 2)).all()
    else:
        wanted = [(length - 128) * k // (count - 1) for k in range(count)] if count > 1 else [(length - 128) // 2]
        np.testing.assert_array_equal(starts, wanted)


def test_chosen_utterances_are_the_same_utterances():
    speech = toy_speech.rated()
    whole, rows = crop_data(speech), np.array([17, 3, 59])
    chosen = crop_data(speech, rows)
    assert whole["frames"] is speech.frames
    assert len(chosen["frames"]) == chosen["length"].sum() == whole["length"][rows].sum()
    utterance, place = np.arange(30, dtype=np.int32) % 3, np.arange(30, dtype=np.int32)
    starts = crop_starts(np.uint32(0), place, utterance, chosen, width=16)
    np.testing.assert_array_equal(starts, crop_starts(np.uint32(0), place, rows[utterance], whole, width=16))
    crops = read_crops(chosen, utterance, starts, width=16)
    np.testing.assert_array_equal(crops, read_crops(whole, rows[utterance], starts, width=16))


def test_joined_sets_give_the_crops_of_each():
    sets = [crop_data(toy_speech.rated()), crop_data(toy_speech.unlabelled())]
    joined = joined_crops(sets)
    place = np.arange(24, dtype=np.int32)
    for data, before in zip(sets, (0, 60), strict=True):
        starts = crop_starts(np.uint32(0), place, place, data, width=32)
        np.testing.assert_array_equal(crop_starts(np.uint32(0), place, place + before, joined, width=32), starts)
        np.testing.assert_array_equal(
            read_crops(joined, place + before, starts, width=32), read_crops(data, place, starts, width=32)
        )


def test_more_frames_than_can_be_numbered_are_refused():
    class Many:
        """Stands for frames that no test could hold."""

        shape = (2**31, 128)

        def __len__(self):
            return 2**31

    with pytest.raises(InputError, match="rated: 2147483648 frames"):
        crop_data(replace(toy_speech.rated(), frames=Many()))


bins = st.lists(st.integers(0, 4), min_size=1, max_size=60)


@given(bins, st.floats(0, 1))
def test_oversampling_keeps_every_row_and_evens_counts_out(bin, balance):
    bin = np.array(bin)
    rows = oversampled(bin, balance=balance)
    assert rows.dtype == np.int32 and (np.diff(rows) >= 0).all()
    times = np.bincount(rows, minlength=len(bin))
    assert times.min() >= 1
    largest = np.bincount(bin).max()
    for value in np.unique(bin):
        of = times[bin == value]
        assert of.max() - of.min() <= 1
        assert abs(of.sum() - len(of) ** (1 - balance) * largest**balance) <= 0.5 + 1e-9


def test_oversampling_at_its_ends():
    bin = np.array([0] * 10 + [1] * 3 + [2])
    np.testing.assert_array_equal(oversampled(bin, balance=0.0), np.arange(14))
    np.testing.assert_array_equal(np.bincount(bin[oversampled(bin)]), [10, 10, 10])
    for bad, balance in ((bin, 1.5), (bin[:0], 0.5)):
        with pytest.raises(InputError, match="use 0 to 1, and at least one row"):
            oversampled(bad, balance=balance)


pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="tensorflow is not installed")

WIDTH = 48


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two sets whose frames lie on the disk."""
    made = {}
    for name, speech in (("labelled", toy_speech.rated()), ("unlabelled", toy_speech.unlabelled())):
        file = tmp_path_factory.mktemp("frames") / f"{name}.npy"
        np.save(file, speech.frames)
        made[name] = crop_data(speech) | {"frames": np.load(file, mmap_mode="r")}
    return made


def plans_of(parts, *, count=5, members=2):
    """Plans of 6 labelled and 4 unlabelled crops for each member."""
    random = np.random.default_rng(0)
    for number in range(count):
        index = {}
        for name, size in (("labelled", 6), ("unlabelled", 4)):
            utterance = random.integers(0, len(parts[name]["length"]), (members, size)).astype(np.int32)
            place = np.arange(number * size, (number + 1) * size, dtype=np.int32)
            start = crop_starts(np.uint32(1), place, utterance, parts[name], width=WIDTH)
            index[name] = {"utterance": utterance, "start": start}
        yield Plan(index, random.random((members, 6)) < 0.8)


def test_batches_equal_those_gathered_on_the_device_bit_for_bit(parts):
    resident = jax.device_put(parts)

    @jax.jit
    def gather(index):
        return {
            name: read_crops(resident[name], at["utterance"], at["start"], width=WIDTH) for name, at in index.items()
        }

    plans = list(plans_of(parts))
    batches = list(stream_crops(iter(plans), sets=parts, width=WIDTH))
    assert len(batches) == len(plans)
    for plan, batch in zip(plans, batches, strict=True):
        assert set(batch) == {"labelled", "unlabelled", "index", "valid"}
        for name, crops in gather(plan.index).items():
            assert batch[name].dtype == np.float32 and batch[name].shape == crops.shape
            np.testing.assert_array_equal(batch[name].view(np.int32), np.asarray(crops).view(np.int32))
        jax.tree.map(np.testing.assert_array_equal, batch["index"], plan.index)
        np.testing.assert_array_equal(batch["valid"], plan.valid)


def test_only_the_frames_asked_for_are_read(parts):
    read = []

    class Recorded(np.memmap):
        """Keeps what is asked of the file."""

        def __getitem__(self, rows):
            found = np.asarray(super().__getitem__(rows))
            read.append(len(found))
            return found

    recorded = {name: data | {"frames": data["frames"].view(Recorded)} for name, data in parts.items()}
    plans = list(plans_of(parts, count=2))
    assert len(list(stream_crops(plans, sets=recorded, width=WIDTH))) == 2
    assert 0 < sum(read) <= 2 * 2 * (6 + 4) * WIDTH


def test_no_plans_are_no_batches(parts):
    assert list(stream_crops(iter(()), sets=parts, width=WIDTH)) == []


def test_joined_frames_are_read_as_their_copy_is():
    random = np.random.default_rng(3)
    sets = [random.normal(size=(rows, 4)).astype(np.float16) for rows in (5, 1, 7)]
    joined, whole = JoinedFrames(sets), np.concatenate(sets)
    assert joined.shape == whole.shape and joined.dtype == whole.dtype and len(joined) == 13
    for start in range(13):
        for stop in range(start, 14):
            np.testing.assert_array_equal(joined[start:stop], whole[start:stop])
    np.testing.assert_array_equal(joined[:1], whole[:1])


def test_crops_of_joined_sets_are_streamed_from_where_the_sets_lie(parts):
    sets = [parts["labelled"], parts["unlabelled"], parts["labelled"]]
    there, copied = joined_crops(sets, copied=False), joined_crops(sets)
    assert isinstance(there["frames"], JoinedFrames) and there.keys() == copied.keys()
    both = {"labelled": parts["labelled"], "unlabelled": copied}
    plans = [plan._replace(index={"all": plan.index["unlabelled"]}) for plan in plans_of(both)]
    batches = [list(stream_crops(plans, sets={"all": data}, width=WIDTH)) for data in (there, copied)]
    for ours, theirs in zip(*batches, strict=True):
        np.testing.assert_array_equal(ours["all"], theirs["all"])
