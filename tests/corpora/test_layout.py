"""Corpora by a layout: what paths say, labels, what is passed over, and the paper's corpora that come in so."""

import pytest
from trees import manifest, noise, write_text, write_wav

from sejax import corpora
from sejax.errors import InputError

WITHOUT_READER = ("abc", "avic", "des", "sal")


def test_groups_of_the_path_and_the_maps_say_everything(original):
    source = original("layout")
    corpus = corpora.open_corpus("layout", source, layout=source / "layout.yaml", name="mine")
    assert corpus.name == "mine" and corpus.classes == ("anger", "neutral")
    assert [(r.id, r.speaker, r.sex, r.emotion_original, r.emotion) for r in corpus.recordings] == [
        ("01", "f1", "female", "ang", "anger"),
        ("02", "f1", "female", "no", "neutral"),  # YAML would read the label `no` as a boolean
        ("03", "m1", "male", "x", ""),
    ]
    assert corpus.notes == ("1 audio files were passed over, as layout.yaml says",)
    assert [len(utterance.waveform) for utterance in corpus] == [1600] * 3


def test_a_path_alone_makes_ids_and_classes_of_names(tmp_path):
    for name in ("s1/day2/F/Joy.wav", "s2/day1/m/sad.wav", "s2/day2/m/sad.wav"):
        write_wav(tmp_path / "corpus" / name)
    said = "path: (?P<speaker>s.)/(?P<session>[^/]+)/(?P<sex>.)/(?P<label>\\w+)\\.wav\n"
    path = write_text(tmp_path / "a.yaml", said)
    corpus = corpora.open_corpus("layout", tmp_path / "corpus", layout=path)
    assert corpus.classes == ("joy", "sad")
    first = corpus.recordings[0]
    assert (first.id, first.session, first.sex, first.emotion) == ("s1/day2/F/Joy", "day2", "female", "joy")


def test_without_a_label_utterances_are_an_unlabelled_pool(tmp_path):
    write_wav(tmp_path / "corpus" / "a.wav", noise(seed=1))
    path = write_text(tmp_path / "a.yaml", "path: .*\\.wav\n")
    corpus = corpora.open_corpus("layout", tmp_path / "corpus", layout=path)
    assert corpus.classes == () and corpus.recordings[0].emotion == ""


@pytest.mark.parametrize("name", sorted(set(corpora.PUBLISHED)))
def test_each_of_the_papers_corpora_may_come_in_by_a_layout_with_the_papers_classes(name, tmp_path, ffmpeg):
    classes = corpora.PUBLISHED[name].classes
    for number, label in enumerate(reversed(classes)):
        write_wav(tmp_path / "corpus" / f"s{number}" / f"{label}.wav", noise(seed=number))
    path = write_text(tmp_path / "a.yaml", "path: (?P<speaker>s\\d)/(?P<label>[a-z0-9 ]+)\\.wav\n")
    corpus = corpora.open_corpus(name, tmp_path / "corpus", layout=path)
    assert (corpus.name, corpus.classes) == (name, classes)
    assert {item.emotion for item in corpus.recordings} == set(classes)
    samples = corpora.PUBLISHED[name].samples
    assert corpus.notes == ((f"{len(classes)} utterances; the paper has {samples}",) if samples else ())


@pytest.mark.parametrize("name", WITHOUT_READER)
def test_a_folder_of_a_corpus_without_a_reader_asks_for_a_layout_or_a_manifest(name, tmp_path):
    with pytest.raises(InputError, match=rf"corpora/{name}: .*not publicly documented.*--layout=FILE\.yaml.*manifest"):
        corpora.open_corpus(name, tmp_path)


@pytest.mark.parametrize("name", ["enterface", "sal", "smartkom", "susas", "vam"])
def test_a_manifest_goes_before_a_corpuss_own_reader(name, tmp_path):
    path = manifest(tmp_path, f"a0.wav,{corpora.PUBLISHED[name].classes[1]}")
    assert len(corpora.open_corpus(name, path)) == len(corpora.open_corpus(name, tmp_path)) == 1


def test_ratings_of_a_manifest_without_labels_give_quadrants(tmp_path):
    header = "path,speaker,valence,activation"
    path = manifest(tmp_path, "a0.wav,a,-0.5,-0.1", "a1.wav,b,0.5,0.1", "a2.wav,b,0.5,", header=header)
    assert [item.emotion for item in corpora.open_corpus("sal", path).recordings] == ["q3", "q1", ""]
    assert [item.emotion for item in corpora.open_corpus("manifest", path, name="mine").recordings] == ["", "", ""]
    rated = manifest(tmp_path, "a0.wav,a,4.5,3", header=header)
    with pytest.raises(InputError, match=r"line 2: valence 4\.5 and activation 3 lie outside -1 to 1.*label column"):
        corpora.open_corpus("sal", rated)


def test_an_empty_label_of_a_manifest_stays_unlabelled_whatever_its_ratings(tmp_path):
    path = manifest(tmp_path, "a0.wav,,0.5,0.5", header="path,label,valence,activation")
    assert corpora.open_corpus("sal", path).recordings[0].emotion == ""
