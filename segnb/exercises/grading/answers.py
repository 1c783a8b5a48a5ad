"""Where an answer stands in a notebook, and what else of the notebook it needs. Runs behind the walls.

The notebook is not run as a whole. What is run is the answer with everything it leans on, wherever that stands: the
functions, imports and values of other cells, but neither the trials above and below it nor the pictures.
"""

import ast
import linecache
import re
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from segnb.exercises.leaning import ALWAYS_THERE, DEFINITIONS, bound, owner, used

# What Python's own parser may raise for text that is no Python, or for far too much of it.
NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
RUN_AS_PYTHON = {"time", "timeit", "capture", "prun", "python", "python3", "memit", "mprun", "snakeviz"}


def plain_python(source: str) -> str:
    """A cell as the Python that IPython makes of it: `%`, `!` and `?` become calls, in strings and brackets they stay."""
    magic = re.match(r"\s*%%(\w+)[^\n]*", source)
    if magic:
        if magic[1] not in RUN_AS_PYTHON:
            return ""
        source = source[magic.end() :]
    if not re.search(r"[%!?]", source):
        return source
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except (*NO_PYTHON, RuntimeError):
        return source


@dataclass(eq=False)
class Cell:
    """One cell; what it says in Python is found out when it is first asked for."""

    number: int
    source: str
    grade_id: str | None = None
    code: bool = True
    error: str = field(default="", init=False)

    @cached_property
    def python(self) -> str:
        return plain_python(self.source)

    @cached_property
    def body(self) -> list[ast.stmt]:
        """Its statements; none, and `error` says why, if it is no Python."""
        try:
            with warnings.catch_warnings(action="ignore"):  # about a learner's backslashes, say
                return ast.parse(self.python).body
        except NO_PYTHON as problem:
            place = f" (line {problem.lineno})" if isinstance(problem, SyntaxError) and problem.lineno else ""
            self.error = f"{type(problem).__name__}: {getattr(problem, 'msg', problem)}{place}"[:300]
            return []

    def compiled(self, statement: ast.stmt) -> types.CodeType:
        """A statement ready to run; a traceback then finds its line in this cell."""
        file, lines = f"<cell {self.number}>", self.python.splitlines(keepends=True)
        linecache.cache[file] = (len(self.python), None, lines, file)
        return compile(ast.Module([statement], type_ignores=[]), file, "exec")

    @cached_property
    def names(self) -> set[str]:
        try:
            return {name for statement in self.body for name in bound(statement)}
        except RecursionError:
            return set()

    def binds(self, name: str) -> bool:
        """Whether the cell gives this name a value; a look at the text spares parsing most cells."""
        return name in self.source and name in self.names

    def statements(self, name: str) -> list[ast.stmt]:
        """What makes the value of `name` here: its definition, or all lines to the last that has to do with it."""
        making = [statement for statement in self.body if name in bound(statement)]
        if all(isinstance(statement, DEFINITIONS) for statement in making):
            return making
        touching = [
            n
            for n, statement in enumerate(self.body)
            if name in bound(statement) or _calls_on(statement, name)
        ]
        return [
            statement
            for statement in self.body[: touching[-1] + 1]
            if statement in making or not (isinstance(statement, DEFINITIONS) or _is_check(statement))
        ]

    def is_stub(self, name: str) -> bool:
        """Whether the cell is as it was handed out, or emptied: no answer is written in it."""
        if not self.body:
            return not self.error
        making = [statement for statement in self.body if name in bound(statement)]
        if not making:
            return False
        last = making[-1]
        if isinstance(last, (ast.Assign, ast.AnnAssign)):
            return isinstance(last.value, ast.Constant) and last.value.value in (..., None)
        lines = [line for line in getattr(last, "body", []) if not _is_text(line)]
        return (
            len(lines) == 1
            and isinstance(lines[0], ast.Raise)
            and "NotImplementedError" in ast.dump(lines[0])
        )


