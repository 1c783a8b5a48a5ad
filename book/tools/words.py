"""Words of the glossary explain themselves: a page brings the definitions of the words that it links to.

A notebook says `[logits](../book/glossary.md#logits)`, a plain link that works everywhere. The site's script shows what
stands in the page under `ep-words` when the link is hovered, focused or tapped; nothing is fetched for it, so that
saved pages do it too.
"""

import json
import re

from docutils import nodes
from sphinx.addnodes import glossary as Glossary
from sphinx.application import Sphinx

PAGE = "book/glossary"
LINK = re.compile(r'href="[^"]*glossary\.html#(term-[^"]+)"')


def slug(anchor: str) -> str:
    """What a Markdown link calls a word: term-Atrous-convolution is #atrous-convolution."""
    return anchor.removeprefix("term-").lower()


def definitions(doctree: nodes.document) -> dict[str, dict[str, str]]:
    """Anchor → {"word", "meaning"}, as plain text, of every word in the page's glossaries."""
    found = {}
    for entry in doctree.findall(nodes.definition_list_item):
        if isinstance(entry.parent.parent, Glossary):
            meaning = " ".join(entry[-1].astext().split())
            for term in entry.findall(nodes.term):
                found[term["ids"][0]] = {"word": term.astext(), "meaning": meaning}
    return found


def read_glossary(app: Sphinx, doctree: nodes.document) -> None:
    """Keep the definitions, and let Markdown links find their words."""
    if app.env.docname != PAGE:
        return
    words = definitions(doctree)
    kept = app.env.metadata[PAGE]
    targets = {slug(anchor): (0, anchor, entry["word"]) for anchor, entry in words.items()}
    kept["myst_slugs"] = {**kept.get("myst_slugs", {}), **targets}
    kept["ep_words"] = words
    # A notebook on Colab links to the published page, by the same short name.
    for term in doctree.findall(nodes.term):
        short = slug(term["ids"][0])
        if short not in doctree.ids:
            term["ids"].append(short)


def explained(app: Sphinx, page: str, body: str) -> str:
    """`body` with the definitions of the words that it links to."""
    words = app.env.metadata[PAGE].get("ep_words", {}) if page != PAGE else {}
    used = {anchor: words[anchor] for anchor in sorted(set(LINK.findall(body))) if anchor in words}
    if not used:
        return body
    data = json.dumps(used, ensure_ascii=False).replace("</", r"<\/")
    return f'{body}<script type="application/json" id="ep-words">{data}</script>\n'
