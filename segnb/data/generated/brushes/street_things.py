"""What stands in the generated street: a function for each kind of thing, on canvas `s` (a `Street`).

Places are in metres: x to the right, y up, z away from the camera; side is -1 for the left of the street and
1 for the right. Whatever varies is drawn from `s.rng`.
"""

import math

from .painter import FINER, dim, mix

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
VOID = 255


def colours(names) -> tuple[tuple[int, ...], ...]:
    """Colours from their hexadecimal names."""
    return tuple(tuple(bytes.fromhex(name)) for name in names.split())


GLASS = colours("3e4c5c 54687c 748ca0 343c46")
BRICK = colours("b06c56 c08262 9c5e50 c8a47c b89474")
STUCCO = colours("e8dcc4 e2d0b4 d6d8d4 c8d4d2 ecd6be c0cada")
TILES = colours("845042 625c5e 745446")
BOARDS = colours("9e7c5c dedad0 887060")
SUMMER = colours("628c42 749846 8c9646 568654 507042")
AUTUMN = colours("ba9246 ac7042 8c8246 965c46 708048")
WINTER = colours("887e70 787066 968a78 68745c 54644c")
PAINT = colours("c4302c 243e70 e2e2e0 282a30 969ca4 3c6e96 346048 b0a48c e2bc42 68222a")
CAR_PAINT = PAINT + 2 * colours("969ca4 62686e 3c4046 ced0ce 282a30 4c5462")
COAT = colours("2c3454 96282e 3c3e42 d6b03c 466e64 c4c2bc 785482")
TROUSERS = colours("2c303e 464854 605446")
SKIN = colours("e2b89a b08062 785440")
HAIR = colours("382a22 1e1c1c a07c4e")
STEEL = colours("4c5254 787c7c 34403a")
BINS = colours("344a3c ac2828 3c4046 7e6046")
WHITE, DARK, WARM_GLASS = colours("eceae4 1e1e20 ffd682")
CAR_WIDTHS = 6 / 96, 60 / 96  # of a car in the picture, in picture heights


def building(s, side, z0, z1) -> None:
    """Flats, a house with a roof, shops, or a wall that looks like the road, mostly blank."""
    rng, x, lit, kind = s.rng, s.front_line[side], s.facing(side), s.rng.random()
    blank, pitched = kind < 0.2, 0.3 <= kind < 0.55
    if kind < 0.3:
        colour, high = dim(s.asphalt, rng.uniform(0.95, 1.1) / lit), rng.uniform(4, 10)
    elif pitched:
        colour, high = rng.choice(BRICK + STUCCO[:2]), rng.uniform(4.8, 6.4)
    else:
        colour, high = rng.choice(BRICK + STUCCO + STUCCO), rng.uniform(7, 15)
    face, end, back = dim(colour, lit), dim(colour, 0.84 * max(lit, 0.95)), x + side * 8
    s.front(x, back, 0, high, z0, end, BUILDING)
    s.wall(x, z0, z1, 0, high, face, BUILDING)
    if pitched:
        roof(s, side, x, back, z0, z1, high, end)
    else:
        s.wall(x, z0, z1, high - 0.35, high, dim(face, 1.1))
    if not blank and z0 < 60:
        s.wall(x, z0, z1, 0, 0.5, dim(face, 0.84))
        windows(s, x, z0, z1, high, face)
    if s.sun_side == side and s.light.shadow < 1:
        reach = x - side * 0.55 * high
        s.shade([(x, z0), (x, z1), (reach, z1 + 2), (reach, z0 + 2)])


