"""The confusion matrix and boundary F1: hand results, scikit-learn and torchmetrics, properties, refusals."""

import itertools
import math

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchmetrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segnb.metrics import ConfusionMatrix, boundary_f1

MEASURES = ["pixel_accuracy", "class_accuracy", "iou", "mean_iou", "frequency_weighted_iou", "dice"]
NAN = math.nan


def counted(pred, target, k, **options):
    matrix = ConfusionMatrix(k, **options)
    matrix.update(pred, target)
    return matrix


def masks(seed=0, n=4, k=5, h=6, w=7, void=0.2):
    generator = torch.Generator().manual_seed(seed)
    pred = torch.randint(k, (n, h, w), generator=generator)
    target = torch.randint(k, (n, h, w), generator=generator)
    target[torch.rand(n, h, w, generator=generator) < void] = 255
    return pred, target


def by_hand():
    pred = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [2, 0, 1, 1], [2, 2, 2, 2]])
    target = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [2, 2, 1, 1], [2, 2, 255, 255]])
    return pred, target


def test_a_4_by_4_mask_by_hand():
    matrix = counted(*by_hand(), 4)
    assert matrix.matrix.tolist() == [[4, 1, 0, 0], [0, 5, 0, 0], [1, 0, 3, 0], [0, 0, 0, 0]]
    assert matrix.matrix.dtype == torch.int64
    assert matrix.pixel_accuracy.item() == pytest.approx(12 / 14)
    assert matrix.class_accuracy.tolist() == pytest.approx([4 / 5, 1, 3 / 4, NAN], nan_ok=True)
    assert matrix.iou.tolist() == pytest.approx([4 / 6, 5 / 6, 3 / 4, NAN], nan_ok=True)
    assert matrix.mean_iou.item() == pytest.approx((4 / 6 + 5 / 6 + 3 / 4) / 3)
    weighted = (5 * 4 / 6 + 5 * 5 / 6 + 4 * 3 / 4) / 14
    assert matrix.frequency_weighted_iou.item() == pytest.approx(weighted)
    assert matrix.dice.tolist() == pytest.approx([8 / 10, 10 / 11, 6 / 7, NAN], nan_ok=True)


@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_float64_numbers_or_vectors(name):
    value = getattr(counted(*by_hand(), 4), name)
    assert value.dtype == torch.float64
    assert value.shape == ((4,) if name in ("class_accuracy", "iou", "dice") else ())


def test_a_class_that_is_only_invented_counts_as_zero_iou():
    matrix = counted(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0]), 3)
    assert matrix.iou.tolist() == pytest.approx([2 / 3, 0, NAN], nan_ok=True)
    assert matrix.mean_iou.item() == pytest.approx(1 / 3)
    assert matrix.class_accuracy.tolist() == pytest.approx([2 / 3, NAN, NAN], nan_ok=True)
    assert matrix.dice.tolist() == pytest.approx([4 / 5, 0, NAN], nan_ok=True)


def test_before_any_pixel_everything_is_nan():
    empty = ConfusionMatrix(3)
    assert all(getattr(empty, name).isnan().all() for name in MEASURES)
    empty.update(torch.tensor([1, 2]), torch.tensor([255, 255]))
    assert empty.matrix.sum() == 0
    empty.update(torch.zeros(0, 4, 4, dtype=torch.long), torch.zeros(0, 4, 4, dtype=torch.long))
    assert empty.matrix.sum() == 0


def test_agrees_with_scikit_learn():
    pred, target = masks()
    matrix = counted(pred, target, 5)
    y, x = target[target != 255].numpy(), pred[target != 255].numpy()
    assert np.array_equal(matrix.matrix.numpy(), sklearn.metrics.confusion_matrix(y, x, labels=range(5)))
    assert matrix.pixel_accuracy.item() == pytest.approx(sklearn.metrics.accuracy_score(y, x))
    assert matrix.class_accuracy.mean().item() == pytest.approx(sklearn.metrics.balanced_accuracy_score(y, x))
    assert matrix.iou.tolist() == pytest.approx(sklearn.metrics.jaccard_score(y, x, average=None))
    assert matrix.dice.tolist() == pytest.approx(sklearn.metrics.f1_score(y, x, average=None))
    weighted = sklearn.metrics.jaccard_score(y, x, average="weighted")
    assert matrix.frequency_weighted_iou.item() == pytest.approx(weighted)


