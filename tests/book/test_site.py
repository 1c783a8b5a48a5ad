"""The built site, read as HTML and looked at in a browser: complete, on its own, readable by day, night and on a phone."""

import functools
import re
from urllib.parse import urlparse

import pytest
import yaml
from bs4 import BeautifulSoup

from book.tools import course_site, icons, notebooks
from segnb.show import style
from tests.book.pages import soup, visit

LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}
# What Chromium reports although nothing is wrong: it asks for an icon that is not linked, on the page that redirects.
HARMLESS = re.compile(r"favicon\.ico")


def listed() -> list[str]:
    """Every file that _toc.yml names."""
    found = []

    def walk(entry):
        if isinstance(entry, list):
            for one in entry:
                walk(one)
        elif isinstance(entry, dict):
            found.extend(value for key, value in entry.items() if key in ("file", "root"))
            for value in entry.values():
                walk(value)

    walk(yaml.safe_load((notebooks.ROOT / "_toc.yml").read_text(encoding="utf-8")))
    return found


def test_every_notebook_and_page_is_in_the_table_of_contents():
    there = [str(path.relative_to(notebooks.ROOT).with_suffix("")) for path in notebooks.find()]
    there += [f"book/{path.stem}" for path in (notebooks.ROOT / "book").glob("*.md")]
    assert sorted(listed()) == sorted(there)


