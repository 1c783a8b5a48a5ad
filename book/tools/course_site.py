"""What the site needs beyond jupyter-book: the course's address, Colab links, the map of chapters, fewer megabytes.

A local Sphinx extension, named in _config.yml. It reads the public address from pyproject.toml, so that the site's
buttons follow `make address`.
"""

import posixpath
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.tools import citation, drawings, icons, links, notebooks, page_head, runs, words
from book.tools.code_lines import in_lines
from book.tools.cures import cured

# What a page of this book never asks for: source maps, and builds of MathJax other than the one that is loaded.
UNUSED = (
    "**/*.map",
    "mathjax/mml-*.js",
    "mathjax/node-main.js",
    "mathjax/tex-mml-*.js",
    "mathjax/tex-svg*.js",
    "mathjax/tex-chtml-full*.js",
    "mathjax/output/svg*",
    "mathjax/adaptors",
    "mathjax/sre",
    "mathjax/a11y",
    "sphinx-thebe.*",
    "scripts/fontawesome.js*",
)
ICONS = "icons.css"


def runnable(page: str) -> str | None:
    """The notebook a reader of this page is invited to run: itself, or the sheet if the page shows solutions."""
    if not page.startswith("chapters/"):
        return None
    return page.replace("chapters/solutions/", "chapters/exercises/") + ".ipynb"


def give_address(app: Sphinx, config) -> None:
    """Hand the repository's address to the theme, which makes its buttons from it; the one to it once it is set."""
    project = notebooks.project()
    config.html_theme_options["repository_url"] = f"https://github.com/{project['repository']}"
    config.html_theme_options["repository_branch"] = project["branch"]
    config.html_theme_options["use_repository_button"] = bool(notebooks.repository_url())


