"""MELD: tables and files joined by part, the two utterances that nobody has, and the published counts."""

import pytest
from corpus_trees import MELD_ROWS
from trees import write_text, write_wav

from sejax import corpora
from sejax.corpora.meld import COUNTS
from sejax.errors import InputError

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"


def test_tables_and_files_are_joined_by_part(whole):
    corpus = corpora.open_corpus("meld", whole("meld"))
    found = [(item.id, item.speaker, item.emotion, item.split) for item in corpus.recordings]
    assert found == [
        ("train_dia0_utt0", "Monica", "joy", "train"),
        ("train_dia0_utt1", "Ross", "anger", "train"),
        ("dev_dia0_utt0", "Ross", "neutral", "valid"),
        ("test_dia0_utt0", "Monica", "surprise", "test"),
    ]
    assert corpus.recordings[0].transcript == "Well, it’s me"
    assert corpus.notes == (
        "train_dia125_utt3, dev_dia110_utt7 cannot be had from the distribution and were passed over",
    )
    digests = {utterance.waveform.tobytes() for utterance in corpus}
    assert len(digests) == 4  # dia0_utt0 is another in every part


def test_the_published_counts_are_those_of_the_three_parts():
    sums = {part: sum(n for name, n in COUNTS.items() if name.endswith(part)) for part in ("train", "dev", "test")}
    assert sums == {"train": 9989, "dev": 1109, "test": 2610}


def table(folder, part, *rows):
    write_text(folder / f"{part}_sent_emo.csv", "\n".join([HEADER, *rows]) + "\n")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "test_sent_emo.csv").unlink(), r"no test_sent_emo\.csv under .*MELD\.Raw"),
        (
            lambda d: (d / "train/train_splits/dia0_utt1.wav").unlink(),
            r"3 of 4 utterances under .*: no wav file of train_dia0_utt1; make a wav file of every mp4",
        ),
        (
            lambda d: table(d, "test", "1,Oh!,Monica,bliss,positive,0,0"),
            r"line 2: unknown emotion 'bliss' \(known: anger",
        ),
        (lambda d: table(d, "test", "1,Oh!,Monica,joy,positive,a,0"), r"line 2: Dialogue_ID is 'a', not a number"),
        (
            lambda d: table(d, "test", *MELD_ROWS["test"] * 2),
            r"line 3: dialogue and utterance of test_dia0_utt0 are there tw",
        ),
        (
            lambda d: table(d, "test", "1,Oh!,Monica,joy,positive,0,0"),
            r"0 of 1 surprise in test; copy the three tables",
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(whole, damage, words):
    source = whole("meld")
    damage(source)
    with pytest.raises(InputError, match=words):
        corpora.open_corpus("meld", source)


def test_files_may_lie_in_folders_called_as_the_parts(whole):
    source = whole("meld")
    before = corpora.open_corpus("meld", source).digest()
    (source / "output_repeated_splits_test").rename(source / "test")
    (source / "dev/dev_splits_complete").rename(source / "dev/audio")
    assert corpora.open_corpus("meld", source).digest() == before
    write_wav(source / "elsewhere" / "dia9_utt9.wav")
    assert len(corpora.open_corpus("meld", source)) == 4
