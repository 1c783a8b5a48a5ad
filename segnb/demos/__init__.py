"""Things to play with: HTML and JavaScript that run in the page, without a kernel, on the site, Colab and offline.

Each demo is a function here, a JavaScript file of the same name beside it, and a test that compares the numbers which
the JavaScript computes in a real browser with torch's. `guess` and `recall` ask the reader instead (quiz.py, quiz.js).
"""

from .alignment import alignment
from .ask import ask
from .atrous import atrous
from .finer_map import finer_map
from .loss_painter import loss_painter
from .measures import measures
from .one_pixel import one_pixel
from .quiz import guess, recall
from .taps import taps
from .transposed import transposed
from .unpooling import unpooling

__all__ = [
    "alignment",
    "ask",
    "atrous",
    "finer_map",
    "guess",
    "loss_painter",
    "measures",
    "one_pixel",
    "recall",
    "taps",
    "transposed",
    "unpooling",
]
