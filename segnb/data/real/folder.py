"""folder: the reader's own pictures and masks.

`images/` and `masks/` hold pictures of equal stems (`images/cat.jpg`, `masks/cat.png`), or `mask=` says how a
mask is named. The splits are sub-folders, `train/images/` and `train/masks/` or `images/train/` and
`masks/train/`, or else drawn by a seed, whole groups at a time if `group=` says what belongs together. A
mapping says what the masks' colours or values mean:

    load("folder", root="oaks", mapping={0: "background", 1: "leaf", 255: None})
    load("folder", root="oaks", mapping={(0, 0, 0): "background", (0, 128, 0): "leaf", (255, 255, 255): None})

None is void, and several colours may have one name. Files are listed and paired at once, and read when they
are needed; `class_counts()` reads them all and so finds every mistake in them. `segnb.data.inspect` looks at
all of a folder first and prints the call that fits it. A file with several pages is as many items if its mask
has as many; they stay together when a seed divides the pictures.
"""

import colorsys
import re
import unicodedata
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from glob import escape
from numbers import Integral, Real
from pathlib import Path
from random import Random

import numpy as np

from ..files import DataError
from ..generated.street import PALETTE
from ..items import IGNORE, SPLITS, SegmentationData, from_files
from ..reader import LARGEST_LABEL, Page, pages, palette_of, read_colours, read_labels, read_picture

TWIN = None
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".ppm", ".pgm", ".npy"}
PAGED = {".tif", ".tiff", ".gif", ".webp"}  # files whose pages may be items
GUESSES = 50  # at how masks are named, before we give up
SHARE = 0.15  # of the pictures for val, and as many for test, when a seed divides them
JSON = (
    'The .json files beside them are outlines (labelme or COCO); "Masks from outlines" in book/data.md has the lines of '
    "code that draw masks of them."
)


def open_set(
    root, split, size, *, mapping=None, seed=0, channels=3, mask="{stem}", group=None, white=None
) -> SegmentationData:
    """The split of the pictures in `root` (or in `root/folder`) as a `SegmentationData`.

    Args:
        mapping: {value or (red, green, blue): class name, or None for void}; classes are numbered in its
            order.
        seed: divides pictures without sub-folders, 70 % train, 15 % val, 15 % test.
        channels: 1 grey, 3 RGB, or how many bands the files have.
        mask: the mask's file name; "{stem}" is the picture's without its ending, "{name}" with it, "*"
            anything. Without an ending of its own it may have any.
        group: what must not be divided: a function of the stem, or a regular expression with one group in
            parentheses.
        white: the number that becomes 1 in the images, where it is not the largest that their bits can hold.
    Raises:
        ValueError: a mapping that is none and the like.
        DataError, naming the file: anything wrong with the files.
    """
    labels, classes, palette = understand(mapping)
    if not isinstance(channels, Integral) or channels < 1:
        raise ValueError(f"channels is a whole number, 1 or more, not {channels!r}")
    if white is not None and not (isinstance(white, Real) and white > 0):
        raise ValueError(f"white is the number that becomes 1, above 0, not {white!r}")
    if not re.search(r"\{(stem|name)\}", mask):
        raise ValueError(f"mask is the mask's file name with {{stem}} or {{name}} in it, not {mask!r}")
    root = home(root)
    if not isinstance(next(iter(labels)), tuple):
        check_palettes(root, mask, labels)
    pairs = files(root, split, seed, mask, group)
    reader = partial(read, labels, int(channels), white)
    return from_files("folder", split, pairs, reader, classes=classes, palette=palette, size=size)


def download(folder) -> None:
    """Refuse: such pictures are nowhere to be fetched. Raises: DataError: always."""
    raise DataError(f"{folder} is for pictures of your own: make folders images/ and masks/ there.")


# --- what the masks mean --------------------------------------------------------------------------


def understand(mapping) -> tuple[dict, tuple, list]:
    """({value or colour: label}, class names, palette) of a mapping. Raises: ValueError: it is not one."""
    try:
        plain = {_key(key): name for key, name in (mapping or {}).items()}
    except (AttributeError, TypeError, ValueError):
        plain = {}
    by_colour = [isinstance(key, tuple) for key in plain]
    if not plain or any(by_colour) != all(by_colour):
        raise ValueError(
            f"mapping says what the masks mean, by values (0 to {LARGEST_LABEL}) or by colours: "
            "{0: 'background', 1: 'leaf', 255: None} or "
            f"{{(0, 0, 0): 'background', (0, 128, 0): 'leaf'}}, with None for void. It is {mapping!r}"
        )
    classes = tuple(dict.fromkeys(name for name in plain.values() if name is not None))
    if not classes or len(classes) >= IGNORE:
        raise ValueError(f"a mapping has from 1 to {IGNORE - 1} classes; this one has {len(classes)}")
    labels = {key: IGNORE if name is None else classes.index(name) for key, name in plain.items()}
    first = [next(key for key, name in plain.items() if name == wanted) for wanted in classes]
    return labels, classes, first if all(by_colour) else colours(len(classes))


