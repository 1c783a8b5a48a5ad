"""The exercises of chapter 4, Dice: overlaps to compute, a loss that counts void to mend, a number to measure."""

import torch
import torch.nn.functional as F

from segnb.exercises.engine import Case, Exercise, Mistake, rand

# ------------------------------------------------------------------------------------------ dice_score


def dice_score(truth, called):
    both, sizes = (truth * called).sum(), truth.sum() + called.sum()
    score = 2 * both / sizes.clamp_min(1)
    return score.where(sizes > 0, 1.0)


def score_of(formula, empty=1.0):
    """A wrong score: another formula of the overlap and of both sizes."""

    def wrong(truth, called):
        both, a, b = (truth * called).sum().float(), truth.sum().float(), called.sum().float()
        return formula(both, a, b) if a + b > 0 else torch.tensor(empty)

    return wrong


def two_masks(seed):
    return (rand(seed, 6, 8) > 0.6).long(), (rand(seed + 50, 6, 8) > 0.4).long()


DICE_SCORE = Exercise(
    dice_score,
    points=2,
    cases=(
        Case(
            "four true pixels, three called, two of them right: 4/7 = 0.571",
            (torch.tensor([[1, 1, 1, 1, 0, 0]]), torch.tensor([[0, 0, 1, 1, 1, 0]])),
            "Twice the overlap is 4, the two sizes are 4 and 3.",
        ),
        Case("equal masks: 1", (torch.tensor([[1, 0], [1, 1]]), torch.tensor([[1, 0], [1, 1]]))),
        Case("nothing shared: 0", (torch.tensor([[1, 0, 0]]), torch.tensor([[0, 1, 1]]))),
        Case("two random masks", two_masks),
        Case(
            "both empty: 1, for nothing was to be found and nothing was invented",
            (torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.int64)),
            "Nothing was to be found and nothing was found: that is perfect, and 0/0 as a formula.",
        ),
    ),
    mistakes=(
        Mistake(
            score_of(lambda both, a, b: both / (a + b - both)),
            "This is the IoU: the overlap divided by the union. Dice is twice the overlap, divided by the sum of the two sizes.",
        ),
        Mistake(
            score_of(lambda both, a, b: both / (a + b)),
            "Equal masks come out at a half: the overlap is counted twice, since it lies in both sizes.",
        ),
        Mistake(
            score_of(lambda both, a, b: both / a),
            "This is the recall: how much of the truth was found. What was invented does not count in it.",
        ),
        Mistake(
            score_of(lambda both, a, b: both / b),
            "This is the precision: how much of what was called is true. What was missed does not count in it.",
        ),
        Mistake(
            score_of(lambda both, a, b: 1 - 2 * both / (a + b), 0.0),
            "This is one minus the score: the loss. Equal masks should give 1.",
        ),
        Mistake(
            score_of(lambda both, a, b: 2 * both / (a + b), 0.0),
            "All is well but for two empty masks. Nothing was to be found and nothing was found: that is perfect, so 1.",
        ),
    ),
    hints=(
        "For masks of 0 and 1 the overlap is (truth * called).sum().",
        "2 · overlap / (truth.sum() + called.sum()). And if both sums are 0?",
        "torch.where(sizes > 0, 2 * both / sizes.clamp_min(1), torch.tensor(1.0))",
    ),
)

# -------------------------------------------------------------------------------------- soft_dice_loss


def soft_dice_loss(logits, mask):
    p = logits.softmax(1)
    g = F.one_hot(mask, logits.shape[1]).movedim(-1, 1)
    true = g.sum((0, 2, 3))
    score = 2 * (p * g).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + true)
    return 1 - score[true > 0].mean()


def soft_loss(activate=lambda z: z.softmax(1), axes=(0, 2, 3), present=True, factor=2):
    """A wrong loss: other probabilities, sums over other axes, absent classes counted."""

    def wrong(logits, mask):
        p, g = activate(logits), F.one_hot(mask, logits.shape[1]).movedim(-1, 1).float()
        score = factor * (p * g).sum(axes) / (p.sum(axes) + g.sum(axes))
        return 1 - (score[g.sum(axes) > 0] if present else score).mean()

    return wrong


