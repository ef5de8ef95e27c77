from html.parser import HTMLParser

import pytest

from sejax.report.score_tables import recomputed_table
from sejax.report.tables import Strong, Table, against, html, markdown, mean_std, number, plain_text

TABLE = Table(
    "Scores <all>",
    ("scale", "F1", "paper"),
    (("log", Strong("0.951 ± 0.010"), "0.94"), ("mel|htk", "0.900", "–")),
    ("A note & more.",),
)


class Cells(HTMLParser):
    """Collects the text of each table row, and which cells are strong."""

    def __init__(self):
        super().__init__()
        self.rows, self.strong, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data
        if "strong" in self.open:
            self.strong.append(data)


def test_html_has_every_cell_in_place_and_escapes_text():
    text = html(TABLE)
    cells = Cells()
    cells.feed(text)
    assert cells.open == []
    assert cells.rows == [list(TABLE.columns), *map(list, TABLE.rows)]
    assert cells.strong == ["0.951 ± 0.010"]
    assert "Scores &lt;all&gt;" in text
    assert "A note &amp; more." in text


def test_markdown_has_the_same_cells_and_right_aligns_numbers():
    lines = markdown(TABLE).splitlines()
    assert lines[0] == "Scores <all>"
    assert lines[2] == "| scale | F1 | paper |"
    assert lines[3] == "| --- | ---: | ---: |"
    assert lines[4] == "| log | **0.951 ± 0.010** | 0.94 |"
    assert lines[5] == r"| mel\|htk | 0.900 | – |"
    assert lines[7] == "A note & more."


def test_plain_text_stands_in_columns():
    lines = plain_text(TABLE).splitlines()
    assert lines[2:6] == [
        "scale                 F1  paper",
        "-------  ---------------  -----",
        "log      0.951 ± 0.010 *   0.94",
        "mel|htk            0.900      –",
    ]


def test_a_row_of_the_wrong_length_is_an_error():
    with pytest.raises(ValueError, match="2 columns"):
        Table("short", ("a", "b"), (("1",),))


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"mean": 0.94449, "std": 0.0105, "n": 5}, "0.944 ± 0.011"),
        ({"mean": 0.9, "std": 0.0, "n": 1}, "0.900"),
        ({"mean": 0.9, "std": None, "n": 5}, "0.900"),
        ({"mean": None, "std": 0.1, "n": 5}, "–"),
        (None, "–"),
    ],
)
def test_mean_and_deviation_as_text(entry, text):
    assert mean_std(entry) == text


@pytest.mark.parametrize(("paper", "strong"), [(0.93, True), (0.94, True), (0.95, False), (None, False)])
def test_a_mean_at_or_above_the_paper_stands_out(paper, strong):
    assert isinstance(against({"mean": 0.94, "std": 0.01, "n": 5}, paper), Strong) is strong


def test_numbers_too_long_for_a_column_are_written_with_an_exponent():
    assert [number(value) for value in (99999.0, 78215560.0, -1e5)] == ["99999.000", "7.8e+07", "-1.0e+05"]


def test_numbers_that_are_not_finite_are_a_dash():
    assert [number(value) for value in (None, float("nan"), True, "x")] == ["–"] * 4
    assert number(2, 1) == "2.0"


def test_rows_of_recomputed_figures_tell_members_apart_by_what_only_some_have():
    real = {"training": "real", "fold": 0, "metrics": {"test/uar": 0.5}}
    made = [
        {"training": "real+syn", "fold": 0, "lambda_cls": weight, "metrics": {"test/uar": 0.51234, "valid/uar": 0.6}}
        for weight in (0.0, 2.0)
    ]
    table = recomputed_table([real, *made], "Recomputed")
    assert table.columns == ("training", "fold", "lambda_cls", "test/uar", "valid/uar")
    assert table.rows == (
        ("real", "0", "–", "0.5000", "–"),
        ("real+syn", "0", "0.0", "0.5123", "0.6000"),
        ("real+syn", "0", "2.0", "0.5123", "0.6000"),
    )
