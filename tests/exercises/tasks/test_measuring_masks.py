"""The exercises of chapter 2: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import numpy as np
import torch
from scipy import ndimage

from segnb.exercises import measuring_masks as exercises
from segnb.exercises import variant
from segnb.metrics import ConfusionMatrix
from tests.exercises.answers import answers_of
from tests.exercises.tasks import test_measuring_masks_more as more

MINE = exercises.my_street(variant(""))


def filled(matrix):
    """Our ConfusionMatrix with these counts."""
    one = ConfusionMatrix(len(matrix))
    one.matrix += matrix
    return one


def by_class(truth, guess, num_classes):
    one = ConfusionMatrix(num_classes)
    one.update(guess, truth)
    return one.matrix


def in_a_loop(truth, guess, num_classes):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for t, g in zip(truth.flatten().tolist(), guess.flatten().tolist()):
        if t != 255:
            matrix[t, g] += 1
    return matrix


def no_room(truth, guess, num_classes):
    k = int(max(truth[truth != 255].max(), guess[truth != 255].max())) + 1
    return in_a_loop(truth, guess, k)


def clipped(truth, guess, num_classes):
    return in_a_loop(truth.clamp(max=num_classes - 1), guess, num_classes)


def parts(matrix):
    return matrix.diagonal().double(), matrix.sum(1), matrix.sum(0)


def iou_with(formula):
    return lambda matrix: formula(*parts(matrix))


def per_batch(matrices):
    return torch.stack([filled(m).mean_iou for m in matrices])


def zeros_per_batch(matrices):
    return sum(filled(m).iou.nan_to_num() for m in matrices).mean() / len(matrices)


def by_erosion(region):
    return region & ~torch.from_numpy(ndimage.binary_erosion(region.numpy(), border_value=1))


def by_padding(region):
    known = torch.nn.functional.pad(region[None].float(), (1, 1, 1, 1), mode="replicate")[0] > 0
    near = known[:-2, 1:-1] & known[2:, 1:-1] & known[1:-1, :-2] & known[1:-1, 2:]
    return region & ~near


def scores_of(matrices, draws):
    return [filled(matrices[draw].sum(0)).mean_iou.item() for draw in draws]


def by_numpy(matrices, draws):
    return torch.from_numpy(np.percentile(scores_of(matrices, draws), [2.5, 97.5]))


def ends(low, high):
    return lambda matrices, draws: torch.from_numpy(np.quantile(scores_of(matrices, draws), [low, high]))


def of_means(matrices, draws):
    means = per_batch(matrices)
    return torch.quantile(means[draws].mean(1), torch.tensor([0.025, 0.975], dtype=torch.float64))


WRONG = {
    "count_pairs": [
        (lambda truth, guess, k: in_a_loop(truth, guess, k).mT.contiguous(), "lying on their side"),
        (clipped, "Void was counted as the last class"),
        (exercises.shares_of_rows, "You divide each row by its sum"),
        (no_room, "has no room for classes"),
        (lambda truth, guess, k: torch.bincount((k * truth + guess).flatten(), minlength=k**2).view(k, k), "RuntimeError"),
    ],
    "class_iou": [
        (iou_with(lambda right, true, called: right / true), "that is class accuracy"),
        (iou_with(lambda right, true, called: right / called), "that is precision"),
        (iou_with(lambda right, true, called: right / (true + called)), "counts the shared pixels twice"),
        (lambda matrix: filled(matrix).dice, "This is Dice"),
        (lambda matrix: filled(matrix).iou.nan_to_num(0), "as if it had been missed"),
        (lambda matrix: filled(matrix).iou.nan_to_num(1), "as if it had been found"),
        (lambda matrix: filled(matrix).mean_iou, "One number for each class is wanted"),
    ],
    "mended_accuracy": [
        (lambda guess, truth: (guess == truth).double().mean(), "Void still counts as wrong"),
        (lambda guess, truth: (guess == truth).where(truth != 255, True).double().mean(), "Now void counts as right"),
        (lambda guess, truth: (guess == truth).double().sum(), "This is how many pixels are right"),
        (lambda guess, truth: (guess != truth)[truth != 255].double().mean(), "the share that is wrong"),
    ],
    "mended_mean_iou": [
        (zeros_per_batch, "Both faults are still there"),
        (lambda matrices: per_batch(matrices).mean(), "you still divide batch by batch"),
        (lambda matrices: filled(matrices.sum(0)).iou.nan_to_num(0).mean(), "still counts as 0"),
        (lambda matrices: filled(matrices.sum(0)).iou.nan_to_num(1).mean(), "counts as 1 now"),
    ],
    "mean_dice": [
        (lambda ious: 2 * ious.nanmean() / (1 + ious.nanmean()), "You turn the mean IoU into Dice"),
        (lambda ious: (2 * ious / (1 + ious)).nansum() / len(ious), "The absent class counts as 0"),
        (lambda ious: (ious / (2 - ious)).nanmean(), "This is the way back"),
        (lambda ious: ious[~ious.isnan()].mean(), "This is the mean IoU itself"),
    ],
    "outline": [
        (lambda region: region & ~torch.from_numpy(ndimage.binary_erosion(region.numpy())), "the picture's edge for an outline"),
        (lambda region: region & ~torch.from_numpy(ndimage.binary_erosion(region.numpy(), np.ones((3, 3)), border_value=1)), "across corners too"),
        (lambda region: torch.from_numpy(ndimage.binary_dilation(region.numpy())) & ~region, "just outside the region"),
        (lambda region: region & ~by_padding(region), "This is the inside"),
    ],
    "interval": [
        (of_means, "You average the pictures' own mean IoUs"),
        (ends(0.05, 0.95), "lie nine tenths of the draws"),
        (ends(0, 1), "the smallest and the largest draw"),
        (exercises.one_set, "You take quantiles of single pictures' scores"),
        (exercises.two_deviations, "Mean and two deviations"),
    ],
    "moved_iou": [
        (exercises.moved_iou(MINE[0], 0), "of the whole street"),
        (0.1, "0.1 is not right. Shared pixels divided"),
    ],
}  # fmt: skip


def counted_by_numpy(truth, guess, num_classes):
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    known = truth.numpy() != 255
    np.add.at(matrix, (truth.numpy()[known], guess.numpy()[known]), 1)
    return torch.from_numpy(matrix)


def counted_by_einsum(truth, guess, num_classes):
    numbers = torch.arange(num_classes)
    true = (truth.flatten()[:, None] == numbers).long()
    called = (guess.flatten()[:, None] == numbers).long()
    return torch.einsum("pt,pg->tg", true, called)


def iou_in_a_loop(matrix):
    counts, scores = matrix.tolist(), []
    for k, row in enumerate(counts):
        union = sum(row) + sum(other[k] for other in counts) - row[k]
        scores.append(row[k] / union if union else float("nan"))
    return torch.tensor(scores)


def iou_by_numpy(matrix):
    counts = matrix.numpy().astype(float)
    right = np.diag(counts)
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(right / (counts.sum(0) + counts.sum(1) - right))


def accuracy_in_a_loop(guess, truth):
    right = labelled = 0
    for g, t in zip(guess.flatten().tolist(), truth.flatten().tolist()):
        labelled += t != 255
        right += g == t
    return torch.tensor(right / labelled)


def accuracy_by_numpy(guess, truth):
    masked = np.ma.masked_array(guess.numpy() == truth.numpy(), truth.numpy() == 255)
    return torch.tensor(masked.mean())


class Counted:
    """Matrices go in one by one, the score comes out at the end."""

    def __init__(self, num_classes):
        self.total = torch.zeros(num_classes, num_classes, dtype=torch.float64)

    def add(self, matrix):
        self.total += matrix

    def score(self):
        right = self.total.diagonal()
        union = self.total.sum(0) + self.total.sum(1) - right
        return (right[union > 0] / union[union > 0]).mean()


def score_by_adding(matrices):
    counted = Counted(matrices.shape[1])
    for matrix in matrices:
        counted.add(matrix)
    return counted.score()


def score_by_numpy(matrices):
    return torch.tensor(np.nanmean(iou_by_numpy(torch.from_numpy(matrices.numpy().sum(axis=0))).numpy()))


def dice_in_a_loop(ious):
    scores = [2 * j / (1 + j) for j in ious.tolist() if j == j]
    return torch.tensor(sum(scores) / len(scores))


def dice_by_numpy(ious):
    return torch.tensor(np.nanmean(2 * ious.numpy() / (1 + ious.numpy())))


def outline_pixel_by_pixel(region):
    height, width = region.shape
    line = torch.zeros_like(region)
    for y, x in region.nonzero().tolist():
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        line[y, x] = any(0 <= v < height and 0 <= u < width and not region[v, u] for v, u in around)
    return line


def outline_by_convolution(region):
    cross = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])[None, None]
    others = torch.nn.functional.conv2d((~region)[None, None].float(), cross, padding=1)[0, 0]
    return (others > 0).logical_and(region)


def outline_by_numpy(region):
    inner = np.pad(region.numpy(), 1, constant_values=True)
    eroded = np.logical_and.reduce([inner[:-2, 1:-1], inner[2:, 1:-1], inner[1:-1, :-2], inner[1:-1, 2:]])
    return torch.from_numpy(region.numpy() & ~eroded)


def all_draws_at_once(matrices, draws):
    total = matrices[draws].sum(1).double()
    right = total.diagonal(dim1=1, dim2=2)
    scores = (right / (total.sum(1) + total.sum(2) - right)).nanmean(1)
    return scores.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))


def by_times_drawn(matrices, draws):
    times = torch.stack([draw.bincount(minlength=len(matrices)) for draw in draws])
    totals = torch.einsum("dn,ntg->dtg", times, matrices)
    scores = sorted(float(iou_in_a_loop(total).nanmean()) for total in totals)

    def quantile(share):
        place = share * (len(scores) - 1)
        low = int(place)
        high = min(low + 1, len(scores) - 1)
        return scores[low] + (place - low) * (scores[high] - scores[low])

    return torch.tensor([quantile(0.025), quantile(0.975)])


RIGHT = {
    "count_pairs": [by_class, in_a_loop, counted_by_numpy, counted_by_einsum],
    "class_iou": [
        lambda matrix: filled(matrix).iou,
        iou_with(lambda right, true, called: right / (true + (called - right))),
        iou_in_a_loop,
        iou_by_numpy,
    ],
    "mended_accuracy": [
        lambda guess, truth: filled(by_class(truth, guess, 4)).pixel_accuracy,
        lambda guess, truth: (guess == truth).double().sum() / (truth != 255).sum(),
        accuracy_in_a_loop,
        accuracy_by_numpy,
    ],
    "mended_mean_iou": [
        lambda matrices: filled(matrices.sum(0)).mean_iou,
        lambda matrices: torch.nanmean(exercises.class_iou(sum(matrices))),
        score_by_adding,
        score_by_numpy,
    ],
    "mean_dice": [
        lambda ious: torch.nanmean(2 / (1 + 1 / ious)),
        lambda ious: sum(2 * j / (1 + j) for j in ious[~ious.isnan()]) / (~ious.isnan()).sum(),
        dice_in_a_loop,
        dice_by_numpy,
    ],
    "outline": [by_erosion, by_padding, outline_pixel_by_pixel, outline_by_convolution, outline_by_numpy],
    "interval": [by_numpy, ends(0.025, 0.975), all_draws_at_once, by_times_drawn],
    "moved_iou": [exercises.moved_iou(*MINE), round(exercises.moved_iou(*MINE), 5)],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(exercises.EXERCISES[:8], WRONG, RIGHT)

# Whoever asks this module for the answers to all of the chapter's exercises finds the later ones, too.
WRONG, RIGHT = WRONG | more.WRONG, RIGHT | more.RIGHT


def test_the_scores_are_the_packages():
    matrices = exercises.some_matrices(3, 4)
    assert exercises.mended_mean_iou(matrices) == filled(matrices.sum(0)).mean_iou
    assert exercises.mended_mean_iou(matrices) != exercises.mean_of_batches(matrices)
    ious = exercises.class_iou(matrices[0])
    assert torch.allclose(2 * ious / (1 + ious), filled(matrices[0]).dice)


def test_everybody_has_a_number_and_many_differ():
    streets = [exercises.my_street(variant(str(n))) for n in range(20)]
    assert len({round(exercises.moved_iou(*street), 4) for street in streets}) > 10
