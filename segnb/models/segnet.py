"""Badrinarayanan et al. (2017), "SegNet: A Deep Convolutional Encoder-Decoder Architecture"."""

from collections.abc import Mapping

from torch import Tensor, nn

from segnb.models.base import SegmentationNet, he_init
from segnb.models.vgg import ConvStage, vgg16_stages, vgg16_weights


class SegNet(SegmentationNet):
    """VGG16's 13 convolutions, mirrored, with unpooling to where each maximum was: the paper's figure 2.

    Images N×C×H×W in 0..1, H and W at least 32, odd sizes included → logits N×K×H×W.

    Every convolution has a bias, batch normalisation and ReLU, decoder included (the released network), but
    for the last, whose outputs are the logits: neither, so that a score can be negative. Pooling rounds sides
    up as Caffe does (360×480 → 12×15), and each unpooling is told the size before its pooling: without it an
    odd side comes back even, and the indices, which count pixels row by row, put values in the wrong places
    without a word.

    `load_encoder` takes torchvision's vgg16_bn. Features then equal torchvision's on the normalised image, at
    sides that are multiples of 32: elsewhere torchvision's pooling rounds down. Departs from the paper: no
    local contrast normalisation of the input, no dropout in the deep stages.

    Args: width: channels of the first stage.
    Raises: ValueError: a width below 1, sides below 32 px.
    """

    step = 32
    encoder_name = "vgg16_bn"

    def __init__(self, in_channels: int = 3, num_classes: int = 11, *, width: int = 64):
        super().__init__(in_channels, num_classes, width=width)
        w = width
        self.encoder = nn.ModuleList(vgg16_stages(in_channels, width, norm="batch"))
        self.pool = nn.ModuleList(nn.MaxPool2d(2, ceil_mode=True, return_indices=True) for _ in range(5))
        self.unpool = nn.ModuleList(nn.MaxUnpool2d(2) for _ in range(5))
        mirrored = (
            (8 * w, 8 * w, 8 * w, 8 * w),
            (8 * w, 8 * w, 8 * w, 4 * w),
            (4 * w, 4 * w, 4 * w, 2 * w),
            (2 * w, 2 * w, w),
            (w, w),
        )
        self.decoder = nn.ModuleList(ConvStage(channels, norm="batch") for channels in mirrored)
        self.head = nn.Conv2d(w, num_classes, 3, padding=1)
        self.head.apply(he_init)
        self.stages = (
            *(f"encoder.{i}" for i in range(5)),
            *(f"{part}.{i}" for i in range(5) for part in ("unpool", "decoder")),
            "head",
        )
        # What crosses over are the indices.
        self.links = tuple((f"encoder.{4 - i}", f"decoder.{i}") for i in range(5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalise(x)
        sizes, indices = [], []
        for stage, pool in zip(self.encoder, self.pool):
            x = stage(x)
            sizes.append(x.shape[2:])
            x, where = pool(x)
            indices.append(where)
        for unpool, stage in zip(self.unpool, self.decoder):
            # Last in, first out.
            x = unpool(x, indices.pop(), output_size=sizes.pop())
            x = stage(x)
        return self.head(x)

    def accepts(self, side: int) -> bool:
        """Any side from 32 px up, so that something is left to unpool after five poolings."""
        return side >= 32

    def encoder_weights(self, state_dict: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        return vgg16_weights(self.encoder, state_dict)
