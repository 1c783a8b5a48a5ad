"""axe finds nothing, with every fold open: pages of every kind in turn by day and by night, on a phone and on a wide screen."""

import importlib.util
from pathlib import Path

import pytest

from book.tools import notebooks
from tests.book.pages import visit
from tests.browser import required

# The package carries the engine's script, and nothing else of it is used; see tests/requirements.txt.
AXE = importlib.util.find_spec("axe_core_python")
FINDINGS = """
const [rules, done] = arguments;
for (const fold of document.querySelectorAll("article details")) fold.open = true;
axe.run(document, { resultTypes: ["violations"], rules }).then(({ violations }) => done(violations.flatMap(
  ({ id, impact, nodes }) => nodes.map((node) => `${impact} ${id}: ${node.html.slice(0, 120)}`))));
"""
WINDOWS = [(360, "light"), (1280, "dark"), (360, "dark"), (1280, "light")]
# Of a chapter's seconds under axe, three quarters go to this rule. Here it is asked on pages that are short and have every kind
# of thing; test_site.py measures the contrast of all pages.
SLOW = {"color-contrast": {"enabled": False}}
SHORT = ["book/index.html", "book/references.html", "search.html"]


def sample() -> list[str]:
    """Every lecture and every page of the book; of sheets and solutions, which one tool makes, one each."""
    files = [
        *notebooks.find("chapter", "deeper"),
        notebooks.find("sheet")[5],
        notebooks.find("solution")[5],
        *sorted((notebooks.ROOT / "book").glob("*.md")),
    ]
    made = [path.relative_to(notebooks.ROOT).with_suffix(".html").as_posix() for path in files]
    return [*made, "search.html", "genindex.html"]


@pytest.fixture(scope="module")
def axe() -> str:
    """The engine's script."""
    if AXE is None:
        assert not required(), "CI needs axe-core-python: tests/requirements.txt names it"
        pytest.skip("no axe-core-python in this environment")
    return (Path(AXE.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def findings(address, browser, axe):
    """What axe finds on a page in a window: one line for each place."""

    def look(page, width, theme, rules=None):
        visit(browser, f"{address}/{page}", width, theme)
        browser.run(axe)
        return browser.driver.execute_async_script(FINDINGS, rules or {})

    return look


def test_axe_finds_nothing_on_pages_of_every_kind(findings):
    for number, page in enumerate(sample()):
        width, theme = WINDOWS[number % 4]
        assert findings(page, width, theme, SLOW) == [], (page, width, theme)


@pytest.mark.parametrize(("width", "theme"), WINDOWS)
def test_axe_finds_nothing_in_any_window(findings, width, theme):
    for page in SHORT:
        assert findings(page, width, theme) == [], page


def test_axe_would_find_something(browser, axe):
    """The engine runs here, and says so when a picture has no words and when grey stands on grey."""
    browser.open(
        '<main><h1>Title</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'
        '<p style="color:#999;background:#aaa">grey</p></main>'
    )
    browser.driver.set_script_timeout(60)
    browser.run(axe)
    found = "\n".join(browser.driver.execute_async_script(FINDINGS, {}))
    assert "image-alt" in found
    assert "color-contrast" in found
