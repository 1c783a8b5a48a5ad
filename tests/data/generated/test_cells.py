import numpy as np
import pytest
from scipy import ndimage

from segnb.data.generated import cells
from segnb.data.generated.brushes import tissue

# render(3, 32, 32), packed bits; and of render(0, 256, 256) the pixels of class 1 and image[16::64, 16::64]
MASK = bytes.fromhex(
    "a007a087a5c3806f20c85b1f9608011f4c40940763224c93679b48c100030644f6d3350376b815a8003a4b60173b0339"
    "82180089d9c380e1085960cce73cc02ee37e0361f8383338781783817f0fc980ff9fc4607fcfd41f3fe7b1bf1fe33586"
    "00d9a5b1700c007b0801c877e058e424f00c601308ee0037a0e7c0107af7e817"
)
CLASS_1 = 50340
VALUES = [
    [0.4211, 0.4263, 0.4336, 0.668],
    [0.6635, 0.4825, 0.4636, 0.4341],
    [0.6512, 0.6218, 0.6694, 0.548],
    [0.6288, 0.4193, 0.568, 0.3734],
]


@pytest.fixture(scope="module")
def slices():
    return [cells.render(seed, 256, 256) for seed in range(8)]


def test_a_seed_always_gives_the_same_slice():
    mask = cells.render(3, 32, 32)[1]
    assert (mask != np.unpackbits(np.frombuffer(MASK, np.uint8)).reshape(32, 32)).mean() <= 1e-3
    image, mask = cells.render(0, 256, 256)
    assert abs(int(mask.sum()) - CLASS_1) <= 7  # 1 pixel in 10,000
    assert np.abs(image[0, 16::64, 16::64] - VALUES).max() <= 1 / 255
    again = cells.render(0, 256, 256)
    assert (image == again[0]).all()
    assert (mask == again[1]).all()


def test_image_and_mask_have_the_types_the_loader_expects(slices):
    image, mask = slices[0]
    assert (image.dtype, image.shape) == (np.float32, (1, 256, 256))
    assert (mask.dtype, mask.shape) == (np.uint8, (256, 256))
    assert image.min() >= 0
    assert image.max() <= 1


def test_as_much_is_membrane_as_in_the_real_slices(slices):
    shares = [(mask == 0).mean() for _, mask in slices]
    assert 0.2 < np.mean(shares) < 0.25  # .225 in the first 24 real slices
    assert min(shares) > 0.17
    assert max(shares) < 0.28


def test_grey_values_are_like_those_of_the_real_slices(slices):
    """Mean and spread of 24 real slices: about 128 and 43 of 255."""
    images = np.stack([image for image, _ in slices])
    assert 0.48 < images.mean() < 0.58
    assert 0.12 < images.std() < 0.19


@pytest.mark.parametrize("size", [64, 128, 256])
def test_membranes_close_off_every_cell(size):
    for seed in range(4):
        y, x, scale = tissue.positions(size, size)
        owner, _ = cells.layout(np.random.default_rng((1, seed)), y, x, scale)
        mask = cells.render(seed, size, size)[1] == 1
        for here, there in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
            both = mask[here] & mask[there]
            assert (owner[here] == owner[there])[both].all()


def test_a_slice_has_about_a_hundred_cells_and_no_specks(slices):
    for _, mask in slices:
        number, count = ndimage.label(mask)
        sizes = np.bincount(number.ravel())[1:]
        assert 60 < count < 140
        assert sizes.min() >= 10
        assert sizes.max() < 0.25 * mask.size


def test_cells_differ_much_in_size(slices):
    sizes = np.concatenate([np.bincount(ndimage.label(mask)[0].ravel())[1:] for _, mask in slices])
    assert np.quantile(sizes, 0.95) > 8 * np.quantile(sizes, 0.25)


def test_membranes_are_dark_but_no_threshold_finds_them(slices):
    for image, mask in slices:
        membrane = mask == 0
        assert image[0][membrane].mean() < image[0][~membrane].mean() - 0.1
        guesses = [image[0] < level for level in np.quantile(image, np.linspace(0.05, 0.6, 23))]
        best = max(2 * (guess & membrane).sum() / (guess.sum() + membrane.sum()) for guess in guesses)
        assert 0.5 < best < 0.75  # F1; a small U-Net is well above


@pytest.mark.parametrize("size", [128, 512])
def test_another_size_shows_the_same_tissue(slices, size):
    image, mask = cells.render(0, size, size)
    there = np.arange(256) * size // 256
    assert (mask[there][:, there] == slices[0][1]).mean() > 0.93
    assert abs((mask == 0).mean() - (slices[0][1] == 0).mean()) < 0.03
    other = ndimage.gaussian_filter(cells.render(1, size, size)[0][0], 2 * size / 256)[there][:, there]
    same = ndimage.gaussian_filter(image[0], 2 * size / 256)[there][:, there]
    here = ndimage.gaussian_filter(slices[0][0][0], 2)
    assert np.corrcoef(same.ravel(), here.ravel())[0, 1] > 0.9
    assert np.corrcoef(other.ravel(), here.ravel())[0, 1] < 0.3


@pytest.mark.parametrize("size", [(8, 8), (16, 96), (97, 33)])
def test_any_size_can_be_drawn(size):
    image, mask = cells.render(5, *size)
    assert image.shape == (1, *size)
    assert mask.shape == size
    assert np.isfinite(image).all()
