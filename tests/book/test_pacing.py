"""The plan for teachers names sections, demos and sheets that are there."""

import re

import pytest

from book.tools import notebooks

PAGE = (notebooks.ROOT / "book" / "for_teachers.md").read_text(encoding="utf-8")
PLAN = PAGE.split("## A plan for 1, 4, 6 and 12 meetings")[1].split("\n## ")[0]
ROWS = [line.split("|")[1:-1] for line in PLAN.splitlines() if re.match(r"\| \d+ \|", line)]
EVERYWHERE = {"Run all", "Read critically", "If you start here"}


def linked(text):
    """The notebooks that a cell of the table links to."""
    return [
        notebooks.read(notebooks.ROOT / "book" / link)
        for link in re.findall(r"\((\.\./[^)]+\.ipynb)\)", text)
    ]


def test_there_are_plans_for_1_4_6_and_12_meetings():
    numbers = [int(row[0]) for row in ROWS]
    assert numbers == [*range(1, 2), *range(1, 5), *range(1, 7), *range(1, 13)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1].split("]")[0].strip(" ["))
def test_a_row_names_what_is_there(row):
    _, chapter, demos, sheet, skip = row
    lectures = linked(chapter)
    titles = {title for lecture in lectures for _, title in notebooks.headings(lecture)}
    assert set(re.findall(r"\*([^*]+)\*", chapter + skip)) - EVERYWHERE <= titles
    code = "\n".join(cell.source for lecture in lectures for cell in notebooks.code_cells(lecture))
    assert all(f"segnb.demos.{name}(" in code for name in re.findall(r"`(\w+)`", demos))
    assert len(linked(sheet)) == sheet.count(".ipynb")
