"""The lecture on DeepLabv3, its claim, with more heads and longer training; and the curve from near to far to dead."""

from book.studies.deeplabv3.recipe import grey_iou
from book.tools.studies import study

# Rates on the map of 12×12; then whether image-level features join them.
HEADS = {
    "1×1 only": ((), False),
    "1": ((1,), False),
    "2": ((2,), False),
    "2, 4": ((2, 4), False),
    "2, 4, 6": ((2, 4, 6), False),
    "2, 4, 6, 12": ((2, 4, 6, 12), False),
    "1, 2, 3": ((1, 2, 3), False),
    "6, 12, 18": ((6, 12, 18), False),
    "12, 24, 36": ((12, 24, 36), False),
    "image level": ((), True),
    "1, 2, 3 and image level": ((1, 2, 3), True),
    "2, 4, 6 and image level": ((2, 4, 6), True),
}


@study(data="worlds", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """What do rates and image-level features carry to a trunk that sees 31 pixels, and when do rates die?"""
    return {name: grey_iou(seed, steps, *head) for name, head in HEADS.items()}
