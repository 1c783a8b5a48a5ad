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


def iou_of_lines(model, data):
    """The mean IoU of road and canal, over all of `data` and where their companions run at each of the distances."""
    matrices = {
        distance: segnb.metrics.ConfusionMatrix(len(data.classes))
        for distance in (None, *countries.DISTANCES)
    }
    for number, (image, mask) in enumerate(data):
        guess = segnb.predict(model, image).argmax(0)
        far = torch.from_numpy(countries.distances(FIRST_SEED[data.split] + number, *mask.shape))
        for distance, matrix in matrices.items():
            asked = torch.ones_like(far, dtype=torch.bool) if distance is None else far == distance
            matrix.update(guess, torch.where(asked, mask, data.ignore_index))
    names = {distance: f"at {distance} pixels" for distance in countries.DISTANCES}
    return {
        names.get(distance, "IoU of road and canal"): matrix.iou[:2].mean().item()
        for distance, matrix in matrices.items()
    }


@study(data="countries", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """Which rates does a head need if what decides lies at one of three distances, in two countries of one picture?"""
    data, val = segnb.data.load("countries", "train"), segnb.data.load("countries", "val")
    figures = {}
    for name, head in HEADS.items():
        torch.manual_seed(seed)
        model = SevenPixels(*head)
        train(model, data, steps, seed, lr=1e-2)
        figures[name] = iou_of_lines(model, val)
    return figures
