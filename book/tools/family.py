"""The four networks side by side for the front page: `make family` writes book/family.html, and a test holds it to the code."""

import sys

import torch

import segnb
from book.tools.notebooks import ROOT
from segnb.show import ink

PAGE = ROOT / "book" / "family.html"
# Chapter → the paper's network, the side of the image it is drawn for, and what crosses over in it.
FAMILY = {
    "05_fcn": (segnb.models.FCN, "FCN", 500, "adds the scores of finer maps"),
    "06_unet": (segnb.models.UNet, "U-Net", 572, "hands over whole maps"),
    "07_segnet": (segnb.models.SegNet, "SegNet", 360, "hands over places of maxima"),
    "08_deeplabv3": (segnb.models.DeepLabV3, "DeepLabv3", 512, "looks at several rates"),
}
CAPTION = (
    "Each drawing goes down on the left and up on the right. A taller box is a larger map, a wider one has more channels. "
    "What crosses over in the middle tells the four apart."
)


def html() -> str:
    """The figure, in the colours of the page."""
    cells = []
    for chapter, (network, name, size, words) in FAMILY.items():
        with torch.device("meta"):  # shapes only
            drawing = segnb.show.blueprint(network(), size).small(f"{name} in small: {words}")
        text = f"<b>{name}</b> <span>{words}</span>"
        cells.append(f'<a href="../chapters/{chapter}.html">\n{drawing}\n{text}</a>')
    return (
        f'<figure class="ep-blueprint ep-family"><style>{ink.style_sheet()}</style>\n<div>\n'
        + "\n".join(cells)
        + f"\n</div>\n<figcaption>{CAPTION}</figcaption></figure>\n"
    )


def main() -> int:
    PAGE.write_text(html(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
