"""The table of marks, as a spreadsheet opens it, and the journal by which a broken-off run goes on."""

import csv
import io
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from segnb.exercises.grading.class_list import readable
from segnb.exercises.grading.marking import HUMAN

COLUMNS = ("student", "exercise", "points", "max", "how found", "first failed hint", "seconds", "notes")
FORMULA = tuple("=+-@|%＝＋－＠")
LONGEST = 2_000  # letters in a cell
FEW = 5  # names in a note


def harmless(value) -> Any:
    """A cell of the table on one line, which no spreadsheet takes for a formula and no terminal for a command."""
    if not isinstance(value, str):
        return value
    text = readable(" ".join(value.split()))[:LONGEST]
    return f"'{text}" if text.startswith(FORMULA) else text


def rows_of(result: dict) -> list[tuple]:
    """The lines of one person: one an exercise, and one for everything that a person must look at."""
    student, notes = result["student"], "; ".join(result["notes"])
    rows = [(student, "", "", "", how, problem, "", notes) for how, problem in result["problems"]]
    for mark in result["marks"]:
        of_mark = "; ".join([*result["notes"], *mark["notes"]])
        rows.append(
            (
                student,
                mark["exercise"],
                mark["points"],
                mark["max"],
                mark["how"],
                mark["hint"],
                mark["seconds"],
                of_mark,
            )
        )
    return rows


def summary(result: dict) -> str:
    marks = result["marks"]
    text = f"{harmless(result['student'])}: {sum(m['points'] for m in marks):g} of {sum(m['max'] for m in marks)}"
    ways = dict.fromkeys(how for how, _ in result["problems"])
    return ", ".join([text, *ways])


def lines(rows: list[tuple]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([harmless(value) for value in row] for row in rows)
    return text.getvalue()


def note_twins(results: list[dict]) -> None:
    """Add a note wherever the answers of two people to one exercise are the same text, comments and layout aside."""
    groups = defaultdict(list)
    for result in results:
        for exercise, digest in result.get("digests", {}).items():
            groups[exercise, digest].append(result)
    for (exercise, _), alike in groups.items():
        for result in alike if len(alike) > 1 else []:
            others = [harmless(other["student"]) for other in alike if other is not result]
            more = f" and {len(others) - FEW} others" if len(others) > FEW else ""
            (mark,) = [mark for mark in result["marks"] if mark["exercise"] == exercise]
            mark["notes"].append(f"the same text as {', '.join(others[:FEW])}{more}")


class Table:
    """grades.csv, written person by person, and beside it grades.csv.part, which says who is done.

    The journal's first line is what the marks depend on; it is left behind by a run that was broken off, and the next one
    with the same settings begins with its people.
    """

    def __init__(self, path: Path, settings: dict):
        self.path, self.journal = path, path.with_name(path.name + ".part")
        self.done: dict[str, dict] = {}
        head = json.dumps(settings, sort_keys=True)
        self._recall(head)
        self._write(list(self.done.values()))
        with self.journal.open("w", encoding="ascii") as journal:
            entries = [json.dumps({"stamp": stamp, "result": result}) for stamp, result in self.done.items()]
            journal.write("\n".join([head, *entries]) + "\n")

    def _recall(self, head: str) -> None:
        if not self.journal.is_file():
            return
        first, *others = self.journal.read_text(encoding="ascii", errors="replace").splitlines() or [""]
        for line in others if first == head else []:
            try:
                entry = json.loads(line)
            except ValueError:
                break  # the line that was being written
            self.done[entry["stamp"]] = entry["result"]

    def add(self, stamp: str, result: dict) -> None:
        """One more person: first to the table, then to the journal, each in one piece."""
        with self.path.open("a", newline="", encoding="utf-8") as table:
            table.write(lines(rows_of(result)))
        with self.journal.open("a", encoding="ascii") as journal:
            journal.write(json.dumps({"stamp": stamp, "result": result}) + "\n")
        self.done[stamp] = result

    def finish(self, results: list[dict]) -> None:
        """The whole table in its final order, with the notes that compare people; the journal is not needed any more."""
        self._write(results)
        self.journal.unlink()

    def _write(self, results: list[dict]) -> None:
        partial = self.path.with_name(self.path.name + ".new")
        with partial.open("w", newline="", encoding="utf-8-sig") as table:  # with the mark that Excel needs
            table.write(lines([COLUMNS, *(row for result in results for row in rows_of(result))]))
        os.replace(partial, self.path)


def human(problems: list[str]) -> list[tuple[str, str]]:
    return [(HUMAN, problem) for problem in problems]
