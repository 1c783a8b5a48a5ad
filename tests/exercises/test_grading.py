"""`segnb grade` on made-up submissions: honest, damaged, and hostile ones."""

import copy
import csv
import json
from pathlib import Path

import pytest

from segnb.exercises import grading, unet, variant

ROOT = Path(__file__).parents[2]
SHEET = json.loads((ROOT / "chapters/exercises/06_unet.ipynb").read_text(encoding="utf-8"))
PRIVATE = """
from segnb.exercises.tasks.unet import CROP_AND_CONCAT, NET_PARAMETERS
EXERCISES = [CROP_AND_CONCAT, NET_PARAMETERS]
"""
STUB = '    raise NotImplementedError("crop_and_concat: write this function")'
FLAG = "--i-trust-this-code"


def cell(name):
    """The answer cell of an exercise in the sheet, as JSON."""
    (found,) = [c for c in SHEET["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == name]
    return copy.deepcopy(found)


def body(text, before=""):
    """The answer cell of crop_and_concat with this function body, and lines before it."""
    filled = cell("crop_and_concat")
    filled["source"] = f"# EXERCISE crop_and_concat\n{before}def crop_and_concat(skip, up):\n{text}\n"
    return filled


RIGHT = body(
    "    height, width = up.shape[2:]\n"
    "    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2\n"
    "    return torch.cat([skip[:, :, top : top + height, left : left + width], up], dim=1)"
)
NO_EQUAL_SIZES = body(
    "    c, d = (skip.shape[2] - up.shape[2]) // 2, (skip.shape[3] - up.shape[3]) // 2\n"
    "    return torch.cat([skip[:, :, c:-c, d:-d], up], dim=1)"
)
CHEAT = body(
    "    return Equal()",
    before="class Equal:\n    def __eq__(self, other): return True\n    def __sub__(self, other): return self\n"
    "    def __abs__(self): return 0\n    shape = dtype = requires_grad = 0\n",
)


def sheet_with(*answers):
    """The sheet, its crop_and_concat cell replaced by these cells."""
    notebook = copy.deepcopy(SHEET)
    place = notebook["cells"].index(cell("crop_and_concat"))
    notebook["cells"][place : place + 1] = copy.deepcopy(answers)
    return notebook


def without(notebook, *keys):
    """The notebook with these keys taken out of every cell; "metadata" is emptied, not removed."""
    for one in notebook["cells"]:
        for key in keys:
            one[key] = {} if key == "metadata" else None
            if key != "metadata":
                del one[key]
    return notebook


def edited_check(notebook):
    for one in notebook["cells"]:
        if "check" in one["metadata"].get("tags", []):
            one["source"] = "pass"
    return notebook


def no_checks(notebook):
    notebook["cells"] = [c for c in notebook["cells"] if "check" not in c["metadata"].get("tags", [])]
    return notebook


def from_colab(notebook):
    notebook = without(notebook, "id")
    notebook["nbformat_minor"] = 0
    for number, one in enumerate(notebook["cells"]):
        one["metadata"] |= {"id": f"Xy{number}", "colab": {"base_uri": "https://localhost:8080/"}}
    return notebook


def no_marks(notebook):
    """Metadata and first lines lost: what is left is the function's name."""
    for one in without(notebook, "metadata")["cells"]:
        one["source"] = "".join(one["source"]).replace("# EXERCISE crop_and_concat\n", "")
    return notebook


def my_net_of(signed, number):
    """The sheet signed with a name and a typed number of parameters."""
    notebook = sheet_with(RIGHT)
    for one in notebook["cells"]:
        one["source"] = "".join(one["source"]).replace('student = "your-id"', f'student = "{signed}"')
        one["source"] = one["source"].replace("net_parameters = ...", f"net_parameters = {number}")
    return notebook


def own_number(student):
    return unet.net_parameters(*unet.my_net(variant(student)))


SUBMISSIONS = {
    # the eleven
    "correct": sheet_with(RIGHT),
    "wrong_on_equal_sizes": sheet_with(NO_EQUAL_SIZES),
    "stub": copy.deepcopy(SHEET),
    "duplicated": sheet_with(RIGHT, cell("crop_and_concat")),
    "check_deleted": no_checks(sheet_with(RIGHT)),
    "endless": sheet_with(body("    while True:\n        pass")),
    "check_edited": edited_check(copy.deepcopy(SHEET)),
    "no_metadata": without(sheet_with(RIGHT), "metadata"),
    "cheat": sheet_with(CHEAT),
    "syntax_error": sheet_with(body("    return torch.cat([skip, up], dim=1")),
    "colab": from_colab(sheet_with(RIGHT)),
    # more honest ones
    "no_marks": no_marks(sheet_with(RIGHT)),
    "markdown": sheet_with(RIGHT | {"cell_type": "markdown"}),
    "own_import": sheet_with(
        {
            "cell_type": "code",
            "metadata": {},
            "source": "import torch.nn.functional as G\nimport not_installed",
        },
        body(
            "    c, d = [(a - b) // 2 for a, b in zip(skip.shape[2:], up.shape[2:])]\n    %time\n"
            "    return torch.cat([G.pad(skip, (-d, -d, -c, -c)), up], dim=1)"
        ),
    ),
    "other_cell": sheet_with(
        {"cell_type": "code", "metadata": {}, "source": "def helper(a): return a"},
        body("    return helper(skip)"),
    ),
    "ada": my_net_of("ada", own_number("ada")),
    "ben": my_net_of("ada", own_number("ada")),
    "cem": my_net_of("cem", own_number("ada") + 1),
    # damaged ones
    "damaged": '{"cells": [',
    "no_notebook": "[1, 2]",
    "other_notebook": {
        "cells": [{"cell_type": "code", "metadata": {}, "source": "print(1)"}],
        "metadata": {},
    },
    # hostile ones
    "memory": sheet_with(body("    return torch.zeros(10**10)")),
    "quits": sheet_with(body("    pass", before="import os\nos._exit(0)\n")),
    "forges": sheet_with(body("    import os\n    os.write(3, b'[1]\\n')\n    os._exit(0)")),
    "hangs_up": sheet_with(body("    pass", before="import os\nos.close(3)\nwhile True: pass\n")),
    "looks_around": sheet_with(
        body(
            "    import os, socket\n"
            "    seen = os.listdir('.') + os.listdir(FOLDER) + list(os.environ) + os.listdir('/proc')\n"
            "    links = socket.if_nameindex()\n"
            "    raise ValueError(f'{seen} {links}')",
            before="FOLDER = '@folder@'\n",
        )
    ),
    "writes": sheet_with(body("    open('@folder@/../mine', 'w')")),
    "breaks_out": sheet_with(
        body(
            "    libc = ctypes.CDLL(None)\n"
            "    def tear_down():\n"
            "        return libc.mount(None, b'/', None, 0x20 | 0x1000, None), libc.umount2(b'/proc', 2)\n"
            "    done = tear_down()\n"
            "    libc.unshare(0x10020000)\n"
            "    raise ValueError(f'{done} {tear_down()}')",
            before="import ctypes\n",
        )
    ),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Every submission graded in one go: (rows by student, exit code, whether there were walls)."""
    home = tmp_path_factory.mktemp("class")
    folder = home / "submissions"
    folder.mkdir()
    for name, notebook in SUBMISSIONS.items():
        text = notebook if isinstance(notebook, str) else json.dumps(notebook)
        (folder / name).mkdir()
        (folder / name / "06_unet.ipynb").write_text(text.replace("@folder@", str(folder)), encoding="utf-8")
    (folder / "empty").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "linked").mkdir()
    (folder / "linked" / "a.ipynb").symlink_to(folder / "correct" / "06_unet.ipynb")
    (folder / "elsewhere").symlink_to(folder / "correct", target_is_directory=True)
    (folder / "flat.ipynb").write_text(json.dumps(SUBMISSIONS["correct"]), encoding="utf-8")
    (folder / "correct" / ".ipynb_checkpoints").mkdir()
    (folder / "correct" / ".ipynb_checkpoints" / "old.ipynb").write_text("{", encoding="utf-8")
    (home / "private.py").write_text(PRIVATE)
    options = [
        "--out",
        str(home / "grades.csv"),
        "--exercises",
        str(home / "private.py"),
        "--cpu-seconds",
        "1",
    ]
    code = grading.main([str(folder), *options])
    walls = code == 0
    if not walls:  # no namespaces here; what these submissions do is harmless
        code = grading.main([str(folder), *options, FLAG])
    return rows_by_student(home / "grades.csv"), code, walls


def rows_by_student(path):
    rows: dict[str, list[dict]] = {}
    with path.open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            rows.setdefault(row["student"], []).append(row)
    return rows


def crop(graded, student):
    return next(row for row in graded[0][student] if row["exercise"] == "crop_and_concat")


def test_everybody_is_in_the_table(graded):
    rows, code, _ = graded
    assert code == 0
    assert set(rows) == {*SUBMISSIONS, "empty", "linked", "elsewhere", "flat"}
    assert list(rows["correct"][0]) == list(grading.COLUMNS)


@pytest.mark.parametrize(
    ("student", "points", "how", "hint"),
    [
        ("correct", 2, "grade_id", ""),
        ("wrong_on_equal_sizes", 1.6, "grade_id", "a slice like [c:-c] is empty when c is 0"),
        ("stub", 0, "grade_id", "not written yet"),
        ("duplicated", 2, "grade_id", ""),
        ("check_deleted", 2, "grade_id", ""),
        ("endless", 0, "grade_id", "It ran for longer than 1 s. Is there an endless loop?"),
        ("check_edited", 0, "grade_id", "not written yet"),
        ("no_metadata", 2, "marker", ""),
        ("cheat", 0, "grade_id", "a tensor is wanted, and your answer gives an object of type Equal"),
        ("syntax_error", 0, "grade_id", "SyntaxError"),
        ("colab", 2, "grade_id", ""),
        ("no_marks", 2, "name", ""),
        ("markdown", 2, "grade_id", ""),
        ("own_import", 2, "grade_id", ""),
        ("other_cell", 0, "grade_id", "NameError: name 'helper' is not defined"),
        ("flat", 2, "grade_id", ""),
        ("memory", 0, "grade_id", "can't allocate memory"),
        ("quits", 0, "grade_id", "Its process ended before it gave a result."),
        ("forges", 0, "grade_id", "Its process sent back something that is no result."),
        ("hangs_up", 0, "grade_id", "It ran for longer than 1 s."),
    ],
)
def test_marks(graded, student, points, how, hint):
    row = crop(graded, student)
    assert (float(row["points"]), float(row["max"]), row["how found"]) == (points, 2, how)
    assert hint in row["first failed hint"]
    assert bool(hint) == bool(row["first failed hint"])
    assert float(row["seconds"]) >= 0


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("damaged", "06_unet.ipynb is damaged or not a notebook (JSONDecodeError)"),
        ("no_notebook", "06_unet.ipynb is damaged or not a notebook (TypeError)"),
        ("other_notebook", "No answer cell of these exercises was found."),
        ("empty", "There is no notebook (.ipynb) in this folder."),
        ("linked", "a.ipynb is a link, not a file"),
        ("elsewhere", "There is no notebook (.ipynb) in this folder."),
    ],
)
def test_what_needs_a_human_is_one_row(graded, student, reason):
    (row,) = graded[0][student]
    assert (row["how found"], row["first failed hint"], row["points"]) == ("needs a human", reason, "")


def test_numbers_belong_to_a_student(graded):
    number = {name: graded[0][name][1] for name in ("ada", "ben", "cem", "stub")}
    assert [row["exercise"] for row in number.values()] == ["net_parameters"] * 4
    assert [row["points"] for row in number.values()] == ["1.0", "1.0", "0.0", "0.0"]
    assert number["ada"]["how found"] == "grade_id"
    assert number["ben"]["how found"] == "grade_id; numbers of 'ada'"
    assert number["stub"]["first failed hint"] == "not written yet"


def test_an_answer_sees_nothing_and_changes_nothing(graded):
    if not graded[2]:
        pytest.skip("this machine has no namespaces to build walls with")
    assert "ValueError: [] [(1, 'lo')]" in crop(graded, "looks_around")["first failed hint"]
    assert "Read-only file system" in crop(graded, "writes")["first failed hint"]
    assert "ValueError: (-1, -1) (-1, -1)" in crop(graded, "breaks_out")["first failed hint"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "chapters/solutions").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_a_solution_notebook_gets_full_marks(path, tmp_path):
    folder, out = tmp_path / "submissions", tmp_path / "grades.csv"
    (folder / "your-id").mkdir(parents=True)
    (folder / "your-id" / path.name).write_bytes(path.read_bytes())
    assert grading.main([str(folder), "--out", str(out), "--seed", "7", FLAG]) == 0
    rows = rows_by_student(out)["your-id"]
    marked = [
        cell["metadata"]["nbgrader"]["grade_id"]
        for cell in json.loads(path.read_text())["cells"]
        if "exercise" in cell["metadata"].get("tags", [])
    ]
    assert sorted(row["exercise"] for row in rows) == sorted(marked)
    assert {(row["how found"], row["first failed hint"]) for row in rows} == {("grade_id", "")}
    assert all(row["points"] == f"{float(row['max'])}" for row in rows)


def test_without_walls_nothing_runs_until_it_is_trusted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grading.Sandbox, "why_no_walls", lambda self: "unshare: Operation not permitted")
    folder, out = tmp_path / "submissions", tmp_path / "grades.csv"
    folder.mkdir()
    (folder / "ada.ipynb").write_text(json.dumps(sheet_with(RIGHT)))
    (folder / "ben.ipynb").write_text(json.dumps(sheet_with(body("    while True: pass"))))
    assert grading.main([str(folder), "--out", str(out)]) == 2
    assert "unshare: Operation not permitted" in capsys.readouterr().out
    assert not out.exists()
    private = tmp_path / "private.py"
    private.write_text(
        "from segnb.exercises.tasks.unet import CROP_AND_CONCAT\nEXERCISES = [CROP_AND_CONCAT]"
    )
    more = ["--exercises", str(private), "--cpu-seconds", "1", FLAG]
    assert grading.main([str(folder), "--out", str(out), *more]) == 0
    rows = rows_by_student(out)
    assert (rows["ada"][0]["points"], rows["ben"][0]["points"]) == ("2.0", "0.0")
    assert "endless loop" in rows["ben"][0]["first failed hint"]


def test_folders_that_cannot_be_graded(tmp_path, capsys):
    assert grading.main([str(tmp_path / "nowhere")]) == 2
    assert "There is no folder" in capsys.readouterr().out
    assert grading.main([str(ROOT)]) == 2
    assert "use a folder of its own" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "stub"),
    [
        (f"def crop_and_concat(skip, up):\n{STUB}", True),
        ("crop_and_concat = ...", True),
        ("crop_and_concat = ...  # your number", True),
        ("crop_and_concat = 3", False),
        ("def crop_and_concat(skip, up):\n    raise NotImplementedError('later')", False),
        ("crop_and_concat = [...]", False),
    ],
)
def test_stubs_are_recognised(source, stub):
    assert grading.is_stub(source, "crop_and_concat") is stub


def test_the_written_cell_wins_and_then_the_last():
    cells = [
        {"source": text, "grade_id": mark}
        for text, mark in [
            ("def f(x):\n    return 0", "f"),
            ("def f(x):\n    return 1", "f"),
            ('def f(x):\n    raise NotImplementedError("f: write this function")', "f"),
            ("# EXERCISE f\ndef f(x):\n    return 2", None),
            ("def f(x):\n    return 3", None),
        ]
    ]
    assert grading.find_answer(cells, "f") == grading.Found(cells[1]["source"], "grade_id")
    assert grading.find_answer(cells[2:], "f") == grading.Found(cells[3]["source"], "marker")
    assert grading.find_answer(cells[4:], "f") == grading.Found(cells[4]["source"], "name")
    assert grading.find_answer(cells[2:3], "f").how == "grade_id"
    assert grading.find_answer(cells, "g") is None
    assert (
        grading.find_answer([{"source": "f == 3\nfile = 2\ndef fit(): pass", "grade_id": None}], "f") is None
    )


def test_a_spreadsheet_runs_no_name():
    assert grading.harmless("=1+1") == "'=1+1"
    assert grading.harmless("ada") == "ada"
    assert grading.harmless(2.0) == 2.0


def test_source_lines_for_ipython_are_left_out():
    assert grading.plain_python("x = 1\n%time x\n    !ls\ny = x % 2") == "x = 1\npass\n    pass\ny = x % 2"
