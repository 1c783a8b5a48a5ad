"""A trained network on pictures of any size: mirror to a size it takes, run it, crop back; in tiles where memory is short.

Source of the mirrored border and of the tiles: U-Net (Ronneberger et al., 2015), section 2, figure 2.
"""

from contextlib import contextmanager

import torch

from .metrics import ConfusionMatrix
from .shapes import as_item, check_data, check_image, check_integers, check_void, item_cure, stated


def predict(model, image, *, tile=None):
    """Class probabilities K×H×W (float32, on the CPU) for one C×H×W float image in 0..1 of any size.

    The image is continued by mirror images: by exactly `model.margin` pixels at the top and left, at the bottom and right
    by as many and by what is missing to a size that the network takes. The probabilities are cropped back, so that each
    pixel of the image gets its own. A module without `margin`, `step` and `valid_size` counts as one that keeps every
    size; its output may be a dict with the logits under "out", as torchvision's are.

    tile: None runs the network once. A number is the side (px) of the square that the network sees at a time; such
    squares stand on one grid, whose step is the largest multiple of `model.step` within their output (572: output 388,
    step 384), because only such shifts shift the output alike. For the valid U-Net the result is that of one run.

    ``ValueError`` for a tile that the network does not take or that is too small to cover anything (188), naming the
    next that works (204), and for logits of an unexpected size; ``TypeError`` for images of integers.
    """
    image = check_image(image)
    with evaluating(model):
        windows = _whole(model, image.shape[1:]) if tile is None else _tiles(model, image.shape[1:], tile)
        return _run(model, image[None], *windows)[0].softmax(0)


def evaluate(model, data):
    """The `ConfusionMatrix` of a model on a whole data set, every pixel counted.

    data: a map-style data set of (image, mask), of equal sizes or not; further parts of an item are left alone. Items may
    be what `fit` takes. Pixels with the label `data.ignore_index` (255 if the set says nothing) are ignored. Images are
    mirrored and cropped as in `predict`.

    Warns (`segnb.training.Suspicious`) where the result is too good to be true. ``ValueError``: there is nothing in it, a
    label beyond the network's classes. ``FloatingPointError``: a logit is NaN or +inf.
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
            items = range(first, first + len(images))
            watch.batch(items, images, masks)
            logits = _run(model, images, *_whole(model, images.shape[2:]))
            watch.answer(logits)
            _check_logits(logits, items)
            if matrix is None:
                check_void(logits.shape[1], ignored, "give the data set an attribute ignore_index = -1")
                matrix = ConfusionMatrix(logits.shape[1], ignored)
            matrix.update(logits, masks)
            first = items.stop
    watch.end()
    return matrix


def _check_logits(logits, items):
    """Raise ``FloatingPointError`` for NaN and +inf, of which argmax would still make classes."""
    for index, top in zip(items, logits.flatten(1).amax(1).tolist(), strict=True):
        if not top < float("inf"):
            raise FloatingPointError(
                f"the network's logits hold {top} for item {index}: look for weights and pixels that are not finite, "
                "model.state_dict() and data[...]; a network trained in half precision needs SEGNB_DTYPE=float32"
            )


def _batches(data, pixels=2**17):
    """(images N×C×H×W, masks N×H×W): neighbours of one size together, as many as have so many pixels, but at least one."""
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


@contextmanager
def evaluating(model):
    """Eval mode, true float32 and no gradients inside; outside everything is as it was, each module's mode too."""
    modes = [(module, module.training) for module in model.modules()]
    device = device_of(model).type
    cudnn = torch.backends.cudnn
    kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
    model.eval()
    try:
        # allow_tf32: on newer GPUs "float32" convolutions would round to 10 bits and tiles no longer agree.
        with (
            torch.no_grad(),
            torch.autocast(device if device != "meta" else "cpu", enabled=False),
            cudnn.flags(**kept, allow_tf32=False),
        ):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def device_of(model):
    """Where the model's numbers are; the CPU for a model without any."""
    return next(
        (t.device for group in (model.parameters(), model.buffers()) for t in group), torch.device("cpu")
    )


def logits_of(output):
    """The N×K×H×W logits in what a network returns; torchvision's return a dict, with an auxiliary output beside them."""
    return output["out"] if isinstance(output, dict) else output


def mirrored(side, before, after):
    """Indices 0..side−1 of a row continued by mirroring, as often as needed: side 3, 3 before → 1 2 1 | 0 1 2."""
    period = max(1, 2 * (side - 1))
    index = torch.arange(-before, side + after) % period
    return torch.minimum(index, period - index)


def _whole(model, size):
    """One window that covers the picture: its (height, width) as the network takes it, and how far to the next (never)."""
    margin, fits = getattr(model, "margin", 0), getattr(model, "valid_size", int)
    window = tuple(fits(side + 2 * margin) for side in size)
    return window, window


def _tiles(model, size, tile):
    """Square windows and their step."""
    margin, fits = getattr(model, "margin", 0), getattr(model, "valid_size", int)
    multiple = getattr(model, "step", 1)
    smallest = fits(max(1, 2 * margin + multiple))
    if tile < smallest:
        raise ValueError(f"a tile of {tile} px cannot cover a picture; the smallest that can is {smallest}")
    if fits(tile) != tile:
        raise ValueError(f"the network takes no tile of {tile} px; the next that works is {fits(tile)}")
    step = (tile - 2 * margin) // multiple * multiple
    return (tile, tile), (step, step)


def _run(model, images, window, step):
    """Logits N×K×H×W (float32, CPU) of N×C×H×W images, from windows of one size a step apart."""
    margin, device = getattr(model, "margin", 0), device_of(model)
    size = images.shape[2:]
    starts, continued = [], []
    for side, seen, stride in zip(size, window, step):
        count = 1 + max(
            0, -(-(side - (seen - 2 * margin)) // stride)
        )  # until the last output reaches the far edge
        starts.append([i * stride for i in range(count)])
        continued.append(mirrored(side, margin, starts[-1][-1] + seen - margin - side))
    rows, columns = continued
    result = None
    for top in starts[0]:
        for left in starts[1]:
            part = images[:, :, rows[top : top + window[0], None], columns[left : left + window[1]]]
            logits = logits_of(model(part.to(device, torch.float32))).to("cpu", torch.float32)
            if logits.shape[2:] != (window[0] - 2 * margin, window[1] - 2 * margin):
                raise ValueError(
                    f"{type(model).__name__} states a margin of {margin} px a side, but made {tuple(logits.shape[2:])} "
                    f"of {tuple(part.shape[2:])}: a model that loses a border needs the attribute `margin`"
                )
            if result is None:
                result = logits.new_empty(*logits.shape[:2], *size)
            height, width = min(logits.shape[2], size[0] - top), min(logits.shape[3], size[1] - left)
            result[:, :, top : top + height, left : left + width] = logits[:, :, :height, :width]
    return result
