"""Words of the glossary explain themselves: the links, what a page brings along, and the card in a browser."""

import json
import re

import pytest

from book.tools import notebooks, words
from tests.book.pages import soup

LINK = re.compile(r"\]\(((?:\.\./)*)book/glossary\.md#([\w-]+)\)")
LECTURES = notebooks.find("chapter", "deeper")
PAGE = "chapters/06_unet.html"


def brought(tree) -> dict:
    """The definitions that a page brings along."""
    data = tree.select_one("#ep-words")
    return json.loads(data.string) if data else {}


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_lecture_links_each_word_once(path):
    linked = [name for _, name in LINK.findall(notebooks.markdown(notebooks.read(path)))]
    assert linked
    assert len(linked) == len(set(linked))


def test_every_page_brings_the_words_it_links_to_and_no_others(site, pages):
    glossary = soup(site, f"{words.PAGE}.html")
    meanings = {
        term["id"]: " ".join(term.find_next_sibling("dd").text.split()) for term in glossary.select("dt[id]")
    }
    seen = 0
    for page in pages:
        tree = soup(site, page)
        linked = set(words.LINK.findall(str(tree.select_one("article"))))
        found = brought(tree)
        assert set(found) == linked, page
        for anchor, entry in found.items():
            assert entry["meaning"] == meanings[anchor]
        seen += len(found)
    assert seen > 60


def test_links_are_in_small_letters_and_without_the_prefix():
    assert words.slug("term-Atrous-convolution") == "atrous-convolution"
    assert words.LINK.findall('<a class="x" href="../../book/glossary.html#term-Logits">') == ["term-Logits"]
    assert words.LINK.findall('<a href="../book/glossary.html">') == []


# --- in a browser --------------------------------------------------------------------------------------------------

CARD = """
const card = document.querySelector("#ep-word"), box = card.getBoundingClientRect();
const word = document.querySelector("[aria-describedby=ep-word]");
return { shown: card.checkVisibility(), text: card.textContent, left: box.left, right: box.right, top: box.top, bottom: box.bottom,
         describes: word && word.textContent, room: document.documentElement.clientWidth };
"""


@pytest.fixture
def open_page(address, browser):
    """Open the page at a width and return its first word that explains itself, in the middle of the window."""

    def visit(width, media=()):
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": list(media)})
        browser.size(width, 900)
        browser.driver.get(f"{address}/{PAGE}")
        word = browser.driver.find_element("css selector", "a.ep-word")
        browser.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", word)
        return word

    yield visit
    browser.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def until(browser, shown):
    """Wait until the card is shown, or gone, and return what it looks like then."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser.driver, 10, poll_frequency=0.05).until(
        lambda _: (card := browser.run(CARD))["shown"] == shown and card
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_the_mouse_opens_a_card_that_escape_closes(open_page, browser, width):
    from selenium.webdriver import ActionChains, Keys

    word = open_page(width)
    ActionChains(browser.driver).move_to_element(word).perform()
    card = until(browser, shown=True)
    assert card["describes"] == word.text == "skip connection"
    assert card["text"].startswith("Skip connection A direct path from an early layer to a late one")
    assert card["left"] >= 0
    assert card["right"] <= card["room"]
    assert browser.overflow() == 0
    ActionChains(browser.driver).move_to_element(browser.driver.find_element("id", "ep-word")).perform()
    assert until(browser, shown=True)["describes"] == "skip connection"
    ActionChains(browser.driver).send_keys(Keys.ESCAPE).perform()
    assert until(browser, shown=False)["describes"] is None


def test_the_keyboard_opens_it_and_leaving_closes_it(open_page, browser):
    from selenium.webdriver import ActionChains, Keys

    word = open_page(1280)
    browser.run("arguments[0].focus()", word)
    ActionChains(browser.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    assert until(browser, shown=True)["describes"] == word.text
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    assert until(browser, shown=False)["describes"] is None


def tap(browser, element):
    box = browser.run(
        "const b = arguments[0].getClientRects()[0]; return [b.left + b.width / 2, b.top + b.height / 2]",
        element,
    )
    point = [{"x": box[0], "y": box[1]}]
    browser.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": point})
    browser.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_tap_opens_it_and_a_second_follows_the_link(open_page, browser):
    browser.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    word = open_page(360)
    tap(browser, word)
    card = until(browser, shown=True)
    assert "Tap the word again" in card["text"]
    assert browser.driver.current_url.endswith(PAGE)
    tap(browser, browser.driver.find_element("css selector", "article h1"))
    tap(browser, word)
    from selenium.webdriver.support.ui import WebDriverWait

    until(browser, shown=True)
    tap(browser, word)
    WebDriverWait(browser.driver, 10).until(
        lambda driver: driver.current_url.endswith("/book/glossary.html#term-Skip-connection")
    )


def test_on_paper_there_is_no_card(open_page, browser):
    from selenium.webdriver import ActionChains

    word = open_page(1280)
    ActionChains(browser.driver).move_to_element(word).perform()
    until(browser, shown=True)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert not browser.run(CARD)["shown"]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_without_scripts_a_word_is_a_link(address, browser):
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.driver.get(f"{address}/{PAGE}")
    browser.driver.find_element("css selector", 'article a[href*="#term-Skip-connection"]').click()
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert browser.driver.current_url.endswith("/book/glossary.html#term-Skip-connection")
