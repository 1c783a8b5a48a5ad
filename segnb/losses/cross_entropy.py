"""Cross entropy per pixel, its focal relative, and the weights that go with them."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from ..shapes import INTEGERS, as_item, check_data, check_input, check_labels, class_counts, stated


def cross_entropy(logits, target, *, weight=None, pixel_weight=None, ignore_index=255) -> torch.Tensor:
    """Mean cross entropy over the labelled pixels, Σ w·ℓ / Σ w: a scalar.

    ℓ(x) = −log softmax(logits(x))[target(x)], in nats, and w(x) = weight[target(x)]·pixel_weight(x). Ignored
    pixels leave both sums; if nothing is left (Σ w = 0) the loss is 0 and so is its gradient. Equal to
    `torch.nn.functional.cross_entropy` wherever that has the same option, except that torch gives NaN there.

    Args:
        logits: N×K×H×W, any floating dtype; sums are taken in float32, or in float64 if the logits are.
        target: N×H×W integers, a class 0..K−1 or `ignore_index`.
        weight: one number for each class (K), such as `median_frequency_weights(data)`.
        pixel_weight: one number for each pixel (N×H×W), such as `unet_weight_map(mask)`.
    Raises:
        ValueError: shapes that do not fit, labels outside 0..K−1 (on a GPU only under SEGNB_STRICT=1).
        TypeError: wrong dtypes.
    Source: U-Net (Ronneberger et al., 2015), eq. 1, with the minus sign that its print lost and a normaliser.
    """
    if weight is None and pixel_weight is None:
        # On the CPU torch looks at the labels itself: with 2 classes a look of ours would cost a third more.
        checked = check_input(logits, target, ignore_index, labels=target.device.type != "cpu")
        return _plain(*checked, ignore_index)
    logits, target = check_input(logits, target, ignore_index)
    loss = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    return _weighted_mean(loss, _weigh(logits, target, weight, pixel_weight, ignore_index))


def _plain(logits, target, ignore_index):
    """Torch's own mean, and 0 where it has nothing to divide by."""
    if logits.device.type == "cpu":  # to ask whether it is NaN would make a GPU wait
        try:
            mean = F.cross_entropy(logits, target, ignore_index=ignore_index)
        except IndexError:
            check_labels(target, logits.shape[1], ignore_index)
            raise
        if not mean.isnan():
            return mean
    total = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="sum")
    return total / (target != ignore_index).count_nonzero().clamp_min(1)


def focal(logits, target, *, gamma=2.0, weight=None, pixel_weight=None, ignore_index=255) -> torch.Tensor:
    """Cross entropy that looks away from easy pixels: Σ w·(1 − p)^γ·ℓ / Σ w, p the true class's probability.

    γ = 0 is `cross_entropy`; at γ = 2 a pixel with p = 0.9 counts a hundredth. Arguments, shapes and errors
    as there; the paper divides by the number of boxes with an object, which a segmentation does not have.
    Raises: ValueError: a negative `gamma`.
    Source: Focal loss (Lin et al., 2017), eq. 5.
    """
    if gamma < 0:
        raise ValueError(f"gamma must be 0 or more, got {gamma}")
    logits, target = check_input(logits, target, ignore_index)
    loss = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    missing = -torch.expm1(-loss)  # 1 − p, exact even where p is nearly 1
    missing = missing.clamp_min(torch.finfo(loss.dtype).tiny)  # 0^(γ−1) has no finite slope if γ < 1
    return _weighted_mean(missing**gamma * loss, _weigh(logits, target, weight, pixel_weight, ignore_index))


def _weigh(logits, target, weight, pixel_weight, ignore_index):
    """w(x) = weight[target(x)]·pixel_weight(x), and 0 where the pixel is ignored: N×H×W."""
    counted = target != ignore_index
    w = counted.to(logits.dtype)
    if weight is not None:
        weight = torch.as_tensor(weight, dtype=logits.dtype, device=logits.device)
        if weight.shape != logits.shape[1:2]:
            raise ValueError(
                f"weight must hold {logits.shape[1]} numbers, got the shape {tuple(weight.shape)}"
            )
        w = w * weight[target.where(counted, 0)]
    if pixel_weight is not None:
        if pixel_weight.shape != target.shape:
            raise ValueError(
                f"pixel_weight must be N×H×W = {tuple(target.shape)}, got {tuple(pixel_weight.shape)}"
            )
        w = w * pixel_weight.to(logits.dtype)
    return w


def _weighted_mean(loss, w):
    """Σ w·ℓ / Σ w, and 0 where there is nothing to learn from: 0/1, not 0/0."""
    total = w.sum()
    return (w * loss).sum() / total.where(total != 0, 1)  # nothing to learn from: 0/1, not 0/0


