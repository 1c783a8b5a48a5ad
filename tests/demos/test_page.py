"""What holds for every demo: one id, no other host, keyboard and phone, dark and light, something without scripts."""

import inspect
import io
import re
import sys
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from segnb import demos
from segnb.show import style
from segnb.show.live import WHERE
from tests.show.test_figures import contrast

# Which play: a guess asks (test_quiz.py), and `ask` needs a network (test_ask.py).
ALL = [name for name in demos.__all__ if name not in ("ask", "guess", "recall")]
FIELDS = ["loss_painter", "measures", "unpooling"]  # demos with a field of pixels to press


@pytest.fixture(params=ALL)
def name(request):
    return request.param


@cache
def made(name):
    return getattr(demos, name)()


def test_it_is_the_same_on_every_run(name):
    make = getattr(demos, name)
    assert make().html == made(name).html
    assert re.search(r'<div id="([^"]+)"', made(name).html)[1] == "ep-demo-" + name.replace("_", "-")
    assert re.search(r'<div id="([^"]+)"', make(name="Second one").html)[1].endswith("-second-one")


def test_it_is_small_and_asks_no_other_host(name):
    html = made(name).html
    assert len(html) < 60_000
    assert set(re.findall(r"https?://[\w./]+", html)) <= {"http://www.w3.org/2000/svg"}


def test_it_says_what_it_shows(name):
    demo = made(name)
    assert demo.alt.split(": ", 1)[1] in demo.html.replace("&#x27;", "'")
    data, metadata = demo._repr_mimebundle_()
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert data["text/plain"] == f"{demo.alt} {WHERE}"
    assert metadata["image/png"]["alt"] == demo.alt
    assert WHERE in BeautifulSoup(demo.html, "html.parser").select_one(".ep-still").text


def test_without_scripts_a_picture_with_alt_text_stands_there(browser, name):
    browser.open(made(name).html, scripts=False)
    try:
        source = browser.driver.page_source
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert re.search(r'<img alt="[^"]{30,}" src="data:image/png', source)
    assert "<svg" not in re.sub(r"<script>.*?</script>", "", source, flags=re.S)


@pytest.mark.parametrize("dark", [False, True])
def test_it_lives_on_a_phone_in_light_and_dark(browser, name, dark):
    browser.complaints()
    browser.open(made(name).html, width=360, dark=dark)
    assert browser.overflow() <= 0
    assert browser.complaints() == []
    assert browser.run("return document.querySelector('.ep-still')") is None
    ink = "rgb(238, 238, 238)" if dark else "rgb(17, 17, 17)"
    found = browser.run(
        "return [...document.querySelectorAll('.ep-said, label, button, td, svg text:not([style*=fill])')].map(e => "
        "getComputedStyle(e)[e.tagName === 'text' ? 'fill' : 'color'])"
    )
    assert found
    assert set(found) == {ink}


def test_every_class_id_and_group_in_it_is_our_own(browser, name):
    browser.open(made(name).html)
    found = browser.run("""
      const names = new Set(), look = () => document.body.querySelectorAll("[class], [id], [name]").forEach((e) => {
        [...e.classList, e.id, e.getAttribute("name")].filter(Boolean).forEach((word) => names.add(word));
      });
      look();
      document.body.querySelectorAll("button, input, svg").forEach((e) => {
        if (e.type === "range") { e.value = e.max; e.dispatchEvent(new Event("input")); }
        else if (e.tabIndex >= 0) { e.focus(); e.dispatchEvent(new KeyboardEvent("keydown", { key: " " })); }
        e.dispatchEvent(new MouseEvent("click"));
        look();
      });
      return [...names];
    """)
    assert len(found) >= 4
    assert [word for word in found if not word.startswith("ep-")] == []


