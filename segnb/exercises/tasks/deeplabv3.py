"""The exercises of chapter 8, DeepLabv3: kernels with holes, strides taken out, kernels that are whole or not, broken heads."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from segnb.exercises.engine import Case, Exercise, rand
from segnb.exercises.kinds import exposes, predicts
from segnb.exercises.probes import Changed, lived_in, noise
from segnb.exercises.tasks.pictures import logits_and_mask

# ------------------------------------------------------------------------------------------ atrous_conv


def atrous_conv(picture, kernel, rate):
    padding = rate * (kernel.shape[0] // 2)
    picture, kernel = picture[None, None], kernel[None, None]
    return F.conv2d(picture, kernel, padding=padding, dilation=rate)[0, 0]


def impulse(side, kernel, rate):
    """A dark picture with one bright pixel in its middle: what comes out is the kernel, turned by half a turn."""
    picture = torch.zeros(side, side)
    picture[side // 2, side // 2] = 1
    return picture, kernel, rate


def shifted_round(picture, kernel, rate):
    half, result = len(kernel) // 2, 0
    for row in range(len(kernel)):
        for column in range(len(kernel)):
            moved = torch.roll(picture, (rate * (half - row), rate * (half - column)), (0, 1))
            result = result + kernel[row, column] * moved
    return result


NUMBERED = torch.arange(1.0, 10).reshape(3, 3)


ATROUS_CONV = Exercise(
    atrous_conv,
    gradient=("picture", "kernel"), points=2, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case("rate 1 is the ordinary convolution", impulse(5, NUMBERED, 1)),
        Case(
            "rate 2 on a 5×5 picture: the nine numbers land in the corners, on the edges and in the middle",
            impulse(5, NUMBERED, 2),
            "Neighbouring taps are `rate` pixels apart.",
        ),
        Case("rate 3, height and width differ", lambda seed: (rand(seed, 9, 12), rand(seed + 50, 3, 3), 3)),
        Case(
            "a kernel of 5×5 at rate 2",
            lambda seed: (rand(seed, 10, 13), rand(seed + 50, 5, 5) - 0.5, 2),
            "Half of the kernel, times the rate, hangs over on each side: is that your padding?",
        ),
        Case(
            "a rate larger than the picture",
            lambda seed: (rand(seed, 4, 5), rand(seed + 50, 3, 3), 6),
            "Only the middle tap ever meets the picture.",
        ),
    ),
    mistakes={
        lambda picture, kernel, rate: atrous_conv(picture, kernel, 1): "This is the ordinary convolution, whatever `rate` is. Where do you use it?",
        lambda picture, kernel, rate: atrous_conv(picture, kernel.flip(0, 1), rate): "Your kernel is turned upside down. In networks it is laid on the picture as it stands.",
        lambda picture, kernel, rate: atrous_conv(picture, kernel.T, rate): "Rows and columns of the kernel are exchanged.",
        "padding=padding → padding=rate": "Your padding is the rate. That is right for a kernel of 3×3 only: half of the kernel, times the rate, hangs over.",
        lambda picture, kernel, rate: atrous_conv(picture, kernel, rate + 1): "Your taps are one pixel too far apart: at rate 2 one pixel lies between two taps.",
        lambda picture, kernel, rate: F.conv2d(F.pad(picture[None, None], [rate * (len(kernel) // 2)] * 4, mode="replicate"), kernel[None, None], dilation=rate)[0, 0]: "Outside the picture you repeat its border. There are zeros there.",
        shifted_round: "torch.roll brings in on one side what leaves on the other. Outside the picture there are zeros.",
        lambda picture, kernel, rate: atrous_conv(picture, kernel, rate) / kernel.numel(): "You take the mean of the products. A convolution adds them up.",
    },
    hints=(
        "F.conv2d wants N×C×H×W twice: picture[None, None] and kernel[None, None]. What does it call the rate?",
        "dilation=rate makes the holes. To keep the size, pad by half the kernel times the rate: rate * (len(kernel) // 2).",
        "F.conv2d(picture[None, None], kernel[None, None], padding=rate * (len(kernel) // 2), dilation=rate)[0, 0]",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- field_of_view


def field_of_view(layers):
    size, step = 1, 1
    for kernel, stride, rate in layers:
        size += (kernel - 1) * rate * step
        step *= stride
    return size


def view_by(grow, stride_first=False):
    """A wrong field of view: another growth at each layer."""

    def wrong(layers):
        size, step = 1, 1
        for kernel, stride, rate in layers:
            step *= stride if stride_first else 1
            size += grow(kernel, rate, step)
            step *= 1 if stride_first else stride
        return size

    return wrong


FIELD_OF_VIEW = Exercise(
    field_of_view,
    points=2, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case("one 3×3 layer at rate 6 sees 13 pixels", ([(3, 1, 6)],), "Two gaps of 6, and one pixel more."),
        Case("no layer at all: a pixel sees itself", ([],)),
        Case("rates 1, 2 and 5 see 17 pixels", ([(3, 1, 1), (3, 1, 2), (3, 1, 5)],)),
        Case(
            "after a stride of 2 the next layer steps twice as far",
            ([(3, 2, 1), (3, 1, 1)],),
            "3 pixels after the first layer; the second one's taps are 2 pixels of the image apart: 3 + 4 = 7.",
        ),
        Case("the lecture's trunk: 31 pixels", ([(3, 2, 1), (3, 2, 1), (3, 2, 1), (3, 1, 1)],)),
        Case("a stride of 4 and even kernels, as in a patch embedding", ([(4, 4, 1), (2, 1, 3), (3, 3, 1), (2, 2, 1)],), "Every kernel has kernel − 1 gaps, and every stride counts as it is."),
        Case("a 7×7, a pooling, a 1×1 and a rate", ([(7, 2, 1), (3, 2, 1), (1, 1, 4), (3, 1, 4)],)),
    ),
    mistakes={
        view_by(lambda kernel, rate, step: (kernel - 1) * rate): "Your strides change nothing. After a stride of 2, one step on the map is two pixels of the image.",
        view_by(lambda kernel, rate, step: (kernel - 1) * step): "Your rates change nothing: two taps are `rate` steps apart, not one.",
        view_by(lambda kernel, rate, step: (kernel - 1) * rate * step, stride_first=True): "A layer's own stride counts for the layers after it, not for itself. Multiply the step last.",
        view_by(lambda kernel, rate, step: kernel // 2 * 2 * rate * step - (kernel % 2 == 0) * 2 * rate * step): "Kernels with an even side count as if they were one smaller. A kernel of 4 has three gaps.",
        view_by(lambda kernel, rate, step: kernel * rate * step): "Three taps have two gaps between them: the field grows by kernel − 1 gaps.",
    },
    hints=(
        "Go from the image upwards and remember two numbers: the field so far, and how many pixels one step on the map is.",
        "Each layer adds (kernel - 1) * rate steps. Afterwards its stride makes the steps longer.",
        "size, step = 1, 1; for each layer: size += (kernel - 1) * rate * step, then step *= stride.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ stage_rates


def stage_rates(output_stride, multi_grid=(1, 2, 4)):
    return [32 // output_stride * factor for factor in multi_grid]


STAGE_RATES = Exercise(
    stage_rates,
    minutes=4, difficulty=2, importance=2,
    cases=(
        Case("output stride 16: 2, 4, 8", (16,)),
        Case("output stride 8: 4, 8, 16", (8,), "Two strides of 2 are gone by then."),
        Case("output stride 32: the multi-grid itself", (32,)),
        Case("another multi-grid: (1, 2, 1) at 16", (16, (1, 2, 1)), "Is `multi_grid` used?"),
        Case("four units, (1, 2, 4, 8) at 8", (8, (1, 2, 4, 8)), "One rate for each of its units, however many."),
        Case("one unit, (3,) at 8", (8, (3,))),
    ),
    mistakes={
        lambda output_stride, multi_grid=(1, 2, 4): list(multi_grid): "This is the multi-grid alone. It multiplies the rate that the stage has because strides before it are gone.",
        lambda output_stride, multi_grid=(1, 2, 4): [32 // output_stride + f for f in multi_grid]: "You add the multi-grid to the stage's rate. It is multiplied.",
        lambda output_stride, multi_grid=(1, 2, 4): [(2 if output_stride < 32 else 1) * f for f in multi_grid]: "At output stride 8 two strides are gone before the last stage, so its rate is 2·2.",
        lambda output_stride, multi_grid=(1, 2, 4): [16 // output_stride * f for f in multi_grid]: "You count from 16. A ResNet's output stride is 32 when no stride has been taken out.",
        lambda output_stride, multi_grid=(1, 2, 4): [32 // output_stride] * len(multi_grid): "All your units have the stage's rate. The multi-grid multiplies it, unit by unit.",
        lambda output_stride, multi_grid=(1, 2, 4): [output_stride // 8 * f for f in multi_grid]: "Your rates grow with the output stride. A finer map, so a smaller output stride, needs larger rates.",
    },
    hints=(
        "A ResNet has output stride 32. How many times finer is the map now?",
        "The stage's own rate is 32 // output_stride. What does the multi-grid do to it?",
        "[32 // output_stride * factor for factor in multi_grid]",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------- take_stride_out


def take_stride_out(layers, output_stride):
    reached, rate, result = 1, 1, []
    for kernel, stride in layers:
        own = rate if kernel > 1 else 1
        if reached * stride > output_stride:
            rate, stride = rate * stride, 1
        reached *= stride
        result.append((kernel, stride, own))
    return result


def strides_out(keep_stride=False, at_once=False, ones=False):
    """A wrong conversion: strides kept, the rate one layer too early, or rates on 1×1 kernels."""

    def wrong(layers, output_stride):
        reached, rate, result = 1, 1, []
        for kernel, stride in layers:
            before, left = rate, stride
            if reached * stride > output_stride:
                rate, left = rate * stride, stride if keep_stride else 1
            reached *= 1 if rate != before else stride
            own = rate if at_once else before
            result.append((kernel, left, own if kernel > 1 or ones else 1))
        return result

    return wrong


LAYERS = [(7, 2), (3, 2), (1, 1), (3, 2), (1, 1), (3, 2), (1, 1), (3, 2), (3, 1)]

TAKE_STRIDE_OUT = Exercise(
    take_stride_out,
    points=3, minutes=15, difficulty=4, importance=4, short=True,
    cases=(
        Case(
            "two layers: the stride goes, the second kernel gets rate 2",
            ([(3, 2), (3, 1)], 1),
            "The first kernel still meets the pixels it met before; only those after it meet a finer map.",
        ),
        Case("nothing to do: the net is fine enough already", ([(3, 2), (3, 1), (1, 1)], 2)),
        Case(
            "the stride in the last unit of a block, as in the paper: the whole next block is doubled",
            ([(3, 1), (3, 2), (3, 1), (3, 1), (3, 1)], 1),
            "Only what comes after the lost stride changes, and all of it does.",
        ),
        Case(
            "the stride in the first unit, as in torchvision: that layer keeps its rate",
            ([(3, 1), (3, 1), (3, 2), (3, 1), (3, 1)], 1),
            "The layer that loses its stride reads the map that it read before.",
        ),
        Case(
            "a 1×1 kernel has no neighbours: its rate stays 1",
            ([(3, 2), (1, 1), (3, 1)], 1),
            "A 1×1 has one tap. There is nothing to spread.",
        ),
        Case("a stride of 4, even kernels and kernels of 5", ([(4, 4), (2, 1), (5, 2), (2, 2), (5, 1)], 4), "Every kernel with more than one tap has neighbours, and every stride counts as it is."),
        Case("a 1×1 kernel with a stride: all that comes after it changes", ([(3, 2), (1, 2), (3, 1), (3, 1)], 2), "A stride is a stride, whatever its kernel."),
        Case("a stride that is too large goes, a smaller one after it stays", ([(3, 4), (3, 2), (3, 1)], 2), "Each stride is asked by itself: would the product exceed the output stride?"),
        Case("nine layers, from 32 to 16", (LAYERS, 16)),
        Case("nine layers, from 32 to 8: the rates add up to 4", (LAYERS, 8)),
    ),
    mistakes={
        strides_out(keep_stride=True, at_once=True, ones=True): "This is the colleague's list. Its strides are all still there, so the map is as coarse as before.",
        strides_out(keep_stride=True): "The rates are right, and the strides are still there: the map is as coarse as before.",
        strides_out(at_once=True): "The layer that loses its stride gets the new rate itself. It still sees the old map: only the layers after it change.",
        "own = rate if kernel > 1 else 1 → own = rate if kernel == 3 else 1": "Only your kernels of 3×3 get a rate. Every kernel with more than one tap has neighbours.",
        "rate, stride = rate * stride, 1 → rate, stride = rate * 2, 1": "Your rates are doubled whatever the stride was. A lost stride of 4 spreads the taps four times as far.",
        "rate, stride = rate * stride, 1 → rate, stride = (rate * stride if kernel > 1 else rate), 1": "A 1×1 kernel that loses its stride changes nothing in yours. The map after it is finer all the same.",
        "reached * stride > output_stride → reached * stride >= output_stride and stride > 1": "You take out one stride too many: the output stride itself may be reached.",
        strides_out(ones=True): "The rates of the 3×3 kernels are right. A 1×1 has no neighbours: rate 1.",
        strides_out(at_once=True, ones=True): "The strides are gone. But the new rate comes one layer too early, and the 1×1 kernels have one too.",
    },
    hints=(
        "In the lecture: first stride 2, then a kernel. Which of the two got rate 2 when the stride was gone?",
        "Remember two numbers on the way: the stride reached, and the rate from here on. A layer takes the rate from before it.",
        "own = rate if kernel > 1 else 1; then, if reached * stride > output_stride: rate *= stride and stride = 1; then reached *= stride.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- share_whole


def share_whole(side, rate):
    return (max(0, side - 2 * rate) / side) ** 2


SHARE_WHOLE = Exercise(
    share_whole,
    points=2, minutes=5, difficulty=2, importance=3,
    cases=(
        Case("a map of 65 at rate 6: 0.665", (65, 6), "Count along one row first: how many places are whole?"),
        Case("a map of 33 at rate 12: 0.074", (33, 12)),
        Case("a map of 33 at rate 18: nothing", (33, 18), "A share cannot be negative, nor come from one."),
        Case("a map of 8 at rate 1", (8, 1)),
        Case("a map of 12 at rate 12: nothing", (12, 12)),
    ),
    mistakes={
        lambda side, rate: max(0, side - 2 * rate) / side: "This is the share along one row. The kernel must fit in the columns too.",
        lambda side, rate: (max(0, side - rate) / side) ** 2: "You lose `rate` places in all. They are lost on both sides.",
        lambda side, rate: ((side - 2 * rate) / side) ** 2: "When the kernel is wider than the map your difference is negative, and its square is not 0.",
        lambda side, rate: (max(0, side - 2 * rate - 1) / side) ** 2: "You lose one place too many: with 2·rate + 1 places in a row, one is whole.",
        lambda side, rate: 100 * share_whole(side, rate): "This is in per cent. A share goes from 0 to 1.",
        lambda side, rate: max(0, side - 2 * rate) ** 2: "This is a number of places. Divide by all of them for a share.",
        lambda side, rate: (F.conv2d(torch.ones(1, 1, side, side), torch.ones(1, 1, 3, 3), padding=rate, dilation=rate) .mean() .item() / 9): "This is the mean share of taps. The question is at which share of the places all nine meet the map.",
    },
    hints=(
        "In a row of `side` places, at which can the middle tap stand so that both others are on the map?",
        "side − 2·rate of them, but never fewer than 0. Rows and columns must both fit.",
        "(max(0, side - 2 * rate) / side) ** 2",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- image_level


def image_level(features, weight):
    mean = features.mean((2, 3))
    level = (mean @ weight.T)[:, :, None, None]
    return level.expand(-1, -1, *features.shape[2:])


def level_by(summary):
    """A wrong image-level branch: another summary N×C of features N×C×h×w."""

    def wrong(features, weight):
        level = summary(features) @ weight.T
        return level[:, :, None, None].expand(-1, -1, *features.shape[2:])

    return wrong


IMAGE_LEVEL = Exercise(
    image_level,
    gradient=("features", "weight"), points=2, minutes=8, difficulty=2, importance=4, short=True,
    cases=(
        Case(
            "one channel, 2×2, by hand: the mean of 1, 2, 3, 6 is 3, everywhere",
            (torch.tensor([[[[1.0, 2], [3, 6]]]]), torch.ones(1, 1)),
        ),
        Case("two channels to three, 4×6", lambda seed: (rand(seed, 1, 2, 4, 6), rand(seed + 50, 3, 2))),
        Case(
            "two images: each has its own mean",
            lambda seed: (rand(seed, 2, 3, 5, 7), rand(seed + 50, 2, 3)),
            "Which axes are places, and which one counts images?",
        ),
        Case("three images, as many outputs as inputs, numbers below zero", lambda seed: (rand(seed, 3, 4, 6, 3) - 0.5, rand(seed + 50, 4, 4) - 0.5)),
        Case("a map of 1×1", lambda seed: (rand(seed, 2, 3, 1, 1), rand(seed + 50, 4, 3))),
    ),
    mistakes={
        level_by(lambda features: features.mean((0, 2, 3)).expand(len(features), -1)): "You average over the batch too: every image is told what its neighbours in the batch look like.",
        lambda features, weight: F.conv2d(features, weight[:, :, None, None]): "You weigh every place by itself. First the mean of the whole map, then the weights.",
        "level.expand → level.relu().expand": "There is a ReLU behind it that nobody asked for: what is below zero is lost.",
        "return level.expand(-1, -1, *features.shape[2:]) → return level": "This is one place for each image. Spread it over the whole map: the branch is joined to maps of that size.",
        level_by(lambda features: features.amax((2, 3))): "This is the largest value of each channel. The mean is asked for.",
        level_by(lambda features: features.sum((2, 3))): "You add up all places, so a larger picture gives larger features. Take the mean.",
        level_by(lambda features: features[:, :, features.shape[2] // 2, features.shape[3] // 2]): "You take the value in the middle. The mean of the whole map is asked for.",
    },
    hints=(
        "First one number for each image and channel. Over which two axes is the mean taken?",
        "features.mean((2, 3)) is N×C. A 1×1 convolution is then a matrix product: mean @ weight.T.",
        "level[:, :, None, None].expand(-1, -1, *features.shape[2:]) puts each number at every place, at any size.",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------- map_loss


def map_loss(scores, mask):
    size = mask.shape[1:]
    logits = F.interpolate(scores, size, mode="bilinear", align_corners=False)
    return F.cross_entropy(logits, mask, ignore_index=255)


def scores_and_mask(seed, height, width, size, classes=3, void=0.0):
    """Scores 2×K×height×width, and masks of another size, one with more void than the other if asked for."""
    return 4 * rand(seed, 2, classes, height, width), logits_and_mask(seed, 2, classes, *size, void=void)[1]


def enlarged(scores, mask, **options):
    return F.cross_entropy(F.interpolate(scores, size=mask.shape[1:], **options), mask, ignore_index=255)


MAP_LOSS = Exercise(
    map_loss,
    gradient=("scores",), points=3, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "equal sizes: plain cross-entropy",
            (torch.tensor([2.0, 0.0]).reshape(1, 2, 1, 1), torch.tensor([[[1]]])),
            "The loss of one pixel is ln(1 + e²) = 2.127.",
        ),
        Case("scores 4×5, masks 32×40: every label counts", lambda seed: scores_and_mask(seed, 4, 5, (32, 40))),
        Case("scores 3×4, masks 17×25, twenty classes", lambda seed: scores_and_mask(seed, 3, 4, (17, 25), 20), "The mask says the size; no factor is the same for rows and columns."),
        Case(
            "void (255) is left out",
            lambda seed: scores_and_mask(seed, 3, 5, (24, 40), void=0.3),
            "F.cross_entropy has an argument for labels that do not count.",
        ),
    ),
    mistakes={
        lambda scores, mask: F.cross_entropy(scores, F.interpolate(mask[:, None].float(), size=scores.shape[2:])[:, 0].long(), ignore_index=255): "This is still the colleague's loss: most labels are thrown away. Leave the mask alone and enlarge the scores.",
        lambda scores, mask: enlarged(scores, mask, mode="nearest"): "The scores are enlarged in blocks. Enlarge them bilinearly.",
        lambda scores, mask: enlarged(scores, mask, mode="bilinear", align_corners=True): "align_corners=True stretches the map to the corners of the picture: its values no longer lie over the pixels they came from.",
        lambda scores, mask: torch.stack([map_loss(z[None], m[None]) for z, m in zip(scores, mask)]).mean(): "You take the mean of each image and then of these. One with much void counts as much as the other: one mean over all labelled pixels.",
        lambda scores, mask: enlarged(scores, mask, mode="bilinear") * (mask != 255).sum() / mask.numel(): "You divide by all pixels, void ones too. The mean is over those that are labelled.",
        lambda scores, mask: F.cross_entropy(F.interpolate(scores, size=mask.shape[1:], mode="bilinear"), mask.where(mask != 255, 0)): "Void is counted as class 0. F.cross_entropy has ignore_index for it.",
        lambda scores, mask: F.nll_loss(F.interpolate(scores.softmax(1), size=mask.shape[1:], mode="bilinear").log(), mask, ignore_index=255): "You enlarge probabilities. The scores are enlarged, and the softmax comes after.",
        lambda scores, mask: F.nll_loss(F.interpolate(scores.log_softmax(1), size=mask.shape[1:], mode="bilinear"), mask, ignore_index=255): "You enlarge log-probabilities: between two pixels they no longer belong to probabilities that add up to 1. Enlarge the scores first.",
        lambda scores, mask: map_loss(scores[:1], mask[:1]): "Only the first image counts in yours.",
        lambda scores, mask: enlarged(scores.softmax(1), mask, mode="bilinear"): "Softmax is taken twice: F.cross_entropy takes logits and does its own.",
        lambda scores, mask: F.cross_entropy(F.interpolate(scores, size=mask.shape[1:], mode="bilinear"), mask, ignore_index=255, reduction="sum"): "You add up the pixels. The mean is asked for.",
    },
    hints=(
        "Something must change its size. Which of the two may be blended, and which may not?",
        "F.interpolate(scores, size=mask.shape[1:], mode='bilinear') gives one score for every label.",
        "Then F.cross_entropy(logits, mask, ignore_index=255).",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ freeze_norms


def freeze_norms(net):
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
            module.requires_grad_(False)


def look_at_frozen(freeze_norms, depth, mode):
    """Freeze the norms of a net that has lived, `depth` parts inside each other, one convolution frozen already."""
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.3))
    for _ in range(depth):
        net = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), net)
    net = lived_in(net).train(mode == "training")
    net[0].requires_grad_(False)
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    others = [part for part in net.modules() if not isinstance(part, nn.BatchNorm2d)]
    before = {name: part.clone() for name, part in net.state_dict().items()}
    told, trained = (
        repr(net),
        [part.requires_grad for layer in others for part in layer.parameters(recurse=False)],
    )
    freeze_norms(net)
    names = ["the numbers of the net, its statistics, γ and β among them", "what the net consists of"]
    kept = all(torch.equal(before[name], part) for name, part in net.state_dict().items() if name in before)
    if not kept or set(before) != set(net.state_dict()) or repr(net) != told:
        raise Changed(f"Your function changes {names[int(kept)]}. Only modes and what learns are to change.")
    now = [part.requires_grad for layer in others for part in layer.parameters(recurse=False)]
    findings = {
        "how many batch norms are in eval mode": sum(not norm.training for norm in norms),
        "how many weights and biases of norms learn": sum(
            part.requires_grad for norm in norms for part in norm.parameters()
        ),
        "how many other parts are in training mode": sum(part.training for part in others),
        "which weights and biases of convolutions learn": [int(one) for one in now],
        "how many convolutions were told otherwise": sum(a != b for a, b in zip(now, trained)),
    }
    net(noise(3, 3, 2, 9, 7))
    moved = sum(not torch.equal(before[name], part) for name, part in net.state_dict().items())
    return findings | {"how many statistics a batch moves": moved}


def frozen_by(choose, mode=True, learning=True):
    """A wrong freezing: the modules that choose(net) gives, in eval mode or not learning or both."""

    def wrong(net):
        for module in choose(net):
            if mode:
                module.eval()
            if learning:
                module.requires_grad_(False)

    return wrong


def all_norms(net):
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def outer_norms(net):
    return [module for module in net.children() if isinstance(module, nn.BatchNorm2d)]


FREEZE_NORMS = Exercise(
    freeze_norms,
    points=2, use=look_at_frozen, minutes=8, difficulty=2, importance=4,
    cases=(
        Case("a net in training: norms in eval mode, learning no more; all else as it was", (1, "training")),
        Case("four parts inside each other: every norm is reached", (4, "training"), "net.modules() goes all the way down."),
        Case("a net in evaluation stays there", (2, "evaluation")),
    ),
    mistakes={
        lambda net: None: "Nothing has changed. Go through net.modules() and look for nn.BatchNorm2d.",
        frozen_by(lambda net: [net], learning=False): "The whole net is in eval mode now, dropout with it. Only the batch norms should be, and their weights and biases should stop learning.",
        lambda net: freeze_norms(net.eval()): "The norms are as they should be. But the rest of the net is in eval mode too, and its dropout drops nothing now.",
        frozen_by(lambda net: [net]): "The whole net is frozen: nothing learns any more. Freeze the layers that are an nn.BatchNorm2d.",
        frozen_by(outer_norms): "A norm inside a part was missed: net.children() goes one level deep, net.modules() all the way.",
        lambda net: freeze_norms(net.train()): "The rest of the net is put into training mode, though it was in evaluation. All else stays as it is.",
        lambda net: (net.requires_grad_(True), freeze_norms(net)): "A convolution that was frozen learns now. All else stays as it is.",
        frozen_by(all_norms, mode=False): "Weights and biases learn no more, and the norms still look at their batch: that is what `.eval()` ends.",
        frozen_by(all_norms, learning=False): "The statistics are frozen. The norms' weights and biases still learn: `.requires_grad_(False)`.",
    },
    hints=(
        "net.modules() gives every part of a net, however deep. isinstance(module, nn.BatchNorm2d) tells the norms.",
        "Two things must stop: module.eval() stops the statistics, module.requires_grad_(False) weight and bias.",
        "for module in net.modules(): if isinstance(module, nn.BatchNorm2d): module.eval(); module.requires_grad_(False)",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------- whole_nowhere


def whole_nowhere():
    return next(rate for rate in range(1, 66) if share_whole(33, rate) == 0)


WHOLE_NOWHERE = Exercise(
    whole_nowhere,
    literal=True, minutes=4, difficulty=1, importance=2,
    cases=(
        Case("the smallest rate at which no place has nine taps", (), "Try 16 and 17 with pencil and paper."),
    ),
    mistakes={
        16: "At rate 16 one place is left, the very middle: 16 steps to each side, and 33 = 16 + 1 + 16.",
        33: "At 33 only the middle tap is left. The question is when the nine are first incomplete.",
        18: "18 is the paper's, and on this map it is whole nowhere. But so is a smaller rate already.",
        32: "At 32 most places have one tap. All nine were gone long before.",
    },
    hints=(
        "How wide is a 3×3 kernel at this rate, from the first tap to the last?",
        "2·rate + 1. When is that more than 33?",
        "The first rate with 2·rate + 1 > 33.",
    ),
)  # fmt: skip

EXERCISES = [
    ATROUS_CONV,
    FIELD_OF_VIEW,
    STAGE_RATES,
    TAKE_STRIDE_OUT,
    SHARE_WHOLE,
    IMAGE_LEVEL,
    MAP_LOSS,
    FREEZE_NORMS,
    WHOLE_NOWHERE,
]

# ------------------------------------------------------------------------------------------- atrous_tests


def atrous_tests():
    picture, kernel = torch.arange(1.0, 43).reshape(6, 7), torch.arange(25.0).reshape(5, 5)
    return [(picture, kernel, 1), (picture, kernel, 6)]


def cut_rate(picture, kernel, rate):
    """A rate that is never let off the map."""
    return atrous_conv(picture, kernel, min(rate, min(picture.shape) // 2))


def may_be_laid(picture=None, kernel=None, rate=None, *more):
    """Why these cannot be a picture, a kernel and a rate; None if they can."""
    maps = [part for part in (picture, kernel) if isinstance(part, torch.Tensor) and part.ndim == 2]
    if more or len(maps) < 2 or not all(part.is_floating_point() for part in maps):
        return "it is (picture, kernel, rate), the first two float tensors with rows and columns."
    if picture.dtype != kernel.dtype:
        return "picture and kernel are of one dtype, and torch multiplies no others."
    if kernel.shape[0] != kernel.shape[1] or kernel.shape[0] % 2 == 0:
        return "kernels are square, their side odd."
    if not isinstance(rate, int) or rate < 1:
        return "the rate is a whole number, 1 or more."
    return "pictures of at most 64×64 will do." if max(*picture.shape, *kernel.shape, rate) > 64 else None


ATROUS_TESTS = Exercise(
    atrous_tests,
    literal=True, points=3, minutes=8, difficulty=3, importance=4,
    cases=exposes(
        atrous_conv,
        {
            "A, whose padding is the rate": lambda picture, kernel, rate: F.conv2d(picture[None, None], kernel[None, None], padding=rate, dilation=rate)[0, 0],
            "B, which exchanges the kernel's rows and columns": lambda picture, kernel, rate: atrous_conv(picture, kernel.T, rate),
            "C, which brings in on one side what leaves on the other": shifted_round,
            "D, whose taps never leave the map": cut_rate,
            "E, which lays the kernel upside down": lambda picture, kernel, rate: atrous_conv(picture, kernel.flip(0, 1), rate),
        },
        may_be_laid,
    ),
    hints=(
        "A symmetric kernel hides B and E. A picture of zeros hides all five.",
        "A is right for one size of kernel, D for every rate that fits. Which kernel, and which rate, do they not expect?",
        "One 5×5 kernel of 25 different numbers at rate 1, and once more at a rate as large as the picture.",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------------- live_taps


def live_taps():
    met = F.conv2d(torch.ones(1, 1, 33, 65), torch.ones(1, 1, 3, 3), padding=24, dilation=24)
    return [5, met.mean().item()]


def undilated(padding):
    return F.conv2d(torch.ones(1, 1, 33, 65), torch.ones(1, 1, 3, 3), padding=padding).mean().item()


LIVE_TAPS = Exercise(
    live_taps,
    literal=True, minutes=4, difficulty=2, importance=3,
    cases=predicts(
        (0, 9),
        measure=lambda: live_taps()[1],
        slips={
            (1 + 2 * 9 / 33) ** 2: "That is a map of 33×33. This one is 65 wide.",
            (1 + 2 * 41 / 65) ** 2: "That is a map of 65×65. This one is 33 high.",
            live_taps()[1] / 9: "That is the share of the nine. How many taps is it?",
            9 - live_taps()[1]: "These are the dead ones. How many of the nine live?",
            undilated(24): "That is a kernel of rate 1 on a map with a frame of 24 zeros. F.conv2d calls the rate `dilation`.",
            undilated(1): "That is a kernel of rate 1. F.conv2d calls the rate `dilation`, and the padding grows with it.",
            4: "Four is the commonest number of live taps here. The mean over all places is asked for.",
        },
    ),
    hints=(
        "Lay a kernel of nine ones on a map of ones: what does each place of the result count?",
        "F.conv2d(ones, kernel, padding=24, dilation=24), and the mean of it.",
        "The map is torch.ones(1, 1, 33, 65), the kernel torch.ones(1, 1, 3, 3).",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ finer_pooled


def finer_pooled(net):
    rate = 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            layer.dilation = (rate, rate)
            layer.padding = tuple(rate * frame for frame in layer.padding)
        if isinstance(layer, nn.MaxPool2d):
            lost, layer.stride, layer.dilation = layer.stride, 1, rate
            rate *= lost


def run_finer(finer_pooled, plan, image):
    """Take the strides out of a net that has lived: plan holds for each layer "pool", or a number of channels, below 0 unpadded."""
    layers, channels = [], image.shape[1]
    for part in plan:
        if part == "pool":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        side = 5 if abs(part) == 3 else 3  # kernels of two sizes
        layers += [nn.Conv2d(channels, abs(part), side, padding=side // 2 if part > 0 else 0), nn.ReLU()]
        channels = abs(part)
    net = lived_in(nn.Sequential(*layers)).eval()
    before = [part.detach().clone() for part in net.parameters()]
    finer_pooled(net)
    if not all(torch.equal(old, now) for old, now in zip(before, net.parameters(), strict=True)):
        raise Changed("Your function changes the weights. They are learned, and stay.")
    with torch.no_grad():
        return net(image)


def finer_by(convs=True, pools=True, strides=True):
    """A wrong way to a finer map: rates missing in the convolutions or the poolings, or strides left."""

    def wrong(net):
        kept = [copy.copy(layer) for layer in net]
        finer_pooled(net)
        for layer, old in zip(net, kept, strict=True):
            if isinstance(layer, nn.Conv2d) and not convs:
                layer.dilation, layer.padding = old.dilation, old.padding
            if isinstance(layer, nn.MaxPool2d):
                layer.dilation = layer.dilation if pools else 1
                layer.stride = layer.stride if strides else old.stride

    return wrong


def poolings_out(net):
    finer_pooled(net)
    for place, layer in enumerate(net):
        if isinstance(layer, nn.MaxPool2d):
            net[place] = nn.Identity()


FINER_POOLED = Exercise(
    finer_pooled,
    points=3, use=run_finer, minutes=10, difficulty=4, importance=4,
    cases=(
        Case(
            "one pooling, then a convolution",
            lambda seed: ([2, "pool", 3], rand(seed, 1, 1, 8, 10)),
            "Behind the pooling, neighbours lie twice as far apart as before: which rate finds them?",
        ),
        Case("two poolings with convolutions between", lambda seed: ([2, "pool", 3, "pool", 2], rand(seed, 2, 1, 12, 16)), "After a lost stride everything is read at the new rate."),
        Case("two poolings on end: the second meets the finer map too", lambda seed: (["pool", "pool", 2], rand(seed, 1, 2, 12, 8)), "A pooling reads neighbours as well: nn.MaxPool2d has a dilation."),
        Case(
            "convolutions without padding",
            lambda seed: ([-2, "pool", -2, "pool", -2], rand(seed, 1, 1, 24, 30)),
            "A convolution that had no padding gets none: spread the padding that is there, layer.padding.",
        ),
        Case("three poolings: a rate of 8 at the end", lambda seed: ([2, "pool", "pool", 2, "pool", 2], rand(seed, 1, 1, 24, 32))),
    ),
    mistakes={
        finer_by(convs=False): "Your poolings are right. The convolutions behind them still read next neighbours, which are closer now than in training.",
        finer_by(pools=False): "Your convolutions are right. A pooling behind a lost stride must spread as well: its two rows and columns were further apart.",
        finer_by(convs=False, pools=False): "The strides are gone, and nothing is spread: every layer behind them sees a smaller piece than it has learned on.",
        finer_by(strides=False): "The rates are right, and the strides are still there: the map is as coarse as before.",
        "layer.padding = tuple(rate * frame for frame in layer.padding) → pass": "The rates are right. A kernel that is spread reaches farther over the border: its padding grows with the rate.",
        "tuple(rate * frame for frame in layer.padding) → (rate, rate)": "Your padding is the rate, and that is right for a 3×3 with a padding of 1 only. Take the padding that a layer has, times the rate.",
        "tuple(rate * frame for frame in layer.padding) → (rate * (layer.kernel_size[0] // 2),) * 2": "You pad by the size of the kernel. A convolution that had no padding gets none: take what it has, times the rate.",
        "lost, layer.stride, layer.dilation = layer.stride, 1, rate\n            rate *= lost → rate *= layer.stride\n            layer.stride, layer.dilation = 1, rate": "A pooling that loses its stride keeps its rate: its own neighbours have not moved. Those after it get the new one.",
        "rate *= lost → rate += 1": "Your rates go 1, 2, 3. Each lost stride makes the map twice as fine, so the rate doubles.",
        poolings_out: "The poolings are gone. Only their stride is to go: the largest of the neighbours still counts.",
        lambda net: None: "Nothing has changed. Go through the layers and change stride, dilation and padding.",
    },
    hints=(
        "Which layers read more than one place? Each of them must find the neighbours that it had.",
        "Keep a rate, 1 at first. Convolution: dilation (rate, rate), and the padding that it has times the rate. Pooling: stride 1, dilation rate, and afterwards rate *= 2.",
        "layer.stride, layer.dilation = 1, rate changes an nn.MaxPool2d in place; an nn.Conv2d wants pairs: (rate, rate).",
    ),
)  # fmt: skip

EXERCISES += [ATROUS_TESTS, LIVE_TAPS, FINER_POOLED]
