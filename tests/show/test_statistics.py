"""A data set in one picture: what it draws are the counts, means and sizes of the set, void left out."""

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

import segnb
from segnb import show
from segnb.show.statistics import _means


def data_of(*items):
    """A data set of these (image, mask) pairs, classes ground and leaf."""
    return segnb.data.SegmentationData(
        "garden",
        "train",
        classes=("ground", "leaf"),
        palette=((200, 180, 120), (60, 140, 60)),
        count=len(items),
        item=lambda i: (items[i][0], items[i][1].numpy().astype(np.uint8)),
        generated=True,
    )


def item(height, width, grey=0.5, leaf=slice(0, 0)):
    mask = torch.zeros(height, width, dtype=torch.int64)
    mask[:, leaf] = 1
    return torch.full((3, height, width), grey), mask


def axes_of(picture):
    return {
        axes.get_title(loc="left") or axes.get_xlabel(): axes
        for axes in picture.figure.findobj(match=is_axes)
    }


def is_axes(artist):
    return hasattr(artist, "get_xlabel")


def test_the_bars_are_the_counts():
    data = data_of(item(4, 8, leaf=slice(0, 2)), item(4, 8))
    axes = axes_of(show.statistics(data))
    assert [bar.get_width() for bar in axes["share of the pixels"].patches] == pytest.approx(
        [56 / 64, 8 / 64]
    )
    assert [bar.get_width() for bar in axes["share of the pictures"].patches] == [1, 0.5]


def test_mean_image_and_commonest_class():
    data = data_of(*(item(4, 8, grey, leaf=slice(0, 4)) for grey in (0.2, 0.4)), item(4, 8, 0.9))
    mean, commonest, sizes = _means(data)
    assert mean.shape == (3, 4, 8)
    torch.testing.assert_close(mean, torch.full((3, 4, 8), 0.5))
    assert (commonest[:, :4] == 1).all()
    assert (commonest[:, 4:] == 0).all()
    assert sizes == {(4, 8): 3}


def test_void_does_not_vote_and_stays_void_where_nothing_else_is():
    first, second = item(2, 4), item(2, 4, leaf=slice(0, 4))
    first[1][:, :2] = 255
    first[1][0, 3] = second[1][0, 3] = 255
    _, commonest, _ = _means(data_of(first, second))
    assert (commonest[:, :2] == 1).all()
    assert commonest[0, 3] == 255


def test_an_outline_for_each_size_and_means_in_the_commonest_shape():
    data = data_of(item(20, 30), item(20, 30), item(40, 25))
    picture = show.statistics(data)
    outlines = [patch for patch in axes_of(picture)["sizes"].patches if isinstance(patch, Rectangle)]
    assert {(p.get_height(), p.get_width()) for p in outlines} == {(20, 30), (40, 25)}
    assert _means(data)[1].shape == (20, 30)
    assert "2 different sizes, 2 of 3 of 20×30 pixels" in picture.alt


def test_a_large_picture_is_made_small_in_its_own_shape():
    assert _means(data_of(item(150, 300)))[1].shape == (64, 128)


def test_the_alt_text_names_the_ends():
    alt = show.statistics(data_of(item(4, 8, leaf=slice(0, 2)), item(4, 8))).alt
    assert "garden (train), 2 pictures, all 4×8 pixels" in alt
    assert "88 % are ground and 12 % leaf; leaf is in 50 % of the pictures" in alt


def test_it_takes_every_generated_set_and_fits_a_page():
    for name in ("dish", "worlds"):
        data = segnb.data.load(name, "val", size=48)
        picture = show.statistics(data)
        assert len(picture.png) < show.style.LIMIT
        assert picture.figure.get_figwidth() == show.style.WIDTH


def test_an_empty_set_is_refused():
    with pytest.raises(ValueError, match=r"garden \(train\) is empty"):
        show.statistics(data_of())
