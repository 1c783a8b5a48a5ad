"""The exercises of chapter 5: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import math
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import segnb
from segnb.exercises import fcn, variant
from segnb.models.base import he_init
from segnb.models.fcn import BilinearUpsampling, crop
from segnb.models.fcn import bilinear_kernel as package_kernel
from tests.exercises.answers import answers_of
from tests.exercises.tasks import test_fcn_more as more

# --------------------------------------------------------------------------- wrong: (answer, its own hint)


def convolution(dense, kernel, bias=True, **options):
    layer = nn.Conv2d(kernel.shape[1], len(kernel), kernel.shape[2], bias=bias, **options)
    layer.weight.data = kernel.detach().clone()
    if bias:
        layer.bias.data = torch.zeros(len(kernel)) if dense.bias is None else dense.bias.detach().clone()
    return layer


def channels_last(dense, channels, size):
    return convolution(dense, dense.weight.view(-1, size, size, channels).permute(0, 3, 1, 2))


def transposed(dense, channels, size):
    return convolution(dense, dense.weight.view(-1, channels, size, size).transpose(-1, -2))


def turned(dense, channels, size):
    return convolution(dense, dense.weight.view(-1, channels, size, size).rot90(2, (2, 3)))


def unbiased(dense, channels, size):
    return convolution(dense, dense.weight.view(-1, channels, size, size), bias=False)


def padded(dense, channels, size):
    return convolution(dense, dense.weight.view(-1, channels, size, size), padding=1)


def fresh(dense, channels, size):
    return nn.Conv2d(channels, dense.out_features, size)


def one_channel(dense, channels, size):
    return convolution(dense, dense.weight.view(-1, 1, size, size))


def product(tent):
    return lambda factor: tent(factor)[:, None] * tent(factor)[None]


def odd_size(factor):
    tent = 1 - (torch.arange(2 * factor - 1) - (factor - 1)).abs() / factor
    return torch.outer(tent, tent)


def corners_aligned(factor):
    return 1 - torch.linspace(-1, 1, 2 * factor).abs()


def tent_of(factor):
    return 1 - torch.linspace(-1 + 0.5 / factor, 1 - 0.5 / factor, 2 * factor).abs()


def every_pair(scores, factor):
    k = scores.shape[1]
    return F.conv_transpose2d(scores, package_kernel(factor).repeat(k, k, 1, 1), stride=factor)


def interpolated(scores, factor, mode="bilinear"):
    return F.interpolate(scores, [(n + 1) * factor for n in scores.shape[2:]], mode=mode)


def cropped(scores, factor):
    return F.interpolate(scores, scale_factor=factor, mode="bilinear")


def cut_off(scores, factor):
    border = [factor // 2, factor - factor // 2]
    return F.pad(cropped(scores, factor), border * 2)


def run(net, image, offsets=(5, 9), end=lambda out, image: crop(out, 31, image)):
    """The whole pass by the net's own layers, kept in a dict, with other crops and another end."""
    maps, x = {}, net.normalise(image)
    for n in range(1, 6):
        x = maps[n] = getattr(net, f"pool{n}")(getattr(net, f"conv{n}")(x))
    total = net.upscore2(net.score(net.fc7(net.fc6(x))))
    total = total + crop(net.score_pool4(maps[4]), offsets[0], total)
    total = net.upscore_pool4(total)
    total = total + crop(net.score_pool3(maps[3]), offsets[1], total)
    return end(net.upscore8(total), image)


def squeeze(out, image):
    return F.interpolate(out, image.shape[2:], mode="bilinear")


def at_full_size(net, image):
    maps = segnb.features(net, image, ["score", "score_pool4", "score_pool3"])
    return sum(squeeze(scores, image) for scores in maps.values())


def fill(below, scores=nn.init.zeros_, biases=nn.init.zeros_):
    def start(net):
        for name, parameter in net.named_parameters():
            if parameter.ndim == 1:
                biases(parameter)
            else:
                (scores if "score" in name else below)(parameter)

    return start


