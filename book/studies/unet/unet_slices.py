"""The deeper notebook on U-Net: how many slices does it need?"""

import torch
from torch.utils.data import Subset

import segnb
from book.studies.unet.padded import train_padded
from book.tools.studies import study


@study(data="cells", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """How does a U-Net's score grow with the number of training slices?"""
    train, val = segnb.data.load("cells", "train"), segnb.data.load("cells", "val")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).tolist()
    figures = {}
    for count in (2, 5, 10, 20):
        chosen = order[:count]
        # Each slice as often as makes twenty: the same number of windows in a batch and in an epoch.
        model = train_padded(Subset(train, chosen * (len(train) // count)), steps, seed)
        figures[f"{count} slices"] = {
            "F1 on new slices": segnb.evaluate(model, val).dice[0].item(),
            "F1 on its own slices": segnb.evaluate(model, Subset(train, chosen)).dice[0].item(),
        }
    return figures
