"""`inspect`: one look at a folder of pictures and masks, what is found, and the `load` call that fits it."""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from .files import DataError
from .items import IGNORE, SegmentationData, from_files
from .reader import load, opaque, white_of
from .real import folder as own

SAMPLES = 4  # pictures to look at
MOST_CLASSES = 40  # more values than this are no classes
RARE_MASKS, RARE_SHARE = 3, 0.001
GROUPS = (r"^(.+)[_ .-]", r"^([^_ .-]+)[_ .-]")  # of patient_7_slice_3: all but the last word, the first word


@dataclass(repr=False)
class Findings:
    """What `inspect` found; printed, it is a report.

    Attributes:
        root: the folder that holds images/ and masks/.
        lines: what there is.
        problems: what has to be mended, a sentence each, all of them.
        options: the keyword arguments of `load("folder", ...)` besides root, None if the masks give no
            mapping.
        samples: some pictures with their masks, a `SegmentationData`, or None.
    """

    root: Path
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    options: dict | None = None
    samples: SegmentationData | None = None

    @property
    def call(self) -> str | None:
        """The call as text, to paste, or None."""
        if self.options is None:
            return None
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f'segnb.data.load("folder", root={str(self.root)!r}{options})'

    def __str__(self):
        parts = [*self.lines, *(f"wrong: {problem}" for problem in self.problems)]
        if self.call:
            when = "once that is mended" if self.problems else "with names of your own for the classes"
            parts += [f"To load it, {when}:", self.call]
        return "\n".join(parts)

    __repr__ = __str__


def inspect(folder) -> Findings:
    """The `Findings` in all files of a folder with images/ and masks/; print them.

    They tell counts, sizes, bands, bits, orientation, palettes, labels and their shares, pairs that do not
    fit, and the `load` call with a mapping. `segnb.data.real.folder` says what a folder may hold.
    Raises: DataError: there are no folders to look into.
    """
    from tqdm.std import tqdm

    found = Findings(own.home(Path(folder).expanduser().absolute()))
    places, pattern, pairs = own.places(found.root), _pattern(found.root), []
    for split, (images, masks) in places.items():
        ours, problems = own.match(images, masks, pattern)
        pairs += ours
        found.problems += problems
        found.lines.append(f"{split or 'all'}: {len(ours)} pictures with masks")
        found.lines += _unread(images, masks)
    if None in places and 0 < len(pairs) < 3:
        found.problems.append(
            f"{found.root} has {len(pairs)} pictures; three splits need at least three. Add some."
        )
    images, masks, good = _Images(), _Masks(), []
    for image, mask in tqdm(pairs, desc="files", leave=False, disable=len(pairs) < 100):
        if _look(image, mask, images, masks, found.problems):
            good.append((image, mask))
    found.lines += images.in_words() + _groups_in_words(pairs)
    if outlines := own.beside(found.root):
        found.lines.append(outlines.strip())
    if good:
        mapping = masks.mapping(found.problems)
        found.lines += masks.in_words(mapping or {})
        if mapping:
            found.options = {"mapping": mapping} | images.options(found.problems)
            found.options |= {"mask": pattern} if pattern != "{stem}" else {}
            found.samples = _samples(good, found.options)
    return found


def _pattern(root):
    """How masks are named: as the pictures, or by the first pattern that fits all of them."""
    for images, masks in own.places(root).values():
        pictures, labels = own.listed(images)[0], own.listed(masks)[0]
        if not own.pairs_up(pictures, labels, "{stem}"):
            return own.likely_pattern(pictures, labels) or "{stem}"
    return "{stem}"


def _unread(*places):
    """A line about files that are no pictures, if there are some."""
    names = sorted(
        path.name
        for place in places
        if place.is_dir()
        for path in place.iterdir()
        if path.is_file() and path.suffix.lower() not in own.PICTURES and not path.name.startswith(".")
    )
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"not read, as they are no pictures: {', '.join(names[:3])}{more}"] if names else []