def test_agrees_with_torchmetrics_but_for_absent_classes():
    pred, target = masks()
    target[target == 3] = 255
    pred[pred == 3] = 4  # class 3 is nowhere
    matrix = counted(pred, target, 5)
    options = {"task": "multiclass", "num_classes": 5, "ignore_index": 255}
    theirs = torchmetrics.ConfusionMatrix(**options)(pred, target)
    assert torch.equal(matrix.matrix, theirs)
    mean = torchmetrics.JaccardIndex(**options)(pred, target)
    assert matrix.mean_iou.item() == pytest.approx(mean.item(), abs=1e-6)
    each = torchmetrics.JaccardIndex(**options, average="none")(pred, target)
    assert each[3] == 0  # for them an absent class has IoU 0, though their mean leaves it out
    assert matrix.iou[3].isnan()
    torch.testing.assert_close(matrix.iou.float()[[0, 1, 2, 4]], each[[0, 1, 2, 4]])


def test_mean_iou_of_the_set_is_no_mean_over_batches():
    # A pole of 8 px that one picture misses and that another, where it is 2 px, finds.
    target, pred = torch.zeros(2, 10, 10, dtype=torch.long), torch.zeros(2, 10, 10, dtype=torch.long)
    target[0, :8, 0] = 1
    target[1, :2, 0] = pred[1, :2, 0] = 1
    whole = counted(pred, target, 2)
    apart = [counted(pred[i], target[i], 2).mean_iou.item() for i in (0, 1)]
    assert whole.iou.tolist() == pytest.approx([190 / 198, 2 / 10])
    assert sum(apart) / 2 == pytest.approx((0.92 / 2 + 1) / 2)
    assert whole.mean_iou.item() == pytest.approx(0.58, abs=1e-2)
    absent = counted(pred[1], target[1], 21)
    assert absent.mean_iou == 1  # 2/21 if the 19 absent classes were 0


def test_dice_is_2j_over_1_plus_j_and_means_do_not_convert():
    matrix = counted(*masks(), 5)
    j = matrix.iou
    torch.testing.assert_close(matrix.dice, 2 * j / (1 + j))
    converted = 2 * matrix.mean_iou / (1 + matrix.mean_iou)
    assert (matrix.dice.mean() - converted).abs() > 1e-3


def test_logits_are_taken_at_their_largest():
    pred, target = masks()
    logits = torch.nn.functional.one_hot(pred, 5).movedim(-1, 1) + torch.rand(4, 5, 6, 7) / 2
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        from_logits = counted(logits.to(dtype), target, 5)
        assert torch.equal(from_logits.matrix, counted(pred, target, 5).matrix)


@pytest.mark.parametrize("ignore_index", [255, -1, -100, 0, 2, 5, 1000])
def test_any_label_may_be_void(ignore_index):
    pred, target = masks()
    renamed = target.where(target != 255, ignore_index)
    matrix = counted(pred, renamed, 5, ignore_index=ignore_index)
    keep = renamed != ignore_index
    expected = sklearn.metrics.confusion_matrix(renamed[keep], pred[keep], labels=range(5))
    assert np.array_equal(matrix.matrix.numpy(), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_any_integer_dtype_and_shape(dtype):
    pred, target = masks(k=21)
    expected = counted(pred, target, 21).matrix
    assert torch.equal(counted(pred.to(dtype), target.to(dtype), 21).matrix, expected)
    assert torch.equal(counted(pred.flatten(), target.flatten(), 21).matrix, expected)
    assert torch.equal(counted(pred.mT, target.mT, 21).matrix, expected)


def test_a_prediction_may_say_anything_where_the_target_is_void():
    target = torch.tensor([0, 1, 255])
    assert counted(target, target, 2).mean_iou == 1


def test_refusals():
    pred, target = masks(void=0)
    for wrong in (pred.float(), pred.bool(), pred.double()[0]):
        with pytest.raises(TypeError, match="pred"):
            counted(wrong, target, 5)
    with pytest.raises(TypeError, match="target"):
        counted(pred, target.float(), 5)
    for wrong in (pred[:, :-1], pred[:1], pred[:, None]):
        with pytest.raises(ValueError, match="equal shape"):
            counted(wrong, target, 5)
    with pytest.raises(ValueError, match="5 classes"):
        counted(torch.rand(4, 6, 6, 7), target, 5)
    with pytest.raises(ValueError, match="never resized"):
        counted(torch.rand(4, 5, 3, 3), target, 5)
    with pytest.raises(ValueError, match="±1000"):
        ConfusionMatrix(5, ignore_index=65535)


@pytest.mark.parametrize("ignore_index", [255, -1])
@pytest.mark.parametrize("label", [5, 254, 256, -2, 2**32, -(2**63)])
def test_labels_out_of_range_are_refused_and_not_counted(label, ignore_index):
    for where in ("pred", "target"):
        maps = dict(zip(("pred", "target"), masks(void=0)))
        maps[where][1, 2, 3] = label
        matrix = ConfusionMatrix(5, ignore_index)
        with pytest.raises(ValueError, match=str(label)):
            matrix.update(**maps)
        assert matrix.matrix.sum() == 0


def test_a_prediction_of_void_on_a_labelled_pixel_is_refused():
    with pytest.raises(ValueError, match="label 1 was called 255"):
        counted(torch.tensor([0, 255]), torch.tensor([0, 1]), 2)


def test_it_says_what_it_holds():
    text = repr(counted(*by_hand(), 4))
    assert "14 pixels" in text
    assert "pixel accuracy 0.857" in text


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 6), max_size=3))
def test_any_batching_counts_the_same(seed, cuts):
    pred, target = masks(seed, n=6)
    parts = ConfusionMatrix(5)
    edges = [0, *sorted(cuts), 6]
    for start, stop in itertools.pairwise(edges):
        parts.update(pred[start:stop], target[start:stop])
    assert torch.equal(parts.matrix, counted(pred, target, 5).matrix)
    assert parts.matrix.sum() == (target != 255).sum()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), k=st.integers(2, 6))
