"""Reads all that a picture file holds, or refuses it by name: for files of which nothing is known.

What counts as the picture: upright, as the camera says (EXIF); every band; one page; the whole depth of its
numbers, divided by the largest number that its bits can hold. `.npy` arrays are H×W or H×W×bands.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .files import MOST_PIXELS, DataError, loaded, naming, opened

COLOURS_SHOWN = 8
# Labels are at most this; 255 is void once the mapping has been applied.
LARGEST_LABEL = 65535
# Rows that are changed at a time.
STRIP = 64
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class Page(NamedTuple):
    """One page of a file that has several."""

    path: Path
    # From 0.
    number: int

    def __str__(self):
        return f"{self.path}, page {self.number + 1}"


class Raw(NamedTuple):
    """What a page holds, upright."""

    # H×W×bands, as stored; of a palette picture its colours.
    pixels: np.ndarray
    # One letter each: "L", "LA", "RGB", "RGBA", "CMYK"; "" where the file does not say what they are.
    bands: str
    # Of one number.
    bits: int
    # What a stored 1 is in `pixels`: 255 of a picture of one bit.
    unit: float = 1
    # H×W, where numbers that may be labels are not the one band of `pixels`: palette indices.
    stored: np.ndarray | None = None
    # N×3 uint8.
    palette: np.ndarray | None = None
    # Stored otherwise than upright.
    turned: bool = False

    @property
    def labels(self) -> np.ndarray | None:
        """H×W numbers as stored, made when asked for; None if there is more than one band."""
        if self.stored is None and self.pixels.shape[2] > 1:
            return None
        values = self.pixels[..., 0] if self.stored is None else self.stored
        return values if self.unit == 1 else np.rint(values / self.unit).astype(values.dtype)


def read_picture(source, channels=3, white=None, cure="Load it with channels={bands}.") -> np.ndarray:
    """A picture H×W×channels: uint8 of a file of 8 bits without `white`, else float32 in 0..1.

    Args:
        source: a path or a `Page`.
        channels: 1 is grey, 3 is RGB (a grey picture three times), any other number the file's bands as they
            are.
        white: the number that becomes 1.
        cure: what to do about another number of bands.
    Raises: DataError: a file that is damaged, has other bands, a transparent part that `channels` drops, or
        numbers that nothing says how to bring to 0..1.
    """
    raw = load(source)
    return _scaled(_as_asked(raw, channels, source, cure), raw.bits, white, source)


def read_labels(source) -> np.ndarray:
    """A label picture as whole numbers H×W, 0 to 65535: grey values or palette indices.

    Args: source: a path or a `Page`.
    Raises: DataError: it is not one.
    """
    raw = load(source)
    if raw.labels is None:
        raise DataError(
            f"{source} has {_described(raw)}, and a mask by values has one. {_colour_mapping(raw)}"
        )
    labels = raw.labels
    if not np.isfinite(labels).all() or (labels != np.rint(labels)).any():
        whole = "mask * 255" if np.nanmax(np.abs(labels)) <= 1 else "mask"
        raise DataError(
            f"{source} has numbers between whole ones, and labels are whole. Save the mask as "
            f"np.rint({whole}).astype(np.uint8), once nan and inf are gone."
        )
    if not 0 <= labels.min() <= labels.max() <= LARGEST_LABEL:
        raise DataError(
            f"{source} has labels from {labels.min():g} to {labels.max():g}, and labels are 0 to {LARGEST_LABEL}. "
            f"Save np.where((mask < 0) | (mask > {LARGEST_LABEL}), {LARGEST_LABEL}, mask).astype(np.uint16) "
            f"and give {LARGEST_LABEL} the name None, which is void."
        )
    return labels.astype(np.uint16) if labels.dtype.kind == "f" else labels


def read_colours(source) -> np.ndarray:
    """A coloured label picture as uint8 H×W×3.

    Args: source: a path or a `Page`.
    Raises: DataError: it is not one.
    """
    raw = load(source)
    cure = "Save the mask as PNG in RGB."
    if raw.bits > 8:
        cure = f"Save it with 8 bits, or give a mapping by values: {_value_mapping(raw)}."
        raise DataError(f"{source} has numbers of {raw.bits} bits, and a mask by colours has 8. {cure}")
    return _as_asked(raw, 3, source, cure)


def pages(path) -> int:
    """How many pages a file has; 1 for one that cannot be read, which is named when it is."""
    try:
        if Path(path).suffix.lower() == ".npy":
            return 1
        with naming(path), opened(path) as picture:
            frames = _frames(picture)
            if picture.format != "TIFF" or not _beyond_pillow(picture):
                return len(frames)
    except DataError:
        if not _is_tiff(path):
            return 1
    try:
        return _with_tifffile(path, lambda file: _tiff_stack(file)[0])
    except DataError:
        return 1


def palette_of(source) -> np.ndarray | None:
    """The palette of a file as N×3 uint8, from its first bytes; None without one, or unreadable."""
    path = source.path if isinstance(source, Page) else Path(source)
    if path.suffix.lower() == ".npy":
        return None
    try:
        with naming(path), opened(path) as picture:
            return _palette(picture)
    except DataError:
        return None


def load(source) -> Raw:
    """All that a path or a `Page` holds.

    Raises: DataError: a damaged file, and a path to several pages.
    """
    path, number = (source.path, source.number) if isinstance(source, Page) else (Path(source), None)
    raw = _from_npy(path) if path.suffix.lower() == ".npy" else _from_picture(path, number)
    if not raw.pixels.size:
        raise DataError(f"{path} has no pixels. Replace the file.")
    return raw


def _from_picture(path, number):
    try:
        picture = opened(path)
    except DataError:
        if _is_tiff(path):
            return _from_tifffile(path, number)
        raise
    with naming(path), picture:
        frames = _frames(picture)
        if picture.format == "TIFF" and _beyond_pillow(picture):
            return _from_tifffile(path, number)
        _one_page(path, number, len(frames))
        picture.seek(frames[number or 0])
        if picture.format == "TIFF" and _beyond_pillow(picture):  # pages need not be alike
            return _from_tifffile(path, number)
        return _from_pillow(picture, path)


def _is_tiff(path):
    try:
        with open(path, "rb") as file:
            return file.read(4) in _TIFF
    except OSError:
        return False


def _one_page(path, number, count):
    if number is None and count > 1:
        raise DataError(
            f"{path} has {count} pages, and a picture is one. Save each as a file of its own: "
            f"import PIL.Image, PIL.ImageSequence; [page.save(f'page_{{k}}.png') for k, page in "
            f"enumerate(PIL.ImageSequence.Iterator(PIL.Image.open({str(path)!r})))]"
        )
    if number is not None and number >= count:
        raise DataError(
            f"{path} has {count} pages, and page {number + 1} was there before. Load the set again."
        )


# --- Pillow ---------------------------------------------------------------------------------------


def _frames(picture):
    """The numbers of the frames that are pages: no thumbnails, nor a phone's previews in a JPEG (MPO)."""
    count = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    if picture.format != "TIFF" or count == 1:
        return list(range(count))
    found = []
    for k in range(count):
        picture.seek(k)
        if not picture.tag_v2.get(254, 0) & 1:
            found.append(k)
    picture.seek(0)
    return found or [0]


