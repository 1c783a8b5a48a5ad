"""What a teacher may want to look at: borrowed answers, equal texts, another's numbers. Evidence, never a verdict."""

import ast
import hashlib
import re

from segnb.exercises.grading.answers import NO_PYTHON, Found, Notebook
from segnb.exercises.leaning import is_huge

LONG_ENOUGH = 160  # letters; shorter answers may well be equal by chance
_TASKS = re.compile(r"segnb\.exercises(\.tasks)?(\.\w+)?\.(\w+)")


def of_text(book: Notebook, found: Found) -> dict:
    """What an answer's text tells: what it leans on, what of the course's own answers it names, a digest to compare."""
    try:
        run, elsewhere = book.needs(found)
        own = [ast.unparse(without_texts(statement)) for _, statement in run if not is_huge(statement)]
    except NO_PYTHON:
        return {"leans": [], "names": [], "digest": ""}
    text = "\n".join([*own, found.expression])
    long = sum(map(len, own)) >= LONG_ENOUGH
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() if long else ""
    return {
        "leans": [name[:80] for name in elsewhere[:5]],
        "names": sorted(reached(text))[:5],
        "digest": digest,
    }


def without_texts(statement: ast.stmt) -> ast.stmt:
    """A function or class without its docstring: comments are gone already."""
    body = getattr(statement, "body", [])
    first = body[0] if isinstance(body, list) and body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        fields = {**dict(ast.iter_fields(statement)), "body": body[1:]}
        return ast.copy_location(type(statement)(**fields), statement)
    return statement


def reached(text: str) -> set[str]:
    """What a text names of `segnb.exercises`: "segnb.exercises.unet.crop_and_concat", say."""
    names = {match[0] for match in _TASKS.finditer(text)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("segnb.exercises"):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name[:120] for name in names}


def is_ours(value) -> bool:
    """Whether an answer is the course's own object."""
    return str(getattr(value, "__module__", "")).startswith("segnb.")
