"""The deeper notebook on SegNet shows the variants that its study trained, not others of the same names."""

import ast

from book.tools import notebooks, studies


def definitions(source):
    """Classes and functions by name, as syntax trees without line numbers or docstrings."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = ast.dump(node)
    return found


def test_the_notebook_shows_the_classes_that_were_trained():
    study = studies.essence((studies.STUDIES / "segnet_variants.py").read_text(encoding="utf-8"))
    trained = definitions(study)
    del trained["one_seed"]
    notebook = notebooks.read(notebooks.CHAPTERS / "deeper" / "07_segnet.ipynb")
    shown = {}
    for cell in notebooks.code_cells(notebook)[1:]:
        shown |= definitions(studies.essence(cell.source))
    assert len(trained) == 7
    assert {name: shown.get(name) for name in trained} == trained
