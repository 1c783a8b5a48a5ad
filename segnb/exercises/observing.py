"""What an answer does: it runs on a copy of a case's inputs, and what came of it is noted in plain values.

Nothing is judged here and no right answer is needed, so an untrusted answer can be observed in a process of its own.
"""

import contextlib
import copy
import importlib
import linecache
import pickle
import random
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

LARGEST = 1_000_000  # values; an answer that returns more is told so instead of being copied
SEED = 20_011  # of the random numbers an answer finds; a seed of its own shows
DTYPES = {
    name: getattr(torch, name)
    for name in [
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "bool",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
    ]
}
# What belongs to everybody: how to read it and how to put it back. NumPy loads its random part when it is first named.
SETTINGS = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "whether torch follows gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the number of torch's threads": (torch.get_num_threads, torch.set_num_threads),
    "torch's deterministic mode": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "NumPy's warnings": (np.geterr, lambda before: np.seterr(**before)),
    "NumPy's random numbers": (
        lambda: np.random.get_state(),  # noqa: NPY002
        lambda before: np.random.set_state(before),  # noqa: NPY002
    ),
    "Python's random numbers": (random.getstate, random.setstate),
}


class Told(Exception):
    """Raised where an answer is put to use: a sentence for the learner that needs no other words around it."""


class Changed(Told):
    """The sentence is about something that should have stayed as it was; it is told before any other."""


def apply(answer, *inputs):
    """Put a function to use: call it."""
    return answer(*inputs)


def take(answer, *inputs):
    """Put a short value (a number, a string, a list) to use: it is the result itself."""
    return answer


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
            "unwritten": issubclass(kind, NotImplementedError) and not of_torch(trace, str(error)),
        }
        return True


def of_torch(trace, text: str) -> bool:
    """Whether it is torch that has not implemented something: an operation for a dtype, the forward of a module."""
    *_, (last, _) = traceback.walk_tb(trace)
    inside = last.f_code.co_filename.startswith(str(Path(torch.__file__).parent))
    return inside or " not implemented for '" in text or "aten::" in text


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


def observe(use: Callable, answer, inputs: tuple, forbidden: tuple[str, ...] = ()) -> dict:
    """Put an answer to use on a copy of the inputs; note in plain values (JSON can hold them) what came of it.

    value: the result. gradients: of the result, each of its numbers times a fixed weight, by every input that requires
    one (None where the result carries none). changed: places of the inputs that are no longer what they were. error: what
    stopped it. forbidden: names of functions that raise; torch's by name ("max_pool2d"), the course's with their module.
    """
    given = copy.deepcopy(inputs)
    outcome: dict = {"value": None, "gradients": None}
    with Attempt(use) as attempt, torch.random.fork_rng(devices=()), unchanged_settings(), stubbed(forbidden):
        torch.default_generator.manual_seed(SEED)
        value = use(answer, *given)
        outcome["value"] = encode(value)
        outcome["gradients"] = gradients(value, [leaf for leaf in tensors(given) if leaf.requires_grad])
    outcome["error"] = attempt.error
    outcome["changed"] = [
        n
        for n, (now, before) in enumerate(zip(given, inputs))
        if repr(encode(now)) != repr(encode(before))  # as text, where NaN is equal to NaN
    ]
    return outcome


def sound(plain: dict) -> dict:
    """An outcome rebuilt from what an untrusted process sent, so that nothing but an outcome is judged."""
    error = plain["error"]
    if error is not None:
        words = {key: str(error[key])[:300] for key in ("type", "text", "line")}
        error = words | {"unwritten": error["unwritten"] is True}
    value, slopes = plain.get("value"), plain.get("gradients")
    if not isinstance(value, dict) and error is None:
        raise ValueError("an outcome holds a value or an error")
    slopes = [dict(slope) for slope in slopes] if slopes is not None else None
    changed = [int(place) for place in plain["changed"]]
    return {"value": value, "gradients": slopes, "error": error, "changed": changed}


