"""Joint random changes of image, mask and weight map: `augment(*parts)` and the parts U-Net's training needs.

A part is any transform of `torchvision.transforms.v2`; the builders below return such transforms. All random
numbers come from torch's global generator, which `segnb.fit` seeds and checkpoints.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..items import IGNORE


def augment(*parts) -> Callable:
    """A function (image, mask) → (image, mask), or with a weight map three → three, for `segnb.fit`.

    It takes and returns image float C×H×W in 0..1, mask int64 H×W and weight float H×W. The image is
    interpolated bilinearly; mask and weight take the nearest pixel, so no label is invented. Void pixels
    weigh 0. The parts built here mirror the picture where they look outside it, except `crop`, which fills
    with void (255); another transform's own `fill` decides for itself (give it `fill={tv_tensors.Image: 0,
    tv_tensors.Mask: 255}`).

    Args: parts: torchvision v2 transforms, applied in this order to all together.
    Raises: TypeError: a part that is no transform. ValueError, in its use: an image and mask of different
        sizes.
    """
    for part in parts:
        if isinstance(part, type) or not callable(part):
            raise TypeError(f"a part of augment is a transform such as segnb.data.flips(), not {part!r}")

    def transform(image, mask, weight=None):
        from torchvision import tv_tensors

        maps = [mask] if weight is None else [mask, weight]
        if image.ndim != 3 or any(m.shape != image.shape[1:] for m in maps):
            shapes = ", ".join(str(tuple(t.shape)) for t in (image, *maps))
            raise ValueError(f"augment takes an image C×H×W and maps H×W of the same size, not {shapes}")
        item = [tv_tensors.Image(image), *(tv_tensors.Mask(m) for m in maps)]
        for part in parts:
            item = part(*item)
        item = [tensor.as_subclass(torch.Tensor).contiguous() for tensor in item]
        if weight is not None:
            item[2] = item[2].masked_fill(item[1] == IGNORE, 0)
        return tuple(item)

    return transform


def flips() -> Callable:
    """Left-right and upside-down, each with probability 1/2."""
    from torchvision.transforms import v2

    return v2.Compose([v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()])


def quarter_turns() -> Callable:
    """A rotation by a multiple of 90° (of 180° where the picture is not square); no pixel is interpolated."""
    from .warps import QuarterTurns

    return QuarterTurns()


def rotation(degrees=180) -> Callable:
    """A rotation about the centre by an angle within ±`degrees`; corners are filled by mirroring."""
    from .warps import Warp

    def field(height, width):
        angle = torch.deg2rad((2 * torch.rand(()) - 1) * degrees)
        x = torch.arange(width) - (width - 1) / 2
        y = (torch.arange(height) - (height - 1) / 2)[:, None]
        return (angle.cos() - 1) * x - angle.sin() * y, angle.sin() * x + (angle.cos() - 1) * y

    return Warp(field)


def shifts(pixels=16) -> Callable:
    """A move by whole pixels, up to `pixels` each way; what comes in at the edge is mirrored."""
    from .warps import Shifts

    return Shifts(pixels)


def elastic(sigma=10.0, points=3) -> Callable:
    """The U-Net paper's elastic deformation.

    Displacements are drawn from N(0, sigma) at points×points places, the corners of the picture among them,
    and enlarged to one for each pixel by bicubic interpolation; torchvision's `elastic` then applies them.
    The paper says neither where the coarse points lie nor what fills the border; here it is mirrored.

    Args:
        sigma: in pixels of the picture as it is: the paper's 10 is for 512×512; halve it when you halve the
            size.
    Source: U-Net (Ronneberger et al., 2015), section 3.1.
    """
    from .warps import Warp

    def field(height, width):
        coarse = sigma * torch.randn(1, 2, points, points)
        return F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)[0]

    return Warp(field)


def intensity(brightness=0.2, contrast=0.2) -> Callable:
    """The image's brightness and contrast multiplied by factors within 1 ± these numbers; clipped to 0..1."""
    from torchvision.transforms import v2

    return v2.ColorJitter(brightness=brightness, contrast=contrast)


def scaling(low=0.5, high=2.0) -> Callable:
    """The item resized by a random factor from low to high; sizes then differ, so a `crop` comes after it."""
    from .warps import Scaling

    return Scaling(low, high)


def crop(size) -> Callable:
    """A random window of `size`, an int or (height, width); smaller pictures get a black border of void."""
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    return v2.RandomCrop(size, pad_if_needed=True, fill={tv_tensors.Image: 0, tv_tensors.Mask: IGNORE})