def test_renaming_symmetry_and_range(seed, k):
    pred, target = masks(seed, k=k)
    matrix = counted(pred, target, k)
    order = torch.randperm(k, generator=torch.Generator().manual_seed(seed))
    renamed = counted(order[pred], torch.where(target == 255, 255, order[target.clamp(max=k - 1)]), k)
    for name in MEASURES:
        ours, theirs = getattr(matrix, name), getattr(renamed, name)
        torch.testing.assert_close(theirs[order] if theirs.ndim else theirs, ours, equal_nan=True)
        known = ours[~ours.isnan()]
        assert ((known >= 0) & (known <= 1)).all()
    pred, target = pred[target != 255], target[target != 255]
    forth, back = counted(pred, target, k), counted(target, pred, k)
    for name in ("pixel_accuracy", "iou", "mean_iou", "dice"):
        torch.testing.assert_close(getattr(forth, name), getattr(back, name), equal_nan=True)


def square(top, left, side=8, size=24):
    mask = torch.zeros(size, size, dtype=torch.long)
    mask[top : top + side, left : left + side] = 1
    return mask


def pixels(distance, mask):
    """The tolerance that reaches so many pixels."""
    return distance / math.hypot(*mask.shape[-2:])


def test_boundary_f1_is_one_for_equal_masks_and_within_the_tolerance():
    target = square(8, 8)
    assert boundary_f1(target, target).item() == 1
    moved = square(8, 9)
    assert boundary_f1(moved, target, tolerance=pixels(1, target)).item() == 1
    assert boundary_f1(moved, target, tolerance=pixels(0.9, target)).item() < 1
    assert boundary_f1(square(8, 9), target, tolerance=0).item() < 1


def test_boundary_f1_by_hand():
    # Rows of 8: target 11110000, prediction 11000000. Boundaries at columns 3 | 4 and 1 | 2: both 2 px off.
    target, pred = torch.zeros(2, 1, 8, dtype=torch.long)
    target[:, :4] = 1
    pred[:, :2] = 1
    assert boundary_f1(pred, target, tolerance=pixels(1, target)).item() == 0
    assert boundary_f1(pred, target, tolerance=pixels(2, target)).item() == 1
    # Prediction 11110010: class 1 has columns 3 and 6, of which 3 is right: P 1/2, R 1. Class 0 has columns 4, 5
    # and 7, of which only 4 is near the true 4: P 1/3, R 1.
    pred = torch.tensor([[1, 1, 1, 1, 0, 0, 1, 0]])
    expected = (2 * 0.5 / 1.5 + 2 * (1 / 3) / (4 / 3)) / 2
    assert boundary_f1(pred, target, tolerance=0).item() == pytest.approx(expected)


def test_the_default_tolerance_is_0_75_percent_of_the_diagonal():
    target, near, far = torch.zeros(3, 360, 480, dtype=torch.long)  # diagonal 600: 4.5 px
    for mask, column in ((target, 200), (near, 204), (far, 205)):
        mask[:, :column] = 1
    assert boundary_f1(near, target).item() == 1
    assert boundary_f1(far, target).item() == 0


