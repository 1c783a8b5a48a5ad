"""Feature maps as they were when they were made."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segnb.features import features
from segnb.models import UNet


class Net(nn.Module):
    """Layers of every kind that makes capturing hard; `again` runs twice and `idle` never."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.again = nn.Conv2d(2, 2, 1)
        self.idle = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        x = self.again(self.relu(self.first(x)))
        x, _ = self.pool(x)
        return {"out": self.again(x)}


def test_maps_in_the_order_in_which_the_layers_ran():
    net = UNet(width=2, depth=2, padding="same")
    maps = features(net, torch.rand(3, 1, 16, 16))
    assert tuple(maps) == net.stages
    assert [tuple(m.shape) for m in maps.values()] == [
        (3, 2, 16, 16),
        (3, 4, 8, 8),
        (3, 8, 4, 4),
        (3, 4, 8, 8),
        (3, 2, 16, 16),
        (3, 2, 16, 16),
    ]
    backwards = features(net, torch.rand(1, 1, 16, 16), layers=["head", "bottom", "encoder.0"])
    assert list(backwards) == ["encoder.0", "bottom", "head"]


def test_maps_are_what_the_layers_made():
    net, x = Net(), torch.rand(2, 1, 4, 4)
    maps = features(net, x, ["first", "relu", "pool", "again"])
    assert list(maps) == ["first", "relu", "pool", "again"]  # again as it was the second time
    with torch.no_grad():
        torch.testing.assert_close(maps["first"], net.first(x))  # although ReLU then wrote into it
        assert maps["first"].min() < 0
        torch.testing.assert_close(maps["relu"], net.first(x).relu())
        torch.testing.assert_close(maps["pool"], F.max_pool2d(net.again(net.first(x).relu()), 2))
        torch.testing.assert_close(maps["again"], net(x)["out"])
    for m in maps.values():
        assert (m.dtype, m.device.type, m.requires_grad) == (torch.float32, "cpu", False)


def test_one_name_may_be_given_as_it_is():
    assert list(features(Net(), torch.rand(1, 1, 4, 4), "relu")) == ["relu"]


def test_an_unknown_layer_lists_those_there_are():
    with pytest.raises(KeyError, match=r"'botom'.*encoder\.0\.0.*bottom"):
        features(UNet(width=1, depth=1), torch.rand(1, 1, 20, 20), ["head", "botom"])


def test_a_layer_that_did_not_run():
    with pytest.raises(ValueError, match="idle"):
        features(Net(), torch.rand(1, 1, 4, 4), ["idle"])
    assert list(features(Net(), torch.rand(1, 1, 4, 4))) == ["first", "relu", "pool", "again"]


def test_hooks_and_mode_are_restored_even_on_error():
    net = UNet(width=1, depth=1).train()
    features(net, torch.rand(1, 1, 20, 20))
    with pytest.raises(ValueError, match="px"):
        features(net, torch.rand(1, 1, 19, 19))
    with pytest.raises(KeyError):
        features(net, torch.rand(1, 1, 20, 20), ["head", "no"])
    assert all(not module._forward_hooks and module.training for module in net.modules())


def test_a_network_of_torchvision():
    from torchvision.models import resnet18

    net, x = resnet18(weights=None).eval(), torch.rand(1, 3, 64, 64)
    maps = features(net, x, ["bn1", "layer1", "layer1.0.conv1", "avgpool"])
    assert list(maps) == ["bn1", "layer1.0.conv1", "layer1", "avgpool"]
    with torch.no_grad():
        torch.testing.assert_close(maps["bn1"], net.bn1(net.conv1(x)))
    assert list(features(net, x)) == [name for name, _ in net.named_children()]
