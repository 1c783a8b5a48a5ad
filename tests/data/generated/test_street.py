from random import Random

import numpy as np
import pytest
import torch
from scipy import ndimage

from segnb.data import load
from segnb.data.generated import street
from segnb.data.generated.brushes import painter
from segnb.data.generated.brushes import street_things as things
from tests import camvid_counts

# Linear RGB as eyes without red or green cones see it (Machado et al. 2009, severity 1).
PROTAN = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTAN = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))

# Every second row and column of the mask of render(7, 48, 64), - for void; and some of its pixels.
MASK = """
11111111110000000000000000000000
11111111110000000000000001111151
11111111110000000000000011111151
11111111155500000000000111115555
11111115555500000000001111115555
11111115555110000000001111115555
11111115555110000000001111115555
11111155555110000000001111115555
11111155555550000011111111115555
11111116655651000011155111111155
11111111166651515511155111111155
11111111118881----11111a11111151
1111111aa18888888338888819777777
1111111aa48883838338888889777777
4444444aaa3333333333888888334444
4444443a3a3333333333383338333333
44443333333333333333333333333333
43333333333333333333333333333333
33333333333333333333333333333333
33333333333333333333333333333333
33333333333333333333333333333333
33333333333333333333333333333333
33333333333333333333333333333333
33333333333333333333333333333333
"""
PIXELS = [
    [[184, 169, 184, 127], [182, 87, 152, 137], [165, 118, 116, 105], [113, 117, 112, 115]],
    [[180, 182, 200, 88], [185, 87, 156, 94], [148, 121, 118, 114], [115, 120, 112, 120]],
    [[160, 192, 206, 80], [161, 54, 140, 85], [99, 124, 120, 114], [120, 119, 120, 128]],
]


@pytest.fixture(scope="module")
def train():
    return load("street")


@pytest.fixture(scope="module")
def masks(train):
    return train.stack()[1].numpy()


def blank(seed=0):
    """A street of 96×128 pixels with nothing on it."""
    return street.Street(Random(seed), 96, 128)


def test_the_set_is_the_twin_of_camvid(train):
    names = "sky building pole road pavement tree sign_symbol fence car pedestrian bicyclist"
    assert " ".join(train.classes) == names
    assert [len(load("street", split)) for split in ("train", "val", "test")] == [367, 101, 233]
    image, mask = train[0]
    assert (image.dtype, image.shape) == (torch.float32, (3, 96, 128))
    assert (mask.dtype, mask.shape) == (torch.int64, (96, 128))
    assert image.min() >= 0
    assert image.max() <= 1


def test_a_number_always_gives_the_same_scene():
    image, mask = street.render(7, 48, 64)
    rows = ["".join("-" if label == 255 else f"{label:x}" for label in row) for row in mask[::2, ::2]]
    drawn = "".join(MASK.split())
    assert sum(a != b for a, b in zip("".join(rows), drawn, strict=True)) <= 1
    assert np.abs(image[:, 5::14, 7::16] * 255 - PIXELS).max() <= 1.01
    street.render(8, 96, 128)  # what else is drawn must not matter
    again = street.render(7, 48, 64)
    assert (image == again[0]).all()
    assert (mask == again[1]).all()
    assert (street.render(6, 48, 64)[1] != mask).any()


def test_every_class_is_as_frequent_as_in_camvid_within_a_factor_of_two(train):
    pixels = train.class_counts().pixels.double()
    camvid = torch.tensor(camvid_counts.PIXELS, dtype=torch.float64)
    ratio = (pixels / pixels.sum()) / (camvid / camvid.sum())
    assert ratio.min() > 0.5, ratio
    assert ratio.max() < 2, ratio


def test_every_class_is_in_many_scenes(train):
    assert train.class_counts().images[:11].min() > 0.4 * 367  # of bicyclists; in CamVid they are in 201


def test_a_larger_picture_shows_the_same_scene_in_finer_detail():
    for seed in range(4):
        small, large = street.render(seed, 96, 128), street.render(seed, 192, 256)
        assert (small[1] == large[1][::2, ::2]).mean() > 0.93
        shrunk = large[0].reshape(3, 96, 2, 128, 2).mean((2, 4))
        assert np.abs(shrunk - small[0]).mean() < 0.04
    assert street.render(0, 60, 200)[1].shape == (60, 200)
    assert street.render(0, 96, 96)[0].shape == (3, 96, 96)


def test_pictures_are_neither_murky_nor_burnt_out(train):
    brightness = train.stack()[0].mean((1, 2, 3))
    assert brightness.min() > 0.33
    assert brightness.max() < 0.75
    assert (train.stack()[0] == 1).float().mean() < 0.02


def test_cars_are_6_to_60_pixels_wide():
    widths = []
    for z in np.linspace(2, 70, 60):
        for paint, *where in (
            (things.car, -2.5, z, True),
            (things.car, 0.3, z, True),
            (things.car, 3.0, z, False),
            (things.car_across, 0.0, z, 1),
        ):
            s = blank()
            paint(s, *where)
            columns = (np.asarray(s.mask)[1::3, 1::3] == things.CAR).any(0)
            if columns.any():
                widths.append(columns.sum())
    assert 5 <= min(widths) <= 8  # the edge of a mask may lose a pixel
    assert 50 <= max(widths) <= 61


