"""Pictures and masks in files, and the one exception for whatever is wrong with them."""

import numpy as np


class DataError(Exception):
    """A data file or folder is missing, damaged or not what it should be; the message names it and the cure."""


def read_image(path, channels=3):
    """An 8-bit picture as a uint8 array, H×W×3 or (channels=1) H×W. DataError if the file is not a readable picture."""
    with _open_picture(path) as picture:
        if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
            raise DataError(f"{path} has more than 8 bits a pixel. Save it as an 8-bit picture first.")
        return np.array(picture.convert("RGB" if channels == 3 else "L"))


def read_mask(path):
    """A label picture (8-bit grey or palette indices) as a uint8 array H×W. DataError if the file is not one."""
    with _open_picture(path) as picture:
        if picture.mode not in ("L", "P", "1"):
            raise DataError(
                f"{path} is not a label picture: its mode is {picture.mode}, not 8-bit grey or palette. "
                "Save one class number per pixel, 255 for void."
            )
        return np.array(picture).astype(np.uint8)


def _open_picture(path):
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(path)
        picture.load()
        return picture
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Put it back, or download the data set again.") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as problem:  # PIL's SyntaxError is a broken PNG
        raise DataError(f"{path} is not a whole picture ({problem}). Replace the file.") from problem
