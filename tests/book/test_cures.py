"""What the theme writes into pages is cured, and each cure still finds what it is for."""

import pytest

from book.tools import cures


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<html lang="en" data-theme="auto">', '<html lang="en" data-theme="light">'),
        ("<summary aria-label=\"Toggle hidden content\"><p>Show the code</p>", "<summary><p>Show the code</p>"),
        ('<button class="btn search-button-field x" title="Search" aria-label="Search" data-x="">',
         '<button class="btn search-button-field x" title="Search" data-x="">'),
        ('<a class="current reference internal" href="#">6 · U-Net</a><details open="open"><summary><i></i>',
         '<a class="current reference internal" href="#">6 · U-Net</a><details open="open"><summary aria-label="Pages of: 6 · U-Net"><i></i>'),
        ('<div class="citation" id="id3" role="doc-biblioentry">', '<div class="citation" id="id3" role="listitem">'),
        ('<div id="pst-primary-sidebar" class="x">', '<div id="pst-primary-sidebar" role="region" aria-label="The book" class="x">'),
        ('<link href="fontawesome.css"/>\n<p>x</p>', "<p>x</p>"),
    ],
)  # fmt: skip
def test_a_cure(before, after):
    assert cures.cured(before) == after
    assert cures.cured(after) == after


def test_the_page_s_first_script_looks_at_the_system():
    script = 'document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";'
    assert '|| (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");' in cures.cured(
        script
    )


def test_the_site_is_cured(site, pages):
    for page in pages:
        text = (site / page).read_text(encoding="utf-8")
        assert cures.cured(text) == text, page
        assert '<html lang="en"' in text
        assert 'data-theme="light"' in text.split("<head>")[0], page
