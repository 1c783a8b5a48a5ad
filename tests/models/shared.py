"""What several tests of the networks need: counting, listening to layers, and torchvision's nets with random weights."""

from functools import cache

import torch
import torchvision
from torch import nn


def parameter_count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def small_networks():
    """One narrow network of each kind, RGB to 3 classes, with a side it takes, all quick on one core."""
    from segnb.models import FCN, DeepLabV3, SegNet, UNet

    return {
        "UNet": (UNet(3, 3, width=4, depth=2), 60),
        "FCN": (FCN(3, 3, width=4, hidden=8), 40),
        "SegNet": (SegNet(3, 3, width=4), 48),
        "DeepLabV3": (DeepLabV3(3, 3, backbone="small", rates=(1, 2, 3)), 64),
    }


def outputs_of(model, x, names):
    """name → output of that layer (the first, if it returns several) while the model runs on x."""
    caught = {}

    def catch(name):
        def hook(module, inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            caught[name] = output.clone()  # the ReLU that follows may work in place

        return hook

    handles = [model.get_submodule(name).register_forward_hook(catch(name)) for name in names]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return caught


def relative_difference(ours, theirs):
    """The largest difference between two maps of one shape, as a share of their largest value.

    Two kernels may add the same float32 products in any order, and which one runs depends on the processor. What they
    promise follows the size of the sum, so a small number beside large ones may be off by many times its own last digit.
    """
    assert ours.shape == theirs.shape
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def randomise(net):
    """Give a net from the meta device random weights and random batch-norm statistics, and put it into eval mode."""
    net.to_empty(device="cpu")
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 0.7)  # below 1, so that sums of residuals stay small
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.zeros_(module.num_batches_tracked)
    return net.eval()


def torchvision_vgg16(batch_norm, width=64, hidden=None):
    """torchvision's VGG16 with random weights; without its dense layers, or with narrow ones of `hidden` neurons."""
    torch.manual_seed(1)
    channels = []
    for convolutions, multiple in ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8)):
        channels += [multiple * width] * convolutions + ["M"]
    with torch.device("meta"):
        features = torchvision.models.vgg.make_layers(channels, batch_norm)
        net = torchvision.models.VGG(features, init_weights=False)
        net.classifier = nn.Sequential()
        if hidden:
            net.classifier = nn.Sequential(
                nn.Linear(8 * width * 7 * 7, hidden), nn.ReLU(), nn.Dropout(),
                nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(),
                nn.Linear(hidden, 10),
            )  # fmt: skip
    return randomise(net)


@cache
def resnet_weights(name):
    """Random weights of torchvision's resnet50 or resnet101, the same for every test; the classifier left out."""
    torch.manual_seed(1)
    with torch.device("meta"):
        net = getattr(torchvision.models, name)()
        net.fc = nn.Identity()
    return randomise(net).state_dict()


def torchvision_resnet(name, **arguments):
    """torchvision's net with those weights, without its classifier."""
    with torch.device("meta"):
        net = getattr(torchvision.models, name)(**arguments)
        net.fc = nn.Identity()
    net.load_state_dict(resnet_weights(name), assign=True)
    return net.eval()


def pooled(features, x):
    """What leaves each of the five poolings of torchvision's `features`."""
    maps = []
    for layer in features:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            maps.append(x)
    return maps