def he(weight):
    nn.init.normal_(weight, std=(2 / weight[0].numel()) ** 0.5)


def scores_only(net):
    for layer in (net.score, net.score_pool4, net.score_pool3):
        nn.init.zeros_(layer.weight)


def caffe(image, turn=True, scale=255.0, mean=(104.00698793, 116.66876762, 122.67891434)):
    return (image.flip(1) if turn else image) * scale - torch.tensor(mean).view(1, 3, 1, 1)


RED_FIRST = (122.67891434, 116.66876762, 104.00698793)
height, width = fcn.my_image(variant(""))

WRONG = {
    "dense_to_convolution": [
        (channels_last, "You read the weights as row, column, channel"),
        (transposed, "Rows and columns of your kernels are swapped"),
        (turned, "turned by 180 degrees"),
        (unbiased, "The dense layer has a bias too"),
        (fresh, "fresh random weights"),
        (padded, "Your convolution is padded"),
        (one_channel, "stopped with RuntimeError: Given groups=1"),
        (lambda dense, channels, size: dense, "In your module weight belongs to the one you wer"),
        (lambda dense, channels, size: dense.weight, "Your dense_to_convolution should return an nn.Mo"),
        (lambda dense: None, "takes 1 positional argument but 3 were given"),
    ],
    "bilinear_kernel": [
        (product(corners_aligned), "Your tent touches zero at the first and last pixel"),
        (lambda factor: package_kernel(factor) / package_kernel(factor).sum(), "everything is too small"),
        (product(lambda factor: 1 - tent_of(factor)), "This is the distance from the middle"),
        (lambda factor: (tent_of(factor)[:, None] + tent_of(factor)) / 2, "do not add them"),
        (lambda factor: torch.minimum(tent_of(factor)[:, None], tent_of(factor)), "the smaller of the two weights"),
        (lambda factor: torch.full((2 * factor, 2 * factor), 0.25), "Every pixel of your stamp weighs the same"),
        (odd_size, "the shape should be 4×4, and yours is 3×3"),
        (tent_of, "the shape should be 4×4, and yours is 4"),
        (lambda factor: package_kernel(factor)[None, None], "the shape should be 4×4, and yours is 1×1×4×4"),
        (lambda factor: package_kernel(2), "the shape should be 6×6, and yours is 4×4"),
    ],
    "mended_upsampling": [
        (every_pair, "The classes still mix"),
        (lambda scores, factor: every_pair(scores, factor) / scores.shape[1], "You average over the classes"),
        (interpolated, "You stretch the map to that size"),
        (lambda scores, factor: interpolated(scores, factor, "nearest"), "You repeat pixels"),
        (cut_off, "At the border the stamps fade out"),
        (cropped, "the shape should be 1×2×4×4, and yours is 1×2×2×2"),
        (lambda scores, factor: every_pair(scores[:, :1], factor), "the shape should be 1×2×4×4, and yours is 1×1×4×4"),
    ],
    "crop_offset": [
        (lambda padding, stride: {8: 31, 16: 27, 32: 19}[stride], "These are the crops for a padding of 100"),
        (lambda padding, stride: padding - 81, "This is the crop of FCN-32s for every net"),
        (lambda padding, stride: {8: 19, 16: 27, 32: 31}[stride] + padding - 100, "the wrong way round"),
        (lambda padding, stride: {8: 127, 16: 123, 32: 115}[stride] + padding - 100, "fc6 is 7×7 and unpadded"),
        (lambda padding, stride: {8: 30, 16: 26, 32: 18}[stride] + padding - 100, "You are off by one"),
        (lambda padding, stride: padding, "The padding moves the first map by 99"),
        (lambda padding, stride: 20, "20 is not right"),
    ],
    "mended_fcn": [
        (lambda net, image: run(net, image).detach().numpy(), "should return a tensor, and returned ndarray"),
        (lambda net, image: run(net, image, (0, 0), squeeze), "Both faults are still there"),
        (lambda net, image: run(net, image, (0, 0)), "The end is right now"),
        (lambda net, image: run(net, image, end=squeeze), "The skips are right now"),
        (lambda net, image: run(net, image, (9, 5)), "pool4 is cut at 5, pool3 at 9"),
        (lambda net, image: run(net, image, end=lambda out, i: crop(out, 19, i)), "19 is the crop of FCN-32s"),
        (lambda net, image: run(net, image, end=lambda out, i: crop(out, 27, i)), "27 is the crop of FCN-16s"),
        (lambda net, image: run(net, image, (0, 0), lambda out, i: crop(out, 0, i)), "Everything is cut from the corner"),
        (at_full_size, "Here you are asked to do yourself what net(image"),
        (lambda net, image: run(net, image, end=lambda out, i: out), "the shape should be 1×2×40×40"),
    ],
    "start_weights": [
        (fill(nn.init.zeros_), "15 of 15 layers below the scores have weights of"),
        (lambda net: None, "3 of 3 score layers have weights or biases that "),
        (scores_only, "3 of 3 score layers have weights or biases that "),
        (fill(he, scores=he), "3 of 3 score layers have weights or biases that "),
        (fill(lambda weight: nn.init.normal_(weight, std=0.01)), "13 of 13 layers below the scores do not have wei"),
        (lambda net: net.reset(), "at the line `"),
    ],
    "for_caffe": [
        (lambda image: caffe(image, turn=False, mean=RED_FIRST), "the channels are still red, green, blue"),
        (lambda image: caffe(image, mean=RED_FIRST), "104 is blue's, and comes first"),
        (lambda image: caffe(image, turn=False), "turn its channels round first"),
        (lambda image: caffe(image, scale=1.0), "Multiply first"),
        (lambda image: caffe(image, mean=(0.0, 0.0, 0.0)), "The mean is still there"),
        (lambda image: caffe(image)[0], "the shape should be 1×3×1×1, and yours is 3×1×1"),
    ],
    "rate_factor": [
        (21 * height * width, "one term for each pixel"),
        (1 / (height * width), "the mean loss has the smaller gradient"),
        (250_000, "This is the factor for 500×500"),
        ((height + 198) * (width + 198), "The padding is cut off before the loss"),
        (height, "is not right. Divide the sum"),
        (str(height * width), "A number is wanted"),
    ],
}  # fmt: skip

