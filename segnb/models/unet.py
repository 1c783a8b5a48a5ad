"""Ronneberger et al. (2015), "U-Net: Convolutional Networks for Biomedical Image Segmentation"."""

import torch
from torch import Tensor, nn

from segnb.models.base import SegmentationNet, he_init


class DoubleConv(nn.Sequential):
    """Two 3×3 convolutions, each with a ReLU: N×C×H×W → N×out×(H−4)×(W−4), or N×out×H×W with padding 1."""

    def __init__(self, in_channels: int, out_channels: int, padding: int = 0, norm: str | None = None):
        layers = []
        for channels in (in_channels, out_channels):
            layers.append(nn.Conv2d(channels, out_channels, 3, padding=padding, bias=norm is None))
            if norm == "batch":
                layers.append(nn.BatchNorm2d(out_channels))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


def crop_and_concat(skip: Tensor, up: Tensor) -> Tensor:
    """The centre of `skip`, as large as `up`, and `up`, stacked in channels (figure 1, grey arrows)."""
    height, width = up.shape[2:]
    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
    return torch.cat([skip[:, :, top : top + height, left : left + width], up], dim=1)


class UNet(SegmentationNet):
    """The network of the paper's figure 1; the defaults are the paper's.

    Images N×C×H×W in 0..1 → logits N×K×(H−2·margin)×(W−2·margin); 572×572 gives 388×388. Departs from the
    paper: no dropout ("at the end of the contracting path", says the paper, and gives no rate).

    Args:
        width: channels of the first level; each pooling doubles them, each up-convolution halves them.
        depth: how many times the image is pooled.
        padding: "valid" (every 3×3 convolution eats one pixel a side) or "same" (zeros keep the size).
        skips: False leaves out the copies from the contracting path, for comparison.
        norm: None, or "batch" for batch normalisation after every 3×3 convolution.
    Raises: ValueError: any other argument; a side at which a pooling would meet an odd number.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        *,
        width: int = 64,
        depth: int = 4,
        padding: str = "valid",
        skips: bool = True,
        norm: str | None = None,
    ):
        super().__init__(
            in_channels, num_classes, width=width, depth=depth, padding=padding, skips=skips, norm=norm
        )
        if padding not in ("valid", "same"):
            raise ValueError(f'padding is "valid" or "same", not {padding!r}')
        if norm not in (None, "batch"):
            raise ValueError(f'norm is None or "batch", not {norm!r}')
        if width < 1 or depth < 1:
            raise ValueError(f"width and depth must be at least 1, not {width} and {depth}")
        self.depth, self.padding, self.skips = depth, padding, skips
        self.step = 2**depth
        self.margin = 6 * 2**depth - 4 if padding == "valid" else 0

        pad = 1 if padding == "same" else 0
        # 64, 128, 256, 512, 1024
        channels = [width * 2**level for level in range(depth + 1)]
        inputs = [in_channels, *channels]
        self.encoder = nn.ModuleList(DoubleConv(inputs[i], channels[i], pad, norm) for i in range(depth))
        self.pool = nn.MaxPool2d(2)
        self.bottom = DoubleConv(channels[-2], channels[-1], pad, norm)

        # 512, 256, 128, 64
        upwards = channels[-2::-1]
        self.upconv = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in upwards)
        self.decoder = nn.ModuleList(DoubleConv(2 * c if skips else c, c, pad, norm) for c in upwards)
        self.head = nn.Conv2d(width, num_classes, 1)
        down, up = ([f"{part}.{i}" for i in range(depth)] for part in ("encoder", "decoder"))
        self.stages = (*down, "bottom", *up, "head")
        self.links = tuple(zip(reversed(down), up)) if skips else ()
        self.apply(he_init)

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalise(x)
        kept = []
        for block in self.encoder:
            x = block(x)
            # Before pooling: the finest map of this level.
            kept.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for upconv, block in zip(self.upconv, self.decoder):
            x, skip = upconv(x), kept.pop()
            x = block(crop_and_concat(skip, x) if self.skips else x)
        return self.head(x)

    def accepts(self, side: int) -> bool:
        """Whether every pooling meets an even side and something is left: 572, not 570; padded, n·2^depth."""
        if self.padding == "same":
            return side > 0 and side % self.step == 0
        for _ in range(self.depth):
            side -= 4
            if side <= 0 or side % 2:
                return False
            side //= 2
        for _ in range(self.depth):
            side = 2 * (side - 4)
        return side > 4
