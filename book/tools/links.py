"""Links that leave a notebook: the tools see them as in the repository, the files hold what works where they are opened.

Colab opens one notebook and no page in Markdown, so once the site has an address (`make address`) a notebook's links to
`book/*.md` go there; the build of the site turns them back into relative ones. A sheet is handed out alone: its links
to other notebooks go to the site too, else to Colab, and while there is neither they are plain words.
"""

import re
from collections.abc import Callable
from pathlib import Path
from posixpath import join, normpath, relpath

LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def changed(text: str, target: Callable[[str], str | None]) -> str:
    """`text` with the target of each of its Markdown links replaced; None leaves the words alone."""

    def one(match: re.Match) -> str:
        address = target(match[2])
        return match[1] if address is None else f"[{match[1]}]({address})"

    return LINK.sub(one, text)


def outward(text: str, folder: str, site: str) -> str:
    """Links to pages in Markdown turned to the site, in a notebook of `folder` (from the root: "chapters/deeper").

    site: its address, with a slash at its end, or a relative path to it; "" leaves the text as it is.
    """

    def target(address: str) -> str:
        path, _, place = address.partition("#")
        if not site or ":" in path or not path.endswith(".md"):
            return address
        return with_place(site + page(path, folder), place)

    return changed(text, target)


def inward(text: str, folder: str, site: str, root: Path) -> str:
    """Links to the site turned back to the page or notebook in the repository at `root` that each of them shows."""

    def target(address: str) -> str:
        path, _, place = address.partition("#")
        if not site or not path.startswith(site):
            return address
        name = path.removeprefix(site).removesuffix(".html")
        source = next((name + kind for kind in (".md", ".ipynb") if (root / (name + kind)).exists()), None)
        return with_place(relpath(source, folder), place) if source else address

    return changed(text, target)


def alone(text: str, folder: str, site: str, colab: Callable[[str], str] | None) -> str:
    """The text of a notebook that is handed out alone: no link of it needs a file beside it.

    colab: path of a notebook from the root → where Colab opens it; None as long as it opens none of them.
    """

    def target(address: str) -> str | None:
        path, _, place = address.partition("#")
        if ":" in path or not path.endswith((".md", ".ipynb")):
            return address
        if site:
            return with_place(site + page(path, folder), place)
        return colab(normpath(join(folder, path))) if colab and path.endswith(".ipynb") else None

    return changed(text, target)


def page(path: str, folder: str) -> str:
    """The site's page of what lies at `path`, seen from `folder`."""
    return re.sub(r"\.(md|ipynb)$", ".html", normpath(join(folder, path)))


def with_place(address: str, place: str) -> str:
    """`address`, and the place on its page if there is one."""
    return f"{address}#{place}" if place else address