def some(seed, classes=3, absent=0):
    """Logits that are to be trained, and a mask in which the last `absent` of their `classes` do not occur."""
    labels = ((classes - absent) * rand(seed + 50, 2, 5, 6) ** 2).long()
    return (6 * rand(seed, 2, classes, 5, 6) - 3).requires_grad_(), labels


SOFT_DICE_LOSS = Exercise(
    soft_dice_loss,
    points=3,
    cases=(
        Case(
            "two pixels, probabilities of a half: 0.5",
            (torch.zeros(1, 2, 1, 2).requires_grad_(), torch.tensor([[[0, 1]]])),
            "For each class 2 · 0.5 / (1 + 1) = 0.5.",
        ),
        Case(
            "a rare class that is missed: its score is a half of the mean",
            (
                torch.tensor([9.0, -9.0]).reshape(1, 2, 1, 1).repeat(1, 1, 4, 5).requires_grad_(),
                torch.eye(20)[0].reshape(1, 4, 5).long(),
            ),
            "Background scores 2·19/(20 + 19) = 0.974, the rare class 0, so the loss is 0.513.",
        ),
        Case("two images, three classes", some),
        Case(
            "two classes that are not there are left out of the mean",
            lambda seed: some(seed, 5, 2),
            "Classes without a pixel in `mask` should not be in the mean.",
        ),
    ),
    mistakes=(
        Mistake(
            soft_loss(axes=(0, 1, 2, 3)),
            "All classes are in one sum. Then Σp is the number of pixels whatever the net says, and no balance is left. Sum over dims 0, 2, 3 "
            "and take the mean over the classes.",
        ),
        Mistake(
            lambda logits, mask: 1 - soft_dice_loss(logits, mask),
            "This is the score, which a training would make small. The loss is one minus it.",
        ),
        Mistake(
            soft_loss(lambda z: z),
            "You take the Dice of logits. They may be negative, and then the score leaves 0..1: softmax first.",
        ),
        Mistake(
            soft_loss(present=False),
            "Classes that are not in `mask` are counted, as missed. Take the mean over the classes that occur.",
        ),
        Mistake(
            soft_loss(lambda z: z.sigmoid()),
            "A sigmoid treats each class alone. The classes exclude each other: softmax along dim 1.",
        ),
        Mistake(
            soft_loss(axes=(2, 3)),
            "You sum over each picture and then take the mean. Here the sums run over the whole batch: over dims 0, 2 and 3.",
        ),
        Mistake(soft_loss(factor=1), "The factor 2 is missing: a perfect prediction should cost 0."),
    ),
    hints=(
        "Softmax along dim 1; the truth as 0 and 1 in the same shape; then three sums for each class.",
        "g = F.one_hot(mask, K).movedim(-1, 1). The sums over dims (0, 2, 3) leave one number for each class.",
        "score = 2 * (p * g).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + g.sum((0, 2, 3))), then 1 minus its mean where g.sum((0, 2, 3)) > 0.",
    ),
)

# ------------------------------------------------------------------------------------------- dice_pull


def dice_pull(p, g):
    both, sizes = (p * g).sum(), p.sum() + g.sum()
    return 2 * g / sizes - 2 * both / sizes**2


def pull_of(formula):
    return lambda p, g: formula((p * g).sum(), p.sum() + g.sum(), g)


def some_map(seed):
    return rand(seed, 5, 7), (rand(seed + 50, 5, 7) > 0.7).float()


