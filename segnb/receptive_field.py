"""How much of the image one pixel of a map can see."""

from math import inf
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .features import first_tensor, hooks
from .run import evaluating


def receptive_field(model, layer=None) -> tuple[float, float]:
    """(size, stride), in pixels of the image, of what one pixel in the output of `layer` sees.

    size: the side of the smallest square that holds everything the pixel can depend on. After upsampling it
    varies with the pixel's place on the grid (U-Net's logits: 188 or 204): the largest; `inf` if the whole
    image takes part (image pooling). stride: how far apart in the image two neighbours look. No number is
    computed: in a forward pass on shapes alone, in eval mode, each operation states what it reads.

    Args: layer: a name as in `model.named_modules()`; None means the logits.
    Raises: KeyError: an unknown layer. ValueError: one that did not run or does not see the image.
        NotImplementedError: an operation of unknown reach.

    >>> receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2), nn.Conv2d(1, 1, 3)))
    (8, 2)
    >>> receptive_field(nn.Conv2d(1, 1, 3, dilation=4))
    (9, 1)
    """
    for side in (2048, 8192, 32768):
        side = getattr(model, "valid_size", int)(side)
        views = _views_of(model, side, layer)
        size = max(view.size for view in views)
        # Far from the border: pixels in the middle do not see it, and show every place on the grid.
        if size == inf or 4 * size <= side:
            stride = max(view.stride for view in views)
            return size, int(stride) if stride == int(stride) else stride
    raise NotImplementedError(f"{layer or 'the output'} sees farther than {side // 4} px: too far to follow")


