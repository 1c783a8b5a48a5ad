"""The exercises of chapter 6, U-Net: parts to write, broken nets to mend, numbers to measure."""

import random

import torch
import torch.nn.functional as F
from torch import nn

import segnb.models.unet
from segnb.exercises.engine import Case, Exercise, rand
from segnb.exercises.kinds import exposes, predicts
from segnb.exercises.probes import a_tensor, lived_in, new_module, noise, sealed, slopes, untouched

# ------------------------------------------------------------------------------------------ double_conv


def double_conv(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3),
        nn.ReLU(),
    )


def run_block(double_conv, in_channels, out_channels, image, weight):
    """Build the block, set every weight to `weight` and every bias to 0 (both to fixed noise if it is None), and run it."""
    block = new_module(double_conv(in_channels, out_channels), "double_conv")
    for parameter in block.parameters():
        constant = torch.full_like(parameter, (weight or 0) if parameter.ndim > 1 else 0)
        parameter.data = noise(parameter.numel(), *parameter.shape) if weight is None else constant
    result = block(image)
    return {
        "the result": result.detach(),
        "how many numbers your block trains": sum(parameter.numel() for parameter in block.parameters()),
        "the sizes of the gradients": sorted(slope.abs().sum().item() for slope in slopes(result, block)),
        "the result in evaluation": block.eval()(image).detach(),
    }


def block_of(kinds, **settings):
    """A wrong block: convolutions ("c") and ReLUs ("r") in the given order."""

    def build(in_channels, out_channels):
        convolutions = [
            nn.Conv2d(n, out_channels, **{"kernel_size": 3} | settings) for n in (in_channels, out_channels)
        ]
        return nn.Sequential(*(nn.ReLU() if kind == "r" else convolutions.pop(0) for kind in kinds))

    return build