def _look(image, mask, images, masks, problems):
    """Count a pair; False, and a problem, if it cannot be used."""
    raws = []
    for source in (image, mask):
        try:
            raws.append(load(source))
        except DataError as problem:
            problems.append(str(problem))
    if len(raws) < 2:
        return False
    try:
        images.add(image, raws[0])
        masks.add(mask, raws[1])
    except DataError as problem:
        problems.append(str(problem))
        return False
    sizes = ["{}×{}".format(*raw.pixels.shape[:2]) for raw in raws]
    if sizes[0] != sizes[1]:
        problems.append(
            f"{mask} is {sizes[1]} pixels but its image {image} is {sizes[0]}. Image and mask need the same size: save one "
            "of them again."
        )
    return sizes[0] == sizes[1]


class _Images:
    """What is counted of the images."""

    def __init__(self):
        self.sizes, self.kinds = Counter(), Counter()
        self.first = {}  # number of bands that `load` is to be asked for -> the first such image
        self.turned = 0
        self.white = 0  # the largest number, where white has to be said
        self.largest = {}  # bits -> largest number

    def add(self, image, raw):
        low, high = raw.pixels.min().item(), raw.pixels.max().item()
        if not low >= 0 or not np.isfinite(high):
            raise DataError(f"{image} has numbers from {low:g} to {high:g}, and a picture's are 0 or more.")
        count = raw.pixels.shape[2]
        self.sizes["{}×{}".format(*raw.pixels.shape[:2])] += 1
        self.kinds[f"{raw.bands or 'unnamed'} ({count} band{'s' * (count > 1)}) of {raw.bits} bits"] += 1
        if raw.bands.endswith("A") and opaque(raw.pixels):
            count -= 1
        self.first.setdefault(3 if raw.bands == "CMYK" else count, image)
        self.turned += raw.turned
        self.largest[raw.bits] = max(self.largest.get(raw.bits, 0), high)
        white = white_of(raw.pixels.dtype, raw.bits)
        if white is None or high > white:
            self.white = max(self.white, high)

    def options(self, problems):
        """What `load` has to be told about the images."""
        counts = sorted(self.first)
        if len(counts) > 1 and counts != [1, 3]:
            one, two = counts[:2]
            problems.append(
                f"{self.first[one]} has {one} bands and {self.first[two]} has {two}. All pictures need as many: save those "
                "that differ again, without alpha if that is what they have."
            )
        channels = {} if counts[-1] == 3 else {"channels": counts[-1]}
        return channels | ({"white": int(np.ceil(self.white)) or 1} if self.white else {})

    def in_words(self):
        lines = [f"images: {_counted(self.kinds)}", f"sizes: {_counted(self.sizes)}"] if self.sizes else []
        if self.turned:
            lines.append(f"orientation: {self.turned} images are stored turned, and are read upright")
        if 0 < self.largest.get(16, 65535) < 65535 // 4:
            lines.append(
                f"dark: the largest number of the 16-bit images is {self.largest[16]} of 65535; white={self.largest[16]} "
                "makes it 1"
            )
        return lines