def _calls_on(statement: ast.stmt, name: str) -> bool:
    """Whether a line is a call such as `net.eval()`, which may change `net`."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and owner(call.func) == name


def _is_check(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and re.match(r"segnb\.(check|hint|solution)\(", ast.unparse(statement)[:20]) is not None
    )


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@dataclass(frozen=True)
class Found:
    """An answer: the cell it stands in, the expression that is handed in, and how it was recognised."""

    cell: Cell
    expression: str
    how: str


class Notebook:
    """The cells of one notebook, asked for answers."""

    def __init__(self, cells: list[dict]):
        self.cells = [Cell(number, **cell) for number, cell in enumerate(cells, start=1)]
        self.readable = [cell for cell in self.cells if cell.code]

    def answers(self, name: str) -> list[Found]:
        """The answers to one exercise, the likeliest first: one by its marks, one that is checked, one by its name.

        A cell is marked by its grade_id, or by its first line. Of copies the last that is no longer the stub counts.
        """
        marker = re.compile(rf"^\s*#\s*EXERCISE\s+{re.escape(name)}\s*$", re.MULTILINE)
        kinds = {
            "grade_id": [cell for cell in self.cells if cell.grade_id == name],
            "marker": [
                cell for cell in self.cells if "EXERCISE" in cell.source and marker.search(cell.source)
            ],
            "name": [cell for cell in self.readable if cell.binds(name)],
        }
        written = {how: [cell for cell in cells if not cell.is_stub(name)] for how, cells in kinds.items()}
        found = [
            Found(cells[-1], self._expression(cells[-1], name), how)
            for how, cells in written.items()
            if cells
        ]
        checked = self._checked(name)
        if checked and checked.expression not in (name, "...", "None"):
            found.insert(1, checked)
        if not found:  # nothing but stubs
            found = [Found(cells[-1], name, how) for how, cells in kinds.items() if cells]
        unique: dict[tuple, Found] = {}
        for one in found:
            unique.setdefault((one.cell.number, one.expression), one)
        return list(unique.values())

    def _expression(self, cell: Cell, name: str) -> str:
        """What a marked cell hands in: its exercise's name, or the one function it defines under another."""
        if cell.binds(name) or not cell.body:
            return name
        functions = [one.name for one in cell.body if isinstance(one, DEFINITIONS[:3])]
        inner = {other for one in cell.body for other in used(one)}
        free = [function for function in functions if function not in inner] or functions
        return free[-1] if free else name

    def _checked(self, name: str) -> Found | None:
        """What the last call of `check` in the notebook hands in for this exercise."""
        for cell, call in reversed(list(self._checks(name))):
            named = [word.value for word in call.keywords if word.arg == "answer"]
            for answer in [*call.args[1:2], *named]:
                return Found(cell, ast.unparse(answer), "check")
        return None

    def _checks(self, name: str) -> Iterator[tuple[Cell, ast.Call]]:
        for cell in self.readable:
            if "check" in cell.source and name in cell.source:
                for node in (node for statement in cell.body for node in ast.walk(statement)):
                    if isinstance(node, ast.Call) and node.args and _says(node, name):
                        yield cell, node

    def signed(self) -> str:
        """The name that the learner put into the sheet (``student = "..."``), or an empty text."""
        pattern = re.compile(r"^student\s*=\s*([\"'])(.*?)\1", re.MULTILINE)
        matches = (
            pattern.search(cell.source) for cell in reversed(self.readable) if "student" in cell.source
        )
        return next((match[2][:200] for match in matches if match), "")

    def needs(self, found: Found) -> tuple[list[tuple[Cell, ast.stmt]], list[str]]:
        """The statements to run for an answer, in order, and the names that it takes from other cells."""
        run: list[tuple[Cell, ast.stmt]] = []
        elsewhere: list[str] = []
        asked: set[tuple[int, str]] = set()
        taken: set[int] = set()

        def take(name: str, cell: Cell) -> None:
            home = self._home(name, cell)
            if home is None or (home.number, name) in asked:
                return
            asked.add((home.number, name))
            for statement in home.statements(name):
                if id(statement) in taken:
                    continue
                taken.add(id(statement))
                for other in sorted(used(statement)):
                    take(other, home)
                run.append((home, statement))
                if home is not found.cell and not isinstance(statement, (ast.Import, ast.ImportFrom)):
                    elsewhere.append(name)

        for name in sorted(used(ast.parse(found.expression, mode="eval").body)):
            take(name, found.cell)
        return run, list(dict.fromkeys(elsewhere))

    def _home(self, name: str, cell: Cell) -> Cell | None:
        """The cell that gives a name its value: this one, else the nearest above, else the nearest below."""
        if cell.binds(name):
            return cell
        if name in ALWAYS_THERE:
            return None
        above = reversed(self.cells[: cell.number - 1])
        return next(
            (one for one in (*above, *self.cells[cell.number :]) if one.code and one.binds(name)), None
        )


def _says(call: ast.Call, name: str) -> bool:
    function, first = call.func, call.args[0]
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return called == "check" and isinstance(first, ast.Constant) and first.value == name
