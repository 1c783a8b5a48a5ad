"""Laws of networks: sizes, maps, receptive fields and files of networks built with any settings."""

import io
import re

import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import nn

import segnb
from segnb import models
from segnb.receptive_field import receptive_field
from tests.fuzz.laws import SEEDS, folder, generator, law, numbers, tried
from tests.fuzz.test_reader import damage

COMMON = {"in_channels": st.integers(1, 4), "num_classes": st.integers(1, 5)}
UNETS = st.fixed_dictionaries(
    COMMON
    | {"width": st.integers(1, 3), "depth": st.integers(1, 3), "padding": st.sampled_from(["valid", "same"])}
    | {"skips": st.booleans(), "norm": st.sampled_from([None, "batch"])}
)
SEGNETS = st.fixed_dictionaries(COMMON | {"width": st.integers(1, 3)})
FCNS = st.fixed_dictionaries(
    COMMON
    | {"stride": st.sampled_from([8, 16, 32]), "width": st.integers(1, 2), "hidden": st.integers(1, 4)}
    | {"learn_upsampling": st.booleans(), "at_once": st.booleans(), "norm": st.sampled_from([None, "batch"])}
)
DEEPLABS = st.fixed_dictionaries(
    COMMON
    | {
        "backbone": st.just("small"),
        "output_stride": st.sampled_from([8, 16, 32]),
        "image_pooling": st.booleans(),
    }
    | {
        "multi_grid": st.tuples(*[st.integers(1, 3)] * 3),
        "rates": st.lists(st.sampled_from([2, 4, 6, 12, 18]), max_size=3),
    }
)
SETTINGS = st.one_of(
    st.tuples(st.just(kind), options)
    for kind, options in (("UNet", UNETS), ("SegNet", SEGNETS), ("FCN", FCNS), ("DeepLabV3", DEEPLABS))
)


def built(settings, seed=0):
    kind, options = settings
    torch.manual_seed(seed)
    return getattr(models, kind)(**options).eval()


@law(dear=2, settings=SETTINGS, height=st.integers(1, 60), width=st.integers(1, 60), seed=SEEDS)
def test_logits_are_as_large_as_the_image_but_for_the_margin(settings, height, width, seed):
    """At valid sizes the logits are N×K×(H − 2·margin)×(W − 2·margin), every size has a valid one, and every stage a map."""
    net = built(settings)
    height, width = net.valid_size(height), net.valid_size(width)
    image = torch.rand(2, net.in_channels, height, width, generator=generator(seed))
    with torch.no_grad():
        logits = net(image)
    assert logits.shape == (2, net.num_classes, height - 2 * net.margin, width - 2 * net.margin)
    assert logits.isfinite().all()
    maps = segnb.features(net, image)
    assert list(maps) == list(net.stages)
    assert all(one.shape[0] == 2 and one.ndim == 4 for one in maps.values())
    for name, other in net.links:
        assert {name, other} <= dict(net.named_modules()).keys()


@law(dear=2, settings=SETTINGS, seed=SEEDS)
def test_a_network_comes_back_from_its_file(settings, seed):
    """Save and load give a network of the same class and settings, with equal weights and equal answers."""
    net = built(settings, seed % 99)
    with folder() as place:
        segnb.save(net, place / "a.pt")
        again = segnb.load(place / "a.pt")
    assert type(again) is type(net)
    assert again.config == net.config
    ours, theirs = net.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    side = net.valid_size(33)
    image = torch.rand(1, net.in_channels, side, side, generator=generator(seed))
    with torch.no_grad():
        assert torch.equal(net(image), again(image))


def stored():
    """The bytes of a small network's file."""
    file = io.BytesIO()
    net = built(("UNet", {"in_channels": 1, "num_classes": 2, "width": 1, "depth": 1}))
    with folder() as place:
        segnb.save(net, place / "a.pt")
        file.write((place / "a.pt").read_bytes())
    return file.getvalue(), net.state_dict()


FILE, WEIGHTS = stored()


@law(content=damage(FILE))
def test_a_damaged_file_is_named_or_harmless(content):
    """A file that was changed is a ValueError naming it, or it holds exactly the network that was saved."""
    with folder() as place:
        path = place / "net.pt"
        path.write_bytes(content)
        net, told = tried(ValueError, segnb.load, path)
    if told:
        assert "net.pt" in told
    else:
        assert all(torch.equal(net.state_dict()[name], part) for name, part in WEIGHTS.items())


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 300), st.floats(-3, 3), st.text(max_size=3), st.lists(st.integers(0, 3), max_size=2))  # fmt: skip


