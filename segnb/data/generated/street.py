"""`street`: generated street scenes with CamVid's classes, every scene from its number.

A street is planned in metres and painted from far to near; every kind of thing has one function that paints
it. Some surfaces look alike on purpose: walls in the colour of the road, signs in the colours of windows,
cars behind railings. What they are is decided by what stands around them.
"""

from functools import lru_cache
from random import Random
from typing import NamedTuple

import numpy as np

from .brushes import street_things as paint
from .brushes.painter import FINER, Painter, dim, mix
from .brushes.tissue import smooth

CLASSES = (
    *("sky", "building", "pole", "road", "pavement", "tree"),
    *("sign_symbol", "fence", "car", "pedestrian", "bicyclist"),
)
PALETTE = (  # far apart to colour-blind eyes too
    *((139, 194, 247), (223, 181, 118), (250, 232, 119), (67, 64, 88), (211, 220, 227), (72, 150, 109)),
    *((212, 120, 10), (95, 57, 14), (24, 88, 219), (215, 32, 70), (202, 106, 170)),
)
CHANNELS = 3
SIZE = (96, 128)
SPLITS = {"train": 367, "val": 101, "test": 233}

NEAR, FAR = 1.3, 95.0  # metres: nothing is painted nearer, and the street ends at FAR


class Light(NamedTuple):
    """Weather and hour. Factors multiply colours, colours are RGB in 0..255."""

    zenith: tuple
    horizon: tuple
    sun: float  # on what is turned to the sun
    shade: float  # on what is turned away
    shadow: float  # on the ground where the sun does not come; 1 is a grey day
    clouds: float
    tint: tuple  # of the whole picture
    dusk: bool = False  # lamps and some windows are lit


LIGHTS = (
    Light((98, 152, 212), (212, 228, 238), 1.10, 0.76, 0.60, 0.25, (1.02, 1.0, 0.97)),  # a clear day
    Light((122, 164, 208), (226, 232, 236), 1.06, 0.80, 0.68, 0.6, (1.0, 1.0, 1.0)),  # fair, with clouds
    Light((186, 196, 206), (230, 232, 232), 0.98, 0.92, 1.0, 0.8, (0.98, 1.0, 1.02)),  # overcast
    Light((138, 166, 206), (252, 228, 190), 1.12, 0.72, 0.62, 0.4, (1.05, 1.0, 0.92)),  # low sun
    Light((120, 134, 174), (244, 208, 182), 0.94, 0.86, 1.0, 0.5, (1.0, 0.98, 0.98), True),  # dusk
)


def render(seed, height, width) -> tuple[np.ndarray, np.ndarray]:
    """Scene number `seed`: (image float32 3×H×W in 0..1, mask uint8 H×W with 255 = void)."""
    street = Street(Random(seed), height, width)
    ground(street)
    for side in (-1, 1):
        plots(street, side)
    things(street)
    return photograph(street)


class Street(Painter):
    """The canvases, and the choices that hold for a whole scene: light, kerbs and walls (metres), colours."""

    def __init__(self, rng, height, width):
        self.rng, self.light = rng, rng.choice(LIGHTS)
        self.sun_side = rng.choice((-1, 1))  # walls on this side of the street are in shade
        vanish, horizon = rng.uniform(0.38, 0.62), rng.uniform(0.47, 0.53)
        super().__init__(sky(self.light, rng, height, width), self.light.horizon, vanish, horizon)
        left, right = -rng.uniform(2.8, 4.0), rng.uniform(5.0, 6.4)
        self.kerb = {-1: left, 1: right}
        self.front_line = {-1: left - rng.uniform(2.0, 3.8), 1: right + rng.uniform(2.0, 3.8)}
        grey = rng.uniform(100, 154)
        self.asphalt = (grey, grey * rng.uniform(0.98, 1.01), grey * rng.uniform(0.98, 1.05))
        self.paving = mix(
            dim(self.asphalt, rng.uniform(1.02, 1.35)), (190, 176, 158), rng.choice((0.0, 0.2, 0.5))
        )
        self.leaves = rng.choices((paint.SUMMER, paint.AUTUMN, paint.WINTER), (6, 3, 2))[0]
        exposure = rng.uniform(0.92, 1.1)
        self.tint = [exposure * rng.uniform(0.97, 1.03) * part for part in self.light.tint]
        self.glows = []

    def facing(self, side) -> float:
        """How bright a wall on this side of the street is."""
        return self.light.shade if side == self.sun_side else self.light.sun

    def cast(self, x, z, wide, high, outline=None) -> None:
        """The shadow on the ground of a thing `wide` and `high` metres; an outline stands on a stem."""
        if self.light.shadow == 1:
            return
        dx, dz, half = -1.1 * self.sun_side * high, 0.3 * high, wide / 2
        if outline is None:
            self.shade([(x - half, z), (x + half, z), (x + half + dx, z + dz), (x - half + dx, z + dz)])
        else:
            x, z = x + dx, z + dz
            self.shade([(x - 1.3 * half, z - half / 2), (x + 1.3 * half, z + half / 2)], outline)


