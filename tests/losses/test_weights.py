"""Median-frequency weights on CamVid's own counts, and U-Net's border weight map."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segnb.losses import cross_entropy, median_frequency_weights, unet_weight_map
from tests.camvid_counts import IMAGES, PIXELS

WITHOUT_VOID = [0.2793, 0.2017, 4.7865, 0.1490, 1.0000, 0.4217, 3.8467, 1.9736, 0.7889, 6.3747, 8.8587]
WITH_VOID = [0.2565, 0.1853, 4.3963, 0.1369, 0.9185, 0.3873, 3.5331, 1.8127, 0.7246, 5.8550, 8.1365]
PUBLISHED_SIGN = 9.6446  # the released network's weight of `sign`, which its own formula does not give
WRONG_GLOBAL_FREQUENCY = [
    0.2663, 0.1929, 4.5642, 0.1417, 1.0, 0.4614, 3.8248, 3.9814, 0.7648, 7.0182, 15.3816
]  # fmt: skip


def camvid():
    images = torch.tensor(IMAGES)
    return SimpleNamespace(pixels=torch.tensor(PIXELS), images=images, pixels_in_images=images * 360 * 480)


def test_camvids_weights_to_four_digits():
    weights = median_frequency_weights(camvid())
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx(WITHOUT_VOID, abs=5.1e-5)
    assert weights[4] == 1  # an odd number of classes: one is the median


def test_camvids_weights_with_void_in_the_median():
    weights = median_frequency_weights(camvid(), include_void=True)
    assert weights.tolist() == pytest.approx(WITH_VOID, abs=5.1e-5)
    assert weights[6].item() != pytest.approx(PUBLISHED_SIGN, rel=0.5)


def test_plain_frequency_over_all_images_is_another_number():
    pixels = torch.tensor(PIXELS[:-1]).double()
    plain = pixels.median() / pixels
    assert plain.tolist() == pytest.approx(WRONG_GLOBAL_FREQUENCY, abs=5.1e-5)
    assert (plain - median_frequency_weights(camvid())).abs().max() > 6  # bicyclists: 15.4 against 8.9


def test_a_data_set_is_asked_for_its_counts():
    data = SimpleNamespace(class_counts=camvid)
    assert torch.equal(median_frequency_weights(data), median_frequency_weights(camvid()))


def test_an_even_number_of_classes_and_an_absent_one():
    counts = SimpleNamespace(
        pixels=torch.tensor([80, 20, 0, 100]), pixels_in_images=torch.tensor([200, 100, 0, 200])
    )
    # f = 0.4 and 0.2, so the median is 0.3; the third class never appears.
    assert median_frequency_weights(counts).tolist() == pytest.approx([0.75, 1.5, 0.0])
    # With void's 0.5 the median is 0.4.
    assert median_frequency_weights(counts, include_void=True).tolist() == pytest.approx([1.0, 2.0, 0.0])


def test_weights_fit_cross_entropy():
    logits, target = torch.randn(1, 11, 4, 4), torch.randint(11, (1, 4, 4))
    weight = median_frequency_weights(camvid())
    expected = torch.nn.functional.cross_entropy(logits, target, weight=weight)
    torch.testing.assert_close(cross_entropy(logits, target, weight=weight), expected)


def two_cells(gap, side=9):
    """Two cells of 4 px width in a picture of side×(8 + gap), and its background columns."""
    mask = torch.zeros(side, 8 + gap, dtype=torch.long)
    mask[:, :4] = 1
    mask[:, -4:] = 1
    return mask


@pytest.mark.parametrize(("gap", "d", "border"), [(4, 5, 6.065), (9, 10, 1.353)])
def test_the_papers_numbers_between_two_cells(gap, d, border):
    mask = two_cells(gap)
    w_c = mask.numel() / (2 * (mask == 0).sum())
    between = unet_weight_map(mask)[:, 4:-4] - w_c
    # A gap of g pixels: every one of them is d1 + d2 = g + 1 from the two cells together.
    torch.testing.assert_close(between, torch.full_like(between, 10 * math.exp(-(d**2) / 50)))
    assert between[0, 0].item() == pytest.approx(border, abs=5e-4)


def test_inside_a_cell_only_the_second_distance_counts():
    mask = two_cells(3)
    w_c = mask.numel() / (2 * (mask == 1).sum())
    row = unet_weight_map(mask)[4] - w_c
    # From columns 0..3 to the cell at column 7.
    expected = [10 * math.exp(-(d**2) / 50) for d in (7, 6, 5, 4)]
    assert row[:4].tolist() == pytest.approx(expected, abs=1e-5)


def test_w0_and_sigma():
    mask = two_cells(4)
    w_c = mask.numel() / (2 * (mask == 0).sum())
    assert unet_weight_map(mask, w0=3, sigma=2)[0, 5].item() == pytest.approx(w_c + 3 * math.exp(-25 / 8))
    assert unet_weight_map(mask, w0=0)[0, 5].item() == pytest.approx(w_c)


def test_with_one_cell_or_none_the_class_balance_is_left():
    mask = torch.zeros(6, 10, dtype=torch.long)
    torch.testing.assert_close(unet_weight_map(mask), torch.full((6, 10), 0.5))
    mask[1:4, 2:6] = 1  # 12 of 60
    expected = torch.where(mask == 1, 60 / 24, 60 / 96)
    torch.testing.assert_close(unet_weight_map(mask), expected)


def test_void_weighs_nothing_and_is_no_cell():
    mask = torch.zeros(6, 10, dtype=torch.long)
    mask[1:4, 2:6] = 1
    mask[:, 8:] = 255  # 12 of 60; 48 labelled, 12 of them cell
    weight = unet_weight_map(mask)
    expected = torch.where(mask == 1, 48 / 24, 48 / 72).masked_fill(mask == 255, 0)
    torch.testing.assert_close(weight, expected)
    assert not unet_weight_map(torch.full((4, 4), 255)).any()


def test_components_are_4_connected_and_labels_are_taken_as_they_are():
    diagonal = torch.tensor([[1, 0], [0, 1]])
    assert (unet_weight_map(diagonal) > 5).all()  # two cells that touch at a corner only
    corner = torch.tensor([[1, 1], [0, 1]])
    assert (unet_weight_map(corner) <= 2).all()  # one cell
    touching = torch.tensor([[3, 3, 7, 7]])
    labelled = unet_weight_map(touching)
    expected = [0.5 + 10 * math.exp(-(d**2) / 50) for d in (2, 1, 1, 2)]
    assert labelled.flatten().tolist() == pytest.approx(expected)
    in_two_pieces = torch.tensor([[2, 0, 2, 0]])
    assert (unet_weight_map(in_two_pieces) == 1).all()


def brute_force(cells, w0=10, sigma=5):
    """The formula read aloud, for instance masks without void."""
    places = torch.stack(torch.meshgrid(*map(torch.arange, cells.shape), indexing="ij"), -1).double()
    inside = cells.clamp(max=1)
    counts = torch.stack([(inside == c).sum() for c in (0, 1)])
    weight = cells.numel() / (2 * counts[inside].double())
    d = [
        torch.cdist(places.flatten(0, 1), places[cells == cell]).amin(1).view(cells.shape)
        for cell in cells.unique()
        if cell > 0
    ]
    if len(d) > 1:
        nearest = torch.stack(d).sort(0).values
        weight = weight + w0 * torch.exp(-((nearest[0] + nearest[1]) ** 2) / (2 * sigma**2))
    return weight.float()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), cells=st.integers(0, 6), sigma=st.sampled_from([0.5, 2, 5]))
def test_equals_the_formula_read_aloud(seed, cells, sigma):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(24, 31, dtype=torch.long)
    for cell in range(cells):
        y, x = (int(torch.randint(side - 6, (), generator=generator)) for side in mask.shape)
        mask[y : y + 3, x : x + 5] = 2 + 3 * cell
    torch.testing.assert_close(
        unet_weight_map(mask, sigma=sigma), brute_force(mask, sigma=sigma), atol=1e-6, rtol=1e-5
    )


def test_a_batch_is_its_pictures_and_any_integer_dtype_serves():
    masks = torch.stack([two_cells(4), two_cells(4) * torch.tensor([0, 1]).repeat(6), two_cells(4) * 5])
    together = unet_weight_map(masks)
    assert together.dtype == torch.float32
    assert together.shape == masks.shape
    assert torch.equal(together, torch.stack([unet_weight_map(mask) for mask in masks]))
    assert torch.equal(together, unet_weight_map(masks.to(torch.uint8)))
    assert torch.equal(together, unet_weight_map(masks.numpy()))


def test_refusals():
    with pytest.raises(TypeError, match="integer"):
        unet_weight_map(torch.zeros(4, 4))
    for shape in [(4,), (1, 1, 4, 4)]:
        with pytest.raises(ValueError, match="H×W or N×H×W"):
            unet_weight_map(torch.zeros(shape, dtype=torch.long))
    with pytest.raises(ValueError, match="found -1"):
        unet_weight_map(torch.tensor([[0, -1]]))
