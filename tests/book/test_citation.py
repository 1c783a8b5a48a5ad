"""How to cite the book: one source for the site and for CITATION.cff; nothing that leads nowhere."""

import yaml

from book.tools import citation, notebooks
from tests.book.pages import soup

PROJECT = notebooks.project()
SET = {**PROJECT, "repository": "you/every-pixel", "site": ""}


def test_the_file_is_the_one_that_make_address_writes():
    text = (notebooks.ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert text == citation.cff(), "run make address"
    said = yaml.safe_load(text)
    assert str(said["version"]) == PROJECT["version"]
    assert {"cff-version", "message", "title", "authors"} <= set(said)


def test_no_address_is_given_before_there_is_one(monkeypatch):
    monkeypatch.setattr(notebooks, "project", lambda: {**SET, "repository": "OWNER/every-pixel"})
    assert notebooks.repository_url() == ""
    assert "http" not in citation.bibtex() + citation.cff()


def test_the_repository_is_cited_once_it_is_set(monkeypatch):
    monkeypatch.setattr(notebooks, "project", lambda: SET)
    assert "\\url{https://github.com/you/every-pixel}" in citation.bibtex()
    assert yaml.safe_load(citation.cff())["repository-code"] == "https://github.com/you/every-pixel"


def test_a_published_site_is_cited_before_the_repository(monkeypatch):
    monkeypatch.setattr(notebooks, "project", lambda: {**SET, "site": "https://you.github.io/every-pixel/"})
    assert "\\url{https://you.github.io/every-pixel/}" in citation.bibtex()
    assert yaml.safe_load(citation.cff())["url"] == "https://you.github.io/every-pixel/"


def test_the_site_shows_the_entry_and_every_page_leads_to_it(site, pages):
    page = soup(site, "book/how_to_use.html")
    shown = page.select_one("#how-to-cite-this-book .highlight pre").text
    assert shown.strip() == citation.bibtex()
    for path in pages:
        links = {a["href"] for a in soup(site, path).select(".ep-last-line a")}
        assert any(link.endswith("#how-to-cite-this-book") for link in links), path
        assert any("/issues/new" in link for link in links) == bool(notebooks.repository_url()), path
