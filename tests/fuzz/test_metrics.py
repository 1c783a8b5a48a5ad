"""Laws of the measures: every pixel is counted once, in the right place, whatever it comes in."""

import numpy as np
import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st

from segnb.metrics import ConfusionMatrix, boundary_f1
from tests.fuzz.laws import LAYOUTS, SEEDS, generator, law, layouts

TYPES = {torch.uint8: (0, 255), torch.int8: (-128, 127), torch.int16: (-1000, 1000)}
TYPES |= dict.fromkeys((torch.int32, torch.int64), (-1000, 1000))


@st.composite
def cases(draw):
    """(prediction, target, number of classes, void) that may be counted, of any integers, shape and layout."""
    types = [draw(st.sampled_from(list(TYPES))) for _ in range(2)]
    low, high = (pick(bounds) for pick, bounds in zip((max, min), zip(*(TYPES[kind] for kind in types))))
    k = draw(st.integers(1, min(high + 1, 300)))
    void = draw(st.one_of(st.sampled_from([255, -1, 0, k - 1, k]), st.integers(-1000, 1000)))
    assume(void != 255 or k <= 255)
    shape = draw(st.lists(st.integers(0, 7), max_size=4))
    g = generator(draw(SEEDS))
    pred, target = torch.randint(k, (2, *shape), generator=g)
    if low <= void <= high:
        target = target.where(
            torch.rand(target.shape, generator=g) < draw(st.sampled_from([0.3, 0.9, 0])), void
        )
    # Where nothing is asked for, a prediction may be void too.
    if low <= void <= high and draw(st.booleans()):
        pred = pred.where(target != void, void)
    maps = [
        layouts(x.to(kind), draw(LAYOUTS)) if x.ndim > 1 else x.to(kind)
        for x, kind in zip((pred, target), types)
    ]
    # A prediction that is void by its number, on a pixel that is not, is refused: see below.
    counted = maps[1] != void
    assume(not 0 <= void < k or not (maps[0][counted] == void).any())
    return *maps, k, void


def slowly(pred, target, k, void):
    table = np.zeros((k, k), dtype=np.int64)
    for p, t in zip(pred.flatten().tolist(), target.flatten().tolist()):
        if t != void:
            table[t, p] += 1
    return table


@law(case=cases())
def test_the_matrix_is_what_one_counts_pixel_by_pixel(case):
    """matrix[t, p] is the number of pixels of class t called p; void pixels are nowhere."""
    pred, target, k, void = case
    matrix = ConfusionMatrix(k, void)
    matrix.update(pred, target)
    assert np.array_equal(matrix.matrix.numpy(), slowly(*case))


@law(case=cases(), cut=st.integers(0, 7))
def test_parts_add_up(case, cut):
    """A set counted in parts is the set counted at once."""
    pred, target, k, void = case
    assume(pred.ndim)
    whole, parts = ConfusionMatrix(k, void), ConfusionMatrix(k, void)
    whole.update(pred, target)
    for part in (slice(cut), slice(cut, None)):
        parts.update(pred[part], target[part])
    assert torch.equal(whole.matrix, parts.matrix)


@law(case=cases())
def test_measures_keep_their_bounds(case):
    """0 ≤ IoU ≤ Dice ≤ 1 and IoU ≤ accuracy of a class, NaN where and only where it is absent, means within the extremes."""
    pred, target, k, void = case
    matrix = ConfusionMatrix(k, void)
    matrix.update(pred, target)
    table = matrix.matrix
    iou, dice, accuracy = matrix.iou, matrix.dice, matrix.class_accuracy
    absent = (table.sum(0) + table.sum(1)) == 0
    assert torch.equal(iou.isnan(), absent)
    assert torch.equal(dice.isnan(), absent)
    assert torch.equal(accuracy.isnan(), table.sum(1) == 0)
    here = ~absent
    assert ((iou[here] >= 0) & (iou[here] <= dice[here]) & (dice[here] <= 1)).all()
    there = ~accuracy.isnan()
    assert (iou[there] <= accuracy[there]).all()
    for mean in (matrix.mean_iou, matrix.frequency_weighted_iou):
        assert bool(mean.isnan()) == (not here.any())
        assert mean.isnan() or iou[here].min() - 1e-12 <= mean <= iou[here].max() + 1e-12
    repr(matrix)


@law(
    case=cases(),
    label=st.integers(-(2**63), 2**63 - 1),
    where=st.sampled_from(["pred", "target"]),
    seed=SEEDS,
)
def test_a_label_that_is_no_class_is_refused_and_nothing_counted(case, label, where, seed):
    """One label out of range on a pixel that counts is a ValueError naming it, and the matrix is as before."""
    pred, target, k, void = case
    assume(target.numel() and not 0 <= label < k and label != void)
    maps = {"pred": pred.long().flatten().clone(), "target": target.long().flatten().clone()}
    place = int(torch.randint(target.numel(), (), generator=generator(seed)))
    assume(where == "target" or maps["target"][place] != void)
    maps[where][place] = label
    matrix = ConfusionMatrix(k, void)
    with pytest.raises(ValueError, match=str(label)):
        matrix.update(**maps)
    assert not matrix.matrix.any()


@law(seed=SEEDS, n=st.integers(0, 3), k=st.integers(1, 6), side=st.integers(1, 6), kind=st.sampled_from(["float32", "float64", "bfloat16", "float16"]), layout=LAYOUTS)  # fmt: skip
def test_logits_count_as_their_largest(seed, n, k, side, kind, layout):
    """Logits of any precision and layout count as their argmax."""
    g = generator(seed)
    logits = layouts(torch.randn(n, k, side, side + 1, generator=g).to(getattr(torch, kind)), layout)
    target = torch.randint(k, (n, side, side + 1), generator=g)
    ours, theirs = ConfusionMatrix(k), ConfusionMatrix(k)
    ours.update(logits, target)
    theirs.update(logits.argmax(1), target)
    assert torch.equal(ours.matrix, theirs.matrix)


@law(seed=SEEDS, height=st.integers(1, 9), width=st.integers(1, 9), k=st.integers(1, 4), tolerance=st.floats(0, 1), void=st.sampled_from([0, 0.3, 1]))  # fmt: skip
def test_outlines_of_equal_masks_agree_and_nearness_only_helps(seed, height, width, k, tolerance, void):
    """Boundary F1 lies in 0..1, is 1 for equal masks, never falls as the tolerance grows, NaN only if all is void."""
    g = generator(seed)
    pred, target = torch.randint(k, (2, height, width), generator=g)
    target = target.where(torch.rand(target.shape, generator=g) >= void, 255)
    value, wider = boundary_f1(pred, target, tolerance), boundary_f1(pred, target, tolerance + 0.2)
    if (target == 255).all():
        assert value.isnan()
        return
    assert 0 <= value <= wider + 1e-12 <= 1 + 2e-12
    assert boundary_f1(target, target, 0) == 1
    # What is said on void pixels does not matter.
    assert boundary_f1(pred.where(target != 255, 0), target, tolerance) == value
