"""Who cannot see a picture is told what there is to see: read from the built pages, as a screen reader would."""

import re

from tests.book.pages import soup

# What a tool writes when nobody wrote anything, and words that say nothing.
EMPTY_WORDS = re.compile(
    r"^(figure|image|picture|plot|output|png|_images/.*|.*\.(png|svg|jpe?g))\W*\d*$", flags=re.I
)


def alts(site, page):
    """What a screen reader says of each picture in an article."""
    article = soup(site, page).find("article")
    return [
        picture.get("alt") or picture.get("aria-label") or ""
        for picture in article.select("img, svg.ep-picture")
    ]


def test_every_picture_has_alt_text_of_its_own(site, pages):
    for page in pages:
        said = alts(site, page)
        for alt in said:
            assert not EMPTY_WORDS.match(alt), f"{page}: {alt!r}"
            assert len(alt.split()) >= 4, f"{page}: {alt!r} says too little"
        assert len(set(said)) == len(said), f"{page}: two pictures share their alt text"


def test_drawings_made_in_the_page_are_described_too(site, pages):
    for page in pages:
        article = soup(site, page).find("article")
        for drawing in article.select("div.cell_output svg, div.cell_output canvas"):
            said = drawing.get("aria-label") or drawing.find("title")
            assert said or drawing.get("aria-hidden") == "true", f"{page}: {str(drawing)[:100]}"


def test_empty_words_are_recognised():
    for alt in ("", "Figure 7", "image", "_images/06_unet_3.png", "plot.png", "output 12"):
        assert EMPTY_WORDS.match(alt) or not alt
    assert not EMPTY_WORDS.match(
        "Membranes drawn by the net without skips: thick and broken where two cells touch"
    )
