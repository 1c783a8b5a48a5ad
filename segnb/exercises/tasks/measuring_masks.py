"""The exercises of chapter 2, measuring: count, divide and average, mend scores that run and are wrong, and say how sure one is."""

import torch
import torch.nn.functional as F

from segnb.exercises.engine import Case, Exercise, wrong_answer
from segnb.exercises.kinds import exposes, predicts
from segnb.exercises.tasks.every_pixel import labels, masks_of_val, my_street

VOID = 255


def truth_and_guess(seed, *shape, classes=4, void=0.2):
    """A mask with void, and a guess without any that agrees with about two thirds of it."""
    truth = labels(seed, *shape, classes=classes, void=void)
    generator = torch.Generator().manual_seed(seed + 1000)
    noise = torch.randint(classes, shape, generator=generator)
    keep = (truth != VOID) & (torch.rand(shape, generator=generator) < 0.6)
    return truth, truth.where(keep, noise)


def some_matrices(seed, count, classes=4, absent=(), invented=()):
    """The confusion matrices of small pictures; no pixel is of a class in `absent` or `invented`, the latter are called."""
    matrices = torch.stack(
        [count_pairs(*truth_and_guess(seed + 7 * n, 4, 5 + 3 * n, classes=classes), classes) for n in range(count)]
    )  # fmt: skip
    for k in absent:
        matrices[:, k], matrices[:, :, k] = 0, 0
    for k in invented:
        matrices[:, k], matrices[:, 0, k] = 0, 2
    return matrices


# ------------------------------------------------------------------------------------------ count_pairs


def count_pairs(truth, guess, num_classes):
    known = truth != 255
    pairs = num_classes * truth[known] + guess[known]
    counts = torch.bincount(pairs, minlength=num_classes**2)
    return counts.view(num_classes, num_classes)


def void_as_last(truth, guess, num_classes):
    truth = truth.clamp(max=num_classes - 1)
    return torch.bincount((num_classes * truth + guess).flatten(), minlength=num_classes**2).view(
        num_classes, num_classes
    )


def shares_of_rows(truth, guess, num_classes):
    counts = count_pairs(truth, guess, num_classes)
    return counts / counts.sum(1, keepdim=True).clamp(min=1)


def squeezed_counts(truth, guess, num_classes):
    """Without minlength: as many rows as the largest class needs."""
    known = truth != VOID
    k = int(max(truth[known].max(), guess[known].max())) + 1
    return count_pairs(truth, guess, k)


