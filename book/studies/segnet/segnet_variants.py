"""The deeper notebook on SegNet: the variants of the paper's table 1, which differ in how they grow a map again."""

import torch
from torch import nn
from torch.nn import functional as F

import segnb
from book.studies.segnet.recipe import measure
from book.studies.streets import train
from book.tools.studies import study


def conv_bn(inputs, outputs, groups=1):
    conv = nn.Conv2d(inputs, outputs, 7, padding=3, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class SegNetBasic(nn.Module):
    def __init__(self, width=64, num_classes=11):
        super().__init__()
        inputs = (3, width, width, width)
        self.encoder = nn.ModuleList(conv_bn(n, width) for n in inputs)
        self.pool = nn.MaxPool2d(2, ceil_mode=True, return_indices=True)
        self.decoder = nn.ModuleList(self.decode(width) for _ in range(4))
        self.classifier = nn.Conv2d(width, num_classes, 1, bias=False)

    def decode(self, width):
        return conv_bn(width, width)

    def up(self, x, indices, size):
        return F.max_unpool2d(x, indices, 2, output_size=size)

    def join(self, x, seen):
        return x

    def forward(self, x):
        kept = []
        for stage in self.encoder:
            seen = stage(x).relu()
            x, indices = self.pool(seen)
            kept.append((seen, indices))
        for stage in self.decoder:
            seen, indices = kept.pop()
            x = stage(self.up(x, indices, seen.shape[2:]))
            x = self.join(x, seen)
        return self.classifier(x)


class SingleChannelDecoder(SegNetBasic):
    def decode(self, width):
        return conv_bn(width, width, groups=width)


class EncoderAddition(SegNetBasic):
    def join(self, x, seen):
        return x + seen


class BilinearFullDecoder(SegNetBasic):
    def up(self, x, indices, size):
        return F.interpolate(x, size=size, mode="bilinear")


class BilinearInterpolation(SingleChannelDecoder):
    def up(self, x, indices, size):
        return F.interpolate(x, size=size, mode="bilinear")


class FCNBasic(SegNetBasic):
    def __init__(self, width=64, num_classes=11):
        super().__init__(width, num_classes)
        k = num_classes
        reduce = [nn.Conv2d(width, k, 1, bias=False) for _ in range(4)]
        self.reduce = nn.ModuleList(reduce)
        self.decoder = nn.ModuleList(self.enlarge(k) for _ in range(4))

    def enlarge(self, k):
        layer = nn.ConvTranspose2d(k, k, 8, 2, padding=3, bias=False)
        tent = torch.tensor([0, 0, 0.25, 0.75, 0.75, 0.25, 0, 0])
        stamp = torch.outer(tent, tent)
        layer.weight.data = torch.eye(k)[:, :, None, None] * stamp
        return layer

    def forward(self, x):
        kept = []
        for stage, reduce in zip(self.encoder, self.reduce):
            seen = stage(x).relu()
            x = F.max_pool2d(seen, 2, ceil_mode=True)
            kept.append(reduce(seen))
        x = self.classifier(x)
        for enlarge in self.decoder:
            seen = kept.pop()
            x = enlarge(x)[..., : seen.shape[2], : seen.shape[3]] + seen
        return x


VARIANTS = {
    "Bilinear-Interpolation": BilinearInterpolation,
    "bilinear, full decoder": BilinearFullDecoder,
    "SegNet-Basic": SegNetBasic,
    "SingleChannelDecoder": SingleChannelDecoder,
    "EncoderAddition": EncoderAddition,
    "FCN-Basic": FCNBasic,
}


@study(data="street", seeds=(0, 1, 2), steps=800, brief=2)
def one_seed(seed, steps):
    """Does the order of the paper's table 1 hold for small nets on generated streets?"""
    data, val = segnb.data.load("street", "train"), segnb.data.load("street", "val")
    figures = {}
    for name, variant in VARIANTS.items():
        torch.manual_seed(seed)
        model = variant(width=16)
        train(model, data, steps, seed)
        figures[name] = measure(model, val)
    return figures
