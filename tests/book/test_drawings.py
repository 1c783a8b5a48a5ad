"""A picture that keeps an SVG in its notebook is drawn by it on the page, in the page's inks."""

import base64
import hashlib
import re
import shutil
from xml.etree import ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from book.tools import drawings, notebooks
from segnb.show import style, vector
from tests.book.pages import soup

PIXELS = b"the bytes of a picture"
NAME = hashlib.sha256(PIXELS).hexdigest()
SVG = (
    f'<svg viewBox="0 0 2 1"><clipPath id="{vector.OWN}0"/><image href="{vector.PNG}"'
    f' clip-path="url(#{vector.OWN}0)"/><text>hand-{vector.OWN}{vector.PNG}</text></svg>'
)
BODY = f'<p>Before</p><a href="../_images/{NAME}.png"><img alt="A &quot;street&quot; &amp; a sky" src="../_images/{NAME}.png" style="width: 520px;" /></a>'


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The name of a page whose notebook has one picture with a drawing."""
    output = nbformat.v4.new_output(
        "display_data",
        data={"image/png": base64.b64encode(PIXELS).decode(), "text/plain": "A street."},
        metadata={"image/png": {"alt": "A street"}, "segnb": {"svg": SVG}},
    )
    cell = nbformat.v4.new_code_cell("draw()", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "street.ipynb")
    shutil.copy(notebooks.ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    return "street"


def test_the_drawing_has_the_picture_s_place_words_width_and_png(page):
    drawn = BeautifulSoup(drawings.drawn(BODY, page), "html.parser")
    svg = drawn.select_one("a > svg.ep-picture")
    assert drawn.find("img") is None
    assert (svg["role"], svg["aria-label"]) == ("img", 'A "street" & a sky')
    assert svg["style"] == "width: 520px;"
    assert svg.find("image")["href"] == f"../_images/{NAME}.png"


def test_a_player_s_frames_are_drawn_in_their_places(page):
    addresses = [f"data:image/webp;base64,{i}aA+/=" for i in range(3)]
    frame = '<figure style="margin:0"><img src="{}" alt="Stage &quot;{}&quot;" width="520" style="max-width:100%">\n<figcaption>x</figcaption></figure>'
    html = "\n".join(frame.format(address, i) for i, address in enumerate(addresses))
    svgs = [SVG.replace("street", "x").replace("0 0 2 1", f"0 0 2 {i + 1}") for i in range(3)]
    path = notebooks.ROOT / "street.ipynb"
    notebook = nbformat.read(path, 4)
    output = nbformat.v4.new_output(
        "execute_result", data={"text/html": html, "image/png": "aA=="}, metadata={"segnb": {"frames": svgs}}
    )
    notebook.cells.append(nbformat.v4.new_code_cell("play()", outputs=[output]))
    nbformat.write(notebook, path)
    drawn = BeautifulSoup(
        drawings.drawn(BODY + html + frame.format("data:image/png;base64,b", 9), page), "html.parser"
    )
    seen = drawn.select("figure > svg.ep-picture")
    assert [one["viewbox"] for one in seen] == ["0 0 2 1", "0 0 2 2", "0 0 2 3"]
    assert [one["aria-label"] for one in seen] == [f'Stage "{i}"' for i in range(3)]
    assert [one.find("image")["href"] for one in seen] == addresses
    assert {one["style"] for one in seen} == {"width: 520px"}
    ids = [part["id"] for part in drawn.select("[id]")]
    assert len(set(ids)) == len(ids) == 4
    assert len(drawn.select("figure > img")) == 1  # of another notebook
    assert len(drawn.select("a > svg.ep-picture")) == 1


def test_ids_are_the_picture_s_own(page):
    text = drawings.drawn(BODY, page)
    (one,) = re.findall(r' id="([^"]+)"', text)
    assert NAME[:8] in one
    assert f"url(#{one})" in text
    assert f"<text>hand-{vector.OWN}{vector.PNG}</text>" in text


def test_other_pictures_and_other_pages_stay(page):
    other = BODY.replace(NAME, "0" * 64)
    assert drawings.drawn(other, page) == other
    assert drawings.drawn(BODY, "nowhere") == BODY


def test_every_picture_of_a_notebook_is_drawn_on_its_page(site):
    for path in notebooks.find("chapter", "deeper", "solution"):
        page = path.relative_to(notebooks.ROOT).with_suffix("").as_posix()
        drawn = soup(site, f"{page}.html").select("article div.cell_output svg.ep-picture")
        assert len(drawn) == len(drawings.kept(page)), page
        left = [
            image["alt"] for image in soup(site, f"{page}.html").select("article div.cell_output a > img")
        ]
        assert left == [], page


def ends(text):
    """Where a word of a drawing begins and ends, along the line it is written on, in the PNG's letters."""
    style = text.get("style", "")
    font = FontProperties(family="DejaVu Sans", size=float(re.search(r"font-size:([\d.]+)", style)[1]))
    font.set_weight("bold" if "bold" in style else "normal")
    width, _, _ = TextToPath().get_text_width_height_descent("".join(text.itertext()), font, ismath=False)
    upright = "rotate(-90" in text.get("transform", "")
    anchor = re.search(r"text-anchor:(\w+)", style)
    before = {"start": 0, "middle": 0.5, "end": 1}[anchor[1] if anchor else "start"] * width
    place = float(text.get("y" if upright else "x"))
    return (place + before - width, place + before) if upright else (place - before, place - before + width)


def test_no_word_leaves_its_picture():
    """Such as the last word of a legend in more columns than there is room for."""
    seen = 0
    for path in notebooks.find("chapter", "deeper", "solution"):
        page = path.relative_to(notebooks.ROOT).with_suffix("").as_posix()
        for svg in drawings.kept(page).values():
            root = ElementTree.fromstring(svg)
            size = [float(side) for side in root.get("viewBox").split()[2:]]
            for text in root.iter("text"):
                turned = text.get("transform", "")
                if text.get("x") is None or ("rotate" in turned and "rotate(-90" not in turned):
                    continue
                first, last = ends(text)
                assert -1 < first < last < size["rotate(-90" in turned] + 1, (page, "".join(text.itertext()))
                seen += 1
    assert seen > 1000


def test_the_style_sheet_has_the_inks_of_both_papers():
    sheet = (notebooks.ROOT / "book" / "_static" / "course.css").read_text(encoding="utf-8")
    rules = re.findall(r"svg\.ep-picture \{([^}]*--ep-ink[^}]*)\}", sheet)
    for rule, colours in zip(rules, zip(*style.INKS.values(), strict=True), strict=True):
        written = dict(re.findall(r"--ep-(\w+): (#\w+);", rule))
        assert written == dict(zip(style.INKS, colours, strict=True))
