"""One subject, one name, in every folder."""

import pytest

from book.tools import notebooks

PACKAGE, TESTS = notebooks.ROOT / "segnb", notebooks.ROOT / "tests"
# Chapters on a network or a loss, and the folder of segnb in which their subject lives.
SUBJECTS = {
    "03_cross_entropy": "losses",
    "04_dice": "losses",
    "05_fcn": "models",
    "06_unet": "models",
    "07_segnet": "models",
    "08_deeplabv3": "models",
}


@pytest.mark.parametrize("path", notebooks.find("chapter"), ids=lambda path: path.stem)
def test_a_chapter_is_complete(path):
    subject = path.stem.split("_", 1)[1]
    assert (notebooks.CHAPTERS / "solutions" / path.name).exists()
    assert (notebooks.CHAPTERS / "exercises" / path.name).exists()
    assert (PACKAGE / "exercises" / "tasks" / f"{subject}.py").exists()
    assert (TESTS / "exercises" / "tasks" / f"test_{subject}.py").exists()
    if folder := SUBJECTS.get(path.stem):
        assert (PACKAGE / folder / f"{subject}.py").exists()
        assert (TESTS / folder / f"test_{subject}.py").exists()


@pytest.mark.parametrize("path", notebooks.find("deeper", "sheet"), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_what_belongs_to_a_chapter_has_one(path):
    assert (notebooks.CHAPTERS / path.name).exists()
    if path.parent.name == "exercises":
        assert (notebooks.CHAPTERS / "solutions" / path.name).exists()


ROOMS = ("losses", "models", "exercises/tasks", "data/generated", "data/real")


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_is_tested_under_its_name(room):
    modules = {path.stem for path in (PACKAGE / room).glob("[a-z]*.py")}
    tested = {path.stem.removeprefix("test_") for path in (TESTS / room).glob("test_*.py")}
    assert modules
    assert modules - tested == set()


def test_every_file_of_tests_stands_in_the_room_of_its_subject():
    rooms = {str(path.parent.relative_to(TESTS)) for path in TESTS.rglob("test_*.py")} - {
        "book",
        "fuzz",
    }  # of all rooms
    assert all((PACKAGE / room).is_dir() for room in rooms)


def test_the_map_of_chapters_knows_every_chapter():
    index = (notebooks.ROOT / "book" / "index.md").read_text(encoding="utf-8")
    for path in notebooks.find("chapter"):
        assert f":::{{chapter}} {path.stem} " in index
