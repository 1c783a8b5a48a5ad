"""How pytest treats notebooks (with --nbval): each cell run twice, the real pictures, and what each notebook cost."""

import os
from collections import defaultdict

import pytest

from book.tools import notebooks

# In seconds; the report says which notebook is over its limit, it fails none.
LIMITS = {"chapters/exercises": 20, "chapters/solutions": 45, "chapters": 150}
AGAIN, REAL = "again", "on real pictures"
REPLAY = f"""import sys

sys.path.insert(0, {str(notebooks.ROOT)!r})
import tests.replay

tests.replay.install(get_ipython())
del sys.path[0], sys, tests
"""
seconds: dict[str, float] = defaultdict(float)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Compare text strictly; leave out what no two machines share: pictures' bytes, HTML, stderr."""
    if hasattr(collector, "skip_compare"):  # notebooks only
        collector.skip_compare += (
            "stderr",
            "text/html",
            "image/svg+xml",
            "application/vnd.google.colaboratory.intrinsic+json",
        )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run each cell of a lecture a second time, as readers do, and its section on real pictures once more on those.

    Only the first run is compared with what is stored; the others must end without an error. A cell that spoils what
    comes after it by running twice shows there. A training that begins as it did is replayed: see tests/replay.py.
    """
    cells = defaultdict(list)
    for item in items:
        if hasattr(item, "cell") and notebooks.kind(item.path) in ("chapter", "deeper"):
            cells[item.path].append(item)
    wanted = []
    for item in items:
        wanted.append(item)
        of_notebook = cells[item.path]
        if item in of_notebook:
            wanted.append(_repeated(item, AGAIN))
            if item is of_notebook[0]:  # has imported segnb
                wanted.append(_repeated(item, "and trainings kept", REPLAY))
            if item is of_notebook[-1] and os.environ.get("SEGNB_REAL"):
                wanted += _on_real_pictures(of_notebook)
    items[:] = wanted


def _repeated(item: pytest.Item, why: str, source: str | None = None) -> pytest.Item:
    """The cell of `item` (or other code in its kernel) as one more test, whose output is compared with nothing."""
    cell = item.cell.copy()
    if source is not None:
        cell.source = source
    return type(item).from_parent(
        item.parent,
        name=f"{item.name} {why}",
        cell_num=item.cell_num,
        cell=cell,
        options=item.options | {"check": False},
    )


def _on_real_pictures(items: list[pytest.Item]) -> list[pytest.Item]:
    """The cells of the section on real pictures, after one that tells the kernel where these are."""
    nb = items[0].parent.nb
    inside = notebooks.section(nb, notebooks.REAL_SECTION)
    found = [item for item in items if any(item.cell is cell for cell in inside)]
    if not found:
        return []
    place = os.path.abspath(os.environ["SEGNB_REAL"])
    source = f"import os\n\nos.environ['SEGNB_DATA'] = {place!r}"
    return [_repeated(found[0], "finds them", source), *(_repeated(item, REAL) for item in found)]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add the time of a cell's first run to that of its notebook."""
    notebook, _, cell = report.nodeid.partition("::")
    if notebook.endswith(".ipynb") and len(cell.split()) == 2:
        seconds[notebook] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seconds per notebook, beside the limit it should keep."""
    if not seconds:
        return
    terminalreporter.section("seconds per notebook, on one core, each cell once")
    for notebook, spent in seconds.items():
        limit = next((limit for folder, limit in LIMITS.items() if notebook.startswith(folder)), None)
        remark = f"  over its limit of {limit} s" if limit and spent > limit else ""
        terminalreporter.line(f"{spent:7.1f}  {notebook}{remark}")