def tensors(value) -> Iterator[Tensor]:
    """All tensors in a value, in order, however deep they lie in lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)


def weights(shape) -> Tensor:
    """The weight of each number of a result in the sum whose gradient is compared: 0.5..1.5, the same for equal shapes."""
    return 0.5 + torch.rand(shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


def gradients(value, leaves: list[Tensor]) -> list[dict] | None:
    """The gradient of the weighted sum of all numbers in `value` by each of `leaves`; None if it has none."""
    results = [result for result in tensors(value) if result.requires_grad]
    if not results or not leaves:
        return None
    total = sum((result.double() * weights(result.shape)).sum() for result in results)
    found = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    return [encode(slope) for slope in found]


@contextlib.contextmanager
def unchanged_settings() -> Iterator[None]:
    """What belongs to everybody is put back; Changed if the answer left it otherwise."""
    before = {name: read() for name, (read, _) in SETTINGS.items()}
    different = []
    try:
        yield
    finally:
        seeded = torch.default_generator.initial_seed() != SEED
        for name, (read, put_back) in SETTINGS.items():
            if pickle.dumps(read()) != pickle.dumps(before[name]):
                different.append(name)
                put_back(before[name])
    if seeded:
        raise Changed(
            "Your code seeds torch's random numbers, which belong to whoever called it. Leave them alone, or use a generator of your own."
        )
    if different:
        raise Changed(f"Your code changes {different[0]}, for everybody and for good. Leave it as it was.")


class Stubs(TorchFunctionMode):
    """Lets no function of torch with one of these names run, whichever way it is reached."""

    def __init__(self, names):
        super().__init__()
        self.names = set(names)

    def __torch_function__(self, function, types, arguments=(), named=None):
        if getattr(function, "__name__", "") in self.names:
            raise Told(not_allowed(function.__name__))
        return function(*arguments, **(named or {}))


def not_allowed(name: str) -> str:
    return f"Here you are asked to do yourself what {name} does. Write it without that call."


@contextlib.contextmanager
def stubbed(names: tuple[str, ...]) -> Iterator[None]:
    """Within it, the named functions raise Told."""
    with contextlib.ExitStack() as stack:
        if any("." not in name for name in names):
            stack.enter_context(Stubs(name for name in names if "." not in name))
        for name in (name for name in names if "." in name):
            module, _, function = name.rpartition(".")

            def stub(*arguments, name=name, **named):
                raise Told(not_allowed(name))

            stack.enter_context(mock.patch.object(importlib.import_module(module), function, stub))
        yield


# --------------------------------------------------------------------------------------- plain values


def encode(value) -> dict:
    """A value in plain numbers, lists and strings, together with what it was."""
    if isinstance(value, np.ndarray) and str(value.dtype) in DTYPES:
        value = torch.from_numpy(np.ascontiguousarray(value).reshape(value.shape))
    if isinstance(value, Tensor):
        return encode_tensor(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) or (isinstance(value, int) and value.bit_length() < 64):
        return {"kind": "number", "value": value}
    if isinstance(value, str) and len(value) <= LARGEST:
        return {"kind": "text", "value": value}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {"kind": "named", "names": list(value), "items": [encode(item) for item in value.values()]}
    if isinstance(value, (list, tuple, range)) and len(value) <= LARGEST:
        return {"kind": "list", "items": [encode(item) for item in value]}
    return {"kind": "nothing"} if value is None else {"kind": "other", "type": type(value).__name__}


def encode_tensor(tensor: Tensor) -> dict:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_meta or dtype not in DTYPES or tensor.numel() > LARGEST:
        return {"kind": "other", "type": f"{'×'.join(map(str, tensor.shape))} tensor of {dtype}"}
    values = tensor.detach().flatten().tolist()
    shape, grad = list(tensor.shape), tensor.requires_grad
    return {"kind": "tensor", "shape": shape, "dtype": dtype, "grad": grad, "values": values}


class Other:
    """Stands for a value that no exercise asks for; its type is all that is known of it."""

    def __init__(self, kind: str):
        self.kind = kind

    def __repr__(self) -> str:
        return f"an object of type {self.kind}"


def decode(plain: dict):
    """The value that `encode` wrote down. ValueError, TypeError, KeyError or RuntimeError if it never did."""
    kind = plain["kind"]
    if kind == "tensor":
        values = torch.tensor(plain["values"], dtype=DTYPES[plain["dtype"]])
        return values.reshape(plain["shape"]).requires_grad_(bool(plain["grad"]))
    if kind == "list":
        return [decode(item) for item in plain["items"]]
    if kind == "named":
        return {str(name): decode(item) for name, item in zip(plain["names"], plain["items"])}
    if kind in ("number", "text"):
        if not isinstance(plain["value"], {"number": (int, float), "text": str}[kind]):
            raise ValueError(f"{kind} expected")
        return plain["value"]
    if kind == "nothing":
        return None
    return Other(str(plain["type"])[:80])
