"""coins: a photograph that comes with the package, for whoever wants a real picture without fetching a set.

Twenty-four Greek coins, which the Brooklyn Museum photographed; it knows of no copyright restrictions. The file is that
of scikit-image 0.25. Nobody had labelled it: the mask is ours, a watershed of the picture's edges, looked at by eye.
"""

from functools import partial
from pathlib import Path

from ..files import read_image, read_mask
from ..items import SegmentationData, from_files

CLASSES = ("ground", "coin")
PALETTE = ((67, 64, 88), (223, 181, 118))
PICTURE, MASK = Path(__file__).with_name("coins.png"), Path(__file__).with_name("coins_mask.png")
MIDDLE = 192  # column


def coins(split="train") -> SegmentationData:
    """One half of a photograph of 24 coins: a single item, image 1×303×192 and mask 303×192.

    Args: split: "train" is the left half, "test" the right one.
    Raises: ValueError: another split.
    """
    if split not in ("train", "test"):
        raise ValueError(f'coins has the splits "train" and "test", not {split!r}')
    half = slice(None, MIDDLE) if split == "train" else slice(MIDDLE, None)
    files = [(PICTURE, MASK)]
    return from_files("coins", split, files, partial(_read, half), classes=CLASSES, palette=PALETTE)


def _read(columns, image, mask):
    return read_image(image, channels=1)[:, columns], read_mask(mask)[:, columns]
