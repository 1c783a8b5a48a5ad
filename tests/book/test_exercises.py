"""Sheets come from solution notebooks, give nothing away, and run from top to bottom before anything is written."""

import contextlib
import importlib
import io
import math
import re
import shutil

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

import segnb
from book.tools import exercises as tool
from book.tools import notebooks
from segnb.exercises import registry
from segnb.exercises.tasks import CHAPTERS

SOLUTIONS = notebooks.find("solution")
SHEETS = notebooks.find("sheet")
each_solution = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
each_sheet = pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.stem)
each_function = pytest.mark.parametrize(
    "name", [name for name, exercise in registry.items() if not exercise.literal]
)


def cells(path, tag):
    return [cell for cell in notebooks.read(path).cells if tag in notebooks.tags(cell)]


def prelude():
    """The names that a sheet promises to every answer cell."""
    functional = torch.nn.functional
    return {"torch": torch, "nn": torch.nn, "F": functional, "np": np, "math": math, "segnb": segnb}


def test_every_solution_notebook_has_its_sheet():
    assert SOLUTIONS
    assert [path.name for path in SOLUTIONS] == [path.name for path in SHEETS]


@each_solution
def test_making_the_sheet_again_changes_nothing(path):
    for target, text in tool.texts(path).items():
        assert target.read_text(encoding="utf-8") == text, f"{target.name} is stale: run make exercises"


@each_sheet
def test_a_sheet_gives_nothing_away(path):
    sheet = notebooks.read(path)
    source = "\n".join(cell.source for cell in sheet.cells)
    stubs = {cell.id: cell.source for cell in cells(path, "exercise")}
    assert "SOLUTION" not in path.read_text(encoding="utf-8")
    for cell in cells(notebooks.CHAPTERS / "solutions" / path.name, "exercise"):
        lines = tool.SOLUTION.search(cell.source)[0].splitlines()[1:-1]
        assert "\n".join(lines) not in source
        assert not [line for line in lines if line.strip() and line in stubs[cell.id]]
    for cell in sheet.cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
        assert set(cell.metadata) <= {"tags", "nbgrader"}


@each_sheet
def test_a_sheet_keeps_cells_ids_and_the_colab_setting(path):
    sheet, solution = notebooks.read(path), notebooks.read(notebooks.CHAPTERS / "solutions" / path.name)
    assert [cell.id for cell in sheet.cells] == [cell.id for cell in solution.cells]
    assert sheet.metadata == solution.metadata
    assert sheet.metadata.accelerator == "GPU"
    nbformat.validate(sheet)


@each_sheet
def test_every_answer_cell_is_followed_by_its_check(path):
    marks = [
        (cell.metadata.nbgrader.grade_id, cell.metadata.nbgrader.get("points"))
        for cell in notebooks.read(path).cells
        if "nbgrader" in cell.metadata
    ]
    names = [cell.source.split()[2] for cell in cells(path, "exercise")]
    assert marks == [
        pair for name in names for pair in ((name, None), (f"check_{name}", registry[name].points))
    ]


def test_every_exercise_stands_in_one_notebook():
    names = [tool.exercise_name(cell) for path in SOLUTIONS for cell in cells(path, "exercise")]
    assert sorted(names) == sorted(registry)


@each_sheet
def test_a_sheet_fits_a_lab_of_90_minutes_and_its_marked_path_one_of_45(path):
    tasks = [registry[cell.source.split()[2]] for cell in cells(path, "exercise")]
    assert 85 <= sum(task.minutes for task in tasks) <= 90
    assert 40 <= sum(task.minutes for task in tasks if task.short) <= 47
    text = "\n".join(cell.source for cell in notebooks.read(path).cells if cell.cell_type == "markdown")
    # What a task takes stands once below its heading.
    assert len(re.findall(r"^\*.*\d+ minutes.*\*$", text, flags=re.M)) == len(tasks)


@each_sheet
def test_a_fresh_sheet_runs_from_top_to_bottom(path, monkeypatch):
    monkeypatch.delenv("SEGNB_STRICT", raising=False)
    sheet = notebooks.read(path)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(
        sheet, timeout=120, kernel_name="python3", record_timing=False, resources=resources
    ).execute()
    for cell in sheet.cells:
        if "check" in notebooks.tags(cell):
            printed = "".join(output.text for output in cell.outputs)
            assert printed.startswith(
                f"○ {cell.metadata.nbgrader.grade_id.removeprefix('check_')} is not written yet."
            )


