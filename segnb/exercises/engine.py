"""What an exercise is, and how an answer to it is judged.

An answer is first *observed*: it runs on a copy of each case's inputs, and what came of it is written down in plain
values. Then it is *judged* against the reference. The two halves need not share a process, so the grader can observe
untrusted code behind walls and judge it outside.
"""

import copy
import inspect
import linecache
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

LARGEST = 1_000_000  # values; an answer that returns more is told so instead of being copied
DTYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
    "bool": torch.bool,
    "uint8": torch.uint8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
}


def apply(answer, *inputs):
    """Put a function to use: call it."""
    return answer(*inputs)


def take(answer, *inputs):
    """Put a short value (a number, a string, a list) to use: it is the result itself."""
    return answer


@dataclass(frozen=True)
class Case:
    """One thing that is tried.

    what: printed behind the tick when it holds.
    inputs: a tuple of inputs (tensors, numbers, texts, lists of these), or a function seed → tuple.
    hint: what to ask the learner when the result is of the right type and shape but wrong; text, or a function
        (got, want, *inputs) → text.
    """

    what: str
    inputs: tuple | Callable[[int], tuple]
    hint: str | Callable[..., str] = ""

    def make(self, seed: int) -> tuple:
        return self.inputs(seed) if callable(self.inputs) else self.inputs


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer, recognised by its values, and the hint that cures it (text or a function as in `Case`)."""

    answer: Callable
    hint: str | Callable[..., str]


@dataclass(frozen=True)
class Exercise:
    """A reference answer, the cases it is compared on, and the help for whoever is stuck.

    reference: the right answer; its name is the exercise's. Where the answer is a short value, a function that computes it.
    cases: in the order of learning: an example small enough for pen and paper first, random inputs last.
    hints: three steps for `segnb.hint`, from a nudge to almost the answer.
    mistakes: recognised before the general hint of a case is given.
    use: how an answer is put to use, use(answer, *inputs). The grader sends its source to a separate process, so it may
        lean on torch, nn, F, np, math and segnb only.
    literal: the answer is a value, not a function; cases then get the learner's variant as their seed.
    tolerance: largest accepted difference, relative to the largest wanted value (at least to 1).
    """

    reference: Callable
    cases: tuple[Case, ...]
    hints: tuple[str, str, str]
    mistakes: tuple[Mistake, ...] = ()
    points: int = 1
    use: Callable = apply
    literal: bool = False
    tolerance: float = 1e-4

    @property
    def name(self) -> str:
        return self.reference.__name__

    def inputs(self, seed: int) -> list[tuple]:
        """The inputs of every case; the same seed gives the same inputs."""
        return [case.make(seed + number) for number, case in enumerate(self.cases)]

    def observe(self, answer) -> list[dict]:
        """What the answer does in each case, for `segnb.check`: literal values are taken as they are."""
        use = take if self.literal else self.use
        return [observe(use, answer, inputs) for inputs in self.inputs(0)]


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


# ---------------------------------------------------------------------------------------------- observing


class Attempt:
    """Runs a learner's code. Whatever it raises is kept for the sentence it deserves; Ctrl-C still passes."""

    def __init__(self, use: Callable | None = None):
        self.use, self.error = use, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace) -> bool:
        if kind is None or not issubclass(kind, (Exception, SystemExit)):
            return False
        text = str(error).strip().splitlines()
        self.error = {
            "type": kind.__name__,
            "text": text[0][:300] if text else "",
            "line": own_line(trace, self.use),
            "unwritten": issubclass(kind, NotImplementedError),
        }
        return True