# --------------------------------------------------------------------------- right, in other words


def by_eye(scores, factor):
    kernels = torch.eye(scores.shape[1])[:, :, None, None] * package_kernel(factor)
    return F.conv_transpose2d(scores, kernels, stride=factor)


def one_map_at_a_time(scores, factor):
    maps = F.conv_transpose2d(
        scores.flatten(0, 1)[:, None], package_kernel(factor)[None, None], stride=factor
    )
    return maps.reshape(*scores.shape[:2], *maps.shape[2:])


def he_then_zero(net):
    net.apply(he_init)
    scores_only(net)


def by_state(dense, channels, size):
    layer = nn.Conv2d(channels, dense.out_features, size, bias=dense.bias is not None)
    state = {name: part.detach().clone() for name, part in dense.state_dict().items()}
    layer.load_state_dict(state | {"weight": state["weight"].view_as(layer.weight)})
    return layer


def neuron_by_neuron(dense, channels, size):
    layer = nn.Conv2d(channels, dense.out_features, (size, size), bias=dense.bias is not None)
    for k in range(dense.out_features):
        for c in range(channels):
            one = dense.weight[k, c * size * size : (c + 1) * size * size]
            layer.weight.data[k, c] = one.detach().reshape(size, size)
        if dense.bias is not None:
            layer.bias.data[k] = dense.bias[k].item()
    return layer


