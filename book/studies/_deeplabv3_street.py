"""What the studies of DeepLabv3 on streets share: a recipe in which thin classes count, and what is measured."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

import segnb
from book.studies._deeplabv3 import trunk

THIN = ("pole", "sign_symbol", "pedestrian", "bicyclist")


class ShortSightedStreet(nn.Module):
    """The trunk of 31 pixels under ASPP with these rates on the map, at output stride 8; for streets."""

    def __init__(self, rates=(), image_pooling=False, num_classes=11):
        super().__init__()
        self.trunk = trunk()
        self.aspp = segnb.models.ASPP(64, rates, image_pooling, channels=32)
        self.head = nn.Conv2d(32, num_classes, 1)

    def forward(self, x):
        return F.interpolate(self.head(self.aspp(self.trunk(x))), size=x.shape[2:], mode="bilinear")


def train_on_streets(model, data, steps, seed):
    """Rare classes weigh more, and every second scene is mirrored. → `segnb.History`"""
    rare = segnb.losses.median_frequency_weights(data).sqrt()
    return segnb.fit(
        model,
        data,
        loss=partial(segnb.losses.cross_entropy, weight=rare),
        steps=steps,
        batch_size=8,
        lr=3e-3,
        warmup=0.1,
        augment=segnb.data.augment(v2.RandomHorizontalFlip()),
        seed=seed,
    )


def measure(guesses, masks):
    """Mean IoU, the mean IoU of four thin classes and boundary F1 of label maps N×H×W."""
    matrix = segnb.metrics.ConfusionMatrix(11)
    matrix.update(guesses, masks)
    thin = [segnb.data.street.CLASSES.index(name) for name in THIN]
    return {
        "mean IoU": matrix.mean_iou.item(),
        "thin classes": matrix.iou[thin].nanmean().item(),
        "boundary F1": segnb.metrics.boundary_f1(guesses, masks).item(),
    }


def measure_net(model, val):
    """The same, of a network's answers to every scene of `val`."""
    images, masks = val.stack()
    guesses = torch.stack([segnb.predict(model, image).argmax(0) for image in images])
    return measure(guesses, masks)
