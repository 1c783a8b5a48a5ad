"""A figure as SVG that takes the colours of the page it stands in, by day and by night.

Photographs, masks and maps stay what they are: where they lie, the SVG has windows on the picture's own PNG, whose
address whoever shows it puts in the place of `PNG`. Lines, letters and areas are drawn, in `var(--ep-…)` with the colour
of the PNG to fall back on.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from xml.etree import ElementTree

import numpy as np

from . import style

PNG = "picture.png"
OWN = "drawn-"  # every id begins with it, so that whoever puts two of them on a page can tell them apart
SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
DRAWN = ("g", "path", "use", "text", "tspan", "defs", "clipPath", "rect", "linearGradient", "stop")
TEXT = ("text", "tspan")
LETTERS = (
    "fill",
    "font-size",
    "font-style",
    "font-weight",
    "text-anchor",
    "opacity",
)  # the font is the page's own
INK = {day: f"var(--ep-{name},{day})" for name, (day, _) in style.INKS.items()}


def wanted() -> bool:
    """Whether a notebook is to keep the drawings of its pictures, for a page with colours of its own."""
    return os.environ.get("SEGNB_SVG") == "1"


def svg(figure, below=None) -> str:
    """A figure, whose layout is done, as one SVG element, as wide as its place allows.

    A line or a letter in one of the course's inks changes with the page. So does an area without an outline of
    another colour; one that has it, such as a bar in the colour of a class or a legend's swatch, stays as it is.

    `below`: another figure, of the same width, whose picture is the lower part of this one: it is drawn as well.
    """
    names = _Names()
    width, height, windows, parts = _drawn(figure, names)
    if below:
        # Laid into the other, its pixels are mixed with their neighbours once more.
        names = _Names(len(names))
        _, lower, windows, inner = _drawn(below, names, rim=1.5)
        top = height - lower
        inner = _windows(windows, width, lower, names, top) + inner
        parts += f'<g transform="translate(0 {_n(top)})">{inner}</g>'
    else:
        parts = _windows(windows, width, height, names) + parts
    return f'<svg viewBox="0 0 {_n(width)} {_n(height)}" stroke-linejoin="round">{parts}</svg>'


def _drawn(figure, names, rim=0.5):
    """(width, height, windows, lines and letters and areas) of a figure. rim: pixels that a window leaves out around."""
    stream = io.StringIO()
    with _laid_bare(figure, rim) as windows, _settings():
        figure.savefig(stream, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(stream.getvalue())
    width, height = (float(number) for number in root.get("viewBox").split()[2:])
    return width, height, windows, "".join(_part(child, names) for child in root)


def _settings():
    from matplotlib import rc_context

    # Letters stay letters, and ids are the same each time.
    return rc_context({**style.rules(), "svg.fonttype": "none", "svg.hashsalt": "segnb"})


class _Names(dict):
    """matplotlib's ids → short ones, numbered from `first`."""

    def __init__(self, first=0):
        super().__init__()
        self.first = first

    def __missing__(self, old):
        self[old] = f"{OWN}{self.first + len(self)}"
        return self[old]


@contextmanager
def _laid_bare(figure, rim) -> Iterator[list[list[float]]]:
    """Without its paper, and without what lies in axes with a picture: → those, as [x0, y0, x1, y1] in 0..1."""
    pictures = [axes for axes in figure.findobj(_is_axes) if axes.images and axes.get_visible()]
    hidden = [artist for axes in pictures for artist in _inside(axes)]
    hidden += [holder.patch for holder in (figure, *figure.findobj(_has_paper))]
    shown = [artist.get_visible() for artist in hidden]
    layout = figure.get_layout_engine()
    rim = rim / style.DPI / figure.get_size_inches()  # there a picture's edge is mixed with paper
    try:
        for artist in hidden:
            artist.set_visible(False)
        figure.set_layout_engine("none")
        yield [(_place(axes, figure) + np.concatenate([rim, -rim])).tolist() for axes in pictures]
    finally:
        for artist, before in zip(hidden, shown, strict=True):
            artist.set_visible(before)
        figure.set_layout_engine(layout)


def _is_axes(artist):
    from matplotlib.axes import Axes

    return isinstance(artist, Axes)


def _has_paper(artist):
    from matplotlib.colors import to_hex

    return hasattr(artist, "patch") and to_hex(artist.patch.get_facecolor()) == style.PAPER


def _place(axes, figure):
    """[x0, y0, x1, y1] in 0..1 of the whole figure, also for axes in a part of it."""
    return axes.bbox.transformed(figure.transFigure.inverted()).extents


def _inside(axes):
    """The pictures of these axes and all that is drawn upon them; not the ticks, labels and titles around."""
    return [*axes.images, *axes.lines, *axes.patches, *axes.collections, *axes.texts]


def _windows(windows, width, height, names, top=0):
    """The PNG, to be seen through these windows alone; as large as the drawing, which begins so far from its top."""
    if not windows:
        return ""
    holes = "".join(
        f'<rect x="{_n(x0 * width)}" y="{_n((1 - y1) * height)}" '
        f'width="{_n((x1 - x0) * width)}" height="{_n((y1 - y0) * height)}"/>'
        for x0, y0, x1, y1 in windows
    )
    above = f'y="{_n(-top)}" ' if top else ""
    place = f'{above}width="{_n(width)}" height="{_n(height + top)}"'
    seen = f'href="{PNG}" {place} clip-path="url(#{names["windows"]})"'
    return f'<clipPath id="{names["windows"]}">{holes}</clipPath><image {seen}/>'


def _part(element, names):
    """An element and what it holds, as text; "" for what is not drawn."""
    tag = element.tag.removeprefix(SVG) if isinstance(element.tag, str) else ""
    if tag not in DRAWN:
        return ""
    inner = "".join(_part(child, names) for child in element)
    if tag in TEXT:
        inner = escape(element.text or "") + inner
    attributes = _attributes(element, tag, names)
    if tag == "g" and not (inner and attributes):
        return inner
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"


def _attributes(element, tag, names):
    kept = {}
    for name, value in element.items():
        if name == "id" and tag not in ("g", "defs"):
            kept["id"] = names[value]
        elif name == LINK:
            kept["href"] = "#" + names[value.removeprefix("#")]
        elif name == "clip-path":
            kept[name] = f"url(#{names[value.removeprefix('url(#').removesuffix(')')]})"
        elif name == "style":
            kept[name] = _style(value, tag)
        elif name in ("d", "x", "y", "width", "height"):
            value = " ".join(value.split())
            kept[name] = re.sub(r"-?\d+\.\d+", lambda number: _n(float(number[0])), value)
        elif name == "transform" and not value.startswith("rotate(-0 "):
            kept[name] = value
    return "".join(f' {name}="{escape(value)}"' for name, value in kept.items())


def _style(text, tag):
    """A style with the course's inks as the page's."""
    rules = dict(re.split(r":\s*", rule, maxsplit=1) for rule in text.split("; "))
    if tag in TEXT:
        rules = {name: value for name, value in rules.items() if name in LETTERS}
    fill, stroke = rules.get("fill"), rules.get("stroke")
    if stroke in INK:
        rules["stroke"] = INK[stroke]
    if fill in INK and stroke in (None, "none", fill):
        rules["fill"] = INK[fill]
    return ";".join(f"{name}:{value}" for name, value in rules.items())


def _n(number):
    return f"{number:.2f}".rstrip("0").rstrip(".")
