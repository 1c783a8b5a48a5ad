"""Cases for the kinds of tasks that have no single right result: write the tests; predict, then measure; train under a budget."""

import copy
from collections.abc import Callable
from typing import Any

import torch

from segnb.exercises.comparing import differ, show
from segnb.exercises.engine import Case
from segnb.exercises.observing import tensors

MOST_TESTS = 20
TWO = "Two things are wanted: [your guess, your measurement]."
ALONE = "it should be a tuple of inputs. Is the list missing round a single one: [(...)]?"


# -------------------------------------------------------------------------------------- write the tests


def exposes(
    right: Callable, broken: dict[str, Callable], allowed: Callable[..., str | None]
) -> tuple[Case, ...]:
    """The answer is a list of inputs, each a tuple for `right`. Every broken function must give itself away on one of them.

    broken: what is wrong, as in "it counts void as background" → the function. allowed(*inputs) → None, or a sentence
    on why these inputs may not be asked about.
    """
    first = Case(
        "every input is one that the function must answer", (), holds=lambda got: usable(got, right, allowed)
    )
    return first, *(
        Case(f"found out: {what}", (), holds=finds(right, wrong, what, allowed))
        for what, wrong in broken.items()
    )


def usable(got, right: Callable, allowed: Callable[..., str | None]) -> str | None:
    if not isinstance(got, list) or not got:
        return "A list of inputs is wanted: [(...), (...), ...], each a tuple of what the function takes."
    if len(got) > MOST_TESTS:
        return f"At most {MOST_TESTS} inputs: choose each for what it shows."
    for number, inputs in enumerate(got, start=1):
        told = allowed(*inputs) if isinstance(inputs, list) else ALONE
        if told:
            return f"Input {number} cannot be used: {told}"
        if result(right, inputs) is None:
            return f"Input {number} cannot be used: the right function has no finite answer to it."
    return None


def result(function: Callable, inputs: list) -> Any:
    """What a function of ours answers, None where it raises or the answer is not finite."""
    try:
        value = function(*copy.deepcopy(inputs))
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError):
        return None
    return value if all(torch.isfinite(part).all() for part in tensors(value)) else None


def finds(right: Callable, wrong: Callable, what: str, allowed: Callable[..., str | None]) -> Callable:
    def holds(got) -> str | None:
        if usable(got, right, allowed):
            return "First make every input one that can be used."
        for inputs in got:
            theirs = result(wrong, inputs)
            if theirs is None or differ(theirs, result(right, inputs), 1e-3):
                return None
        return f"One of the broken functions passes all your tests: {what}. On which input would that show?"

    return holds


# -------------------------------------------------------------------------------- predict, then measure


def predicts(
    guess: tuple[float, float] | list,
    measure: Callable,
    inputs=(),
    tolerance: float = 0.02,
    slips: dict | None = None,
) -> tuple[Case, ...]:
    """The answer is [guess, measured]: what you expected before you ran anything, and what came out.

    guess: the range that a number may come from, or the list of names whose order is asked for. Any such guess is right.
    measure(*inputs) → the right measurement, a number or an order. slips: a wrong measurement → its sentence.
    """
    return (
        Case("a guess, made before the run", inputs, holds=lambda got, *inputs: guessed(got, guess)),
        Case(
            "the measurement, beside the guess",
            inputs,
            holds=lambda got, *inputs: measured(got, measure(*inputs), tolerance, slips or {}),
        ),
    )


def pair(got) -> list | None:
    """The guess and the measurement, None where an answer is not two things. Two numbers in a tensor are two numbers."""
    if isinstance(got, torch.Tensor) and got.ndim == 1:
        got = got.tolist()
    return got if isinstance(got, list) and len(got) == 2 else None


def guessed(got, guess) -> str | None:
    if (got := pair(got)) is None:
        return TWO
    if isinstance(guess, list):
        return (
            None if names_all(got[0], guess) else f"The guess is an order of these, each once: {show(guess)}."
        )
    fits = isinstance(got[0], (int, float)) and guess[0] <= got[0] <= guess[1]
    return (
        None
        if fits
        else f"The guess is a number from {guess[0]:g} to {guess[1]:g}. Any will do: it is yours."
    )


def names_all(order, names: list) -> bool:
    """Whether an order has each of the names once; capitals and outer spaces do not matter."""
    texts = [
        sorted(str(name).strip().casefold() for name in some)
        for some in (order if isinstance(order, list) else [], names)
    ]
    return texts[0] == texts[1]


def measured(got, want, tolerance: float, slips: dict) -> str | None:
    if (got := pair(got)) is None:
        return TWO
    if differ(got[1], want, tolerance) is None:
        return None
    if isinstance(got[1], (int, float, str, list)) and not got[1]:
        return "The guess stands. Now measure, and put what comes out beside it."
    if isinstance(want, list) and not names_all(got[1], want):
        return f"What you measured has to be written as an order of the names: {show(sorted(want))}."
    if isinstance(want, (int, float)) and not differ(got[0], want, tolerance):
        return f"{show(got[0])} is what a measurement gives, and it stands first: [your guess, your measurement]."
    if isinstance(want, (int, float)) and isinstance(got[1], (str, list, dict)):
        return f"The measurement is one number, and yours is {show(got[1])}."
    for slip, told in slips.items():
        if differ(got[1], list(slip) if isinstance(slip, tuple) else slip, tolerance) is None:
            return told
    if isinstance(got[1], (int, float)) and differ(got[1] / 100, want, tolerance) is None:
        return "A hundred times less would be right: do you count in per cent?"
    return f"The measurement is not {show(got[1])}. Run the measurement again, on what the task gives, and take what comes out."


# ----------------------------------------------------------------------------- train under a budget


def reaches(what: str, least: float, told: str, seeds=(1, 2, 3)) -> tuple[Case, ...]:
    """The answer is used in a training, use(answer, seed) → a number from 0 to 1; on each seed it must reach `least`.

    told: what to think about when it does not.
    """

    def holds(got, seed):
        if not isinstance(got, (int, float)) or not got >= least:
            return f"On data set {seed} your training reaches {show(got)}, and {least:g} is asked for. {told}"
        return None

    return tuple(Case(f"{what}, on data set {seed}", (seed,), holds=holds) for seed in seeds)
