"""The exercises of chapter 3, cross-entropy: prices and pulls to compute, broken losses to mend, runs to diagnose."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import segnb.losses
from segnb.exercises.comparing import show
from segnb.exercises.engine import Case, Exercise, rand
from segnb.exercises.kinds import predicts
from segnb.exercises.probes import lived_in, noise
from segnb.exercises.tasks.pictures import logits_and_mask


def some(seed, n=2, k=4, height=3, width=5):
    """Logits N×K×H×W and a mask N×H×W without void."""
    return logits_and_mask(seed, n, k, height, width)


def some_void(seed, n=2, k=4):
    """The same with void, more in the first picture, and a weight for each class."""
    return *logits_and_mask(seed, n, k, 4, 5, void=0.35), 0.2 + 3 * rand(seed + 90, k)


# ---------------------------------------------------------------------------------------- pixel_prices


def pixel_prices(logits, mask):
    log_p = logits.log_softmax(dim=1)
    return -log_p.gather(1, mask[:, None])[:, 0]


def prices_of(log_p):
    return lambda logits, mask: -log_p(logits).gather(1, mask[:, None])[:, 0]


PIXEL_PRICES = Exercise(
    pixel_prices,
    gradient=("logits",), points=2, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "one pixel with the scores 2, 0.5 and −1, whose truth is class 1: 1.741",
            (torch.tensor([2.0, 0.5, -1.0]).reshape(1, 3, 1, 1), torch.tensor([[[1]]])),
            "p of class 1 is e^0.5 / (e^2 + e^0.5 + e^−1) = 0.175, and −ln 0.175 = 1.741.",
        ),
        Case(
            "scores of ±100: the price is 200, not infinite",
            (torch.tensor([100.0, -100.0]).reshape(1, 2, 1, 1), torch.tensor([[[1]]])),
            "p is too small for a float here, so its logarithm must never be taken: log_softmax goes round it.",
        ),
        Case("two images, four classes, 3×5 pixels", some),
        Case("three images, twenty classes", lambda seed: some(seed, 3, 20)),
    ),
    mistakes={
        "logits.log_softmax(dim=1) → logits.softmax(dim=1).log()": "Right where the scores are tame. p of −200 is too small for a float, so its logarithm is −∞: log_softmax goes round it.",
        "logits.log_softmax(dim=1) → logits.softmax(dim=1).clamp(min=1e-12).log()": "The clamp keeps the price finite, and wrong: 27.6 where 200 is due, and no gradient comes from there. log_softmax needs no clamp.",
        prices_of(lambda z: -z.log_softmax(1)): "Your prices are negative: a logarithm of a number below 1 is, so the price needs a minus sign.",
        prices_of(lambda z: z.softmax(1)): "This is the probability itself, with a minus sign. The logarithm is missing.",
        prices_of(lambda z: z.log_softmax(-1)): "The softmax runs along the wrong axis: the probabilities of one pixel, along the classes (dim 1), should add up to 1.",
        prices_of(lambda z: z): "This is the logit itself. A softmax along the classes makes probabilities of the logits first.",
        lambda logits, mask: -logits.log_softmax(1).amax(1): "You take the largest probability of each pixel. The price is that of the true class, which `mask` names.",
    },
    hints=(
        "First the log-probabilities of all classes, then from each pixel's K numbers the one that `mask` names.",
        "logits.log_softmax(dim=1) has the shape N×K×H×W. gather(1, ...) takes one entry along dim 1; it wants an index N×1×H×W.",
        "-logits.log_softmax(1).gather(1, mask[:, None]) has a class axis of length 1 left: take it away with [:, 0].",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------- weighted_price


def weighted_price(logits, mask, weight):
    known = mask != 255
    own = mask.where(known, 0)
    w = weight[own] * known
    prices = -logits.log_softmax(dim=1).gather(1, own[:, None])[:, 0]
    total = w.sum()
    return (w * prices).sum() / total.where(total > 0, 1)


def weighted_by(divide):
    """A wrong mean: the sum of weight·price over the labelled pixels, divided by something else."""

    def wrong(logits, mask, weight):
        known = mask != 255
        own = mask.where(known, 0)
        w = weight[own] * known
        return (w * pixel_prices(logits, own)).sum() / divide(w, known)

    return wrong


TWO_PIXELS = (
    torch.tensor([[3.0, 0.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 2),
    torch.tensor([[[0, 1]]]),
    torch.tensor([1.0, 4.0]),
)

WEIGHTED_PRICE = Exercise(
    weighted_price,
    gradient=("logits",), points=3, minutes=12, difficulty=3, importance=4,
    cases=(
        Case(
            "two pixels that weigh 1 and 4 and pay 0.049 and 0.693: 0.564",
            TWO_PIXELS,
            "(1 · 0.049 + 4 · 0.693) / (1 + 4) = 0.564: below the line stands the sum of the weights.",
        ),
        Case(
            "a tenth of both weights: still 0.564",
            (TWO_PIXELS[0], TWO_PIXELS[1], TWO_PIXELS[2] / 10),
            "All weights are divided by ten, above the line and below: nothing changes.",
        ),
        Case(
            "a void pixel changes nothing",
            (torch.cat([TWO_PIXELS[0], torch.tensor([5.0, -5.0]).reshape(1, 2, 1, 1)], 3), torch.tensor([[[0, 1, 255]]]), TWO_PIXELS[2]),
            "The third pixel is void: it should be in neither of the two sums.",
        ),
        Case("two images, one with more void", some_void, "All labelled pixels of both images stand in one sum, above the line and below."),
        Case("three images, twenty classes", lambda seed: some_void(seed, 3, 20)),
        Case(
            "nothing but void: 0",
            lambda seed: (some(seed)[0], torch.full((2, 3, 5), 255), torch.ones(4)),
            "With nothing to pay for, the loss should be 0.",
        ),
    ),
    mistakes={
        weighted_by(lambda w, known: known.sum().clamp_min(1)): "You divide by the number of pixels. Then doubling all weights doubles the loss: divide by the sum of the weights.",
        weighted_by(lambda w, known: known.numel()): "You divide by all pixels, void ones too. Divide by the sum of the weights of the labelled ones.",
        lambda logits, mask, weight: weighted_price(logits, mask.where(mask != 255, 0), weight): "The void pixels are counted as class 0. A stand-in keeps the index valid, but their weight must then be 0.",
        lambda logits, mask, weight: weighted_price(logits, mask, torch.ones_like(weight)): "This is the mean without weights: `weight` is not used.",
        lambda logits, mask, weight: torch.stack([weighted_price(z[None], m[None], weight) for z, m in zip(logits, mask)]).mean(): "You take the mean of each image and then of these. An image with much void counts as much as the others: one sum over all pixels, divided once.",
        lambda logits, mask, weight: (weight[mask.where(mask != 255, 0)] * (mask != 255) * pixel_prices(logits, mask.where(mask != 255, 0))).sum() / weight[mask.where(mask != 255, 0)].sum(): "Below the line the void pixels weigh as much as class 0. Their weight is 0 there too.",
        weighted_by(lambda w, known: w.sum() + 1e-3): "You add a little below the line. With small weights it is not little: only a sum of exactly 0 needs a stand-in.",
        weighted_by(lambda w, known: w.sum().clamp_min(1)): "You divide by at least 1. Small weights may add up to less: only a sum of exactly 0 needs a stand-in.",
        weighted_by(lambda w, known: 1): "This is the sum. It grows with the picture: divide it by the sum of the weights.",
    },
    hints=(
        "Give every pixel its weight: weight[mask]. What should a void pixel's weight be, and which index can stand in for 255?",
        "known = mask != 255; own = mask.where(known, 0); w = weight[own] * known. Then Σ w·price / Σ w.",
        "If Σ w is 0, divide by 1 instead: total.where(total > 0, 1). The sum above the line is 0 then anyway.",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------- logit_pulls


def logit_pulls(logits, mask):
    truth = F.one_hot(mask, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - truth) / mask.numel()


LOGIT_PULLS = Exercise(
    logit_pulls,
    forbidden=("torch.autograd.backward", "torch.autograd.grad", "torch.func.grad"),
    points=2, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "one pixel that gives both classes a half: −0.5 for the true one, 0.5 for the other",
            (torch.zeros(1, 2, 1, 1), torch.tensor([[[0]]])),
            "Probability minus truth: 0.5 − 1 for the true class, 0.5 − 0 for the other.",
        ),
        Case(
            "four such pixels: each pulls a quarter as hard",
            (torch.zeros(1, 2, 2, 2), torch.tensor([[[0, 1], [1, 0]]])),
            "The loss is a mean over the pixels, so each pixel's gradient is divided by their number.",
        ),
        Case("two images, four classes", some),
        Case("three images, twenty classes", lambda seed: some(seed, 3, 20)),
    ),
    mistakes={
        lambda logits, mask: logit_pulls(logits, mask) * F.one_hot(mask, logits.shape[1]).movedim(-1, 1): "Only the true class is pulled. Every other class is pushed down by its own probability.",
        lambda logits, mask: -logit_pulls(logits, mask): "The sign is turned round. The gradient is probability minus truth; the step that follows goes against it.",
        lambda logits, mask: logit_pulls(logits, mask) * mask.numel(): "This is right for one pixel. The loss is the mean over N·H·W pixels, so divide by their number.",
        lambda logits, mask: logit_pulls(logits, mask) * len(mask[0, 0]) * len(mask[0]): "You divide by the number of images. The mean runs over all pixels of all images.",
        lambda logits, mask: logit_pulls(logits, mask) / logits.shape[1]: "You divide by the classes too: logits.numel() is K times the number of pixels.",
        lambda logits, mask: (logits - F.one_hot(mask, logits.shape[1]).movedim(-1, 1)) / mask.numel(): "This is logit minus truth. The logits have to become probabilities first, by a softmax along the classes.",
    },
    hints=(
        "Probability minus truth, for every pixel and class, divided by the number of pixels.",
        "The truth as N×K×H×W: F.one_hot(mask, K) is N×H×W×K, so move its last axis to place 1.",
        "(logits.softmax(1) - F.one_hot(mask, logits.shape[1]).movedim(-1, 1)) / mask.numel()",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------- balance_classes


def balance_classes(pixels, pixels_in_images):
    frequency = pixels / pixels_in_images
    return frequency.quantile(0.5) / frequency


def some_counts(seed, k=5):
    whole = 1000 + (9000 * rand(seed, k)).long()
    return (whole * (0.02 + 0.3 * rand(seed + 50, k))).long(), whole


BALANCE_CLASSES = Exercise(
    balance_classes,
    points=2, minutes=8, difficulty=2, importance=3,
    cases=(
        Case(
            "three classes that fill 60 %, 30 % and 10 % of ten images of 100 pixels: 0.5, 1 and 3",
            (torch.tensor([600, 300, 100]), torch.tensor([1000, 1000, 1000])),
            "The median of 0.6, 0.3 and 0.1 is 0.3. Divided by each of them it gives 0.5, 1 and 3.",
        ),
        Case(
            "the third class is in two of the ten images only, and fills half of them: 0.833, 1.667 and 1",
            (torch.tensor([600, 300, 100]), torch.tensor([1000, 1000, 200])),
            "f = 0.6, 0.3 and 100/200 = 0.5, so the median is 0.5.",
        ),
        Case(
            "four classes: the median lies half-way between the middle two",
            (torch.tensor([400, 300, 200, 100]), torch.tensor([1000, 1000, 1000, 1000])),
            "The middle two are 0.3 and 0.2, so the median is 0.25. torch.median takes the lower one of them.",
        ),
        Case("five classes", some_counts),
        Case("twenty classes", lambda seed: some_counts(seed, 20)),
    ),
    mistakes={
        lambda pixels, pixels_in_images: 1 / balance_classes(pixels, pixels_in_images): "Upside down: your weight grows with the class. The median stands above the line, the class's frequency below.",
        lambda pixels, pixels_in_images: (pixels / pixels.sum()).quantile(0.5) / (pixels / pixels.sum()): "You take each class's share of all pixels. A frequency counts only the images that contain the class: divide by `pixels_in_images`.",
        lambda pixels, pixels_in_images: (pixels / pixels_in_images).mean() / (pixels / pixels_in_images): "This is the mean over the classes. The road is so frequent that it would pull the mean up: take the median.",
        lambda pixels, pixels_in_images: pixels_in_images / pixels: "This is 1/f. It balances as well, but no class weighs 1: the median is missing above the line.",
        lambda pixels, pixels_in_images: ((pixels / pixels_in_images).median() / (pixels / pixels_in_images)): "With an even number of classes the median is the mean of the middle two, and torch.median gives the lower one. quantile(0.5) does it.",
    },
    hints=(
        "Two steps: the frequency of each class, then the median of the frequencies divided by each.",
        "frequency = pixels / pixels_in_images. For an even number of classes use frequency.quantile(0.5).",
        "return frequency.quantile(0.5) / frequency",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- mended_rows


def mended_rows(logits, mask):
    rows = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
    return F.cross_entropy(rows, mask.reshape(-1))


def viewed(logits, mask):
    return F.cross_entropy(logits.reshape(-1, logits.shape[1]), mask.reshape(-1))


MENDED_ROWS = Exercise(
    mended_rows,
    gradient=("logits",), points=3, minutes=10, difficulty=3, importance=4, short=True,
    cases=(
        Case(
            "one pixel, three classes: 1.741",
            (torch.tensor([2.0, 0.5, -1.0]).reshape(1, 3, 1, 1), torch.tensor([[[1]]])),
            "With the logits 2, 0.5 and −1 and the truth 1 the loss is −ln 0.175.",
        ),
        Case(
            "a row of three pixels that are all right: almost 0",
            (20.0 * torch.eye(3).reshape(1, 3, 1, 3), torch.tensor([[[0, 1, 2]]])),
            "Each pixel gives its own class 20 and the others 0.",
        ),
        Case(
            "two pixels with logits of ±100, one of them wrong: 100, not infinite",
            (torch.tensor([[100.0, -100.0], [-100.0, 100.0]]).reshape(1, 2, 1, 2), torch.tensor([[[0, 0]]])),
            "p is too small for a float here, so its logarithm must never be taken: F.cross_entropy and log_softmax go round it.",
        ),
        Case("two images, four classes, 3×5 pixels", some, "All pixels of both images are in one mean, each as the row of its own K logits."),
        Case("three images, twenty classes", lambda seed: some(seed, 3, 20)),
    ),
    mistakes={
        "permute(0, 2, 3, 1) → permute(0, 3, 2, 1)": "The classes are last now, but columns come before rows: the rows of your logits and of your mask are not the same pixels.",
        lambda logits, mask: viewed(logits.softmax(1), mask): "Both faults are still there. Start with the softmax: F.cross_entropy takes logits and does its own.",
        viewed: "One fault is found. The other: in memory the pixels of one class lie together, so rows of K numbers mix pixels. Move the class axis last before you reshape.",
        lambda logits, mask: mended_rows(logits.softmax(1), mask): "The rows are right now. The other fault: F.cross_entropy takes logits and does its own softmax, so yours is the second.",
        lambda logits, mask: F.nll_loss(logits.softmax(1).log(), mask): "Right where the logits are tame. The p of a class 200 below another is too small for a float, so its logarithm is −∞: log_softmax goes round it.",
        lambda logits, mask: mended_rows(logits, mask) * mask.numel(): "This is the sum over the pixels; the mean is asked for.",
    },
    hints=(
        "Which numbers stand in the first row of logits.reshape(-1, K)? Try it with torch.arange(12.).reshape(1, 3, 2, 2).",
        "permute(0, 2, 3, 1) moves the classes last; then each row of K numbers belongs to one pixel. And who else takes a softmax?",
        "F.cross_entropy(logits.permute(0, 2, 3, 1).reshape(-1, K), mask.reshape(-1)), or shorter: F.cross_entropy(logits, mask).",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- mended_step


def mended_step(net, optimiser, images, masks):
    loss = F.cross_entropy(net(images), masks)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def train_twice(step, images, masks, optimiser):
    """Two steps of a small net with batch norm and dropout, left-over gradients and all; what it has learned, and its state."""
    net = nn.Sequential(nn.Conv2d(images.shape[1], 2, 1, bias=False))
    net[0].weight.data = torch.tensor([[0.5], [-0.5]]).expand(2, images.shape[1]).reshape(2, -1, 1, 1).clone()
    if optimiser != "SGD":
        net = lived_in(
            nn.Sequential(
                nn.Conv2d(images.shape[1], 4, 3, padding=1, bias=False),
                nn.BatchNorm2d(4),
                nn.ReLU(),
                nn.Conv2d(4, 2, 1),
            )
        )  # no bias before batch norm: its gradient is rounding alone, and Adam makes whole steps of that
    made = {
        "SGD": lambda weights: torch.optim.SGD(weights, lr=0.5),
        "SGD with momentum": lambda weights: torch.optim.SGD(
            weights, lr=0.5, momentum=0.9, weight_decay=0.01
        ),
        "Adam": lambda weights: torch.optim.Adam(weights, lr=0.1),
    }[optimiser](net.parameters())
    for number, weight in enumerate(net.parameters()):
        weight.grad = 0.1 + noise(number, *weight.shape)  # left over
    half = len(images) // 2
    for image, mask in zip(images.split(half), masks.split(half)):
        step(net, made, image, mask)
    learned = [weight.detach() for weight in net.parameters()]
    kept = [statistic for statistic in net.buffers() if statistic.is_floating_point()]
    return {
        "the weights after two steps": torch.cat([weight.flatten() for weight in learned]),
        "the statistics of batch norm": torch.cat([torch.zeros(1), *kept]),
        "training mode": int(net.training),
        "learning rate of the optimiser": made.param_groups[0]["lr"],
    }


def in_order(*deeds, reduction="mean"):
    """A wrong step: the deeds in another order, or too many of them, or another loss."""

    def wrong(net, optimiser, images, masks):
        loss = F.cross_entropy(net(images), masks, reduction=reduction)
        for deed in deeds:
            {"zero": optimiser.zero_grad, "back": loss.backward, "step": optimiser.step}[deed]()

    return wrong


MENDED_STEP = Exercise(
    mended_step,
    points=2, use=train_twice, minutes=6, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "two steps on two pictures of ones, by hand",
            (torch.ones(2, 1, 2, 2), torch.zeros(2, 2, 2, dtype=torch.int64), "SGD"),
            "p of class 0 is 0.731, so the first step moves the weights by 0.5·0.269 to 0.634 and −0.634.",
        ),
        Case("momentum and weight decay: the step is the optimiser's", lambda seed: (rand(seed, 2, 3, 4, 5), some(seed, 2, 2, 4, 5)[1], "SGD with momentum")),
        Case("Adam, batches of two pictures, batch norm", lambda seed: (rand(seed, 4, 3, 4, 5), some(seed, 4, 2, 4, 5)[1], "Adam"), "Every picture of the batch counts, and the net stays as it was but for what it learns."),
    ),
    mistakes={
        lambda net, optimiser, images, masks: mended_step(net, optimiser, images[:1], masks[:1]): "You train on the first picture of each batch and throw the others away.",
        in_order("back", "zero", "step"): "The weights have not moved at all: either nobody calls step(), or the gradients are wiped out just before it. Wipe before backward().",
        in_order("back", "step"): "PyTorch adds new gradients to the old, and nobody wipes the old ones. Wipe them before backward().",
        in_order("back", "step", "zero"): "You wipe the gradients after the step, so what was there before the first one is still in it. Wipe before backward().",
        in_order("zero", "back", "step", "step"): "You take every step twice: one step() is enough.",
        in_order("zero", "back", "step", reduction="sum"): "Your loss adds up the pixels, so the step grows with the picture: leave the loss a mean.",
    },
    hints=(
        "Write down, line by line, what stands in the gradients. What is in them when step() is called?",
        "There are three deeds: wipe the old gradients, compute new ones, take the step.",
        "optimiser.zero_grad(), then loss.backward(), then optimiser.step().",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------- start_loss


def start_loss():
    return math.log(32)


START_LOSS = Exercise(
    start_loss,
    literal=True, tolerance=3e-4, minutes=4, difficulty=1, importance=4,
    cases=(
        Case("the price of ignorance among 32 classes", (), "What does a net pay that gives each class 1/32?"),
    ),
    mistakes={
        lambda: 5.0: "This is the logarithm to base 2. Cross-entropy takes the natural one: math.log.",
        lambda: math.log10(32): "This is the logarithm to base 10. Cross-entropy takes the natural one: math.log.",
        3.47: "Rounded too soon: three digits behind the point are asked for.",
        lambda: 1 / 32: "This is the probability of each class. The price is minus its logarithm.",
        lambda: -math.log(32): "The size is right. A price is positive: minus the logarithm of 1/32.",
        lambda: math.log(31): "All 32 classes share the probability, the true one too.",
    },
    hints=(
        "Each class gets the same probability. Which?",
        "The price is −ln(1/32).",
        "−ln(1/K) = ln K, here math.log(32).",
    ),
)  # fmt: skip

EXERCISES = [
    PIXEL_PRICES,
    WEIGHTED_PRICE,
    LOGIT_PULLS,
    BALANCE_CLASSES,
    MENDED_ROWS,
    MENDED_STEP,
    START_LOSS,
]

# ---------------------------------------------------------------------------------------- voted_price


def voted_price(logits, votes):
    known = votes != 255
    each = F.one_hot(votes.where(known, 0), logits.shape[1]) * known[..., None]
    count = each.sum(0).movedim(-1, 1)
    voters = count.sum(1, keepdim=True)
    truth = count / voters.clamp_min(1)
    price = -(truth * logits.log_softmax(1)).sum(1)
    return price.sum() / (voters > 0).sum()


def some_votes(seed, annotators=3, n=2, k=4):
    """Logits, and the masks of several people, who left out different parts; the first row nobody labelled."""
    logits, first = logits_and_mask(seed, n, k, 4, 5, void=0.2)
    others = [
        logits_and_mask(seed + 7 * more, n, k, 4, 5, void=0.15 * more)[1] for more in range(1, annotators)
    ]
    votes = torch.stack([first, *others])
    votes[:, 0, 0] = 255
    return logits, votes


def mean_of(pick):
    """A wrong price: some mean of cross-entropies of one mask each."""
    return lambda logits, votes: F.cross_entropy(logits, pick(votes), ignore_index=255)


ONE_PIXEL = torch.tensor([2.0, 0.5, -1.0]).reshape(1, 3, 1, 1)

VOTED_PRICE = Exercise(
    voted_price,
    gradient=("logits",), points=3, minutes=14, difficulty=4, importance=4,
    cases=(
        Case(
            "one pixel with the scores 2, 0.5 and −1, two votes for class 0 and one for class 1: 0.741",
            (ONE_PIXEL, torch.tensor([0, 0, 1]).reshape(3, 1, 1, 1)),
            "The prices of the classes 0 and 1 are 0.241 and 1.741; two thirds of the one and a third of the other.",
        ),
        Case(
            "the third annotator leaves the pixel out: half and half, 0.991",
            (ONE_PIXEL, torch.tensor([0, 255, 1]).reshape(3, 1, 1, 1)),
            "Two people voted, so each vote is a half of the truth.",
        ),
        Case(
            "two pixels, one with three votes and one with a single vote: both count the same, 0.991",
            (ONE_PIXEL.repeat(1, 1, 1, 2), torch.tensor([[0, 255], [0, 1], [0, 255]]).reshape(3, 1, 1, 2)),
            "(0.241 + 1.741)/2: each pixel that somebody labelled has one voice.",
        ),
        Case(
            "logits of ±100, one vote for the class that the net rules out: 100, not infinite",
            (torch.tensor([100.0, -100.0]).reshape(1, 2, 1, 1), torch.tensor([0, 1]).reshape(2, 1, 1, 1)),
            "p is too small for a float here, so its logarithm must never be taken: log_softmax goes round it.",
        ),
        Case(
            "three annotators, two images, a row that nobody labelled",
            some_votes,
            "Each labelled pixel of the batch has one voice: one sum over both images, divided by the number of pixels that somebody labelled.",
        ),
        Case("five annotators, three images of twenty classes", lambda seed: some_votes(seed, 5, 3, 20)),
    ),
    mistakes={
        lambda logits, votes: F.cross_entropy(logits.repeat(len(votes), 1, 1, 1), votes.flatten(0, 1), ignore_index=255): "Every vote counts the same here, so a pixel with three votes has three voices. Make one truth of each pixel first, its shares of the votes, then take the mean over the pixels.",
        lambda logits, votes: torch.stack([F.cross_entropy(logits, mask, ignore_index=255) for mask in votes]).nanmean(): "This is the mean of the annotators' losses. Whoever labels little has then as much to say as who labels all; the voices belong to the pixels.",
        mean_of(lambda votes: votes.mode(0).values): "You let the majority decide. The minority's share belongs to the truth as well: that is what the net should learn of the doubt.",
        "* known[..., None] → ": "Who left a pixel out is counted as a vote for class 0. After one_hot, take these votes out.",
        lambda logits, votes: voted_price(logits, votes.where((votes != 255) | (votes == 255).all(0), 0)): "Who left a pixel out is counted as a vote for class 0. After one_hot, take these votes out.",
        "(voters > 0).sum() → voters.numel()": "You divide by all pixels, those too that nobody labelled.",
        "voters.clamp_min(1) → len(votes)": "You divide the votes by the number of annotators. Where one of them left a pixel out, the shares must still add up to 1.",
        "-(truth * logits.log_softmax(1)).sum(1) → -(truth * logits.softmax(1)).sum(1).clamp_min(1e-9).log() * (voters[:, 0] > 0)": "This is the logarithm of a mean probability, which is satisfied with any class that somebody voted for. The mean of the logarithms is asked for: the price of each class times its share.",
        "return price.sum() / (voters > 0).sum() → return torch.stack([z.sum() / n.sum() for z, n in zip(price, voters > 0)]).mean()": "You take the mean of each image and then of these. An image with many unlabelled pixels has as much to say as the others: one sum over all images, divided by all labelled pixels.",
        "log_softmax(1) → softmax(1).log()": "Right where the logits are tame. The p of a class 200 below another is too small for a float, so its logarithm is −∞: log_softmax goes round it.",
        "-(truth * logits.log_softmax(1)).sum(1) → (torch.xlogy(truth, truth) - truth * logits.log_softmax(1)).sum(1)": "This is the divergence: what the annotators' own doubt costs is taken off, and a net that shares the doubt pays 0. The gradient is the same, the price asked for is −Σ y log p alone.",
        "return price → return -price": "Your price is negative: minus the logarithm of a number below 1 is above 0.",
    },
    hints=(
        "A class number is not enough for a pixel on which people disagree: its truth is a share for each class. Build it as N×K×H×W.",
        "F.one_hot(votes.where(known, 0), K) * known[..., None] is A×N×H×W×K. Sum over the annotators, divide by how many voted, move the classes to place 1.",
        "price = -(truth * logits.log_softmax(1)).sum(1), which is 0 where nobody voted; its sum, divided by the number of pixels that somebody labelled.",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------- heard_twice


def heard(weight, said):
    """The share of the whole pull on the rare class's logit that comes from its own pixels: 2 in 100, in 100×100."""
    logits = torch.tensor([1 - said, said]).log().reshape(1, 2, 1, 1).repeat(1, 1, 100, 100)
    mask = torch.zeros(1, 100, 100, dtype=torch.int64)
    mask[:, :2] = 1
    logits.requires_grad_()
    segnb.losses.cross_entropy(logits, mask, weight=torch.tensor([1.0, weight])).backward()
    pull = logits.grad[0, 1].abs()
    return (pull[mask[0] == 1].sum() / pull.sum()).item()


