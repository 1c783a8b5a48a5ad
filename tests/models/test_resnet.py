"""The residual trunk against ResNet-50 and -101, and strides turned into rates."""

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


@pytest.mark.parametrize("name", UNITS)
def test_outputs_equal_torchvisions_with_every_stride_in_place(name):
    theirs = torchvision_resnet(name)
    model = ours_with_weights(name)
    image = torch.randn(1, 3, 65, 47)
    wanted, found = outputs_of(theirs, image, LAYERS), outputs_of(model, image, LAYERS)
    for layer in LAYERS:
        assert relative_difference(found[layer], wanted[layer]) < 1e-5


@pytest.mark.parametrize(("output_stride", "shared"), [(16, LAYERS[:3]), (8, LAYERS[:2])])
def test_outputs_equal_torchvisions_dilated_net_up_to_its_first_dilated_stage(output_stride, shared):
    replace = [False, output_stride == 8, True]
    theirs = torchvision_resnet("resnet50", replace_stride_with_dilation=replace)
    model = ours_with_weights(output_stride=output_stride)
    image = torch.randn(1, 3, 65, 49)
    wanted, found = outputs_of(theirs, image, LAYERS), outputs_of(model, image, LAYERS)
    for layer in LAYERS:
        assert (relative_difference(found[layer], wanted[layer]) < 1e-5) == (layer in shared)

    # The rest differs in one thing: the rate of the first 3×3 convolution of a stage without its stride.
    for ours, dilated in zip(model.children(), theirs.children()):
        if isinstance(ours, nn.Sequential):
            ours[0].conv2.dilation = ours[0].conv2.padding = dilated[0].conv2.dilation
            assert rates(ours) == rates(dilated)
    found = outputs_of(model, image, LAYERS)
    for layer in LAYERS:
        assert relative_difference(found[layer], wanted[layer]) < 1e-5


@pytest.mark.parametrize(
    ("output_stride", "grid", "expected"),
    [
        (32, (1, 1, 1), [[1] * 3, [1] * 4, [1] * 6, [1, 1, 1]]),
        (32, (1, 2, 4), [[1] * 3, [1] * 4, [1] * 6, [1, 2, 4]]),
        (16, (1, 1, 1), [[1] * 3, [1] * 4, [1] * 6, [2, 2, 2]]),
        (16, (1, 2, 4), [[1] * 3, [1] * 4, [1] * 6, [2, 4, 8]]),
        (8, (1, 2, 4), [[1] * 3, [1] * 4, [2] * 6, [4, 8, 16]]),
    ],
)
def test_multi_grid_multiplies_the_rate_of_the_stage(output_stride, grid, expected):
    model = meta(output_stride=output_stride, multi_grid=grid)
    assert [rates(getattr(model, name)) for name in LAYERS] == expected


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_a_stride_is_taken_out_where_a_rate_is_put_in(output_stride):
    model = ResNet(channels=(1, 1, 1, 1), output_stride=output_stride, multi_grid=(1, 2, 4)).eval()
    for image_side in (64, 65, 97, 513):
        maps = outputs_of(model, torch.rand(1, 3, image_side, 64), LAYERS)
        for name, stride in zip(LAYERS, (4, 8, 16, 32)):
            assert maps[name].shape[2] == -(-image_side // min(stride, output_stride))


def test_rates_are_on_3x3_convolutions_only_and_padded_by_as_much():
    model = meta(output_stride=8, multi_grid=(1, 2, 4))
    for conv in (m for m in model.modules() if isinstance(m, nn.Conv2d)):
        if conv.kernel_size == (3, 3):
            assert conv.padding == conv.dilation
        else:
            assert conv.dilation == (1, 1)


def test_dense_features_contain_the_strided_ones():
    """Without the last stride every unit after the first needs rate 2: then every second pixel is the strided output."""
    strided, dense = ours_with_weights(), ours_with_weights(output_stride=16)
    # Its own stride is gone, its input is not denser.
    dense.layer4[0].conv2.dilation = dense.layer4[0].conv2.padding = (
        1,
        1,
    )
    image = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        assert relative_difference(dense(image)[..., ::2, ::2], strided(image)) < 1e-5


def test_bottleneck_by_hand():
    torch.manual_seed(0)
    unit = Bottleneck(8, 2, 1, 3).eval()
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
