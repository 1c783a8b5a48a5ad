"""What an image, a mask and logits are: the checks that everything begins with."""

import os
from typing import Any, NamedTuple

import numpy as np
import torch

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
# What the parts of an item are called where items are dicts: torchvision's names, MONAI's, Hugging Face's.
NAMES = {
    "image": ("image", "img", "pixel_values"),
    "mask": ("mask", "label", "labels", "target", "annotation", "segmentation"),
    "weight": ("pixel_weight", "weight"),
}


def check_data(data, name) -> None:
    """Raise TypeError unless `data` has a length and items by number, as a map-style data set has."""
    if hasattr(data, "batch_size") and hasattr(data, "dataset"):
        raise TypeError(
            f"{name} is a DataLoader, but batches are made here: pass the set in it, loader.dataset"
        )
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, dict):
        raise TypeError(
            f"{name} is a {type(data).__name__}, not a set with len() and items by number: pass list(data)"
        )


def stated(data, name, otherwise) -> Any:
    """The attribute `name` of a data set, or of the one that it wraps (a `Subset` keeps it in `.dataset`)."""
    while data is not None:
        if hasattr(data, name):
            return getattr(data, name)
        data = getattr(data, "dataset", None)
    return otherwise


class ClassCounts(NamedTuple):
    """Label counts of a whole split: int64 vectors of length K + 1, the last entry is void."""

    pixels: torch.Tensor  # pixels with the label
    images: torch.Tensor  # images that contain it
    pixels_in_images: torch.Tensor  # all pixels (void too) of those images


def class_counts(masks, num_classes=None, ignore_index=255) -> ClassCounts:
    """The `ClassCounts` of masks (integers, H×W each), which are looked at one after the other.

    Args: num_classes: K; None is the highest label + 1.
    Raises: ValueError: a label that is neither a class nor `ignore_index`. TypeError: masks not of integers.
    """
    rows, sizes = [], []
    for mask in masks:
        check_integers(mask, "mask")
        check_labels(mask, num_classes or max(1, 1 + int(mask.max())), ignore_index)
        rows.append(torch.bincount(mask[mask != ignore_index].long()))
        sizes.append(mask.numel())
    num_classes = num_classes or max(map(len, rows), default=0)
    pixels, sizes = (
        torch.zeros(len(rows), num_classes + 1, dtype=torch.int64),
        torch.tensor(sizes, dtype=torch.int64)[:, None],
    )
    for counted, row in zip(pixels, rows):
        counted[: len(row)] = row
    pixels[:, -1:] = sizes - pixels.sum(1, keepdim=True)
    there = pixels > 0
    return ClassCounts(pixels.sum(0), there.sum(0), (there * sizes).sum(0))


def as_item(item) -> tuple[torch.Tensor, ...]:
    """An item of a data set as tensors: (image, mask), or (image, mask, pixel weight).

    Besides tensors, which stay as they are: pictures of PIL, numpy arrays H×W×C or H×W (bytes become 0..1, as
    with torchvision's `to_tensor`), and dicts with the names in `NAMES`.
    Raises: ValueError: anything else, and a mask of colours.

    >>> image, mask = as_item({"image": np.full((4, 6, 3), 255, np.uint8), "mask": np.zeros((4, 6), int)})
    >>> image.shape, image.max(), mask.dtype
    (torch.Size([3, 4, 6]), tensor(1.), torch.int64)
    """
    if isinstance(item, dict):
        found = [next((item[key] for key in keys if key in item), None) for keys in NAMES.values()]
        if any(part is None for part in found[:2]):
            raise ValueError(
                f"an item that is a dict needs the keys 'image' and 'mask'; it has {', '.join(map(repr, item))}"
            )
        item = found[: 2 if found[2] is None else 3]
    if not (isinstance(item, (tuple, list)) and len(item) >= 2):
        raise ValueError("an item of the data set is (image, mask) or (image, mask, pixel weight)")
    image, mask, *rest = item
    if isinstance(mask, dict):
        raise ValueError(f"an item's mask is H×W class numbers, not a dict of {', '.join(map(repr, mask))}")
    mask = _as_tensor(mask)
    return (_image_as_tensor(image, mask.shape), mask, *(_as_tensor(part) for part in rest[:1]), *rest[1:])


