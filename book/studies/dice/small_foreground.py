"""The lecture on Dice, its claim: which losses find a small foreground, and is it the loss or the start?"""

import segnb
from book.studies.dice.recipe import losses, share_of, train
from book.studies.dice.specks import specks
from book.tools.studies import study


@study(data="specks", seeds=(0, 1, 2), steps=400, brief=1)
def one_seed(seed, steps):
    """Which losses find a foreground of 10 %, 1 % and 0.1 % of the picture?"""
    figures = {}
    for share in (0.1, 0.01, 0.001):
        items, val = specks(share)
        figures[f"{share:.1%}"] = {
            name: {"IoU": segnb.evaluate(train(items, loss, steps, seed, bias=bias), val).iou[1].item()}
            for name, (loss, bias) in losses(share_of(items)).items()
        }
    return figures
