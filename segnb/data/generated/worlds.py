"""`worlds`: aerial views in which one grey texture is road in one world and river in the other.

In a world of grass the grey patches are road, in a world of sand they are river. Some patches belong to the
other world, so it takes a look at the whole picture to tell. Scenes come in pairs that have every grey pixel
in common: scene 2k is the grass world, scene 2k + 1 the same place in the sand world. What a network learns
about grey it learns from afar.
"""

from functools import lru_cache

import numpy as np

from .brushes.tissue import positions, smooth

CLASSES = ("road", "river", "grass", "sand")
PALETTE = ((67, 64, 88), (64, 128, 220), (72, 150, 109), (223, 181, 118))
CHANNELS = 3
SIZE = (96, 96)
SPLITS = {"train": 500, "val": 60, "test": 120}

ROAD, RIVER, GRASS, SAND = range(4)
PATCH = 256 / 3  # size of a patch; lengths are in native pixels, of which the picture's shorter side has 256
GREY = 0.5  # share of patches
STRANGERS = 0.42  # of the other patches: the share of pixels that may belong to the other world


def render(seed, height, width) -> tuple[np.ndarray, np.ndarray]:
    """Scene number `seed`: (image float32 3×H×W in 0..1, mask uint8 H×W)."""
    place, world = divmod(seed, 2)
    rng = np.random.default_rng((4, place))
    nearness, patch = patches(rng, height, width)
    kind = kinds(rng, np.bincount(patch.ravel(), minlength=len(nearness)))
    if world:
        kind = (3 - kind) % 3  # grass and sand change places
    top, left = (int(rng.random() * side) for side in (height, width))
    *surfaces, grain = (
        ground[:, top : top + height, left : left + width] for ground in grounds(height, width)
    )
    share = [nearness[kind == k].sum(0) for k in range(3)]
    seam = 1 - 0.5 * (1 - np.max(share, axis=0))  # thin and dark
    image = sum(surface * part for surface, part in zip(surfaces, share)) * seam + grain
    label = np.uint8((RIVER if world else ROAD, GRASS, SAND))[kind]
    picture = (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)  # eight bits, as in a camera's file
    return picture.astype(np.float32) / 255, label[patch]


def patches(rng, height, width) -> tuple[np.ndarray, np.ndarray]:
    """(nearness P×H×W, which sums to 1 and is soft at borders; the nearest patch H×W) of a warped mosaic."""
    y, x, scale = positions(height, width)
    rows, columns = (round(n / scale / PATCH) for n in (height, width))
    warp = 14 * smooth(rng, height, width, 70, 2) + 3 * smooth(rng, height, width, 16, 2)
    centres = np.stack(np.mgrid[:rows, :columns], -1).reshape(-1, 2) + 0.5
    centres = (centres + rng.uniform(-0.42, 0.42, centres.shape)) * PATCH
    v, u = y + warp[0], x + warp[1]
    distance = np.stack([np.hypot(v - cy, u - cx) for cy, cx in centres]).astype(np.float32)
    nearness = np.maximum(0, 1 - 0.8 * scale * (distance - distance.min(0)))
    return nearness / nearness.sum(0), distance.argmin(0)


def kinds(rng, area) -> np.ndarray:
    """0 for grey patches, 1 for those of this world and 2 for strangers, given the pixels of each."""
    order = rng.permutation(len(area))
    kind = np.ones(len(area), dtype=int)
    number = round(GREY * len(area) + rng.uniform(-0.6, 0.6))
    kind[order[:number]] = 0
    left = STRANGERS * area[order[number:]].sum()
    for k in order[number:]:
        if area[k] <= left:
            kind[k], left = 2, left - area[k]
    return kind


@lru_cache(maxsize=4)
def grounds(height, width) -> tuple[np.ndarray, ...]:
    """Rough grey, meadow, rippled sand, and the camera's grain: each 3×2H×2W, of which scenes show pieces."""
    rng, height, width = np.random.default_rng(4), 2 * height, 2 * width
    y, x, _ = positions(height, width)

    def rough(*layers):
        """Sum of noises, given as (native pixels of the picture, strength)."""
        return sum(strength * smooth(rng, height, width, size / 2) for size, strength in layers)

    def tinted(colour, brightness):
        return np.float32(colour)[:, None, None] * brightness

    grey = tinted((0.53, 0.55, 0.57), 1 + rough((3, 0.035), (9, 0.025), (40, 0.03)))
    tufts = rough((6, 1))
    meadow = tinted((0.45, 0.60, 0.33), 1 + 0.07 * tufts - 0.10 * (tufts > 1.1) + rough((2.7, 0.03)))
    meadow += tinted((1.2, 0.2, 0.2), rough((36, 0.03)))  # drier in places
    ripples = np.sin((2 * x + y + rough((40, 10))) * (2 * np.pi / 14))
    sand = tinted((0.87, 0.76, 0.56), 1 + 0.035 * ripples + rough((3, 0.02), (60, 0.03)))
    return grey, meadow, sand, 0.014 * rng.standard_normal((3, height, width), dtype=np.float32)
