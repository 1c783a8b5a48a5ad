"""The exercises of chapter 7, SegNet: pooling that remembers, its way back, what it costs, broken nets to mend."""

import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import segnb.models.segnet
from segnb.exercises.engine import Case, Exercise, rand, sizes
from segnb.exercises.kinds import exposes, predicts
from segnb.exercises.probes import a_tensor, lived_in, new_module, noise, sealed, slopes, untouched

# ------------------------------------------------------------------------------------- pool_with_indices


def pool_with_indices(x):
    height, width = x.shape[2:]
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)  # N×C×h×w×4
    maxima, place = windows.max(-1)
    rows = 2 * torch.arange(height // 2)[:, None] + place // 2
    columns = 2 * torch.arange(width // 2) + place % 2
    return maxima, rows * width + columns


def pooled_by(index):
    """A wrong answer: right maxima, and index(rows, columns, x) for their places."""

    def wrong(x):
        maxima, indices = pool_with_indices(x)
        return maxima, index(indices // x.shape[3], indices % x.shape[3], x)

    return wrong


def what_is_pooled(got, want, x):
    if len(got) != 2 or not all(isinstance(part, Tensor) for part in got):
        return "Two tensors are wanted: return maxima, indices."
    got = [part.detach() for part in got]
    for name, yours, mine in zip(("maxima", "indices"), got, want):
        if yours.shape != mine.shape:
            return f"The {name} should be {sizes(mine.shape)}, and yours are {sizes(yours.shape)}."
    if got[1].is_floating_point():
        return f"Indices are whole numbers, and yours are {got[1].dtype}."
    if not torch.equal(got[0].float(), want[0].detach()):
        return "The first tensor should hold the largest number of every window of 2×2."
    if torch.equal(got[1].long(), want[1]):
        return "The numbers are right, but no gradient goes through the maxima (.detach(), NumPy): nothing below would learn."
    window = (got[1] != want[1]).nonzero()[0].tolist()
    yours, mine = got[1][tuple(window)].item(), want[1][tuple(window)].item()
    row, column = divmod(mine, x.shape[3])
    rivals = x[window[0], window[1]].flatten()
    beside = [yours // x.shape[3] // 2, yours % x.shape[3] // 2] == window[2:]
    if beside and rivals[yours] == rivals[mine]:
        return (
            f"The maxima are right. In window ({window[2]}, {window[3]}) the largest number stands twice, at index {mine} "
            f"and at {yours}: of equal numbers the first counts."
        )
    return (
        f"The maxima are right. In window ({window[2]}, {window[3]}) the largest stands in row {row}, column {column} "
        f"of a map {x.shape[3]} wide: index {mine}, and yours is {yours}."
    )


HAND_MAP = torch.tensor([[1.0, 2, 0, 7], [3, 4, 5, 6], [9, 0, 1, 2], [8, 3, 4, 0]])[None, None]

POOL_WITH_INDICES = Exercise(
    pool_with_indices,
    gradient=("x",),
    forbidden=("max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices"),
    points=2, minutes=12, difficulty=3, importance=3,
    cases=(
        Case("a map of 4×4: maxima 4, 7, 9, 4 with indices 5, 3, 8, 14", (HAND_MAP,), what_is_pooled),
        Case("height and width differ", lambda seed: (rand(seed, 1, 1, 4, 6),), what_is_pooled),
        Case("after a ReLU: of equal numbers the first counts", lambda seed: ((rand(seed, 2, 1, 6, 4) - 0.7).clamp_min(0),), what_is_pooled, ties=True),
        Case(
            "two images, three channels, negative numbers too",
            lambda seed: (rand(seed, 2, 3, 6, 8) - 0.9,),
            what_is_pooled,
        ),
    ),
    mistakes={
        pooled_by(lambda rows, columns, x: rows % 2 * 2 + columns % 2): "Your indices say where in its window each maximum is, 0 to 3. PyTorch counts through the whole map, row by row.",
        pooled_by(lambda rows, columns, x: rows * (x.shape[3] // 2) + columns): "You count with rows of the small map. The indices are places in the large one: row times its width.",
        pooled_by(lambda rows, columns, x: columns * x.shape[2] + rows): "You count down the columns. Count along the rows: row times width, plus column.",
        pooled_by(lambda rows, columns, x: rows // 2 * 2 * x.shape[3] + columns // 2 * 2): "These are the top left corners of the windows, wherever the maximum is.",
        pooled_by(lambda rows, columns, x: rows // 2 * (x.shape[3] // 2) + columns // 2): "You number the windows. The index belongs to the pixel that held the maximum.",
        pooled_by(lambda rows, columns, x: (rows * x.shape[3] + columns + x[0, 0].numel() * torch.arange(x[:, :, 0, 0].numel()).view(*x.shape[:2], 1, 1))): "Your count goes on from map to map. Each channel of each image begins again at 0.",
        "windows.max(-1) → windows.flip(-1).max(-1)\n    place = 3 - place": "Of equal numbers you take the last. F.max_pool2d takes the first; after a ReLU many windows are zeros only.",
        lambda x: (F.avg_pool2d(x, 2), pool_with_indices(x)[1]): "These are the means of the windows. Max pooling keeps the largest number.",
    },
    hints=(
        "x.unfold(2, 2, 2).unfold(3, 2, 2) cuts the map into windows of 2×2. Which of the four numbers is the largest, and where?",
        "windows.flatten(4).max(-1) gives the maxima and a place from 0 to 3: its row in the window is place // 2, its column place % 2.",
        "The row in the map is 2 * torch.arange(height // 2)[:, None] + place // 2, the column likewise; the index is row * width + column.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ unpool


def unpool(values, indices, size):
    height, width = size
    sparse = values.new_zeros(*values.shape[:2], height * width)
    sparse.scatter_(2, indices.flatten(2), values.flatten(2))
    return sparse.reshape(*values.shape[:2], height, width)


def pooled(seed, *shape):
    """What `unpool` takes: maxima and indices of a random map, and the size it had."""
    x = rand(seed, *shape) + 0.1
    return (*F.max_pool2d(x, 2, ceil_mode=True, return_indices=True), list(shape[2:]))


def cut_after(values, indices, size):
    """Unpooling to twice the size, the rest cut off."""
    doubled = unpool(values, indices, [2 * side for side in values.shape[2:]])
    return doubled[..., : size[0], : size[1]]


def four_times(values, indices, size):
    return F.interpolate(values, scale_factor=2)[..., : size[0], : size[1]]


def corners(values, indices, size):
    sparse = values.new_zeros(*values.shape[:2], *size)
    sparse[..., ::2, ::2] = values
    return sparse


UNPOOL = Exercise(
    unpool,
    gradient=("values",),
    forbidden=("max_unpool2d",),
    points=2, minutes=8, difficulty=2, importance=4, short=True,
    cases=(
        Case(
            "one window: a 7 with index 1 goes to the top right, three zeros stay",
            (torch.tensor([[[[7.0]]]]), torch.tensor([[[[1]]]]), [2, 2]),
            "Index 1 of a map 2 wide is row 0, column 1.",
        ),
        Case("2×3 maxima back to 4×6", lambda seed: pooled(seed, 1, 1, 4, 6)),
        Case(
            "3×4 maxima back to 5×7, odd both ways",
            lambda seed: pooled(seed, 1, 1, 5, 7),
            "Index 9 is row 1, column 2 in a map 7 wide, and row 1, column 1 in one 8 wide.",
        ),
        Case("two images, three channels", lambda seed: pooled(seed, 2, 3, 6, 4)),
    ),
    mistakes={
        four_times: "You fill each window with its maximum. Unpooling puts it where it was and leaves the other three at zero.",
        corners: "Every value lands in the top left corner of its window. The indices say where it was.",
        lambda values, indices, size: unpool(values, indices[:1, :1].expand_as(indices), size): "You use the indices of the first channel for all. Every channel has maxima of its own.",
        lambda values, indices, size: unpool(values, indices[:1].expand_as(indices), size): "You use the indices of the first image for all. Every image has maxima of its own.",
        lambda values, indices, size: unpool(values.detach(), indices, size): "The numbers are right, but no gradient goes through the values (.detach(), NumPy): the decoder above would be all that learns.",
        cut_after: "You unpool to twice the size and cut. The indices count in rows of the old width: with any other width values slide into wrong columns. Make the map of the size you are given at once.",
        lambda values, indices, size: unpool(values, indices, size[::-1]).transpose(2, 3): "You read the indices down the columns. They count along the rows.",
    },
    hints=(
        "Start with zeros. Each index is a place in the map, laid out row by row as one long line.",
        "torch.zeros(n, c, height * width), and then sparse.scatter_(2, indices.flatten(2), values.flatten(2)).",
        "At the end reshape the line to n×c×height×width, with height and width from `size`.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ pooled_sizes


def pooled_sizes(height, width):
    result = []
    for _ in range(5):
        height, width = (height + 1) // 2, (width + 1) // 2
        result.append([height, width])
    return result


def sizes_by(halve, first=1, order=1):
    """A wrong list: another way to halve, begun with the image, or width before height."""

    def wrong(height, width):
        result = [[height, width]]
        for _ in range(5):
            result.append([halve(side) for side in result[-1]])
        return [size[::order] for size in result[first : first + 5]]

    return wrong


POOLED_SIZES = Exercise(
    pooled_sizes,
    points=1, minutes=5, difficulty=1, importance=3, short=True,
    cases=(
        Case(
            "the paper's 360×480: 180×240, 90×120, 45×60, 23×30, 12×15",
            (360, 480),
            "Half of 45 is 22.5, and Caffe pools to 23.",
        ),
        Case("97×131, odd both ways", (97, 131), "Half of 97 is 48.5, and it becomes 49."),
        Case("33×32, the smallest that stays 2×1", (33, 32)),
        Case("any size", lambda seed: (33 + seed % 400, 701 - seed % 400)),
    ),
    mistakes={
        sizes_by(lambda side: side // 2): "You round down, as PyTorch does unless ceil_mode=True. Then the last row is thrown away, and no unpooling brings it back.",
        sizes_by(lambda side: round(side / 2)): "Python's round goes to the even neighbour: 22.5 becomes 22. Round up.",
        sizes_by(lambda side: (side + 1) // 2, first=0): "Your list begins with the image itself. Begin with the size after the first pooling.",
        sizes_by(lambda side: (side + 1) // 2, order=-1): "Height comes first, as in a tensor's shape.",
        sizes_by(lambda side: side // 2 + 1): "You add one to even sides as well: 360 halves to 180 exactly.",
    },
    hints=(
        "A loop of five. What is half of 45 rows if no row may be lost?",
        "(side + 1) // 2 is half of it, rounded up.",
        "Append [height, width] after each halving, and return the list of five.",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------- lands_at


def my_maximum(seed):
    """Height and width of a map, and the index of one maximum in it, for one learner; the seed comes from `variant`."""
    generator = random.Random(seed)
    height, width = generator.randrange(16, 30, 2), generator.randrange(17, 40, 2)
    row = generator.randrange(5, min(height - 2, width // 2))
    return height, width, row * width + generator.randrange(1, row - 1)


def lands_at(height, width, index):
    return list(divmod(index, width + 1))


LANDS_AT = Exercise(
    lands_at,
    points=1, literal=True, minutes=6, difficulty=2, importance=2,
    cases=(
        Case(
            "row and column for your own map",
            my_maximum,
            "How wide is a map that is pooled, rounding up, and then doubled?",
        ),
    ),
    mistakes={
        lambda height, width, index: list(divmod(index, width)): "This is where the maximum was, and where it should land. Without the size the new map is one column wider.",
        lambda height, width, index: list(divmod(index, width + 1))[::-1]: "You have row and column the wrong way round.",
        lambda height, width, index: list(divmod(index, width - 1)): "This is what happens after pooling that rounds down. Ours rounds up, so the doubled map is wider than the old one.",
        lambda height, width, index: [n + 1 for n in divmod(index, width + 1)]: "Rows and columns count from 0.",
        lambda height, width, index: list(divmod(index, (width + 1) // 2)): "This is the width of the small map. The value lands in the map that has been doubled again.",
    },
    hints=(
        "Pooling an odd width w and rounding up leaves (w + 1) / 2 columns. How many are there after doubling?",
        "The index stays what it is; only the length of a row has changed to w + 1.",
        "[index // (width + 1), index % (width + 1)]",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------- kept_bytes


def kept_bytes(channels, height, width, keep):
    bits = 0
    for count in channels:
        rows, columns = (height + 1) // 2, (width + 1) // 2
        if keep == "maps":
            bits += 32 * count * height * width
        else:
            bits += 2 * count * rows * columns
        height, width = rows, columns
    return bits // 8


def bytes_by(map_bits=32, index_bits=2, halve=lambda side: (side + 1) // 2, every_channel=True, pooled=True):
    """A wrong sum: other sizes of a number or an index, other counts of windows."""

    def wrong(channels, height, width, keep):
        bits = 0
        for count in channels:
            rows, columns = halve(height), halve(width)
            windows = rows * columns if pooled else height * width
            indices = index_bits * (count if every_channel else 1) * windows
            bits += map_bits * count * height * width if keep == "maps" else indices
            height, width = rows, columns
        return bits / 8

    return wrong


VGG_CHANNELS = [64, 128, 256, 512, 512]

KEPT_BYTES = Exercise(
    kept_bytes,
    points=2, minutes=8, difficulty=2, importance=4, short=True,
    cases=(
        Case(
            "one map of 4×4: 16 numbers of 4 bytes are 64",
            ([1], 4, 4, "maps"),
            "Before the pooling there are 4·4 numbers, and float32 takes 4 bytes for each.",
        ),
        Case(
            "the same as indices: 4 windows of 2 bits are one byte",
            ([1], 4, 4, "indices"),
            "Two bits can tell four places apart, and 8 bits are a byte.",
        ),
        Case(
            "the paper's 360×480 in VGG16's five stages, as maps: 84,357,120",
            (VGG_CHANNELS, 360, 480, "maps"),
            "Add up the five stages; each has the size that the pooling before it left.",
        ),
        Case(
            "and as indices: 1,320,960",
            (VGG_CHANNELS, 360, 480, "indices"),
            "45 rows give 23 rows of windows: the last one is not whole, and has a maximum all the same.",
        ),
        Case("an odd image and three stages", ([4, 8, 16], 97, 131, "indices")),
        Case("an odd image and three stages, as maps", ([4, 8, 16], 97, 131, "maps")),
        Case("a byte that two stages share", ([1, 3], 2, 2, "indices"), "Add up the bits of all stages and divide by 8 at the end: 2 bits and 6 bits are one byte."),
    ),
    mistakes={
        bytes_by(index_bits=64): "You count PyTorch's indices, int64: 8 bytes a window. That is what our net holds; the paper's sum is 2 bits a window.",
        bytes_by(index_bits=8): "A byte for each window. Four places need no more than 2 bits.",
        bytes_by(map_bits=256, index_bits=16): "These are bits. Divide by 8.",
        bytes_by(pooled=False): "2 bits for every pixel. There is one maximum in every window, a quarter as many.",
        bytes_by(every_channel=False): "Every channel has maxima of its own: multiply the windows by the channels.",
        bytes_by(halve=lambda side: side // 2): "You round the sides down. SegNet pools with ceil: 45 rows become 23.",
        bytes_by(map_bits=8): "A byte for each number. float32 takes four.",
    },
    hints=(
        "Go through the stages. What is kept of each, as long as the way back needs it?",
        "maps: channels · height · width · 32 bits. indices: channels · windows · 2 bits. Then halve the sides, rounding up.",
        "There are (height + 1) // 2 times (width + 1) // 2 windows in a channel; divide the sum of bits by 8.",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- mirrored_stage


def mirrored_stage(stage):
    layers = []
    for layer in reversed(stage):
        if isinstance(layer, nn.Conv2d):
            layers += [
                nn.Conv2d(layer.out_channels, layer.in_channels, 3, padding=1),
                nn.BatchNorm2d(layer.in_channels),
                nn.ReLU(),
            ]
    return nn.Sequential(*layers)


def run_mirrored(mirrored_stage, channels):
    """Mirror an encoder stage that has lived, and look at the mirror: what it owns, what runs in it, what it does."""
    stage = nn.Sequential()
    for n, outputs in enumerate(channels[1:]):
        stage.extend([nn.Conv2d(channels[n], outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()])
    with untouched(stage=lived_in(stage)):
        mirrored = new_module(mirrored_stage(stage), "mirrored_stage", stage)
    norms = [part for part in mirrored.modules() if isinstance(part, nn.BatchNorm2d)]
    fresh = [
        part.bias is not None and not part.bias.any() and not part.running_mean.any()
        for part in norms
        if part.affine and part.track_running_stats
    ]
    mode, ran = int(mirrored.training), []

    def note(layer, inputs, output):
        ran.append(f"{type(layer).__name__} {inputs[0].shape[1]} to {output.shape[1]}")
        for number, parameter in enumerate(
            layer.parameters()
        ):  # the same noise, whatever the layers are called
            parameter.data = noise(10 * len(ran) + number, *parameter.shape)

    hooks = [
        part.register_forward_hook(note)
        for part in mirrored.modules()
        if list(part.parameters(recurse=False))
    ]
    image = noise(1, 2, channels[-1], 5, 7)
    mirrored(image)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        norm.reset_running_stats()
    return {
        "the layers with weights that run": ", ".join(ran),
        "how many numbers it trains": sum(parameter.numel() for parameter in mirrored.parameters()),
        "how many of its batch norms start afresh": sum(fresh),
        "training mode": mode,
        "the result": mirrored(image).detach(),
        "the result in evaluation": mirrored.eval()(image).detach(),
    }


def mirrored_by(order, convolution=nn.Conv2d):
    """A wrong mirror: order(conv, norm, relu) for each convolution, or another kind of convolution."""

    def wrong(stage):
        layers = []
        for conv in reversed(stage[::3]):
            mirrored = convolution(conv.out_channels, conv.in_channels, 3, padding=1)
            layers += order(mirrored, nn.BatchNorm2d(conv.in_channels), nn.ReLU())
        return nn.Sequential(*layers)

    return wrong


def turned_round(stage):
    """The layers in reverse order: ReLU, batch norm, convolution, each new."""
    layers = []
    for layer in reversed(stage):
        if isinstance(layer, nn.Conv2d):
            layer = nn.Conv2d(layer.out_channels, layer.in_channels, 3, padding=1)
        layers.append(nn.BatchNorm2d(layer.num_features) if isinstance(layer, nn.BatchNorm2d) else layer)
    return nn.Sequential(*layers)


MIRRORED_STAGE = Exercise(
    mirrored_stage,
    points=3, use=run_mirrored, minutes=12, difficulty=3, importance=4, short=True,
    cases=(
        Case("one convolution, 4 to 4", ([4, 4],)),
        Case("three convolutions, as in the fifth stage", ([4, 4, 4, 4],)),
        Case(
            "2 to 4 to 4 becomes 4 to 4 to 2",
            ([2, 4, 4],),
            "The encoder's last convolution is the decoder's first, from its outputs to its inputs.",
        ),
    ),
    mistakes={
        turned_round: "The layers are their own now. But ReLU and batch norm still come first, and so they meet a map of zeros: convolution, batch norm, ReLU.",
        mirrored_by(lambda conv, norm, relu: [conv, relu, norm]): "Your batch norm comes after ReLU. In SegNet each convolution is followed by batch norm, then ReLU.",
        mirrored_by(lambda conv, norm, relu: [conv, norm, relu], nn.ConvTranspose2d): "Your convolutions are transposed ones. The size stays, so plain convolutions are wanted, from outputs to inputs.",
        mirrored_by(lambda conv, norm, relu: [conv, norm]): "ReLU is missing. The released net has it in the decoder too; only SegNet-Basic does without.",
    },
    hints=(
        "What does the first layer of a decoder stage see? A map that is three quarters zero. Which layer can fill it?",
        "Go through reversed(stage), and for every nn.Conv2d add three new layers: convolution, batch norm, ReLU.",
        "nn.Conv2d(layer.out_channels, layer.in_channels, 3, padding=1), nn.BatchNorm2d(layer.in_channels), nn.ReLU()",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------- mended_segnet


def mended_segnet(net, image):
    x, kept = net.normalise(image), []
    for stage, pool in zip(net.encoder, net.pool):
        x = stage(x)
        size = x.shape[2:]
        x, indices = pool(x)
        kept.append((indices, size))
    for unpool, stage in zip(net.unpool, net.decoder):
        indices, size = kept.pop()
        x = stage(unpool(x, indices, output_size=size))
    return net.head(x)


def run_segnet(mended_segnet, classes, image):
    """Run the function on a narrow SegNet that has lived, its own forward closed; what trains, too."""
    net = lived_in(segnb.models.segnet.SegNet(image.shape[1], classes, width=2).eval())
    net.training = True  # the whole and its parts differ, so that net.eval() and net.train() show
    with untouched(net=net), sealed(net, "net(image)"):
        logits = a_tensor(mended_segnet(net, image), "mended_segnet")
    return {"the logits": logits.detach(), "the gradients of its weights": slopes(logits, net)}


def segnet_by(end=lambda logits: logits, sized=True, fit=None, start=lambda image: image, normalise=True):
    """A wrong forward pass: something after the head, no sizes for unpooling, another way to fit the image."""

    def wrong(net, image):
        x, kept = net.normalise(start(image)) if normalise else image, []
        for stage, pool in zip(net.encoder, net.pool):
            before = stage(x)
            x, indices = pool(before)
            kept.append((indices, before.shape[2:]))
        for unpool, stage in zip(net.unpool, net.decoder):
            indices, size = kept.pop()
            x = stage(unpool(x, indices, output_size=size if sized else None))
        logits = end(net.head(x))
        return fit(logits, image.shape[2:]) if fit else logits[..., : image.shape[2], : image.shape[3]]

    return wrong


def up_to_32(image):
    return F.pad(image, (0, -image.shape[3] % 32, 0, -image.shape[2] % 32))


def stretch(logits, size):
    return F.interpolate(logits, size=size, mode="bilinear")


MENDED_SEGNET = Exercise(
    mended_segnet,
    points=3, use=run_segnet, minutes=12, difficulty=3, importance=4,
    cases=(
        Case(
            "64×64, where every side stays even: the logits of the course's SegNet",
            lambda seed: (3, rand(seed, 1, 3, 64, 64)),
        ),
        Case(
            "64×63: one odd side, and a picture that must not slide",
            lambda seed: (2, rand(seed, 1, 1, 64, 63)),
            "Tell each unpooling the size of the map before its pooling.",
        ),
        Case(
            "two images of 37×45, odd at almost every stage",
            lambda seed: (2, rand(seed, 2, 1, 37, 45)),
            "Tell each unpooling the size of the map before its pooling.",
        ),
    ),
    mistakes={
        segnet_by(end=torch.relu, sized=False): "It runs now. Two faults are left; look at the end first: may a logit be negative?",
        segnet_by(end=torch.relu): "The sizes are right now. Look at the end: after a ReLU no logit is negative, and classes below zero tie.",
        segnet_by(sized=False): "The end is right now. But each unpooling still doubles its map, and cutting at the end comes too late: the indices count in rows of the old width.",
        segnet_by(sized=False, fit=stretch): "You squeeze the picture into its size at the end. By then the values have slid: tell each unpooling its size.",
        segnet_by(start=up_to_32): "You fill the image up to a multiple of 32 and cut it again. Then nothing slides, but the added zeros are seen at the border. SegNet takes any size, if each unpooling is told the size.",
        segnet_by(normalise=False): "The picture goes in as it is. The net was trained on normalised ones: net.normalise(image) comes first.",
        segnet_by(end=lambda logits: logits.softmax(1)): "These are probabilities. The network returns logits; the loss takes their softmax.",
    },
    hints=(
        "Run it. The error comes from the first unpooling: which indices does it need, the first that were kept or the last?",
        "kept.pop() takes the last. Keep the size of each map before its pooling as well, and give it back as output_size=size.",
        "Keep (indices, size) pairs; unpool(x, indices, output_size=size); and end with net.head(x), with nothing behind it.",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------- fresh_statistics


def fresh_statistics(net, batches):
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # a plain mean over all batches
    net.train()
    with torch.no_grad():
        for batch in batches:
            net(batch)
    net.eval()


def run_statistics(fresh_statistics, batches):
    """Statistics of a small net that has lived, two of its norms inside parts; then all that should be as it was."""
    inner = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(2)))
    net = lived_in(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), inner)).eval()
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.num_batches_tracked += 40
    before = [parameter.detach().clone() for parameter in net.parameters()]
    fresh_statistics(net, batches)
    moved = [(now - old).abs().max() for now, old in zip(net.parameters(), before)]
    return {
        "how far the weights have moved, γ and β among them (nothing is to be learned)": max(moved).item(),
        "how many of its parameters are frozen": sum(
            not parameter.requires_grad for parameter in net.parameters()
        ),
        "how many of its parameters hold a gradient": sum(
            parameter.grad is not None for parameter in net.parameters()
        ),
        "the running means": torch.cat([norm.running_mean for norm in norms]),
        "the running variances": torch.cat([norm.running_var for norm in norms]),
        "how many parts are still in training mode": sum(part.training for part in net.modules()),
    }


def statistics_by(
    momentum=None, reset=True, mode=True, end=False, some=lambda batches: batches, parts=nn.Module.modules
):
    """A wrong way to estimate: another momentum, no fresh start, the wrong mode, not all batches."""

    def wrong(net, batches):
        for layer in parts(net):
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = momentum
                if reset:
                    layer.reset_running_stats()
        net.train(mode)
        with torch.no_grad():
            for batch in some(batches):
                net(batch)
        net.train(end)

    return wrong


def some_batches(seed, count):
    return ([rand(seed + n, 2, 1, 8, 9) * (n + 1) for n in range(count)],)


FRESH_STATISTICS = Exercise(
    fresh_statistics,
    points=2, use=run_statistics, minutes=10, difficulty=3, importance=5, short=True,
    cases=(
        Case("one batch: its own means and variances", lambda seed: some_batches(seed, 1)),
        Case("three batches: the mean over all three", lambda seed: some_batches(seed + 9, 3)),
        Case("six batches", lambda seed: some_batches(seed + 30, 6)),
    ),
    mistakes={
        statistics_by(reset=False, mode=False): "Nothing has changed. In eval mode batch norm only uses its statistics; it collects them in training mode.",
        statistics_by(momentum=0.1, reset=False): "You start from the stale values and move a tenth of the way with each batch. Forget them first: layer.reset_running_stats().",
        statistics_by(reset=False): "Your mean goes on over the batches of the training, stale ones included. Forget them first: layer.reset_running_stats().",
        statistics_by(momentum=0.1): "You start anew, and with momentum 0.1: after a few batches most of it is still the 0 and 1 of the start. momentum = None gives a plain mean.",
        statistics_by(momentum=1.0): "Momentum 1 keeps the last batch alone. momentum = None gives the mean over all.",
        statistics_by(some=lambda batches: batches[:1]): "Only the first batch has been seen. Run the net on all of them.",
        statistics_by(some=lambda batches: []): "The statistics are forgotten and never collected again: mean 0, variance 1. Run the net on the batches, in training mode.",
        statistics_by(parts=nn.Module.children): "The norms inside parts of the net are not reached: net.children() goes one level deep, net.modules() all the way.",
        statistics_by(some=lambda batches: [torch.cat(batches)]): "You make one large batch. Its variance also counts how the batches differ, and it may not fit: run the net batch by batch.",
        "reset_running_stats() → reset_parameters()": "reset_parameters() forgets γ and β too, and they were learned. layer.reset_running_stats() forgets the statistics only.",
        statistics_by(end=True): "The statistics are right, but the net is still in training mode: the next image would change them. End with net.eval().",
    },
    hints=(
        "Batch norm collects its statistics whenever it runs in training mode. What does it do with those it has?",
        "For every nn.BatchNorm2d: layer.reset_running_stats(), and layer.momentum = None for a plain mean over the batches.",
        "Then net.train(), net(batch) for each batch under torch.no_grad(), and net.eval() at the end.",
    ),
)  # fmt: skip

EXERCISES = [
    POOL_WITH_INDICES,
    UNPOOL,
    POOLED_SIZES,
    LANDS_AT,
    KEPT_BYTES,
    MIRRORED_STAGE,
    MENDED_SEGNET,
    FRESH_STATISTICS,
]

# ------------------------------------------------------------------------------------------ unpool_tests


def unpool_tests():
    values = torch.arange(1.0, 25).reshape(2, 2, 2, 3) - 12.5
    top = torch.tensor([[0, 2, 4], [10, 12, 14]])
    indices = torch.stack([top, top + 1, top + 5, top]).reshape(2, 2, 2, 3)
    return [(values, indices, [4, 5])]


def may_be_unpooled(values=None, indices=None, size=None, *more):
    """Why these cannot be values, their places and a size; None if they can."""
    maps = isinstance(values, Tensor) and isinstance(indices, Tensor) and values.ndim == 4
    if more or not maps or values.shape != indices.shape or indices.is_floating_point():
        return (
            "it is (values, indices, size), two N×C×h×w tensors of equal shape, the second of whole numbers."
        )
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) for side in size):
        return "the size is a height and a width, a list of two whole numbers."
    if not indices.numel() or indices.min() < 0 or indices.max() >= size[0] * size[1]:
        return "an index lies outside the map."
    lines = indices.flatten(2).sort(-1).values
    return "two values of one map have the same place." if (lines.diff() == 0).any() else None


UNPOOL_TESTS = Exercise(
    unpool_tests,
    literal=True, points=3, minutes=8, difficulty=3, importance=4,
    cases=exposes(
        unpool,
        {
            "A, which doubles and cuts": cut_after,
            "B, which takes the first channel's indices for all": lambda values, indices, size: unpool(values, indices[:, :1].expand_as(indices), size),
            "C, which takes the first image's indices for all": lambda values, indices, size: unpool(values, indices[:1].expand_as(indices), size),
            "D, which counts down the columns": lambda values, indices, size: unpool(values, indices, size[::-1]).transpose(2, 3),
            "E, which loses what is below zero": lambda values, indices, size: unpool(values, indices, size).relu(),
        },
        may_be_unpooled,
    ),
    hints=(
        "One image, one channel, even sides, positive values: all but D are right on that.",
        "Give two images and two channels, each with other places, a negative value, and an odd width.",
        "F.max_pool2d(torch.randn(2, 2, 4, 5), 2, ceil_mode=True, return_indices=True) gives values and indices for the size [4, 5].",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- corner_share


def corner_share():
    order = torch.randperm(128 * 128, generator=torch.Generator().manual_seed(0))
    x = (order.reshape(1, 1, 128, 128) / 128**2 - 0.8).relu()
    _, indices = F.max_pool2d(x, 2, return_indices=True)
    corner = (indices // 128 % 2 == 0) & (indices % 128 % 2 == 0)
    return [0.25, corner.float().mean().item()]


def silent_share():
    order = torch.randperm(128 * 128, generator=torch.Generator().manual_seed(0))
    x = (order.reshape(1, 1, 128, 128) / 128**2 - 0.8).relu()
    return (F.max_pool2d(x, 2) == 0).float().mean().item()


def upper_share():
    """The share of windows that remember a place in their first row; that of their first column is about the same."""
    order = torch.randperm(128 * 128, generator=torch.Generator().manual_seed(0))
    x = (order.reshape(1, 1, 128, 128) / 128**2 - 0.8).relu()
    _, indices = F.max_pool2d(x, 2, return_indices=True)
    return (indices // 128 % 2 == 0).float().mean().item()


CORNER_SHARE = Exercise(
    corner_share,
    literal=True, minutes=4, difficulty=3, importance=3,
    cases=predicts(
        (0, 1),
        measure=lambda: corner_share()[1],
        slips={
            0.25: "A quarter is what four equal chances would give. Measure it: after a ReLU many windows are ties.",
            0.2: "A fifth is the share of numbers that the ReLU lets through. How many windows remember their corner?",
            100 * corner_share()[1]: "That is in percent. A share is a part of one, as your guess is.",
            upper_share(): "These are two places of the four, a whole row or column of each window. The corner is where its first row and its first column meet.",
            128 * 128 / 4 * corner_share()[1]: "That is how many windows remember their corner. Divide by how many there are.",
            silent_share(): "These are the windows of four zeros. Add those whose corner has won.",
            1 - corner_share()[1]: "These are the other three places together.",
        },
    ),
    hints=(
        "How many windows hold four zeros? Which place does pooling remember there?",
        "An index is row · width + column. The corner has an even row and an even column.",
        "corner = (indices // 128 % 2 == 0) & (indices % 128 % 2 == 0), and its mean.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- night_and_day


def night_and_day(net, images):
    modes = [(part, part.training) for part in net.modules()]
    net.eval()
    with torch.no_grad():
        masks = [net(image[None])[0].argmax(0) for image in images]
    for part, mode in modes:
        part.training = mode
    return masks


def run_night(night_and_day, training, images):
    """Predict with a net that has lived, one part in the other mode; then look at what the call left behind."""
    stage = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    net = lived_in(nn.Sequential(stage, nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3))).train(training)
    net[0].train(not training)
    modes = [part.training for part in net.modules()]
    before = {name: part.clone() for name, part in net.state_dict().items()}
    masks = night_and_day(net, images)
    moved = sum(not torch.equal(before[name], part) for name, part in net.state_dict().items())
    return {
        "the masks": masks,
        "how many numbers of the net the pictures have moved": moved,
        "how many parts are in another mode than before": sum(
            part.training != mode for part, mode in zip(net.modules(), modes, strict=True)
        ),
        "how many of its parameters are frozen": sum(not part.requires_grad for part in net.parameters()),
    }


def predicted_in(mode, back=True):
    """A wrong prediction: in another mode, or one that leaves the net in it."""

    def wrong(net, images):
        modes = [(part, part.training) for part in net.modules()]
        net.train(mode)
        with torch.no_grad():
            masks = [net(image[None])[0].argmax(0) for image in images]
        for part, kept in modes if back else ():
            part.training = kept
        return masks

    return wrong


def some_pictures(seed, *sizes):
    return [3 * rand(seed + n, 2, *size) * (n + 1) for n, size in enumerate(sizes)]


NIGHT_AND_DAY = Exercise(
    night_and_day,
    points=2, use=run_night, minutes=5, difficulty=2, importance=5,
    cases=(
        Case("one picture, a net in evaluation", lambda seed: (False, some_pictures(seed, (6, 8)))),
        Case("three pictures of unequal sizes, a net in training", lambda seed: (True, some_pictures(seed, (6, 8), (7, 5), (9, 9)))),
        Case("many pictures, brighter and brighter", lambda seed: (True, some_pictures(seed, *[(8, 9)] * 6))),
    ),
    mistakes={
        predicted_in(True, back=False): "This is the colleague's function: in training mode each picture is normalised by itself, and moves the statistics.",
        predicted_in(True): "The modes come back, and yet the pictures are met in training mode: they move the statistics.",
        predicted_in(False, back=False): "The masks are right. But the net is left in eval mode: whoever was training goes on with frozen statistics.",
        "part.training = mode → part.train()": "Every part of the net is in training at the end, and some are then in another mode than before. Put each back into the mode that it had.",
        "net.eval() → [part.eval() for part in net.modules() if isinstance(part, nn.BatchNorm2d)]": "Batch norm is in eval mode, and dropout still drops. net.eval() reaches every part.",
        "[net(image[None])[0].argmax(0) for image in images] → list(net(torch.stack(images)).argmax(1))": "Pictures of unequal sizes make no batch: give them to the net one at a time.",
        "net.eval() → net.eval().requires_grad_(False)": "The masks are right, and the net is frozen for good: no training would move it any more. torch.no_grad() is enough, and ends with its block.",
        "part.training = mode → part.train(modes[0][1])": "You put the whole net into one mode. A part may have been in another: keep each part's own.",
    },
    hints=(
        "The order of the pictures matters. What in the net remembers those that came before?",
        "net.eval() stops it. Whoever calls you may be training: keep the modes of net.modules() first and put them back at the end.",
        "modes = [(part, part.training) for part in net.modules()]; at the end part.training = mode for each.",
    ),
)  # fmt: skip

EXERCISES += [UNPOOL_TESTS, CORNER_SHARE, NIGHT_AND_DAY]