DOUBLE_CONV = Exercise(
    double_conv,
    points=2, use=run_block, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "every weight 1 and an image of ones: 1×1×5×5 gives one number, 9·9 = 81",
            (1, 1, torch.ones(1, 1, 5, 5), 1.0),
            "The first convolution adds up nine ones, the second nine nines.",
        ),
        Case(
            "every weight −1: nothing below zero gets through",
            (1, 1, torch.ones(1, 1, 6, 6), -1.0),
            "After each convolution, what is below zero should become zero.",
        ),
        Case(
            "2 channels to 3: 1×2×12×10 gives 1×3×8×6",
            lambda seed: (2, 3, rand(seed, 1, 2, 12, 10), None),
            "Both convolutions have biases; only the first one sees in_channels.",
        ),
        Case("3 channels to 3, two images at once", lambda seed: (3, 3, rand(seed, 2, 3, 9, 11) - 0.5, None)),
    ),
    mistakes={
        block_of("crcr", padding=1): "The image kept its size: padding=1 puts zeros around it. U-Net's convolutions are unpadded, so that every result has seen real pixels only. Leave the padding out.",
        block_of("cr"): "Two rows are lost and it should be four: there is one convolution, not two.",
        block_of("ccr"): "Two convolutions without a ReLU between them can do no more than one larger convolution. Each needs its own ReLU.",
        block_of("crc"): "The result goes below zero: the second convolution needs a ReLU behind it too.",
        block_of("rcrc"): "The ReLUs stand in front of the convolutions; U-Net has them behind.",
        block_of("cr", kernel_size=5): "One 5×5 convolution has the right size and is not the same: two 3×3 have a ReLU between them, and fewer weights.",
        block_of("crcr", bias=False): "The convolutions of the paper have biases: leave out bias=False.",
    },
    hints=(
        "You need four layers in a row. nn.Sequential(first, second, ...) puts layers in a row.",
        "Convolution, ReLU, convolution, ReLU. nn.Conv2d(channels before, channels after, 3) is unpadded unless you ask.",
        "nn.Conv2d(in_channels, out_channels, 3) first, nn.Conv2d(out_channels, out_channels, 3) third, an nn.ReLU() behind each.",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------- crop_and_concat


def crop_and_concat(skip, up):
    height, width = up.shape[2:]
    top = (skip.shape[2] - height) // 2
    left = (skip.shape[3] - width) // 2
    centre = skip[:, :, top : top + height, left : left + width]
    return torch.cat([centre, up], dim=1)


def corner(skip, up):
    return torch.cat([skip[:, :, : up.shape[2], : up.shape[3]], up], dim=1)


def shrunken(skip, up, mode="nearest"):
    return torch.cat([F.interpolate(skip, size=up.shape[2:], mode=mode), up], dim=1)


def up_first(skip, up):
    return crop_and_concat(skip, up).roll(up.shape[1], dims=1)


def padded_up(skip, up):
    rows, columns = (skip.shape[2] - up.shape[2]) // 2, (skip.shape[3] - up.shape[3]) // 2
    return torch.cat([skip, F.pad(up, [columns, columns, rows, rows])], dim=1)


def bright_pixel(seed):
    """`skip` is dark but for one pixel, (32, 32), which comes out at (28, 28) if 4 px are cut on each side."""
    skip = torch.zeros(1, 2, 64, 64)
    skip[:, :, 32, 32] = 1
    return skip, torch.zeros(1, 3, 56, 56)


def where_it_went(got, want, skip, up):
    bright = (got[0, 0] == 1).nonzero().tolist()
    if len(bright) != 1:
        return "The shape is right, but the single bright pixel in the middle of `skip` did not come out as one pixel."
    return (
        "The shape is right, but the picture has moved. I put a single bright pixel in the middle of `skip`; it should come "
        f"out at (28, 28) and came out at {tuple(bright[0])}. Where does your crop start?"
    )


CROP_AND_CONCAT = Exercise(
    crop_and_concat,
    gradient=("skip", "up"), points=2, minutes=8, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "1×2×64×64 and 1×3×56×56 give 1×5×56×56, and a bright pixel stays in place",
            bright_pixel,
            where_it_went,
        ),
        Case(
            "a 4×4 map, cropped to 2×2, by hand",
            (torch.arange(16.0).reshape(1, 1, 4, 4), torch.zeros(1, 1, 2, 2)),
            "The four numbers in the middle are 5, 6, 9 and 10.",
        ),
        Case(
            "height and width differ: from 6×8 to 2×6",
            lambda seed: (rand(seed, 1, 2, 6, 8), rand(seed + 50, 1, 2, 2, 6)),
            "Two rows and one column are cut on each side: rows and columns each have a start of their own.",
        ),
        Case(
            "equal sizes: nothing is cropped",
            lambda seed: (rand(seed, 1, 1, 5, 5), rand(seed + 50, 1, 2, 5, 5)),
            "The start is 0 here, and a slice like [c:-c] is empty when c is 0.",
        ),
        Case("two images at once", lambda seed: (rand(seed, 2, 3, 12, 10), rand(seed + 50, 2, 1, 8, 8))),
    ),
    mistakes={
        corner: where_it_went,
        shrunken: "You shrink the whole of `skip` to fit, and then nothing lies where it lay. Cut the centre out instead.",
        lambda skip, up: shrunken(skip, up, "bilinear"): "You shrink `skip` smoothly to fit: nothing lies where it lay, and fine lines are gone. Cut the centre out instead.",
        lambda skip, up: torch.cat([skip[:, :, -up.shape[2] :, -up.shape[3] :], up], 1): "You cut `skip` from its bottom right corner. The same number of rows goes above and below.",
        lambda skip, up: crop_and_concat(skip.detach(), up): "The numbers are right, but no gradient reaches `skip`: the encoder would learn nothing through it. Leave .detach() out.",
        lambda skip, up: crop_and_concat(skip, up.detach()): "The numbers are right, but no gradient reaches `up`: everything below it would learn nothing. Leave .detach() out.",
        up_first: "Everything is there, in the other order: `skip` comes first, then `up`.",
        padded_up: "You put zeros around `up`, so its border is made up. Cut `skip` to the size of `up` instead.",
    },
    hints=(
        "How many rows does `skip` have too many? Half of them go above, half below.",
        "The crop starts at top = (skip.shape[2] - up.shape[2]) // 2 and is up.shape[2] rows high. Columns go the same way.",
        "Slice with skip[:, :, top : top + height, left : left + width], then torch.cat([..., up], dim=1).",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ valid_sizes


def valid_sizes(largest, depth=4):
    sizes = []
    for side in range(1, largest + 1):
        left, fits = side, True
        # Down: two convolutions, then a pooling, which needs an even side.
        for _ in range(depth):
            left = left - 4
            fits = fits and left > 0 and left % 2 == 0
            left = left // 2
        # Up: two convolutions, then twice as large.
        for _ in range(depth):
            left = left - 4
            fits = fits and left > 0
            left = 2 * left
        if fits and left - 4 > 0:
            sizes.append(side)
    return sizes


def rhythm(start, step=None):
    """A wrong list: every side from `start` on that leaves the same remainder, without a look at what is left inside."""
    return lambda largest, depth=4: list(range(start, largest + 1, step or 2**depth))


VALID_SIZES = Exercise(
    valid_sizes,
    points=2, minutes=12, difficulty=3, importance=2,
    cases=(
        Case("up to 220 px: 188, 204 and 220", (220,), "Follow one side through the net: 188, 184, 92, 88, 44 ..."),
        Case("up to 187 px there is none: the list is empty", (187,)),
        Case("with three poolings, up to 100 px: 92 and 100", (100, 3), "Does your rule look at `depth`?"),
        Case("with one pooling, up to 30 px", (30, 1), "Does your rule look at `depth`?"),
        Case("with two poolings, up to 120 px", (120, 2), "Does your rule look at `depth`?"),
        Case("with five poolings, up to 480 px", (480, 5), "Does your rule look at `depth`?"),
        Case("up to 572 px, the paper's size: 25 sizes", (572,)),
    ),
    mistakes={
        lambda largest, depth=4: list(range(2**depth, largest + 1, 2**depth)): "These are the sizes of a padded U-Net. Without padding, two convolutions take four pixels before each pooling.",
        rhythm(12, 16): "The rhythm of 16 is right, the start is not: try a side of 12. What is left of it after two poolings?",
        rhythm(140, 16): "You follow the side down to the bottom only. Each level on the way up takes four pixels more: 172 arrives at the bottom and nothing of it comes out.",
        rhythm(188, 1): "Some of your sides are odd when they reach a pooling. 2×2 pooling drops the last row and says nothing: ask for an even side each time.",
        lambda largest, depth=4: valid_sizes(largest - 1, depth): "`largest` itself belongs to the sizes asked for: range(a, b) ends before b.",
        lambda largest, depth=4: valid_sizes(largest): "This is the list for four poolings, whatever `depth` is. Repeat the steps `depth` times.",
    },
    hints=(
        "Take one side, say 188, and write down what is left of it after every step, down and up. What must hold on the way?",
        "Down, `depth` times: minus 4, must be positive and even, half. Then `depth` times: minus 4, must be positive, double. At the end minus 4, and something must be left.",
        "Loop over range(1, largest + 1), follow each side with two inner loops of `depth` rounds, and append it if nothing failed.",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------- border_weights


def border_weights(cells, w0=10, sigma=5):
    from scipy.ndimage import distance_transform_edt

    numbers = [number for number in cells.unique().tolist() if number > 0]
    if len(numbers) < 2:
        return torch.zeros(cells.shape)
    distances = []
    for number in numbers:
        distance = distance_transform_edt(cells.numpy() != number)
        distances.append(torch.from_numpy(distance))
    d1, d2 = torch.stack(distances).sort(dim=0).values[:2]
    return (w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2))).float()


def weights_by(formula):
    """A wrong map: another formula of d1, d2, w0 and sigma."""

    def wrong(cells, w0=10, sigma=5):
        points = torch.cartesian_prod(*(torch.arange(float(side)) for side in cells.shape))
        distances = [
            torch.cdist(points, points[cells.flatten() == n]).amin(1)
            for n in cells.unique().tolist()
            if n > 0
        ]
        if len(distances) < 2:
            return torch.zeros(cells.shape)
        d1, d2 = torch.stack(distances).sort(dim=0).values[:2]
        return formula(d1, d2, w0, sigma).reshape(cells.shape)

    return wrong


def label_again(cells, w0=10, sigma=5):
    from scipy.ndimage import label

    return border_weights(torch.from_numpy(label(cells.numpy() > 0)[0]), w0, sigma)


def to_the_border(cells, w0=10, sigma=5):
    from scipy.ndimage import distance_transform_edt

    numbers = [number for number in cells.unique().tolist() if number > 0]
    if len(numbers) < 2:
        return torch.zeros(cells.shape)
    inside = [cells.numpy() == number for number in numbers]
    both = [distance_transform_edt(~cell) + distance_transform_edt(cell) for cell in inside]
    d1, d2 = torch.stack([torch.from_numpy(distance) for distance in both]).sort(dim=0).values[:2]
    return (w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2))).float()


