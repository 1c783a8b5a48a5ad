"""From generated tissue to real: what a net knows of pictures that it was not trained on."""

import torch.nn.functional as F

import segnb
from book.studies.unet.padded import train_padded
from book.tools.studies import study


def views(slices, halved):
    """The real slices in four ways, membranes wide or narrow and noise loud or soft: name → [(image, mask), ...]"""
    return {
        "real, as they are": slices,
        "real, every second pixel": [(image[:, ::2, ::2], mask[::2, ::2]) for image, mask in slices],
        "real, halved and enlarged again": [
            (F.interpolate(half[None], size=tuple(mask.shape), mode="bilinear")[0], mask)
            for (half, _), (_, mask) in zip(halved, slices)
        ],
        "real, halved": halved,
    }


@study(data="isbi2012", seeds=(0, 1, 2), steps=100, brief=2, real=True)
def one_seed(seed, steps):
    """What is a net worth on real slices that was trained on generated ones, and the other way round?

    The net that the package ships has no seed here: its figures are the same in every column.
    """
    data = segnb.data
    twins = {split: data.load("cells", split) for split in ("train", "val")}
    halved = {split: data.choose("isbi2012", split, size=256) for split in ("train", "val")}
    nets = {
        "shipped net": segnb.load_trained("unet"),
        "trained on twins": train_padded(twins["train"], steps, seed),
        "trained on real slices": train_padded(halved["train"], steps, seed),
    }
    slices = list(data.choose("isbi2012", "val"))
    asked = {"twins": list(twins["val"]), **views(slices, list(halved["val"]))}
    return {name: {about: ask(net, items) for about, items in asked.items()} for name, net in nets.items()}


def ask(net, items):
    """How well a net finds the membranes, and how much of the pictures it takes for them."""
    matrix = segnb.evaluate(net, items)
    called, pixels = matrix.matrix[:, 0].sum(), matrix.matrix.sum()
    return {
        "membrane F1": matrix.dice[0].item(),
        "pixel accuracy": matrix.pixel_accuracy.item(),
        "predicted membrane": (called / pixels).item(),
        "true membrane": (matrix.matrix[0].sum() / pixels).item(),
    }
