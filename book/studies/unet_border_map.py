"""The deeper notebook on U-Net: what the border weight map of equation 2 is for."""

from functools import partial

import numpy as np
import torch
from scipy import ndimage

import segnb
from book.studies._unet import CODE, train_unet
from book.tools.studies import study


@study(
    depends_on=[*CODE, "segnb.data.dish", "segnb.data.weight_maps", "segnb.losses.cross_entropy"],
    data="dish",
    seeds=(0, 1, 2),
    steps=160,
    brief=4,
)
def one_seed(seed, steps):
    """How many touching cells melt together with the border map, without it, and with a class weight of the same mean?"""
    train, val = segnb.data.load("dish", "train"), segnb.data.load("dish", "val")
    mapped = segnb.data.with_weight_map(train)
    plain = segnb.losses.cross_entropy
    weighted = partial(plain, weight=mean_weights(mapped))
    figures = {}
    for name, items, loss in (
        ("no weights", train, plain),
        ("class weight", train, weighted),
        ("border map", mapped, plain),
    ):
        model, _ = train_unet(items, steps, seed, loss=loss)
        figures[name] = measure(model, val)
    return figures


def mean_weights(mapped):
    """The border map's mean over the background, and over the cells: what a plain class weight can copy of it."""
    masks, weights = zip(*((mask, weight) for _, mask, weight in mapped))
    mask, weight = torch.stack(masks), torch.stack(weights)
    return torch.stack([weight[mask == c].mean() for c in (0, 1)])


def measure(model, val):
    """Merged and split cells, and the IoU of the cells' pixels."""
    merged, split, cells = 0, 0, 0
    for i in range(len(val)):
        predicted = segnb.predict(model, val[i][0]).argmax(0).numpy()
        m, s, n = merged_and_split(predicted == 1, val.cells(i).numpy())
        merged, split, cells = merged + m, split + s, cells + n
    iou = segnb.evaluate(model, val).iou[1].item()
    return {"merged cells": merged / cells, "split cells": split / cells, "cell IoU": iou}


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
