"""The drawing of a network's stages: every stage that computes something, its true size, and one arrow for each link."""

import pytest
import torch
from matplotlib.patches import FancyArrowPatch, Rectangle

import segnb
from segnb import show


def parts(picture, kind):
    (axes,) = picture.figure.axes
    return [patch for patch in axes.patches if isinstance(patch, kind)]


@pytest.mark.parametrize(
    ("model", "size", "blocks", "arrows"),
    [
        (segnb.models.UNet(width=2), 572, 10, 4),
        (segnb.models.UNet(width=2, depth=2, skips=False), 60, 6, 0),
        (segnb.models.SegNet(width=1), 64, 11, 5),
    ],
)
def test_a_block_a_stage_and_an_arrow_a_link(model, size, blocks, arrows):
    drawn = show.blueprint(model, size)
    assert len(parts(drawn, Rectangle)) == blocks
    assert len(parts(drawn, FancyArrowPatch)) == arrows == len(model.links)
    assert (f"{arrows} arrows go across" in drawn.alt) == bool(arrows)


def test_channels_and_sides_are_those_of_the_maps():
    model = segnb.models.UNet(width=3, depth=2).eval()
    drawn = show.blueprint(model, 60)
    (axes,) = drawn.figure.axes
    written = [int(text.get_text()) for text in axes.texts]
    maps = segnb.features(model, torch.zeros(1, 1, 60, 60)).values()
    assert written == [number for x in maps for number in (x.shape[1], x.shape[3])]


def test_what_neither_learns_nor_is_linked_is_left_out():
    assert "unpool" not in show.blueprint(segnb.models.SegNet(width=1), 32).alt


def test_a_size_that_the_network_refuses_is_refused():
    with pytest.raises(ValueError, match="use 188"):
        show.blueprint(segnb.models.UNet(width=1, depth=4), 20)
