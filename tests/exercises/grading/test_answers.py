"""Where the answer stands in a notebook, and what of the rest it needs: what ran in a notebook is graded as it ran."""

import ast

import pytest

from segnb.exercises.grading.answers import Notebook, plain_python


def book(*sources, marked=None):
    """A notebook of code cells; the one with the number `marked` carries the grade_id f."""
    cells = [
        {"source": text, "grade_id": "f" if number == marked else None, "code": True}
        for number, text in enumerate(sources)
    ]
    return Notebook(cells)


def places(notebook, name="f"):
    return [(found.cell.number - 1, found.expression, found.how) for found in notebook.answers(name)]


def value(notebook, name="f"):
    """What the likeliest answer is once everything that it needs has run."""
    found = notebook.answers(name)[0]
    names: dict = {"display": print, "input": lambda *_: "", "get_ipython": lambda: None}
    for cell, statement in notebook.needs(found)[0]:
        exec(cell.compiled(statement), names)
    return eval(found.expression, names)


STUB = 'def f(x):\n    raise NotImplementedError("f: write this function")'


@pytest.mark.parametrize(
    ("source", "stub"),
    [
        (STUB, True),
        ("f = ...", True),
        ("f = ...  # your number", True),
        ("f: int = None", True),
        ("# only a comment is left", True),
        ("def f(x):\n    'what it is for'\n    raise NotImplementedError", True),
        (f"# {STUB.splitlines()[1].strip()}\ndef f(x):\n    return x", False),
        ("def f(x):\n    return x\n    raise NotImplementedError('f: write this function')", False),
        ("f = 3", False),
        ("f = [...]", False),
        ("def f(x:\n  return", False),
    ],
)
def test_stubs_are_recognised(source, stub):
    assert book(source).cells[0].is_stub("f") is stub


def test_the_written_cell_wins_and_of_copies_the_last():
    cells = [
        "def f(x):\n    return 0",
        "def f(x):\n    return 1",
        STUB,
        "# EXERCISE f\ndef f(x):\n    return 2",
    ]
    notebook = book(*cells, "def f(x):\n    return 3")
    for number in (0, 1, 2):
        notebook.cells[number].grade_id = "f"
    assert places(notebook) == [(1, "f", "grade_id"), (3, "f", "marker"), (4, "f", "name")]
    assert places(book(STUB, marked=0)) == [(0, "f", "grade_id")]
    assert places(book("x = 1", "f == 3\nfile = 2\ndef fit(): pass")) == []


def test_a_scratch_cell_does_not_win_over_a_finished_one_with_the_stub_as_a_comment():
    finished = (
        "# EXERCISE f\ndef f(x):\n    # raise NotImplementedError('f: write this function')\n    return x + 1"
    )
    assert value(book(finished, "def f(x):\n    return 'scratch'", marked=0))(1) == 2


def test_another_name_is_found_by_its_check():
    notebook = book(STUB, "def mine(x):\n    return 2 * x", 'segnb.check("f", mine)', marked=0)
    assert places(notebook)[0] == (2, "mine", "check")
    assert value(notebook)(4) == 8
    notebook = book("# EXERCISE f\ndef mine(x):\n    return helper(x)\n\ndef helper(x):\n    return -x")
    assert (places(notebook), value(notebook)(4)) == ([(0, "mine", "marker")], -4)
    assert value(book("from segnb import check", 'check("f", answer=6 * 64)')) == 384


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    %time y = 1\n    return x",
        "%%time\ndef f(x):\n    return x",
        "def f(x):\n    return x\nf?",
        "def f(x):\n    return x\nt = !date\n!ls\nprint(f(missing))",
        "1 / 0\ndef f(x):\n    return x\nassert f(1) == 2",
        "text = '''\n!not a command\n%neither\n'''\ndef f(x):\n    return x if '!' in text else None",
        "total = (7\n% 4)\ndef f(x):\n    return x if total == 3 else None",
        "def f(x):\n    return x\ndisplay(f(2))\nn = int(input('n?'))",
        "import math as m, json\ndef f(x):\n    return m.sqrt(x * x)",
    ],
)
def test_what_ran_in_ipython_runs_here(source):
    notebook = book(source, marked=0)
    found = notebook.answers("f")[0]
    names: dict = {"get_ipython": lambda: type("Shell", (), {"run_line_magic": lambda *_: None})()}
    for cell, statement in notebook.needs(found)[0]:
        exec(cell.compiled(statement), names)
    assert names["f"](3) == 3


def test_a_cell_of_another_language_is_no_python():
    assert plain_python("%%bash\nf=3") == ""
    assert plain_python("x = 1") == "x = 1"


def test_helpers_come_from_the_cell_itself_then_from_above_then_from_below():
    cells = [
        "import json\nK = 2\nplot(K)",
        "def helper(x):\n    return K * x",
        "# EXERCISE f\ndef f(x):\n    return helper(x) + late",
    ]
    notebook = book(*cells, "late = 1\nhelper = None")
    run, elsewhere = notebook.needs(notebook.answers("f")[0])
    assert [ast.unparse(statement).split("\n")[0] for _, statement in run] == [
        "K = 2",
        "def helper(x):",
        "late = 1",
        "def f(x):",
    ]
    assert sorted(elsewhere) == ["K", "helper", "late"]
    assert value(notebook)(3) == 7


def test_a_value_is_made_by_all_lines_that_touch_it():
    notebook = book(
        "rows = []\nfor n in range(3):\n    rows.append(n)\nrows.reverse()\nprint(rows[9])",
        "# EXERCISE f\nf = rows",
    )
    assert value(notebook) == [2, 1, 0]
    notebook = book(
        "# EXERCISE f\ndef f(x):\n    return x\nf = twice(f)\nexit()",
        "def twice(g):\n    return lambda x: 2 * g(x)",
    )
    assert value(notebook)(2) == 4


def test_who_leans_on_oneself_is_no_circle():
    notebook = book("def f(n):\n    return n and g(n - 1)", "def g(n):\n    return f(n)")
    assert value(notebook)(5) == 0


def test_the_signature_is_the_last_one_written():
    assert book('student = "ada"', "student = 'ben'  # me", marked=None).signed() == "ben"
    assert book("x = 1").signed() == ""
