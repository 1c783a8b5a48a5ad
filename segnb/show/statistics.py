"""A whole data set as one picture: how often its classes occur, where they are, how large its pictures are."""

from collections import Counter

import numpy as np
import torch

from ..data.items import resize_image, resize_mask
from . import style
from .figures import Picture, picture
from .pixels import class_name, image_pixels, painted, percent

LONGEST = 128  # pixels of the longer side of mean image and mean mask


def statistics(data, *, alt=None) -> Picture:
    """A split at a glance: class shares, presence, mean image, commonest class at each place, sizes.

    Above, for each class, its share of the labelled pixels and of the pictures in which it occurs. Below, the mean of
    all images, the class that is commonest at each place (void does not vote), and the pictures' sizes, as many as there
    are of each. Pictures of different sizes are brought to the commonest one's shape for the two means.

    Raises: ValueError: a set without a picture.
    """
    if len(data) == 0:
        raise ValueError(f"{data.name} ({data.split}) is empty: there is nothing to draw")
    counts = data.class_counts()
    share = (counts.pixels[:-1] / counts.pixels[:-1].sum().clamp_min(1)).numpy()
    presence = counts.images[:-1].numpy() / len(data)
    image, commonest, sizes = _means(data)

    names = [class_name(k, data) for k in range(len(data.classes))]
    figure, axes = _page(len(names))
    for place, values in (("share of the pixels", share), ("share of the pictures", presence)):
        axes[place].barh(
            names, values, color=np.asarray(data.palette) / 255, edgecolor=style.SOFT, linewidth=0.6
        )
        axes[place].invert_yaxis()
        axes[place].set_xlabel(place)
    axes["share of the pictures"].set_yticklabels([])
    for place, pixels in (("mean image", image_pixels(image)), ("commonest class", painted(commonest, data))):
        axes[place].imshow(pixels)
        axes[place].set_axis_off()
    _draw_sizes(axes["sizes"], sizes)
    for place in ("mean image", "commonest class", "sizes"):
        axes[place].set_title(place, loc="left")
    return picture(figure, alt or _alt(data, share, presence, names, sizes))


def _page(classes):
    """The figure, and its axes by name: two rows of bars over three pictures."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    bars = 0.2 * classes + 0.6  # inches
    names = ("share of the pixels", "share of the pictures"), ("mean image", "commonest class", "sizes")
    with rc_context(style.rules()):
        figure = Figure(figsize=(style.WIDTH, bars + 1.7), layout="constrained")
        above, below = figure.subfigures(2, height_ratios=(bars, 1.7))
        axes = [*above.subplots(1, 2), *below.subplots(1, 3)]
        return figure, dict(zip(names[0] + names[1], axes))


def _means(data):
    """(mean image C×h×w, commonest class h×w, how often each (H, W) occurs)."""
    sizes = Counter(tuple(mask.shape) for _, mask in data)
    (height, width), _ = sizes.most_common(1)[0]
    shrink = min(1, LONGEST / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    total, votes = 0, torch.zeros(data.num_classes, *size, dtype=torch.int64)
    for image, mask in data:
        total = total + resize_image(image, size)
        mask = resize_mask(mask, size)
        known = mask != data.ignore_index
        votes.scatter_add_(0, mask.where(known, 0)[None], known[None].long())
    commonest = votes.argmax(0).masked_fill(votes.sum(0) == 0, data.ignore_index)
    return (total / len(data)).clamp(0, 1), commonest.numpy(), sizes


def _draw_sizes(axis, sizes):
    """The outline of each size, one upon the other, the darker the more pictures have it."""
    from matplotlib.patches import Rectangle

    most = max(sizes.values())
    for (height, width), count in sizes.items():
        strength = 0.25 + 0.75 * count / most
        axis.add_patch(
            Rectangle((0, 0), width, height, fill=False, ec=style.COLOURS["blue"], lw=1.5, alpha=strength)
        )
    height, width = (max(sides) for sides in zip(*sizes))
    axis.set(xlim=(-0.02 * width, 1.05 * width), ylim=(1.05 * height, -0.02 * height), aspect="equal")
    axis.set(xticks=[width / 2], xticklabels=[f"{width} px"], yticks=[height / 2], yticklabels=[height])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _alt(data, share, presence, names, sizes):
    """The default alt text: the ends of both rows of bars, and the sizes."""
    high, low = share.argmax(), share.argmin()
    rare = presence.argmin()
    (height, width), count = sizes.most_common(1)[0]
    sizes_are = f"all {height}×{width} pixels" if len(sizes) == 1 else f"{len(sizes)} different sizes"
    if len(sizes) > 1:
        sizes_are += f", {count} of {len(data)} of {height}×{width} pixels"
    return (
        f"{data.name} ({data.split}), {len(data)} pictures, {sizes_are}. Of the pixels, {percent(share[high])} are "
        f"{names[high]} and {percent(share[low])} {names[low]}; {names[rare]} is in "
        f"{percent(presence[rare])} of the pictures."
    )
