"""The deeper notebook on Dice: how much a probability is worth after training with one loss or the other."""

import torch
from torch.nn import functional as F

from book.studies.dice.recipe import foreground, losses, share_of, train
from book.studies.dice.specks import shaken_specks
from book.tools.studies import study

SHARE, RECIPES, FEW, BINS = 0.01, ("cross-entropy", "Dice", "cross-entropy + Dice"), 8, 15


@study(data="specks", seeds=(0, 1, 2), steps=800, brief=2)
def one_seed(seed, steps):
    """Does Dice make a net too sure of itself, after few steps (an eighth) and after many?"""
    items, unseen = shaken_specks(SHARE)
    recipes = losses(share_of(items))
    figures = {}
    for name, count in (("few", max(steps // FEW, 1)), ("many", steps)):
        figures[name] = {
            recipe: confidence(train(items, recipes[recipe][0], count, seed), unseen) for recipe in RECIPES
        }
    return figures


def confidence(model, items, reach=4):
    """What the foreground's probabilities are worth on the pixels within `reach` of the truth or the prediction.

    calibration error: Σ over 15 equal bins of (share of the pixels)·|share of foreground − mean probability|.
    """
    p, truth = foreground(model, items)
    called = p > 0.5
    near = F.max_pool2d((truth | called).float()[:, None], 2 * reach + 1, 1, reach)[:, 0] > 0
    iou = (truth & called).sum() / (truth | called).sum()
    p, truth, called = p[near].double(), truth[near], called[near]
    place = (p * BINS).long().clamp_max(BINS - 1)
    pixels, said, was = (torch.bincount(place, w, BINS) for w in (torch.ones_like(p), p, truth.double()))
    sure = torch.maximum(p, 1 - p)
    wrong = called != truth
    figures = {
        "IoU": iou,
        "calibration error": (was - said).abs().sum() / pixels.sum(),
        "confidence when wrong": sure[wrong].mean() if wrong.any() else torch.tensor(0.0),
        "undecided": (sure < 0.95).double().mean(),
    }
    return {name: value.item() for name, value in figures.items()} | {
        "bins": {
            f"{b:02}": {"pixels": pixels[b].item(), "said": said[b].item(), "was": was[b].item()}
            for b in range(BINS)
        }
    }