def test_every_page_was_built(site, pages):
    assert sorted(str(page) for page in pages) == sorted(f"{file}.html" for file in listed())
    assert "book/index.html" in (site / "index.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_another_host(site, pages):
    for page in pages:
        for tag in soup(site, page).find_all(LOADING):
            target = urlparse(tag.get(LOADING[tag.name]) or "")
            assert not target.netloc, f"{page}: {tag}"
    for sheet in site.rglob("_static/**/*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", text), sheet.name


def test_the_site_is_light(site):
    static = sum(path.stat().st_size for path in (site / "_static").rglob("*") if path.is_file())
    assert static <= 12_000_000
    assert not list((site / "_static").rglob("*.map"))


def colab_of(path: str) -> set[str]:
    """The links to Colab that the page of a notebook has: one as soon as there is an address."""
    return {notebooks.colab_link(path)} if notebooks.repository_url() else set()


def test_every_lecture_and_sheet_opens_itself_on_colab(site):
    for path in notebooks.find("chapter", "deeper", "sheet"):
        place = path.relative_to(notebooks.ROOT)
        page = soup(site, place.with_suffix(".html"))
        for where in (".ep-run-it", ".bd-header-article"):
            links = {a["href"] for a in page.select(f'{where} a[href*="colab.research"]')}
            assert links == colab_of(place.as_posix()), where


def test_a_page_with_solutions_opens_the_sheet_on_colab(site):
    for path in notebooks.find("solution"):
        page = soup(site, path.relative_to(notebooks.ROOT).with_suffix(".html"))
        links = {a["href"] for a in page.select('a[href*="colab.research"]')}
        assert links == colab_of(f"chapters/exercises/{path.name}")


def test_without_an_address_a_page_offers_what_works_without(monkeypatch):
    page, path = "chapters/06_unet", "chapters/06_unet.ipynb"
    line = course_site.run_it(page, path, None, lambda name, *_: f"/{name}")
    words = BeautifulSoup(line, "html.parser")
    assert [a.text for a in words.select("a")] == ["Download it", "How to run it"]
    assert words.select("a")[1]["href"] == "/book/how_to_use#running-on-your-own-computer"
    sheet = "chapters/exercises/06_unet.ipynb"
    line = course_site.run_it("chapters/solutions/06_unet", sheet, None, lambda name, *_: f"/{name}")
    assert BeautifulSoup(line, "html.parser").a["href"] == "/chapters/exercises/06_unet"
    line = course_site.run_it(page, path, "https://colab", lambda name, *_: f"/{name}")
    assert [a.text for a in BeautifulSoup(line, "html.parser").select("a")] == [
        "Run this page on Colab",
        "Download it",
    ]


def test_the_theme_s_button_for_colab_is_led_or_left_out():
    def groups():
        return [
            {"buttons": [{"text": "Colab", "url": "wrong"}]},
            {"buttons": [{"text": "Print"}]},
            {"type": "x"},
        ]

    assert course_site.on_colab(groups(), None) == groups()[1:]
    assert course_site.on_colab(groups(), "right")[0]["buttons"][0]["url"] == "right"


def test_links_to_the_published_site_are_the_build_s_own(monkeypatch):
    project = {**notebooks.project(), "site": "https://you.github.io/every-pixel/"}
    monkeypatch.setattr(notebooks, "project", lambda: project)
    source = ['"[a](https://you.github.io/every-pixel/book/glossary.html#logits)"']
    course_site.turn_links_back(None, "chapters/deeper/06_unet", source)
    assert source == ['"[a](../../book/glossary.md#logits)"']


def test_a_word_of_the_glossary_has_the_address_that_a_notebook_on_colab_gives(site):
    for path in notebooks.find("chapter"):
        for word in re.findall(r"glossary\.md#([\w-]+)", notebooks.markdown(notebooks.read(path))):
            assert soup_of_glossary(site).find(id=word), word


@functools.cache
def soup_of_glossary(site):
    return soup(site, "book/glossary.html")


def test_a_lecture_can_be_downloaded(site):
    for path in notebooks.find("chapter", "deeper", "sheet"):
        page = path.relative_to(notebooks.ROOT).with_suffix(".html")
        (link,) = soup(site, page).select("p.ep-run-it a.ep-download[download]")
        assert (site / page.parent / link["href"]).resolve().read_bytes() == path.read_bytes()


def test_the_map_of_chapters_links_what_exists(site):
    entries = soup(site, "book/index.html").select(".ep-chapter-entry")
    assert [entry.select_one(".ep-chapter-number").text.strip() for entry in entries] == list("12345678")
    linked = {
        a["href"].removeprefix("../").removesuffix(".html") for entry in entries for a in entry.select("a")
    }
    there = {str(path.relative_to(notebooks.ROOT).with_suffix("")) for path in notebooks.find()}
    assert linked == there
    for entry in entries:
        assert ("To come." in entry.text) == (not entry.select("a"))


# The theme's own scripts are small; a page has no more than these and, if it has formulas, MathJax.
SCRIPT_LIMIT = 400_000


def scripts_of(site, page):
    """The files of script that a page loads, MathJax apart."""
    names = [tag["src"].split("?")[0] for tag in soup(site, page).select("script[src]")]
    return {(site / page.parent / name).resolve() for name in names if "mathjax" not in name}


def test_a_page_loads_little_script(site, pages):
    for page in pages:
        assert sum(path.stat().st_size for path in scripts_of(site, page)) <= SCRIPT_LIMIT, page


def test_mathjax_comes_with_formulas_and_only_then(site, pages):
    formulas = {page: bool(soup(site, page).select("article .math")) for page in pages}
    assert set(formulas.values()) == {True, False}
    for page, some in formulas.items():
        loaded = any("mathjax" in tag["src"] for tag in soup(site, page).select("script[src]"))
        assert loaded == some, page


def test_every_icon_is_drawn_by_the_style_sheet(site, pages):
    sheet = (site / "_static" / "icons.css").read_text(encoding="utf-8")
    # Modifiers of size, and the two words that say which family an icon is from.
    modifiers = {"lg", "solid", "brands", "regular"}
    shown = icons.used((site / page).read_text(encoding="utf-8") for page in pages) - modifiers
    assert shown
    assert all(f".fa-{name} {{" in sheet for name in shown), shown


def test_turning_the_page_passes_over_solutions(site, pages):
    ways = 0
    for page in pages:
        for link in soup(site, page).select(".prev-next-area a"):
            ways += 1
            assert "solutions/" not in link["href"], page
            assert (site / page.parent / link["href"]).exists()
    assert ways > len(pages)


def test_code_is_in_lines_and_is_still_the_notebook_s(site):
    for path in notebooks.find("chapter"):
        page = path.relative_to(notebooks.ROOT).with_suffix(".html")
        shown = [block.text.rstrip("\n") for block in soup(site, page).select(".cell_input .highlight pre")]
        assert shown == [cell.source.rstrip("\n") for cell in notebooks.code_cells(notebooks.read(path))]
        for block in soup(site, page).select(".cell_input .highlight pre"):
            assert all(line.text.count("\n") == 1 for line in block.select(".ep-line"))


def test_no_traceback_or_markup_shows(site, pages):
    for page in pages:
        text = soup(site, page).select_one("article").text
        assert "Traceback (most recent call last)" not in text, page
        assert not re.search(r"\{(cite|ref|doc|term)[\w:]*\}`|:::\{", text), page


# --- in a browser --------------------------------------------------------------------------------------------------

CONTRAST = """
const shade = (rgb) => {
  const [r, g, b] = rgb.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const paper = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour.slice(0, 3);
  }
  return [255, 255, 255];
};
const poor = [];
for (const element of document.querySelectorAll("article *, .bd-sidebar-primary a, .bd-sidebar-secondary a")) {
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !element.offsetParent || element.closest("mjx-container, .headerlink, button, .cell_output iframe, svg")) continue;
  const a = shade(parse(getComputedStyle(element).color).slice(0, 3)), b = shade(paper(element));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.tagName} ${element.className} ${element.textContent.trim().slice(0, 40)}`);
}
return poor;
"""


FACTS = """
const visible = [...document.querySelectorAll("article *")].filter((e) => e.checkVisibility());
const pictures = visible.filter((e) => e.matches(".cell_output :is(img, svg.ep-picture)"));
const size = (text) => {
  const matrix = text.getScreenCTM();
  return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(matrix.a, matrix.b);
};
return {
  theme: document.documentElement.dataset.theme,
  first: pictures.length ? pictures[0].getBoundingClientRect().top + scrollY : null,
  filters: [...document.querySelectorAll("article img")].map((image) => getComputedStyle(image).filter),
  scales: pictures.filter((e) => e.matches("img")).map((image) => image.getBoundingClientRect().width / image.naturalWidth),
  words: visible.filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && !e.closest("svg, mjx-container"))
    .map((e) => [parseFloat(getComputedStyle(e).fontSize), e.textContent.trim().slice(0, 40)]).filter(([px]) => px < 11),
  drawn: visible.filter((e) => e.matches("svg text")).map((e) => [size(e), e.textContent]).filter(([px]) => px < 10.95),
  goesOn: visible.filter((e) => /auto|scroll/.test(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1)
    .map((e) => ({ says: getComputedStyle(e).backgroundImage !== "none" || e.matches(".math, mjx-container"),
      words: e.textContent.trim().slice(0, 40) })),
  folded: [...document.querySelectorAll(".tag_hide-input details.hide pre")].filter((e) => e.checkVisibility()).length,
};
"""


class Window:
    """Every page as it is in one window: `width`, `theme`, and page → facts."""

    def __init__(self, browser, address, pages, width, theme):
        self.width, self.theme, self.pages = width, theme, {}
        for page in map(str, pages):
            browser.complaints()
            facts = visit(browser, f"{address}/{page}", width, theme) | browser.run(FACTS)
            facts["complaints"] = [line for line in browser.complaints() if not HARMLESS.search(line)]
            facts["overflow"] = browser.overflow()
            facts["poor"] = browser.run(CONTRAST)
            self.pages[page] = facts

    def lectures(self):
        """(page, facts) of the chapters and the deeper notebooks."""
        for path in notebooks.find("chapter", "deeper"):
            page = path.relative_to(notebooks.ROOT).with_suffix(".html").as_posix()
            yield page, self.pages[page]


@pytest.fixture(
    scope="module", params=[(360, "light"), (1280, "dark")], ids=["phone by day", "screen by night"]
)
def window(request, address, pages, browser):
    """A `Window`: each page is opened once in it, for all the tests that look."""
    return Window(browser, address, pages, *request.param)


def test_pages_run_without_a_complaint_and_ask_no_other_host(window, address):
    for page, seen in window.pages.items():
        assert seen["complaints"] == [], page
        assert {urlparse(name).netloc for name in seen["hosts"]} == {urlparse(address).netloc}, page
        assert seen["broken"] == [], page


def test_no_page_is_scrolled_sideways(window):
    for page, seen in window.pages.items():
        assert seen["overflow"] == 0, f"{page} must be scrolled sideways at {window.width} px"


def test_a_table_that_is_wider_than_its_place_shows_that_it_goes_on(window):
    wide = 0
    for page, seen in window.pages.items():
        for part in seen["goesOn"]:
            assert part["says"], (page, part["words"])
            assert window.width < 1280, f"{page}: there is room for {part['words']}"
        wide += len(seen["goesOn"])
    assert wide or window.width > 360, "no table of the book is wider than a phone?"


def test_pages_follow_the_reader_s_system_in_colours_that_stand_out(window):
    for page, seen in window.pages.items():
        assert seen["theme"] == window.theme, page
        assert seen["poor"] == [], page
        assert set(seen["filters"]) <= {"none"}, f"{page}: pictures keep their colours in the dark"


def test_every_formula_is_drawn(window):
    for page, seen in window.pages.items():
        if seen["formulas"]:
            assert (seen["drawn_formulas"], seen["wrong"]) == (seen["formulas"], 0), page


def test_code_that_draws_or_asserts_is_folded(window):
    assert all(seen["folded"] == 0 for seen in window.pages.values())


def test_letters_are_large_enough(window):
    """In pictures too: a picture's smallest letters have style.FONT points at style.DPI."""
    smallest = style.FONT / 72 * style.DPI
    for page, seen in window.pages.items():
        assert seen["words"] == [], page
        assert seen["drawn"] == [], page
        assert all(scale * smallest >= 10.95 for scale in seen["scales"]), page


def test_a_lecture_begins_with_a_picture(window, address, browser):
    if window.width == 1280:
        tops = {page: seen["first"] for page, seen in window.lectures()}
        height = 900
    else:
        tops, height = {}, 844  # on a phone, which may be a little wider
        for page, _ in window.lectures():
            visit(browser, f"{address}/{page}", 390, "light")
            tops[page] = browser.run(FACTS)["first"]
    late = {page: top for page, top in tops.items() if top > height - 100}
    assert late == {}


def test_drawings_are_in_the_ink_of_the_page_by_day_and_by_night(address, browser):
    inks = {}
    for theme in ("light", "dark"):
        visit(browser, f"{address}/chapters/05_fcn.html", 1280, theme)
        inks[theme] = browser.run("""
          const all = [...document.querySelectorAll("article svg.ep-picture")].filter((svg) => svg.checkVisibility());
          return {
            pictures: all.length,
            letters: [...new Set(all.flatMap((svg) => [...svg.querySelectorAll("text")]).map((e) => getComputedStyle(e).fill))],
            page: getComputedStyle(document.querySelector("article p")).color,
            paper: [...new Set(all.map((svg) => getComputedStyle(svg).backgroundColor))],
          };
        """)
    assert inks["light"]["pictures"] == inks["dark"]["pictures"] > 5
    for seen in inks.values():
        assert seen["letters"] == [seen["page"]]
        assert seen["paper"] == ["rgba(0, 0, 0, 0)"]
    assert inks["light"]["page"] != inks["dark"]["page"]


def test_the_landing_page_s_street(address, browser):
    visit(browser, f"{address}/book/index.html", 800, "light")
    shown = browser.run("""
      const slider = document.querySelector("figure.ep-wipe input");
      const mask = document.querySelector("figure.ep-wipe img + img");
      const clip = (value) => { slider.value = value; slider.dispatchEvent(new Event("input")); return getComputedStyle(mask).clipPath; };
      return [clip(0), clip(100)];
    """)
    assert shown[0] != shown[1]
    words = browser.run("""
      const layers = document.querySelector("figure.ep-wipe .ep-layers"), box = layers.getBoundingClientRect();
      const at = (x, y) => {
        layers.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + x * box.width, clientY: box.top + y * box.height }));
        return document.querySelector("figure.ep-wipe output").textContent;
      };
      return [at(0.5, 0.02), at(0.5, 0.98), at(0.02, 0.5), at(1, 1)];
    """)
    assert words[0] == "Row 0, column 36: sky"
    assert words[1].endswith("road")
    assert words[2].endswith("building")
    assert words[3].startswith("Row 35, column 71: ")


def test_the_street_is_dragged_and_moved_by_keys(address, browser):
    visit(browser, f"{address}/book/index.html", 800, "light")
    browser.run("document.querySelector('figure.ep-wipe').scrollIntoView({block: 'center'})")
    from selenium.webdriver import ActionChains, Keys

    layers = browser.driver.find_element("css selector", "figure.ep-wipe .ep-layers")
    slider = browser.driver.find_element("css selector", "figure.ep-wipe input")
    width = layers.size["width"]
    drag = ActionChains(browser.driver).move_to_element_with_offset(layers, 0, 0).click_and_hold()
    drag.move_by_offset(width // 4, 0).release().perform()
    # Drawn from the right, so a quarter right of the middle leaves a quarter of the mask.
    assert abs(float(slider.get_attribute("value")) - 25) <= 2
    said = browser.run("return document.querySelector('figure.ep-wipe output').textContent")
    assert said.startswith("Row 17, column 54: ")
    # The slider has the keys now, without having been looked for.
    before = slider.get_attribute("aria-valuetext")
    ActionChains(browser.driver).send_keys(Keys.ARROW_UP).perform()
    assert slider.get_attribute("aria-valuetext") != before
    assert "Row 16" in slider.get_attribute("aria-valuetext")
    value = float(slider.get_attribute("value"))
    ActionChains(browser.driver).send_keys(Keys.ARROW_RIGHT).perform()  # the edge goes where the arrow points
    assert float(slider.get_attribute("value")) == value - 1


POINTED = """
const tag = document.querySelector("figure.ep-wipe .ep-pointed"), layers = document.querySelector("figure.ep-wipe .ep-layers");
const box = layers.getBoundingClientRect(), own = tag.getBoundingClientRect();
return { words: tag.hidden ? null : tag.textContent, value: document.querySelector("figure.ep-wipe input").value,
  readout: document.querySelector("figure.ep-wipe output").textContent, live: document.querySelector("figure.ep-wipe output").ariaLive,
  inside: own.left >= box.left - 1 && own.right <= box.right + 1, top: own.top, bottom: own.bottom };
"""


def test_a_finger_drags_the_street_and_is_told_what_lies_under_it(address, browser):
    from selenium.webdriver.support.ui import WebDriverWait

    visit(browser, f"{address}/book/index.html", 360, "light")
    browser.run("document.querySelector('figure.ep-wipe').scrollIntoView({block: 'center'})")
    box = browser.run(
        "return document.querySelector('figure.ep-wipe .ep-layers').getBoundingClientRect().toJSON()"
    )

    def touch(kind, x, y):
        points = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}]
        browser.driver.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else points}
        )

    touch("touchStart", 0.5, 0.9)
    for x in (0.6, 0.7, 0.8, 0.99):
        touch("touchMove", x, 0.95)
    # Chromium hands moves on with the next frame, which a busy machine draws late.
    WebDriverWait(browser.driver, 10, poll_frequency=0.05).until(
        lambda _: float(browser.run(POINTED)["value"]) <= 2
    )
    seen = browser.run(POINTED)
    touch("touchEnd", 0.99, 0.95)
    assert seen["readout"].endswith(f": {seen['words']}")
    assert seen["inside"]
    assert seen["bottom"] < box["y"] + 0.95 * box["height"] - 20, "the finger would lie on the word"
    assert (
        seen["live"] == "off"
    )  # what moves with a pointer is not read out; the slider says it to who uses keys


