"""Which code of this repository does a function reach? Found in the source, so that nobody has to type it.

From the function on, each name in a definition is looked up in the module around it. What stands there at
the top (a function, a class with all its methods, an assignment) is reached, and searched in turn. Modules
are asked as they were imported, so that the way by which a name came in does not matter. A name counts
wherever it stands, also where a local variable hides it: rather too much is reached than too little.

What is found by a word when the code runs, as in `segnb.data.load("cells")`, is reached if the function's own
part of the code holds the word. So a change to one data set touches nothing that another was used for.
"""

import ast
import copy
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import resolve_name
from itertools import chain
from pathlib import Path
from types import FunctionType, ModuleType

import segnb
from book.tools import weights
from book.tools.essence import bare, unannotated

PACKAGES = ("book", "segnb")
IMPORT = ast.Import | ast.ImportFrom
BLOCK = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Definition:
    """A statement at the top of a module, or an entry of a dict there that is found by its word."""

    module: ModuleType
    node: ast.stmt | ast.expr

    @property
    def lines(self) -> tuple[int, int]:
        """The first, decorators included, and the last."""
        nodes = self.node, *getattr(self.node, "decorator_list", ())
        return min(node.lineno for node in nodes), self.node.end_lineno

    @cached_property
    def text(self) -> str:
        """Its essence."""
        first, last = self.lines
        return "" if self.entries else "\n".join(filter(None, bare(source(self.module))[first - 1 : last]))

    @cached_property
    def words(self) -> set[str]:
        """The strings in it."""
        values = (getattr(node, "value", None) for node in ast.walk(self.node))
        return {value for value in values if isinstance(value, str)}

    @cached_property
    def entries(self) -> dict[str, "Definition"]:
        """By their words, if this is a dict of modules, or of what is made from modules."""
        table = getattr(self.node, "value", None)
        if not isinstance(table, ast.Dict):
            return {}
        modules = {(name,) for name, value in vars(self.module).items() if isinstance(value, ModuleType)}
        if any(modules.isdisjoint(dotted(item)) for item in table.values):
            return {}
        return {
            ast.literal_eval(key): Definition(self.module, item)
            for key, item in zip(table.keys, table.values)
        }

    @cached_property
    def reaches(self) -> set[tuple[str, "Definition"]]:
        """(name in it, what that means), and, without a name, what runs when the module is imported.

        Where a module itself is taken (`data = segnb.data`), each attribute that is asked of anything here
        may be its. From the entry of a dict it is handed to others, who may ask for all that it has.
        """
        parts = list(ast.walk(self.node))
        imports = [part for part in parts if isinstance(part, IMPORT)]
        asked = {part.attr for part in parts if isinstance(part, ast.Attribute)}
        found, modules = {("", one) for one in top(self.module)[""]}, set()
        names = [] if self.entries else dotted(self.node)
        if not isinstance(self.node, BLOCK):
            names += ((name,) for node in imports for name in bound(node))
        for name in names:
            inside = (imported(self.module, node, *name) for node in imports if name[0] in bound(node))
            for one in list(chain(*inside)) or meaning(self.module, *name):
                if isinstance(one, Definition):
                    found.add((".".join(name), one))
                elif one not in modules:
                    modules.add(one)
                    attributes = asked if isinstance(self.node, ast.stmt) else dir(one)
                    names += ((*name, attribute) for attribute in attributes)
        return found


@dataclass(frozen=True)
class Weights:
    """Those of a trained network that ships with the package."""

    name: str

    @cached_property
    def text(self) -> str:
        return hashlib.sha256((weights.FOLDER / f"{self.name}.pt").read_bytes()).hexdigest()

    @cached_property
    def reaches(self) -> set[tuple[str, Definition]]:
        """The class of the network."""
        built = type(segnb.load_trained(self.name))
        return {("", one) for one in meaning(sys.modules[built.__module__], built.__name__)}


