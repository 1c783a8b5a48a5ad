"""Residual networks with a choice of output stride: the trunk of DeepLabv3.

He, Zhang, Ren and Sun (2016), "Deep Residual Learning for Image Recognition", table 1; the stride of a stage sits on the
3×3 convolution, as in torchvision. Strides replaced by rates: Chen et al. (2017), "Rethinking Atrous Convolution for
Semantic Image Segmentation", sections 3.1 and 3.2.1.
"""

from collections.abc import Sequence

from torch import Tensor, nn


class Bottleneck(nn.Module):
    """x + f(x) with f: 1×1 to `channels`, 3×3 with stride or rate, 1×1 to 4·channels; N×C×H×W → N×4·channels×H/s×W/s."""

    def __init__(self, in_channels: int, channels: int, stride: int, rate: int):
        super().__init__()
        out_channels = 4 * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=rate, dilation=rate, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        # x needs the shape of f(x) before they can be added.
        if stride > 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.downsample is not None:
            x = self.downsample(x)
        return self.relu(y + x)


class ResNet(nn.Module):
    """The convolutions of a residual network: N×C×H×W → N×out_channels×H/output_stride×W/output_stride, sides rounded up.

    units: bottlenecks in each of the four stages; (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) ResNet-101.
    channels: of the 3×3 convolutions in each stage; a stage puts out four times as many. The first is also the stem's.
    output_stride: 32 keeps every stride. 16 takes the stride out of the last stage and gives its 3×3 convolutions rate 2
    instead; 8 does so in the last two stages, with rates 2 and 4. The weights stay the same.
    multi_grid: what the rate is multiplied by in each unit of the last stage.

    Module names are torchvision's. With output stride 32 and multi-grid (1, 1, 1) so are the outputs. At 16 and 8 every
    3×3 convolution of a stage without its stride has that stage's rate, as the paper says. torchvision's
    `replace_stride_with_dilation` leaves the first one, which carried the stride, at the rate of the stage before: then
    the dense map contains the strided one exactly, pixel for pixel.

    Raises ValueError for another output stride, and for a multi-grid that is not one whole number ≥ 1 for each unit.
    """

    def __init__(
        self,
        in_channels: int = 3,
        units: Sequence[int] = (3, 4, 6, 3),
        *,
        channels: Sequence[int] = (64, 128, 256, 512),
        output_stride: int = 32,
        multi_grid: Sequence[int] = (1, 1, 1),
    ):
        super().__init__()
        if output_stride not in (8, 16, 32):
            raise ValueError(f"output_stride is 8, 16 or 32, not {output_stride}")
        if len(multi_grid) != units[3] or any(unit < 1 or unit != int(unit) for unit in multi_grid):
            raise ValueError(
                f"multi_grid needs {units[3]} whole numbers of at least 1, one for each unit of the last stage, "
                f"not {tuple(multi_grid)}"
            )
        self.conv1 = nn.Conv2d(in_channels, channels[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)

        # The two layers above have stride 4 together.
        in_channels, reached, rate = channels[0], 4, 1
        for stage in range(4):
            stride = 1 if stage == 0 else 2
            if reached * stride > output_stride:
                stride, rate = 1, rate * stride
            reached *= stride
            grid = [int(factor) for factor in multi_grid] if stage == 3 else [1] * units[stage]
            bottlenecks = []
            for unit in range(units[stage]):
                unit_stride = stride if unit == 0 else 1
                bottlenecks.append(Bottleneck(in_channels, channels[stage], unit_stride, rate * grid[unit]))
                in_channels = 4 * channels[stage]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*bottlenecks))
        self.out_channels = in_channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))