COUNT_PAIRS = Exercise(
    count_pairs,
    exact=True, points=2, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "six pixels of three classes, by hand",
            (torch.tensor([[0, 0, 1], [2, 2, 2]]), torch.tensor([[0, 1, 1], [2, 2, 0]]), 3),
            "Class 0 was called 0 and 1 once each, class 1 was called 1, class 2 was called 2 twice and 0 once.",
        ),
        Case(
            "void is counted nowhere",
            (torch.tensor([[0, 255], [1, 255]]), torch.tensor([[0, 1], [0, 0]]), 2),
            "Two pixels of the truth are void: only the other two count.",
        ),
        Case(
            "a class that never occurs has its row and column all the same",
            (torch.tensor([[0, 1]]), torch.tensor([[1, 1]]), 4),
            "With num_classes = 4 the result is 4×4, whatever the masks hold.",
        ),
        Case("two pictures at once", lambda seed: (*truth_and_guess(seed, 2, 6, 7), 4)),
        Case("twenty classes", lambda seed: (*truth_and_guess(seed, 3, 9, 7, classes=20), 20), "20·19 + 19 does not fit into a byte."),
        Case("more than 255 pixels of one pair", (torch.zeros(20, 17, dtype=torch.int64), torch.zeros(20, 17, dtype=torch.int64), 2)),
    ),
    mistakes={
        lambda truth, guess, num_classes: count_pairs(truth, guess, num_classes).T.clone(): "All counts are there, lying on their side: rows belong to the truth, columns to the guess.",
        void_as_last: "Void was counted as the last class. Take the pixels out where the truth is 255, before you count.",
        lambda truth, guess, num_classes: torch.zeros(num_classes, num_classes, dtype=torch.int64).index_put((truth[truth != VOID], guess[truth != VOID]), torch.tensor(1)): "Every pair that occurs is counted once. table[t, g] += 1 with whole tensors adds 1 to each place once, however often it is named.",
        shares_of_rows: "You divide each row by its sum. Counts are wanted: only counts of many pictures can be added.",
        squeezed_counts: "The table has no room for classes that do not occur here. Give bincount a minlength of num_classes².",
    },
    hints=(
        "Leave out the pixels where truth == 255. Each of the others is a pair (t, g): how often does each pair occur?",
        "num_classes * t + g is a number of its own for every pair; torch.bincount counts numbers.",
        "torch.bincount(num_classes * truth[known] + guess[known], minlength=num_classes**2).view(num_classes, num_classes)",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------- class_iou


def class_iou(matrix):
    right = matrix.diagonal().double()
    return right / (matrix.sum(0) + matrix.sum(1) - right)


def iou_by(formula):
    """A wrong answer: another formula of right, true and called."""

    def measured(matrix):
        return formula(matrix.diagonal().double(), matrix.sum(1).double(), matrix.sum(0).double())

    return measured


CLASS_IOU = Exercise(
    class_iou,
    points=2, minutes=6, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "two classes, by hand",
            (torch.tensor([[6, 2], [1, 3]]),),
            "Class 0: 6 shared, 8 true, 7 called, so 6 / (8 + 7 − 6) = 0.667. Class 1: 3 / (4 + 5 − 3) = 0.5.",
        ),
        Case(
            "a class that is nowhere is NaN",
            (torch.tensor([[4, 0, 1], [0, 0, 0], [2, 0, 3]]),),
            "Class 1 has no row and no column: 0 / 0 is NaN, and says that there is nothing to measure.",
        ),
        Case(
            "a class that is only invented gets 0",
            (torch.tensor([[4, 1], [0, 0]]),),
            "Nobody is of class 1, and one pixel was called so: the union is 1, and the overlap 0.",
        ),
        Case("a matrix of four classes", lambda seed: (some_matrices(seed, 1)[0],)),
    ),
    mistakes={
        iou_by(lambda right, true, called: right / true): "You divide by the row: that is class accuracy, and it does not see what was called wrongly. The union has the column too.",
        iou_by(lambda right, true, called: right / called): "You divide by the column: that is precision, and it does not see what was missed. The union has the row too.",
        iou_by(lambda right, true, called: right / (true + called)): "Row plus column counts the shared pixels twice: take the diagonal off once.",
        iou_by(lambda right, true, called: 2 * right / (true + called)): "This is Dice: twice the overlap over the sum of both. IoU divides the overlap by the union.",
        iou_by(lambda right, true, called: (right / (true + called - right)).where(true > 0, torch.nan)): "A class that was only invented is NaN in yours. Its union is not empty: its IoU is 0.",
        iou_by(lambda right, true, called: (right / (true + called - right)).nan_to_num(0)): "A class that is nowhere got 0, as if it had been missed. Leave the NaN that 0 / 0 gives.",
        iou_by(lambda right, true, called: (right / (true + called - right)).nan_to_num(1)): "A class that is nowhere got 1, as if it had been found. Leave the NaN that 0 / 0 gives.",
        iou_by(lambda right, true, called: (right / (true + called - right)).nanmean()): "This is the mean over the classes. One number for each class is wanted.",
    },
    hints=(
        "Three numbers for each class: what is right (the diagonal), what is true (its row), what was called so (its column).",
        "The union is true + called − right: what is right stands in both.",
        "right = matrix.diagonal().double(); right / (matrix.sum(1) + matrix.sum(0) - right)",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------- mended_accuracy


def mended_accuracy(guess, truth):
    return (guess == truth)[truth != 255].double().mean()


MENDED_ACCURACY = Exercise(
    mended_accuracy,
    points=1, minutes=5, difficulty=1, importance=4,
    cases=(
        Case(
            "one of three labelled pixels is wrong, one is void",
            (torch.tensor([[0, 1], [1, 2]]), torch.tensor([[0, 1], [2, 255]])),
            "Three pixels have a label and two of them are right: 2/3.",
        ),
        Case(
            "without void",
            lambda seed: truth_and_guess(seed, 4, 5, void=0)[::-1],
            "No void here: the share of equal pixels.",
        ),
        Case("much void", lambda seed: truth_and_guess(seed, 6, 8, void=0.5)[::-1]),
    ),
    mistakes={
        lambda guess, truth: (guess == truth).double().mean(): "Void still counts as wrong: a guess is never 255. Take these pixels out above and below the line.",
        lambda guess, truth: ((guess == truth) | (truth == VOID)).double().mean(): "Now void counts as right. It is neither: take these pixels out above and below the line.",
        lambda guess, truth: (guess == truth)[truth != VOID].double().sum(): "This is how many pixels are right. Divide by the number of pixels that have a label.",
        lambda guess, truth: 1 - mended_accuracy(guess, truth): "This is the share that is wrong.",
    },
    hints=(
        "Which pixels may count at all? Where the truth is not 255.",
        "(guess == truth)[truth != 255] are the answers that count.",
        "(guess == truth)[truth != 255].double().mean()",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------- mended_mean_iou


def mended_mean_iou(matrices):
    total = matrices.sum(0)
    right = total.diagonal().double()
    return (right / (total.sum(0) + total.sum(1) - right)).nanmean()


def mean_of_batches(matrices):
    return torch.stack([class_iou(matrix).nanmean() for matrix in matrices]).mean()


MENDED_MEAN_IOU = Exercise(
    mended_mean_iou,
    points=2, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "two batches of two classes, by hand",
            (torch.tensor([[[8, 0], [1, 1]], [[2, 2], [0, 6]]]),),
            "Added up: 10, 2, 1 and 7. IoUs 10/13 and 7/10, mean 0.735.",
        ),
        Case(
            "a class that is absent everywhere",
            lambda seed: (some_matrices(seed, 3, absent=(2,)),),
            "Three classes are there; their mean is wanted.",
        ),
        Case(
            "a class that is only invented, and one that is never found",
            (torch.tensor([[[5, 2, 0], [0, 0, 0], [3, 0, 0]], [[1, 1, 0], [0, 0, 0], [0, 0, 0]]]),),
            "An IoU of 0 is a score: it counts in the mean. Only what is nowhere is left out.",
        ),
        Case("one batch", lambda seed: (some_matrices(seed, 1),)),
        Case("five batches of growing pictures", lambda seed: (some_matrices(seed, 5),)),
    ),
    mistakes={
        lambda matrices: torch.stack([class_iou(m).nan_to_num(0).mean() for m in matrices]).mean(): "Both faults are still there: a mean of the batches' means, in which absent classes count as 0.",
        mean_of_batches: "Absent classes are left out now. But you still divide batch by batch: add up the matrices first, then divide once.",
        lambda matrices: torch.stack([class_iou(m) for m in matrices]).nanmean(0).nanmean(): "You divide batch by batch and then average each class. A batch with one pixel of it counts as much as one full of it: add up the matrices first.",
        lambda matrices: class_iou(matrices.sum(0))[matrices.sum((0, 2)) > 0].mean(): "A class that was only invented is left out. Its IoU is 0, and it counts: only what is neither true nor called is left out.",
        lambda matrices: class_iou(matrices.sum(0))[matrices.sum(0).diagonal() > 0].mean(): "Classes with an IoU of 0 are left out, and so a net is rewarded for never finding them. Only what is nowhere is left out.",
        lambda matrices: class_iou(matrices.sum(0)).nan_to_num(0).mean(): "You add up first, as one should. A class that is nowhere still counts as 0: leave it out with nanmean.",
        lambda matrices: class_iou(matrices.sum(0)).nan_to_num(1).mean(): "You add up first, as one should. A class that is nowhere counts as 1 now: leave it out with nanmean.",
    },
    hints=(
        "Counts can be added, quotients cannot. When do you divide?",
        "matrices.sum(0) is the matrix of the whole set. Take the IoU of each class from it.",
        "total = matrices.sum(0); right = total.diagonal().double(); (right / (total.sum(0) + total.sum(1) - right)).nanmean()",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------- mean_dice


def mean_dice(ious):
    return (2 * ious / (1 + ious)).nanmean()


def of_the_mean(ious):
    mean = ious.nanmean()
    return 2 * mean / (1 + mean)


MEAN_DICE = Exercise(
    mean_dice,
    points=1, minutes=5, difficulty=1, importance=3,
    cases=(
        Case(
            "IoUs of 1 and 0.5",
            (torch.tensor([1.0, 0.5], dtype=torch.float64),),
            "Dice is 1 for the first class and 2·0.5/1.5 = 0.667 for the second: mean 0.833.",
        ),
        Case(
            "a class that was never found counts as 0",
            (torch.tensor([0.0, 0.5, float("nan"), 1.0], dtype=torch.float64),),
            "An IoU of 0 is a Dice of 0, and it is one of the three that count.",
        ),
        Case(
            "an absent class is left out",
            (torch.tensor([0.2, float("nan"), 0.8], dtype=torch.float64),),
            "NaN is no number to be averaged: two classes are left.",
        ),
        Case(
            "six classes",
            lambda seed: (torch.rand(6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64),),
        ),
    ),
    mistakes={
        of_the_mean: "You turn the mean IoU into Dice. The curve between the two is bent: turn each class first, then take the mean.",
        lambda ious: (2 * ious / (1 + ious)).nan_to_num(0).mean(): "The absent class counts as 0. Leave it out with nanmean.",
        lambda ious: (ious / (2 - ious)).nanmean(): "This is the way back, from Dice to IoU. Dice is the larger of the two: 2·J / (1 + J).",
        lambda ious: (2 * ious / (1 + ious))[ious > 0].mean(): "Classes with 0 are left out, and so a net is rewarded for never finding them. Only NaN is left out.",
        lambda ious: ious.nanmean(): "This is the mean IoU itself.",
    },
    hints=(
        "Each class has a Dice of its own.",
        "2 * ious / (1 + ious) turns all classes at once.",
        "(2 * ious / (1 + ious)).nanmean()",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------- outline


def outline(region):
    inside = region.clone()
    inside[1:] &= region[:-1]
    inside[:-1] &= region[1:]
    inside[:, 1:] &= region[:, :-1]
    inside[:, :-1] &= region[:, 1:]
    return region & ~inside


def outline_by(footprint, border):
    """An outline by erosion with another neighbourhood, or another opinion of what lies beyond the picture."""

    def eroded(region):
        from scipy.ndimage import binary_erosion, generate_binary_structure

        structure = generate_binary_structure(2, footprint)
        return region & ~torch.from_numpy(
            binary_erosion(region.numpy(), structure=structure, border_value=border)
        )

    return eroded


def outside(region):
    from scipy.ndimage import binary_dilation

    return torch.from_numpy(binary_dilation(region.numpy())) & ~region


def blob(seed):
    generator = torch.Generator().manual_seed(seed)
    region = torch.zeros(9, 11, dtype=torch.bool)
    top, left = (int(n) for n in torch.randint(3, (2,), generator=generator))
    region[top : top + 5, left : left + 6] = True
    region[top + 3 :, left + 4 :] = True
    return (region,)


OUTLINE = Exercise(
    outline,
    points=2, minutes=10, difficulty=3, importance=2,
    cases=(
        Case(
            "a square of 3×3 in the middle of 5×5: all but its middle pixel",
            (F.pad(torch.ones(3, 3), (1, 1, 1, 1)).bool(),),
            "The eight pixels round the middle touch something else, and the middle does not.",
        ),
        Case(
            "the edge of the picture is no outline",
            (torch.tensor([[1, 1, 0], [1, 1, 0], [1, 1, 0]]).bool(),),
            "Only the second column touches pixels outside the region. The first touches the edge, where nothing is known.",
        ),
        Case("an L-shaped region", blob),
        Case("two regions that touch across a corner, and a hole", (torch.tensor([[1, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 0, 1], [0, 0, 0, 1, 1]]).bool(),)),
        Case("everything is region: nothing is outline", (torch.ones(3, 5).bool(),)),
        Case("a region that fills the picture has none", (torch.ones(3, 4, dtype=torch.bool),)),
    ),
    mistakes={
        outline_by(1, 0): "You take the picture's edge for an outline. What lies beyond it is unknown: only neighbours inside the picture count.",
        outline_by(2, 1): "You count neighbours across corners too. Only the four that share a side make an outline here.",
        lambda region: region & ~(region & region.roll(1, 0) & region.roll(-1, 0) & region.roll(1, 1) & region.roll(-1, 1)): "roll goes round the edge: what leaves on the right comes in on the left. The edge's neighbours are unknown, not on the other side.",
        lambda region: region & ~F.pad(region[None].float(), (1, 1), mode="replicate")[0].unfold(1, 3, 1).bool().all(2): "You look left and right only. A neighbour above or below counts too.",
        outside: "These are the pixels just outside the region. Its own pixels along the border are wanted.",
        lambda region: region & ~outline(region): "This is the inside, what is left without the outline.",
    },
    hints=(
        "A pixel of the region belongs to the outline if one of its four neighbours does not belong to the region.",
        "region[1:] and region[:-1] are the same picture moved by one row: compare them. Mind the rows at the picture's edge.",
        "inside = region.clone(); inside[1:] &= region[:-1]; inside[:-1] &= region[1:]; the same with columns; region & ~inside",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------------- interval


def interval(matrices, draws):
    scores = []
    for draw in draws:
        total = matrices[draw].sum(0)
        right = total.diagonal().double()
        scores.append((right / (total.sum(0) + total.sum(1) - right)).nanmean())
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    return torch.quantile(torch.stack(scores), ends)


def interval_by(score=mended_mean_iou, ends=(0.025, 0.975)):
    def measured(matrices, draws):
        scores = torch.stack([score(matrices[draw]) for draw in draws])
        return torch.quantile(scores, torch.tensor(ends, dtype=torch.float64))

    return measured


def one_set(matrices, draws):
    scores = class_ious(matrices).nanmean(1)
    return torch.quantile(scores, torch.tensor([0.025, 0.975], dtype=torch.float64))


def class_ious(matrices):
    return torch.stack([class_iou(matrix) for matrix in matrices])


def two_deviations(matrices, draws):
    scores = torch.stack([mended_mean_iou(matrices[draw]) for draw in draws])
    return torch.stack(
        [scores.mean() - 2 * scores.std(correction=0), scores.mean() + 2 * scores.std(correction=0)]
    )


def without_return(seed, count, rounds):
    """Matrices and draws of indices, with some drawn twice."""
    generator = torch.Generator().manual_seed(seed)
    return some_matrices(seed, count), torch.randint(count, (rounds, count), generator=generator)


INTERVAL = Exercise(
    interval,
    points=3, minutes=12, difficulty=3, importance=4,
    cases=(
        Case(
            "two pictures, three draws, by hand",
            (torch.tensor([[[4, 0], [0, 4]], [[2, 2], [2, 2]]]), torch.tensor([[0, 0], [0, 1], [1, 1]])),
            "The three sets have mean IoUs of 1, 0.6 and 0.333. The quantiles 2.5 % and 97.5 % lie a little inside the ends.",
        ),
        Case(
            "one draw of everything: both ends are the score of the set",
            lambda seed: (some_matrices(seed, 4), torch.arange(4)[None]),
        ),
        Case(
            "a class that is absent, and one that is only invented",
            lambda seed: (some_matrices(seed, 5, classes=5, absent=(1,), invented=(3,)), without_return(seed, 5, 30)[1]),
            "In each draw only what is neither true nor called is left out of the mean.",
        ),
        Case("six pictures, forty draws", lambda seed: without_return(seed, 6, 40)),
    ),
    mistakes={
        interval_by(mean_of_batches): "You average the pictures' own mean IoUs. Add up the matrices of each draw first, and divide once.",
        interval_by(ends=(0.05, 0.95)): "Between 5 % and 95 % lie nine tenths of the draws. For 95 in a hundred leave 2.5 % out on each side.",
        interval_by(ends=(0.0, 1.0)): "These are the smallest and the largest draw: they move further apart with every draw. Leave 2.5 % out on each side.",
        lambda matrices, draws: interval(matrices, [draw.unique() for draw in draws]): "A picture that was drawn twice counts once in yours. matrices[draw] has it twice.",
        lambda matrices, draws: torch.quantile(class_ious(matrices).nanmean(1)[draws].mean(1), torch.tensor([0.025, 0.975], dtype=torch.float64)): "You average the pictures' own mean IoUs. Add up the matrices of each draw first, and divide once.",
        interval_by(lambda m: class_iou(m.sum(0))[m.sum((0, 2)) > 0].mean()): "A class that was only invented is left out of your means. Its IoU is 0, and it counts.",
        one_set: "You take quantiles of single pictures' scores. How sure we are of the whole set is another question: a score for each draw.",
        two_deviations: "Mean and two deviations is a good guess if the draws lie evenly round their mean. Quantiles need no such wish.",
    },
    hints=(
        "Each row of `draws` makes a set: matrices[draw]. What is its mean IoU?",
        "Collect one mean IoU for each draw, by adding matrices up first, then torch.quantile(scores, ...).",
        "torch.quantile(torch.stack([mean_iou_of(matrices[draw].sum(0)) for draw in draws]), torch.tensor([0.025, 0.975], dtype=torch.float64))",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------------- moved_iou


def moved_iou(number, left):
    from segnb.data import load

    truth = load("street", "val")[number][1][:, left:]
    guess, known = truth.roll(1, 1), truth != 255
    both, either = (guess == 1) & (truth == 1), (guess == 1) | (truth == 1)
    return (both[known].sum() / either[known].sum()).item()


MOVED_IOU = Exercise(
    moved_iou,
    literal=True, tolerance=5e-4, minutes=6, difficulty=2, importance=2,
    cases=(
        Case(
            "the IoU of the buildings of your own street, moved by one pixel",
            my_street,
            "Shared pixels divided by those of either; void pixels of the truth are left out of both.",
        ),
    ),
    mistakes={
        "both[known].sum() / either[known].sum() → 2 * both[known].sum() / (both[known].sum() + either[known].sum())": "This is Dice, or the share of building pixels that were found (the two are nearly the same here, since moving leaves the size). IoU divides the shared pixels by the union.",
        "(both[known].sum() / either[known].sum()) → (guess == truth)[known].double().mean()": "This is the pixel accuracy, over all classes. The IoU of one class is wanted: building, number 1.",
        "[:, left:] → ": "This is the IoU of the whole street. Cut its first columns off, mask[:, left:], and then move what is left.",
        "roll(1, 1) → roll(2, 1)": "This is the IoU after two pixels. Move the mask by one.",
    },
    hints=(
        "mask.roll(1, 1) moves a mask by one pixel to the right. Building is class 1.",
        "both = (guess == 1) & (truth == 1), either = (guess == 1) | (truth == 1), and both only where truth != 255.",
        "(both[known].sum() / either[known].sum()).item(), with known = truth != 255",
    ),
)  # fmt: skip

EXERCISES = [
    COUNT_PAIRS,
    CLASS_IOU,
    MENDED_ACCURACY,
    MENDED_MEAN_IOU,
    MEAN_DICE,
    OUTLINE,
    INTERVAL,
    MOVED_IOU,
]

# ------------------------------------------------------------------------------------------- edge_tests


def edge_f1(guess, truth, near):
    """How well two outlines agree, 0..1: what lies at most `near` pixels from the other one counts as found."""
    edges = [outline(region).nonzero().double() for region in (guess, truth)]
    apart = (edges[0][:, None] - edges[1]).norm(dim=2)
    precision = (apart.amin(1) <= near).double().mean()
    recall = (apart.amin(0) <= near).double().mean()
    return 2 * precision * recall / (precision + recall).clamp(min=1e-9)


def rim(region):
    """An outline for which the picture's edge is one, too."""
    return outline(F.pad(region, (1, 1, 1, 1)))[1:-1, 1:-1]


EDGES_BROKEN = {
    "version A, for which the picture's edge is an outline": wrong_answer(edge_f1, "outline( → rim("),
    "version B, which asks only how much of the guess is near": wrong_answer(edge_f1, "2 * precision * recall / (precision + recall).clamp(min=1e-9) → precision"),
    "version C, which asks for less than `near`": wrong_answer(edge_f1, "<= near → < near"),
    "version D, which measures to all pixels of the truth": wrong_answer(edge_f1, "outline(region).nonzero().double() for region in (guess, truth) → region.nonzero().double() for region in (outline(guess), truth)"),
    "version E, for which a step across a corner is as short as one along a side": wrong_answer(edge_f1, "norm(dim=2) → abs().amax(2)"),
}  # fmt: skip


def can_be_compared(*inputs):
    """None, or why these are no inputs of `edge_f1` that somebody can check at a glance."""
    if len(inputs) != 3 or not all(isinstance(region, torch.Tensor) for region in inputs[:2]):
        return "it should be a tuple (guess, truth, near): two tensors and a number."
    guess, truth, near = inputs
    if guess.dtype != torch.bool or truth.dtype != torch.bool or guess.ndim != 2:
        return "guess and truth should be boolean maps H×W: end them with .bool()."
    if guess.shape != truth.shape or guess.numel() > 36:
        return "guess and truth should be of one size, and of at most 36 pixels: a test is something one sees through."
    if not isinstance(near, (int, float)) or not 0 <= near <= 6:
        return "near should be a number of pixels from 0 to 6."
    if not outline(guess).any() or not outline(truth).any():
        return "one of the two regions has no outline. It needs a neighbour that does not belong to it."
    return None


def edge_tests():
    half = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0]]).bool()
    thick = F.pad(torch.ones(3, 3), (1, 1, 1, 1)).bool()
    dot = torch.zeros(4, 4).bool()
    dot[1, 1] = True
    at_the_edge, in_the_middle = (half, half.flip(1), 1.5), (thick, thick, 0)
    shares = (dot, dot | dot.roll(1, 1), 0)
    aside, across = dot.roll(1, 1), dot.roll((1, 1), (0, 1))
    return [at_the_edge, shares, (dot, aside, 1), in_the_middle, (dot, across, 1)]


EDGE_TESTS = Exercise(
    edge_tests,
    literal=True, points=3, minutes=12, difficulty=4, importance=3, short=True,
    cases=exposes(edge_f1, EDGES_BROKEN, allowed=can_be_compared),
    hints=(
        "Take each version by itself. What has to be true of two regions for its line to give another number than the right one?",
        "A: a region that touches the picture's edge. B: a guess that is a part of the truth. C: a distance that is exactly near. D: a region with pixels that are no outline. E: a step across a corner, with near = 1.",
        "dot = torch.zeros(4, 4).bool(); dot[1, 1] = True; then (dot, dot.roll(1, 0), 1) finds C, (dot, dot.roll((1, 1), (0, 1)), 1) finds E.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- pole_order

FAULTS = ["fat", "half blind", "moved", "thin"]
BY_POLES, BY_CARS = ["half blind", "fat", "moved", "thin"], ["moved", "fat", "thin", "half blind"]


def four_faults(regions):
    """One region in each of N pictures, N×H×W, spoiled in four ways: name → N×H×W."""
    pixels = regions[:, None].float()
    every_other = regions.clone()
    every_other[::2] = False
    return {
        "fat": F.max_pool2d(pixels, 3, 1, 1)[:, 0] > 0,
        "thin": -F.max_pool2d(-pixels, 3, 1, 1)[:, 0] > 0,
        "moved": regions.roll(1, 2),
        "half blind": every_other,
    }


def pole_order():
    masks = masks_of_val(40)
    truth, known = masks == 2, masks != 255
    scores = {}
    for name, guess in four_faults(truth).items():
        both, either = (guess & truth)[known].sum(), (guess | truth)[known].sum()
        scores[name] = (both / either).item()
    order = sorted(scores, key=lambda name: -scores[name])
    return [["moved", "fat", "thin", "half blind"], order]


POLE_ORDER = Exercise(
    pole_order,
    literal=True, points=2, minutes=8, difficulty=2, importance=4,
    cases=predicts(
        FAULTS,
        measure=lambda: BY_POLES,
        slips={
            tuple(BY_CARS): "This is the order for large things, such as cars. Asked for are poles, class 2.",
            tuple(reversed(BY_POLES)): "Your order begins with the worst. The guess with the highest IoU comes first.",
            ("half blind", "thin", "moved", "fat"): "This is the order by the share of right pixels, which all that is no pole decides. IoU divides what is shared by the union.",
        },
    ),
    hints=(
        "The guess is yours, and any order will do. To measure: for each of the four, shared pixels divided by those of either, over all streets, where the truth is not 255.",
        "truth = masks == 2; for each guess: (guess & truth)[known].sum() / (guess | truth)[known].sum(), with known = masks != 255.",
        "Sort the four names by that number, the largest first: [your guess, that order].",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ mended_curve


def strange_log(masks):
    """What a training wrote down after each of eight epochs: a matrix. Its net saw ever finer, but for one epoch."""
    after = []
    for step in (16, 12, 8, 6, 4, 24, 3, 2):
        small = F.interpolate(masks[:, None].double(), size=(96 // step, 128 // step), mode="nearest-exact")
        guess = F.interpolate(small, size=(96, 128), mode="nearest-exact")[:, 0].long()
        after.append(count_pairs(masks, guess.where(guess != VOID, 3), 11))
    return torch.stack(after).cumsum(0)


def mended_curve(log):
    each = log.diff(dim=0, prepend=torch.zeros_like(log[:1]))
    right = each.diagonal(dim1=1, dim2=2).double()
    union = each.sum(1) + each.sum(2) - right
    return (right / union).nanmean(1)


def scores_of(matrices):
    return class_ious(matrices).nanmean(1)


def logged(seed, epochs, **which):
    return (some_matrices(seed, epochs, **which).cumsum(0),)


def as_if_equal(log):
    """Each epoch's share of a mean is taken out of the scores, as if scores could be subtracted."""
    numbers = torch.arange(1, len(log) + 1)
    return (scores_of(log) * numbers).diff(prepend=torch.zeros(1, dtype=torch.float64))


def taken_apart_twice(log):
    each = log.clone()
    for number in range(1, len(each)):
        each[number] -= each[number - 1]
    return scores_of(each)


MENDED_CURVE = Exercise(
    mended_curve,
    points=2, minutes=9, difficulty=3, importance=5, short=True,
    cases=(
        Case(
            "two epochs of two classes, by hand",
            (torch.tensor([[[2, 2], [2, 2]], [[6, 2], [2, 6]]]),),
            "The second epoch alone counted [[4, 0], [0, 4]]: its mean IoU is 1. That of the first is 1/3.",
        ),
        Case("a log of one epoch is what it says", lambda seed: logged(seed, 1)),
        Case(
            "a class that comes up in the last epoch only",
            (torch.tensor([[[3, 1, 0], [1, 3, 0], [0, 0, 0]], [[6, 1, 0], [1, 6, 0], [0, 1, 1]]]),),
            "In the first epoch class 2 was nowhere and is left out; in the second one of its two pixels was found.",
        ),
        Case(
            "a class that is only invented, and one that is nowhere",
            lambda seed: logged(seed, 4, classes=5, absent=(1,), invented=(3,)),
            "Class 1 is neither in the truth nor in the guess, and is left out. Class 3 is only invented: its IoU is 0, and it counts.",
        ),
        Case("six epochs", lambda seed: logged(seed, 6)),
    ),
    mistakes={
        scores_of: "This is the curve of the log itself. Add up each matrix of the log: how many pixels does the last one hold, and how many the first? (Dividing by the number of epochs changes no quotient.)",
        lambda log: scores_of(log.diff(dim=0)): "One epoch is missing: before the first one nothing was counted, so its matrix is the log's first.",
        as_if_equal: "You take scores apart. A quotient of sums is no mean of quotients: subtract the matrices, then divide.",
        lambda log: scores_of(log - log[:1]).nan_to_num(float(scores_of(log[:1])[0])): "You subtract the first matrix from all others. What the second epoch counted is still in the third: subtract the one before.",
        taken_apart_twice: "Each matrix is subtracted from the next after it has been taken apart itself. Subtract what the log says: go backwards, or keep the log beside your copy.",
        "union).nanmean(1) → union).where(each.sum(2) > 0, torch.nan).nanmean(1)": "The matrices are right. A class that is only invented is somewhere: its IoU is 0, and counts. Only where the union is 0 a class is left out.",
        "nanmean(1) → nan_to_num(0).mean(1)": "The matrices are right. A class that is nowhere in an epoch counts as 0 in yours: leave it out with nanmean.",
        ".nanmean(1) → .nanmean()": "The matrices are right. This is one mean over all epochs: one number for each is wanted.",
    },
    hints=(
        "Look at log.sum((1, 2)): how many pixels has each epoch counted? There is one set of streets.",
        "Each matrix holds all epochs up to its own. What one epoch counted is the difference of two; before the first there was nothing.",
        "each = log.diff(dim=0, prepend=torch.zeros_like(log[:1])); then the mean IoU of each of these matrices",
    ),
)  # fmt: skip

EXERCISES += [EDGE_TESTS, POLE_ORDER, MENDED_CURVE]