def _beyond_pillow(picture):
    """True for a TIFF of which Pillow would drop bits, bands, signs or pages."""
    tags = picture.tag_v2
    bits, bands, kind = max(tags.get(258, (1,))), tags.get(277, 1), max(tags.get(339, (1,)))
    stack = re.search(r"^ImageJ=.*?^images=(\d+)", str(tags.get(270, "")), re.S | re.M)
    return (
        (bits > 8 and bands > 1)
        or (bits > 16 and kind != 3)
        or (bits == 8 and kind == 2)
        or len(picture.getbands()) < bands
        or (stack is not None and int(stack[1]) > picture.n_frames)
    )


def _from_pillow(picture, path):
    tiff = picture.format == "TIFF"  # which Pillow turns upright itself
    orientation = picture.tag_v2.get(274, 1) if tiff else 1
    if (
        # With its name, Pillow maps the file and mistakes rows for columns if the picture lies on its side.
        tiff
    ):
        picture.filename = ""
    if picture.mode == "LAB":
        raise DataError(f"{path} is in Lab colours. Save it in RGB.")
    if picture.format == "PPM" and picture.mode == "RGB" and _stretched(picture) < 1:
        raise DataError(
            f"{path} has colours of more than 8 bits, which no reader of PPM keeps. Save it as PNG or TIFF."
        )
    stretched, rawmode = _stretched(picture), str(picture.tile[0].args) if picture.tile else ""
    loaded(picture, path)
    if rawmode in ("RGB;16B", "RGBA;16B", "LA;16B"):
        raw = _deep_png(picture, path, rawmode)
    elif picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        raw = _deep(picture, stretched)
    else:
        raw = _shallow(picture, stretched)
    return raw._replace(turned=orientation > 1) if tiff else _upright(raw, picture.getexif().get(274, 1))


