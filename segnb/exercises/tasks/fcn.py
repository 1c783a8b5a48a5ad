"""The exercises of chapter 5, FCN: parts to write, broken nets to mend, numbers to work out."""

import math
import random

import torch
import torch.nn.functional as F
from torch import nn

import segnb.models.fcn
from segnb.exercises.engine import Case, Exercise, rand
from segnb.exercises.kinds import exposes, predicts
from segnb.exercises.probes import Changed, Told, a_tensor, lived_in, new_module, sealed, slopes, untouched

# ---------------------------------------------------------------------------------- dense_to_convolution


def dense_to_convolution(dense, channels, size):
    has_bias = dense.bias is not None
    convolution = nn.Conv2d(channels, dense.out_features, size, bias=has_bias)
    with torch.no_grad():
        convolution.weight.copy_(dense.weight.reshape(convolution.weight.shape))
        if has_bias:
            convolution.bias.copy_(dense.bias)
    return convolution


def run_convolution(dense_to_convolution, channels, size, weight, bias, image):
    """Turn a dense layer with these weights (no bias if it is empty) into a convolution, and run and train that on the image."""
    dense = nn.Linear(weight.shape[1], weight.shape[0], bias=bool(len(bias)))
    dense.load_state_dict({"weight": weight, "bias": bias} if len(bias) else {"weight": weight})
    with untouched(dense=dense):
        convolution = new_module(dense_to_convolution(dense, channels, size), "dense_to_convolution", dense)
    if not isinstance(convolution, nn.Conv2d):
        raise Told(f"An nn.Conv2d is wanted, and yours is a {type(convolution).__name__}.")
    result = convolution(image)
    return {
        "the result": result.detach(),
        "the gradient of its weights": slopes(result, convolution)[0].flatten(),
    }


def cut_up(shape, biased=True, **settings):
    """A wrong convolution: shape(weights, channels, size) says how the dense layer's weights become a kernel."""

    def build(dense, channels, size):
        convolution = nn.Conv2d(channels, dense.out_features, size, **settings)
        kernel = shape(dense.weight.detach(), channels, size)
        bias = torch.zeros(dense.out_features)
        if biased and dense.bias is not None:
            bias = dense.bias.detach()
        convolution.load_state_dict({"weight": kernel, "bias": bias})
        return convolution

    return build


def in_order(weight, channels, size):
    return weight.reshape(-1, channels, size, size)


def layer_and_image(seed, outputs, channels, size, *shape):
    """What `run_convolution` takes, with random weights."""
    weight = rand(seed, outputs, channels * size * size) - 0.5
    return channels, size, weight, rand(seed + 50, outputs), rand(seed + 90, *shape)


