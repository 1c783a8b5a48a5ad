"""axe finds nothing on any page: by day and by night, on a phone and on a wide screen, with every fold open."""

import importlib.util
from pathlib import Path

import pytest

from tests.book.pages import visit
from tests.browser import required

# The package carries the engine's script, and nothing else of it is used; see tests/requirements.txt.
AXE = importlib.util.find_spec("axe_core_python")
FINDINGS = """
const done = arguments[0];
for (const fold of document.querySelectorAll("article details")) fold.open = true;
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => done(violations.flatMap(
  ({ id, impact, nodes }) => nodes.map((node) => `${impact} ${id}: ${node.html.slice(0, 120)}`))));
"""
WINDOWS = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]


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

    def look(page, width, theme):
        visit(browser, f"{address}/{page}", width, theme)
        browser.run(axe)
        return browser.driver.execute_async_script(FINDINGS)

    return look


# Every page in two of the windows; the pages that hold every kind of thing in all four.
@pytest.mark.parametrize(("width", "theme"), [(360, "light"), (1280, "dark")])
def test_axe_finds_nothing_on_any_page(findings, site, pages, width, theme):
    for page in [*pages, "search.html", "genindex.html"]:
        assert findings(page, width, theme) == [], page


@pytest.mark.parametrize(("width", "theme"), WINDOWS)
@pytest.mark.parametrize("page", ["book/index.html", "book/references.html", "chapters/08_deeplabv3.html"])
def test_axe_finds_nothing_in_any_window(findings, page, width, theme):
    assert findings(page, width, theme) == []


def test_axe_would_find_something(browser, axe):
    """The engine runs here, and says so when a picture has no words."""
    browser.open('<main><h1>Title</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></main>')
    browser.driver.set_script_timeout(60)
    browser.run(axe)
    assert any("image-alt" in line for line in browser.driver.execute_async_script(FINDINGS))