def _key(key):
    """A mapping's key as an int or a tuple of three. ValueError or TypeError if it is neither."""
    if isinstance(key, tuple):
        colour = tuple(_whole(part, 255) for part in key)
        if len(colour) != 3:
            raise ValueError
        return colour
    return _whole(key, LARGEST_LABEL)


def _whole(number, largest):
    if not isinstance(number, (Integral, np.bool_)) or not 0 <= number <= largest:
        raise ValueError
    return int(number)


def colours(count) -> list:
    """`count` colours: the streets', then others around the colour wheel."""
    wheel = (colorsys.hls_to_rgb(k * 0.618 % 1, 0.35 + 0.1 * (k % 4), 0.6) for k in range(count))
    return [*PALETTE, *(tuple(round(255 * part) for part in colour) for colour in wheel)][:count]


def check_palettes(root, pattern, labels) -> None:
    """Raise DataError, naming two masks whose palettes give another colour to a value that both use."""
    first = {}  # value -> (mask, its colour)
    for images, masks in places(root).values():
        for _, source in match(images, masks, pattern)[0]:
            palette = palette_of(source)
            for value in () if palette is None else (value for value in labels if value < len(palette)):
                other, colour = first.setdefault(value, (source, tuple(palette[value].tolist())))
                if colour == tuple(palette[value].tolist()) or not _uses(source, value):
                    continue
                if not _uses(other, value):
                    first[value] = source, tuple(palette[value].tolist())
                    continue
                raise DataError(
                    f"{other} and {source} have different palettes: the value {value} is the colour {colour} in one "
                    f"and {tuple(palette[value].tolist())} in the other. Give the mapping by colours, "
                    f"{{{colour}: 'name', ...}}, or save the masks with one palette."
                )


def _uses(source, value):
    try:
        return (read_labels(source) == value).any()
    except DataError:  # is named when it is read
        return False


# --- which files belong together ------------------------------------------------------------------


def home(root) -> Path:
    """`root`, or `root/folder` if the pictures are there. Raises: DataError: they are in neither."""
    root = root if is_set(root) or not is_set(root / "folder") else root / "folder"
    if not is_set(root):
        raise DataError(
            f"{root} has no folder images/. Put the pictures into images/ and their masks into masks/."
            + beside(root)
        )
    return root


def is_set(folder) -> bool:
    """Whether a folder has images/, or a split that has."""
    return (folder / "images").is_dir() or any((folder / split / "images").is_dir() for split in SPLITS)


def places(root) -> dict:
    """{split: (folder of its images, of its masks)}; the one key None where there are no sub-folders."""
    inside = [f"{{}}/{name}" for name in SPLITS if (root / "images" / name).is_dir()]
    without = [f"{name}/{{}}" for name in SPLITS if (root / name / "images").is_dir()]
    found = {place.replace("{}", "").strip("/"): place for place in inside or without}
    return {
        split or None: (root / place.format("images"), root / place.format("masks"))
        for split, place in (found or {"": "{}"}).items()
    }


def files(root, split, seed, pattern="{stem}", group=None) -> list[tuple]:
    """[(image, mask)] of the split, paths or pages. Raises: DataError: one missing, unpaired or double."""
    found = places(root)
    if None in found:
        return divide(by_group(pair(*found[None], pattern), group), split, seed, found[None][0])
    if split not in found:
        one, (images, _) = next(iter(found.items()))
        wanted = images.parent / split if images.name == one else root / split / "images"
        raise DataError(f"{wanted} does not exist, so there is no split {split!r}. Make it.")
    pairs = pair(*found[split], pattern)
    ours = by_group(pairs, group) if group else {}
    for other in found if ours else ():
        if other != split:
            theirs = by_group(pair(*found[other], pattern), group)
            for name in ours:
                if name in theirs:
                    raise DataError(
                        f"{ours[name][0][0]} and {theirs[name][0][0]} are of one group, {name!r}, and in two splits. "
                        "Move one of them, or leave out group=."
                    )
    return pairs