def shot(element):
    """What the browser paints for an element: H×W×3."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(element.screenshot_as_png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_readable_under_jupyterlabs_styles(browser, name, theme):
    from selenium.webdriver.common.by import By

    lab = Path(sys.prefix, "share", "jupyter", "nbconvert", "templates", "lab", "static")
    sheets = [(lab / file).read_text("utf-8") for file in ("index.css", f"theme-{theme}.css")]
    page = "".join(f"<style>{sheet}</style>" for sheet in sheets)
    page += f'<div data-jp-theme-light="{str(theme == "light").lower()}" style="background:var(--jp-layout-color0)">'
    page += f'<div class="jp-RenderedHTMLCommon jp-RenderedHTML jp-OutputArea-output">{made(name).html}</div></div>'
    driver = browser.open(page, dark=theme == "dark")
    rgb = "const rgb = (text) => '#' + text.match(/\\d+/g).slice(0, 3).map(v => (+v).toString(16).padStart(2, '0')).join('');"
    paper = browser.run(
        f"{rgb} return rgb(getComputedStyle(document.querySelector('[data-jp-theme-light]')).backgroundColor)"
    )
    inks = browser.run(
        f"{rgb} return [...document.querySelectorAll('.ep-said, .ep-row *, td, th, p')].filter(e => e.textContent.trim())"
        ".map(e => rgb(getComputedStyle(e).color))"
    )
    assert len(inks) > 3
    assert min(contrast(ink, paper) for ink in inks) >= 4.5
    ground = [int(paper[i : i + 2], 16) for i in (1, 3, 5)]
    radios = [
        radio for radio in driver.find_elements(By.CSS_SELECTOR, "input[type=radio]") if radio.is_displayed()
    ]
    for radio in radios:
        picture = shot(radio)
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2]
        away = abs(middle - ground).max()
        assert away >= 100 if radio.is_selected() else away <= 8, f"{middle} on {paper}"
        assert abs(picture - ground).max() >= 100
    apart = browser.run("""
      const middle = (e) => e.getBoundingClientRect().top + e.getBoundingClientRect().height / 2;
      return [...document.querySelectorAll("input[type=range]")].map((e) => Math.abs(middle(e) - middle(e.nextElementSibling)));
    """)
    assert all(distance <= 3 for distance in apart)


def on_a_page(name):
    """The demo as it stands in a column of the site: in its letters, with its margins."""
    return f'<div style="font:17px/1.6 DejaVu Sans,sans-serif;padding:0 11px">{made(name).html}</div>'


# A laptop shows 700 px of a column 668 px wide; a phone of 844 px has 56 px of header.
@pytest.mark.parametrize(("width", "most"), [(720, 700), (390, 788), (360, 788)])
def test_control_and_effect_are_seen_at_once(browser, name, width, most):
    browser.open(on_a_page(name), width=width)
    heights = browser.run("""
      const root = document.querySelector(".ep-demo"), height = () => root.getBoundingClientRect().height, all = [height()];
      for (const end of ["min", "max"]) {  // and where every slider stands at its end
        root.querySelectorAll("input[type=range]").forEach((e) => { e.value = e[end]; e.dispatchEvent(new Event("input")); });
        all.push(height());
      }
      return all;""")
    assert max(heights) <= most
    assert browser.overflow() <= 0


def test_panels_stack_on_a_phone(browser, name):
    lefts = (
        "return [...document.querySelectorAll('.ep-panels > *')].map((e) => e.getBoundingClientRect().left)"
    )
    browser.open(on_a_page(name), width=720)
    wide = set(browser.run(lefts))
    browser.open(on_a_page(name), width=360)
    narrow = set(browser.run(lefts))
    assert (len(wide), len(narrow)) == ((0, 0) if name == "unpooling" else (2, 1))


@pytest.mark.parametrize("name", FIELDS)
def test_a_pixel_to_press_is_as_wide_as_a_finger_needs(browser, name):
    browser.open(on_a_page(name), width=360)
    side = browser.run("""
      const svg = document.querySelector("svg[tabindex]"), scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      svg.focus();
      return scale * Number(svg.querySelector(".ep-cursor").getAttribute("width"));
    """)
    assert side >= 24


def test_every_slider_says_what_its_number_means(browser, name):
    browser.open(made(name).html)
    spoken = browser.run("""
      return [...document.querySelectorAll("input[type=range]")].map((e) => [e.min, e.max].map(function (end) {
        e.value = end; e.dispatchEvent(new Event("input"));
        return e.getAttribute("aria-valuetext");
      }));
    """)
    for low, high in spoken:
        assert low != high
        assert re.search("[a-z]{2}", low), low
        assert re.search("[a-z]{2}", high), high
    assert spoken or name == "measures"  # which has none


LIVE = """
  const said = document.querySelector(".ep-said"), news = [];
  const before = [...said.children].map((e) => e.textContent);
  new MutationObserver((seen) => seen.forEach((one) => news.push(one.target))).observe(said, { childList: true, subtree: true });
  const slider = document.querySelector("input[type=range]"), button = document.querySelector("button");
  if (slider) { slider.value = Number(slider.value) + Number(slider.step); slider.dispatchEvent(new Event("input")); }
  if (!slider) button.click();
  const done = arguments[arguments.length - 1];
  queueMicrotask(() => done([said.getAttribute("aria-live"), said.getAttribute("aria-atomic"), said.role,
    [...said.children].map((e, i) => [e.textContent === before[i], news.includes(e)])]));
