"""VGG16's 13 convolutions, the trunk of FCN and SegNet: Simonyan, Zisserman (2015), table 1, column D."""

import re
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from segnb.models.base import he_init

# One row a stage: how many 3×3 convolutions, and how many channels in units of the first stage's 64.
STAGES = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))


class ConvStage(nn.Sequential):
    """3×3 convolutions at one resolution, each with a ReLU: N×channels[0]×H×W → N×channels[-1]×H×W.

    Args:
        channels: those of the input, then those of every convolution's output.
        norm: None (VGG16), or "batch": batch normalisation before each ReLU (torchvision's vgg16_bn, SegNet).
        first_padding: zeros around the first convolution's input; 1 keeps the size, p adds 2·(p − 1).
    """

    def __init__(self, channels: Sequence[int], norm: str | None = None, first_padding: int = 1):
        if norm not in (None, "batch"):
            raise ValueError(f'norm is None or "batch", not {norm!r}')
        layers = []
        for i in range(len(channels) - 1):
            # The bias stays with batch norm too, as in vgg16_bn and in SegNet's released network.
            layers.append(nn.Conv2d(channels[i], channels[i + 1], 3, padding=1 if i else first_padding))
            if norm == "batch":
                layers.append(nn.BatchNorm2d(channels[i + 1]))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)
        self.apply(he_init)


def vgg16_stages(
    in_channels: int, width: int = 64, norm: str | None = None, first_padding: int = 1
) -> list[ConvStage]:
    """VGG16's five stages, without the max pooling after each: width, 2, 4, 8 and 8 times width channels.

    Raises: ValueError: a width below 1.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width}")
    stages = []
    for convolutions, multiple in STAGES:
        channels = [in_channels] + [multiple * width] * convolutions
        stages.append(ConvStage(channels, norm, 1 if stages else first_padding))
        in_channels = channels[-1]
    return stages


def vgg16_weights(
    stages: Iterable[ConvStage], state_dict: Mapping[str, Tensor]
) -> tuple[nn.ModuleList, dict[str, Tensor]]:
    """(the layers of `stages` in a row, torchvision's weights of vgg16 or vgg16_bn under their names in it).

    The order is the same; torchvision counts poolings and ReLUs too ("features.5" is convolution 3).
    """
    layers = nn.ModuleList(layer for stage in stages for layer in stage if not isinstance(layer, nn.ReLU))
    theirs = [match for name in state_dict if (match := re.fullmatch(r"features\.(\d+)\.(\w+)", name))]
    numbers = sorted({int(match[1]) for match in theirs})
    weights = {f"{numbers.index(int(match[1]))}.{match[2]}": state_dict[match[0]] for match in theirs}
    return layers, weights
