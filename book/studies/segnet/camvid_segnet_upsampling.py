"""The lecture on SegNet, its claim, on real streets: indices against bilinear enlargement, for two lengths."""

import segnb
from book.studies.segnet.recipe import compare_ways_up
from book.tools.studies import study

SHARES = (5 / 14, 1.0)  # 250 and 700 steps: the lecture's trainings on real streets and on generated ones


@study(data="camvid", seeds=(0, 1, 2), steps=700, brief=2, real=True)
def one_seed(seed, steps):
    """Do pooling indices beat bilinear enlargement on real streets, and in what?"""
    data, val = (segnb.data.choose("camvid", split, size=(96, 128)) for split in ("train", "val"))
    return compare_ways_up(data, val, steps, seed, SHARES)
