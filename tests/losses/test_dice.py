"""Dice, Tversky and generalised Dice: hand values, the papers' gradients, a one-hot reference, properties, refusals."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from segnb.losses import cross_entropy, dice, generalised_dice, tversky
from segnb.losses.dice import soft_areas

LOSSES = [dice, generalised_dice, tversky]


def batch(seed=0, n=3, k=4, h=5, w=6, void=0.2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, k, h, w, generator=generator, dtype=dtype)
    target = torch.randint(k, (n, h, w), generator=generator)
    target[torch.rand(n, h, w, generator=generator) < void] = 255
    return logits, target


def certain(labels, k):
    """Logits whose softmax is 0 or 1 to the last digit."""
    return 1000.0 * F.one_hot(labels, k).movedim(-1, 1).double()


def gradient(loss, logits):
    logits = logits.clone().requires_grad_()
    loss(logits).backward()
    return logits.grad


def one_hot_dice(logits, target, per_image=False, present_only=True, smooth=0.0, squared=False):
    """The definition, the slow way."""
    labelled = (target != 255)[:, None]
    p = logits.softmax(1) * labelled
    g = F.one_hot(target.where(target != 255, 0), logits.shape[1]).movedim(-1, 1) * labelled
    losses = []
    for one in range(len(p)) if per_image else [slice(None)]:
        q, h = (x[one].movedim(-3, 0).flatten(1) for x in (p, g))
        power = 2 if squared else 1
        score = (2 * (q * h).sum(1) + smooth) / ((q**power).sum(1) + h.sum(1) + smooth)
        if h.any():
            losses.append((1 - score[h.any(1)] if present_only else 1 - score).mean())
    return torch.stack(losses).mean()


def test_two_sets_by_hand():
    # Class 1: predicted 3 pixels, true 2, 1 in common: D = 2/5. Class 0: 5 and 6 with 4 in common: D = 8/11.
    pred = torch.tensor([[[1, 1, 1, 0], [0, 0, 0, 0]]])
    target = torch.tensor([[[1, 0, 0, 1], [0, 0, 0, 0]]])
    logits = certain(pred, 2)
    assert dice(logits, target).item() == pytest.approx(1 - (2 / 5 + 8 / 11) / 2)
    assert dice(logits, target, smooth=1).item() == pytest.approx(1 - (3 / 6 + 9 / 12) / 2)
    assert dice(logits, target, squared=True).item() == pytest.approx(1 - (2 / 5 + 8 / 11) / 2)
    # Class 1: TP 1, FP 2, FN 1. Class 0: TP 4, FP 1, FN 2.
    assert tversky(logits, target, alpha=0.3, beta=0.7).item() == pytest.approx(1 - (1 / 2.3 + 4 / 5.7) / 2)
    assert tversky(logits, target, alpha=1, beta=1).item() == pytest.approx(1 - (1 / 4 + 4 / 7) / 2)
    w0, w1 = 1 / 36, 1 / 4
    expected = 1 - 2 * (4 * w0 + 1 * w1) / (11 * w0 + 5 * w1)
    assert generalised_dice(logits, target).item() == pytest.approx(expected)


def test_soft_probabilities_by_hand():
    logits = torch.tensor([[0.8, 0.4], [0.2, 0.6]]).log().view(1, 2, 1, 2)
    target = torch.tensor([[[0, 1]]])
    assert dice(logits, target).item() == pytest.approx(1 - (1.6 / 2.2 + 1.2 / 1.8) / 2)
    squares = 1 - (1.6 / (0.8 + 1) + 1.2 / (0.4 + 1)) / 2
    assert dice(logits, target, squared=True).item() == pytest.approx(squares)


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("present_only", [False, True])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
@pytest.mark.parametrize("squared", [False, True])
def test_equals_the_one_hot_definition(per_image, present_only, smooth, squared):
    logits, target = batch(k=6)
    target[target == 2] = 3  # class 2 is nowhere
    target[1] = torch.where(target[1] == 255, 255, 0)  # one picture of one class
    options = {"per_image": per_image, "present_only": present_only, "smooth": smooth, "squared": squared}
    torch.testing.assert_close(dice(logits, target, **options), one_hot_dice(logits, target, **options))
    torch.testing.assert_close(
        gradient(lambda x: dice(x, target, **options), logits),
        gradient(lambda x: one_hot_dice(x, target, **options), logits),
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("per_image", [False, True])
def test_gradcheck(loss, per_image):
    logits, target = batch(h=2, w=3)
    target[2] = 255
    assert torch.autograd.gradcheck(lambda x: loss(x, target, per_image=per_image), logits.requires_grad_())


def test_gradcheck_of_the_other_options():
    logits, target = batch(h=2, w=3)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: dice(x, target, squared=True, smooth=0.5), logits)
    assert torch.autograd.gradcheck(lambda x: dice(x, target, present_only=False), logits)
    assert torch.autograd.gradcheck(lambda x: tversky(x, target, alpha=0.2, beta=0.9), logits)


def foreground_score_gradient(p, foreground, squared):
    """d D_1 / d p for a picture where class 1 has probability p everywhere, by way of the logits."""
    logits = torch.tensor([1 - p, p], dtype=torch.float64).log().view(1, 2, 1, 1).repeat(1, 1, 100, 100)
    target = torch.zeros(1, 100, 100, dtype=torch.long)
    target.view(-1)[:foreground] = 1
    logits.requires_grad_()
    overlap, predicted, true = soft_areas(logits, target, squared=squared)
    (2 * overlap / (predicted + true))[0, 1].backward()
    return logits.grad[0, 1].flatten() / (p * (1 - p))


@pytest.mark.parametrize(
    ("p", "squared", "ratio"),
    [(0.5, False, 101), (0.01, False, 199), (0.5, True, 51), (0.01, True, 5049)],
)
def test_one_percent_of_foreground_pulls_so_much_harder(p, squared, ratio):
    by_p = foreground_score_gradient(p, 100, squared)
    assert (-by_p[0] / by_p[-1]).item() == pytest.approx(ratio, rel=1e-9)


def test_v_nets_printed_gradient_is_right():
    p, foreground = 0.3, 700
    g = (torch.arange(10_000) < foreground).double()
    s = 10_000 * p**2 + foreground
    printed = 2 * (g * s - 2 * p * p * foreground) / s**2
    torch.testing.assert_close(
        foreground_score_gradient(p, foreground, squared=True), printed, atol=1e-12, rtol=0
    )


def test_sudres_printed_gradient_has_the_wrong_sign():
    logits, target = batch(n=1, k=2, void=0)
    p, r = logits.softmax(1)[0, 1], (target[0] == 1).double()
    n, w1, w2 = r.numel(), 1 / r.sum() ** 2, 1 / (1 - r).sum() ** 2
    part = (w1**2 - w2**2) * ((p * r).sum() - r * (p + r).sum()) + n * w2 * (w1 + w2) * (1 - 2 * r)
    printed = -2 * part / ((w1 - w2) * (p + r).sum() + 2 * n * w2) ** 2
    true = gradient(lambda x: generalised_dice(x, target), logits)[0, 1] / (p * (1 - p))
    torch.testing.assert_close(true, -printed)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("options", [{}, {"per_image": True}])
def test_nothing_labelled_is_exactly_zero_with_a_zero_gradient(loss, options):
    logits, target = batch()
    target.fill_(255)
    assert loss(logits, target, **options).item() == 0
    assert not gradient(lambda x: loss(x, target, **options), logits).any()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_logits_that_are_no_numbers_never_look_perfect(loss, wrong):
    logits, target = batch()
    logits[0, 1] = wrong
    assert loss(logits, target).isnan()
    assert loss(logits, target, per_image=True).isnan()


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_nothing_labelled_is_zero_for_all_classes_too(smooth):
    logits, target = batch()
    target.fill_(255)
    for loss in (dice, tversky):
        assert loss(logits, target, present_only=False, smooth=smooth).item() == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_ignored_pixels_have_no_gradient_and_no_influence(loss):
    logits, target = batch(void=0.4)
    void = (target == 255)[:, None].expand_as(logits)
    assert not gradient(lambda x: loss(x, target), logits)[void].any()
    assert loss(logits.masked_fill(void, 77.0), target) == loss(logits, target)


@pytest.mark.parametrize("loss", LOSSES)
def test_per_image_is_the_mean_of_the_pictures_with_a_label(loss):
    logits, target = batch(n=4)
    target[2] = 255
    alone = [loss(logits[i : i + 1], target[i : i + 1]) for i in (0, 1, 3)]
    torch.testing.assert_close(loss(logits, target, per_image=True), torch.stack(alone).mean())


def test_ignore_index_may_be_a_class_or_negative():
    logits, target = batch()
    for ignore_index in (0, -1):
        renamed = target.where(target != 255, ignore_index)
        reference = target.where(target != ignore_index, 255)
        for loss in LOSSES:
            assert loss(logits, renamed, ignore_index=ignore_index) == loss(logits, reference)


def test_an_absent_class_scores_zero_for_the_faintest_trace_and_smooth_forgives_it():
    # 10,000 px of background; class 1 is predicted at p = 0.001 everywhere, 10 px in all.
    logits = torch.tensor([0.999, 0.001], dtype=torch.float64).log().view(1, 2, 1, 1).repeat(1, 1, 100, 100)
    target = torch.zeros(1, 100, 100, dtype=torch.long)
    for smooth, score in [(0.0, 0.0), (1e-7, 1e-8), (1e-5, 1e-6), (1.0, 1 / 11)]:
        background = (2 * 9990 + smooth) / (9990 + 10_000 + smooth)
        loss = dice(logits, target, present_only=False, smooth=smooth).item()
        assert loss == pytest.approx(1 - (background + score) / 2, abs=1e-12)
    assert dice(logits, target).item() == pytest.approx(1 - 2 * 9990 / 19_990)
    nothing = certain(target, 2)
    assert dice(nothing, target, present_only=False).item() == 0


def test_one_percent_of_foreground_all_called_background():
    target = (torch.arange(10_000) < 100).long().view(1, 100, 100)
    logits = certain(torch.zeros_like(target), 2)
    background = 2 * 9900 / 19_900
    assert background == pytest.approx(0.995, abs=1e-4)
    assert dice(logits, target).item() == pytest.approx(1 - (background + 0) / 2)


def test_tversky_of_half_and_half_is_dice():
    logits, target = batch()
    torch.testing.assert_close(tversky(logits, target), dice(logits, target))
    torch.testing.assert_close(tversky(logits, target, smooth=0.5), dice(logits, target, smooth=1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_sums_in_float32(dtype, loss):
    logits, target = batch(n=1, k=2, h=512, w=512, dtype=torch.float32)
    logits = logits.to(dtype)
    assert torch.finfo(torch.float16).max < (target == 0).sum()  # a float16 sum of so many ones is infinite
    value = loss(logits, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), loss(logits.double(), target), rtol=1e-5, atol=0)
    slope = gradient(lambda x: loss(x, target), logits)
    assert slope.dtype == dtype
    assert slope.isfinite().all()
    assert loss(logits.double(), target).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("loss", "expected"), [(cross_entropy, math.log(21)), (dice, 1 - (2 * 0.5 / 21) / (1 / 21 + 0.5))]
)
def test_a_large_batch_in_half_precision_does_not_overflow(dtype, loss, expected):
    logits = torch.full((8, 21, 1024, 1024), 60_000.0, dtype=dtype)
    target = torch.zeros(8, 1024, 1024, dtype=torch.uint8)
    target[:, 512:] = 1
    value = loss(logits.requires_grad_(), target)
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-4)
    assert logits.grad.isfinite().all()


def test_a_long_float32_sum_of_equal_terms_stays_exact():
    target = torch.zeros(1, 1024, 1024, dtype=torch.long)
    value = dice(torch.zeros(1, 21, 1024, 1024), target)
    # p = 1/21: adding them up one by one in float32 ends 8e-4 off.
    assert value.item() == pytest.approx(1 - 2 / 22, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_memory_layout_does_not_matter(loss):
    logits, target = batch()
    other = logits.to(memory_format=torch.channels_last)
    torch.testing.assert_close(loss(other, target), loss(logits, target))
    torch.testing.assert_close(
        gradient(lambda x: loss(x, target), other), gradient(lambda x: loss(x, target), logits)
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_refusals(loss):
    logits, target = batch(void=0)
    with pytest.raises(TypeError, match="logits"):
        loss(logits.argmax(1), target)
    for dtype in (torch.float32, torch.bool):
        with pytest.raises(TypeError, match="target"):
            loss(logits, target.to(dtype))
    with pytest.raises(ValueError, match="N×K×H×W"):
        loss(logits[0], target[0])
    for wrong in (target[:, :-1], target[:1], target[:, None], F.one_hot(target).movedim(-1, 1)):
        with pytest.raises(ValueError, match="never resized"):
            loss(logits, wrong)
    for label in (4, -1, 254):
        bad = target.clone()
        bad[1, 2, 3] = label
        with pytest.raises(ValueError, match=f"found {label}"):
            loss(logits, bad)


def test_the_inputs_stay_as_they_were():
    for loss in LOSSES:
        logits, target = batch()
        before = logits.clone(), target.clone()
        gradient(lambda x: loss(x, target), logits)  # noqa: B023
        assert torch.equal(logits, before[0])
        assert torch.equal(target, before[1])


@pytest.mark.parametrize("loss", LOSSES)
def test_off_the_cpu_all_pictures_go_at_once(loss, monkeypatch):
    monkeypatch.delenv("SEGNB_STRICT", raising=False)
    logits, target = (x.to("meta") for x in batch())  # a device that has shapes but no values to read
    logits.requires_grad_()
    split = []
    original = torch.Tensor.split
    monkeypatch.setattr(torch.Tensor, "split", lambda x, size: split.append(size) or original(x, size))
    loss(logits, target).backward()
    assert logits.grad.shape == logits.shape
    assert set(split) == {3}


def test_backward_twice_gives_the_same_gradient():
    logits, target = batch()
    logits.requires_grad_()
    loss = dice(logits, target)
    first, second = (torch.autograd.grad(loss, logits, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), k=st.integers(2, 6), per_image=st.booleans())
def test_range_and_renaming_of_classes(seed, k, per_image):
    logits, target = batch(seed, k=k)
    order = torch.randperm(k, generator=torch.Generator().manual_seed(seed))
    renamed = torch.where(target == 255, 255, order.argsort()[target.clamp(max=k - 1)])
    for loss in LOSSES:
        value = loss(logits, target, per_image=per_image)
        assert -1e-12 <= value <= 1
        torch.testing.assert_close(loss(logits[:, order], renamed, per_image=per_image), value)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_of_two_hard_masks_either_may_be_the_truth(seed):
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randint(3, (2, 2, 5, 6), generator=generator)
    for options in ({"present_only": False, "smooth": 1.0}, {"present_only": False}):
        forth, back = (dice(certain(a, 3), b, **options) for a, b in ((one, other), (other, one)))
        torch.testing.assert_close(forth, back)
    missing, inventing = (
        tversky(certain(a, 3), b, alpha=x, beta=1 - x, present_only=False)
        for a, b, x in ((one, other, 0.2), (other, one, 0.8))
    )
    torch.testing.assert_close(missing, inventing)
    assert dice(certain(one, 3), one).item() == 0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_where_the_pixels_stand_does_not_matter(seed):
    logits, target = batch(seed)
    places = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    for loss in LOSSES:
        moved = loss(
            logits.flatten(2)[:, :, places].view_as(logits), target.flatten(1)[:, places].view_as(target)
        )
        torch.testing.assert_close(moved, loss(logits, target))
