"""Training: the loop, what it keeps on the disk, and what it went through."""

from .history import History
from .loop import fit

__all__ = ["History", "fit"]
