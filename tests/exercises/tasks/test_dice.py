"""The exercises of chapter 4: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import segnb
from segnb.exercises import dice as ours
from segnb.exercises.tasks.pictures import logits_and_mask
from tests.exercises.answers import answers_of
from tests.exercises.tasks import test_dice_more as more

# --------------------------------------------------------------------------- wrong: (answer, its own hint)


def sums(p, g, axes=(0, 2, 3)):
    return (p * g).sum(axes), p.sum(axes) + g.sum(axes)


def hot(logits, mask):
    return torch.zeros_like(logits).scatter_(1, mask[:, None], 1)


def flattened(logits, mask):
    both, sizes = sums(logits.softmax(1).flatten(), hot(logits, mask).flatten(), 0)
    return 1 - 2 * both / sizes


def of_logits(logits, mask):
    both, sizes = sums(logits, hot(logits, mask))
    return 1 - (2 * both / sizes)[hot(logits, mask).sum((0, 2, 3)) > 0].mean()


def of_sigmoids(logits, mask):
    both, sizes = sums(logits.sigmoid(), hot(logits, mask))
    return 1 - (2 * both / sizes)[hot(logits, mask).sum((0, 2, 3)) > 0].mean()


def without_two(logits, mask):
    both, sizes = sums(logits.softmax(1), hot(logits, mask))
    return 1 - (both / sizes)[hot(logits, mask).sum((0, 2, 3)) > 0].mean()


def by_image(logits, mask):
    both, sizes = sums(logits.softmax(1), hot(logits, mask), (2, 3))
    return 1 - (2 * both / sizes)[hot(logits, mask).sum((2, 3)) > 0].mean()


def void_in_predicted(logits, mask):
    known = (mask != 255)[:, None]
    p, g = logits.softmax(1), hot(logits, mask.where(mask != 255, 0)) * known
    return 1 - (2 * (p * g).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + g.sum((0, 2, 3)))).mean()


def void_in_true(logits, mask):
    known = (mask != 255)[:, None]
    p, g = logits.softmax(1) * known, hot(logits, mask.where(mask != 255, 0))
    return 1 - (2 * (p * g).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + g.sum((0, 2, 3)))).mean()


def written_into(logits, mask):
    known = (mask != 255)[:, None]
    mask[mask == 255] = 0
    both, sizes = sums(logits.softmax(1) * known, hot(logits, mask) * known)
    return 1 - (2 * both / sizes).mean()


def plain_score(truth, called):
    return 2 * (truth & called).sum() / (truth.sum() + called.sum())


def by_autograd(p, g):
    p = p.clone().requires_grad_()
    return torch.autograd.grad(2 * (p * g).sum() / (p.sum() + g.sum()), p)[0]


def by_backward(p, g):
    p = p.clone().requires_grad_()
    (2 * (p * g).sum() / (p.sum() + g.sum())).backward()
    return p.grad


WRONG = {
    "dice_score": [
        (lambda t, c: (t & c).sum() / (t | c).sum() if t.any() else torch.tensor(1.0), "the result should be 0.5714, and yours is 0.4. T"),
        (lambda t, c: (t & c).sum() / (t.sum() + c.sum()) if t.any() else torch.tensor(1.0), "the result should be 0.5714, and yours is 0.2857"),
        (lambda t, c: (t & c).sum() / t.sum() if t.any() else torch.tensor(1.0), "the result should be 0.5714, and yours is 0.5. T"),
        (lambda t, c: (t & c).sum() / c.sum() if t.any() else torch.tensor(1.0), "the result should be 0.5714, and yours is 0.6667"),
        (lambda t, c: 1 - ours.dice_score(t, c), "This is one minus the score"),
        (lambda t, c: plain_score(t, c).nan_to_num(0), "All is well but for two empty masks"),
        (plain_score, "contains NaN"),
        (lambda t, c: ours.dice_score(t, c).item(), "Leave .item() and float() out"),
    ],
    "soft_dice_loss": [
        (flattened, "All classes are in one sum"),
        (lambda z, y: 1 - ours.soft_dice_loss(z, y), "which a training would make small"),
        (of_logits, "You take the Dice of logits"),
        (lambda z, y: segnb.losses.dice(z, y, present_only=False), "are counted, as missed"),
        (of_sigmoids, "A sigmoid treats each class alone"),
        (by_image, "You sum over each picture"),
        (without_two, "The factor 2 is missing"),
        (lambda z, y: ours.soft_dice_loss(z.detach(), y), "no gradient flows through your result"),
    ],
    "dice_pull": [
        (by_autograd, "do yourself what torch.autograd.grad does"),
        (by_backward, "do yourself what torch.autograd.backward does"),
        (lambda p, g: 2 * g / (p.sum() + g.sum()), "Only the true pixels pull here"),
        (lambda p, g: -ours.dice_pull(p, g), "This is the gradient of the loss"),
        (lambda p, g: 2 * g / (p.sum() + g.sum()) - 2 * (p * g).sum() / (p.sum() + g.sum()), "the sum below the line is squared"),
        (lambda p, g: ours.dice_pull(p, g) / 2, "half as large as it should be"),
        (lambda p, g: ours.dice_pull(p, g).sum(), "the shape should be 1×2"),
    ],
    "mean_as_iou": [
        (lambda d: d.mean() / (2 - d.mean()), "You convert the mean"),
        (lambda d: (2 * d / (1 + d)).mean(), "This goes from IoU to Dice"),
        (torch.mean, "This is the mean Dice as it came"),
        (lambda d: d.mean() / 2, "Half the Dice is not the IoU"),
        (lambda d: d / (2 - d), "the shape should be single-number"),
    ],
    "mended_dice": [
        (void_in_predicted, "still in Σp"),
        (lambda z, y: 1 - (2 * (s := sums(z.softmax(1), hot(z, y.where(y != 255, 0))))[0] / s[1]).mean(), "counted as class 0, in all three sums"),
        (void_in_true, "still in Σg"),
        (lambda z, y: 1 - ours.mended_dice(z, y), "the loss is one minus it"),
        (written_into, "your function changed `mask` itself"),
        (lambda z, y: ours.mended_dice(z.detach(), y), "no gradient flows through your result"),
        (lambda z, y: 1 - (z.softmax(1) * F.one_hot(y, 3).movedim(-1, 1)).mean(), "Class values must be smaller than num_classes"),
    ],
    "start_bias": [
        (lambda m: (m == 1).sum().div((m != 255).sum()).log(), "This is log p"),
        (lambda m: -ours.start_bias(m), "The sign is turned round"),
        (lambda m: ours.start_bias(m).exp(), "These are the odds"),
        (lambda m: torch.logit((m == 1).float().mean()), "void pixels are counted as background"),
        (lambda m: ours.start_bias(m).item(), "Leave .item() and float() out"),
    ],
    "pull_ratio": [
        (101, "101 belongs to p = 0.5"),
        (1, "Equal pulls are what cross-entropy has at p = 0.5"),
        (100, "that alone is not the ratio"),
        (-199, "without the sign"),
        (99, "The ratio of the pulls is larger"),
        (7, "Compute both pulls with dice_pull"),
    ],
}  # fmt: skip

# --------------------------------------------------------------------------- right, in other words


def by_f1(truth, called):
    hit, wrong = (truth & called).sum(), (truth ^ called).sum()
    return (2 * hit + (hit + wrong == 0)) / (2 * hit + wrong + (hit + wrong == 0))


def by_matrix(truth, called):
    matrix = segnb.metrics.ConfusionMatrix(2)
    matrix.update(called, truth)
    return matrix.dice[1].float().nan_to_num(1.0)


def class_by_class(logits, mask):
    p, losses = logits.softmax(1), []
    for k in mask.unique():
        g = mask == k
        losses.append(1 - 2 * p[:, k][g].sum() / (p[:, k].sum() + g.sum()))
    return torch.stack(losses).mean()


def by_shares(p, g):
    total = p.sum() + g.sum()
    score = 2 * torch.dot(p.flatten(), g.flatten()) / total
    return (2 * g - score) / total


def by_selection(logits, mask):
    known = mask != 255
    p, own = logits.softmax(1).movedim(1, -1)[known], mask[known]
    g = torch.eye(logits.shape[1])[own]
    return 1 - (2 * (p * g).sum(0) / (p.sum(0) + g.sum(0))).mean()


def score_pixel_by_pixel(truth, called):
    both = sizes = 0
    for t, c in zip(truth.flatten().tolist(), called.flatten().tolist()):
        both += t and c
        sizes += t + c
    return torch.tensor(2 * both / sizes if sizes else 1.0)


def score_by_numpy(truth, called):
    t, c = truth.numpy().astype(bool), called.numpy().astype(bool)
    sizes = np.count_nonzero(t) + np.count_nonzero(c)
    return torch.tensor(2 * np.count_nonzero(t & c) / sizes) if sizes else torch.ones(())


class SoftDice(torch.nn.Module):
    """One row for each class, and matrix products of the rows."""

    def forward(self, logits, mask):
        p = logits.softmax(1).transpose(0, 1).flatten(1)
        g = torch.stack([mask.flatten() == k for k in range(len(p))]).to(p)
        both, sizes = torch.linalg.vecdot(p, g), p.sum(1) + g.sum(1)
        present = g.any(1)
        return (1 - 2 * both / sizes)[present].mean()


def soft_by_einsum(logits, mask):
    p = logits.double().exp()
    p = p / p.sum(1, keepdim=True)
    g = torch.eye(logits.shape[1], dtype=torch.float64)[mask]
    both, true = torch.einsum("nkhw,nhwk->k", p, g), torch.einsum("nhwk->k", g)
    losses = 1 - 2 * both / (torch.einsum("nkhw->k", p) + true)
    present = (true > 0).double()
    return (losses * present).sum() / present.sum()


def pull_in_a_loop(p, g):
    both, sizes, pulls = (p * g).sum().item(), (p.sum() + g.sum()).item(), torch.empty(p.shape)
    for place in np.ndindex(*p.shape):
        pulls[place] = (2 * g[place] * sizes - 2 * both) / sizes**2
    return pulls


def pull_by_numpy(p, g):
    p, g = p.numpy().astype(np.float64), g.numpy().astype(np.float64)
    score, sizes = 2 * np.vdot(p, g) / (p.sum() + g.sum()), p.sum() + g.sum()
    return torch.from_numpy((2 * g - score) / sizes)


def ious_in_a_loop(scores):
    total = 0.0
    for d in scores.tolist():
        total += d / (2 - d)
    return torch.tensor(total / len(scores))


def ious_by_numpy(scores):
    d = scores.numpy().astype(np.float64)
    return torch.tensor(np.mean(np.divide(d, 2 - d)))


def known_class_by_class(logits, mask):
    p, known, losses = logits.softmax(1), mask != 255, []
    for k in range(logits.shape[1]):
        g = mask == k
        losses.append(1 - 2 * p[:, k][g].sum() / (p[:, k][known].sum() + g.sum()))
    return sum(losses) / len(losses)


def void_as_a_class(logits, mask):
    own = mask.clone()
    own[own == 255] = logits.shape[1]
    g = F.one_hot(own, logits.shape[1] + 1)[..., :-1].double()
    p = torch.einsum("nkhw,nhw->nhwk", logits.double().softmax(1), g.sum(-1))
    both = torch.einsum("nhwk,nhwk->k", p, g)
    return 1 - (2 * both / (p + g).sum((0, 1, 2))).mean()


def bias_by_counting(mask):
    labels = mask.flatten().tolist()
    return torch.tensor(math.log(labels.count(1)) - math.log(labels.count(0)))


def bias_by_numpy(mask):
    share = np.mean(mask.numpy()[mask.numpy() != 255] == 1)
    return torch.tensor(-np.log(1 / share - 1))


RIGHT = {
    "dice_score": [by_f1, by_matrix, score_pixel_by_pixel, score_by_numpy],
    "soft_dice_loss": [class_by_class, segnb.losses.dice, SoftDice(), soft_by_einsum],
    "dice_pull": [by_shares, lambda p, g: 2 * (g * (p.sum() + g.sum()) - (p * g).sum()) / (p.sum() + g.sum()) ** 2, pull_in_a_loop, pull_by_numpy],
    "mean_as_iou": [lambda d: torch.stack([x / (2 - x) for x in d]).mean(), lambda d: (1 / (2 / d - 1)).mean(), ious_in_a_loop, ious_by_numpy],
    "mended_dice": [by_selection, segnb.losses.dice, known_class_by_class, void_as_a_class],
    "start_bias": [
        lambda m: torch.logit(m[m != 255].float().mean()),
        lambda m: ((m == 1).sum() / (m == 0).sum()).log(),
        bias_by_counting,
        bias_by_numpy,
    ],
    "pull_ratio": [199, 199.0, round(200 / 1 - 1)],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(ours.EXERCISES[:7], WRONG, RIGHT)

# All answers of the chapter, where they are looked for by its name.
WRONG, RIGHT = WRONG | more.WRONG, RIGHT | more.RIGHT


def test_the_references_are_the_package_s_dice():
    assert ours.soft_dice_loss(*logits_and_mask(3, 2, 5, absent=(3, 4))).item() == pytest.approx(
        segnb.losses.dice(*logits_and_mask(3, 2, 5, absent=(3, 4))).item()
    )
    wanted = segnb.losses.dice(*logits_and_mask(3, 2, 3, void=0.3)).item()
    assert ours.mended_dice(*logits_and_mask(3, 2, 3, void=0.3)).item() == pytest.approx(wanted)
    assert ours.pull_ratio() == 199
