"""The stamp of a function changes with all code that it reaches, and with nothing else."""

import ast
import importlib
import itertools
import shutil
import sys

import pytest

import segnb
from book.tools import notebooks, reach, weights
from book.tools.essence import essence

# A study on its desk, and the package that it uses.
FILES = {
    "desk/study.py": '''
import house
import house.metal as ore
from desk.recipe import cook
from house.kinds import Copper


def told(words):
    return lambda function: function


@told("once")
def one_seed(seed, steps, loss=house.mean):
    """Does it shine?"""
    from house.paint import coat

    tools = house.tools
    shiny = cook(seed) + coat(1) + tools.hone(2) + Copper().shine()
    return shiny + ore.melt(steps) + loss([1]) + house.late(3)


def unreached():
    return house.rust
''',
    "desk/recipe.py": """
from house import shine

SALT = 3


def cook(seed):
    return shine(seed) * SALT  # to taste
""",
    "house/__init__.py": """
import importlib

from house import kinds, metal, paint, tools
from house.sums import average as mean
from house.tools import polish as shine


def __getattr__(name):
    if name == "late":
        return importlib.import_module("house.evening").late
    raise AttributeError(name)
""",
    "house/tools.py": """
def polish(x):
    return x + 10


def hone(x):
    return x + 20


def blunt(x):
    return x + 30
""",
    "house/metal.py": """
HEATS = [1]
HEATS.append(2)


def twice(function):
    return lambda x: 2 * function(x)


@twice
def melt(x):
    def drop(y):
        return y + HEATS[0] + COLD

    return drop(x)


COLD: int = 40
""",
    "house/kinds.py": """
class Metal:
    hard = 50

    def shine(self):
        return self.glow() + self.hard

    def glow(self):
        return 60


class Copper(Metal):
    pass
""",
    "house/paint.py": """
try:
    from .colours import red as colour
except ImportError:
    from .sums import average as colour


def coat(x):
    return x + colour()
""",
    "house/colours.py": "def red():\n    return 70\n",
    "house/sums.py": "def average(values):\n    return sum(values) / len(values)\n",
    "house/evening.py": "def late(x):\n    return x + 80\n",
}


@pytest.fixture
def stamp(tmp_path, monkeypatch):
    """Stamp `one_seed` in desk/study.py, or another module, of these files."""
    monkeypatch.setattr(reach, "PACKAGES", ("desk", "house", "segnb"))
    numbers = itertools.count()

    def forget():
        for name in [name for name in sys.modules if name.split(".")[0] in ("desk", "house")]:
            del sys.modules[name]

    def stamp(files, *words, study="desk.study"):
        folder = tmp_path / str(next(numbers))
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        forget()
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            return reach.stamp(importlib.import_module(study).one_seed, *words)

    yield stamp
    forget()


