import numpy as np
import pytest
import torch
from scipy import ndimage

from segnb.data import load
from segnb.data.generated import worlds

# Every eighth row and column of the mask of render(7, 96, 96), and some of its pixels.
MASK = """
111133333111
111133333111
111113333111
111122333111
111122221111
111122222113
111111222133
111111122333
111111122333
111111111133
111111111113
111111111113
"""
PIXELS = [
    [[125, 229, 133], [130, 98, 142], [143, 165, 149]],
    [[137, 195, 127], [143, 160, 151], [150, 167, 155]],
    [[137, 149, 138], [151, 90, 149], [159, 171, 164]],
]


@pytest.fixture(scope="module")
def test_set():
    return load("worlds", "test")


def test_sizes_classes_and_splits(test_set):
    assert test_set.classes == ("road", "river", "grass", "sand")
    assert [len(load("worlds", split)) for split in ("train", "val", "test")] == [500, 60, 120]
    image, mask = test_set[0]
    assert (image.dtype, image.shape) == (torch.float32, (3, 96, 96))
    assert (mask.dtype, mask.shape) == (torch.int64, (96, 96))
    for size in ((40, 40), (96, 160), (200, 120)):
        image, mask = worlds.render(3, *size)
        assert (image.shape, mask.shape) == ((3, *size), size)
        assert image.min() >= 0
        assert image.max() <= 1


def test_a_number_always_gives_the_same_scene():
    image, mask = worlds.render(7, 96, 96)
    drawn = np.array([[int(label) for label in row] for row in MASK.split()])
    assert (mask[::8, ::8] != drawn).sum() <= 1
    assert np.abs(image[:, 10::30, 10::30] * 255 - PIXELS).max() <= 1.01
    worlds.render(8, 48, 48)  # what else is drawn must not matter
    again = worlds.render(7, 96, 96)
    assert (image == again[0]).all()
    assert (mask == again[1]).all()
    assert (worlds.render(9, 96, 96)[1] != mask).any()


def test_a_larger_picture_shows_the_same_scene():
    small, large = worlds.render(4, 96, 96), worlds.render(4, 192, 192)
    assert (small[1] == large[1][::2, ::2]).mean() > 0.97


def test_both_worlds_have_every_grey_pixel_in_common():
    """Scenes 2k and 2k + 1: the same place, grey for grey, but for four pixels along the borders, which are soft."""
    for k in range(20):
        (grassy, mask), (sandy, other) = worlds.render(2 * k, 96, 96), worlds.render(2 * k + 1, 96, 96)
        grey = mask == worlds.ROAD
        assert (grey == (other == worlds.RIVER)).all()
        assert ((mask == worlds.GRASS) == (other == worlds.SAND)).all()
        assert ((mask == worlds.SAND) == (other == worlds.GRASS)).all()
        inner = ndimage.binary_erosion(grey, iterations=4, border_value=1)
        assert (grassy == sandy).all(0)[inner].mean() > 0.99
        assert inner.mean() > 0.1


def test_the_rest_of_the_picture_decides_and_nothing_else(test_set):
    _, masks = test_set.stack()
    counts = torch.stack([(masks == label).sum((1, 2)) for label in range(4)])
    road, river, grass, sand = counts
    assert ((road > 0) == (grass > sand)).all()
    assert ((river > 0) == (sand > grass)).all()
    assert ((road > 0) != (river > 0)).all()
    grey = (road + river) / 96**2
    assert grey.min() > 0.2
    assert grey.max() < 0.85
    assert 0.4 < grey.mean() < 0.6


def test_most_pictures_have_patches_of_the_other_world(test_set):
    _, masks = test_set.stack()
    grass, sand = (masks == worlds.GRASS).sum((1, 2)), (masks == worlds.SAND).sum((1, 2))
    strangers = torch.minimum(grass, sand) / (grass + sand)
    assert (strangers > 0).float().mean() > 0.8
    assert strangers.max() <= 0.42
    assert strangers.mean() > 0.2


def test_a_classifier_of_colours_knows_grass_and_sand_but_guesses_road_and_river(test_set):
    """The commonest class of each of 32,768 colours, counted in 200 scenes and used on others."""

    def colours(images):
        return ((images * 31.99).long() * torch.tensor((1024, 32, 1)).view(3, 1, 1)).sum(1)

    train = [load("worlds")[k] for k in range(200)]
    images, masks = (torch.stack(part) for part in zip(*train, strict=True))
    table = torch.zeros(32768, 4).index_put_((colours(images), masks), torch.ones(()), accumulate=True)
    images, masks = test_set.stack()
    right = table.argmax(1)[colours(images)] == masks
    assert right[masks >= 2].float().mean() > 0.93
    assert 0.45 < right[masks < 2].float().mean() < 0.55


def test_grey_looks_the_same_in_both_worlds(test_set):
    images, masks = test_set.stack()
    road, river = (images.permute(0, 2, 3, 1)[masks == label] for label in (worlds.ROAD, worlds.RIVER))
    assert torch.allclose(road.mean(0), river.mean(0), atol=0.01)
    assert torch.allclose(road.std(0), river.std(0), atol=0.01)
