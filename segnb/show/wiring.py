"""What a network is made of, found by running it on shapes alone: its stages, and what happens between them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from segnb.features import first_tensor, hooks
from segnb.run import evaluating


class Op(NamedTuple):
    """One operation. kind: conv, pool, index (the places of a pooling's maxima), stride, up, unpool, crop, cat, add or mean.

    size: side of the kernel. rate: of an atrous convolution. factor: how much a map grows. sides: of the map before and
    after. number: which operation of the whole run it is, so that a second run finds it again.
    """

    kind: str
    number: int
    size: int = 0
    rate: int = 1
    factor: int = 1
    sides: tuple[int, int] = (0, 0)


class Node(NamedTuple):
    """One map of the drawing: the image, what a stage puts out, a sum, or the output.

    side: None for what is no map. sources: where it comes from → the operations on the way. inside: those of the stage.
    """

    name: str
    channels: int
    side: int | None
    sources: dict[str, tuple[Op, ...]]
    inside: tuple[Op, ...] = ()
    is_sum: bool = False


def wiring(model, size, stages=None) -> dict[str, Node]:
    """Name → `Node` of `model` for a square image of `size` pixels, in the order they run; the image comes first.

    stages: names as in `named_modules()`; default: `model.stages`, else its children, without those that neither learn nor
    pool. Where a map is made smaller twice on the way from one stage to the next, or smaller and then larger, what lies
    between is shown too. No number is computed. ``KeyError`` for an unknown stage.
    """
    names = _shown(model) if stages is None else list(stages)
    nodes = _run(model, size, names, set())
    between = {op.number for node in nodes.values() for ops in node.sources.values() for op in _hidden(ops)}
    if stages is None and between:
        nodes = _run(model, size, names, between)
    return nodes


def _shown(model):
    """The stages worth a box: those that learn something, and those that pool."""
    found = {}
    for name in getattr(model, "stages", ()) or [name for name, _ in model.named_children()]:
        module = model.get_submodule(name)
        many = isinstance(module, (nn.ModuleList, nn.ModuleDict))  # never run themselves
        found |= {f"{name}.{part}": one for part, one in module.named_children()} if many else {name: module}
    return [name for name, module in found.items() if [*module.parameters()] or _pools(module)]


def _pools(module):
    kind = type(module).__name__
    return "Pool" in kind and "Unpool" not in kind


def _hidden(ops):
    """Of the operations between two stages, the one whose result would be overlooked."""
    down = [op for op in ops if op.kind in ("pool", "stride")]
    if not down:
        return []
    later = ops[ops.index(down[-1]) + 1 :]
    up = any(op.kind in ("up", "unpool") for op in later)
    return down[-1:] if len(down) > 1 or up else []


def _run(model, size, names, between):
    first = next((module.in_channels for module in model.modules() if isinstance(module, nn.Conv2d)), 1)
    image = torch.empty(1, getattr(model, "in_channels", first), size, size, device="meta")
    named = (*model.named_parameters(), *model.named_buffers())
    ghost = {name: tensor.to("meta") for name, tensor in named}
    trace = _Trace(image, between)
    before = [
        model.get_submodule(name).register_forward_pre_hook(
            lambda module, inputs, name=name: trace.enter(name, inputs[0])
        )
        for name in names
        if name in dict(model.named_modules())
    ]
    try:
        with evaluating(model), hooks(model, names, trace.leave), trace:
            output = torch.func.functional_call(model, ghost, (image,))
    finally:
        for handle in before:
            handle.remove()
    output = first_tensor("the output", output)
    if any(trace.ways[id(output)].values()):  # more than the last stage as it is
        trace.node("output" if "output" not in trace.nodes else "the output", output)
    return trace.nodes


class _Trace(TorchDispatchMode):
    """Follows every tensor back to the nodes it was made from, operation by operation."""

    def __init__(self, image, between):
        super().__init__()
        self.between, self.count, self.alive, self.ways, self.nodes = between, 0, [], {}, {}
        self.open = {}  # stage that is running → (its sources, operations so far)
        self.node("image", image, {})

    def node(self, name, tensor, sources=None, inside=(), is_sum=False):
        """From here on, what is made of `tensor` comes from this node."""
        sources = self.ways.get(id(tensor), {}) if sources is None else sources
        side = tensor.shape[-1] if tensor.ndim == 4 else None
        self.nodes.pop(name, None)  # a stage that runs twice is shown as the last time
        self.nodes[name] = Node(name, tensor.shape[1], side, sources, tuple(inside), is_sum)
        self.note(tensor, {name: ()})

    def note(self, tensor, ways):
        self.ways[id(tensor)] = ways
        self.alive.append(tensor)  # the id of a dead tensor could be given to another one

    def enter(self, name, tensor):
        self.open[name] = self.ways.get(id(tensor), {}), []

    def leave(self, name, output):
        sources, inside = self.open.pop(name)
        self.node(name, first_tensor(name, output), sources, inside)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        flat = [part for arg in args for part in (arg if isinstance(arg, (list, tuple)) else [arg])]
        sources = [self.ways[id(part)] for part in flat if isinstance(part, Tensor) and id(part) in self.ways]
        before = args[0].shape[-1] if isinstance(args[0], Tensor) and args[0].ndim == 4 else 0
        output = operation(*args, **(kwargs or {}))
        outputs = output if isinstance(output, (list, tuple)) else [output]
        if sources:
            self.follow(operation.overloadpacket.__name__.rstrip("_"), args, sources, before, outputs)
        return output

    def follow(self, name, args, sources, before, outputs):
        """Write down what this operation did, and where its outputs come from."""
        ops = _read(name, args, before, outputs[0], self.count)
        self.count += 1
        for _, inside in self.open.values():
            inside += ops
        joins = name == "add" and len(sources) > 1 and len({frozenset(way) for way in sources}) > 1
        ways = {}
        for way in sources:
            for source, done in way.items():
                ways[source] = max(ways.get(source, ()), (*done, *ops), key=len)
        places = {source: (*way[:-1], Op("index", self.count)) for source, way in ways.items()}
        for i, tensor in enumerate(outputs):
            if isinstance(tensor, Tensor):
                self.note(tensor, places if i and name.startswith("max_pool") else ways)
        if any(op.number in self.between for op in ops):
            self.node(f"pooled {outputs[0].shape[-1]}", outputs[0], ways)
        elif joins and not self.open:
            self.node(
                f"sum {1 + sum(node.is_sum for node in self.nodes.values())}", outputs[0], ways, is_sum=True
            )


def _read(name, args, before, output, number):
    """The `Op`s of one of PyTorch's operations; none if it leaves a map as it was but for its values."""
    after = output.shape[-1] if output.ndim == 4 else 0
    sides = before, after
    if name == "convolution":
        size, stride, rate, transposed = args[1].shape[-1], args[3][-1], args[5][-1], args[6]
        if transposed:
            return [Op("up", number, size, factor=stride, sides=sides)]
        conv = Op("conv", number, size, rate=rate, sides=sides)
        return [conv, Op("stride", number, factor=stride, sides=sides)] if stride > 1 else [conv]
    if name in ("max_pool2d_with_indices", "avg_pool2d"):
        return [Op("pool", number, args[1][-1], sides=sides)]
    if name == "max_unpool2d":
        return [Op("unpool", number, factor=round(after / before), sides=sides)]
    if name.startswith("upsample"):
        return [Op("up", number, factor=round(after / before), sides=sides)]
    if name == "slice" and after < before:
        step = args[4] if len(args) > 4 else 1
        return [Op("stride" if step > 1 else "crop", number, factor=step, sides=sides)]
    if name in ("mean", "_adaptive_avg_pool2d") and before and after <= 1:
        return [Op("mean", number, sides=sides)]
    return [Op(name, number, sides=sides)] if name in ("cat", "add") and after else []
