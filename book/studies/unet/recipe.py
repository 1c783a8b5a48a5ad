"""The training that all studies of the U-Net chapter share, so that their variants differ in nothing else."""

import torch

import segnb


def train_unet(
    items, steps, seed, *, loss=segnb.losses.cross_entropy, batch_size=4, warmup=0.1, sigma=5, skips=True
):
    """The chapter's small U-Net, trained on windows of 188 pixels that are turned, mirrored and bent. → (model, History)"""
    data = segnb.data
    torch.manual_seed(seed)
    model = segnb.models.UNet(width=16, depth=3, skips=skips)
    history = segnb.fit(
        model,
        items,
        loss=loss,
        steps=steps,
        batch_size=batch_size,
        lr=3e-3,
        warmup=warmup,
        augment=data.augment(data.crop(188), data.quarter_turns(), data.flips(), data.elastic(sigma=sigma)),
        seed=seed,
    )
    return model, history
