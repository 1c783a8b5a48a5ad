"""How a picture of any size is brought to a network: mirrored, in one piece or in tiles.

A network shifts its output with its input only by multiples of `model.step`, so all tiles stand on that grid.
What a tile lacks is the picture around it. A network without padding (`model.margin` > 0) says nothing about
what it did not see; one with padding takes zeros for it, as far inwards as its receptive field reaches. So of
its tiles either that border is thrown away, or, where it is all of the tile, neighbours overlap and fade into
each other.
Source: U-Net (Ronneberger et al., 2015), section 2, figure 2, for mirrors and tiles; nnU-Net (Isensee et al.,
    2021) for overlapping tiles whose logits are averaged with weights.
"""

import warnings
from collections.abc import Iterator
from functools import partial
from math import inf
from typing import NamedTuple

import torch

from .receptive_field import receptive_field
from .run import device_of
from .shapes import check_finite, logits_of


class Strip(NamedTuple):
    """One window along one axis.

    Attributes:
        start: where it begins, in pixels of the picture (below 0 in the mirrored border).
        first: where the logits that count begin.
        weights: of each of those; over all windows they add up to 1.
    """

    start: int
    first: int
    weights: torch.Tensor

    @property
    def end(self) -> int:
        return self.first + len(self.weights)


class Plan(NamedTuple):
    """The windows along the rows and along the columns, all of one `window` (height, width)."""

    window: tuple
    rows: list
    columns: list


def whole(model, size) -> Plan:
    """The plan of one window that covers a picture of `size` (height, width).

    >>> whole(UNet(width=1), (388, 300)).window  # 92 px more on each side, then up to a side that fits
    (572, 492)
    """
    margin, fits = getattr(model, "margin", 0), getattr(model, "valid_size", int)
    window = tuple(fits(side + 2 * margin) for side in size)
    return Plan(window, *([Strip(-margin, 0, torch.ones(side))] for side in size))


def tiles(model, size, tile) -> Plan:
    """The plan of square windows of `tile` px for a picture of `size` (height, width).

    Warns if the tiles' logits will differ from those of the whole picture.
    Raises: ValueError, naming the next that works: a tile that the network does not take, or one too small.

    >>> plan = tiles(UNet(width=1), (388, 800), tile=572)
    >>> [(strip.start, strip.first, strip.end) for strip in plan.columns]  # 384 apart: a multiple of step, 16
    [(-92, 0, 384), (292, 384, 768), (676, 768, 800)]
    """
    margin, fits, step = (getattr(model, name, other) for name, other in DEFAULTS)
    smallest = fits(max(1, 2 * margin + step))
    if tile < smallest:
        raise ValueError(f"a tile of {tile} px cannot cover a picture; the smallest that can is {smallest}")
    works = next(side for side in range(tile, tile + fits(tile) + step) if _suits(side, margin, fits, step))
    if works != tile:
        raise ValueError(f"the network takes no tile of {tile} px; the next that works is {works}")
    if margin:
        stride = (tile - 2 * margin) // step * step
        return Plan((tile, tile), *(_beside(side, tile, margin, stride) for side in size))
    if max(size) <= tile:
        return whole(model, size)
    border = _border(model, tile, step)
    cut = _fading if border is None else partial(_inside, border=border)
    covered = whole(model, size)
    # A side that fits into the tile needs no cutting.
    window = tuple(min(tile, seen) if side <= tile else tile for side, seen in zip(size, covered.window))
    axes = (one if side <= tile else cut(side, tile, step) for side, one in zip(size, covered[1:]))
    return Plan(window, *axes)


DEFAULTS = (("margin", 0), ("valid_size", int), ("step", 1))


def _suits(side, margin, fits, step):
    return fits(side) == side and (margin > 0 or side % step == 0)


