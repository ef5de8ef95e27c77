"""The paper's table of corpora."""

import pytest

from sejax.corpora import PUBLISHED, published
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