@lru_cache(maxsize=4)
def textures(height, width) -> tuple[np.ndarray, ...]:
    """Grain, patches, clouds and the camera's noise: of mean 0 and deviation 1, twice the picture's size."""
    rng = np.random.default_rng(15)
    grain, patches, clouds = (
        sum(smooth(rng, 2 * height, 2 * width, wavelength) * weight for wavelength, weight in layers)
        for layers in (
            ((0.7, 0.7), (1.4, 1), (2.8, 0.7)),
            ((6, 0.6), (14, 1)),
            ((90, 1), (45, 0.5), (22, 0.25), (11, 0.12), (5, 0.06)),
        )
    )
    camera = rng.standard_normal((2 * height, 2 * width, 3), dtype=np.float32)
    return *((texture - texture.mean()) / texture.std() for texture in (grain, patches, clouds)), camera


def cut(texture, rng, height, width) -> np.ndarray:
    """A piece of picture size from a random place of a texture."""
    top, left = int(rng.random() * height), int(rng.random() * width)
    return texture[top : top + height, left : left + width]


def sky(light, rng, height, width) -> np.ndarray:
    """The sky, paler towards the horizon, with clouds: uint8 H×W×3."""
    down = np.linspace(0, 1.9, height, dtype=np.float32).clip(0, 1)[:, None]
    cover = (0.45 * (cut(textures(height, width)[2], rng, height, width) - 1.2 + 2 * light.clouds)).clip(0, 1)
    cover *= 1 - 0.7 * down
    zenith, horizon, white = np.float32(
        (light.zenith, light.horizon, mix(light.horizon, (255, 255, 255), 0.5))
    )
    blue = zenith + down[..., None] * (horizon - zenith)
    return (blue + cover[..., None] * (white - blue)).astype(np.uint8)


