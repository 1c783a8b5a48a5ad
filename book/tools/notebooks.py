"""What the book's tools and tests ask about its notebooks: which there are, where they live, what they hold."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import nbformat

from book.tools import links

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"
REAL_SECTION = "The same code on real pictures"  # the one section of a lecture that may ask for real data
FOLDERS = {"chapter": ".", "deeper": "deeper", "solution": "solutions", "sheet": "exercises"}


def project() -> dict[str, str]:
    """`version`, `repository` (owner/name), `branch` and `site`, from pyproject.toml: their one place.

    `ref` follows from them: what cells install and links open, the tag of a release, between releases the branch.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    version, address = settings["project"]["version"], settings["tool"]["every-pixel"]
    return {"version": version, **address, "ref": address["branch"] if ".dev" in version else f"v{version}"}


def repository_url() -> str:
    """Where the course lives on GitHub; empty while no owner is set, so that nothing leads there."""
    repository = project()["repository"]
    return "" if repository.startswith("OWNER/") else f"https://github.com/{repository}"


def colab_link(path: str) -> str:
    """Where Colab opens the notebook at `path` (from the root of the repository)."""
    address = project()
    return f"https://colab.research.google.com/github/{address['repository']}/blob/{address['ref']}/{path}"


def find(*kinds: str) -> list[Path]:
    """The notebooks of these kinds ("chapter", "deeper", "solution", "sheet"; all if none is named), in order."""
    folders = [FOLDERS[kind] for kind in kinds or FOLDERS]
    return [
        path for folder in folders for path in sorted((ROOT / "chapters" / folder).glob("[0-9]*_*.ipynb"))
    ]


def kind(path: Path) -> str:
    """Which kind of notebook lives at this path."""
    folder = path.parent.name
    return next((name for name, place in FOLDERS.items() if place == folder), "chapter")


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook at `path`, as nbformat's version 4, its links as in the repository (see `links`)."""
    notebook, site = nbformat.read(path, as_version=4), project()["site"]
    if site and path.is_relative_to(ROOT):
        relink(notebook, lambda text: links.inward(text, folder(path), site, ROOT))
    return notebook


def text(notebook: nbformat.NotebookNode, path: Path) -> str:
    """What the file at `path` holds of a notebook: its links lead to the site once there is one (see `links`)."""
    notebook, site = nbformat.from_dict(notebook), project()["site"]
    if kind(path) == "sheet":
        colab = colab_link if repository_url() else None
        relink(notebook, lambda words: links.alone(words, folder(path), site, colab))
    elif site and path.is_relative_to(ROOT):
        relink(notebook, lambda words: links.outward(words, folder(path), site))
    return nbformat.writes(notebook) + "\n"


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Store a notebook that `read` gave."""
    path.write_text(text(notebook, path), encoding="utf-8")


def folder(path: Path) -> str:
    """The folder of the notebook at `path`, from the root, as links know it."""
    return path.parent.relative_to(ROOT).as_posix()


def relink(notebook: nbformat.NotebookNode, change: Callable[[str], str]) -> None:
    """Change the links in a notebook's Markdown, in place."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = change(cell.source)


def tags(cell: nbformat.NotebookNode) -> list[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The code cells that are not empty, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def plays(cell: nbformat.NotebookNode) -> bool:
    """Whether a code cell is a demo or a quiz: one call whose HTML is there to be used, not code to be read."""
    return re.match(r"(#.*\n)?segnb\.demos\.", cell.source) is not None


def teaching_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The code cells that a learner reads: without demos and quizzes."""
    return [cell for cell in code_cells(notebook) if not plays(cell)]


def code_lines(cell: nbformat.NotebookNode) -> int:
    """Lines of a cell that are not blank."""
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def markdown(notebook: nbformat.NotebookNode) -> str:
    """The Markdown of a notebook, cells separated by a blank line."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def headings(notebook: nbformat.NotebookNode) -> list[tuple[int, str]]:
    """(level, text) of every heading, in order."""
    text = re.sub(r"^```.*?^```", "", markdown(notebook), flags=re.S | re.M)
    return [(len(marks), title.strip()) for marks, title in re.findall(r"^(#{1,6}) +(.+)$", text, flags=re.M)]


def section(notebook: nbformat.NotebookNode, title: str) -> list[nbformat.NotebookNode]:
    """The cells from the one that holds the heading "## title" to before the next heading of that level or above."""
    found, inside = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for level, text in headings(nbformat.v4.new_notebook(cells=[cell])):
                if level <= 2:
                    inside = text == title
        if inside:
            found.append(cell)
    return found


def words(notebook: nbformat.NotebookNode) -> int:
    """Words a learner reads: without code, formulas, folded answers, link addresses and the references."""
    text = markdown(notebook)
    text = re.split(r"^#+ +References\b.*$", text, maxsplit=1, flags=re.M)[0]
    for left_out in (
        r"^```.*?^```",  # fenced code
        r"<details.*?</details>",  # folded answers
        r"\$\$.*?\$\$",  # formulas, on their own and in a line
        r"(?<![\\$])\$[^$\n]+\$",
        r"<[^>]+>",  # tags
        r"(?<=\])\([^)\s]*\)",  # where a link goes
    ):
        text = re.sub(left_out, " ", text, flags=re.S | re.M)
    return len([word for word in text.split() if re.search(r"\w", word)])


def pictures(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The outputs of a code cell that hold a bitmap or a drawing."""
    return [
        output
        for output in cell.get("outputs", [])
        if any(mime.startswith("image/") for mime in output.get("data", {}))
    ]
