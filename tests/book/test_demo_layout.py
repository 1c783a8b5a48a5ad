"""Demos and players on the built site: laid out as they were made, by day and by night, under names of our own."""

import json
import re
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from book.tools import notebooks
from segnb import demos
from segnb.demos.shipped import SHIPPED
from tests.book.pages import soup, visit
from tests.demos.test_page import ALL, shot

PREFIX = "ep-"
TALLEST = {1280: 700, 360: 788}  # pixels a demo may take, so that control and effect are seen at once
# Classes that course.css styles and the theme only writes, with no style of its own in a sheet.
UNSTYLED = {
    *("logo", "only-dark", "dark-light"),
    *("pst-scrollable-table-container", "tag_hide-input", "text_html"),
}


# --- names ---------------------------------------------------------------------------------------------------------


def selectors(css):
    """The classes and the ids that a sheet of styles speaks of."""
    css = re.sub(r"/\*.*?\*/|url\([^)]*\)", "", css, flags=re.S)
    heads = re.sub(r"\{[^{}]*\}", "{}", css)  # what stands in braces has no selector in it: colours, sizes
    return set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", heads)), set(re.findall(r"#([A-Za-z_][\w-]*)", heads))


def written(path):
    """The classes and ids that a source of ours puts into a page, as far as they stand there in letters."""
    text, found = path.read_text(encoding="utf-8"), []
    if path.suffix == ".css":
        return set.union(*selectors(text))
    if path.suffix == ".js":
        for value in re.findall(r"\b(?:class|id|name): ([^\n,}]*)|\bclass(?:Name|List)\b([^;\n]*)", text):
            found += " ".join(re.findall(r'"([^"]+)"', "".join(value))).split()
    if path.suffix == ".py":
        for value in re.findall(r"\bclasses=\[(.*?)\]\s*\)", text):
            found += re.findall(r'(?<!\w\[)"([\w-]+)"', value)
    # In Python, JavaScript and Markdown alike: pieces of HTML.
    for value in re.findall(r'<[a-z][^<>\n]*?\s(?:class|id)="([^"{]+)"', text):
        found += value.split()
    return set(found)


def sources():
    """Everything of ours that can put a class into a page, but for course.css, which styles the theme too."""
    root = notebooks.ROOT
    return [
        *(path for kind in ("py", "js", "css") for path in sorted((root / "segnb").rglob(f"*.{kind}"))),
        *sorted((root / "book").glob("*.md")),
        root / "book" / "tools" / "course_site.py",
        root / "book" / "_static" / "course.js",
    ]


def own_classes():
    return set.union(*(written(path) for path in sources()))


def test_every_class_that_our_code_writes_begins_with_our_prefix():
    strange = {(path.name, name) for path in sources() for name in written(path)}
    assert {(file, name) for file, name in strange if not name.startswith(PREFIX)} == set()
    read = {"ep-demo", "ep-row", "ep-cursor", "ep-player", "ep-wipe", "ep-chapter-entry", "ep-colab"}
    assert read <= {name for _, name in strange}


def outputs():
    """Each stored output in HTML, and the notebook that holds it."""
    for path in notebooks.find():
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                if html := "".join(output.get("data", {}).get("text/html", "")):
                    yield path.name, BeautifulSoup(html, "html.parser")


def test_every_class_in_a_stored_output_begins_with_our_prefix():
    seen = 0
    for name, html in outputs():
        for tag in html.find_all(True):
            assert all(word.startswith(PREFIX) for word in tag.get("class", [])), (name, tag["class"])
            assert tag.get("id", PREFIX).startswith(PREFIX), (name, tag["id"])
            seen += bool(tag.get("class"))
    assert seen >= len(demos.__all__)


def test_no_theme_knows_a_class_or_an_id_of_ours(site):
    lab = Path(sys.prefix, "share", "jupyter", "nbconvert", "templates", "lab", "static")
    sheets = [path for path in (site / "_static").rglob("*.css") if path.name != "course.css"]
    assert {"pydata-sphinx-theme.css", "sphinx-book-theme.css", "basic.css"} <= {path.name for path in sheets}
    classes, ids = set(), set()
    for sheet in [*sheets, *lab.glob("*.css")]:
        for known, found in zip((classes, ids), selectors(sheet.read_text(encoding="utf-8"))):
            known |= found
    assert {"row", "bd-article", "lead"} <= classes  # they are read at all
    assert own_classes() & (classes | ids) == set()
    assert not [name for name in classes | ids if name.startswith(PREFIX)]
    # What course.css styles is ours, or the theme has it.
    styled, named = selectors((site / "_static" / "course.css").read_text(encoding="utf-8"))
    assert {name for name in styled if not name.startswith(PREFIX)} <= classes | UNSTYLED
    assert {name for name in named if not name.startswith(PREFIX)} <= ids


