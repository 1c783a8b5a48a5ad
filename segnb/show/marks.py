"""One small drawing for each operation, the same in every network's blueprint."""

from math import cos, pi, sin

WIDTH = 13  # units a mark takes
# What the legend says; in its order.
WORDS = {
    "here": "you are here",
    "conv": "convolution, 3×3 or as written",
    "unit": "residual unit",
    "rate": "3×3 convolution with this rate",
    "pool": "max pooling",
    "stride": "stride 2",
    "mean": "mean of the whole map",
    "up": "enlarged",
    "crop": "cropped",
    "copy": "joined along the channels",
    "index": "places of the maxima",
    "add": "added",
}


def summary(ops) -> list[tuple[str, str]]:
    """`Op`s as (mark, text) in their order: equal ones together, a residual unit as one."""
    if any(op.kind == "add" for op in ops) and any(op.kind == "conv" for op in ops):
        return _units(ops)
    found = []
    for kind, size, rate, factor in ((op.kind, op.size, op.rate, op.factor) for op in ops):
        if kind == "conv" and rate > 1:
            found.append(("rate", f"rate {rate}"))
        elif kind == "conv":
            found.append(("conv", "" if size == 3 else f"{size}×{size}"))
        elif kind in ("up", "unpool"):
            found.append(("up", f"×{factor}"))
        elif kind in ("pool", "stride", "mean", "crop") and found[-1:] != [("crop", "")]:
            found.append((kind, ""))
    same = found.count(("conv", ""))
    if same > 3:
        found = [one for one in found if one != ("conv", "")] + [("conv", f"×{same}")]
    if len(found) > 5:  # a whole network inside one stage: which operations it has
        found = [(mark, "") for mark in dict(found)]
    return found


def _units(ops):
    """A stage of residual units: how many, their rates if they have any, and whether one has a stride."""
    rates = [op.rate for op in ops if op.kind == "conv" and op.size == 3]
    found = summary([op for op in ops if op.kind in ("pool", "up")])
    if max(rates, default=1) > 1:
        short = rates if len(rates) <= 3 else dict.fromkeys(rates)
        found.append(("rate", ", ".join(map(str, short))))
    found.append(("unit", f"×{sum(op.kind == 'add' for op in ops)}"))
    return found + [("stride", "")] * any(op.kind == "stride" for op in ops)


def shapes(mark, x, y, radius=5.5) -> list[tuple]:
    """The mark around (x, y): (rings, tone, filled) and perhaps the width of its lines, part by part."""
    return _MARKS[mark](x, y, radius)


def _square(x, y, half):
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


def _closed(ring):
    return [*ring, ring[0]]


def _circle(x, y, radius):
    return [(x + radius * cos(k * pi / 10), y + radius * sin(k * pi / 10)) for k in range(21)]


def _taps(x, y, step, half):
    return [_square(x + i * step, y + j * step, half) for i in (-1, 0, 1) for j in (-1, 0, 1)]


def _conv(x, y, r):
    return [(_taps(x, y, 3.6, 1.5), "box", True)]


def _rate(x, y, r):
    return [(_taps(x, y, 5, 1.3), "rate", True)]


def _unit(x, y, r):
    # A way round the convolution: what came in is added to what comes out.
    around = [(x + 4, y - 5.5), (x + 6.3, y - 3.5), (x + 6.3, y + 3.5), (x + 4, y + 5.5)]
    return [(_taps(x - 1.5, y, 3.2, 1.3), "box", True), ([around], "box", False)]


def _triangle(x, y, r, way):
    return [(x - r, y - way * 0.8 * r), (x + r, y - way * 0.8 * r), (x, y + way * 0.9 * r)]


def _pool(x, y, r):
    return [([_triangle(x, y, r, 1)], "ink", True)]


def _stride(x, y, r):
    return [([_closed(_triangle(x, y, r - 0.5, 1))], "ink", False)]


def _up(x, y, r):
    return [([_triangle(x, y, r, -1)], "rate", True)]


def _mean(x, y, r):
    return [([_closed(_square(x, y, r - 0.7))], "rate", False), ([_square(x, y, 1.6)], "rate", True)]


def _crop(x, y, r):
    corners = [
        [(x + i * r, y + j * 1.5), (x + i * r, y + j * r), (x + i * 1.5, y + j * r)]
        for i in (-1, 1)
        for j in (-1, 1)
    ]
    return [(corners, "copy", False), ([_square(x, y, 1.8)], "copy", True)]


def _copy(x, y, r):
    return [
        ([_square(x - 1.8, y - 1.8, 3.6)], "copy", True),
        ([_closed(_square(x + 1.6, y + 1.6, 3.6))], "copy", False),
    ]


def _index(x, y, r):
    outline = [
        _closed(_square(x, y, r - 0.5)),
        [(x, y - r + 0.5), (x, y + r - 0.5)],
        [(x - r + 0.5, y), (x + r - 0.5, y)],
    ]
    return [(outline, "index", False, 1.1), ([_square(x + r / 2 - 0.2, y - r / 2 + 0.2, 1.9)], "index", True)]


def _add(x, y, r):
    cross = [[(x - r * 0.55, y), (x + r * 0.55, y)], [(x, y - r * 0.55), (x, y + r * 0.55)]]
    return [([_circle(x, y, r), *cross], "ink", False, 1.6)]


def _here(x, y, r):
    return [([_square(x, y, 2.6)], "here", True), ([_closed(_square(x, y, r))], "here", False, 2)]


def _box(x, y, r):
    return [([_square(x, y, r - 0.8)], "box", True)]


_MARKS = {
    "conv": _conv, "unit": _unit, "rate": _rate, "pool": _pool, "stride": _stride, "mean": _mean, "up": _up, "crop": _crop,
    "copy": _copy, "index": _index, "add": _add, "here": _here, "box": _box,
}  # fmt: skip