DICE_PULL = Exercise(
    dice_pull,
    points=2,
    cases=(
        Case(
            "one true pixel of two, p = 0.5 on both: 0.75 on the true one, −0.25 on the other",
            (torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]])),
            "U = 2 and I = 0.5: 2/2 − 2·0.5/4 = 0.75, and 0 − 2·0.5/4 = −0.25.",
        ),
        Case("a map of 5×7 pixels", some_map),
        Case("no foreground: no pull at all", (torch.full((2, 2), 0.3), torch.zeros(2, 2))),
    ),
    mistakes=(
        Mistake(
            pull_of(lambda both, sizes, g: 2 * g / sizes),
            "Only the true pixels pull here. p also stands below the line: the second term of the quotient rule is missing.",
        ),
        Mistake(
            pull_of(lambda both, sizes, g: 2 * both / sizes**2 - 2 * g / sizes),
            "This is the gradient of the loss, 1 − D. The score's has the other sign.",
        ),
        Mistake(
            pull_of(lambda both, sizes, g: 2 * g / sizes - 2 * both / sizes),
            "In the second term the sum below the line is squared.",
        ),
        Mistake(
            pull_of(lambda both, sizes, g: g / sizes - both / sizes**2),
            "Everything is half as large as it should be: the score has a 2 above the line.",
        ),
    ),
    hints=(
        "The quotient rule: (above/below)′ = above′/below − above·below′/below².",
        "Above the line stands 2Σpg, whose slope by one p is 2g. Below stands Σp + Σg, whose slope is 1.",
        "2 * g / sizes - 2 * both / sizes**2",
    ),
)

# ----------------------------------------------------------------------------------------- mean_as_iou


def mean_as_iou(scores):
    return (scores / (2 - scores)).mean()


MEAN_AS_IOU = Exercise(
    mean_as_iou,
    cases=(
        Case("one Dice of 0.8: two thirds", (torch.tensor([0.8]),), "J = D/(2 − D) = 0.8/1.2."),
        Case(
            "a Dice of 1 and one of 0: a half",
            (torch.tensor([1.0, 0.0]),),
            "Their IoU are 1 and 0, whose mean is a half.",
        ),
        Case("eleven classes", lambda seed: (rand(seed, 11),)),
    ),
    mistakes=(
        Mistake(
            lambda scores: scores.mean() / (2 - scores.mean()),
            "You convert the mean. A mean of Dice does not convert: turn each score into an IoU first, then average.",
        ),
        Mistake(
            lambda scores: (2 * scores / (1 + scores)).mean(),
            "This goes from IoU to Dice. The way back is J = D/(2 − D).",
        ),
        Mistake(
            lambda scores: scores.mean(),
            "This is the mean Dice as it came. Turn each score into an IoU first.",
        ),
        Mistake(lambda scores: (scores / 2).mean(), "Half the Dice is not the IoU: a perfect 1 must stay 1."),
    ),
    hints=(
        "From D = 2J/(1 + J), what is J?",
        "J = D/(2 − D), for each class on its own.",
        "(scores / (2 - scores)).mean()",
    ),
)

# ---------------------------------------------------------------------------------------- mended_dice


def mended_dice(logits, mask):
    known = mask != 255
    own = mask.where(known, 0)
    p = logits.softmax(1) * known[:, None]
    g = F.one_hot(own, logits.shape[1]).movedim(-1, 1) * known[:, None]
    score = 2 * (p * g).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + g.sum((0, 2, 3)))
    return 1 - score.mean()


def void_in(numerator, predicted, true):
    """A wrong loss that leaves void in some of its three sums."""

    def wrong(logits, mask):
        known = (mask != 255)[:, None]
        p, g = logits.softmax(1), F.one_hot(mask.where(mask != 255, 0), logits.shape[1]).movedim(-1, 1)
        kept = [torch.ones_like(known) if keep else known for keep in (numerator, predicted, true)]
        sums = [(part * k).sum((0, 2, 3)) for part, k in zip((p * g, p, g), kept)]
        return 1 - (2 * sums[0] / (sums[1] + sums[2])).mean()

    return wrong


def some_void(seed):
    logits, mask = some(seed)
    return logits, mask.where(rand(seed + 70, *mask.shape) > 0.3, 255)