def _as_tensor(part):
    if isinstance(part, torch.Tensor):
        return part.as_subclass(torch.Tensor)
    array = np.array(part)
    if hasattr(part, "mode") and array.dtype == bool:
        # A picture of one bit holds 0 and 1; an array of bools is often a slip.
        array = array.astype(np.uint8)
    # torch knows these types by name only, and computes little with them.
    return torch.from_numpy(
        array.astype(np.int64) if array.dtype in (np.uint16, np.uint32, np.uint64) else array
    )


def _image_as_tensor(image, size):
    """C×H×W. Arrays and pictures have channels last, unless an array fits a mask of this size as it is."""
    if isinstance(image, torch.Tensor):
        return image.as_subclass(torch.Tensor)
    if getattr(image, "mode", None) in ("P", "PA"):
        raise ValueError("the image is a picture with a palette: use image.convert('RGB')")
    picture = hasattr(image, "mode")
    image = _as_tensor(image.convert("L") if picture and image.mode == "1" else image)
    if image.ndim == 2:
        image = image[None]
    elif image.ndim == 3 and (picture or image.shape[1:] != size) and image.shape[:2] == size:
        image = image.permute(2, 0, 1).contiguous()
    elif not picture:
        return image
    return (
        image / 255 if image.dtype == torch.uint8 else image.float() if image.dtype == torch.bool else image
    )


def check_image(image) -> torch.Tensor:
    """One image as a tensor C×H×W of floats. Raises: ValueError, TypeError: it is something else."""
    image = torch.as_tensor(image)
    if not image.is_floating_point():
        raise TypeError(f"images are float, 0..1, not {image.dtype}: use image.float() / 255")
    if image.ndim != 3 or 0 in image.shape:
        cure = {2: "; add the channel with image[None]", 4: "; take one image of the batch, image[0]"}.get(
            image.ndim, ""
        )
        raise ValueError(f"an image is C×H×W, not {'×'.join(map(str, image.shape))}{cure}")
    return image


def item_cure(image, mask) -> str:
    """The cure for an image and a mask whose shapes do not go together, in words for an error message.

    >>> item_cure(torch.zeros(3, 4, 6), torch.zeros(1, 4, 6))
    ': use mask[0]'
    """
    if image.ndim == 2 and image.shape == mask.shape:
        return ": use image[None]"
    if mask.ndim == 3 and mask.shape[0] == 1:
        return ": use mask[0]"
    if image.ndim == 3 and image.shape[:2] == mask.shape:
        return ": use image.permute(2, 0, 1)"
    if mask.ndim == 3 and mask.shape[1:] == image.shape[1:]:
        return ": of one plane for each class, use mask.argmax(0)"
    if mask.ndim == 3 and mask.shape[2] in (3, 4):
        return ": a mask of colours is not one of class numbers; segnb.data.load('folder', mapping=...) reads such"
    return ""


def check_input(logits, target, ignore_index, labels=True) -> tuple[torch.Tensor, torch.Tensor]:
    """(logits N×K×H×W in float32 or wider, target N×H×W in int64), checked.

    Args:
        labels: whether to look at the labels. It is done on the CPU, and elsewhere only under SEGNB_STRICT=1:
            reading the answer back would make a GPU wait. False leaves them to the caller.
    Raises:
        TypeError: wrong dtypes.
        ValueError: shapes that do not fit, labels that are neither a class 0..K−1 nor `ignore_index`.
    """
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating point, got {logits.dtype}: pass the network's raw output")
    if logits.ndim != 4:
        raise ValueError(f"logits must be N×K×H×W, got the shape {tuple(logits.shape)}")
    check_integers(target, "target")
    check_fit(logits, target)
    check_void(logits.shape[1], ignore_index, "use ignore_index=-1")
    target = target.long()
    if labels and (target.device.type == "cpu" or os.environ.get("SEGNB_STRICT") == "1"):
        check_labels(target, logits.shape[1], ignore_index)
    return logits if logits.dtype == torch.float64 else logits.float(), target


