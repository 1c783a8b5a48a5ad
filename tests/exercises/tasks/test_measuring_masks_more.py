"""The later exercises of chapter 2: tests that find nothing, an order of something else, a log that is read as it stands."""

import numpy as np
import pytest
import torch

from segnb.exercises import measuring_masks
from tests.exercises.answers import answers_of

NEW = measuring_masks.EXERCISES[8:]


def region(*rows):
    return torch.tensor(rows).bool()


HALF = region([1, 1, 0, 0], [1, 1, 0, 0])
DOT = region([0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0])
PAIR = DOT | DOT.roll(1, 1)
THICK = region([0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0])
EDGE = (HALF, HALF.flip(1), 1.5)
SHARES = (DOT, PAIR, 0.5)
STEP = (DOT, DOT.roll(1, 0), 1)
INSIDE = (THICK, THICK, 0.5)
CORNER = (DOT, DOT.roll((1, 1), (0, 1)), 1)


def each_epoch(log):
    """A loop over the epochs, in float64."""
    scores, before = [], torch.zeros_like(log[0])
    for total in log:
        matrix, before = (total - before).double(), total
        right = matrix.diag()
        scores.append((right / (matrix.sum(0) + matrix.sum(1) - right)).nanmean())
    return torch.stack(scores)


def by_numpy(log):
    log = np.asarray(log, dtype=float)
    each = np.diff(log, axis=0, prepend=np.zeros_like(log[:1]))
    right = np.einsum("ekk->ek", each)
    with np.errstate(invalid="ignore"):
        return np.nanmean(right / (each.sum(1) + each.sum(2) - right), axis=1)


def by_einsum(log):
    each = torch.cat([log[:1], log[1:] - log[:-1]]).float()
    right = torch.einsum("ekk->ek", each)
    either = torch.einsum("ekj->ek", each) + torch.einsum("ejk->ek", each) - right
    return torch.nanmean(right / either, 1)


def by_library(log):
    import segnb

    scores = []
    for number, total in enumerate(log):
        one = segnb.metrics.ConfusionMatrix(len(total))
        one.matrix = total - log[number - 1] if number else total.clone()
        scores.append(one.mean_iou)
    return torch.stack(scores)


class Emptied:
    """A meter that is emptied after each epoch."""

    def __call__(self, log):
        return each_epoch(log).float()


def undone_once(log):
    return measuring_masks.scores_of(torch.cat([log[:1], log[1:] - log[:1]]))


def forwards(log):
    each = [log[0]]
    for total in log[1:]:
        each.append(total - each[-1])
    return measuring_masks.scores_of(torch.stack(each))


def where_there_is_truth(log):
    each = torch.cat([log[:1], log[1:] - log[:-1]]).double()
    right = torch.einsum("ekk->ek", each)
    scores = right / (each.sum(1) + each.sum(2) - right)
    return torch.stack([score[matrix.sum(1) > 0].mean() for score, matrix in zip(scores, each)])


WRONG = {
    "edge_tests": [
        ([], "A list of inputs is wanted"),
        ([SHARES, STEP, INSIDE, CORNER], "passes all your tests: version A"),
        ([EDGE, STEP, INSIDE, CORNER], "passes all your tests: version B"),
        ([EDGE, SHARES, INSIDE, CORNER], "passes all your tests: version C"),
        ([(HALF, HALF.roll(1, 1), 0), SHARES, STEP, CORNER], "passes all your tests: version D"),
        ([EDGE, SHARES, STEP, INSIDE], "passes all your tests: version E"),
        (EDGE, "Is the list missing"),
        ([(HALF, HALF)], "two tensors and a number"),
        ([(HALF.long(), HALF.long(), 1)], "boolean maps"),
        ([(HALF, DOT, 1)], "of one size"),
        ([(HALF, HALF, -1)], "from 0 to 6"),
        ([(HALF, HALF & False, 1)], "has no outline"),
    ],
    "pole_order": [
        ([measuring_masks.BY_CARS, measuring_masks.BY_CARS], "the order for large things, such as cars"),
        ([measuring_masks.BY_CARS, measuring_masks.BY_CARS[::-1]], "The measurement is not"),
        ([measuring_masks.BY_CARS, measuring_masks.BY_POLES[::-1]], "begins with the worst"),
        ([measuring_masks.BY_CARS, ["half blind", "thin", "moved", "fat"]], "by the share of right pixels"),
        ([measuring_masks.BY_CARS, ["fat", "moved", "thin", "half blind"]], "The measurement is not"),
        ([measuring_masks.BY_CARS, [0.514, 0.386, 0.228, 0.05]], "written as an order of the names"),
        ([measuring_masks.BY_CARS, []], "The guess stands"),
        ([["fat", "thin"], measuring_masks.BY_POLES], "an order of these, each once"),
        (measuring_masks.BY_POLES, "[your guess, your measurement]"),
    ],
    "mended_curve": [
        (measuring_masks.scores_of, "the curve of the log itself"),
        (lambda log: measuring_masks.scores_of(log[1:] - log[:-1]), "One epoch is missing"),
        (lambda log: each_epoch(log / torch.arange(1, len(log) + 1)[:, None, None]), "The second epoch alone counted"),
        (measuring_masks.as_if_equal, "You take scores apart"),
        (lambda log: each_epoch(log).mean(), "yours is single-number"),
        (undone_once, "You subtract the first matrix"),
        (forwards, "after it has been taken apart itself"),
        (where_there_is_truth, "A class that is only invented is somewhere"),
    ],
}  # fmt: skip

RIGHT = {
    "edge_tests": [
        [EDGE, SHARES, STEP, INSIDE, CORNER],
        ((HALF.numpy(), HALF.flip(1).numpy(), 1.5), SHARES, STEP, INSIDE, CORNER),
        [[*EDGE], [DOT, PAIR, 0], [*STEP], [*INSIDE], [*CORNER], [HALF, HALF, 1]],
        [(HALF, HALF.roll(1, 1), 0.0), (THICK, THICK, 0), STEP, CORNER],
    ],
    "pole_order": [
        [measuring_masks.BY_CARS, measuring_masks.BY_POLES],
        [measuring_masks.BY_POLES, measuring_masks.BY_POLES],
        (("thin", "moved", "fat", "half blind"), tuple(measuring_masks.BY_POLES)),
        [measuring_masks.FAULTS, ["Half blind", "Fat", "Moved", "Thin"]],
    ],
    "mended_curve": [each_epoch, by_numpy, by_einsum, by_library, Emptied()],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(NEW, WRONG, RIGHT)


def test_the_stored_orders_are_those_of_the_masks():
    assert measuring_masks.pole_order()[1] == measuring_masks.BY_POLES
    masks = measuring_masks.masks_of_val(40)
    cars, known = masks == 8, masks != 255
    shares = {}
    for name, guess in measuring_masks.four_faults(cars).items():
        shares[name] = ((guess & cars)[known].sum() / (guess | cars)[known].sum()).item()
    assert sorted(shares, key=shares.get, reverse=True) == measuring_masks.BY_CARS


def test_the_log_hides_a_slump():
    log = measuring_masks.strange_log(measuring_masks.masks_of_val(40))
    written, real = measuring_masks.scores_of(log), measuring_masks.mended_curve(log)
    assert real[-1].item() == pytest.approx(0.795, abs=5e-4)  # as the sheet says
    assert written[5] > 0.48 > 0.33 > real[5]
