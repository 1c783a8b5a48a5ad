"""The camera and the canvases on which the generated street is painted.

A scene is given in metres: x to the right, y up from the ground, z away from the camera. Picture and mask are
painted together, both `FINER` times too large. Averaging the picture down gives soft edges; taking the mask's
label in the middle of each pixel gives hard ones.
"""

import math
from functools import lru_cache

import numpy as np

from .tissue import smooth

FINER = 3  # canvas pixels per picture pixel, a side (odd, so that a pixel has a middle)
EYE = 1.45  # height of the camera, metres
FOCAL = 1.15  # focal length, picture heights
HAZE = 180.0  # metres after which 1/e of a colour is left
ROWS = 96  # a picture of so many rows has poles one to three pixels thick; larger pictures in proportion


def mix(a, b, share) -> tuple[float, ...]:
    """The colour `share` of the way from a to b."""
    return tuple(u + (v - u) * share for u, v in zip(a, b))


def dim(colour, factor) -> tuple[float, float, float]:
    """A colour made darker, or brighter with a factor above 1."""
    r, g, b = colour
    return r * factor, g * factor, b * factor


@lru_cache(maxsize=1)
def crowns() -> list:
    """Leafy crowns lit from the left, as pairs of pictures: how bright, and the outline (0 or 255)."""
    from PIL import Image

    rng, side = np.random.default_rng(15), 160
    v, u = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    made = []
    for _ in range(8):
        clumps, twigs, leaves = (smooth(rng, side, side, wavelength) for wavelength in (44, 16, 5.5))
        radius = np.hypot(u, v)
        inside = (radius < 0.97) & (radius + 0.08 * clumps + 0.05 * twigs + 0.03 * leaves < 0.78)
        bright = 0.70 - 0.20 * v - 0.14 * u + 0.09 * clumps + 0.08 * twigs + 0.07 * leaves
        planes = (bright.clip(0.25, 1) * 255, inside * 255)
        made.append(tuple(Image.fromarray(plane.astype(np.uint8)) for plane in planes))
    return made


