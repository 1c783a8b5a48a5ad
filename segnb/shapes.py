"""What an image, a mask and logits are: the checks that everything begins with."""

import os

import torch

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def check_image(image):
    """One C×H×W float image as a tensor; ValueError or TypeError if `image` is something else."""
    image = torch.as_tensor(image)
    if not image.is_floating_point():
        raise TypeError(f"images are float, 0..1, not {image.dtype}: use image.float() / 255")
    if image.ndim != 3 or 0 in image.shape:
        cure = {2: "; add the channel with image[None]", 4: "; take one image of the batch, image[0]"}.get(
            image.ndim, ""
        )
        raise ValueError(f"an image is C×H×W, not {'×'.join(map(str, image.shape))}{cure}")
    return image


def check_input(logits, target, ignore_index):
    """Return N×K×H×W logits in float32 or wider and the N×H×W target as int64.

    Raises ``TypeError`` for wrong dtypes and ``ValueError`` for shapes that do not fit or labels that are
    neither a class 0..K−1 nor `ignore_index`. Label values are checked always on the CPU; elsewhere only under
    ``SEGNB_STRICT=1``, because reading the answer back would make a GPU wait.
    """
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating point, got {logits.dtype}: pass the network's raw output")
    if logits.ndim != 4:
        raise ValueError(f"logits must be N×K×H×W, got the shape {tuple(logits.shape)}")
    check_integers(target, "target")
    check_fit(logits, target)
    check_void(logits.shape[1], ignore_index)
    target = target.long()
    if target.device.type == "cpu" or os.environ.get("SEGNB_STRICT") == "1":
        check_labels(target, logits.shape[1], ignore_index)
    return logits if logits.dtype == torch.float64 else logits.float(), target


def check_finite(logits, image=None):
    """Raise ``FloatingPointError`` for logits that are NaN or +inf: their largest would be class 0, without a word.

    image: the batch that they were made of, to tell whose fault it is.
    """
    # amax hands NaN on; −inf is how a class is ruled out.
    if logits.numel() == 0 or logits.amax() < torch.inf:
        return
    if image is not None and not image.isfinite().all():
        raise FloatingPointError(
            "the picture holds NaN or infinity, so the logits are no numbers: look at where it comes from, or "
            "replace them with image.nan_to_num(0, 1, 0)"
        )
    raise FloatingPointError(
        "the logits hold NaN or +inf, so no class is the largest. If the network's weights are not finite "
        "(any(not p.isfinite().all() for p in model.state_dict().values())), train it again with a smaller lr or clip=1.0; "
        "if it ran in half precision, run it in float32"
    )


def logits_of(output):
    """The N×K×H×W logits in what a network returns; torchvision's return a dict, with an auxiliary output beside them."""
    return output["out"] if isinstance(output, dict) else output


def check_integers(labels, name):
    """Raise ``TypeError`` for anything but whole numbers; a mask of bools or floats is often a slip."""
    if labels.dtype not in INTEGERS:
        raise TypeError(f"{name} must hold integer class indices, got {labels.dtype}: use {name}.long()")


def check_fit(logits, target):
    """Raise ``ValueError`` unless an N×H×W target belongs to N×K×H×W logits."""
    wanted = (logits.shape[0], *logits.shape[2:])
    if target.shape != wanted:
        raise ValueError(
            f"target must be N×H×W = {wanted} for logits {tuple(logits.shape)}, got {tuple(target.shape)}: class "
            "indices without a class dimension, and cropped to the logits if those are smaller, never resized"
        )


def check_void(num_classes, ignore_index):
    """Raise ``ValueError`` if there are so many classes that the default label of void, 255, is one of them."""
    if num_classes > ignore_index == 255:
        raise ValueError(
            f"with {num_classes} classes the label 255 is a class, and would be ignored as void: mark void by another "
            "number in the masks and say so, as ignore_index=-1"
        )


def check_labels(labels, num_classes, ignore_index):
    """Raise ``ValueError`` unless every label is a class 0..num_classes−1 or `ignore_index`."""
    if labels.numel() == 0:
        return
    low, high = labels.where(labels != ignore_index, 0).aminmax()
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"target must hold classes 0..{num_classes - 1} or ignore_index={ignore_index}, "
            f"found {(low if low < 0 else high).item()}"
        )
