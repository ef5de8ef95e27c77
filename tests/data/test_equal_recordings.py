"""Recordings of equal samples under two ids: said when a set is prepared, and known to it."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import toy_speech
import toy_vectors

from sejax.core.files import read_json, write_json
from sejax.data.store.sets import check_apart
from sejax.data.vectors.load import emotional, join
from sejax.data.waveforms.load import Waveforms
from sejax.data.waveforms.prepare import prepare_waveforms
from sejax.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The set of four recordings, of which the first is there again under another speaker and label."""
    source = tmp_path_factory.mktemp("source")
    random = np.random.default_rng(0)
    for number in range(3):
        soundfile.write(source / f"u{number}.wav", random.integers(-3000, 3000, 8000).astype(np.int16), 16000)
    shutil.copy(source / "u0.wav", source / "u3.wav")
    rows = ["u0.wav,a,joy", "u1.wav,a,joy", "u2.wav,b,sadness", "u3.wav,b,sadness"]
    (source / "small.csv").write_text("\n".join(["path,speaker,label", *rows]) + "\n")
    return prepare_waveforms("manifest", source / "small.csv", tmp_path_factory.mktemp("data"), name="small")


def test_equal_samples_have_equal_digests_and_are_named(folder):
    found = Waveforms.load(folder)
    digest = dict(zip(found.utterance_ids, found.digests, strict=True))
    assert digest["u0"] == digest["u3"] and len(set(found.digests)) == 3
    assert "equal       u0 (joy) = u3 (sadness): the same samples; remove all but one of each" in found.describe()
    assert "equal" not in replace(found, digests=tuple("abcd")).describe()


def test_a_set_of_a_version_without_digests_is_read_and_says_nothing(folder, tmp_path):
    older = shutil.copytree(folder, tmp_path / folder.name)
    index = read_json(older / "index.json", "")
    del index["digests"]
    write_json(older / "index.json", index)
    found = Waveforms.load(older)
    assert found.digests == () and "equal" not in found.describe()


def test_joined_and_chosen_utterances_keep_their_digests():
    sets = [toy_vectors.emotional(name) for name in ("one", "other")]
    sets = [replace(each, digests=tuple(name[-3:] for name in each.utterance_ids)) for each in sets]
    both = join([emotional([each]) for each in sets])
    assert both.digests == tuple(name[-3:] for name in both.utterance_ids)
    assert join([sets[0], replace(sets[1], digests=())]).digests == ()


def test_corpora_that_share_a_recording_are_refused():
    speech, other = toy_speech.rated(), toy_speech.unlabelled()
    one = replace(speech, digests=tuple(f"{n}" for n in range(len(speech.label))))
    two = replace(other, digests=tuple(f"{n - 1}" for n in range(len(other.label))))
    names = f"{speech.utterance_ids[0]} of rated and {other.utterance_ids[1]} of plain"
    with pytest.raises(InputError, match=f"{names} have the same samples"):
        check_apart(one, two)
    check_apart(speech, other)
    check_apart(one, replace(two, digests=tuple(f"x{n}" for n in range(len(other.label)))))