def test_scenes_have_small_and_large_cars(masks):
    widths = [
        place[1].stop - place[1].start
        for mask in masks[:100]
        for place in ndimage.find_objects(ndimage.label(mask == street.CLASSES.index("car"))[0])
    ]
    assert sum(6 <= width <= 10 for width in widths) > 20
    assert sum(25 <= width <= 60 for width in widths) > 50


def test_poles_are_one_to_three_pixels_thin():
    for z in np.geomspace(4, 80, 40):
        for thick in (0.05, 0.13, 0.4):
            s = blank()
            s.pole(0.5, 0, 4, z, thick, (90, 90, 90), 2)
            columns = (np.asarray(s.mask)[1::3, 1::3] == 2).any(0).sum()
            assert 1 <= columns <= 3


def test_every_sign_stands_on_a_pole_that_reaches_the_ground():
    found = 0
    for seed in range(60):
        s = blank(seed)
        z = 6 + seed % 16
        things.sign(s, 3.0, z)
        mask = np.asarray(s.mask)
        sign, pole = mask == things.SIGN, mask == things.POLE
        if sign.any():
            found += 1
            columns = np.flatnonzero(sign.any(0))
            below = pole[:, columns[0] : columns[-1] + 1]
            assert abs(np.flatnonzero(below.any(1))[-1] - s.point(3.0, 0, z)[1]) <= 1.5
            assert np.flatnonzero(below.any(1))[0] <= np.flatnonzero(sign.any(1))[-1] + 1
    assert found > 30


def test_some_walls_have_the_colour_of_the_road(train):
    """In many scenes much of the building is nearer to the road's colour than the road itself mostly is."""
    alike = 0
    for image, mask in (train[k] for k in range(100)):
        road, wall = image[:, mask == 3].T, image[:, mask == 1].T
        middle = road.median(0).values
        usual = (road - middle).norm(dim=1).quantile(0.9)
        alike += (((wall - middle).norm(dim=1) < usual).float().mean() > 0.2).item()
    assert alike > 40


def test_some_signs_have_the_colour_of_windows():
    faces = set()
    for seed in range(80):
        s = blank(seed)
        things.sign(s, 2.0, 6.0)
        at = np.asarray(s.image)[np.asarray(s.mask) == things.SIGN]
        faces |= {colour for colour in things.GLASS if (at == s.air(colour, 6.0)).all(1).any()}
    assert len(faces) >= 2


def test_cars_are_seen_through_railings_and_labelled_fence(monkeypatch):
    def parked(seed):
        s = blank(seed)
        things.car_park(s, 1, 8, 22)
        return np.asarray(s.image), np.asarray(s.mask)

    seen = 0
    railed = [parked(seed) for seed in range(10)]
    monkeypatch.setattr(things, "fence", lambda *args, **options: None)
    for (image, mask), (image_open, mask_open) in zip(railed, map(parked, range(10)), strict=True):
        same = (image == image_open).all(2)
        seen += (same & (mask == things.FENCE) & (mask_open == things.CAR)).sum()
    assert seen > 1000


def test_the_street_ends_and_the_camera_car_are_void(masks):
    void = masks == 255
    assert void.any((1, 2)).mean() > 0.9
    assert 0.2 < void[:, -1, 40:90].mean() < 0.7  # the bonnet, in some scenes


def test_colour_alone_does_not_tell_the_class(train):
    """The commonest class of each of 4,096 colours, counted in 250 scenes, in the other 117. (Real CamVid: .60.)"""
    images, masks = train.stack()
    codes = ((images * 15.99).long() * torch.tensor((256, 16, 1)).view(3, 1, 1)).sum(1)
    known = masks != 255
    table = torch.zeros(4096, 11)
    table.index_put_((codes[:250][known[:250]], masks[:250][known[:250]]), torch.ones(()), accumulate=True)
    right = table.argmax(1)[codes[250:]] == masks[250:]
    assert 0.55 < right[known[250:]].float().mean() < 0.75


def test_the_drawing_leaves_the_worlds_randomness_alone():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    street.render(1, 48, 64)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def lab(linear):
    """CIE Lab (D65) of linear RGB."""
    to_xyz = (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
    xyz = linear.clip(0, 1) @ np.array(to_xyz).T / (0.95047, 1, 1.08883)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def smallest_distance(colours):
    apart = np.linalg.norm(colours[:, None] - colours, axis=-1)
    return apart[~np.eye(len(colours), dtype=bool)].min()


@pytest.mark.parametrize("name", ["street", "worlds", "countries"])
def test_the_palette_is_safe_for_colour_blind_readers_and_on_white_and_black(name):
    palette = load(name).palette / 255
    linear = np.where(palette <= 0.04045, palette / 12.92, ((palette + 0.055) / 1.055) ** 2.4)
    assert smallest_distance(lab(linear)) > 25
    for eyes in (PROTAN, DEUTAN):
        assert smallest_distance(lab(linear @ np.array(eyes).T)) > 20
    lightness = lab(linear)[:, 0]
    assert lightness.min() > 20
    assert lightness.max() < 94


def test_the_crowns_are_leafy_and_of_one_piece():
    for bright, outline in painter.crowns():
        inside = np.asarray(outline) == 255
        assert 0.3 < inside.mean() < 0.6
        pieces = np.bincount(ndimage.label(inside)[0].ravel())[1:]
        assert pieces.max() > 0.95 * pieces.sum()
        assert np.asarray(bright)[inside].std() > 20
