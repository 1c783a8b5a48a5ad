"""The page of symptoms and cures: every row names a test or an exercise, and all of them exist."""

import re

import pytest

from book.tools import notebooks
from segnb.exercises import registry

PAGE = (notebooks.ROOT / "book" / "when_it_does_not_learn.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!what you see)\S", line)]


@pytest.fixture(scope="module")
def tests():
    """The names of all test functions of the course."""
    files = (notebooks.ROOT / "tests").rglob("test_*.py")
    return {
        name
        for path in files
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }


def test_there_are_rows():
    assert len(ROWS) >= 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_a_symptom_has_a_check_a_cure_and_a_place_where_it_is_shown(row, tests):
    symptom, check, cure, shown = (cell.strip() for cell in row.strip("|").split("|"))
    assert all((symptom, check, cure))
    names = re.findall(r"`(\w+)`", shown)
    assert names
    for name in names:
        assert name in (tests if name.startswith("test_") else registry)
