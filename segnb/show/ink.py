"""A `Sheet` as SVG in the colours of the page, and as a matplotlib figure on white."""

from html import escape

from .plan import SIZE, Shape
from .style import TONES

NIGHT = 'html[data-theme="dark"],html[theme="dark"],body[data-jp-theme-light="false"],body.vscode-dark'


def style_sheet() -> str:
    """Where the page says that it is dark, so are the drawings; on paper they are light. Narrow columns get the upright one."""
    tones = "".join(
        f".ep-blueprint .ep-{kind}-{tone}{{{what}:{day};{what}:light-dark({day},{night})}}"
        for tone, (day, night) in TONES.items()
        for kind, what in (("fill", "fill"), ("line", "stroke"))
    )
    return (
        ".ep-blueprint{container-type:inline-size;margin:0;padding:0;color:inherit}"
        ".ep-blueprint svg{display:block;width:100%;height:auto;margin:.6rem 0;overflow:visible}"
        ".ep-blueprint .ep-narrow{max-width:420px}.ep-blueprint .ep-wide{max-width:720px}"
        ".ep-blueprint>img,.ep-blueprint figcaption,.ep-blueprint .ep-wide{display:none!important}"
        "@container (min-width:620px){.ep-blueprint .ep-narrow{display:none}"
        ".ep-blueprint .ep-wide{display:block!important}}"
        f".ep-blueprint text{{fill:currentColor;font:{SIZE}px system-ui,'Noto Sans','Liberation Sans',sans-serif}}"
        ".ep-blueprint .ep-bold{font-weight:bold}"
        ".ep-blueprint path{fill:none;stroke-linejoin:round}"
        f".ep-blueprint .ep-fill-ink{{fill:currentColor}}.ep-blueprint .ep-line-ink{{stroke:currentColor}}{tones}"
        f":is({NIGHT}) .ep-blueprint{{color-scheme:dark}}"
        "@media print{.ep-blueprint{color-scheme:light!important;break-inside:avoid}}"
    )


def svg(sheet, label, kind) -> str:
    """The drawing as one element; kind: narrow, wide or small."""
    parts = "\n".join(_shape(part) if isinstance(part, Shape) else _words(part) for part in sheet.parts)
    box = f"0 0 {_n(sheet.width)} {_n(sheet.height)}"
    return f'<svg class="ep-{kind}" viewBox="{box}" role="img" aria-label="{escape(label)}">\n{parts}\n</svg>'


def _shape(part):
    lines = "".join(
        "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in ring) + ("Z" if part.filled else "")
        for ring in part.rings
    )
    if part.filled:
        return f'<path class="ep-fill-{part.tone}" d="{lines}"/>'
    dash = ' stroke-dasharray="4 3"' if part.dashed else ""
    return f'<path class="ep-line-{part.tone}" stroke-width="{_n(part.width)}"{dash} d="{lines}"/>'


def _words(part):
    bold = ' class="ep-bold"' if part.bold else ""
    place = f'x="{_n(part.x)}" y="{_n(part.y + 0.36 * SIZE)}" text-anchor="{part.anchor}"'
    return f"<text {place}{bold}>{escape(part.text)}</text>"


def _n(number):
    return f"{number:.1f}".removesuffix(".0")


def figure(sheet):
    """The drawing as a matplotlib figure, as wide as a picture of the book, on white."""
    from matplotlib.figure import Figure

    from . import style

    made = Figure(figsize=(style.WIDTH, sheet.height * style.WIDTH / sheet.width), facecolor="white")
    lay(sheet, made, (0, 0, 1, 1))
    return made


def lay(sheet, figure, place) -> None:
    """Draw on a part of a matplotlib figure: place is left, bottom, width and height, as fractions of it."""
    from matplotlib import rc_context

    from . import style

    points = 72 * figure.get_figwidth() * place[2] / sheet.width  # to a unit
    with rc_context(style.rules()):
        axes = figure.add_axes(place)
        axes.set(xlim=(0, sheet.width), ylim=(sheet.height, 0))
        axes.axis("off")
        for part in sheet.parts:
            if isinstance(part, Shape):
                axes.add_patch(_patch(part, points))
            else:
                axes.text(
                    part.x, part.y, part.text, fontsize=SIZE * points, va="center_baseline",
                    ha={"start": "left", "middle": "center", "end": "right"}[part.anchor],
                    weight="bold" if part.bold else "normal",
                )  # fmt: skip


def _patch(part, points):
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    from . import style

    colour = TONES[part.tone][0] if part.tone in TONES else style.INK
    paths = [Path([*ring, ring[0]] if part.filled else ring, closed=part.filled) for ring in part.rings]
    path = Path.make_compound_path(*paths)
    if part.filled:
        return PathPatch(path, facecolor=colour, linewidth=0)
    dash = (0, (4 / part.width, 3 / part.width)) if part.dashed else "-"
    return PathPatch(path, fill=False, edgecolor=colour, linewidth=part.width * points, linestyle=dash)