def ground(s) -> None:
    """Pavements, kerbs, the road with its markings, and what closes the street."""
    rng, left, right = s.rng, s.kerb[-1], s.kerb[1]
    s.floor(-400, 400, NEAR, FAR + 60, s.paving, paint.PAVEMENT)
    skyline(s)
    s.floor(left, right, NEAR, FAR, s.asphalt, paint.ROAD)
    for _ in range(rng.randrange(4)):  # repairs
        x, z = rng.uniform(left, right - 2.5), rng.uniform(4, 30)
        s.floor(
            x, x + rng.uniform(0.8, 2.5), z, z + rng.uniform(1, 7), dim(s.asphalt, rng.uniform(0.88, 1.07))
        )
    white = mix(s.asphalt, (240, 240, 234), rng.uniform(0.6, 0.9))
    middle, (dash, gap) = (left + right) / 2 + 0.4, rng.choice(((2, 4), (4, 2), (6, 3)))
    for k in range(48 // (dash + gap)):
        z = NEAR + k * (dash + gap)
        s.floor(middle - 0.07, middle + 0.07, z, z + dash, white)
    if rng.random() < 0.4:  # no parking
        for x in (left + 0.25, left + 0.5, right - 0.35, right - 0.6):
            s.floor(x, x + 0.09, NEAR, 60, mix(s.asphalt, (232, 194, 70), 0.75))
    if rng.random() < 0.2:  # a crossing
        z = rng.uniform(8, 20)
        for k in range(int((right - left - 0.8) / 1.1)):
            s.floor(left + 0.4 + 1.1 * k, left + 0.95 + 1.1 * k, z, z + 2.6, white)
    for side in (-1, 1):
        for k in range(8):
            s.floor(s.kerb[side], s.front_line[side], 4 + 1.6 * k, 4.06 + 1.6 * k, dim(s.paving, 0.9))
        s.wall(s.kerb[side], NEAR, FAR, 0, 0.13, dim(s.paving, 1.12), paint.PAVEMENT)


def skyline(s) -> None:
    """Roofs and trees in the haze; the end of the street is too far to tell, so it is void."""
    rng, x = s.rng, -110.0
    while x < 110:
        wide, high = rng.uniform(8, 22), rng.uniform(5, 13)
        if rng.random() < 0.5:
            s.front(x, x + wide, 0, high, FAR + 50, rng.choice(paint.BRICK + paint.STUCCO), paint.BUILDING)
        else:
            s.oval(x + wide / 2, high * 0.4, FAR + 50, wide * 0.6, high * 0.6, (92, 118, 84), paint.TREE)
        x += wide * 0.8
    s.front(s.front_line[-1], s.front_line[1], 0, 4.5, FAR, mix(s.asphalt, (124, 134, 124), 0.5), paint.VOID)


def plots(s, side) -> None:
    """One side of the street: plots of land behind one another, painted from the far end to the camera."""
    rng, row, z = s.rng, [], s.rng.uniform(-6, 2)
    built = rng.uniform(0.4, 0.9)
    while z < FAR:
        end = z + rng.uniform(7, 18)
        open_land = (paint.garden, paint.garden, paint.car_park)
        kind = paint.building if rng.random() < built else rng.choice(open_land)
        row.append((kind, z, end))
        z = end + (rng.uniform(2, 6) if rng.random() < 0.2 else 0)
    for plot, z0, z1 in reversed(row):
        if z1 > NEAR + 0.5:
            plot(s, side, max(z0, NEAR), z1)


def things(s) -> None:
    """Everything that stands or moves on road and pavement, from far to near; then the camera's bonnet."""
    rng, found = s.rng, []
    for side in (-1, 1):
        kerb, pavement = s.kerb[side], s.front_line[side] - s.kerb[side]
        if rng.random() < 0.66:  # parked cars
            z = rng.uniform(5, 14)
            while z < 34:
                if rng.random() < 0.65:
                    found.append((paint.car, kerb - side * 1.05, z, side < 0))
                z += rng.uniform(5, 8)
        found += [(paint.lamp_post, kerb + 0.2 * pavement, z, -side) for z in scatter(rng, 1.4, 6, 45)]
        found += [(paint.sign, kerb + rng.uniform(0.15, 0.4) * pavement, z) for z in scatter(rng, 1.4, 6, 22)]
        found += [
            (paint.bicyclist, kerb - side * rng.uniform(0.6, 1.6), z) for z in scatter(rng, 0.36, 8, 32)
        ]
        for thing, mean, z0, z1, share in (
            (paint.tree, 1.1, 7, 40, (0.35, 0.35)),
            (paint.pedestrian, 2.0, 5, 28, (0.2, 0.9)),
            (paint.furniture, 0.35, 5, 25, (0.3, 0.8)),
        ):
            found += [(thing, kerb + rng.uniform(*share) * pavement, z) for z in scatter(rng, mean, z0, z1)]
    if rng.random() < 0.15:
        found.append((paint.car_across, rng.uniform(-2, 3), rng.uniform(12, 30), rng.choice((-1, 1))))
    else:
        found += [(paint.car, rng.uniform(0, 0.5), z, True) for z in scatter(rng, 0.7, 7, 32, apart=6)]
        found += [
            (paint.car, s.kerb[1] - rng.uniform(2.9, 3.3), z, False)
            for z in scatter(rng, 0.7, 7, 32, apart=6)
        ]
    if rng.random() < 0.25:
        found.append((paint.pedestrian, rng.uniform(s.kerb[-1], s.kerb[1]), rng.uniform(7, 18)))
    for thing, x, z, *more in sorted(found, key=lambda placed: -placed[2]):
        thing(s, x, z, *more)
    if rng.random() < 0.45:
        paint.bonnet(s)


def scatter(rng, mean, z0, z1, apart=0.0) -> list[float]:
    """A random number of distances (metres), about `mean`, denser near the camera, at least `apart` apart."""
    count = sum(rng.random() < mean / 4 for _ in range(4))
    found = sorted(z0 * (z1 / z0) ** rng.random() for _ in range(count))
    return [z for k, z in enumerate(found) if k == 0 or z - found[k - 1] >= apart]


# How strong grain and patches are:  sky  bui  pol  roa  pav  tre  sig  fen  car  ped  bic  void
GRAIN = np.float32((0.0, 0.025, 0.02, 0.035, 0.03, 0.05, 0.01, 0.03, 0.01, 0.02, 0.02, 0.01))
PATCHES = np.float32((0.0, 0.015, 0.0, 0.02, 0.02, 0.02, 0.01, 0.02, 0.01, 0.01, 0.01, 0.01))


def photograph(s) -> tuple[np.ndarray, np.ndarray]:
    """(image float32 3×H×W in 0..1, mask uint8 H×W): the canvases with shadows, textures, glow and noise."""
    image, mask, shadows = s.developed()
    kind, (height, width) = np.minimum(mask, len(CLASSES)), mask.shape
    grain, patches, _, camera = textures(height, width)
    light = (
        1
        + GRAIN[kind] * cut(grain, s.rng, height, width)
        + PATCHES[kind] * cut(patches, s.rng, height, width)
    )
    light *= 1 - (1 - s.light.shadow) * shadows * ((mask == paint.ROAD) | (mask == paint.PAVEMENT))
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) ** 2 for n in mask.shape)
    light *= 1.02 - 0.05 * (y[:, None] + x)
    image = image * light[..., None] * np.float32(s.tint)
    if s.light.dusk:
        for glow in s.glows:
            shine(s, image, *glow)
    image += 2.5 * cut(camera, s.rng, height, width)
    picture = (image.clip(0, 255) + 0.5).astype(np.uint8)  # eight bits, as in a camera's file
    return np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32) / 255, mask


def shine(s, image, x, y, z, radius, colour) -> None:
    """The glow around a lamp."""
    u, v = (place / FINER for place in s.point(x, y, z))
    radius = max(1.0, radius * s.focal / z / FINER)
    top, left = max(0, int(v - 2 * radius)), max(0, int(u - 2 * radius))
    part = image[top : max(0, int(v + 2 * radius)), left : max(0, int(u + 2 * radius))]
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    glow = np.exp(-2 * ((rows - v) ** 2 + (columns - u) ** 2) / radius**2, dtype=np.float32)[..., None]
    part += 0.35 * glow * (np.float32(colour) - part)
