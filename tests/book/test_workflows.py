"""What GitHub runs: each line of the workflows calls something that is here."""

import re

import pytest
import yaml

from book.tools import notebooks

WORKFLOWS = sorted((notebooks.ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (notebooks.ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.M)[1].split())


def jobs(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()


def commands(path) -> list[str]:
    """The shell lines of a workflow, those that a matrix holds too."""
    found = []
    for job in jobs(path):
        found += [step["run"] for step in job["steps"] if "run" in step]
        found += [entry["command"] for entry in job.get("strategy", {}).get("matrix", {}).get("include", [])]
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_what_there_is(path):
    called = re.findall(
        r"^(?:make (?P<target>\S+)|(?P<file>\.\S+/\S+))", "\n".join(commands(path)), flags=re.M
    )
    assert called
    for target, file in called:
        assert target in TARGETS if target else (notebooks.ROOT / file).exists()


def test_every_python_that_the_book_allows_is_tested():
    (job,) = jobs(next(path for path in WORKFLOWS if path.stem == "tests"))
    versions = job["strategy"]["matrix"]["python"]
    low, high = re.search(r"\((3, \d+)\) <= sys.version_info\[:2\] <= \((3, \d+)\)", MAKEFILE).groups()
    assert [versions[0], versions[-1]] == [low.replace(", ", "."), high.replace(", ", ".")]


def test_the_site_is_published_from_the_branch_of_the_course():
    path = next(path for path in WORKFLOWS if path.stem == "site")
    push = yaml.safe_load(path.read_text(encoding="utf-8"))[True]["push"]  # YAML reads "on" as true
    assert push["branches"] == [notebooks.project()["branch"]]
