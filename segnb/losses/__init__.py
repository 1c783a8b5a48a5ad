"""What a network is told about its mistakes: losses on logits N×K×H×W and class indices N×H×W."""

from .cross_entropy import cross_entropy, focal, median_frequency_weights, unet_weight_map
from .dice import dice, generalised_dice, tversky

__all__ = [
    "cross_entropy",
    "dice",
    "focal",
    "generalised_dice",
    "median_frequency_weights",
    "tversky",
    "unet_weight_map",
]
