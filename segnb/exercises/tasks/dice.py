"""The exercises of chapter 4, Dice: overlaps to compute, a loss that counts void to mend, tests to write, a net to wake."""

import math

import torch
import torch.nn.functional as F

import segnb.losses
import segnb.models
from segnb.exercises.comparing import differ
from segnb.exercises.engine import Case, Exercise, rand, wrong_answer
from segnb.exercises.kinds import predicts, reaches, result, usable
from segnb.exercises.probes import Budget, Changed, Told
from segnb.exercises.tasks.pictures import logits_and_mask

# ------------------------------------------------------------------------------------------ dice_score


def dice_score(truth, called):
    both, sizes = (truth * called).sum(), truth.sum() + called.sum()
    score = 2 * both / sizes.clamp_min(1)
    return score.where(sizes > 0, 1.0)


def two_masks(seed, height=7, width=9):
    return (rand(seed, height, width) > 0.6).long(), (rand(seed + 50, height, width) > 0.4).long()


DICE_SCORE = Exercise(
    dice_score,
    points=2, minutes=6, difficulty=1, importance=5, short=True,
    cases=(
        Case(
            "four true pixels, three called, two of them right: 4/7 = 0.571",
            (torch.tensor([[1, 1, 1, 1, 0, 0]]), torch.tensor([[0, 0, 1, 1, 1, 0]])),
            "Twice the overlap is 4, the two sizes are 4 and 3.",
        ),
        Case("equal masks: 1", (torch.tensor([[1, 0], [1, 1]]), torch.tensor([[1, 0], [1, 1]]))),
        Case("nothing shared: 0", (torch.tensor([[1, 0, 0]]), torch.tensor([[0, 1, 1]]))),
        Case(
            "something to find and nothing called: 0",
            (torch.tensor([[1, 1, 0]]), torch.tensor([[0, 0, 0]])),
            "Only if both masks are empty there was nothing to get wrong.",
        ),
        Case(
            "nothing to find and something called: 0",
            (torch.tensor([[0, 0, 0]]), torch.tensor([[0, 1, 0]])),
            "Only if both masks are empty there was nothing to get wrong.",
        ),
        Case("two random masks", two_masks),
        Case("two large masks: more than 255 pixels each", lambda seed: two_masks(seed, 31, 40)),
        Case(
            "both empty: 1, for nothing was to be found and nothing was invented",
            (torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.int64)),
            "Nothing was to be found and nothing was found: that is perfect, and 0/0 as a formula.",
        ),
    ),
    mistakes={
        "2 * both / sizes.clamp_min(1) → both / (sizes - both).clamp_min(1)": "This is the IoU: the overlap divided by the union. Dice is twice the overlap, divided by the sum of the two sizes.",
        "2 * both → both": "Equal masks come out at a half: the overlap is counted twice, since it lies in both sizes.",
        "2 * both / sizes → both / truth.sum()": "This is the recall: how much of the truth was found. What was invented does not count in it.",
        "2 * both / sizes → both / called.sum()": "This is the precision: how much of what was called is true. What was missed does not count in it.",
        ("2 * both / → 1 - 2 * both /", "1.0) → 0.0)"): "This is one minus the score: the loss. Equal masks should give 1.",
        "1.0) → 0.0)": "All is well but for two empty masks. Nothing was to be found and nothing was found: that is perfect, so 1.",
        "sizes > 0, 1.0) → (truth.sum() > 0) & (called.sum() > 0), 1.0)": "One empty mask is not two: where only one is empty, nothing is shared, and the score is 0.",
        "sizes > 0, 1.0) → truth.sum() > 0, 1.0)": "Where nothing is to be found and something is called, all of it is invented: the score is 0. Only two empty masks are equal.",
        "sizes > 0, 1.0) → called.sum() > 0, 1.0)": "Where something is to be found and nothing is called, all of it is missed: the score is 0. Only two empty masks are equal.",
        lambda truth, called: (truth == called).float().mean(): "This is the accuracy: the empty ground counts in it. Dice looks at what is 1 in either mask.",
        lambda truth, called: (dice_score(truth, called) + dice_score(1 - truth, 1 - called)) / 2: "This is the mean over foreground and background. Only what is 1 counts here.",
    },
    hints=(
        "For masks of 0 and 1 the overlap is (truth * called).sum().",
        "2 · overlap / (truth.sum() + called.sum()). And if both sums are 0?",
        "torch.where(sizes > 0, 2 * both / sizes.clamp_min(1), torch.tensor(1.0))",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------- soft_dice_loss


def soft_dice_loss(logits, mask):
    p = logits.softmax(1)
    g = F.one_hot(mask, logits.shape[1]).movedim(-1, 1)
    true = g.sum((0, 2, 3))
    score = 2 * (p * g).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + true)
    return 1 - score[true > 0].mean()


