"""Which code cells a reader of the site need not see: those that only draw, only assert or only ask."""

import ast
import re

# Picking, counting and stringing together what is drawn teaches nothing; any other call may.
PLAIN = {
    "zip",
    "range",
    "enumerate",
    "len",
    "list",
    "dict",
    "int",
    "float",
    "str",
    "sorted",
    "min",
    "max",
    "sum",
}
PICKING = {"items", "values", "keys", "append", "index", "tolist", "format", "clamp", "bool", "long", "stack"}


def folds(source: str) -> bool:
    """Whether a code cell is folded on the site: it asks or only asserts, draws on a canvas, or ends in a picture of what is there.

    A cell that defines a function or a class, or computes something on the way to its picture, is shown.
    """
    code = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    try:
        statements = ast.parse(code).body
    except SyntaxError:
        return False
    if not statements or any(isinstance(one, (ast.FunctionDef, ast.ClassDef)) for one in statements):
        return False
    calls = _calls(statements)
    if asks(source) or "show.canvas" in calls or _only_asserts(statements):
        return True
    last = statements[-1]
    if not (isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)):
        return False
    return ast.unparse(last.value.func).startswith("show.") and all(map(_is_plain, calls))


def asks(source: str) -> bool:
    """Whether a code cell is a guess or a Recall: one call, below a line that Colab takes for a title."""
    return re.match(r"(#.*\n)?segnb\.demos\.(guess|recall)\(", source) is not None


def _only_asserts(statements):
    inside = [part for one in statements for part in (one.body if isinstance(one, ast.For) else [one])]
    if not any(isinstance(one, ast.Assert) for one in inside):
        return False
    prepared = [one for one in inside if isinstance(one, ast.Assign)]
    allowed = (ast.Assert, ast.Assign, ast.Import, ast.ImportFrom)
    return all(isinstance(one, allowed) for one in inside) and all(map(_is_plain, _calls(prepared)))


def _calls(statements):
    """The functions that are called, as they are written."""
    return [
        ast.unparse(node.func) for one in statements for node in ast.walk(one) if isinstance(node, ast.Call)
    ]


def _is_plain(call):
    names = call.split(".")
    return names[0] == "show" or call in PLAIN or (len(names) > 1 and names[-1] in PICKING)
