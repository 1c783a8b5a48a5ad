"""Runs elsewhere: what is compared, what a record says, and that its page says no more than that."""

import json
import sys
from pathlib import Path

import nbformat
import pytest

from book.tools import elsewhere, notebooks, one_notebook, runs

FIRST = "import math"


def notebook(*sources, tags=()):
    cells = [nbformat.v4.new_code_cell(FIRST)]
    cells += [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def stored(*texts, tags=()):
    """A notebook whose cells have printed these texts."""
    made = notebook(*(f"print({text!r})" for text in texts), tags=tags)
    for cell, text in zip(made.cells[1:], texts):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    return made


def test_text_that_differs_is_found_and_nothing_else():
    assert elsewhere.differences(stored("1\n", "2\n"), ["", "1\n", "2\n"]) == (2, [])
    assert elsewhere.differences(stored("1\n", "2\n"), ["", "1\n", "3\n"]) == (
        2,
        ["code cell 3 shows other text"],
    )
    assert elsewhere.differences(stored("took 3 s\n"), ["", "took 4.5 s\n"]) == (1, [])
    assert elsewhere.differences(stored("1\n", tags=["nbval-ignore-output"]), ["", "2\n"]) == (0, [])


def test_pieces_of_an_output_are_one_text_and_pictures_count_by_their_words():
    cell = nbformat.v4.new_code_cell("")
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="a"),
        nbformat.v4.new_output("stream", name="stderr", text="bar"),
        nbformat.v4.new_output("stream", name="stdout", text="b\n"),
        nbformat.v4.new_output("display_data", data={"image/png": "x", "text/plain": "a map"}),
        nbformat.v4.new_output("display_data", data={"text/html": "<b>"}),
    ]
    assert one_notebook.shown(cell).split() == ["ab", "a", "map"]


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of two notebooks, and where its records are kept."""
    (tmp_path / "chapters" / "exercises").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    for name in ("pyproject.toml", "tests/nbval.cfg"):
        (tmp_path / name).write_text((notebooks.ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    nbformat.write(stored("1\n"), tmp_path / "chapters" / "01_one.ipynb")
    nbformat.write(notebook("2"), tmp_path / "chapters" / "exercises" / "01_one.ipynb")
    return tmp_path


def here(book, name):
    """Run a notebook of the book with this Python. → its entry"""
    return elsewhere.run_one(book / "chapters" / name, Path(sys.executable), {})


def test_a_notebook_is_run_from_an_empty_folder_and_told_apart(book):
    path = book / "chapters" / "01_one.ipynb"
    assert here(book, "01_one.ipynb")["ended"] == "equal"
    assert here(book, "exercises/01_one.ipynb")["ended"] == "ran"
    for source, ended in (
        ("print(2)", "differs"),
        ("1 / 0", "error"),
        ("import os; print(len(os.listdir())+1)", "equal"),
    ):
        changed = notebooks.read(path)
        changed.cells[1].source = source
        nbformat.write(changed, path)
        entry = here(book, "01_one.ipynb")
        assert entry["ended"] == ended, entry
    assert entry["megabytes"] > 10


def record(book, **ended):
    """A record in which notebooks ended so, as they are now."""
    entries = {}
    for key, how in ended.items():
        path = "chapters/exercises/01_one.ipynb" if key == "sheet" else "chapters/01_one.ipynb"
        entries[path] = {
            "segnb": "1 (abc)",
            "date": "2026-11-29",
            "ended": how,
            "why": "" if how in elsewhere.GOOD else "code cell 2 shows other text",
            "compared": 1,
            "seconds": 3,
            "megabytes": 200,
            "cells": elsewhere.fingerprint(notebooks.read(book / path)),
        }
    about = {"title": "Colab", "python": "3.12.1", "device": "cpu", "variables": {"A": "b"}}
    versions = {"torch": "2.11.0"}
    (book / elsewhere.RECORDS).mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, "versions": versions, "notebooks": entries})
    (book / elsewhere.RECORDS / "colab-3.12.json").write_text(text)


def told(book):
    return "\n".join(runs.page_lines())


def test_the_page_tells_what_the_records_say(book):
    assert told(book).startswith("No run elsewhere")
    record(book, chapter="equal", sheet="ran")
    assert "**2 of 2 notebooks ran to their end with every output as stored**." in told(book)
    assert "| [01_one](../chapters/01_one.ipynb) | as stored | 1 | 3 | 200 |" in told(book)
    assert "- When: 29 November 2026\n- Versions: Python 3.12.1, torch 2.11.0\n- segnb: 1 (abc)\n" in told(
        book
    )
    assert "- Set: `A=b`" in told(book)


def test_the_page_hides_nothing(book):
    record(book, chapter="differs")
    assert (
        "**0 of 2 notebooks ran to their end with every output as stored**; 1 did not, 1 not run as it is now"
        in told(book)
    )
    assert "| other text: code cell 2 shows other text |" in told(book)


def test_a_run_of_other_code_counts_for_nothing(book):
    record(book, chapter="equal", sheet="ran")
    assert "29 November 2026, on Python 3.12.1 and torch 2.11.0: every output" in runs.last_run(
        "chapters/01_one"
    )
    changed = notebooks.read(book / "chapters" / "01_one.ipynb")
    changed.cells[1].source = "print(3)"
    nbformat.write(changed, book / "chapters" / "01_one.ipynb")
    assert "**1 of 2 notebooks ran" in told(book)
    assert runs.last_run("chapters/01_one") == ""
    assert runs.last_run("chapters/exercises/01_one") != ""


def test_the_records_that_there_are_can_be_told():
    for name, kept in runs.records().items():
        assert kept["title"] == elsewhere.PLACES[name].title
        assert all(entry["ended"] in runs.WORDS for entry in kept["notebooks"].values())
    assert runs.page_lines()


def test_every_place_has_its_pins():
    for place in elsewhere.PLACES.values():
        assert (notebooks.ROOT / elsewhere.PINS / f"{place.pins}.txt").exists()


def test_the_oldest_are_the_lowest_versions_that_are_allowed():
    def versions(name, sign):
        lines = (notebooks.ROOT / name).read_text(encoding="utf-8").splitlines()
        pairs = [line.split("#")[0].strip().split(sign) for line in lines]
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}

    oldest = versions(f"{elsewhere.PINS}/oldest.txt", "==")
    for name, bound in versions("requirements.txt", ">=").items():
        assert (oldest[name] + ".0").startswith(bound + "."), name


def test_a_stopped_run_goes_on_with_what_is_missing(book, monkeypatch):
    place = elsewhere.Place("Colab", "colab-3.12", "3.12")
    monkeypatch.setattr(elsewhere, "PLACES", {"colab-3.12": place})
    monkeypatch.setattr(elsewhere, "environment", lambda place, folder: Path(sys.executable))
    monkeypatch.setattr(elsewhere, "install", lambda python: ([], []))
    monkeypatch.setattr(elsewhere, "about", lambda place, python: {"title": "Colab"})
    paths, file = notebooks.find(), book / elsewhere.RECORDS / "colab-3.12.json"
    assert elsewhere.go("colab-3.12", paths[:1], book, False) == 0
    first = json.loads(file.read_text())["notebooks"]
    ran = []
    run_one = elsewhere.run_one
    monkeypatch.setattr(elsewhere, "run_one", lambda path, *rest: ran.append(path) or run_one(path, *rest))
    assert elsewhere.go("colab-3.12", paths, book, True) == 0
    assert ran == paths[1:]
    both = json.loads(file.read_text())["notebooks"]
    assert len(both) == 2
    assert both.items() > first.items()
