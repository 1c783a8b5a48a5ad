"""DeepLabv3 on the real streets, a quarter of their size: trained on 367 scenes, measured on the 101 of val."""

import segnb
from book.studies.deeplabv3.recipe import small, train_on_streets
from book.studies.streets import measure_net
from book.tools.studies import study

# Output stride; image-level features. The rates are 1, 2, 3 at stride 16.
NETS = {
    "stride 8": (8, True),
    "stride 8, no image level": (8, False),
    "stride 16": (16, True),
}


@study(data="camvid", seeds=(0, 1, 2), steps=1000, brief=2, real=True)
def one_seed(seed, steps):
    """What are image-level features and a finer output stride worth on real streets, in a minute or two each?"""
    data, val = (segnb.data.choose("camvid", split, size=(96, 128)) for split in ("train", "val"))
    figures = {}
    for name, (output_stride, image_pooling) in NETS.items():
        model = small(seed, output_stride, image_pooling=image_pooling)
        history = train_on_streets(model, data, steps, seed)
        figures[name] = measure_net(model, val) | {"training seconds": history.seconds[-1]}
    return figures
