"""Receptive fields in closed form, against gradients and published numbers."""

from math import inf

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segnb.models import UNet
from segnb.receptive_field import receptive_field
from tests.test_features import Net


def measured(net, height, width):
    """(size, stride) of the logits by their gradients, along the rows: the largest extent among those in the middle.

    All weights are made positive. The network is then linear where it is fed nothing negative (max pooling has been
    replaced by a mean), so that the gradient with respect to image row j is what a one in that row alone changes.
    """
    for parameter in net.parameters():
        parameter.data.uniform_(0.5, 1)
    rows = torch.eye(height, dtype=torch.float64)[:, None, :, None].expand(-1, 1, -1, width)
    with torch.no_grad():
        net = net.double().eval()
        # Image row × row of the logits.
        seen = (net(rows) - net(torch.zeros_like(rows[:1])))[:, 0].amax(2) > 0
    first = seen.int().argmax(0)
    extent = height - seen.flip(0).int().argmax(0) - first
    middle = slice(len(first) * 3 // 8, -(-len(first) * 5 // 8))
    extent, first = extent[middle][seen.any(0)[middle]], first[middle].double()
    return int(extent.max()), ((first[-1] - first[0]) / max(1, len(first) - 1)).item()


class MeanUNet(UNet):
    """Max pooling replaced, because its gradient reaches one pixel in four only."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.pool = nn.AvgPool2d(2)


def test_the_papers_u_net():
    net = UNet(width=1)
    assert receptive_field(net, "encoder.0") == (5, 1)
    assert receptive_field(net, "encoder.3") == (68, 8)
    assert receptive_field(net, "bottom") == (140, 16)
    assert receptive_field(net) == receptive_field(net, "head") == (204, 1)


@pytest.mark.parametrize(("padding", "depth"), [("valid", 1), ("valid", 2), ("valid", 3), ("same", 3)])
def test_the_u_net_by_gradients(padding, depth):
    net = MeanUNet(width=1, depth=depth, padding=padding)
    size, stride = receptive_field(net)
    assert (size, stride) == ({1: 18, 2: 44, 3: 100}[depth], 1)
    found, step = measured(net, net.valid_size(250), net.valid_size(1))
    assert found == size
    assert abs(step - stride) < 0.1


def test_the_logits_of_the_papers_u_net_see_188_or_204_pixels():
    net = MeanUNet(width=1).double()
    for parameter in net.parameters():
        parameter.data.uniform_(0.1, 0.2)
    x = torch.rand(1, 1, 220, 188, dtype=torch.float64, requires_grad=True)
    y = net(x)
    extents = set()
    for i in range(y.shape[2]):
        (gradient,) = torch.autograd.grad(y[0, 0, i].sum(), x, retain_graph=True)
        rows = gradient[0, 0].abs().amax(1).nonzero()
        extents.add(int(rows.max() - rows.min()) + 1)
    assert extents == {188, 204}


def test_a_network_without_numbers_has_a_receptive_field_too():
    with torch.device("meta"):
        model = UNet(width=2, depth=2)
    assert receptive_field(model, "bottom") == receptive_field(UNet(width=2, depth=2), "bottom")


def test_vgg16_made_convolutional_has_the_404_of_the_fcn_paper():
    from torchvision.models.vgg import cfgs, make_layers

    net = nn.Sequential(make_layers(cfgs["D"]), nn.Conv2d(512, 1, 7), nn.Conv2d(1, 1, 1))
    assert receptive_field(net, "1") == receptive_field(net) == (404, 32)
    assert receptive_field(net, "0") == (212, 32)


def test_published_receptive_fields_of_torchvisions_networks():
    from torchvision.models import alexnet, resnet18

    assert receptive_field(alexnet(weights=None), "features") == (195, 32)
    assert receptive_field(resnet18(weights=None), "layer4") == (435, 32)


def test_dilation_counts_and_the_longest_path_wins():
    class ASPP(nn.Module):
        def __init__(self, pooling):
            super().__init__()
            self.branches = nn.ModuleList(nn.Conv2d(1, 1, 3, padding=r, dilation=r) for r in (6, 12, 18))
            self.pooling = pooling

        def forward(self, x):
            parts = [branch(x) for branch in self.branches]
            if self.pooling:
                pooled = F.adaptive_avg_pool2d(x, 1)
                parts.append(F.interpolate(pooled, size=x.shape[2:], mode="bilinear", align_corners=False))
            return torch.cat(parts, 1)

    assert receptive_field(ASPP(False)) == (37, 1)
    assert receptive_field(ASPP(False), "branches.0") == (13, 1)
    assert receptive_field(ASPP(True)) == (inf, 1)
    assert receptive_field(nn.Sequential(nn.MaxPool2d(2), ASPP(True))) == (inf, 2)


class Gate(nn.Module):
    """Squeeze and excitation: a 2-dim vector of the whole image, multiplied in."""

    def __init__(self):
        super().__init__()
        self.weigh = nn.Linear(1, 1)

    def forward(self, x):
        return x * self.weigh(x.mean((2, 3)))[:, :, None, None]


@pytest.mark.parametrize(
    "layer", [Gate(), nn.GroupNorm(1, 1), nn.InstanceNorm2d(1), nn.Softmax(2), nn.AdaptiveMaxPool2d(4)]
)
def test_what_looks_at_the_whole_image(layer):
    assert receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), layer))[0] == inf


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm2d(1), nn.Softmax(1), nn.Dropout2d(0.5), nn.GELU(), nn.Identity()]
)
def test_what_looks_at_one_pixel(layer):
    assert receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), layer).train()) == (3, 1)


def test_unpooling_looks_through_its_window():
    class Unpool(nn.Module):
        def forward(self, x):
            small, where = F.max_pool2d(x, 2, return_indices=True, ceil_mode=True)
            return F.max_unpool2d(small, where, 2, output_size=x.shape[2:])

    assert receptive_field(Unpool()) == (2, 1)
    # A window of three after it looks into two windows of the pooling, four pixels in all.
    assert receptive_field(nn.Sequential(Unpool(), nn.Conv2d(1, 1, 3))) == (4, 1)


def test_kernels_longer_than_wide():
    assert receptive_field(nn.Conv2d(1, 1, (1, 7))) == receptive_field(nn.Conv2d(1, 1, (7, 1))) == (7, 1)


def test_the_model_is_left_as_it_was():
    net = UNet(width=1, depth=1, norm="batch").train()
    before = {name: part.clone() for name, part in net.state_dict().items()}
    receptive_field(net, "bottom")
    assert net.training
    assert not net.bottom._forward_hooks
    assert all(
        torch.equal(part, before[name]) and part.device.type == "cpu"
        for name, part in net.state_dict().items()
    )


def test_unknown_layers_operations_and_images_not_looked_at():
    with pytest.raises(KeyError, match="bottom"):
        receptive_field(UNet(width=1, depth=1), "botom")
    with pytest.raises(ValueError, match="idle"):
        receptive_field(Net(), "idle")
    with pytest.raises(NotImplementedError, match="cumsum"):
        receptive_field(Sum())


class Sum(nn.Module):
    def forward(self, x):
        return x.cumsum(2)


class Resize(nn.Module):
    def __init__(self, mode, corners):
        super().__init__()
        self.options = {"mode": mode, "align_corners": corners}

    def forward(self, x):
        return F.interpolate(x, scale_factor=(2, 1), **self.options)


class Cut(nn.Module):
    def forward(self, x):
        return F.pad(x[:, :, 1:-2], (0, 0, 3, 2))


class Add(nn.Module):
    """A shortcut around a padded convolution."""

    def __init__(self, kernel, dilation):
        super().__init__()
        padding = (dilation * (kernel // 2), 0)
        self.conv = nn.Conv2d(1, 1, (kernel, 1), padding=padding, dilation=dilation)

    def forward(self, x):
        return x + self.conv(x).relu()


def conv(kernel, stride, padding, dilation):
    return nn.Conv2d(1, 1, (kernel, 1), (stride, 1), (padding, 0), dilation)


def mean(kernel, stride, padding):
    return nn.AvgPool2d((kernel, 1), (stride, 1), (padding, 0))


def up(kernel, stride, padding):
    return nn.ConvTranspose2d(1, 1, (kernel, 1), (stride, 1), (padding, 0))


# Along the rows only: images one column wide are enough.
layers = st.one_of(
    st.builds(conv, st.sampled_from([1, 2, 3, 5]), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)),
    st.builds(mean, st.integers(2, 3), st.integers(1, 3), st.integers(0, 1)),
    st.builds(up, st.integers(2, 5), st.integers(1, 2), st.integers(0, 1)),
    st.builds(Add, st.sampled_from([3, 5]), st.integers(1, 2)),
    st.builds(Resize, st.just("bilinear"), st.booleans()),
    st.builds(Resize, st.just("nearest"), st.none()),
    st.builds(Cut),
    st.builds(nn.ReLU),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(layers, min_size=1, max_size=4))
def test_random_networks_agree_with_their_gradients(parts):
    net = nn.Sequential(*parts)
    size, stride = receptive_field(net)
    found, step = measured(net, 400, 1)
    if any(isinstance(part, Resize) and part.options["align_corners"] for part in parts):
        assert abs(size - found) <= 2 * stride  # the grid then drifts, and not every place on it comes by
    else:
        assert size == found
        assert abs(max(step, 1) - stride) < stride / 2  # 1 is the stride of the columns
