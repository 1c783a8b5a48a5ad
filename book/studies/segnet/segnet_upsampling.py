"""The lecture on SegNet, its claim: indices against bilinear enlargement, for trainings of five lengths."""

import segnb
from book.studies.segnet.recipe import compare_ways_up
from book.tools.studies import study

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)


@study(data="street", seeds=(0, 1, 2), steps=1000, brief=2)
def one_seed(seed, steps):
    """After how many steps do pooling indices beat bilinear enlargement, and in what?"""
    data, val = segnb.data.load("street", "train"), segnb.data.load("street", "val")
    return compare_ways_up(data, val, steps, seed, SHARES)
