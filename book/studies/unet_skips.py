"""The lecture on U-Net, its claim: the same network with and without skip connections."""

import torch

import segnb
from book.tools.studies import study


@study(
    depends_on=["segnb.models.unet", "segnb.training", "segnb.data.cells", "segnb.data.augment"],
    data="cells",
    seeds=(0, 1, 2),
    steps=240,
    brief=4,
)
def one_seed(seed, steps):
    """Do skip connections bring the borders back?"""
    data = segnb.data
    train, val = data.load("cells", "train"), data.load("cells", "val")
    augment = data.augment(data.crop(188), data.quarter_turns(), data.flips(), data.elastic(sigma=5))
    figures = {}
    for skips in (True, False):
        torch.manual_seed(seed)
        model = segnb.models.UNet(width=16, depth=3, skips=skips)
        segnb.fit(
            model,
            train,
            loss=segnb.losses.cross_entropy,
            steps=steps,
            batch_size=4,
            lr=3e-3,
            warmup=0.1,
            augment=augment,
            seed=seed,
        )
        matrix = segnb.evaluate(model, val)
        figures["with skips" if skips else "without skips"] = {
            "membrane F1": matrix.dice[0].item(),
            "pixel error": 1 - matrix.pixel_accuracy.item(),
        }
    return figures
