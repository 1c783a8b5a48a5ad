"""Write the exercise sheets from the solution notebooks: `make exercises`.

chapters/solutions/NN_name.ipynb is written by hand; chapters/exercises/NN_name.ipynb is made from it and committed. In a
solution notebook a cell tagged `exercise` starts with `# EXERCISE name` and holds its answer between `### BEGIN SOLUTION`
and `### END SOLUTION`; the cell tagged `check` that calls `segnb.check("name", ...)` says whether it is right. This tool
writes nbgrader's metadata into both, so that a teacher may use nbgrader on the same files. With --check nothing is written,
and the exit code is 1 if anything would be.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat

from book.tools import notebooks
from segnb.exercises import Exercise, registry

MARKER = re.compile(r"# EXERCISE (\w+)\n")
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION", re.MULTILINE | re.DOTALL)
# Not nbgrader's words, which it accepts in answers only.
IN_MARKDOWN = re.compile(r"<!-- only with the answers -->.*?<!-- end -->\n*", re.DOTALL)
# What nbgrader takes out of the sheets it makes, and puts back to grade: a check never raises for a learner, and what
# raises nothing would be full marks.
HIDDEN = re.compile(r"\n### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", re.DOTALL)
INSIST = '\n### BEGIN HIDDEN TESTS\nassert segnb.exercises.passed("{name}")\n### END HIDDEN TESTS'
# The first heading of a solution notebook; its sheet, word for word the same otherwise, is called "exercises".
TITLE = re.compile(r"\A(# .*\b)([Ss])olutions$", re.MULTILINE)
# The heading of a task, and below it what `about` wrote.
TASK = re.compile(r"^(## Task .*)\n(?:\*.* minutes · .*\*\n)?", re.MULTILINE)
PLAN = re.compile(r"Plan about [^.]*\.")
STUDENT = re.compile(r'^student = ".*"', re.MULTILINE)
CHECK = re.compile(r'^segnb\.check\("(\w+)"', re.MULTILINE)
KEPT = ("tags", "nbgrader")


class Malformed(ValueError):
    """A solution notebook that no sheet can be made from."""


def exercise_name(cell: nbformat.NotebookNode) -> str:
    """The name in an exercise cell's first line. Malformed if there is none, or segnb.exercises does not know it."""
    match = MARKER.match(cell.source)
    if not match:
        raise Malformed(f"an exercise cell starts with '# EXERCISE name', not with {cell.source[:40]!r}")
    if match[1] not in registry:
        raise Malformed(f"segnb.exercises has no exercise {match[1]!r}")
    if not SOLUTION.search(cell.source):
        raise Malformed(f"{match[1]}: no lines between ### BEGIN SOLUTION and ### END SOLUTION")
    return match[1]


def mark(solution: nbformat.NotebookNode) -> None:
    """Write nbgrader's metadata (schema 3) into the exercise and check cells; points come from segnb.exercises."""
    for cell in solution.cells:
        cell.metadata.pop("nbgrader", None)
        common = {"schema_version": 3, "cell_type": "code", "task": False}
        if "exercise" in notebooks.tags(cell):
            own = {"grade_id": exercise_name(cell), "solution": True, "grade": False, "locked": False}
        elif "check" in notebooks.tags(cell):
            names = CHECK.findall(cell.source)
            if len(names) != 1 or names[0] not in registry:
                raise Malformed(f'a check cell calls segnb.check("name", ...) for one exercise, not {names}')
            points = registry[names[0]].points
            cell.source = HIDDEN.sub("", cell.source) + INSIST.format(name=names[0])
            own = {
                "grade_id": f"check_{names[0]}",
                "solution": False,
                "grade": True,
                "locked": True,
                "points": points,
            }
        else:
            continue
        cell.metadata["nbgrader"] = nbformat.from_dict(common | own)


def about(exercise: Exercise) -> str:
    """The line below a task's heading: how long it takes, how hard and how important it is."""
    path = "★ " if exercise.short else ""
    return f"*{path}{exercise.minutes} minutes · difficulty {exercise.difficulty} of 5 · importance {exercise.importance} of 5*"


def tell(solution: nbformat.NotebookNode) -> None:
    """Write what each task takes below its heading, and the sum of it all where the sheet says "Plan about"."""
    names = [exercise_name(cell) for cell in solution.cells if "exercise" in notebooks.tags(cell)]
    whole = sum(registry[name].minutes for name in names)
    short = sum(registry[name].minutes for name in names if registry[name].short)
    plan = f"Plan about {whole} minutes, or {short} for the tasks marked ★."
    heading = None
    for cell in solution.cells:
        if cell.cell_type == "markdown":
            cell.source = PLAN.sub(plan, cell.source, count=1)
            heading = cell if TASK.search(cell.source) else heading
        elif heading and "exercise" in notebooks.tags(cell):
            line = about(registry[exercise_name(cell)])
            heading.source = TASK.sub(lambda found, line=line: f"{found[1]}\n{line}\n", heading.source)
            heading = None


def stub(source: str, name: str) -> str:
    """The answer taken out: a function raises NotImplementedError, a plain value becomes three dots."""

    def leave(match: re.Match) -> str:
        indent = match[1]
        return (
            f'{indent}raise NotImplementedError("{name}: write this function")' if indent else f"{name} = ..."
        )

    return SOLUTION.sub(leave, source)


def sheet(solution: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The sheet of a marked solution notebook: same cells and ids, no answers, no outputs."""
    result = nbformat.from_dict(solution)
    for cell in result.cells:
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in KEPT if key in cell.metadata})
        if cell.cell_type == "markdown":
            text = IN_MARKDOWN.sub("", cell.source).rstrip()
            cell.source = TITLE.sub(
                lambda match: match[1] + {"s": "e", "S": "E"}[match[2]] + "xercises", text
            )
            continue
        cell.outputs, cell.execution_count = [], None
        cell.source = STUDENT.sub('student = "your-id"', HIDDEN.sub("", cell.source))
        if "exercise" in notebooks.tags(cell):
            cell.source = stub(cell.source, exercise_name(cell))
    return result


def texts(path: Path) -> dict[Path, str]:
    """What the solution notebook at `path` and its sheet should hold: path → text."""
    solution = notebooks.read(path)
    try:
        mark(solution)
    except Malformed as error:
        raise Malformed(f"{path.relative_to(notebooks.ROOT)}: {error}") from None
    tell(solution)
    sheet_path = path.parents[1] / notebooks.FOLDERS["sheet"] / path.name
    return {
        path: notebooks.text(solution, path),
        sheet_path: notebooks.text(sheet(solution), sheet_path),
    }


def write(check: bool = False) -> list[Path]:
    """Bring every solution notebook and its sheet up to date, or only look. → the files that were (are) not. Malformed."""
    stale = []
    for path in notebooks.find("solution"):
        for target, text in texts(path).items():
            if target.exists() and target.read_text(encoding="utf-8") == text:
                continue
            stale.append(target)
            if not check:
                target.parent.mkdir(exist_ok=True)
                target.write_text(text, encoding="utf-8")
    return stale


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if something would change"
    )
    arguments = parser.parse_args()
    try:
        stale = write(arguments.check)
    except Malformed as error:
        print(error, file=sys.stderr)
        return 2
    for target in stale:
        print(f"{'would change' if arguments.check else 'wrote'} {target.relative_to(notebooks.ROOT)}")
    return int(arguments.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
