"""The recipe of the deeper notebook on U-Net: a net that has learned after a few hundred steps, when its studies measure it."""

import torch

import segnb


def train_padded(items, steps, seed, loss=segnb.losses.cross_entropy):
    """A small U-Net, padded and with batch norm, on windows of 128 pixels that are turned and mirrored, not bent."""
    data = segnb.data
    torch.manual_seed(seed)
    model = segnb.models.UNet(width=16, depth=3, padding="same", norm="batch")
    segnb.fit(
        model,
        items,
        loss=loss,
        steps=steps,
        batch_size=4,
        lr=3e-3,
        warmup=0.1,
        augment=data.augment(data.crop(128), data.quarter_turns(), data.flips()),
        seed=seed,
    )
    return model