def test_the_street_shows_where_its_keys_are(address, browser):
    from selenium.webdriver import ActionChains, Keys

    visit(browser, f"{address}/book/index.html", 800, "dark")
    browser.run("document.querySelector('figure.ep-wipe').scrollIntoView({block: 'center'})")
    ring = "return getComputedStyle(document.querySelector('figure.ep-wipe .ep-layers')).outlineStyle"
    assert browser.run(ring) == "none"
    browser.run("document.querySelector('figure.ep-wipe input').focus({focusVisible: true})")
    assert browser.run(ring) == "solid"
    ActionChains(browser.driver).send_keys(Keys.HOME, Keys.ARROW_UP).perform()
    assert browser.run(POINTED)["words"]
    sizes = browser.run("""
      const size = (e) => [e.getBoundingClientRect().width, e.getBoundingClientRect().height];
      return [size(document.querySelector("figure.ep-wipe input")), size(document.querySelector("figure.ep-wipe .ep-layers"))];
    """)
    assert sizes[0] == sizes[1]


def test_on_a_phone_code_goes_on_below_and_is_copied_whole(address, browser):
    visit(browser, f"{address}/chapters/06_unet.html", 360, "light")
    lines = browser.run("""
      return [...document.querySelectorAll(".cell_input .ep-line")].map((line) => [
        line.getBoundingClientRect().height, parseFloat(getComputedStyle(line).lineHeight), line.textContent.length]);
    """)
    broken = [height / one for height, one, _ in lines if height > 1.5 * one]
    assert broken, "no line of a chapter is longer than a phone is wide?"
    assert browser.run("""
      return [...document.querySelectorAll(".cell_input pre")].every((pre) => pre.scrollWidth <= pre.clientWidth + 1);
    """)
    copied, written = browser.run("""
      const pre = [...document.querySelectorAll(".cell_input pre")].find((one) => one.textContent.includes("double_conv"));
      getSelection().selectAllChildren(pre);
      return [getSelection().toString(), pre.textContent];
    """)
    assert copied.rstrip() == written.rstrip()