class AsConvolution(nn.Conv2d):
    def __init__(self, dense, channels, size):
        super().__init__(channels, dense.out_features, size, bias=dense.bias is not None)
        with torch.no_grad():
            for mine, given in zip(self.parameters(), dense.parameters()):
                mine.copy_(given.view(mine.shape))


def by_slices(net, image):
    def cut(x, first, like):
        height, width = like.shape[-2:]
        return x[..., first : first + height, first : first + width]

    x, kept = net.normalise(image), {}
    for level in range(1, 6):
        x = getattr(net, f"pool{level}")(getattr(net, f"conv{level}")(x))
        kept[level] = x
    x = net.upscore2(net.score(net.fc7(net.fc6(x))))
    x = net.upscore_pool4(x + cut(net.score_pool4(kept[4]), 5, x))
    x = net.upscore8(x + cut(net.score_pool3(kept[3]), 9, x))
    return cut(x, 31, image)


def in_two_ways_up(net, image):
    names = [f"{part}{level}" for level in range(1, 6) for part in ("conv", "pool")] + ["fc6", "fc7", "score"]
    maps = {}
    x = net.normalise(image)
    for name in names:
        maps[name] = x = getattr(net, name)(x)
    for up, skip, score, first in (
        ("upscore2", "pool4", "score_pool4", 5),
        ("upscore_pool4", "pool3", "score_pool3", 9),
    ):
        x = getattr(net, up)(x)
        x = torch.add(crop(getattr(net, score)(maps[skip]), first, x), x)
    return crop(net.upscore8(x), 31, image)


def kernel_by_loops(factor):
    side, rows = 2 * factor, []
    for i in range(side):
        row = []
        for j in range(side):
            down, across = abs(i + 0.5 - factor), abs(j + 0.5 - factor)
            row.append((factor - down) * (factor - across) / factor**2)
        rows.append(row)
    return torch.tensor(rows)


def kernel_of_boxes(factor):
    """NumPy: a box slid over a box is a tent; read half-way between its numbers."""
    box = np.ones(factor)
    tent = np.convolve(np.convolve(box, box), [0.5, 0.5]) / factor
    return np.outer(tent, tent)


def kernel_by_mirroring(factor):
    rising = torch.arange(1, 2 * factor, 2, dtype=torch.float64) / (2 * factor)
    tent = torch.cat([rising, rising.flip(0)])
    return torch.einsum("i,j->ij", tent, tent)


def kernel_in_place(factor):
    kernel = torch.ones(2 * factor, 2 * factor)
    for i in range(factor):
        weight = (i + 0.5) / factor
        for line in (i, -1 - i):
            kernel[line] *= weight
            kernel[:, line] *= weight
    return kernel


def stamped(scores, factor):
    """Every score adds its stamp to a map of zeros."""
    images, classes, height, width = scores.shape
    stamp = package_kernel(factor)
    result = torch.zeros(images, classes, factor * (height + 1), factor * (width + 1))
    for i in range(height):
        for j in range(width):
            rows = slice(factor * i, factor * (i + 2))
            columns = slice(factor * j, factor * (j + 2))
            result[:, :, rows, columns] += scores[:, :, i, j, None, None] * stamp
    return result


def folded(scores, factor):
    images, classes, height, width = scores.shape
    stamps = torch.einsum("nkij,ab->nkabij", scores.double(), package_kernel(factor).double())
    size = (factor * (height + 1), factor * (width + 1))
    lines = stamps.reshape(images, classes * 4 * factor**2, height * width)
    return F.fold(lines, size, kernel_size=2 * factor, stride=factor)


