"""The root's conftest.py: each cell of a lecture runs twice, its section on real pictures on those too."""

import os
import re
import subprocess
import sys
from functools import partial

import nbformat
import pytest
import torch

from book.tools import notebooks
from tests import run
from tests.replay import fingerprint

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
        "Cell 0 and trainings kept": "PASSED",
        "Cell 1": "PASSED",
        "Cell 1 again": "FAILED",
    }


def test_a_second_run_that_spoils_what_comes_later_is_found(outcomes):
    found = outcomes("x = 0", "x += 1", "print(x)\n>>> 1")
    assert {name for name, outcome in found.items() if outcome == "FAILED"} == {"Cell 2"}


def test_only_the_first_output_is_compared(outcomes):
    found = outcomes("seen = globals().get('seen', 0) + 1\nprint(seen)\n>>> 1")
    assert (found["Cell 0"], found["Cell 0 again"]) == ("PASSED", "PASSED")


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
    assert found.pop("Cell 0 and trainings kept") == "PASSED"
    assert set(found) == {f"Cell {n}{again}" for n in range(3) for again in ("", " again")}
    assert set(found.values()) == {"PASSED"}
    assert set(outcomes(*cells, SEGNB_REAL="")) - {"Cell 0 and trainings kept"} == set(found)


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


TRAIN = """history = segnb.fit(net, data, loss=F.cross_entropy, steps=3, batch_size=2, lr=0.1, progress=False)
taken = globals().get('taken', []) + [history.seconds]
ends = globals().get('ends', []) + [net.weight.detach().clone()]"""
MADE = "torch.manual_seed(0)\nnet = nn.Conv2d(1, 2, 1)"
READY = """import segnb, torch
from torch import nn
from torch.nn import functional as F

data = torch.utils.data.TensorDataset(torch.rand(4, 1, 8, 8), torch.zeros(4, 8, 8).long())"""


def test_a_training_that_begins_as_before_is_replayed(outcomes):
    found = outcomes(
        READY,
        f"{MADE}\n{TRAIN}",
        "assert taken[0] == taken[1] and torch.equal(*ends)",
        f"{MADE}\n{TRAIN}",  # a new cell trains, though it is the same
        "assert taken[2] != taken[0] and torch.equal(ends[2], ends[0])",
    )
    assert len(found) == 11
    assert set(found.values()) == {"PASSED"}


def test_a_training_that_goes_on_with_a_trained_net_is_not(outcomes):
    found = outcomes(READY, MADE, TRAIN, "assert taken[0] != taken[1] and not torch.equal(*ends)")
    assert set(found.values()) == {"PASSED"}


def test_the_start_of_a_training_is_told_by_content():
    weights = {"w": torch.zeros(2)}
    same = [
        fingerprint([weights, partial(len, [1])]),
        fingerprint([{"w": torch.zeros(2)}, partial(len, [1])]),
    ]
    assert same[0] == same[1]

    def augment(by):
        return lambda image: image + by

    others = [
        {"w": torch.ones(2)},
        {"w": torch.zeros(2, 1)},
        partial(len, [2]),
        augment(1),
        augment(2),
        1,
        1.0,
        "1",
    ]
    assert len({fingerprint(other) for other in others}) == len(others)
    assert fingerprint(augment(1)) == fingerprint(augment(1))
