"""Why transposed convolutions draw checkerboards: how many stamps does each output pixel get?"""

from ..show.live import Live
from .page import page


def transposed(kernel=3, stride=2, *, name=None) -> Live:
    """Slide the kernel and the stride of a transposed convolution and count its stamps, in one and two dimensions.

    `kernel` 1 to 6 and `stride` 1 to 3 are where the sliders start. With FCN's bilinear weights instead of ones, the
    sums are even when the kernel is twice the stride.
    After Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill, 2016.
    """
    import torch
    import torch.nn.functional as F

    from .. import show

    if not (1 <= kernel <= 6 and 1 <= stride <= 3):
        raise ValueError(
            f"kernel={kernel}, stride={stride}; expected a kernel of 1 to 6 and a stride of 1 to 3"
        )
    stamps = F.conv_transpose2d(torch.ones(1, 1, 6, 6), torch.ones(1, 1, kernel, kernel), stride=stride)[0, 0]
    low, high = stamps[kernel - 1 : 5 * stride + 1, kernel - 1 : 5 * stride + 1].aminmax()
    alt = (
        f"How often a transposed convolution with kernel {kernel} and stride {stride} stamps each output pixel: "
        f"{low:.0f} to {high:.0f} times, away from the border."
    )
    still = show.compare([stamps], numbers=len(stamps) <= 13, alt=alt)
    return page(
        "transposed", "Stamps of a transposed convolution", still, name=name, kernel=kernel, stride=stride
    )
