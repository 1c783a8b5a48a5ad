"""Batches: which items, in what order, and what a loss gets of them."""

import torch

from ..shapes import as_item, check_integers, item_cure


def batches(images, batch_size, seed, done, steps):
    """(step, indices) of the steps after `done`: consecutive slices of one permutation per epoch."""
    generator = torch.Generator().manual_seed(seed)
    per_epoch = images // batch_size
    # From 0 even when going on: permutations are drawn again, so none is stored.
    for step in range(steps):
        place = step % per_epoch
        if place == 0:
            order = torch.randperm(images, generator=generator).tolist()
        if step >= done:
            yield step, order[place * batch_size : (place + 1) * batch_size]


def load_batch(train, indices, augment, watch):
    """A batch as the data set has it: images N×C×H×W, masks N×H×W, pixel weights N×H×W or None.

    watch: is shown the batch (see `suspicion`). ``ValueError`` for items of other or of unequal shapes, ``TypeError`` for other types.
    """
    items = [as_item(train[i]) for i in indices]
    if augment:
        items = [as_item(augment(*item)) for item in items]
    if any(len(item) > 3 for item in items):
        raise ValueError("an item of the data set is (image, mask) or (image, mask, pixel weight)")
    for item in items:
        _check_item(*item)
    sizes = sorted({tuple(item[0].shape) for item in items})
    if len(sizes) > 1:
        raise ValueError(
            f"images {sizes[0]} and {sizes[-1]} cannot share a batch: load the data at one size=, or use batch_size=1"
        )
    image, mask, weight = (*(torch.stack(column) for column in zip(*items, strict=True)), None)[:3]
    watch.batch(indices, image, mask)
    return image, mask, weight


def on_device(image, mask, weight, device):
    """A batch as the network and the loss take it: float32, int64 and float32 on the run's device."""
    image = image.to(device, torch.float32, memory_format=torch.channels_last)
    return image, mask.to(device).long(), None if weight is None else weight.to(device, torch.float32)


def crop(target, logits):
    """The centre of N×H×W masks or weights, as large as the logits: a valid network says nothing about the border."""
    height, width = logits.shape[2:]
    top, left = (target.shape[1] - height) // 2, (target.shape[2] - width) // 2
    if top < 0 or left < 0:
        raise ValueError(
            f"the logits, {tuple(logits.shape)}, are larger than the masks, {tuple(target.shape)}"
        )
    return target[:, top : top + height, left : left + width]


def _check_item(image, mask, weight=None):
    if not image.is_floating_point():
        cure = "image.float() / 255, or v2.ToDtype(torch.float32, scale=True) of torchvision"
        raise TypeError(f"images must be floats in 0..1, got {image.dtype}: use {cure}")
    check_integers(mask, "mask")
    maps = [mask] if weight is None else [mask, weight]
    if image.ndim != 3 or any(part.shape != image.shape[1:] for part in maps):
        raise ValueError(
            f"an image is C×H×W, its mask and pixel weight H×W; got an image {tuple(image.shape)} with "
            f"{' and '.join(str(tuple(part.shape)) for part in maps)}{item_cure(image, mask)}"
        )
