"""The exercises of chapter 7: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import segnb
from segnb.exercises import segnet, variant
from tests.exercises.answers import answers_of
from tests.exercises.tasks import test_segnet_more as more
from tests.models.test_segnet import overwritten

# --------------------------------------------------------------------------- wrong: (answer, its own hint)


def unpooled(values, indices, stride=2, output_size=None):
    """What F.max_unpool2d gives, which this task forbids."""
    size = output_size or [stride * side for side in values.shape[2:]]
    return segnet.unpool(values, indices, size)


def library(x):
    return segnet.pool_with_indices(x)


def renumbered(rule):
    """The right maxima, and rule(row, column, height, width) for their places."""

    def pool(x):
        maxima, indices = library(x)
        return maxima, rule(
            indices.div(x.shape[3], rounding_mode="floor"), indices.remainder(x.shape[3]), *x.shape[2:]
        )

    return pool


def rightmost(x):
    """Of equal numbers the last of its row, but the first row that has one."""
    maxima, indices = library(x.flip(-1))
    rows, columns = indices // x.shape[3], indices % x.shape[3]
    return maxima.flip(-1), (rows * x.shape[3] + x.shape[3] - 1 - columns).flip(-1)


def on_and_on(x):
    maxima, indices = library(x)
    maps = torch.arange(len(x) * x.shape[1]).reshape(len(x), x.shape[1], 1, 1)
    return maxima, indices + maps * x.shape[2] * x.shape[3]


def block(values, indices, size):
    return values.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., : size[0], : size[1]]


def top_left(values, indices, size):
    rows, columns = (torch.arange(n) * 2 for n in values.shape[2:])
    sparse = torch.zeros(*values.shape[:2], *size)
    sparse[..., rows[:, None], columns] = values
    return sparse


def doubled(values, indices, size):
    return unpooled(values, indices, 2)


def doubled_and_cut(values, indices, size):
    return doubled(values, indices, size)[:, :, : size[0], : size[1]]


def for_all(values, indices, size):
    first = indices[0, 0].expand(indices.shape)
    return unpooled(values, first.contiguous(), 2, output_size=size)


def down_columns(values, indices, size):
    return unpooled(values, indices, 2, output_size=size[::-1]).mT


def five(step, start=()):
    def listed(height, width):
        found = [list(start) and [height, width]]
        side = [height, width]
        for _ in range(5):
            side = [step(n) for n in side]
            found.append(side)
        return [one for one in found if one][:5]

    return listed


def stages(channels, height, width, up=True):
    for count in channels:
        yield count, height, width
        height, width = (height + 1) // 2 if up else height // 2, (width + 1) // 2 if up else width // 2


def summed(of_maps=4, of_windows=0.25, up=True, window=2, per_channel=True):
    def count(channels, height, width, keep):
        if keep == "maps":
            return sum(of_maps * n * h * w for n, h, w in stages(channels, height, width, up))
        total = 0
        for n, h, w in stages(channels, height, width, up):
            windows = -(-h // window) * -(-w // window) if up else (h // window) * (w // window)
            total += of_windows * windows * (n if per_channel else 1)
        return total

    return count


def turned(stage, own=False, by_hand=None):
    """New convolutions from outputs to inputs; batch norm and ReLU in the order of `by_hand`, or as they lie reversed."""
    made = []
    for place in range(len(stage) - 3, -1, -3):
        conv, norm, relu = stage[place : place + 3]
        mirrored = nn.Conv2d(conv.out_channels, conv.in_channels, 3, padding=1)
        if by_hand:
            norm = nn.BatchNorm2d(conv.in_channels) if own else norm
            made += by_hand(mirrored, norm, relu)
        else:
            made += [relu, nn.BatchNorm2d(conv.out_channels) if own else norm, mirrored]
    return nn.Sequential(*made)


def run(net, image, sized=True, order=-1, last=lambda logits: logits, first=lambda image: image):
    """The whole pass by the net's own layers, with other sizes, another order of indices, another end."""
    x, where, before = net.normalise(first(image)), [], []
    for n in range(5):
        x = net.encoder[n](x)
        before.append(x.shape[2:])
        x, places = net.pool[n](x)
        where.append(places)
    for n in range(5):
        size = before.pop() if sized else [2 * side for side in x.shape[2:]]
        x = net.decoder[n](net.unpool[n](x, where.pop(order), output_size=size))
    return last(net.head(x))[..., : image.shape[2], : image.shape[3]]


