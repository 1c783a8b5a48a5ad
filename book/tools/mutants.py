"""Mutants: small faults put into every exercise's right answer, to see whether its check finds them. `make mutants`.

Each mutant is the reference with one change: in its source (a term dropped, an axis or a number moved by one, another
reduction, whole-number division, a comparison turned ...) or in what is done around it (inputs changed in place, the
result detached, the first item only, a constant, height and width swapped ...). A check must fail every mutant that
behaves otherwise than the reference. Those that behave the same stand in tests/exercises/equivalent.py, with the reason.
Writes the numbers into the table of book/for_teachers.md and, beside the tests, the table of hints that somebody has to read.
"""

import argparse
import ast
import copy
import inspect
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from book.tools import notebooks
from segnb.exercises import engine
from segnb.exercises.observing import tensors
from segnb.exercises.tasks import CHAPTERS

PAGE = notebooks.ROOT / "book/for_teachers.md"
BEGIN, END = "<!-- mutants -->", "<!-- /mutants -->"
HINTS = notebooks.ROOT / "tests/exercises/hints"
SECONDS = 5  # of processor time of one mutant; one that runs longer is caught in an endless loop
# What computing a value may end in; nobody could hand such a value in.
ERRORS = (
    ArithmeticError,
    NameError,
    StopIteration,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
)
SWAPPED = {
    "sum": "mean", "mean": "sum", "max": "min", "amax": "amin", "argmax": "argmin", "nanmean": "nansum",
    "softmax": "sigmoid", "log_softmax": "softmax", "zeros": "ones", "ones": "zeros", "append": "extend",
}  # fmt: skip
OTHER = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip


# ---------------------------------------------------------------------------------- faults in the source


def spots(tree: ast.AST) -> Iterator[tuple[ast.AST, Callable[[], str]]]:
    """Every change that can be made to a tree: a node, and a function that makes it and says what it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            yield from operations(node)
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
            yield node, lambda node=node: change(node.ops, 0, OTHER[type(node.ops[0])](), "comparison turned")
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield node, lambda node=node: shift(node, 1)
            if node.value > 0:
                yield node, lambda node=node: shift(node, -1)
        elif isinstance(node, ast.Attribute) and node.attr in SWAPPED:
            yield node, lambda node=node: rename(node)
        elif isinstance(node, ast.Call) and len(node.args) == 2 and not node.keywords:
            yield node, lambda node=node: turn(node.args, "arguments swapped")
        elif isinstance(node, ast.Return) and node.value is not None and isinstance(node.value, ast.BinOp):
            yield node, lambda node=node: negate(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            for place, line in enumerate(body):
                if not isinstance(line, (ast.Return, ast.FunctionDef, ast.ClassDef, ast.ImportFrom)):
                    yield line, lambda body=body, place=place: change(body, place, ast.Pass(), "line dropped")


def operations(node: ast.BinOp) -> Iterator[tuple[ast.AST, Callable[[], str]]]:
    yield node, lambda: become(node, node.left, "right term dropped")
    if not isinstance(node.op, (ast.Div, ast.Pow, ast.FloorDiv, ast.Mod)):
        yield node, lambda: become(node, node.right, "left term dropped")
    if isinstance(node.op, ast.Div):
        yield node, lambda: operator(node, ast.FloorDiv(), "whole-number division")
    if isinstance(node.op, (ast.Add, ast.Sub)):
        yield (
            node,
            lambda: operator(node, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), "sign turned"),
        )


def change(items: list, place: int, new, what: str) -> str:
    items[place] = new
    return what


def turn(items: list, what: str) -> str:
    items.reverse()
    return what


def shift(node: ast.Constant, by: int) -> str:
    node.value += by
    return f"{node.value - by} became {node.value}"


def rename(node: ast.Attribute) -> str:
    old, node.attr = node.attr, SWAPPED[node.attr]
    return f"{old} became {node.attr}"


def become(node: ast.BinOp, side: ast.expr, what: str) -> str:
    """Leave one side of an operation: a sum with nothing, so that the node may stay what it is."""
    node.left, node.op, node.right = side, ast.Add(), ast.Constant(0)
    return what


def operator(node: ast.BinOp, new: ast.operator, what: str) -> str:
    node.op = new
    return what


def negate(node: ast.Return) -> str:
    node.value = ast.UnaryOp(ast.USub(), node.value)
    return "result negated"


def source_mutants(reference: Callable) -> Iterator[tuple[str, Callable]]:
    """(what was changed, the mutant) for every fault that can be put into the source of a function or class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(reference)))
    for number in range(sum(1 for _ in spots(tree))):
        mutated = copy.deepcopy(tree)
        node, make = list(spots(mutated))[number]
        line = getattr(node, "lineno", 0)
        what = make()
        names = dict(reference.__globals__)
        text = ast.unparse(ast.fix_missing_locations(mutated))
        exec(compile(text, f"<mutant of {reference.__name__}>", "exec"), names)
        yield f"line {line}: {what} ({changed_line(tree, mutated)})", names[reference.__name__]


