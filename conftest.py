"""How pytest treats notebooks (with --nbval), and what each of them cost."""

from collections import defaultdict

import pytest

# The limits of design §1, in seconds on two cores; the report says which notebook is over, it fails none.
LIMITS = {"chapters/exercises": 20, "chapters/solutions": 45, "chapters": 150}
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


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add the time of a cell to that of its notebook."""
    notebook = report.nodeid.split("::")[0]
    if notebook.endswith(".ipynb"):
        seconds[notebook] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seconds per notebook, beside the limit it should keep."""
    if not seconds:
        return
    terminalreporter.section("seconds per notebook")
    for notebook, spent in seconds.items():
        limit = next(limit for folder, limit in LIMITS.items() if notebook.startswith(folder))
        remark = f"  over its limit of {limit} s" if spent > limit else ""
        terminalreporter.line(f"{spent:7.1f}  {notebook}{remark}")
