"""The deeper notebook on U-Net: how many slices does it need?"""

import torch
from torch.utils.data import Subset

import segnb
from book.tools.studies import study


@study(
    depends_on=["segnb.models.unet", "segnb.training", "segnb.data.cells", "segnb.data.augment"],
    data="cells",
    seeds=(0, 1, 2),
    steps=120,
    brief=4,
)
def one_seed(seed, steps):
    """How does a U-Net's score grow with the number of training slices?"""
    data = segnb.data
    train, val = data.load("cells", "train"), data.load("cells", "val")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).tolist()
    augment = data.augment(data.crop(188), data.quarter_turns(), data.flips(), data.elastic(sigma=5))
    figures = {}
    for count in (2, 5, 10, 20):
        chosen = Subset(train, order[:count])
        torch.manual_seed(seed)
        model = segnb.models.UNet(width=16, depth=3)
        segnb.fit(
            model,
            chosen,
            loss=segnb.losses.cross_entropy,
            steps=steps,
            batch_size=2,
            lr=3e-3,
            warmup=0.1,
            augment=augment,
            seed=seed,
        )
        figures[f"{count} slices"] = {
            "F1 on new slices": segnb.evaluate(model, val).dice[0].item(),
            "F1 on its own slices": segnb.evaluate(model, chosen).dice[0].item(),
        }
    return figures