def check_finite(logits, images=None, items=None) -> None:
    """Raise FloatingPointError for logits N×K×H×W with NaN or +inf, of which argmax would still make classes.

    Args:
        images: what they were made of, to tell whose fault it is.
        items: their numbers in a data set, for the message.
    """
    # amax hands NaN on; −inf is how a class is ruled out.
    if logits.numel() == 0 or logits.amax() < torch.inf:
        return
    tops = logits.flatten(1).amax(1).tolist()
    k = next(k for k, top in enumerate(tops) if not top < torch.inf)
    where = "" if items is None else f" for item {items[k]}"
    if images is not None and not images[k].isfinite().all():
        cure = "its picture is not finite: look at where it comes from, or use image.nan_to_num(0, 1, 0)"
    else:
        cure = (
            "look for weights that are not finite in model.state_dict(); a network trained in half precision needs "
            "SEGNB_DTYPE=float32"
        )
    raise FloatingPointError(
        f"the network's logits hold {tops[k]}{where}, so no class is the largest: {cure}"
    )


def logits_of(output) -> torch.Tensor:
    """The N×K×H×W logits in what a network returns: all of it, or "out" in a dict as torchvision's."""
    return output["out"] if isinstance(output, dict) else output


def check_integers(labels, name) -> None:
    """Raise TypeError for anything but whole numbers, with the cure for what is there instead."""
    if labels.dtype not in INTEGERS:
        raise TypeError(
            f"{name} must hold integer class indices, got {labels.dtype}{_integers(labels, name)}"
        )


def _integers(labels, name):
    """The cure for a mask that holds no integers."""
    if not labels.is_floating_point() or bool((labels == labels.round()).all()):
        return f": use {name}.long()"
    bytes_ = labels.double() * 255
    # Half precision keeps three digits.
    if bool(((bytes_ - bytes_.round()).abs() <= (1e-3 if labels.dtype.itemsize > 2 else 0.1)).all()):
        return f" in steps of 1/255, as ToTensor makes them of a mask: use ({name} * 255).round().long()"
    one = f"{name}.argmax(1)" if labels.ndim == 4 else f"({name} > 0.5).long()"
    return (
        f" with fractions: soft labels are not supported, so choose one class for each pixel first, use {one}"
    )


def check_fit(logits, target) -> None:
    """Raise ValueError unless an N×H×W target belongs to N×K×H×W logits."""
    wanted = (logits.shape[0], *logits.shape[2:])
    if target.shape != wanted:
        raise ValueError(
            f"target must be N×H×W = {wanted} for logits {tuple(logits.shape)}, got {tuple(target.shape)}: class "
            "indices without a class dimension, and cropped to the logits if those are smaller, never resized"
        )


def check_labels(labels, num_classes, ignore_index) -> None:
    """Raise ValueError unless every label is a class 0..num_classes−1 or `ignore_index`.

    >>> check_labels(torch.tensor([0, 3, 255]), num_classes=2, ignore_index=255)
    Traceback (most recent call last):
    ValueError: target must hold classes 0..1 or ignore_index=255, found 3: the network needs num_classes=4...
    """
    if labels.numel() == 0:
        return
    low, high = labels.aminmax()
    if low < 0 or high >= num_classes:  # void, as a rule
        low, high = labels.where(labels != ignore_index, 0).aminmax()
    if low < 0 or high >= num_classes:
        found = (low if low < 0 else high).item()
        raise ValueError(
            f"target must hold classes 0..{num_classes - 1} or ignore_index={ignore_index}, found {found}"
            f"{more_classes(num_classes, found)}"
        )


def more_classes(num_classes, found) -> str:
    """The cure for a label beyond the classes of a network, in words for an error message."""
    if num_classes == 1:
        return ": an object and its background are two classes, num_classes=2"
    if found == 255:
        return ": ignore_index=255 leaves such pixels out"
    return f": the network needs num_classes={found + 1}, or the masks other labels" if found > 0 else ""


def check_void(num_classes, ignore_index, cure) -> None:
    """Raise ValueError where 255, the usual label of void, is a class as well."""
    if ignore_index == 255 < num_classes:
        raise ValueError(f"of {num_classes} classes 255 is one, so it cannot mean void too: {cure}")
