"""Laws of prediction: an answer for each pixel of a picture of any size, in one piece or in tiles."""

import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import nn

import segnb
from segnb.models import FCN, DeepLabV3, SegNet, UNet
from segnb.tiling import mirrored
from tests.fuzz.laws import SEEDS, generator, law

SIDES = {"height": st.integers(1, 70), "width": st.integers(1, 70)}
NETS = {
    "valid": lambda depth: UNet(1, 3, width=2, depth=depth),
    "same": lambda depth: UNet(1, 3, width=2, depth=depth, padding="same"),
    "without skips": lambda depth: UNet(1, 3, width=2, depth=depth, skips=False),
    "fcn": lambda depth: FCN(1, 3, stride=(32, 16, 8)[depth - 1], width=1, hidden=2),
    "segnet": lambda depth: SegNet(1, 3, width=1),
    "deeplab": lambda depth: DeepLabV3(
        1, 3, backbone="small", output_stride=(8, 16, 32)[depth - 1], rates=(2, 4)
    ),
    "another's": lambda depth: nn.Conv2d(1, 3, 3, padding=1),
}
KINDS = st.sampled_from(sorted(NETS))


def network(kind, depth, seed):
    torch.manual_seed(seed)
    net = NETS[kind](depth)
    for parameter in net.parameters():  # FCN's scores begin at zero
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return net.eval()


@law(dear=2, kind=KINDS, depth=st.integers(1, 3), **SIDES, seed=SEEDS)
def test_every_pixel_of_any_picture_gets_its_probabilities(kind, depth, height, width, seed):
    """predict gives K×H×W numbers for a picture H×W from 1×1 up, which add up to 1 at each pixel; evaluate counts them all."""
    net, image = network(kind, depth, seed % 99), torch.rand(1, height, width, generator=generator(seed))
    found = segnb.predict(net, image)
    assert found.shape == (3, height, width)
    torch.testing.assert_close(found.sum(0), torch.ones(height, width))
    mask = found.argmax(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", segnb.training.Suspicious)
        assert segnb.evaluate(net, [(image, mask)]).matrix.trace() == height * width


@law(dear=2, skips=st.booleans(), depth=st.integers(1, 3), more=st.integers(-9, 40), **SIDES, seed=SEEDS)
def test_tiled_equals_whole_for_networks_without_padding(skips, depth, more, height, width, seed):
    """Whatever the tile, if the network takes it, the result is that of one run; if not, the size that is named works."""
    torch.manual_seed(seed % 99)
    net = UNet(1, 3, width=2, depth=depth, skips=skips).eval()
    image, tile = torch.rand(1, height, width, generator=generator(seed)), 2 * net.margin + more
    try:
        found = segnb.predict(net, image, tile=tile)
    except ValueError as problem:
        cure = int(re.search(r"(\d+)$", str(problem))[1])
        assert cure > tile
        found = segnb.predict(net, image, tile=cure)
    torch.testing.assert_close(found, segnb.predict(net, image), atol=1e-5, rtol=0)


@law(dear=4, kind=KINDS, depth=st.integers(1, 2), tile=st.integers(1, 100), **SIDES, seed=SEEDS)
def test_tiles_of_any_network_cover_the_picture(kind, depth, tile, height, width, seed):
    """Tiles give probabilities for every pixel; they are those of one run, or a warning says that they are not."""
    net, image = network(kind, depth, seed % 99), torch.rand(1, height, width, generator=generator(seed))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            found = segnb.predict(net, image, tile=tile)
        except ValueError as problem:
            found = segnb.predict(net, image, tile=int(re.search(r"(\d+)$", str(problem))[1]))
    assert found.shape == (3, height, width)
    torch.testing.assert_close(found.sum(0), torch.ones(height, width))
    if not told:
        torch.testing.assert_close(found, segnb.predict(net, image), atol=1e-5, rtol=0)


@law(dear=2, kind=KINDS.filter(lambda kind: kind != "another's"), depth=st.integers(1, 3), side=st.integers(0, 130), turned=st.booleans())  # fmt: skip
def test_a_side_that_does_not_fit_names_those_that_do(kind, depth, side, turned):
    """A network takes an image, or its ValueError names the nearest sides that it takes."""
    net = network(kind, depth, 0)
    good = net.valid_size(32)

    def run(n):
        with torch.no_grad():
            return net(torch.zeros((1, 1, good, n) if turned else (1, 1, n, good)))

    if side and net.accepts(side):
        assert run(side).shape[3 if turned else 2] == side - 2 * net.margin
        return
    with pytest.raises(ValueError, match=f"of {side} px") as told:
        run(side)
    for cure in re.search(r"use ([\d or]+)$", str(told.value))[1].split(" or "):
        run(int(cure))


@law(side=st.integers(1, 12), before=st.integers(0, 40), after=st.integers(0, 40))
def test_mirrors_are_numpys(side, before, after):
    """The mirrored border is np.pad's "reflect", as often as needed, also of a single pixel."""
    expected = np.pad(np.arange(side), (before, after), mode="reflect" if side > 1 else "edge")
    assert mirrored(side, before, after).tolist() == expected.tolist()
