"""folder: the reader's own pictures and masks.

`images/` and `masks/` hold pictures of equal stems (`images/cat.jpg`, `masks/cat.png`). The splits are sub-folders,
`train/images/` and `train/masks/` or `images/train/` and `masks/train/`, or else drawn by a seed. A mapping says what the
masks' colours or values mean:

    load("folder", root="leaves", mapping={0: "background", 1: "leaf", 255: None})
    load("folder", root="leaves", mapping={(0, 0, 0): "background", (0, 128, 0): "leaf", (255, 255, 255): None})

None is void, and several colours may have one name. Files are listed and paired at once, and read when they are needed;
`class_counts()` reads them all and so finds every mistake in them.
"""

import colorsys
from functools import partial
from random import Random

import numpy as np

from ..files import DataError, read_image, read_mask
from ..generated.street import PALETTE
from ..items import IGNORE, SPLITS, from_files

TWIN = None
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".ppm", ".pgm"}
SHARE = 0.15  # of the pictures for val, and as many for test, when a seed divides them


def open_set(root, split, size, *, mapping=None, seed=0, channels=3):
    """The split of the pictures in `root` (or in `root/folder`) as a `SegmentationData`.

    mapping: {value or (red, green, blue): class name, or None for void}; classes are numbered in its order.
    seed: divides pictures without sub-folders, 70 % train, 15 % val, 15 % test. channels: 3, or 1 for grey pictures.
    Raises ValueError for a mapping that is none, DataError naming the file for anything wrong with the files.
    """
    labels, classes, palette = understand(mapping)
    pairs = files(root, split, seed)
    return from_files(
        "folder", split, pairs, partial(read, labels, channels), classes=classes, palette=palette, size=size
    )


def download(folder):
    raise DataError(f"{folder} is for pictures of your own: make folders images/ and masks/ there.")


def understand(mapping):
    """(labels {value or colour: label}, class names, palette) of a mapping. ValueError if it is not one."""
    keys = list(mapping or ())
    by_value = [isinstance(key, int) and 0 <= key <= 255 for key in keys]
    by_colour = [
        isinstance(key, tuple) and len(key) == 3 and all(0 <= part <= 255 for part in key) for key in keys
    ]
    if not keys or not (all(by_value) or all(by_colour)):
        raise ValueError(
            "mapping says what the masks mean, by values or by colours: {0: 'background', 1: 'leaf', 255: None} or "
            f"{{(0, 0, 0): 'background', (0, 128, 0): 'leaf'}}, with None for void. It is {mapping!r}"
        )
    classes = tuple(dict.fromkeys(name for name in mapping.values() if name is not None))
    if not classes or len(classes) >= IGNORE:
        raise ValueError(f"a mapping has from 1 to {IGNORE - 1} classes; this one has {len(classes)}")
    labels = {key: IGNORE if name is None else classes.index(name) for key, name in mapping.items()}
    first = [next(key for key, name in mapping.items() if name == wanted) for wanted in classes]
    return labels, classes, first if all(by_colour) else colours(len(classes))


def colours(count):
    """`count` colours: the streets', then others around the colour wheel."""
    wheel = (colorsys.hls_to_rgb(k * 0.618 % 1, 0.35 + 0.1 * (k % 4), 0.6) for k in range(count))
    return [*PALETTE, *(tuple(round(255 * part) for part in colour) for colour in wheel)][:count]


def files(root, split, seed):
    """[(image path, mask path)] of the split. DataError naming what is missing, unpaired or double."""
    root = root if is_set(root) or not is_set(root / "folder") else root / "folder"
    if not is_set(root):
        raise DataError(
            f"{root} has no folder images/. Put the pictures into images/ and their masks into masks/."
        )
    inside = [f"{{}}/{name}" for name in SPLITS if (root / "images" / name).is_dir()]
    beside = [f"{name}/{{}}" for name in SPLITS if (root / name / "images").is_dir()]
    if not inside and not beside:
        return divide(pair(root / "images", root / "masks"), split, seed)
    place = f"{{}}/{split}" if inside else f"{split}/{{}}"
    if place not in inside + beside:
        raise DataError(
            f"{root / place.format('images')} does not exist, so there is no split {split!r}. Make it."
        )
    return pair(root / place.format("images"), root / place.format("masks"))


def is_set(folder):
    return (folder / "images").is_dir() or any((folder / split / "images").is_dir() for split in SPLITS)


def pair(images, masks):
    """[(image path, mask path)] by stem, in alphabetical order."""
    found = [pictures(images), pictures(masks)]
    for have, lack, what in ((images, masks, "mask"), (masks, images, "picture")):
        ours, theirs = found if have == images else found[::-1]
        for stem in ours:
            if stem not in theirs:
                raise DataError(
                    f"{ours[stem]} has no {what}: {lack / stem}.png does not exist. Add it or remove the file."
                )
    return [(found[0][stem], found[1][stem]) for stem in sorted(found[0])]


def pictures(place):
    """{stem: path} of a folder's pictures."""
    if not place.is_dir():
        raise DataError(
            f"{place} does not exist. Pictures go into images/, masks with the same names into masks/."
        )
    found = {}
    for path in sorted(place.iterdir()):
        if path.suffix.lower() in PICTURES and not path.name.startswith("."):
            if path.stem in found:
                raise DataError(
                    f"{found[path.stem]} and {path} have the same name but for the ending. Remove one of them."
                )
            found[path.stem] = path
    if not found:
        raise DataError(f"{place} has no pictures ({', '.join(sorted(PICTURES))}). Put them there.")
    return found


def divide(pairs, split, seed):
    """The pairs of one split, drawn by the seed."""
    if len(pairs) < 3:
        raise DataError(
            f"{pairs[0][0].parent} has {len(pairs)} pictures; three splits need at least three. Add some."
        )
    part = max(1, round(SHARE * len(pairs)))
    order = Random(seed).sample(range(len(pairs)), len(pairs))
    chosen = {"val": order[:part], "test": order[part : 2 * part], "train": order[2 * part :]}[split]
    return [pairs[k] for k in sorted(chosen)]


def read(labels, channels, image_path, mask_path):
    """(image uint8, mask uint8 H×W of class labels). DataError for a value or colour that the mapping lacks."""
    by_colour = isinstance(next(iter(labels)), tuple)
    if by_colour:
        codes = read_image(mask_path).astype(np.int32) @ np.int32((65536, 256, 1))
    else:
        codes = read_mask(mask_path)
    mask = np.empty(codes.shape, dtype=np.uint8)
    known = np.zeros(codes.shape, dtype=bool)
    for key, label in labels.items():
        here = codes == (int.from_bytes(key) if by_colour else key)
        mask[here], known = label, known | here
    if not known.all():
        row, column = np.argwhere(~known)[0]
        code = int(codes[row, column])
        what = f"colour {tuple(code.to_bytes(3))}" if by_colour else f"value {code}"
        raise DataError(
            f"{mask_path} has the {what} at row {row}, column {column}, which the mapping lacks. Add it to the mapping "
            "(None makes it void) or correct the mask; JPEG and resizing invent colours, so save masks as PNG."
        )
    return read_image(image_path, channels), mask
