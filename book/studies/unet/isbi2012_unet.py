"""U-Net on the real slices: train 0-19, measured on 20-23."""

import torch

import segnb
from book.tools.studies import study


def in_eight_views(model, image):
    """Class probabilities, the mean over the eight ways in which a square slice can be turned and mirrored."""
    total = 0
    for turns in range(4):
        view = image.rot90(turns, (1, 2))
        mirrored = segnb.predict(model, view.flip(2)).flip(2)
        total = total + (segnb.predict(model, view) + mirrored).rot90(-turns, (1, 2))
    return total / 8


# The width of the net, and its share of the steps.
RUNS = {"short run": (16, 0.85), "long run": (24, 1.0)}


@study(data="isbi2012", seeds=(0,), steps=2000, brief=4, real=True)
def one_seed(seed, steps):
    """How small does the pixel error on real membranes get in a few minutes on two CPU cores?"""
    data = segnb.data
    train, val = data.choose("isbi2012", "train"), data.choose("isbi2012", "val")
    figures = {}
    for name, (width, share) in RUNS.items():
        torch.manual_seed(seed)
        model = segnb.models.UNet(width=width, depth=3, padding="same", norm="batch")
        history = segnb.fit(
            model,
            train,
            loss=segnb.losses.cross_entropy,
            steps=round(steps * share),
            batch_size=2,
            lr=3e-3,
            warmup=0.05,
            augment=data.augment(
                data.crop(192), data.quarter_turns(), data.flips(), data.intensity(0.3, 0.3)
            ),
            seed=seed,
        )
        matrix, views = segnb.evaluate(model, val), segnb.metrics.ConfusionMatrix(2)
        for image, mask in val:
            views.update(in_eight_views(model, image).argmax(0), mask)
        figures[name] = {
            "pixel error": 1 - matrix.pixel_accuracy.item(),
            "pixel error, eight views": 1 - views.pixel_accuracy.item(),
            "membrane F1": views.dice[0].item(),
            "membrane IoU": views.iou[0].item(),
            "training seconds": history.seconds[-1],
        }
    return figures
