"""Pictures with a class for every pixel: generated, real, and what is done to them before training."""

from ..shapes import ClassCounts
from .augment.parts import augment, crop, elastic, flips, intensity, quarter_turns, rotation, scaling, shifts
from .augment.weight_maps import with_weight_map
from .files import DataError
from .findings import Findings, inspect
from .items import SegmentationData
from .real.coins import coins
from .sets import choose, load, names

__all__ = [
    "ClassCounts",
    "DataError",
    "Findings",
    "SegmentationData",
    "augment",
    "choose",
    "coins",
    "crop",
    "elastic",
    "flips",
    "inspect",
    "intensity",
    "load",
    "names",
    "quarter_turns",
    "rotation",
    "scaling",
    "shifts",
    "with_weight_map",
]
