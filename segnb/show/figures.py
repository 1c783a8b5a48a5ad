"""Pictures of images, masks, errors, feature maps and runs, all in one grammar (see `style`).

Every function takes ``alt=``: one sentence that says what there is to see, for readers who do not see it. Left out,
it is made from the content, and for the output's plain text once more without what was measured, so that this text is
the same on every machine. Every function returns a `Picture`.
"""

import re
from collections.abc import Mapping
from functools import cached_property, partial
from itertools import cycle

import numpy as np

from . import style, vector
from .pixels import (
    array,
    class_map,
    class_name,
    draw,
    heat,
    image_pixels,
    legend_of,
    painted,
    percent,
    rgb,
    shape_of,
    shares,
)
from .sheet import EDGE, LINE, Page, sheet, text_width


class Picture:
    """A finished figure. As the last line of a cell it shows once, with its alt text in the output's metadata.

    `figure` is the matplotlib figure (already closed, so that no notebook draws it a second time), `alt` the
    alternative text, `said` the sentence for who gets plain text (`alt`, unless that holds measured numbers),
    `png` the file's bytes (twice the size it is shown at, at most 300 KB), `pixels` the same as an H×W×3 uint8 array,
    `svg` the same for a page that has colours of its own (see `vector`). With SEGNB_SVG=1 a notebook keeps that, too.
    """

    def __init__(self, figure, alt, said=None):
        if not alt or not alt.strip():
            raise ValueError("a picture needs an alt text: one sentence that says what there is to see")
        self.figure, self.alt, self.said = figure, alt, _sentence(said or alt)

    @cached_property
    def png(self) -> bytes:
        dpi = style.DPI
        while len(data := style.encode(style.render(self.figure, dpi))) > style.LIMIT:
            dpi = int(0.95 * dpi * (style.LIMIT / len(data)) ** 0.5)  # bytes grow with the number of pixels
        return data

    @property
    def pixels(self) -> np.ndarray:
        import io

        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(self.png)).convert("RGB"))

    @property
    def svg(self) -> str:
        _ = self.png  # whose drawing has laid the figure out
        return vector.svg(self.figure)

    def _repr_mimebundle_(self, include=None, exclude=None):
        from base64 import b64encode

        width = round(self.figure.get_figwidth() * style.SHOWN)
        data = {"image/png": b64encode(self.png).decode(), "text/plain": self.said}
        about = {"image/png": {"alt": self.alt, "width": width}}
        # Not beside the PNG: whoever shows a notebook would take it, and most let the page's colours not in.
        return data, about | ({"segnb": {"svg": self.svg}} if vector.wanted() else {})

    def __repr__(self):
        return f"Picture(alt={self.alt!r})"


def _sentence(words):
    words = " ".join(words.split())
    return words if words.endswith((".", "?", "!")) else f"{words}."


def _described(figure, given, measured, steady):
    """A `Picture` with the words of the caller, else with ours: the measured ones, and as plain text the steady ones."""
    return Picture(figure, given or measured, given or steady)


def picture(figure, alt) -> Picture:
    """Wrap any matplotlib figure: paper, smallest letters, no second drawing, `alt` for its readers. → `Picture`."""
    import sys

    from matplotlib.legend import Legend
    from matplotlib.text import Text

    if figure.get_figwidth() > style.WIDTH:
        figure.set_size_inches(style.WIDTH, figure.get_figheight() * style.WIDTH / figure.get_figwidth())
    figure.set_facecolor(style.PAPER)
    for text in figure.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), style.FONT))
    for legend in figure.findobj(Legend):
        legend.set_frame_on(False)
    if "matplotlib.pyplot" in sys.modules:  # a figure can be drawn twice only if pyplot knows of it
        sys.modules["matplotlib.pyplot"].close(figure)
    return Picture(figure, alt)


