"""dish: generated cells in a culture dish under a phase-contrast microscope, most touching in clumps.

The case the U-Net paper's border weights are for: the background between two touching cells is a line of one
to three pixels, hard to see, and decides whether a prediction counts one cell or two. At least one background
pixel lies between any two cells, diagonally too, so that the 4-connected (and the 8-connected) pieces of
class 1 are the single cells.
"""

import numpy as np

from .brushes import tissue
from .brushes.tissue import (
    borders,
    expose,
    inside,
    nearest_disc,
    oval,
    pack,
    positions,
    smooth,
    specks,
    window,
)

CLASSES = ("background", "cell")
PALETTE = ((88, 88, 96), (86, 180, 233))
CHANNELS, SIZE, SPLITS = tissue.CHANNELS, tissue.SIZE, tissue.SPLITS


def render(seed, height, width) -> tuple[np.ndarray, np.ndarray]:
    """(image float32 1×H×W in 0..1, mask uint8 H×W) of one dish; the same arguments give the same dish."""
    rng = np.random.default_rng((2, seed))
    y, x, scale = positions(height, width)
    cell, covered = layout(rng, y, x, scale)
    image = _shade(rng, cell, covered, scale)
    _nuclei(rng, image, y, x, cell, scale)
    _granules(rng, image, y, x, cell, scale)
    image = expose(rng, image, scale, focus=0.5, light=0.07, grains=((0.025, 0.5),))
    return image, (cell > 0).astype(np.uint8)


def layout(rng, y, x, scale) -> tuple[np.ndarray, np.ndarray]:
    """(cell, covered): the cells' numbers, int32 H×W, 0 for background; where there are cells or contacts.

    Discs are packed close, kept where a slow field is high (clumps) and here and there besides (single
    cells), and grown a little on a warped sheet, so that neighbours meet.
    """
    shape = height, width = y.shape[0], x.shape[1]
    warp = 3.5 * smooth(rng, *shape, 30, 2) + 1.2 * smooth(rng, *shape, 11, 2)
    crowd = smooth(rng, *shape, 75)
    extent = np.array([height / scale, width / scale])
    radii = rng.uniform(8, 16, int(extent.prod() / 60))
    centres, radii = pack(rng.uniform(-10, extent + 10, (len(radii), 2)), radii, spacing=0.88)
    rows, columns = (np.clip(c * scale, 0, n - 1).astype(int) for c, n in zip(centres.T, shape))
    stays = (crowd[rows, columns] > 0.35) | (rng.uniform(size=len(radii)) < 0.15)
    stays |= ~stays.any()  # never an empty dish
    step = max(1, round(4 * scale))
    label, rim = nearest_disc(y + warp[0], x + warp[1], centres[stays], radii[stays], step)
    covered = rim < 2.5
    return _separate(np.where(covered, label + 1, 0), 0.45 * smooth(rng, *shape, 12), scale), covered


def _separate(label, width, scale):
    """Cells 1, 2, ... of one 4-connected piece each, and background (`width` each side) between them."""
    from scipy import ndimage

    grown = np.where(label > 0, label, ndimage.grey_dilation(label, 3))  # a cell's outer rim is not a contact
    line, both_sides = borders(grown)
    line[:-1, :-1] |= grown[:-1, :-1] != grown[1:, 1:]  # nor may cells touch at a corner
    wide = ndimage.distance_transform_edt(~both_sides) / scale < width
    apart = np.where(line | wide, 0, label)

    piece, count = ndimage.label(apart)
    owner, pixels = np.zeros(count + 1, int), np.bincount(piece.ravel(), minlength=count + 1)
    owner[piece] = apart
    largest, by_size = np.zeros(label.max() + 1, int), np.argsort(pixels, kind="stable")
    largest[owner[by_size]] = by_size  # of a cell in several pieces, the last written is the largest
    whole = (owner > 0) & (largest[owner] == np.arange(count + 1)) & (pixels >= 40 * scale**2)  # no splinters
    return np.where(whole, np.cumsum(whole), 0)[piece].astype(np.int32)


def _shade(rng, cell, covered, scale):
    """H×W: dark cells with a darker rim and a bright halo; contacts bright between dark, more or less."""
    from scipy import ndimage

    shape = cell.shape
    depth, away, gap = (
        ndimage.distance_transform_edt(part).astype(np.float32) / np.float32(scale)
        for part in (covered, ~covered, cell)
    )
    tone = rng.normal(0.42, 0.03, cell.max() + 1).astype(np.float32)
    body = tone[cell] + 0.04 * smooth(rng, *shape, 12) + 0.03 * smooth(rng, *shape, 5)
    body += 0.10 * (1 - np.exp(-depth / 6)) - 0.16 * np.exp(-((depth / 2.2) ** 2))
    contrast = np.clip(0.55 + 0.4 * smooth(rng, *shape, 22), 0.06, 1.1)
    body += contrast * (0.20 * np.exp(-((gap / 0.9) ** 2)) - 0.12 * np.exp(-(((gap - 2.2) / 1.4) ** 2)))
    strength = np.clip(0.30 + 0.08 * smooth(rng, *shape, 20), 0.12, 0.48)
    halo = strength * np.exp(-away / 2.6) - 0.05 * np.exp(-(((away - 9) / 4) ** 2))
    return np.where(covered, body, 0.58 + halo)


def _nuclei(rng, image, y, x, cell, scale):
    """A pale oval with a dark rim and a dark spot in each cell."""
    from scipy import ndimage

    numbers = np.arange(1, cell.max() + 1)
    middles = np.array(ndimage.center_of_mass(cell > 0, cell, numbers)).reshape(-1, 2)
    sizes = np.sqrt(np.bincount(cell.ravel(), minlength=len(numbers) + 1)[1:] / np.pi) / scale
    draws = rng.uniform((0.3, 0.7, 0), (0.42, 0.95, np.pi), (len(numbers), 3)).astype(np.float32)
    for (cy, cx), size, (share, squash, angle) in zip((middles + 0.5) / scale, sizes, draws):
        length = share * size
        rows, columns = part = window(cy, cx, size, scale)
        along, across, off = oval(y[rows] - cy, x[:, columns] - cx, length, length * squash, angle)
        image[part] += 0.05 * inside(off, 0.4) - 0.12 * np.exp(-((off / 0.8) ** 2))
        image[part] -= 0.16 * np.exp(-((along - 0.3 * length) ** 2 + (across + 0.2 * length) ** 2) / 1.6)


def _granules(rng, image, y, x, cell, scale):
    """Dark and bright grains in the cells, and a few bright specks of dirt outside."""

    def wanted(at, light):
        return cell[at] or light > 0.235

    for part, squared, radius, light in specks(rng, y, x, scale, 0.012, (0.6, -0.2), (1.1, 0.25), 3, wanted):
        image[part] += light * np.exp(-squared / radius**2)
