import numpy as np
import pytest
import torch

from segnb.data import load
from segnb.data.generated import countries

# Every 16th row and 4th column of the mask of render(7, 128, 128), and some of its pixels.
MASK = """
44444444442444440444422444444444
44444444442444440444442444444444
44444444442444440444442444444444
44444444422444444444422444444444
44443444444444441444444444443344
44443444444444441444444444433444
44433444444444441444444444443444
44443444444444441444444444443344
"""
PIXELS = [
    [[152, 150, 51], [164, 160, 116], [158, 141, 122]],
    [[170, 159, 85], [180, 183, 133], [136, 112, 108]],
    [[112, 102, 49], [115, 122, 84], [130, 112, 107]],
]


# Rows that are in one country whatever its border does.
ROWS = [*range(0, 48, 4), *range(80, 128, 4)]


@pytest.fixture(scope="module")
def test_set():
    return load("countries", "test")


@pytest.fixture(scope="module")
def far():
    """The distance of the companions at every pixel of the test set."""
    return torch.stack([torch.from_numpy(countries.distances(2_000_000 + k, 128, 128)) for k in range(120)])


def test_sizes_classes_and_splits(test_set):
    assert test_set.classes == ("road", "canal", "trees", "sand", "fields")
    assert [len(load("countries", split)) for split in ("train", "val", "test")] == [500, 60, 120]
    image, mask = test_set[0]
    assert (image.dtype, image.shape) == (torch.float32, (3, 128, 128))
    assert (mask.dtype, mask.shape) == (torch.int64, (128, 128))
    for size in ((40, 40), (96, 160), (200, 140)):
        image, mask = countries.render(3, *size)
        assert (image.shape, mask.shape, countries.distances(3, *size).shape) == ((3, *size), size, size)
        assert image.min() >= 0
        assert image.max() <= 1


def test_a_number_always_gives_the_same_scene():
    image, mask = countries.render(7, 128, 128)
    drawn = np.array([[int(label) for label in row] for row in MASK.split()])
    assert (mask[4::16, ::4] != drawn).sum() <= 1
    assert np.abs(image[:, 10:100:40, 10:100:40] * 255 - PIXELS).max() <= 1.01
    countries.render(8, 48, 48)  # what else is drawn must not matter
    again = countries.render(7, 128, 128)
    assert (image == again[0]).all()
    assert (mask == again[1]).all()
    assert (countries.render(9, 128, 128)[1] != mask).any()


def test_a_larger_picture_shows_the_same_scene():
    small, large = countries.render(4, 128, 128), countries.render(4, 256, 256)
    assert (small[1] == large[1][::2, ::2]).mean() > 0.97
    assert (countries.distances(4, 128, 128) == countries.distances(4, 256, 256)[::2, ::2]).mean() > 0.99


def test_every_picture_holds_one_country_of_either_kind(test_set):
    _, masks = test_set.stack()
    share = torch.stack([(masks == label).float().mean((1, 2)) for label in range(5)], 1)
    assert (share > 0).all()
    assert (share[:, :2] < 0.025).all()  # lines are thin
    upper, lower = masks[:, :48].flatten(1), masks[:, 80:].flatten(1)
    for kind, other in ((countries.ROAD, countries.CANAL), (countries.CANAL, countries.ROAD)):
        above = (upper == kind).any(1)
        assert (above == ~(upper == other).any(1)).all()
        assert (above == (lower == other).any(1)).all()
    # Neither kind is above more often than the other.
    above = (masks[:, 0] == countries.ROAD).any(1).float().mean()
    assert 0.35 < above < 0.65


def test_the_companions_run_as_far_off_as_is_said_and_nothing_nearer_tells(test_set, far):
    """Along each row: from the line to the nearest tree or bank, whose half width is about four pixels."""
    _, masks = test_set.stack()
    nearest = {distance: [] for distance in countries.DISTANCES}
    for mask, distance in zip(masks[::4], far[::4]):
        for row in ROWS:
            is_road = (mask[row] == countries.ROAD).any()
            own, strange = (countries.TREES, countries.SAND) if is_road else (countries.SAND, countries.TREES)
            line, beside = (mask[row] <= countries.CANAL).nonzero(), (mask[row] == own).nonzero()
            assert len(line) in (3, 4)
            assert not (mask[row] == strange).any()
            if len(beside):  # there is a gap between two crowns now and then
                nearest[int(distance[row, 0])].append((beside - line.T).abs().min().item())
    for distance, gaps in nearest.items():
        assert len(gaps) > 60
        assert min(gaps) >= distance - 8
        assert distance - 6 < np.median(gaps) < distance


def test_every_distance_is_as_likely_for_either_kind(test_set, far):
    _, masks = test_set.stack()
    for label in (countries.ROAD, countries.CANAL):
        met = far[masks == label]
        for distance in countries.DISTANCES:
            assert 0.2 < (met == distance).float().mean() < 0.47


def test_a_line_looks_the_same_in_both_countries(test_set):
    images, masks = test_set.stack()
    road, canal = (images.permute(0, 2, 3, 1)[masks == label] for label in (countries.ROAD, countries.CANAL))
    assert torch.allclose(road.mean(0), canal.mean(0), atol=0.01)
    assert torch.allclose(road.std(0), canal.std(0), atol=0.01)


def test_the_ground_does_not_tell_the_kind(test_set):
    """The fields around roads are as bright as those around canals, within what 120 pictures can tell."""
    images, masks = test_set.stack()
    of_roads = (masks[:, 0] == countries.ROAD).any(1)
    means = []
    for which in (of_roads, ~of_roads):
        fields = (masks[:, :40] == countries.FIELDS) & which[:, None, None]
        means.append(images[:, :, :40].permute(0, 2, 3, 1)[fields].mean(0))
    assert torch.allclose(*means, atol=0.03)
