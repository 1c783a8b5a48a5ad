"""The same numbers as MONAI's and Segmentation Models' losses where those are right; where not, the reason."""

import monai.losses
import pytest
import segmentation_models_pytorch as smp
import torch

from segnb.losses import dice, generalised_dice, tversky


def batch(k=4, void=False):
    torch.manual_seed(0)
    logits, target = torch.randn(3, k, 8, 9, dtype=torch.float64), torch.randint(k, (3, 8, 9))
    if void:
        target[:, :2] = 255
    return logits, target


def gradient(loss, logits):
    logits = logits.clone().requires_grad_()
    loss(logits).backward()
    return logits.grad


def same(ours, theirs, logits):
    torch.testing.assert_close(ours(logits), theirs(logits), atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(gradient(ours, logits), gradient(theirs, logits), atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("void", [False, True])
def test_monais_dice(per_image, squared, void):
    logits, target = batch(void=void)
    loss = monai.losses.DiceLoss(
        to_onehot_y=True, softmax=True, batch=not per_image, squared_pred=squared, smooth_nr=1.0, smooth_dr=1.0,
        ignore_index=255 if void else None,
    )  # fmt: skip
    same(
        lambda x: dice(x, target, per_image=per_image, squared=squared, smooth=1, present_only=False),
        lambda x: loss(x, target[:, None]),
        logits,
    )


def test_monai_counts_absent_classes_as_missed():
    logits, target = batch(k=6)
    target.clamp_(max=2)  # three of six classes are there
    theirs = monai.losses.DiceLoss(to_onehot_y=True, softmax=True, batch=True)(logits, target[:, None])
    ours = dice(logits, target)
    # Smoothing of 1e-5 px aside, each absent class scores 0 however faint its p: no prediction could be perfect.
    assert theirs.item() == pytest.approx((3 * ours.item() + 3) / 6, abs=1e-5)
    assert theirs.item() == pytest.approx(dice(logits, target, present_only=False).item(), abs=1e-5)


def test_segmentation_models_dice():
    logits, target = batch()
    same(lambda x: dice(x, target), lambda x: smp.losses.DiceLoss("multiclass")(x, target), logits)


def test_segmentation_models_dice_with_void():
    logits, target = batch(void=True)
    loss = smp.losses.DiceLoss("multiclass", ignore_index=255)
    same(lambda x: dice(x, target), lambda x: loss(x, target), logits)


def test_segmentation_models_divides_by_classes_it_has_zeroed():
    logits, target = batch(k=21)
    target.clamp_(max=2)  # three of 21 classes are there
    theirs = smp.losses.DiceLoss("multiclass")(logits, target)
    torch.testing.assert_close(theirs, dice(logits, target) * 3 / 21)
    wrong = 1000.0 * torch.nn.functional.one_hot((target + 1) % 3, 21).movedim(-1, 1).double()
    assert smp.losses.DiceLoss("multiclass")(wrong, target).item() == pytest.approx(3 / 21)
    assert dice(wrong, target).item() == pytest.approx(1)


def test_segmentation_models_tversky():
    logits, target = batch()
    loss = smp.losses.TverskyLoss("multiclass", alpha=0.3, beta=0.7)
    same(lambda x: tversky(x, target, alpha=0.3, beta=0.7), lambda x: loss(x, target), logits)


def test_monais_generalised_dice():
    logits, target = batch()
    loss = monai.losses.GeneralizedDiceLoss(
        to_onehot_y=True, softmax=True, batch=True, smooth_nr=0.0, smooth_dr=0.0
    )
    same(lambda x: generalised_dice(x, target), lambda x: loss(x, target[:, None]), logits)


def test_monai_gives_an_absent_class_the_largest_weight():
    logits, target = batch(k=4)
    target.clamp_(max=2)
    loss = monai.losses.GeneralizedDiceLoss(to_onehot_y=True, softmax=True, batch=True)
    # Theirs: the absent class weighs as much as the rarest one that is there. Ours: nothing.
    assert loss(logits, target[:, None]) > generalised_dice(logits, target) + 1e-3
