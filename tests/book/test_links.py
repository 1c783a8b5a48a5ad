"""Every link that leads somewhere inside the course arrives."""

import re
from urllib.parse import unquote, urlparse

import pytest

from book.tools import notebooks
from tests.book.pages import soup

PROJECT = notebooks.project()
INSIDE = re.compile(
    rf"(?:colab\.research\.google\.com/github|github\.com)/{re.escape(PROJECT['repository'])}/(?:blob|tree|raw)/"
    rf"{re.escape(PROJECT['branch'])}/([^)\s\"'>#]+)"
)
MARKDOWN = [
    *sorted(notebooks.ROOT.glob("*.md")),
    *sorted((notebooks.ROOT / "book").rglob("*.md")),
    *notebooks.find(),
]


def text(path):
    source = path.read_text(encoding="utf-8")
    return notebooks.markdown(notebooks.read(path)) if path.suffix == ".ipynb" else source


def targets(source: str) -> list[str]:
    """Where the links and pictures of a Markdown text go."""
    source = re.sub(r"^```.*?^```", "", source, flags=re.S | re.M)
    return re.findall(r"\]\(<?([^)>\s]+)", source) + re.findall(r"\b(?:href|src)=\"([^\"]+)\"", source)


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(notebooks.ROOT)))
def test_links_in_the_sources(path):
    for target in targets(text(path)):
        parts = urlparse(target)
        if parts.scheme in ("http", "https"):
            for place in INSIDE.findall(target):
                assert (notebooks.ROOT / unquote(place)).exists(), target
        elif parts.path:
            assert parts.scheme in ("", "mailto"), target
            assert (path.parent / unquote(parts.path)).resolve().exists(), target


def test_links_are_found():
    source = 'a [b](c.ipynb) ![d](e.png) <a href="f.md">g</a>\n\n```python\nx[0](no)\n```\n'
    assert targets(source) == ["c.ipynb", "e.png", "f.md"]


def test_links_on_the_site(site, pages):
    trees = {page: soup(site, page) for page in pages}
    names = {page: {tag.get("id") for tag in tree.find_all(id=True)} for page, tree in trees.items()}
    for page, tree in trees.items():
        for tag in tree.find_all("a", href=True):
            parts = urlparse(tag["href"])
            if parts.scheme or parts.netloc:
                for place in INSIDE.findall(tag["href"]):
                    assert (notebooks.ROOT / unquote(place)).exists(), f"{page}: {tag['href']}"
                continue
            target = (site / page.parent / unquote(parts.path)).resolve() if parts.path else site / page
            assert target.is_file(), f"{page}: {tag['href']}"
            place = target.relative_to(site.resolve())
            if parts.fragment and place in names:
                assert unquote(parts.fragment) in names[place], f"{page}: {tag['href']}"