def own_line(trace, use: Callable | None) -> str:
    """The last line of the learner's own code in a traceback: neither a library's nor the course's (`use` is that too)."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
    others = (*paths, str(Path(torch.__file__).parents[1]), str(Path(__file__).parents[1]), "<frozen")
    lines = [
        linecache.getline(frame.f_code.co_filename, number).strip()
        for frame, number in traceback.walk_tb(trace)
        if not frame.f_code.co_filename.startswith(others)
        and frame.f_code is not getattr(use, "__code__", None)
    ]
    return next((line for line in reversed(lines) if line), "")


def observe(use: Callable, answer, inputs: tuple) -> dict:
    """Put an answer to use on a copy of the inputs; note in plain values (JSON can hold them) what came of it."""
    given = copy.deepcopy(inputs)
    outcome: dict = {}
    with Attempt(use) as attempt, torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        outcome["value"] = encode(use(answer, *given))
    outcome["error"] = attempt.error
    outcome["changed"] = [
        n
        for n, (now, before) in enumerate(zip(given, inputs))
        if repr(encode(now)) != repr(encode(before))  # as text, where NaN is equal to NaN
    ]
    return outcome


def encode(value) -> dict:
    """A value in plain numbers, lists and strings, together with what it was."""
    if isinstance(value, Tensor):
        return encode_tensor(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) or (isinstance(value, int) and value.bit_length() < 64):
        return {"kind": "number", "value": value}
    if isinstance(value, str) and len(value) <= LARGEST:
        return {"kind": "text", "value": value}
    if isinstance(value, (list, tuple, range)) and len(value) <= LARGEST:
        return {"kind": "list", "items": [encode(item) for item in value]}
    return {"kind": "nothing"} if value is None else {"kind": "other", "type": type(value).__name__}


def encode_tensor(tensor: Tensor) -> dict:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_meta or dtype not in DTYPES or tensor.numel() > LARGEST:
        return {"kind": "other", "type": f"{sizes(tensor.shape)} tensor of {dtype}"}
    values = tensor.detach().flatten().tolist()
    shape, grad = list(tensor.shape), tensor.requires_grad
    return {"kind": "tensor", "shape": shape, "dtype": dtype, "grad": grad, "values": values}


class Other:
    """Stands for a value that no exercise asks for; its type is all that is known of it."""

    def __init__(self, kind: str):
        self.kind = kind


def decode(plain: dict):
    """The value that `encode` wrote down. ValueError, TypeError, KeyError or RuntimeError if it never did."""
    kind = plain["kind"]
    if kind == "tensor":
        values = torch.tensor(plain["values"], dtype=DTYPES[plain["dtype"]])
        return values.reshape(plain["shape"]).requires_grad_(bool(plain["grad"]))
    if kind == "list":
        return [decode(item) for item in plain["items"]]
    if kind in ("number", "text"):
        if not isinstance(plain["value"], {"number": (int, float), "text": str}[kind]):
            raise ValueError(f"{kind} expected")
        return plain["value"]
    if kind == "nothing":
        return None
    return Other(str(plain["type"])[:80])


# ---------------------------------------------------------------------------------------------- judging


def judge(exercise: Exercise, outcomes: list[dict], seed: int) -> Verdict:
    """Compare what was observed with the reference, case by case; the first case that fails gives the hint."""
    none_pass = (False,) * len(exercise.cases)
    complaints = []
    for case, inputs, outcome in zip(exercise.cases, exercise.inputs(seed), outcomes):
        if unwritten(exercise, outcome):
            return Verdict(none_pass, "not written yet", written=False)
        complaints.append(complain(exercise, case, inputs, outcome))
    passed = tuple(complaint is None for complaint in complaints) + none_pass[len(complaints) :]
    first = next((number for number, complaint in enumerate(complaints) if complaint), None)
    if first is None:
        return Verdict(passed, None)
    hint = recognise(exercise, outcomes, seed, first) or complaints[first]
    return Verdict(passed, hint[0].upper() + hint[1:])


def unwritten(exercise: Exercise, outcome: dict) -> bool:
    if outcome["error"]:
        return outcome["error"]["unwritten"]
    value = outcome["value"]
    return exercise.literal and (value["kind"] == "nothing" or value.get("type") == "ellipsis")


def ours(exercise: Exercise, answer: Callable, inputs: tuple):
    """What an answer of the course's own (the reference, or a known mistake) gives in one case; None if it cannot."""
    outcome = observe(apply if exercise.literal else exercise.use, answer, inputs)
    return None if outcome["error"] else decode(outcome["value"])


