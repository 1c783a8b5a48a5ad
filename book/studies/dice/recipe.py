"""How the studies of the chapter on Dice train: the losses under comparison, one small net, and what it finds."""

import math
from functools import partial

import torch

import segnb
from segnb.run import current


def foreground(model, items):
    """The probabilities of the foreground and where it is in truth: pictures × H × W each."""
    p = torch.stack([segnb.predict(model, image)[1] for image, _ in items])
    return p, torch.stack([mask for _, mask in items]) == 1


def share_of(items):
    """The foreground's share of all labelled pixels."""
    mask = torch.stack([mask for _, mask in items])
    return ((mask == 1).sum() / (mask != 255).sum()).item()


def losses(p):
    """The losses under comparison, and whether the head's bias starts at log(p/(1−p)), for a foreground of share p."""
    ce, dice = segnb.losses.cross_entropy, segnb.losses.dice
    weight = torch.tensor([1 / (1 - p), 1 / p], device=current().device)

    def both(logits, target):
        return ce(logits, target) + dice(logits, target)

    return {
        "cross-entropy": (ce, False),
        "weighted": (partial(ce, weight=weight), False),
        "focal": (segnb.losses.focal, False),
        "Dice": (dice, False),
        "cross-entropy + Dice": (both, False),
        "cross-entropy, bias": (ce, True),
    }


def train(items, loss, steps, seed, *, bias=False, in_channels=1):
    """The lecture's small U-Net; with `bias` its head starts at the foreground's share, log(p/(1 − p))."""
    torch.manual_seed(seed)
    model = segnb.models.UNet(in_channels, 2, width=8, depth=3, padding="same", norm="batch")
    if bias:
        p = share_of(items)
        model.head.bias.data = torch.tensor([0.0, math.log(p / (1 - p))])
    segnb.fit(
        model, items, loss=loss, steps=steps, batch_size=4, lr=3e-3, warmup=0.1, seed=seed, progress=False
    )
    return model
