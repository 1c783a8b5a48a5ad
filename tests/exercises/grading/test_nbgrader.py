"""nbgrader 0.9.6 on our solution notebooks: full marks for right, none for wrong or untouched, and nothing to set.

nbgrader replaces packages that notebooks need, so it lives in an environment of its own, made once in the user's cache.
"""

import copy
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOLUTIONS = sorted((ROOT / "chapters/solutions").glob("*.ipynb"))
VERSION = "0.9.6"
TRIED = "06_unet"  # graded; sheets are made of all


@pytest.fixture(scope="module")
def nbgrader():
    """The nbgrader command. Skipped where it cannot be had; in CI it must be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = Path(os.environ.get("SEGNB_NBGRADER", cache / f"segnb-nbgrader-{VERSION}"))
    if not (home / "bin/nbgrader").exists():
        venv.create(home, with_pip=True, clear=True)
        install = [home / "bin/python", "-m", "pip", "install", "--quiet", f"nbgrader=={VERSION}"]
        done = subprocess.run(install, capture_output=True, text=True)
        if done.returncode and not os.environ.get("CI"):
            pytest.skip("nbgrader cannot be fetched here")
        assert done.returncode == 0, done.stderr
    return home / "bin/nbgrader"


def answer_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]


def filled(sheet, answers):
    """The sheet, every answer cell given the text that `answers` has for its grade_id."""
    sheet = copy.deepcopy(sheet)
    for cell in answer_cells(sheet):
        cell["source"] = answers[cell["metadata"]["nbgrader"]["grade_id"]]
    return sheet


@pytest.fixture(scope="module")
def scores(nbgrader, tmp_path_factory):
    """Student → (score, all points) of the tried sheet, by nbgrader; and the sheets it made."""
    course = tmp_path_factory.mktemp("course")
    kernel = course / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel_json = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(kernel_json))
    keep = {name: value for name, value in os.environ.items() if name != "SEGNB_STRICT"}
    environment = keep | {
        "PATH": f"{nbgrader.parent}:{keep['PATH']}",
        "JUPYTER_PATH": str(course / "jupyter"),
        "HOME": str(course),
        "SEGNB_DATA": "generated",
    }

    def run(*words):
        done = subprocess.run([nbgrader, *words], cwd=course, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    for path in SOLUTIONS:
        place = course / "source" / ("tried" if path.stem == TRIED else "others")
        place.mkdir(parents=True, exist_ok=True)
        (place / path.name).write_bytes(path.read_bytes())
    run("generate_assignment", "tried", "--create")
    run("generate_assignment", "others", "--create")
    sheet = json.loads((course / f"release/tried/{TRIED}.ipynb").read_text())
    solution = json.loads((ROOT / f"chapters/solutions/{TRIED}.ipynb").read_text())
    right = {cell["metadata"]["nbgrader"]["grade_id"]: cell["source"] for cell in answer_cells(solution)}
    wrong = {
        name: f"def {name}(*_, **__):\n    return 0" if "def " in "".join(source) else f"{name} = -1"
        for name, source in right.items()
    }
    for student, notebook in {
        "right": filled(sheet, right),
        "wrong": filled(sheet, wrong),
        "untouched": sheet,
    }.items():
        place = course / "submitted" / student / "tried"
        place.mkdir(parents=True)
        (place / f"{TRIED}.ipynb").write_text(json.dumps(notebook))
    run("autograde", "tried", "--create")
    run("export")
    lines = (course / "grades.csv").read_text().splitlines()
    heads = lines[0].split(",")
    rows = [dict(zip(heads, line.split(","))) for line in lines[1:]]
    graded = {
        row["student_id"]: (float(row["raw_score"]), float(row["max_score"]))
        for row in rows
        if row["assignment"] == "tried"
    }
    return graded, course / "release"


def test_right_gets_all_points_and_wrong_and_untouched_get_none(scores):
    full = sum(
        cell["metadata"]["nbgrader"].get("points", 0)
        for cell in json.loads((ROOT / f"chapters/solutions/{TRIED}.ipynb").read_text())["cells"]
        if "nbgrader" in cell["metadata"]
    )
    assert scores[0] == {"right": (full, full), "wrong": (0, full), "untouched": (0, full)}


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_nbgrader_makes_a_sheet_of_every_solution_notebook(scores, path):
    (made,) = scores[1].rglob(path.name)
    sheet = json.loads(made.read_text())
    text = "".join("".join(cell["source"]) for cell in sheet["cells"])
    assert "HIDDEN TESTS" not in text
    assert "BEGIN SOLUTION" not in text
    solution = json.loads(path.read_text())
    assert len(answer_cells(sheet)) == len(answer_cells(solution)) > 0
