"""A small foreground on real streets: pedestrians against everything else."""

import torch
from torch.utils.data import TensorDataset

import segnb
from book.studies.dice.recipe import losses, share_of, train
from book.tools.studies import study


@study(data="camvid", seeds=(0,), steps=400, brief=2, real=True)
def one_seed(seed, steps):
    """Which losses find pedestrians, less than one pixel in a hundred, on real streets?"""
    items, val = pedestrians("train"), pedestrians("val")
    figures = {}
    for name, (loss, bias) in losses(share_of(items)).items():
        matrix = segnb.evaluate(train(items, loss, steps, seed, bias=bias, in_channels=3), val)
        hit, called = matrix.matrix[1, 1].item(), matrix.matrix[:, 1].sum().item()
        figures[name] = {
            "IoU": matrix.iou[1].item(),
            "found": matrix.class_accuracy[1].item(),
            "right": hit / max(called, 1),
        }
    return figures


def pedestrians(split):
    """CamVid's pictures with two classes: 1 is pedestrian, 0 the rest, 255 stays void."""
    data = segnb.data.choose("camvid", split, size=(96, 128))
    images, masks = data.stack()
    number = data.classes.index("pedestrian")
    return TensorDataset(images, torch.where(masks == 255, 255, (masks == number).long()))
