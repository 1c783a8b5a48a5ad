"""A network as one picture: a block for every stage, its channels and side, and the skips between them."""

from itertools import pairwise
from math import log2

import torch


def blueprint(model, size, *, stages=None, alt=None):
    """Draw the stages of `model` for a square image of `size` pixels, the coarser the lower. → `Picture`

    Each block is labelled with its channels (above) and its side in pixels (inside); its height grows with the side and
    its width with the channels, both in doublings. Thin lines
    show the order, arrows `model.links`. Nothing is computed but shapes.
    `stages`: which to draw; default `model.stages` without those that have neither weights nor an arrow.
    """
    from matplotlib.patches import FancyArrowPatch, Rectangle

    from . import style
    from .figures import canvas, picture

    shapes, levels = _stages(model, size, stages)
    figure, axes = canvas(height=0.62 * (max(levels.values()) + 1) + 0.75)
    centres = {}
    for x, (name, (channels, side)) in enumerate(shapes.items()):
        width, height = 0.08 + 0.055 * log2(channels + 1), 0.2 + 0.05 * log2(side)
        y = -levels[name]
        centres[name] = (x, y, width / 2)
        axes.add_patch(
            Rectangle((x - width / 2, y - height / 2), width, height, color=style.COLOURS["blue"], lw=0)
        )
        axes.text(x, y + height / 2 + 0.03, channels, ha="center", va="bottom")
        axes.text(x, y - height / 2 - 0.04, side, ha="center", va="top", color=style.SOFT)
    path = list(centres.values())
    for (x0, y0, w0), (x1, y1, w1) in pairwise(path):
        axes.plot([x0 + w0, x1 - w1], [y0, y1], color=style.SOFT, lw=1, ls="-", zorder=0)
    for start, end in model.links:
        (x0, y0, w0), (x1, y1, w1) = centres[start], centres[end]
        arrow = FancyArrowPatch(
            (x0 + w0, y0), (x1 - w1, y1), arrowstyle="-|>", mutation_scale=12, shrinkA=3, shrinkB=3
        )
        arrow.set(color=style.COLOURS["orange"], lw=1.5)
        axes.add_patch(arrow)
    axes.set(xlim=(-0.6, len(shapes) - 0.4), ylim=(-max(levels.values()) - 0.6, 0.65))
    axes.axis("off")
    words = ", ".join(f"{name} {channels}×{side}×{side}" for name, (channels, side) in shapes.items())
    skips = f" {len(model.links)} arrows go across." if model.links else ""
    return picture(figure, alt or f"The stages of {type(model).__name__} from left to right: {words}.{skips}")


def _stages(model, size, names):
    """Stage → (channels, side), and stage → how often the image has been halved there."""
    from segnb.feature_maps import receptive_field

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
    ghost(torch.empty(1, model.in_channels, size, size, device="meta"))
    return shapes, {name: round(log2(receptive_field(model, name)[1])) for name in shapes}
