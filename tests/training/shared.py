"""What the tests of training share: little pictures, a little network, and a short training."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from segnb.training import fit

CPU = torch.device("cpu")
FAST = {"steps": 6, "batch_size": 2, "lr": 0.05, "progress": False}
# Items that a checkpoint's fingerprint reads of five: each twice.
READ = 10


def pictures(count, side=8, seed=0, weights=False):
    g = torch.Generator().manual_seed(seed)
    items = []
    for _ in range(count):
        image = torch.rand(1, side, side, generator=g)
        items.append((image, (image[0] > 0.5).long()) + ((image[0] + 0.1,) if weights else ()))
    return items


def network(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(dropout), nn.Conv2d(4, 2, 1)
    )


def weights_of(model):
    return {name: part.clone() for name, part in model.state_dict().items()}


def assert_same(model, other):
    for (name, one), (_, two) in zip(weights_of(model).items(), weights_of(other).items(), strict=True):
        assert torch.equal(one, two), name


class Recorder:
    """A data set that writes down what is asked of it, and does something at its n-th item.

    Not counted are the first `skip` items asked for: those that a checkpoint's fingerprint reads.
    """

    def __init__(self, items, at=None, do=None, skip=0):
        self.items, self.at, self.do, self.skip, self.asked = items, at, do, skip, []

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        if self.skip:
            self.skip -= 1
            return self.items[index]
        self.asked.append(index)
        if len(self.asked) == self.at:
            self.do()
        return self.items[index]


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.9)


def shake(image, mask):
    """Draws from all three generators."""
    factor = 1 + 0.1 * (torch.rand(()) + float(np.random.rand()) + random.random())  # noqa: NPY002
    return image * factor, mask


def train(seed=0, model=None, **options):
    model = model or network(dropout=0.3)
    history = fit(model, pictures(5), loss=F.cross_entropy, augment=shake, seed=seed, **FAST | options)
    return model, history
