import numpy as np
import pytest
from scipy import ndimage

from segnb.data import load
from segnb.data.generated import dish
from segnb.data.generated.brushes import tissue

# render(3, 32, 32), packed bits; and of render(0, 256, 256) the pixels of class 1 and image[16::64, 16::64]
MASK = bytes.fromhex(
    "180003003e010040be0020669e003846d801904080008200200090862000100f218031016780070047a0020c0e38103c"
    "0078381c8020031cc0200008c0000c60818000f000e0002100e00003000081998001839c8000038f800003a08001c38c"
    "1811c0050800c000000c4000381f000118000000004000023c47800f7e4fc00f"
)
CLASS_1 = 35799
VALUES = [
    [0.3678, 0.5816, 0.4642, 0.2852],
    [0.5995, 0.4985, 0.4624, 0.3598],
    [0.3574, 0.4269, 0.5321, 0.4317],
    [0.5108, 0.5023, 0.4785, 0.5651],
]


def drawn_cells(seed, height, width):
    """The generator's own numbers of the cells, before any connected component is looked for in the mask."""
    y, x, scale = tissue.positions(height, width)
    return dish.layout(np.random.default_rng((2, seed)), y, x, scale)[0]


def test_a_seed_always_gives_the_same_dish():
    mask = dish.render(3, 32, 32)[1]
    assert (mask != np.unpackbits(np.frombuffer(MASK, np.uint8)).reshape(32, 32)).mean() <= 1e-3
    image, mask = dish.render(0, 256, 256)
    assert abs(int(mask.sum()) - CLASS_1) <= 7  # 1 pixel in 10,000
    assert np.abs(image[0, 16::64, 16::64] - VALUES).max() <= 1 / 255
    again = dish.render(0, 256, 256)
    assert (image == again[0]).all()
    assert (mask == again[1]).all()


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (128, 128), (256, 256), (96, 128), (8, 8)])
def test_the_pieces_of_the_mask_are_exactly_the_cells(size):
    for seed in range(5):
        cell = drawn_cells(seed, *size)
        for structure in (None, np.ones((3, 3))):  # 4- and 8-connected
            piece, count = ndimage.label(cell > 0, structure)
            pairs = np.unique(np.stack([cell, piece]).reshape(2, -1), axis=1)
            assert count == cell.max()
            assert pairs.shape[1] == count + 1  # one to one, background with background


def test_the_loaders_cells_are_the_drawn_ones():
    data = load("dish", "val", size=96)
    for i in range(len(data)):
        number, drawn = data.cells(i).numpy(), drawn_cells(1_000_000 + i, 96, 96)
        assert (data[i][1].numpy() == (drawn > 0)).all()
        assert np.unique(np.stack([number, drawn]).reshape(2, -1), axis=1).shape[1] == drawn.max() + 1


def test_most_cells_touch_and_some_lie_alone():
    near, alone = [], 0
    for seed in range(6):
        cell = drawn_cells(seed, 256, 256)
        for n in range(1, cell.max() + 1):
            to_others = ndimage.distance_transform_edt((cell == 0) | (cell == n))[cell == n].min()
            near.append(to_others <= 3)
            alone += to_others > 8
    assert np.mean(near) > 0.7
    assert alone >= 6


def test_background_and_cells_share_the_dish():
    shares = [(drawn_cells(seed, 256, 256) == 0).mean() for seed in range(20)]
    assert 0.5 < np.mean(shares) < 0.7
    assert min(shares) > 0.3
    assert max(shares) < 0.9


def test_lines_between_cells_are_brighter_than_cells_and_partly_invisible():
    for seed in range(4):
        image, cell = dish.render(seed, 256, 256)[0][0], drawn_cells(seed, 256, 256)
        highest = ndimage.maximum_filter(cell, 3)
        lowest = ndimage.minimum_filter(np.where(cell > 0, cell, 10**6), 3)
        line, body = image[(cell == 0) & (lowest < highest)], image[cell > 0]
        assert line.size > 200
        assert line.mean() > body.mean() + 0.05
        assert 0.15 < (line < np.quantile(body, 0.75)).mean() < 0.5


@pytest.mark.parametrize("size", [(8, 8), (16, 96), (97, 33)])
def test_any_size_can_be_drawn(size):
    image, mask = dish.render(5, *size)
    assert image.shape == (1, *size)
    assert mask.shape == size
    assert np.isfinite(image).all()
    assert mask.any()