def test_boundary_f1_means_over_the_targets_classes_and_then_over_pictures():
    easy, hard = square(8, 8), square(8, 8)
    hard[0, :] = 2
    missed = hard.where(hard != 2, 0)
    one, other = boundary_f1(easy, easy), boundary_f1(missed, hard)
    assert one == 1
    assert other == pytest.approx((boundary_f1_of_class(missed, hard, 0) + 1 + 0) / 3)
    together = boundary_f1(torch.stack([easy, missed]), torch.stack([easy, hard]))
    assert together.item() == pytest.approx((one.item() + other.item()) / 2)
    invented = easy.clone()
    invented[20:22, 20:22] = 2  # a class that the target lacks costs only what it takes from others
    assert boundary_f1(invented, easy).item() == pytest.approx(
        (boundary_f1_of_class(invented, easy, 0) + 1) / 2
    )


def boundary_f1_of_class(pred, target, c, tolerance=0.0075):
    """The definition again, by distance maps instead of a tree; no void."""
    reach = tolerance * math.hypot(*target.shape)
    outlines = []
    for mask in (pred, target):
        region = (mask == c).numpy()
        padded = np.pad(region, 1, mode="edge")
        neighbours = [padded[1:-1, 2:], padded[1:-1, :-2], padded[2:, 1:-1], padded[:-2, 1:-1]]
        outlines.append(region & ~np.logical_and.reduce(neighbours))
    ours, true = outlines
    if not ours.any() or not true.any():
        return float(ours.any() == true.any())
    precision = (ndimage.distance_transform_edt(~true)[ours] <= reach + 1e-9).mean()
    recall = (ndimage.distance_transform_edt(~ours)[true] <= reach + 1e-9).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), tolerance=st.sampled_from([0, 0.05, 0.1, 0.3]))
def test_boundary_f1_agrees_with_distance_maps(seed, tolerance):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(4, (2, 4, 5), generator=generator)
    pred, target = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
    expected = [boundary_f1_of_class(pred, target, c, tolerance) for c in target.unique().tolist()]
    value = boundary_f1(pred, target, tolerance=tolerance)
    assert value.item() == pytest.approx(sum(expected) / len(expected))
    assert value.dtype == torch.float64
    assert value.shape == ()


def test_void_pixels_leave_both_boundaries():
    target = square(8, 8)
    target[:, 12:16] = 255
    right = square(8, 8)
    assert boundary_f1(right, target).item() == 1
    noisy = right.clone()
    noisy[:, 13] = torch.arange(24) % 2  # whatever is predicted inside void
    assert boundary_f1(noisy, target, tolerance=0).item() == 1
    # Void's own outline is no boundary: here class 1 meets nothing else, in truth or prediction.
    target = torch.tensor([[1, 1, 255, 0, 0]])
    assert boundary_f1(torch.tensor([[1, 1, 1, 0, 0]]), target, tolerance=0).item() == 1
    assert boundary_f1(torch.tensor([[1, 0, 0, 0, 0]]), target, tolerance=0).item() == 0


def test_pictures_that_are_all_void_are_left_out():
    target, void = square(8, 8), torch.full((24, 24), 255)
    assert boundary_f1(void, void).isnan()
    pair = torch.stack([target, void])
    assert boundary_f1(torch.stack([square(8, 10), target]), pair) == boundary_f1(square(8, 10), target)
    renamed = boundary_f1(target, torch.where(target == 1, 1, -1), ignore_index=-1)
    assert renamed.item() == 1


def test_a_thin_pole_matters_to_boundary_f1_and_not_to_accuracy():
    target = torch.zeros(60, 80, dtype=torch.long)
    target[:, 40] = 1
    missed = torch.zeros_like(target)
    assert counted(missed, target, 2).pixel_accuracy.item() == pytest.approx(79 / 80)
    assert boundary_f1(missed, target).item() == 0


def test_boundary_f1_refusals():
    mask = square(8, 8)
    for wrong in (mask.float(), mask.bool()):
        with pytest.raises(TypeError):
            boundary_f1(wrong, mask)
        with pytest.raises(TypeError):
            boundary_f1(mask, wrong)
    for pred, target in ((mask[:-1], mask), (mask[None], mask), (mask[None, None], mask[None, None])):
        with pytest.raises(ValueError, match="H×W or N×H×W"):
            boundary_f1(pred, target)
