"""The classic mistakes with losses, each as a known wrong answer that must differ from ours by what it costs."""

import math

import pytest
import torch
import torch.nn.functional as F

from segnb.losses import cross_entropy, dice, generalised_dice, unet_weight_map


def batch(seed=0, n=2, k=3, h=4, w=6):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, k, h, w, generator=generator)
    return logits, torch.randint(k, (n, h, w), generator=generator)


def one_hot(target, k):
    return F.one_hot(target, k).movedim(-1, 1)


@pytest.mark.parametrize(("k", "floor"), [(2, 0.313), (3, 0.551), (11, 1.543), (21, 2.123), (32, 2.518)])
def test_softmax_twice_can_never_pass_a_floor(k, floor):
    target = torch.arange(k).view(1, 1, k)
    perfect = 1000.0 * one_hot(target, k)
    assert cross_entropy(perfect, target) == 0
    twice = cross_entropy(perfect.softmax(1), target).item()
    assert twice == pytest.approx(math.log(1 + (k - 1) / math.e), rel=1e-6)
    assert twice == pytest.approx(floor, abs=5e-4)
    assert dice(perfect.softmax(1), target) > 0.25


def test_softmax_over_the_wrong_dimension():
    logits, target = batch(n=2, k=3)
    torch.testing.assert_close(logits.softmax(1).sum(1), torch.ones(target.shape))
    wrong = logits.softmax(0)
    # N = 2 pictures share out 1 for each of C = 3 classes.
    assert wrong.sum(1).mean().item() == pytest.approx(1.5)
    loss = -wrong.gather(1, target[:, None]).log().mean()
    assert (loss - cross_entropy(logits, target)).abs() > 0.1


def test_view_without_permute_mixes_pixels_and_classes():
    logits, target = batch()
    flat = F.cross_entropy(logits.movedim(1, -1).reshape(-1, 3), target.flatten())
    torch.testing.assert_close(cross_entropy(logits, target), flat)
    certain = 1000.0 * one_hot(target, 3).contiguous()
    assert cross_entropy(certain, target) == 0
    assert F.cross_entropy(certain.view(-1, 3), target.flatten()) > 100


def test_argmax_before_the_loss_leaves_no_gradient():
    logits, target = batch()
    decided = logits.requires_grad_().argmax(1)
    assert not decided.requires_grad
    for loss in (cross_entropy, dice):
        assert not loss(one_hot(decided, 3).float(), target).requires_grad
        with pytest.raises(TypeError):
            loss(one_hot(decided, 3), target)


def test_label_255_without_ignore_index():
    logits, target = batch()
    target[0, 0, 0] = 255
    with pytest.raises(RuntimeError):
        F.one_hot(target, 3)
    for loss in (cross_entropy, dice):
        assert loss(logits, target).isfinite()
        with pytest.raises(ValueError, match="found 255"):
            loss(logits, target, ignore_index=-100)


def test_ignored_pixels_left_in_the_mean_halve_the_loss():
    logits, target = batch()
    target[:, :2] = 255  # half the pixels
    ours = cross_entropy(logits, target)
    wrong = F.cross_entropy(logits, target, ignore_index=255, reduction="none").mean()
    torch.testing.assert_close(wrong, ours / 2)


def test_a_weighted_mean_divides_by_the_weights():
    # Two pixels with ℓ = 8/3 and 1, weights 1 and 4: Σ wℓ = 20/3, Σ w = 5, N = 2.
    p = torch.tensor([math.exp(-8 / 3), math.exp(-1.0)])
    logits = (
        torch.stack([torch.stack([p[0], 1 - p[1]]), torch.stack([1 - p[0], p[1]])]).log().view(1, 2, 1, 2)
    )
    target, weight = torch.tensor([[[0, 1]]]), torch.tensor([1.0, 4.0])
    assert cross_entropy(logits, target, weight=weight).item() == pytest.approx(4 / 3)
    wrong = F.cross_entropy(logits, target, weight=weight, reduction="none").mean()
    assert wrong.item() == pytest.approx(10 / 3)


def test_torchs_all_ignored_batch_is_nan():
    logits, target = batch()
    target.fill_(255)
    assert F.cross_entropy(logits, target, ignore_index=255).isnan()
    assert cross_entropy(logits, target) == 0


