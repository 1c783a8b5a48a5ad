"""A kernel with holes over a map: which of its taps meet the map, and which only its padding."""

from ..show.live import Live
from .page import page


def taps(side=12, rate=4, *, name=None) -> Live:
    """Drag a 3×3 or 5×5 kernel over a map by mouse, finger or arrow keys, and count the taps that meet the map.

    `side`: of the map, 6 to 65 pixels; `rate`: 1 to 36. Taps in the padding turn grey; each pixel of the map is as bright
    as many taps are alive there. From rate = side on, the centre alone is, and the 3×3 is a 1×1: what Chen et al. (2017,
    "Rethinking atrous convolution for semantic image segmentation", figure 4) counted.
    """
    import torch
    import torch.nn.functional as F

    from .. import show
    from ..show import style

    if side not in range(6, 66) or rate not in range(1, 37):
        raise ValueError(f"side={side}, rate={rate}; expected a side of 6 to 65 and a rate of 1 to 36")
    ones, kernel = torch.ones(1, 1, side, side), torch.ones(1, 1, 3, 3)
    alive = F.conv2d(ones, kernel, padding=rate, dilation=rate)[0, 0]
    alt = (
        f"How many of the nine taps of a 3×3 kernel at rate {rate} meet a map of {side}×{side}: {alive.min():.0f} to "
        f"{alive.max():.0f}, {alive.mean():.1f} in the mean."
    )
    still = show.compare([alive], vmin=0, vmax=9, alt=alt)
    return page("taps", "A kernel over a map", still, name=name, side=side, rate=rate, paper=style.PAPER)