def adapt_page(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Colab links that point at the right notebook, code in lines, and no script that this page does not use."""
    unused = ["thebe"] if 'class="math' in context.get("body", "") else ["thebe", "mathjax"]
    for files in ("script_files", "css_files"):
        context[files] = [
            file for file in context[files] if not any(word in str(vars(file)).lower() for word in unused)
        ]
    pass_over_solutions(app, page, context)
    if doctree is not None:
        dress(app, page, context)
    if (path := runnable(page)) is None or "body" not in context:
        return
    colab = notebooks.colab_link(path) if notebooks.repository_url() else None
    context["header_buttons"] = on_colab(context.get("header_buttons", []), colab)
    line = run_it(page, path, colab, context["pathto"])
    context["body"] = re.sub(r"</h1>", lambda match: match[0] + line, context["body"], count=1)


def on_colab(groups: list[dict], colab: str | None) -> list[dict]:
    """The theme's buttons, the one for Colab leading to `colab`, or left out where that is None."""
    kept = []
    for group in groups:
        buttons = group.get("buttons", [])
        for button in buttons:
            if button.get("text") == "Colab":
                button["url"] = colab
        left = [button for button in buttons if "url" not in button or button["url"]]
        if left or not buttons:
            kept.append({**group, "buttons": left} if buttons else group)
    return kept


def run_it(page: str, path: str, colab: str | None, pathto: Callable[..., str]) -> str:
    """The line below a notebook's title: run it, or the sheet of these solutions, or how to while there is no address."""
    own = path == page + ".ipynb"
    links = []
    if colab:
        words = "Run this page on Colab" if own else "Try the exercise sheet on Colab first"
        links.append(f'<a class="ep-colab" href="{colab}">{words}</a>')
    if own:
        file = pathto("_sources/" + path, 1)
        links.append(f'<a class="ep-download" href="{file}" download>Download it</a>')
    elif not colab:
        links.append(
            f'<a class="ep-download" href="{pathto(path.removesuffix(".ipynb"))}">Try the exercise sheet first</a>'
        )
    if not colab:
        how = pathto("book/how_to_use") + "#running-on-your-own-computer"
        links.append(f'<a class="ep-download" href="{how}">How to run it</a>')
    return f'<p class="ep-run-it">{"".join(links)}</p>'


def turn_links_back(app: Sphinx, page: str, source: list[str]) -> None:
    """Let a notebook's links to the published site lead to this build's own pages."""
    site = notebooks.project()["site"]
    if site and page.startswith("chapters/"):
        source[0] = links.inward(source[0], posixpath.dirname(page), site, notebooks.ROOT)


def dress(app: Sphinx, page: str, context: dict) -> None:
    """What every page that somebody wrote has: tags in its head, code in lines, drawings, words explained, a last line."""
    body = context["body"]
    site = notebooks.project()["site"]
    context["metatags"] += page_head.tags(
        body=body, page=page, title=context["title"], book=app.config.html_title, site=site
    )
    body = drawings.drawn(in_lines(body), page)
    context["body"] = words.explained(app, page, body) + last_line(page, context)


def last_line(page: str, context: dict) -> str:
    """Where a notebook ran last, how to cite the book, and where to report an error once there is such a place."""
    here = "" if page == "book/how_to_use" else context["pathto"]("book/how_to_use")
    ways = {}
    if page.startswith("chapters/") and (run := runs.last_run(page)):
        ways[run] = context["pathto"](runs.PAGE)
    ways["How to cite this book"] = f"{here}#how-to-cite-this-book"
    if repository := notebooks.repository_url():
        ways["Report an error on this page"] = (
            f"{repository}/issues/new?title={quote(f'Error on {page}', safe='')}"
        )
    shown = "".join(f'<a href="{address}">{text}</a>' for text, address in ways.items())
    return f'<p class="ep-last-line">{shown}</p>\n'


def pass_over_solutions(app: Sphinx, page: str, context: dict) -> None:
    """Let "next" and "previous" lead past the solutions: who turns the page has not asked for them."""

    def beside(one: str, place: int) -> str | None:
        other = app.builder.relations.get(one, (None, None, None))[place]
        return beside(other, place) if other and other.startswith("chapters/solutions/") else other

    for way, place in (("prev", 1), ("next", 2)):
        other = beside(page, place)
        context[way] = other and {
            "link": app.builder.get_relative_uri(page, other),
            "title": app.builder.render_partial(app.env.titles[other])["title"],
        }


class Chapter(SphinxDirective):
    """One entry of the map of chapters: `:::{chapter} 06_unet Title`, and a sentence or two about it.

    The title becomes a link when the notebook exists, and so do its companions; until then it says "to come".
    """

    required_arguments = 1
    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        name, title = self.arguments[0], self.arguments[1]
        number = str(int(name.split("_")[0]))
        exists = {
            kind: (notebooks.CHAPTERS / folder / f"{name}.ipynb").exists()
            for kind, folder in notebooks.FOLDERS.items()
        }
        target = f"../chapters/{name}.ipynb"
        lines = [f"[{title}]({target})" if exists["chapter"] else title, "", *self.content, ""]
        companions = [
            f"[{words}](../chapters/{notebooks.FOLDERS[kind]}/{name}.ipynb)"
            for kind, words in (("deeper", "Deeper"), ("sheet", "Exercises"), ("solution", "Solutions"))
            if exists[kind]
        ]
        lines.append(" · ".join(companions) if exists["chapter"] and companions else "")
        if not exists["chapter"]:
            lines.append("*To come.*")
        entry = nodes.container(
            classes=["ep-chapter-entry", "ep-written" if exists["chapter"] else "ep-to-come"]
        )
        entry += nodes.container("", nodes.Text(number), classes=["ep-chapter-number"])
        body = nodes.container(classes=["ep-chapter-body"])
        self.state.nested_parse(StringList(lines, self.get_source_info()[0]), self.content_offset, body)
        entry += body
        return [entry]


def tidy(app: Sphinx, error: Exception | None) -> None:
    """What is left to do on the written site: pages without what this book does not use, icons by a style sheet."""
    if error or app.builder.name != "html":
        return
    site = Path(app.outdir)
    pages = clean_pages(site)
    if (script := site / "_static" / "scripts" / "fontawesome.js").exists():
        sheet = icons.style_sheet(icons.used(pages), script)
        (site / "_static" / ICONS).write_text(sheet, encoding="utf-8")
    prune(site / "_static")


def clean_pages(site: Path) -> list[str]:
    """Cure every page of what the theme gets wrong; → what the pages hold then."""
    cleaned = []
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        cleaned.append(cured(text))
        if cleaned[-1] != text:
            path.write_text(cleaned[-1], encoding="utf-8")
    return cleaned


def prune(static: Path) -> None:
    """Remove what no page asks for: most of the megabytes of the built site."""
    for pattern in UNUSED:
        for path in list(static.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("chapter", Chapter)
    app.add_directive("how-to-cite", citation.HowToCite)
    app.add_css_file(ICONS)
    app.connect("config-inited", give_address)
    app.connect("source-read", turn_links_back)
    app.connect("source-read", runs.tell)
    app.connect("doctree-read", words.read_glossary)
    app.connect("html-page-context", adapt_page, priority=900)
    app.connect("build-finished", tidy, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
