"""Training: the loop, what it keeps on the disk, what it went through, and what makes it suspicious."""

from .history import History
from .loop import fit
from .suspicion import Suspicious

__all__ = ["History", "Suspicious", "fit"]