@each_solution
def test_the_solution_in_place_of_the_stub_gets_full_marks(path, monkeypatch):
    monkeypatch.setenv("SEGNB_STRICT", "1")
    for cell in cells(path, "exercise"):
        names = prelude()
        exec(cell.source, names)
        name = tool.exercise_name(cell)
        segnb.check(name, names[name], student="ada")


@each_function
def test_what_segnb_solution_prints_is_right(name, monkeypatch):
    monkeypatch.setenv("SEGNB_STRICT", "1")
    printed, names = io.StringIO(), prelude()
    with contextlib.redirect_stdout(printed):
        segnb.solution(name)
    exec(printed.getvalue(), names)
    segnb.check(name, names[name])


@each_function
def test_what_segnb_solution_prints_fits_a_notebook(name, capsys):
    segnb.solution(name)
    too_wide = [line for line in capsys.readouterr().out.splitlines() if len(line) > 80]
    assert too_wide == []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda module: module.__name__)
def test_every_exercise_is_tried_with_wrong_and_right_answers(chapter):
    tried = importlib.import_module(f"tests.exercises.tasks.test_{chapter.__name__.rpartition('.')[2]}")
    for exercise in chapter.EXERCISES:
        told = {hint for _, hint in tried.WRONG[exercise.name]} | set(
            map(str, exercise.wrong_answers().values())
        )
        assert len(told) >= 3
        assert len(tried.RIGHT[exercise.name]) >= (2 if exercise.literal else 4)
        assert len(exercise.hints) == 3
        assert len({case.what for case in exercise.cases}) == len(exercise.cases)


def solution_notebook(*texts, tag="exercise"):
    made = [nbformat.v4.new_code_cell(text, metadata={"tags": [tag]}) for text in texts]
    return nbformat.v4.new_notebook(cells=made)


TEXT = "# EXERCISE tile_step\n### BEGIN SOLUTION\ntile_step = 384\n### END SOLUTION"


@pytest.mark.parametrize(
    ("text", "tag", "complaint"),
    [
        ("def f(): pass", "exercise", "starts with '# EXERCISE name'"),
        ("# EXERCISE nobody_knows\n", "exercise", "no exercise 'nobody_knows'"),
        ("# EXERCISE tile_step\ntile_step = 384", "exercise", "no lines between"),
        (TEXT.replace("### END SOLUTION", ""), "exercise", "no lines between"),
        ('segnb.check("nobody_knows", 3)', "check", "for one exercise, not"),
        ('segnb.check("tile_step", 3)\nsegnb.check("tile_step", 4)', "check", "for one exercise, not"),
    ],
)
def test_a_malformed_solution_notebook_is_refused(text, tag, complaint):
    with pytest.raises(tool.Malformed, match=complaint.replace("(", r"\(")):
        tool.mark(solution_notebook(text, tag=tag))


def test_stubs():
    assert tool.stub(TEXT, "tile_step") == "# EXERCISE tile_step\ntile_step = ..."
    function = "def f(x):\n    y = 2 * x\n    ### BEGIN SOLUTION\n    return y\n    ### END SOLUTION"
    stub = tool.stub(function, "f")
    assert stub == 'def f(x):\n    y = 2 * x\n    raise NotImplementedError("f: write this function")'
    names = {}
    exec(stub, names)
    with pytest.raises(NotImplementedError, match="f: write this function"):
        names["f"](1)


def test_words_for_the_solution_alone_leave_the_sheet():
    words = nbformat.v4.new_markdown_cell(
        "# Title\n\n<!-- only with the answers -->\nanswers\n<!-- end -->\n\nText\n"
    )
    made = tool.sheet(nbformat.v4.new_notebook(cells=[words]))
    assert made.cells[0].source == "# Title\n\nText"


def test_check_writes_nothing_and_says_what_is_stale(tmp_path, monkeypatch, capsys):
    chapters = tmp_path / "chapters"
    (chapters / "solutions").mkdir(parents=True)
    source = chapters / "solutions" / "06_unet.ipynb"
    nbformat.write(solution_notebook(TEXT), source)
    shutil.copy(notebooks.ROOT / "pyproject.toml", tmp_path)
    before = source.read_text()
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["exercises", "--check"])
    assert tool.main() == 1
    assert source.read_text() == before
    assert "would change chapters/exercises/06_unet.ipynb" in capsys.readouterr().out.replace("\\", "/")
    monkeypatch.setattr("sys.argv", ["exercises"])
    assert tool.main() == 0
    monkeypatch.setattr("sys.argv", ["exercises", "--check"])
    assert tool.main() == 0
