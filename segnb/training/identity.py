"""What decides the numbers of a training, in words: what tells its checkpoint from that of another one.

Things are described by content, not by place in memory: functions by name, arguments, defaults and closures,
tensors by a hash of their numbers, objects by their class and public attributes (private ones are taken for
their memory). The code of the reader's own functions counts by the names and constants in it, not by its
bytes, which differ between versions of Python.
"""

import dis
import functools
import hashlib
import types
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from ..run import seed_everything
from ..saving import unwrapped
from ..shapes import as_item, stated
from .randomness import held, held_generators, random_states, set_random_states

# Items that a fingerprint looks at, spread over the whole set.
SAMPLE = 32
# Functions in these are known by their names; their code may change from version to version.
LIBRARIES = ("segnb", "torch", "torchvision", "numpy")
# Attributes that every module has, and that say nothing about what it computes.
COMMON = set(vars(nn.Module()))


def describe(thing, inside=()) -> str:
    """`thing` as a text that is equal for things that do the same."""
    if id(thing) in inside:
        return "..."
    deeper = functools.partial(describe, inside=(*inside, id(thing)))
    if isinstance(thing, (torch.Tensor, np.ndarray, np.generic)):
        return _numbers(thing)
    if isinstance(
        thing,
        (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, types.EllipsisType),
    ):
        return repr(thing)
    if isinstance(thing, type):
        return _name(thing)
    if isinstance(thing, Mapping):
        return "{" + ", ".join(f"{key}={deeper(value)}" for key, value in thing.items()) + "}"
    if isinstance(thing, (set, frozenset)):
        return "{" + ", ".join(sorted(map(deeper, thing))) + "}"
    if isinstance(thing, (list, tuple)):
        return "(" + ", ".join(map(deeper, thing)) + ")"
    if isinstance(thing, functools.partial):
        given = [deeper(value) for value in thing.args]
        given += [f"{name}={deeper(value)}" for name, value in sorted(thing.keywords.items())]
        return f"{deeper(thing.func)}({', '.join(given)})"
    if isinstance(thing, types.MethodType):
        return f"{deeper(thing.__self__)}.{thing.__name__}"
    if isinstance(thing, types.FunctionType):
        return _function(thing, deeper)
    if isinstance(thing, (types.BuiltinFunctionType, types.ModuleType)):
        return _name(thing)
    return _object(thing, deeper)


def _numbers(numbers):
    if isinstance(numbers, torch.Tensor):
        numbers = numbers.detach().cpu()
        numbers = (numbers.float() if numbers.dtype == torch.bfloat16 else numbers).numpy()
    if numbers.ndim == 0:
        return repr(numbers.item())
    size = "×".join(map(str, numbers.shape))
    return f"<{size} {numbers.dtype} #{_hash(np.ascontiguousarray(numbers).tobytes())}>"


def _function(function, deeper):
    details, code = held(function), ""
    if function.__module__.split(".")[0] not in LIBRARIES:
        details |= {f"default {i}": value for i, value in enumerate(function.__defaults__ or ())}
        details |= function.__kwdefaults__ or {}
        names, constants = _words(function.__code__)
        code = f"#{_hash(repr((sorted(names), sorted(constants))).encode())}"
        # Of a notebook's own names: numbers and tables that the function reads, and functions that it calls.
        kinds = (bool, int, float, str, torch.Tensor, np.ndarray, functools.partial, types.FunctionType)
        read = {name: function.__globals__.get(name) for name in sorted(names)}
        details |= {name: value for name, value in read.items() if isinstance(value, kinds)}
    inner = ", ".join(f"{name}={deeper(value)}" for name, value in details.items())
    return f"{_name(function)}{code}" + (f"({inner})" if inner else "")


