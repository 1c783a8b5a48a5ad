"""What the theme writes into pages and this book does not want: left-overs, and names that screen readers stumble over.

Every cure is a pattern and what takes its place; tests/book/test_accessibility.py tells when one no longer finds it.
"""

import re

# An icon library, and thebe's settings: loaded by every page, used by none.
LEFT_OVER = re.compile(
    r"[ \t]*<(?:script|link)[^>]*(?:fontawesome|text/x-thebe-config)[^>]*>(?:.*?</script>)?\n?"
    r"|[ \t]*<script>kernelName = '[^']*'</script>\n?",
    flags=re.DOTALL,
)
# Colours belong to "light" and "dark", and a page begins as "auto": grey without scripts, and for a moment with them.
# It begins as "light" instead, and before anything is drawn the script that stands in its head looks at the reader's system.
THEME = re.compile(r'(<html\b[^>]*\bdata-theme=)"auto"')
THEME_SCRIPT = re.compile(r'(dataset\.theme = localStorage\.getItem\("theme"\) \|\| )"auto"')
SYSTEM_THEME = r'\1(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'

CURES = (
    (LEFT_OVER, ""),
    (THEME, r'\1"light"'),
    (THEME_SCRIPT, SYSTEM_THEME),
    # Names that hide the words one sees: "Show the code", "Search Ctrl+K".
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    (re.compile(r'(<button class="[^"]*\bsearch-button-field\b[^>]*) aria-label="[^"]*"'), r"\1"),
    # A fold without a name beside the chapter whose pages it shows.
    (
        re.compile(r'(<a class="[^"]*\breference internal" href="[^"]*">([^<]+)</a><details[^>]*>)<summary>'),
        r'\1<summary aria-label="Pages of: \2">',
    ),
    # The side bar is part of no landmark.
    (
        re.compile(r'<div id="pst-primary-sidebar" (?!role)'),
        '<div id="pst-primary-sidebar" role="region" aria-label="The book" ',
    ),
    # A role for lists of sources that has been given up, inside a list that wants items.
    (re.compile(r'(<div class="citation" [^>]*)role="doc-biblioentry"'), r'\1role="listitem"'),
)


def cured(page: str) -> str:
    """The HTML of a page after all cures."""
    for pattern, better in CURES:
        page = pattern.sub(better, page)
    return page
