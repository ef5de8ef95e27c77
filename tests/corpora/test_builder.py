"""Utterance sets: TFDS's own reader gives back every field, at random positions, without TensorFlow."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from trees import manifest, noise, write_wav

from sejax import corpora
from sejax.core.files import read_json
from sejax.corpora import builder as module
from sejax.corpora import records
from sejax.corpora.builder import build, builder, records_of
from sejax.corpora.corpus import Recording, Utterance, Word, with_waveform
from sejax.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def corpus(tmp_path):
    header = "path,label,id,speaker,session,sex,start,end,transcript,valence,activation,dominance,split"
    rows = [f'a.wav,{label},u{i},s{i % 2},1,m,0.{i},1.{i},"Grüße, {i}",1.5,,4,train' for i, label in enumerate("xyx")]
    write_wav(tmp_path / "source" / "a.wav", noise(2.0))
    return corpora.open_corpus("manifest", manifest(tmp_path / "source", *rows, header=header), name="c")


def same(first: Utterance, second: Utterance) -> bool:
    for field in fields(Utterance):
        one, two = getattr(first, field.name), getattr(second, field.name)
        if not (np.array_equal(one, two) if field.name == "waveform" else one == two or (one != one and two != two)):
            return False
    return True


def test_random_access_gives_back_every_field(corpus, tmp_path):
    source = build(corpus, tmp_path / "data").as_data_source(split="train")
    assert len(source) == 3
    for index in (2, 0, 1):
        assert same(records.from_example(source[index]), corpus.decode(corpus.recordings[index]))


def test_words_ratings_and_rater_labels_survive(tmp_path):
    recording = Recording(
        id="u", rater_labels=("a", "", "ü"), words=(Word("ja", 0.25, 1 / 3), Word("nein", 1 / 3, 0.9)), valence=2.5
    )
    one = corpora.Corpus(
        name="one", classes=(), recordings=(recording,), decode=lambda r: with_waveform(r, noise(0.3), 16000)
    )
    (example,) = build(one, tmp_path / "data").as_data_source(split="train")
    utterance = records.from_example(example)
    assert same(utterance, one.decode(recording))
    assert utterance.words == recording.words and utterance.rater_labels == recording.rater_labels


def test_a_record_has_the_bytes_of_tfdss_own_serializer(corpus, tmp_path):
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    made = build(corpus, tmp_path / "data")
    writer, features = ExampleSerializer(made.info.features.get_serialized_info()), made.info.features
    for recording, record in zip(corpus.recordings, records_of(made), strict=True):
        utterance = corpus.decode(recording)
        example = writer.get_tf_example(features.encode_example(records.to_example(utterance, corpus)))
        assert records.to_record(utterance, corpus) == example.SerializeToString(deterministic=True) == record
        assert same(records.from_record(record), utterance)


def test_tfds_reads_the_folder_without_sejax(corpus, tmp_path):
    folder = build(corpus, tmp_path / "data").data_dir
    script = (
        "import sys, tensorflow_datasets as tfds\n"
        f"builder = tfds.builder_from_directory({folder!r})\n"
        "source = builder.as_data_source(split='train')\n"
        "print(len(source), source[1]['id'].decode(), source[1]['waveform'].dtype)\n"
        "print(builder.info.features['label'].names, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[-3:-1] == ["3 u1 int16", "['x', 'y'] False"]


def test_tfds_generator_interface_yields_the_same_examples(corpus, tmp_path):
    made = builder(corpus, tmp_path / "data")
    examples = [example for _, example in made._split_generators(None)["train"]]
    assert [example["id"] for example in examples] == ["u0", "u1", "u2"]
    assert [example["label"] for example in examples] == [0, 1, 0]


def test_shards_split_the_corpus_and_keep_its_order(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEAST", 1.5)
    made = build(corpus, tmp_path / "data")
    assert made.info.splits["train"].shard_lengths == [2, 1]
    assert [example["id"] for example in made.as_data_source(split="train")] == [b"u0", b"u1", b"u2"]
    assert not list(Path(made.data_dir).parent.glob("shards"))


def test_a_second_build_decodes_nothing(corpus, tmp_path):
    first = build(corpus, tmp_path / "data").data_dir
    calls = []
    again = corpora.Corpus(**{**vars(corpus), "decode": calls.append})
    assert build(again, tmp_path / "data").data_dir == first
    assert calls == []


def test_a_set_made_without_some_recordings_is_not_taken_for_a_whole_one(tmp_path):
    path = manifest(tmp_path / "source", "a0.wav,x", "a1.wav,x")
    write_wav(tmp_path / "source" / "a1.wav", np.zeros(1600, np.int16))
    corpus = corpora.open_corpus("manifest", path, name="c")
    with pytest.raises(InputError, match=r"a1\.wav: silent"):
        build(corpus, tmp_path / "data")
    assert not list((tmp_path / "data" / "c").glob("*/*"))
    made = build(corpus, tmp_path / "data", allow_partial=True)
    assert len(made.as_data_source(split="train")) == 1
    assert "a1.wav" in (Path(made.data_dir) / module.LEFT_OUT).read_text()
    with pytest.raises(InputError, match=r"left_out\.csv lists.*--allow_partial"):
        build(corpus, tmp_path / "data")


def test_a_corpus_of_which_nothing_can_be_decoded_is_named_file_by_file(tmp_path):
    path = manifest(tmp_path / "source", "a0.wav,x", "a1.wav,x")
    for name in ("a0", "a1"):
        write_wav(tmp_path / "source" / f"{name}.wav", np.zeros(1600, np.int16))
    corpus = corpora.open_corpus("manifest", path, name="c")
    with pytest.raises(
        InputError, match=r"no recording can be used: 2 inputs.*a0\.wav: silent.*a1\.wav: silent"
    ) as caught:
        build(corpus, tmp_path / "data", allow_partial=True)
    assert "--allow_partial" not in str(caught.value)


def test_utterances_that_were_clipped_are_counted_in_a_note(tmp_path):
    path = manifest(tmp_path / "source", "a0.wav,x", "loud.wav,x", "louder.wav,x")
    for name, peak in (("loud", 1.5), ("louder", 1.8)):
        values = np.array([0.5] * 3000 + [peak] * 1000 + [-peak] * (1000 if peak > 1.6 else 0))
        write_wav(tmp_path / "source" / f"{name}.wav", values, subtype="FLOAT")
    made = build(corpora.open_corpus("manifest", path, name="c"), tmp_path / "data")
    (note,) = module.clipping(made)
    assert note.startswith("2 utterances have samples beyond full scale, which were clipped (the most of louder, 40.0")
    assert read_json(Path(made.data_dir) / module.CLIPPED, "") == {"loud": 0.25, "louder": 0.4}


def test_two_processes_do_not_write_one_set(corpus, tmp_path):
    made = builder(corpus, tmp_path / "data")
    with (
        module.only_one(Path(made.data_dir).parent / ".lock"),
        pytest.raises(InputError, match="being prepared by another process"),
    ):
        build(corpus, tmp_path / "data")
