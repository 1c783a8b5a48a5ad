"""The joint transforms that torchvision does not have, as torchvision v2 transforms. `parts` builds them.

This module imports torchvision (3 s), so it is imported only inside the functions that use it.
"""

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as TF

from ..items import resize_image, resize_mask


class Warp(v2.Transform):
    """Every pixel takes the value found at its own place plus a displacement, mirrored back into the picture.

    The image is read bilinearly, masks and weights at the nearest pixel. What lies outside the picture is
    mirrored, as in the U-Net paper, so nothing needs filling with void.

    Args:
        field: function (height, width) → two H×W tensors, how many pixels to the right and how many down each
            pixel looks; drawn anew for each item.
    """

    def __init__(self, field):
        super().__init__()
        self.field = field

    def make_params(self, flat_inputs) -> dict[str, torch.Tensor]:
        height, width = TF.get_size(flat_inputs[0])
        right, down = self.field(height, width)
        x, y = torch.arange(width), torch.arange(height)[:, None]
        moves = (mirror(x + right, width) - x) / width, (mirror(y + down, height) - y) / height
        return {"displacement": 2 * torch.stack(moves, -1)[None]}  # for torchvision a side is 2 long

    def transform(self, inpt, params) -> torch.Tensor:
        return TF.elastic(inpt, params["displacement"])


class Shifts(v2.Transform):
    """A move by whole pixels, up to `pixels` each way, mirrored at the edges."""

    def __init__(self, pixels):
        super().__init__()
        self.pixels = pixels

    def make_params(self, flat_inputs) -> dict[str, list[int]]:
        return {"moves": torch.randint(-self.pixels, self.pixels + 1, (2,)).tolist()}

    def transform(self, inpt, params) -> torch.Tensor:
        sides = TF.get_size(inpt)
        rows, columns = (
            mirror(torch.arange(n) + move, n) for n, move in zip(sides, params["moves"], strict=True)
        )
        return tv_tensors.wrap(inpt[..., rows, :][..., columns], like=inpt)


class QuarterTurns(v2.Transform):
    """A rotation by 0, 90, 180 or 270 degrees; pictures that are not square keep their shape: 0 or 180."""

    def make_params(self, flat_inputs) -> dict[str, int]:
        height, width = TF.get_size(flat_inputs[0])
        turns = torch.randint(4, ()).item()
        return {"turns": turns if height == width else 2 * (turns % 2)}

    def transform(self, inpt, params) -> torch.Tensor:
        return tv_tensors.wrap(inpt.rot90(params["turns"], (-2, -1)), like=inpt)


class Scaling(v2.Transform):
    """The whole item resized by a factor drawn log-uniformly between low and high."""

    def __init__(self, low, high):
        super().__init__()
        self.low, self.high = low, high

    def make_params(self, flat_inputs) -> dict[str, tuple[int, int]]:
        factor = self.low * (self.high / self.low) ** torch.rand(()).item()
        return {"size": tuple(max(1, round(side * factor)) for side in TF.get_size(flat_inputs[0]))}

    def transform(self, inpt, params) -> torch.Tensor:
        resize = resize_mask if isinstance(inpt, tv_tensors.Mask) else resize_image
        return tv_tensors.wrap(resize(inpt.as_subclass(torch.Tensor), params["size"]), like=inpt)


def mirror(place, n) -> torch.Tensor:
    """Coordinates folded into 0..n−1 by mirrors in the first and last pixel's centre; farther ones are 0."""
    return (n - 1 - (n - 1 - place.abs()).abs()).clamp(min=0)
