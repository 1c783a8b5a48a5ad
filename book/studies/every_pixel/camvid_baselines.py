"""The opening chapters on the real streets: three answers that need no network, and a small one that sees 7 or 64 pixels."""

import torch

import segnb
from book.studies.every_pixel.recipe import NETS, measure, trained
from book.tools.studies import study

SIZE = (96, 128)


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


def figures_of(matrix, classes):
    return {
        **measure(matrix, classes),
        "class accuracy": matrix.class_accuracy.nanmean().item(),
        "mean IoU": matrix.mean_iou.item(),
    }


@study(data="camvid", seeds=(0, 1, 2), steps=200, brief=4, real=True)
def one_seed(seed, steps):
    """How far do the simplest answers get on real streets?"""
    train, val = (segnb.data.choose("camvid", split, size=SIZE) for split in ("train", "val"))
    new_images, truth = val.stack()
    figures = {}
    for name, guess in untrained(train, new_images).items():
        matrix = segnb.metrics.ConfusionMatrix(val.num_classes)
        matrix.update(guess, truth)
        figures[name] = figures_of(matrix, val.classes)
    for name in ("7 pixels", "64 pixels", "64 pixels, mirrored edge"):
        net = trained(NETS[name], train, steps, seed)
        figures[f"net, {name}"] = figures_of(segnb.evaluate(net, val), val.classes)
    return figures
