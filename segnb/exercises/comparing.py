"""What is different about an answer's result, in one sentence."""

import torch
from torch import Tensor

from segnb.exercises.observing import Other

SMALLEST = 1e-2  # results smaller than this are compared as if they were as large: float32 is no finer
CURES = {
    "nothing": "Does every way through your function end in `return`?",
    "function": "Call that function and return its result.",
    "method": "A method's name needs () behind it to be called.",
    "builtin_function_or_method": "A method's name needs () behind it to be called.",
    "generator": "Collect it first: list(...).",
    "a number": "Leave .item() and float() out: they take the number out of its tensor.",
    "a tensor": "Take the values out of the tensor: .item() for one number, .tolist() for a list.",
}


def differ(got, want, tolerance: float, exact: bool = False) -> str | None:
    """None if the two agree, else what is different about `got`: its type first, then shape, dtype, and values.

    exact: the dtype must be the same too, and a whole number no float; otherwise float32 and float64 are one, and so are
    the whole numbers of any size.
    """
    got, want = alike(got, want)
    if exact and isinstance(want, int) and isinstance(got, float):
        return f"a whole number is wanted, and {got} is a float. int(...) makes one of it."
    if kind_of(got) != kind_of(want):
        return f"{kind_of(want)} is wanted, and your answer gives {kind_of(got)}. {cure(got, want)}".rstrip()
    if isinstance(want, Tensor):
        return differ_tensors(got, want, tolerance, exact)
    if isinstance(want, dict):
        return differ_named(got, want, tolerance, exact)
    if isinstance(want, list):
        return differ_lists(got, want, tolerance, exact)
    if isinstance(want, str):
        same = got.strip().casefold() == want.strip().casefold()
    elif isinstance(want, int):
        same = got == want
    else:
        same = (
            got == want
            or abs(got - want) <= tolerance * max(SMALLEST, abs(want))
            or (got != got and want != want)
        )
    return None if same else f"{show(got)} is not right."


def cure(got, want) -> str:
    """How to get from what was given to what is wanted, if that can be said."""
    kind = got.kind if isinstance(got, Other) else kind_of(got)
    if kind == "a number" and not isinstance(want, Tensor):
        return ""
    if kind == "a tensor" and isinstance(want, list) and any(isinstance(part, Tensor) for part in want):
        return "list(...) takes a tensor apart, along its first axis."
    return CURES.get(kind, "")


def alike(got, want):
    """A single number in a tensor is a number where one is wanted, and so on: the same value in another container."""
    if isinstance(got, Tensor) and isinstance(want, (int, float)) and got.ndim == 0:
        return got.item(), want
    if isinstance(got, Tensor) and isinstance(want, list) and got.ndim == 1 and got.dtype != torch.bool:
        return got.tolist(), want
    if isinstance(got, list) and isinstance(want, list):
        pairs = [alike(*pair) for pair in zip(got, want)]
        return [pair[0] for pair in pairs] + got[len(want) :], want
    return got, want


def differ_named(got: dict, want: dict, tolerance: float, exact: bool) -> str | None:
    """For what a `use` has looked at: the name says which of its findings is different."""
    for name, mine in want.items():
        yours = got.get(name)
        told = differ(yours, mine, tolerance, exact)
        if told and kind_of(yours) == kind_of(mine) and not isinstance(mine, (Tensor, list, dict)):
            mine, yours = both(mine, yours)
            return f"{name}: it should be {mine}, and yours is {yours}."
        if told:
            return f"{name}: {told.replace('the result should be', 'it should be')}"
    return None


def differ_lists(got: list, want: list, tolerance: float, exact: bool) -> str | None:
    for place, (yours, mine) in enumerate(zip(got, want), start=1):
        told = differ(yours, mine, tolerance, exact)
        if told and (not same_form(yours, mine, exact) or isinstance(mine, Tensor)):
            return f"entry {place} of the list: {told}"
        if told:
            mine, yours = both(mine, yours)
            return f"entry {place} of the list should be {mine}, and yours is {yours}."
    if len(got) < len(want):
        return f"the list ends too early: after {len(got)} entries {show(want[len(got)])} is missing."
    return f"the list is too long: {show(got[len(want)])} is one too many." if len(got) > len(want) else None


