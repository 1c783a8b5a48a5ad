"""Class weights on real streets: trained on CamVid's 367 images, measured on its 101 validation images."""

import segnb
from book.studies.cross_entropy.recipe import compare_weights
from book.tools.studies import study


@study(data="camvid", seeds=(0,), steps=400, brief=2, real=True)
def one_seed(seed, steps):
    """Do class weights raise the mean class accuracy and cost global accuracy on real streets too?"""
    train, val = (segnb.data.choose("camvid", split, size=(96, 128)) for split in ("train", "val"))
    return compare_weights(train, val, steps, seed)
