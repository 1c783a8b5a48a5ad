"""Residual networks with a choice of output stride: the trunk of DeepLabv3.

Source: He et al. (2016), "Deep Residual Learning for Image Recognition", table 1; for strides and how they
    become rates Chen et al. (2017), "Rethinking Atrous Convolution ...", sections 3.1 and 3.2.
"""

from collections.abc import Sequence

from torch import Tensor, nn

# The stride of each stage. The stem (a convolution and a pooling) has divided the image by 4 before.
STRIDES = {"last": (2, 2, 2, 1), "first": (1, 2, 2, 2)}


class Bottleneck(nn.Module):
    """x + f(x): N×C×H×W → N×4·channels×H/s×W/s. f is 1×1 to `channels`, 3×3 with stride s and rate, 1×1."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1, rate: int = 1):
        super().__init__()
        out_channels = 4 * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        # x needs the channels of f(x) before they can be added.
        if in_channels != out_channels:
            conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(out_channels))
        self.set_steps(stride, rate)

    def set_steps(self, stride: int, rate: int) -> None:
        """Set how far the 3×3 convolution moves on, and how far apart its taps are. The weights stay."""
        self.stride = stride
        self.conv2.stride = (stride, stride)
        self.conv2.padding = self.conv2.dilation = (rate, rate)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        x = x[..., :: self.stride, :: self.stride]
        if self.downsample is not None:
            x = self.downsample(x)
        return self.relu(y + x)


class ResNet(nn.Module):
    """Residual convolutions: N×C×H×W → N×out_channels×H/output_stride×W/output_stride, sides rounded up.

    Module names are torchvision's. With stride_unit="first" and multi-grid (1, 1, 1) so are the outputs, at
    16 and 8 those of its `replace_stride_with_dilation`.

    Args:
        units: bottlenecks in each of the four stages; (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) ResNet-101.
        channels: of each stage's 3×3 convolutions (it puts out four times as many); first, the stem's.
        output_stride: 32 keeps every stride. At 16 the last is taken out, at 8 the last two: the 3×3
            convolutions *after* a lost stride get twice the rate, to read what they read before.
        multi_grid: what the rate is multiplied by in each unit of the last stage.
        stride_unit: which unit of a stage has its stride, on its 3×3. "last", as in DeepLabv3 (section 3.2),
            where three stages have one; "first", as in torchvision, whose weights were trained so.
        keep_rate: the convolution that loses its stride keeps its rate, for what it reads is no finer than
            before. Then the finer map *contains* the coarser one, as finer[..., ::2, ::2] (with multi-grid
            (1, 1, 1)). False gives it the new rate too, as some libraries do: another map.
    Raises: ValueError: another output stride or unit; a multi-grid not of one whole number ≥ 1 a unit.
    """

    def __init__(
        self,
        in_channels: int = 3,
        units: Sequence[int] = (3, 4, 6, 3),
        *,
        channels: Sequence[int] = (64, 128, 256, 512),
        output_stride: int = 32,
        multi_grid: Sequence[int] = (1, 1, 1),
        stride_unit: str = "last",
        keep_rate: bool = True,
    ):
        super().__init__()
        if output_stride not in (8, 16, 32):
            raise ValueError(f"output_stride is 8, 16 or 32, not {output_stride}")
        if len(multi_grid) != units[3] or any(unit < 1 or unit != int(unit) for unit in multi_grid):
            raise ValueError(
                f"multi_grid needs {units[3]} whole numbers of at least 1, one for each unit of the last stage, "
                f"not {tuple(multi_grid)}"
            )
        self.output_stride, self.keep_rate = output_stride, keep_rate
        self.multi_grid = [int(factor) for factor in multi_grid]
        self.conv1 = nn.Conv2d(in_channels, channels[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        widths = [channels[0], *(4 * width for width in channels)]
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(*(Bottleneck(before if unit == 0 else 4 * width, width) for unit in range(number)))
            for before, width, number in zip(widths, channels, units)
        )
        self.out_channels = widths[-1]
        self.set_stride_unit(stride_unit)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def set_stride_unit(self, stride_unit: str) -> None:
        """Move the strides of all stages into their "first" or "last" unit, and the rates with them.

        Raises: ValueError: another word.
        """
        if stride_unit not in STRIDES:
            raise ValueError(
                f'stride_unit is "last", as in the paper, or "first", as in torchvision, not {stride_unit!r}'
            )
        reached, rate = 4, 1
        for stage, stage_stride in zip(
            (self.layer1, self.layer2, self.layer3, self.layer4), STRIDES[stride_unit]
        ):
            grid = self.multi_grid if stage is self.layer4 else [1] * len(stage)
            place = 0 if stride_unit == "first" else len(stage) - 1
            for number, (unit, factor) in enumerate(zip(stage, grid)):
                stride = stage_stride if number == place else 1
                if reached * stride <= self.output_stride:
                    reached *= stride
                    unit.set_steps(stride, rate * factor)
                else:
                    # All that comes later reads a map that is finer than it was trained for.
                    later = rate * stride
                    unit.set_steps(1, (rate if self.keep_rate else later) * factor)
                    rate = later

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))