def roof(s, side, x, back, z0, z1, high, end) -> None:
    """A pitched roof with its gable and a chimney."""
    rng, ridge = s.rng, (x + back) / 2
    top = high + rng.uniform(3.2, 4.4)
    tiles = dim(rng.choice(TILES), s.facing(side))
    s.polygon([(x, high, z0), (x, high, z1), (ridge, top, z1), (ridge, top, z0)], tiles, BUILDING)
    s.polygon([(x, high, z0), (ridge, top, z0), (back, high, z0)], end, BUILDING)
    s.front(ridge - 0.5, ridge + 0.5, top - 0.6, top + 0.9, rng.uniform(z0, z1), dim(end, 0.8), BUILDING)


def windows(s, x, z0, z1, high, face) -> None:
    """Rows of windows, and shops or doors below them."""
    rng, glass, step = s.rng, s.rng.choice(GLASS), s.rng.uniform(1.9, 2.8)
    frame = rng.choice((dim(face, 1.2), dim(face, 0.7), WHITE))
    shop, wide = rng.choice(PAINT) if rng.random() < 0.4 else None, step * rng.uniform(0.42, 0.62)
    if shop:
        s.wall(x, z0 + 0.2, z1 - 0.2, 0.5, 2.5, WARM_GLASS if s.light.dusk else dim(glass, 0.9))
        s.wall(x, z0, z1, 2.5, 3.2, shop)
    stories = int((high + 0.5) / 3)
    if z0 > 35:  # too far to tell the windows of a row apart
        for y in range(3 * bool(shop), 3 * stories, 3):
            s.wall(x, z0 + 0.6, z1 - 0.6, y + 0.95, y + 2.45, mix(face, glass, 0.5))
        return
    for column in range(int((z1 - z0 - 0.6) / step)):
        z, door = z0 + 0.6 + column * step, not shop and column % 3 == 1
        if shop:
            s.wall(x, z, z + 0.2, 0, 2.5, dim(shop, 0.8))
        if door:
            s.wall(x, z, z + 1, 0, 2.1, rng.choice(PAINT))
        for y in range(3 * bool(shop or door), 3 * stories, 3):
            pane = WARM_GLASS if s.light.dusk and rng.random() < 0.35 else glass
            s.wall(x, z - 0.12, z + wide + 0.12, y + 0.8, y + 2.55, frame)
            s.wall(x, z, z + wide, y + 0.95, y + 2.45, pane)
            if z0 < 18:  # the sky in the upper panes
                s.wall(x, z + 0.1, z + wide - 0.1, y + 1.8, y + 2.35, mix(pane, WHITE, 0.25))


def garden(s, side, z0, z1) -> None:
    """Trees behind a hedge or a fence."""
    rng, x = s.rng, s.front_line[side]
    s.floor(x, x + side * 30, z0, z1, (120, 138, 90), TREE)
    for z in sorted((rng.uniform(max(z0, 4), max(z1, 5)) for _ in range(2 if z0 < 40 else 1)), reverse=True):
        tree(s, x + side * rng.uniform(2, 4.5), z, tallest=10)
    if rng.random() < 0.7:
        fence(s, x, z0, z1, railings=rng.random() < 0.4)
    else:
        hedge(s, x, z0, z1)


def car_park(s, side, z0, z1) -> None:
    """Cars behind railings."""
    rng, x = s.rng, s.front_line[side]
    tree(s, x + side * rng.uniform(7, 12), max(z1, 6))
    for k in range(int((z1 - max(z0, 4)) / 2.7)):
        if rng.random() < 0.7:
            car_across(s, x + side * 3.2, z1 - 2 - 2.7 * k, rng.choice((-1, 1)))
    fence(s, x, z0, z1, railings=True)


def fence(s, x, z0, z1, railings) -> None:
    """Boards, or railings through which one sees what is behind; all of it is fence."""
    rng, high = s.rng, s.rng.uniform(1.1, 1.6)
    colour = rng.choice(STEEL if railings else BOARDS)
    panel = [s.point(x, y, z) for y, z in ((0, z0), (0, z1), (high, z1), (high, z0))]
    s.label.polygon(panel, FENCE)
    if not railings:
        s.flat(panel, z0, colour)
    detail, z = colour if railings else dim(colour, 0.74), z0
    while z < min(z1, 30):
        s.wall(x, z, z + 0.07, 0, high, detail)
        z += 0.36 * max(1, z / 10)
    for y in (0.12, high - 0.09):
        s.wall(x, z0, z1, y, y + 0.09, dim(detail, 1.15))