def _stretched(picture):
    """The factor by which Pillow stretches numbers to 8 or 16 bits. To be asked before pixels are read."""
    if not picture.tile:
        return 1
    decoder, arguments = picture.tile[0].codec_name, picture.tile[0].args
    rawmode = arguments if isinstance(arguments, str) else str(arguments[0]) if arguments else ""
    if decoder.startswith("ppm") and isinstance(arguments, tuple):
        return (65535 if picture.mode == "I" else 255) / arguments[-1]
    return {"L;2": 85, "L;4": 17}.get(rawmode[:3], 1)


def _deep(picture, stretched):
    """The `Raw` of one band of more than 8 bits."""
    pixels = _array(picture)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if picture.mode == "I" and picture.format in ("PNG", "PPM"):
        pixels = pixels.astype(np.uint16)
    bits = 8 * pixels.itemsize
    if picture.format == "TIFF":
        bits = max(picture.tag_v2.get(258, (bits,)))
    return Raw(pixels, "L", bits, stretched)


def _shallow(picture, stretched):
    """The `Raw` of a picture of at most 8 bits."""
    pixels = _array(picture, _flat)
    bands = "".join(band[0] for band in _flat(picture.crop((0, 0, 1, 1))).getbands())
    bits, unit = (1, 255) if picture.mode == "1" else (8, stretched)
    stored = None
    if picture.mode == "P":
        stored = _array(picture)[..., 0]
    elif picture.mode in ("1", "L") and bands != "L":
        # Beside the alpha of a colour key.
        stored = pixels[..., 0]
    return Raw(pixels, bands, bits, unit, stored, _palette(picture))


def _array(picture, change=lambda strip: strip):
    """H×W×bands of a picture, changed by a function of its pixels, a strip of rows at a time.

    At once, Pillow would hold the picture three times more: changed, in parts, and these joined.
    """
    width, height = picture.size

    def strip(top, bottom):
        return np.atleast_3d(np.asarray(change(picture.crop((0, top, width, bottom)))))

    first = strip(0, 1)
    pixels = np.empty((height, *first.shape[1:]), first.dtype)
    for top in range(0, height, STRIP):
        pixels[top : top + STRIP] = strip(top, min(top + STRIP, height))
    return pixels


def _flat(picture):
    """The picture in a mode that has a letter for each of its bands: L, LA, RGB, RGBA, RGBX or CMYK."""
    mode, see_through = picture.mode, "transparency" in picture.info
    if mode in ("LA", "RGBA", "RGBX", "CMYK") or (mode in ("L", "RGB") and not see_through):
        return picture
    if mode in ("1", "L", "La"):
        return picture.convert("LA" if see_through or mode == "La" else "L")
    return picture.convert("RGBA" if see_through or mode in ("PA", "RGBa") else "RGB")


def _palette(picture):
    if picture.mode != "P":
        return None
    return np.array(picture.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)


def _deep_png(picture, path, rawmode):
    """The `Raw` of a PNG with several bands of 16 bits, of which `picture` has the upper 8 bits."""
    if rawmode == "LA;16B":
        raise DataError(f"{path} is grey with alpha, of 16 bits. Save it in RGBA, or without alpha.")
    with opened(path) as lower:
        lower.tile = [
            tile._replace(args=f"{picture.mode};16L") for tile in lower.tile
        ]  # the other byte of each
        loaded(lower, path)
        pixels = np.array(picture).astype(np.uint16) * 256 + np.array(lower)
    return Raw(pixels, picture.mode, 16)


def _upright(raw, orientation):
    """The page turned and mirrored as EXIF's numbers 2 to 8 mean it."""
    if orientation not in range(2, 9):
        return raw
    stored = None if raw.stored is None else _turn(raw.stored, orientation)
    return raw._replace(pixels=_turn(raw.pixels, orientation), stored=stored, turned=True)


def _turn(stored, orientation):
    if orientation >= 5:
        stored = stored.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(stored[::rows, ::columns])


# --- tifffile and NumPy ---------------------------------------------------------------------------