def changed(files, name, old, new):
    assert files[name].count(old) == 1
    return files | {name: files[name].replace(old, new)}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param("desk/study.py", "cook(seed) +", "cook(seed) -", id="the function itself"),
        pytest.param("desk/recipe.py", "* SALT", "+ SALT", id="a function of another module"),
        pytest.param("desk/recipe.py", "SALT = 3", "SALT = 4", id="a constant"),
        pytest.param("house/tools.py", "x + 10", "x + 11", id="behind an alias that a package hands on"),
        pytest.param("house/tools.py", "x + 20", "x + 21", id="of a module under another name"),
        pytest.param("house/metal.py", "2 * function", "3 * function", id="a decorator"),
        pytest.param("house/metal.py", "y + HEATS", "y - HEATS", id="a function inside a function"),
        pytest.param("house/metal.py", "int = 40", "int = 41", id="a constant with a type, below"),
        pytest.param("house/metal.py", "append(2)", "append(3)", id="what runs at import"),
        pytest.param("house/kinds.py", "hard = 50", "hard = 51", id="an attribute of a base class"),
        pytest.param(
            "house/kinds.py", "hard = 50", "hard: int = 50", id="an annotation that a class may read"
        ),
        pytest.param("house/kinds.py", "return 60", "return 61", id="a method of a base class"),
        pytest.param("house/paint.py", "x + colour", "x - colour", id="an import inside a function"),
        pytest.param("house/colours.py", "return 70", "return 71", id="an import that is tried"),
        pytest.param("house/sums.py", "/ len", "// len", id="a default argument"),
        pytest.param("house/evening.py", "x + 80", "x + 81", id="what a package imports when it is asked"),
        pytest.param("house/__init__.py", 'if name == "late"', 'if "late" == name', id="how it is asked"),
    ],
)
def test_the_stamp_changes_with_what_is_reached(stamp, name, old, new):
    assert stamp(changed(FILES, name, old, new)) != stamp(FILES)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param("desk/recipe.py", "# to taste", "# with care", id="a comment"),
        pytest.param("desk/study.py", "Does it shine?", "Does it\n\n    glow?", id="a docstring"),
        pytest.param("desk/recipe.py", "\nSALT = 3\n", "\n\n\nSALT = 3   \n", id="blank lines and spaces"),
        pytest.param("house/tools.py", "x + 30", "x + 31", id="another function of a file"),
        pytest.param("desk/study.py", "house.rust", "house.polish", id="another function of the study's"),
        pytest.param("desk/study.py", '@told("once")', '@told("twice")', id="how the study is announced"),
        pytest.param("desk/recipe.py", "house import", "house.tools import polish as", id="the way of an import"),
        pytest.param("desk/study.py", "import house.metal", "from house import metal", id="an import's form"),
        pytest.param("desk/study.py", "paint import coat", "paint import (coat)", id="the look of an import"),
        pytest.param("house/tools.py", "polish(x)", "polish(\n    x: int,\n) -> int", id="annotations"),
        pytest.param("desk/study.py", "(seed, steps,", "(seed, steps: house.tools.blunt,", id="what they name"),
    ],
)  # fmt: skip
def test_the_stamp_does_not_change_with_anything_else(stamp, name, old, new):
    assert stamp(changed(FILES, name, old, new)) == stamp(FILES)


