"""The lecture on DeepLabv3, what a map can hold: the true masks averaged, and the best logits we can find for them."""

import torch
from torch.nn import functional as F

import segnb
from book.tools.studies import study

SCENES = 20  # of val, others for each seed
STRIDES = (32, 16, 8, 4)


def averaged(masks, classes, stride):
    """N×K×h×w: the share of each class in every block of stride×stride pixels. Void is in no class."""
    one_hot = F.one_hot(masks.where(masks < classes, classes), classes + 1)[..., :classes]
    return F.avg_pool2d(one_hot.permute(0, 3, 1, 2).float(), stride)


def optimised(masks, classes, stride, steps):
    """N×K×h×w: logits free to be anything, moved until they give `masks` once they are enlarged, by Adam.

    What they reach can be held. That nothing better can is not said.
    """
    shares = averaged(masks, classes, stride)
    logits = shares.clamp_min(0.01).log().requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0.03, total_iters=steps)
    for _ in range(steps):
        loss = segnb.losses.cross_entropy(enlarged(logits, masks), masks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return logits.detach()


def enlarged(logits, masks):
    return F.interpolate(logits, size=masks.shape[1:], mode="bilinear")


def measure(logits, masks, classes):
    """Mean IoU, and the IoU of every class, of a map enlarged to the size of its masks."""
    matrix = segnb.metrics.ConfusionMatrix(len(classes))
    matrix.update(enlarged(logits, masks), masks)
    return {"mean IoU": matrix.mean_iou.item()} | dict(zip(classes, matrix.iou.tolist()))


@study(data="street", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """How well can a map a stride times smaller than the picture draw the truth: averaged, and optimised?"""
    val = segnb.data.load("street", "val")
    masks = torch.stack([val[number][1] for number in range(SCENES * seed, SCENES * (seed + 1))])
    figures = {}
    for stride in STRIDES:
        figures[f"stride {stride}"] = {
            "averaged": measure(averaged(masks, len(val.classes), stride), masks, val.classes),
            "optimised": measure(optimised(masks, len(val.classes), stride, steps), masks, val.classes),
        }
    return figures