def _with_tifffile(path, work):
    try:
        import tifffile
    except ImportError:
        raise DataError(
            f"{path} is a TIFF that Pillow cannot read whole. Install the package that can: pip install tifffile"
        ) from None
    with naming(path):
        try:
            with tifffile.TiffFile(path) as file:
                return work(file)
        except (ValueError, ImportError) as problem:
            if "imagecodecs" not in str(problem):
                raise
            raise DataError(
                f"{path} is compressed in a way that needs one more package: pip install imagecodecs"
            ) from None


def _tiff_stack(file):
    """(number of pages, function k -> (page that describes it, its array)) of an open file."""
    found = [page for page in file.pages if not page.is_reduced]
    if found[0].imagewidth * found[0].imagelength > MOST_PIXELS:
        raise DataError(f"A page of {file.filename} has more than {MOST_PIXELS:,} pixels. Cut it into parts.")
    series = file.series[0]
    if len(found) == 1 and len(series.shape) > len(found[0].shape):  # ImageJ: one description, many pictures
        stack = series.asarray().reshape(-1, *found[0].shape)
        return len(stack), lambda k: (found[0], stack[k])
    return len(found), lambda k: (found[k], found[k].asarray())


def _from_tifffile(path, number):
    def work(file):
        first = file.pages[0]
        if first.bitspersample < 8 and first.samplesperpixel > 1:
            raise DataError(
                f"{path} has {first.samplesperpixel} bands of {first.bitspersample} bit, which no reader of TIFF keeps. "
                "Save it with 8 bits."
            )
        count, page = _tiff_stack(file)
        _one_page(path, number, count)
        described, pixels = page(number or 0)
        if described.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)
        elif described.axes not in ("YX", "YXS"):
            raise DataError(f"{path} has the axes {described.axes}. Save pages of height × width × bands.")
        pixels = np.atleast_3d(pixels)
        tag = described.tags.get(274)
        raw = Raw(pixels, _tiff_bands(described, pixels.shape[2]), described.bitspersample)
        return _upright(raw, int(tag.value) if tag else 1)

    return _with_tifffile(path, work)


def _tiff_bands(page, count):
    name = getattr(page.photometric, "name", "")
    known = {"RGB": "RGB", "SEPARATED": "CMYK"}.get(name, "L" if count < 3 else "")
    alpha = "A" if [int(extra) for extra in page.extrasamples] in ([1], [2]) else ""
    return known + alpha if len(known + alpha) == count else ""


def _from_npy(path):
    with naming(path):
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
            raise DataError(
                f"{path} does not hold numbers. Save them as np.save(path, array.astype(np.float32))."
            )
    if array.ndim not in (2, 3):
        raise DataError(
            f"{path} has the shape {array.shape}, and a picture is height × width or height × width × bands. "
            "Save one array for each picture."
        )
    array, unit = np.atleast_3d(array.astype(array.dtype.newbyteorder("="), copy=False)), 1
    if array.dtype.kind == "b":
        array, unit = array.astype(np.uint8) * np.uint8(255), 255
    return Raw(array, "L" if array.shape[2] == 1 else "", 8 * array.itemsize, unit)


# --- bands and depth ------------------------------------------------------------------------------


def _described(raw):
    count = raw.pixels.shape[2]
    return f"{count} band{'s' * (count > 1)}" + f" ({raw.bands})" * bool(raw.bands)


def _as_asked(raw, channels, source, cure):
    """The pixels with `channels` bands."""
    pixels, bands = raw.pixels, raw.bands
    if channels in (1, 3):
        if bands.endswith("A"):
            pixels, bands = _without_alpha(pixels, source, len(bands)), bands[:-1]
        if bands == "CMYK" and raw.bits == 8:
            pixels, bands = _converted(pixels, "CMYK", "RGB"), "RGB"
        if channels == 3 and pixels.shape[2] == 1:
            return np.repeat(pixels, 3, axis=2)
        if channels == 1 and bands == "RGB":
            return _grey(pixels)
    if pixels.shape[2] != channels:
        count = raw.pixels.shape[2]
        text = f"{source} has {_described(raw)}, and {channels} are asked for. {cure.format(bands=count)}"
        if str(source).endswith(".npy"):
            text += " If its first axis is the bands, save np.moveaxis(array, 0, -1)."
        raise DataError(text)
    return pixels


