"""DeepLabv3, from Chen et al. (2017), "Rethinking Atrous Convolution for Semantic Image Segmentation"."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnb.models.base import SegmentationNet
from segnb.models.resnet import ResNet

BACKBONES = {
    "resnet50": {"units": (3, 4, 6, 3)},
    "resnet101": {"units": (3, 4, 23, 3)},
    "small": {"units": (1, 1, 1, 3), "channels": (16, 16, 24, 32)},
}


def conv_bn_relu(in_channels: int, out_channels: int, rate: int | None = None) -> nn.Sequential:
    """A convolution, batch norm and ReLU that keep height and width: 3×3 with this rate, 1×1 without one."""
    if rate is None:
        conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    else:
        conv = nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


class ImagePooling(nn.Module):
    """Image-level features: the mean over the map, a 1×1 convolution, spread back; N×C×h×w → N×channels×h×w.

    Raises: ValueError: a batch of one in training, where batch norm has one value a channel and no variance.
    """

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = conv_bn_relu(in_channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) == 1 and self.conv[1].training:
            raise ValueError(
                "Expected more than 1 value per channel when training: the image-level features of a single image are "
                "one. Use two or more images a batch, or put batch norm into eval mode, or build with image_pooling=False"
            )
        # Bilinear upsampling of a single value is that value everywhere.
        return self.conv(self.pool(x)).expand(-1, -1, *x.shape[2:])


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling (figure 5): N×C×h×w → N×channels×h×w.

    A 1×1 convolution, a 3×3 for each rate and image-level features, each of `channels`, joined by a 1×1.

    Args: rates: in pixels of the map. One as large as the map meets zeros all around its centre: a dear 1×1.
    Raises: ValueError: rates that are not whole numbers of at least 1.
    """

    def __init__(
        self, in_channels: int, rates: Sequence[int], image_pooling: bool = True, *, channels: int = 256
    ):
        super().__init__()
        if any(rate < 1 or rate != int(rate) for rate in rates):
            raise ValueError(f"rates are whole numbers of at least 1, not {tuple(rates)}")
        rates = (None, *(int(rate) for rate in rates))
        self.branches = nn.ModuleList(conv_bn_relu(in_channels, channels, rate) for rate in rates)
        self.image_pooling = ImagePooling(in_channels, channels) if image_pooling else None
        self.project = conv_bn_relu((len(rates) + image_pooling) * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        features = [branch(x) for branch in self.branches]
        if self.image_pooling is not None:
            features.append(self.image_pooling(x))
        return self.project(torch.cat(features, dim=1))


class DeepLabV3(SegmentationNet):
    """A residual network with atrous convolution, ASPP and a 1×1 classifier; the defaults are the paper's.

    Images N×C×H×W in 0..1, of any size → logits N×K×H×W, enlarged bilinearly: the labels need not shrink.

    `load_encoder` takes resnet50 or resnet101, and moves the strides into the first units, where these
    weights have had them. With multi_grid=(1, 1, 1) all features then equal torchvision's on the normalised
    image, at output stride 16 and 8 those of `replace_stride_with_dilation`.

    Departs from the paper: batch norm's momentum is PyTorch's (the paper's decay of .9997 needs its 30,000
    steps), and upsampling has align_corners=False, on which the paper is silent.

    Args:
        backbone: "resnet50", "resnet101", or "small": six units and 32 filters in ASPP, ours, for a laptop.
        output_stride: image side divided by the side of the map: 8, 16 or 32.
        multi_grid: by these the three units of the last stage multiply its rate.
        rates: of ASPP at output stride 16, multiplied by 16/output_stride to cover the same part of the image
            at any: (6, 12, 18) gives 12, 24, 36 at 8. () leaves the 1×1 convolution alone.
        image_pooling: whether ASPP has image-level features.
        stride_unit, keep_rate: where the strides sit and what becomes of one that is taken out; see `ResNet`.
    Raises: ValueError: any other argument; rates not whole at this stride; a batch of one in training with
        image pooling.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 21,
        *,
        backbone: str = "resnet50",
        output_stride: int = 16,
        multi_grid: Sequence[int] = (1, 2, 4),
        rates: Sequence[int] = (6, 12, 18),
        image_pooling: bool = True,
        stride_unit: str = "last",
        keep_rate: bool = True,
    ):
        super().__init__(
            in_channels, num_classes, backbone=backbone, output_stride=output_stride,
            multi_grid=tuple(multi_grid), rates=tuple(rates), image_pooling=image_pooling,
            stride_unit=stride_unit, keep_rate=keep_rate,
        )  # fmt: skip
        if backbone not in BACKBONES:
            raise ValueError(f"backbone is one of {', '.join(BACKBONES)}, not {backbone!r}")
        self.step = output_stride
        self.encoder_name = None if backbone == "small" else backbone

        self.backbone = ResNet(
            in_channels, **BACKBONES[backbone], output_stride=output_stride, multi_grid=multi_grid,
            stride_unit=stride_unit, keep_rate=keep_rate,
        )  # fmt: skip
        channels = 32 if backbone == "small" else 256
        rates_on_map = [rate * 16 / output_stride for rate in rates]
        if any(rate < 1 or rate != int(rate) for rate in rates_on_map):
            raise ValueError(
                f"rates {tuple(rates)} are for output stride 16; at {output_stride} they become {rates_on_map}, "
                "and each must be a whole number of at least 1"
            )
        self.aspp = ASPP(self.backbone.out_channels, rates_on_map, image_pooling, channels=channels)
        self.head = nn.Conv2d(channels, num_classes, 1)
        self.stages = (
            *(f"backbone.layer{i}" for i in (1, 2, 3, 4)),
            *(f"aspp.branches.{i}" for i in range(len(self.aspp.branches))),
            *(("aspp.image_pooling",) if image_pooling else ()),
            "aspp.project",
            "head",
        )

    def forward(self, x: Tensor) -> Tensor:
        image = self.normalise(x)
        scores = self.head(self.aspp(self.backbone(image)))
        return F.interpolate(scores, size=image.shape[2:], mode="bilinear", align_corners=False)

    def load_encoder(
        self, state_dict: Mapping[str, Tensor] | None = None, *, pretrained: bool = False
    ) -> None:
        """As every network's; and the strides move to where torchvision's weights were trained with them."""
        super().load_encoder(state_dict, pretrained=pretrained)
        self.backbone.set_stride_unit("first")
        self.config["stride_unit"] = "first"

    def encoder_weights(self, state_dict: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        weights = {name: tensor for name, tensor in state_dict.items() if not name.startswith("fc.")}
        return self.backbone, weights
