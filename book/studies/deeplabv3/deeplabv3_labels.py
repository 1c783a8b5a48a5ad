"""The deeper notebook on DeepLabv3: small labels or large logits; and what one gains after the training."""

from torch import nn
from torch.nn import functional as F

import segnb
from book.studies.deeplabv3.recipe import Views, at_stride, small, train
from book.tools.studies import study


class Blocks(nn.Module):
    """The same network, its scores enlarged in blocks: what a training on small labels sees."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        model = self.model
        return F.interpolate(model.head(model.aspp(model.backbone(model.normalise(x)))), size=x.shape[2:])


def small_labels(logits, mask):
    """Cross-entropy on the map: one score and one label, the one in its middle, for each block of 16×16."""
    return segnb.losses.cross_entropy(logits[..., ::16, ::16], mask[..., 8::16, 8::16])


@study(data="street", seeds=(0, 1, 2), steps=400, brief=2)
def one_seed(seed, steps):
    """What do labels made small cost, and what do a finer stride and more views gain in a trained net?"""
    data, val = segnb.data.load("street", "train"), segnb.data.load("street", "val")
    large, coarse = small(seed, 16), small(seed, 16)
    train(large, data, steps, seed)
    train(Blocks(coarse), data, steps, seed, loss=small_labels)
    fine = at_stride(large, 8)
    scales = (0.75, 1.0, 1.25)
    models = {
        "labels made small": coarse,
        "logits made large": large,
        "stride 8, keep_rate=False": at_stride(large, 8, keep_rate=False),
        "stride 8": fine,
        "and mirrored": Views(fine, flip=True),
        "and at three scales": Views(fine, scales, flip=True),
    }
    return {name: {"mean IoU": segnb.evaluate(model, val).mean_iou.item()} for name, model in models.items()}
