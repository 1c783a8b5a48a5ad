"""A network as one picture: a block for every stage, its channels and side, and the skips between them."""

from itertools import pairwise
from math import log2

import torch


def blueprint(model, size, *, stages=None, names=False, sums=False, alt=None):
    """Draw the stages of `model` for a square image of `size` pixels, the coarser the lower. → `Picture`

    Each block is labelled with its channels (above) and its side in pixels (below); its height grows with the side and
    its width with the channels, both in doublings. Thin lines
    show the order, arrows `model.links`. Nothing is computed but shapes.
    `stages`: which to draw; default `model.stages` without those that have neither weights nor an arrow.
    `names`: write the name of each stage above its channels.
    `sums`: as in FCN, what the arrows bring is added to what comes up from below: a plus sign for each, between them
    how much the map is enlarged, and at the top the output.
    """
    from .figures import canvas, picture

    shapes, levels, output = _stages(model, size, stages)
    added = [end for _, end in model.links] if sums else []
    path = [name for name in shapes if name not in added]
    places = {name: (x, -levels[name]) for x, name in enumerate(path)}
    # What is added stands left of its plus sign, so that the way up passes to the right of it.
    places |= {name: (len(path) - 2 + i, -levels[name]) for i, name in enumerate(added)}
    if sums:
        shapes["output"], places["output"] = output, (len(path) + len(added), 0)

    depth = max(levels.values())
    figure, axes = canvas(height=(0.75 if names else 0.62) * (depth + 1) + (1 if names else 0.75))
    blocks = {name: _block(axes, place, *shapes[name]) for name, place in places.items()}
    if names:
        for name, (x, y) in places.items():
            sign = 1 if y > -depth else -1  # the lowest row has room below
            y += sign * (_height(shapes[name][1]) / 2 + 0.28)
            text = name.replace("_", "\n")
            axes.text(x, y, text, ha="center", va="bottom" if sign > 0 else "top")
    for start, end in pairwise(path):
        _line(axes, blocks[start], blocks[end])
    for start, end in model.links:
        _arrow(axes, blocks[start], blocks[end])
    if sums:
        below = blocks[path[-1]]
        for i, name in enumerate(added):
            plus = _plus(axes, (len(path) + i, -levels[name]))
            _arrow(axes, blocks[name], plus)
            _line(axes, below, plus, f"×{2 ** (plus[1] - below[1])}")
            below = plus
        end = (places["output"][0], -0.5, 0)  # under its number
        _line(axes, below, end, f"×{2 ** -below[1]}")
    axes.set(xlim=(-0.6, len(shapes) - 0.4), ylim=(-depth - (0.9 if names else 0.6), 0.85 if names else 0.65))
    axes.axis("off")
    return picture(figure, alt or _words(model, shapes, levels, path[-1], added))


def _block(axes, place, channels, side):
    """Draw one stage. → x, y and half its width"""
    from matplotlib.patches import Rectangle

    from . import style

    x, y = place
    width, height = 0.08 + 0.055 * log2(channels + 1), _height(side)
    axes.add_patch(
        Rectangle((x - width / 2, y - height / 2), width, height, color=style.COLOURS["blue"], lw=0)
    )
    axes.text(x, y + height / 2 + 0.03, channels, ha="center", va="bottom")
    axes.text(x, y - height / 2 - 0.04, side, ha="center", va="top", color=style.SOFT)
    return x, y, width / 2


def _height(side):
    return 0.2 + 0.05 * log2(side)


def _plus(axes, place):
    """Draw a plus sign in a circle. → x, y and half its width"""
    from . import style

    circle = {"boxstyle": "circle,pad=0.15", "facecolor": style.PAPER, "edgecolor": style.INK}
    axes.text(*place, "+", ha="center", va="center", bbox=circle)
    return *place, 0.2


def _line(axes, start, end, label=""):
    """From one block to the next; `label` past its middle, clear of what stands over the first block."""
    from . import style

    (x0, y0, w0), (x1, y1, w1) = start, end
    axes.plot([x0 + w0, x1 - w1], [y0, y1], color=style.SOFT, lw=1, ls="-", zorder=0)
    paper = {"boxstyle": "round,pad=0.1", "facecolor": style.PAPER, "edgecolor": "none"}
    if label:
        place = 0.4 * (x0 + w0) + 0.6 * (x1 - w1), 0.4 * y0 + 0.6 * y1
        axes.text(*place, label, ha="center", va="center", bbox=paper)


def _arrow(axes, start, end):
    from matplotlib.patches import FancyArrowPatch

    from . import style

    (x0, y0, w0), (x1, y1, w1) = start, end
    arrow = FancyArrowPatch(
        (x0 + w0, y0), (x1 - w1, y1), arrowstyle="-|>", mutation_scale=12, shrinkA=3, shrinkB=3
    )
    arrow.set(color=style.COLOURS["orange"], lw=1.5)
    axes.add_patch(arrow)


def _words(model, shapes, levels, last, added):
    """The default alt text."""
    words = ", ".join(f"{name} {channels}×{side}×{side}" for name, (channels, side) in shapes.items())
    text = f"The stages of {type(model).__name__} from left to right: {words}."
    if model.links:
        text += f" {len(model.links)} arrows go across."
    if "output" in shapes:
        heights = [levels[name] for name in (last, *added)] + [0]
        factors = [f"times {2 ** (low - high)}" for low, high in pairwise(heights)]
        way = [f"{factor}, plus {name}" for factor, name in zip(factors, added)]
        text += f" The way up from {last}: {', '.join([*way, factors[-1]])}."
    return text


def _stages(model, size, names):
    """Stage → (channels, side), stage → how often the image has been halved there, and (channels, side) of the output."""
    from segnb.receptive_field import receptive_field

    shapes = {}
    with torch.device("meta"):  # the same network without a single number in it
        ghost = type(model)(**model.config).eval()
    if names is None:
        linked = {name for link in model.links for name in link}
        names = [n for n in model.stages if n in linked or [*ghost.get_submodule(n).parameters()]]
    for name in names:
        ghost.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: shapes.update(
                {name: (output.shape[1], output.shape[-1])}
            )
        )
    output = ghost(torch.empty(1, model.in_channels, size, size, device="meta"))
    levels = {name: round(log2(receptive_field(model, name)[1])) for name in shapes}
    return shapes, levels, (output.shape[1], output.shape[-1])