class OneClassAtATime(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.up = nn.ConvTranspose2d(1, 1, 2 * factor, stride=factor, bias=False)
        self.up.weight.data[0, 0] = package_kernel(factor)

    def forward(self, scores):
        return torch.cat([self.up(scores[:, k : k + 1]) for k in range(scores.shape[1])], dim=1)


def offset_by_walking(padding, stride):
    """The centre of a map's first pixel, exactly, layer by layer."""
    conv, pool, fc6 = (3, 1, 1), (2, 2, 0), (7, 1, 0)
    layers = [(3, 1, padding)] + [conv] + [pool] + 4 * ([conv] * 2 + [pool]) + [fc6]
    place, step = Fraction(0), Fraction(1)
    for kernel, by, pad in layers:
        place += step * (Fraction(kernel - 1, 2) - pad)
        step *= by
    for factor in {32: [32], 16: [2, 16], 8: [2, 2, 8]}[stride]:
        step /= factor
        place -= step * (factor - Fraction(1, 2))
    return int(-place)


def offset_by_cases(padding, stride):
    match stride:
        case 32:
            extra = 100 - 19
        case 16:
            extra = 100 - 27
        case 8:
            extra = 100 - 31
    return padding - extra


def offset_by_numpy(padding, stride):
    starts = 1 - padding + 31 * 0.5 + 3 * 32
    lost = [1.5 * 2**n / 2 for n in range(5, int(np.log2(stride)), -1)]
    return np.array(stride - 0.5 - starts + np.sum(lost)).item()


def with_sequential(net, image):
    def row(*names):
        return nn.Sequential(*(getattr(net, name) for name in names))

    to_pool3 = row("conv1", "pool1", "conv2", "pool2", "conv3", "pool3")
    pool3 = to_pool3(net.normalise(image))
    pool4 = row("conv4", "pool4")(pool3)
    coarse = row("conv5", "pool5", "fc6", "fc7", "score", "upscore2")(pool4)
    for first, skip, then in (
        (5, net.score_pool4(pool4), net.upscore_pool4),
        (9, net.score_pool3(pool3), net.upscore8),
    ):
        part = skip.narrow(2, first, coarse.shape[2]).narrow(3, first, coarse.shape[3])
        coarse = then(part + coarse)
    return coarse.narrow(2, 31, image.shape[2]).narrow(3, 31, image.shape[3])


class Skipping:
    """The pass as an object; it crops by padding with negative numbers."""

    def __call__(self, net, image):
        self.net = net
        pool3 = self.down(net.normalise(image), 1, 3)
        pool4 = self.down(pool3, 4, 4)
        scores = net.score(net.fc7(net.fc6(self.down(pool4, 5, 5))))
        scores = self.joined(net.upscore2(scores), net.score_pool4(pool4), 5)
        scores = self.joined(net.upscore_pool4(scores), net.score_pool3(pool3), 9)
        return self.fitted(net.upscore8(scores), image, 31)

    def down(self, x, first, last):
        for level in range(first, last + 1):
            x = self.net.get_submodule(f"conv{level}")(x)
            x = self.net.get_submodule(f"pool{level}")(x)
        return x

    def fitted(self, x, like, start):
        bottom, right = (b + start - a for a, b in zip(x.shape[2:], like.shape[2:]))
        return F.pad(x, (-start, right, -start, bottom))

    def joined(self, scores, skip, start):
        return self.fitted(skip, scores, start).add(scores)


def start_by_state(net):
    state = net.state_dict()
    for name, _ in net.named_parameters():
        old = state[name]
        state[name] = torch.zeros_like(old)
        if name.endswith("weight") and not name.startswith("score"):
            state[name] = torch.randn(old.shape) * (2 / old[0].numel()) ** 0.5
    net.load_state_dict(state)


def start_with_numpy(net):
    generator = np.random.default_rng(1)
    scores = [net.score, net.score_pool4, net.score_pool3]
    for layer in net.modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        outputs, inputs, height, width = layer.weight.shape
        noise = generator.normal(0, np.sqrt(2 / (inputs * height * width)), tuple(layer.weight.shape))
        layer.weight.data = torch.from_numpy(np.zeros_like(noise) if layer in scores else noise).float()
        layer.bias.data = torch.zeros(outputs)


@torch.no_grad()
def start_by_recursion(net):
    for name, part in net.named_children():
        if name.startswith("score"):
            part.weight.mul_(0)
            part.bias.mul_(0)
        elif isinstance(part, nn.Conv2d):
            fan, _ = nn.init._calculate_fan_in_and_fan_out(part.weight)
            part.weight.normal_().mul_(math.sqrt(2 / fan))
            part.bias.fill_(0)
        else:
            start_by_recursion(part)


def caffe_by_channels(image):
    red, green, blue = (255 * image).unbind(1)
    return torch.stack([blue - 104.00698793, green - 116.66876762, red - 122.67891434], dim=1)


def caffe_with_numpy(image):
    pixels = image.numpy().transpose(0, 2, 3, 1)[..., ::-1] * 255.0
    pixels = pixels - np.array([104.00698793, 116.66876762, 122.67891434])
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def caffe_by_convolution(image):
    turn = 255 * torch.eye(3).flip(0)
    return F.conv2d(image, turn[:, :, None, None], bias=-torch.tensor(RED_FIRST[::-1]))


def caffe_in_place(image):
    result = torch.empty_like(image)
    for channel, mean in enumerate(RED_FIRST):
        result[:, 2 - channel] = image[:, channel]
        result[:, 2 - channel].mul_(255).sub_(mean)
    return result


RIGHT = {
    "dense_to_convolution": [
        lambda dense, channels, size: convolution(dense, dense.weight.unflatten(1, (channels, size, size))),
        by_state,
        neuron_by_neuron,
        AsConvolution,
    ],
    "bilinear_kernel": [
        package_kernel,
        product(tent_of),
        kernel_by_loops,
        kernel_of_boxes,
        kernel_by_mirroring,
        kernel_in_place,
    ],
    "mended_upsampling": [
        by_eye,
        one_map_at_a_time,
        lambda scores, factor: BilinearUpsampling(scores.shape[1], factor)(scores),
        stamped,
        folded,
        lambda scores, factor: OneClassAtATime(factor)(scores),
    ],
    "crop_offset": [
        lambda padding, stride: padding - {32: 81, 16: 73, 8: 69}[stride],
        lambda padding, stride: padding - 65 - stride // 2,
        lambda padding, stride: torch.tensor(padding - 65 - stride / 2),
        offset_by_walking,
        offset_by_cases,
        offset_by_numpy,
    ],
    "mended_fcn": [run, by_slices, in_two_ways_up, with_sequential, Skipping()],
    "start_weights": [fill(he), he_then_zero, start_by_state, start_with_numpy, start_by_recursion],
    "for_caffe": [
        caffe,
        lambda image: caffe(image.double()),
        lambda image: 255 * (image[:, [2, 1, 0]] - torch.tensor([104.00698793, 116.66876762, 122.67891434])[None, :, None, None] / 255),
        caffe_by_channels,
        caffe_with_numpy,
        caffe_by_convolution,
        caffe_in_place,
    ],
    "rate_factor": [height * width, float(height * width)],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(fcn.EXERCISES[:8], WRONG, RIGHT)

# All answers of the chapter, where they are looked for by its name.
WRONG, RIGHT = WRONG | more.WRONG, RIGHT | more.RIGHT


def test_the_references_are_the_released_networks():
    assert [fcn.crop_offset(100, stride) for stride in (32, 16, 8)] == [19, 27, 31]
    for factor in (2, 8, 16, 32):
        assert torch.equal(fcn.bilinear_kernel(factor), package_kernel(factor))
    torch.manual_seed(0)
    net = segnb.models.FCN(1, 3, width=2, hidden=4).eval()
    nn.init.normal_(net.score_pool3.weight)
    image = torch.rand(1, 1, 50, 40)
    assert torch.equal(fcn.mended_fcn(net, image), net(image))


def test_everybody_has_a_picture_and_many_differ():
    assert len({fcn.my_image(variant(str(n))) for n in range(60)}) > 15
