"""The lecture on cross-entropy, its claim: class weights raise the mean class accuracy and cost global accuracy."""

import segnb
from book.studies.cross_entropy.recipe import compare_weights
from book.tools.studies import study


@study(data="street", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """What do median-frequency weights, and their square root, win and cost on a street?"""
    return compare_weights(segnb.data.load("street"), segnb.data.load("street", "val"), steps, seed)
