"""``segnb grade submissions/ --out grades.csv``: marks a class of untrusted notebooks.

No notebook is ever run. The grader takes each exercise's answer cell out of it, runs that cell alone in a process of its
own (`segnb.exercises.sandbox`), gets plain numbers back and compares them here, where the right values are.
"""

import argparse
import ast
import csv
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segnb.exercises import engine
from segnb.exercises.check import register, registry, variant

COLUMNS = ("student", "exercise", "points", "max", "how found", "first failed hint", "seconds")
LARGEST_FILE = 50 * 2**20
HUMAN = "needs a human"


class Unreadable(ValueError):
    """A submission that a person has to look at; the text says why."""


@dataclass(frozen=True)
class Found:
    """An answer cell and how it was recognised."""

    source: str
    how: str


@dataclass(frozen=True)
class Mark:
    """What one answer got."""

    points: float
    how: str
    hint: str
    seconds: float


# ---------------------------------------------------------------------------------------------- reading


def students(folder: Path) -> dict[str, list[Path]]:
    """Student → notebooks. A student is a sub-folder (with any depth below it) or a notebook lying in the folder itself."""
    found: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            notebooks = [] if entry.is_symlink() else sorted(entry.rglob("*.ipynb"))
            inside = [p.relative_to(entry) for p in notebooks]
            found[entry.name] = [
                entry / p for p in inside if not any(part.startswith((".", "__")) for part in p.parts)
            ]
        elif entry.suffix == ".ipynb":
            found.setdefault(entry.stem, []).append(entry)
    return found


def read_cells(path: Path) -> list[dict]:
    """The cells of a notebook as {source, grade_id}. Unreadable if the file is no notebook."""
    if path.is_symlink() or not path.is_file():
        raise Unreadable(f"{path.name} is a link, not a file")
    if path.stat().st_size > LARGEST_FILE:
        raise Unreadable(f"{path.name} is larger than {LARGEST_FILE // 2**20} MB")
    try:
        cells = json.loads(path.read_text(encoding="utf-8-sig"))["cells"]
        return [read_cell(cell) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"{path.name} is damaged or not a notebook ({type(error).__name__})") from error


def read_cell(cell: dict) -> dict:
    source = "".join(cell.get("source", ""))
    marks = cell.get("metadata", {}).get("nbgrader", {})
    is_answer = marks.get("solution") and not marks.get("grade")
    return {"source": source, "grade_id": marks.get("grade_id") if is_answer else None}


def find_answer(cells: list[dict], name: str) -> Found | None:
    """The answer cell: by its grade_id, else by its first line, else the last cell that defines the name.

    Where there are several (a cell was copied), the last one that is no longer the stub counts.
    """
    quoted = re.escape(name)
    marker = re.compile(rf"\s*# EXERCISE {quoted}\s*(\n|$)")
    definition = re.compile(rf"^(?:(?:def|class)\s+{quoted}\b|{quoted}\s*(?::[^=\n]+)?=(?!=))", re.MULTILINE)
    found = [Found(cell["source"], "grade_id") for cell in cells if cell["grade_id"] == name]
    found += [Found(cell["source"], "marker") for cell in cells if marker.match(cell["source"])]
    found += [Found(cell["source"], "name") for cell in cells if definition.search(cell["source"])]
    written = [candidate for candidate in found if not is_stub(candidate.source, name)]
    for how in ("grade_id", "marker", "name"):
        of_this_kind = [candidate for candidate in written if candidate.how == how]
        if of_this_kind:
            return of_this_kind[-1]
    return found[0] if found else None


def is_stub(source: str, name: str) -> bool:
    quoted = re.escape(name)
    untouched = rf'raise NotImplementedError\("{quoted}:|^{quoted}\s*=\s*(\.\.\.|None)\s*(#|$)'
    return re.search(untouched, source, re.MULTILINE) is not None


