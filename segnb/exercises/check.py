"""`check`, `hint` and `solution`: what a sheet calls for one exercise by its name."""

import difflib
import hashlib
import inspect
import os
import textwrap
from typing import Any

from segnb.exercises import tasks
from segnb.exercises.engine import Exercise, Verdict, judge
from segnb.exercises.leaning import leans_on

UNSIGNED = 'Your numbers belong to your name: put it where "your-id" stands, and run that cell again.'
PLACEHOLDERS = ("", "your-id", "your id", "your-name", "your name", "name", "student")

registry: dict[str, Exercise] = {}
_steps_given: dict[str, int] = {}
_held: dict[str, bool] = {}


def register(exercises: list[Exercise], into: dict[str, Exercise]) -> None:
    """Add exercises under their names. ValueError if a name is taken: it must be unique in the whole book."""
    for exercise in exercises:
        if exercise.name in into:
            raise ValueError(f"there are two exercises named {exercise.name!r}: rename one of them")
        into[exercise.name] = exercise


for _chapter in tasks.CHAPTERS:
    register(_chapter.EXERCISES, registry)


def check(name: str, answer, *, student: str | None = None) -> None:
    """Try an answer (a function, a class or a short value) and print what holds, and one hint if something does not.

    student: for exercises whose numbers differ from learner to learner, the name given to `variant`.
    Never raises for a learner; under SEGNB_STRICT=1 whatever does not hold is an AssertionError.
    """
    exercise = _find(name)
    if exercise is None:
        return
    verdict = _judge(exercise, answer, student)
    _held[name] = verdict.right
    print(_report(exercise, verdict))
    for name_ in leans_on(answer):
        print(
            f"○ {name} leans on `{name_}` from another cell. Put it into this one, so that they are handed in together."
        )
    _insist(verdict.right, f"{name}: {verdict.hint}")


def passed(name: str) -> bool:
    """Whether the last `check` of this exercise held: what a tool asks that takes everything for right that raises nothing."""
    return _held.get(name, False)


def hint(name: str, step: int | None = None) -> None:
    """Print a hint; each call goes one step further, up to three. `step` (1, 2 or 3) asks for one of them."""
    exercise = _find(name)
    if exercise is None:
        return
    last = len(exercise.hints)
    step = min(_steps_given.get(name, 0) + 1, last) if step is None else min(max(1, step), last)
    _steps_given[name] = step
    more = (
        f'segnb.hint("{name}") says more.' if step < last else f'The answer itself: segnb.solution("{name}").'
    )
    print(f"Hint {step} of {last}. {exercise.hints[step - 1]}\n{more}")


def solution(name: str) -> None:
    """Print one right answer as Python source; others are as right if they pass the check."""
    exercise = _find(name)
    if exercise is not None:
        print(textwrap.dedent(inspect.getsource(exercise.reference)).strip())


def variant(student: str) -> int:
    """A whole number that belongs to a learner's name (capitals and outer spaces do not matter): the seed of their own numbers."""
    digest = hashlib.sha256(student.strip().casefold().encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def is_placeholder(student: str) -> bool:
    """Whether this is still what the sheet came with, and not a learner's own name."""
    return student.strip().strip("<>").casefold() in PLACEHOLDERS


def yours_or_ours(name: str, answer) -> Any:
    """The learner's answer if it passes its check, else the course's: so that the picture behind a task can be drawn before
    the task is done, and shows what to expect. KeyError for an unknown name."""
    exercise = registry[name]
    if _judge(exercise, answer, None).right:
        print(f"Drawn with your {name}.")
        return answer
    print(f"Drawn with the course's {name}; once yours passes its check, run this cell again.")
    return exercise.reference


def _find(name: str) -> Exercise | None:
    """The exercise of that name, or a line that says which names there are."""
    if name in registry:
        return registry[name]
    close = difflib.get_close_matches(str(name), registry, n=1)
    meant = f' Did you mean "{close[0]}"?' if close else ""
    text = f'✗ There is no exercise "{name}".{meant} The book has: {", ".join(sorted(registry))}.'
    print(text)
    _insist(False, text)
    return None


def unwritten(answer) -> bool:
    """Whether the dots are still there."""
    return answer is None or answer is ...


def misfit(name: str, literal: bool, answer) -> str | None:
    """The hint for a function where a value is wanted (a literal exercise), or for a value where a function is."""
    if callable(answer) and literal:
        return "The value itself is wanted here, and this is a function. Call it, and hand in its result."
    if not callable(answer) and not literal:
        return (
            f'Hand in the function itself, by its name and without calling it: segnb.check("{name}", {name}).'
        )
    return None


def _judge(exercise: Exercise, answer, student: str | None) -> Verdict:
    none_pass = (False,) * len(exercise.cases)
    if unwritten(answer):
        return Verdict(none_pass, "not written yet", written=False)
    if wrong_kind := misfit(exercise.name, exercise.literal, answer):
        return Verdict(none_pass, wrong_kind)
    if student is not None and is_placeholder(student):
        return Verdict(none_pass, UNSIGNED)
    return judge(exercise, exercise.observe(answer), variant(student or "") if exercise.literal else 0)


def _report(exercise: Exercise, verdict: Verdict) -> str:
    """The lines that `check` prints: a tick for every case that holds, and one cross with the hint."""
    name, count = exercise.name, len(verdict.passed)
    if not verdict.written:
        do = (
            "Put your answer where the dots are"
            if exercise.literal
            else "Replace the line that raises NotImplementedError"
        )
        return f'○ {name} is not written yet. {do}, then run this cell again. segnb.hint("{name}") helps.'
    lines = [f"✓ {case.what}" for case, holds in zip(exercise.cases, verdict.passed) if holds]
    if verdict.right:
        return "\n".join(
            [*lines, f"{name}: all {count} checks passed." if count > 1 else f"{name} is right."]
        )
    lines.append(f"✗ {verdict.hint}")
    lines.append(f'{name}: {sum(verdict.passed)} of {count} checks passed. segnb.hint("{name}") helps.')
    return "\n".join(lines)


def _insist(holds: bool, text: str) -> None:
    """Under SEGNB_STRICT=1 (the tests) what does not hold must not go unnoticed."""
    if not holds and os.environ.get("SEGNB_STRICT") == "1":
        raise AssertionError(text)