def complain(exercise: Exercise, case: Case, inputs: tuple, outcome: dict) -> str | None:
    """None when the case holds, else a sentence that says what is different."""
    names = argument_names(exercise)
    if outcome["error"]:
        told = stopped(exercise, names[: len(inputs)], outcome["error"])
        # Code that runs in the first case and stops in a later one has met what that case is about.
        return told if case is exercise.cases[0] or callable(case.hint) else f"{told} {case.hint}".strip()
    got, want = decode(outcome["value"]), ours(exercise, exercise.reference, inputs)
    difference = differ(got, want, exercise.tolerance)
    if difference is None and outcome["changed"]:
        changed = names[outcome["changed"][0]]
        return (
            f"The result is right, but your function changed `{changed}` itself, and whoever called it still needs it. "
            f"Work on a copy: {changed}.clone()."
        )
    if difference is None:
        return None
    about_values = same_form(got, want)
    if about_values and callable(case.hint):
        return case.hint(got, want, *inputs)
    given = ", ".join(f"{name} = {show(value)}" for name, value in zip(names, inputs))
    told = f"With {given}: {difference}" if given and not exercise.literal else difference
    return f"{told} {case.hint}".strip() if about_values else told


def recognise(exercise: Exercise, outcomes: list[dict], seed: int, first: int) -> str | None:
    """The hint of the known mistake that agrees with the answer in the case that failed first, and in most others."""
    best, hint = 0, None
    if outcomes[first]["error"]:
        return None
    for mistake in exercise.mistakes:
        agrees = [
            outcome["error"] is None
            and (known := ours(exercise, mistake.answer, inputs)) is not None
            and differ(decode(outcome["value"]), known, exercise.tolerance) is None
            for outcome, inputs in zip(outcomes, exercise.inputs(seed))
        ]
        if agrees[first] and sum(agrees) > best:
            inputs = exercise.inputs(seed)[first]
            got, want = decode(outcomes[first]["value"]), ours(exercise, exercise.reference, inputs)
            told = mistake.hint(got, want, *inputs) if callable(mistake.hint) else mistake.hint
            best, hint = sum(agrees), told
    return hint


def argument_names(exercise: Exercise) -> list[str]:
    """What the inputs of a case are called: the answer's parameters, or those of the function that uses it."""
    if exercise.use is apply:
        return list(inspect.signature(exercise.reference).parameters)
    return list(inspect.signature(exercise.use).parameters)[1:]


def stopped(exercise: Exercise, arguments: list[str], error: dict) -> str:
    """The sentence for code that raised. A TypeError outside the learner's own lines is about how it was called."""
    name = exercise.name
    text = error["text"].rstrip(".")
    if error["type"] == "SystemExit":
        return "Your code ends the whole program (exit or quit). Return the result instead."
    said = f"{error['type']}: {text}" if text else error["type"]
    if error["line"]:
        return f"Your code stopped at the line `{error['line']}` with {said}."
    if error["type"] != "TypeError":
        return f"Your {name} stopped with {said}."
    called = f" I called {name}({', '.join(arguments)})." if exercise.use is apply else ""
    return f"{text}.{called}"


CURES = {
    "nothing": "Does every way through your function end in `return`?",
    "ndarray": "Turn it into a tensor: torch.from_numpy(...).",
    "function": "Call that function and return its result.",
    "method": "A method's name needs () behind it to be called.",
    "builtin_function_or_method": "A method's name needs () behind it to be called.",
    "generator": "Collect it first: list(...).",
    "a number": "Leave .item() and float() out: they take the number out of its tensor.",
    "a tensor": "Take the values out of the tensor: .item() for one number, .tolist() for a list.",
}