def median_frequency_weights(data, *, include_void=False) -> torch.Tensor:
    """Class weights median(f)/f_c that even out rare and common classes: K float32 numbers.

    f_c = pixels of class c / pixels of the images that contain c, void pixels of those images included. A
    rarer class weighs more; with an odd number of classes one of them weighs exactly 1. A class that never
    appears leaves the median and gets weight 0.

    Args:
        data: a data set with `class_counts()`, or such counts: `.pixels` and `.pixels_in_images`, K+1
            integers each, the last for void; or any other map-style data set, such as a `Subset`, whose masks
            are then counted. (K is what the set in it says, or else its highest label + 1.)
        include_void: let void take part in the median, as one class more. It still gets no weight of its own.
    Source: Eigen & Fergus (2015), for semantic labels; taken over by SegNet (Badrinarayanan et al., 2017).
    """
    if hasattr(data, "class_counts"):
        data = data.class_counts()
    elif not hasattr(data, "pixels"):
        check_data(data, "data")
        masks = (as_item(data[i])[1] for i in range(len(data)))
        data = class_counts(masks, stated(data, "num_classes", None), stated(data, "ignore_index", 255))
    pixels, total = torch.as_tensor(data.pixels), torch.as_tensor(data.pixels_in_images)
    frequency = pixels.double() / total.double()
    if not include_void:
        frequency = frequency[:-1]
    # With an even number, the median is the mean of the middle two; torch's median() is the lower one.
    median = frequency[frequency > 0].quantile(0.5)
    num_classes = len(pixels) - 1
    return torch.where(frequency > 0, median / frequency, 0)[:num_classes].float()


def unet_weight_map(mask, w0=10, sigma=5) -> torch.Tensor:
    """Pixel weights that teach a network the thin gaps between touching cells: float32, shaped like `mask`.

    w(x) = w_c(x) + w0·exp(−(d1 + d2)² / 2σ²), where d1 and d2 are the distances in pixels from x to the
    nearest and the second nearest cell (0 inside a cell), and w_c balances background against cells:
    N/(2·n_c), for n_c of the N labelled pixels on x's side. With one cell there is no second, and w_c alone
    is left.

    Args:
        mask: H×W or N×H×W integers; 0 is background and 255 void, which weighs 0 and is no cell. If the only
            labels are 0 and 1, each 4-connected piece of 1s is a cell; otherwise each positive label is one.
        w0, sigma: height of the border term; its width in pixels.
    Raises: ValueError: another shape, a negative label. TypeError: a mask that is not of integers.
    Source: U-Net (Ronneberger et al., 2015), eq. 2. The paper does not give w_c's formula: this one is ours.
        It measures d1 and d2 to the border of the cells. Outside the cells that is the same; inside a cell
        its d1 grows from the border inwards where ours stays 0, so that ours weighs the pixels of cells
        beside a gap more.
    """
    mask = torch.as_tensor(mask)
    if mask.dtype not in INTEGERS:
        raise TypeError(f"the mask must hold integer labels, got {mask.dtype}")
    if mask.ndim not in (2, 3):
        raise ValueError(f"the mask must be H×W or N×H×W, got the shape {tuple(mask.shape)}")
    if mask.numel() and mask.min() < 0:
        raise ValueError(f"labels must be 0 (background) or more, found {mask.min().item()}")
    if mask.ndim == 3:
        return torch.stack([unet_weight_map(one, w0, sigma) for one in mask])

    labels = mask.cpu().long()
    void, background = labels == 255, labels == 0
    weight = torch.zeros(labels.shape, dtype=torch.float64)
    for side in (background, ~background & ~void):
        weight[side] = (~void).sum() / (2 * side.sum().double())
    d = _two_nearest_cells(labels.masked_fill(void, 0).numpy(), reach=math.ceil(7 * sigma))
    weight += w0 * torch.exp(-(d**2) / (2 * sigma**2))
    return weight.masked_fill(void, 0).float().to(mask.device)


def _two_nearest_cells(labels, reach):
    """d1 + d2 for each pixel, infinite where no second cell lies within `reach` pixels."""
    from scipy import ndimage

    if labels.max(initial=0) == 1:
        labels, _ = ndimage.label(labels)  # its default neighbourhood is the 4-connected one
    d1, d2 = np.full((2, *labels.shape), np.inf)
    for cell, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:  # a label number that this mask does not use
            continue
        near = tuple(slice(max(side.start - reach, 0), side.stop + reach) for side in box)
        d = ndimage.distance_transform_edt(labels[near] != cell)
        d2[near] = np.minimum(d2[near], np.maximum(d1[near], d))
        d1[near] = np.minimum(d1[near], d)
    return torch.from_numpy(d1 + d2)
