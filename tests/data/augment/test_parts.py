import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision import tv_tensors
from torchvision.transforms import v2

from segnb import data
from segnb.data import augment
from segnb.data.augment import warps

PARTS = {
    "flips": data.flips,
    "quarter_turns": data.quarter_turns,
    "rotation": data.rotation,
    "shifts": data.shifts,
    "elastic": lambda: data.elastic(3),
    "intensity": data.intensity,
    "scaling": data.scaling,
    "crop": lambda: data.crop(40),
    "torchvision's own": lambda: v2.RandomAffine(20, fill={tv_tensors.Image: 0, tv_tensors.Mask: 255}),
}


@pytest.fixture
def item():
    """A smooth 64×64 image, its mask (three classes, thresholds of the image) and a weight map made from the mask."""
    torch.manual_seed(0)
    image = F.interpolate(torch.rand(1, 1, 5, 5), (64, 64), mode="bicubic").clamp(0, 1)[0]
    mask = (image[0] > 0.4).long() + (image[0] > 0.6)
    return image, mask, mask * 2.0 + 1


@pytest.mark.parametrize("part", PARTS)
def test_image_mask_and_weight_move_together(part, item):
    transform = augment(PARTS[part]())
    image, mask, weight = transform(*item)
    assert image.shape[1:] == mask.shape == weight.shape
    assert (image.dtype, mask.dtype, weight.dtype) == (torch.float32, torch.int64, torch.float32)
    assert {type(t) for t in (image, mask, weight)} == {torch.Tensor}
    seen = mask != 255
    assert torch.equal(weight, torch.where(seen, mask * 2.0 + 1, 0.0))
    assert set(mask.unique().tolist()) <= {0, 1, 2, 255}
    if part != "intensity":
        again = (image[0] > 0.4).long() + (image[0] > 0.6)
        assert (again == mask)[seen].float().mean() > 0.9


@pytest.mark.parametrize("part", PARTS)
def test_draws_come_from_torchs_generator_and_differ(part, item):
    transform = augment(PARTS[part]())
    rounds = []
    for _ in range(2):
        torch.manual_seed(3)
        rounds.append([transform(*item[:2]) for _ in range(6)])
    for first, second in zip(*rounds):
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1], second[1])
    assert len({image.numpy().tobytes() for image, _ in rounds[0]}) > 1


@pytest.mark.parametrize("part", PARTS)
def test_colour_pictures_that_are_not_square(part):
    image, mask = augment(PARTS[part]())(torch.rand(3, 24, 40), torch.zeros(24, 40, dtype=torch.long))
    assert image.shape[0] == 3
    assert image.shape[1:] == mask.shape
    if part not in ("scaling", "crop"):
        assert mask.shape == (24, 40)


@pytest.mark.parametrize("part", ["rotation", "shifts", "elastic", "flips", "quarter_turns"])
def test_what_was_outside_is_mirrored_and_never_void(part, item):
    image, mask = augment(PARTS[part]())(item[0] * 0 + 0.5, item[1] * 0 + 1)
    assert torch.allclose(image, torch.tensor(0.5), atol=1e-5)
    assert mask.unique().tolist() == [1]


def test_two_in_two_out_and_the_input_is_left_alone(item):
    before = [t.clone() for t in item]
    transform = augment(data.flips(), data.elastic(), data.intensity())
    assert len(transform(*item[:2])) == 2
    assert len(transform(*item)) == 3
    assert all(torch.equal(a, b) for a, b in zip(before, item))


def test_no_parts_change_nothing(item):
    assert all(torch.equal(a, b) for a, b in zip(augment()(*item), item))


def test_a_move_by_three_pixels_by_hand(item):
    ones = torch.ones(64, 64)
    image, mask = augment(warps.Warp(lambda height, width: (3 * ones, -2 * ones)))(*item[:2])
    columns = [*range(3, 64), 62, 61, 60]  # mirrored at the last pixel
    rows = [2, 1, *range(62)]
    assert torch.allclose(image, item[0][:, rows][:, :, columns], atol=1e-5)
    assert torch.equal(mask, item[1][rows][:, columns])


def test_shifts_are_whole_pixels_of_the_mirrored_picture(item):
    torch.manual_seed(1)
    image, mask = augment(data.shifts(5))(*item[:2])
    padded_image = np.pad(item[0][0].numpy(), 5, mode="reflect")
    padded_mask = np.pad(item[1].numpy(), 5, mode="reflect")
    at = [
        (i, j)
        for i in range(11)
        for j in range(11)
        if np.array_equal(padded_image[i : i + 64, j : j + 64], image[0].numpy())
    ]
    assert len(at) == 1
    (i, j), *_ = at
    assert (i, j) != (5, 5)
    assert np.array_equal(padded_mask[i : i + 64, j : j + 64], mask.numpy())


