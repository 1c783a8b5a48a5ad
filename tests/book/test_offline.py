"""`make offline`: the folder holds what it needs, and works from the first cell to the grades with the network cut off."""

import csv
import os
import re
import shutil
import subprocess
from urllib.parse import unquote

import nbformat
import pytest

from book.tools import notebooks, offline

SHEET = "01_every_pixel.ipynb"
# Everything after this line runs in a network of its own, in which nothing but the machine itself can be reached.
CUT_OFF = ["unshare", "--user", "--map-root-user", "--net", "sh", "-ec"]
LESSON = """
ip link set lo up
cd "$FOLDER/chapters/exercises"
"$PYTHON" -m nbconvert --log-level ERROR --execute --to notebook --output-dir "$OUT/ran" "$SHEET"
cd "$OUT"
"$PYTHON" -m segnb grade submissions --out grades.csv
"""


def network_can_be_cut() -> bool:
    try:
        return subprocess.run([*CUT_OFF, "ip link set lo up"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def folder(site, tmp_path_factory):
    """The folder, with a real set that is no more than a name."""
    place = tmp_path_factory.mktemp("offline")
    (place / "sets" / "camvid").mkdir(parents=True)
    (place / "sets" / "camvid" / "one.txt").write_text("a picture")
    return offline.build(place / "every-pixel", site, place / "sets")


def test_it_holds_package_site_notebooks_and_what_real_pictures_there_are(folder):
    there = {path.relative_to(notebooks.CHAPTERS) for path in notebooks.find()}
    assert {path.relative_to(folder / "chapters") for path in (folder / "chapters").rglob("*.ipynb")} == there
    (wheel,) = folder.glob("segnb-*.whl")
    start = (folder / "START.txt").read_text(encoding="utf-8")
    assert wheel.name in start
    assert "of camvid are in data/" in start
    assert (folder / "data" / "camvid" / "one.txt").exists()
    assert (folder / "site" / "index.html").exists()
    assert "SEGNB_DATA=generated" in offline.pictures([])


def test_no_link_of_its_notebooks_leaves_it(folder):
    seen = 0
    for path in (folder / "chapters").rglob("*.ipynb"):
        text = notebooks.markdown(nbformat.read(path, as_version=4))
        for target in re.findall(r"\]\(([^()\s:#]+)(?:#[^()\s]*)?\)", re.sub(r"`[^`]*`", "", text)):
            assert (path.parent / unquote(target)).resolve().is_relative_to(folder.resolve()), (
                f"{path}: {target}"
            )
            assert (path.parent / unquote(target)).exists(), f"{path}: {target}"
            seen += 1
    assert seen > 50


def test_from_the_first_cell_to_the_grades_without_a_network(folder, without_segnb, tmp_path):
    if not network_can_be_cut():
        pytest.skip("this machine cannot cut a process off from the network")
    (tmp_path / "submissions").mkdir()
    shutil.copy(notebooks.CHAPTERS / "solutions" / SHEET, tmp_path / "submissions" / "ada.ipynb")
    environment = os.environ | {
        "FOLDER": str(folder),
        "OUT": str(tmp_path),
        "PYTHON": str(without_segnb()),
        "SHEET": SHEET,
        "PYTHONPATH": "",
        "SEGNB_DATA": "generated",
    }
    done = subprocess.run([*CUT_OFF, LESSON], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = nbformat.read(tmp_path / "ran" / SHEET, as_version=4)
    first, *_ = notebooks.code_cells(ran)
    assert any("device: " in output.get("text", "") for output in first.outputs)
    assert all(cell.execution_count for cell in notebooks.code_cells(ran))
    with (tmp_path / "grades.csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert rows
    lost = [
        (row["exercise"], row["first failed hint"])
        for row in rows
        if float(row["points"]) < float(row["max"])
    ]
    assert lost == []
