"""EmoBox's lists: folds, label maps, speakers, and lines that contradict each other."""

import json

import pytest
from trees import noise, write_bytes, write_wav

from sejax import corpora
from sejax.errors import InputError

LABELS = {"ang": "Angry", "hap": "Happy", "neu": "Neutral"}


def line(number, emotion, **more):
    said = {"key": f"toy-{number}", "dataset": "toy", "wav": f"downloads/toy/{number}.wav", "type": "raw"}
    said |= {"sample_rate": 16000, "num_frame": 16000.0, "task": "category", "length": 1.0, "emo": emotion}
    return said | {"channel": 1} | more


def lists(folder, folds, speakers=("s1", "s1", "s2", "s2")):
    """EmoBox with one corpus: `folds` has the lines of each part by fold and part; returns the corpus's folder."""
    source = folder / "EmoBox" / "data" / "toy"
    for (fold, part), lines in folds.items():
        path = source / f"fold_{fold}" / f"toy_{part}_fold_{fold}.jsonl"
        text = "".join(f"{said if isinstance(said, str) else json.dumps(said)}\n" for said in lines)
        write_bytes(path, text.encode())
    write_bytes(source / "label_map.json", json.dumps(LABELS).encode())
    if speakers:
        rows = [f"toy-{n} 1 {name} 0 1.0 <id=toy-{n},lang=en> ang\n" for n, name in enumerate(speakers)]
        write_bytes(source / "data.seg.wrd.stm", "".join(rows).encode())
    for number in range(4):
        write_wav(folder / "EmoBox" / "downloads" / "toy" / f"{number}.wav", noise(1.0, seed=number))
    return source


EMOTIONS = ("ang", "hap", "ang", "neu")


def two_folds(folder, **how):
    utterances = [line(number, emotion) for number, emotion in enumerate(EMOTIONS)]
    halves = utterances[:2], utterances[2:]
    parts = [("train", "test"), ("test", "train")]
    folds = {
        (fold, part): half for fold, names in enumerate(parts, 1) for part, half in zip(names, halves, strict=True)
    }
    return lists(folder, folds, **how)


def test_folds_labels_and_speakers(tmp_path):
    corpus = corpora.open_corpus("emobox", two_folds(tmp_path))
    assert (corpus.name, corpus.classes, corpus.notes) == ("emobox_toy", ("angry", "happy", "neutral"), ())
    first, *_, last = corpus.recordings
    assert (first.id, first.emotion_original, first.emotion, first.speaker) == ("toy-0", "Angry", "angry", "s1")
    assert (first.split, last.split) == ("fold_1=train;fold_2=test", "fold_1=test;fold_2=train")
    assert (last.emotion, last.speaker) == ("neutral", "s2")


def test_an_official_validation_part_and_an_utterance_of_one_fold_alone(tmp_path):
    folds = {("1", "train"): [line(0, "ang")], ("1", "valid"): [line(1, "hap")], ("2", "test"): [line(0, "ang")]}
    items = corpora.open_corpus("emobox", lists(tmp_path, folds)).recordings
    assert [item.split for item in items] == ["fold_1=train;fold_2=test", "fold_1=valid"]


def test_labels_may_get_other_names_and_audio_may_lie_elsewhere(tmp_path):
    source = two_folds(tmp_path)
    (tmp_path / "EmoBox" / "downloads").rename(tmp_path / "downloads")
    how = {"audio": str(tmp_path), "labels": ("angry:anger", "neutral:"), "name": "mine"}
    corpus = corpora.open_corpus("emobox", source, **how)
    assert (corpus.name, corpus.classes) == ("mine", ("anger", "happy"))
    assert [item.emotion for item in corpus.recordings] == ["anger", "happy", "anger", ""]


def test_parts_of_long_recordings(tmp_path):
    times = {"length": 0.25, "start_time": 0.5, "end_time": 0.75}
    source = lists(tmp_path, {("1", "train"): [line(0, "ang", **times)]})
    (item,) = corpora.open_corpus("emobox", source).recordings
    assert (item.start, item.end, item.seconds) == (0.5, 0.75, 0.25)


def test_a_wav_stands_for_an_avi(tmp_path):
    source = lists(tmp_path, {("1", "train"): [line(0, "ang", wav="downloads/toy/0.avi")]})
    (item,) = corpora.open_corpus("emobox", source).recordings
    assert item.path.endswith("downloads/toy/0.wav")


def test_without_a_list_of_speakers_a_note_says_what_cannot_be_checked(tmp_path):
    corpus = corpora.open_corpus("emobox", two_folds(tmp_path, speakers=()))
    assert {item.speaker for item in corpus.recordings} == {""}
    assert corpus.notes == ("there is no data.seg.wrd.stm, so speakers are unknown: folds cannot be checked for them",)


def test_of_lists_under_two_names_one_counts(tmp_path):
    source = two_folds(tmp_path)
    old = json.dumps(line(0, "hap"))  # another label than the list of today
    write_bytes(source / "fold_1" / "toy_train_fold1.jsonl", old.encode())
    items = corpora.open_corpus("emobox", source).recordings
    assert len(items) == 4 and items[0].emotion == "angry"


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        ({("1", "train"): ["{"]}, ["toy_train_fold_1.jsonl, line 1: is no JSON", "copy EmoBox's list again"]),
        ({("1", "train"): ["[1]"]}, ["line 1: holds list instead of the fields"]),
        ({("1", "train"): [line(0, "ang", wav=7)]}, ["line 1: wav is 7, not a text"]),
        ({("1", "train"): [line(0, "ang", length="1")]}, ["line 1: length is '1', not a number"]),
        ({("1", "train"): [line(0, "ang", start_time="0")]}, ["line 1: start_time is '0', not a number"]),
        ({("1", "train"): [line(0, "sad")]}, ["line 1: emo is 'sad', which label_map.json lacks", "add it there"]),
        ({("1", "train"): [line(9, "ang")]}, ["line 1: ", "9.wav: no such file", "check the path"]),
        (
            {("1", "train"): [line(0, "ang")], ("1", "test"): [line(0, "ang")]},
            ["toy-0 is in fold_1 twice", "remove one"],
        ),
        (
            {("1", "train"): [line(0, "ang")], ("2", "test"): [line(0, "hap")]},
            ["emo of toy-0 is ", "'hap'", "'ang'"],
        ),
        ({("1", "train"): [line(0, "ang", length=1.3)]}, ["lasts 1.000 s instead of 1.300 s", "its own distribution"]),
    ],
)
def test_what_is_wrong_is_one_line_with_list_line_value_and_remedy(tmp_path, folds, words):
    with pytest.raises(InputError) as caught:
        corpora.open_corpus("emobox", lists(tmp_path, folds))
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_other_folders_are_told(tmp_path):
    with pytest.raises(InputError, match=r"no file .*label_map\.json.*such as data/emodb, as --source"):
        corpora.open_corpus("emobox", tmp_path)
    with pytest.raises(InputError, match=r"no list such as fold_1/toy_train_fold_1\.jsonl under"):
        corpora.open_corpus("emobox", lists(tmp_path, {}))
    source = two_folds(tmp_path / "other")
    write_bytes(source / "data.seg.wrd.stm", b"toy-0\n")
    with pytest.raises(InputError, match=r"data\.seg\.wrd\.stm, line 1: 'toy-0' is not key, channel, speaker"):
        corpora.open_corpus("emobox", source)
    write_bytes(source / "label_map.json", b"[]")
    with pytest.raises(InputError, match=r"label_map\.json is no map of labels to names"):
        corpora.open_corpus("emobox", source)
