"""Inputs that many tasks are tried on; made so that no axis, class or picture can be mistaken for another."""

import torch
from torch import Tensor

from segnb.exercises.engine import rand


def logits_and_mask(
    seed: int, n: int, k: int, height: int = 5, width: int = 7, absent=(), void: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Logits N×K×H×W and class numbers N×H×W in which every class occurs, rarer ones less, but for those in `absent`.

    void: the share of 255; the first picture has four times as much of it as the others.
    """
    classes = torch.tensor([label for label in range(k) if label not in absent])
    mask = classes[(len(classes) * rand(seed + 50, n, height, width) ** 2).long()]
    places = rand(seed + 60, mask.numel()).argsort()[
        : len(classes)
    ]  # so that the seed cannot leave a class out
    hole = rand(seed + 70, *mask.shape) < void * torch.tensor([4.0] + [1.0] * (n - 1))[:, None, None] * n / (
        n + 3
    )
    mask = mask.where(~hole, 255)
    mask.view(-1)[places] = classes
    return 6 * rand(seed, n, k, height, width) - 3, mask