def test_paper_is_light_and_answers_are_open(address, browser):
    visit(browser, f"{address}/chapters/06_unet.html", 1280, "dark")
    night = [
        {"name": "prefers-color-scheme", "value": "dark"}
    ]  # printing does not change the reader's system
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": night})
    browser.run("dispatchEvent(new Event('beforeprint'))")
    seen = browser.run("""
      const style = (selector) => getComputedStyle(document.querySelector(selector));
      const shown = (selector) => [...document.querySelectorAll(selector)].some((e) => e.checkVisibility());
      const folded = document.querySelector("article details:not(.hide) > :not(summary)");
      return [document.documentElement.dataset.theme, style(".bd-article .highlight pre").whiteSpace,
              shown(".bd-sidebar-primary, .prev-next-area, .ep-run-it"), folded.getBoundingClientRect().height > 0];
    """)
    browser.run("dispatchEvent(new Event('afterprint'))")
    afterwards = browser.run("return document.documentElement.dataset.theme")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert seen == ["light", "pre-wrap", False, True]
    assert afterwards == "dark"


def test_on_a_phone_the_ways_to_the_neighbours_are_as_wide_as_the_page(address, browser):
    visit(browser, f"{address}/chapters/08_deeplabv3.html", 360, "light")
    seen = browser.run("""
      const box = (e) => e.getBoundingClientRect();
      const parts = [...document.querySelectorAll(".prev-next-area *")];
      return { left: Math.min(...parts.map((e) => box(e).left)), right: Math.max(...parts.map((e) => box(e).right)),
               tall: parts.filter((e) => e.matches("p.prev-next-title")).map((e) => box(e).height / parseFloat(getComputedStyle(e).lineHeight)) };
    """)
    assert 0 <= seen["left"] < seen["right"] <= 360
    assert len(seen["tall"]) == 2
    assert max(seen["tall"]) < 4.5  # lines


