"""A trained network on pictures of any size: mirrored to one it takes, and cropped back."""

import os
from pathlib import Path

import numpy as np
import torch

from .data.reader import read_picture
from .disk import encoded, replacing
from .metrics import ConfusionMatrix
from .run import evaluating
from .shapes import as_item, check_data, check_image, check_integers, check_void, item_cure, stated
from .tiling import logits_by_rows, tiles, whole


def predict(model, image, *, tile=None, out=None, palette=None) -> torch.Tensor | np.memmap:
    """Class probabilities K×H×W (float32, on the CPU) for one image of any size.

    The image is continued by mirror images: by exactly `model.margin` pixels at the top and left, at the
    bottom and right by as many and by what is missing to a size that the network takes. The probabilities are
    cropped back, so that each pixel of the image gets its own. A module without `margin`, `step` and
    `valid_size` counts as one that keeps every size; its output may be a dict with the logits under "out", as
    torchvision's are.

    Args:
        image: float C×H×W in 0..1; or what need not fit into memory as floats: the path of a picture, or a
            NumPy array (memory-mapped, say) of uint8, H×W or H×W×C, which is divided by 255.
        tile: None runs the network once. A number is the side (px) of the square that the network sees at a
            time. Squares stand on one grid, whose step is the largest multiple of `model.step` within their
            output (572: output 388, step 384), because only such shifts shift the output alike. For a network
            without padding the result is that of one run, and for a padded one too if `tile` is larger than
            what a pixel's result depends on (then the part of a square that hears of zeros around it is
            thrown away; the image's sides count as rounded up to multiples of `step`). Else squares overlap
            and fade into each other, which is not the same, and a warning says which `tile` would do.
        out: a file for the result. "name.npy" takes the probabilities as they are made, and the memory-mapped
            array in it is returned; a picture file without loss ("name.png", "name.tif", "name.bmp") takes
            the mask of class numbers, H×W uint8, which is returned as a tensor. With it, a picture of 100
            megapixels needs little more memory than its bytes. The file appears whole or not at all.
        palette: K×3 numbers 0..255, the colours in which a picture file `out` shows the classes.
    Raises:
        ValueError: a tile that the network does not take or that is too small to cover anything (188), naming
            the next that works (204); logits of an unexpected size; a file that cannot hold the result.
        TypeError: images of other integers. FloatingPointError: logits that are NaN or +inf.
        OSError, naming `out`: the disk is full, or may not be written to.
    """
    write = None if out is None else _writer(out)
    size, read = _source(model, image)
    with evaluating(model):
        plan = whole(model, size) if tile is None else tiles(model, size, tile)
        rows = ((top, logits[0].softmax(0)) for top, logits in logits_by_rows(model, read, size, plan))
        return _gathered(rows, size) if write is None else write(rows, size, out, palette)


def evaluate(model, data, *, tile=None) -> ConfusionMatrix:
    """The `ConfusionMatrix` of a model on a whole data set, every pixel counted.

    Images are mirrored and cropped as in `predict`. Warns (`segnb.training.Suspicious`) where the result is
    too good to be true.

    Args:
        data: a map-style data set of (image, mask), of equal sizes or not; further parts of an item are left
            alone. Items may be what `fit` takes. Pixels with the label `data.ignore_index` (255 if the set
            says nothing) are ignored.
        tile: the side (px) of the squares that images are cut into, None for whole ones.
    Raises:
        ValueError: there is nothing in it, a label beyond the network's classes.
        FloatingPointError: a logit is NaN or +inf.
    """
    # Here, because training imports this module.
    from .training.suspicion import Watch

    check_data(data, "data")
    if len(data) == 0:
        raise ValueError("the data set is empty: there is nothing to evaluate on")
    ignored = stated(data, "ignore_index", 255)
    watch, matrix, first = Watch("evaluation", len(data), {ignored}), None, 0
    with evaluating(model):
        for images, masks in _batches(data):
            items, size = range(first, first + len(images)), tuple(images.shape[2:])
            watch.batch(items, images, masks)
            plan = whole(model, size) if tile is None else tiles(model, size, tile)
            for top, logits in logits_by_rows(model, _reader(images), size, plan, items):
                watch.answer(logits)
                if matrix is None:
                    check_void(logits.shape[1], ignored, "give the data set an attribute ignore_index = -1")
                    matrix = ConfusionMatrix(logits.shape[1], ignored)
                # That they are finite is known.
                matrix.update(logits.argmax(1), masks[:, top : top + logits.shape[2]])
            first = items.stop
    watch.end()
    return matrix


