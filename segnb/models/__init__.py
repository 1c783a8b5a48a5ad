"""The networks, one file per paper."""

from segnb.models.deeplabv3 import ASPP, DeepLabV3
from segnb.models.fcn import FCN
from segnb.models.segnet import SegNet
from segnb.models.unet import UNet

__all__ = ["ASPP", "FCN", "DeepLabV3", "SegNet", "UNet"]
