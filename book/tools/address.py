"""Write the course's public address wherever it is shown: `make address [REPO=you/every-pixel] [SITE=https://...]`.

The address stands in pyproject.toml alone. From there come the install cell at the head of every notebook and the
GitHub and Colab links in notebooks, README and pages, and README's table of the chapters that exist; the site's own
buttons read it while the site is built. CITATION.cff is written from the same place.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat

from book.tools import citation, notebooks

FIRST_CELL = """\
import importlib.util

# On Colab or Kaggle the course's package has to be fetched first.
if importlib.util.find_spec("segnb") is None:
    %pip install -q "segnb @ git+https://github.com/{repository}@v{version}"

import segnb

run = segnb.setup()"""
FIRST_TAGS = ["nbval-ignore-output", "hide-input"]

# Every form in which an address occurs; the course's own repository is told from others by its name.
HOSTS = r"(?:github\.com|colab\.research\.google\.com/github|raw\.githubusercontent\.com)"
OWNER = r"[A-Za-z0-9][A-Za-z0-9-]*"


def first_cell() -> str:
    """The first code cell of every notebook, for this address and this release."""
    return FIRST_CELL.format(**notebooks.project())


def texts() -> list[Path]:
    """The Markdown files in which an address may stand."""
    return [*sorted(notebooks.ROOT.glob("*.md")), *sorted((notebooks.ROOT / "book").glob("*.md"))]


def addresses(text: str, name: str) -> set[str]:
    """Every owner/name in the links of a text whose repository is called `name`."""
    return set(re.findall(rf"{HOSTS}/({OWNER}/{re.escape(name)})(?![\w-])", text))


def readdress(text: str, old: str, new: str, version: str) -> str:
    """`text` with links to the repository `old` turned to `new`, and install lines to this version's tag."""
    text = re.sub(rf"({HOSTS}/){re.escape(old)}(?![\w-])", rf"\g<1>{new}", text)
    return re.sub(rf"(github\.com/{re.escape(new)}@v)\d+\.\d+\.\d+", rf"\g<1>{version}", text)


def chapter_table() -> str:
    """README's table of chapters: titles from book/index.md, links for those that exist."""
    index = (notebooks.ROOT / "book" / "index.md").read_text(encoding="utf-8")
    rows = ["| | chapter | on Colab |", "|---|---|---|"]
    for name, title in re.findall(r"^:::\{chapter\} (\S+) (.+)$", index, flags=re.M):
        path = Path("chapters", f"{name}.ipynb")
        if (notebooks.ROOT / path).exists():
            sheet = path.parent / "exercises" / path.name
            links = [f"[chapter]({notebooks.colab_link(path.as_posix())})"]
            if (notebooks.ROOT / sheet).exists():
                links.append(f"[exercises]({notebooks.colab_link(sheet.as_posix())})")
            rows.append(f"| {int(name.split('_')[0])} | [{title}]({path.as_posix()}) | {' · '.join(links)} |")
        else:
            rows.append(f"| {int(name.split('_')[0])} | {title} | to come |")
    return "\n".join(rows)


def with_table(readme: str, table: str) -> str:
    """README's text with its table of chapters replaced."""
    return re.sub(
        r"(<!-- chapters -->\n).*?(\n<!-- end of chapters -->)", rf"\g<1>{table}\g<2>", readme, flags=re.S
    )


def set_repository(repository: str) -> None:
    """Write the address into its one place."""
    if not re.fullmatch(rf"{OWNER}/[\w.-]+", repository):
        raise ValueError(f"{repository!r} is no address: give OWNER/NAME, as in you/every-pixel")
    set_in_pyproject("repository", repository)


def set_site(site: str) -> None:
    """Write where the built site is published into its one place; "" if nowhere."""
    if site and not re.fullmatch(r"https?://[^\s\"/]+(/[^\s\"]*)?", site):
        raise ValueError(f"{site!r} is no address of a site: give https://you.github.io/every-pixel/")
    set_in_pyproject("site", site and site.rstrip("/") + "/")


def set_in_pyproject(name: str, value: str) -> None:
    """Give one of the settings of the address, each of which has a line of its own, another value."""
    path = notebooks.ROOT / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(rf'^{name} = ".*"$', f'{name} = "{value}"', text, flags=re.M), encoding="utf-8")


def write(old: str) -> list[Path]:
    """Turn links from the address `old` to pyproject's in all texts and notebooks; returns the files it changed."""
    new, version = notebooks.project()["repository"], notebooks.project()["version"]
    changed = []
    for path in texts():
        text = path.read_text(encoding="utf-8")
        fresh = readdress(text, old, new, version)
        if path.name == "README.md":
            fresh = with_table(fresh, chapter_table())
        if fresh != text:
            path.write_text(fresh, encoding="utf-8")
            changed.append(path)
    path = notebooks.ROOT / "CITATION.cff"
    if not path.exists() or path.read_text(encoding="utf-8") != citation.cff():
        path.write_text(citation.cff(), encoding="utf-8")
        changed.append(path)
    for path in notebooks.find():
        notebook = notebooks.read(path)
        before = nbformat.writes(notebook)
        for cell in notebook.cells:
            cell.source = readdress(cell.source, old, new, version)
        if first := notebooks.code_cells(notebook)[:1]:
            first[0].source = first_cell()
            first[0].metadata.tags = FIRST_TAGS
        if nbformat.writes(notebook) != before:
            nbformat.write(notebook, path)
            changed.append(path)
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", nargs="?", help="OWNER/NAME; without it, the address is written again")
    parser.add_argument("--site", help="where the built site is published; an empty word if nowhere")
    arguments = parser.parse_args()
    old = notebooks.project()["repository"]
    try:
        if arguments.repository:
            set_repository(arguments.repository)
        if arguments.site is not None:
            set_site(arguments.site)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for path in write(old):
        print(path.relative_to(notebooks.ROOT))
    print(f"The course lives at https://github.com/{notebooks.project()['repository']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
