"""The world of the chapter on Dice, and its training: bright specks that cover a given share of the picture."""

import math
from functools import partial

import torch
from torch.nn import functional as F

import segnb
from segnb.run import current

CODE = [
    *("book.studies._specks", "segnb.losses.cross_entropy", "segnb.losses.dice"),
    *("segnb.models.unet", "segnb.training"),
]
TRAIN, VAL, UNSEEN = 400, 40, 100


def speck(number, share=0.001, side=64):
    """The lecture's picture `number`, 1×side×side, and its mask: one disc that covers `share` of it, and three streaks."""
    draw = torch.Generator().manual_seed(number)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    picture = F.interpolate(torch.rand(1, 1, 8, 8, generator=draw), (side, side), mode="bicubic")[0]
    picture = 0.2 + 0.4 * picture + 0.05 * torch.randn(1, side, side, generator=draw)
    for _ in range(3):
        r, c, length = torch.randint(4, side - 20, (3,), generator=draw)
        picture[:, r, c : c + length] += 0.35  # a streak is as bright as the speck
    radius = math.sqrt(share * side**2 / math.pi)
    r, c = radius + 1 + (side - 2 * radius - 2) * torch.rand(2, generator=draw)
    mask = (y + 0.5 - r) ** 2 + (x + 0.5 - c) ** 2 < radius**2
    return (picture + 0.35 * mask).clamp(0, 1), mask.long()


def shaken(number, share):
    """A speck whose mask was drawn by a shaky hand, up to a pixel off each way: its rim can only be guessed."""
    picture, mask = speck(number, share)
    off = torch.randint(-1, 2, (2,), generator=torch.Generator().manual_seed(number + 1))
    return picture, mask.roll(off.tolist(), (0, 1))


def specks(share):
    """Training and validation pictures of one share."""
    return [[speck(first + i, share) for i in range(count)] for first, count in ((0, TRAIN), (10**6, VAL))]


def shaken_specks(share):
    """The same with shaken masks, for training and for measuring."""
    return [
        [shaken(first + i, share) for i in range(count)] for first, count in ((0, TRAIN), (2 * 10**6, UNSEEN))
    ]


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
