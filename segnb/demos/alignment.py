"""The alignment ruler: where the centres of every map's pixels lie over the image, and which of them meet."""

from ..show.live import Live
from .page import page

START = {
    "fcn": {"padding": 100, "poolings": 5, "kernel": 7},
    "unet": {"padding": 0, "poolings": 4, "kernel": 3},
    "tiles": {"poolings": 4, "crop": 388},
    "stamps": {"kernel": 3, "stride": 2, "at": 7},
}
LABELS = {
    "fcn": "The alignment ruler, FCN",
    "unet": "The alignment ruler, U-Net",
    "tiles": "The alignment ruler, two tiles of a U-Net",
    "stamps": "Why stamps overlap unevenly",
}


def alignment(view="fcn", *, name=None) -> Live:
    """Lay the maps of a network under a row of image pixels, and slide a crop until the lines between them stand upright.

    `view`: "fcn" (Long et al. 2015: padding, poolings, last kernel; the crops 19, 5, 27, 9 and 31), "unet" (Ronneberger
    et al. 2015: the crops 4, 16, 40, 88, and 92 of the mask), "tiles" (why tiles of 572 pixels step by 384 and not by
    388) or "stamps" (why a transposed convolution stamps some pixels more often). Sliders start at the papers' values,
    and the crops at 0.
    """
    if view not in START:
        raise ValueError(f'view is "fcn", "unet", "tiles" or "stamps", not {view!r}')
    draw = {"fcn": _fcn, "unet": _unet, "tiles": _tiles, "stamps": _stamps}[view]
    rows, alt = draw()
    called = view if name is None and view != "fcn" else name
    return page("alignment", LABELS[view], _ruler(rows, alt), name=called, view=view, start=START[view])


def _ruler(rows, alt):
    """{row's name: centres of its pixels} as dots over one axis."""
    from .. import show
    from ..show import style

    figure, axes = show.canvas(height=0.5 + 0.27 * len(rows))
    for row, centres in enumerate(rows.values()):
        axes.plot(centres, [row] * len(centres), "o", color=style.COLOURS["blue"], ms=3)
    axes.set(yticks=range(len(rows)), ylim=(len(rows) - 0.5, -0.5), xlabel="pixels of the image")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.tick_params("y", length=0)
    return show.picture(figure, alt)


def _centres(first, step, low, high):
    """The centres of a map's pixels from its first one on, as far as they lie between `low` and `high`."""
    return [place for i in range(400) if low <= (place := first + i * step) <= high]


def _fcn():
    place, step, rows = 1 - 100, 1, {"image": (0, 1)}
    for stage in range(1, 6):
        place, step = place + step / 2, 2 * step
        rows[f"pool{stage}"] = (place, step)
    score = place + 3 * step
    rows |= {"score": (score, 32), "enlarged 32×": (score - 31.5, 1)}
    alt = (
        f"A ruler of FCN's maps under the image. The first score lies at pixel {score:g}, and its enlargement begins at "
        f"{score - 31.5:g}: so much has to be cut off."
    ).replace("-", "−")
    return {name: _centres(*row, -100, 90) for name, row in rows.items()}, alt


def _unet():
    place, step, rows, kept = 0, 1, {"image": (0, 1)}, []
    for level in range(4):
        place += 2 * step
        kept.append((place, step))
        rows[f"encoder.{level}"] = kept[-1]
        place, step = place + step / 2, 2 * step
    place += 2 * step
    rows["bottom"], crops = (place, step), []
    for level, (skip, fine) in enumerate(reversed(kept)):
        place -= step / 4
        step = fine
        rows[f"upconv.{level}"] = (place, step)
        crops.append(f"{(place - skip) / step:.0f}")
        place += 2 * step
    alt = (
        f"A ruler of U-Net's maps under the image. From the bottom to the top, the maps of the way up begin "
        f"{', '.join(crops)} pixels after those of the way down: so much is cut off a side."
    )
    return {name: _centres(*row, 0, 130) for name, row in rows.items()}, alt


def _tiles():
    rows = {
        "1st, bottom": _centres(69.5, 16, 430, 540),
        "2nd, 384 on": _centres(69.5 + 384, 16, 430, 540),
        "2nd, 388 on": _centres(69.5 + 388, 16, 430, 540),
    }
    alt = (
        "The bottom map's pixels of two tiles of a U-Net, 16 pixels of the picture apart. Where the second tile begins 384 "
        "pixels after the first they lie in the same places, where it begins 388 pixels after, 4 pixels beside."
    )
    return rows, alt


def _stamps():
    rows = {"small map": _centres(1, 2, 0, 13), "output": _centres(0, 1, 0, 14)}
    alt = (
        "Seven pixels of a small map, each at the centre of its stamp, over the output's pixels. The stamps are 3 wide and 2 "
        "apart, so output pixels get 1 and 2 of them in turn."
    )
    return rows, alt