def hedge(s, x, z0, z1) -> None:
    """A hedge of leafy bushes; hedges count as trees."""
    rng, high, green = s.rng, s.rng.uniform(1.0, 1.9), dim(SUMMER[3], s.rng.uniform(0.7, 1))
    s.wall(x, z0, z1, 0, high * 0.9, dim(green, 0.6), TREE)
    for k in range(5):
        z = z0 + (z1 - z0) * (1 - k / 4) ** 2
        leaves = dim(green, rng.uniform(0.9, 1.1))
        s.crown(rng.randrange(8), x, high * 0.62, max(z, 3), 1.2, high * 0.6, leaves, TREE)


def tree(s, x, z, tallest=8) -> None:
    """A trunk with a few branches below a leafy crown."""
    rng, high = s.rng, tallest * s.rng.uniform(0.6, 1)
    base, wide = high * 0.63, high * rng.uniform(0.3, 0.42)
    bark, leaves = (100, 84, 70), dim(rng.choice(s.leaves), rng.uniform(0.9, 1.1) * s.light.sun)
    s.limb(x, 0, x, base, z, 0.1 + 0.018 * high, bark, TREE)
    for way in (-1, 1) if z < 25 else ():
        s.limb(x, base * 0.62, x + way * wide * 0.5, base, z, 0.12, dim(bark, 0.9), TREE)
    outline = s.crown(rng.randrange(8), x, base, z, wide, high * 0.42, leaves, TREE, mirror=s.sun_side > 0)
    s.cast(x, z, 0.3, base)
    if outline:
        s.cast(x, z, 2 * wide, base, outline)


# Outlines of cars from the side: metres from the nearer end, and above the ground; then of side windows.
FROM_BEHIND = ((0, 0.3), (0, 0.86), (0.5, 1.42), (2.2, 1.46), (3.0, 0.98), (4.1, 0.8), (4.2, 0.3))
ITS_GLASS = ((0.42, 0.92), (0.68, 1.33), (2.1, 1.36), (2.75, 0.96))
FROM_AHEAD = ((0, 0.3), (0, 0.74), (1.0, 0.94), (1.8, 1.44), (3.5, 1.45), (4.1, 0.95), (4.2, 0.3))
THAT_GLASS = ((1.3, 0.96), (1.9, 1.34), (3.4, 1.36), (3.8, 0.95))
HALF = 0.87  # of a car's width


