"""A picture as SVG for a page with colours of its own: what changes with the page, what stays, and that nothing is lost."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from segnb import data, show
from segnb.show import style, vector

STREET = data.load("street", split="val", size=(24, 32))
IMAGE, MASK = STREET[0]
X = np.arange(5)


def parts(picture, tag):
    """All elements of one kind in a picture's SVG."""
    root = ElementTree.fromstring(picture.svg)
    return [element for element in root.iter() if element.tag == tag]


def styles(picture, tag):
    return [element.get("style", "") for element in parts(picture, tag)]


def chart():
    lines = {"falling": (X, -X), "rising & <more>": (X, X)}
    return show.curves(lines, alt="Two lines that cross", xlabel="step", ylabel="loss")


def test_lines_and_letters_are_in_the_page_s_inks():
    inks = {
        value
        for text in styles(chart(), "path") + styles(chart(), "text")
        for value in re.findall(r"(?:fill|stroke):([^;]+)", text)
    }
    assert {vector.INK[style.COLOURS["blue"]], vector.INK[style.INK], vector.INK[style.GRID]} <= inks
    assert all(value == "none" or value.startswith("var(") for value in inks)


def test_letters_stay_words_in_the_font_of_the_page():
    words = {text.text for text in parts(chart(), "text")}
    assert {"step", "loss", "falling", "rising & <more>"} <= words
    assert "DejaVu" not in chart().svg


def test_the_paper_is_the_page_s():
    assert style.PAPER not in chart().svg


def test_a_colour_of_a_class_is_the_same_by_night():
    blue = tuple(int(style.COLOURS["blue"][i : i + 2], 16) for i in (1, 3, 5))
    bars = show.bars({"car": 1.0, "sky": 2.0}, colours=[blue, blue], alt="Two bars of one colour")
    outlined = [text for text in styles(bars, "path") if f"fill:{style.COLOURS['blue']}" in text]
    assert len(outlined) == 2


@pytest.mark.parametrize(
    "draw",
    [
        lambda: show.pair(IMAGE, MASK, STREET),
        lambda: show.compare([IMAGE, torch.rand(9, 9)], captions=["a street", "noise"]),
        lambda: show.statistics(STREET),
    ],
)
def test_photographs_masks_and_maps_are_the_png_seen_through_windows(draw):
    picture = draw()
    pictures = [axes for axes in picture.figure.findobj(vector._is_axes) if axes.images]
    (image,) = parts(picture, "image")
    box = [float(number) for number in ElementTree.fromstring(picture.svg).get("viewBox").split()]
    assert image.get("href") == vector.PNG
    assert [float(image.get("width")), float(image.get("height"))] == box[2:]
    holes = [hole for cut in parts(picture, "clipPath") for hole in cut if hole.tag == "rect"]
    assert len(holes) >= len(pictures)
    # In the file, what lies just inside a window is the picture, not paper.
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)
    scale = pixels.shape[1] / box[2]
    x, y = (int(float(holes[0].get(name)) * scale) + 1 for name in ("x", "y"))
    paper = [int(style.PAPER[i : i + 2], 16) for i in (1, 3, 5)]
    assert np.abs(pixels[y, x : x + 20] - paper).max() > 8


def test_what_is_written_into_a_map_is_written_once():
    picture = show.compare([torch.arange(4.0).reshape(2, 2)], numbers=True)
    assert parts(picture, "text") == []


def test_making_it_changes_neither_figure_nor_png():
    picture = show.pair(IMAGE, MASK, STREET)
    before, layout = picture.png, picture.figure.get_layout_engine()
    assert picture.svg == picture.svg
    assert show.picture(picture.figure, "the same once more").png == before
    assert picture.figure.get_layout_engine() is layout


def test_no_two_parts_share_an_id_and_each_one_asked_for_is_there():
    for picture in (chart(), show.statistics(STREET)):
        ids = re.findall(r' id="([^"]+)"', picture.svg)
        asked = re.findall(r'(?:href="#|url\(#)([^")]+)', picture.svg)
        assert len(set(ids)) == len(ids) > 0
        assert set(asked) == set(ids)
        assert all(one.startswith(vector.OWN) for one in ids)


def test_a_notebook_keeps_it_only_when_asked(monkeypatch):
    picture = chart()
    monkeypatch.delenv("SEGNB_SVG", raising=False)
    assert set(picture._repr_mimebundle_()[1]) == {"image/png"}
    monkeypatch.setenv("SEGNB_SVG", "1")
    data, about = picture._repr_mimebundle_()
    assert about["segnb"] == {"svg": picture.svg}
    assert set(data) == {"image/png", "text/plain"}


@pytest.mark.parametrize("when", ["day", "night"])
def test_inks_can_be_told_from_the_paper(when):
    def light(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    paper, place = (style.PAPER, 0) if when == "day" else ("#17181b", 1)
    for name, pair in style.INKS.items():
        low, high = sorted([light(pair[place]), light(paper)])
        needed = {"grid": 1.2}.get(name, 4.5 if when == "night" or name in ("ink", "soft") else 3)
        assert (high + 0.05) / (low + 0.05) >= needed, name