class Painter:
    """Canvases of one picture; whatever is painted covers what was painted there before.

    Colours are RGB in 0..255 and fade towards `haze` with the distance. `label` is written to the mask along
    with the paint; without one the paint is a detail of what is there already.
    """

    def __init__(self, sky, haze, vanish, horizon):
        """sky: uint8 H×W×3 behind all; vanish, horizon: the vanishing point, shares of width and height."""
        from PIL import Image, ImageDraw

        self.height, self.width = sky.shape[:2]
        self.haze = haze
        self.focal = FINER * FOCAL * self.height
        self.vanish, self.horizon = FINER * self.width * vanish, FINER * self.height * horizon
        size = FINER * self.width, FINER * self.height
        self.image = Image.fromarray(sky).resize(size, Image.Resampling.NEAREST)
        self.mask, self.shadows = Image.new("L", size), Image.new("L", size)
        self.ink, self.label, self.shadow = (ImageDraw.Draw(c) for c in (self.image, self.mask, self.shadows))

    def point(self, x, y, z) -> tuple[float, float]:
        """Where a place in the world is on the canvas."""
        scale = self.focal / z
        return self.vanish + x * scale, self.horizon + (EYE - y) * scale

    def sees(self, u0, u1) -> bool:
        """Whether anything between two canvas columns is on the canvas."""
        return max(u0, u1) > 0 and min(u0, u1) < FINER * self.width

    def air(self, colour, z) -> tuple[int, int, int]:
        """A colour seen through z metres of air, in whole numbers."""
        left = math.exp(-z / HAZE)
        (r, g, b), (hr, hg, hb) = colour, self.haze
        return int(hr + (r - hr) * left), int(hg + (g - hg) * left), int(hb + (b - hb) * left)

    def flat(self, points, z, colour, label=None) -> None:
        """A polygon of canvas points at distance z."""
        self.ink.polygon(points, self.air(colour, z))
        if label is not None:
            self.label.polygon(points, label)

    def polygon(self, points, colour, label=None) -> None:
        """A polygon of places in the world."""
        self.flat([self.point(*place) for place in points], points[0][2], colour, label)

    def front(self, x0, x1, y0, y1, z, colour, label=None) -> None:
        """A rectangle that faces the camera."""
        (left, low), (right, top) = self.point(x0, y0, z), self.point(x1, y1, z)
        self.flat([(left, low), (right, low), (right, top), (left, top)], z, colour, label)

    def wall(self, x, z0, z1, y0, y1, colour, label=None) -> None:
        """An upright rectangle along the street."""
        near, far = self.focal / z0, self.focal / z1
        u0, u1, v, low, top = self.vanish + x * near, self.vanish + x * far, self.horizon, EYE - y0, EYE - y1
        if self.sees(u0, u1):
            points = [(u0, v + low * near), (u1, v + low * far), (u1, v + top * far), (u0, v + top * near)]
            self.flat(points, z0, colour, label)

    def floor(self, x0, x1, z0, z1, colour, label=None) -> None:
        """A rectangle on the ground."""
        self.polygon([(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)], colour, label)

    def oval(self, x, y, z, rx, ry, colour, label=None, ring=None) -> None:
        """An ellipse that faces the camera; `ring` is the width of its line in metres if it is not filled."""
        (u, v), scale = self.point(x, y, z), self.focal / z
        box = u - rx * scale, v - ry * scale, u + rx * scale, v + ry * scale
        if ring:
            self.ink.ellipse(box, outline=self.air(colour, z), width=max(2, round(ring * scale)))
        else:
            self.ink.ellipse(box, self.air(colour, z))
        if label is not None:
            self.label.ellipse(box, label)

    def limb(self, x0, y0, x1, y1, z, thick, colour, label=None) -> None:
        """A straight stroke that faces the camera."""
        (u0, v0), (u1, v1) = self.point(x0, y0, z), self.point(x1, y1, z)
        half = max(1.0, thick * self.focal / z / 2) / max(math.hypot(u1 - u0, v1 - v0), 1e-6)
        a, b = (v1 - v0) * half, (u0 - u1) * half  # half the thickness, at right angles to the stroke
        self.flat([(u0 + a, v0 + b), (u1 + a, v1 + b), (u1 - a, v1 - b), (u0 - a, v0 - b)], z, colour, label)

    def pole(self, x, y0, y1, z, thick, colour, label) -> None:
        """An upright post of whole canvas pixels, from one to three pixels of the picture thick."""
        (u, low), (_, top) = self.point(x, y0, z), self.point(x, y1, z)
        pixel = FINER * self.height / ROWS
        wide = round(min(3 * pixel, max(pixel, thick * self.focal / z)))
        left = round(u - wide / 2)
        self.ink.rectangle((left, top, left + wide - 1, low), self.air(colour, z))
        self.ink.rectangle((left, top, left + wide // 3, low), self.air(dim(colour, 1.3), z))
        self.label.rectangle((left, top, left + wide - 1, low), label)

    def crown(self, which, x, y, z, rx, ry, colour, label, mirror=False):
        """Paint crown `which`, `colour` at its brightest; its outline, or None if it is out of sight."""
        from PIL import Image

        (u, v), scale = self.point(x, y, z), self.focal / z
        if not self.sees(u - rx * scale, u + rx * scale):
            return None
        size = max(2, round(2 * rx * scale)), max(2, round(2 * ry * scale))
        bright, outline = (part.resize(size, Image.Resampling.NEAREST) for part in crowns()[which])
        if mirror:
            bright, outline = (part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for part in (bright, outline))
        bright.putpalette((np.arange(256)[:, None] * self.air(colour, z) // 255).astype(np.uint8).tobytes())
        corner = round(u - size[0] / 2), round(v - size[1] / 2)
        self.image.paste(bright, corner, outline)
        self.mask.paste(label, (*corner, corner[0] + size[0], corner[1] + size[1]), outline)
        return outline

    def shade(self, points, outline=None) -> None:
        """A shadow on the ground: a polygon of (x, z), or an outline stretched into the box around it."""
        points = [self.point(x, 0, z) for x, z in points]
        if outline is None:
            self.shadow.polygon(points, 255)
            return
        (left, right), (top, low) = ((round(min(side)), round(max(side))) for side in zip(*points))
        if right > left and low > top:
            self.shadows.paste(255, (left, top, right, low), outline.resize((right - left, low - top), 0))

    def developed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(image float32 H×W×3 in 0..255, mask uint8, shadows 0..1): the canvases at the picture's size."""
        image, shadows = (np.asarray(c.reduce(FINER), dtype=np.float32) for c in (self.image, self.shadows))
        return image, np.asarray(self.mask)[FINER // 2 :: FINER, FINER // 2 :: FINER].copy(), shadows / 255
