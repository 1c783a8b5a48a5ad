"""What an exercise is, and how an answer to it is judged: by what it does, beside a reference that does it right."""

import functools
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from segnb.exercises.comparing import both, differ, farthest, kind_of, same_form, show, sizes
from segnb.exercises.observing import (
    DTYPES,
    Attempt,
    Told,
    apply,
    decode,
    encode,
    observe,
    sound,
    take,
)

__all__ = [
    "DTYPES",
    "Attempt",
    "Case",
    "Exercise",
    "Told",
    "Verdict",
    "apply",
    "decode",
    "differ",
    "encode",
    "judge",
    "kind_of",
    "observe",
    "rand",
    "show",
    "sizes",
    "sound",
    "take",
]
ARROW = " → "
RIGHT_NUMBERS = "the numbers are right"


@dataclass(frozen=True)
class Case:
    """One thing that is tried.

    what: printed behind the tick when it holds.
    inputs: a tuple of inputs (tensors, numbers, texts, lists of these), or a function seed → tuple.
    hint: what to ask the learner when the result is of the right type and shape but wrong; text, or a function
        (got, want, *inputs) → text.
    ties: equal numbers compete in the inputs. Which of them the gradient goes to is then the answer's own affair; that some
        arrives is not.
    holds: for a property instead of one right result: a function (got, *inputs) → None, or a sentence on what is missing.
    """

    what: str
    inputs: tuple | Callable[[int], tuple] = ()
    hint: str | Callable[..., str] = ""
    holds: Callable[..., str | None] | None = None
    ties: bool = False

    def make(self, seed: int) -> tuple:
        return self.inputs(seed) if callable(self.inputs) else self.inputs


@dataclass(frozen=True, eq=False)
class Exercise:
    """A reference answer, the cases it is compared on, and the help for whoever is stuck.

    reference: the right answer; its name is the exercise's. Where the answer is a short value, a function that computes it.
    cases: in the order of learning: an example small enough for pen and paper first, random inputs last.
    hints: three steps for `segnb.hint`, from a nudge to almost the answer.
    mistakes: known wrong answers → the sentence that cures each (text, or a function as in `Case`). A wrong answer is an
        edit of the reference ("2 * both → both", or a tuple of edits), a function, or, where the answer is a value, the
        value. It is recognised only if the answer agrees with it in every case.
    minutes, difficulty, importance: what the task takes and is worth (1..5); short: it is on the path of 45 minutes.
    points: of the mark.
    use: how an answer is put to use, use(answer, *inputs). The grader sends its source to a separate process, so it may
        lean on torch, nn, F, np, math, segnb and the names of `probes` only.
    literal: the answer is a value, not a function; cases then get the learner's variant as their seed.
    gradient: the names of the inputs by which the result is to have a gradient; it is compared, number by number.
    forbidden: functions that the text forbids; they raise ("max_pool2d" of torch, "segnb.losses.dice" of the course).
    exact: the text fixes the dtype of the result.
    tolerance: largest accepted difference, relative to the largest wanted value.
    """

    reference: Callable
    cases: tuple[Case, ...]
    hints: tuple[str, str, str]
    mistakes: dict = field(default_factory=dict)
    minutes: int = 10
    difficulty: int = 2
    importance: int = 3
    short: bool = False
    points: int = 1
    use: Callable = apply
    literal: bool = False
    gradient: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    exact: bool = False
    tolerance: float = 1e-4

    @property
    def name(self) -> str:
        return self.reference.__name__

    @property
    def arguments(self) -> list[str]:
        """What the inputs of a case are called: the answer's parameters, or those of the function that uses it."""
        if self.use is apply:
            return list(inspect.signature(self.reference).parameters)
        return list(inspect.signature(self.use).parameters)[1:]

    def inputs(self, seed: int) -> list[tuple]:
        """The inputs of every case; the same seed gives the same inputs."""
        made = [case.make(seed + number) for number, case in enumerate(self.cases)]
        if not self.gradient:
            return made
        trained = [name in self.gradient for name in self.arguments]
        return [tuple(trainable(value) if yes else value for value, yes in zip(one, trained)) for one in made]

    def observe(self, answer, seed: int = 0) -> list[dict]:
        """What the answer does in each case: literal values are taken as they are."""
        use = take if self.literal else self.use
        return [observe(use, answer, inputs, self.forbidden) for inputs in self.inputs(seed)]

    def wrong_answers(self) -> dict:
        """Known wrong answer, as a function or a value → its sentence."""
        return {wrong_answer(self.reference, key): told for key, told in self.mistakes.items()}


@dataclass(frozen=True)
class Verdict:
    """Which cases hold, whether anything was written at all, and the one hint worth giving now."""

    passed: tuple[bool, ...]
    hint: str | None
    written: bool = True

    @property
    def right(self) -> bool:
        return all(self.passed)