SOFT_DICE_LOSS = Exercise(
    soft_dice_loss,
    points=3, minutes=12, difficulty=3, importance=5, short=True, gradient=("logits",),
    cases=(
        Case(
            "two pixels, probabilities of a half: 0.5",
            (torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 1]]])),
            "For each class 2 · 0.5 / (1 + 1) = 0.5.",
        ),
        Case(
            "a rare class that is missed: its score is a half of the mean",
            (
                torch.tensor([9.0, -9.0]).reshape(1, 2, 1, 1).repeat(1, 1, 4, 5),
                torch.eye(20)[0].reshape(1, 4, 5).long(),
            ),
            "Background scores 2·19/(20 + 19) = 0.974, the rare class 0, so the loss is 0.513.",
        ),
        Case("two images, three classes", lambda seed: logits_and_mask(seed, 2, 3), "Each sum runs over all pixels of both images."),
        Case(
            "two classes that are not there are left out of the mean",
            lambda seed: logits_and_mask(seed, 3, 5, absent=(0, 3)),
            "Classes without a pixel in `mask` should not be in the mean.",
        ),
        Case("twenty classes", lambda seed: logits_and_mask(seed, 2, 20)),
    ),
    mistakes={
        "(0, 2, 3) → (0, 1, 2, 3)": "All classes are in one sum. Then Σp is the number of pixels whatever the net says, and no balance is left. Sum over dims 0, 2, 3 and take the mean over the classes.",
        "return 1 - → return": "This is the score, which a training would make small. The loss is one minus it.",
        "logits.softmax(1) → logits": "You take the Dice of logits. They may be negative, and then the score leaves 0..1: softmax first.",
        "[true > 0] → ": "Classes that are not in `mask` are counted, as missed. Take the mean over the classes that occur.",
        "softmax(1) → sigmoid()": "A sigmoid treats each class alone. The classes exclude each other: softmax along dim 1.",
        "(0, 2, 3) → (2, 3)": "You sum over each picture and then take the mean. Here the sums run over the whole batch: over dims 0, 2 and 3.",
        "2 * (p → (p": "The factor 2 is missing: a perfect prediction should cost 0.",
        "(p.sum( → (p.square().sum(": "You square p below the line. V-Net's loss does; the one asked for has Σp + Σg.",
        ("2 * (p * g).sum((0, 2, 3)) → (2 * (p * g).sum((0, 2, 3)) + 1)", "+ true) → + true + 1)"): "You add 1 above and below the line. Then a class that is missed does not score 0: leave the plain quotient.",
        "[true > 0].mean() → [1:][true[1:] > 0].mean()": "Class 0 is left out. It is a class like the others, where it occurs.",
        "F.one_hot(mask, logits.shape[1]).movedim(-1, 1) → F.one_hot(mask, logits.shape[1]).reshape(logits.shape)": "one_hot puts the classes last; a reshape to the logits' shape mixes up pixels and classes. movedim(-1, 1) moves them.",
    },
    hints=(
        "Softmax along dim 1; the truth as 0 and 1 in the same shape; then three sums for each class.",
        "g = F.one_hot(mask, K).movedim(-1, 1). The sums over dims (0, 2, 3) leave one number for each class.",
        "score = 2 * (p * g).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + g.sum((0, 2, 3))), then 1 minus its mean where g.sum((0, 2, 3)) > 0.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- dice_pull


def dice_pull(p, g):
    both, sizes = (p * g).sum(), p.sum() + g.sum()
    return 2 * g / sizes - 2 * both / sizes**2


DICE_PULL = Exercise(
    dice_pull,
    forbidden=("torch.autograd.backward", "torch.autograd.grad", "torch.func.grad"),
    points=2, minutes=10, difficulty=3, importance=3,
    cases=(
        Case(
            "one true pixel of two, p = 0.5 on both: 0.75 on the true one, −0.25 on the other",
            (torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]])),
            "U = 2 and I = 0.5: 2/2 − 2·0.5/4 = 0.75, and 0 − 2·0.5/4 = −0.25.",
        ),
        Case("a map of 5×7 pixels", lambda seed: (rand(seed, 5, 7), (rand(seed + 50, 5, 7) > 0.7).float())),
        Case("no foreground: no pull at all", (torch.full((2, 3), 0.3), torch.zeros(2, 3))),
    ),
    mistakes={
        " - 2 * both / sizes**2 → ": "Only the true pixels pull here. p also stands below the line: the second term of the quotient rule is missing.",
        "return 2 * g / sizes - 2 * both / sizes**2 → return 2 * both / sizes**2 - 2 * g / sizes": "This is the gradient of the loss, 1 − D. The score's has the other sign.",
        "sizes**2 → sizes": "In the second term the sum below the line is squared.",
        ("2 * g → g", "2 * both → both"): "Everything is half as large as it should be: the score has a 2 above the line.",
        ".sum() → .mean()": "These are means. The gradient of D by one p has sums in it: each pixel's share falls with the number of pixels.",
    },
    hints=(
        "The quotient rule: (above/below)′ = above′/below − above·below′/below².",
        "Above the line stands 2Σpg, whose slope by one p is 2g. Below stands Σp + Σg, whose slope is 1.",
        "2 * g / sizes - 2 * both / sizes**2",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------- mean_as_iou


def mean_as_iou(scores):
    return (scores / (2 - scores)).mean()


MEAN_AS_IOU = Exercise(
    mean_as_iou,
    minutes=5, difficulty=1, importance=3,
    cases=(
        Case("one Dice of 0.8: two thirds", (torch.tensor([0.8]),), "J = D/(2 − D) = 0.8/1.2."),
        Case("a Dice of 1 and one of 0: a half", (torch.tensor([1.0, 0.0]),), "Their IoU are 1 and 0, whose mean is a half."),
        Case("eleven classes", lambda seed: (rand(seed, 11),)),
    ),
    mistakes={
        lambda scores: scores.mean() / (2 - scores.mean()): "You convert the mean. A mean of Dice does not convert: turn each score into an IoU first, then average.",
        "scores / (2 - scores) → 2 * scores / (1 + scores)": "This goes from IoU to Dice. The way back is J = D/(2 − D).",
        "(scores / (2 - scores)) → scores": "This is the mean Dice as it came. Turn each score into an IoU first.",
        "(2 - scores) → 2": "Half the Dice is not the IoU: a perfect 1 must stay 1.",
        "(scores / (2 - scores)) → (scores / (2 - scores))[scores > 0]": "A class with a Dice of 0 has an IoU of 0, and counts in the mean like any other.",
    },
    hints=(
        "From D = 2J/(1 + J), what is J?",
        "J = D/(2 − D), for each class on its own.",
        "(scores / (2 - scores)).mean()",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- mended_dice


def mended_dice(logits, mask):
    known = mask != 255
    own = mask.where(known, 0)
    p = logits.softmax(1) * known[:, None]
    g = F.one_hot(own, logits.shape[1]).movedim(-1, 1) * known[:, None]
    score = 2 * (p * g).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + g.sum((0, 2, 3)))
    return 1 - score.mean()


MENDED_DICE = Exercise(
    mended_dice,
    points=3, minutes=10, difficulty=3, importance=5, short=True, gradient=("logits",),
    cases=(
        Case(
            "three pixels, one of them void: as if there were two",
            (torch.tensor([[4.0, -4.0, -4.0], [-4.0, 4.0, 4.0]]).reshape(1, 2, 1, 3), torch.tensor([[[0, 1, 255]]])),
            "The two labelled pixels are right and sure, so the loss is nearly 0.",
        ),
        Case("two images, one with far more void; the mask is left as it was", lambda seed: logits_and_mask(seed, 2, 3, void=0.3), "Each sum runs over the labelled pixels of both images."),
        Case("three images of 20 classes", lambda seed: logits_and_mask(seed, 3, 20, void=0.2)),
        Case("no void at all", lambda seed: logits_and_mask(seed, 2, 3)),
    ),
    mistakes={
        "logits.softmax(1) * known[:, None] → logits.softmax(1)": "The void pixels are out of the overlap and of the truth, and still in Σp: a net that says anything there is punished.",
        " * known[:, None] → ": "The void pixels are counted as class 0, in all three sums. A stand-in keeps one_hot happy; after it, take these pixels out.",
        "movedim(-1, 1) * known[:, None] → movedim(-1, 1)": "The void pixels are still in Σg, as pixels of class 0 that cannot be found.",
        "return 1 - → return": "This is the score; the loss is one minus it.",
        "logits.softmax(1) * known[:, None] → (logits * known[:, None]).softmax(1)": "Logits of 0 are no way out: their softmax gives every class a share, and it is in Σp. Multiply after the softmax.",
        "(0, 2, 3) → (2, 3)": "You sum over each picture and then take the mean. Here the sums run over the whole batch: over dims 0, 2 and 3.",
        "(0, 2, 3) → (0, 1, 2, 3)": "All classes are in one sum, and no balance between them is left. Sum over dims 0, 2, 3 and take the mean over the classes.",
    },
    hints=(
        "There are three sums. In which of them do void pixels take part?",
        "known = (mask != 255)[:, None] is 1 on the labelled pixels. Multiply p and g by it, before any sum.",
        "own = mask.where(mask != 255, 0) is a new tensor, so the mask itself stays as it was. Then p = logits.softmax(1) * known, and g likewise.",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------- start_bias


def start_bias(mask):
    known = mask != 255
    share = ((mask == 1) & known).sum() / known.sum()
    return torch.log(share / (1 - share))


START_BIAS = Exercise(
    start_bias,
    points=2, minutes=6, difficulty=2, importance=4,
    cases=(
        Case("half of the pixels: 0", (torch.tensor([[0, 1], [1, 0]]),), "With logits 0 and 0 both classes get a half."),
        Case(
            "one pixel in ten: −2.197",
            (torch.tensor([[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]),),
            "log(0.1/0.9) = −2.197: against a 0 it gives the foreground 0.1.",
        ),
        Case(
            "void pixels do not count",
            lambda seed: ((rand(seed, 8, 9) > 0.8).long().where(rand(seed + 50, 8, 9) < 0.7, 255),),
            "The share is that of the labelled pixels.",
        ),
    ),
    mistakes={
        "share / (1 - share) → share": "This is log p. Beside a background logit of 0 the odds count: p/(1 − p).",
        "share / (1 - share) → (1 - share) / share": "The sign is turned round: a rare class starts below zero.",
        "torch.log(share / (1 - share)) → share / (1 - share)": "These are the odds. Their logarithm is the logit.",
        "known.sum() → known.numel()": "The void pixels are counted as background. Leave them out of the share.",
        "1 - share)) → 1 - share)) / 2": "Half of it would do if the background's logit went down by as much. It stays 0: the whole difference is yours.",
    },
    hints=(
        "Which share of the labelled pixels is foreground? Call it p.",
        "Softmax of the logits 0 and b gives the foreground e^b/(1 + e^b). For which b is that p?",
        "torch.log(p / (1 - p))",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ pull_ratio


def pull_ratio():
    p, g = torch.full((100, 100), 0.01), torch.zeros(100, 100)
    g[:10, :10] = 1
    pull = dice_pull(p, g)
    return round(abs(pull[0, 0] / pull[-1, -1]).item())


PULL_RATIO = Exercise(
    pull_ratio,
    literal=True, minutes=5, difficulty=2, importance=2,
    cases=(Case("the ratio of the two pulls", (), "Compute both pulls with dice_pull and divide one by the other."),),
    mistakes={
        101: "101 belongs to p = 0.5. Here the net says 0.01 everywhere.",
        1: "Equal pulls are what cross-entropy has at p = 0.5. Dice's are not equal: is `g` 1 on the 100 foreground pixels alone?",
        100: "There are 99 background pixels for each foreground pixel, but that alone is not the ratio.",
        -199: "The size is right; asked for is the ratio of the strengths, without the sign.",
        99: "That is how many background pixels there are for one of the foreground. The ratio of the pulls is larger.",
    },
    hints=(
        "Make p and g with torch.full and torch.zeros, and use dice_pull.",
        "The pull on a foreground pixel is 2/U − 2I/U², on a background pixel −2I/U², with U = 200 and I = 1.",
        "(2/U − 2I/U²) / (2I/U²) = U/I − 1.",
    ),
)  # fmt: skip

EXERCISES = [DICE_SCORE, SOFT_DICE_LOSS, DICE_PULL, MEAN_AS_IOU, MENDED_DICE, START_BIAS, PULL_RATIO]

# ------------------------------------------------------------------------------------------- dice_tests


def five_dice(logits, mask):
    known = (mask != 255)[:, None]
    g = F.one_hot(mask.where(mask != 255, 0), logits.shape[1]).movedim(-1, 1) * known
    p = logits.softmax(1) * known
    axes = (0, 2, 3)
    score = 2 * (p * g).sum(axes) / (p.sum(axes) + g.sum(axes))
    there = g.sum(axes) > 0
    return 1 - score[there].mean()


def by_picture(logits, mask):
    pairs = zip(logits.split(1), mask.split(1))
    return torch.stack([five_dice(*pair) for pair in pairs]).mean()


BROKEN_DICE = {
    "A, which counts void in Σp": wrong_answer(five_dice, "logits.softmax(1) * known → logits.softmax(1)"),
    "B, which counts a class that is not there as missed": wrong_answer(five_dice, "score[there] → score"),
    "C, which sums over each picture": by_picture,
    "D, which puts all classes into one sum": wrong_answer(
        five_dice, ("axes = (0, 2, 3) → axes = (0, 1, 2, 3)", "score[there] → score")
    ),
}


def dice_tests():
    half, sure = torch.zeros(1, 2, 1, 3), 2.0 * torch.ones(1, 2, 1, 4)
    sure[:, 1] = 0
    nowhere = torch.zeros(1, 3, 1, 2)
    nowhere[:, 2] = -30
    return [
        (half, torch.tensor([[[0, 1, 255]]])),
        (nowhere, torch.tensor([[[0, 1]]])),
        (torch.zeros(2, 2, 1, 2), torch.tensor([[[0, 0]], [[1, 1]]])),
        (sure, torch.tensor([[[0, 0, 0, 1]]])),
    ]


def small_test(logits=None, mask=None, *more):
    """None if these inputs may be asked about, else why not."""
    tensors = isinstance(logits, torch.Tensor) and isinstance(mask, torch.Tensor)
    if more or not tensors or logits.ndim != 4 or mask.ndim != 3 or not logits.is_floating_point():
        return "it should be (logits, mask), float N×K×H×W and whole numbers N×H×W."
    if mask.is_floating_point() or mask.shape != (logits.shape[0], *logits.shape[2:]):
        return "the mask holds one whole number for each pixel of the logits."
    if mask.dtype != torch.int64:
        return "the mask should be int64: F.one_hot takes no other class numbers."
    if mask.numel() > 8:
        return f"it has {mask.numel()} pixels. Eight are enough: then you can follow it on paper."
    labels = mask[mask != 255]
    if not labels.numel() or labels.min() < 0 or labels.max() >= logits.shape[1]:
        return "the labels should be classes of the logits, and not all of them void."
    return None


def usable_tests(got):
    if not isinstance(got, list) or len(got) != len(BROKEN_DICE):
        return "Four tests are wanted, one for each broken loss: [(logits, mask), (logits, mask), ...]."
    return usable(got, five_dice, small_test)


# What a test needs to find a loss out, and what spares the loss that it is not about.
NEEDS = (
    "It needs a void pixel to go wrong.",
    "It needs a class of the logits that the mask does not have.",
    "It needs two pictures, whose sums differ.",
    "It needs classes of unequal size, or ones that are called unequally often.",
)
SPARES = {
    "A": "Leave void out of this test.",
    "B": "Let each class of the logits have a pixel.",
    "C": "One picture is enough for this test.",
    "D": "Its one sum is right where all classes have as many pixels and are called as often; a class that is not there has to be called nowhere.",
}


def gives_away(place):
    """The property that the test at `place` tells its own broken loss from the right one, and no other."""

    def holds(got):
        if usable_tests(got):
            return "First make every test one that can be used."
        found = [
            name
            for name, broken in BROKEN_DICE.items()
            if differ(result(broken, got[place]), result(five_dice, got[place]), 1e-3)
        ]
        own = list(BROKEN_DICE)[place]
        if own not in found:
            return f"Loss {own}, answers your test {place + 1} as the right one does. {NEEDS[place]}"
        if found != [own]:
            other = next(name for name in found if name != own)
            return f"Your test {place + 1} finds out loss {own}, but also loss {other}: a failing test would not say which. {SPARES[other[0]]}"
        return None

    return holds


DICE_TESTS = Exercise(
    dice_tests,
    literal=True, points=4, minutes=15, difficulty=4, importance=5, short=True,
    cases=(
        Case("four tests that can be used", holds=usable_tests),
        *(Case(f"a test that finds out loss {name}, and no other", holds=gives_away(place)) for place, name in enumerate(BROKEN_DICE)),
    ),
    hints=(
        "Take one test at a time, and ask of each loss what it needs to go wrong: a void pixel, a class that is nowhere, two pictures, classes of unequal size. A test has what its own loss needs and nothing of what the others need.",
        "The sum over all classes is right where the classes have equal sizes and are called equally often: with logits of zeros and as many pixels of each class it agrees. For the absent class, make its logit −30, so that its p is nearly 0.",
        "A: zeros for three pixels, labels 0, 1, 255. B: three classes, the third with logits of −30 and nowhere. C: zeros for two pictures, one all 0, one all 1. D: logits 2 and 0 everywhere, labels 0, 0, 0, 1.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- who_wakes


def pull_on_one(loss):
    """How hard a loss of segnb.losses pulls at the logit of one missed foreground pixel, of 4 among 64×64, to which the net gives 0.0001."""
    logits = torch.zeros(1, 2, 64, 64)
    logits[:, 1] = math.log(1e-4 / (1 - 1e-4))
    mask = torch.zeros(1, 64, 64, dtype=torch.long)
    mask[0, 30:32, 30:32] = 1
    logits.requires_grad_()
    getattr(segnb.losses, loss)(logits, mask).backward()
    return logits.grad[0, 1, 30, 30].abs().item()


MEASURED = {"cross-entropy": "cross_entropy", "Dice": "dice", "generalised Dice": "generalised_dice"}


def who_wakes():
    pulls = {name: pull_on_one(loss) for name, loss in MEASURED.items()}
    guess, measured = list(pulls), sorted(pulls, key=pulls.get)
    return [guess, measured[::-1]]


WHO_WAKES = Exercise(
    who_wakes,
    literal=True, points=2, minutes=9, difficulty=3, importance=4,
    cases=predicts(
        list(MEASURED),
        measure=lambda: who_wakes()[1],
        slips={
            ("generalised Dice", "Dice", "cross-entropy"): "That is the order at a net that gives every pixel a half. This one is sure: its foreground logit is log(0.0001/0.9999) everywhere.",
            ("generalised Dice", "cross-entropy", "Dice"): "Take the logits as the task gives them: 0 for the background, log(0.0001/0.9999) for the foreground, in every pixel.",
            ("Dice", "generalised Dice", "cross-entropy"): "This is the weakest first.",
        },
    ),
    hints=(
        "Make the logits, requires_grad_(), call a loss, backward(): logits.grad[0, 1, 30, 30] is the pull.",
        "Each loss needs logits of its own, or the gradients add up; abs() before you compare.",
        "losses = {'cross-entropy': segnb.losses.cross_entropy, ...}; sorted(losses, key=lambda name: -pull(losses[name])).",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- rare_recipe


def rare_recipe(net, masks):
    net.head.bias.data[1] = (masks == 1).float().mean().logit()
    return segnb.losses.cross_entropy


def specks(seed, number):
    """Grey noise N×1×32×32 with three bright streaks and one bright square of 3×3, and the mask of the square."""
    draw = torch.Generator().manual_seed(seed)
    images = 0.3 + 0.1 * torch.randn(number, 1, 32, 32, generator=draw)
    masks = torch.zeros(number, 32, 32, dtype=torch.long)
    for image, mask in zip(images[:, 0], masks):
        for row, column in torch.randint(2, 20, (3, 2), generator=draw).tolist():
            image[row, column : column + 9] += 0.5
        row, column = torch.randint(2, 27, (2,), generator=draw).tolist()
        image[row : row + 3, column : column + 3] += 0.5
        mask[row : row + 3, column : column + 3] = 1
    return images, masks


def run_rare_recipe(rare_recipe, seed):
    """The IoU of the square on 32 unseen pictures, after 60 steps of four pictures by a recipe."""
    net = segnb.models.UNet(1, 2, width=8, depth=1, padding="same", norm="batch")
    Budget(net, steps=60, batch=4)
    images, masks = segnb.exercises.dice.specks(seed, 64)
    given = masks.clone()
    loss = rare_recipe(net, given)
    if not torch.equal(given, masks):
        raise Changed("Your recipe changes the masks that the net is to learn. Leave them as they are.")
    if not callable(loss):
        raise Told("Your recipe should return the loss: a function that takes logits and masks.")
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2, fused=True)
    draw = torch.Generator().manual_seed(0)
    for step in range(60):
        optimiser.param_groups[0]["lr"] = 1e-2 * (1 - step / 60) ** 0.9
        some = torch.randperm(64, generator=draw)[:4]
        optimiser.zero_grad()
        loss(net(images[some]), masks[some]).backward()
        optimiser.step()
    images, masks = segnb.exercises.dice.specks(1000 + seed, 32)
    with torch.no_grad():
        called = net.eval()(images).argmax(1)
    return ((called & masks).sum() / (called | masks).sum()).item()


RARE_RECIPE = Exercise(
    rare_recipe,
    use=run_rare_recipe, points=4, minutes=12, difficulty=4, importance=5,
    cases=reaches(
        "IoU of the square",
        0.85,
        "Where do the first of the sixty steps go? Say to how many pixels a fresh net gives the foreground a half, and how many have it.",
    ),
    hints=(
        "Try it: segnb.exercises.dice.run_rare_recipe(recipe, 7), with a recipe that returns segnb.losses.cross_entropy and does nothing else. Class weights make it worse; why?",
        "Nine pixels of 1,024 are foreground, and a fresh net gives it about a half everywhere. Which bias of net.head would start it at the share?",
        "net.head.bias.data[1] = log(share/(1 − share)), the share counted from the masks. With that, segnb.losses.cross_entropy is enough.",
    ),
)  # fmt: skip

EXERCISES += [DICE_TESTS, WHO_WAKES, RARE_RECIPE]
