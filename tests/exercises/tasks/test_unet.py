"""The exercises of chapter 6: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from torch import nn

import segnb
from segnb.exercises import registry, unet, variant
from segnb.models.unet import DoubleConv
from segnb.models.unet import crop_and_concat as package_crop
from tests.exercises.answers import answers_of
from tests.exercises.tasks import test_unet_more as more

# --------------------------------------------------------------------------- wrong: (answer, its own hint)


def conv_relu(*channels, **options):
    return nn.Sequential(
        *(m for a, b in pairwise(channels) for m in (nn.Conv2d(a, b, 3, **options), nn.ReLU()))
    )


def padded(i, o):
    return conv_relu(i, o, o, padding="same")


def no_relu_between(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3), nn.Conv2d(o, o, 3), nn.ReLU())


def no_last_relu(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3), nn.ReLU(), nn.Conv2d(o, o, 3))


def wrong_channels(i, o):
    return conv_relu(i, o, i)


def corner(skip, up):
    return torch.cat([skip[..., : up.shape[-2], : up.shape[-1]], up], dim=1)


def last_corner(skip, up):
    return torch.cat([skip[..., -up.shape[-2] :, -up.shape[-1] :], up], dim=1)


def minus_slice(skip, up):
    c, d = (skip.shape[2] - up.shape[2]) // 2, (skip.shape[3] - up.shape[3]) // 2
    return torch.cat([skip[:, :, c:-c, d:-d], up], dim=1)


def square_only(skip, up):
    c = (skip.shape[2] - up.shape[2]) // 2
    return torch.cat([skip[:, :, c : c + up.shape[2], c : c + up.shape[3]], up], dim=1)


def no_crop(skip, up):
    return torch.cat([skip, up], 1)


def doubled_up(skip, up):
    return torch.cat([F.interpolate(skip, up.shape[2:]), up], dim=1)


def enlarged_up(skip, up):
    gap = [(skip.shape[3] - up.shape[3]) // 2] * 2 + [(skip.shape[2] - up.shape[2]) // 2] * 2
    return torch.cat([skip, F.pad(up, gap)], dim=1)


def down_only(largest, depth=4):
    sizes = []
    for side in range(1, largest + 1):
        left = side
        for _ in range(depth):
            left = (left - 4) / 2
        if left > 4 and left == int(left):
            sizes.append(side)
    return sizes


def floor_everywhere(largest, depth=4):
    def output(side):
        for _ in range(depth):
            side = (side - 4) // 2
        for _ in range(depth):
            side = (side - 4) * 2
        return side - 4

    return [side for side in range(1, largest + 1) if output(side) > 0]


def brute_weights(energy):
    """Distances to every cell by hand, then `energy(d1, d2, w0, sigma)`."""

    def weights(cells, w0=10, sigma=5):
        rows, columns = torch.meshgrid(*(torch.arange(n) for n in cells.shape), indexing="ij")
        maps = [
            (
                (rows[..., None] - (cells == n).nonzero()[:, 0]) ** 2
                + (columns[..., None] - (cells == n).nonzero()[:, 1]) ** 2
            )
            .amin(-1)
            .float()
            .sqrt()
            for n in range(1, int(cells.max()) + 1)
            if (cells == n).any()
        ]
        if len(maps) < 2:
            return torch.zeros(cells.shape)
        d1, d2 = torch.stack(maps).topk(2, dim=0, largest=False).values
        return energy(d1, d2, w0, sigma)

    return weights


def forgets_one_cell(cells, w0=10, sigma=5):
    maps = [
        torch.cdist((cells > -1).nonzero().float(), (cells == n).nonzero().float()).amin(1)
        for n in cells.unique()
        if n > 0
    ]
    d1, d2 = torch.stack(maps).sort(0).values[:2]
    return (w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2))).reshape(cells.shape)


def ignores_sigma(cells, w0=10, sigma=5):
    return unet.border_weights(cells, w0, 5)


def forward_with(pool_first=False, join=package_crop, last=lambda x: x, pick=-1):
    def run(net, x):
        kept = []
        for block in net.encoder:
            y = block(x)
            x = net.pool(y)
            kept.append(x if pool_first else y)
        x = net.bottom(x)
        for up, block in zip(net.upconv, net.decoder):
            x = up(x)
            x = block(join(kept.pop(pick), x))
        return last(net.head(x))

    return run


def stretched(logits, mask):
    return F.cross_entropy(F.interpolate(logits, size=mask.shape[-2:], mode="bilinear"), mask)


def shrunken(logits, mask):
    small = F.interpolate(mask[:, None].double(), size=logits.shape[-2:], mode="nearest")
    return F.cross_entropy(logits, small[:, 0].long())


def from_the_corner(logits, mask):
    return F.cross_entropy(logits, mask[..., : logits.shape[-2], : logits.shape[-1]])


def centre(logits, mask):
    top, left = ((m - n) // 2 for m, n in zip(mask.shape[1:], logits.shape[2:]))
    return mask[:, top : top + logits.shape[2], left : left + logits.shape[3]]


WRONG = {
    "double_conv": [
        (padded, "padding=1 puts zeros around it"),
        (no_relu_between, "Two convolutions without a ReLU between them"),
        (no_last_relu, "the second convolution needs a ReLU behind it too"),
        (lambda i, o: conv_relu(i, o), "there is one convolution, not two"),
        (lambda i, o: nn.Sequential(nn.Conv2d(i, o, 5), nn.ReLU()), "One 5×5 convolution"),
        (lambda i, o: conv_relu(i, o, o, bias=False), "leave out bias=False"),
        (wrong_channels, "the shape should be 1×3×8×6, and yours is 1×2×8×6"),
        (lambda i, o: nn.Sequential(nn.ReLU(), nn.Conv2d(i, o, 3), nn.ReLU(), nn.Conv2d(o, o, 3)), "in front of the convolutions"),
        (lambda i, o: conv_relu(i, o, o)(torch.zeros(1, i, 9, 9)), "Double_conv should return an nn.Module, and retu"),
        (lambda channels: None, "takes 1 positional argument but 2 were given"),
    ],
    "crop_and_concat": [
        (corner, "it should come out at (28, 28) and came out at (32, 32). Where does your crop start?"),
        (last_corner, "You cut `skip` from its bottom right corner. The"),
        (doubled_up, "You shrink the whole of `skip` to fit"),
        (lambda skip, up: package_crop(skip, up) * 2, "did not come out as one pixel"),
        (lambda skip, up: torch.cat(package_crop(skip, up).split([skip.shape[1], up.shape[1]], 1)[::-1], 1), "in the other order"),
        (enlarged_up, "You put zeros around `up`"),
        (minus_slice, "a slice like [c:-c] is empty when c is 0"),
        (square_only, "rows and columns each have a start of their own"),
        (no_crop, "at the line `return torch.cat([skip, up], 1)` with RuntimeError"),
        (lambda skip, up: package_crop(skip, up)[:1], "the shape should be 2×4×8×8, and yours is 1×4×8×8"),
        (lambda skip, up: package_crop(skip, up).half(), "should be torch.float32, and yours is torch.float16"),
    ],
    "valid_sizes": [
        (lambda largest, depth=4: [n for n in range(1, largest + 1) if n % 2**depth == 0], "These are the sizes of a padded U-Net"),
        (lambda largest, depth=4: [n for n in range(1, largest + 1) if n % 16 == 12], "try a side of 12"),
        (down_only, "entry 1 of the list should be 188, and yours is "),
        (floor_everywhere, "entry 2 of the list should be 204, and yours is "),
        (lambda largest, depth=4: unet.valid_sizes(largest - 1, depth), "range(a, b) ends before b"),
        (lambda largest, depth=4: unet.valid_sizes(largest, 4), "This is the list for four poolings"),
        (lambda largest, depth=4: unet.valid_sizes(largest, depth)[::-1], "entry 1 of the list should be 188, and yours is 220"),
        (lambda largest, depth=4: max(unet.valid_sizes(largest, depth)), "A list is wanted"),
        (lambda largest: unet.valid_sizes(largest), "takes 1 positional argument but 2 were given"),
    ],
    "border_weights": [
        (brute_weights(lambda a, b, w, s: w * torch.exp(-((a + b) ** 2) / s**2)), "the denominator is 2·sigma²"),
        (brute_weights(lambda a, b, w, s: w * torch.exp(-(a**2 + b**2) / (2 * s**2))), "You square each distance and then add"),
        (brute_weights(lambda a, b, w, s: w * torch.exp(-(a + b) / (2 * s**2))), "The square of d1 + d2 is missing"),
        (brute_weights(lambda a, b, w, s: w * torch.exp(-(a**2) / (2 * s**2))), "The nearest cell alone counts"),
        (brute_weights(lambda a, b, w, s: w * torch.exp((a + b) ** 2 / (2 * s**2))), "the exponent has a minus sign"),
        (brute_weights(lambda a, b, w, s: 1 + w * torch.exp(-((a + b) ** 2) / (2 * s**2))), "leave the class weight w_c out"),
        (brute_weights(lambda a, b, w, s: (w * torch.exp(-((a + b) ** 2) / (2 * s**2))).double()), "the dtype should be torch.float32"),
        (forgets_one_cell, "Your code stopped at the line `"),
        (ignores_sigma, "Are `w0` and `sigma` used, both of them?"),
        (lambda cells, w0=10, sigma=5: unet.border_weights((cells > 0).long()), "so the weight is 10·exp(−3²/50) = 8.353"),
    ],
    "mended_forward": [
        (lambda net, image: None, "your mended_forward returns nothing"),
        (forward_with(True, doubled_up, torch.relu), "All three faults are still there"),
        (forward_with(True, doubled_up), "One fault is found"),
        (forward_with(last=torch.relu), "The skips are right now. The third fault is in the last line"),
        (forward_with(join=doubled_up), "You keep the right map and then shrink it to fit"),
        (forward_with(join=corner), "You cut the corner out of the skip"),
        (forward_with(pick=0), "You take the skips in the order in which they we"),
        (lambda net, image: net(image).softmax(1), "do yourself what net(image) does"),
    ],
    "mended_loss": [
        (lambda logits, mask: F.cross_entropy(mask, logits), "your code stopped at the line"),
        (stretched, "This is still the stretched loss"),
        (shrunken, "You shrink the whole mask"),
        (from_the_corner, "You cut the mask from its top left corner"),
        (lambda logits, mask: F.cross_entropy(logits.softmax(1), centre(logits, mask)), "softmax is taken twice"),
        (lambda logits, mask: F.cross_entropy(logits, centre(logits, mask), reduction="sum"), "you add up the pixels"),
        (lambda logits, mask: F.cross_entropy(logits, centre(logits, mask)).item(), "Leave .item() and float() out"),
        (lambda logits, mask: F.cross_entropy(logits, centre(logits, mask)).detach(), "No gradient flows through your result"),
        (lambda logits, mask: F.cross_entropy(logits, centre(logits, mask), reduction="none"), "the shape should be single-number"),
    ],
    "tile_step": [
        (388, "388 is the whole output"),
        (572, "Tiles that step by their own side leave gaps"),
        (16, "What is the largest step?"),
        (400, "larger than the output of 388"),
        (380, "380 is not right. What does your measurement"),
        ("384", "A number is wanted"),
    ],
    "net_parameters": [
        (unet.net_parameters(*unet.my_net(variant(""))[:2], 1, 2), "the net for 1 channel and 2 classes"),
        (unet.net_parameters(unet.my_net(variant(""))[0], 4, *unet.my_net(variant(""))[2:]), "the net with four poolings"),
        (17, "17 is not right. Build the net with your four numbers"),
    ],
}  # fmt: skip

# --------------------------------------------------------------------------- right, in other words


class TwoConvolutions(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.second = nn.Conv2d(out_channels, out_channels, kernel_size=(3, 3))
        self.first = nn.Conv2d(in_channels, out_channels, kernel_size=(3, 3))

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))))


def crop_by_padding(skip, up):
    rows, columns = (skip.shape[2] - up.shape[2]) // 2, (skip.shape[3] - up.shape[3]) // 2
    return torch.hstack((F.pad(skip, (-columns, -columns, -rows, -rows)), up))


def crop_by_narrow(skip, up):
    for axis in (2, 3):
        skip = skip.narrow(axis, (skip.shape[axis] - up.shape[axis]) // 2, up.shape[axis])
    return torch.cat((skip, up), 1)


def sizes_by_trying(largest, depth=4):
    def out(side):
        for _ in range(depth):
            side -= 4
            if side % 2 or side <= 0:
                return 0
            side //= 2
        for _ in range(depth):
            side = max(side - 4, 0) * 2
        return side - 4

    return tuple(n for n in range(1, largest + 1) if out(n) > 0)


def normalised(logits, mask):
    return segnb.losses.cross_entropy(logits, centre(logits, mask))


def by_gather(logits, mask):
    return -logits.log_softmax(1).gather(1, centre(logits, mask)[:, None]).mean()


def by_recursion(net, image, level=0):
    if level == len(net.encoder):
        return net.bottom(image)
    kept = net.encoder[level](image)
    below = by_recursion(net, net.pool(kept), level + 1)
    place = len(net.encoder) - 1 - level
    x = net.decoder[place](segnb.models.unet.crop_and_concat(kept, net.upconv[place](below)))
    return net.head(x) if level == 0 else x


def from_a_list(net, image):
    skips = [net.encoder[0](image)]
    for block in list(net.encoder)[1:]:
        skips.append(block(net.pool(skips[-1])))
    x = net.bottom(net.pool(skips[-1]))
    for n in range(len(skips)):
        up, skip = net.upconv[n](x), skips[-1 - n]
        top, left = ((a - b) // 2 for a, b in zip(skip.shape[-2:], up.shape[-2:]))
        x = net.decoder[n](torch.cat([skip[..., top:, left:][..., : up.shape[-2], : up.shape[-1]], up], 1))
    return net.head(x)


class OneLayerTwice(nn.Module):
    """A list of convolutions, run in a loop."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        channels = [in_channels, out_channels, out_channels]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3) for a, b in pairwise(channels))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).clamp(min=0)
        return x