DENSE_TO_CONVOLUTION = Exercise(
    dense_to_convolution,
    points=2, use=run_convolution, minutes=10, difficulty=2, importance=4, short=True,
    cases=(
        Case(
            "one channel, 2×2: weights 1, 10, 100, 1000 and the map 1, 2, 3, 4 give 4321",
            (*(1, 2, torch.tensor([[1.0, 10, 100, 1000]]), torch.zeros(1)), torch.tensor([[1.0, 2], [3, 4]])[None, None]),
            "The first two weights belong to the first row of the map.",
        ),
        Case(
            "2 channels, 3×3, 4 outputs: a map of 3×3 gives 1×4×1×1",
            lambda seed: layer_and_image(seed, 4, 2, 3, 1, 2, 3, 3),
            "flatten lays a map out channel by channel, and in each channel row by row.",
        ),
        Case(
            "the same on a larger map, 5×6: it slides and gives 1×4×3×4",
            lambda seed: layer_and_image(seed, 4, 2, 3, 1, 2, 5, 6),
        ),
        Case(
            "a layer without a bias",
            lambda seed: (*layer_and_image(seed, 2, 3, 2, 2, 3, 5, 4)[:3], torch.zeros(0), rand(seed + 90, 2, 3, 5, 4)),
            "dense.bias is None here. A convolution without one, or with zeros, gives the same numbers.",
        ),
        Case("two images at once", lambda seed: layer_and_image(seed, 3, 3, 2, 2, 3, 4, 5)),
    ),
    mistakes={
        cut_up(lambda w, c, s: w.reshape(-1, s, s, c).permute(0, 3, 1, 2)): "You read the weights as row, column, channel. flatten laid the map out as channel, row, column.",
        cut_up(lambda w, c, s: in_order(w, c, s).transpose(2, 3)): "Rows and columns of your kernels are swapped. A plain reshape is enough.",
        cut_up(lambda w, c, s: in_order(w, c, s).flip(2, 3)): "Your kernels are turned by 180 degrees. PyTorch's convolution does not turn them back: leave them as they are.",
        cut_up(in_order, biased=False): "The weights are right. The dense layer has a bias too.",
        lambda dense, channels, size: nn.Conv2d(channels, dense.out_features, size): "The shape is right, but these are fresh random weights. Copy those of the dense layer.",
        cut_up(in_order, stride=2): "Your convolution strides, so it skips places of a larger map. Leave the stride at 1.",
        cut_up(lambda w, c, s: w.T.reshape(-1, c, s, s)): "You turn the weights over before you reshape them. Each row of dense.weight belongs to one output: a plain reshape is enough.",
        cut_up(in_order, padding=1): "Your convolution is padded, so it also answers where the map has no pixels. Leave the padding out.",
    },
    hints=(
        "Make nn.Conv2d(channels, dense.out_features, size) and look at the shape of its weight. Does it hold as many numbers?",
        "dense.weight.reshape(outputs, channels, size, size) is the kernel: flatten ran through columns first, then rows, then channels.",
        "Under torch.no_grad(): convolution.weight.copy_(dense.weight.reshape(convolution.weight.shape)), the bias likewise.",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------- bilinear_kernel


def bilinear_kernel(factor):
    # Centres of the stamp's pixels; the stamp's own centre is at `factor`.
    places = torch.arange(2 * factor) + 0.5
    tent = 1 - (places - factor).abs() / factor
    return torch.outer(tent, tent)


def tents(tent, join=torch.outer):
    """A wrong kernel: from another tent, or the two tents joined in another way."""
    return lambda factor: join(tent(factor), tent(factor))


def right_tent(factor):
    return bilinear_kernel(factor).sum(0) / factor


def touching_zero(factor):
    half = (2 * factor - 1) / 2
    return 1 - (torch.arange(2 * factor) - half).abs() / half


BILINEAR_KERNEL = Exercise(
    bilinear_kernel,
    points=2, minutes=8, difficulty=2, importance=3,
    cases=(
        Case(
            "factor 2: the outer product of .25, .75, .75, .25 with itself",
            (2,),
            "How far is each of the four pixels from the middle, in steps of the old map?",
        ),
        Case("factor 3: 6×6", (3,), "The weights fall by 1/3 from pixel to pixel: 1/6, 3/6, 5/6."),
        Case("factor 8, the last of FCN-8s: 16×16", (8,)),
        Case("factor 32: 64×64", (32,)),
    ),
    mistakes={
        tents(touching_zero): "Your tent touches zero at the first and last pixel. Its feet stand outside, half a pixel further: divide by the factor.",
        lambda factor: bilinear_kernel(factor) / bilinear_kernel(factor).sum(): "The shape is right and everything is too small. The stamps overlap: on each pixel the weights of all stamps add up to 1, not those of one stamp.",
        tents(lambda factor: 1 - right_tent(factor)): "This is the distance from the middle. The weight is 1 minus that.",
        tents(right_tent, lambda a, b: (a[:, None] + b) / 2): "Bilinear is linear in rows times linear in columns: multiply the two weights, do not add them.",
        tents(right_tent, lambda a, b: torch.minimum(a[:, None], b)): "You take the smaller of the two weights. Bilinear multiplies them.",
        tents(lambda factor: torch.cat([torch.linspace(0, 1, factor), torch.linspace(1, 0, factor)])): "Your tent starts at 0 and touches 1. Its pixels stand half a pixel beside the foot and the tip: 1/(2·factor), 3/(2·factor), and so on.",
        tents(lambda factor: torch.cat([torch.arange(1, factor + 1), torch.arange(factor, 0, -1)]) / factor): "Your tent reaches 1 in two pixels. The tip lies between the two in the middle: they are half a pixel away from it.",
        lambda factor: (1 - torch.hypot(*torch.meshgrid([torch.arange(2 * factor) + 0.5 - factor] * 2, indexing="ij")) / factor).clamp_min(0): "Your weight falls with the distance in a straight line to every side: a cone. Bilinear is a tent in rows times a tent in columns.",
        lambda factor: torch.ones(2 * factor, 2 * factor) / 4: "Every pixel of your stamp weighs the same. That makes blocks; the weight falls with the distance from the middle.",
    },
    hints=(
        "The stamp has 2·factor pixels a side; its middle lies between the two in the centre. How far from it is pixel 0?",
        "Pixel i lies |i + 0.5 − factor| pixels from the middle, and the old map's next pixel is `factor` away, where the weight is 0.",
        "tent = 1 - (torch.arange(2 * factor) + 0.5 - factor).abs() / factor, and torch.outer(tent, tent).",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------- mended_upsampling


def mended_upsampling(scores, factor):
    classes = scores.shape[1]
    kernels = segnb.models.fcn.bilinear_kernel(factor).repeat(classes, 1, 1, 1)
    return F.conv_transpose2d(scores, kernels, stride=factor, groups=classes)


def all_pairs(scores, factor):
    kernel, classes = segnb.models.fcn.bilinear_kernel(factor), scores.shape[1]
    return F.conv_transpose2d(scores, kernel.expand(classes, classes, *kernel.shape), stride=factor)


def stretched_to_fit(scores, factor, mode="bilinear"):
    size = [factor * (side + 1) for side in scores.shape[2:]]
    return F.interpolate(scores, size=size, mode=mode)


MENDED_UPSAMPLING = Exercise(
    mended_upsampling,
    gradient=("scores",), points=2, minutes=10, difficulty=3, importance=4, short=True,
    cases=(
        Case(
            "a point of class 0 alone: class 1 stays at zero",
            (torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1), 2),
            "Class 0 gets the stamp itself, class 1 gets nothing.",
        ),
        Case("three classes, 4×5 to 10×12", lambda seed: (rand(seed, 1, 3, 4, 5) - 0.5, 2)),
        Case("four times as large, three images", lambda seed: (rand(seed, 3, 5, 2, 3) - 0.5, 4)),
        Case("eight times as large, two images", lambda seed: (rand(seed, 2, 2, 3, 2) - 0.5, 8)),
    ),
    mistakes={
        all_pairs: "The classes still mix: your kernels lead from every class to every other. Each class wants one kernel, its own.",
        lambda scores, factor: all_pairs(scores, factor) / scores.shape[1]: "You average over the classes. They mix as before; each class wants a kernel of its own.",
        stretched_to_fit: "You stretch the map to that size, and then nothing lies where it lay. Stamp each class with the kernel.",
        lambda scores, factor: stretched_to_fit(scores, factor, "nearest"): "You repeat pixels. Stamp each class with the bilinear kernel instead.",
        lambda scores, factor: F.pad(F.interpolate(scores, scale_factor=factor, mode="bilinear"), [factor // 2] * 4): "Inside this is right. At the border the stamps fade out, and yours are cut off: use the transposed convolution.",
    },
    hints=(
        "A transposed convolution from K classes to K classes has K·K kernels. Which of them should be zero?",
        "groups=K keeps the classes apart, and the weight is then K×1×2s×2s.",
        "F.conv_transpose2d(scores, kernel.repeat(K, 1, 1, 1), stride=factor, groups=K).",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- crop_offset


def crop_offset(padding, stride):
    place, step = 1.0 - padding, 1
    for _ in range(5):  # poolings
        place, step = place + step / 2, 2 * step
    place = place + 3 * step  # fc6
    while step > stride:  # ×2 for every skip
        place, step = place - 1.5 * step / 2, step // 2
    return round(-(place - (stride - 0.5)))


CROP_OFFSET = Exercise(
    crop_offset,
    points=2, minutes=10, difficulty=4, importance=2,
    cases=(
        Case(
            "FCN-32s with its padding of 100: 19",
            (100, 32),
            "The first score lies at 12.5; a stamp of 64 pixels starts 31.5 before that.",
        ),
        Case("FCN-16s: 27", (100, 16), "Enlarge twice first: 12.5 − 24 = −11.5. Then a stamp of 32 pixels."),
        Case("FCN-8s: 31", (100, 8), "Enlarge twice, and twice again: 12.5 − 24 − 12. Then a stamp of 16."),
        Case(
            "a padding of 97, the least that will do: 16 for FCN-32s",
            (97, 32),
            "Every pixel less of padding moves everything by one.",
        ),
        Case("a padding of 120, FCN-8s: 51", (120, 8)),
        Case("any padding, FCN-16s", lambda seed: (101 + seed % 60, 16)),
        Case("any padding, FCN-32s", lambda seed: (121 + seed % 60, 32)),
    ),
    mistakes={
        lambda padding, stride: {32: 19, 16: 27, 8: 31}[stride]: "These are the crops for a padding of 100, whatever the padding is. Each pixel of padding more moves them by one.",
        lambda padding, stride: padding - 81: "This is the crop of FCN-32s for every net. With skips the way up goes in steps of two first, and starts elsewhere.",
        lambda padding, stride: padding - {32: 69, 16: 73, 8: 81}[stride]: "You have 32s and 8s the wrong way round: more steps of two start earlier, so they need the larger crop.",
        lambda padding, stride: crop_offset(padding, stride) + 96: "fc6 is 7×7 and unpadded: the centre of its first window is three steps of 32 inside pool5.",
        lambda padding, stride: crop_offset(padding, stride) - 1: "You are off by one: a 3×3 convolution padded by p has its first centre at 1 − p, and a stamp of 2s pixels starts s − ½ before its middle.",
        lambda padding, stride: crop_offset(padding, stride) + 1: "You are off by one: a 3×3 convolution padded by p has its first centre at 1 − p, not at −p, and a stamp of 2s pixels starts s − ½ before its middle, not s + ½.",
        lambda padding, stride: padding: "The padding moves the first map by 99. Five poolings, fc6 and the stamps move it too.",
    },
    hints=(
        "Follow the centre of the first pixel of each map, in pixels of the image. It starts at 1 − padding.",
        "A pooling moves it by half a step and doubles the step; fc6 by three steps; an enlargement by s by −(s − ½) new steps.",
        "The result is padding − 81, − 73 or − 69 for 32, 16 and 8; write down why.",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------- mended_fcn


def mended_fcn(net, image):
    crop = segnb.models.fcn.crop
    pool2 = net.pool2(net.conv2(net.pool1(net.conv1(net.normalise(image)))))
    pool3 = net.pool3(net.conv3(pool2))
    pool4 = net.pool4(net.conv4(pool3))
    score = net.score(net.fc7(net.fc6(net.pool5(net.conv5(pool4)))))
    score = net.upscore2(score)
    score = score + crop(net.score_pool4(pool4), 5, score)
    score = net.upscore_pool4(score)
    score = score + crop(net.score_pool3(pool3), 9, score)
    return crop(net.upscore8(score), 31, image)


def run_fcn(mended_fcn, classes, image):
    """Run the function on a narrow FCN-8s that has lived, its own forward closed; what trains, too."""
    net = lived_in(segnb.models.FCN(image.shape[1], classes, width=2, hidden=4).eval())
    net.training = True  # the whole and its parts differ, so that net.eval() and net.train() show
    with untouched(net=net), sealed(net, "net(image)"):
        logits = a_tensor(mended_fcn(net, image), "mended_fcn")
    return {"the logits": logits.detach(), "the gradients of its weights": slopes(logits, net)}


def forward(offsets=(5, 9), last=31, squeeze=False, late=False, normalise=True, keep=lambda pool: pool):
    """A wrong forward pass: other offsets, another end, or scores that are added only at full size."""

    def wrong(net, image):
        crop = segnb.models.fcn.crop
        pool3 = net.pool3(
            net.conv3(
                net.pool2(net.conv2(net.pool1(net.conv1(net.normalise(image) if normalise else image))))
            )
        )
        pool4 = net.pool4(net.conv4(pool3))
        score = net.score(net.fc7(net.fc6(net.pool5(net.conv5(pool4)))))
        skips = [net.score_pool4(keep(pool4)), net.score_pool3(keep(pool3))]
        if late:
            sizes = [score, *skips]
            return sum(F.interpolate(s, size=image.shape[2:], mode="bilinear") for s in sizes)
        score = net.upscore2(score)
        score = score + crop(skips[0], offsets[0], score)
        score = net.upscore_pool4(score)
        score = score + crop(skips[1], offsets[1], score)
        score = net.upscore8(score)
        if squeeze:
            return F.interpolate(score, size=image.shape[2:], mode="bilinear")
        return crop(score, last, image)

    return wrong


MENDED_FCN = Exercise(
    mended_fcn,
    points=3, use=run_fcn, minutes=12, difficulty=3, importance=4,
    cases=(
        Case("two classes, 1×1×40×40: the logits of the course's FCN-8s", lambda seed: (2, rand(seed, 1, 1, 40, 40))),
        Case("twenty classes, height and width differ", lambda seed: (20, rand(seed, 1, 3, 33, 50))),
        Case("two images of 16×20", lambda seed: (2, rand(seed, 2, 1, 16, 20) - 0.5)),
    ),
    mistakes={
        forward((0, 0), squeeze=True): "Both faults are still there. Start at the end: is the output squeezed to the image's size, or cut?",
        forward((0, 0)): "The end is right now. The other fault: pool4 and pool3 begin before the scores they are added to, by 5 and by 9 pixels.",
        forward(squeeze=True): "The skips are right now. The end squeezes a larger picture into the image's size. Cut it out instead: where does it start?",
        forward((9, 5)): "The two offsets are the wrong way round: pool4 is cut at 5, pool3 at 9.",
        forward(normalise=False): "The picture goes in as it is. The net was trained on normalised ones: net.normalise(image) comes first.",
        forward(keep=lambda pool: pool.detach()): "The logits are right, but no gradient goes through the skips: pool4 and pool3 are cut off on the way (.detach(), no_grad()).",
        forward(last=19): "19 is the crop of FCN-32s. This net enlarges twice, twice and eight times.",
        forward(last=27): "27 is the crop of FCN-16s. This net has one step of two more.",
        forward((0, 0), last=0): "Everything is cut from the corner. Each of the three crops has a start of its own.",
        forward(late=True): "You stretch each score map to the full size and add there. Add on the coarser grid, before the next enlargement.",
    },
    hints=(
        "Where in the image does the first pixel of each map lie? The chapter computes it for every map.",
        "The scores of pool4 are cut at 5, those of pool3 at 9; the end is a crop too.",
        "The last line is crop(net.upscore8(score), 31, image).",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------- start_weights


def start_weights(net):
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
            if name.startswith("score"):
                nn.init.zeros_(module.weight)


def run_start(start_weights, classes):
    """Start a net that has lived, and look at every layer: scores of 0, and below them He's noise, unbiased and trained."""
    net = lived_in(segnb.models.FCN(1, classes, width=8, hidden=16).eval())
    start_weights(net)
    if any(part.training for part in net.modules()):
        raise Changed("Your function puts the net into training mode. Only weights and biases are to change.")
    layers = {name: part for name, part in net.named_modules() if isinstance(part, nn.Conv2d)}
    scores = [part for name, part in layers.items() if name.startswith("score")]
    below = [part for name, part in layers.items() if not name.startswith("score")]
    # Each in units of what He asks for; a layer of n weights strays by about √(2/n).
    noise = [part.weight.detach().flatten(1) / math.sqrt(2 / part.weight[0].numel()) for part in below]
    faults = {
        "score layers have weights or biases that are not 0. Which layers have to be zero, so that a net that knows nothing pays ln K?": [
            part.weight.any() or part.bias.any() for part in scores
        ],
        "layers below the scores have weights of 0: then the scores read zeros, and no gradient ever reaches them. Leave these layers random.": [
            not weight.any() for weight in noise
        ],
        "layers below the scores do not have weights of variance 2/N, with N the number of inputs of one neuron.": [
            not 0.6 < weight.square().mean() < 1.4 for weight in noise if weight.numel() > 500
        ],
        "layers below the scores have weights whose mean is not 0.": [
            weight.mean().abs() > 5 / math.sqrt(weight.numel()) for weight in noise
        ],
        "layers below the scores hold no Gaussian noise: none of their weights is larger than twice the deviation.": [
            weight.abs().max() < 2.2 for weight in noise if weight.numel() > 500
        ],
        "layers below the scores have kernels that are copies of each other. Neurons that start equal stay equal.": [
            len(weight.unique(dim=0)) < len(weight) for weight in noise
        ],
        "layers have biases that are not 0.": [part.bias.any() for part in below],
        "layers are frozen (requires_grad is False): they would never learn.": [
            not (part.weight.requires_grad and part.bias.requires_grad) for part in layers.values()
        ],
    }
    for what, found in faults.items():
        if any(found):
            raise Told(f"{sum(map(bool, found))} of {len(found)} {what}")
    target = torch.arange(20 * 20).reshape(1, 20, 20) % classes
    return F.cross_entropy(net(torch.rand(1, 1, 20, 20)), target).item()


START_WEIGHTS = Exercise(
    start_weights,
    points=2, use=run_start, minutes=10, difficulty=3, importance=3, short=True,
    cases=(
        Case("five classes: the loss is ln 5, and every layer can learn", (5,)),
        Case("21 classes: the loss is ln 21", (21,)),
    ),
    hints=(
        "There are two kinds of layers: the three called score..., and all the convolutions below them.",
        "nn.init.zeros_(tensor) fills with zeros, nn.init.kaiming_normal_(tensor, nonlinearity='relu') with He's noise. Biases are zero everywhere.",
        "for name, module in net.named_modules(): if isinstance(module, nn.Conv2d): ..., and name.startswith('score') tells the scores.",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------------- for_caffe


def for_caffe(image):
    mean = torch.tensor([104.00698793, 116.66876762, 122.67891434])
    return 255 * image.flip(1) - mean[:, None, None]


def prepared(order=1, scale=255, mean=(104.00698793, 116.66876762, 122.67891434)):
    """A wrong preparation: channels left in order, another scale, another mean."""

    def wrong(image):
        image = image.flip(1) if order else image
        return scale * image - torch.tensor(mean)[:, None, None]

    return wrong


FOR_CAFFE = Exercise(
    for_caffe,
    points=1, minutes=5, difficulty=1, importance=2,
    cases=(
        Case(
            "one red pixel: blue −104.007, green −116.669, red 132.321",
            (torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1),),
            "Blue comes first, and red, the last, is 255 − 122.679.",
        ),
        Case("a white pixel", (torch.ones(1, 3, 1, 1),), "255 minus the mean of each channel."),
        Case("two images of 4×5", lambda seed: (rand(seed, 2, 3, 4, 5),)),
    ),
    mistakes={
        prepared(order=0, mean=(122.67891434, 116.66876762, 104.00698793)): "The mean is taken off, and the channels are still red, green, blue. Caffe read pictures as blue, green, red.",
        prepared(mean=(122.67891434, 116.66876762, 104.00698793)): "The channels are turned round and the mean is not: 104 is blue's, and comes first.",
        prepared(order=0): "The mean is in the order blue, green, red, and your picture is not: turn its channels round first.",
        prepared(scale=1): "The mean is counted in 0..255, and your picture goes from 0 to 1. Multiply first.",
        prepared(mean=(0.0, 0.0, 0.0)): "The mean is still there. The released weights expect pictures with the mean taken off.",
    },
    hints=(
        "Three things differ: the order of the channels, the range, and a mean that is taken off.",
        "image.flip(1) turns the channels round. The mean has one number a channel: shape it to 3×1×1.",
        "255 * image.flip(1) - mean[:, None, None]",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- rate_factor


def my_image(seed):
    """Height and width of one learner's own picture; the seed comes from `variant`."""
    generator = random.Random(seed)
    return generator.randrange(240, 400), generator.randrange(320, 512)


def rate_factor(height, width):
    return height * width


RATE_FACTOR = Exercise(
    rate_factor,
    literal=True, minutes=5, difficulty=2, importance=3,
    cases=(
        Case(
            "the factor for your own picture",
            my_image,
            "Divide the sum over all pixels by their mean: what is left?",
        ),
    ),
    mistakes={
        lambda height, width: 21 * height * width: "The loss has one term for each pixel, not one for each class of each pixel.",
        lambda height, width: 1 / (height * width): "The other way round: the mean loss has the smaller gradient, so its rate must be larger.",
        lambda height, width: 500 * 500: "This is the factor for 500×500. Take your own picture.",
        lambda height, width: (height + 198) * (width + 198): "The padding is cut off before the loss: only pixels of the picture count.",
    },
    hints=(
        "A sum over all pixels is how many times their mean?",
        "A gradient that is so many times smaller needs a rate that is so many times larger, for the same step.",
        "Height times width.",
    ),
)  # fmt: skip

EXERCISES = [
    DENSE_TO_CONVOLUTION,
    BILINEAR_KERNEL,
    MENDED_UPSAMPLING,
    CROP_OFFSET,
    MENDED_FCN,
    START_WEIGHTS,
    FOR_CAFFE,
    RATE_FACTOR,
]

# -------------------------------------------------------------------------------------- upsampling_tests


def upsampling_tests():
    scores = torch.arange(1.0, 25).reshape(2, 2, 2, 3)
    return [(scores, 4)]


def padded_with_zeros(scores, factor):
    inner = F.interpolate(scores, scale_factor=factor, mode="bilinear")
    return F.pad(inner, [factor // 2, factor - factor // 2] * 2)


def in_steps_of_two(scores, factor):
    while factor % 2 == 0:
        scores, factor = mended_upsampling(scores, 2), factor // 2
    return mended_upsampling(scores, factor) if factor > 1 else scores


def first_picture_s(scores, factor):
    return mended_upsampling(scores[:1], factor).repeat(len(scores), 1, 1, 1)


def of_any_numbers(enlarge):
    """An enlargement that takes float64 and whole numbers too: a test may be written in either."""
    return lambda scores, factor: enlarge(scores.float(), factor)


def may_be_enlarged(scores=None, factor=None, *more):
    """Why these cannot be scores and a factor; None if they can."""
    if more or not isinstance(scores, torch.Tensor) or scores.ndim != 4:
        return "it is (scores, factor), and the scores are a tensor N×K×h×w."
    if not scores.numel():
        return "there is no score in it."
    if type(factor) is not int or not 2 <= factor <= 32:
        return "the factor is an int, a whole number from 2 to 32."
    return None


UPSAMPLING_TESTS = Exercise(
    upsampling_tests,
    literal=True, points=2, minutes=6, difficulty=3, importance=4, short=True,
    cases=exposes(
        of_any_numbers(mended_upsampling),
        {
            "A, which mixes the classes": of_any_numbers(all_pairs),
            "B, which fills the border with zeros": of_any_numbers(padded_with_zeros),
            "C, which gives every picture the first one's scores": of_any_numbers(first_picture_s),
            "D, which enlarges in steps of two": of_any_numbers(in_steps_of_two),
        },
        may_be_enlarged,
    ),
    hints=(
        "B goes wrong where the stamps of the outermost scores lie. What does a single point in the middle say about that?",
        "One step of two is right. Which factors need two steps?",
        "One input will do: two pictures, two classes, all scores different and above zero, and a factor of 4.",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- reach_of_score


def reach_of_score():
    return [64, 88]


REACH_OF_SCORE = Exercise(
    reach_of_score,
    literal=True, minutes=4, difficulty=3, importance=3,
    cases=predicts(
        (1, 500),
        measure=lambda: 88,
        tolerance=0.005,
        slips={
            64: "This is FCN-32s, one stamp of 64. FCN-8s enlarges three times: by 2, by 2 and by 8.",
            16: "This is the last stamp alone. The score has been enlarged twice by then, and is no single pixel any more.",
            80: "This is FCN-16s: by 2 and by 16. FCN-8s enlarges by 2, by 2 and by 8.",
            40: "You have enlarged by 2 and by 8. FCN-8s has two skips: by 2, by 2 again, and then by 8.",
        },
    ),
    hints=(
        "A map of n pixels that is enlarged by s has s·(n + 1) pixels.",
        "One pixel, enlarged by 2, has 4. Go on from these 4.",
        "2·(1 + 1) = 4, 2·(4 + 1) = 10, and 8·(10 + 1) = ?",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- mended_offsets


def mended_offsets(offsets, shifts):
    pool4, pool3, end = offsets
    of_score, of_pool4, of_pool3 = shifts
    # The last crop moves all three; what is left is each skip's own.
    pool4 = pool4 + (of_pool4 - of_score) // 16
    pool3 = pool3 + (of_pool3 - of_score) // 8
    return [pool4, pool3, end + of_score]


def symptoms(seed):
    """Wrong offsets and the shifts, in pixels, that they give a net whose right ones depend on the seed."""
    generator = random.Random(seed)
    right = [generator.randrange(3, 9), generator.randrange(7, 14), generator.randrange(20, 50)]
    wrong = [generator.randrange(0, 15) for _ in right]
    end = right[2] - wrong[2]
    return wrong, [end, 16 * (right[0] - wrong[0]) + end, 8 * (right[1] - wrong[1]) + end]


MENDED_OFFSETS = Exercise(
    mended_offsets,
    points=2, minutes=10, difficulty=3, importance=4, short=True,
    cases=(
        Case(
            "only the last crop is wrong: all three lie 12 too low",
            ([5, 9, 19], [12, 12, 12]),
            "One cut moves everything. Which of the three offsets is it?",
        ),
        Case(
            "only pool4 is wrong, by one of its pixels",
            ([4, 9, 31], [0, 16, 0]),
            "pool4 is cut in its own pixels. How many of the picture's is one of them?",
        ),
        Case("only pool3 is wrong, the other way", ([5, 11, 31], [0, 0, -16]), "How many pixels of the picture is one of pool3's?"),
        Case(
            "the last crop and a skip: the skip lies right by chance",
            ([6, 9, 15], [16, 0, 16]),
            "What the last crop does to pool4 is part of its shift: take it off first.",
        ),
        Case("any three offsets", symptoms),
        Case("any other three", lambda seed: symptoms(seed + 500)),
    ),
    mistakes={
        ("(of_pool4 - of_score) → of_pool4", "(of_pool3 - of_score) → of_pool3"): "You mend each skip by its whole shift. Part of that is the last crop's, which moves everything: take it off first.",
        ("// 16 → // 1", "// 8 → // 1"): "The skips are cut in their own pixels: one of pool4's is 16 of the picture's, one of pool3's is 8.",
        ("4 - of_score) // 16 → 4 - of_score) // 8", "3 - of_score) // 8 → 3 - of_score) // 16"): "pool4 has been halved four times and pool3 three times: a pixel of pool4 is 16 of the picture's.",
        ("4 + (of → 4 - (of", "3 + (of → 3 - (of", "end + → end -"): "The other way: what lies too low must be cut further down, so that it moves up.",
        lambda offsets, shifts: [5, 9, 31]: "These are the offsets of the chapter's net. Another padding wants others: take those that are given, and mend them.",
        "end + of_score → end": "The last crop is still wrong. What the score alone shows is its shift.",
        "of_pool3 - of_score → of_pool3 - of_pool4": "You mend pool3 by what it has more than pool4. Pool4's shift is partly pool4's own: what all three share is the score's.",
        ("pool4 + (of_pool4 - of_score) // 16 → pool4", "pool3 + (of_pool3 - of_score) // 8 → pool3"): "The last crop is right now. A skip whose shift is not the score's has a wrong crop of its own.",
        ("4 + (of → 4 - (of", "3 + (of → 3 - (of"): "The last crop is right, and the skips go the wrong way: as at the last cut, what lies too low is cut further down.",
        "of_score, of_pool4, of_pool3 = shifts → of_pool4, of_pool3, of_score = shifts": "You read the shifts in the order of the offsets. They come in the order of the table: the score of fc7, pool4's, pool3's.",
    },
    hints=(
        "The score passes the last crop only. What does its shift say?",
        "pool4 passes its own cut and the last one. Its shift without that of the score is its own.",
        "end + of_score, pool4 + (of_pool4 − of_score) / 16, pool3 + (of_pool3 − of_score) / 8.",
    ),
)  # fmt: skip

EXERCISES += [UPSAMPLING_TESTS, REACH_OF_SCORE, MENDED_OFFSETS]