def canvas(rows=1, columns=1, *, width=style.WIDTH, height=None, **options) -> tuple:
    """A figure in the course's style, and its axes: ``figure, axes = canvas()`` → draw → ``picture(figure, alt)``.

    `width` and `height` are inches for the whole figure (5.0 fills a column; height 2.6 a row by default). `axes`
    is one matplotlib axes, or an array of them when there are several. `options` go to matplotlib's ``subplots``
    (``sharex``, ``sharey``, ``width_ratios``). Nothing global changes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(style.rules()):
        figure = Figure(figsize=(width, height or 2.6 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, **options)
    return figure, axes


def compare(
    pictures, data=None, *, columns=None, captions=None, vmin=None, vmax=None, numbers=False, alt=None
) -> Picture:
    """Several pictures side by side: the workhorse of the chapters.

    Each one is drawn by its shape and type: C×H×W floats in 0..1 (or uint8), C = 1 or 3: an image · H×W integers:
    a mask in the colours of `data`, which then gets a legend · H×W floats: a map from dark (low) to bright
    (high), NaN left blank · H×W booleans: True in the colour of errors.

    Args:
        pictures: a list, or a dict caption → picture.
        columns: 1 to 4; more cannot be seen on a phone.
        vmin, vmax: the ends of one scale for all maps, drawn below; else each is stretched to its own ends.
        numbers: write the values into the pixels of tiny maps and masks.
    Raises: ValueError: no picture, other shapes, values outside 0..1 or the classes, one end of a scale without
        the other, other numbers of columns or captions.
    """
    if isinstance(pictures, Mapping):
        captions, pictures = list(pictures), list(pictures.values())
    pictures = [array(x, f"picture {i}") for i, x in enumerate(pictures)]
    if not pictures:
        raise ValueError("compare needs at least one picture")
    if captions is not None and len(captions) != len(pictures):
        raise ValueError(f"{len(captions)} captions for {len(pictures)} pictures: give one each, or ''")
    if (vmin is None) != (vmax is None):
        raise ValueError("give vmin and vmax together: they are the two ends of one scale")
    columns = columns or _columns(len(pictures))
    if not 1 <= columns <= 4:
        raise ValueError(f"columns={columns}; expected 1 to 4, so that the pictures can be seen on a phone")
    cells = [draw(x, data, vmin, vmax, f"picture {i}") for i, x in enumerate(pictures)]
    masks = [x for x in pictures if x.ndim == 2 and x.dtype.kind in "iu"]
    maps = any(x.ndim == 2 and x.dtype.kind == "f" for x in pictures)
    legend = legend_of(masks, data) if masks else ()
    bar = (vmin, vmax) if maps and vmin is not None else None
    written = [x if x.ndim == 2 and x.dtype.kind != "b" else None for x in pictures] if numbers else None
    figure = sheet(cells, min(columns, len(cells)), captions, legend, bar=bar, numbers=written)
    steady = _list(pictures, captions and [_unmeasured(text) for text in captions], _kind)
    return _described(figure, alt, _list(pictures, captions, partial(_content, data=data)), steady)


def _columns(count):
    return count if count <= 4 else 3 if count in (5, 6, 9) else 4


def _list(pictures, captions, say):
    """The default alt text of `compare`: one clause a picture, in the words of `say`."""
    captions = captions or [""] * len(pictures)
    clauses = [f"{caption}: {say(x)}" if caption else say(x) for x, caption in zip(pictures, captions)]
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def _content(x, data):
    """What one picture of `compare` holds, with its numbers."""
    if x.ndim == 3:
        return _kind(x)
    if x.dtype.kind == "f":
        return f"a map from {np.nanmin(x):.2g} to {np.nanmax(x):.2g}"
    if x.dtype.kind == "b":
        return f"{percent(x.mean())} of the pixels marked"
    return f"a mask with {shares(x, data)}"


def _kind(x):
    """What one picture of `compare` is, whatever was measured."""
    if x.ndim == 3:
        return f"{'a grey' if len(x) == 1 else 'a colour'} image of {x.shape[1]}×{x.shape[2]} pixels"
    return {"f": "a map from dark (low) to bright (high)", "b": "the pixels marked"}.get(
        x.dtype.kind, "a mask"
    )


def _unmeasured(caption):
    """A caption without the parts between its commas that hold a decimal fraction or a percentage."""
    return ",".join(part for part in caption.split(",") if not re.search(r"\d[.e]-?\d|\d\s?%", part)).strip()


def pair(image, mask, data, *, alt=None) -> Picture:
    """An image (C×H×W) beside its mask (H×W) in the colours of `data`, with a legend. → `Picture`

    The two may differ in size, as the output of an unpadded network does.
    """
    mask = class_map(mask, data)
    figure = sheet([image_pixels(image), painted(mask, data)], 2, legend=legend_of([mask], data))
    return _described(figure, alt, f"An image and its mask: {shares(mask, data)}.", "An image and its mask.")


def _same_size(image, *masks):
    for mask in masks:
        if mask.shape != image.shape[:2]:
            sizes = f"the image is {shape_of(image[..., 0])} but the mask is {shape_of(mask)}"
            raise ValueError(f"{sizes}: crop the larger one")


def overlay(image, mask, data, opacity=0.5, *, classes=None, alt=None) -> Picture:
    """An image (C×H×W) with its mask (H×W) laid over it like coloured glass. Void is left clear.

    Args:
        opacity: 0 shows the image alone, 1 the mask alone.
        classes: names or numbers of those that are laid over it; None: all. The legend is that of the whole mask.
    Raises: ValueError: an unknown class, an opacity outside 0..1, shapes that do not fit.
    """
    grey, mask = image_pixels(image), class_map(mask, data)
    _same_size(grey, mask)
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity={opacity}; expected 0 (only the image) to 1 (only the mask)")
    laid = (
        mask if classes is None else np.where(np.isin(mask, _numbers(classes, data)), mask, data.ignore_index)
    )
    weight = np.where(laid == data.ignore_index, 0, opacity)[..., None]
    mixed = (grey * (1 - weight) + painted(mask, data) * weight).round().astype(np.uint8)
    figure = sheet([mixed], 1, legend=legend_of([mask], data))
    if classes is None:
        steady = "An image with its mask laid over it."
        return _described(figure, alt, f"{steady[:-1]}: {shares(mask, data)}.", steady)
    seen = [class_name(k, data) for k in np.unique(laid) if k != data.ignore_index]
    steady = "An image with some classes of its mask laid over it."
    return _described(figure, alt, f"An image with {', '.join(seen) or 'nothing'} laid over it.", steady)


def _numbers(classes, data):
    """Names or numbers of classes as numbers."""
    known = {name: number for number, name in enumerate(data.classes)}
    numbers = [known.get(one, one) for one in classes]
    unknown = [one for one in numbers if one not in known.values()]
    if unknown:
        raise ValueError(f"there is no class {unknown[0]!r}; there are {', '.join(data.classes)}")
    return numbers


def errors(image, prediction, mask, data, *, alt=None) -> Picture:
    """Where a prediction is wrong: those pixels in the colour of errors, over the dimmed image. → `Picture`

    `image` C×H×W, `prediction` and `mask` H×W classes of the same size. Void pixels of the mask count as neither
    right nor wrong and are left blank.
    """
    mask, prediction = class_map(mask, data), class_map(prediction, data, "prediction")
    cell = image_pixels(image)
    _same_size(cell, mask, prediction)
    void = mask == data.ignore_index
    wrong = (prediction != mask) & ~void
    dim = 170 + cell.mean(-1, keepdims=True) * (80 / 255)  # pale, so that the errors are the only ink
    cell = np.where(wrong[..., None], rgb(style.ERROR), dim.round().astype(np.uint8))
    cell = np.where(void[..., None], rgb(style.PAPER), cell)
    share = wrong.sum() / max(1, (~void).sum())
    legend = [(style.ERROR, f"wrong: {100 * share:.1f} % of the pixels")]
    if void.any():
        legend.append((style.PAPER, "void, not counted"))
    measured = _wrong(prediction[wrong], mask[wrong], share, data)
    return _described(sheet([cell], 1, legend=legend), alt, measured, "Wrong pixels over the dimmed image.")


def _wrong(prediction, mask, share, data):
    """The default alt text of `errors`: how many, and the most frequent confusion."""
    text = f"Wrong pixels over the dimmed image: {100 * share:.1f} %"
    if not len(mask):
        return text + "."
    pairs, counts = np.unique(np.stack([mask, prediction]), axis=1, return_counts=True)
    true, taken = (class_name(k, data) for k in pairs[:, counts.argmax()])
    return f"{text}, most often {true} taken for {taken} ({percent(counts.max() / len(mask))} of them)."


def confusion(matrix, data, *, alt=None) -> Picture:
    """A confusion matrix as a table of percentages: each true class (a row) adds up to 100.

    A class without a pixel has no percentages: its row says "absent". Numbers under 0.5 are left out; with more
    than 12 classes all of them are, and the colours alone remain.

    Args: matrix: a `segnb.metrics.ConfusionMatrix` or K×K counts, rows are the truth, columns the prediction.
    Raises: ValueError: counts that are not K×K for the K classes of `data`.
    """
    from matplotlib import rc_context
    from matplotlib.colors import LinearSegmentedColormap

    counts = array(getattr(matrix, "matrix", matrix), "matrix").astype(np.float64)
    size = len(data.classes)
    if counts.shape != (size, size):
        raise ValueError(
            f"matrix is {shape_of(counts)}; expected {size}×{size}, a row for each of the classes"
        )
    total = counts.sum(1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    names = [class_name(k, data) for k in range(size)]
    label = max(text_width(name) for name in [*names, "true ↓"]) + 0.1
    room = (style.WIDTH - 2 * EDGE - label) / size  # inches a column may take
    upright = room < label  # the names of the columns do not fit side by side
    wide, tall = (min(room, 0.6) if upright else label), min(room, 0.6)
    above = (label if upright else LINE) + LINE
    page = Page(label + wide * size, above + tall * size)
    page.write(label - 0.1, above - LINE, ["true ↓"], ha="right")
    page.write(label, 0, ["called →"])
    with rc_context(style.rules()):
        axes = page.axes(label, above, wide * size, tall * size)
        blues = LinearSegmentedColormap.from_list("confusion", style.SHADES)
        axes.imshow(share, cmap=blues, vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(size), names, rotation=90 if upright else 0)
        axes.set_yticks(range(size), names)
        axes.xaxis.tick_top()
        axes.tick_params(length=0, pad=4)
        axes.spines[:].set_visible(False)
        for row, column in zip(*np.nonzero(share >= 0.005)):
            if size <= 12:
                ink = "white" if share[row, column] > 0.45 else style.INK
                axes.text(column, row, f"{100 * share[row, column]:.0f}", ha="center", va="center", color=ink)
        for row in np.flatnonzero(total == 0):
            axes.text((size - 1) / 2, row, "absent", ha="center", va="center", color=style.SOFT)
    steady = f"Confusion matrix, percent of each true class: {', '.join(names)}."
    return _described(page.figure, alt, _confused(share, total, names), steady)


def _confused(share, total, names):
    """The default alt text of `confusion`: best and worst class, and where the worst one goes."""
    present = np.flatnonzero(total)
    if not len(present):
        return "An empty confusion matrix: no pixel has been counted."
    hit = share.diagonal()[present]
    best, worst = present[hit.argmax()], present[hit.argmin()]
    text = f"Confusion matrix, percent of each true class. Best: {names[best]}, {percent(hit.max())} found"
    if best != worst:
        wrong = np.where(np.arange(len(names)) == worst, 0, share[worst])
        text += f"; worst: {names[worst]}, {percent(hit.min())} found"
        if wrong.max() > 0:
            text += f", {percent(wrong.max())} called {names[wrong.argmax()]}"
    absent = [names[k] for k in np.flatnonzero(total == 0)]
    return text + (f"; absent: {', '.join(absent)}." if absent else ".")


def strongest(maps, channels) -> list[int]:
    """The numbers of the `channels` channels of C×h×w that vary most over the picture (standard deviation)."""
    spread = array(maps, "maps").std((1, 2))
    return np.argsort(-spread, kind="stable")[:channels].tolist()


def feature_maps(maps, channels=4, *, alt=None) -> Picture:
    """What a network sees, stage by stage: one row a stage, its strongest channels, dark is low.

    Shown are those that vary most over the picture (largest standard deviation), the strongest first, each
    stretched between its own 1st and 99th percentile, so compare shapes, not brightness. Above each row: the
    layer, and its C × h × w.

    Args:
        maps: what `segnb.features` returns (layer → N×C×h×w), or one such tensor; the first picture is drawn.
        channels: how many of each stage; more than 4 go on in further rows.
    Raises: ValueError: maps that are not N×C×h×w.
    """
    stages = dict(maps) if isinstance(maps, Mapping) else {"": maps}
    columns, cells, headings, clauses, sizes = min(channels, 4), [], [], [], []
    for name, stage in stages.items():
        stage = array(stage, f"maps of {name}" if name else "maps")
        if stage.ndim != 4:
            raise ValueError(f"feature maps {name} are {shape_of(stage)}; expected N×C×h×w")
        chosen = strongest(stage[0], channels)
        size = " × ".join(map(str, stage.shape[1:]))
        headings += [f"{name}: {size}".removeprefix(": ")] + [""] * (-(-channels // columns) - 1)
        row = [_stretched(stage[0, c]) for c in chosen]
        cells += row + [None] * (len(headings) * columns - len(cells) - len(row))
        sizes.append(f"{name or 'one layer'}, {size}")
        clauses.append(f"{sizes[-1]}, channels {', '.join(map(str, chosen))}")
    measured, steady = (
        f"Feature maps, one row a stage, the channels that vary most: {'; '.join(words)}."
        for words in (clauses, sizes)
    )
    return _described(sheet(cells, columns, headings=headings), alt, measured, steady)


def _stretched(channel):
    low, high = np.percentile(channel, [1, 99])
    return heat(channel, low, high) if high > low else heat(channel)


def history(runs, *, lr=False, smooth=None, alt=None) -> Picture:
    """How a training went: the loss of every step (pale) and its running mean; below it, what there is of the mean IoU
    on the validation set and, with ``lr=True``, the learning rate.

    Args:
        runs: a `segnb.History`, or a dict name → `History` to compare several.
        smooth: how many steps the running mean covers; None: a twentieth of the run.
    Raises: ValueError: a run without a step.
    """
    runs = dict(runs) if isinstance(runs, Mapping) else {"": runs}
    if not runs or not all(len(run.loss) for run in runs.values()):
        raise ValueError("there is no loss to draw yet: train at least one step")
    rows = ["loss"] + ["mean IoU"] * any(run.val for run in runs.values()) + ["learning rate"] * lr
    ratios = [2.2] + [1] * (len(rows) - 1)
    figure, axes = canvas(
        len(rows), height=1.3 * sum(ratios), sharex=True, height_ratios=ratios, squeeze=False
    )
    axes = dict(zip(rows, axes[:, 0]))
    clauses = []
    for (name, run), colour, dash in zip(runs.items(), cycle(style.COLOURS.values()), cycle(style.DASHES)):
        loss = np.asarray(run.loss, dtype=np.float64)
        mean = _running_mean(loss, smooth or max(1, len(loss) // 20))
        line = {"color": colour, "linestyle": dash}
        axes["loss"].plot(run.step, loss, color=colour, alpha=0.25, linewidth=0.8, linestyle="-")
        axes["loss"].plot(run.step, mean, **line, label=name)
        clauses.append(f"{name}: from {mean[0]:.2g} to {mean[-1]:.2g}".removeprefix(": "))
        if run.val:
            axes["mean IoU"].plot(*zip(*run.val), **line, marker="o", markersize=4)
            clauses[-1] += f", validation mean IoU {run.val[-1][1]:.2f} at the end"
        if lr:
            axes["learning rate"].plot(run.step, run.lr, **line)
            clauses[-1] += f", learning rate at most {max(run.lr):.2g} and {run.lr[-1]:.2g} at the end"
    for row in rows:
        axes[row].set_ylabel(row)
        axes[row].set_ylim(0, 1 if row == "mean IoU" else None)
        axes[row].grid(axis="y")
    axes[rows[-1]].set_xlabel("step")
    figure.align_ylabels()
    if any(runs):
        figure.legend(
            loc="outside upper left", ncols=2, handlelength=1.8, columnspacing=1.2, fontsize=style.FONT
        )
    steps = max(run.step[-1] for run in runs.values())
    drawn = picture(figure, alt or f"Running mean of the loss over {steps} steps, {'; '.join(clauses)}.")
    if not alt:
        names = f", for {', '.join(runs)}" if any(runs) else ""
        below = f"; below it the {' and the '.join(rows[1:])}" if rows[1:] else ""
        drawn.said = f"The loss of {steps} steps and its running mean{names}{below}."
    return drawn


def _running_mean(values, window):
    """Mean of the last `window` values (of as many as there are, at the start)."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(0, end - window)
    return (total[end] - total[start]) / (end - start)
