"""Pictures, players and explorers: everything in the book that is looked at."""

from .blueprint import blueprint
from .charts import bars, curves, dots
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
from .table import Table, table

__all__ = [
    "COLOURS",
    "Picture",
    "Table",
    "bars",
    "blueprint",
    "canvas",
    "compare",
    "confusion",
    "curves",
    "dots",
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
    "table",
]
