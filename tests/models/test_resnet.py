"""The residual trunk against torchvision's, and strides turned into rates without a loss."""

import pytest
import torch
from torch import nn

from segnb.models.resnet import Bottleneck, ResNet
from tests.models.shared import (
    outputs_of,
    parameter_count,
    relative_difference,
    resnet_weights,
    torchvision_resnet,
)

LAYERS = ["layer1", "layer2", "layer3", "layer4"]
UNITS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}


def meta(*arguments, **named):
    with torch.device("meta"):
        return ResNet(*arguments, **named)


def ours_with_weights(name="resnet50", **arguments):
    model = meta(3, UNITS[name], **arguments)
    model.load_state_dict(resnet_weights(name), assign=True)
    return model.eval()


def rates(layer):
    return [unit.conv2.dilation[0] for unit in layer]


@pytest.mark.parametrize(("name", "count"), [("resnet50", 23_508_032), ("resnet101", 42_500_160)])
def test_parameter_counts(name, count):
    assert parameter_count(meta(3, UNITS[name])) == count


@pytest.mark.parametrize("output_stride", [32, 16, 8])
@pytest.mark.parametrize("name", UNITS)
def test_outputs_equal_torchvisions_with_the_strides_in_the_first_units(name, output_stride):
    replace = [False, output_stride <= 8, output_stride <= 16]
    theirs = torchvision_resnet(name, replace_stride_with_dilation=replace)
    model = ours_with_weights(name, output_stride=output_stride, stride_unit="first")
    for layer in LAYERS:
        assert rates(getattr(model, layer)) == rates(getattr(theirs, layer))
    image = torch.randn(1, 3, 65, 47)
    wanted, found = outputs_of(theirs, image, LAYERS), outputs_of(model, image, LAYERS)
    for layer in LAYERS:
        assert relative_difference(found[layer], wanted[layer]) < 1e-5


FIRST, LAST = "first", "last"


@pytest.mark.parametrize(
    ("unit", "output_stride", "grid", "expected"),
    [
        (LAST, 32, (1, 1, 1), [[1] * 3, [1] * 4, [1] * 6, [1, 1, 1]]),
        (LAST, 32, (1, 2, 4), [[1] * 3, [1] * 4, [1] * 6, [1, 2, 4]]),
        (LAST, 16, (1, 2, 4), [[1] * 3, [1] * 4, [1] * 6, [2, 4, 8]]),
        (LAST, 8, (1, 2, 4), [[1] * 3, [1] * 4, [2] * 6, [4, 8, 16]]),
        (FIRST, 16, (1, 1, 1), [[1] * 3, [1] * 4, [1] * 6, [1, 2, 2]]),
        (FIRST, 16, (1, 2, 4), [[1] * 3, [1] * 4, [1] * 6, [1, 4, 8]]),
        (FIRST, 8, (1, 1, 1), [[1] * 3, [1] * 4, [1] + [2] * 5, [2, 4, 4]]),
    ],
)
def test_rates_double_after_a_lost_stride_and_multi_grid_multiplies_them(unit, output_stride, grid, expected):
    model = meta(output_stride=output_stride, multi_grid=grid, stride_unit=unit)
    assert [rates(getattr(model, name)) for name in LAYERS] == expected