def _batches(data, pixels=2**17):
    """(images N×C×H×W, masks N×H×W): neighbours of one size, up to so many pixels, but at least one."""
    batch = []
    for index in range(len(data)):
        image, mask = as_item(data[index])[:2]
        image = check_image(image)
        check_integers(mask, "mask")
        if mask.shape != image.shape[1:]:
            raise ValueError(
                f"item {index} has an image {tuple(image.shape)} and a mask {tuple(mask.shape)}: not one size{item_cure(image, mask)}"
            )
        if batch and (image.shape != batch[0][0].shape or (len(batch) + 1) * mask.numel() > pixels):
            yield tuple(torch.stack(column) for column in zip(*batch))
            batch = []
        batch.append((image, mask))
    yield tuple(torch.stack(column) for column in zip(*batch))


def _source(model, image):
    """((height, width), function rows, columns -> float 1×C×h×w) of what `predict` takes for an image."""
    if isinstance(image, (str, os.PathLike)):
        takes = getattr(model, "in_channels", 3)
        cure = f"The network takes {takes}: give it other pictures, or train one with {{bands}}."
        image = read_picture(image, takes, cure=cure)
        if image.dtype != np.uint8:
            image = image.transpose(2, 0, 1)
    if not (isinstance(image, np.ndarray) and image.dtype == np.uint8):
        image = check_image(image)
        return tuple(image.shape[1:]), _reader(image[None])
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"a picture of bytes is H×W or H×W×C, not {'×'.join(map(str, image.shape))}")

    def read(rows, columns):
        part = np.atleast_3d(image[rows.numpy()][:, columns.numpy()])
        return torch.from_numpy(part).permute(2, 0, 1)[None].float().div_(255)

    return image.shape[:2], read


def _reader(images):
    return lambda rows, columns: images[:, :, rows[:, None], columns]


def _gathered(rows, size):
    """All rows as one tensor K×H×W."""
    result = None
    for top, probabilities in rows:
        if probabilities.shape[1:] == size:
            return probabilities
        if result is None:
            result = probabilities.new_empty(len(probabilities), *size)
        result[:, top : top + probabilities.shape[1]] = probabilities
    return result


def _writer(out):
    """The function that writes this kind of file. Raises: ValueError: one that cannot hold the result."""
    kinds = {".npy": _write_probabilities} | dict.fromkeys((".png", ".tif", ".tiff", ".bmp"), _write_mask)
    suffix = Path(out).suffix.lower()
    if suffix not in kinds:
        raise ValueError(
            f"{out}: a .npy file holds probabilities, and .png or .tif a mask of class numbers; a format that loses "
            f"detail ({suffix or 'no ending'}) would change them. Use out={str(Path(out).with_suffix('.npy'))!r}"
        )
    return kinds[suffix]


def _write_probabilities(rows, size, out, palette):
    """K×H×W float32 as a .npy file; → the array in it, memory-mapped."""
    height, width = size
    with replacing(out) as partial, open(partial, "wb") as file:
        for top, probabilities in rows:
            if top == 0:
                shape = (len(probabilities), height, width)
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                start = file.tell()
            # Not through a map of the file: there, a full disk is the end of the process.
            for k, part in enumerate(probabilities.numpy()):
                file.seek(start + 4 * width * (k * height + top))
                file.write(np.ascontiguousarray(part))
    return np.load(out, mmap_mode="r")


def _write_mask(rows, size, out, palette):
    """The class numbers H×W as a picture of 8 bits, grey or with a palette; → the same as a uint8 tensor."""
    from PIL import Image

    mask = torch.empty(size, dtype=torch.uint8)
    with replacing(out) as partial:
        for top, probabilities in rows:
            if len(probabilities) > 256:
                raise ValueError(
                    f"a picture of 8 bits cannot hold {len(probabilities)} classes: use out={str(Path(out).with_suffix('.npy'))!r}"
                )
            mask[top : top + probabilities.shape[1]] = probabilities.argmax(0)
        picture = Image.fromarray(mask.numpy())
        if palette is not None:
            picture.putpalette(np.uint8(palette).tobytes())
        partial.write_bytes(encoded(picture, out))
    return mask