def plain_python(source: str) -> str:
    """The cell without IPython's % and ! lines, which are no Python."""
    return re.sub(r"^([ \t]*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)


def import_lines(cells: list[dict]) -> list[str]:
    """Import statements of the whole notebook: an answer may lean on an import that stands in another cell."""
    statements = []
    for cell in cells:
        try:
            with warnings.catch_warnings(action="ignore"):  # about a learner's backslashes, say
                body = ast.parse(plain_python(cell["source"])).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # text, or an unfinished cell: nothing to take from it
        statements += [ast.unparse(node) for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return list(dict.fromkeys(statements))


def signed_by(cells: list[dict]) -> str:
    """The name that the learner put into the sheet (``student = "..."``), or an empty text."""
    names = [re.search(r"^student\s*=\s*([\"'])(.*?)\1", cell["source"], re.MULTILINE) for cell in cells]
    return next((match[2] for match in reversed(names) if match), "")


# ---------------------------------------------------------------------------------------------- running


class Sandbox:
    """The process that forks one walled process an answer; see `segnb.exercises.sandbox`. Use it with `with`."""

    def __init__(self, hidden: list[Path], cpu_seconds: int, memory_mb: int):
        self.settings = {
            "walls": True,
            "hidden": [str(path.resolve()) for path in hidden],
            "cpu_seconds": cpu_seconds,
            "wall_seconds": 4 * cpu_seconds + 10,
            "memory_mb": memory_mb,
        }

    def __enter__(self):
        keep = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, "-I", Path(__file__).with_name("sandbox.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=keep | threads,
        )
        self.ask([path or os.getcwd() for path in sys.path])
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, request) -> dict:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the process that runs the answers has ended; what it wrote stands above")
        return json.loads(line)

    def why_no_walls(self) -> str:
        """An empty text if answers can be kept apart from this machine, else the reason why not."""
        nothing = {"source": "nothing = 0", "imports": [], "name": "nothing", "literal": True, "cases": [[]]}
        return self.run(nothing).get("refused", "")

    def run(self, request: dict) -> dict:
        with tempfile.TemporaryDirectory() as workdir:
            return self.ask(self.settings | {"workdir": workdir} | request)


def mark(sandbox: Sandbox, exercise: engine.Exercise, found: Found, imports: list[str], seed: int) -> Mark:
    """Run one answer in its own process and judge here what came back."""
    request = {
        "source": plain_python(found.source),
        "imports": imports,
        "name": exercise.name,
        "literal": exercise.literal,
        "use": textwrap.dedent(inspect.getsource(exercise.use)),
        "use_name": exercise.use.__name__,
        "forbidden": exercise.forbidden,
        "cases": [
            [] if exercise.literal else [engine.encode(value) for value in inputs]
            for inputs in exercise.inputs(seed)
        ],
    }
    reply = sandbox.run(request)
    if "refused" in reply:
        return Mark(0, HUMAN, f"The machine refused to run it: {reply['refused']}", 0)
    try:
        outcomes = [engine.sound(json.loads(line)) for line in reply["lines"]]
        verdict = engine.judge(exercise, outcomes, seed)
    except (ValueError, TypeError, KeyError, RuntimeError, OverflowError, IndexError):
        return Mark(0, found.how, "Its process sent back something that is no result.", reply["seconds"])
    hint = verdict.hint or ""
    if not verdict.right and len(outcomes) < len(exercise.cases) and not hint:
        limit = f"It ran for longer than {sandbox.settings['cpu_seconds']} s. Is there an endless loop?"
        hint = limit if reply["end"] == "time" else "Its process ended before it gave a result."
    points = round(exercise.points * sum(verdict.passed) / len(verdict.passed), 2)
    return Mark(points, found.how, hint, reply["seconds"])


# ---------------------------------------------------------------------------------------------- marking


def rows_of(
    student: str, files: list[Path], exercises: dict[str, engine.Exercise], sandbox: Sandbox, seed: int
) -> Iterator[tuple]:
    """The lines of the table for one student: one an exercise, and one for every file that a person must look at."""
    notebooks = []
    for path in files:
        try:
            notebooks.append(read_cells(path))
        except Unreadable as why:
            yield (student, "", "", "", HUMAN, str(why), "")
    wanted = exercises_in(notebooks, exercises)
    if not files:
        yield (student, "", "", "", HUMAN, "There is no notebook (.ipynb) in this folder.", "")
    elif notebooks and not wanted:
        yield (student, "", "", "", HUMAN, "No answer cell of these exercises was found.", "")
    for exercise in wanted:
        marks = []
        for cells in notebooks:
            found = find_answer(cells, exercise.name)
            if found:
                signed = signed_by(cells) if exercise.literal else ""
                one = mark(
                    sandbox,
                    exercise,
                    found,
                    import_lines(cells),
                    variant(signed) if exercise.literal else seed,
                )
                note = f"; numbers of {signed!r}" if signed.casefold() not in student.casefold() else ""
                marks.append((one, one.how + note))
        if not marks:
            yield (student, exercise.name, 0, exercise.points, "not found", "No answer cell was found.", "")
            continue
        best, how = max(marks, key=lambda pair: pair[0].points)
        how += f"; best of {len(marks)} files" if len(marks) > 1 else ""
        yield (student, exercise.name, best.points, exercise.points, how, best.hint, best.seconds)


def exercises_in(notebooks: list[list[dict]], exercises: dict[str, engine.Exercise]) -> list[engine.Exercise]:
    """All exercises of the chapters that a student handed something in for; what is missing counts as 0 points.

    A defined name alone shows the chapter only where no cell is marked: a helper may share its name with an exercise.
    """
    hits = {
        (name, found.how) for cells in notebooks for name in exercises if (found := find_answer(cells, name))
    }
    marked = {name for name, how in hits if how != "name"} or {name for name, _ in hits}
    chapters = {exercises[name].reference.__module__ for name in marked}
    return [exercise for exercise in exercises.values() if exercise.reference.__module__ in chapters]


def private_exercises(path: Path) -> dict[str, engine.Exercise]:
    """The EXERCISES of a teacher's own file, written like segnb/exercises/tasks/unet.py."""
    specification = importlib.util.spec_from_file_location("private_exercises", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    exercises: dict[str, engine.Exercise] = {}
    register(module.EXERCISES, exercises)
    return exercises


def harmless(value):
    """A cell of the table that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="segnb grade", description="Grade a folder of exercise notebooks.")
    parser.add_argument(
        "submissions", type=Path, help="a folder with one sub-folder or one notebook a student"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("grades.csv"), help="the table to write (grades.csv)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the random inputs; segnb.check itself uses 0")
    parser.add_argument(
        "--exercises", type=Path, help="a private exercise file to grade with, instead of the book's"
    )
    parser.add_argument("--cpu-seconds", type=int, default=10, help="processor time an answer may take (10)")
    parser.add_argument("--memory-mb", type=int, default=2048, help="memory an answer may take (2048)")
    parser.add_argument(
        "--i-trust-this-code",
        action="store_true",
        help="run the answers even where this machine cannot be kept apart from them",
    )
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Grade a folder; 0 when the table is written, 2 when nothing could be graded (the reason is printed)."""
    options = arguments(argv)
    if not options.submissions.is_dir():
        print(f"There is no folder {options.submissions}.")
        return 2
    package = Path(__file__).resolve()
    if package.is_relative_to(options.submissions.resolve()):
        print(
            "The answers must not see the folder they lie in, and this one holds segnb itself: use a folder of its own."
        )
        return 2
    if not hasattr(os, "fork"):
        print("Grading needs Linux. On Windows run this command inside WSL or a Docker container.")
        return 2
    exercises = private_exercises(options.exercises) if options.exercises else registry
    hidden = [options.submissions, *([options.exercises] if options.exercises else [])]
    with Sandbox(hidden, options.cpu_seconds, options.memory_mb) as sandbox:
        missing = sandbox.why_no_walls() if sys.platform == "linux" else "walls need Linux"
        if missing and not options.i_trust_this_code:
            print(
                f"This machine cannot be kept apart from the code it is to run ({missing}).\nGrade on Linux, or in a "
                "container or virtual machine that may be thrown away: docker run --network none --read-only --memory 2g "
                "--user nobody. There, and for code you have read yourself, add --i-trust-this-code."
            )
            return 2
        sandbox.settings["walls"] = not missing
        with options.out.open("w", newline="", encoding="utf-8") as table:
            writer = csv.writer(table)
            writer.writerow(COLUMNS)
            for student, files in students(options.submissions).items():
                rows = list(rows_of(student, files, exercises, sandbox, options.seed))
                writer.writerows([harmless(value) for value in row] for row in rows)
                table.flush()
                print(summary(student, rows))
    print(f"The table is in {options.out}.")
    return 0


def summary(student: str, rows: list[tuple]) -> str:
    graded = [row for row in rows if row[4] != HUMAN]
    text = f"{student}: {sum(row[2] for row in graded):g} of {sum(row[3] for row in graded)}"
    return f"{text}, {HUMAN}" if len(graded) < len(rows) else text
