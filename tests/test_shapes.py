"""The checks that everything begins with: what they refuse, and that their cures work."""

import re

import pytest
import torch

from segnb.losses import cross_entropy, dice
from segnb.metrics import ConfusionMatrix
from segnb.shapes import check_finite, class_counts


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers(value):
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 2, 1, 0] = value
    with pytest.raises(FloatingPointError, match="no class is the largest"):
        check_finite(logits)
    with pytest.raises(FloatingPointError, match="no class is the largest"):
        ConfusionMatrix(3).update(logits, torch.zeros(1, 2, 2, dtype=torch.long))
    # A loss goes on and returns NaN: `fit` looks at it.
    assert not cross_entropy(logits, torch.full((1, 2, 2), 2)).isfinite() or value > 0


def test_logits_that_rule_a_class_out_are_fine():
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 2] = float("-inf")
    check_finite(logits)
    matrix = ConfusionMatrix(3)
    matrix.update(logits, torch.zeros(1, 2, 2, dtype=torch.long))
    assert matrix.matrix[0].tolist() == [4, 0, 0]
    check_finite(torch.zeros(0, 3, 2, 2))


def test_more_classes_than_255_need_another_label_for_void():
    logits, target = torch.randn(1, 300, 2, 2), torch.tensor([[[255, 299], [-1, 0]]])
    calls = (
        lambda **void: cross_entropy(logits, target.clamp(min=0), **void),
        lambda **void: dice(logits, target.clamp(min=0), **void),
        lambda **void: ConfusionMatrix(300, **void),
    )
    for call in calls:
        with pytest.raises(ValueError, match="of 300 classes 255 is one") as caught:
            call()
        name, value = re.search(r"(ignore_index)=(-1)", str(caught.value)).groups()
        call(**{name: int(value)})
    matrix = ConfusionMatrix(300, ignore_index=-1)
    matrix.update(torch.where(target < 0, 7, target), target)
    assert matrix.matrix.sum() == matrix.matrix.diagonal().sum() == 3
    # 255 classes are 0 to 254, and void is none of them.
    ConfusionMatrix(255)
    assert ConfusionMatrix(256, ignore_index=0).num_classes == 256


def test_class_counts_of_masks_by_hand():
    masks = [torch.tensor([[0, 2], [2, 255]]), torch.tensor([[0, 0]], dtype=torch.uint8)]
    counts = class_counts(masks)  # K is the highest label + 1
    assert counts.pixels.tolist() == [3, 0, 2, 1]
    assert counts.images.tolist() == [2, 0, 1, 1]
    assert counts.pixels_in_images.tolist() == [6, 0, 4, 4]
    assert class_counts(masks, 5).pixels.tolist() == [3, 0, 2, 0, 0, 1]
    assert class_counts(masks, ignore_index=2).pixels.tolist()[-2:] == [1, 2]
    assert class_counts([], 2).pixels.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="found 2"):
        class_counts(masks, 2)
    with pytest.raises(TypeError, match="mask must hold integer"):
        class_counts([masks[0].float()])
