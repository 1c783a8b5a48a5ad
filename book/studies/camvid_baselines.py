"""The opening chapters on the real streets: three answers that need no network, and a small one that sees 7 or 56 pixels."""

import torch
import torch.nn.functional as F
from torch import nn

import segnb
from book.tools.studies import study

SIZE = (96, 128)
CODE = ("segnb.data.camvid", "segnb.data.loading", "segnb.metrics", "segnb.training")


def small_net(num_classes):
    """Three layers of 3×3: each pixel of the answer sees 7×7 pixels."""

    def layer(channels_in, channels_out):
        return nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out), nn.ReLU()
        )

    return nn.Sequential(
        nn.BatchNorm2d(3), layer(3, 16), layer(16, 16), nn.Conv2d(16, num_classes, 3, padding=1)
    )


class Wide(nn.Module):
    """The same net on the image shrunk eight times: it sees 56×56 pixels."""

    def __init__(self, num_classes):
        super().__init__()
        self.net = small_net(num_classes)

    def forward(self, x):
        return F.interpolate(self.net(F.avg_pool2d(x, 8)), size=x.shape[2:], mode="bilinear")


def codes(images):
    """One of 4,096 colours for every pixel: 16 steps of red, green and blue."""
    return ((images * 15.99).long() * torch.tensor([256, 16, 1]).view(3, 1, 1)).sum(1)


def untrained(train, new_images):
    """{name: masks} of the answers that only count."""
    images, masks = train.stack()
    classes, known = train.num_classes, masks != train.ignore_index
    by_class = masks[known].bincount(minlength=classes)
    table = torch.bincount(codes(images)[known] * classes + masks[known], minlength=4096 * classes)
    by_place = torch.stack([(masks == k).sum(0) for k in range(classes)]).argmax(0)
    by_colour = table.view(4096, classes).argmax(1)[codes(new_images)]
    return {
        "commonest class": torch.full_like(by_colour, by_class.argmax()),
        "by colour": by_colour,
        "by place": by_place.expand_as(by_colour),
    }


def figures_of(matrix):
    return {
        "pixel accuracy": matrix.pixel_accuracy.item(),
        "class accuracy": matrix.class_accuracy.nanmean().item(),
        "mean IoU": matrix.mean_iou.item(),
    }


@study(depends_on=CODE, data="camvid", seeds=(0, 1, 2), steps=200, brief=4, real=True)
def one_seed(seed, steps):
    """How far do the simplest answers get on real streets?"""
    train, val = (segnb.data.choose("camvid", split, size=SIZE) for split in ("train", "val"))
    new_images, truth = val.stack()
    figures = {}
    for name, guess in untrained(train, new_images).items():
        matrix = segnb.metrics.ConfusionMatrix(val.num_classes)
        matrix.update(guess, truth)
        figures[name] = figures_of(matrix)
    for name, build in (("net, 7 pixels", small_net), ("net, 56 pixels", Wide)):
        torch.manual_seed(seed)
        net = build(train.num_classes)
        segnb.fit(net, train, loss=segnb.losses.cross_entropy, steps=steps, batch_size=4, lr=2e-2, seed=seed)
        figures[name] = figures_of(segnb.evaluate(net, val))
    return figures