# --- in a browser --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def places(site):
    """The pages that hold something to play with: page → ids of its demos and players."""
    found = {}
    for path in notebooks.find():
        page = path.relative_to(notebooks.ROOT).with_suffix(".html")
        html = soup(site, page)
        if ids := [tag["id"] for tag in html.select(".ep-demo, .ep-player")]:
            found[page.as_posix()] = ids
    there = {name for ids in found.values() for name in ids}
    assert there >= {f"ep-demo-{name.replace('_', '-')}" for name in ALL}
    assert there >= {f"ep-demo-ask-{name}" for name in SHIPPED}
    assert any(name.startswith("ep-player-") for name in there)
    return found


LAYOUT = """
const box = (e) => e.getBoundingClientRect(), centre = (e) => box(e).top + box(e).height / 2;
return [...document.querySelectorAll(".ep-demo, .ep-player")].map((root) => ({
  id: root.id,
  height: box(root).height,
  width: box(root).width,
  // label, slider and value of each row: how far their middles lie apart, and what sticks out of the demo
  sliders: [...root.querySelectorAll("input[type=range]")].filter((e) => e.checkVisibility()).map((input) => {
    const parts = [...input.parentElement.children], middles = parts.map(centre);
    return { parts: parts.map((part) => part.tagName), apart: Math.max(...middles) - Math.min(...middles), width: box(input).width,
      out: Math.max(...parts.map((part) => box(part).right)) - box(root).right };
  }),
  radios: [...root.querySelectorAll("label")].filter((e) => e.checkVisibility()).map((label) => ({ apart: Math.abs(centre(label) - centre(label.firstChild)),
    height: box(label).height, width: box(label).width })),
  buttons: [...root.querySelectorAll("button")].map((button) => box(button).width),
  image: [...root.querySelectorAll(".ep-stage img")].filter((image) => image.checkVisibility()).map((image) => box(image).left - box(root).left),
}));
"""


@pytest.mark.parametrize("width", [1280, 360])
def test_controls_stand_in_rows(address, browser, places, width):
    for page, ids in places.items():
        visit(browser, f"{address}/{page}", width, "light")
        seen = browser.run(LAYOUT)
        assert [one["id"] for one in seen] == ids
        for one in seen:
            assert one["height"] <= TALLEST[width], one["id"]
            for slider in one["sliders"]:
                assert slider["apart"] <= 3, f"{one['id']}: a slider and its value stand on two lines"
                assert slider["width"] >= 80
                assert slider["out"] <= 1
                if one["id"].startswith("ep-demo"):
                    assert slider["parts"] == ["SPAN", "INPUT", "B"]
            for radio in one["radios"]:
                assert radio["apart"] <= 3
                assert radio["height"] <= 32
                assert radio["width"] < 0.75 * one["width"]
            assert all(button < 0.5 * one["width"] for button in one["buttons"])
            assert all(abs(left) <= 1 for left in one["image"]), "a picture begins where its slider does"


PAPER = """
const colours = [];
for (let e = document.getElementById(arguments[0]); e; e = e.parentElement) colours.push(getComputedStyle(e).backgroundColor);
const opaque = (colour) => colour.startsWith("rgb(");
const root = document.getElementById(arguments[0]);
return { own: colours[0], output: getComputedStyle(root.closest(".cell_output .output")).backgroundColor,
  paper: colours.find(opaque), page: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(root).color, text: getComputedStyle(document.querySelector("article p")).color,
  scheme: getComputedStyle(root).colorScheme };
"""
CLEAR = "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_demos_and_players_lie_on_the_page_itself(address, browser, places, theme):
    for page, ids in places.items():
        visit(browser, f"{address}/{page}", 1280, theme)
        for name in ids:
            seen = browser.run(PAPER, name)
            assert (seen["own"], seen["output"]) == (CLEAR, CLEAR), name
            assert seen["paper"] == seen["page"], name
            assert seen["ink"] == seen["text"], name
            assert seen["scheme"] == theme, name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_unchosen_radio_is_open_and_a_chosen_one_is_filled(address, browser, places, theme):
    from selenium.webdriver.common.by import By

    (page,) = [page for page, ids in places.items() if "ep-demo-atrous" in ids]
    visit(browser, f"{address}/{page}", 1280, theme)
    paper = browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    radios = browser.driver.find_elements(By.CSS_SELECTOR, "#ep-demo-atrous input[type=radio]")
    for radio in radios:
        picture = shot(radio)
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2]
        away = abs(middle - paper).max()
        assert away >= 100 if radio.is_selected() else away <= 8, f"{middle} on {paper}"
        assert abs(picture - paper).max() >= 100  # and its ring is seen
    assert sum(radio.is_selected() for radio in radios) == 1
