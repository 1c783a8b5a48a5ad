"""The lecture on U-Net, its claim: the same network with and without skip connections."""

import segnb
from book.studies.unet.recipe import train_unet
from book.tools.studies import study


@study(data="cells", seeds=(0, 1, 2), steps=240, brief=4)
def one_seed(seed, steps):
    """Do skip connections bring the borders back?"""
    train, val = segnb.data.load("cells", "train"), segnb.data.load("cells", "val")
    figures = {}
    for name, skips in (("with skips", True), ("without skips", False)):
        model, _ = train_unet(train, steps, seed, skips=skips)
        matrix = segnb.evaluate(model, val)
        figures[name] = {
            "membrane F1": matrix.dice[0].item(),
            "pixel error": 1 - matrix.pixel_accuracy.item(),
        }
    return figures
