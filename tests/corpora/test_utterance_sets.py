"""Utterance spectrograms of corpora that come with word times and ratings, from trees in their original formats."""

import numpy as np
import pytest
from corpus_trees import IEMOCAP_TIMES, write_text
from trees import noise, write_wav

from sejax.core.files import read_json
from sejax.data.utterances.load import UtteranceSpectrograms, find_utterance_spectrograms
from sejax.data.utterances.prepare import prepare_utterances
from sejax.data.waveforms.load import find_waveforms
from sejax.data.waveforms.prepare import prepare_waveforms
from sejax.errors import InputError

WAV = "Session1/sentences/wav/Ses01F_impro01"


@pytest.fixture
def iemocap(whole):
    """The tree of IEMOCAP with two turns of 1.2 s: one aligned, and one of noise between silence that is not."""
    source = whole("iemocap")
    write_wav(source / WAV / "Ses01F_impro01_F000.wav", noise(1.2))
    between = np.concatenate([np.zeros(4800, np.int16), noise(0.6), np.zeros(4800, np.int16)])
    write_wav(source / WAV / "Ses01F_impro01_M002.wav", between)
    return source


def spans(prepared, name):
    """start and end of an utterance's spans in seconds, and whether they are words."""
    number = prepared.utterance_ids.index(name)
    rows = slice(*prepared.span_offset[number : number + 2])
    seconds = 0.016 * np.stack([prepared.span_start[rows], prepared.span_end[rows]], axis=1)
    return seconds, prepared.aligned[number]


def test_iemocap_brings_ratings_sessions_and_word_times(iemocap, tmp_path):
    folder = prepare_utterances("iemocap", iemocap, tmp_path / "data")
    prepared = UtteranceSpectrograms.load(folder)
    assert len(prepared.utterance_ids) == 12 and prepared.aligned.sum() == 1
    first, second = (prepared.utterance_ids.index(f"Ses01F_impro01_{turn}") for turn in ("F000", "M002"))
    for name, values in {"valence": (2.5, 1.0), "activation": (2.0, 4.0), "dominance": (2.5, 4.0)}.items():
        np.testing.assert_array_equal(getattr(prepared, name)[[first, second]], values)
    assert prepared.sessions == tuple(f"Session{number}" for number in range(1, 6))
    assert (
        prepared.speakers[prepared.speaker[second]] == "Session1_M"
        and prepared.sessions[prepared.session[0]] == "Session1"
    )
    seconds, aligned = spans(prepared, "Ses01F_impro01_F000")
    assert aligned
    np.testing.assert_allclose(seconds, [(0.27, 0.52), (0.62, 0.82)], atol=1e-6)
    assert (
        "rated       12 utterances: valence 1 to 4.5, activation 2 to 4, dominance 2.5 to 4"
        in UtteranceSpectrograms.load(folder).describe()
    )


def test_a_turn_of_iemocap_without_an_alignment_has_its_voiced_stretches(iemocap, tmp_path):
    prepared = UtteranceSpectrograms.load(prepare_utterances("iemocap", iemocap, tmp_path / "data"))
    seconds, aligned = spans(prepared, "Ses01F_impro01_M002")
    assert not aligned and len(seconds) == 1
    np.testing.assert_allclose(seconds[0], (0.3, 0.9), atol=0.2)
    assert seconds[0, 0] > 0.2
    path = iemocap / "Session1/sentences/ForcedAlignment/Ses01F_impro01/Ses01F_impro01_M002.wdseg"
    write_text(path, IEMOCAP_TIMES)
    folder = prepare_utterances("iemocap", iemocap, tmp_path / "data")
    seconds, aligned = spans(UtteranceSpectrograms.load(folder), "Ses01F_impro01_M002")
    assert aligned and len(seconds) == 2


@pytest.mark.parametrize(
    ("prepare", "find"), [(prepare_utterances, find_utterance_spectrograms), (prepare_waveforms, find_waveforms)]
)
def test_a_set_of_one_rule_of_word_times_is_not_taken_for_one_of_the_other(iemocap, tmp_path, prepare, find):
    data, times = tmp_path / "data", {}
    old = prepare("iemocap", iemocap, data, word_times="frame")
    assert "read" not in read_json(old / "settings.json", "")  # as sets of earlier versions
    with pytest.raises(InputError, match=r"of iemocap with .*word_times=note under.*--word_times=note"):
        find(data, "iemocap")
    assert find(data, "iemocap", word_times="frame").folder == str(old)
    new = prepare("iemocap", iemocap, data)
    assert new != old and read_json(new / "settings.json", "")["read"] == {"word_times": "note"}
    assert find(data, "iemocap").folder == str(new)
    assert find(data, "iemocap", word_times="frame").folder == str(old)
    for folder in (old, new):
        times[folder] = np.load(next(folder.glob("*_start.npy")))
    shift = 0.02 / (0.016 if prepare is prepare_utterances else 1.0)  # in frames of the spectrogram, or seconds
    spans = slice(0, 2)
    np.testing.assert_allclose((times[new] - times[old])[spans], shift, atol=1e-4)


def test_a_set_without_an_alignment_is_found_by_either_rule(iemocap, tmp_path):
    (iemocap / "Session1/sentences/ForcedAlignment/Ses01F_impro01/Ses01F_impro01_F000.wdseg").unlink()
    folders = {prepare_waveforms("iemocap", iemocap, tmp_path / "data", word_times=rule) for rule in ("note", "frame")}
    assert len(folders) == 1
    assert {find_waveforms(tmp_path / "data", "iemocap", word_times=rule).folder for rule in ("note", "frame")} == {
        str(folder) for folder in folders
    }


def test_ami_brings_words_inside_their_segments_and_no_ratings(whole, tmp_path):
    folder = prepare_utterances("ami", whole("ami"), tmp_path / "data")
    prepared = UtteranceSpectrograms.load(folder)
    np.testing.assert_array_equal(prepared.aligned, [True, True, False, True, True])
    seconds, _ = spans(prepared, "ES2002a-A-000015-000170")
    np.testing.assert_allclose(seconds, [(0.35, 0.65), (0.7, 0.95), (1.0, 1.45)], atol=1e-6)
    assert np.isnan(prepared.valence).all() and (prepared.label == -1).all() and prepared.classes == ()
    assert prepared.speakers == ("FEE005", "FIE037", "MEE006", "MIO020")
    assert prepared.sex == ("female", "female", "male", "female")
    assert "rated       0 utterances" in UtteranceSpectrograms.load(folder).describe()
