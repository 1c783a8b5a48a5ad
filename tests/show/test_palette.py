"""One palette: figures, masks, demos and the site paint the same thing in the same colour."""

import re
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import segnb
from segnb import show
from segnb.show import style
from tests.show.test_figures import lab

ROOT = Path(segnb.__file__).parents[1]
SETS = ("cells", "street", "dish", "countries")
NIGHT = "#7fb8ea"  # the blue of links and sliders on a dark page
# Everything that `style` names, the site's blue by night, and plain white and black.
KNOWN = {colour for value in vars(style).values() for colour in re.findall(r"#[0-9a-f]{6}", str(value))}
KNOWN |= {NIGHT, "#ffffff", "#000000"}


def written(path):
    """The colours that a source names, as #rrggbb."""
    found = re.findall(r"(?<![\w&])#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b", path.read_text(encoding="utf-8"))
    return {"#" + (text if len(text) == 6 else "".join(2 * one for one in text)).lower() for text in found}


@pytest.mark.parametrize("folder", ["show", "demos"])
def test_figures_players_and_demos_name_no_colour_of_their_own(folder):
    sources = [path for kind in ("py", "js", "css") for path in (ROOT / "segnb" / folder).glob(f"*.{kind}")]
    assert len(sources) > 5
    assert {path.name: written(path) - KNOWN for path in sources if written(path) - KNOWN} == {}


def test_the_site_has_the_colours_of_the_figures():
    root, by_day, by_night = re.findall(
        r'(?:^:root|data-theme="light"\]|data-theme="dark"\]) \{(.*?)\}',
        (ROOT / "book" / "_static" / "course.css").read_text(encoding="utf-8"),
        flags=re.S | re.M,
    )[:3]
    named = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", root))
    assert named == {name: colour for name, colour in show.COLOURS.items() if name != "black"}
    page = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", by_day))
    assert (page["paper"], page["ink"]) == (style.PAPER, style.INK)
    assert dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", by_night))["accent"] == NIGHT


@pytest.mark.parametrize("name", ["logo.svg", "favicon.svg"])
def test_the_sign_of_the_course_has_them_too(name):
    assert written(ROOT / "book" / "_static" / name) == set(show.COLOURS.values()) - {style.INK}


def test_a_class_has_one_colour_in_all_sets_that_have_it():
    colours = defaultdict(set)
    for name in SETS:
        data = segnb.data.load(name, "val")
        for word, colour in zip(data.classes, data.palette.tolist(), strict=True):
            colours[word].add(tuple(colour))
    assert len(colours["road"]) == len(colours["cell"]) == 1
    assert {word: found for word, found in colours.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", SETS)
def test_no_class_can_be_taken_for_an_error(name):
    classes = ["#" + bytes(colour).hex() for colour in segnb.data.load(name, "val").palette]
    away = [np.linalg.norm(lab(colour) - lab(style.ERROR)) for colour in classes]
    assert min(away) >= 25


def test_a_demo_of_masks_has_the_classes_colours():
    module = import_module("segnb.demos.measures")
    street = segnb.data.load("street", "val")
    colours = dict(zip(street.classes, map(tuple, street.palette.tolist()), strict=True))
    assert dict(zip(module.CLASSES, module.PALETTE, strict=True)).items() <= colours.items()