def pair(images, masks, pattern="{stem}") -> list[tuple]:
    """[(image, mask)] in the order of the images' names. Raises: DataError: the first problem."""
    pairs, problems = match(images, masks, pattern)
    if problems:
        raise DataError(problems[0])
    return pairs


def match(images, masks, pattern="{stem}") -> tuple[list[tuple], list[str]]:
    """([(image, mask)], sentences about what is missing, double or of another number of pages)."""
    pictures, lacking = listed(images)
    labels, lacking_too = listed(masks)
    if lacking or lacking_too:
        return [], [lacking or lacking_too]
    single, problems = by_stem(pictures)
    find = finder(labels, pattern)
    pairs, used = [], set()
    for image in single.values():
        fitting = find(image)
        used.update(fitting)
        if len(fitting) == 1:
            pairs += paged(image, fitting[0], problems)
        elif fitting:
            problems.append(
                f"{fitting[0]} and {fitting[1]} are both masks of {image}. Remove one, or say more in mask=."
            )
        else:
            wanted = masks / in_words(pattern, image)
            problems.append(f"{image} has no mask: {wanted} does not exist. Add it or remove the file.")
    for path in labels:
        if path not in used:
            problems.append(
                f"{path} has no picture: {images / path.stem}.png does not exist. Add it or remove the file."
            )
    if any("has no" in problem for problem in problems):
        hint = likely_pattern(list(single.values()), labels)
        extra = (
            f' All would fit with mask="{hint}".' if hint not in (None, pattern) else beside(images.parent)
        )
        problems = [problem + extra * ("has no" in problem) for problem in problems]
    return pairs, problems


def listed(place) -> tuple[list, str]:
    """(the pictures of a folder in alphabetical order, "" or what is wrong with the folder)."""
    if not place.is_dir():
        return [], (
            f"{place} does not exist. Pictures go into images/, masks with the same names into masks/."
            + beside(place.parent)
        )
    found = [
        path
        for path in sorted(place.iterdir())
        if path.suffix.lower() in PICTURES and not path.name.startswith(".")
    ]
    if not found:
        return [], (
            f"{place} has no pictures ({', '.join(sorted(PICTURES))}). Put them there." + beside(place.parent)
        )
    return found, ""


def by_stem(paths) -> tuple[dict[str, Path], list[str]]:
    """({stem: path}, sentences about stems that two files have)."""
    found, problems = {}, []
    for path in paths:
        stem = same(path.stem)
        if stem in found:
            problems.append(
                f"{found[stem]} and {path} have the same name but for the ending. Remove one of them."
            )
        found.setdefault(stem, path)
    return found, problems


def same(name) -> str:
    """A file name as it looks: "ä" is one letter for some systems and two for others."""
    return unicodedata.normalize("NFC", name)


def finder(masks, pattern) -> Callable:
    """A function image → the masks named by the pattern, with any ending where the pattern has none."""
    by_name = {}
    for path in masks:
        by_name.setdefault(same(path.name if ends(pattern) else path.stem), []).append(path)
    parts = re.split(r"(\{stem\}|\{name\})", same(pattern))

    def find(image):
        names = {"{stem}": same(image.stem), "{name}": same(image.name)}
        if "*" not in pattern:
            return by_name.get("".join(names.get(part, part) for part in parts), [])
        wanted = "".join(escape(names[part]) if part in names else part for part in parts)
        return [path for name, paths in by_name.items() if fnmatchcase(name, wanted) for path in paths]

    return find


def ends(pattern) -> bool:
    """Whether a pattern ends as the name of a picture does."""
    return any(pattern.lower().endswith(ending) for ending in PICTURES)


def in_words(pattern, image) -> str:
    """The file name that a pattern asks for, with .png where it leaves the ending open."""
    name = pattern.replace("{stem}", image.stem).replace("{name}", image.name)
    return name if ends(pattern) else f"{name}.png"


def likely_pattern(images, masks) -> str | None:
    """A `mask=` by which every picture has one mask and every mask one picture, or None."""
    if not images or len(images) != len(masks):
        return None
    return next((one for one in guesses(images[0], masks) if pairs_up(images, masks, one)), None)


def guesses(image, masks) -> dict[str, None]:
    """Patterns: some mask's name with the picture's name in it replaced; then with "*" for other numbers."""
    found = {}
    for name in (same(mask.name) for mask in masks):
        for key, text in (("{name}", same(image.name)), ("{stem}", same(image.stem))):
            for place in re.finditer(re.escape(text), name):
                before, after = name[: place.start()], name[place.end() :]
                found[f"{before}{key}{after}"] = None
                found[re.sub(r"\d+", "*", before) + key + re.sub(r"\d+", "*", after)] = None
        if len(found) > GUESSES:
            break
    return found