def car(s, x, z, away) -> None:
    """A car along the street, seen from behind (`away`) or from ahead, with the side turned to the camera."""
    rng = s.rng
    paint, glass, tall = rng.choice(CAR_PAINT), dim(rng.choice(GLASS), 0.8), rng.choice((1, 1, 1, 1.1, 1.3))
    if not fits(s, (x - HALF, x + HALF), (z, z + 4.2)):
        return
    outline, panes = (FROM_BEHIND, ITS_GLASS) if away else (FROM_AHEAD, THAT_GLASS)
    s.floor(x - HALF - 0.05, x + HALF + 0.05, z - 0.12, z + 4.3, dim(s.asphalt, 0.42))
    s.cast(x, z + 2, 3, 1.2)
    if abs(x) > HALF:
        side, shade = x - math.copysign(HALF, x), dim(paint, 0.8)
        s.polygon([(side, y * tall, z + t) for t, y in outline], shade, CAR)
        s.polygon([(side, y * tall, z + t) for t, y in panes], glass)
        s.wall(side, z + 1.72, z + 1.82, 0.9, 1.36 * tall, shade)
        for t in (0.8, 3.35):
            for radius, colour, label in ((0.32, DARK, CAR), (0.16, (150, 152, 156), None)):
                rim = [(side, 0.32 + radius * math.sin(a), z + t + radius * math.cos(a)) for a in TURN]
                s.polygon(rim, colour, label)
    (low_t, low), (top_t, top) = outline[1:3] if away else outline[2:4]
    low, top, narrow = low * tall, top * tall, 0.8 if tall < 1.2 else 0.92
    for u in (x - HALF + 0.02, x + HALF - 0.24):
        s.front(u, u + 0.22, 0, 0.4, z, DARK, CAR)
    cabin, pane = (1, low, top, dim(paint, 1.12), CAR), (0.87, low + 0.05, top - 0.1, glass, None)
    for wide, y0, y1, colour, label in (cabin, pane):
        ends = ((-1, y0, low_t), (1, y0, low_t), (narrow, y1, top_t), (-narrow, y1, top_t))
        s.polygon([(x + u * wide * HALF, y, z + t) for u, y, t in ends], colour, label)
    s.front(x - HALF, x + HALF, 0.26, low, z + low_t / 2, paint, CAR)
    s.front(x - HALF, x + HALF, 0.26, 0.42, z, dim(paint, 0.62), CAR)
    lamp = (206, 38, 36) if away else (248, 244, 220)
    for u in (x - HALF + 0.04, x + HALF - 0.34):
        s.front(u, u + 0.3, 0.6, 0.76, z, lamp)
        s.glows.append((u + 0.15, 0.68, z, 0.5, lamp))
    s.front(x - 0.26, x + 0.26, 0.44, 0.56, z, (230, 206, 110) if away else WHITE)


TURN = [2 * math.pi * k / 12 for k in range(12)]


def car_across(s, x, z, way) -> None:
    """A car seen from its side."""
    paint, glass = s.rng.choice(CAR_PAINT), dim(s.rng.choice(GLASS), 0.85)
    if not fits(s, (x - 2.1, x + 2.1), (z,)):
        return
    s.floor(x - 2.15, x + 2.15, z - 0.15, z + 1.5, dim(s.asphalt, 0.45))
    for outline, colour, label in ((FROM_AHEAD, paint, CAR), (THAT_GLASS, glass, None)):
        s.polygon([(x + way * (2.1 - t), y, z) for t, y in outline], colour, label)
    s.front(x - 2.1, x + 2.1, 0.28, 0.44, z, dim(paint, 0.7))
    s.front(x - way * 0.5 - 0.06, x - way * 0.5 + 0.06, 0.9, 1.38, z, paint)
    for u in (x - 1.3, x + 1.3):
        s.oval(u, 0.33, z, 0.34, 0.34, DARK, CAR)
        s.oval(u, 0.33, z, 0.18, 0.18, (164, 166, 170))


def fits(s, xs, zs) -> bool:
    """Whether a car with these ends is in front of us, and 6 to 60 pixels wide in a picture of 96 rows."""
    columns = [min(max(s.point(x, 0, z)[0], 0), FINER * s.width) for x in xs for z in zs]
    wide = (max(columns) - min(columns)) / (FINER * s.height)
    return CAR_WIDTHS[0] <= wide <= CAR_WIDTHS[1] and min(zs) > 3.4


def lamp_post(s, x, z, way) -> None:
    """A lamp on a tall post with an arm over the road."""
    high, grey = s.rng.uniform(5, 8), s.rng.choice(STEEL)
    tip = x + way * 1.3
    s.cast(x, z, 0.16, high)
    s.pole(x, 0, high, z, 0.16, grey, POLE)
    s.limb(x, high, tip, high + 0.25, z, 0.12, grey, POLE)
    s.front(min(tip, tip + way * 0.6), max(tip, tip + way * 0.6), high + 0.12, high + 0.32, z, grey, POLE)
    s.glows.append((tip + way * 0.3, high, z, 1.6, (255, 208, 130)))