def stamp(function: Callable, *words: str) -> str:
    """A hash of all that a function reaches, by what it says and not where; arguments as for `reached`."""
    parts = {
        repr([one.text, sorted((name, other.text) for name, other in one.reaches)])
        for one in reached(function, *words)
    }
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def reached(function: Callable, *words: str) -> set[Definition | Weights]:
    """What a function at the top of a module reaches: itself, without decorators, and what its names mean.

    words: more of them by which something may be found, as if the function held them.
    """
    [first] = meaning(sys.modules[function.__module__], function.__name__)
    node = copy.copy(first.node)
    node.decorator_list = []
    held, before = set(words), None
    while held != before:
        before, found, waiting = set(held), set(), [Definition(first.module, node)]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += (other for _, other in one.reaches)
                if isinstance(one, Definition):
                    waiting += by_word(one, before)
                    held |= one.words if package(one.module) == package(first.module) else set()
    return found


def by_word(one: Definition, words: set[str]) -> set[Definition | Weights]:
    """What a definition finds when it is run with one of these words."""
    if one in meaning(segnb, "load_trained"):
        return {Weights(word) for word in words & weights.NETWORKS.keys()}
    found = {entry for word, entry in one.entries.items() if word in words}
    # An entry may name others: a real set its twin.
    told = {word for entry in found for _, other in entry.reaches for word in other.words}
    more = told & one.entries.keys()
    return found if more <= words else by_word(one, words | more)


def meaning(module: ModuleType, name: str, *rest: str) -> Iterator[Definition | ModuleType]:
    """What `name.rest` stands for at the top of a module: definitions, or a module where the name ends."""
    value = getattr(module, name, None)
    if isinstance(value, ModuleType):
        yield from within(value, *rest)
    elif name in top(module):
        for one in top(module)[name]:
            yield from imported(module, one.node, name) if isinstance(one.node, IMPORT) else [one]
    elif isinstance(value, FunctionType | type) and value.__module__ != module.__name__:
        # From `__getattr__`, or from `import *`.
        yield from top(module).get("__getattr__", ())
        yield from within(sys.modules[value.__module__], value.__name__)


def imported(module: ModuleType, node: ast.stmt, name: str, *rest: str) -> Iterator[Definition | ModuleType]:
    """What `name.rest` stands for if this import in a module has bound the name."""
    [alias] = (alias for alias in node.names if name == (alias.asname or alias.name.split(".")[0]))
    if isinstance(node, ast.ImportFrom):
        origin = resolve_name("." * node.level + (node.module or ""), module.__package__)
        rest = alias.name, *rest
    else:
        origin = alias.name if alias.asname else name
    if origin.split(".")[0] in PACKAGES:
        yield from within(importlib.import_module(origin), *rest)


def within(module: ModuleType, *names: str) -> Iterator[Definition | ModuleType]:
    """What a dotted name stands for in a module, which itself is meant by none. Nothing of other packages."""
    if package(module) in PACKAGES:
        yield from meaning(module, *names) if names else [module]


def package(module: ModuleType) -> str:
    return module.__name__.split(".")[0]


def source(module: ModuleType) -> str:
    return Path(module.__file__).read_text(encoding="utf-8") if module.__file__ else ""


@cache
def top(module: ModuleType) -> dict[str, list[Definition]]:
    """The statements at the top of a module by the names that they bind; under "" those that do more."""
    tree, found = unannotated(ast.parse(source(module))), {"": []}
    for node in tree.body[1:] if ast.get_docstring(tree) is not None else tree.body:
        names = bound(node)
        if not names or not isinstance(node, IMPORT | BLOCK | ast.Assign | ast.AnnAssign):
            found[""].append(Definition(module, node))
        for name in names:
            found.setdefault(name, []).append(Definition(module, node))
    return found


def bound(node: ast.AST) -> set[str]:
    """The names that a statement binds."""
    if isinstance(node, BLOCK):
        return {node.name}
    parts = list(ast.walk(node))
    stored = {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    aliases = (part.asname or part.name for part in parts if isinstance(part, ast.alias))
    return stored | {alias.split(".")[0] for alias in aliases}


def dotted(tree: ast.AST) -> list[tuple[str, ...]]:
    """The names in a tree, as long as they are: `data.load(name)` → ("data", "load"), ("name",)."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)]
    beginnings = {node.value for node in nodes if isinstance(node, ast.Attribute)}
    written = (ast.unparse(node).split(".") for node in nodes if node not in beginnings)
    return [tuple(parts) for parts in written if all(part.isidentifier() for part in parts)]