def pairs_up(images, masks, pattern) -> bool:
    """Whether by a pattern every image has one mask and every mask one image."""
    find, left = finder(masks, pattern), set(masks)
    for image in images:
        fitting = find(image)
        if len(fitting) != 1 or fitting[0] not in left:
            return False
        left.remove(fitting[0])
    return True


def beside(folder) -> str:
    """A sentence about annotations in JSON, if there are some at the folder or in its sub-folders."""
    found = folder.is_dir() and (any(folder.glob("*.json")) or any(folder.glob("*/*.json")))
    return f" {JSON}" if found else ""


def paged(image, mask, problems) -> list[tuple]:
    """[(image, mask)] of two files: one pair, or one of each page."""
    counts = [pages(path) if path.suffix.lower() in PAGED else 1 for path in (image, mask)]
    if counts == [1, 1]:
        return [(image, mask)]
    if counts[0] == counts[1]:
        return [(Page(image, k), Page(mask, k)) for k in range(counts[0])]
    few = "1 page" if counts[1] == 1 else f"{counts[1]} pages"
    problems.append(
        f"{image} has {counts[0]} page{'s' * (counts[0] > 1)} and its mask {mask} has {few}. Give every page its mask: save "
        "them as one TIFF of as many pages, or keep only the pages that have one. If the pages are bands of one picture, "
        "save them as a .npy of height × width × bands: np.save(path, np.moveaxis(tifffile.imread(path_of_the_tiff), 0, -1))"
    )
    return []


# --- splits ---------------------------------------------------------------------------------------


def name_of(source) -> str:
    """What `group=` sees of a picture: its stem, for a page "stem, page 3"."""
    if isinstance(source, Page):
        return same(f"{source.path.stem}, page {source.number + 1}")
    return same(source.stem)


def by_group(pairs, group) -> dict:
    """{group: its pairs}, in the order of the pairs. Without `group`, a file with all its pages is one."""
    found = {}
    for image, mask in pairs:
        found.setdefault(_group_of(image, group), []).append((image, mask))
    return found


def _group_of(image, group):
    if group is None:
        return image.path if isinstance(image, Page) else image
    name = name_of(image)
    if callable(group):
        return group(name)
    try:
        pattern = re.compile(group)
    except (re.error, TypeError) as problem:
        raise ValueError(f"group is a function or a regular expression, not {group!r} ({problem})") from None
    if pattern.groups != 1:
        raise ValueError(f"group={group!r} needs one group in parentheses, as in r'(patient\\d+)_'")
    found = pattern.search(name)
    if not found:
        raise DataError(
            f"{image} is of no group: {group!r} is not in {name!r}. Rename it, or let the expression fit it too."
        )
    return found[1]


def divide(groups, split, seed, place) -> list[tuple]:
    """The pairs of one split, whole groups drawn by the seed. Raises: DataError: fewer than three groups."""
    if len(groups) < 3:
        count = sum(map(len, groups.values()))
        things = f"{count} pictures" if count == len(groups) else f"{count} pictures in {len(groups)} groups"
        paged = any(isinstance(image, Page) for pairs in groups.values() for image, _ in pairs)
        extra = ', or divide the pages of one file, though neighbours look alike: group=r"(.*)"' * paged
        raise DataError(f"{place} has {things}; three splits need at least three. Add some{extra}.")
    names = list(groups)
    part = max(1, round(SHARE * len(names)))
    order = Random(seed).sample(range(len(names)), len(names))
    chosen = {"val": order[:part], "test": order[part : 2 * part], "train": order[2 * part :]}[split]
    return [pair for k in sorted(chosen) for pair in groups[names[k]]]


# --- reading --------------------------------------------------------------------------------------


def read(labels, channels, white, image, mask) -> tuple[np.ndarray, np.ndarray]:
    """(image uint8 or float32 H×W×channels, mask uint8 H×W of labels). Raises: DataError: see `mapped`."""
    return read_picture(image, channels, white), mapped(labels, mask)


def mapped(labels, source) -> np.ndarray:
    """A mask as class labels uint8 H×W. Raises: DataError: a value or colour that the mapping lacks."""
    by_colour = isinstance(next(iter(labels)), tuple)
    if by_colour:
        codes = read_colours(source).astype(np.int32) @ np.int32((65536, 256, 1))
    else:
        codes = read_labels(source)
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
            f"{source} has the {what} at row {row}, column {column}, which the mapping lacks. Add it to the mapping "
            "(None makes it void) or correct the mask; JPEG and resizing invent colours, so save masks as PNG."
        )
    return mask
