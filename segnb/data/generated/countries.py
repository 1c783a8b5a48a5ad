"""`countries`: aerial views in which a thin grey line is road or canal by what runs beside it, far off.

In one country of a picture trees accompany the line on both sides, in the other banks of sand do: trees make
it a road, sand a canal. They keep a distance of 12, 24 or 48 pixels, another one in each country, and nothing
nearer tells. Every picture holds one country of either kind, so the picture as a whole tells nothing: one has
to look beside the line, and as far as its companions are.
"""

from functools import lru_cache

import numpy as np

from .brushes.tissue import NATIVE, positions, smooth

CLASSES = ("road", "canal", "trees", "sand", "fields")
PALETTE = ((67, 64, 88), (64, 128, 220), (44, 104, 74), (223, 181, 118), (200, 210, 190))
CHANNELS = 3
SIZE = (128, 128)
SPLITS = {"train": 500, "val": 60, "test": 120}
DISTANCES = (12, 24, 48)  # between a line and its companions, in pixels of a picture of SIZE

ROAD, CANAL, TREES, SAND, FIELDS = range(5)
# Lengths below are in native pixels, of which the picture's shorter side has 256: two for a pixel at SIZE.
PIXEL = NATIVE / SIZE[0]
LINE = 1.5 * PIXEL  # half the width of a line
COMPANION = 3.5 * PIXEL  # half the width of what runs beside it
CROWNS = 7 * PIXEL  # from tree to tree


def render(seed, height, width) -> tuple[np.ndarray, np.ndarray]:
    """Scene number `seed`: (image float32 3×H×W in 0..1, mask uint8 H×W)."""
    from scipy import ndimage

    rng, lower, distance, road = plan(seed, height, width)
    y, x, scale = positions(height, width)
    beside = _beside(rng, y, x, lower, distance)
    right = beside - np.copysign(distance, beside)  # of the middle of the nearer companion
    line = np.abs(beside) - LINE
    bank = np.abs(right) + 0.7 * PIXEL * smooth(rng, height, width, 22) - COMPANION
    crown, lit = _crowns(rng, y, right, beside > 0)
    top, left = (int(rng.random() * side) for side in (height, width))
    *grounds, grey, sand, leaves, grain = (
        texture[:, top : top + height, left : left + width] for texture in textures(height, width)
    )
    one, other = rng.permutation(len(grounds))[:2]

    def within(rim, where=True):
        """1 inside of a rim, 0 outside of it, soft where they meet."""
        return np.where(where, np.clip(0.5 - rim * scale, 0, 1), 0)

    # The sun stands in the upper left.
    shadow = within(ndimage.shift(crown, (2.5 * scale, 3 * scale), order=1, mode="nearest"), road)
    image = np.where(lower, grounds[other], grounds[one]) * (1 - 0.3 * shadow)
    for cover, paint in (
        (within(bank, ~road), sand),
        (within(crown, road), leaves * lit),
        (within(line), grey),
    ):
        image += cover * (paint - image)
    mask = np.full((height, width), FIELDS, dtype=np.uint8)
    mask[~road & (bank < 0)] = SAND
    mask[road & (crown < 0)] = TREES
    mask[road & (line < 0)] = ROAD
    mask[~road & (line < 0)] = CANAL
    picture = ((image + grain).clip(0, 1) * 255 + 0.5).astype(np.uint8)  # eight bits, as in a camera's file
    return picture.astype(np.float32) / 255, mask


def distances(seed, height, width) -> np.ndarray:
    """How far off the companions in each pixel's country run, scene `seed`: H×W uint8, of DISTANCES."""
    _, _, distance, _ = plan(seed, height, width)
    return np.round(distance / PIXEL).astype(np.uint8)


def plan(seed, height, width) -> tuple:
    """(generator of all else, lower, distance, road) of scene `seed`, the last three H×W.

    They say whether a pixel is in the lower country, how far off that country's companions are (native
    pixels), and whether its line is a road.
    """
    rng = np.random.default_rng((5, seed))
    y, x, _ = positions(height, width)
    border = (0.5 + rng.uniform(-0.06, 0.06)) * (y[-1] + y[0]) + _waves(rng, x, ((230, 7), (90, 3)))
    lower = y > border
    of_upper, of_lower = PIXEL * rng.choice(DISTANCES, 2)
    return rng, lower, np.where(lower, of_lower, of_upper), lower ^ (rng.random() < 0.5)


def _waves(rng, along, waves):
    """Sum of sines, given as (wavelength, height), that begin anywhere."""
    return sum(
        height * np.sin(2 * np.pi * (along / wavelength + rng.random())) for wavelength, height in waves
    )


def _beside(rng, y, x, lower, distance):
    """How far to the right of its country's line each pixel is: H×W. There is room for both companions."""
    beside = []
    for far in (distance[0, 0], distance[-1, 0]):
        room = far + 3 * COMPANION
        line = rng.uniform(room, x[0, -1] - room) + _waves(rng, y, ((300, 5), (110, 2)))
        beside.append(x - line)
    return np.where(lower, beside[1], beside[0])


def _crowns(rng, y, right, row):
    """(distance to the nearest crown's rim, < 0 inside; how brightly it is lit): H×W, of two rows of trees.

    right: how far right of the nearer row a pixel is; row: which of the two that is.
    """
    number, row = np.floor(y / CROWNS).astype(int), row.astype(int)
    draws = rng.uniform(-1, 1, (3, 2, number.max() + 1))
    size, lower, aside = (draw[row, number] for draw in draws)
    down = y - (number + 0.5) * CROWNS - 0.8 * PIXEL * lower
    right = right - 0.8 * PIXEL * aside
    return np.hypot(down, right) - COMPANION * (1 + 0.12 * size), 1 - 0.035 * (down + right)


@lru_cache(maxsize=4)
def textures(height, width) -> tuple[np.ndarray, ...]:
    """Heath, pasture and stubble, the grey of lines, sand, leaves, and the camera's grain: each 3×2H×2W.

    Scenes show pieces of them.
    """
    rng, height, width = np.random.default_rng(5), 2 * height, 2 * width
    y, x, _ = positions(height, width)

    def rough(*layers):
        """Sum of noises, given as (native pixels of the picture, strength)."""
        return sum(strength * smooth(rng, height, width, size / 2) for size, strength in layers)

    def tinted(colour, brightness):
        return np.float32(colour)[:, None, None] * brightness

    def furrows(direction, apart):
        return np.sin((direction * x + y + rough((60, 4))) * (2 * np.pi / apart))

    heath = tinted((0.62, 0.52, 0.50), 1 + rough((5, 0.05), (16, 0.05), (50, 0.05)))
    pasture = tinted((0.60, 0.67, 0.44), 1 + rough((4, 0.03), (12, 0.03), (50, 0.05)))
    stubble = tinted((0.71, 0.64, 0.43), 1 + 0.03 * furrows(0.3, 9) + rough((4, 0.02), (50, 0.04)))
    grey = tinted((0.53, 0.55, 0.57), 1 + rough((3, 0.03), (20, 0.02)))
    sand = tinted((0.93, 0.84, 0.63), 1 + 0.03 * furrows(2, 12) + rough((3, 0.02)))
    leaves = tinted((0.20, 0.36, 0.21), 1 + rough((4, 0.12), (9, 0.10)))
    return (
        heath,
        pasture,
        stubble,
        grey,
        sand,
        leaves,
        0.012 * rng.standard_normal((3, height, width), dtype=np.float32),
    )
