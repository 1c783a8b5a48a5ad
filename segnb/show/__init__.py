"""Pictures, players and explorers: everything in the book that is looked at."""

from .blueprint import blueprint
from .explore import explore, explore_mask
from .figures import (
    Picture,
    canvas,
    compare,
    confusion,
    errors,
    feature_maps,
    history,
    overlay,
    pair,
    picture,
)
from .player import player
from .statistics import statistics
from .style import COLOURS

__all__ = [
    "COLOURS",
    "Picture",
    "blueprint",
    "canvas",
    "compare",
    "confusion",
    "errors",
    "explore",
    "explore_mask",
    "feature_maps",
    "history",
    "overlay",
    "pair",
    "picture",
    "player",
    "statistics",
]
