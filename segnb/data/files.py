"""Pictures and masks in files, and the one exception for whatever is wrong with them.

`read_image` and `read_mask` are for sets whose files are known: 8 bits, one page, as they are stored. Files
of which nothing is known are read by `segnb.data.reader`.
"""

import lzma
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

# Pillow refuses 179 million pixels, which a scanned slide has; this many are too many for one picture.
MOST_PIXELS = 2**30
_bomb_limit = threading.Lock()
# What decoders raise for cut or damaged files. Pillow's own are OSErrors, a broken PNG's a SyntaxError.
DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, AttributeError,
    AssertionError, RuntimeError, struct.error, zlib.error, lzma.LZMAError,
)  # fmt: skip


class DataError(Exception):
    """A data file or folder is missing, damaged or not as it should be; the message names it and the cure."""


def read_image(path, channels=3) -> np.ndarray:
    """An 8-bit picture as a uint8 array, H×W×3 or (channels=1) H×W.

    Raises: DataError: the file is not a readable picture, or has more bits.
    """
    with opened(path) as picture:
        loaded(picture, path)
        if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
            raise DataError(
                f"{path} has more than 8 bits a pixel, which no file of this set has. Download the set again."
            )
        return np.array(picture.convert("RGB" if channels == 3 else "L"))


def read_mask(path) -> np.ndarray:
    """A label picture (8-bit grey or palette indices) as uint8 H×W. Raises: DataError: it is not one."""
    with opened(path) as picture:
        loaded(picture, path)
        if picture.mode not in ("L", "P", "1"):
            raise DataError(
                f"{path} is not a label picture: its mode is {picture.mode}, not 8-bit grey or palette. "
                "Save one class number per pixel, 255 for void."
            )
        return np.array(picture).astype(np.uint8)


@contextmanager
def naming(path) -> Iterator[None]:
    """Whatever goes wrong inside with the file `path` becomes a DataError that names it."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Put it back, or download the data set again.") from None
    except (PermissionError, IsADirectoryError) as problem:
        raise DataError(
            f"{path} cannot be read: {problem.strerror}. Name a file that you may read."
        ) from None
    except MemoryError:
        raise DataError(f"{path} needs more memory than there is. Cut the picture into parts.") from None
    except DAMAGED as problem:
        raise DataError(f"{path} is not a whole picture ({problem}). Replace the file.") from problem


def opened(path):
    """The file as a Pillow picture whose pixels are not read yet.

    Raises: DataError: there is none, or it has more than MOST_PIXELS.
    """
    from PIL import Image

    with naming(path), _any_size():
        picture = Image.open(path)
    if picture.width * picture.height > MOST_PIXELS:
        picture.close()
        raise DataError(
            f"{path} is {picture.height}×{picture.width} pixels, and one picture may have {MOST_PIXELS:,}. "
            "Cut it into parts, and its mask the same way."
        )
    return picture


def loaded(picture, path):
    """The same picture, its pixels read. Raises: DataError: the file is damaged."""
    from PIL import Image

    with naming(path):
        if picture.width * picture.height > (Image.MAX_IMAGE_PIXELS or MOST_PIXELS):
            with _any_size():
                picture.load()
        else:
            picture.load()
    return picture


@contextmanager
def _any_size():
    """Inside, Pillow opens pictures of any size. One thread at a time, because its limit is a global."""
    from PIL import Image

    with _bomb_limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
