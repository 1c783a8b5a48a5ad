"""The tasks of chapter 7 that no chapter cell answers: broken unpoolings, ties after a ReLU, a net that remembers the night."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segnb.exercises import registry
from segnb.exercises.tasks import segnet as ours
from tests.exercises.answers import answers_of


def pooled(*shape, scale=1.0):
    x = scale * (torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 0.9)
    return (*F.max_pool2d(x, 2, ceil_mode=True, return_indices=True), list(shape[2:]))


def left_in_training(net, images):
    net.train()
    with torch.no_grad():
        return [net(image[None])[0].argmax(0) for image in images]


def left_in_eval(net, images):
    net.eval()
    with torch.no_grad():
        return [net(image[None])[0].argmax(0) for image in images]


def put_into_training(net, images):
    masks = left_in_eval(net, images)
    net.train()
    return masks


def by_outer_mode(net, images):
    mode = net.training
    masks = left_in_eval(net, images)
    net.train(mode)
    return masks


def returned_logits(net, images):
    modes = {part: part.training for part in net.modules()}
    net.eval()
    with torch.no_grad():
        results = [net(image[None])[0] for image in images]
    for part, mode in modes.items():
        part.training = mode
    return results


def frozen(net, images):
    return ours.night_and_day(net.requires_grad_(False), images)


def norms_alone(net, images):
    norms = [part for part in net.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    modes = [norm.training for norm in norms]
    for norm in norms:
        norm.eval()
    with torch.no_grad():
        masks = [net(image[None])[0].argmax(0) for image in images]
    for norm, mode in zip(norms, modes, strict=True):
        norm.training = mode
    return masks


def in_one_batch(net, images):
    modes = {part: part.training for part in net.modules()}
    net.eval()
    with torch.no_grad():
        masks = list(net(torch.stack(images)).argmax(1))
    for part, mode in modes.items():
        part.training = mode
    return masks


class Predictor:
    def __call__(self, net, images):
        return [logits.argmax(0) for logits in returned_logits(net, images)]


def one_by_one(net, images):
    return [ours.night_and_day(net, [image])[0] for image in images]


def softmaxed(net, images):
    return [logits.softmax(0).max(0).indices for logits in returned_logits(net, images)]


def as_int(net, images):
    return [mask.int() for mask in ours.night_and_day(net, images)]


EVEN, ODD = pooled(1, 1, 4, 4, scale=-1), pooled(2, 2, 5, 7)
SHARE = ours.corner_share()[1]

WRONG = {
    "unpool_tests": [
        ([EVEN], "passes all your tests: A,"),
        ([pooled(1, 2, 5, 7)], "passes all your tests: C,"),
        ([pooled(2, 1, 5, 7)], "passes all your tests: B,"),
        ([pooled(2, 2, 5, 7, scale=0.0)], "passes all your tests: A,"),
        ([(*tuple(part.abs() if part.is_floating_point() else part for part in ODD[:2]), [5, 7])], "passes all your tests: E,"),
        ([(ODD[0], ODD[1], [2, 2])], "an index lies outside"),
        ([ODD[:2]], "a height and a width, a list of two whole numbers"),
        ([(*ODD[:2], torch.tensor([5, 7]))], "a height and a width, a list of two whole numbers"),
        ([], "a list of inputs is wanted"),
    ],
    "corner_share": [
        ([0.5, 0.25], "what four equal chances"),
        ([0.5, 0.2], "share of numbers that the ReLU"),
        ([0.5, ours.silent_share()], "windows of four zeros"),
        ([0.5, 1 - SHARE], "other three places"),
        ([0.5, 100 * SHARE], "in percent"),
        ([0.5, 64 * 64 * SHARE], "divide by how many there are"),
        ([0.5, 0.7065], "two places of the four"),
        ([0.5, 0.6997], "two places of the four"),
        ([SHARE, 0.5], "it stands first"),
        ([55, SHARE], "from 0 to 1"),
        (SHARE, "two things are wanted"),
    ],
    "night_and_day": [
        (left_in_training, "the colleague's function"),
        (left_in_eval, "left in eval mode"),
        (by_outer_mode, "keep each part's own"),
        (put_into_training, "in another mode than before"),
        (frozen, "the net is frozen for good"),
        (norms_alone, "dropout still drops"),
        (in_one_batch, "one at a time"),
        (returned_logits, "the masks: entry 1"),
    ],
}  # fmt: skip
RIGHT = {
    "unpool_tests": [
        [ODD],
        [EVEN, ODD],
        [(*tuple(part.double() if part.is_floating_point() else part for part in ODD[:2]), [5, 7])],
        [pooled(1, 2, 5, 7), pooled(2, 1, 5, 7)],
        ours.unpool_tests(),
    ],
    "corner_share": [
        [0.25, SHARE],
        [0.9, 0.55],
        (0, 0.5537),
        [1, torch.tensor(SHARE).item()],
        np.array([0.5, SHARE]),
    ],
    "night_and_day": [ours.night_and_day, Predictor(), one_by_one, softmaxed, as_int],
}


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of([registry[name] for name in WRONG], WRONG, RIGHT)


def test_ties_explain_the_share_of_corners():
    silent = ours.silent_share()
    assert silent == pytest.approx(0.8**4, abs=0.02)
    assert pytest.approx(silent + (1 - silent) / 4, abs=0.02) == SHARE
