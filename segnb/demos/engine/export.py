"""From a module to a program for the engine: torch.export lists its operations, and each becomes a step."""

import copy

import torch


class Weights:
    """One row of float16 numbers that several programs share: what is there already is not written again."""

    def __init__(self):
        self.parts, self.places, self.count = [], {}, 0

    def place(self, tensor) -> int:
        """Where the numbers of `tensor` begin. ``ValueError`` for one that float16 cannot hold."""
        short = tensor.detach().to(torch.float16).flatten().contiguous()
        if not short.isfinite().all():
            raise ValueError("a weight is not finite in float16: the largest that it can hold is 65,504")
        key = short.numpy().tobytes()
        if key not in self.places:
            self.places[key] = self.count
            self.parts.append(key)
            self.count += len(short)
        return self.places[key]

    def place_exact(self, vector) -> int:
        """Where a vector begins, each of its numbers as a sum: first the float16 nearest to them, then what is left over."""
        vector = vector.detach().double()
        nearest = vector.to(torch.float16)
        return self.place(torch.cat([nearest, (vector - nearest.double()).to(torch.float16)]))

    def bytes(self) -> bytes:
        return b"".join(self.parts)


def program(model, shape, weights) -> dict:
    """The steps of `model` for one image of `shape` (C, H, W); their numbers go into `weights`.

    Step k (from 0) makes the map number k + 1; map 0 is the image. Batch norm becomes one factor a channel for the
    convolution before it, and a ReLU is done by the step before it. `stages`: the names of `model.stages`, or of its children, and their maps.
    ``NotImplementedError`` names an operation that the engine does not have.
    """
    still = copy.deepcopy(model).cpu().float().eval()
    with torch.no_grad():
        exported = torch.export.export(still, (torch.zeros(1, *shape),), strict=False).run_decompositions({})
    names = getattr(model, "stages", ()) or [name for name, _ in model.named_children()]
    translator = _Translator(exported, names)
    steps = [_written(step, weights) for step in translator.steps]
    return {
        "image": list(shape), "steps": steps, "stages": translator.stages(), "output": translator.output,
    }  # fmt: skip


def _written(step, weights):
    """A step whose tensors have become places in the row of weights: kernels rounded, one number a channel in full."""
    return {
        key: (weights.place(part) if key == "weight" else weights.place_exact(part))
        if isinstance(part, torch.Tensor)
        else part
        for key, part in step.items()
    }


