"""VGG16's 13 convolutions, and torchvision's weights in them."""

import pytest
import torch
from torch import nn

from segnb.models.vgg import ConvStage, vgg16_stages, vgg16_weights
from tests.models.shared import parameter_count, pooled, relative_difference, torchvision_vgg16


def test_14_714_688_parameters_in_13_convolutions():
    with torch.device("meta"):
        stages = vgg16_stages(3)
    assert sum(map(parameter_count, stages)) == 14_714_688
    assert [sum(isinstance(layer, nn.Conv2d) for layer in stage) for stage in stages] == [2, 2, 3, 3, 3]
    assert [stage[-2].out_channels for stage in stages] == [64, 128, 256, 512, 512]


def test_batch_norm_stands_between_convolution_and_relu():
    stage = vgg16_stages(3, 2, norm="batch")[2]
    assert [type(layer) for layer in stage] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 3
    assert all(layer.bias is not None for layer in stage if isinstance(layer, nn.Conv2d))


def test_only_the_first_convolution_of_all_is_padded_more():
    stages = vgg16_stages(3, 2, first_padding=100)
    paddings = [layer.padding for stage in stages for layer in stage if isinstance(layer, nn.Conv2d)]
    assert paddings == [(100, 100)] + [(1, 1)] * 12
    assert stages[0](torch.rand(1, 3, 5, 6)).shape == (1, 2, 5 + 198, 6 + 198)


def test_stage_channels_are_free():
    stage = ConvStage((8, 8, 4))
    assert stage(torch.rand(2, 8, 6, 5)).shape == (2, 4, 6, 5)


def test_he_initialisation():
    torch.manual_seed(0)
    conv = vgg16_stages(3)[3][2]
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)
    assert not conv.bias.any()


@pytest.mark.parametrize("norm", [None, "batch"])
def test_features_equal_torchvisions(norm):
    theirs = torchvision_vgg16(batch_norm=norm == "batch").features
    stages = nn.ModuleList(vgg16_stages(3, norm=norm)).eval()
    state = {f"features.{name}": tensor for name, tensor in theirs.state_dict().items()}
    layers, weights = vgg16_weights(stages, state)
    layers.load_state_dict(weights)
    x = torch.rand(1, 3, 64, 32)
    with torch.no_grad():
        expected = pooled(theirs, x)
        for stage, wanted in zip(stages, expected):
            x = nn.functional.max_pool2d(stage(x), 2)
            assert relative_difference(x, wanted) < 1e-5
    assert len(expected) == 5


@pytest.mark.parametrize(
    ("arguments", "message"), [({"norm": "group"}, '"batch"'), ({"width": 0}, "width must be at least 1")]
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        vgg16_stages(3, **arguments)