def squeezed(net, image):
    x, where = image, []
    for stage, pool in zip(net.encoder, net.pool):
        x, places = pool(stage(x))
        where.insert(0, places)
    for unpool, stage, places in zip(net.unpool, net.decoder, where):
        x = stage(unpool(x, places))
    return F.interpolate(net.head(x), image.shape[2:], mode="bilinear")


def filled_up(image):
    bottom, right = (-side % 32 for side in image.shape[2:])
    return F.pad(image, (0, right, 0, bottom))


def norms(net):
    return [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]


def estimate(net, batches, momentum=None, forget=True, training=True, end=False):
    for norm in norms(net):
        norm.momentum = momentum
        if forget:
            norm.running_mean.zero_()
            norm.running_var.fill_(1)
            norm.num_batches_tracked.zero_()
    net.train(training)
    for batch in batches:
        with torch.no_grad():
            net(batch)
    net.train(end)


def learning(net, batches):
    net.train()
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    for batch in batches:
        net(batch).sum().backward()
        optimiser.step()
    net.eval()


height, width, index = segnet.my_maximum(variant(""))

WRONG = {
    "pool_with_indices": [
        (renumbered(lambda row, column, h, w: 2 * (row % 2) + column % 2), "where in its window each maximum is"),
        (renumbered(lambda row, column, h, w: row * (w // 2) + column), "rows of the small map"),
        (renumbered(lambda row, column, h, w: row + h * column), "You count down the columns"),
        (renumbered(lambda row, column, h, w: (row - row % 2) * w + column - column % 2), "top left corners"),
        (renumbered(lambda row, column, h, w: row // 2 * (w // 2) + column // 2), "You number the windows"),
        (on_and_on, "goes on from map to map"),
        (lambda x: (F.avg_pool2d(x, 2), library(x)[1]), "These are the means"),
        (lambda x: (-library(-x)[0], library(x)[1]), "the largest number of every window"),
        (renumbered(lambda row, column, h, w: row * w + column + 1), "In window (0, 0) the largest stands in row 1, column 1"),
        (rightmost, "stands twice, at index 2 and at 3: of equal numbers the first counts"),
        (lambda x: library(x)[0], "a list is wanted"),
        (lambda x: library(x)[:1], "Two tensors are wanted"),
        (lambda x: (library(x)[0], library(x)[1].float()), "Indices are whole numbers, and yours are torch.f"),
        (lambda x: (x, library(x)[1]), "The maxima should be 1×1×2×2, and yours are 1×1×4×4"),
    ],
    "unpool": [
        (block, "You fill each window with its maximum"),
        (top_left, "the top left corner of its window"),
        (for_all, "the indices of the first channel for all"),
        (doubled_and_cut, "You unpool to twice the size and cut"),
        (down_columns, "You read the indices down the columns"),
        (doubled, "the shape should be 1×1×5×7, and yours is 1×1×6×8"),
        (lambda values, indices, size: torch.zeros(*values.shape[:2], *size), "Index 1 of a map 2 wide is row 0, column 1"),
        (lambda values, indices, size: unpooled(values, indices, 2, output_size=size)[0], "the shape should be 1×1×2×2, and yours is 1×2×2"),
    ],
    "pooled_sizes": [
        (five(lambda n: n // 2), "You round down"),
        (five(lambda n: round(n / 2)), "goes to the even neighbour"),
        (five(lambda n: -(-n // 2), start="image"), "begins with the image itself"),
        (lambda height, width: [[w, h] for h, w in segnet.pooled_sizes(height, width)], "Height comes first"),
        (five(lambda n: n // 2 + 1), "You add one to even sides as well"),
        (lambda height, width: segnet.pooled_sizes(height, width)[:4], "the list ends too early"),
        (lambda height, width: segnet.pooled_sizes(height, width)[-1], "entry 1 of the list: a list is wanted, and your "),
        (five(lambda n: n / 2), "entry 4 of the list should be [23, 30], and yours is [22.5, 30]"),
    ],
    "lands_at": [
        ([index // width, index % width], "This is where the maximum was"),
        ([index % (width + 1), index // (width + 1)], "row and column the wrong way round"),
        ([index // (width - 1), index % (width - 1)], "after pooling that rounds down"),
        ([index // (width + 1) + 1, index % (width + 1) + 1], "count from 0"),
        ([index // ((width + 1) // 2), index % ((width + 1) // 2)], "the width of the small map"),
        (index, "a list is wanted"),
        ([0, 0], "How wide is a map that is pooled"),
    ],
    "kept_bytes": [
        (summed(of_windows=8), "You count PyTorch's indices"),
        (summed(of_windows=1), "A byte for each window"),
        (summed(of_maps=32, of_windows=2), "These are bits"),
        (summed(window=1), "2 bits for every pixel"),
        (summed(per_channel=False), "Every channel has maxima of its own"),
        (summed(up=False), "You round the sides down"),
        (summed(of_maps=1), "A byte for each number"),
        (lambda channels, height, width, keep: 4 * sum(channels) * height * width, "Two bits can tell four places apart"),
    ],
    "mirrored_stage": [
        (turned, "In your module 1.weight belongs to the one you w"),
        (lambda stage: turned(stage, own=True), "The layers are their own now"),
        (lambda stage: turned(stage, by_hand=lambda conv, norm, relu: [conv, norm, relu]), "In your module 1.weight belongs to the one you w"),
        (lambda stage: turned(stage, True, lambda conv, norm, relu: [conv, relu, norm]), "Your batch norm comes after ReLU"),
        (lambda stage: turned(stage, True, lambda conv, norm, relu: [conv, norm]), "ReLU is missing"),
        (lambda stage: stage, "In your module 0.weight belongs to the one you w"),
        (lambda stage: turned(stage, True, lambda conv, norm, relu: [conv, norm, relu])[:3], "With channels = [4, 4, 4, 4]: the layers with we"),
        (lambda stage: list(stage), "Your mirrored_stage should return an nn.Module, "),
    ],
    "mended_segnet": [
        (lambda net, image: print(run(net, image).shape), "your mended_segnet returns nothing"),
        (lambda net, image: run(net, image, sized=False, last=F.relu), "It runs now. Two faults are left"),
        (lambda net, image: run(net, image, last=F.relu), "The sizes are right now"),
        (lambda net, image: run(net, image, sized=False), "The end is right now"),
        (squeezed, "With classes = 3, image = a 1×3×64×64 tensor: th"),
        (lambda net, image: run(net, image, first=filled_up), "up to a multiple of 32"),
        (lambda net, image: run(net, image, last=lambda logits: logits.softmax(1)), "These are probabilities"),
        (lambda net, image: run(net, image, order=0), "stopped at the line `x = net.decoder[n](net.unpool[n]"),
        (overwritten, "stopped at the line `x = stage(unpool(x, where))`"),
        (lambda net, image: run(net, image).argmax(1), "No gradient flows through your result: a .detach"),
    ],
    "fresh_statistics": [
        (lambda net, batches: estimate(net, batches, training=False, forget=False), "Nothing has changed"),
        (lambda net, batches: estimate(net, batches, momentum=0.1, forget=False), "a tenth of the way with each batch"),
        (lambda net, batches: estimate(net, batches, forget=False), "over the batches of the training"),
        (lambda net, batches: estimate(net, batches, momentum=0.1), "the 0 and 1 of the start"),
        (lambda net, batches: estimate(net, batches, momentum=1.0), "Momentum 1 keeps the last batch alone"),
        (lambda net, batches: estimate(net, batches[:1]), "Only the first batch has been seen"),
        (lambda net, batches: estimate(net, batches, training=False), "forgotten and never collected again"),
        (lambda net, batches: estimate(net, batches, end=True), "The statistics are right, but the net is still in training mode"),
        (learning, "how far the weights have moved, γ and β among th"),
        (lambda net, batches: estimate(net, [batches[0] + 1]), "With batches = [a 2×1×8×9 tensor]: the running m"),
    ],
}  # fmt: skip

# --------------------------------------------------------------------------- right, in other words


def one_by_one(values, indices, size):
    sparse = torch.zeros(*values.shape[:2], *size)
    for place in (values == values).nonzero().tolist():
        n, c, i, j = place
        sparse[n, c, indices[n, c, i, j] // size[1], indices[n, c, i, j] % size[1]] = values[n, c, i, j]
    return sparse


class Mirrored(nn.Module):
    """Layers in lists, run by a forward of its own."""

    def __init__(self, stage):
        super().__init__()
        convs = [layer for layer in stage if isinstance(layer, nn.Conv2d)][::-1]
        self.convs = nn.ModuleList(nn.Conv2d(c.out_channels, c.in_channels, 3, padding=1) for c in convs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c.in_channels) for c in convs)
        self.relu = nn.ReLU()

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = self.relu(norm(conv(x)))
        return x


def course_stage(stage):
    convs = [layer for layer in stage if isinstance(layer, nn.Conv2d)][::-1]
    channels = [convs[0].out_channels, *(conv.in_channels for conv in convs)]
    return segnb.models.vgg.ConvStage(channels, norm="batch")


def by_places(x):
    """Four strided maps, one a place in the window, in the order of the count."""
    places = torch.stack([x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)])
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in x.shape[2:]), indexing="ij")
    count = (rows * x.shape[3] + columns).expand(x.shape)
    counts = torch.stack([count[..., row::2, column::2] for row in (0, 1) for column in (0, 1)])
    best = places.argmax(0, keepdim=True)
    return places.gather(0, best)[0], counts.gather(0, best)[0]


def by_recursion(net, image):
    def through(x, level):
        x = net.encoder[level](x)
        small, places = net.pool[level](x)
        if level + 1 < len(net.encoder):
            small = through(small, level + 1)
        place = len(net.encoder) - 1 - level
        return net.decoder[place](net.unpool[place](small, places, output_size=x.shape))

    return net.head(through(net.normalise(image), 0))


def with_functions(net, image):
    x, places, sizes = net.normalise(image), [], []
    for stage in net.encoder:
        x = stage(x)
        sizes.append(x.shape[-2:])
        x, index = F.max_pool2d(x, 2, return_indices=True, ceil_mode=True)
        places.append(index)
    for stage, index, size in zip(net.decoder, places[::-1], sizes[::-1]):
        x = stage(F.max_unpool2d(x, index, 2, output_size=size))
    return net.head(x)


def window_by_window(x):
    images, channels, height, width = x.shape
    maxima, indices = [], []
    for plane in x.reshape(-1, height, width):
        for i in range(0, height, 2):
            for j in range(0, width, 2):
                places = [(i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1)]
                best = max(places, key=lambda place: plane[place].item())
                maxima.append(plane[best])
                indices.append(best[0] * width + best[1])
    shape = (images, channels, height // 2, width // 2)
    return torch.stack(maxima).reshape(shape), torch.tensor(indices).reshape(shape)


def by_amax(x):
    """The gradient of amax is shared by equal numbers, that of max goes to the first: both are gradients of the maximum."""
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    rows = 2 * torch.arange(x.shape[2] // 2)[:, None] + windows.argmax(4) // 2
    return windows.amax(4), rows * x.shape[3] + 2 * torch.arange(x.shape[3] // 2) + windows.argmax(4) % 2


def by_permutation(x):
    images, channels, height, width = x.shape
    cells = x.double().view(images, channels, height // 2, 2, width // 2, 2).permute(0, 1, 2, 4, 3, 5)
    maxima, place = cells.reshape(images, channels, height // 2, width // 2, 4).max(dim=4)
    corners = torch.arange(height * width).view(height, width)[::2, ::2]
    return maxima, corners + torch.tensor([0, 1, width, width + 1])[place]


class Pooling(nn.Module):
    """F.unfold lays the windows out as columns; the places are laid out in the same way."""

    def forward(self, x):
        places = torch.arange(x[0, 0].numel(), dtype=x.dtype).view(1, 1, *x.shape[2:])
        values = F.unfold(x.flatten(0, 1)[:, None], 2, stride=2)
        count = F.unfold(places, 2, stride=2).expand_as(values).long()
        first = values.argmax(1, keepdim=True)
        shape = (*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2)
        return [part.gather(1, first).reshape(shape) for part in (values, count)]


def duel(a, b):
    """Of two (values, places), the larger value and its place, the first where they tie."""
    first = a[0] >= b[0]
    return torch.where(first, a[0], b[0]), torch.where(first, a[1], b[1])


def by_duels(x):
    """Left against right, then the upper winner against the lower one."""
    places = torch.arange(x.shape[2] * x.shape[3]).view(x.shape[2:]).expand(x.shape)
    rows = duel((x[..., ::2], places[..., ::2]), (x[..., 1::2], places[..., 1::2]))
    return duel(*[[part[:, :, start::2] for part in rows] for start in (0, 1)])


def with_one_hot(values, indices, size):
    where = F.one_hot(indices, size[0] * size[1]).to(values.dtype)
    return torch.einsum("ncijp,ncij->ncp", where, values).unflatten(2, tuple(size))


def from_coordinates(values, indices, size):
    """A sparse tensor of (image, channel, row, column) → value, written out."""
    places = torch.ones_like(values).nonzero().T
    rows = indices.flatten().div(size[1], rounding_mode="floor")
    columns = indices.flatten() - size[1] * rows
    shape = (*values.shape[:2], *size)
    return torch.sparse_coo_tensor(
        torch.stack([*places[:2], rows, columns]), values.flatten(), shape, check_invariants=True
    ).to_dense()


def map_by_map(values, indices, size):
    maps = []
    for number, places in zip(values.flatten(0, 1), indices.flatten(0, 1)):
        line = torch.zeros(size[0] * size[1])
        line[places.flatten()] = number.flatten()
        maps.append(line.reshape(size))
    return torch.stack(maps).reshape(*values.shape[:2], *size)


class Unpooling(nn.Module):
    """One long line for the whole batch: each map begins where the last one has ended."""

    def forward(self, values, indices, size):
        maps, area = values.shape[0] * values.shape[1], size[0] * size[1]
        start = area * torch.arange(maps).view(*values.shape[:2], 1, 1)
        line = torch.zeros(maps * area).put((indices + start).flatten(), values.flatten())
        return line.view(*values.shape[:2], *size)


def sizes_by_recursion(height, width, times=5):
    if not times:
        return []
    smaller = [math.ceil(height / 2), math.ceil(width / 2)]
    return [smaller, *sizes_by_recursion(*smaller, times - 1)]


def sizes_by_pooling(height, width):
    x, found = torch.empty(1, 1, height, width), []
    pool = nn.MaxPool2d(2, ceil_mode=True)
    while len(found) < 5:
        x = pool(x)
        found.append(x.shape[2:])
    return found


def sizes_with_numpy(height, width):
    return np.ceil(np.array([height, width]) / 2.0 ** np.arange(1, 6)[:, None]).astype(int).tolist()


def bytes_with_numpy(channels, height, width, keep):
    halvings = 2 ** np.arange(len(channels) + 1)
    rows, columns = -(-height // halvings), -(-width // halvings)
    if keep == "maps":
        return int(np.sum(4 * np.array(channels) * rows[:-1] * columns[:-1]))
    return np.dot(channels, rows[1:] * columns[1:]) / 4


def bytes_by_recursion(channels, height, width, keep):
    if not channels:
        return 0
    first, *others = channels
    small = math.ceil(height / 2), math.ceil(width / 2)
    own = {"maps": 4 * first * height * width, "indices": first * small[0] * small[1] / 4}[keep]
    return own + bytes_by_recursion(others, *small, keep)


def bytes_of_tensors(channels, height, width, keep):
    """Pools one channel of each stage and asks the tensors how large they are."""
    total, x = 0, torch.zeros(1, height, width)
    for count in channels:
        small, where = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
        total += count * (x.nbytes if keep == "maps" else where.nbytes / 32)
        x = small
    return total


class Keeper:
    """Counts bits, stage by stage."""

    def __call__(self, channels, height, width, keep):
        self.bits, self.side = 0, (height, width)
        for count in channels:
            getattr(self, keep)(count)
        return self.bits // 8

    def halve(self):
        self.side = tuple(n // 2 + n % 2 for n in self.side)

    def maps(self, count):
        self.bits += 32 * count * math.prod(self.side)
        self.halve()

    def indices(self, count):
        self.halve()
        self.bits += 2 * count * math.prod(self.side)


def mirrored_by_names(stage):
    mirror = nn.Sequential()
    for place, conv in list(enumerate(stage))[::-1]:
        if type(conv) is nn.Conv2d:
            outputs, inputs = conv.weight.shape[:2]
            mirror.add_module(f"conv{place}", nn.Conv2d(outputs, inputs, (3, 3), padding="same"))
            mirror.add_module(f"norm{place}", nn.BatchNorm2d(inputs))
            mirror.add_module(f"relu{place}", nn.ReLU(inplace=True))
    return mirror


def mirrored_in_blocks(stage):
    def block(before, after):
        conv = nn.Conv2d(before, after, kernel_size=3, stride=1, padding=1)
        return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())

    blocks = []
    for layer in stage:
        if hasattr(layer, "kernel_size"):
            blocks.insert(0, block(layer.out_channels, layer.in_channels))
    return nn.Sequential(*blocks)


def mirrored_from_copies(stage):
    """Copies of the layers in a new order, their channels exchanged and started anew."""
    copies = []
    for conv, _, relu in zip(*[iter(copy.deepcopy(stage))] * 3):
        weight = torch.empty(conv.in_channels, conv.out_channels, 3, 3)
        conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(torch.empty(conv.in_channels))
        conv.in_channels, conv.out_channels = conv.out_channels, conv.in_channels
        conv.reset_parameters()
        copies = [conv, nn.BatchNorm2d(conv.out_channels), relu, *copies]
    return nn.Sequential(*copies)


class TwoWays:
    """Down and up as two methods, with unpooling by hand."""

    def __call__(self, net, image):
        self.notes = []
        return net.head(self.up(net, self.down(net, net.normalise(image))))

    def down(self, net, x):
        for level in range(5):
            before = net.encoder[level](x)
            x, places = net.pool[level](before)
            self.notes.append((places, before.shape))
        return x

    def up(self, net, x):
        for stage in net.decoder:
            places, shape = self.notes.pop()
            line = torch.zeros(shape).flatten(2).scatter(2, places.flatten(2), x.flatten(2))
            x = stage(line.view(shape))
        return x


def measured_by_hooks(net, batches):
    """Mean and variance of what reaches each norm, worked out by hand, batch by batch."""
    seen = {norm: [] for norm in norms(net)}

    def note(norm, inputs):
        values = inputs[0].detach().transpose(0, 1).flatten(1)
        seen[norm].append((values.mean(1), values.var(1)))

    hooks = [norm.register_forward_pre_hook(note) for norm in seen]
    net.train()
    for batch in batches:
        net(batch)
    for hook in hooks:
        hook.remove()
    for norm, found in seen.items():
        means, variances = zip(*found)
        norm.running_mean.copy_(sum(means) / len(batches))
        norm.running_var.copy_(sum(variances) / len(batches))
    net.train(False)


@torch.inference_mode()
def with_a_falling_momentum(net, batches):
    net.train()
    for number, batch in enumerate(batches, start=1):
        for layer in net.modules():
            if hasattr(layer, "running_mean"):
                layer.momentum = 1 / number
        net(batch)
    net.eval()


def last_batch_each_time(net, batches):
    """Momentum 1 keeps one batch; the mean over the batches is taken outside, and loaded."""
    net.train()
    found = []
    for batch in batches:
        for norm in norms(net):
            norm.momentum = 1.0
        with torch.no_grad():
            net(batch)
        found.append({name: value.clone() for name, value in net.state_dict().items() if "running" in name})
    means = {name: torch.stack([one[name] for one in found]).mean(0) for name in found[0]}
    net.load_state_dict(net.state_dict() | means)
    net.eval()


RIGHT = {
    "pool_with_indices": [
        library,
        by_places,
        window_by_window,
        by_permutation,
        by_amax,
        Pooling(),
        by_duels,
    ],
    "unpool": [
        one_by_one,
        lambda values, indices, size: segnet.unpool(values.double(), indices, size),
        with_one_hot,
        from_coordinates,
        map_by_map,
        Unpooling(),
    ],
    "pooled_sizes": [
        lambda height, width: [(-(-height // 2**n), -(-width // 2**n)) for n in range(1, 6)],
        five(lambda n: n - n // 2),
        sizes_by_recursion,
        sizes_by_pooling,
        sizes_with_numpy,
    ],
    "lands_at": [[index // (width + 1), index % (width + 1)], divmod(index, width + 1)],
    "kept_bytes": [summed(), bytes_with_numpy, bytes_by_recursion, bytes_of_tensors, Keeper()],
    "mirrored_stage": [Mirrored, course_stage, mirrored_by_names, mirrored_in_blocks, mirrored_from_copies],
    "mended_segnet": [run, by_recursion, with_functions, TwoWays()],
    "fresh_statistics": [estimate, measured_by_hooks, with_a_falling_momentum, last_batch_each_time],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(segnet.EXERCISES[:8], WRONG, RIGHT)

# All answers of the chapter, where they are looked for by its name.
WRONG, RIGHT = WRONG | more.WRONG, RIGHT | more.RIGHT


def test_the_references_are_the_library_and_the_course_s_net():
    x = torch.rand(2, 3, 6, 10)
    for mine, theirs in zip(segnet.pool_with_indices(x), library(x)):
        assert torch.equal(mine, theirs)
    values, indices = F.max_pool2d(torch.rand(2, 3, 5, 9), 2, ceil_mode=True, return_indices=True)
    theirs = unpooled(values, indices, 2, output_size=(5, 9))
    assert torch.equal(segnet.unpool(values, indices, (5, 9)), theirs)
    net = segnb.models.SegNet(1, 2, width=1).eval()
    image = torch.rand(1, 1, 39, 50)
    assert torch.equal(segnet.mended_segnet(net, image), net(image))
    sizes = segnet.pooled_sizes(360, 480)
    assert sizes == [[180, 240], [90, 120], [45, 60], [23, 30], [12, 15]]


def test_the_mirror_of_every_stage_is_the_course_s_decoder():
    net = segnb.models.SegNet(width=2)
    for stage, decoder in zip(reversed(net.encoder[1:]), net.decoder):
        mirrored = segnet.mirrored_stage(stage)
        assert [type(layer) for layer in mirrored] == [type(layer) for layer in decoder]
        shapes = [[tuple(p.shape) for p in one.parameters()] for one in (mirrored, decoder)]
        assert shapes[0] == shapes[1]


def test_everybody_has_a_maximum_and_many_differ():
    own = {segnet.my_maximum(variant(str(n))) for n in range(60)}
    assert len(own) > 40
    for height, width, index in own:
        row, column = segnet.lands_at(height, width, index)
        assert width % 2 == 1
        assert index < height * width
        assert (row, column) != (index // width, index % width)
        assert 0 <= column <= width
