"""The world of the chapter on Dice: bright specks that cover a given share of the picture."""

import math

import torch
from torch.nn import functional as F

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
