"""The tasks of chapter 8 that no chapter cell answers: broken convolutions, taps that live, a net that pools."""

import pytest
import torch
from torch import nn

from segnb.exercises import registry
from segnb.exercises.tasks import deeplabv3 as ours
from tests.exercises.answers import answers_of


def numbers(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


SMALL = (numbers(6, 7), numbers(3, 3), 2)
LARGE = (numbers(6, 7), numbers(5, 5), 6)
EVEN_HANDED = numbers(5, 5) + numbers(5, 5).T


def with_sizes(net):
    """As pairs, and through a fresh look at what each layer is."""
    spread = 1
    for layer in net.children():
        match layer:
            case nn.Conv2d():
                layer.dilation = (spread, spread)
                layer.padding = tuple(spread * frame for frame in layer.padding)
            case nn.MaxPool2d():
                layer.dilation, layer.stride = (spread, spread), (1, 1)
                spread = 2 * spread


def from_behind(net):
    poolings = [n for n, layer in enumerate(net) if isinstance(layer, nn.MaxPool2d)]
    for n, layer in enumerate(net):
        rate = 2 ** sum(place < n for place in poolings)
        if n in poolings:
            net[n] = nn.MaxPool2d(2, stride=1, dilation=rate)
        elif isinstance(layer, nn.Conv2d):
            layer.dilation, layer.padding = (rate, rate), (rate * layer.padding[0], rate * layer.padding[1])


class Finer:
    def __call__(self, net):
        ours.finer_pooled(net)
        return net


def finer(
    frame=lambda layer, rate: (rate * layer.padding[0],) * 2, later=lambda rate: 2 * rate, at_once=False
):
    """A rate for each layer, and rules for the padding, for the next rate, and whether a pooling takes it itself."""

    def wrong(net):
        rate = 1
        for layer in net:
            if isinstance(layer, nn.MaxPool2d):
                layer.stride, layer.dilation = 1, later(rate) if at_once else rate
                rate = later(rate)
            if isinstance(layer, nn.Conv2d):
                layer.dilation, layer.padding = (rate, rate), frame(layer, rate)

    return wrong


def without_poolings(net):
    ours.finer_pooled(net)
    for place, layer in reversed(list(enumerate(net))):
        if isinstance(layer, nn.MaxPool2d):
            del net[place]


def halved(net):
    ours.finer_pooled(net)
    net[0].weight.data /= 2 if isinstance(net[0], nn.Conv2d) else 1


LIVE = ours.live_taps()[1]

WRONG = {
    "atrous_tests": [
        ([SMALL], "passes all your tests: A,"),
        ([(numbers(6, 7), numbers(5, 5), 1)], "passes all your tests: D,"),
        ([(numbers(6, 7), EVEN_HANDED, 1), (*LARGE[:1], EVEN_HANDED, 6)], "passes all your tests: B,"),
        ([(numbers(6, 7), numbers(4, 4), 1)], "their side odd"),
        ([(numbers(6, 7), numbers(3, 3), 0)], "1 or more"),
        ([(torch.zeros(6, 7), numbers(5, 5), 6)], "passes all your tests: B,"),
        ([(numbers(6, 7), numbers(5, 5).double(), 6)], "of one dtype"),
        ([], "a list of inputs is wanted"),
    ],
    "live_taps": [
        ([5, (1 + 18 / 33) ** 2], "a map of 33×33"),
        ([5, (1 + 82 / 65) ** 2], "a map of 65×65"),
        ([5, LIVE / 9], "share of the nine"),
        ([5, 4], "the commonest number"),
        ([12, LIVE], "from 0 to 9"),
        ([5, 9 - LIVE], "these are the dead ones"),
        ([5, 2.2023], "with a frame of 24 zeros"),
        ([5, 8.728], "the padding grows with it"),
        (LIVE, "two things are wanted"),
    ],
    "finer_pooled": [
        (ours.finer_by(convs=False), "The convolutions behind them"),
        (ours.finer_by(pools=False), "must spread as well"),
        (ours.finer_by(convs=False, pools=False), "nothing is spread"),
        (ours.finer_by(strides=False), "strides are still there"),
        (lambda net: None, "Nothing has changed"),
        (finer(at_once=True), "its own neighbours have not moved"),
        (finer(frame=lambda layer, rate: layer.padding), "padding grows with the rate"),
        (finer(frame=lambda layer, rate: (rate, rate)), "a 3×3 with a padding of 1 only"),
        (
            finer(frame=lambda layer, rate: (rate * (layer.kernel_size[0] // 2),) * 2),
            "by the size of the kernel",
        ),
        (finer(later=lambda rate: rate + 1), "your rates go 1, 2, 3"),
        (without_poolings, "the largest of the neighbours still counts"),
        (finer(later=lambda rate: 4 * rate), "which rate finds them"),
        (finer(frame=lambda layer, rate: (rate, rate), at_once=True), "the shape should be"),
        (halved, "changes the weights"),
    ],
}
RIGHT = {
    "atrous_tests": [
        [LARGE, (numbers(6, 7), numbers(5, 5), 1)],
        [(*tuple(part.double() for part in LARGE[:2]), 6), SMALL, (numbers(6, 7), numbers(5, 5), 1)],
        [(numbers(6, 7), numbers(5, 5), 4)],
        ours.atrous_tests(),
    ],
    "live_taps": [[5, LIVE], [0, 3.5], (9, 3.495), [2.5, (1 + 18 / 33) * (1 + 82 / 65)]],
    "finer_pooled": [ours.finer_pooled, with_sizes, from_behind, Finer()],
}

(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of([registry[name] for name in WRONG], WRONG, RIGHT)


@pytest.mark.parametrize("frame", [0, 1, 2])
@pytest.mark.parametrize("poolings", [1, 2, 3])
def test_the_finer_net_keeps_every_value(poolings, frame):
    torch.manual_seed(0)
    stages = [(nn.Conv2d(1, 1, 3, padding=frame), nn.ReLU(), nn.MaxPool2d(2, 2)) for _ in range(poolings)]
    net = nn.Sequential(*sum(stages, ()), nn.Conv2d(1, 1, 5, padding=2))
    picture = torch.rand(1, 1, 24 if frame == 1 else 38, 32 if frame == 1 else 46)
    coarse, step = net(picture), 2**poolings
    ours.finer_pooled(net)
    torch.testing.assert_close(net(picture)[..., ::step, ::step], coarse)