class _Translator:
    """Goes through the graph once. `known`: of each node, a tensor of the model or the number of a map."""

    def __init__(self, exported, names):
        self.steps, self.known = [], {}
        signature = exported.graph_signature
        held = {**exported.state_dict, **exported.constants}
        targets = {
            **signature.inputs_to_parameters, **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }  # fmt: skip
        self.ends = {}  # the name of a stage → the last node inside it
        for node in exported.graph.nodes:
            inside = {path for path, _ in node.meta.get("nn_module_stack", {}).values()}
            self.ends.update((name, node) for name in names if name in inside)
        for node in exported.graph.nodes:
            if node.op == "placeholder":
                target = targets.get(node.name)
                self.known[node] = 0 if target is None else held[target].detach()
            elif node.op == "call_function":
                self.known[node] = self.translate(node)
            elif node.op == "output":
                self.output = self.known[node.args[0][0]]

    def stages(self):
        return {name: self.known[node] for name, node in self.ends.items()}

    def translate(self, node):
        name = getattr(node.target, "overloadpacket", node.target).__name__.rstrip("_")
        if name in UNCHANGED:
            return self.known[node.args[0]]
        if not hasattr(self, f"on_{name}"):
            raise NotImplementedError(f"the engine in the page has no {name}; it runs convolutional networks")
        args = [self.value(arg) for arg in node.args]
        return getattr(self, f"on_{name}")(node, *args, **node.kwargs)

    def value(self, arg):
        if isinstance(arg, (list, tuple)):
            return [self.value(part) for part in arg]
        return self.known[arg] if isinstance(arg, torch.fx.Node) else arg

    def add_step(self, node, op, sources, **about):
        """Append a step and return the number of its map."""
        made = node.meta["val"]
        shape = (made[0] if isinstance(made, (tuple, list)) else made).shape[1:]
        self.steps.append({"op": op, "from": sources, "shape": [int(side) for side in shape], **about})
        return len(self.steps)

    def only_for(self, node):
        """The step that made the input of `node`, if nobody else reads or shows its map; else None."""
        number = self.known[node.args[0]]
        same = {other for other, known in self.known.items() if type(known) is int and known == number}
        readers = {reader for other in same for reader in other.users} - same
        alone = readers == {node} and not same.intersection(self.ends.values())
        return self.steps[number - 1] if alone and number else None

    # --- one method for each operation ---------------------------------------------------------------------------------

    def on_conv2d(self, node, x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
        bias = torch.zeros(len(weight)) if bias is None else bias
        return self.add_step(
            node, "conv", [x], weight=weight, bias=bias, kernel=list(weight.shape[2:]), stride=_two(stride),
            padding=_two(padding), dilation=_two(dilation), groups=groups,
        )  # fmt: skip

    def on_conv_transpose2d(
        self,
        node,
        x,
        weight,
        bias=None,
        stride=(1, 1),
        padding=(0, 0),
        more=(0, 0),
        groups=1,
        dilation=(1, 1),
    ):
        if _two(dilation) != [1, 1]:
            raise NotImplementedError("the engine in the page has no transposed convolution with a rate")
        bias = torch.zeros(groups * weight.shape[1]) if bias is None else bias
        return self.add_step(
            node, "transposed", [x], weight=weight, bias=bias, kernel=list(weight.shape[2:]),
            stride=_two(stride), padding=_two(padding), groups=groups,
        )  # fmt: skip

    def on__native_batch_norm_legit_no_training(self, node, x, gamma, beta, mean, var, momentum, eps):
        gamma = torch.ones_like(var) if gamma is None else gamma
        scale = gamma / (var + eps).sqrt()
        return self.scaled(node, x, scale, (0 if beta is None else beta) - mean * scale)

    def scaled(self, node, x, scale, shift):
        """x·scale + shift, both one number a channel: inside the convolution before it, or as a step of its own."""
        before = self.only_for(node)
        if before and before["op"] == "conv" and "relu" not in before:
            before["bias"] = before["bias"] * scale + shift
            before["scale"] = before.get("scale", 1) * scale
            return x
        if (scale == 1).all() and (shift == 0).all():
            return x
        return self.add_step(node, "scale", [x], scale=scale, shift=shift)

    def on_relu(self, node, x):
        before = self.only_for(node)
        if before and before["op"] in ("conv", "transposed", "add", "scale"):
            before["relu"] = True
            return x
        return self.add_step(node, "relu", [x])

    def on_getitem(self, node, x, place):
        return x  # the map, and beside it the indices of a pooling, which go by the same number

    def on_max_pool2d(self, node, x, kernel, stride=(), padding=(0, 0), dilation=(1, 1), ceil=False):
        if _two(dilation) != [1, 1]:
            raise NotImplementedError("the engine in the page has no max pooling with a rate")
        return self.add_step(
            node, "pool", [x], kernel=_two(kernel), stride=_two(stride or kernel), padding=_two(padding)
        )

    on_max_pool2d_with_indices = on_max_pool2d

    def on_max_unpool2d(self, node, x, pooled, size):
        return self.add_step(node, "unpool", [x, pooled])

    def on_avg_pool2d(self, node, x, kernel, stride=(), padding=(0, 0), ceil=False, count=True, divisor=None):
        if ceil or divisor is not None or (any(_two(padding)) and not count):
            raise NotImplementedError("the engine in the page averages over whole windows only")
        return self.add_step(
            node, "average", [x], kernel=_two(kernel), stride=_two(stride or kernel), padding=_two(padding)
        )

    def on_adaptive_avg_pool2d(self, node, x, size):
        if _two(size) != [1, 1]:
            raise NotImplementedError(
                "the engine in the page averages over the whole map, not over parts of it"
            )
        return self.add_step(node, "mean", [x])

    def on_mean(self, node, x, axes, keep=False):
        if sorted(axis % 4 for axis in axes) != [2, 3] or not keep:
            raise NotImplementedError("the engine in the page averages over height and width, and keeps both")
        return self.add_step(node, "mean", [x])

    def on_upsample_bilinear2d(self, node, x, size, corners, factors=None):
        return self.add_step(node, "bilinear", [x], corners=corners)

    def on_cat(self, node, parts, axis=0):
        if axis not in (1, -3):
            raise NotImplementedError("the engine in the page joins maps along the channels only")
        return self.add_step(node, "concat", parts)

    def on_slice(self, node, x, axis=0, start=0, end=None, step=1):
        side = node.args[0].meta["val"].shape[axis]
        # All of it: older versions of torch write a slice for every `:`.
        if range(side)[start:end:step] == range(side):
            return x
        if axis % 4 < 2:
            raise NotImplementedError("the engine in the page cuts rows and columns only")
        first, every = [0, 0], [1, 1]
        first[axis % 4 - 2], every[axis % 4 - 2] = slice(start, end, step).indices(side)[0], step
        return self.add_step(node, "crop", [x], first=first, every=every)

    def on_expand(self, node, x, size):
        return self.add_step(node, "spread", [x])

    def on_add(self, node, x, y):
        if isinstance(x, int) and isinstance(node.args[1], torch.fx.Node) and isinstance(y, int):
            return self.add_step(node, "add", [x, y])
        return self.scaled(node, x, *self.channels(node, 1, y))

    def on_sub(self, node, x, y):
        return self.scaled(node, x, *self.channels(node, 1, self.constant(node, y) * -1))

    def on_mul(self, node, x, y):
        return self.scaled(node, x, *self.channels(node, self.constant(node, y), 0))

    def on_div(self, node, x, y):
        return self.scaled(node, x, *self.channels(node, 1 / self.constant(node, y), 0))

    def constant(self, node, y):
        of_maps = isinstance(node.args[1], torch.fx.Node) and isinstance(y, int)
        if of_maps or not isinstance(self.known[node.args[0]], int):
            raise NotImplementedError(f"the engine in the page has no {node.name} of two maps")
        return y

    def channels(self, node, *parts):
        """Each of `parts`, a number or a tensor with one number a channel, as a vector of one a channel."""
        count = node.meta["val"].shape[1]
        for part in map(torch.as_tensor, parts):
            if part.numel() not in (1, count):
                raise NotImplementedError(
                    f"the engine in the page does {node.name} with one number a channel"
                )
        return [torch.as_tensor(part, dtype=torch.float32).flatten().expand(count) for part in parts]


# Operations that leave the numbers as they are, once a network is trained.
UNCHANGED = {"dropout", "alias", "clone", "detach", "contiguous", "_to_copy", "lift_fresh_copy"}


def _two(sides):
    """3 or (3,) → [3, 3]; one for the rows and one for the columns."""
    sides = [sides] if isinstance(sides, int) else list(sides)
    return sides * 2 if len(sides) == 1 else sides
