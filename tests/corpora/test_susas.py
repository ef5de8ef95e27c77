"""SUSAS: folders of conditions, what is left out, SPHERE in two codings, and the published counts."""

import pytest
from trees import write_wav

from sejax import corpora
from sejax.corpora import susas


def test_the_four_conditions_have_the_papers_3593_words():
    assert sum(susas.RECORDINGS.values()) == corpora.PUBLISHED["susas"].samples == 3593
    assert tuple(susas.CONDITIONS.values()) == corpora.PUBLISHED["susas"].classes
    assert len(set(susas.WORDS)) == 35


def test_conditions_become_the_papers_classes(whole):
    corpus = corpora.open_corpus("susas", whole("susas"))
    assert {item.id: item.emotion for item in corpus.recordings} == {
        "f1_neutral_break1": "neutral",
        "f1_medst_histog12": "medium stress",
        "m4_medst_destin1": "medium stress",
        "m4_hist_oh1": "high stress",
        "f3_scream_no2": "screaming",
    }
    word = next(item for item in corpus.recordings if item.id == "m4_medst_destin1")
    assert (word.speaker, word.sex, word.transcript) == ("m4", "male", "destination")


def test_free_fall_pilots_other_words_and_simulated_stress_are_passed_over(whole):
    notes = corpora.open_corpus("susas", whole("susas")).notes
    assert sorted(notes) == [
        "1 files in free fall were passed over",
        "1 files of helicopter pilots were passed over",
        "1 files of the simulated part were passed over",
        "2 files outside the vocabulary (*_oov_all) were passed over",
    ]


def test_pcm_and_mu_law_are_decoded(whole):
    corpus = corpora.open_corpus("susas", whole("susas"))
    lengths = [len(utterance.waveform) for utterance in corpus]
    assert lengths == [1600] * 5
    assert all(utterance.waveform.std() > 500 for utterance in corpus)


@pytest.mark.parametrize("inner", ["speech", "speech/actual", "speech/actual/roller"])
def test_any_folder_above_the_speakers_will_do(whole, inner):
    source = whole("susas")
    before = corpora.open_corpus("susas", source).digest()
    assert corpora.open_corpus("susas", source / inner).digest() == before


def test_names_in_capitals_as_on_the_disc_are_read(whole):
    source = whole("susas")
    before = corpora.open_corpus("susas", source).digest()
    for path in sorted(source.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.upper()))
    assert corpora.open_corpus("susas", source).digest() == before


def test_converted_wavs_at_another_rate_go_on_with_allow_partial(whole):
    source = whole("susas")
    for path in sorted(source.rglob("*.sph")):
        write_wav(path.with_suffix(".wav"), rate=16000)
        path.unlink()
    corpus = corpora.open_corpus("susas", source, allow_partial=True)
    assert len(corpus) == 5 and "5 of 5 files: not sampled at 8000 Hz" in str(corpus.left_out[0])