def _without_alpha(pixels, source, bands):
    alpha = pixels[..., -1]
    if not opaque(pixels):
        raise DataError(
            f"{source} is transparent in places (alpha is {alpha.min()} to {alpha.max()}), and what is there is no "
            f"colour. Load it with channels={bands} to have alpha as a band, or save it without: "
            f"import PIL.Image; PIL.Image.open(path).convert('RGB').save(path)"
        )
    return pixels[..., :-1]


def opaque(pixels) -> bool:
    """True if the last band, which is alpha, hides everything behind it."""
    full = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    return bool((pixels[..., -1] == full).all())


def white_of(dtype, bits) -> int | None:
    """The number that becomes 1 if nobody says which: the largest that the bits can hold, None if unknown.

    >>> white_of(np.dtype(np.uint16), bits=12)
    4095
    """
    if dtype.kind == "f":
        return 1
    return 2**bits - 1 if dtype.kind == "u" and bits <= 16 else None


def _converted(pixels, mode, wanted):
    from PIL import Image

    height, width, _ = pixels.shape
    converted = np.empty((height, width, Image.getmodebands(wanted)), np.uint8)
    for top in range(0, height, STRIP):
        rows = pixels[top : top + STRIP]
        strip = Image.frombytes(mode, (width, len(rows)), rows.tobytes())
        converted[top : top + STRIP] = np.atleast_3d(np.asarray(strip.convert(wanted)))
    return converted


def _grey(pixels):
    """Luma, as Pillow has it."""
    if pixels.dtype == np.uint8:
        return _converted(pixels, "RGB", "L")
    return (pixels @ np.array([0.299, 0.587, 0.114])[:, None]).astype(pixels.dtype)


def _scaled(pixels, bits, white, source):
    """uint8 as it is, everything else as float32 in 0..1."""
    if pixels.dtype == np.uint8 and white in (None, 255):
        return pixels
    low, high = pixels.min(), pixels.max()
    low, high = (x.item() for x in (low, high))
    if not low >= 0 or not np.isfinite(high):  # nan is not >= 0
        raise DataError(
            f"{source} has numbers from {low:g} to {high:g}, and a picture's are 0 or more. Save it in 0..1, all "
            f"pictures by the same rule: np.save(path, {_rule(low, high)}.astype(np.float32))"
        )
    white = white_of(pixels.dtype, bits) if white is None else white
    if white is None or high > white:
        says = f"more than white={white:g}" if white else f"and its {bits} bits do not say which is white"
        raise DataError(
            f"{source} has numbers up to {high:g}, {says}. Say which number is white: white={_ceiling(high)}, "
            "or the largest of all pictures."
        )
    scaled = np.empty(pixels.shape, np.float32)
    # Divided in float64, of which no whole array is made.
    return np.divide(pixels, np.float64(white), out=scaled, casting="unsafe")


def _rule(low, high):
    if not (np.isfinite(low) and np.isfinite(high)):
        return "np.nan_to_num(array, posinf=1, neginf=0).clip(0, 1)"
    return f"((array - ({low:g})) / {high - low:g}).clip(0, 1)"


def _ceiling(number):
    # Of Python: a float has no room for the last digits of 64 bits.
    return math.ceil(number)


# --- what a mapping could be ----------------------------------------------------------------------


def found_colours(raw) -> list[tuple[int, ...]]:
    """The colours of a page, as tuples: at most COLOURS_SHOWN + 1."""
    flat = raw.pixels[..., :3].reshape(-1, min(3, raw.pixels.shape[2]))
    return [tuple(int(part) for part in colour) for colour in np.unique(flat, axis=0)[: COLOURS_SHOWN + 1]]


def _colour_mapping(raw):
    if raw.pixels.shape[2] < 3 or raw.bits > 8:
        return "Save one number per pixel, as a grey PNG of 8 or 16 bits."
    colours = found_colours(raw)
    if len(colours) > COLOURS_SHOWN:
        return f"It has more than {COLOURS_SHOWN} colours: save one number per pixel, as PNG, never as JPEG."
    names = ", ".join(f"{colour}: 'class {k}'" for k, colour in enumerate(colours))
    return f"Give the mapping by colours: mapping={{{names}}}"


def _value_mapping(raw):
    if raw.labels is None:
        return "one number per pixel"
    names = ", ".join(f"{value}: 'class {value}'" for value in np.unique(raw.labels)[:COLOURS_SHOWN])
    return f"mapping={{{names}}}"
