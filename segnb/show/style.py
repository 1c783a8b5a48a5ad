"""One look for every picture of the book: paper, ink, colours, sizes, and how a figure becomes a small PNG."""

import io

WIDTH = 5.0  # inches of a full-width picture
SHOWN = 104  # pixels per inch on the page: a full-width picture is 520 px wide there
DPI = 2 * SHOWN  # pixels per inch in the file: twice as many, as good screens have
PHONE = 324  # pixels that the site leaves for a full-width picture on a phone 360 px wide
FONT = 12.25  # points: 11 px on that phone; nothing in a picture is smaller
LIMIT = 300_000  # bytes a picture may have

# Every picture brings its own opaque paper, so that it reads the same on a white page and on a black one.
PAPER, INK, SOFT = "#fcfbf8", "#1c1c1e", "#65656b"
GRID, BARE = "#dddad3", "#f1efe9"  # thin lines behind a chart; where nothing was counted
ERROR = "#c4006c"  # wrong pixels, everywhere, and nothing else
COLOURS = {
    "blue": "#1468b3",
    "orange": "#d9760a",
    "green": "#1f9c7e",
    "purple": "#802a6a",
    "black": "#1c1c1e",
}
# Drawings that lie on the page itself: a tone's colour by day and by night, both at least 4.5 : 1 on the book's paper.
TONES = {
    "box": ("#1468b3", "#7fb8ea"),
    "copy": ("#a85200", "#f0a04b"),
    "index": ("#802a6a", "#dc9acb"),
    "rate": ("#14735b", "#4fc9a8"),
    "here": ("#a85200", "#f0a04b"),
}
# What charts are drawn with, by day and by night: on the book's dark paper 4.5 : 1 at least, but for the grid.
INKS = {
    "ink": (INK, "#e9e7e2"),
    "soft": (SOFT, "#a9a8a4"),
    "grid": (GRID, "#363940"),
    "blue": (COLOURS["blue"], "#7fb8ea"),
    "orange": (COLOURS["orange"], "#f0a04b"),
    "green": (COLOURS["green"], "#4fc9a8"),
    "purple": (COLOURS["purple"], "#dc9acb"),
    "copy": TONES["copy"],
    "rate": TONES["rate"],
}
DASHES = ["-", (0, (5, 2)), (0, (1, 1.3)), (0, (6, 2, 1, 2)), (0, (3, 1))]  # a second sign beside the colour
SHADES = [BARE, "#8fb8dc", COLOURS["blue"], "#0b3560"]  # from none to all
MAP = "magma"  # feature maps, probabilities, everything with a low and a high end


def rules() -> dict:
    """matplotlib's settings for the course, for use in `matplotlib.rc_context`."""
    from cycler import cycler

    return {
        "font.family": "DejaVu Sans",  # ships with matplotlib, so letters are the same on every machine
        "font.size": FONT,
        **{f"{part}.labelsize": FONT for part in ("axes", "xtick", "ytick")},
        "axes.titlesize": FONT,
        "legend.fontsize": FONT,
        "legend.frameon": False,
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
        **dict.fromkeys(("xtick.color", "ytick.color"), SOFT),
        **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), INK),
        "axes.prop_cycle": cycler(color=list(COLOURS.values()), linestyle=DASHES),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": False,
        "grid.color": GRID,
        "lines.linewidth": 2,
        "image.cmap": MAP,
        "image.interpolation": "nearest",
        "hatch.linewidth": 0.6,
        "axes.formatter.useoffset": False,
    }


def render(figure, dpi=DPI):
    """A figure as an H×W×3 uint8 array, drawn with the course's settings."""
    import numpy as np
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with rc_context(rules()):
        before = figure.dpi
        figure.dpi = dpi
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        figure.dpi = before
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def encode(pixels) -> bytes:
    """H×W×3 uint8 → PNG bytes: at most 256 colours where nobody sees the difference, else all of them."""
    import numpy as np
    from PIL import Image

    packed = (pixels.astype(np.uint32) * (65536, 256, 1)).sum(-1)
    colours, index = np.unique(packed, return_inverse=True)
    if len(colours) <= 256:
        few = Image.fromarray(index.reshape(packed.shape).astype(np.uint8), mode="L")
        few.putpalette((colours[:, None] // (65536, 256, 1) % 256).astype(np.uint8).tobytes())
        return _png(few)
    full = Image.fromarray(pixels)
    refine = int(len(colours) < 60_000)  # takes seconds where nearly every pixel has its own colour
    few = full.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=refine, dither=Image.Dither.NONE)
    off = np.abs(np.asarray(few.convert("RGB"), dtype=np.int16) - pixels).max(-1)
    png = _png(few if off.mean() < 1.3 and np.quantile(off, 0.999) <= 20 else full)
    for count in (128, 64, 32):  # only noise is so large, and noise hides coarser colours
        if len(png) > LIMIT:
            png = _png(full.quantize(count, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
    return png


def quick_png(pixels) -> bytes:
    """H×W×3 uint8 → PNG bytes for a picture that is seen once and not kept: large, but made at once."""
    from PIL import Image

    return _png(Image.fromarray(pixels), optimize=False, compress_level=1)


def _png(image, **options):
    stream = io.BytesIO()
    image.save(stream, format="PNG", **options or {"optimize": True})
    return stream.getvalue()
