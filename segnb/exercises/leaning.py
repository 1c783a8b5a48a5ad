"""Which names a piece of a notebook gives a value to, and which it leans on: for `segnb.check` and for `segnb grade`."""

import ast
import builtins
import inspect
import linecache
import symtable
import types

# What every answer finds without asking: the first cells of each sheet import these.
ALWAYS_THERE = frozenset({"torch", "nn", "F", "np", "math", "segnb"})
_OF_PYTHON = frozenset(dir(builtins)) | {"__name__", "__file__", "get_ipython", "display"}
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DISPLAYS = (
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
)  # there may be a million entries in one, and they bind nothing
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def bound(node: ast.AST) -> set[str]:
    """The names that a statement gives a value to, `x` in `x[0] = 1` and `x.y = 1` too, but none inside a function."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, _SCOPES) or (
        isinstance(node, _DISPLAYS) and not isinstance(getattr(node, "ctx", None), ast.Store)
    ):
        return set()
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    names = {name for child in ast.iter_child_nodes(node) for name in bound(child)}
    if isinstance(getattr(node, "ctx", None), ast.Store):
        names |= {owner(node)}
    return names - {""}


def owner(node: ast.AST) -> str:
    """`x` of `x.y[0].z`; an empty text where there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def used(node: ast.AST) -> set[str]:
    """The names that a statement looks up outside its own functions, those of Python itself left out."""
    if is_huge(node):
        return _of_code(compile(ast.Module([node], type_ignores=[]), "<cell>", "exec")) - _OF_PYTHON
    top = symtable.symtable(ast.unparse(node), "<cell>", "exec")
    names, tables = set(), [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        looked_up = (one for one in table.get_symbols() if one.is_referenced())
        names |= {one.get_name() for one in looked_up if table is top or one.is_global()}
    return names - _OF_PYTHON


def is_huge(node: ast.AST) -> bool:
    """Whether a statement is too long to be written out again for a look at it: a list of all pixels, say."""
    return (
        getattr(node, "end_col_offset", 0) > 100_000
        or getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0) > 5_000
    )


def _of_code(code: types.CodeType) -> set[str]:
    """All names that compiled code mentions, attributes too: too many rather than too few."""
    inner = (_of_code(part) for part in code.co_consts if isinstance(part, types.CodeType))
    return set(code.co_names).union(*inner)


def leans_on(answer) -> list[str]:
    """The functions, classes and values that an answer takes from other cells than its own, in a running notebook.

    Imports do not count, wherever they stand; nothing is said about code whose cell is not known any more.
    """
    function = next((one for one in _functions(answer) if linecache.getlines(one.__code__.co_filename)), None)
    if function is None or getattr(function, "__module__", None) != "__main__":
        return []
    try:
        cell = ast.parse("".join(linecache.getlines(function.__code__.co_filename)))
    except (SyntaxError, ValueError):
        return []
    here = {name for statement in cell.body for name in bound(statement)}
    there = function.__globals__
    wanted, seen = [getattr(answer, "__name__", "")], set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        chosen = [statement for statement in cell.body if name in bound(statement)]
        wanted += sorted({other for statement in chosen for other in used(statement)} - seen)
    elsewhere = seen - here - ALWAYS_THERE - {getattr(answer, "__name__", "")}
    return sorted(name for name in elsewhere if name in there and not _imported(there[name]))


def _functions(answer) -> list[types.FunctionType]:
    members = vars(answer).values() if inspect.isclass(answer) else [answer]
    return [member for member in members if isinstance(member, types.FunctionType)]


def _imported(value) -> bool:
    if isinstance(value, types.ModuleType):
        return True
    made = (types.FunctionType, types.BuiltinFunctionType, type)
    return isinstance(value, made) and value.__module__ != "__main__"