def test_nothing_reads_the_annotations_of_a_function():
    """Else they could change a number, and would have to count."""
    readers = {"__annotations__", "annotation", "get_annotations", "get_type_hints", "singledispatch"}
    for folder in ("segnb", "book/studies"):
        for path in (notebooks.ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = {getattr(node, "attr", getattr(node, "id", None)) for node in ast.walk(tree)}
            assert not readers & names, path


def test_moving_code_changes_nothing(stamp):
    moved = changed(
        FILES, "house/tools.py", "def polish(x):\n    return x + 10\n", "from .brushes import polish\n"
    )
    moved |= {"house/brushes.py": '"""Brushes."""\n\n\ndef polish(x):\n    return x + 10\n'}
    moved |= {"desk/room/study.py": moved.pop("desk/study.py").replace("desk.recipe", "desk.room.recipe")}
    moved |= {"desk/room/recipe.py": moved.pop("desk/recipe.py")}
    assert stamp(moved, study="desk.room.study") == stamp(FILES)


def test_the_order_in_a_file_changes_nothing(stamp):
    first, second, third = FILES["house/tools.py"].strip().split("\n\n\n")
    assert stamp(FILES | {"house/tools.py": "\n\n\n".join((third, second, first)) + "\n"}) == stamp(FILES)


def test_two_names_that_are_exchanged_change_the_stamp(stamp):
    study = (
        "from house.tools import {} as a, {} as b\n\n\ndef one_seed(seed, steps):\n    return a(2) - b(1)\n"
    )
    one, other = (
        {"desk/study.py": study.format(*names)} for names in (("hone", "polish"), ("polish", "hone"))
    )
    assert stamp(FILES | one) != stamp(FILES | other)


# Two sets, and one that is drawn where the other is not there.
SETS = {
    "desk/study.py": "from desk.recipe import draw\n\n\ndef one_seed(seed, steps):\n    return draw(seed)\n",
    "desk/recipe.py": "from house.sets import load\n\n\ndef draw(seed):\n    return load('gold')\n",
    "house/__init__.py": "",
    "house/sets.py": """
from house import gold, iron, tin


class Set:
    def __init__(self, module):
        self.module = module


SETS = {
    "gold": Set(gold),
    "iron": Set(iron),
    "tin": Set(tin),
}


def load(name):
    return SETS[name].module.render()
""",
    "house/gold.py": "from house.tools import polish\n\n\ndef render():\n    return polish(1)\n",
    "house/iron.py": "TWIN = 'tin'\n\n\ndef render():\n    return 2\n",
    "house/tin.py": "def render():\n    return 3\n",
    "house/tools.py": "def polish(x):\n    return x\n",
}
IRON = changed(SETS, "desk/recipe.py", "'gold'", "'iron'")


def test_a_set_is_reached_by_its_word(stamp):
    gold = changed(SETS, "house/gold.py", "polish(1)", "polish(2)")
    polish = changed(SETS, "house/tools.py", "return x", "return -x")
    assert len({stamp(SETS), stamp(gold), stamp(polish), stamp(IRON)}) == 4


def test_another_set_is_not_reached(stamp):
    assert stamp(changed(SETS, "house/iron.py", "return 2", "return 4")) == stamp(SETS)
    more = changed(SETS, "house/sets.py", '    "tin"', '    "silver": Set(iron),\n    "tin"')
    assert stamp(more) == stamp(SETS)


def test_a_set_reaches_its_twin(stamp):
    assert stamp(changed(IRON, "house/tin.py", "return 3", "return 5")) != stamp(IRON)
    assert stamp(changed(IRON, "house/gold.py", "polish(1)", "polish(2)")) == stamp(IRON)


def test_a_word_may_be_said_beside_the_function(stamp):
    assert stamp(SETS, "tin") != stamp(SETS)
    assert stamp(SETS, "lead") == stamp(SETS)


def test_how_a_set_is_made_counts(stamp):
    entry = changed(SETS, "house/sets.py", "Set(gold)", "Set(gold or None)")
    kind = changed(SETS, "house/sets.py", "self.module = module", "self.module = module or None")
    assert len({stamp(SETS), stamp(entry), stamp(kind)}) == 3


def test_a_shipped_network_counts_by_its_class_and_its_weights(stamp, tmp_path, monkeypatch):
    study = {"desk/study.py": "import segnb\n\n\ndef one_seed(seed, steps):\n    segnb.load_trained('fcn')\n"}
    folder = shutil.copytree(weights.FOLDER, tmp_path / "trained")
    before = stamp(study)
    monkeypatch.setattr(weights, "FOLDER", folder)
    assert stamp(study) == before
    (folder / "unet.pt").write_bytes(b"other weights")
    assert stamp(study) == before
    (folder / "fcn.pt").write_bytes(b"other weights")
    assert stamp(study) != before
    texts = [part.text for part in reach.reached(sys.modules["desk.study"].one_seed)]
    assert any(text.startswith("class FCN(") for text in texts)
    assert not any(text.startswith("class UNet(") for text in texts)


def test_other_packages_are_not_read(stamp):
    stamp(
        FILES | {"desk/recipe.py": "from torch import relu as shine\n\n\ndef cook(x):\n    return shine(x)\n"}
    )
    found = reach.reached(sys.modules["desk.study"].one_seed)
    assert {part.module.__name__.split(".")[0] for part in found} == {"desk", "house"}


def test_functions_are_not_hidden_by_the_modules_of_their_names():
    found = list(reach.meaning(segnb, "losses", "cross_entropy"))
    assert [part.node.name for part in found] == ["cross_entropy"]


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ('"""Doc."""\nx = "# no comment"  # comment\n\n', 'x = "# no comment"'),
        ('def f():\n    """Doc\n    of f."""\n    return 1   \n', "def f():\n    return 1"),
        ('class Wrong(Exception): """Why."""\n', "class Wrong(Exception):"),
        ("from a import (\n    b,  # why\n    c,\n)\nx = b\n", "x = b"),
        ("π = 'é'; import a\n", "π = 'é';"),
        (
            "def f(x='''a\n b'''):\n    import a.b as c\n\n    return c\n",
            "def f(x='''a\n b'''):\n    return c",
        ),
        (
            "async def f(é: int, *a: 'x', y: int = lambda z, k=2: k, **more: (int)) -> dict[str, 'int']: pass\n",
            "async def f(é,*a,y=lambda z,k=2:k,**more): pass",
        ),
        (
            "def f(\n    x: int,  # first\n    y=(1,),\n) -> None:\n    z: int = 1\n",
            "def f(x,y=(1,)):\n    z: int = 1",
        ),
        (
            "class A:\n    def f(self, x) -> 'A':\n        return x\n",
            "class A:\n    def f(self,x):\n        return x",
        ),
    ],
)
def test_essence(source, left):
    assert essence(source) == left
