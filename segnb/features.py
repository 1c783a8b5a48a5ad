"""What a network sees on its way: the maps of any layer."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from .run import device_of, evaluating
from .shapes import logits_of


def features(model, x, layers=None) -> dict[str, Tensor]:
    """Each layer's output for a batch `x` N×C×H×W: dict layer → N×C×h×w (float32, CPU), in running order.

    A layer that runs more than once is shown as it was the last time; of several tensors the first is taken.

    Args: layers: names as in `model.named_modules()`; None: `model.stages`, or else the direct children.
    Raises: KeyError: an unknown name; the error lists those there are. ValueError: a layer that did not run.
    """
    if layers is None:
        names = getattr(model, "stages", ()) or [name for name, _ in model.named_children()]
    else:
        names = [layers] if isinstance(layers, str) else list(layers)
    maps = {}

    def keep(name, output):
        maps.pop(name, None)  # a second run moves it to its later place
        # A copy, because the layer after it may write into the same memory (ReLU in place).
        maps[name] = first_tensor(name, output).to("cpu", torch.float32, copy=True)

    with evaluating(model), hooks(model, names, keep):
        model(x.to(device_of(model)))
    missing = [name for name in names if name not in maps]
    if missing and layers is not None:
        raise ValueError(f"{', '.join(missing)} did not run for this input")
    return maps


@contextmanager
def hooks(model, names, keep) -> Iterator[None]:
    """Call keep(name, output) after each run of the named modules, inside. Raises: KeyError: no such name."""
    modules = dict(model.named_modules())
    unknown = [name for name in names if name not in modules]
    if unknown:
        raise KeyError(
            f"no layer {', '.join(map(repr, unknown))}; there are {', '.join(filter(None, modules))}"
        )
    handles = [
        modules[name].register_forward_hook(lambda module, inputs, output, name=name: keep(name, output))
        for name in names
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def first_tensor(name, output) -> Tensor:
    """The first tensor in what the layer `name` returned. Raises: TypeError: there is none."""
    output = logits_of(output)
    output = output[0] if isinstance(output, (tuple, list)) else output
    if not isinstance(output, Tensor):
        raise TypeError(f"the output of {name} is a {type(output).__name__}, not a tensor")
    return output
