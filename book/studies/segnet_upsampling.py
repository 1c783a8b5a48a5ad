"""The lecture on SegNet, its claim: indices against bilinear enlargement, for trainings of five lengths."""

import segnb
from book.studies._segnet import CODE, measure, small_segnet
from book.studies._streets import train
from book.tools.studies import study

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)


@study(depends_on=[*CODE, "segnb.data.street"], data="street", seeds=(0, 1, 2), steps=1000, brief=2)
def one_seed(seed, steps):
    """After how many steps do pooling indices beat bilinear enlargement, and in what?"""
    data, val = segnb.data.load("street", "train"), segnb.data.load("street", "val")
    figures = {}
    for way_up in ("indices", "bilinear"):
        figures[way_up] = {}
        for share in SHARES:  # each a training of its own, to the end of its schedule
            length = max(1, round(share * steps))
            model = small_segnet(seed, way_up)
            train(model, data, length, seed, progress=False)
            figures[way_up][f"{share:.0%} of the steps"] = {"steps": length} | measure(model, val)
    return figures