def squares(seed):
    """A 24×21 map with four square cells at places that depend on the seed."""
    generator, cells = random.Random(seed), torch.zeros(24, 21, dtype=torch.int64)
    for number in range(1, 5):
        row, column, side = generator.randrange(5), generator.randrange(3), generator.randrange(3, 5)
        row, column = row + 12 * (number > 2), column + 10 * (number % 2)
        cells[row : row + side, column : column + side] = number
    return (cells,)


BORDER_WEIGHTS = Exercise(
    border_weights,
    exact=True, points=3, minutes=15, difficulty=4, importance=3,
    cases=(
        Case(
            "two cells in a row of six pixels, by hand",
            (torch.tensor([[1, 1, 0, 0, 2, 2]]),),
            "At the third pixel d1 = 1 and d2 = 2, so the weight is 10·exp(−3²/50) = 8.353.",
        ),
        Case(
            "other w0 and sigma",
            (torch.tensor([[1, 0, 0, 2, 2]]), 4, 2),
            "Are `w0` and `sigma` used, both of them?",
        ),
        Case("one cell: d2 is infinite, all weights are 0", (torch.tensor([[0, 1, 1], [0, 0, 1]]),)),
        Case("no cell at all: all weights are 0", (torch.zeros(3, 4, dtype=torch.int64),)),
        Case(
            "three cells: the nearest two count",
            (torch.tensor([[1, 0, 2, 0, 0, 3]]),),
            "Which two of the three are nearest changes from pixel to pixel.",
        ),
        Case(
            "cells that touch are still two",
            (torch.tensor([[0, 1, 1, 2, 2, 0, 0], [0, 1, 1, 2, 2, 0, 3], [0, 0, 0, 0, 0, 0, 3]]),),
            "Each number is one cell, whatever lies beside it.",
        ),
        Case("numbers with gaps: 2, 5 and 9", (torch.tensor([[5, 0, 0, 9, 9, 0, 0, 2]]),), "Which numbers occur? cells.unique() knows."),
        Case("a cell in two pieces is one cell", (torch.tensor([[4, 0, 0, 7, 0, 4]]),), "Its distance is that to the nearer piece."),
        Case("four cells at random places, 24×21", squares),
    ),
    mistakes={
        weights_by(lambda d1, d2, w0, sigma: w0 * torch.exp(-((d1 + d2) ** 2) / sigma**2)): "The weights fall too fast: the denominator is 2·sigma², and yours seems to be sigma².",
        weights_by(lambda d1, d2, w0, sigma: w0 * torch.exp(-(d1**2 + d2**2) / (2 * sigma**2))): "You square each distance and then add. Equation 2 adds first and squares the sum: (d1 + d2)².",
        weights_by(lambda d1, d2, w0, sigma: w0 * torch.exp(-(d1 + d2) / (2 * sigma**2))): "The square of d1 + d2 is missing.",
        weights_by(lambda d1, d2, w0, sigma: w0 * torch.exp(-(d1**2) / (2 * sigma**2))): "The nearest cell alone counts in your map, so every border is heavy. A gap between two cells needs d1 and d2.",
        weights_by(lambda d1, d2, w0, sigma: w0 * torch.exp((d1 + d2) ** 2 / (2 * sigma**2))): "The farther from the cells, the larger your weights: the exponent has a minus sign.",
        label_again: "You number the patches anew, so cells that touch become one, and pieces of one cell become two. The numbers in `cells` say what belongs together.",
        to_the_border: "You measure to the border of the cell, also from inside it. That is how equation 2 can be read; here the distance from a pixel inside a cell to that cell is 0.",
        "return (w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2))).float() → return ((w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2))) * (cells == 0)).float()": "Inside the cells your weights are 0. The equation holds there too: d1 is 0, d2 is not.",
        "cells.unique().tolist() if number > 0 → range(1, int(cells.max()) + 1)": "You count through all numbers up to the largest. Some of them do not occur, and nothing is at a distance from nothing: take those that do, cells.unique().",
        weights_by(lambda d1, d2, w0, sigma: 1 + w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2))): "Everything is too large by 1: leave the class weight w_c out, the border term alone is asked for.",
    },
    hints=(
        "One distance map per cell: at every pixel, how far is it to that cell? Then, pixel by pixel, the smallest two.",
        "scipy.ndimage.distance_transform_edt(cells.numpy() != number) is the distance to cell `number`, 0 inside it. Stack the maps, sort along the new axis, take the first two.",
        "With d1 and d2: w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2)), as float32. With fewer than two cells return torch.zeros(cells.shape).",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------- mended_forward


def mended_forward(net, image):
    skips = []
    for block in net.encoder:
        image = block(image)
        skips.append(image)
        image = net.pool(image)
    image = net.bottom(image)
    for upconv, block in zip(net.upconv, net.decoder):
        image = upconv(image)
        image = block(segnb.models.unet.crop_and_concat(skips.pop(), image))
    return net.head(image)


def run_forward(mended_forward, depth, norm, image):
    """Run the function on a small U-Net that has lived, its own forward closed; what trains, too."""
    net = lived_in(segnb.models.UNet(image.shape[1], 3, width=2, depth=depth, norm=norm or None).eval())
    net.training = True  # the whole and its parts differ, so that net.eval() and net.train() show
    with untouched(net=net), sealed(net, "net(image)"):
        logits = a_tensor(mended_forward(net, image), "mended_forward")
    return {"the logits": logits.detach(), "the gradients of its weights": slopes(logits, net)}


def forward(join, pooled=False, relu=False, first_out=-1):
    """A wrong forward pass: another join, skips taken after pooling, a ReLU on the logits."""

    def wrong(net, image):
        skips = []
        for block in net.encoder:
            before = block(image)
            image = net.pool(before)
            skips.append(image if pooled else before)
        image = net.bottom(image)
        for upconv, block in zip(net.upconv, net.decoder):
            image = upconv(image)
            image = block(join(skips.pop(first_out), image))
        return net.head(image).relu() if relu else net.head(image)

    return wrong


MENDED_FORWARD = Exercise(
    mended_forward,
    points=3, use=run_forward, minutes=12, difficulty=3, importance=5, short=True,
    cases=(
        Case(
            "one level: 1×1×18×18 gives the logits of the course's U-Net",
            lambda seed: (1, "", rand(seed, 1, 1, 18, 18)),
        ),
        Case("two levels: 1×1×48×48", lambda seed: (2, "", rand(seed, 1, 1, 48, 48))),
        Case("two images, height and width differ", lambda seed: (2, "", rand(seed, 2, 1, 44, 52) - 0.5)),
        Case("batch norm, colours, three images", lambda seed: (1, "batch", rand(seed, 3, 3, 20, 22))),
    ),
    mistakes={
        forward(shrunken, pooled=True, relu=True): "All three faults are still there. Start with the last line: what does .relu() do to a logit of −2?",
        forward(shrunken, pooled=True): "One fault is found: logits may be negative again. The next is in the first loop: has the map that is kept already been pooled?",
        forward(crop_and_concat, relu=True): "The skips are right now. The third fault is in the last line: after the 1×1 convolution a logit may be negative.",
        forward(shrunken): "You keep the right map and then shrink it to fit. Cut its centre out instead: crop_and_concat does it.",
        forward(crop_and_concat, first_out=0): "You take the skips in the order in which they were kept. The decoder begins at the bottom: the last one first.",
        forward(lambda skip, up: crop_and_concat(skip.detach(), up)): "The logits are right, but no gradient goes through the skips (.detach(), no_grad()): the encoder would learn through the bottom only.",
        forward(corner): "You cut the corner out of the skip, not its centre: the picture moves.",
        forward(up_first): "The decoder expects `skip` first and then `up` along the channels.",
    },
    hints=(
        "A map has lost detail after pooling. Which map does the grey arrow in the paper's figure 1 start from?",
        "The skip is what the two convolutions give, before pooling. It is larger than `up` then, and crop_and_concat fits it.",
        "In the first loop: image = block(image); skips.append(image); image = net.pool(image). The last line: return net.head(image).",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ mended_loss


def mended_loss(logits, mask):
    height, width = logits.shape[2:]
    top = (mask.shape[1] - height) // 2
    left = (mask.shape[2] - width) // 2
    centre = mask[:, top : top + height, left : left + width]
    return F.cross_entropy(logits, centre)


def centre_of(mask, logits):
    return crop_and_concat(mask[:, None], logits)[:, 0].long()


def logits_and_larger_mask(seed, classes, height, width, border):
    """Logits, and a mask that is larger by `border` on each side."""
    mask = (rand(seed + 50, 2, height + 2 * border, width + 2 * border) * classes).long()
    return 2 * rand(seed, 2, classes, height, width), mask


MENDED_LOSS = Exercise(
    mended_loss,
    gradient=("logits",), points=2, minutes=8, difficulty=2, importance=4, short=True,
    cases=(
        Case(
            "logits for one pixel and a 3×3 mask: its centre counts",
            (torch.tensor([2.0, 0.0]).reshape(1, 2, 1, 1), torch.tensor([[[0, 0, 0], [0, 1, 0], [0, 0, 0]]])),
            "The centre is class 1, whose probability is 1/(1 + e²), so the loss is ln(1 + e²) = 2.127.",
        ),
        Case("two images, 8×8 logits and 20×20 masks", lambda seed: logits_and_larger_mask(seed, 3, 8, 8, 6)),
        Case(
            "height and width differ",
            lambda seed: logits_and_larger_mask(seed, 2, 4, 10, 3),
            "Do rows and columns each have a start of their own?",
        ),
        Case("twenty classes", lambda seed: logits_and_larger_mask(seed, 20, 5, 7, 2)),
        Case("equal sizes: nothing is cropped", lambda seed: logits_and_larger_mask(seed, 2, 6, 6, 0)),
    ),
    mistakes={
        lambda logits, mask: F.cross_entropy(F.interpolate(logits, size=mask.shape[1:], mode="bilinear"), mask): "This is still the stretched loss: the logits are drawn out over the whole mask. Leave them alone and cut the mask.",
        lambda logits, mask: F.cross_entropy(logits, F.interpolate(mask[:, None].float(), size=logits.shape[2:])[:, 0].long()): "You shrink the whole mask. Its border lies where the net has no output: cut the border off instead.",
        lambda logits, mask: F.cross_entropy(logits, mask[:, : logits.shape[2], : logits.shape[3]]): "You cut the mask from its top left corner. The logits belong to its centre.",
        "top = (mask.shape[1] - height) // 2 → top = max(0, (mask.shape[1] - height) // 2 - 1)": "Your crop starts one row too early. (mask.shape[1] - height) // 2 is the first row of the centre.",
        ("(mask.shape[1] - height) // 2 → max(0, (mask.shape[1] - height) // 2 - 1)", "(mask.shape[2] - width) // 2 → max(0, (mask.shape[2] - width) // 2 - 1)"): "Your crop starts one row and one column too early. (mask.shape[1] - height) // 2 is the first row of the centre.",
        lambda logits, mask: F.cross_entropy(logits.softmax(1), centre_of(mask, logits)): "The crop is right, but softmax is taken twice: F.cross_entropy takes logits and does its own.",
        lambda logits, mask: F.cross_entropy(logits, centre_of(mask, logits), reduction="sum"): "The crop is right, and you add up the pixels. The mean is asked for: it does not grow with the picture.",
    },
    hints=(
        "The net's output belongs to the middle of the picture. Which part of the mask shows the same place?",
        "Do with the mask what crop_and_concat does with `skip`; it has no channels: mask[:, top : top + height, left : left + width].",
        "top = (mask.shape[1] - logits.shape[2]) // 2, left likewise from the widths; then F.cross_entropy(logits, the cut mask).",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------- tile_step, net_parameters


def tile_step():
    output, rhythm = 572 - 184, 2**4
    return output // rhythm * rhythm


TILE_STEP = Exercise(
    tile_step,
    literal=True, minutes=6, difficulty=3, importance=3,
    cases=(
        Case(
            "the largest step that leaves no seams",
            (),
            "What does your measurement say for three poolings, and so for four?",
        ),
    ),
    mistakes={
        388: "388 is the whole output. Divide it by 16: the next tile would start off the beat of the poolings.",
        572: "Tiles that step by their own side leave gaps: 572 px go in and 388 px come out.",
        16: "A step of 16 leaves no seams, and needs far more tiles than necessary. What is the largest step?",
        400: "400 is a multiple of 16 and larger than the output of 388: there would be gaps.",
    },
    hints=(
        "For which steps did the numbers agree? How do these follow from three poolings?",
        "Three poolings: 2·2·2 = 8. With four the step must be a multiple of 16, and no larger than the output, 388.",
        "388 divided by 16 is 24 and a bit, so the step is 24·16.",
    ),
)  # fmt: skip


def my_net(seed):
    """Width, depth, input channels and classes of one learner's own small U-Net; the seed comes from `variant`."""
    generator = random.Random(seed)
    return tuple(generator.choice(values) for values in (range(6, 30), (2, 3), range(2, 6), range(3, 13)))


def net_parameters(width, depth, in_channels, num_classes):
    net = segnb.models.UNet(in_channels, num_classes, width=width, depth=depth)
    return sum(parameter.numel() for parameter in net.parameters())


NET_PARAMETERS = Exercise(
    net_parameters,
    literal=True, minutes=5, difficulty=1, importance=3,
    cases=(
        Case("the number of parameters of your own net", my_net, "Build the net with your four numbers and count."),
    ),
    mistakes={
        "net.parameters()) → net.parameters() if parameter.ndim > 1)": "These are the weights without the biases. Every output channel of a convolution has one bias more.",
        "in_channels, num_classes, width= → 1, 2, width=": "This is the net for 1 channel and 2 classes: did you give it your own in_channels and num_classes?",
        "depth=depth → depth=4": "This is the net with four poolings: did you give it your own depth?",
        "width=width → width=2 * width": "This is the net of twice your width, with about four times as many.",
    },
    hints=(
        "segnb.models.UNet(in_channels, num_classes, width=..., depth=...) builds your net.",
        "net.parameters() goes through all tensors of weights and biases; .numel() is how many numbers one of them holds.",
        "sum(parameter.numel() for parameter in net.parameters())",
    ),
)  # fmt: skip

EXERCISES = [
    DOUBLE_CONV,
    CROP_AND_CONCAT,
    VALID_SIZES,
    BORDER_WEIGHTS,
    MENDED_FORWARD,
    MENDED_LOSS,
    TILE_STEP,
    NET_PARAMETERS,
]

# -------------------------------------------------------------------------------------------- crop_tests


def crop_tests():
    uneven = torch.arange(192.0).reshape(2, 1, 12, 8)
    equal = torch.ones(1, 1, 2, 2)
    return [(uneven, torch.zeros(2, 1, 4, 6)), (equal, 2 * equal)]


def one_start(skip, up):
    height, width = up.shape[2:]
    start = (skip.shape[2] - height) // 2
    centre = skip[:, :, start : start + height, start : start + width]
    return torch.cat([centre, up], dim=1)


def cut_both_ends(skip, up):
    top = (skip.shape[2] - up.shape[2]) // 2
    left = (skip.shape[3] - up.shape[3]) // 2
    return torch.cat([skip[:, :, top:-top, left:-left], up], dim=1)


def first_of_batch(skip, up):
    first = crop_and_concat(skip[:1], up[:1])[:, : skip.shape[1]]
    return torch.cat([first.repeat(len(up), 1, 1, 1), up], dim=1)


def may_be_cropped(*inputs):
    if len(inputs) != 2 or not all(isinstance(part, torch.Tensor) and part.ndim == 4 for part in inputs):
        return "it should be a tuple (skip, up) of two tensors, N×C×H×W."
    skip, up = inputs
    gaps = [skip.shape[axis] - up.shape[axis] for axis in (2, 3)]
    if len(skip) != len(up) or 0 in [*skip.shape, *up.shape]:
        return "`skip` and `up` hold the same pictures, as many of each, and at least one pixel."
    if min(gaps) < 0 or any(gap % 2 for gap in gaps):
        return "`skip` is larger than `up` by an even number of rows and of columns, or equal."
    return None


CROP_TESTS = Exercise(
    crop_tests,
    literal=True, points=2, minutes=6, difficulty=3, importance=4, short=True,
    cases=exposes(
        crop_and_concat,
        {
            "A, which cuts the corner out": corner,
            "B, which starts columns where it starts rows": one_start,
            "C, which cuts the same from both ends": cut_both_ends,
            "D, which gives every picture the first one's skip": first_of_batch,
        },
        allowed=may_be_cropped,
    ),
    hints=(
        "A picture of ones, however it is cut, is a picture of ones. What should your numbers be?",
        "B is right whenever as many rows as columns are cut. D is right for one picture. When does a slice like [top:-top] go wrong?",
        "One input with torch.arange, two pictures, and other cuts in rows than in columns; one with equal sizes.",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- price_of_tiles


def price_of_tiles():
    return [9, (204 / 20) ** 2 / (572 / 388) ** 2]


PRICE_OF_TILES = Exercise(
    price_of_tiles,
    literal=True, minutes=4, difficulty=3, importance=4,
    cases=predicts(
        (0, 10_000),
        measure=lambda: (204 / 20) ** 2 / (572 / 388) ** 2,
        slips={
            (204 / 20) ** 2: "This is the small tile's price alone. Divide it by the large one's.",
            (572 / 388) ** 2: "This is the large tile's price alone. Divide the small one's by it.",
            (204 / 20) / (572 / 388): "You compare sides. Pixels are counted in areas.",
            (572 / 388) ** 2 / (204 / 20) ** 2: "The other way round: the small tile's price divided by the large one's.",
            (572 / 204) ** 2: "This compares the tiles themselves. Look at what comes out of each.",
        },
    ),
    hints=(
        "How many rows does each tile lose, and what is left?",
        "Pixels in divided by pixels out is a tile's price: 572² / 388² for the large one.",
        "(204² / 20²) / (572² / 388²)",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------- crop_any


def crop_any(skip, up):
    for axis in range(2, skip.ndim):
        size = up.shape[axis]
        start = (skip.shape[axis] - size) // 2
        skip = skip.narrow(axis, start, size)
    return torch.cat([skip, up], dim=1)


def one_start_for_all(skip, up):
    start = (skip.shape[2] - up.shape[2]) // 2
    for axis in range(2, skip.ndim):
        skip = skip.narrow(axis, start, up.shape[axis])
    return torch.cat([skip, up], dim=1)


CROP_ANY = Exercise(
    crop_any,
    gradient=("skip", "up"), points=2, minutes=6, difficulty=3, importance=3,
    cases=(
        Case(
            "a signal of 6 samples, cropped to 2: 2 and 3 are left",
            (torch.arange(6.0).reshape(1, 1, 6), torch.zeros(1, 1, 2)),
            "A signal has one axis behind batch and channels. Of the 4 samples too many, 2 go before and 2 behind.",
        ),
        Case(
            "two signals of three channels, 9 samples to 5",
            lambda seed: (rand(seed, 2, 3, 9), rand(seed + 50, 2, 1, 5)),
            "All channels of `skip` are kept: only the axes behind them are cropped.",
        ),
        Case(
            "a picture, 6×9 to 4×3",
            lambda seed: (rand(seed, 2, 3, 6, 9), rand(seed + 50, 2, 1, 4, 3)),
            "Rows and columns have a start each, and every picture has its own skip.",
        ),
        Case(
            "a volume, 4×8×10 to 2×6×4",
            lambda seed: (rand(seed, 1, 2, 4, 8, 10), rand(seed + 50, 1, 3, 2, 6, 4)),
            "A volume has three axes behind batch and channels, each with a start of its own.",
        ),
        Case(
            "a scan whose slices are all kept, 3×8×8 to 3×4×6",
            lambda seed: (rand(seed, 2, 1, 3, 8, 8), rand(seed + 50, 2, 2, 3, 4, 6)),
            "Nothing is cut along the first axis: a slice like [c:-c] is empty there.",
        ),
    ),
    mistakes={
        "start = (skip.shape[axis] - size) // 2 → start = 0": "You cut from the first corner. On each axis as much goes before as behind.",
        crop_and_concat: "This is the crop of task 2, for pictures, which have two axes behind the channels. How many has a signal, how many a volume?",
        "range(2, skip.ndim) → range(skip.ndim - 2, skip.ndim)": "You crop the last two axes, however many there are: of a signal that is the channels too, and of a volume the slices stay.",
        one_start_for_all: "You start every axis where you start the first. Each axis has a start of its own.",
        lambda skip, up: crop_any(skip[:1].expand_as(skip), up): "Every picture gets the first one's skip. Keep the batch as it is.",
        "range(2, skip.ndim) → range(2, 4)": "You crop two axes, however many there are. A signal has one and a volume three.",
        "[skip, up] → [up, skip]": "Everything is there, in the other order: `skip` comes first, then `up`.",
        lambda skip, up: crop_any(skip.detach(), up): "The numbers are right, but no gradient reaches `skip`. Leave .detach() out.",
        lambda skip, up: torch.cat([F.interpolate(skip, size=up.shape[2:]), up], dim=1): "You shrink the whole of `skip` to fit, and then nothing lies where it lay. Cut the centre out instead.",
    },
    hints=(
        "Which axes are places, and how many are there? skip.ndim counts all of them.",
        "Loop over range(2, skip.ndim) and crop one axis at a time.",
        "skip.narrow(axis, start, size) cuts one axis: start = (skip.shape[axis] - size) // 2.",
    ),
)  # fmt: skip

EXERCISES += [CROP_TESTS, PRICE_OF_TILES, CROP_ANY]