@pytest.mark.parametrize("unit", [FIRST, LAST])
def test_without_keep_rate_the_layer_that_lost_its_stride_takes_the_new_rate(unit):
    kept, lost = (meta(output_stride=8, stride_unit=unit, keep_rate=keep) for keep in (True, False))
    pairs = [
        (a, b) for name in LAYERS for a, b in zip(rates(getattr(kept, name)), rates(getattr(lost, name)))
    ]
    assert [b / a for a, b in pairs if a != b] == [2, 2]


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize(("unit", "strides"), [(FIRST, (4, 8, 16, 32)), (LAST, (8, 16, 32, 32))])
def test_a_stride_is_taken_out_where_a_rate_is_put_in(output_stride, unit, strides):
    model = ResNet(channels=(1, 1, 1, 1), output_stride=output_stride, multi_grid=(1, 2, 4), stride_unit=unit)
    for image_side in (64, 65, 97, 513):
        maps = outputs_of(model.eval(), torch.rand(1, 3, image_side, 64), LAYERS)
        for name, stride in zip(LAYERS, strides):
            assert maps[name].shape[2] == -(-image_side // min(stride, output_stride))


def test_rates_are_on_3x3_convolutions_only_and_padded_by_as_much():
    model = meta(output_stride=8, multi_grid=(1, 2, 4))
    for conv in (m for m in model.modules() if isinstance(m, nn.Conv2d)):
        if conv.kernel_size == (3, 3):
            assert conv.padding == conv.dilation
        else:
            assert conv.dilation == (1, 1)


def lived_in(model):
    """Statistics and scales of batch norm as after a training: other ones for every channel."""
    draw = torch.Generator().manual_seed(0)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        for values, low, high in (
            (norm.running_mean, -0.2, 0.2), (norm.running_var, 0.5, 2), (norm.weight, 0.5, 1.2), (norm.bias, -0.2, 0.2),
        ):  # fmt: skip
            values.data.uniform_(low, high, generator=draw)
    return model.eval()


SMALL = {"units": (1, 1, 1, 3), "channels": (16, 16, 24, 32)}
TRUNKS = {"resnet50": {}, "resnet101": {"units": UNITS["resnet101"]}, "small": SMALL}


@pytest.mark.parametrize("unit", [FIRST, LAST])
@pytest.mark.parametrize("trunk", TRUNKS)
def test_taking_out_a_stride_loses_nothing(trunk, unit):
    torch.manual_seed(0)
    strided = lived_in(ResNet(**TRUNKS[trunk], stride_unit=unit))
    image = torch.randn(1, 3, 97, 65)
    with torch.no_grad():
        wanted = strided(image)
        for output_stride in (16, 8):
            finer = ResNet(**TRUNKS[trunk], stride_unit=unit, output_stride=output_stride).eval()
            finer.load_state_dict(strided.state_dict())
            every = 32 // output_stride
            assert relative_difference(finer(image)[..., ::every, ::every], wanted) < 1e-5


@pytest.mark.parametrize("unit", [FIRST, LAST])
def test_without_keep_rate_it_does(unit):
    torch.manual_seed(0)
    strided = lived_in(ResNet(**SMALL, stride_unit=unit))
    other = ResNet(**SMALL, stride_unit=unit, output_stride=16, keep_rate=False).eval()
    other.load_state_dict(strided.state_dict())
    image = torch.randn(1, 3, 97, 65)
    with torch.no_grad():
        assert relative_difference(other(image)[..., ::2, ::2], strided(image)) > 0.1


def test_strides_can_be_moved_afterwards():
    torch.manual_seed(0)
    model, wanted = (ResNet(**SMALL, output_stride=16, stride_unit=unit).eval() for unit in (LAST, FIRST))
    wanted.load_state_dict(model.state_dict())
    model.set_stride_unit(FIRST)
    image = torch.randn(1, 3, 64, 65)
    assert torch.equal(model(image), wanted(image))


def test_bottleneck_by_hand():
    torch.manual_seed(0)
    unit = Bottleneck(8, 2, rate=3).eval()
    assert unit.downsample is None
    for norm in (unit.bn1, unit.bn2, unit.bn3):
        norm.eps = 0.0
    x = torch.randn(1, 8, 7, 7)
    inner = torch.relu(torch.einsum("nchw,dc->ndhw", x, unit.conv1.weight[:, :, 0, 0]))
    taps = nn.functional.pad(inner, [3] * 4)
    middle = sum(
        torch.einsum(
            "nchw,dc->ndhw", taps[..., 3 * i : 3 * i + 7, 3 * j : 3 * j + 7], unit.conv2.weight[:, :, i, j]
        )
        for i in range(3)
        for j in range(3)
    )
    outer = torch.einsum("nchw,dc->ndhw", torch.relu(middle), unit.conv3.weight[:, :, 0, 0])
    torch.testing.assert_close(unit(x), torch.relu(x + outer))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="output_stride is 8, 16 or 32, not 4"):
        ResNet(output_stride=4)
    for grid in ((1, 2), (1, 2, 4, 8), (0, 1, 1), (1, 1.5, 2)):
        with pytest.raises(ValueError, match="multi_grid needs 3 whole numbers"):
            ResNet(multi_grid=grid)
    with pytest.raises(
        ValueError, match='stride_unit is "last", as in the paper, or "first", as in torchvision'
    ):
        ResNet(stride_unit="middle")
