"""The exercises of chapter 3: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import math
import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import segnb
from segnb.exercises import cross_entropy as ours
from tests.exercises.answers import answers_of
from tests.exercises.tasks import test_cross_entropy_more as more

# --------------------------------------------------------------------------- wrong: (answer, its own hint)


def log_of_softmax(logits, mask):
    return -logits.softmax(1).log().gather(1, mask[:, None])[:, 0]


def torchs_mean(logits, mask, weight):
    return F.cross_entropy(logits, mask, weight=weight, ignore_index=255)


def plain_mean(logits, mask, weight):
    prices = F.cross_entropy(logits, mask, weight=weight, ignore_index=255, reduction="none")
    return prices.sum() / (mask != 255).sum().clamp_min(1)


def at_least_one(logits, mask, weight):
    w = weight[mask.where(mask != 255, 0)] * (mask != 255)
    return F.cross_entropy(
        logits, mask, weight=weight, ignore_index=255, reduction="sum"
    ) / w.sum().clamp_min(1)


def all_pixels(logits, mask, weight):
    return F.cross_entropy(logits, mask, weight=weight, ignore_index=255, reduction="none").mean()


def truth_of(logits, mask):
    return torch.zeros_like(logits).scatter_(1, mask[:, None], 1)


def by_share(pixels, pixels_in_images):
    share = pixels / pixels.sum()
    return share.quantile(0.5) / share


def stepper(*deeds):
    def step(net, optimiser, images, masks):
        loss = F.cross_entropy(net(images), masks)
        for deed in deeds:
            getattr({"backward": loss}.get(deed, optimiser), deed)()

    return step


WRONG = {
    "pixel_prices": [
        (lambda z, y: z.log_softmax(1).gather(1, y[:, None])[:, 0], "a logarithm of a number below 1"),
        (lambda z, y: -z.softmax(1).gather(1, y[:, None])[:, 0], "The logarithm is missing"),
        (lambda z, y: -z.log_softmax(3).gather(1, y[:, None])[:, 0], "softmax runs along the wrong axis"),
        (lambda z, y: -z.gather(1, y[:, None])[:, 0], "This is the logit itself"),
        (lambda z, y: -z.log_softmax(1).max(1).values, "You take the largest probability"),
        (log_of_softmax, "log_softmax goes round it"),
        (F.cross_entropy, "the shape should be 1×1×1, and yours is single-number"),
        (lambda z, y: -z.log_softmax(1).gather(1, y[:, None]), "the shape should be 1×1×1, and yours is 1×1×1×1"),
    ],
    "weighted_price": [
        (plain_mean, "You divide by the number of pixels"),
        (all_pixels, "You divide by all pixels, void ones too"),
        (lambda z, y, w: F.cross_entropy(z, y.where(y != 255, 0), weight=w), "void pixels are counted as class 0"),
        (lambda z, y, w: F.cross_entropy(z, y, ignore_index=255).nan_to_num(0), "`weight` is not used"),
        (lambda z, y, w: F.cross_entropy(z, y, weight=w, ignore_index=255, reduction="sum"), "This is the sum. It grows"),
        (at_least_one, "You divide by at least 1"),
        (torchs_mean, "contains NaN"),
        (lambda z, y, w: F.cross_entropy(z, y, weight=w), "Target 255 is out of bounds"),
    ],
    "logit_pulls": [
        (lambda z, y: by_autograd(z, y), "do yourself what torch.autograd"),
        (lambda z, y: (truth_of(z, y) - z.softmax(1)) / y.numel(), "The sign is turned round"),
        (lambda z, y: z.softmax(1) - truth_of(z, y), "This is right for one pixel"),
        (lambda z, y: (z.softmax(1) - truth_of(z, y)) / len(z), "You divide by the number of images"),
        (lambda z, y: (z.softmax(1) - truth_of(z, y)) / z.numel(), "You divide by the classes too"),
        (lambda z, y: (z - truth_of(z, y)) / y.numel(), "This is logit minus truth"),
        (lambda z, y: z.softmax(1) - F.one_hot(y, z.shape[1]), "the shape should be 1×2×1×1"),
    ],
    "balance_classes": [
        (lambda a, b: (a / b) / (a / b).quantile(0.5), "Upside down"),
        (by_share, "share of all pixels"),
        (lambda a, b: (a / b).mean() / (a / b), "This is the mean over the classes"),
        (lambda a, b: b / a, "This is 1/f"),
        (lambda a, b: (a / b).median() / (a / b), "torch.median gives the lower one"),
        (lambda a, b: ours.balance_classes(a, b).tolist(), "A tensor is wanted"),
    ],
    "mended_rows": [
        (lambda z, y: F.cross_entropy(z.softmax(1).view(-1, z.shape[1]), y.view(-1)), "Both faults are still there"),
        (lambda z, y: F.cross_entropy(z.view(-1, z.shape[1]), y.view(-1)), "One fault is found"),
        (lambda z, y: F.cross_entropy(z.softmax(1), y), "The rows are right now"),
        (lambda z, y: F.cross_entropy(z, y, reduction="sum"), "This is the sum over the pixels"),
        (lambda z, y: -z.softmax(1).log().gather(1, y[:, None]).mean(), "log_softmax goes round it"),
        (lambda z, y: F.cross_entropy(z, y, reduction="none"), "the shape should be single-number"),
    ],
    "mended_step": [
        (stepper("backward", "zero_grad", "step"), "The weights have not moved at all"),
        (stepper("backward", "step"), "nobody wipes the old ones"),
        (stepper("backward", "step", "zero_grad"), "You wipe the gradients after the step"),
        (stepper("zero_grad", "backward", "step", "step"), "You take every step twice"),
        (lambda net, o, x, y: (o.zero_grad(), F.cross_entropy(net(x), y, reduction="sum").backward(), o.step()), "Your loss adds up the pixels"),
        (lambda net, o, x, y: (net(x).argmax(1) == y).float().mean().backward(), "does not require grad"),
    ],
    "start_loss": [
        (math.log2(32), "logarithm to base 2"),
        (1.505, "logarithm to base 10"),
        (1 / 32, "This is the probability of each class"),
        (-math.log(32), "A price is positive"),
        (3.434, "the true one too"),
        (3.47, "Rounded too soon"),
        (7.0, "What does a net pay"),
    ],
}  # fmt: skip

# --------------------------------------------------------------------------- right, in other words


def by_indexing(logits, mask):
    images, rows, columns = torch.meshgrid(*map(torch.arange, mask.shape), indexing="ij")
    return torch.logsumexp(logits, 1) - logits[images, mask, rows, columns]


def with_weights(logits, mask, weight):
    return segnb.losses.cross_entropy(logits, mask, weight=weight)


def by_selection(logits, mask, weight):
    rows, labels = logits.movedim(1, -1)[mask != 255], mask[mask != 255]
    return F.cross_entropy(rows, labels, weight=weight) if len(labels) else torch.tensor(0.0)


def by_autograd(logits, mask):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(logits, mask), logits)[0]


def by_sorting(pixels, pixels_in_images):
    f = pixels.double() / pixels_in_images
    ordered, n = sorted(f.tolist()), len(f)
    return ((ordered[(n - 1) // 2] + ordered[n // 2]) / 2 / f).float()


def wiped_by_hand(net, optimiser, images, masks):
    for parameter in net.parameters():
        parameter.grad = None
    F.cross_entropy(net(images), masks).backward()
    optimiser.step()


def prices_by_einsum(logits, mask):
    truth = (mask[:, None] == torch.arange(logits.shape[1]).view(1, -1, 1, 1)).double()
    return -torch.einsum("nkhw,nkhw->nhw", truth, logits.double().log_softmax(1))


class Prices(torch.nn.Module):
    """The largest logit is taken off first; then no exponential overflows."""

    def forward(self, logits, mask):
        above = logits - logits.amax(1, keepdim=True)
        own = above.gather(1, mask.unsqueeze(1)).squeeze(1)
        return above.exp().sum(1).log() - own


def weighted_class_by_class(logits, mask, weight):
    log_p, above, below = logits.log_softmax(1), 0 * logits.sum(), 0.0
    for k, w in enumerate(weight.tolist()):
        here = mask == k
        above = above - w * log_p[:, k][here].sum()
        below += w * here.sum().item()
    return above / below if below else above


def weighted_with_zero_for_void(logits, mask, weight):
    own = mask.clone()
    own[mask == 255] = len(weight)
    weights = torch.cat([weight, torch.zeros(1)])
    truth = F.one_hot(own, len(weights))[..., :-1].double()
    prices = -torch.einsum("nhwk,nkhw->nhw", truth, logits.double().log_softmax(1))
    w = weights.double()[own]
    return (w * prices).sum() / w.sum() if w.any() else prices.sum()


def pulls_in_a_loop(logits, mask):
    pulls = torch.zeros_like(logits)
    for n, row, column in np.ndindex(*mask.shape):
        pulls[n, :, row, column] = logits[n, :, row, column].softmax(0)
        pulls[n, mask[n, row, column], row, column] -= 1
    return pulls / mask.numel()


def pulls_by_numpy(logits, mask):
    z = logits.detach().double().numpy()
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    truth = np.eye(z.shape[1])[mask.numpy()].transpose(0, 3, 1, 2)
    return torch.from_numpy((p - truth) / mask.numel())


def pulls_in_place(logits, mask):
    pulls = logits.softmax(1)
    pulls.scatter_add_(1, mask[:, None], -torch.ones(mask[:, None].shape))
    return pulls.div_(mask.numel())


def balanced_by_numpy(pixels, pixels_in_images):
    f = pixels.numpy() / pixels_in_images.numpy()
    return torch.from_numpy(np.median(f) / f)


def balanced_in_a_loop(pixels, pixels_in_images):
    f = [a / b for a, b in zip(pixels.tolist(), pixels_in_images.tolist())]
    return torch.tensor([statistics.median(f) / one for one in f])


def row_by_row(logits, mask):
    prices = []
    for scores, labels in zip(logits.movedim(1, -1).flatten(0, 2), mask.flatten()):
        prices.append(scores.logsumexp(0) - scores[labels])
    return torch.stack(prices).mean()


class Rows(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.loss = torch.nn.NLLLoss()

    def forward(self, logits, mask):
        return self.loss(logits.double().log_softmax(1), mask)


def step_by_grad(net, optimiser, images, masks):
    weights = list(net.parameters())
    gradients = torch.autograd.grad(torch.nn.CrossEntropyLoss()(net(images), masks), weights)
    for weight, gradient in zip(weights, gradients):
        weight.grad = gradient
    optimiser.step()


def step_by_closure(net, optimiser, images, masks):
    def closure():
        net.zero_grad()
        loss = by_indexing(net(images), masks).mean()
        loss.backward()
        return loss

    optimiser.step(closure)


RIGHT = {
    "pixel_prices": [by_indexing, lambda z, y: F.cross_entropy(z, y, reduction="none"), prices_by_einsum, Prices()],
    "weighted_price": [with_weights, by_selection, weighted_class_by_class, weighted_with_zero_for_void],
    "logit_pulls": [
        lambda z, y: (z.softmax(1) - truth_of(z, y)) / y.numel(),
        pulls_in_a_loop,
        pulls_by_numpy,
        pulls_in_place,
    ],
    "balance_classes": [by_sorting, lambda a, b: torch.quantile(a / b, 0.5) * b / a, balanced_by_numpy, balanced_in_a_loop],
    "mended_rows": [F.cross_entropy, lambda z, y: by_indexing(z, y).mean(), row_by_row, Rows()],
    "mended_step": [wiped_by_hand, stepper("zero_grad", "backward", "step", "zero_grad"), step_by_grad, step_by_closure],
    "start_loss": [math.log(32), 3.4657, -math.log(1 / 32), 3.466, 3.465],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(ours.EXERCISES[:7], WRONG, RIGHT)


def test_the_references_are_the_package_s_losses():
    logits, mask, weight = ours.some_void(3)
    wanted = segnb.losses.cross_entropy(logits, mask, weight=weight)
    assert ours.weighted_price(logits, mask, weight) == pytest.approx(wanted.item(), rel=1e-6)
    logits, mask = ours.some(4)
    assert ours.logit_pulls(logits, mask) == pytest.approx(by_autograd(logits, mask), abs=1e-7)


# All answers of the chapter, where they are looked for by its name.
WRONG, RIGHT = WRONG | more.WRONG, RIGHT | more.RIGHT