def _beside(side, tile, margin, stride):
    """Windows of a network without padding: their outputs, `stride` apart, cover the picture."""
    # Until the last output reaches the far edge.
    count = 1 + max(0, -(-(side - (tile - 2 * margin)) // stride))
    firsts = [i * stride for i in range(count)]
    ends = [*firsts[1:], side]
    return [Strip(first - margin, first, torch.ones(end - first)) for first, end in zip(firsts, ends)]


def _inside(side, tile, step, border):
    """Windows of a padded network; all but a border towards the next counts: the whole picture's logits."""
    starts = _starts(side, tile, step, (tile - 2 * border) // step * step)
    firsts = [0, *(start + border for start in starts[1:])]
    ends = [*firsts[1:], side]
    return [
        Strip(start, first, torch.ones(min(end, side) - first))
        for start, first, end in zip(starts, firsts, ends)
        if first < side
    ]


def _fading(side, tile, step):
    """Windows that overlap by half and fade into each other, by weights that rise and fall linearly."""
    starts = _starts(side, tile, step, max(step, tile // 2 // step * step))
    centre = (torch.arange(tile) + 0.5) / tile
    tent = torch.minimum(centre, 1 - centre)
    total = torch.zeros(starts[-1] + tile)
    for start in starts:
        total[start : start + tile] += tent
    return [
        Strip(start, start, (tent / total[start : start + tile])[: side - start])
        for start in starts
        if start < side
    ]


def _starts(side, tile, step, stride):
    """Where windows begin: `stride` apart; the last ends with the picture, rounded up to `step`."""
    last = -(-side // step) * step - tile
    return [*range(0, last, stride), last]


def _border(model, tile, step):
    """How many pixels at a window's border hear of the zeros around; None, with a warning, if that is all."""
    try:
        sees, _ = receptive_field(model)
        how_far = "the whole picture" if sees == inf else f"{sees} px"
    except NotImplementedError:
        sees, how_far = inf, "an unknown number of pixels"
    # Half of what a pixel sees, and a step more because it need not sit in the middle.
    border = 0 if sees == inf else -(-(sees // 2 + step) // step) * step
    if border and tile >= 2 * border + step:
        return border
    cure = "predict it whole, tile=None" if sees == inf else f"use tile={2 * border + step} or more"
    warnings.warn(
        f"a pixel of this network's output depends on {how_far}, and a tile of {tile} px shows less: the tiles overlap and "
        f"fade into each other, but the result is not that of the whole picture ({cure})",
        stacklevel=4,
    )
    return None


def logits_by_rows(model, read, size, plan, items=None) -> Iterator[tuple[int, torch.Tensor]]:
    """(top, logits N×K×h×W, float32 on the CPU) of finished rows, from the top down.

    The next rows are written over these: use them, or copy them, before going on. Call it inside
    `evaluating(model)`.

    Args:
        read: function (row indices, column indices) → float tensor N×C×h×w.
        size: height and width of the picture.
        items: numbers of the N pictures, for messages.
    Raises: FloatingPointError: logits that are NaN or +inf. ValueError: logits of an unexpected size.
    """
    margin, device = getattr(model, "margin", 0), device_of(model)
    rows, columns = (
        mirrored(side, margin, strips[-1].start + seen - side)
        for side, seen, strips in zip(size, plan.window, plan[1:])
    )
    height, width = plan.window
    held, top = None, 0
    for k, row in enumerate(plan.rows):
        for column in plan.columns:
            below, right = row.start + margin, column.start + margin
            part = read(rows[below : below + height], columns[right : right + width])
            logits = logits_of(model(part.to(device, torch.float32))).to("cpu", torch.float32)
            if logits.shape[2:] != (height - 2 * margin, width - 2 * margin):
                raise ValueError(
                    f"{type(model).__name__} states a margin of {margin} px a side, but made {tuple(logits.shape[2:])} "
                    f"of {tuple(part.shape[2:])}: a model that loses a border needs the attribute `margin`"
                )
            check_finite(logits, part, items)
            if len(plan.rows) == len(plan.columns) == 1:
                yield 0, logits[:, :, : size[0], : size[1]]
                return
            logits = logits[:, :, row.first - below :, column.first - right :]
            logits = logits[:, :, : len(row.weights), : len(column.weights)]
            if held is None:
                held = logits.new_zeros(
                    *logits.shape[:2], size[0] if len(plan.rows) == 1 else height, size[1]
                )
            here = held[:, :, row.first - top : row.end - top, column.first : column.end]
            here.addcmul_(logits, torch.outer(row.weights, column.weights))
        done = plan.rows[k + 1].first if k + 1 < len(plan.rows) else size[0]
        yield top, held[:, :, : done - top]
        rest = held[:, :, done - top : row.end - top].clone()
        held.zero_()[:, :, : rest.shape[2]] = rest
        top = done


def mirrored(side, before, after) -> torch.Tensor:
    """Indices 0..side−1 of a row continued by mirroring, as often as needed.

    >>> mirrored(3, before=3, after=2).tolist()
    [1, 2, 1, 0, 1, 2, 1, 0]
    """
    period = max(1, 2 * (side - 1))
    index = torch.arange(-before, side + after) % period
    return torch.minimum(index, period - index)
