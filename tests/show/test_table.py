"""Tables: numbers as they are read, the same in HTML and in text."""

import re

import pytest
import torch

from segnb import show


def test_the_text_twin_is_aligned():
    table = show.table(
        {"U-Net": [31_030_658, [0.88, 0.90]], "FCN": [5, [0.5, 0.5]]}, ["parameters", "F1 & more"]
    )
    assert repr(table) == (
        "       parameters    F1 & more\nU-Net  31,030,658  0.89 ± 0.01\nFCN             5  0.50 ± 0.00"
    )


def test_html_and_text_say_the_same():
    table = show.table({"a<b": {"x": 1.5, "y": "good"}}, decimals=1, corner="net")
    html = table._repr_html_()
    assert re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", html) == ["net", "x", "y", "a&lt;b", "1.5", "good"]
    assert 'scope="row"' in html
    assert repr(table).split() == ["net", "x", "y", "a<b", "1.5", "good"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (1234567, "1,234,567"),
        (torch.tensor(3), "3"),
        (torch.tensor(0.125), "0.12"),
        (3.0, "3.00"),
        (-0.5, "−0.50"),
        (float("nan"), "–"),
        (True, "yes"),
        (None, ""),
        (torch.tensor([1.0, 3.0]), "2.00 ± 1.00"),
    ],
)
def test_values_are_written_as_they_are_read(value, text):
    assert show.table({"row": {"column": value}}).rows == [("row", text)]


def test_columns_choose_and_order_and_decimals_may_differ():
    rows = {"a": {"x": 0.123, "y": 0.456, "z": 0.789}}
    table = show.table(rows, ["z", "x"], decimals={"z": 1})
    assert table.head == ("", "z", "x")
    assert table.rows == [("a", "0.8", "0.12")]


def test_a_table_that_cannot_be_made():
    with pytest.raises(ValueError, match="at least one row"):
        show.table({})
    with pytest.raises(ValueError, match="say what the columns are"):
        show.table({"a": [1, 2]})
    with pytest.raises(ValueError, match="row 'a' has 1 values for 2 columns"):
        show.table({"a": [1]}, ["x", "y"])


def test_a_spread_stays_whole_where_a_column_is_narrow():
    table = show.table({"U-Net": [[0.88, 0.90]]}, ["membrane F1"])
    assert '0.89 <span style="white-space:nowrap">± 0.01</span></td>' in table._repr_html_()
    assert "0.89 ± 0.01" in repr(table)
