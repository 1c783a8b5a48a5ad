"""Dots, bars and curves: what is drawn is what was given, and what cannot be drawn is said."""

import numpy as np
import pytest
import torch

from segnb import show
from tests.show.test_figures import drawn_words

RUNS = {"none": [0.30, 0.34, 0.41], "square_root": [0.44, 0.45, 0.43]}
STUDY = {name: {"mean IoU": runs, "boundary F1": [run / 2 for run in runs]} for name, runs in RUNS.items()}


def lines(axis, marker):
    return [line for line in axis.lines if (line.get_marker() == marker)]


def test_dots_has_a_dot_for_each_run_and_a_line_at_the_mean():
    picture = show.dots(RUNS, label="mean IoU", alt="two rows")
    (axis,) = picture.figure.axes
    assert [list(line.get_xdata()) for line in lines(axis, "o")] == list(RUNS.values())
    means = [line.get_xdata()[0] for line in lines(axis, "None")]
    assert means == pytest.approx([np.mean(runs) for runs in RUNS.values()])
    assert [text.get_text() for text in axis.get_yticklabels()] == ["none", "square root"]
    # The first row is the highest.
    assert axis.yaxis_inverted()
    assert axis.get_xlabel() == "mean IoU"


def test_dots_reads_a_study_and_puts_its_measures_side_by_side():
    picture = show.dots(STUDY, ["boundary F1", "mean IoU"], alt="two measures")
    left, right = picture.figure.axes
    assert left.get_xlabel() == "boundary F1"
    assert list(lines(right, "o")[0].get_xdata()) == RUNS["none"]
    assert len(show.dots(STUDY, "mean IoU", alt="one").figure.axes) == 1


def test_rows_of_a_group_share_a_colour():
    colours = [
        line.get_color()
        for line in lines(
            show.dots({key: [1.0] for key in "abc"}, groups=["x", "y", "x"], alt="a").figure.axes[0], "o"
        )
    ]
    assert colours[0] == colours[2] != colours[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "needs a row"),
        (({"a": []},), "at least one run"),
    ],
)
def test_dots_without_a_dot(arguments, message):
    with pytest.raises(ValueError, match=message):
        show.dots(*arguments, alt="a")


def test_labels_and_groups_of_another_number():
    with pytest.raises(ValueError, match="1 labels for 2 measures"):
        show.dots(STUDY, ["mean IoU", "boundary F1"], label="mean IoU", alt="a")
    with pytest.raises(ValueError, match="1 groups for 2 rows"):
        show.dots(RUNS, groups=["x"], alt="a")


def test_bars_are_as_long_as_their_numbers_and_say_them():
    share = torch.tensor([0.5, 0.004])
    picture = show.bars(dict(zip(("sky", "sign_symbol"), share)), percent=True, label="share", alt="a")
    (axis,) = picture.figure.axes
    assert [bar.get_width() for bar in axis.patches] == pytest.approx(share.tolist())
    assert {"50 %", "0.4 %"} <= {text.get_text() for text in axis.texts}
    assert [text.get_text() for text in axis.get_yticklabels()] == ["sky", "sign symbol"]


def test_bars_side_by_side_take_the_colours_of_a_data_set():
    street = {"sky": 0.25, "road": 0.75}
    picture = show.bars({"pixels": street, "pictures": street}, colours=[(255, 0, 0), (0, 0, 255)], alt="a")
    assert [axis.get_xlabel() for axis in picture.figure.axes] == ["pixels", "pictures"]
    for axis in picture.figure.axes:
        assert [bar.get_facecolor()[:3] for bar in axis.patches] == [(1, 0, 0), (0, 0, 1)]


@pytest.mark.parametrize(
    ("values", "colours", "message"),
    [
        ({}, None, "at least one bar"),
        ({"a": 1}, ["red", "blue"], "2 colours for 1 bars"),
        ({"x": {"a": 1}, "y": {"b": 1}}, None, "the same names"),
    ],
)
def test_bars_that_cannot_be_drawn(values, colours, message):
    with pytest.raises(ValueError, match=message):
        show.bars(values, colours=colours, alt="a")


def test_curves_draw_the_mean_and_a_band_of_the_runs():
    runs = torch.tensor([[0.2, 0.4], [0.4, 0.8]])
    picture = show.curves(
        {"a": ([1, 2], runs), "b": ([1, 2], [0.1, 0.1])}, xlabel="steps", ylabel="IoU", alt="a"
    )
    (axis,) = picture.figure.axes
    assert axis.lines[0].get_ydata() == pytest.approx([0.3, 0.6])
    (band,) = axis.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.2, 0.8))
    (legend,) = picture.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_a_logarithmic_axis_names_the_places():
    picture = show.curves({"a": ([4, 16, 128], [1, 2, 3])}, xlabel="x", ylabel="y", logx=True, alt="a")
    (axis,) = picture.figure.axes
    assert axis.get_xscale() == "log"
    left, right = axis.get_xlim()
    assert 0 < left < 4 < 128 < right < 400
    assert [text.get_text() for text in axis.get_xticklabels()] == ["4", "16", "128"]


def test_curves_that_cannot_be_drawn():
    with pytest.raises(ValueError, match="at least one curve"):
        show.curves({}, xlabel="x", ylabel="y", alt="a")
    with pytest.raises(ValueError, match="3 places and 2 values"):
        show.curves({"a": ([1, 2, 3], [1, 2])}, xlabel="x", ylabel="y", alt="a")


def test_nothing_is_drawn_without_a_sentence():
    for draw in (
        lambda: show.dots(RUNS, alt=" "),
        lambda: show.bars({"a": 1}, alt=" "),
        lambda: show.curves({"a": ([1], [1])}, xlabel="x", ylabel="y", alt=" "),
    ):
        with pytest.raises(ValueError, match="needs an alt text"):
            draw()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_numbers_of_axes_side_by_side_do_not_run_into_each_other(count):
    names = ("global accuracy", "class accuracy", "mean IoU")[:count]
    study = {
        name: {"global accuracy": [0.851, 0.909], "class accuracy": [0.6, 0.79], "mean IoU": [0.47, 0.65]}
        for name in ("Bilinear-Interpolation", "SingleChannelDecoder", "FCN-Basic")
    }
    words = drawn_words(show.dots(study, names, alt="three rows").figure)
    assert len(words) >= 3 * count + 3
    for i, box in enumerate(words):
        assert not any(box.shrunk(0.9, 0.6).overlaps(other.shrunk(0.9, 0.6)) for other in words[:i])
