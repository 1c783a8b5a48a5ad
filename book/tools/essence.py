"""Python source without what does not change its meaning."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
WORDS = (tokenize.NAME, tokenize.NUMBER, tokenize.STRING)
LAYOUT = (tokenize.COMMENT, tokenize.NL)
Place = tuple[int, int]  # line, from 1 on, and column, in letters


def essence(source: str) -> str:
    """The source without comments, docstrings, imports, blank lines and the annotations of functions.

    Of an import it counts what it brings, and not where from. Lines and indentation stay, so that the result
    is the same under every version of Python. Only the head of a function becomes one line, as an annotation
    may need a second.
    """
    return "\n".join(filter(None, bare(source)))


@cache
def bare(source: str) -> list[str]:
    """All lines of the source, empty where nothing is left: line numbers hold."""
    lines, tree = source.split("\n"), ast.parse(source)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    cuts = [(*span(node, lines), "") for node in unread(tree)]
    cuts += (head(node, lines, tokens) for node in ast.walk(tree) if isinstance(node, FUNCTION))
    for token in tokens:
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for (first, start), (last, end), left in sorted(cuts, reverse=True):
        rest = lines[first - 1][:start] + left + lines[last - 1][end:]
        lines[first - 1 : last] = [rest, *[""] * (last - first)]
    return [line.rstrip() for line in lines]


def unread(tree: ast.Module) -> Iterator[ast.stmt]:
    """The imports and the docstrings in a tree."""
    documented = ast.Module | ast.ClassDef | FUNCTION
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, documented) and ast.get_docstring(node) is not None:
            yield node.body[0]


def unannotated(tree: ast.Module) -> ast.Module:
    """The tree, in which functions have lost their annotations. Those of classes stay: a dataclass reads them."""
    for node in ast.walk(tree):
        if isinstance(node, FUNCTION):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return tree


def head(node: FUNCTION, lines: list[str], tokens: list[tokenize.TokenInfo]) -> tuple[Place, Place, str]:
    """Where the head of a function begins and where its colon ends it, and the head without annotations."""
    start, _ = span(node, lines)
    annotated = [arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg) and arg.annotation]
    notes = [span(arg, lines) for arg in annotated]
    kept, depth, returned = [], 0, False
    for token in tokens:
        if token.start < start or token.type in LAYOUT:
            continue
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            returned |= token.string == "->" and depth == 0
            if token.string == ":" and depth == 0:
                break
            if token.string == ")" and depth == 0 and kept[-1].string == ",":
                kept.pop()  # the formatter's, where each argument has a line
        if not returned and not any(begin < token.start < end for begin, end in notes):
            kept.append(token)
    left = kept[0].string
    for before, after in pairwise(kept):
        left += " " * (before.type in WORDS and after.type in WORDS) + after.string
    return start, token.end, left + ":"


def span(node: ast.AST, lines: list[str]) -> tuple[Place, Place]:
    """Where a node begins and ends. Its own columns are counted in bytes."""

    def letters(row: int, column: int) -> Place:
        return row, len(lines[row - 1].encode()[:column].decode())

    return letters(node.lineno, node.col_offset), letters(node.end_lineno, node.end_col_offset)
