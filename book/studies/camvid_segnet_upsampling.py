"""The lecture on SegNet, its claim, on real streets: indices against bilinear enlargement, for two lengths."""

import segnb
from book.studies._segnet import CODE, measure, small_segnet
from book.studies._streets import train
from book.tools.studies import study

SHARES = (5 / 14, 1.0)  # 250 and 700 steps: the lecture's trainings on real streets and on generated ones


@study(
    depends_on=[*CODE, "segnb.data.camvid"],
    data="camvid",
    seeds=(0, 1, 2),
    steps=700,
    brief=2,
    real=True,
)
def one_seed(seed, steps):
    """Do pooling indices beat bilinear enlargement on real streets, and in what?"""
    data, val = (segnb.data.choose("camvid", split, size=(96, 128)) for split in ("train", "val"))
    figures = {}
    for way_up in ("indices", "bilinear"):
        figures[way_up] = {}
        for share in SHARES:  # each a training of its own, to the end of its schedule
            length = max(1, round(share * steps))
            model = small_segnet(seed, way_up)
            train(model, data, length, seed, progress=False)
            figures[way_up][f"{share:.0%} of the steps"] = {"steps": length} | measure(model, val)
    return figures