def differ_tensors(got: Tensor, want: Tensor, tolerance: float, exact: bool) -> str | None:
    if got.shape != want.shape:
        return f"the shape should be {sizes(want.shape)}, and yours is {sizes(got.shape)}."
    if got.dtype != want.dtype and (exact or got.is_floating_point() != want.is_floating_point()):
        return f"the dtype should be {want.dtype}, and yours is {got.dtype}."
    if got.requires_grad and not want.requires_grad:
        return "your result carries a gradient, and nothing here is to be trained. Add .detach(), or work under torch.no_grad()."
    if want.requires_grad and not got.requires_grad:
        return "no gradient flows through your result: a .detach(), .item(), argmax or a conversion to NumPy has cut it off."
    rounded = f"the dtype should be {want.dtype}, and yours is {got.dtype}." if coarse(got, want) else None
    got, want = got.detach().double(), want.detach().double()
    if torch.isnan(got).any() and not torch.isnan(want).any():
        return "your result contains NaN (not a number): somewhere zero was divided by zero, or infinity by infinity."
    place = farthest(got, want, tolerance)
    if place is None:
        return None
    if rounded:
        return rounded
    if want.numel() <= 40:
        mine, yours = both(want, got)
        return f"the result should be {mine}, and yours is {yours}."
    at = ", ".join(str(int(axis)) for axis in place)
    mine, yours = both(want[place].item(), got[place].item())
    return f"at ({at}) the result should be {mine}, and yours is {yours}."


def coarse(got: Tensor, want: Tensor) -> bool:
    """Whether a result is of 16 bits, and so rounded, where more are wanted."""
    narrow = (torch.float16, torch.bfloat16)
    return got.dtype in narrow and want.is_floating_point() and want.dtype not in narrow


def farthest(got: Tensor, want: Tensor, tolerance: float):
    """The place where two tensors of one shape differ most, None where no difference is larger than is allowed."""
    largest = want.abs().nan_to_num(0, 0).max().item() if want.numel() else 0
    if torch.allclose(got, want, rtol=0, atol=tolerance * max(SMALLEST, largest), equal_nan=True):
        return None
    apart = (got - want).abs()
    apart = apart.where(~(torch.isnan(got) & torch.isnan(want)) & (got != want), 0).nan_to_num(
        torch.inf, torch.inf
    )
    return torch.unravel_index(apart.argmax(), want.shape)


def same_form(got, want, exact: bool = False) -> bool:
    """Whether type, shape and dtype are right, so that a hint about the values makes sense."""
    got, want = alike(got, want)
    if kind_of(got) != kind_of(want):
        return False
    if not isinstance(want, Tensor):
        return not (exact and isinstance(want, int) and isinstance(got, float))
    kind = got.dtype == want.dtype if exact else got.is_floating_point() == want.is_floating_point()
    return got.shape == want.shape and kind and not coarse(got, want)


def kind_of(value) -> str:
    if isinstance(value, Other):
        return f"an object of type {value.kind}"
    kinds = {
        bool: "a truth value",
        str: "a text",
        list: "a list",
        dict: "names with values",
        type(None): "nothing",
    }
    return "a tensor" if isinstance(value, Tensor) else kinds.get(type(value), "a number")


def sizes(shape) -> str:
    return "×".join(map(str, shape)) if len(shape) else "single-number"


def both(mine, yours) -> tuple[str, str]:
    """Two values that differ, as texts that differ."""
    for digits in (4, 6, 9, 17):
        texts = show(mine, digits), show(yours, digits)
        if texts[0] != texts[1]:
            break
    return texts


def show(value, digits: int = 4) -> str:
    """A value as a hint prints it: small tensors in numbers, large ones by their size."""
    if isinstance(value, Other):
        return kind_of(value)
    if isinstance(value, Tensor) and value.numel() > 40:
        return f"a {sizes(value.shape)} tensor"
    if isinstance(value, Tensor):
        return show(value.tolist(), digits)
    if isinstance(value, (list, tuple)) and len(value) > 40:
        return f"a list of {len(value)}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(show(item, digits) for item in value)}]"
    return f"{value + 0.0:.{digits}g}" if isinstance(value, float) else repr(value)  # no minus before a 0
