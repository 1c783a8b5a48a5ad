"""The networks of the FCN chapter's studies: a small one, and the exact one made narrow."""

import torch
from torch import nn
from torch.nn import functional as F

import segnb


def small_stage(inputs, outputs):
    layers = []
    for i in range(2):
        layers.append(nn.Conv2d(outputs if i else inputs, outputs, 3, padding=1))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


class SmallFCN(nn.Module):
    """The chapter's small FCN: convolutions padded by 1, batch normalisation, bilinear enlargement; sides divide by 32."""

    def __init__(self, stride, width=8, num_classes=11):
        super().__init__()
        c = [3] + [width * times for times in (1, 2, 4, 8, 8)]
        self.stage = nn.ModuleList(map(small_stage, c, c[1:]))
        inputs = {32: [c[5]], 16: [c[5], c[4]], 8: [c[5], c[4], c[3]]}[stride]
        self.score = nn.ModuleList(nn.Conv2d(n, num_classes, 1) for n in inputs)
        self.stride = stride

    def forward(self, x):
        pools = []
        for stage in self.stage:
            x = stage(x)
            pools.append(x)
        total = self.score[0](x)
        for score, pool in zip(self.score[1:], (pools[3], pools[2])):
            total = F.interpolate(total, scale_factor=2, mode="bilinear") + score(pool)
        return F.interpolate(total, scale_factor=self.stride, mode="bilinear")


def small_fcn(seed, stride):
    torch.manual_seed(seed)
    return SmallFCN(stride)


def narrow_fcn(seed, **options):
    """The exact FCN, padding and crops included, a sixteenth as wide and with a hundredth of the hidden channels."""
    torch.manual_seed(seed)
    return segnb.models.FCN(3, 11, width=4, hidden=40, **options)