def sign(s, x, z) -> None:
    """A traffic sign, a direction board or traffic lights, always on a post that one sees."""
    rng, kind, grey = s.rng, s.rng.random(), (116, 120, 122)
    if not 0.06 < s.point(x, 0, z)[0] / (FINER * s.width) < 0.94:
        return
    s.cast(x, z, 0.12, 2.6)
    if kind < 0.4:
        high, r, blue = rng.uniform(2.4, 3.0), rng.uniform(0.36, 0.5), rng.random() < 0.4
        s.pole(x, 0, high, z, 0.1, grey, POLE)
        rim, disc, inner = (WHITE, (40, 92, 168), 0.86 * r) if blue else ((206, 44, 46), WHITE, 0.68 * r)
        s.oval(x, high, z, r, r, rim, SIGN)
        s.oval(x, high, z, inner, inner, disc)
        s.limb(x, high - r * 0.4, x, high + r * 0.4, z, 0.12, WHITE if blue else DARK)
    elif kind < 0.75:
        high, half = rng.uniform(2.2, 3.0), rng.uniform(0.7, 1.4)
        face = rng.choice(((40, 92, 168), (28, 110, 78), WHITE, rng.choice(GLASS)))
        text = DARK if face == WHITE else WHITE
        for u in (x - half * 0.6, x + half * 0.6):
            s.pole(u, 0, high, z, 0.09, grey, POLE)
        s.front(x - half, x + half, high - 0.3, high + 0.9, z, WHITE, SIGN)
        s.front(x - half + 0.08, x + half - 0.08, high - 0.22, high + 0.82, z, face)
        for y in (high + 0.05, high + 0.42):
            s.front(x - half * 0.7, x + half * rng.uniform(0.1, 0.7), y, y + 0.16, z, text)
    else:
        s.pole(x, 0, 2.6, z, 0.13, (64, 66, 68), POLE)
        s.front(x - 0.28, x + 0.28, 2.3, 3.5, z, (34, 36, 38), SIGN)
        on = rng.randrange(3)
        for k, colour in enumerate(((236, 60, 48), (246, 180, 60), (70, 214, 130))):
            s.oval(x, 3.28 - 0.38 * k, z, 0.16, 0.16, colour if k == on else dim(colour, 0.3))


def pedestrian(s, x, z) -> None:
    """Two legs, a coat, arms, and a head with hair; some carry a bag, some are children."""
    rng = s.rng
    h, stride = rng.choice((1, 1, 1, 1, 0.72)) * rng.uniform(1.55, 1.85), rng.uniform(0.01, 0.1)
    coat, trousers, hem = rng.choice(COAT), rng.choice(TROUSERS), rng.choice((0.46, 0.46, 0.34))
    s.oval(x, 0.02, z, 0.32, 0.05, dim(s.paving, 0.5))
    s.cast(x, z, 0.4, h)
    for way, shade in ((-1, 0.8), (1, 1.0)):
        hip, foot, shoulder, hand = (x + way * u * h for u in (0.03, 0.035 + stride, 0.11, 0.15))
        s.limb(hip, 0.5 * h, foot, 0, z, 0.1 * h, dim(trousers, shade), PEDESTRIAN)
        s.limb(shoulder, 0.8 * h, hand, 0.47 * h, z, 0.06 * h, dim(coat, 0.8 * shade), PEDESTRIAN)
    body = ((-0.12, 0.81), (-0.06, 0.86), (0.06, 0.86), (0.12, 0.81), (0.1, hem), (-0.1, hem))
    s.polygon([(x + u * h, y * h, z) for u, y in body], coat, PEDESTRIAN)
    if rng.random() < 0.35:
        s.front(x + 0.11 * h, x + 0.24 * h, 0.34 * h, 0.48 * h, z, rng.choice(PAINT), PEDESTRIAN)
    s.oval(x, 0.93 * h, z, 0.068 * h, 0.08 * h, rng.choice(HAIR), PEDESTRIAN)
    s.oval(x, 0.91 * h, z, 0.058 * h, 0.06 * h, rng.choice(SKIN))


