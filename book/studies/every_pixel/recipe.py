"""What the studies on a small net's view share: three layers of 3×3, the same on a shrunken picture, and two controls."""

import torch
import torch.nn.functional as F
from torch import nn

import segnb


def small_net(num_classes, width=16, padding_mode="zeros"):
    """Three layers of 3×3: each pixel of the answer sees 7×7 pixels."""

    def convolution(channels_in, channels_out):
        return nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode=padding_mode)

    def layer(channels_in, channels_out):
        return nn.Sequential(convolution(channels_in, channels_out), nn.BatchNorm2d(channels_out), nn.ReLU())

    return nn.Sequential(
        nn.BatchNorm2d(3), layer(3, width), layer(width, width), convolution(width, num_classes)
    )


class Wide(nn.Module):
    """The same net on the image shrunk eight times. Its enlarged scores see 64×64 pixels."""

    def __init__(self, num_classes, padding_mode="zeros"):
        super().__init__()
        self.net = small_net(num_classes, padding_mode=padding_mode)

    def forward(self, x):
        return F.interpolate(self.net(F.avg_pool2d(x, 8)), size=x.shape[2:], mode="bilinear")


# "reflect" mirrors the picture at its edge, where zeros would say where the edge is.
NETS = {
    "7 pixels": small_net,
    "7 pixels, width 64": lambda num_classes: small_net(num_classes, width=64),
    "7 pixels, mirrored edge": lambda num_classes: small_net(num_classes, padding_mode="reflect"),
    "64 pixels": Wide,
    "64 pixels, mirrored edge": lambda num_classes: Wide(num_classes, padding_mode="reflect"),
}


def trained(build, data, steps, seed):
    """A net, trained as the chapter trains it."""
    torch.manual_seed(seed)
    net = build(data.num_classes)
    segnb.fit(net, data, loss=segnb.losses.cross_entropy, steps=steps, batch_size=4, lr=2e-2, seed=seed)
    return net


def measure(found, classes):
    """What the lecture reads off a `ConfusionMatrix`."""
    wall, road, pole, sign = map(classes.index, ("building", "road", "pole", "sign_symbol"))
    counts = found.matrix
    mixed = counts[wall, road] + counts[road, wall]
    return {
        "walls and roads mixed up": (mixed / counts[[wall, road]].sum()).item(),
        "poles and signs found": found.class_accuracy[[pole, sign]].mean().item(),
        "pixel accuracy": found.pixel_accuracy.item(),
    }
