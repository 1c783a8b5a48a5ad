"""The page of a picture: cells in a grid, captions above them, legend and colour scale below."""

import numpy as np

from . import style
from .pixels import heat


def text_width(text, size=style.FONT) -> float:
    """Inches a line of text takes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def wrapped(text, width) -> list[str]:
    """Break `text` at its spaces, so that no line is wider than `width` inches. '' is no line at all."""
    lines = [""]
    for word in (piece for long in text.split(" ") for piece in _pieces(long, width)):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines if text else []


def _pieces(word, width):
    """A word that is wider than a line, such as the name of a layer, is cut after a dot, a hyphen or an underscore if it has one."""
    if len(word) < 2 or text_width(word) <= width:
        return [word]
    fits = max([n for n in range(1, len(word)) if text_width(word[:n]) <= width], default=1)
    cut = max(word.rfind(sign, 0, fits) for sign in ".-_") + 1 or fits
    return [word[:cut], *_pieces(word[cut:], width)]


LINE = 1.3 * style.FONT / 72  # inches from one line of text to the next
GAP, EDGE = 0.09, 0.09  # inches between pictures, and of paper around them
SWATCH = 0.13  # inches, the side of a colour in the legend
TEXT = {"fontsize": style.FONT, "color": style.INK, "family": "DejaVu Sans"}


def sheet(cells, columns, captions=None, legend=(), headings=None, bar=None, numbers=None):
    """The grid behind every picture of pictures.

    `cells`: H×W×3 uint8 arrays or None, row by row. `captions`: one a cell. `headings`: one a row of the grid.
    `legend`: (colour, word) pairs. `bar`: (low, high), the ends of a shared colour scale. `numbers`: one a cell, an H×W
    array to write into it, or None.
    """
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    steep = max(cell.shape[0] / cell.shape[1] for cell in cells if cell is not None)
    width = min((style.WIDTH - 2 * EDGE - (columns - 1) * GAP) / columns, 3.4 / steep)  # of a cell
    total = max(columns * (width + GAP) - GAP, min(style.WIDTH - 2 * EDGE, _long(legend)), 2.4)
    captions = [wrapped(text, width) for text in captions or [""] * len(cells)]
    headings = [wrapped(text, total) for text in headings or [""] * len(rows)]
    keys = _flow(legend, total)

    # First every height, then the figure, then the drawing; y runs down the sheet, in inches.
    below_heading = [LINE * len(lines) for lines in headings]
    below_caption = [LINE * max(map(len, captions[i : i + columns])) for i in range(0, len(cells), columns)]
    tall = [width * max((c.shape[0] / c.shape[1] for c in row if c is not None), default=0) for row in rows]
    height = sum(below_heading) + sum(below_caption) + sum(tall) + GAP * (len(rows) - 1)
    height += (0.08 + LINE * (keys[-1][1] + 1) if keys else 0) + (0.1 + SWATCH + LINE if bar else 0)
    page = Page(total, height)
    y = 0.0
    for i, row in enumerate(rows):
        page.write(0, y, headings[i])
        y += below_heading[i]
        for j, cell in enumerate(row):
            x, k = j * (width + GAP), i * columns + j
            page.write(x, y + below_caption[i] - LINE * len(captions[k]), captions[k])
            if cell is not None:
                axes = page.image(x, y + below_caption[i], width, cell)
                if numbers and numbers[k] is not None:
                    _write_numbers(axes, cell, numbers[k], width / cell.shape[1])
        y += below_caption[i] + tall[i] + GAP
    y += 0.08 - GAP
    for (colour, word), (x, line) in zip(legend, keys):
        page.swatch(x, y + line * LINE, colour)
        page.write(x + SWATCH + 0.06, y + line * LINE, [word])
    if bar:
        y += (LINE * (keys[-1][1] + 1) if keys else 0) + 0.02
        page.image(0, y, total, np.repeat(heat(np.linspace(0, 1, 256)[None]), 6, 0), SWATCH)
        page.write(0, y + SWATCH + 0.03, [f"{bar[0]:.3g}"])
        page.write(total, y + SWATCH + 0.03, [f"{bar[1]:.3g}"], ha="right")
    return page.figure


class Page:
    """A figure measured in inches from the top left corner, inside its edge of paper."""

    def __init__(self, width, height):
        from matplotlib.figure import Figure

        self.width, self.height = width + 2 * EDGE, height + 2 * EDGE
        self.figure = Figure(figsize=(self.width, self.height), facecolor=style.PAPER)

    def at(self, x, y) -> tuple[float, float]:
        return (x + EDGE) / self.width, 1 - (y + EDGE) / self.height

    def write(self, x, y, lines, **options) -> None:
        for i, line in enumerate(lines):  # each on its own baseline: "image" and "truth" stand level
            place = self.at(x, y + i * LINE + 0.8 * style.FONT / 72)
            self.figure.text(*place, line, va="baseline", **TEXT, **options)

    def axes(self, x, y, width, height):
        left, bottom = self.at(x, y + height)
        return self.figure.add_axes([left, bottom, width / self.width, height / self.height])

    def image(self, x, y, width, cell, height=None):
        axes = self.axes(x, y, width, height or width * cell.shape[0] / cell.shape[1])
        axes.set_axis_off()
        # Enlarged pixels stay square, so that they can be counted; a picture made smaller is averaged, not thinned.
        enlarged = width * style.DPI >= cell.shape[1]
        axes.imshow(cell, aspect="auto", interpolation="nearest" if enlarged else "auto")
        return axes

    def swatch(self, x, y, colour) -> None:
        from matplotlib.patches import Rectangle

        box = self.at(x, y + 0.01 + SWATCH), SWATCH / self.width, SWATCH / self.height
        self.figure.add_artist(Rectangle(*box, facecolor=colour, edgecolor=style.SOFT, linewidth=0.6))


def _write_numbers(axes, cell, numbers, width):
    """Each number into its pixel (of `width` inches), dark on light and light on dark."""
    words = [_short(number) for number in numbers.flat]
    if max(map(text_width, words)) > width:
        shape = "×".join(map(str, numbers.shape))
        raise ValueError(
            f"the numbers of a {shape} map do not fit into its pixels: draw a smaller part of it"
        )
    for (row, column), word in zip(np.ndindex(numbers.shape), words):
        light = cell[row, column] @ (0.299, 0.587, 0.114) > 140
        ink = style.INK if light else "white"
        axes.text(column, row, word, ha="center", va="center", **TEXT | {"color": ink})


def _short(number):
    """A number as short as a pixel needs it: 3, 1.5, .25"""
    text = f"{number:.0f}" if float(number).is_integer() else f"{number:.2f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _long(legend):
    """Inches of the legend on one line."""
    return sum(SWATCH + 0.06 + text_width(word) + 0.2 for _, word in legend)


def _flow(legend, width):
    """Place legend entries like words on lines: [(x in inches, line)]."""
    places, x, line = [], 0.0, 0
    for entry in legend:
        long = _long([entry])
        if x and x + long - 0.2 > width:
            x, line = 0.0, line + 1
        places.append((x, line))
        x += long
    return places
