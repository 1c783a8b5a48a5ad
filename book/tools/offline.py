"""A folder for a room without internet: `make offline` writes build/offline/every-pixel-VERSION/.

It holds the package as a wheel, the notebooks, the built site and, where they are at hand, the real pictures. Links
in its notebooks lead to its own site. Generated pictures need no file at all.
"""

import os
import shutil
import sys
from pathlib import Path

import nbformat

from book.tools import links, notebooks, wheel

SITE = "_build/html"
REAL = ("camvid", "isbi2012")
START = """\
Every Pixel {version}, for use without internet

Reading: open site/index.html in a browser.

Running: a computer needs Python with what requirements.txt lists and JupyterLab, installed while it still had
a network. Start JupyterLab in this folder and open a notebook in chapters/. Its first cell installs the package from
the file {wheel} that lies here; nothing is fetched. Students who get nothing but
a sheet need that file beside it.

Pictures: {pictures}

Grading: put what was handed in into a folder, submissions/, and run
    segnb grade submissions --out grades.csv
On a computer where no notebook has been opened yet, install the package first:
    pip install --no-index {wheel}
"""


def build(folder: Path, site: Path, real: Path | None) -> Path:
    """Write the folder anew. → it

    site: where the built site is. real: a folder that holds some of the real data sets, None where there is none.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    package = wheel.build(folder)
    shutil.copytree(site, folder / "site")
    shutil.copy(notebooks.ROOT / "requirements.txt", folder)
    for path in notebooks.find():
        copy_notebook(path, folder)
    found = [name for name in REAL if real and (real / name).is_dir()]
    for name in found:
        shutil.copytree(real / name, folder / "data" / name)
    (folder / "START.txt").write_text(
        START.format(version=notebooks.project()["version"], wheel=package.name, pictures=pictures(found)),
        encoding="utf-8",
    )
    return folder


def copy_notebook(path: Path, folder: Path) -> None:
    """The notebook with links to pages that lead to the site beside it."""
    notebook = notebooks.read(path)
    place = notebooks.folder(path)
    site = "../" * (place.count("/") + 1) + "site/"
    notebooks.relink(notebook, lambda text: links.outward(text, place, site))
    copy = folder / path.relative_to(notebooks.ROOT)
    copy.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, copy)


def pictures(found: list[str]) -> str:
    """What START.txt says of data."""
    if not found:
        return "all are drawn from a seed, so there is no file of them. Set SEGNB_DATA=generated, and nobody waits\nfor a server."
    return (
        f"generated ones need no file; the real ones of {' and '.join(found)} are in data/. Set SEGNB_DATA to the full\n"
        "path of data/ before JupyterLab starts."
    )


def at_hand() -> Path | None:
    """The folder of real data sets that segnb would look into, None where there is none."""
    asked = os.environ.get("SEGNB_DATA", "")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segnb"
    place = Path(asked) if asked not in ("", "generated") else cache
    return place if place.is_dir() else None


def main() -> int:
    site = notebooks.ROOT / SITE
    name = f"every-pixel-{notebooks.project()['version']}"
    folder = build(notebooks.ROOT / "build" / "offline" / name, site, at_hand())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"Copy this folder, {size / 1e6:.0f} MB: {folder}\nIts START.txt says what to do with it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