def by_appending(in_channels, out_channels):
    block = nn.Sequential()
    for n in range(2):
        block.append(nn.Conv2d(out_channels if n else in_channels, out_channels, (3, 3), padding="valid"))
        block.append(nn.Threshold(0.0, 0.0))
    return block


def crop_by_rows(skip, up):
    """The numbers of the rows and columns that stay, picked one after the other."""
    for axis in (2, 3):
        away = skip.shape[axis] - up.shape[axis]
        stay = torch.arange(skip.shape[axis])[away // 2 :][: up.shape[axis]]
        skip = skip.index_select(axis, stay)
    return torch.cat((skip, up), dim=-3)


def crop_into_place(skip, up):
    """An empty map, filled in two steps."""
    images, channels, height, width = skip.shape
    rows, columns = up.shape[2:]
    top, left = (height - rows) // 2, (width - columns) // 2
    result = torch.empty(images, channels + up.shape[1], rows, columns, dtype=torch.float64)
    result[:, :channels] = skip[:, :, top : height - top, left : width - left]
    result[:, channels:] = up
    return result


def crop_by_products(skip, up):
    """Cuts by two matrices of zeros and ones."""

    def cutter(before, after):
        return torch.eye(before)[(before - after) // 2 :][:after]

    rows, columns = (cutter(a, b) for a, b in zip(skip.shape[2:], up.shape[2:]))
    return torch.cat([torch.einsum("ah,nchw,bw->ncab", rows, skip, columns), up], dim=1)


def sizes_with_numpy(largest, depth=4):
    sides = np.arange(1, largest + 1)
    left, fits = sides.copy(), np.ones(largest, dtype=bool)
    for _ in range(depth):
        left = left - 4
        fits &= (left > 0) & (left % 2 == 0)
        left = left // 2
    for _ in range(depth):
        left = 2 * (left - 4)
        fits &= left > 0
    return sides[fits & (left > 4)].tolist()


def sizes_by_rule(largest, depth=4):
    """The smallest side, and a rhythm: the margin is 6 · 2^depth − 4 on both sides."""
    beat = 2**depth
    smallest = next(n for n in range(1, 14 * beat) if n > 2 * (6 * beat - 4) and n % beat == -4 % beat)
    return [*range(smallest, largest + 1, beat)]


def weights_by_loops(cells, w0=10, sigma=5):
    """Plain Python: from every pixel to every pixel of every cell."""
    places = {}
    for i, row in enumerate(cells.tolist()):
        for j, number in enumerate(row):
            if number:
                places.setdefault(number, []).append((i, j))
    weights = torch.zeros(cells.shape)
    if len(places) < 2:
        return weights
    for i in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            d1, d2, *_ = sorted(min(math.dist((i, j), p) for p in cell) for cell in places.values())
            weights[i, j] = w0 * math.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return weights


def weights_with_numpy(cells, w0=10, sigma=5):
    """One pass over the cells that keeps the two smallest distances; a missing cell is infinitely far."""
    numbers = np.setdiff1d(cells.numpy(), [0])
    d1 = np.full(cells.shape, np.inf)
    d2 = d1.copy()
    for number in numbers:
        distance = distance_transform_edt(cells.numpy() != number)
        d2 = np.minimum(d2, np.maximum(d1, distance))
        d1 = np.minimum(d1, distance)
    return torch.tensor(w0 * np.exp(-np.square(d1 + d2) / (2 * sigma**2)), dtype=torch.float32)


class Weights:
    """Distances from torch.cdist, the two smallest from two kthvalues."""

    def distances(self, cells):
        everywhere = torch.cartesian_prod(*map(torch.arange, cells.shape)).float()
        for number in set(cells.flatten().tolist()) - {0}:
            inside = torch.argwhere(cells == number).float()
            yield torch.cdist(everywhere, inside).min(dim=1).values.view(cells.shape)

    def __call__(self, cells, w0=10, sigma=5):
        maps = list(self.distances(cells))
        if len(maps) < 2:
            return 0.0 * cells
        maps = torch.stack(maps)
        total = maps.kthvalue(1, 0).values + maps.kthvalue(2, 0).values
        return total.pow_(2).div_(-2 * sigma**2).exp_().mul_(w0)


class Forward:
    """Skips under names, cropped by padding with negative numbers."""

    def __call__(self, net, image):
        self.kept, x = {}, image
        for level, block in enumerate(net.encoder):
            self.kept[level] = block(x)
            x = F.max_pool2d(self.kept[level], kernel_size=2)
        x = net.bottom(x)
        for level, upconv, block in zip(reversed(self.kept), net.upconv, net.decoder):
            up = upconv(x)
            x = block(crop_by_padding(self.kept[level], up))
        return net.head(x)


def loss_by_loops(logits, mask):
    """Adds up −log p of the right class, pixel by pixel."""
    images, _, height, width = logits.shape
    top, left = (mask.shape[1] - height) // 2, (mask.shape[2] - width) // 2
    total = 0.0
    for n in range(images):
        for i in range(height):
            for j in range(width):
                scores = logits[n, :, i, j]
                total = total + scores.exp().sum().log() - scores[mask[n, top + i, left + j]]
    return total / (images * height * width)


def loss_by_one_hot(logits, mask):
    border = [(a - b) // 2 for a, b in zip(mask.shape[1:], logits.shape[2:])]
    inner = F.pad(mask, (-border[1], -border[1], -border[0], -border[0]))
    target = F.one_hot(inner, logits.shape[1]).double()
    logs = F.log_softmax(logits.double(), dim=1)
    return -torch.einsum("nkhw,nhwk->", logs, target) / inner.numel()


class CentreLoss(nn.Module):
    """A frame of labels that do not count around the logits."""

    def forward(self, logits, mask):
        rows, columns = ((a - b) // 2 for a, b in zip(mask.shape[-2:], logits.shape[-2:]))
        counts = torch.zeros(mask.shape, dtype=torch.bool)
        counts[:, rows : rows + logits.shape[2], columns : columns + logits.shape[3]] = True
        whole = F.pad(logits, [columns, columns, rows, rows])
        return nn.CrossEntropyLoss(ignore_index=-1)(whole, mask.where(counts, -1))


RIGHT = {
    "double_conv": [
        TwoConvolutions,
        DoubleConv,
        lambda i, o: conv_relu(i, o, o),
        OneLayerTwice,
        by_appending,
    ],
    "crop_and_concat": [
        package_crop,
        crop_by_padding,
        crop_by_narrow,
        crop_by_rows,
        crop_into_place,
        crop_by_products,
    ],
    "valid_sizes": [
        sizes_by_trying,
        sizes_with_numpy,
        sizes_by_rule,
        lambda largest, depth=4: list(filter(segnb.models.UNet(width=1, depth=depth).accepts, range(1, largest + 1))),
    ],
    "border_weights": [
        lambda cells, w0=10, sigma=5: unet.border_weights(cells, w0, sigma).numpy(),
        brute_weights(lambda a, b, w, s: w * torch.exp(-((a + b) ** 2) / (2 * s**2))),
        weights_by_loops,
        weights_with_numpy,
        Weights(),
    ],
    "mended_forward": [forward_with(join=crop_by_padding), by_recursion, from_a_list, Forward()],
    "mended_loss": [normalised, by_gather, loss_by_loops, loss_by_one_hot, CentreLoss()],
    "tile_step": [384, 384.0, 388 // 16 * 16],
    "net_parameters": [
        unet.net_parameters(*unet.my_net(variant(""))),
        float(unet.net_parameters(*unet.my_net(variant("")))),
    ],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(unet.EXERCISES[:8], WRONG, RIGHT)

# All answers of the chapter, where they are looked for by its name.
WRONG, RIGHT = WRONG | more.WRONG, RIGHT | more.RIGHT


def test_the_papers_numbers():
    assert registry["valid_sizes"].reference(700)[-1] == 700
    assert [n for n in unet.valid_sizes(719) if n % 16 != 12] == []
    assert len(unet.valid_sizes(572)) == 25
    assert unet.tile_step() == 384
    weights = unet.border_weights(torch.tensor([[1, 2, 0, 0, 0, 0]]))
    assert weights[0].tolist() == pytest.approx(
        [10 * 2.718281828 ** (-(d**2) / 50) for d in (1, 1, 3, 5, 7, 9)]
    )


def test_everybody_has_a_net_and_many_differ():
    nets = [unet.my_net(variant(str(n))) for n in range(60)]
    assert len(set(nets)) > 30
    assert len({unet.net_parameters(*net) for net in nets[:12]}) > 8
