"""What every network of the course has in common: it states its sizes, and refuses wrong ones by name."""

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor, nn

# Of the pixel values in 0..1 that torchvision's classifiers were trained on, red, green, blue.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SegmentationNet(nn.Module):
    """A network that takes N×C×H×W float images in 0..1 and returns N×K×H'×W' float logits.

    Attributes:
        margin: pixels lost on each side, so H' = H − 2·margin.
        step: shifting the image by this many pixels shifts the logits by as many.
        stages: names, as in `named_modules()`, of the parts worth looking at, in the order they run.
        links: pairs of stages that a skip connects, for drawing.
        config: the constructor's arguments; `type(model)(**model.config)` builds the network again.
        encoder_name: what torchvision calls the classifier whose weights `load_encoder` takes, or None.
    """

    margin: int = 0
    step: int = 1
    stages: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    encoder_name: str | None = None

    def __init__(self, in_channels: int, num_classes: int, **config):
        """config: the other arguments of the network's own constructor, by name."""
        super().__init__()
        if in_channels < 1 or num_classes < 1:
            raise ValueError(
                f"in_channels and num_classes must be at least 1, not {in_channels} and {num_classes}"
            )
        self.config = {"in_channels": in_channels, "num_classes": num_classes, **config}
        self.in_channels, self.num_classes = in_channels, num_classes
        # Buffers, to travel with the weights: ImageNet's values replace them with a pretrained encoder.
        self.register_buffer("mean", torch.zeros(in_channels, 1, 1))
        self.register_buffer("std", torch.ones(in_channels, 1, 1))

    def accepts(self, side: int) -> bool:
        """Whether an image side of this many pixels runs through the network."""
        return side >= 1

    def valid_size(self, side: int) -> int:
        """The smallest side (px) that the network accepts and that is not smaller than `side`."""
        side = max(1, int(side))
        while not self.accepts(side):
            side += 1
        return side

    def normalise(self, x: Tensor) -> Tensor:
        """(x − mean) / std, after checking that `x` is a batch of images this network can take."""
        self.check_input(x)
        return (x - self.mean) / self.std

    def check_input(self, x: Tensor) -> None:
        """Raise TypeError for integer images and ValueError for a wrong shape, naming what would work."""
        name = type(self).__name__
        if not x.is_floating_point():
            raise TypeError(f"{name} takes float images in 0..1, not {x.dtype}: use image.float() / 255")
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            wanted = f"N×{self.in_channels}×H×W"
            cure = "; add the batch dimension with image[None]" if x.ndim == 3 else ""
            raise ValueError(f"{name} takes images {wanted}, not {'×'.join(map(str, x.shape))}{cure}")
        for axis, side in (("height", x.shape[2]), ("width", x.shape[3])):
            if not self.accepts(side):
                raise ValueError(f"{name} cannot take a {axis} of {side} px: use {self.nearest_sizes(side)}")

    def nearest_sizes(self, side: int) -> str:
        """The valid sides around `side`, in words for an error message."""
        above = self.valid_size(side)
        below = next((n for n in range(side - 1, 0, -1) if self.accepts(n)), None)
        return f"{above}" if below is None else f"{below} or {above}"

    def load_encoder(
        self, state_dict: Mapping[str, Tensor] | None = None, *, pretrained: bool = False
    ) -> None:
        """Copy the weights of torchvision's classifier `encoder_name`, and ImageNet's mean and std.

        Args: state_dict: the weights; or leave it out and say pretrained=True, to download ImageNet's.
        Raises: ValueError, before anything is changed: the weights are not those of this encoder.
        """
        if self.encoder_name is None:
            raise ValueError(
                f"torchvision has no weights for the encoder of {type(self).__name__}: train it from scratch"
            )
        if (state_dict is None) != pretrained:
            raise ValueError(
                f"load_encoder takes either the weights of torchvision's {self.encoder_name} or pretrained=True"
            )
        if pretrained:
            # Here, not above: torchvision takes seconds to import.
            from torchvision.models import get_model_weights

            state_dict = get_model_weights(self.encoder_name).IMAGENET1K_V1.get_state_dict(check_hash=True)
        encoder, weights = self.encoder_weights(state_dict)
        check_weights(encoder, weights, self.encoder_name)
        # Not strict: torchvision's older files lack batch norm's count of batches, as check_weights knows.
        encoder.load_state_dict(weights, strict=False)
        for buffer, values in ((self.mean, IMAGENET_MEAN), (self.std, IMAGENET_STD)):
            buffer.copy_(torch.tensor(values)[:, None, None])

    def encoder_weights(self, state_dict: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        """(the part of this network that torchvision has too, torchvision's weights under its names)."""
        raise NotImplementedError


def he_init(module: nn.Module) -> None:
    """Gaussian weights of deviation √(2/N), N a neuron's incoming connections, and zero biases.

    For `net.apply`: convolutions are set, all else left alone. Without it VGG16 does not learn from scratch.
    Source: He et al. (2015), eq. 10; U-Net (Ronneberger et al., 2015), section 3.
    """
    if isinstance(module, nn.Conv2d):
        incoming = module.weight[0].numel()
    elif isinstance(module, nn.ConvTranspose2d):
        # Kernel 2, stride 2: one tap a channel reaches each pixel.
        incoming = module.in_channels
    else:
        return
    nn.init.normal_(module.weight, std=sqrt(2 / incoming))
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def check_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Raise ValueError at the first weight that only one side has, or whose shapes differ."""
    ours, theirs = (
        {name: tuple(t.shape) for name, t in tensors.items() if not name.endswith("num_batches_tracked")}
        for tensors in (module.state_dict(), weights)
    )
    for name in {**ours, **theirs}:
        if ours.get(name) != theirs.get(name):
            raise ValueError(
                f"these weights do not fit: they must be those of torchvision's {source}, and this network must take "
                f"3 channels and have the paper's widths; {name} has shape {ours.get(name)} here and {theirs.get(name)} there"
            )
