"""What readers type into the search box is found."""

import pytest

FOUND = """
const summary = document.querySelector("#search-results .search-summary");
if (!summary || !/found|did not match/i.test(summary.textContent)) return null;
return [...document.querySelectorAll("#search-results ul.search li a")].map((link) => link.getAttribute("href"));
"""


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("mIoU", "book/glossary.html"),
        ("class imbalance", "book/glossary.html#term-Class-imbalance"),
        ("mixed precision", "book/glossary.html#term-Mixed-precision"),
        ("Hausdorff", "book/glossary.html#term-Hausdorff-distance"),
    ],
)
def test_search_leads_to_the_glossary(address, browser, words, place):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.driver.get(f"{address}/search.html?q={words.replace(' ', '+')}")
    found = WebDriverWait(browser.driver, 20).until(
        lambda _: (links := browser.run(FOUND)) is not None and (links or ["nothing"])
    )
    assert any(link.endswith(place) for link in found), found