@law(kind=st.sampled_from(["UNet", "SegNet", "FCN", "DeepLabV3", "ASPP", "base", "", "__name__"]), config=st.dictionaries(st.sampled_from(["in_channels", "num_classes", "width", "depth", "padding", "norm", "skips", "x", "rates"]), VALUES, max_size=6), names=st.booleans())  # fmt: skip
def test_a_crafted_file_is_named_or_harmless(kind, config, names):
    """Whatever class and settings a file claims, it is a ValueError naming the file, or the network with its weights."""
    with folder() as place:
        path = place / "net.pt"
        weights = WEIGHTS if names else {}
        torch.save({"format": "segnb model 1", "class": kind, "config": config, "weights": weights}, path)
        net, told = tried(ValueError, segnb.load, path)
    if told:
        assert "net.pt" in told
    else:
        assert all(torch.equal(net.state_dict()[name], part) for name, part in weights.items())


# --- chains of layers ---------------------------------------------------------------------------------------------------


@st.composite
def chains(draw):
    """Some layers that work on one channel, and nothing but positive weights: all that can be seen shows."""
    layers = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["conv", "pool", "mean", "up", "bilinear", "transposed", "pointwise"]))
        kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        if kind == "conv":
            dilation = draw(st.integers(1, 3))
            layer = nn.Conv2d(
                1, 1, kernel, stride=stride, dilation=dilation, padding=draw(st.integers(0, 3)), bias=False
            )
        elif kind == "pool":
            layer = nn.AvgPool2d(kernel, stride=stride)
        elif kind == "mean":
            layer = nn.Sequential(nn.ReLU(), nn.AvgPool2d(kernel, stride=stride, padding=kernel // 2))
        elif kind == "up":
            layer = nn.Upsample(scale_factor=stride, mode="nearest")
        elif kind == "bilinear":
            layer = nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)
        elif kind == "transposed":
            layer = nn.ConvTranspose2d(
                1,
                1,
                kernel,
                stride=min(stride, kernel),
                padding=draw(st.integers(0, (kernel - 1) // 2)),
                bias=False,
            )
        else:
            layer = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1), nn.ReLU())
        layers.append(layer)
    net = nn.Sequential(*layers).double().eval()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.5)
    return net


def extent(net, side):
    """The largest number of image rows, first to last, on which a row of the output in the middle depends."""
    image = torch.ones(1, 1, side, 8 + side // 8, dtype=torch.float64, requires_grad=True)
    try:
        rows = net(image)[0, 0].sum(1)
    except RuntimeError:  # too narrow for a kernel
        image = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
        rows = net(image)[0, 0].sum(1)
    found = 0
    for i in range(len(rows) * 3 // 8, -(-len(rows) * 5 // 8)):
        (slope,) = torch.autograd.grad(rows[i], image, retain_graph=True)
        seen = slope[0, 0].abs().amax(1).nonzero().flatten()
        found = max(found, int(seen[-1] - seen[0]) + 1 if len(seen) else 0)
    return found


@law(dear=4, net=chains())
def test_the_receptive_field_is_what_gradients_find(net):
    """The size in closed form is the largest extent of the gradients."""
    size, _ = receptive_field(net)
    side = max(4 * size, 120)
    assume(side <= 500)
    assert extent(net, side) == size


@law(net=chains(), seed=SEEDS)
def test_features_are_what_the_layers_give(net, seed):
    """The map of each layer is what comes out if the layers before it run by hand; modes stay and no hook is left."""
    net.float()
    x = torch.rand(1, 1, 90, 90, generator=generator(seed))
    modes = [
        module.train(bool(rng)).training for module, rng in zip(net, numbers(seed).integers(0, 2, len(net)))
    ]
    maps = segnb.features(net, x)
    assert [module.training for module in net] == modes
    assert not any(module._forward_hooks for module in net.modules())
    net.eval()
    with torch.no_grad():
        for found, layer in zip(maps.values(), net, strict=True):
            x = layer(x)
            torch.testing.assert_close(found, x)
    with pytest.raises(KeyError, match=re.escape("no layer 'x'")):
        segnb.features(net, x, layers=["x"])
