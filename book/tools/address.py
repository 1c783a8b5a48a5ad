"""Write the course's public address wherever it is shown: `make address [REPO=you/every-pixel] [SITE=https://...]`.

Without REPO it is that of git's remote on GitHub; without SITE, a new address brings that of its GitHub Pages along.
The address stands in pyproject.toml alone. From there come the install cell at the head of every notebook and the
GitHub and Colab links in notebooks, README and pages, and README's table of the chapters that exist; the site's own
buttons read it while the site is built. CITATION.cff is written from the same place.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import nbformat

from book.tools import citation, exercises, notebooks

FIRST_CELL = """\
import importlib.util
from pathlib import Path

# On Colab or Kaggle the course's package has to be fetched first, from a file
# near the notebook if there is one.
if importlib.util.find_spec("segnb") is None:
    package = "git+https://github.com/{repository}@{ref}"
    for place in (".", "..", "../..", *Path("/kaggle/input").glob("**")):
        package = next(map(str, Path(place).glob("segnb-*.whl")), package)
    %pip install -q "{{package}}"
    if importlib.util.find_spec("segnb") is None:
        missing = ImportError(
            f"segnb could not be installed from {{package}}: switch the "
            "internet on (on Kaggle under Settings), see that this address "
            "exists, or put segnb-*.whl beside this notebook; then run this "
            "cell again."
        )
        missing._render_traceback_ = lambda: [str(missing)]
        raise missing

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


def readdress(text: str, old: str, new: str, ref: str, branch: str) -> str:
    """`text` with links to the repository `old` turned to `new`; they and install lines name `ref`, a tag or the branch."""
    text = re.sub(rf"({HOSTS}/){re.escape(old)}(?![\w-])", rf"\g<1>{new}", text)
    named = rf"(?:v\d+\.\d+\.\d+|{re.escape(branch)})(?![\w.-])"
    return re.sub(rf"({HOSTS}/{re.escape(new)}(?:@|/blob/|/tree/|/raw/)){named}", rf"\g<1>{ref}", text)


def chapter_table() -> str:
    """README's table of chapters: titles from book/index.md, links for those that exist.

    They lead to Colab once there is an address, until then to the notebook and the sheet beside README.
    """
    index = (notebooks.ROOT / "book" / "index.md").read_text(encoding="utf-8")
    place, link = ("on Colab", notebooks.colab_link) if notebooks.repository_url() else ("notebooks", str)
    rows = [f"| | chapter | {place} |", "|---|---|---|"]
    for name, title in re.findall(r"^:::\{chapter\} (\S+) (.+)$", index, flags=re.M):
        path = Path("chapters", f"{name}.ipynb")
        if (notebooks.ROOT / path).exists():
            sheet = path.parent / "exercises" / path.name
            links = [f"[chapter]({link(path.as_posix())})"]
            if (notebooks.ROOT / sheet).exists():
                links.append(f"[exercises]({link(sheet.as_posix())})")
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


def move(repository: str | None = None, site: str | None = None) -> list[Path]:
    """Set the address, where one is given, and write it, and the release, everywhere. → the files it changed"""
    old = notebooks.project()["repository"]
    # The sheets are made from the solutions. The others are read while the old site still tells what their links are.
    read = {path: notebooks.read(path) for path in notebooks.find("chapter", "deeper", "solution")}
    if repository is not None:
        set_repository(repository)
    if site is not None:
        set_site(site)
    return write_texts(old) + write_notebooks(old, read) + exercises.write()


def write_texts(old: str) -> list[Path]:
    """Turn links from the address `old` to pyproject's in all texts; → the files it changed."""
    wanted = {notebooks.ROOT / "CITATION.cff": citation.cff()}
    for path in texts():
        wanted[path] = ours(path.read_text(encoding="utf-8"), old)
        if path.name == "README.md":
            wanted[path] = with_table(wanted[path], chapter_table())
    return [path for path, text in wanted.items() if store(path, text)]


def write_notebooks(old: str, read: dict[Path, nbformat.NotebookNode]) -> list[Path]:
    """The same in the notebooks that were `read`, and their first cells; → the files it changed."""
    changed = []
    for path, notebook in read.items():
        for cell in notebook.cells:
            cell.source = ours(cell.source, old)
        if first := notebooks.code_cells(notebook)[:1]:
            first[0].source = first_cell()
            first[0].metadata.tags = FIRST_TAGS
        if store(path, notebooks.text(notebook, path)):
            changed.append(path)
    return changed


def ours(text: str, old: str) -> str:
    """`readdress` from `old` to the address and the release in pyproject.toml."""
    project = notebooks.project()
    return readdress(text, old, project["repository"], project["ref"], project["branch"])


def store(path: Path, text: str) -> bool:
    """Write a text, if its file holds another one. → whether it did"""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def of_remote() -> str:
    """OWNER/NAME of the GitHub repository that `git remote` calls origin; "" where there is none."""
    command = ["git", "remote", "get-url", "origin"]
    asked = subprocess.run(command, cwd=notebooks.ROOT, capture_output=True, text=True)
    match = re.search(rf"github\.com[:/]({OWNER}/[\w.-]+?)(?:\.git)?/?$", asked.stdout.strip())
    return match[1] if match else ""


def pages_of(repository: str) -> str:
    """Where GitHub Pages shows the site of a repository."""
    owner, name = repository.split("/")
    host = f"https://{owner.lower()}.github.io/"
    return host if name.lower() == f"{owner.lower()}.github.io" else f"{host}{name}/"


def report() -> str:
    """One line that says where the course lives, or what to do while nobody knows."""
    if url := notebooks.repository_url():
        return f"The course lives at {url}, its site at {notebooks.project()['site'] or 'no address yet'}"
    return (
        "No address is set, so nothing leads to GitHub or Colab yet: make address REPO=you/every-pixel "
        "(without REPO it is taken from git's remote)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "repository", nargs="?", help="OWNER/NAME; without it, that of git's remote, if there is one"
    )
    parser.add_argument(
        "--site", help="where the built site is published, or none; else GitHub Pages of a new address"
    )
    parser.add_argument("--report", action="store_true", help="change nothing, say where the course lives")
    arguments = parser.parse_args()
    if not arguments.report:
        repository, site = arguments.repository or of_remote() or None, arguments.site
        try:
            if repository not in (None, notebooks.project()["repository"]) and site is None:
                site = pages_of(repository) if "/" in repository else None
            changed = move(repository, "" if site == "none" else site)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        for path in changed:
            print(path.relative_to(notebooks.ROOT))
    print(report())
    return 0


if __name__ == "__main__":
    sys.exit(main())