def test_a_player_is_printed_as_its_pictures(address, browser):
    visit(browser, f"{address}/chapters/06_unet.html", 1280, "light")
    look = """
      const seen = (element) => element.checkVisibility();
      const player = document.querySelector(".ep-player"), frames = [...player.querySelectorAll(".ep-sheet figure")];
      return { stage: seen(player.querySelector(".ep-stage")), frames: frames.filter(seen).length, count: Number(player.querySelector("input").max) + 1,
               different: new Set(frames.map((frame) => frame.querySelector("image").getAttribute("href"))).size,
               alts: frames.every((frame) => frame.querySelector("svg").getAttribute("aria-label")), captions: frames.every((frame) => frame.textContent),
               place: player.querySelector("input").value };
    """
    screen = browser.run(look)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    paper = browser.run(look)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert (screen["stage"], screen["frames"], screen["place"]) == (True, 0, "0")
    assert (paper["stage"], paper["frames"]) == (False, paper["count"])
    assert paper["count"] == paper["different"] > 3
    assert paper["alts"]
    assert paper["captions"]


def test_without_scripts_colours_stay_and_nothing_is_offered_that_needs_them(address, browser):
    visit(browser, f"{address}/book/index.html", 1280, "light")
    look = """
      const colours = ["body", ".bd-sidebar-primary", "article h1", "article a"].map((one) => {
        const style = getComputedStyle(document.querySelector(one));
        return [style.color, style.backgroundColor];
      });
      return [colours, document.querySelector("figure.ep-wipe input").checkVisibility()];
    """
    colours, slider = browser.run(look)
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.driver.refresh()
    without = browser.driver.execute_cdp_cmd(
        "Runtime.evaluate", {"expression": f"(() => {{{look}}})()", "returnByValue": True}
    )
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert slider
    assert without["result"]["value"] == [colours, False]


def test_a_chapter_that_was_read_is_marked(address, browser):
    page = f"{address}/chapters/06_unet.html"
    visit(browser, page, 1280, "light")
    marks = "return [...document.querySelectorAll('.bd-sidebar-primary .ep-read')].map((e) => e.parentElement.href)"
    assert browser.run(marks) == []
    browser.run("document.querySelector('#summary').scrollIntoView()")
    visit(browser, f"{address}/chapters/07_segnet.html", 1280, "light")
    assert browser.run(marks) == [page]
    browser.run("localStorage.clear()")


def test_the_street_s_labels_are_those_of_its_mask():
    from PIL import Image

    page = (notebooks.ROOT / "book" / "index.md").read_text(encoding="utf-8")
    labels = re.search(r'data-labels="(\w+)"', page)[1]
    mask = Image.open(notebooks.ROOT / "book" / "_static" / "street-mask.png").convert("RGB")
    assert mask.size == (72, 36)
    assert len(labels) == 72 * 36
    pairs = set(
        zip(labels, mask.get_flattened_data() if hasattr(mask, "get_flattened_data") else mask.getdata())
    )
    assert len(pairs) == len({label for label, _ in pairs}) == len({colour for _, colour in pairs}) == 9
