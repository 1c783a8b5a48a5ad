"""A figure as SVG that takes the colours of the page it stands in, by day and by night.

Photographs, masks and maps stay what they are: where they lie, the SVG has windows on the picture's own PNG, whose
address whoever shows it puts in the place of `PNG`. Lines, letters and areas are drawn, in `var(--ep-…)` with the colour
of the PNG to fall back on.
"""

import io
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


def svg(figure) -> str:
    """A figure, whose layout is done, as one SVG element, as wide as its place allows.

    A line or a letter in one of the course's inks changes with the page. So does an area without an outline of
    another colour; one that has it, such as a bar in the colour of a class or a legend's swatch, stays as it is.
    """
    stream = io.StringIO()
    with _laid_bare(figure) as windows, _settings():
        figure.savefig(stream, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(stream.getvalue())
    size = [float(number) for number in root.get("viewBox").split()[2:]]
    names = _Names()
    parts = (_windows(windows, *size, names) if windows else "") + "".join(
        _part(child, names) for child in root
    )
    return f'<svg viewBox="0 0 {_n(size[0])} {_n(size[1])}" stroke-linejoin="round">{parts}</svg>'


def _settings():
    from matplotlib import rc_context

    # Letters stay letters, and ids are the same each time.
    return rc_context({**style.rules(), "svg.fonttype": "none", "svg.hashsalt": "segnb"})


class _Names(dict):
    """matplotlib's ids → short ones."""

    def __missing__(self, old):
        self[old] = f"{OWN}{len(self)}"
        return self[old]


@contextmanager
def _laid_bare(figure) -> Iterator[list[list[float]]]:
    """Without its paper, and without what lies in axes with a picture: → those, as [x0, y0, x1, y1] in 0..1."""
    pictures = [axes for axes in figure.findobj(_is_axes) if axes.images and axes.get_visible()]
    hidden = [artist for axes in pictures for artist in _inside(axes)]
    hidden += [holder.patch for holder in (figure, *figure.findobj(_has_paper))]
    shown = [artist.get_visible() for artist in hidden]
    layout = figure.get_layout_engine()
    rim = 0.5 / style.DPI / figure.get_size_inches()  # there a picture's edge is mixed with paper
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


def _windows(windows, width, height, names):
    """The PNG, as large as the drawing and to be seen through these windows alone."""
    holes = "".join(
        f'<rect x="{_n(x0 * width)}" y="{_n((1 - y1) * height)}" '
        f'width="{_n((x1 - x0) * width)}" height="{_n((y1 - y0) * height)}"/>'
        for x0, y0, x1, y1 in windows
    )
    seen = f'href="{PNG}" width="{_n(width)}" height="{_n(height)}" clip-path="url(#{names["windows"]})"'
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
