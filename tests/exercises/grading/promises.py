"""The table on the page for teachers: what the corpus holds and what became of it.

    python -m tests.exercises.grading.promises

grades the corpus as `test_corpus.py` does and writes what it counted into book/what_the_grader_promises.md.
"""

import sys
from pathlib import Path

import pytest

from tests.exercises.grading import corpus

PAGE = corpus.ROOT / "book/what_the_grader_promises.md"
BEGIN, END = "<!-- counted by tests/exercises/grading/promises.py: begin -->", "<!-- end -->"
KINDS = {
    "honest or wrong": corpus.honest,
    "damaged": corpus.damaged,
    "out of all measure": corpus.huge,
    "hostile": corpus.hostile_ones,
}


def counted(graded: dict) -> dict[str, tuple[int, int, int]]:
    """Kind → submissions tried, graded, and left to a person, of a run of the corpus."""
    from tests.exercises.grading.test_corpus import label

    counts = {}
    for kind, entries in KINDS.items():
        rows = [graded["rows"][label(student)] for student in entries()]
        refused = sum(all(row["how found"] == "needs a human" for row in of_one) for of_one in rows)
        counts[kind] = (len(rows), len(rows) - refused, refused)
    return counts


def block(counts: dict[str, tuple[int, int, int]]) -> str:
    """The table as it stands on the page."""
    lines = [
        f"| {kind} | {tried} | {graded} | {refused} | 0 |"
        for kind, (tried, graded, refused) in counts.items()
    ]
    tried, graded, refused = (sum(column) for column in zip(*counts.values()))
    total = f"| **all** | **{tried}** | **{graded}** | **{refused}** | **0** |"
    head = ["| submissions | tried | graded | left to a person | harm done |", "|---|--:|--:|--:|--:|"]
    return "\n".join([BEGIN, "", *head, *lines, total, "", END])


class Writer:
    """A guest in a run of the corpus, who writes the page when it is done and nothing was harmed."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_post_finalizer(self, fixturedef):
        if fixturedef.argname == "graded" and fixturedef.cached_result and not fixturedef.cached_result[2]:
            write(fixturedef.cached_result[0])


def write(graded: dict) -> None:
    assert graded["harmed"] == [], graded["harmed"]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + block(counted(graded)) + rest.partition(END)[2], encoding="utf-8")


def main() -> int:
    test = Path(__file__).with_name("test_corpus.py")
    return pytest.main(["-q", "-p", "no:cacheprovider", str(test), "-k", "harmed"], plugins=[Writer()])


if __name__ == "__main__":
    sys.exit(main())
