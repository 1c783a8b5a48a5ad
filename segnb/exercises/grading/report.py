"""A page for each person, to be handed back: what holds, what does not, and the hints that go on from there."""

import html
import re
import unicodedata
from pathlib import Path

from segnb.exercises import engine
from segnb.exercises.grading.class_list import readable

STYLE = """
:root { color-scheme: light dark; --line: #8886; --good: light-dark(#17692f, #7ccf93); --open: light-dark(#9a4a00, #f0a860) }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin: 0 }
.ep-sum { margin-top: 0.2rem }
section { border-top: 1px solid var(--line); padding: 0.9rem 0 }
header { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between }
ul { list-style: none; padding: 0; margin: 0.4rem 0 } ul li { padding-left: 1.4em }
ul li::before { display: inline-block; width: 1.4em; margin-left: -1.4em }
.ep-holds::before { content: "✓"; color: var(--good) } .ep-open::before { content: "○"; color: var(--open) }
.ep-hint { border-left: 3px solid var(--open); padding-left: 0.8rem; margin: 0.6rem 0 }
summary { cursor: pointer } code { font-size: 0.95em }
@media print { body { margin: 0; max-width: none } section { break-inside: avoid } details { display: none } }
"""


def write(folder: Path, results: list[dict], exercises: dict[str, engine.Exercise]) -> None:
    """One HTML file a person in `folder`, under a name made from theirs. Notes for the teacher are not in it."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for result in results:
        name = file_name(result["student"], taken)
        (folder / f"{name}.html").write_text(page(result, exercises), encoding="utf-8")


def file_name(student: str, taken: set[str]) -> str:
    """A name that every system can hold, made from a person's; with a number where two would share it."""
    letters = unicodedata.normalize("NFKC", readable(student))
    plain = re.sub(r"[^\w.-]+", "_", letters).strip("._")[:60] or "report"
    name, number = plain, 1
    while name.casefold() in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name.casefold())
    return name


def page(result: dict, exercises: dict[str, engine.Exercise]) -> str:
    marks, student = result["marks"], text(result["student"])
    points = (
        f"{sum(m['points'] for m in marks):g} of {sum(m['max'] for m in marks)} points"
        if marks
        else "No points"
    )
    problems = "".join(f'<p class="ep-hint">{text(problem)}</p>' for _, problem in result["problems"])
    sections = "".join(section(mark, exercises[mark["exercise"]]) for mark in marks)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{student}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f'<body><h1>{student}</h1>\n<p class="ep-sum">{points}</p>\n{problems}{sections}</body></html>\n'
    )


def section(mark: dict, exercise: engine.Exercise) -> str:
    """One exercise: its points, a tick for every case that holds, the first hint, and the steps of `segnb.hint` folded."""
    full = mark["points"] == mark["max"]
    whats = [case.what for case in exercise.cases] if any(mark["passed"]) else []
    ticks = "".join(
        f'<li class="{"ep-holds" if holds else "ep-open"}">{text(what)}</li>'
        for what, holds in zip(whats, mark["passed"])
    )
    hint = f'<p class="ep-hint">{text(mark["hint"])}</p>' if mark["hint"] else ""
    steps = "".join(f"<li>{text(step)}</li>" for step in exercise.hints)
    more = "" if full else f"<details><summary>More hints</summary><ol>{steps}</ol></details>"
    return (
        f"<section><header><h2><code>{text(exercise.name)}</code></h2><span>{mark['points']:g} of {mark['max']}</span></header>\n"
        f"<ul>{ticks}</ul>{hint}{more}</section>\n"
    )


def text(words: str) -> str:
    """Words of anybody's as HTML shows them."""
    return html.escape(readable(words))
