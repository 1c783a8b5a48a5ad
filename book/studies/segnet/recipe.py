"""What all studies of the SegNet chapter share: its small network, the ways up and their comparison, its measures."""

import torch
from torch import nn
from torch.nn import functional as F

import segnb
from book.studies import streets


class Unpool(nn.Module):
    """Each number back to where it was the maximum, zeros elsewhere."""

    def forward(self, x, indices, size):
        return F.max_unpool2d(x, indices, 2, output_size=size)


class Resize(nn.Module):
    """Forgets the indices: mode is "bilinear" or "nearest"."""

    def __init__(self, mode):
        super().__init__()
        self.mode = mode

    def forward(self, x, indices, size):
        return F.interpolate(x, size=size, mode=self.mode)


class Transposed(nn.Module):
    """Forgets the indices and learns a 2×2 stamp instead."""

    def __init__(self, channels):
        super().__init__()
        self.stamp = nn.ConvTranspose2d(channels, channels, 2, stride=2)

    def forward(self, x, indices, size):
        return self.stamp(x)[..., : size[0], : size[1]]


# The ways up by name; each takes the number of channels and gives a module called as up(x, indices, size).
WAYS_UP = {
    "indices": lambda channels: Unpool(),
    "bilinear": lambda channels: Resize("bilinear"),
    "nearest": lambda channels: Resize("nearest"),
    "transposed": Transposed,
}


def convolution(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


class SmallSegNet(nn.Module):
    """The chapter's small SegNet: one convolution a stage, four stages; any size from 16 pixels up.

    `way_up` is a name in `WAYS_UP`, or such a function. `up.0` to `up.3` are the enlarged maps, `decoder.0` to
    `decoder.3` what convolution makes of them.
    """

    def __init__(self, way_up="indices", width=16, stages=4, num_classes=11):
        super().__init__()
        make = WAYS_UP.get(way_up, way_up)
        c = [3] + [width * 2**i for i in range(stages)]
        back = [*c[:0:-1], width]
        self.encoder = nn.ModuleList(map(convolution, c, c[1:]))
        self.up = nn.ModuleList(map(make, back[:-1]))
        self.decoder = nn.ModuleList(map(convolution, back, back[1:]))
        self.head = nn.Conv2d(width, num_classes, 3, padding=1)

    def forward(self, x):
        kept = []
        for stage in self.encoder:
            x = stage(x)
            size = x.shape[2:]
            x, indices = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
            kept.append((indices, size))
        for up, stage in zip(self.up, self.decoder):
            x = stage(up(x, *kept.pop()))
        return self.head(x)


def small_segnet(seed, way_up="indices", **options):
    torch.manual_seed(seed)
    return SmallSegNet(way_up, **options)


def measure(model, data):
    """The four figures of the paper's tables: G, C, mIoU and BF there."""
    images, masks = data.stack()
    guesses = streets.predictions(model, images)
    matrix = segnb.metrics.ConfusionMatrix(data.num_classes)
    matrix.update(guesses, masks)
    return {
        "global accuracy": matrix.pixel_accuracy.item(),
        "class accuracy": matrix.class_accuracy.nanmean().item(),
        "mean IoU": matrix.mean_iou.item(),
        "boundary F1": segnb.metrics.boundary_f1(guesses, masks).item(),
    }


def compare_ways_up(data, val, steps, seed, shares):
    """Indices and bilinear enlargement after each share of the steps. → {way up: {share: the length and `measure`}}

    Each length is a training of its own, to the end of its schedule.
    """
    figures = {}
    for way_up in ("indices", "bilinear"):
        figures[way_up] = {}
        for share in shares:
            length = max(1, round(share * steps))
            model = small_segnet(seed, way_up)
            streets.train(model, data, length, seed, progress=False)
            figures[way_up][f"{share:.0%} of the steps"] = {"steps": length} | measure(model, val)
    return figures