def test_the_weight_map_summed_without_minus_or_normaliser():
    logits, _ = batch(n=1, k=2, h=16, w=16)
    target = torch.zeros(1, 16, 16, dtype=torch.long)
    target[:, 4:12, 2:7] = target[:, 4:12, 9:14] = 1
    w = unet_weight_map(target)
    # eq. 1 as it stands in print.
    as_printed = (w * logits.log_softmax(1).gather(1, target[:, None])[:, 0]).sum()
    ours = cross_entropy(logits, target, pixel_weight=w)
    assert as_printed < 0 < ours
    torch.testing.assert_close(-as_printed / w.sum(), ours)
    assert -as_printed / ours > 250  # the size of the picture, and so of the steps


def test_the_second_nearest_cell_of_a_single_cell_is_infinitely_far():
    target = torch.zeros(16, 16, dtype=torch.long)
    target[4:12, 4:12] = 1
    w = unet_weight_map(target)
    assert w.unique().numel() == 2  # w_c and nothing else; with d2 = 0 or d2 = d1 the cell would be ringed
    assert w.isfinite().all()


def test_dice_of_flattened_classes_is_one_minus_the_mean_true_probability():
    target = (torch.arange(400) < 4).long().view(1, 20, 20)
    logits, _ = batch(n=1, k=2, h=20, w=20)
    p, g = logits.softmax(1), one_hot(target, 2)
    flattened = 1 - 2 * (p * g).sum() / (p.sum() + g.sum())
    torch.testing.assert_close(flattened, 1 - p.gather(1, target[:, None]).mean())
    nothing = torch.tensor([100.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 20, 20)
    p = nothing.softmax(1)
    assert 1 - 2 * (p * g).sum() / (p.sum() + g.sum()) == pytest.approx(0.01)  # the 1 % missed hardly shows
    assert dice(nothing, target).item() == pytest.approx(0.5, abs=0.01)


def test_absent_classes_scored_one_drown_the_loss():
    target = torch.arange(3).repeat(1, 4, 4)
    wrong = 100.0 * one_hot((target + 1) % 3, 21).float()
    p, g = wrong.softmax(1), one_hot(target, 21)
    score = 2 * (p * g).sum((0, 2, 3)) / (p + g).sum((0, 2, 3)).clamp_min(1e-7)
    drowned = ((1 - score) * g.any(3).any(2)[0]).mean()
    assert drowned.item() == pytest.approx(3 / 21)  # everything is wrong, and it says 0.143
    assert dice(wrong, target).item() == pytest.approx(1)


def test_smooth_one_on_a_small_object_hides_the_miss():
    target = torch.zeros(1, 8, 8, dtype=torch.long)
    target[0, 0, 0] = 1
    nothing = torch.tensor([100.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, 8)
    background = 126 / 127
    assert dice(nothing, target).item() == pytest.approx(1 - background / 2)
    assert dice(nothing, target, smooth=1).item() == pytest.approx(1 - (127 / 128 + 1 / 2) / 2)


def test_dice_of_raw_logits_leaves_the_range():
    target = torch.tensor([[[0, 1]]])
    g = one_hot(target, 2)
    for logit, loss in ((3.0, -5), (-3.0, 7)):  # right, then wrong
        raw = logit * (2 * g - 1)
        score = 2 * (raw * g).sum((0, 2, 3)) / (raw + g).sum((0, 2, 3))
        assert (1 - score).tolist() == [loss, loss]
        assert 0 < dice(raw, target) < 1


def test_the_loss_is_one_minus_the_score():
    target = torch.tensor([[[0, 1], [1, 0]]])
    right = 1000.0 * one_hot(target, 2).float()
    assert dice(right, target) == 0
    assert dice(-right, target) == 1
    assert generalised_dice(right, target) == 0


def test_ignored_pixels_left_in_the_denominator():
    logits, target = torch.zeros(1, 2, 2, 2), torch.full((1, 2, 2), 255)
    p = logits.softmax(1)[:, 1]
    left_in = 1 - (2 * 0 + 1) / ((p**2).sum() + 0 + 1)
    assert left_in.item() == pytest.approx(0.5)  # a loss of half for four pixels that nobody labelled
    assert dice(logits, target, smooth=1, squared=True, present_only=False) == 0


def test_a_target_written_into_is_another_target_in_the_next_epoch():
    def broken(logits, target):
        void = target == 255
        target[void] = 0  # for the sake of one_hot
        p, g = logits.softmax(1) * ~void[:, None], one_hot(target, 3) * ~void[:, None]
        return 1 - (2 * (p * g).sum((0, 2, 3)) / (p + g).sum((0, 2, 3))).mean()

    logits, target = batch()
    target[:, :2] = 255
    ours = dice(logits, target)
    first, second = broken(logits, target), broken(logits, target)
    torch.testing.assert_close(first, ours)  # right once, and void is background ever after
    assert (second - first).abs() > 0.01
    target[:, :2] = 255
    assert dice(logits, target) == dice(logits, target) == ours


def test_a_blank_net_hears_the_background_under_dice_too():
    target = torch.zeros(1, 100, 100, dtype=torch.long)
    target[0, :10, :10] = 1

    def heard(loss, p):
        """The foreground's share of the pull at the logits of a net that says p everywhere."""
        z = torch.tensor([1 - p, p]).log().view(1, 2, 1, 1).repeat(1, 1, 100, 100).requires_grad_()
        loss(z, target).backward()
        pull = z.grad[0, 1].abs()
        return (pull[:10, :10].sum() / pull.sum()).item()

    assert heard(cross_entropy, 0.5) == pytest.approx(0.01)
    assert heard(dice, 0.5) == pytest.approx(0.0447, abs=1e-4)  # for the background has a Dice, too
    for loss in (cross_entropy, dice, generalised_dice):
        assert heard(loss, 0.01) == pytest.approx(0.5, abs=1e-3)  # started at the foreground's share


def test_generalised_weights_cancel_if_divided_class_by_class():
    logits, target = batch(k=3)
    target[target == 2] = torch.tensor(1)
    target[0, 0, 0] = 2
    p, g = logits.softmax(1), one_hot(target, 3)
    w = 1 / g.sum((0, 2, 3)).float() ** 2
    overlap, both = (p * g).sum((0, 2, 3)), (p + g).sum((0, 2, 3))
    by_class = 1 - (2 * w * overlap / (w * both)).mean()
    torch.testing.assert_close(by_class, dice(logits, target))  # plain Dice: the weights have gone
    ours = generalised_dice(logits, target)
    torch.testing.assert_close(ours, 1 - 2 * (w * overlap).sum() / (w * both).sum())
    assert (ours - by_class).abs() > 0.05


def test_generalised_weight_of_an_absent_class_is_not_infinite():
    logits, target = batch(k=3)
    target.clamp_(max=1)
    p, g = logits.softmax(1), one_hot(target, 3)
    w = 1 / g.sum((0, 2, 3)).float() ** 2
    both = (p + g).sum((0, 2, 3))
    assert w[2].isinf()
    assert (1 - 2 * (w * (p * g).sum((0, 2, 3))).sum() / (w * both).sum()).isnan()
    logits.requires_grad_()
    ours = generalised_dice(logits, target)
    ours.backward()
    assert ours.isfinite()
    assert logits.grad.isfinite().all()


def test_log_of_softmax_dies_where_log_softmax_lives():
    logits = torch.tensor([100.0, -100.0]).view(1, 2, 1, 1)
    target = torch.tensor([[[1]]])
    assert -logits.softmax(1).log()[0, 1] == math.inf
    assert cross_entropy(logits, target) == 200


def test_one_hot_targets_are_refused():
    logits, target = batch()
    for loss in (cross_entropy, dice):
        for wrong in (target[:, None], one_hot(target, 3)):
            with pytest.raises(ValueError, match="without a class dimension"):
                loss(logits, wrong)
        with pytest.raises(TypeError, match="integer"):
            loss(logits, one_hot(target, 3).float())


def test_sigmoids_for_classes_that_exclude_each_other():
    logits, target = torch.zeros(1, 5, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long)
    sigmoids = F.binary_cross_entropy_with_logits(logits, one_hot(target, 5).float())
    assert sigmoids.item() == pytest.approx(math.log(2))  # and stays there however many classes there are
    assert cross_entropy(logits, target).item() == pytest.approx(math.log(5))
    on_softmax = F.binary_cross_entropy(logits.softmax(1), one_hot(target, 5).float())
    assert on_softmax.item() == pytest.approx(-(math.log(1 / 5) + 4 * math.log(4 / 5)) / 5)