def rand(seed: int, *shape: int) -> Tensor:
    """Uniform numbers in 0..1 that depend on the seed alone: for the inputs of cases."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def trainable(value):
    """The value with every tensor of fractions in it requiring a gradient."""
    if isinstance(value, (list, tuple)):
        return type(value)(trainable(item) for item in value)
    floats = isinstance(value, Tensor) and value.is_floating_point()
    return value.detach().clone().requires_grad_() if floats else value


@functools.cache
def wrong_answer(reference: Callable, key):
    """A known wrong answer: `key` itself, or the reference with one or several edits "old → new" of its source.

    ValueError if the source does not hold what is to be replaced."""
    edits = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(edit, str) and ARROW in edit for edit in edits):
        return key
    source = textwrap.dedent(inspect.getsource(reference))
    for edit in edits:
        old, new = edit.split(ARROW)
        if old not in source:
            raise ValueError(f"{reference.__name__} holds no {old!r}, which a known mistake would replace")
        source = source.replace(old, new)
    names = dict(reference.__globals__)
    exec(source, names)
    return names[reference.__name__]


# ---------------------------------------------------------------------------------------------- judging


def judge(exercise: Exercise, outcomes: list[dict], seed: int) -> Verdict:
    """Compare what was observed with the reference, case by case.

    A change of what should have stayed as it was is told first; then a known mistake that agrees in all cases; then what
    is different in the first case that fails, a gradient only if no number is wrong anywhere.
    """
    none_pass = (False,) * len(exercise.cases)
    if any(unwritten(exercise, outcome) for outcome in outcomes):
        return Verdict(none_pass, "not written yet", written=False)
    every = list(zip(exercise.cases, exercise.inputs(seed), outcomes))
    changes = [change(exercise, outcome) for outcome in outcomes]
    complaints = [
        found or complain(exercise, number, *one, seed)
        for number, (found, one) in enumerate(zip(changes, every))
    ]
    passed = tuple(complaint is None for complaint in complaints) + none_pass[len(complaints) :]
    if all(complaint is None for complaint in complaints):
        return Verdict(passed, None)
    told = [
        *filter(None, changes),
        *filter(None, [recognise(exercise, outcomes, seed)]),
        *sorted(filter(None, complaints), key=lambda told: told.startswith(RIGHT_NUMBERS)),
    ][0]
    return Verdict(passed, told[0].upper() + told[1:])


def unwritten(exercise: Exercise, outcome: dict) -> bool:
    if outcome["error"]:
        return outcome["error"]["unwritten"]
    return exercise.literal and empty(outcome["value"])


def empty(value: dict) -> bool:
    """Whether a short value still holds the dots of the sheet."""
    items = value.get("items", [])
    return value["kind"] == "nothing" or value.get("type") == "ellipsis" or any(empty(item) for item in items)


def change(exercise: Exercise, outcome: dict) -> str | None:
    """The sentence on what the answer changed though it belongs to others."""
    error = outcome["error"]
    if error and error["type"] == "Changed":
        return error["text"]
    if not outcome["changed"]:
        return None
    name = exercise.arguments[outcome["changed"][0]]
    return (
        f"Your function changed `{name}` itself, and whoever called it still needs it. "
        f"Work on a copy or a new value: {name}.clone() if it is a tensor."
    )


@functools.lru_cache(maxsize=4096)
def ours(exercise: Exercise, answer, number: int, seed: int) -> dict:
    """What an answer of the course's own (the reference, or a known mistake) does in one case."""
    inputs = exercise.inputs(seed)[number]
    if exercise.literal:
        return observe(apply, answer, inputs) if callable(answer) else observe(take, answer, ())
    return observe(exercise.use, answer, inputs)


def complain(
    exercise: Exercise, number: int, case: Case, inputs: tuple, outcome: dict, seed: int
) -> str | None:
    """None when the case holds, else a sentence that says what is different."""
    names = exercise.arguments
    if outcome["error"]:
        told = stopped(exercise, names[: len(inputs)], outcome["error"])
        # Code that runs in the first case and stops in a later one has met what that case is about.
        about = number and not callable(case.hint) and outcome["error"]["type"] != "Told"
        return f"{told} {case.hint}".strip() if about else told
    got = decode(outcome["value"])
    if case.holds:
        return case.holds(got, *inputs)
    right = ours(exercise, exercise.reference, number, seed)
    want = decode(right["value"])
    if no_slope(right) and isinstance(got, Tensor) and isinstance(want, Tensor):
        got, want = got.detach(), want.detach()  # a gradient of zeros is as good as none
    difference = differ(got, want, exercise.tolerance, exercise.exact)
    if difference is None:
        return differ_gradients(exercise, outcome["gradients"], right["gradients"], case.ties)
    about_values = same_form(got, want, exercise.exact) and not same_numbers(exercise, got, want)
    if about_values and callable(case.hint):
        return case.hint(got, want, *inputs)
    given = ", ".join(f"{name} = {show(value)}" for name, value in zip(names, inputs))
    told = f"With {given}: {difference}" if given and not exercise.literal else difference
    return f"{told} {case.hint}".strip() if about_values else told