class _Masks:
    """What is counted of the masks: pixels and masks for every value and the colour in which it is stored."""

    def __init__(self):
        # (value or None, colour or None, has a palette) → count
        self.pixels, self.masks = (
            Counter(),
            Counter(),
        )
        # The same → the first mask.
        self.first = {}
        self.count = 0

    def add(self, mask, raw):
        if raw.labels is not None:
            values, counts = np.unique(raw.labels, return_counts=True)
            if not (values[0] >= 0 and (values == np.rint(values)).all() and np.isfinite(values[-1])):
                raise DataError(
                    f"{mask} is no mask: its numbers are not whole, or below 0. Save one class number per pixel."
                )
            keys = [
                (int(value), _colour(int(value), raw), raw.palette is not None) for value in values.tolist()
            ]
        elif raw.pixels.shape[2] >= 3 and raw.bits == 8:
            colours, counts = np.unique(raw.pixels[..., :3].reshape(-1, 3), axis=0, return_counts=True)
            keys = [(None, tuple(colour), False) for colour in colours.tolist()]
        else:
            raise DataError(
                f"{mask} is no mask: it has {raw.pixels.shape[2]} bands of {raw.bits} bits. Save one class number per pixel."
            )
        self.count += 1
        for key, count in zip(keys, counts.tolist()):
            self.pixels[key] += count
            self.masks[key] += 1
            self.first.setdefault(key, mask)

    def differing(self):
        """Two keys of one value whose palettes show it in two colours, or None."""
        seen = {}
        for key in self.pixels:
            if key[2] and seen.setdefault(key[0], key) != key:
                return seen[key[0]], key
        return None

    def by_colour(self):
        return self.differing() is not None or any(value is None for value, _, _ in self.pixels)

    def merged(self, counter):
        """The counts by what a mapping has as keys."""
        found = Counter()
        for (value, colour, _), count in counter.items():
            found[colour if self.by_colour() else value] += count
        return found

    def mapping(self, problems):
        """A mapping with names to be replaced, or None and a problem."""
        keys, by_colour = list(self.merged(self.pixels)), self.by_colour()
        if None in keys:
            problems.append(
                "some masks have values, others colours, and no mapping has both. Save all masks alike."
            )
            return None
        if len(keys) > MOST_CLASSES:
            several = f"the masks have {len(keys)} different {'colours' if by_colour else 'values'}, too many for classes. "
            objects = (
                f"{{0: 'background'}} | dict.fromkeys(range(1, {max(keys) + 1}), 'object')"
                if not by_colour
                else ""
            )
            problems.append(
                several
                + "JPEG and resizing invent some: save masks as PNG, enlarge them by nearest neighbour."
                + f" If they number single objects: mapping={objects}" * (not by_colour)
            )
            return None
        zero, void = ((0, 0, 0), (255, 255, 255)) if by_colour else (0, IGNORE)
        names = {key: f"class {number}" for number, key in enumerate(sorted({*keys} - {zero}), 1)}
        if void in names and len(keys) > 2:
            names[void] = None
        return {key: names.get(key, "background") for key in sorted(keys)}

    def in_words(self, mapping):
        lines, total = [], sum(self.pixels.values())
        if two := self.differing():
            lines.append(
                f"palettes: the value {two[0][0]} is {two[0][1]} in {self.first[two[0]]} and {two[1][1]} in "
                f"{self.first[two[1]]}, so the mapping goes by colours"
            )
        pixels, masks = self.merged(self.pixels), self.merged(self.masks)
        for key, name in mapping.items():
            share, count = pixels[key] / total, masks[key]
            rare = " - rarely seen" if count < min(RARE_MASKS, self.count) or share < RARE_SHARE else ""
            lines.append(
                f"{key}: {name or 'void'}, {100 * share:.2g} % of the pixels, in {count} of {self.count} masks{rare}"
            )
        return lines


def _colour(value, raw):
    """The colour in which a value is stored, None if it has none."""
    if raw.palette is not None:
        return tuple(raw.palette[value].tolist()) if value < len(raw.palette) else None
    if raw.bits > 8:
        return None
    return (255 * value,) * 3 if raw.bits == 1 else (value,) * 3


def _counted(counter):
    """The commonest of a counter, in words."""
    parts = [f"{count} × {what}" for what, count in counter.most_common(4)]
    more = len(counter) - len(parts)
    return ", ".join(parts) + (f" and {more} kinds more" if more else "")


def _groups_in_words(pairs):
    """A line about names that share their beginnings, as the slices of one patient do."""
    names = [own.name_of(image) for image, _ in pairs]
    for pattern in GROUPS:
        groups = {match[1] for match in (re.search(pattern, name) for name in names) if match}
        if all(re.search(pattern, name) for name in names) and 3 <= len(groups) <= len(names) / 2:
            return [
                f"names: {len(groups)} beginnings, such as {sorted(groups)[0]!r}; if these belong together (one patient, one "
                f"film), keep each in one split: group={pattern!r}"
            ]
    return []


def _samples(pairs, options):
    """Some of the pictures that can be used, spread over the folder."""
    labels, classes, palette = own.understand(options["mapping"])
    read = partial(own.read, labels, options.get("channels", 3), options.get("white"))
    chosen = [pairs[k * len(pairs) // SAMPLES] for k in range(SAMPLES)] if len(pairs) > SAMPLES else pairs
    return from_files("folder", "samples", chosen, read, classes=classes, palette=palette)
