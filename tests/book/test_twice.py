"""The root's conftest.py: each cell of a lecture runs twice, its section on real pictures on those too."""

import os
import re
import subprocess
import sys

import nbformat
import pytest

from book.tools import notebooks
from tests import run

HEADING = f"## {notebooks.REAL_SECTION}"
WHERE = "import os\n\nprint(os.path.basename(os.environ['SEGNB_DATA']))"


@pytest.fixture
def outcomes(tmp_path):
    """Runs a notebook of these cells (Markdown if they begin with #) under nbval → {test: outcome}."""

    def outcomes(*sources, **environment):
        nb = nbformat.v4.new_notebook()
        for source in sources:
            text, _, output = source.partition("\n>>> ")
            make = nbformat.v4.new_markdown_cell if text.startswith("#") else nbformat.v4.new_code_cell
            nb.cells.append(make(text))
            if output:
                nb.cells[-1].outputs = [nbformat.v4.new_output("stream", text=output + "\n")]
                nb.cells[-1].execution_count = 1
        path = tmp_path / "01_trial.ipynb"
        nbformat.write(nb, path)
        command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-v"]
        command += ["--rootdir", str(tmp_path), "--nbval", "--nbval-current-env", str(path)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(notebooks.ROOT),
            "SEGNB_DATA": "generated",
            **environment,
        }
        ran = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        return dict(re.findall(r"::(Cell .+?) (PASSED|FAILED)", ran.stdout))

    return outcomes


def test_a_cell_that_cannot_run_twice_is_found(outcomes):
    found = outcomes("x = 0", "x += 1\nassert x < 2")
    assert found == {
        "Cell 0": "PASSED",
        "Cell 0 again": "PASSED",
        "Cell 1": "PASSED",
        "Cell 1 again": "FAILED",
    }


def test_a_second_run_that_spoils_what_comes_later_is_found(outcomes):
    found = outcomes("x = 0", "x += 1", "print(x)\n>>> 1")
    assert {name for name, outcome in found.items() if outcome == "FAILED"} == {"Cell 2"}


def test_only_the_first_output_is_compared(outcomes):
    found = outcomes("seen = globals().get('seen', 0) + 1\nprint(seen)\n>>> 1")
    assert found == {"Cell 0": "PASSED", "Cell 0 again": "PASSED"}


def test_the_section_on_real_pictures_runs_on_those_too(outcomes, tmp_path):
    place = tmp_path / "pictures"
    place.mkdir()
    real = f"{WHERE}\nassert os.environ['SEGNB_DATA'] == 'generated'\n>>> generated"
    cells = (
        "# 1",
        "y = 1",
        HEADING,
        real,
        "## Summary",
        "assert 'generated' in __import__('os').environ.values()",
    )
    found = outcomes(*cells, SEGNB_REAL="pictures")
    assert found.pop("Cell 1 on real pictures") == "FAILED"  # it ran there, and its assertion was on
    assert found.pop("Cell 1 finds them") == "PASSED"
    assert set(found) == {f"Cell {n}{again}" for n in range(3) for again in ("", " again")}
    assert set(found.values()) == {"PASSED"}
    assert set(outcomes(*cells, SEGNB_REAL="")) == set(found)


def test_the_text_on_real_pictures_is_not_compared(outcomes, tmp_path):
    found = outcomes("# 1", HEADING, f"{WHERE}\n>>> generated", SEGNB_REAL=str(tmp_path))
    assert found["Cell 0 on real pictures"] == "PASSED"


def test_the_closing_table_says_whether_real_pictures_were_met(monkeypatch, tmp_path):
    monkeypatch.delenv("SEGNB_REAL", raising=False)
    assert "not run" in run.real_pictures()
    monkeypatch.setenv("SEGNB_REAL", str(tmp_path / "absent"))
    with pytest.raises(NotADirectoryError, match="no folder"):
        run.real_pictures()
    monkeypatch.setenv("SEGNB_REAL", str(tmp_path))
    with pytest.raises(NotADirectoryError, match="neither"):
        run.real_pictures()
    (tmp_path / "camvid").mkdir()
    assert run.real_pictures() == "real pictures of camvid too"


def test_a_section_ends_where_the_next_of_its_level_begins():
    sources = ["## A", "x", "### B", "text\n\n## C", "y"]
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source) for source in sources])
    assert [cell.source for cell in notebooks.section(nb, "A")] == sources[:3]
    assert notebooks.section(nb, "nowhere") == []