def differ(got, want, tolerance: float) -> str | None:
    """None if the two agree, else what is different about `got`: its type first, then shape, dtype, and values."""
    if kind_of(got) != kind_of(want):
        cure = CURES.get(got.kind if isinstance(got, Other) else kind_of(got), "")
        return f"{kind_of(want)} is wanted, and your answer gives {kind_of(got)}. {cure}".rstrip()
    if isinstance(want, Tensor):
        return differ_tensors(got, want, tolerance)
    if isinstance(want, list):
        return differ_lists(got, want, tolerance)
    if isinstance(want, str):
        same = got.strip().casefold() == want.strip().casefold()
    elif isinstance(want, int):
        same = got == want
    else:
        same = abs(got - want) <= tolerance * max(1.0, abs(want))
    return None if same else f"{show(got)} is not right."


def differ_lists(got: list, want: list, tolerance: float) -> str | None:
    for place, (yours, mine) in enumerate(zip(got, want), start=1):
        if differ(yours, mine, tolerance):
            return f"entry {place} of the list should be {show(mine)}, and yours is {show(yours)}."
    if len(got) < len(want):
        return f"the list ends too early: after {len(got)} entries {show(want[len(got)])} is missing."
    return f"the list is too long: {show(got[len(want)])} is one too many." if len(got) > len(want) else None


def differ_tensors(got: Tensor, want: Tensor, tolerance: float) -> str | None:
    if got.shape != want.shape:
        return f"the shape should be {sizes(want.shape)}, and yours is {sizes(got.shape)}."
    if got.dtype != want.dtype:
        return f"the dtype should be {want.dtype}, and yours is {got.dtype}."
    if got.requires_grad and not want.requires_grad:
        return "your result carries a gradient, and nothing here is to be trained. Add .detach(), or work under torch.no_grad()."
    if want.requires_grad and not got.requires_grad:
        return "no gradient flows through your result: a .detach(), .item(), argmax or a conversion to NumPy has cut it off."
    got, want = got.detach().double(), want.detach().double()
    if torch.isnan(got).any() and not torch.isnan(want).any():
        return "your result contains NaN (not a number): somewhere zero was divided by zero, or infinity by infinity."
    allowed = tolerance * max(1.0, want.abs().nan_to_num(0, 0).max().item()) if want.numel() else 0
    if torch.allclose(got, want, rtol=0, atol=allowed, equal_nan=True):
        return None
    if want.numel() <= 40:
        return f"the result should be {show(want)}, and yours is {show(got)}."
    place = torch.unravel_index((got - want).abs().nan_to_num(torch.inf).argmax(), want.shape)
    at = ", ".join(str(int(axis)) for axis in place)
    return (
        f"at ({at}) the result should be {show(want[place].item())}, and yours is {show(got[place].item())}."
    )


def same_form(got, want) -> bool:
    """Whether type, shape and dtype are right, so that a hint about the values makes sense."""
    if kind_of(got) != kind_of(want):
        return False
    return not isinstance(want, Tensor) or (got.shape, got.dtype) == (want.shape, want.dtype)


def kind_of(value) -> str:
    if isinstance(value, Other):
        return f"an object of type {value.kind}"
    if isinstance(value, Tensor):
        return "a tensor"
    kinds = {bool: "a truth value", str: "a text", list: "a list", type(None): "nothing"}
    return kinds.get(type(value), "a number")


def sizes(shape) -> str:
    return "×".join(map(str, shape)) if len(shape) else "single-number"


def show(value) -> str:
    """A value as a hint prints it: small tensors in numbers, large ones by their size."""
    if isinstance(value, Tensor) and value.numel() > 40:
        return f"a {sizes(value.shape)} tensor"
    if isinstance(value, Tensor):
        return show(value.tolist())
    if isinstance(value, (list, tuple)) and len(value) > 40:
        return f"a list of {len(value)}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(show(item) for item in value)}]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
