"""The paper's table of corpora."""

import pytest
from trees import noise, write_text, write_wav

from sejax.corpora import PUBLISHED, published
from sejax.data.blocks.load import BlockSettings, Spectrograms
from sejax.data.blocks.prepare import prepare_blocks
from sejax.errors import InputError


def test_image_counts_are_those_of_table_1():
    # ABC AVIC DES emoDB eNT SAL SmartKom SUSAS VAM
    counts = [6612, 19440, 5004, 3519, 6099, 12177, 15402, 6285, 5961]
    order = ["abc", "avic", "des", "emodb", "enterface", "sal", "smartkom", "susas", "vam"]
    assert {name: PUBLISHED[name].images for name in PUBLISHED} == dict(zip(order, counts, strict=True))
    assert all(count % 3 == 0 for count in counts)  # three maximum frequencies per block


def test_class_lists_have_the_lengths_of_section_3():
    assert [len(entry.classes) for entry in PUBLISHED.values()] == [6, 3, 5, 7, 6, 4, 7, 4, 4]
    assert all(len(set(entry.classes)) == len(entry.classes) for entry in PUBLISHED.values())


def test_an_unknown_name_lists_the_nine():
    with pytest.raises(InputError, match="abc, avic, des, emodb, enterface, sal, smartkom, susas, vam"):
        published("iemocap")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_prepared_set_has_the_papers_classes_in_its_order_whichever_occur(name, tmp_path):
    classes = PUBLISHED[name].classes
    for number, label in enumerate((classes[-1], classes[0])):  # the others have no recording here
        write_wav(tmp_path / "corpus" / f"s{number}" / f"{label}.wav", noise(1.1, seed=number))
    layout = write_text(tmp_path / "a.yaml", "path: (?P<speaker>s\\d)/(?P<label>[a-z0-9 ]+)\\.wav\n")
    settings = BlockSettings(voice_activity=None, fmax=(8000.0,))
    folder = prepare_blocks(name, tmp_path / "corpus", tmp_path / "data", settings=settings, layout=layout)
    prepared = Spectrograms.load(folder)
    assert prepared.classes == classes  # as many outputs as the network of `corpus=NAME` gets
    assert sorted(prepared.utterance_label) == [0, len(classes) - 1]
