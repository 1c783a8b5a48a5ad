"""The notebooks on SegNet show what their studies trained: the same variants, the same lengths of training."""

import ast
import json
import re

from book.tools import notebooks, studies
from book.tools.essence import essence


def definitions(source):
    """Classes and functions by name, as syntax trees without line numbers or docstrings."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = ast.dump(node)
    return found


def test_the_notebook_shows_the_classes_that_were_trained():
    [path] = (path for path in studies.find() if path.stem == "segnet_variants")
    trained = definitions(essence(path.read_text(encoding="utf-8")))
    del trained["one_seed"]
    notebook = notebooks.read(notebooks.CHAPTERS / "deeper" / "07_segnet.ipynb")
    shown = {}
    for cell in notebooks.code_cells(notebook)[1:]:
        shown |= definitions(essence(cell.source))
    assert len(trained) == 7
    assert {name: shown.get(name) for name in trained} == trained


def test_the_lecture_trains_as_long_as_its_studies():
    lecture = notebooks.read(notebooks.CHAPTERS / "07_segnet.ipynb")
    code = "\n".join(cell.source for cell in notebooks.code_cells(lecture))
    generated, real = map(int, re.findall(r"run\.scale\(cpu=(\d+),", code))
    assert generated in lengths("segnet_upsampling")
    assert real in lengths("camvid_segnet_upsampling")


def lengths(name):
    """The steps of all trainings in a stored study on ways up."""
    stored = json.loads((studies.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return {steps for runs in stored["figures"].values() for run in runs.values() for steps in run["steps"]}