def bicyclist(s, x, z) -> None:
    """A rider on a bicycle, more or less from the side; the wheels are open rings but labelled whole."""
    rng, way, squeeze = s.rng, s.rng.choice((-1, 1)), s.rng.uniform(0.6, 1.0)
    coat, frame, trousers, r = rng.choice(COAT), rng.choice(PAINT), rng.choice(TROUSERS), 0.36

    def along(*points):
        """Places on the bicycle: metres before its middle, and above the ground."""
        return [(x + way * squeeze * u, y, z) for u, y in points]

    def stroke(points, thick, colour):
        (x0, y0, _), (x1, y1, _) = along(*points)
        s.limb(x0, y0, x1, y1, z, thick, colour, BICYCLIST)

    s.cast(x, z, 1.2 * squeeze, 1.2)
    s.oval(x, 0.02, z, 0.8 * squeeze, 0.06, dim(s.asphalt, 0.6))
    for wheel in along((-0.54, r), (0.54, r)):
        s.oval(*wheel, r * squeeze, r, DARK, BICYCLIST, ring=0.07)
    whole = along((-0.54, r), (0.54, r), (0.42, 1), (-0.2, 1))
    s.label.polygon([s.point(*place) for place in whole], BICYCLIST)
    rear, hub, pedals, saddle, head, bar = (
        (-0.54, r),
        (0.54, r),
        (0, 0.3),
        (-0.2, 0.92),
        (0.4, 0.86),
        (0.4, 1),
    )
    for tube in ((rear, pedals), (pedals, head), (pedals, saddle), (saddle, head), (bar, hub)):
        stroke(tube, 0.05, frame)
    for knee, foot, shade in ((0.22, 0.2, 0.75), (0.28, 0.5, 1.0)):
        stroke(((-0.2, 0.96), (knee, foot + 0.4)), 0.16, dim(trousers, shade))
        stroke(((knee, foot + 0.4), (0.06, foot)), 0.13, dim(trousers, shade))
    s.polygon(along((-0.32, 0.92), (-0.08, 0.9), (0.26, 1.42), (0.02, 1.5)), coat, BICYCLIST)
    stroke(((0.14, 1.4), (0.42, 1)), 0.1, dim(coat, 0.85))
    s.oval(*along((0.22, 1.6))[0], 0.12, 0.14, rng.choice(SKIN), BICYCLIST)
    s.oval(*along((0.2, 1.68))[0], 0.13, 0.09, rng.choice(PAINT), BICYCLIST)


def furniture(s, x, z) -> None:
    """A bin, a bench or a post box: void, for it is of none of the classes."""
    half, high = s.rng.choice(((0.25, 1.0), (0.3, 1.2), (0.8, 0.8)))
    colour = s.rng.choice(BINS)
    s.front(x - half, x + half, 0, high, z, colour, VOID)
    s.front(x - half, x + half, high - 0.12, high, z, dim(colour, 1.4))


def bonnet(s) -> None:
    """The camera's own car: void."""
    rng, wide, high = s.rng, FINER * s.width, FINER * s.height
    colour, rise, middle = mix(rng.choice(PAINT), s.light.zenith, 0.3), rng.uniform(0.05, 0.1), s.vanish
    for k in range(4):
        box = middle - 0.7 * wide, high * (1 - rise + 0.012 * k), middle + 0.7 * wide, high * (1 + 3 * rise)
        s.ink.ellipse(box, s.air(dim(colour, 0.9 - 0.12 * k), 1))
        if k == 0:
            s.label.ellipse(box, VOID)