def _words(code):
    """The names and the numbers and strings that a function's code uses, and the functions defined in it."""
    names, constants = set(code.co_names), set()
    for step in dis.get_instructions(code):
        constant = "CONST" in step.opname or "SMALL_INT" in step.opname
        if constant and isinstance(step.argval, (int, float, str)):
            constants.add(repr(step.argval))
    for inner in (part for part in code.co_consts if isinstance(part, types.CodeType)):
        more_names, more_constants = _words(inner)
        names, constants = names | more_names, constants | more_constants
    return names, constants


def _object(thing, deeper):
    # Here, because numpy imports its generators only where they are named.
    generators = (torch.Generator, np.random.Generator, np.random.RandomState)
    if isinstance(thing, generators) or not hasattr(thing, "__dict__"):
        return _name(type(thing))
    public = {
        name: value for name, value in vars(thing).items() if not name.startswith("_") and name not in COMMON
    }
    if isinstance(thing, nn.Module):
        public |= dict(thing.named_parameters(recurse=False)) | dict(thing.named_buffers(recurse=False))
        public |= dict(thing.named_children())
    inner = ", ".join(f"{name}={deeper(value)}" for name, value in sorted(public.items()))
    return f"{_name(type(thing))}({inner})"


def _name(thing):
    """As the reader would write it; what stands in a notebook has no module worth telling."""
    module = getattr(thing, "__module__", None) or ""
    library = module.split(".")[0] in LIBRARIES and not isinstance(thing, types.ModuleType)
    return (f"{module}." if library else "") + getattr(
        thing, "__qualname__", getattr(thing, "__name__", repr(type(thing)))
    )


def _hash(content):
    return hashlib.sha256(content).hexdigest()[:12]


def network_identity(model) -> dict[str, str]:
    """What tells a network from others, but for its weights: those are what training changes."""
    model = unwrapped(model)
    own = [
        {
            name: value
            for name, value in vars(module).items()
            if not name.startswith("_") and name not in COMMON
        }
        for module in model.modules()
        if not type(module).__module__.startswith("torch.")
    ]
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    shapes = {name: tuple(part.shape) for name, part in model.state_dict().items()}
    return {
        "class": type(model).__name__,
        "config": repr(getattr(model, "config", None)),
        "shapes of the weights": _hash(repr(shapes).encode()),
        "frozen weights": ", ".join(frozen) or "none",
        "layers": _hash((repr(model) + describe(own)).encode()),
    }


def optimizer_identity(optimizer) -> dict:
    """The optimiser's class and its options, for each group of weights; the rate is `fit`'s own."""
    groups = [
        {name: describe(value) for name, value in group.items() if name not in ("params", "lr", "initial_lr")}
        | {"weights": len(group["params"])}
        for group in optimizer.param_groups
    ]
    options = {
        f"{name} of the optimiser" + (f", group {i}" if i else ""): value
        for i, group in enumerate(groups)
        for name, value in group.items()
    }
    return {"optimizer": type(optimizer).__name__} | options


def data_identity(data, device) -> tuple[dict, bool]:
    """(length, classes and content of a data set; whether its items are the same each time).

    Up to `SAMPLE` items are read twice, from two seeds. Where the two differ, pictures are drawn or changed
    at random, and their content tells nothing. No generator is any further afterwards.
    """
    count = len(data)
    chosen = sorted(
        {round(i * (count - 1) / max(1, min(count, SAMPLE) - 1)) for i in range(min(count, SAMPLE))}
    )
    before = random_states(device)
    try:
        with held_generators(data):
            first, second = (_content(data, chosen, seed) for seed in (0, 1))
    finally:
        set_random_states(before, device)
    classes = stated(data, "classes", None)
    found = {"images": count, "classes": describe(classes if classes is None else tuple(classes))}
    return found | ({"data": first} if first == second else {}), first == second


def _content(data, indices, seed):
    seed_everything(seed)
    items = (as_item(data[index]) for index in indices)
    return _hash("".join(_numbers(part) for item in items for part in item[:3]).encode())
