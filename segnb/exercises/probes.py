"""What the functions that put an answer to use (`Exercise.use`) look with; all of them find these names ready.

The answer is handed a net or a layer, or builds one, and its behaviour is looked at: what it leaves alone, what it owns,
what trains. What does not hold is raised as `Told` or `Changed`, a sentence for the learner.
"""

import contextlib
from collections.abc import Iterator
from unittest import mock

import torch
from torch import Tensor, nn

from segnb.exercises.observing import Changed, Told, tensors, weights

__all__ = [
    "Budget",
    "Changed",
    "Told",
    "a_tensor",
    "lived_in",
    "new_module",
    "noise",
    "sealed",
    "slopes",
    "untouched",
]


def noise(seed: int, *shape: int) -> Tensor:
    """Uniform numbers in −0.5..0.5 that depend on the seed alone."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.5


def lived_in(net: nn.Module, seed: int = 0) -> nn.Module:
    """Give a net the look of one that has been trained, in place: no weight, bias, γ, β or statistic is 0 or 1 any more."""
    with torch.no_grad():
        for number, (name, part) in enumerate([*net.named_parameters(), *net.named_buffers()]):
            if not part.is_floating_point():
                continue
            tail, values = name.rpartition(".")[2], noise(seed + number, *part.shape)
            if tail in ("running_var", "std") or (tail == "weight" and part.ndim == 1):
                part.copy_(1.1 + values / 4)
            elif part.ndim == 1 or tail == "mean":
                part.copy_(values / 4)
            else:
                part.copy_(values * (24 / part[0].numel()) ** 0.5)  # He's variance: no layer drowns the image
    return net


def a_tensor(result, name: str) -> Tensor:
    """What an answer has returned, if it is a tensor; else Told."""
    if result is None:
        raise Told(f"Your {name} returns nothing. Does every way through it end in `return`?")
    if not isinstance(result, Tensor):
        raise Told(f"Your {name} should return a tensor, and returned {type(result).__name__}.")
    return result


def slopes(result, net: nn.Module) -> list[Tensor]:
    """The gradient of a result by every parameter of a net, in their order: zeros where none arrives."""
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    results = [part for part in tensors(result) if part.requires_grad]
    if not results:
        raise Told(
            "No gradient flows through your result: a .detach(), .item(), no_grad() or a conversion to NumPy has cut it off."
        )
    total = sum((part.double() * weights(part.shape)).sum() for part in results)
    return list(torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True))


def state(net: nn.Module) -> dict:
    """Everything about a net that an answer could change: its parts, their modes, its numbers and whether they are trained."""
    found = {f"its {name or 'own class'}": (type(part), id(part)) for name, part in net.named_modules()}
    found |= {
        f"the mode of {name or 'the whole'} (train or eval)": part.training
        for name, part in net.named_modules()
    }
    for name, part in [*net.named_parameters(), *net.named_buffers()]:
        found[f"its {name}"] = (id(part), part.requires_grad, part.detach().clone())
    return found


def alike(before, after) -> bool:
    """Whether two entries of `state` are the same; the last of a triple is a tensor."""
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after) == 3:
        return before[:2] == after[:2] and torch.equal(before[2], after[2])
    return before == after


@contextlib.contextmanager
def untouched(**nets: nn.Module) -> Iterator[None]:
    """Within it the named nets must stay what they are, to the last number: Changed if not."""
    before = {name: state(net) for name, net in nets.items()}
    yield
    for name, net in nets.items():
        after = state(net)
        different = [
            part for part in before[name] | after if not alike(before[name].get(part), after.get(part))
        ]
        if different:
            raise Changed(
                f"Your function changes `{name}`, which still belongs to whoever called it: {different[0]} is not what it was."
            )


@contextlib.contextmanager
def sealed(net: nn.Module, call: str) -> Iterator[None]:
    """Within it the net's own forward raises: the answer is to do by hand what `call` would do."""

    def closed(*_, **__):
        raise Told(f"Here you are asked to do yourself what {call} does: go through the net's parts.")

    with mock.patch.object(type(net), "forward", closed):
        yield


def new_module(made, name: str, *given: nn.Module) -> nn.Module:
    """What an answer has built, if it is a module all of whose parameters are its own and trained; else Told."""
    if not isinstance(made, nn.Module):
        raise Told(f"Your {name} should return an nn.Module, and returned {type(made).__name__}.")
    theirs = {part.untyped_storage().data_ptr() for net in given for part in net.parameters()}
    for part, parameter in made.named_parameters():
        if parameter.untyped_storage().data_ptr() in theirs:
            raise Told(
                f"In your module {part} belongs to the one you were given as well: training one would change both. Make new ones."
            )
        if not parameter.requires_grad:
            raise Told(
                f"In your module {part} is frozen (requires_grad is False): no training would move it."
            )
    if not list(made.parameters()):
        raise Told(
            f"What {name} returns has no parameters that PyTorch knows of, so nothing could train it. Layers in a Python list are "
            "hidden: use nn.Sequential or nn.ModuleList."
        )
    # A part that stands in two places has one set of weights.
    layers = [
        part for _, part in made.named_modules(remove_duplicate=False) if list(part.parameters(recurse=False))
    ]
    if len({id(layer) for layer in layers}) < len(layers):
        raise Told(
            "One layer stands in two places of your module, so both share their weights. Make one for each place."
        )
    return made


class Budget:
    """Counts the training steps of a net: Told when a batch is larger, or a step more, than is allowed."""

    def __init__(self, net: nn.Module, steps: int = 60, batch: int = 4):
        self.steps, self.batch, self.taken = steps, batch, 0
        net.register_forward_pre_hook(self.count)

    def count(self, net: nn.Module, inputs: tuple) -> None:
        if not net.training:
            return
        self.taken += 1
        if len(inputs[0]) > self.batch:
            raise Told(f"A batch holds at most {self.batch} pictures here, and yours holds {len(inputs[0])}.")
        if self.taken > self.steps:
            raise Told(f"The budget is {self.steps} steps, and your training goes on after that.")
