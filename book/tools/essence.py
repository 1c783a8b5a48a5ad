"""Python source without what does not change its meaning."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache


def essence(source: str) -> str:
    """The source without comments, docstrings, imports and blank lines.

    Of an import it counts what it brings, and not where from. Lines and indentation stay, so that the result
    is the same under every version of Python.
    """
    return "\n".join(filter(None, bare(source)))


@cache
def bare(source: str) -> list[str]:
    """All lines of the source, empty where nothing is left: line numbers hold."""
    lines = source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    # The columns of nodes are counted in bytes.
    lines = [line.encode() for line in lines]
    for node in sorted(
        unread(ast.parse(source)), key=lambda node: (node.lineno, node.col_offset), reverse=True
    ):
        first, last = node.lineno - 1, node.end_lineno - 1
        rest = lines[first][: node.col_offset] + lines[last][node.end_col_offset :]
        lines[first : last + 1] = [rest, *[b""] * (last - first)]
    return [line.decode().rstrip() for line in lines]


def unread(tree: ast.Module) -> Iterator[ast.stmt]:
    """The imports and the docstrings in a tree."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, documented) and ast.get_docstring(node) is not None:
            yield node.body[0]
