"""The deeper notebook on Dice: the price of missing a pixel, trained with, or set afterwards by moving the line."""

from functools import partial

import segnb
from book.studies.dice.recipe import foreground, train
from book.studies.dice.specks import shaken_specks
from book.tools.studies import study

SHARE = 0.01
BETAS, LINES = (0.1, 0.3, 0.5, 0.7, 0.9), (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


@study(data="specks", seeds=(0, 1, 2), steps=800, brief=2)
def one_seed(seed, steps):
    """Does a net trained with Tversky's price β come further than a net whose line is moved afterwards?"""
    items, unseen = shaken_specks(SHARE)

    def trained(loss):
        return foreground(train(items, loss, steps, seed), unseen)

    priced = {beta: trained(partial(segnb.losses.tversky, alpha=1 - beta, beta=beta)) for beta in BETAS}
    moved = {"cross-entropy": trained(segnb.losses.cross_entropy), "Dice": priced[0.5]}
    return {
        "trained with its price": {f"{beta}": trade(p > 0.5, truth) for beta, (p, truth) in priced.items()}
    } | {
        f"{name}, line moved": {f"{line}": trade(p > line, truth) for line in LINES}
        for name, (p, truth) in moved.items()
    }


def trade(called, truth):
    """The share of the true pixels that is found, the share of the called ones that is right, and the IoU."""
    hit, said, true = (pixels.sum().double() for pixels in (called & truth, called, truth))
    measures = {"found": hit / true, "right": hit / said.clamp_min(1), "IoU": hit / (said + true - hit)}
    return {name: value.item() for name, value in measures.items()}