def same_numbers(exercise: Exercise, got, want) -> bool:
    """Whether two tensors differ in nothing but whether they carry a gradient."""
    tensors = isinstance(got, Tensor) and isinstance(want, Tensor)
    return tensors and differ(got.detach(), want.detach(), exercise.tolerance, exercise.exact) is None


def no_slope(outcome: dict) -> bool:
    """Whether the gradients of a result are zeros everywhere."""
    return bool(outcome["gradients"]) and not any(decode(slope).any() for slope in outcome["gradients"])


def differ_gradients(exercise: Exercise, got, want, ties: bool = False) -> str | None:
    """None if the gradients by all inputs agree, else a sentence on the first that does not."""
    if not want or (got is None and no_slope({"gradients": want})):
        return None
    if got is None or len(got) != len(want):
        return "no gradient flows through your result: a .detach(), .item(), argmax or a conversion to NumPy has cut it off."
    names = [name for name in exercise.arguments if name in exercise.gradient]
    for place, (yours, mine) in enumerate(zip(got, want)):
        yours, mine = decode(yours).double(), decode(mine).double()
        where = farthest(yours, mine, exercise.tolerance) if yours.shape == mine.shape else ()
        if where is None or (ties and where and yours.any()):
            continue
        name = names[min(place, len(names) - 1)]
        if not yours.any():
            return f"{RIGHT_NUMBERS}, and no gradient reaches `{name}`: on the way something is cut off (.detach(), .item(), .data, NumPy)."
        if yours.isnan().any() and not mine.isnan().any():
            return (
                f"{RIGHT_NUMBERS}, and their gradient by `{name}` is not a number in places: somewhere 0 is divided by 0. "
                "A nanmean, a where or a selection takes the NaN out of the result, and not out of its gradient: divide by "
                "something that is not 0, as with .clamp(min=1)."
            )
        mine, yours = both(mine[where].tolist(), yours[where].tolist())
        return (
            f"{RIGHT_NUMBERS}, and their gradient by `{name}` is not: part of it does not arrive, or arrives twice "
            f"(it should be {mine}, and yours is {yours}). Which step is outside the graph (.detach(), .data, no_grad())?"
        )
    return None


def agrees(exercise: Exercise, outcome: dict, answer, number: int, seed: int) -> bool:
    """Whether an answer does in one case what a known mistake does: the same result, or the same error."""
    known = ours(exercise, answer, number, seed)
    if outcome["error"] or known["error"]:
        return same_error(outcome["error"], known["error"])
    yours, mine = decode(outcome["value"]), decode(known["value"])
    if differ(yours, mine, exercise.tolerance) is not None:
        return False
    ties = exercise.cases[number].ties
    return differ_gradients(exercise, outcome["gradients"], known["gradients"], ties) is None


def same_error(yours: dict | None, mine: dict | None) -> bool:
    """Two errors of one kind."""
    return bool(yours and mine) and yours["type"] == mine["type"]


def recognise(exercise: Exercise, outcomes: list[dict], seed: int) -> str | None:
    """The sentence of the known mistake that agrees with the answer in every case."""
    told = any(outcome["error"] and outcome["error"]["type"] == "Told" for outcome in outcomes)
    if told or len(outcomes) < len(exercise.cases) or any(case.holds for case in exercise.cases):
        return None
    for answer, told in exercise.wrong_answers().items():
        if all(agrees(exercise, outcome, answer, number, seed) for number, outcome in enumerate(outcomes)):
            if not callable(told):
                return told
            return first_difference(exercise, outcomes, seed, told)
    return None


def first_difference(
    exercise: Exercise, outcomes: list[dict], seed: int, told: Callable[..., str]
) -> str | None:
    """A sentence made from the first case whose result is wrong."""
    for number, (inputs, outcome) in enumerate(zip(exercise.inputs(seed), outcomes)):
        want = decode(ours(exercise, exercise.reference, number, seed)["value"])
        if outcome["error"] is None and differ(decode(outcome["value"]), want, exercise.tolerance):
            return told(decode(outcome["value"]), want, *inputs)
    return None


def stopped(exercise: Exercise, arguments: list[str], error: dict) -> str:
    """The sentence for code that raised. A TypeError outside the learner's own lines is about how it was called."""
    name = exercise.name
    text = error["text"].rstrip(".")
    if error["type"] in ("Told", "Changed"):
        return error["text"]
    if error["type"] == "SystemExit":
        return "Your code ends the whole program (exit or quit). Return the result instead."
    if "leaf Variable that requires grad" in text:
        return f"Your code changes an input in place, at the line `{error['line']}`. Whoever called it still needs it: make a new tensor."
    said = f"{error['type']}: {text}" if text else error["type"]
    if error["line"]:
        return f"Your code stopped at the line `{error['line']}` with {said}."
    if error["type"] != "TypeError":
        return f"Your {name} stopped with {said}."
    called = f" I called {name}({', '.join(arguments)})." if exercise.use is apply else ""
    return f"{text}.{called}"
