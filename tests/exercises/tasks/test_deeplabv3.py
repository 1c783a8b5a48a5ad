"""The exercises of chapter 8: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import segnb
from segnb.exercises import deeplabv3, registry
from segnb.models.resnet import ResNet
from tests.exercises.answers import answers_of
from tests.exercises.tasks import test_deeplabv3_more as more

# --------------------------------------------------------------------------- wrong: (answer, its own hint)


def conv(picture, kernel, **options):
    return F.conv2d(picture[None, None], kernel[None, None], **options)[0, 0]


def padded_by_one(picture, kernel, rate):
    return conv(picture, kernel, padding=1, dilation=rate)


def padded_by_rate(picture, kernel, rate):
    return conv(picture, kernel, padding=rate, dilation=rate)


def turned(picture, kernel, rate):
    return conv(picture, kernel.rot90(2), padding=rate * (len(kernel) // 2), dilation=rate)


def view(layers, strides=True, rates=True, own=False, gaps=1):
    field, jump = 1, 1
    for k, s, r in layers:
        jump *= s if own and strides else 1
        field += (k - gaps) * (r if rates else 1) * jump
        jump *= s if strides and not own else 1
    return field


def convert(layers, output_stride, keep=False, early=False, pointwise=False):
    reached, rate, out = 1, 1, []
    for k, s in layers:
        removed = reached * s > output_stride
        after = rate * s if removed else rate
        reached *= 1 if removed else s
        r = after if early else rate
        out.append([k, 1 if removed and not keep else s, r if k > 1 or pointwise else 1])
        rate = after
    return out


def next_only(layers, output_stride):
    """The new rate for the layer after a lost stride, and the old one for all the others."""
    out = [list(layer) for layer in convert(layers, output_stride)]
    for i in range(len(out)):
        out[i][2] = out[i][2] if i and layers[i - 1][1] != out[i - 1][1] else 1
    return out


def broadcast(level, features):
    return level[..., None, None] * torch.ones(features.shape[2:])


def fixed_size(features, weight):
    return F.interpolate((features.mean((2, 3)) @ weight.T)[:, :, None, None], size=(33, 33), mode="bilinear")


def small_labels(scores, mask):
    step = mask.shape[-1] // scores.shape[-1]
    return F.cross_entropy(scores, mask[:, ::step, ::step], ignore_index=255)


def large(scores, mask, **options):
    return F.interpolate(scores, mask.shape[1:], **{"mode": "bilinear", **options})


def freeze(net, deep=True, statistics=True, parameters=True, kind=nn.modules.batchnorm._BatchNorm):
    for part in net.modules() if deep else net:
        if isinstance(part, kind):
            part.train(not statistics)
            for parameter in part.parameters():
                parameter.requires_grad = not parameters
    return net


WRONG = {
    "atrous_conv": [
        (lambda picture, kernel, rate: conv(picture, kernel, padding="same"), "This is the ordinary convolution"),
        (turned, "Your kernel is turned upside down"),
        (lambda picture, kernel, rate: deeplabv3.atrous_conv(picture.T, kernel, rate).T, "are exchanged"),
        (lambda picture, kernel, rate: deeplabv3.atrous_conv(picture, kernel / kernel.numel(), rate), "A convolution adds them up"),
        (padded_by_one, "the shape should be 5×5, and yours is 3×3"),
        (padded_by_rate, "Your padding is the rate. That is right for a ke"),
        (lambda picture, kernel, rate: F.conv2d(picture[None, None], kernel[None, None], padding=rate, dilation=rate), "the shape should be 5×5, and yours is 1×1×5×5"),
    ],
    "field_of_view": [
        (lambda layers: view(layers, strides=False), "Your strides change nothing"),
        (lambda layers: view(layers, rates=False), "Your rates change nothing"),
        (lambda layers: view(layers, own=True), "A layer's own stride counts for the layers after it"),
        (lambda layers: view(layers, gaps=0), "Three taps have two gaps"),
        (lambda layers: sum((k - 1) * r for k, _, r in layers), "Two gaps of 6, and one pixel more"),
        (lambda layers: view(layers[:1]), "3 is not right"),
    ],
    "stage_rates": [
        (lambda output_stride, multi_grid=(1, 2, 4): multi_grid, "This is the multi-grid alone"),
        (lambda output_stride, multi_grid=(1, 2, 4): [f + 32 / output_stride for f in multi_grid], "You add the multi-grid"),
        (lambda output_stride, multi_grid=(1, 2, 4): [min(2, 32 // output_stride) * f for f in multi_grid], "two strides are gone before the last stage"),
        (lambda output_stride, multi_grid=(1, 2, 4): 3 * [32 // output_stride], "entry 2 of the list should be 4, and yours is 2."),
        (lambda output_stride, multi_grid=(1, 2, 4): [f * output_stride // 8 for f in multi_grid], "Your rates grow with the output stride"),
        (lambda output_stride, multi_grid=(1, 2, 4): [f * 32 // output_stride for f in (1, 2, 4)], "Is `multi_grid` used?"),
    ],
    "take_stride_out": [
        (lambda layers, stride: convert(layers, stride, True, True, True), "This is the colleague's list"),
        (lambda layers, stride: convert(layers, stride, keep=True), "The rates are right, and the strides are still there"),
        (lambda layers, stride: convert(layers, stride, early=True), "The layer that loses its stride gets the new rate itself"),
        (lambda layers, stride: convert(layers, stride, pointwise=True), "The rates of the 3×3 kernels are right"),
        (lambda layers, stride: convert(layers, stride, early=True, pointwise=True), "one layer too early, and the 1×1"),
        (next_only, "all of it does"),
    ],
    "share_whole": [
        (lambda side, rate: max(0, 1 - 2 * rate / side), "This is the share along one row"),
        (lambda side, rate: max(0, 1 - rate / side) ** 2, "They are lost on both sides"),
        (lambda side, rate: (1 - 2 * rate / side) ** 2, "its square is not 0"),
        (lambda side, rate: max(0, side - 2 * rate) ** 2, "This is a number of places"),
        (lambda side, rate: ((side + 2 * (side - rate)) / (3 * side)) ** 2 if rate < side else 1 / 9, "This is the mean share of taps"),
        (lambda side, rate: (max(0, side - 2 * rate - 1) / side) ** 2, "You lose one place too many: with 2·rate + 1 pla"),
    ],
    "image_level": [
        (lambda features, weight: broadcast(features.mean((0, 2, 3), keepdim=False)[None] @ weight.T, features).repeat(len(features), 1, 1, 1), "You average over the batch too"),
        (lambda features, weight: broadcast(F.adaptive_max_pool2d(features, 1)[:, :, 0, 0] @ weight.T, features), "This is the largest value"),
        (lambda features, weight: broadcast(features.flatten(2).sum(2) @ weight.T, features), "You add up all places"),
        (lambda features, weight: broadcast(features[:, :, features.shape[2] // 2, features.shape[3] // 2] @ weight.T, features), "You take the value in the middle"),
        (fixed_size, "the shape should be 1×1×2×2, and yours is 1×1×33×33"),
        (lambda features, weight: features.mean((2, 3)) @ weight.T, "the shape should be 1×1×2×2, and yours is 1×1"),
    ],
    "map_loss": [
        (small_labels, "the result should be 1.292, and yours is 1.398."),
        (lambda scores, mask: F.cross_entropy(large(scores, mask, mode="nearest"), mask, ignore_index=255), "The scores are enlarged in blocks"),
        (lambda scores, mask: F.cross_entropy(large(scores, mask, align_corners=True), mask, ignore_index=255), "align_corners=True stretches"),
        (lambda scores, mask: F.cross_entropy(large(scores.softmax(1), mask), mask, ignore_index=255), "Softmax is taken twice"),
        (lambda scores, mask: F.cross_entropy(large(scores, mask), mask, ignore_index=255, reduction="sum"), "You add up the pixels"),
        (lambda scores, mask: F.cross_entropy(large(scores, mask), mask), "an argument for labels that do not count"),
        (lambda scores, mask: F.cross_entropy(large(scores, mask), mask, ignore_index=255).detach(), "No gradient flows"),
    ],
    "freeze_norms": [
        (lambda net: net, "Nothing has changed"),
        (lambda net: net.eval(), "dropout with it"),
        (lambda net: freeze(net.eval()), "the rest of the net is in eval mode too"),
        (lambda net: freeze(net.eval(), kind=nn.Module), "The whole net is frozen"),
        (lambda net: freeze(net, deep=False), "net.children() goes one level deep"),
        (lambda net: freeze(net, statistics=False), "how many batch norms are in eval mode: it should"),
        (lambda net: freeze(net, parameters=False), "The statistics are frozen"),
        (lambda net: freeze(freeze(net), kind=nn.Dropout), "how many other parts are in training mode: it sh"),
    ],
    "whole_nowhere": [
        (16, "16 steps to each side"),
        (33, "only the middle tap is left"),
        (18, "so is a smaller rate already"),
        (32, "most places have one tap"),
        (12, "12 is not right. Try 16 and 17"),
    ],
}  # fmt: skip

# --------------------------------------------------------------------------- right, in other words


def with_zeros(picture, kernel, rate):
    spread = torch.zeros([rate * (n - 1) + 1 for n in kernel.shape])
    spread[::rate, ::rate] = kernel
    return conv(picture, spread, padding="same")


def by_shifts(picture, kernel, rate):
    reach = len(kernel) // 2 * rate
    wide = F.pad(picture, [reach] * 4)
    height, width = picture.shape
    total = torch.zeros(height, width)
    for i, row in enumerate(kernel):
        for j, weight in enumerate(row):
            total += weight * wide[i * rate : i * rate + height, j * rate : j * rate + width]
    return total


def from_above(layers):
    field = 1
    for k, s, r in reversed(layers):
        field = (field - 1) * s + (k - 1) * r + 1
    return field


def by_counting(side, rate):
    taps = F.conv2d(torch.ones(1, 1, side, side), torch.ones(1, 1, 3, 3), padding=rate, dilation=rate)
    return (taps > 8.5).double().mean().item()


def with_one_by_one(features, weight):
    level = F.conv2d(F.adaptive_avg_pool2d(features, 1), weight[:, :, None, None])
    return F.interpolate(level, size=features.shape[2:], mode="bilinear")


def course_loss(scores, mask):
    return segnb.losses.cross_entropy(large(scores, mask), mask)


def upsampled_loss(scores, mask):
    up = nn.Upsample(size=tuple(mask.shape[1:]), mode="bilinear")
    return nn.NLLLoss(ignore_index=255)(up(scores).log_softmax(1), mask)


def pixel_by_pixel(picture, kernel, rate):
    height, width = picture.shape
    half, rows = len(kernel) // 2, []
    for i in range(height):
        for j in range(width):
            total = torch.zeros(())
            for a in range(-half, half + 1):
                for b in range(-half, half + 1):
                    y, x = i + rate * a, j + rate * b
                    if 0 <= y < height and 0 <= x < width:
                        total = total + kernel[half + a, half + b] * picture[y, x]
            rows.append(total)
    return torch.stack(rows).view(height, width)


def by_windows(picture, kernel, rate):
    """Every window a column, in float64; the kernel is one row of a product."""
    border = rate * (kernel.shape[0] // 2)
    windows = F.unfold(picture[None, None].double(), kernel.shape, dilation=rate, padding=border)
    return torch.einsum("t,tp->p", kernel.double().flatten(), windows[0]).unflatten(0, picture.shape)


class Atrous:
    def __call__(self, picture, kernel, rate):
        one = kernel.unsqueeze(0).unsqueeze(0)
        return F.conv2d(picture.expand(1, 1, -1, -1), one, padding="same", dilation=(rate, rate)).squeeze()


def seen_pixels(layers):
    """The pixels themselves, from one place of the last map back to the image."""
    places = {0}
    for kernel, stride, rate in layers[::-1]:
        places = {stride * place + rate * tap for place in places for tap in range(kernel)}
    return max(places) - min(places) + 1


def view_by_recursion(layers, step=1):
    if len(layers) == 0:
        return 1
    (kernel, stride, rate), *above = layers
    return (kernel - 1) * rate * step + view_by_recursion(above, step * stride)


def view_with_numpy(layers):
    kernels, strides, rates = np.array(layers, dtype=int).reshape(-1, 3).T
    steps = np.cumprod(np.append(1, strides))[:-1]
    return 1 + int(np.sum((kernels - 1) * rates * steps))


def rates_by_halving(output_stride, multi_grid=(1, 2, 4)):
    rates = list(multi_grid)
    while output_stride < 32:
        output_stride *= 2
        for n in range(len(rates)):
            rates[n] += rates[n]
    return rates


def rates_with_numpy(output_stride, multi_grid=(1, 2, 4)):
    return np.outer(32 / output_stride, multi_grid)[0].astype(int).tolist()


def rates_by_lost_strides(output_stride, multi_grid=(1, 2, 4)):
    lost = 5 - int(math.log2(output_stride))
    return [factor << lost for factor in multi_grid]


def out_in_two_passes(layers, output_stride):
    """First the strides that stay, then each rate as the product of the strides lost before."""
    kept = []
    for _, stride in layers:
        kept.append(stride if math.prod(kept) * stride <= output_stride else 1)
    lost = [stride // left for (_, stride), left in zip(layers, kept)]
    rates = [math.prod(lost[:n]) for n in range(len(layers))]
    return [(k, left, 1 if k == 1 else rate) for (k, _), left, rate in zip(layers, kept, rates)]


def out_by_recursion(layers, output_stride, rate=1):
    """What is left of the output stride goes down with each stride that stays."""
    if not layers:
        return []
    (kernel, stride), *others = layers
    own = rate if kernel != 1 else 1
    if stride <= output_stride:
        return [(kernel, stride, own), *out_by_recursion(others, output_stride / stride, rate)]
    return [(kernel, 1, own), *out_by_recursion(others, output_stride, rate * stride)]


class Converter:
    """The coarse net's step and the finer net's, side by side: their ratio is the rate."""

    def __init__(self, layers, output_stride):
        self.coarse, self.fine, self.limit = 1, 1, output_stride
        self.layers = [self.layer(*one) for one in layers]

    def layer(self, kernel, stride):
        rate = self.coarse // self.fine
        self.coarse *= stride
        left = stride if self.fine * stride <= self.limit else 1
        self.fine *= left
        return kernel, left, rate if kernel > 1 else 1


def share_by_loops(side, rate):
    whole = 0
    for i in range(side):
        for j in range(side):
            taps = [(i + a, j + b) for a in (-rate, 0, rate) for b in (-rate, 0, rate)]
            whole += all(0 <= y < side and 0 <= x < side for y, x in taps)
    return whole / side**2


def share_with_numpy(side, rate):
    places = np.arange(side)
    fits = (places >= rate) & (places < side - rate)
    return np.outer(fits, fits).mean()


def share_of_a_range(side, rate):
    return Fraction(len(range(rate, side - rate)), side) ** 2


def level_by_loops(features, weight):
    images, channels, height, width = features.shape
    result = torch.zeros(images, len(weight), height, width)
    for n in range(images):
        for d in range(len(weight)):
            for c in range(channels):
                result[n, d] += weight[d, c] * features[n, c].sum() / (height * width)
    return result


def projected_first(features, weight):
    """A 1×1 convolution and a mean may change places."""
    projected = F.conv2d(features.double(), weight.double()[..., None, None])
    return projected.mean(dim=(-2, -1), keepdim=True).repeat(1, 1, *features.shape[-2:])


class ImageLevel(nn.Module):
    def forward(self, features, weight):
        size = tuple(features.shape[2:])
        pooled = nn.AvgPool2d(size)(features).flatten(1)
        return nn.Upsample(size, mode="nearest")(F.linear(pooled, weight).unflatten(1, (-1, 1, 1)))


def loss_of_those_that_count(scores, mask):
    """Lays all pixels out in one row, and leaves the void ones out."""
    logits = large(scores, mask).permute(0, 2, 3, 1)[mask != 255]
    labels = mask[mask != 255]
    return (logits.logsumexp(1) - logits[torch.arange(len(labels)), labels]).mean()


def loss_by_one_hot(scores, mask):
    counts = mask < 255
    target = F.one_hot(mask.where(counts, 0), scores.shape[1]) * counts[..., None]
    logs = large(scores.double(), mask).log_softmax(1)
    return -torch.einsum("nkhw,nhwk->", logs, target.double()) / counts.sum()


class MapLoss(nn.Module):
    """Picture by picture: sums first, and one division at the end."""

    def __init__(self):
        super().__init__()
        self.loss = nn.CrossEntropyLoss(ignore_index=255, reduction="sum")

    def forward(self, scores, mask):
        total, pixels = 0, 0
        for one, labels in zip(scores, mask):
            logits = F.interpolate(one[None], size=labels.shape, mode="bilinear", antialias=False)
            total = total + self.loss(logits, labels[None])
            pixels += int((labels != 255).sum())
        return total / pixels


def freeze_by_recursion(part):
    for child in part.children():
        freeze_by_recursion(child)
    if isinstance(part, nn.BatchNorm2d):
        part.training = False
        part.weight.requires_grad = part.bias.requires_grad = False


def freeze_by_apply(net):
    def still(part):
        if hasattr(part, "running_var"):
            part.train(False).requires_grad_(False)

    return net.apply(still)


def freeze_by_names(net):
    names = [name for name, part in net.named_modules() if type(part) is nn.BatchNorm2d]
    for name in names:
        net.get_submodule(name).eval()
    for name, parameter in net.named_parameters():
        if name.rpartition(".")[0] in names:
            parameter.requires_grad_(False)


RIGHT = {
    "atrous_conv": [with_zeros, by_shifts, pixel_by_pixel, by_windows, Atrous()],
    "field_of_view": [
        from_above,
        seen_pixels,
        view_by_recursion,
        view_with_numpy,
        lambda layers: 1 + sum((k - 1) * r * math.prod(s for _, s, _ in layers[:i]) for i, (k, _, r) in enumerate(layers)),
    ],
    "stage_rates": [
        lambda output_stride, multi_grid=(1, 2, 4): tuple(f * (32 // output_stride) for f in multi_grid),
        lambda output_stride, multi_grid=(1, 2, 4): (torch.tensor(multi_grid) * 32 // output_stride).tolist(),
        rates_by_halving,
        rates_with_numpy,
        rates_by_lost_strides,
    ],
    "take_stride_out": [
        convert,
        out_in_two_passes,
        out_by_recursion,
        lambda layers, output_stride: Converter(layers, output_stride).layers,
    ],
    "share_whole": [
        by_counting,
        lambda side, rate: (1 - 2 * rate / side) ** 2 if 2 * rate < side else 0.0,
        share_by_loops,
        share_with_numpy,
        lambda side, rate: float(share_of_a_range(side, rate)),
    ],
    "image_level": [level_by_loops, projected_first, ImageLevel(), with_one_by_one, lambda features, weight: broadcast(torch.einsum("nchw,dc->nd", features, weight) / features[0, 0].numel(), features)],
    "map_loss": [course_loss, upsampled_loss, loss_of_those_that_count, loss_by_one_hot, MapLoss()],
    "freeze_norms": [freeze, freeze_by_recursion, freeze_by_apply, freeze_by_names, lambda net: [(m.eval(), [p.requires_grad_(False) for p in m.parameters()]) for m in net.modules() if "Norm" in type(m).__name__]],
    "whole_nowhere": [17, 17.0, 33 // 2 + 1],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(deeplabv3.EXERCISES[:9], WRONG, RIGHT)

# All answers of the chapter, where they are looked for by its name.
WRONG, RIGHT = WRONG | more.WRONG, RIGHT | more.RIGHT


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_the_rates_are_those_of_the_network(output_stride):
    with torch.device("meta"):
        net = ResNet(output_stride=output_stride, multi_grid=(1, 2, 4))
    assert registry["stage_rates"].reference(output_stride) == [unit.conv2.dilation[0] for unit in net.layer4]


@pytest.mark.parametrize("stride_unit", ["first", "last"])
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_the_rule_for_a_row_of_layers_gives_the_rates_of_the_network(output_stride, stride_unit):
    with torch.device("meta"):
        plain, net = (ResNet(output_stride=stride, stride_unit=stride_unit) for stride in (32, output_stride))
    layers = [(7, 2), (3, 2)] + [(3, unit.stride) for unit in units(plain)]
    wanted = [(3, unit.stride, unit.conv2.dilation[0]) for unit in units(net)]
    assert registry["take_stride_out"].reference(layers, output_stride)[2:] == wanted


def units(net):
    return [*net.layer1, *net.layer2, *net.layer3, *net.layer4]


@pytest.mark.parametrize("output_stride", [8, 4, 2, 1])
def test_taking_the_stride_out_keeps_every_value(output_stride):
    torch.manual_seed(0)
    layers = [(3, 2), (1, 1), (3, 2), (3, 2), (3, 1)]
    kernels = [torch.randn(1, 1, k, k) for k, _ in layers]

    def run(layers):
        x = picture
        for (k, s, r), kernel in zip(layers, kernels, strict=True):
            x = F.conv2d(x, kernel, stride=s, padding=r * (k // 2), dilation=r)
        return x

    picture = torch.rand(1, 1, 48, 48)
    coarse = run([(k, s, 1) for k, s in layers])
    dense = run(deeplabv3.take_stride_out(layers, output_stride))
    step = 8 // output_stride
    assert dense.shape[-1] == 48 // output_stride
    torch.testing.assert_close(dense[..., ::step, ::step], coarse, rtol=1e-4, atol=1e-4)


def test_the_papers_numbers():
    assert deeplabv3.whole_nowhere() == 17
    assert [round(deeplabv3.share_whole(65, rate), 4) for rate in (6, 12, 18)] == [0.6649, 0.3979, 0.1991]
    assert deeplabv3.field_of_view([(3, 1, 1), (3, 1, 2), (3, 1, 5)]) == 17
