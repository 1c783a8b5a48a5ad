"""SegNet's way up: max pooling keeps the places of its maxima, unpooling puts the numbers back there."""

from ..show.live import Live
from .page import page

MAPS = {
    4: ((1, 3, 2, 0), (5, 2, 1, 4), (0, 7, 6, 3), (2, 1, 8, 5)),
    5: ((1, 3, 2, 0, 4), (5, 2, 1, 4, 1), (0, 7, 6, 3, 9), (2, 1, 8, 5, 0), (3, 0, 6, 2, 5)),
}


def unpooling(map=None, *, side=4, name=None) -> Live:
    """Pool a map step by step and watch the indices bring the maxima home; compare three ways that forget them.

    `map`: 4×4 or 5×5 whole numbers from 0 to 9, where the demo starts (default: one of ours, with this `side`). Pressing
    a number raises it by one. The side can be made odd, half of it rounded up or down, and unpooling told another size
    than the map's: then an index that counted rows of one length is read in rows of another.
    """
    import torch
    import torch.nn.functional as F

    from .. import show

    values = torch.as_tensor(MAPS.get(side, 0) if map is None else map)
    right = values.shape in ((4, 4), (5, 5)) and values.eq(values.long()).all()
    if not right or values.min() < 0 or values.max() > 9:
        raise ValueError("map must be 4×4 or 5×5 whole numbers from 0 to 9, and side 4 or 5")
    size = len(values)
    values = values.float()
    pooled, indices = F.max_pool2d(values[None], 2, ceil_mode=True, return_indices=True)
    back = F.max_unpool2d(pooled, indices, 2, output_size=(size, size))[0]
    largest = ", ".join(f"{x:.0f}" for x in pooled.flatten())
    alt = f"A {size}×{size} map, its largest numbers by window ({largest}), and these put back in their places among zeros."
    still = show.compare({"map": values, "pooled": pooled[0], "unpooled": back}, numbers=True, alt=alt)
    maps = {**MAPS, size: values.long().tolist()}
    return page("unpooling", "Max unpooling", still, name=name, maps=maps, size=size)