def changed_line(old: ast.AST, new: ast.AST) -> str:
    """The first line of the source that differs."""
    pairs = zip(ast.unparse(old).splitlines(), ast.unparse(new).splitlines())
    return next((after.strip() for before, after in pairs if before != after), "")


# ------------------------------------------------------------------------------- faults around the call


def spoil(value) -> None:
    """Change a value in place, as deep as it goes."""
    if isinstance(value, Tensor):
        value.data.fill_(1)
    elif isinstance(value, list):
        value.append(0)
    elif isinstance(value, nn.Module):
        for parameter in value.parameters():
            parameter.data.fill_(1)


def detached(value):
    if isinstance(value, (list, tuple)):
        return type(value)(detached(item) for item in value)
    return value.detach() if isinstance(value, Tensor) else value


def swapped(value):
    """Height and width exchanged."""
    return value.transpose(-1, -2) if isinstance(value, Tensor) and value.ndim > 1 else value


def first(value):
    return value[:1] if isinstance(value, Tensor) and value.ndim > 1 else value


def frozen(value):
    return value.requires_grad_(False) if isinstance(value, nn.Module) else value


def in_place(answer: Callable) -> Callable:
    def mutant(*inputs):
        result = answer(*inputs)
        for value in inputs:
            spoil(value)
        return result

    return mutant


def constant(answer: Callable) -> Callable:
    kept: list = []

    def mutant(*inputs):
        if not kept:
            kept.append(answer(*inputs))
        return kept[0]

    return mutant


def seeding(answer: Callable) -> Callable:
    def mutant(*inputs):
        torch.manual_seed(0)
        return answer(*inputs)

    return mutant


def mode(value, training: bool):
    return value.train(training) if isinstance(value, nn.Module) else value


def on_inputs(answer: Callable, change: Callable) -> Callable:
    return lambda *inputs: answer(*map(change, inputs))


def on_result(answer: Callable, change: Callable) -> Callable:
    return lambda *inputs: change(answer(*inputs))


def seen(exercise: engine.Exercise) -> tuple[list, list]:
    """What the reference is given and what it returns, over all cases."""
    given, returned = [], []

    def watched(*inputs):
        given.extend(inputs)
        returned.append(exercise.reference(*inputs))
        return returned[-1]

    exercise.observe(watched)
    return given, returned


