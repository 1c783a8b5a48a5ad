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


def test_a_sum_shows_its_names_plus_signs_enlargements_and_output():
    model = segnb.models.FCN(width=1, hidden=2, num_classes=5)
    drawn = show.blueprint(model, 100, stages=model.stages, names=True, sums=True)
    (axes,) = drawn.figure.axes
    written = [text.get_text() for text in axes.texts]
    assert [text for text in written if text.startswith(("+", "×"))] == ["+", "×2", "+", "×2", "×8"]
    assert {name.replace("_", "\n") for name in (*model.stages, "output")} <= set(written)
    assert len(parts(drawn, Rectangle)) == len(model.stages) + 1
    assert "output 5×100×100" in drawn.alt
    assert drawn.alt.endswith("from score: times 2, plus score_pool4, times 2, plus score_pool3, times 8.")


@pytest.mark.parametrize(("stride", "way"), [(32, "times 32."), (16, "times 2, plus score_pool4, times 16.")])
def test_a_sum_for_each_score(stride, way):
    model = segnb.models.FCN(width=1, hidden=1, stride=stride)
    drawn = show.blueprint(model, 64, stages=model.stages, sums=True)
    assert drawn.alt.endswith(f"The way up from score: {way}")
    assert len(parts(drawn, FancyArrowPatch)) == 2 * len(model.links)


def test_no_two_labels_lie_on_each_other():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with torch.device("meta"):
        model = segnb.models.FCN()
    drawn = show.blueprint(model, 500, stages=model.stages, names=True, sums=True)
    renderer = FigureCanvasAgg(drawn.figure).get_renderer()
    drawn.figure.draw(renderer)
    (axes,) = drawn.figure.axes
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    for i, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:i]), axes.texts[i].get_text()
