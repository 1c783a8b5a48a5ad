"""The lecture on DeepLabv3, where several rates are needed: a cue at one of three distances, and a trunk of 7 pixels."""

import torch
from torch import nn
from torch.nn import functional as F

import segnb
from book.studies.deeplabv3.recipe import train
from book.tools.studies import study
from segnb.data.generated import countries
from segnb.data.sets import FIRST_SEED

# Output stride; rates on the map; image-level features. At stride 4 the cue is 3, 6 or 12 steps away. At 8 that would be
# 1.5, 3 and 6, and a rate is a whole number.
HEADS = {
    "1×1 only": (4, (), False),
    "image level": (4, (), True),
    "3": (4, (3,), False),
    "6": (4, (6,), False),
    "12": (4, (12,), False),
    "3, 6": (4, (3, 6), False),
    "3, 6, 12": (4, (3, 6, 12), False),
    "6, 12, 18": (4, (6, 12, 18), False),
    "3, 6, 12 and image level": (4, (3, 6, 12), True),
    "2, 3, 6 at stride 8": (8, (2, 3, 6), False),
}


class SevenPixels(nn.Module):
    """Two 3×3 convolutions with stride 2 and a 1×1 under ASPP: each value of the trunk's map sees 7 pixels.

    At output stride 8 the 1×1 has a stride of 2 and leaves out three values of four.
    """

    def __init__(self, output_stride, rates, image_pooling):
        super().__init__()
        layers = []
        shapes = ((3, 16, 3, 2), (16, 32, 3, 2), (32, 64, 1, output_stride // 4))
        for inputs, outputs, side, stride in shapes:
            layers += [nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.aspp = segnb.models.ASPP(64, rates, image_pooling, channels=32)
        self.head = nn.Conv2d(32, len(countries.CLASSES), 1)

    def forward(self, x):
        return F.interpolate(self.head(self.aspp(self.trunk(x))), size=x.shape[2:], mode="bilinear")


def measure_lines(model, data):
    """How well road and canal are told apart, and how well lines are found at all, over all of `data`.

    The mean IoU of road and canal; the same where their companions run at each of the distances; the IoU of lines,
    whichever kind they are; and the share of the right kind among the pixels of lines that were found.
    """
    over_all = segnb.metrics.ConfusionMatrix(len(data.classes))
    at = {far: segnb.metrics.ConfusionMatrix(len(data.classes)) for far in countries.DISTANCES}
    in_both = in_either = right = 0
    for number, (image, mask) in enumerate(data):
        guess = segnb.predict(model, image).argmax(0)
        distance = torch.from_numpy(countries.distances(FIRST_SEED[data.split] + number, *mask.shape))
        over_all.update(guess, mask)
        for far, matrix in at.items():
            matrix.update(guess, mask.where(distance == far, data.ignore_index))
        found, there = guess <= countries.CANAL, mask <= countries.CANAL
        in_both += int((found & there).sum())
        in_either += int((found | there).sum())
        right += int((guess == mask)[there].sum())
    of_lines = {"road and canal": over_all} | {f"at {far} pixels": matrix for far, matrix in at.items()}
    figures = {name: matrix.iou[:2].mean().item() for name, matrix in of_lines.items()}
    return figures | {"lines": in_both / in_either, "right kind": right / max(1, in_both)}


@study(data="countries", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """Which rates does a head need if what decides lies at one of three distances, in two countries of one picture?"""
    data, val = segnb.data.load("countries", "train"), segnb.data.load("countries", "val")
    figures = {}
    for name, head in HEADS.items():
        torch.manual_seed(seed)
        model = SevenPixels(*head)
        train(model, data, steps, seed, lr=1e-2)
        figures[name] = measure_lines(model, val)
    return figures
