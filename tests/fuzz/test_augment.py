"""Laws of augmentation: image, mask and weights move together, whatever their size."""

import torch
from hypothesis import strategies as st

from segnb.data import augment, crop, elastic, flips, intensity, quarter_turns, rotation, scaling, shifts
from tests.fuzz.laws import SEEDS, generator, law

SIDES = {"height": st.integers(1, 40), "width": st.integers(1, 40)}
WHOLE = {  # move whole pixels
    "flips": flips,
    "quarter_turns": quarter_turns,
    "shifts": lambda: shifts(50),
    "crop": lambda: crop((13, 17)),
}
SMOOTH = {"rotation": rotation, "elastic": lambda: elastic(6.0), "a little": lambda: rotation(3)}


def item(height, width, seed):
    """(image of 1 channel that shows the labels, mask with classes and void, weight that shows them too)."""
    mask = torch.randint(5, (height, width), generator=generator(seed))
    return mask[None] / 8, mask, mask.float()


@law(parts=st.lists(st.sampled_from(sorted(WHOLE)), min_size=1, max_size=4), **SIDES, seed=SEEDS)
def test_what_moves_whole_pixels_moves_all_three_alike(parts, height, width, seed):
    """After flips, turns, shifts and crops, each pixel's image value, label and weight are still of one pixel."""
    torch.manual_seed(seed)
    image, mask, weight = augment(*(WHOLE[name]() for name in parts))(*item(height, width, seed))
    known = mask != 255
    assert torch.equal((image[0] * 8)[known], mask[known].float())
    assert torch.equal(weight, mask.where(known, 0).float())
    assert not image[0][~known].any()
    assert (image.dtype, mask.dtype, weight.dtype) == (torch.float32, torch.int64, torch.float32)
    if "crop" in parts:
        assert mask.shape in ((13, 17), (17, 13))
    else:
        assert known.all()
        assert sorted(mask.shape) == sorted((height, width))


@law(part=st.sampled_from(sorted(SMOOTH)), **SIDES, seed=SEEDS)
def test_what_bends_a_picture_bends_its_mask_alike(part, height, width, seed):
    """Where the image says from which row and column a pixel came, the mask says the same to within half a pixel."""
    rows = torch.arange(height)[:, None].expand(height, width)
    columns = torch.arange(width)[None].expand(height, width)
    for places in (rows, columns):
        torch.manual_seed(seed)
        image, mask, weight = augment(SMOOTH[part]())(places[None] / 64, places.clone(), places.float())
        assert image.shape == (1, height, width)
        assert ((image[0] * 64 - mask).abs() <= 0.5 + 1e-3).all()
        assert torch.equal(weight, mask.float())


@law(low=st.floats(0.05, 1), more=st.floats(0, 2), **SIDES, seed=SEEDS)
def test_scaling_makes_one_size_of_all_three_and_no_new_label(low, more, height, width, seed):
    """Image, mask and weight get one size, at least 1×1, and labels are those that were there."""
    torch.manual_seed(seed)
    before = item(height, width, seed)
    image, mask, weight = augment(scaling(low, low + more))(*before)
    assert image.shape[1:] == mask.shape == weight.shape
    assert min(mask.shape) >= 1
    assert set(mask.unique().tolist()) <= set(before[1].unique().tolist())
    assert torch.equal(weight, mask.float())
    assert image.min() >= before[0].min() - 1e-6
    assert image.max() <= before[0].max() + 1e-6


@law(seed=SEEDS, channels=st.sampled_from([1, 3]), **SIDES)
def test_light_changes_no_mask(seed, channels, height, width):
    """Brightness and contrast change the image alone, and keep it in 0..1."""
    torch.manual_seed(seed)
    image, mask = torch.rand(channels, height, width), torch.randint(5, (height, width))
    light, same = augment(intensity(0.5, 0.5))(image, mask)
    assert torch.equal(same, mask)
    assert light.shape == image.shape
    assert 0 <= light.min() <= light.max() <= 1


@law(parts=st.lists(st.sampled_from(sorted({**WHOLE, **SMOOTH})), max_size=4), seed=SEEDS, **SIDES)
def test_one_seed_makes_one_picture(parts, seed, height, width):
    """From one seed come equal items, and what was handed in stays as it was."""
    change = augment(*({**WHOLE, **SMOOTH}[name]() for name in parts))
    given = item(height, width, seed)
    kept, results = [part.clone() for part in given], []
    for _ in range(2):
        torch.manual_seed(seed)
        results.append(change(*given))
    assert all(map(torch.equal, *results))
    assert all(map(torch.equal, given, kept))