"""


def test_the_live_region_reads_out_what_changed_and_no_more(browser, name):
    driver = browser.open(made(name).html)
    live, atomic, role, sentences = driver.execute_async_script(LIVE)
    assert (live, atomic, role) == ("polite", "false", None)  # a status would be read out whole
    assert len(sentences) >= 2
    assert any(written for _, written in sentences) or name == "loss_painter"
    assert all(same != written for same, written in sentences)


@pytest.mark.parametrize("dark", [False, True])
def test_the_edge_of_a_pixel_is_drawn_in_the_page_s_ink(browser, name, dark):
    browser.open(made(name).html, dark=dark)
    edges = browser.run(
        "return [...document.querySelectorAll('.ep-pixel, .ep-faint')].map((e) => getComputedStyle(e).stroke)"
    )
    assert set(edges) == {"rgb(238, 238, 238)" if dark else "rgb(17, 17, 17)"}


def test_controls_have_names_and_are_large_enough_for_a_finger(browser, name):
    browser.open(made(name).html, width=360)
    controls = browser.run(
        "return [...document.querySelectorAll('input[type=range], button, label, svg')].filter(e => e.checkVisibility()).map(e => ({tag: e.tagName, "
        "name: e.getAttribute('aria-label') || e.textContent, height: e.getBoundingClientRect().height}))"
    )
    assert all(control["name"].strip() for control in controls)
    assert all(control["height"] >= 24 for control in controls)


def test_it_speaks_when_a_control_is_moved_by_key(browser, name):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = browser.open(made(name).html)
    said = driver.find_element(By.CSS_SELECTOR, "[aria-live=polite]")
    before = said.text
    assert len(before) > 30
    control = driver.find_elements(By.CSS_SELECTOR, "input[type=range], button")[0]
    control.send_keys(Keys.ARROW_RIGHT if control.tag_name == "input" else Keys.SPACE)
    if name == "loss_painter":  # a little more probability may leave the share as it is, in whole per cents
        driver.find_elements(By.TAG_NAME, "button")[0].send_keys(Keys.SPACE)
    assert said.text != before


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_can_be_walked_with_arrows(browser, name):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = browser.open(made(name).html)
    field, said = (
        driver.find_element(By.CSS_SELECTOR, "svg[tabindex]"),
        driver.find_element(By.CSS_SELECTOR, ".ep-said"),
    )
    field.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert said.text.startswith("Row 1, column 3: ")
    assert driver.find_element(By.CSS_SELECTOR, ".ep-cursor").get_attribute("visibility") == "visible"
    before = browser.run("return document.querySelector('svg[tabindex]').innerHTML")
    field.send_keys(Keys.SPACE)
    assert browser.run("return document.querySelector('svg[tabindex]').innerHTML") != before


def test_two_on_a_page_do_not_disturb_each_other(browser, name):
    html = made(name).html
    browser.open(html + getattr(demos, name)(name="second").html + html)
    assert browser.run("return [...document.querySelectorAll('.ep-demo')].every(root => Boolean(root.demo))")
    groups = "return [...document.querySelectorAll('.ep-demo')].map(r => r.querySelectorAll('input:checked').length)"
    first, second, third = browser.run(groups)
    assert first == second == third
    assert browser.complaints() == []


def test_its_colours_stand_out_on_white_and_on_black():
    for colour in (*(style.COLOURS[name] for name in ("blue", "orange", "green")), style.ERROR):
        assert min(contrast(colour, "#ffffff"), contrast(colour, "#000000")) >= 3


def test_the_docstring_says_what_to_do(name):
    assert len(inspect.getdoc(getattr(demos, name))) > 150
