"""The first lecture, its claim: a small net that takes walls for roads lacks view, not weights."""

import segnb
from book.studies.every_pixel.recipe import NETS, measure, trained
from book.tools.studies import study


@study(data="street", seeds=(0, 1, 2), steps=200, brief=2)
def one_seed(seed, steps):
    """What tells walls from roads: a wider view, more weights, or an edge that gives the place away?"""
    train, val = segnb.data.load("street"), segnb.data.load("street", "val")
    figures = {}
    for name, build in NETS.items():
        net = trained(build, train, steps, seed)
        weights = sum(p.numel() for p in net.parameters())
        figures[name] = {"weights": weights, **measure(segnb.evaluate(net, val), val.classes)}
    return figures
