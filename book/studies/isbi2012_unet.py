"""U-Net on the real slices: train 0-19, measured on 20-23."""

import torch

import segnb
from book.tools.studies import study


@study(
    depends_on=["segnb.models.unet", "segnb.training", "segnb.data.isbi2012", "segnb.data.augment"],
    data="isbi2012",
    seeds=(0,),
    steps=1600,
    brief=4,
    real=True,
)
def one_seed(seed, steps):
    """How small does the pixel error on real membranes get in about three and about ten minutes on two CPU cores?"""
    data = segnb.data
    train, val = data.choose("isbi2012", "train"), data.choose("isbi2012", "val")
    augment = data.augment(data.crop(188), data.quarter_turns(), data.flips(), data.elastic())
    figures = {}
    for name, share in (("short run", 0.45), ("long run", 1.0)):
        torch.manual_seed(seed)
        model = segnb.models.UNet(width=16, depth=3)
        history = segnb.fit(
            model,
            train,
            loss=segnb.losses.cross_entropy,
            steps=max(2, round(steps * share)),
            batch_size=4,
            lr=3e-3,
            warmup=0.05,
            augment=augment,
            seed=seed,
        )
        matrix = segnb.evaluate(model, val)
        figures[name] = {
            "pixel error": 1 - matrix.pixel_accuracy.item(),
            "membrane F1": matrix.dice[0].item(),
            "membrane IoU": matrix.iou[0].item(),
            "mean IoU": matrix.mean_iou.item(),
            "training seconds": history.seconds[-1],
        }
    return figures
