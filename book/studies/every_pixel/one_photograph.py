"""Every method of the book on one photograph: learned on its left half, measured on its right one."""

from functools import partial

import torch
from torch import nn

import segnb
from book.tools.studies import study
from segnb.data import augment, flips
from segnb.losses import cross_entropy, dice
from segnb.models import FCN, DeepLabV3, SegNet, UNet

SIDE = 96
NETS = {
    "each pixel alone": partial(nn.Conv2d, 1, 2, 1),
    "FCN-8s": partial(FCN, 1, 2, width=4, hidden=40),
    "U-Net": partial(UNet, 1, 2, width=8, depth=3, padding="same"),
    "SegNet": partial(SegNet, 1, 2, width=8),
    "DeepLabv3": partial(DeepLabV3, 1, 2, backbone="small"),
}


def crops(image, mask):
    """Overlapping squares of both, as a list of items."""
    height, width = mask.shape
    corners = [(y, x) for y in range(0, height - SIDE, 23) for x in range(0, width - SIDE + 1, 16)]
    squares = [(slice(y, y + SIDE), slice(x, x + SIDE)) for y, x in corners]
    return [(image[:, rows, columns], mask[rows, columns]) for rows, columns in squares]


def trained(build, loss, items, steps, seed, lr):
    torch.manual_seed(seed)
    net = build()
    options = {"steps": steps, "batch_size": 8, "lr": lr, "warmup": 0.1, "clip": 1.0, "seed": seed}
    segnb.fit(net, items, loss=loss, augment=augment(flips()), **options)
    return net


@study(data="coins", seeds=(0, 1, 2), steps=150, brief=2)
def one_seed(seed, steps):
    """On one photograph, do the four networks find what a pixel alone cannot tell, and does the loss matter?"""
    items, test = crops(*segnb.data.coins()[0]), segnb.data.coins("test")
    image, mask = test[0]
    figures = {}
    for name, build in NETS.items():
        losses = {"": cross_entropy} | ({", Dice": dice} if name == "U-Net" else {})
        for addition, loss in losses.items():
            net = trained(build, loss, items, steps, seed, lr=0.3 if name == "each pixel alone" else 3e-3)
            answer = segnb.predict(net, image).argmax(0)
            figures[name + addition] = {
                "IoU of coins": segnb.evaluate(net, test).iou[1].item(),
                "boundary F1": segnb.metrics.boundary_f1(answer, mask).item(),
                "weights": sum(p.numel() for p in net.parameters()),
            }
    return figures
