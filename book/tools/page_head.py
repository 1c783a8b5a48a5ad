"""What a page says of itself to search engines and to those who share its address: one sentence, a title, a picture.

The sentence is the page's first. A picture needs a full address, so it is shown only once the site has one (`make address`).
"""

import re
from html import escape, unescape
from posixpath import join, normpath
from urllib.parse import urljoin

FIRST_PARAGRAPH = re.compile(r"<p\b[^>]*>(?!\s*</p>)(.*?)</p>", flags=re.DOTALL)
SENTENCE = re.compile(r".*?[.?!](?=\s|$)")
PICTURE = re.compile(r'<img\b[^>]*\bsrc="(?!data:|https?:)([^"]+)"')


def plain(html: str) -> str:
    """The words of a fragment of HTML, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def first_sentence(body: str) -> str:
    """The first sentence of the page's first paragraph; the whole paragraph if it ends without a full stop."""
    paragraph = FIRST_PARAGRAPH.search(body)
    text = plain(paragraph[1]) if paragraph else ""
    sentence = SENTENCE.match(text)
    return sentence[0] if sentence else text


def first_picture(body: str, page: str) -> str | None:
    """The page's first picture, as a path from the root of the site."""
    picture = PICTURE.search(body)
    return normpath(join(page, "..", unescape(picture[1]))) if picture else None


def tags(*, body: str, page: str, title: str, book: str, site: str) -> str:
    """The tags for the head of `page` (its path without .html); `site` is where the site is published, "" if nowhere."""
    sentence = first_sentence(body)
    said = {
        "og:type": "article",
        "og:site_name": book,
        "og:title": plain(title) or book,
        "og:description": sentence,
    }
    if site:
        said["og:url"] = urljoin(site, f"{page}.html")
        if picture := first_picture(body, page):
            said["og:image"] = urljoin(site, picture)
    lines = [f'<meta name="description" content="{escape(sentence)}" />'] if sentence else []
    lines += [
        f'<meta property="{name}" content="{escape(value)}" />' for name, value in said.items() if value
    ]
    return "\n".join(["", *lines, ""])