MENDED_DICE = Exercise(
    mended_dice,
    points=3,
    cases=(
        Case(
            "three pixels, one of them void: as if there were two",
            (
                torch.tensor([[4.0, -4.0, -4.0], [-4.0, 4.0, 4.0]]).reshape(1, 2, 1, 3).requires_grad_(),
                torch.tensor([[[0, 1, 255]]]),
            ),
            "The two labelled pixels are right and sure, so the loss is nearly 0.",
        ),
        Case("two images with some void; the mask is left as it was", some_void),
        Case("no void at all", some),
    ),
    mistakes=(
        Mistake(
            void_in(False, True, False),
            "The void pixels are out of the overlap and of the truth, and still in Σp: a net that says anything there is punished.",
        ),
        Mistake(
            void_in(True, True, True),
            "The void pixels are counted as class 0, in all three sums. A stand-in keeps one_hot happy; after it, take these pixels out.",
        ),
        Mistake(
            void_in(False, False, True),
            "The void pixels are still in Σg, as pixels of class 0 that cannot be found.",
        ),
        Mistake(
            lambda logits, mask: 1 - mended_dice(logits, mask),
            "This is the score; the loss is one minus it.",
        ),
    ),
    hints=(
        "There are three sums. In which of them do void pixels take part?",
        "known = (mask != 255)[:, None] is 1 on the labelled pixels. Multiply p and g by it, before any sum.",
        "own = mask.where(mask != 255, 0) is a new tensor, so the mask itself stays as it was. Then p = logits.softmax(1) * known, and g likewise.",
    ),
)

# ----------------------------------------------------------------------------------------- start_bias


def start_bias(mask):
    known = mask != 255
    share = ((mask == 1) & known).sum() / known.sum()
    return torch.log(share / (1 - share))


def bias_of(formula):
    return lambda mask: formula((mask == 1).sum() / (mask != 255).sum())


START_BIAS = Exercise(
    start_bias,
    points=2,
    cases=(
        Case(
            "half of the pixels: 0",
            (torch.tensor([[0, 1], [1, 0]]),),
            "With logits 0 and 0 both classes get a half.",
        ),
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
    mistakes=(
        Mistake(
            bias_of(torch.log), "This is log p. Beside a background logit of 0 the odds count: p/(1 − p)."
        ),
        Mistake(
            bias_of(lambda p: torch.log((1 - p) / p)),
            "The sign is turned round: a rare class starts below zero.",
        ),
        Mistake(bias_of(lambda p: p / (1 - p)), "These are the odds. Their logarithm is the logit."),
        Mistake(
            lambda mask: torch.log((mask == 1).sum() / (mask.numel() - (mask == 1).sum())),
            "The void pixels are counted as background. Leave them out of the share.",
        ),
    ),
    hints=(
        "Which share of the labelled pixels is foreground? Call it p.",
        "Softmax of the logits 0 and b gives the foreground e^b/(1 + e^b). For which b is that p?",
        "torch.log(p / (1 - p))",
    ),
)

# ------------------------------------------------------------------------------------------ pull_ratio


def pull_ratio():
    p, g = torch.full((100, 100), 0.01), torch.zeros(100, 100)
    g[:10, :10] = 1
    pull = dice_pull(p, g)
    return round(abs(pull[0, 0] / pull[-1, -1]).item())


PULL_RATIO = Exercise(
    pull_ratio,
    literal=True,
    cases=(
        Case("the ratio of the two pulls", (), "Compute both pulls with dice_pull and divide one by the other."),
    ),
    mistakes=(
        Mistake(lambda: 101, "101 belongs to p = 0.5. Here the net says 0.01 everywhere."),
        Mistake(lambda: 1, "That is cross-entropy at p = 0.5, where each pixel pulls by |p − y|."),
        Mistake(lambda: 100, "There are 99 background pixels for each foreground pixel, but that alone is not the ratio."),
        Mistake(lambda: -199, "The size is right; asked for is the ratio of the strengths, without the sign."),
        Mistake(lambda: 99, "That is how many background pixels there are for one of the foreground. The ratio of the pulls is larger."),
    ),
    hints=(
        "Make p and g with torch.full and torch.zeros, and use dice_pull.",
        "The pull on a foreground pixel is 2/U − 2I/U², on a background pixel −2I/U², with U = 200 and I = 1.",
        "(2/U − 2I/U²) / (2I/U²) = U/I − 1.",
    ),
)  # fmt: skip

EXERCISES = [
    DICE_SCORE,
    SOFT_DICE_LOSS,
    DICE_PULL,
    MEAN_AS_IOU,
    MENDED_DICE,
    START_BIAS,
    PULL_RATIO,
]
