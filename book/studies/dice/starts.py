"""A small foreground by the whole grid: each loss from each start."""

import math
from functools import partial

import torch

import segnb
from book.studies.dice import recipe

PAPER = 0.01  # the prior π that the focal loss's paper starts with, whatever the share


def losses(p):
    """The losses under comparison, for a foreground of share p."""
    plain = {name: loss for name, (loss, bias) in recipe.losses(p).items() if not bias}
    return plain | {
        "generalised Dice": segnb.losses.generalised_dice,
        "Tversky, β 0.7": partial(segnb.losses.tversky, alpha=0.3, beta=0.7),
    }


def train(items, loss, steps, seed, *, prior=None, in_channels=1):
    """The lecture's small U-Net; with a prior π its head starts at log(π/(1 − π)), else as fresh weights come."""
    torch.manual_seed(seed)
    model = segnb.models.UNet(in_channels, 2, width=8, depth=3, padding="same", norm="batch")
    if prior is not None:
        model.head.bias.data = torch.tensor([0.0, math.log(prior / (1 - prior))])
    segnb.fit(
        model, items, loss=loss, steps=steps, batch_size=4, lr=3e-3, warmup=0.1, seed=seed, progress=False
    )
    return model


def grid(items, starts, steps, seed, measure, *, in_channels=1):
    """{loss: {start: what `measure` says of the trained net}}, where starts is {name: prior or None}."""
    return {
        name: {
            start: measure(train(items, loss, steps, seed, prior=prior, in_channels=in_channels))
            for start, prior in starts.items()
        }
        for name, loss in losses(recipe.share_of(items)).items()
    }
