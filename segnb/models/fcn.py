"""FCN, from Long et al. (2015), "Fully Convolutional Networks for Semantic Segmentation"."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from segnb.models.base import SegmentationNet, he_init
from segnb.models.vgg import vgg16_stages, vgg16_weights


def bilinear_kernel(factor: int) -> Tensor:
    """The 2s×2s kernel that enlarges s = `factor` times: for 2, outer([.25, .75, .75, .25]) (section 3.3)."""
    tent = 1 - (torch.arange(2 * factor) + 0.5 - factor).abs() / factor
    return torch.outer(tent, tent)


class BilinearUpsampling(nn.ConvTranspose2d):
    """Enlarge maps N×K×h×w to N×K×s(h+1)×s(w+1), s = `factor`, each class by a kernel of its own.

    Away from the border this is `interpolate(align_corners=False)`, moved down and right by s/2 px.

    Args: learn: False keeps the bilinear kernel as a constant; True starts there and trains it.
    """

    def __init__(self, channels: int, factor: int, learn: bool = False):
        super().__init__(channels, channels, 2 * factor, stride=factor, groups=channels, bias=False)
        kernel = bilinear_kernel(factor).repeat(channels, 1, 1, 1)
        del self.weight
        if learn:
            self.weight = nn.Parameter(kernel)
        else:
            # Never changes, so it need not be saved.
            self.register_buffer("weight", kernel, persistent=False)


def crop(x: Tensor, offset: int, like: Tensor) -> Tensor:
    """The window of `x`, as large as `like`, that begins `offset` px from the top and from the left."""
    return x[:, :, offset : offset + like.shape[2], offset : offset + like.shape[3]]


class FCN(SegmentationNet):
    """FCN-32s, -16s or, by default, -8s on VGG16, with the sizes and crops of the released networks.

    Images N×C×H×W in 0..1, of any size from 1 px → logits N×K×H×W. Why 100 and 19: fc6 is 7×7 and unpadded,
    so a small image leaves it nothing to stand on. Padding the first convolution by p = 100 (97 would do)
    puts pixel 0 of the ×32 upsampling p − 81 = 19 px before the image's first. Likewise pool4 begins 5 of its
    pixels before the scores it is added to, pool3 9; last come 27 (16s) and 31 (8s).

    Scores start at zero: the cross entropy at ln K, and a 16s that loads a 32s's weights (strict=False) at
    its score map. `load_encoder` takes vgg16 (norm="batch": vgg16_bn), and its dense layers where `hidden`
    agrees. Features equal torchvision's on the image padded by 99 zeros where pooling need not round (Caffe,
    and FCN, up): sides n ≡ 26 (mod 32). Departs from the paper: He initialisation below the scores (needed
    without VGG's weights); RGB in 0..1.

    Args:
        stride: 32 (scores of the last layer only), 16 (adds scores of pool4) or 8 (adds those of pool3 too).
        width, hidden: channels of the first stage; of fc6 and fc7.
        learn_upsampling: train the upsampling kernels; False (the released networks) fixes them at bilinear.
        at_once: scale pool4 by 0.01 and pool3 by 0.0001 before scoring, for training all strides in one go.
        norm: None (the paper), or "batch" for batch normalisation after every 3×3 convolution.
    Raises: ValueError: any other argument.
    """

    step = 32

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 21,
        *,
        stride: int = 8,
        width: int = 64,
        hidden: int = 4096,
        learn_upsampling: bool = False,
        at_once: bool = False,
        norm: str | None = None,
    ):
        super().__init__(
            in_channels, num_classes, stride=stride, width=width, hidden=hidden,
            learn_upsampling=learn_upsampling, at_once=at_once, norm=norm,
        )  # fmt: skip
        if stride not in (8, 16, 32):
            raise ValueError(f"stride is 8, 16 or 32, not {stride}")
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        self.stride, self.at_once = stride, at_once
        self.encoder_name = "vgg16" if norm is None else "vgg16_bn"

        stages = vgg16_stages(in_channels, width, norm, first_padding=100)
        self.conv1, self.conv2, self.conv3, self.conv4, self.conv5 = stages
        pools = (nn.MaxPool2d(2, ceil_mode=True) for _ in stages)
        self.pool1, self.pool2, self.pool3, self.pool4, self.pool5 = pools
        self.fc6 = nn.Sequential(nn.Conv2d(8 * width, hidden, 7), nn.ReLU(inplace=True), nn.Dropout(0.5))
        self.fc7 = nn.Sequential(nn.Conv2d(hidden, hidden, 1), nn.ReLU(inplace=True), nn.Dropout(0.5))
        # All but the scores, which come next and start at zero.
        self.apply(he_init)

        upsampling = partial(BilinearUpsampling, num_classes, learn=learn_upsampling)
        self.score = score_layer(hidden, num_classes)
        if stride <= 16:
            self.upscore2, self.score_pool4 = upsampling(2), score_layer(8 * width, num_classes)
        if stride == 8:
            self.upscore_pool4, self.score_pool3 = upsampling(2), score_layer(4 * width, num_classes)
        self.add_module(f"upscore{stride}", upsampling(stride))
        skips = {32: (), 16: ("pool4",), 8: ("pool4", "pool3")}[stride]
        self.links = tuple((pool, f"score_{pool}") for pool in skips)
        self.stages = (*(f"pool{i}" for i in range(1, 6)), "fc6", "fc7", "score", *(s for _, s in self.links))

    def forward(self, x: Tensor) -> Tensor:
        image = self.normalise(x)
        pool3 = self.pool3(self.conv3(self.pool2(self.conv2(self.pool1(self.conv1(image))))))
        pool4 = self.pool4(self.conv4(pool3))
        score = self.score(self.fc7(self.fc6(self.pool5(self.conv5(pool4)))))
        if self.stride == 32:
            return crop(self.upscore32(score), 19, image)
        if self.at_once:
            pool4, pool3 = 0.01 * pool4, 0.0001 * pool3
        score = self.upscore2(score)
        score = score + crop(self.score_pool4(pool4), 5, score)
        if self.stride == 16:
            return crop(self.upscore16(score), 27, image)
        score = self.upscore_pool4(score)
        score = score + crop(self.score_pool3(pool3), 9, score)
        return crop(self.upscore8(score), 31, image)

    def encoder_weights(self, state_dict: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        stages = (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5)
        layers, weights = vgg16_weights(stages, state_dict)
        for fc, name in ((self.fc6[0], "classifier.0"), (self.fc7[0], "classifier.3")):
            dense = state_dict.get(f"{name}.weight")
            if dense is not None and dense.numel() == fc.weight.numel():
                # A dense layer reads a 512×7×7 map in this order, so its weights are a 7×7 convolution's.
                weights[f"{len(layers)}.weight"] = dense.reshape(fc.weight.shape)
                weights[f"{len(layers)}.bias"] = state_dict[f"{name}.bias"]
                layers.append(fc)
        return layers, weights


def score_layer(in_channels: int, num_classes: int) -> nn.Conv2d:
    """A 1×1 convolution to scores that starts at zero: to add it changes nothing at first (section 4.2)."""
    layer = nn.Conv2d(in_channels, num_classes, 1)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
