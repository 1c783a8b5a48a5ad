"""What the two studies of the border weight map share: their three trainings, and how merged cells are counted."""

from functools import partial

import numpy as np
import torch
from scipy import ndimage

import segnb
from book.studies.unet.padded import train_padded


def compare(name, seed, steps):
    """Three trainings on one data set that differ in nothing but the weights of the pixels. → figures of each"""
    train, val = segnb.data.load(name, "train"), segnb.data.load(name, "val")
    mapped = segnb.data.with_weight_map(train, sigma=3)
    plain = segnb.losses.cross_entropy
    figures = {}
    for variant, items, loss in (
        ("no weights", train, plain),
        ("class weight", train, partial(plain, weight=mean_weights(mapped))),
        ("border map", mapped, plain),
    ):
        figures[variant] = measure(train_padded(items, steps, seed, loss), val)
    return figures


def mean_weights(mapped):
    """The border map's mean over the background, and over the cells: what a plain class weight can copy of it."""
    masks, weights = zip(*((mask, weight) for _, mask, weight in mapped))
    mask, weight = torch.stack(masks), torch.stack(weights)
    return torch.stack([weight[mask == c].mean() for c in (0, 1)])


def measure(model, val):
    """Merged and split cells, and the IoU of the cells' pixels, and of those between them."""
    merged, split, cells = 0, 0, 0
    for i in range(len(val)):
        predicted = segnb.predict(model, val[i][0]).argmax(0).numpy()
        m, s, n = merged_and_split(predicted == 1, val.cells(i).numpy())
        merged, split, cells = merged + m, split + s, cells + n
    matrix = segnb.evaluate(model, val)
    return {"merged cells": merged / cells, "split cells": split / cells, "cell IoU": matrix.iou[1].item()}


def merged_and_split(predicted, cells, smallest=30):
    """How many true cells share their main predicted piece with another cell; how many lie in two pieces or more; of how many.

    A cell's main piece is the 4-connected component of `predicted` that covers most of it; pieces and cells of fewer
    than `smallest` pixels do not count.
    """
    pieces, _ = ndimage.label(predicted)
    owner, split, counted = [], 0, 0
    for cell in range(1, cells.max() + 1):
        inside = pieces[cells == cell]
        if len(inside) < smallest:
            continue
        counted += 1
        covered = np.bincount(inside)
        covered[0] = 0
        owner.append(int(covered.argmax()) if covered.any() else 0)
        split += int((covered >= smallest).sum() > 1)
    found = [piece for piece in owner if piece]
    merged = sum(found.count(piece) > 1 for piece in found)
    return merged, split, counted
