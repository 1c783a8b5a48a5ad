"""`segnb grade` on a class of honest, damaged and hostile submissions: everybody has a row, and nothing is harmed."""

import csv
import os
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from segnb.exercises import grading
from segnb.exercises.grading import walls, watch
from segnb.exercises.grading.class_list import owner, readable
from segnb.exercises.grading.table import harmless
from tests.exercises.grading import corpus, promises

FLAG = "--i-trust-this-code"
LIMITS = ["--cpu-seconds", "3", "--seconds", "30"]


def rows_by_student(path):
    rows: dict[str, list[dict]] = {}
    with path.open(newline="", encoding="utf-8-sig") as table:
        for row in csv.DictReader(table):
            rows.setdefault(row["student"], []).append(row)
    return rows


def label(student):
    """A student's name as it stands in the table."""
    return harmless(readable(owner(student)[1][0]))


def state(home):
    """Everything beside the results that a submission might change: path → size, age and kind."""
    outside = {"grades.csv", "reports"}
    places = [Path(where, name) for where, _, names in os.walk(home) for name in names]
    kept = [path for path in places if path.relative_to(home).parts[0] not in outside]
    package = list(Path(grading.__file__).parents[2].rglob("*.py"))
    found = {os.fsencode(path): path.lstat() for path in kept + package}
    return {path: (kind.st_mode, kind.st_size, kind.st_mtime_ns) for path, kind in found.items()}


def spent():
    """Seconds of processor time that the processes started by this one have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def left_behind(before):
    """Processes below this one that were not there before, those among them that their parents gave up."""
    return [
        process
        for process in watch.family(os.getpid())
        if process not in before and not watch.finished(process)
    ]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The corpus graded in one go: rows by student, entries, what was printed, processor time, and what was harmed."""
    home = tmp_path_factory.mktemp("class")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        folder, entries = corpus.lay_out(home, server.getsockname()[1])
        before = state(home)
        walls.adopt_orphans()
        running = watch.family(os.getpid())
        (home / "temporary").mkdir()
        command = [
            sys.executable,
            "-m",
            "segnb",
            "grade",
            str(folder),
            "--out",
            str(home / "grades.csv"),
            FLAG,
            *LIMITS,
        ]
        command += ["--exercises", str(home / "private.py"), "--reports", str(home / "reports")]
        environment = os.environ | {
            "MY_SECRET": "of the teacher",
            "SEGNB_DATA": "generated",
            "TMPDIR": str(home / "temporary"),
        }
        start = spent()
        run = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=corpus.ROOT, errors="replace"
        )
        seconds = spent() - start
        assert run.returncode == 0, run.stdout + run.stderr
        harmed = []
        try:
            server.accept()
            harmed.append("somebody reached the network")
        except BlockingIOError:
            pass
    after = state(home)
    harmed += [
        f"{path} was changed" for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    ]
    harmed += [f"process {process} is still running" for process in left_behind(running)]
    harmed += [f"{path.name} was left behind" for path in (home / "temporary").iterdir()]
    text = (home / "grades.csv").read_text(encoding="utf-8-sig")
    harmed += [f"{word!r} came out" for word in ("teacher's secret", "of the teacher") if word in text]
    return {"rows": rows_by_student(home / "grades.csv"), "entries": entries, "printed": run.stdout, "home": home,
            "errors": run.stderr, "seconds": seconds, "harmed": harmed}  # fmt: skip


def test_nothing_is_harmed_and_the_class_is_done_in_time(graded):
    assert graded["harmed"] == []
    assert graded["seconds"] < 200  # of two cores: well under two minutes, whatever else they do meanwhile
    assert "students: 100%" in graded["errors"]


def test_everybody_has_a_row(graded):
    assert sorted(graded["rows"]) == sorted({label(student) for student in graded["entries"]})


@pytest.mark.parametrize("student", list(corpus.all_entries()), ids=ascii)
def test_what_becomes_of_a_submission(graded, student):
    entry, rows = graded["entries"][student], graded["rows"][label(student)]
    if entry.needs_walls and "cannot wall off" in graded["printed"]:
        pytest.skip("this machine cannot keep an answer away from that")
    if entry.points is None:
        assert [row["how found"] for row in rows] == ["needs a human"]
        assert entry.hint in rows[0]["first failed hint"]
        return
    (row,) = [row for row in rows if row["exercise"] == corpus.NAME]
    if entry.points == corpus.PARTLY:
        assert 0 < float(row["points"]) < corpus.FULL
    else:
        assert float(row["points"]) == entry.points, row
    assert entry.hint in row["first failed hint"]
    assert entry.notes in row["notes"]
    assert bool(row["first failed hint"]) == (float(row["points"]) < corpus.FULL)


def test_numbers_belong_to_a_person(graded):
    own = {name: graded["rows"][name][-1] for name in ("ada", "ben", "cem", "stub")}
    assert [row["exercise"] for row in own.values()] == ["net_parameters"] * 4
    assert [float(row["points"]) for row in own.values()] == [1, 1, 0, 0]
    assert own["ada"]["notes"] == ""
    assert own["ben"]["notes"] == "signed 'ada', the name of ada"
    assert own["cem"]["notes"] == "has the number of ada"
    assert own["stub"]["first failed hint"] == "not written yet"


def test_the_table_opens_in_a_spreadsheet(graded):
    path = graded["home"] / "grades.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbfstudent,")
    with path.open(newline="", encoding="utf-8-sig") as table:
        cells = [cell for row in csv.reader(table) for cell in row]
    assert [cell for cell in cells if re.match(r"\s*[=+\-@]", cell) or not cell.isprintable()] == []
    assert not (graded["home"] / "grades.csv.part").exists()


def test_everybody_has_a_report_without_notes(graded):
    pages = {path.name: path.read_text(encoding="utf-8") for path in (graded["home"] / "reports").iterdir()}
    assert len(pages) == len(graded["rows"])
    assert "[c:-c]" in pages["wrong_on_equal_sizes.html"]
    assert "3 of 3 points" in pages["ada.html"]
    assert "the name of" not in pages["ben.html"]
    assert not [name for name, page in pages.items() if "<script>" in page]


def test_the_page_for_teachers_tells_what_this_run_found(graded):
    assert promises.block(promises.counted(graded)) in promises.PAGE.read_text(encoding="utf-8"), (
        "book/what_the_grader_promises.md is stale: python -m tests.exercises.grading.promises"
    )
