"""The lecture on Dice, its claim: a speck of a tenth of a per cent, each loss from each start."""

import segnb
from book.studies.dice.recipe import share_of
from book.studies.dice.specks import specks
from book.studies.dice.starts import PAPER, grid
from book.tools.studies import study


@study(data="specks", seeds=(0, 1, 2), steps=400, brief=1)
def one_seed(seed, steps):
    """Is it the loss or the start that finds a foreground of 0.1 % of the picture?"""
    items, val = specks(0.001)
    starts = {"fresh": None, "π = 0.01": PAPER, "π = share": share_of(items)}

    def measure(model):
        return {"IoU": segnb.evaluate(model, val).iou[1].item()}

    return grid(items, starts, steps, seed, measure)
