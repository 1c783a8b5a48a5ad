"""How to cite this book: BibTeX on the site, and CITATION.cff, which GitHub and reference managers read.

Version, address and year come from pyproject.toml and LICENSE. An address that is not set yet is left out.
"""

import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from book.tools import notebooks

TITLE = "Every Pixel: semantic segmentation networks, built step by step"
AUTHORS = "The authors of Every Pixel"


def where() -> str:
    """The address that a citation gives: of the site if it is published, else of the repository, else nothing."""
    return notebooks.project()["site"] or notebooks.repository_url()


def year() -> str:
    """The year of the copyright."""
    return re.search(r"Copyright \(c\) (\d{4})", (notebooks.ROOT / "LICENSE").read_text(encoding="utf-8"))[1]


def bibtex() -> str:
    """An entry for a list of references."""
    fields = {
        "title": f"{{{TITLE}}}",
        "author": f"{{{AUTHORS}}}",
        "year": year(),
        "note": f"Version {notebooks.project()['version']}",
        "howpublished": f"\\url{{{where()}}}" if where() else "",
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join(["@misc{every_pixel,", *lines, "}"])


def cff() -> str:
    """The text of CITATION.cff; its version is that of the release."""
    lines = [
        "# Written by `make address`.",
        "cff-version: 1.2.0",
        "message: If you use this book or its package, please cite it.",
        f'title: "{TITLE}"',
        "type: software",
        "authors:",
        f'  - name: "{AUTHORS}"',
        f"version: {notebooks.project()['version']}",
    ]
    addresses = {"repository-code": notebooks.repository_url(), "url": notebooks.project()["site"]}
    lines += [f'{name}: "{address}"' for name, address in addresses.items() if address]
    return "\n".join([*lines, ""])


class HowToCite(SphinxDirective):
    """`:::{how-to-cite}`: the BibTeX entry as code that can be copied."""

    def run(self) -> list[nodes.Node]:
        entry = nodes.literal_block(bibtex(), bibtex())
        entry["language"] = "bibtex"
        return [entry]
