"""Smooth random fields and packed discs: what the generated tissues `cells` and `dish` are drawn from.

Lengths are in native pixels, those of a picture whose shorter side is 256. A picture of another size shows
the same scene drawn with more or fewer pixels, as resizing does to a real one; only the grain is new.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

NATIVE = 256
# Of `cells` and of `dish`.
CHANNELS, SIZE, SPLITS = 1, (NATIVE, NATIVE), {"train": 20, "val": 4, "test": 6}


def positions(height, width) -> tuple[np.ndarray, np.ndarray, float]:
    """(y, x, scale): the pixel centres in native pixels, H×1 and 1×W float32, and pixels per native pixel."""
    scale = min(height, width) / NATIVE
    y, x = ((np.arange(n, dtype=np.float32) + 0.5) / np.float32(scale) for n in (height, width))
    return y[:, None], x[None, :], scale


def smooth(rng, height, width, wavelength, count=None) -> np.ndarray:
    """Normal noise of deviation about 1, H×W (or count×H×W) float32, with bumps of about `wavelength`."""
    scale = min(height, width) / NATIVE
    rows, columns = (round(n / scale / wavelength) + 2 for n in (height, width))
    coarse = rng.standard_normal((1, count or 1, rows, columns), dtype=np.float32)
    field = F.interpolate(torch.from_numpy(coarse), (height, width), mode="bicubic", align_corners=True)
    field = 1.3 * field[0].numpy()  # between its points, interpolation averages the noise
    return field if count else field[0]


def window(cy, cx, reach, scale) -> tuple[slice, slice]:
    """Slices of the rows and columns within `reach` of the point (cy, cx), all in native pixels."""
    return tuple(slice(max(int((c - reach) * scale), 0), int((c + reach) * scale) + 1) for c in (cy, cx))


def pixel(cy, cx, scale, shape) -> tuple[int, int]:
    """(row, column) of the pixel that holds the point (cy, cx), given in native pixels."""
    return tuple(min(int(c * scale), n - 1) for c, n in zip((cy, cx), shape))


def specks(rng, y, x, scale, density, least, most, reach, wanted) -> Iterator[tuple]:
    """Small things strewn at random: (part of the picture, squared distances, size, light) each.

    Lengths are in native pixels, `y`, `x` and `scale` those of `positions`.

    Args:
        density: of attempts, for each square pixel.
        least, most: bounds of (size, light).
        reach: how far from its middle a speck is drawn.
        wanted: function ((row, column) of the middle, light) → whether there is to be one.
    """
    shape = y.shape[0], x.shape[1]
    height, width = (n / scale for n in shape)
    draws = rng.uniform((0, 0, *least), (height, width, *most), (int(density * height * width), 4))
    for cy, cx, size, light in draws.astype(np.float32):
        if wanted(pixel(cy, cx, scale, shape), light):
            rows, columns = part = window(cy, cx, reach, scale)
            yield part, (y[rows] - cy) ** 2 + (x[:, columns] - cx) ** 2, size, light


def distances(y, x, centres) -> np.ndarray:
    """The distance of every point (y, x) to each of n centres (n×2): n × the shape of y."""
    ends = (slice(None), *(None,) * y.ndim)
    return np.sqrt((y - centres[:, 0][ends]) ** 2 + (x - centres[:, 1][ends]) ** 2)


def pack(centres, radii, spacing=1.0) -> tuple[np.ndarray, np.ndarray]:
    """(centres, radii), float32, of the discs (n×2 and n) that do not overlap, largest placed first."""
    order = np.argsort(-radii, kind="stable")
    centres, radii = centres[order].astype(np.float32), radii[order].astype(np.float32)
    kept, blocked = np.zeros((2, len(radii)), bool)
    for i in range(len(radii)):
        if not blocked[i]:
            kept[i] = True
            blocked |= distances(*centres.T, centres[i, None])[0] < spacing * (radii + radii[i])
    return centres[kept], radii[kept]


def nearest_disc(y, x, centres, radii, step, reach=24) -> tuple[np.ndarray, np.ndarray]:
    """(label, rim): the disc whose rim is nearest to each point (y, x); the distance to it (< 0 inside).

    Every `step`-th point is compared with all discs, the others only with those whose rim came within `reach`
    of being the nearest around there.

    Args: y, x: H×W float32.
    """
    label, best = np.zeros(y.shape, np.int32), np.full(y.shape, np.inf, np.float32)
    coarse = distances(y[::step, ::step], x[::step, ::step], centres) - radii[:, None, None]
    near = coarse < coarse.min(0) + reach
    (top, bottom), (left, right) = (_first_last(near.any(axis)) for axis in (2, 1))
    for i in np.flatnonzero(near.any((1, 2))):
        part = np.s_[
            max((top[i] - 1) * step, 0) : (bottom[i] + 1) * step,
            max((left[i] - 1) * step, 0) : (right[i] + 1) * step,
        ]
        rim = np.sqrt((y[part] - centres[i, 0]) ** 2 + (x[part] - centres[i, 1]) ** 2) - radii[i]
        nearer = rim < best[part]
        best[part][nearer] = rim[nearer]
        label[part][nearer] = i
    return label, best


def _first_last(flags):
    """The first and the last True in each row of n×m flags."""
    return flags.argmax(1), flags.shape[1] - 1 - flags[:, ::-1].argmax(1)


def borders(label) -> tuple[np.ndarray, np.ndarray]:
    """(one_sided, both_sides): pixels with another label below or to the right; and on any of four sides."""
    right, down = np.zeros((2, *label.shape), bool)
    right[:, :-1] = label[:, :-1] != label[:, 1:]
    down[:-1] = label[:-1] != label[1:]
    both = right | down
    both[:, 1:] |= right[:, :-1]
    both[1:] |= down[:-1]
    return right | down, both


def oval(dy, dx, length, breadth, angle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(along, across, off): (dy, dx) turned by `angle`; about the distance to an oval's rim (< 0 inside)."""
    along, across = dy * np.cos(angle) + dx * np.sin(angle), dx * np.cos(angle) - dy * np.sin(angle)
    return along, across, (np.sqrt((along / length) ** 2 + (across / breadth) ** 2) - 1) * breadth


def inside(off, softness) -> np.ndarray:
    """1 where `off` < 0, 0 where it is > 0, with an edge about `softness` wide."""
    return 1 / (1 + np.exp(np.clip(off / softness, -20, 20)))


def expose(rng, image, scale, *, focus, light, grains) -> np.ndarray:
    """The picture a camera takes of H×W `image`: 1×H×W float32 in 0..1, blurred, unevenly lit and grainy.

    Args:
        focus: deviation of the blur in native pixels.
        light: deviation of the slow changes in brightness.
        grains: (strength, blur in pixels of this picture) of each layer of noise.
    """
    from scipy import ndimage

    uneven = 1 + light * smooth(rng, *image.shape, 120)
    image = ndimage.gaussian_filter(image, focus * scale) * uneven
    for strength, blur in grains:
        grain = ndimage.gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), blur)
        image += strength * grain / grain.std()
    return np.clip(image, 0, 1)[None].astype(np.float32)