def heard_twice():
    return [0.5, heard(49.0, 0.02)]


# Without abs(); with 0.98 and 0.02 themselves as logits. A test measures both.
NO_ABS, NO_LOG = 1.0208, 0.7231


HEARD_TWICE = Exercise(
    heard_twice,
    literal=True, points=2, minutes=8, difficulty=3, importance=4,
    cases=predicts(
        (0, 1),
        measure=lambda: heard(49.0, 0.02),
        tolerance=5e-3,
        slips={
            0.5: "A half is what the rare class has with these weights at a net that gives every pixel a half, or without weights at this net. Here both come together.",
            0.02: "That is what the pixels of the other class pull here; or the rare class's share at a net that gives every pixel a half, without weights. Asked for is the share of the rare class's own pixels, at the net and with the weights of the task.",
            NO_ABS: "A share above 1: the pulls of the two classes have different signs, and in your sum they cancel. Take .abs() of each first.",
            NO_LOG: "You give the loss 0.98 and 0.02 as logits. Logits whose softmax is 0.98 and 0.02 are the logarithms of these.",
        },
    ),
    hints=(
        "Build the logits 1×2×100×100 from the logarithms of 0.98 and 0.02, requires_grad_(), and call the loss with its weights; then backward().",
        "pull = logits.grad[0, 1].abs(): the sum over the 200 pixels of the rare class, divided by the sum over all.",
        "A rare pixel pulls by 49 · 0.98, one of the others by 0.02, and there are 49 of them for each.",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------- four_patients


def on_known(prices, mask):
    """The mean over the labelled pixels."""
    return prices[mask != 255].mean()


def own_prices(log_p, mask):
    return -log_p.gather(1, mask.where(mask != 255, 0)[:, None])[:, 0]


PATIENTS = {
    "A": ("void is learned as class 0", lambda z, y: own_prices(z.log_softmax(1), y).mean()),
    "B": ("softmax is taken twice", lambda z, y: on_known(own_prices(z.softmax(1).log_softmax(1), y), y)),
    "C": ("softmax runs along the batch", lambda z, y: on_known(own_prices(z.log_softmax(0), y), y)),
    "D": (
        "the sum over the labelled pixels is divided by all pixels",
        lambda z, y: (own_prices(z.log_softmax(1), y) * (y != 255)).mean(),
    ),
}
CAUSES = [
    "no step is taken",
    "softmax runs along the batch",
    "softmax is taken twice",
    "the labels are one too high",
    "the loss is a sum, not a mean",
    "the sum over the labelled pixels is divided by all pixels",
    "void is learned as class 0",
]


def drives():
    """Three pictures 3×3×12×20 of six classes; the bonnet, the lowest quarter, is black and void. And their masks."""
    blocks = torch.randint(6, (3, 3, 5), generator=torch.Generator().manual_seed(4))
    masks = blocks.repeat_interleave(4, 1).repeat_interleave(4, 2)
    colours = torch.tensor([[9, 9, 9], [9, 2, 2], [2, 9, 2], [2, 2, 9], [9, 9, 2], [3, 3, 3]]) / 10
    images = colours[masks].movedim(-1, 1).clone()
    images[:, :, 9:] = 0
    masks[:, 9:] = 255
    return images, masks


def patient(letter):
    """What one sees of a run: its loss at each of 150 steps, and the masks that the net gives to its three pictures."""
    images, masks = drives()
    draw = torch.Generator().manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 6, 1))
    for weight in net.parameters():
        weight.data = 0.3 * torch.randn(weight.shape, generator=draw)
    net[2].weight.data *= 0
    net[2].bias.data *= 0
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=0.05), []
    for _ in range(150):
        loss = PATIENTS[letter][1](net(images), masks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, net(images).argmax(1)


def four_patients():
    return [PATIENTS[letter][0] for letter in "ABCD"]


def diagnosed(place, look):
    """The property that the answer names the cause of one run."""

    def holds(got):
        if not isinstance(got, list) or len(got) != len(PATIENTS):
            return 'Four causes are wanted, in the order of the runs A, B, C and D: ["...", ...].'
        cause = str(got[place]).strip().casefold()
        if cause not in [known.casefold() for known in CAUSES]:
            return f"{show(got[place])} is none of the causes. Copy one of them as it stands in the list."
        letter = list(PATIENTS)[place]
        return None if cause == PATIENTS[letter][0].casefold() else f"Not the cause of run {letter}. {look}"

    return holds


FOUR_PATIENTS = Exercise(
    four_patients,
    literal=True, points=4, minutes=12, difficulty=4, importance=5, short=True,
    cases=(
        Case("run A", holds=diagnosed(0, "It starts at ln 6 and ends near 0, and every labelled pixel is right. So look at those that nobody labelled: what does every one of them get?")),
        Case("run B", holds=diagnosed(1, "It starts at ln 6, and most labelled pixels are right. Still the loss gets stuck just above 1.044. Which formula of the sheet has this floor?")),
        Case("run C", holds=diagnosed(2, "It starts at 1.099, and with six classes ignorance costs 1.792. Of how many things is 1.099 the logarithm, and what are there so many of?")),
        Case("run D", holds=diagnosed(3, "All that is labelled is right, and the loss ends near 0. Only its start is odd: divide it by ln 6, and compare with the share of something in the pictures.")),
    ),
    hints=(
        "Three things to read off each run: where it starts (ln 6 = 1.792 is ignorance), where it ends, and which pixels of the masks are wrong.",
        "A start that is too low: 1.099 is ln 3, and 1.344 is three quarters of ln 6. An end that is too high: 1.044 is ln(1 + 5/e).",
        "A paints the bonnet in the first class's colour, all of it. B has the floor of a softmax of a softmax. C starts at the logarithm of the batch. D's start is too low by the share of void.",
    ),
)  # fmt: skip

EXERCISES += [VOTED_PRICE, HEARD_TWICE, FOUR_PATIENTS]
