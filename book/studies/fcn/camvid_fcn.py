"""FCN on the real streets, a quarter of their size: trained on 367 scenes, measured on the 101 of val."""

import segnb
from book.studies.fcn.networks import small_fcn
from book.studies.streets import measure_net, train
from book.tools.studies import study

# Above the order of the small nets, the shipped net, which has seen generated streets alone: what does it say here?
ASKED = "asked only"


@study(data="camvid", seeds=(0, 1, 2), steps=700, brief=2, real=True)
def one_seed(seed, steps):
    """What are the scores of pool4 and pool3 worth on real streets, in a few minutes on two CPU cores?"""
    data, val = (segnb.data.choose("camvid", split, size=(96, 128)) for split in ("train", "val"))
    figures = {ASKED: measure_net(segnb.load_trained("fcn"), val)}
    for stride in (32, 16, 8):
        model = small_fcn(seed, stride)
        history = train(model, data, steps, seed)
        figures[f"FCN-{stride}s"] = measure_net(model, val) | {"training seconds": history.seconds[-1]}
    return figures
