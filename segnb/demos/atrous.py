"""Rates, strides and what one output pixel sees: the field of view and its holes."""

from ..show.live import Live
from .page import page


def atrous(layers=((3, 1, 2), (3, 1, 2), (3, 1, 2)), *, name=None) -> Live:
    """Stack three convolutions, change kernel, stride and rate of each, and see which pixels one output pixel reads.

    `layers`: (kernel 1, 3 or 5; stride 1 or 2; rate 1 to 6) from the image upwards, where the demo starts. The default
    is the gridding that Wang et al. (2018, "Understanding convolution for semantic segmentation") describe: rates
    2, 2, 2 leave holes, rates 1, 2, 5 do not.
    """
    import torch
    import torch.nn.functional as F

    from .. import show

    layers = [tuple(layer) for layer in layers]
    allowed = all(
        len(x) == 3 and x[0] in (1, 3, 5) and x[1] in (1, 2) and x[2] in range(1, 7) for x in layers
    )
    if len(layers) != 3 or not allowed:
        raise ValueError(f"layers={layers}; expected three of (kernel 1, 3 or 5; stride 1 or 2; rate 1 to 6)")
    seen = torch.ones(1, 1, 1, 1)
    for kernel, stride, rate in reversed(layers):  # the transpose of a convolution finds what it reads
        seen = F.conv_transpose2d(seen, torch.ones(1, 1, kernel, kernel), stride=stride, dilation=rate)
    seen = seen[0, 0] > 0
    size = len(seen)
    alt = (
        f"What one output pixel sees through three convolutions with rates {', '.join(str(x[2]) for x in layers)}: "
        f"{int(seen.sum())} of the {size * size} pixels in a field of {size}×{size}."
    )
    still = show.compare([seen.float()], alt=alt)
    return page("atrous", "Field of view of stacked convolutions", still, name=name, layers=layers)
