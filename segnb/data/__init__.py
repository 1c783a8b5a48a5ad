"""Pictures with a class for every pixel: generated ones, real ones, and what is done to them before training."""

from .augment import augment, crop, elastic, flips, intensity, quarter_turns, rotation, scaling, shifts
from .loading import ClassCounts, DataError, SegmentationData, choose, load, names
from .weight_maps import with_weight_map

__all__ = [
    "ClassCounts",
    "DataError",
    "SegmentationData",
    "augment",
    "choose",
    "crop",
    "elastic",
    "flips",
    "intensity",
    "load",
    "names",
    "quarter_turns",
    "rotation",
    "scaling",
    "shifts",
    "with_weight_map",
]
