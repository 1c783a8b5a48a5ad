"""The lecture on FCN, its claim: scores of one, two or three maps."""

import segnb
from book.studies.fcn.networks import small_fcn
from book.studies.streets import measure_net, train
from book.tools.studies import study


@study(data="street", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """How much better does a small FCN get with the scores of pool4, and of pool3?"""
    data, val = segnb.data.load("street", "train"), segnb.data.load("street", "val")
    figures = {}
    for stride in (32, 16, 8):
        model = small_fcn(seed, stride)
        train(model, data, steps, seed)
        figures[f"FCN-{stride}s"] = measure_net(model, val)
    return figures