def call_mutants(exercise: engine.Exercise) -> Iterator[tuple[str, Callable]]:
    """(what is changed, the mutant) for every fault around the call that makes a difference to what is given or returned."""
    answer = exercise.reference
    given, returned = seen(exercise)
    nets = [value for value in given if isinstance(value, nn.Module)]
    maps = [value for value in given if isinstance(value, Tensor) and value.ndim > 1]
    yield "the seed set", seeding(answer)
    if len(returned) > 1:
        yield "the first result for ever", constant(answer)
    if any(isinstance(value, (Tensor, list, nn.Module)) for value in given):
        yield "inputs changed in place", in_place(answer)
    if any(value.requires_grad for value in tensors(returned)):
        yield "result detached", on_result(answer, detached)
    if any(value.requires_grad for value in tensors(given)):
        yield "inputs detached", on_inputs(answer, detached)
    if maps:
        yield "height and width swapped", on_inputs(answer, swapped)
    if any(len(value) > 1 for value in maps):
        yield "first item only", on_inputs(answer, first)
    for training in (True, False):
        if any(part.training != training for net in nets for part in net.modules()):
            yield f"net.train({training})", on_inputs(answer, lambda value, to=training: mode(value, to))
    if any(isinstance(value, nn.Module) for value in returned):
        yield "result frozen", on_result(answer, frozen)
    if any(value is not None for value in returned):
        yield "nothing returned", on_result(answer, lambda value: None)


def mutants(exercise: engine.Exercise) -> Iterator[tuple[str, Callable]]:
    """All mutants of an exercise: (what is changed, the answer to hand in, or for a value the function that computes it)."""
    yield from source_mutants(exercise.reference)
    if not exercise.literal:
        yield from call_mutants(exercise)


# ---------------------------------------------------------------------------------------------- the run


class Endless(BaseException):  # not an Exception: those count as the answer's own errors
    """A mutant that does not come back."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(*_):
        raise Endless

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def hint_of(exercise: engine.Exercise, answer: Callable) -> str | None:
    """The hint that a mutant meets; None if it passes."""
    try:
        with at_most(SECONDS):
            if exercise.literal:
                answer = answer(*exercise.inputs(0)[0])
            return engine.judge(exercise, exercise.observe(answer), 0).hint
    except Endless:
        return "(does not come back)"
    except ERRORS as error:
        if not exercise.literal:
            raise
        return f"(no value: {type(error).__name__})"


def run(exercise: engine.Exercise) -> list[tuple[str, str | None]]:
    """(what is changed, the hint or None) for every mutant of an exercise; a value that stays the same is no mutant."""
    found = [(what, hint_of(exercise, mutant)) for what, mutant in mutants(exercise)]
    return [(what, hint) for what, hint in found if hint is not None or not exercise.literal]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="modules of segnb.exercises.tasks; all if none is named")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for chapter in CHAPTERS:
        name = chapter.__name__.rpartition(".")[2]
        if arguments.chapters and name not in arguments.chapters:
            continue
        found = {exercise.name: run(exercise) for exercise in chapter.EXERCISES}
        write_hints(name, found)
        write_row(name, row(name, chapter.EXERCISES, found))
        for task, hints in found.items():
            alive = [what for what, hint in hints if hint is None]
            print(f"{name} {task}: {len(hints) - len(alive)} of {len(hints)} killed", *alive, sep="\n    ")
    return 0


def row(name: str, exercises: list[engine.Exercise], found: dict) -> str:
    """A chapter's line in the table for teachers."""
    hints = [hint for told in found.values() for _, hint in told]
    killed, mistakes = sum(hint is not None for hint in hints), sum(len(one.mistakes) for one in exercises)
    cells = (name, len(exercises), mistakes, len(hints), killed, len(hints) - killed)
    return f"| {' | '.join(map(str, cells))} |"


def write_row(name: str, line: str) -> None:
    """Put a chapter's line in place of its old one, or behind the others."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    table, after = rest.split(END)
    lines = [old for old in table.strip().splitlines() if not old.startswith(f"| {name} |")]
    order = [chapter.__name__.rpartition(".")[2] for chapter in CHAPTERS]
    rows = sorted([*lines[2:], line], key=lambda one: order.index(one.split("|")[1].strip()))
    text = "\n".join([*lines[:2], *rows])
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def write_hints(chapter: str, table: dict) -> None:
    """The hints of one chapter, for somebody to read."""
    lines = [f"# {chapter}: the hint that each mutant meets"]
    for task, found in table.items():
        lines += ["", f"## {task}", "", *(f"- {what}: {hint or '**passes**'}" for what, hint in found)]
    HINTS.mkdir(exist_ok=True)
    (HINTS / f"{chapter}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
