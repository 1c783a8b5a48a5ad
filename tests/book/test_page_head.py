"""What a page says of itself in its head."""

import pytest
from bs4 import BeautifulSoup

from book.tools import notebooks, page_head
from tests.book.pages import soup

BODY = """
<h1>U&amp;Net</h1><p></p><p class="x">A <em>thin</em> line at 0.5&nbsp;px, "so". And more.</p>
<img alt="" src="data:image/png;base64,AAAA"><img alt="a" src="../_images/one.png"><img alt="b" src="../_images/two.png">
"""


def tags(**changes):
    settings = {
        "body": BODY,
        "page": "chapters/06_unet",
        "title": "U&amp;Net",
        "book": "Every Pixel",
        "site": "",
    }
    tree = BeautifulSoup(page_head.tags(**{**settings, **changes}), "html.parser")
    return {tag.get("name") or tag["property"]: tag["content"] for tag in tree.select("meta")}


def test_a_page_says_its_first_sentence_in_words():
    said = tags()
    assert said["description"] == said["og:description"] == 'A thin line at 0.5 px, "so".'
    assert said["og:title"] == "U&Net"


def test_without_an_address_no_address_is_given():
    assert not {"og:image", "og:url"} & set(tags())


def test_with_an_address_it_shows_its_first_picture():
    said = tags(site="https://you.github.io/every-pixel/")
    assert said["og:image"] == "https://you.github.io/every-pixel/_images/one.png"
    assert said["og:url"] == "https://you.github.io/every-pixel/chapters/06_unet.html"


def test_a_page_without_words_or_pictures():
    said = tags(body="<h1>Empty</h1>", site="https://you.github.io/every-pixel/")
    assert not {"description", "og:description", "og:image"} & set(said)


def test_every_page_describes_itself(site, pages):
    for page in pages:
        head = soup(site, page).head
        (description,) = head.select('meta[name="description"]')
        assert 20 <= len(description["content"]) <= 200, page
        assert head.select_one('meta[property="og:description"]')["content"] == description["content"]
        assert head.title.text.startswith(head.select_one('meta[property="og:title"]')["content"])
        picture = head.select_one('meta[property="og:image"]')
        assert bool(picture) <= bool(notebooks.project()["site"]), page


@pytest.mark.parametrize("path", notebooks.find("solution"), ids=lambda path: path.stem)
def test_a_page_of_solutions_has_a_title_of_its_own(site, path):
    def title(folder):
        return soup(site, f"chapters/{folder}/{path.stem}.html").title.text.lower()

    assert "solutions" in title("solutions")
    assert "solutions" not in title("exercises")
    assert title("solutions").replace("solutions", "exercises") == title("exercises")
