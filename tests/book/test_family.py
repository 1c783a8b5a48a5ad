"""The front page's four networks are what the code draws."""

from bs4 import BeautifulSoup

from book.tools import family


def test_the_stored_family_is_what_the_code_draws():
    assert family.PAGE.read_text(encoding="utf-8") == family.html(), "run `make family`"


def test_each_network_links_its_chapter_and_says_what_it_is(site):
    page = BeautifulSoup((site / "book/index.html").read_text(encoding="utf-8"), "html.parser")
    links = page.select("figure.ep-family a")
    assert [link["href"] for link in links] == [f"../chapters/{chapter}.html" for chapter in family.FAMILY]
    for link in links:
        assert (site / "book" / link["href"]).resolve().exists()
        assert len(link.select_one("svg")["aria-label"].split()) >= 4