def test_shifts_reach_both_ends():
    part = data.shifts(2)
    inputs = [tv_tensors.Image(torch.zeros(1, 8, 8))]
    moves = torch.tensor([part.make_params(inputs)["moves"] for _ in range(200)])
    assert moves.min(0).values.tolist() == [-2, -2]
    assert moves.max(0).values.tolist() == [2, 2]


def test_elastic_displaces_by_the_papers_ten_pixels():
    field = data.elastic().field
    torch.manual_seed(0)
    corners = torch.stack([field(9, 9)[:, [0, 0, 4, 8], [0, 8, 4, 0]] for _ in range(2000)])
    assert 9.7 < corners.std() < 10.3  # the 3×3 points lie on corners, edges and the centre
    assert corners.mean().abs() < 0.4
    torch.manual_seed(5)
    coarse = 10 * torch.randn(1, 2, 3, 3)
    torch.manual_seed(5)
    moves = field(33, 65)
    assert moves.shape == (2, 33, 65)
    assert torch.allclose(moves, F.interpolate(coarse, (33, 65), mode="bicubic", align_corners=True)[0])


def test_elastic_without_strength_changes_nothing(item):
    image, mask = augment(data.elastic(0))(*item[:2])
    assert torch.allclose(image, item[0], atol=1e-5)
    assert torch.equal(mask, item[1])


def test_a_rotation_keeps_the_distance_from_the_centre():
    mask = torch.zeros(65, 65, dtype=torch.long)
    mask[32, 42] = 1  # 10 px to the right of the centre
    image = F.avg_pool2d(F.pad(mask[None].float(), (2, 2, 2, 2)), 5, stride=1)
    angles = []
    torch.manual_seed(0)
    for _ in range(40):
        turned, _ = augment(data.rotation(90))(image, mask)
        y, x = (
            (turned[0] * axis).sum() / turned.sum()
            for axis in (torch.arange(65)[:, None] - 32, torch.arange(65) - 32)
        )
        assert torch.hypot(y, x) == pytest.approx(10, abs=0.2)
        angles.append(torch.rad2deg(torch.atan2(y, x)).item())
    assert min(angles) < -45
    assert max(angles) > 45
    assert max(map(abs, angles)) < 91


def test_quarter_turns_visit_all_four_and_spare_the_shape_of_a_rectangle():
    square, oblong = torch.arange(4.0).view(1, 2, 2), torch.arange(6.0).view(1, 2, 3)
    torch.manual_seed(0)
    turned = {
        tuple(augment(data.quarter_turns())(square, square[0].long())[0].flatten().tolist())
        for _ in range(60)
    }
    assert turned == {(0, 1, 2, 3), (1, 3, 0, 2), (3, 2, 1, 0), (2, 0, 3, 1)}
    turned = {
        tuple(augment(data.quarter_turns())(oblong, oblong[0].long())[0].flatten().tolist())
        for _ in range(60)
    }
    assert turned == {(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0)}


def test_flips_visit_all_four():
    square = torch.arange(4.0).view(1, 2, 2)
    torch.manual_seed(0)
    seen = {tuple(augment(data.flips())(square, square[0].long())[1].flatten().tolist()) for _ in range(60)}
    assert seen == {(0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)}


def test_intensity_changes_the_image_alone(item):
    image, mask = augment(data.intensity(0.3, 0.3))(*item[:2])
    assert not torch.allclose(image, item[0], atol=1e-3)
    assert torch.equal(mask, item[1])
    assert image.min() >= 0
    assert image.max() <= 1


def test_scaling_stays_between_its_limits(item):
    torch.manual_seed(0)
    sides = [augment(data.scaling(0.5, 2))(*item[:2])[1].shape for _ in range(60)]
    assert all(height == width for height, width in sides)
    assert 32 <= min(sides)[0] < 40
    assert 110 < max(sides)[0] <= 128


def test_a_crop_of_a_small_picture_is_filled_with_void(item):
    image, mask, weight = augment(data.crop((80, 70)))(*item)
    assert image.shape == (1, 80, 70)
    void = mask == 255
    assert void.sum() == 80 * 70 - 64 * 64
    assert image[0][void].abs().max() == 0
    assert weight[void].abs().max() == 0
    assert weight[~void].min() >= 1


def test_a_part_must_be_a_transform():
    for wrong in (v2.RandomHorizontalFlip, "flips", 3):
        with pytest.raises(TypeError, match=r"segnb\.data\.flips\(\)"):
            augment(wrong)


def test_wrong_shapes_are_refused(item):
    image, mask, weight = item
    transform = augment(data.flips())
    for wrong in (
        (image[0], mask),
        (image, mask[1:]),
        (image, mask[None]),
        (image[None], mask),
        (image, mask, weight[:, 1:]),
    ):
        with pytest.raises(ValueError, match="C×H×W"):
            transform(*wrong)
