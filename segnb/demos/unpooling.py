"""SegNet's way up: max pooling keeps the places of its maxima, unpooling puts the numbers back there."""

from .page import page

MAP = ((1, 3, 2, 0), (5, 2, 1, 4), (0, 7, 6, 3), (2, 1, 8, 5))


def unpooling(map=MAP, *, name=None):
    """Pool a 4×4 map step by step and watch the indices bring the maxima home; compare three ways that forget them.

    `map`: 4×4 whole numbers from 0 to 9. Pressing a number in the demo raises it by one.
    """
    import torch
    import torch.nn.functional as F

    from .. import show

    values = torch.as_tensor(map)
    if values.shape != (4, 4) or not values.eq(values.long()).all() or values.min() < 0 or values.max() > 9:
        raise ValueError("map must be 4×4 whole numbers from 0 to 9")
    values = values.float()
    pooled, indices = F.max_pool2d(values[None], 2, return_indices=True)
    back = F.max_unpool2d(pooled, indices, 2)[0]
    largest = ", ".join(f"{x:.0f}" for x in pooled.flatten())
    alt = f"A 4×4 map, its four largest numbers by window ({largest}), and these put back in their places among zeros."
    still = show.compare({"map": values, "pooled": pooled[0], "unpooled": back}, numbers=True, alt=alt)
    return page("unpooling", "Max unpooling", still, name=name, map=values.long().tolist())
