"""A page of the built site: read as HTML once for all tests of a process, and opened in a browser."""

from functools import cache

from bs4 import BeautifulSoup

RENDERED = """
const done = arguments[0];
const wait = () => (window.MathJax && MathJax.startup && MathJax.startup.promise ? MathJax.startup.promise : Promise.resolve());
wait().then(() => done({
  formulas: document.querySelectorAll("article .math").length,
  drawn_formulas: document.querySelectorAll("article .math mjx-container").length,
  wrong: document.querySelectorAll("mjx-merror, article [data-mjx-error]").length,
  broken: [...document.images].filter((image) => image.complete && !image.naturalWidth).map((image) => image.src),
  hosts: performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => name.startsWith("http")),
  scripts: !!window.MathJax,
}));
"""


def soup(site, page):
    """The tree of a page; many tests read the same one, so none may change it."""
    return _tree(site / page)


@cache
def _tree(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def visit(browser, url, width, theme):
    """Open a page of the site at this width, by day or by night."""
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.driver.set_script_timeout(60)
    browser.size(width)
    media = [{"name": "prefers-color-scheme", "value": theme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": media})
    browser.driver.get(url)
    return browser.driver.execute_async_script(RENDERED)