class _View(NamedTuple):
    """Along one axis, the first and the last pixel of the image that each pixel of a map sees; inf: all."""

    first: Tensor
    last: Tensor
    stride: float

    @property
    def size(self):
        middle = slice(len(self.first) * 3 // 8, -(-len(self.first) * 5 // 8))
        extent = (self.last - self.first + 1)[middle].max().item()
        return extent if extent == inf else int(max(extent, 0))

    def read(self, index, stride, there=True):
        """The view of pixels that read the pixels `index[i, :]` of this map, if `there` and not padding."""
        there = there & (index >= 0) & (index < len(self.first))
        index = index.clamp(0, len(self.first) - 1)
        first, last = self.first[index].where(there, inf), self.last[index].where(there, -inf)
        return _View(first.amin(1), last.amax(1), stride)

    def everything(self, length):
        """The view of `length` pixels that read all of this map."""
        far = torch.full((length,), inf)
        return _View(-far, far, self.stride * len(self.first) / length)


class _Reach(TorchDispatchMode):
    """Follows the views (of the rows, of the columns) of all tensors that come from the image.

    It listens where each call has become PyTorch's basic operations, with their arguments in fixed order.
    """

    def __init__(self, image):
        super().__init__()
        self.views, self.alive = {}, []
        here = torch.arange(image.shape[-1], dtype=torch.float32)
        self.note(image, [_View(here, here, 1)] * 2)

    def note(self, tensor, views):
        self.views[id(tensor)] = views
        self.alive.append(tensor)  # the id of a dead tensor could be given to another one

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        output = operation(*args, **(kwargs or {}))
        flat = [part for arg in args for part in (arg if isinstance(arg, (list, tuple)) else [arg])]
        sources = [part for part in flat if isinstance(part, Tensor) and id(part) in self.views]
        outputs = output if isinstance(output, (list, tuple)) else [output]
        for part in outputs if sources else ():
            if len(outputs) == 1 or part.ndim == sources[0].ndim:  # not the statistics of a normalisation
                self.note(part, [self.follow(operation, args, sources, part, axis) for axis in (-2, -1)])
        return output

    def follow(self, operation, args, sources, output, axis):
        """The view of `output` along an axis (−2: rows, −1: columns), from those of the `sources`."""
        name = operation.overloadpacket.__name__.rstrip("_")
        views = [self.views[id(source)][axis] for source in sources]
        view, inputs, length = views[0], len(views[0].first), output.shape[axis] if output.ndim > 1 else 1
        out = torch.arange(length)[:, None]

        def along(place, default=None):  # arguments are [of the rows, of the columns], or one for both
            given = args[place] if len(args) > place else []
            return given[axis] if len(given) > 1 else given[0] if given else default

        if all(view.first.isneginf().all() for view in views):
            return view.everything(length)
        if name == "convolution":
            stride, padding, tap = along(3), along(4), along(5) * torch.arange(args[1].shape[axis])
            if not args[6]:
                return view.read(out * stride - padding + tap, view.stride * stride)
            start = out + padding - tap  # transposed: o hears from i if o + padding = stride·i + tap
            return view.read(start // stride, view.stride / stride, there=start % stride == 0)
        if name in ("max_pool2d_with_indices", "avg_pool2d"):
            stride, dilation = along(2, along(1)), along(4, 1) if name.startswith("max") else 1
            tap = dilation * torch.arange(along(1))
            return view.read(out * stride - along(3, 0) + tap, view.stride * stride)
        if name == "max_unpool2d":
            window = round(length / inputs)
            return view.read(out // window, view.stride / window)
        if name == "upsample_bilinear2d":
            # Where in the input, as a fraction: corners upon corners, or edges upon edges.
            top, bottom = (2 * out + 1) * inputs - length, 2 * length
            if args[2] and length > 1:
                top, bottom = out * (inputs - 1), length - 1
            taps = torch.tensor([0, 1])
            return view.read(top // bottom + taps, view.stride * inputs / length, there=taps <= top % bottom)
        if name == "upsample_nearest2d":
            return view.read(out * inputs // length, view.stride * inputs / length)
        if name in ("constant_pad_nd", "reflection_pad2d"):
            before = dict(zip((-1, -2), args[1][::2])).get(axis, 0)
            return view.read(out - before, view.stride)
        if name == "slice" and args[1] % output.ndim == axis % output.ndim:
            step = args[4] if len(args) > 4 else 1
            return view.read(torch.arange(inputs)[slice(*args[2:])][:, None], view.stride * step)
        if name in ("mean", "sum", "amax", "amin", "_softmax"):
            axes = args[1] if len(args) > 1 else range(sources[0].ndim)
            together = [a % sources[0].ndim for a in (axes if isinstance(axes, (list, range)) else [axes])]
            if axis % sources[0].ndim in together:
                return view.everything(length)
        if "adaptive" in name or name == "native_group_norm" or (name == "native_batch_norm" and args[5]):
            return view.everything(length)
        same = length == max(len(view.first) for view in views)
        if same and (torch.Tag.pointwise in operation.tags or name in PIXEL_BY_PIXEL):
            first = torch.stack([view.first.expand(length) for view in views]).amin(0)
            last = torch.stack([view.last.expand(length) for view in views]).amax(0)
            return _View(first, last, next(view.stride for view in views if len(view.first) == length))
        raise NotImplementedError(f"the reach of the operation {operation} is not known to receptive_field")


# What leaves rows and columns where they are, besides the operations that PyTorch itself calls pointwise.
PIXEL_BY_PIXEL = {
    "native_batch_norm", "_native_batch_norm_legit_no_training", "cat", "split", "slice", "view", "clone", "_to_copy",
    "hardswish", "hardsigmoid", "detach", "alias", "expand", "mean", "sum", "amax", "amin", "_softmax",
}  # fmt: skip


def _views_of(model, side, layer):
    """The views of a layer's output along rows and columns, from a pass over an image without any numbers."""
    first = next((module.in_channels for module in model.modules() if isinstance(module, nn.Conv2d)), 1)
    image = torch.empty(1, getattr(model, "in_channels", first), side, side, device="meta")
    shapes = {
        name: t.to("meta") for named in (model.named_parameters(), model.named_buffers()) for name, t in named
    }
    seen = []

    def keep(name, output):
        seen.append(reach.views.get(id(first_tensor(name, output))))

    reach = _Reach(image)
    with evaluating(model), hooks(model, [] if layer is None else [layer], keep), reach:
        output = torch.func.functional_call(model, shapes, (image,))
    if layer is None:
        keep("the output", output)
    if not seen or seen[-1] is None:
        raise ValueError(f"{layer or 'the output'} did not run, or does not see the image")
    return seen[-1]
