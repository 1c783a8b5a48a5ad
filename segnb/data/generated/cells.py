"""cells: generated nerve tissue as an electron microscope sees it, the twin of `isbi2012`.

Cells fill the picture and touch; a thin dark membrane runs between them, nearly invisible in places.
Vesicles, mitochondria and stray lines inside the cells look like membrane and are not. About 22 % of the
pixels are membrane, as in the real slices. No two cells are 4-connected.
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

CLASSES = ("membrane", "cell")
PALETTE = ((213, 94, 0), (86, 180, 233))
CHANNELS, SIZE, SPLITS = tissue.CHANNELS, tissue.SIZE, tissue.SPLITS


def render(seed, height, width) -> tuple[np.ndarray, np.ndarray]:
    """(image float32 1×H×W in 0..1, mask uint8 H×W) of one slice; the same arguments give the same slice."""
    rng = np.random.default_rng((1, seed))
    y, x, scale = positions(height, width)
    label, radii = layout(rng, y, x, scale)
    distance, mask = _membranes(rng, label, scale)
    image = _cytoplasm(rng, label, radii)
    _stray_lines(rng, image, distance, radii[label])
    _vesicles(rng, image, y, x, distance, radii[label], scale)
    _mitochondria(rng, image, y, x, distance, label, radii, scale)
    _stain(rng, image, distance)
    return expose(rng, image, scale, focus=0.45, light=0.08, grains=((0.04, 0.55), (0.025, 0))), mask


def layout(rng, y, x, scale) -> tuple[np.ndarray, np.ndarray]:
    """(label, radii): which cell each pixel is in, int32 H×W, and the size of each cell (native pixels).

    Discs of three sizes are packed, and each pixel goes to the disc with the nearest rim: borders between
    discs of unequal size are curved. All this happens on a warped sheet, stretched on one side into a bundle
    of fibres.
    """
    shape = y.shape[0], x.shape[1]
    warp = 6 * smooth(rng, *shape, 60, 2) + 2 * smooth(rng, *shape, 20, 2) + 0.5 * smooth(rng, *shape, 7, 2)
    extent = np.array(shape) / scale
    angle, start, longer = rng.uniform((0, 10, 0.6), (np.pi, 90, 1.6)).astype(np.float32)

    def sheet(y, x):
        y, x = y - extent[0] / 2, x - extent[1] / 2
        across, along = y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)
        beyond = (across - start) / 12
        return across + 3 * np.logaddexp(0, beyond), along / (1 + longer * inside(-beyond, 1))

    kinds = ((24, 40, 7000), (11, 22, 1400), (5.5, 10, 80))  # radius from, to, and area for each attempt
    area = (extent + 80).prod()
    radii = np.concatenate([rng.uniform(least, most, int(area / each)) for least, most, each in kinds])
    places = rng.uniform(-40, extent + 40, (len(radii), 2))
    centres, radii = pack(np.stack(sheet(*places.T), 1), radii, spacing=0.95)
    across, along = (part.astype(np.float32) for part in sheet(y + warp[0], x + warp[1]))
    return nearest_disc(across, along, centres, radii, max(1, round(4 * scale)))[0], radii


def _membranes(rng, label, scale):
    """(distance, mask): native pixels to the nearest border between two cells, float32; labels, uint8."""
    from scipy import ndimage

    one_sided, both_sides = borders(label)
    distance = (ndimage.distance_transform_edt(~both_sides).astype(np.float32) + 0.5) / np.float32(scale)
    half = 1.9 * np.exp(0.12 * smooth(rng, *label.shape, 25) + 0.12 * smooth(rng, *label.shape, 6))
    membrane = one_sided | (distance < half)  # one_sided keeps a membrane closed however few pixels draw it
    piece, _ = ndimage.label(~membrane)
    closed = np.bincount(piece.ravel()) < 10 * scale**2  # specks that the membranes around them leave open
    closed[0] = True  # the membrane itself
    return distance, (~closed[piece]).astype(np.uint8)


def _cytoplasm(rng, label, radii):
    shape = label.shape
    brightness = rng.normal(0.62, 0.03, len(radii)).astype(np.float32)
    return brightness[label] + 0.025 * smooth(rng, *shape, 9) + 0.035 * smooth(rng, *shape, 3.5)


def _stray_lines(rng, image, distance, radius):
    """Curved dark lines in the larger cells, where a smooth field crosses zero."""
    field, where = smooth(rng, *image.shape, 22), smooth(rng, *image.shape, 30)
    image -= 0.16 * np.exp(-((field / 0.09) ** 2)) * ((where > 0.9) & (distance > 3.8) & (radius > 10.5))


def _vesicles(rng, image, y, x, distance, radius, scale):
    """Small dark rings in parts of the larger cells."""
    crowded = smooth(rng, *image.shape, 40)

    def wanted(at, dark):
        return distance[at] > 4.5 and radius[at] > 10.5 and crowded[at] > -0.2

    for part, squared, ring, dark in specks(rng, y, x, scale, 0.018, (1.3, 0.12), (2.1, 0.3), 4, wanted):
        image[part] -= dark * np.exp(-(((np.sqrt(squared) - ring) / 0.8) ** 2))


def _mitochondria(rng, image, y, x, distance, label, radii, scale):
    """Dark striped ovals with a rim, in about half of the cells that have room for one."""
    wobble = smooth(rng, *image.shape, 15, 2)
    draws = rng.uniform((0, 8, 0.6, 0), (1, 20, 0.95, np.pi), (len(radii), 4)).astype(np.float32)
    for cell in np.flatnonzero((radii > 13) & (draws[:, 0] < 0.5)):
        room = np.where(label == cell, distance, 0)
        at = np.unravel_index(room.argmax(), room.shape)
        if room[at] < 8:
            continue
        length = min(room[at] - 2, draws[cell, 1])
        cy, cx = y[at[0], 0], x[0, at[1]]
        rows, columns = part = window(cy, cx, length + 5, scale)
        dy, dx = y[rows] - cy + wobble[0][part], x[:, columns] - cx + wobble[1][part]
        along, _, off = oval(dy, dx, length, length * draws[cell, 2], draws[cell, 3])
        stripes = 0.4 + 0.09 * np.sin(along * (2 * np.pi / 3.6) + wobble[1][part])
        image[part] += (stripes - image[part]) * inside(off, 0.5)
        image[part] -= 0.15 * np.exp(-(((off + 0.6) / 0.9) ** 2))


def _stain(rng, image, distance):
    """Draws the membranes, of changing width and contrast, and the dark smears of synapses along them."""
    contrast = np.clip(0.95 + 0.3 * smooth(rng, *image.shape, 28), 0.15, 1.15)
    width = 1.85 * (1 + 0.5 * np.clip(smooth(rng, *image.shape, 35) - 0.6, 0, 2))
    smear = np.clip(smooth(rng, *image.shape, 24) - 1.5, 0, 1)
    image -= 0.38 * contrast * np.exp(-((distance / width) ** 2))
    image -= 0.35 * smear * np.exp(-((distance / 6) ** 2))
