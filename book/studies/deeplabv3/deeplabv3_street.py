"""The lecture on DeepLabv3, its counter-example: on streets only the output stride shows."""

import torch

import segnb
from book.studies.deeplabv3.recipe import ShortSighted, small, train_on_streets
from book.studies.streets import measure_net
from book.tools.studies import study

# Output stride; rates at stride 16; image-level features.
NETS = {
    "stride 8, 1×1 only": (8, (), False),
    "stride 8, rates": (8, (1, 2, 3), False),
    "stride 8, rates and image level": (8, (1, 2, 3), True),
    "stride 16, 1×1 only": (16, (), False),
    "stride 16, rates and image level": (16, (1, 2, 3), True),
}
# The trunk of 31 pixels: rates on the map; image-level features.
SHORT_SIGHTED = {
    "31 pixels, 1×1 only": ((), False),
    "31 pixels, rates and image level": ((2, 4, 6), True),
}


@study(data="street", seeds=(0, 1, 2), steps=400, brief=2)
def one_seed(seed, steps):
    """What do rates, image-level features and a finer output stride gain on streets?"""
    data, val = segnb.data.load("street", "train"), segnb.data.load("street", "val")
    figures = {}
    for name, (output_stride, rates, image_pooling) in NETS.items():
        model = small(seed, output_stride, rates=rates, image_pooling=image_pooling)
        train_on_streets(model, data, steps, seed)
        figures[name] = measure_net(model, val)
    for name, head in SHORT_SIGHTED.items():
        torch.manual_seed(seed)
        model = ShortSighted(11, *head)
        train_on_streets(model, data, steps, seed)
        figures[name] = measure_net(model, val)
    return figures
